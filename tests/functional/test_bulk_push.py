"""Many features pushed at once: chosen by a filter, seen before, paused, cancelled, interrupted, and never twice."""

from dataclasses import replace

import pytest

from keepstep.app import bulk, bulk_feeding, manage, selecting
from keepstep.domain.bulk import BulkOutcome, BulkState
from keepstep.domain.errors import ForbiddenMoveError, InvalidInputError
from keepstep.ports.bulk import BulkItemQuery


async def proposed(world, integration, **asked):
    """Collected, and seen by nobody yet."""
    selection, title = await selecting.select(world.ctx, integration.id, selecting.Asked(**asked))
    run = await bulk.propose_push(world.ctx, integration.id, selection, title, "ada")
    return await in_state(world, run, BulkState.PROPOSED)


async def in_state(world, run, *states):
    async def look():
        found = (await bulk.view_run(world.ctx, run.id)).run
        return found if found.state in states else None

    return await world.until(look, 20)


async def items(world, run, *outcomes):
    found, _ = await bulk.list_items(world.ctx, BulkItemQuery(run.id, outcomes, limit=500))
    return found


async def test_a_filtered_selection_is_pushed_and_each_cell_shows_its_ticket(world):
    integration = await world.connect()
    run = await proposed(world, integration, statuses=["planned", "In progress"])
    wanted = {
        each["id"]
        for each in await world.features()
        if each["fields"]["status"]["name"] in ("Planned", "In progress")
        and not each["fields"].get("archived")
    }
    assert {each.feature_id for each in await items(world, run)} == wanted
    assert run.title == "Features: status Planned or In progress"
    assert not await world.issues(), "nothing happens before it is started"
    await bulk.start(world.ctx, run.id, "ada")
    await in_state(world, run, BulkState.DONE)
    await world.quiet()
    done = await items(world, run)
    assert {each.outcome for each in done} == {BulkOutcome.PUSHED}
    assert len(await world.issues()) == len(wanted)
    for each in done:
        cell = await world.cell(integration, each.feature_id)
        assert (cell["state"], cell["hoverLabel"]) == ("connected", each.ticket.label)


async def test_a_push_of_many_costs_what_its_pushes_cost(world):
    """Read, create, show: and one write where the tracker did not start with the status."""
    integration = await world.connect()
    run = await proposed(world, integration, statuses=["New idea"])
    count = len(await items(world, run))
    assert count >= 2
    await world.quiet()
    before = len(world.calls())
    await bulk.start(world.ctx, run.id, "ada")
    await in_state(world, run, BulkState.DONE)
    calls = world.calls()[before:]
    pushes = [each for each in calls if not each.startswith("GET /api/v4")]
    assert len(pushes) == 3 * count, pushes


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"text": "OFFLINE mode"}, ["Offline mode for the mobile app"]),
        ({"owner": "Ada@Harbor.example", "text": "offline mode"}, ["Offline mode for the mobile app"]),
        ({"tags": ["Enterprise"], "place": "Workspace", "text": "offline mode"}, ["Offline mode for the mobile app"]),
        ({"tags": ["Enterprise"], "place": "Accounts and access", "text": "offline mode"}, []),
    ],
)  # fmt: skip
async def test_features_are_selected_by_words_owner_tag_and_place(world, asked, names):
    integration = await world.connect()
    run = await proposed(world, integration, **asked)
    assert [each.feature_title for each in await items(world, run)] == names


async def test_a_product_holds_what_is_in_its_components_and_subfeatures_come_when_asked_for(world):
    integration = await world.connect()
    (product,) = await world.features("product")
    run = await proposed(world, integration, place=product["id"], subfeatures=True)
    found = {each.feature_id for each in await items(world, run)}
    kinds = [await world.features(kind) for kind in ("feature", "subfeature")]
    alive = {each["id"] for some in kinds for each in some if not each["fields"].get("archived")}
    assert kinds[1]
    assert found == alive


@pytest.mark.parametrize(
    ("asked", "field", "tells"),
    [
        ({"statuses": ["Plannd"]}, "status", "Planned"),
        ({"tags": ["nope"]}, "tag", "performance"),
        ({"place": "Attic"}, "place", "Workspace"),
    ],
)
async def test_what_nobody_has_is_refused_with_what_there_is(world, asked, field, tells):
    integration = await world.connect()
    with pytest.raises(InvalidInputError, match=tells) as caught:
        await selecting.select(world.ctx, integration.id, selecting.Asked(**asked))
    assert caught.value.field == field


