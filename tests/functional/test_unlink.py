"""Taking apart: by the button, by a person, because one side is gone; never because it only looks gone."""

import asyncio
import time
from dataclasses import replace

from keepstep.app import links
from keepstep.domain.events import Act, Timer, TimerKind
from keepstep.domain.link import LinkState
from keepstep.domain.ticket import TicketRef

from world import BOARD_TOKEN, QUICK, open_world

TICKETS = "/api/v4/projects/1/issues"


async def test_unlinking_with_the_button_cleans_the_ticket_and_frees_the_cell(world):
    integration = await world.connect()
    feature, issue, link = await world.pushed(integration)
    assert await world.click(integration, feature["id"], "button.unlink") == {"state": "initial"}
    await world.until(lambda: _no_links(world, integration))
    after = await world.issue(issue["iid"])
    assert link.marker not in after["description"]
    assert feature["links"]["html"] not in after["description"]
    assert after["description"] == issue["description"].split("\n\n---\n")[0]
    assert after["state"] == "opened"
    assert await _comments(world, issue) == []
    assert await world.cell(integration, feature["id"]) == {"state": "initial"}
    await world.edit_feature(feature["id"], name="On its own")
    await world.quiet()
    assert (await world.issue(issue["iid"]))["title"] == issue["title"]


async def test_a_push_right_after_unlinking_makes_a_new_ticket_and_keeps_its_cell(world):
    integration = await world.connect()
    feature, issue, link = await world.pushed(integration)
    assert await world.click(integration, feature["id"], "button.unlink") == {"state": "initial"}
    assert (await world.click(integration, feature["id"]))["state"] == "connected"
    await world.until(lambda: _only_link(world, integration))
    await world.quiet(0.4)
    fresh = await world.link_of(integration, feature["id"])
    assert fresh.id != link.id
    assert fresh.ticket.key != str(issue["iid"])
    assert (await world.cell(integration, feature["id"]))["hoverLabel"] == fresh.ticket.label


async def test_a_ticket_that_comes_after_its_push_was_unlinked_is_cleaned_too():
    """The cell is free meanwhile: a new push has a Link, a ticket and the cell for itself."""
    async with open_world(replace(QUICK, settle_scale=0.2)) as world:
        integration = await world.connect()
        feature = (await world.features())[0]
        world.fault("gittab", match=f"POST {TICKETS}", drop=True, when="before")
        clicking = asyncio.create_task(world.click(integration, feature["id"]))
        link = await world.until(lambda: _in_doubt(world, integration, feature))
        await links.unlink(world.ctx, link.id, "tester")
        assert await clicking == {"state": "initial"}
        await world.until(lambda: _looks_again(world, integration))
        sent = link.intent.create.draft
        assert link.marker in sent.description
        await world.tracker(
            "POST", "/projects/1/issues", {"title": sent.title, "description": sent.description}
        )
        assert (await world.click(integration, feature["id"]))["state"] == "connected"
        await world.quiet()
        async with world.ctx.storage.begin() as uow:
            await uow.timers.set(Timer(TimerKind.CELL, integration.id, world.ctx.clock.now(), link.id))
            await uow.commit()
        await world.until(lambda: _only_link(world, integration))
        await world.quiet()
        fresh = await world.link_of(integration, feature["id"])
        assert [str(each["iid"]) for each in await world.issues()] == [fresh.ticket.key]
        assert (await world.cell(integration, feature["id"]))["hoverLabel"] == fresh.ticket.label


async def test_unlink_on_an_unlinked_feature_is_initial(world):
    integration = await world.connect()
    feature = (await world.features())[0]
    assert await world.click(integration, feature["id"], "button.unlink") == {"state": "initial"}


