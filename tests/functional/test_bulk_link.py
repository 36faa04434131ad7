"""Features and tickets that exist are linked as pairs: by marker, address, title or CSV; and what happens first."""

import re

import pytest
from test_bulk_push import in_state, items

from keepstep.app import bulk, bulk_feeding, bulk_preparing, links
from keepstep.domain.bulk import BulkOutcome, BulkState, FirstSync, Way
from keepstep.domain.errors import InvalidInputError
from keepstep.domain.events import Act
from keepstep.domain.fields import Field, Side
from keepstep.domain.link import LinkState
from keepstep.domain.policy import Direction, FieldPolicy, SyncPolicy

EVERY_WAY = tuple(Way)


async def looked_for(world, integration, *ways, csv=""):
    run = await bulk.propose_link(world.ctx, integration.id, ways, "ada", csv=csv)
    return await in_state(world, run, BulkState.PROPOSED)


async def done(world, run, first=FirstSync.KEEP):
    await bulk.start(world.ctx, run.id, "ada", first)
    await in_state(world, run, BulkState.DONE)
    await world.quiet()


async def new_issue(world, title, description="", **more):
    fields = {"title": title, "description": description} | more
    return await world.tracker("POST", "/projects/1/issues", fields)


async def features(world):
    return [each for each in await world.features() if not each["fields"].get("archived")]


async def test_by_title_a_pair_is_proposed_and_never_applied_unseen(world):
    integration = await world.connect()
    one, two, *_ = await features(world)
    issue = await new_issue(world, f"  {one['fields']['name'].upper()} ")
    await new_issue(world, two["fields"]["name"])
    await new_issue(world, two["fields"]["name"])
    run = await looked_for(world, integration, *EVERY_WAY)
    (pair,) = await items(world, run)
    assert (pair.feature_id, pair.ticket.key, pair.way) == (one["id"], str(issue["iid"]), Way.TITLE)
    assert not pair.chosen
    assert run.notes == ("1 feature has more than one possible partner by title: left out.",)
    await done(world, run)
    assert await world.links(integration) == []


async def test_what_was_ticked_is_linked_and_each_side_shows_it(world):
    integration = await world.connect()
    one = (await features(world))[0]
    issue = await new_issue(world, one["fields"]["name"], "The ticket's own words.")
    run = await looked_for(world, integration, Way.TITLE)
    (pair,) = await items(world, run)
    await bulk.choose(world.ctx, run.id, [pair.id], chosen=True)
    await done(world, run)
    (pair,) = await items(world, run)
    assert (pair.outcome, pair.reason) == (BulkOutcome.LINKED, "")
    link = await world.link_of(integration, one["id"])
    assert (link.state, link.id) == (LinkState.LINKED, pair.link_id)
    assert (await world.cell(integration, one["id"]))["hoverLabel"] == f"#{issue['iid']}"
    text = (await world.issue(issue["iid"]))["description"]
    assert text.startswith("The ticket's own words.")
    assert link.marker in text
    assert (await world.feature(one["id"]))["fields"]["description"] == one["fields"]["description"]
    await world.edit_issue(issue["iid"], title="Renamed there")
    await world.until(lambda: _named(world, one["id"], "Renamed there"))


async def _named(world, feature, title):
    return (await world.feature(feature))["fields"]["name"] == title


@pytest.mark.parametrize("where", ["feature", "ticket"])
async def test_an_address_in_either_description_makes_a_pair(world, where):
    integration = await world.connect()
    one = (await features(world))[0]
    issue = await new_issue(world, "Elsewhere", f"From {one['links']['html']}" if where == "ticket" else "x")
    if where == "feature":
        await world.edit_feature(one["id"], description=f'<p><a href="{issue["web_url"]}">ticket</a></p>')
    run = await looked_for(world, integration, Way.ADDRESS)
    (pair,) = await items(world, run)
    assert (pair.feature_id, pair.ticket.key) == (one["id"], str(issue["iid"]))
    assert (pair.way, pair.chosen) == (Way.ADDRESS, True)


async def test_after_a_lost_database_tickets_are_found_by_their_marker_and_keep_it(world):
    integration = await world.connect()
    feature, issue, link = await world.pushed(integration)
    async with world.ctx.storage.begin() as uow:
        await uow.links.delete(link.id)
        await uow.commit()
    run = await looked_for(world, integration, *EVERY_WAY)
    (pair,) = await items(world, run)
    assert (pair.way, pair.chosen) == (Way.MARKER, True)
    before = len(world.calls())
    await done(world, run)
    again = await world.link_of(integration, feature["id"])
    assert again.id == link.id
    assert (await world.issue(issue["iid"]))["description"] == issue["description"]
    assert not [each for each in world.calls()[before:] if each.startswith("PUT /api/v4")]