async def test_what_is_linked_already_is_skipped_and_no_feature_gets_two_tickets(world):
    integration = await world.connect()
    feature, _, link = await world.pushed(integration)
    run = await proposed(world, integration)
    other = await proposed(world, integration)
    (skipped,) = await items(world, run, BulkOutcome.SKIPPED)
    assert (skipped.feature_id, skipped.reason) == (
        feature["id"],
        f"Linked already, with {link.ticket.label}.",
    )
    await bulk.start(world.ctx, run.id, "ada")
    await in_state(world, run, BulkState.DONE)
    await bulk.start(world.ctx, other.id, "ada")
    await in_state(world, other, BulkState.DONE)
    assert {each.outcome for each in await items(world, other)} == {BulkOutcome.SKIPPED}
    issues = await world.issues()
    assert len(issues) == len(await items(world, run)) == len({each["title"] for each in issues})


async def test_what_is_left_out_is_not_pushed(world):
    integration = await world.connect()
    run = await proposed(world, integration, statuses=["New idea"])
    first, *rest = await items(world, run)
    await bulk.choose(world.ctx, run.id, [first.id], chosen=False)
    await bulk.start(world.ctx, run.id, "ada")
    await in_state(world, run, BulkState.DONE)
    assert [each.id for each in await items(world, run, BulkOutcome.SKIPPED)] == [first.id]
    assert await world.link_of(integration, first.feature_id) is None
    assert len(await world.issues()) == len(rest)


async def test_a_run_starts_once_and_one_run_at_a_time(world):
    integration = await world.connect()
    run, other = await proposed(world, integration), await proposed(world, integration)
    world.worker_runs = False
    await bulk.start(world.ctx, run.id, "ada")
    with pytest.raises(ForbiddenMoveError, match="only one that is proposed"):
        await bulk.start(world.ctx, run.id, "ada")
    with pytest.raises(ForbiddenMoveError, match="Another bulk run"):
        await bulk.start(world.ctx, other.id, "ada")


async def test_the_preview_of_an_item_is_the_ticket_it_becomes(world):
    integration = await world.connect()
    run = await proposed(world, integration, text="offline mode")
    (item,) = await items(world, run)
    shown = await bulk.preview_item(world.ctx, run.id, item.id)
    await bulk.start(world.ctx, run.id, "ada")
    await in_state(world, run, BulkState.DONE)
    (issue,) = await world.issues()
    assert issue["title"] == shown.title
    assert issue["description"].startswith(shown.description)
    assert f"workflow::{shown.status.name}" in issue["labels"]


async def test_pause_lets_what_is_under_way_end_and_resume_goes_on(world):
    integration = await world.connect()
    run = await proposed(world, integration)
    total = len(await items(world, run))
    assert total > bulk_feeding.AT_ONCE
    world.worker_runs = False
    await bulk.start(world.ctx, run.id, "ada")
    assert await bulk_feeding.feed_runs(world.ctx) == bulk_feeding.AT_ONCE
    await bulk.pause(world.ctx, run.id, "ada")
    world.worker_runs = True

    async def rested():
        await world.quiet()
        return not await items(world, run, BulkOutcome.UNDER_WAY)

    await world.until(rested)
    assert len(await items(world, run, BulkOutcome.PUSHED)) == bulk_feeding.AT_ONCE
    view = await bulk.view_run(world.ctx, run.id)
    assert (view.run.message, view.ends_at) == ("Paused by ada.", None)
    await bulk.resume(world.ctx, run.id, "ada")
    await in_state(world, run, BulkState.DONE)
    assert len(await world.issues()) == total


async def test_cancel_leaves_what_is_done_and_begins_nothing_more(world):
    integration = await world.connect()
    run = await proposed(world, integration)
    total = len(await items(world, run))
    world.worker_runs = False
    await bulk.start(world.ctx, run.id, "ada")
    await bulk_feeding.feed_runs(world.ctx)
    assert (await bulk.cancel(world.ctx, run.id, "ada")).state is BulkState.CANCELLING
    world.worker_runs = True
    await in_state(world, run, BulkState.CANCELLED)
    assert len(await items(world, run, BulkOutcome.PUSHED)) == bulk_feeding.AT_ONCE
    skipped = await items(world, run, BulkOutcome.SKIPPED)
    assert {each.reason for each in skipped} == {"Cancelled before its turn."}
    assert len(skipped) == total - bulk_feeding.AT_ONCE
    assert len(await world.issues()) == bulk_feeding.AT_ONCE
    with pytest.raises(ForbiddenMoveError, match="cancelled already"):
        await bulk.cancel(world.ctx, run.id, "ada")