async def test_a_person_unlinks_on_the_page(world):
    integration = await world.connect()
    feature, issue, link = await world.pushed(integration)
    await links.unlink(world.ctx, link.id, "tester")
    await world.until(lambda: _no_links(world, integration))
    assert await world.cell(integration, feature["id"]) == {"state": "initial"}
    assert link.marker not in (await world.issue(issue["iid"]))["description"]
    (entry,) = [each for each in await world.journal(link) if each.act is Act.UNLINKED]
    assert entry.actor == "tester"


async def test_a_deleted_feature_leaves_the_ticket_with_one_comment(world):
    integration = await world.connect()
    feature, issue, link = await world.pushed(integration)
    await world.board("DELETE", f"/v2/entities/{feature['id']}")
    await world.until(lambda: _no_links(world, integration))
    (note,) = await _comments(world, issue)
    assert "was deleted in Productboard" in note["body"]
    after = await world.issue(issue["iid"])
    assert link.marker not in after["description"]
    assert after["state"] == "opened"


async def test_a_deleted_ticket_brings_the_button_back(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    await world.tracker("DELETE", f"/projects/1/issues/{issue['iid']}")
    await world.until(lambda: _no_links(world, integration))
    await world.until(lambda: _cell_is(world, integration, feature, "initial"))
    assert (await world.feature(feature["id"]))["fields"]["name"] == feature["fields"]["name"]


async def test_without_a_delete_event_it_looks_twice(world):
    integration = await world.connect()
    feature, issue, link = await world.pushed(integration)
    world.fault("gittab", direction="out", lose=True, times=None)
    await world.tracker("DELETE", f"/projects/1/issues/{issue['iid']}")
    await world.poll(integration)
    lost = await world.until(lambda: _in_state(world, integration, feature, LinkState.LOST_SIGHT))
    assert lost.ticket is not None
    await world.until(lambda: _no_links(world, integration))
    await world.until(lambda: _cell_is(world, integration, feature, "initial"))
    acts = [each.act for each in await world.journal(link)]
    assert acts.index(Act.UNLINKED) < acts.index(Act.LOST_SIGHT)


async def test_what_only_looks_gone_is_found_again(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    answer = {"message": "404 Not found"}
    world.fault("gittab", match=f"GET {TICKETS}/{issue['iid']}", status=404, body=answer, times=1)
    await world.edit_issue(issue["iid"], title="Still here")
    await world.until(lambda: _in_state(world, integration, feature, LinkState.LOST_SIGHT))
    await world.until(lambda: _in_state(world, integration, feature, LinkState.LINKED))
    await world.until(lambda: _is_named(world, feature["id"], "Still here"))


async def test_a_whole_project_out_of_sight_unlinks_nothing(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    answer = {"message": "404 Project Not Found"}
    world.fault("gittab", match="* /api/v4/projects/1*", status=404, body=answer, times=None)
    await world.edit_feature(feature["id"], name="Where is it")
    await world.until(lambda: _in_state(world, integration, feature, LinkState.LOST_SIGHT))
    await asyncio.sleep(1.0)
    assert (await world.link_of(integration, feature["id"])) is not None
    world.clear_faults()
    link = await world.link_of(integration, feature["id"])
    await links.sync_now(world.ctx, link.id, "tester")
    await world.until(lambda: _is_titled(world, issue["iid"], "Where is it"))


async def test_a_ticket_that_moved_where_our_token_sees_nothing_is_unlinked_with_a_comment(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    seeded = [{"path": "hidden/project", "members": {"visitor": "maintainer"}}]
    hidden = world.gittab.state.sandbox.emulator.seed({"projects": seeded})["projects"][0]
    await world.tracker("POST", f"/projects/1/issues/{issue['iid']}/move", {"to_project_id": hidden["id"]})
    await world.until(lambda: _no_links(world, integration))
    (note,) = await _comments(world, issue)
    assert "moved away" in note["body"]
    await world.until(lambda: _cell_is(world, integration, feature, "initial"))


async def test_archiving_a_feature_keeps_the_link(world):
    integration = await world.connect()
    feature, _, _ = await world.pushed(integration)
    await world.edit_feature(feature["id"], archived=True)
    await world.quiet()
    assert (await world.link_of(integration, feature["id"])).state is LinkState.LINKED


async def test_an_existing_ticket_is_paired_by_its_address(world):
    integration = await world.connect()
    feature = (await world.features())[0]
    ticket = await world.tracker(
        "POST", "/projects/1/issues", {"title": "Made by hand", "description": "Words."}
    )
    since = time.time()
    link = await links.link_existing(
        world.ctx, integration.id, feature["links"]["html"], ticket["web_url"], "tester"
    )
    await world.until(lambda: _cell_is(world, integration, feature, "connected"))
    await world.quiet()
    after = await world.issue(ticket["iid"])
    assert after["title"] == "Made by hand"
    assert after["description"].startswith("Words.\n\n---\n")
    assert link.marker in after["description"]
    assert not [call for call in world.calls(since) if call.startswith("PATCH")]
    await world.edit_issue(ticket["iid"], title="Now in step")
    await world.until(lambda: _is_named(world, feature["id"], "Now in step"))


async def test_what_cannot_be_paired_names_the_field(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    free = (await world.features())[3]
    component = (await world.features("component"))[0]
    cases = [
        ("nonsense", issue["web_url"], "feature"),
        ("00000000-0000-4000-8000-000000000000", issue["web_url"], "feature"),
        (component["id"], issue["web_url"], "feature"),
        (feature["id"], "#1", "feature"),
        (free["id"], "https://elsewhere.example/1", "ticket"),
        (free["id"], "#99999", "ticket"),
        (free["id"], issue["web_url"], "ticket"),
    ]
    for entity, address, field in cases:
        error = await _refused(links.link_existing(world.ctx, integration.id, entity, address, "tester"))
        assert error.field == field, (entity, address, str(error))
    assert len(await world.links(integration)) == 1


async def test_a_ticket_belongs_to_one_link_in_the_whole_installation(world):
    first, second = await world.connect(), await world.connect(name="Second")
    _, issue, _ = await world.pushed(first)
    free = (await world.features())[4]
    error = await _refused(links.link_existing(world.ctx, second.id, free["id"], issue["web_url"], "tester"))
    assert issue["title"] in str(error)


async def test_a_column_that_vanished_does_not_hold_up_unlinking(world):
    integration = await world.connect()
    _, issue, link = await world.pushed(integration)
    await world.board(
        "DELETE", f"/v2/plugin-integrations/{integration.registrations.column}", token=BOARD_TOKEN
    )
    await links.unlink(world.ctx, link.id, "tester")
    await world.until(lambda: _no_links(world, integration))
    assert link.marker not in (await world.issue(issue["iid"]))["description"]
    assert isinstance(link.ticket, TicketRef)


async def _comments(world, issue):
    notes = await world.tracker("GET", f"/projects/1/issues/{issue['iid']}/notes")
    return [note for note in notes if not note["system"]]


async def _refused(pairing):
    try:
        await pairing
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller looks at it
        return error
    raise AssertionError("It was not refused.")


async def _no_links(world, integration):
    return not await world.links(integration)


async def _in_doubt(world, integration, feature):
    link = await world.link_of(integration, feature["id"])
    return link if link and link.trouble and link.intent.create else None


async def _looks_again(world, integration):
    return [link for link in await world.links(integration) if not link.is_open and link.retry_at]


async def _only_link(world, integration):
    return len(await world.links(integration)) == 1


async def _in_state(world, integration, feature, state):
    link = await world.link_of(integration, feature["id"])
    return link if link and link.state is state else None


async def _cell_is(world, integration, feature, state):
    return (await world.cell(integration, feature["id"]))["state"] == state


async def _is_titled(world, iid, title):
    return (await world.issue(iid))["title"] == title


async def _is_named(world, entity, name):
    return (await world.feature(entity))["fields"]["name"] == name