async def test_a_push_that_still_looks_for_its_ticket_keeps_it(world):
    integration = await world.connect()
    one = (await features(world))[0]
    world.fault("gittab", match="POST */issues", drop=True, when="after", times=1)
    world.fault("gittab", match="GET */issues", status=503, times=None)
    assert (await world.click(integration, one["id"]))["state"] == "progress"
    world.worker_runs = False
    world.clear_faults()
    (issue,) = await world.issues()
    other = next(each for each in await features(world) if each["id"] != one["id"])
    await world.edit_feature(other["id"], description=f"<p>See {issue['web_url']}</p>")
    run = await bulk.propose_link(world.ctx, integration.id, EVERY_WAY, "ada")
    await bulk_preparing.prepare_runs(world.ctx)
    assert await items(world, run) == []


def csv_of(*pairs):
    return "feature;ticket\r\n" + "".join(f"{one};{other}\r\n" for one, other in pairs)


async def test_a_csv_is_looked_up_and_says_for_each_line_what_is_wrong(world):
    integration = await world.connect()
    linked, issue, _ = await world.pushed(integration)
    one, two, three = [each for each in await features(world) if each["id"] != linked["id"]][:3]
    made = await new_issue(world, "Elsewhere")
    nobody = "0f000000-0000-4000-8000-00000000dead"
    component = (await world.features("component"))[0]
    pairs = [
        (one["links"]["html"], made["web_url"]), (two["id"], "#9999"), (three["id"], f"#{issue['iid']}"),
        (linked["id"], "#1"), (nobody, "#2"), (component["id"], "#3"),
    ]  # fmt: skip
    run = await looked_for(world, integration, csv=csv_of(*pairs))
    found = await items(world, run)
    assert [each.line for each in found] == [2, 3, 4, 5, 6, 7]
    assert [each.reason for each in found] == [
        "",
        "There is no ticket “#9999” in demo/roadmap.",
        f"The ticket is linked with “{linked['fields']['name']}”.",
        f"Linked already, with #{issue['iid']}.",
        "Productboard knows no such feature, or our token may not see it.",
        "Only features and subfeatures can be linked. This is a component.",
    ]
    await done(world, run)
    assert [each.outcome for each in await items(world, run)][:2] == [BulkOutcome.LINKED, BulkOutcome.SKIPPED]
    assert (await world.link_of(integration, one["id"])).ticket.key == str(made["iid"])
    assert len(await world.links(integration)) == 2


async def test_a_csv_that_cannot_be_read_begins_no_run(world):
    integration = await world.connect()
    with pytest.raises(InvalidInputError, match="Line 2, column feature") as caught:
        await bulk.propose_link(world.ctx, integration.id, (), "ada", csv="feature,ticket\nx,#1")
    assert caught.value.field == "csv"
    with pytest.raises(InvalidInputError, match="Choose by what"):
        await bulk.propose_link(world.ctx, integration.id, (), "ada")
    assert (await bulk.list_runs(world.ctx, integration.id, 0, 9))[1] == 0


async def differing(world, integration, first):
    """One pair that differs in all three fields, linked."""
    one = next(each for each in await features(world) if each["fields"]["status"]["name"] == "In progress")
    await world.edit_feature(one["id"], name="Of the feature", description="<p>Feature words.</p>")
    issue = await new_issue(world, "Of the ticket", "Ticket words.")
    run = await looked_for(world, integration, csv=csv_of((one["id"], f"#{issue['iid']}")))
    await done(world, run, first)
    (pair,) = await items(world, run)
    return one["id"], issue["iid"], await world.link_of(integration, one["id"]), pair


async def test_after_both_kept_theirs_what_gives_way_to_an_edit_is_in_the_journal(world):
    integration = await world.connect()
    feature, iid, link, _ = await differing(world, integration, FirstSync.KEEP)
    await world.edit_feature(feature, name="Edited", description="<p>Other words of the feature.</p>")
    await world.until(lambda: titled(world, iid, "Edited"))
    await world.quiet()
    assert (await shown(world, feature, iid))[1][:2] == ("Edited", "Other words of the feature.")
    overruled = [each for each in await world.journal(link) if each.act is Act.OVERRULED]
    assert {each.field: each.before.split("\n")[0] for each in overruled} == {
        Field.TITLE: "Of the ticket",
        Field.DESCRIPTION: "Ticket words.",
    }
    assert all(
        "were not in step before. This value lost and can be put back." in each.reason for each in overruled
    )