async def test_an_integration_that_is_paused_holds_its_run_and_lets_it_go_on(world):
    integration = await world.connect()
    run = await proposed(world, integration)
    total = len(await items(world, run))
    world.worker_runs = False
    await bulk.start(world.ctx, run.id, "ada")
    await manage.pause(world.ctx, integration.id, "tomas")
    world.worker_runs = True
    held = await in_state(world, run, BulkState.PAUSED)
    assert held.message == "Roadmap is paused. Paused by tomas."
    with pytest.raises(ForbiddenMoveError, match="only while it is active"):
        await bulk.resume(world.ctx, run.id, "ada")
    await manage.resume(world.ctx, integration.id, "tomas")
    await in_state(world, run, BulkState.DONE)
    assert len(await items(world, run, BulkOutcome.PUSHED)) == total


async def test_one_that_fails_says_why_and_the_others_go_on(world):
    integration = await world.connect()
    run = await proposed(world, integration, statuses=["New idea", "Candidate"])
    unlucky, *others = await items(world, run)
    world.fault("productboard", match=f"GET /v2/entities/{unlucky.feature_id}", status=404, times=None)
    await bulk.start(world.ctx, run.id, "ada")
    await in_state(world, run, BulkState.DONE)
    (failed,) = await items(world, run, BulkOutcome.FAILED)
    assert failed.feature_id == unlucky.feature_id
    assert failed.reason == "This feature does not exist any more, or our token may not see it."
    assert len(await items(world, run, BulkOutcome.PUSHED)) == len(others) == len(await world.issues())


async def test_an_answer_that_is_lost_after_the_work_makes_no_second_ticket(world):
    integration = await world.connect()
    run = await proposed(world, integration, statuses=["New idea", "Candidate"])
    world.fault("gittab", match="POST */issues", drop=True, times=2)
    await bulk.start(world.ctx, run.id, "ada")
    await in_state(world, run, BulkState.DONE)
    titles = [each["title"] for each in await world.issues()]
    assert sorted(titles) == sorted(each.feature_title for each in await items(world, run))


async def test_collecting_waits_out_a_busy_productboard_and_begins_anew(world):
    integration = await world.connect()
    world.fault("productboard", match="POST /v2/entities/search", status=503, times=2)
    run = await proposed(world, integration, statuses=["New idea"])
    assert (run.message, run.attempts) == ("", 0)
    assert await items(world, run)


async def test_collecting_that_is_refused_ends_with_the_cause(world):
    integration = await world.connect()
    world.fault("productboard", match="POST /v2/entities/search", status=403, times=None)
    selection, title = await selecting.select(world.ctx, integration.id, selecting.Asked())
    run = await bulk.propose_push(world.ctx, integration.id, selection, title, "ada")
    failed = await in_state(world, run, BulkState.FAILED)
    assert "403" in failed.message


async def test_a_paused_integration_takes_no_new_run(world):
    integration = await world.connect()
    await manage.pause(world.ctx, integration.id, "tomas")
    selection, title = await selecting.select(world.ctx, integration.id, selecting.Asked())
    with pytest.raises(ForbiddenMoveError, match="Roadmap is paused"):
        await bulk.propose_push(world.ctx, integration.id, selection, title, "ada")


async def test_the_end_is_estimated_while_it_goes_on(world):
    integration = await world.connect()
    run = await proposed(world, integration)
    assert (await bulk.view_run(world.ctx, run.id)).ends_at is None
    world.worker_runs = False
    await bulk.start(world.ctx, run.id, "ada")
    view = await bulk.view_run(world.ctx, run.id)
    assert view.ends_at > world.ctx.clock.now()


async def test_a_run_goes_on_after_its_process_died_at_any_turn(world):
    """Nothing is kept in the process: each turn is made by another one, and its wakes are lost."""
    integration = await world.connect()
    run = await proposed(world, integration, statuses=["New idea"])
    world.worker_runs = False
    await bulk.start(world.ctx, run.id, "ada")
    begun = await bulk_feeding.feed_runs(world.ctx)
    world.jobs.waiting.clear()
    again = await bulk_feeding.feed_runs(world.ctx)
    assert (begun > 0, again) == (True, 0)
    for each in await items(world, run, BulkOutcome.UNDER_WAY):
        await world.ctx.jobs.wake_link(each.link_id)
    world.worker_runs = True
    await in_state(world, run, BulkState.DONE)
    assert len(await world.issues()) == begun


async def test_collecting_that_was_interrupted_passes_over_what_is_stored(world):
    integration = await world.connect()
    run = await proposed(world, integration)
    first = await items(world, run)
    async with world.ctx.storage.begin() as uow:
        stored = await uow.bulk_runs.get(run.id)
        await uow.bulk_runs.save(replace(stored, state=BulkState.PREPARING))
        await uow.commit()
    await in_state(world, run, BulkState.PROPOSED)
    assert await items(world, run) == first
