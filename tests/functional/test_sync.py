"""Both sides stay in step, nobody is overwritten silently, and then it is quiet."""

import asyncio
import time
from dataclasses import replace

import pytest

from keepstep.app import links, manage
from keepstep.app.proposals import propose
from keepstep.domain.events import Act
from keepstep.domain.fields import Field, Side
from keepstep.domain.link import LinkState
from keepstep.domain.policy import ConflictRule, Direction, FieldPolicy

from world import BOARD, SERVICE, TRACKER, TRACKER_TOKEN

WRITES = ("PUT", "PATCH", "POST", "DELETE")


async def test_a_renamed_feature_renames_its_ticket_with_five_calls(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    since = time.time()
    await world.edit_feature(feature["id"], name="A better name")
    await world.quiet(0.4)
    assert (await world.issue(issue["iid"]))["title"] == "A better name"
    assert (await world.cell(integration, feature["id"]))["tooltip"] == f"#{issue['iid']} A better name"
    assert len(_upstream(world, since)) <= 5


async def test_a_moved_feature_moves_its_ticket_with_five_calls(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    since = time.time()
    await world.edit_feature(feature["id"], status={"name": "Released"})
    await world.quiet(0.4)
    assert (await world.issue(issue["iid"]))["state"] == "closed"
    assert (await world.cell(integration, feature["id"]))["label"] == "Closed"
    assert len(_upstream(world, since)) <= 5


@pytest.mark.parametrize(
    ("edit", "name", "status"),
    [
        ({"title": "From the tracker"}, "From the tracker", "In progress"),
        ({"state_event": "close"}, "Offline mode for the mobile app", "Released"),
    ],
)
async def test_an_edited_ticket_changes_its_feature_with_six_calls(world, edit, name, status):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    since = time.time()
    await world.edit_issue(issue["iid"], **edit)
    await world.quiet(0.4)
    fields = (await world.feature(feature["id"]))["fields"]
    assert (fields["name"], fields["status"]["name"]) == (name, status)
    assert len(_upstream(world, since)) <= 6


async def test_a_label_that_means_a_status_moves_the_feature(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration, status="Planned")
    await world.edit_issue(issue["iid"], add_labels="workflow::doing")
    await world.until(lambda: _has_status(world, feature["id"], "In progress"))
    assert (await world.cell(integration, feature["id"]))["label"] == "doing"
    await world.edit_issue(issue["iid"], remove_labels="workflow::doing")
    await world.until(lambda: _has_status(world, feature["id"], "Planned"))


async def test_statuses_that_mean_the_same_write_nothing(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    await world.edit_feature(feature["id"], status={"name": "Planned"})
    await world.until(lambda: _has_label(world, issue["iid"], "workflow::doing", present=False))
    await world.quiet()
    since = time.time()
    await world.edit_feature(feature["id"], status={"name": "Candidate"})
    await world.quiet(0.4)
    assert (await world.feature(feature["id"]))["fields"]["status"]["name"] == "Candidate"
    assert _written(world, since) == []


async def test_maps_that_are_no_inverse_come_to_rest(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    await world.edit_issue(issue["iid"], add_labels="workflow::review", remove_labels="workflow::doing")
    await world.quiet(0.4)
    assert "workflow::review" in (await world.issue(issue["iid"]))["labels"]
    assert (await world.feature(feature["id"]))["fields"]["status"]["name"] == "In progress"
    since = time.time()
    await world.poll(integration)
    await world.quiet()
    assert _written(world, since) == []


async def test_an_unmapped_status_is_a_warning_not_a_write(world):
    integration = await world.connect()
    feature, _, _ = await world.pushed(integration)
    since = time.time()
    await world.edit_feature(feature["id"], status={"name": "Won't do"})
    await world.quiet(0.4)
    link = await world.link_of(integration, feature["id"])
    assert "map it" in link.warnings[Field.STATUS]
    assert [call for call in _written(world, since) if "gittab" in call or "/issues" in call] == []


async def test_descriptions_go_both_ways_and_stay(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    await world.edit_feature(
        feature["id"],
        description="<p>One <b>bold</b> word.</p><ul><li><p>first</p></li><li><p>second</p></li></ul>",
    )
    await world.until(lambda: _describes(world, issue["iid"], "One **bold** word.\n\n- first\n- second"))
    text = (await world.issue(issue["iid"]))["description"]
    await world.edit_issue(issue["iid"], description=text.replace("second", "second, *really*"))
    await world.until(lambda: _feature_says(world, feature["id"], "second, <i>really</i>"))
    await world.quiet()
    since = time.time()
    await world.poll(integration)
    await world.quiet()
    assert _written(world, since) == []
    assert (await world.issue(issue["iid"]))["description"].count("keepstep") == text.count("keepstep")


async def test_embedded_content_survives_an_edit_of_the_ticket(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    before = (await world.feature(feature["id"]))["fields"]["description"]
    assert "urn:pb:node:" in before
    await world.edit_issue(
        issue["iid"], description=issue["description"].replace("Field crews", "All field crews")
    )
    await world.until(lambda: _feature_says(world, feature["id"], "All field crews"))
    after = (await world.feature(feature["id"]))["fields"]["description"]
    assert after == before.replace("Field crews", "All field crews")


async def test_a_footer_that_was_deleted_comes_back_once(world):
    integration = await world.connect()
    _, issue, link = await world.pushed(integration)
    body = issue["description"].split("\n---\n")[0]
    await world.edit_issue(issue["iid"], description=body)
    await world.until(lambda: _describes(world, issue["iid"], link.marker))
    await world.quiet()
    text = (await world.issue(issue["iid"]))["description"]
    assert text.count(link.marker) == 1
    assert text.startswith(body.rstrip())


async def test_two_edits_with_identical_webhook_bodies_both_arrive(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    for name in ("First name", "Second name"):
        await world.edit_feature(feature["id"], name=name)
        await world.until(lambda name=name: _is_titled(world, issue["iid"], name))
    bodies = {
        entry.request_body
        for entry in world.productboard.state.sandbox.journal._entries
        if entry.kind == "webhook"
        and feature["id"].encode() in entry.request_body
        and b"name" in entry.request_body
    }
    assert len(bodies) == 1


async def test_a_replayed_webhook_costs_one_read_and_no_write(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    await world.edit_feature(feature["id"], name="Once")
    await world.until(lambda: _is_titled(world, issue["iid"], "Once"))
    await world.quiet()
    since = time.time()
    secret = await world.ctx.vault.open(integration.board_secret)
    body = {"data": {"id": feature["id"], "eventType": "feature.updated", "links": {"target": f"{BOARD}/x"}}}
    answer = await world.client.post(
        f"{SERVICE}/hooks/productboard/{integration.id}/events",
        json=body,
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == 204
    await world.quiet()
    assert _upstream(world, since) == [f"GET /v2/entities/{feature['id']}"]


async def test_different_fields_changed_on_both_sides_merge(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    world.worker_runs = False
    await world.edit_feature(feature["id"], name="Title from the feature")
    await world.edit_issue(issue["iid"], state_event="close")
    await asyncio.sleep(0.1)
    world.worker_runs = True
    await world.until(lambda: _is_titled(world, issue["iid"], "Title from the feature"))
    await world.until(lambda: _has_status(world, feature["id"], "Released"))


@pytest.mark.parametrize(
    ("rule", "winner"),
    [
        (ConflictRule.NEWEST, "From the ticket"),
        (ConflictRule.PRODUCTBOARD, "From the feature"),
        (ConflictRule.TRACKER, "From the ticket"),
    ],
)
async def test_the_rule_decides_and_the_loser_can_be_put_back(world, rule, winner):
    integration = await _with_policy(world, FieldPolicy(rule=rule))
    feature, issue, link = await world.pushed(integration)
    await _edit_both_titles(world, feature, issue)
    await world.until(lambda: _both_titled(world, feature["id"], issue["iid"], winner))
    await world.quiet()
    (entry,) = [each for each in await world.journal(link) if each.act is Act.OVERRULED]
    assert {entry.before, winner} == {"From the feature", "From the ticket"}
    await links.put_back(world.ctx, entry.id, "tester")
    await world.until(lambda: _both_titled(world, feature["id"], issue["iid"], entry.before))


async def test_newest_goes_by_when_a_change_was_noticed(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    await _edit_both_titles(world, feature, issue, feature_last=True)
    await world.until(lambda: _both_titled(world, feature["id"], issue["iid"], "From the feature"))


async def test_ask_leaves_both_and_the_others_go_on(world):
    integration = await _with_policy(world, FieldPolicy(rule=ConflictRule.ASK))
    feature, issue, link = await world.pushed(integration)
    await _edit_both_titles(world, feature, issue)
    link = await world.until(lambda: _link_in(world, integration, feature, LinkState.IN_CONFLICT))
    assert link.conflicts[Field.TITLE].feature == "From the feature"
    assert link.conflicts[Field.TITLE].ticket == "From the ticket"
    await world.edit_issue(issue["iid"], state_event="close")
    await world.until(lambda: _has_status(world, feature["id"], "Released"))
    assert (await world.issue(issue["iid"]))["title"] == "From the ticket"
    cell = await world.cell(integration, feature["id"])
    assert (cell["label"], cell["targetUrl"]) == ("Decide", world.ctx.pages.address(link.id))
    await links.decide(world.ctx, link.id, Field.TITLE, Side.FEATURE, "tester")
    await world.until(lambda: _is_titled(world, issue["iid"], "From the feature"))
    await world.until(lambda: _link_in(world, integration, feature, LinkState.LINKED))


@pytest.mark.parametrize("direction", [Direction.TO_TICKET, Direction.ONCE, Direction.OFF])
async def test_a_direction_keeps_an_edit_of_the_ticket_there(world, direction):
    integration = await _with_policy(world, FieldPolicy(direction=direction))
    feature, issue, _ = await world.pushed(integration)
    await world.edit_issue(issue["iid"], title="Only here")
    await world.quiet(0.4)
    assert (await world.feature(feature["id"]))["fields"]["name"] == feature["fields"]["name"]
    await world.edit_feature(feature["id"], name="Source changed")
    await world.quiet(0.4)
    expected = "Source changed" if direction is Direction.TO_TICKET else "Only here"
    assert (await world.issue(issue["iid"]))["title"] == expected


async def test_a_write_that_is_accepted_and_ignored_is_refused_and_flows_nowhere(world):
    integration = await world.connect()
    feature, issue, link = await world.pushed(integration)
    world.fault("gittab", match="PUT /api/v4/projects/1/issues/*", ignore_write=True, times=None)
    await world.edit_feature(feature["id"], name="Ignored over there")
    link = await world.until(lambda: _link_in(world, integration, feature, LinkState.REFUSED))
    assert "did not store it" in link.refusals[Field.TITLE].message
    since = time.time()
    await world.poll(integration)
    await world.quiet()
    assert (await world.feature(feature["id"]))["fields"]["name"] == "Ignored over there"
    assert (await world.issue(issue["iid"]))["title"] == feature["fields"]["name"]
    assert _written(world, since) == []
    world.clear_faults()
    await links.try_again(world.ctx, [link.id], "tester")
    await world.until(lambda: _is_titled(world, issue["iid"], "Ignored over there"))
    await world.until(lambda: _link_in(world, integration, feature, LinkState.LINKED))


async def test_one_rejected_field_does_not_hold_up_the_others(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    body = {"message": {"title": ["is reserved"]}}
    world.fault("gittab", match="PUT /api/v4/projects/1/issues/*", status=400, body=body, times=2)
    await world.edit_feature(feature["id"], name="Reserved", status={"name": "Released"})
    link = await world.until(lambda: _link_in(world, integration, feature, LinkState.REFUSED))
    assert "is reserved" in link.refusals[Field.TITLE].message
    assert (await world.issue(issue["iid"]))["state"] == "closed"


async def test_a_missed_webhook_is_found_by_the_poll(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    for emulator in ("productboard", "gittab"):
        world.fault(emulator, direction="out", lose=True, times=None)
    await world.edit_feature(feature["id"], name="Nobody told us")
    await world.quiet()
    assert (await world.issue(issue["iid"]))["title"] == feature["fields"]["name"]
    await world.poll(integration)
    await world.until(lambda: _is_titled(world, issue["iid"], "Nobody told us"))
    await world.edit_issue(issue["iid"], title="Nor of this")
    await world.poll(integration)
    await world.until(lambda: _is_named(world, feature["id"], "Nor of this"))


async def test_subfeatures_live_on_the_poll(world):
    integration = await world.connect()
    subfeature = (await world.features("subfeature"))[0]
    await world.click(integration, subfeature["id"])
    (issue,) = await world.issues()
    await world.quiet()
    await world.edit_feature(subfeature["id"], name="Renamed part")
    await world.quiet()
    await world.poll(integration)
    await world.until(lambda: _is_titled(world, issue["iid"], "Renamed part"))


async def test_a_burst_is_one_or_two_syncs(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    since = time.time()
    for number in range(20):
        await world.edit_feature(feature["id"], name=f"Edit {number}")
    await world.until(lambda: _is_titled(world, issue["iid"], "Edit 19"))
    await world.quiet()
    assert len([call for call in _upstream(world, since) if call.startswith("PUT /api")]) <= 4


async def test_an_interrupted_write_is_known_as_our_own(world):
    """The tracker did the work and its answer was lost: reading again shows the intended value."""
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    world.fault("gittab", match="PUT /api/v4/projects/1/issues/*", drop=True, when="after")
    await world.edit_feature(feature["id"], name="Written, but unheard")
    await world.until(lambda: _is_titled(world, issue["iid"], "Written, but unheard"))
    await world.until(lambda: _rests(world, integration, feature))
    await world.quiet()
    assert (await world.feature(feature["id"]))["fields"]["name"] == "Written, but unheard"
    writes = [call for call in world.calls() if call.startswith("PUT /api")]
    assert len(writes) == 1


async def test_a_sync_that_keeps_failing_is_set_aside_and_can_be_tried_again(world):
    integration = await world.connect()
    feature, issue, link = await world.pushed(integration)
    world.fault("gittab", match="* /api/v4/projects/1/issues/*", status=502, times=None)
    await world.edit_feature(feature["id"], name="Later")
    link = await world.until(lambda: _link_in(world, integration, feature, LinkState.SET_ASIDE))
    assert "502" in link.trouble.message
    await world.until(lambda: _cell_is(world, integration, feature, "error"))
    world.clear_faults()
    await links.try_again(world.ctx, [link.id], "tester")
    await world.until(lambda: _is_titled(world, issue["iid"], "Later"))
    await world.until(lambda: _cell_is(world, integration, feature, "connected"))


async def _in_conflict(world):
    """Both titles were edited, and a person is to decide."""
    integration = await _with_policy(world, FieldPolicy(rule=ConflictRule.ASK))
    feature, issue, link = await world.pushed(integration)
    await _edit_both_titles(world, feature, issue)
    await world.until(lambda: _link_in(world, integration, feature, LinkState.IN_CONFLICT))
    return integration, feature, issue, link


async def test_a_decision_outlives_that_its_link_is_set_aside(world):
    integration, feature, issue, link = await _in_conflict(world)
    world.fault("gittab", match="* /api/v4/projects/1/issues/*", status=502, times=None)
    await links.decide(world.ctx, link.id, Field.TITLE, Side.FEATURE, "tester")
    await world.until(lambda: _cell_is(world, integration, feature, "error"))
    await world.quiet()
    assert await _link_in(world, integration, feature, LinkState.SET_ASIDE)
    world.clear_faults()
    await links.try_again(world.ctx, [link.id], "tester")
    await world.until(lambda: _both_titled(world, feature["id"], issue["iid"], "From the feature"))
    await world.until(lambda: _link_in(world, integration, feature, LinkState.LINKED))


async def test_a_decision_makes_a_link_that_was_set_aside_ready_again(world):
    integration, feature, issue, link = await _in_conflict(world)
    await _set_aside(world, integration, feature)
    await links.decide(world.ctx, link.id, Field.TITLE, Side.FEATURE, "tester")
    await world.until(lambda: _both_titled(world, feature["id"], issue["iid"], "From the feature"))
    await world.until(lambda: _link_in(world, integration, feature, LinkState.LINKED))


async def test_putting_back_makes_a_link_that_was_set_aside_ready_again(world):
    integration = await _with_policy(world, FieldPolicy(rule=ConflictRule.PRODUCTBOARD))
    feature, issue, link = await world.pushed(integration)
    await _edit_both_titles(world, feature, issue)
    await world.until(lambda: _both_titled(world, feature["id"], issue["iid"], "From the feature"))
    await world.quiet()
    await _set_aside(world, integration, feature)
    (entry,) = [each for each in await world.journal(link) if each.act is Act.OVERRULED]
    await links.put_back(world.ctx, entry.id, "tester")
    await world.until(lambda: _both_titled(world, feature["id"], issue["iid"], "From the ticket"))


async def test_a_changed_map_acts_on_the_next_change(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration, status="Planned")
    ids = await world.statuses()
    policy = integration.policy
    remapped = replace(
        policy.status_map,
        to_ticket={**policy.status_map.to_ticket, ids["Candidate"]: "label:workflow::review"},
    )
    await manage.change(
        world.ctx, integration.id, manage.Changes(policy=replace(policy, status_map=remapped)), "tester"
    )
    await world.quiet()
    assert "workflow::review" not in (await world.issue(issue["iid"]))["labels"]
    await world.edit_feature(feature["id"], status={"name": "Released"})
    await world.edit_feature(feature["id"], status={"name": "Candidate"})
    await world.until(lambda: _has_label(world, issue["iid"], "workflow::review"))


async def _with_policy(world, title):
    integration = await world.connect()
    policy = replace(integration.policy, fields={**integration.policy.fields, Field.TITLE: title})
    return await manage.change(world.ctx, integration.id, manage.Changes(policy=policy), "tester")


async def _set_aside(world, integration, feature):
    """The tracker is well again afterwards, and nothing of the failure is under way."""
    world.fault("gittab", match="* /api/v4/projects/1/issues/*", status=502, times=None)
    await links.sync_now(world.ctx, (await world.link_of(integration, feature["id"])).id, "tester")
    await world.until(lambda: _cell_is(world, integration, feature, "error"))
    await world.quiet()
    world.clear_faults()


async def _edit_both_titles(world, feature, issue, *, feature_last=False):
    """Both edits are there before either is synced; the ticket's is noticed last unless told otherwise."""
    world.worker_runs = False
    edits = [
        lambda: world.edit_feature(feature["id"], name="From the feature"),
        lambda: world.edit_issue(issue["iid"], title="From the ticket"),
    ]
    for edit in reversed(edits) if feature_last else edits:
        await edit()
        await asyncio.sleep(0.1)
    world.worker_runs = True


def _upstream(world, since):
    return world.calls(since)


def _written(world, since):
    reads = "POST /v2/entities/search"
    return [call for call in world.calls(since) if call.split(" ")[0] in WRITES and call != reads]


async def _is_titled(world, iid, title):
    return (await world.issue(iid))["title"] == title


async def _is_named(world, entity, name):
    return (await world.feature(entity))["fields"]["name"] == name


async def _both_titled(world, entity, iid, title):
    return await _is_titled(world, iid, title) and await _is_named(world, entity, title)


async def _has_status(world, entity, name):
    return (await world.feature(entity))["fields"]["status"]["name"] == name


async def _has_label(world, iid, label, *, present=True):
    return (label in (await world.issue(iid))["labels"]) is present


async def _describes(world, iid, text):
    return text in ((await world.issue(iid))["description"] or "")


async def _feature_says(world, entity, text):
    return text in (await world.feature(entity))["fields"].get("description", "")


async def _link_in(world, integration, feature, state):
    link = await world.link_of(integration, feature["id"])
    return link if link and link.state is state else None


async def _rests(world, integration, feature):
    link = await world.link_of(integration, feature["id"])
    return link.state is LinkState.LINKED and link.trouble is None and not link.intent.writes


async def _cell_is(world, integration, feature, state):
    return (await world.cell(integration, feature["id"]))["state"] == state


async def test_edits_of_different_paragraphs_at_once_both_survive(world):
    integration = await world.connect()
    feature, issue, link = await world.pushed(integration)
    before = (await world.feature(feature["id"]))["fields"]["description"]
    world.worker_runs = False
    await world.edit_feature(feature["id"], description=before.replace("Field crews", "Most field crews"))
    await world.edit_issue(
        issue["iid"], description=issue["description"].replace("- Queue edits", "- Queue all edits")
    )
    await asyncio.sleep(0.1)
    world.worker_runs = True
    await world.until(lambda: _describes(world, issue["iid"], "Most field crews"))
    await world.until(lambda: _feature_says(world, feature["id"], "Queue all edits"))
    await world.quiet()
    text = (await world.issue(issue["iid"]))["description"]
    assert text == issue["description"].replace("Field crews", "Most field crews").replace(
        "- Queue edits", "- Queue all edits"
    )
    html = (await world.feature(feature["id"]))["fields"]["description"]
    assert html == before.replace("Field crews", "Most field crews").replace("Queue edits", "Queue all edits")
    assert [each for each in await world.journal(link) if each.act is Act.OVERRULED] == []
    since = time.time()
    await world.poll(integration)
    await world.quiet()
    assert _written(world, since) == []


async def test_edits_of_one_paragraph_follow_the_rule_and_the_loser_is_kept(world):
    integration = await world.connect()
    feature, issue, link = await world.pushed(integration)
    before = (await world.feature(feature["id"]))["fields"]["description"]
    world.worker_runs = False
    await world.edit_feature(feature["id"], description=before.replace("<b>read and edit</b>", "<b>read</b>"))
    await asyncio.sleep(0.05)
    await world.edit_issue(
        issue["iid"], description=issue["description"].replace("**read and edit**", "**browse**")
    )
    await asyncio.sleep(0.1)
    world.worker_runs = True
    await world.until(lambda: _feature_says(world, feature["id"], "<b>browse</b>"))
    await world.quiet()
    (entry,) = [each for each in await world.journal(link) if each.act is Act.OVERRULED]
    assert (entry.side, "<b>read</b>" in entry.before) == (Side.FEATURE, True)
    await links.put_back(world.ctx, entry.id, "tester")
    await world.until(lambda: _describes(world, issue["iid"], "**read** their board"))


async def test_an_open_decision_shows_what_either_choice_leads_to(world):
    integration = await world.connect()
    policy = integration.policy
    asking = {**policy.fields, Field.DESCRIPTION: FieldPolicy(rule=ConflictRule.ASK)}
    changes = manage.Changes(policy=replace(policy, fields=asking))
    integration = await manage.change(world.ctx, integration.id, changes, "tester")
    feature, issue, link = await world.pushed(integration)
    before = (await world.feature(feature["id"]))["fields"]["description"]
    world.worker_runs = False
    await world.edit_feature(feature["id"], description=before.replace("<b>read and edit</b>", "<b>read</b>"))
    text = (
        issue["description"].replace("**read and edit**", "**browse**").replace("- Queue", "- Always queue")
    )
    await world.edit_issue(issue["iid"], description=text)
    await asyncio.sleep(0.1)
    world.worker_runs = True
    link = await world.until(lambda: _link_in(world, integration, feature, LinkState.IN_CONFLICT))
    proposed = (await propose(world.ctx, integration, link))[Field.DESCRIPTION]
    assert "**read** their" in proposed[Side.FEATURE].ticket
    assert "<b>browse</b> their" in proposed[Side.TICKET].feature
    assert all("Always queue" in pair.feature and "Always queue" in pair.ticket for pair in proposed.values())
    await links.decide(world.ctx, link.id, Field.DESCRIPTION, Side.FEATURE, "tester")
    await world.until(lambda: _describes(world, issue["iid"], "**read** their"))
    await world.until(lambda: _feature_says(world, feature["id"], "Always queue"))
    assert (await world.issue(issue["iid"]))["description"] == proposed[Side.FEATURE].ticket


async def test_what_productboard_showed_but_does_not_take_is_written_plainer(world):
    """Reads may hold tags that writes refuse: the block nobody touched is then written anew."""
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    (entity,) = _entities(world, feature["id"])
    shown = "<h3>Shown, but not taken</h3><p>One.</p><p>Two.</p>"
    entity.fields["description"] = shown
    entity.touch()
    await world.poll(integration)
    await world.until(lambda: _describes(world, issue["iid"], "Two."))
    await world.quiet()
    text = (await world.issue(issue["iid"]))["description"]
    await world.edit_issue(issue["iid"], description=text.replace("Two.", "Three."))
    expected = "<h2>Shown, but not taken</h2><p>One.</p><p>Three.</p>"
    await world.until(lambda: _feature_says(world, feature["id"], expected))
    await world.quiet()
    assert (await world.link_of(integration, feature["id"])).state is LinkState.LINKED


def _entities(world, entity):
    workspaces = world.productboard.state.sandbox.emulator.account.workspaces.values()
    return [workspace.entities[entity] for workspace in workspaces if entity in workspace.entities]


async def test_the_journal_names_who_edited_the_source(world):
    """Our own echo rides in the same job, and names us as its actor."""
    integration = await world.connect()
    feature, issue, link = await world.pushed(integration)
    world.worker_runs = False
    await world.edit_feature(feature["id"], name="By a person")
    await world.client.put(
        f"{TRACKER}/api/v4/projects/1/issues/{issue['iid']}",
        json={"add_labels": "bug"},
        headers={"PRIVATE-TOKEN": TRACKER_TOKEN},
    )
    await asyncio.sleep(0.1)
    world.worker_runs = True
    await world.until(lambda: _is_titled(world, issue["iid"], "By a person"))
    await world.quiet()
    (entry,) = [each for each in await world.journal(link) if each.act is Act.WROTE]
    assert entry.actor == ""