async def titled(world, iid, title):
    return (await world.issue(iid))["title"] == title


async def shown(world, feature, iid):
    fields, issue = (await world.feature(feature))["fields"], await world.issue(iid)
    text = re.sub(r"\n+---\n.*", "", issue["description"], flags=re.DOTALL)
    labels = [each for each in issue["labels"] if each.startswith("workflow")]
    return (
        (fields["name"], fields["description"], fields["status"]["name"]),
        (issue["title"], text, labels or [issue["state"]]),
    )


OF_FEATURE = ("Of the feature", "<p>Feature words.</p>", "In progress")
OF_TICKET = ("Of the ticket", "Ticket words.", ["opened"])


@pytest.mark.parametrize(
    ("first", "expected", "losers"),
    [
        (FirstSync.KEEP, (OF_FEATURE, OF_TICKET), None),
        (
            FirstSync.FEATURE,
            (OF_FEATURE, ("Of the feature", "Feature words.", ["workflow::doing"])),
            (Side.TICKET, {"Of the ticket", "opened"}),
        ),
        (
            FirstSync.TICKET,
            (("Of the ticket", "<p>Ticket words.</p>", "Planned"), OF_TICKET),
            (Side.FEATURE, {"Of the feature", "<p>Feature words.</p>"}),
        ),
    ],
)
async def test_whose_values_stay_is_chosen_and_the_others_are_in_the_journal(world, first, expected, losers):
    integration = await world.connect()
    feature, iid, link, pair = await differing(world, integration, first)
    assert await shown(world, feature, iid) == expected
    assert (link.state, link.conflicts, pair.reason) == (LinkState.LINKED, {}, "")
    overruled = [each for each in await world.journal(link) if each.act is Act.OVERRULED]
    if losers is None:
        assert overruled == []
        return
    side, values = losers
    assert {each.side for each in overruled} == {side}
    assert values <= {each.before for each in overruled}
    assert {each.field for each in overruled} == set(Field)


async def test_a_value_that_gave_way_can_be_put_back(world):
    integration = await world.connect()
    feature, iid, link, _ = await differing(world, integration, FirstSync.FEATURE)
    entry = next(
        each
        for each in await world.journal(link)
        if each.act is Act.OVERRULED and each.field is Field.DESCRIPTION
    )
    await links.put_back(world.ctx, entry.id, "ada")
    await world.quiet()
    both = await shown(world, feature, iid)
    assert (both[0][1], both[1][1]) == ("<p>Ticket words.</p>", "Ticket words.")


async def test_who_wants_to_be_asked_is_asked_until_a_decision_and_no_edit_ends_it(world):
    integration = await world.connect()
    feature, iid, link, pair = await differing(world, integration, FirstSync.ASK)
    assert await shown(world, feature, iid) == (OF_FEATURE, OF_TICKET)
    assert (link.state, set(link.conflicts)) == (LinkState.IN_CONFLICT, set(Field))
    assert pair.outcome is BulkOutcome.LINKED
    assert pair.reason == "The two sides differ in description and status and title: a person decides."
    await world.edit_issue(iid, title="Edited meanwhile")
    await world.quiet()
    assert (await shown(world, feature, iid))[0] == OF_FEATURE
    for name, keep in (
        (Field.TITLE, Side.TICKET),
        (Field.DESCRIPTION, Side.TICKET),
        (Field.STATUS, Side.FEATURE),
    ):
        await links.decide(world.ctx, link.id, name, keep, "ada")
    await world.quiet()
    assert await shown(world, feature, iid) == (
        ("Edited meanwhile", "<p>Ticket words.</p>", "In progress"),
        ("Edited meanwhile", "Ticket words.", ["workflow::doing"]),
    )
    link = await world.link_of(integration, feature)
    assert (link.state, link.conflicts) == (LinkState.LINKED, {})


async def test_an_empty_description_never_wins(world):
    integration = await world.connect()
    one = (await features(world))[0]
    await world.edit_feature(one["id"], description="")
    issue = await new_issue(world, one["fields"]["name"], "Only here.")
    made = await links.link_existing(
        world.ctx, integration.id, one["id"], f"#{issue['iid']}", "ada", FirstSync.FEATURE
    )
    await world.quiet()
    both = await shown(world, one["id"], issue["iid"])
    assert (both[0][1], both[1][1]) == ("<p>Only here.</p>", "Only here.")
    assert (await world.link_of(integration, one["id"])).id == made.id


async def test_a_field_that_goes_one_way_is_not_turned_round(world):
    policy = SyncPolicy(
        fields={Field.TITLE: FieldPolicy(Direction.TO_TICKET), Field.DESCRIPTION: FieldPolicy(Direction.OFF)},
        status_map=await world.status_map(),
    )
    integration = await world.connect(policy=policy)
    feature, iid, _, _ = await differing(world, integration, FirstSync.TICKET)
    both = await shown(world, feature, iid)
    assert both[0] == ("Of the feature", "<p>Feature words.</p>", "Planned")
    assert both[1] == OF_TICKET


async def test_what_is_embedded_in_a_feature_is_not_lost_to_the_ticket_s_text(world):
    integration = await world.connect()
    one = next(each for each in await features(world) if "urn:pb:node" in each["fields"]["description"])
    issue = await new_issue(world, one["fields"]["name"], "Ticket words.")
    await links.link_existing(
        world.ctx, integration.id, one["id"], f"#{issue['iid']}", "ada", FirstSync.TICKET
    )
    await world.quiet()
    link = await world.link_of(integration, one["id"])
    assert link.state is LinkState.REFUSED
    assert (await world.feature(one["id"]))["fields"]["description"] == one["fields"]["description"]


async def test_a_pair_whose_ticket_is_gone_fails_and_one_that_was_taken_is_skipped(world):
    integration = await world.connect()
    one, two, three, four = (await features(world))[:4]
    gone, taken, good = [await new_issue(world, name) for name in ("Gone", "Taken", "Good")]
    pairs = [(each["id"], f"#{issue['iid']}") for each, issue in ((one, gone), (two, taken), (three, good))]
    run = await looked_for(world, integration, csv=csv_of(*pairs))
    await world.tracker("DELETE", f"/projects/1/issues/{gone['iid']}")
    await links.link_existing(world.ctx, integration.id, four["id"], f"#{taken['iid']}", "tomas")
    await done(world, run)
    found = await items(world, run)
    assert [each.outcome for each in found] == [BulkOutcome.FAILED, BulkOutcome.SKIPPED, BulkOutcome.LINKED]
    assert "not there any more" in found[0].reason
    assert four["fields"]["name"] in found[1].reason


async def test_pairs_are_read_together_and_a_restart_loses_none(world):
    integration = await world.connect()
    some = (await features(world))[:5]
    issues = [await new_issue(world, f"Other {number}") for number in range(5)]
    pairs = [(each["id"], f"#{issue['iid']}") for each, issue in zip(some, issues, strict=True)]
    run = await looked_for(world, integration, csv=csv_of(*pairs))
    await world.quiet()
    world.worker_runs = False
    await bulk.start(world.ctx, run.id, "ada", FirstSync.FEATURE)
    before = len(world.calls())
    assert await bulk_feeding.feed_runs(world.ctx) == 5
    assert len(world.calls()) - before == 2
    waiting = set(world.jobs.waiting)
    assert await bulk_feeding.feed_runs(world.ctx) == 0
    world.jobs.waiting.clear()
    for each in await items(world, run, BulkOutcome.UNDER_WAY):
        await world.ctx.jobs.wake_link(each.link_id)
    assert set(world.jobs.waiting) == waiting
    world.worker_runs = True
    await in_state(world, run, BulkState.DONE)
    assert len(await world.links(integration)) == 5
    for each, issue in zip(some, issues, strict=True):
        assert (await world.issue(issue["iid"]))["title"] == each["fields"]["name"]


async def test_a_tracker_that_does_not_answer_makes_the_run_wait_and_go_on(world):
    integration = await world.connect()
    one = (await features(world))[0]
    issue = await new_issue(world, "Other")
    run = await looked_for(world, integration, csv=csv_of((one["id"], f"#{issue['iid']}")))
    world.fault("gittab", match="GET */issues*", status=503, times=2)
    await done(world, run)
    assert (await items(world, run))[0].outcome is BulkOutcome.LINKED
