"""What the machine has found, each told once more as a short story."""

import contextlib

import pytest

from convergence.chaos import Killed
from convergence.twin_world import COLUMNS, TwinWorld
from convergence.twins import FIRST_STATUS
from keepstep.app import links, polling
from keepstep.domain.column import PROGRESS, CellState
from keepstep.domain.events import Act, NoticeKind
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import IntegrationId, StatusId
from keepstep.domain.link import LinkState
from keepstep.domain.policy import ConflictRule, Direction, FieldPolicy, SyncPolicy

A = IntegrationId("a")
TEXT = "<p>one two three</p><p>four five six</p>"


def _policy(rule=ConflictRule.NEWEST, way=Direction.BOTH):
    return SyncPolicy({name: FieldPolicy(way, rule) for name in Field})


async def _pushed(rule=ConflictRule.NEWEST, way=Direction.BOTH):
    world = TwinWorld()
    world.board.add("f1", "Feature", TEXT, StatusId("planned"))
    await world.begin((_policy(rule, way), _policy(rule, way)))
    await world.click("a", "f1", "push", jobs_meanwhile=2)
    await world.calm_down()
    assert world.tracker.items["1"].snapshot.status == FIRST_STATUS
    return world


def _edit_ticket(world, old, new, ticket="1"):
    text = world.tracker.items[ticket].snapshot.description
    assert old in text
    world.tracker.put(ticket, description=text.replace(old, new))


def _edit_feature(world, old, new):
    text = world.board.items["f1"].snapshot.description
    assert old in text
    world.board.put("f1", description=text.replace(old, new))


async def _overruled(world):
    return [each.before for each in await world.journal() if each.act is Act.OVERRULED]


async def test_an_unlink_whose_wake_was_lost_is_found_by_the_sweep():
    world = await _pushed()
    (link,) = await world.links()
    await links.unlink(world.ctx, link.id, "ann")
    world.jobs._waiting.clear()
    world.clock.advance(30)
    await world.sweep()
    await world.drain()
    assert await world.links() == []


async def test_a_deletion_whose_job_died_and_whose_wake_was_lost_is_found_by_the_sweep():
    world = await _pushed()
    world.board.add("f2", "Another", TEXT, StatusId("planned"))
    world.board.delete("f1")
    await world.deliver_all()
    world.chaos.lie_in_wait("die", 2)
    with contextlib.suppress(Killed):
        await world.drain()
    (link,) = await world.links()
    assert link.state is LinkState.UNLINKING
    world.stalled.clear()
    world.jobs._waiting.clear()
    world.clock.advance(30)
    await world.sweep()
    await world.drain()
    assert await world.links() == []


async def test_a_cell_whose_feature_is_gone_does_not_stop_the_poll():
    world = await _pushed()
    world.board.add("f2", "Other", "", StatusId("planned"))
    world.board.set_cell(COLUMNS["a"], "f2", PROGRESS)
    world.board.items["f2"].hidden = True
    await polling.poll(world.ctx, A, Side.FEATURE)
    async with world.storage.begin() as uow:
        assert await uow.marks.get(A, Side.FEATURE) is not None


async def test_an_edit_made_while_the_other_side_was_hidden_is_carried_over_afterwards():
    world = await _pushed()
    _edit_feature(world, "two", "2")
    world.tracker.items["1"].hidden = True
    await world.deliver_all()
    await world.drain()
    assert (await world.links())[0].state is LinkState.LOST_SIGHT
    world.tracker.items["1"].hidden = False
    await world.calm_down()
    assert "one 2 three" in world.tracker.items["1"].snapshot.description


async def test_a_losing_value_is_journalled_although_the_winner_is_stored_with_less():
    world = await _pushed(ConflictRule.TRACKER)
    _edit_feature(world, "two", "2")
    _edit_ticket(world, "two", "~~two~~")
    await world.calm_down()
    assert any("one 2 three" in each for each in await _overruled(world))


@pytest.mark.parametrize("after", [2, 3])
async def test_a_losing_value_is_journalled_although_the_process_died_behind_the_write(after):
    world = await _pushed(ConflictRule.PRODUCTBOARD)
    world.board.put("f1", title="Feature, by Bob")
    world.tracker.put("1", title="Feature, by Ann")
    await world.deliver_all()
    world.chaos.lie_in_wait("die", after)
    await world.drain()
    await world.calm_down()
    assert await _overruled(world) == ["Feature, by Ann"]
    assert world.tracker.items["1"].snapshot.title == "Feature, by Bob"


async def test_a_losing_value_is_journalled_although_somebody_unlinks_right_behind_the_write():
    world = await _pushed(ConflictRule.PRODUCTBOARD)
    world.board.put("f1", title="Feature, by Bob")
    world.tracker.put("1", title="Feature, by Ann")
    await world.deliver_all()
    world.chaos.lie_in_wait("person", 3, lambda: world.click("a", "f1", "unlink"))
    await world.drain()
    await world.calm_down()
    assert await world.links() == []
    assert await _overruled(world) == ["Feature, by Ann"]


async def test_no_click_shortens_the_wait_after_a_create_in_doubt():
    world = TwinWorld()
    world.board.add("f1", "Feature", TEXT, StatusId("planned"))
    await world.begin((_policy(), _policy()))
    world.chaos.lie_in_wait("late", 0)
    for _ in range(4):
        with contextlib.suppress(Killed):
            await world.click("a", "f1", "push", jobs_meanwhile=1)
    await world.calm_down()
    assert len(world.tracker.items) == 1


@pytest.mark.parametrize("way", [Direction.BOTH, Direction.TO_TICKET])
async def test_a_footer_that_comes_back_takes_no_undecided_edit_for_settled(way):
    world = await _pushed(ConflictRule.ASK, way)
    _edit_ticket(world, "two", "2")
    if way is Direction.BOTH:
        _edit_feature(world, "two", "II")
    text = world.tracker.items["1"].snapshot.description
    world.tracker.put("1", description=text.split("\n---")[0])
    await world.calm_down()
    ticket = world.tracker.items["1"].snapshot.description
    assert (await world.links())[0].marker in ticket
    _edit_feature(world, "five", "5")
    await world.calm_down()
    ticket = world.tracker.items["1"].snapshot.description
    assert "one 2 three" in ticket


async def test_putting_a_value_back_journals_what_was_just_being_written_there():
    world = await _pushed(ConflictRule.PRODUCTBOARD)
    world.board.put("f1", title="By Bob")
    world.tracker.put("1", title="By Ann")
    await world.calm_down()
    world.tracker.put("1", title="By Cid")
    (entry,) = [each for each in await world.journal() if each.act is Act.OVERRULED]
    await links.put_back(world.ctx, entry.id, "ann")
    await world.calm_down()
    assert world.board.items["f1"].snapshot.title == world.tracker.items["1"].snapshot.title == "By Ann"
    assert "By Cid" in await _overruled(world)
    rows = world.storage._store.committed.notices.values()
    assert [row for row in rows if row.kind is NoticeKind.DECIDE]


@pytest.mark.parametrize("way", [Direction.OFF, Direction.ONCE])
async def test_what_was_written_while_a_field_was_off_is_not_overwritten_when_it_is_on_again(way):
    world = await _pushed()
    await world.set_policy("a", _policy(way=way))
    _edit_ticket(world, "two", "2")
    await world.calm_down()
    assert world.board.items["f1"].snapshot.description == TEXT
    await world.set_policy("a", _policy())
    _edit_feature(world, "five", "5")
    await world.calm_down()
    assert "one 2 three\n\nfour 5 six" in world.tracker.items["1"].snapshot.description
    assert "one 2 three" in world.board.items["f1"].snapshot.description


async def test_an_edit_that_may_not_flow_back_outlives_every_change_of_its_source():
    world = await _pushed(way=Direction.TO_TICKET)
    _edit_ticket(world, "two", "2")
    for old, new in (("five", "5"), ("six", "6"), ("four", "4")):
        _edit_feature(world, old, new)
        await world.calm_down()
        assert "one 2 three" in world.tracker.items["1"].snapshot.description
    assert "4 5 6" in world.tracker.items["1"].snapshot.description
    assert "two" in world.board.items["f1"].snapshot.description


@pytest.mark.parametrize("after", [2, 3])
async def test_a_value_put_back_reaches_both_sides_although_one_was_down(after):
    world = await _pushed(ConflictRule.PRODUCTBOARD)
    _edit_feature(world, "two", "II")
    _edit_ticket(world, "two", "2")
    await world.calm_down()
    (entry,) = [each for each in await world.journal() if each.act is Act.OVERRULED]
    await links.put_back(world.ctx, entry.id, "ann")
    world.chaos.lie_in_wait("down", after)
    await world.drain()
    await world.calm_down()
    assert "one 2 three" in world.board.items["f1"].snapshot.description
    assert "one 2 three" in world.tracker.items["1"].snapshot.description


async def test_a_warning_outlives_another_notation_of_the_same_text():
    world = await _pushed()
    _edit_ticket(world, "five", "**five**")
    await world.deliver_all()

    async def delete_a_block():
        world.board.put("f1", description="<p>one two three</p>")

    world.chaos.lie_in_wait("after write", 0, delete_a_block)
    await world.drain()
    await world.calm_down()
    assert Field.DESCRIPTION in (await world.links())[0].warnings
    _edit_ticket(world, "**five**", "__five__")
    await world.calm_down()
    assert Field.DESCRIPTION in (await world.links())[0].warnings


@pytest.mark.parametrize("way", [Direction.TO_FEATURE, Direction.OFF])
async def test_a_text_that_never_went_out_is_not_overwritten_by_the_tickets_first_edit(way):
    world = TwinWorld()
    world.board.add("f1", "Feature", TEXT, StatusId("planned"))
    await world.begin((_policy(way=way), _policy()))
    await world.click("a", "f1", "push", jobs_meanwhile=2)
    await world.calm_down()
    if way is Direction.OFF:
        await world.set_policy("a", _policy())
    text = world.tracker.items["1"].snapshot.description
    world.tracker.put("1", description=f"seven\n\n{text}")
    await world.calm_down()
    shown = world.board.items["f1"].snapshot.description
    assert "seven" in shown
    assert "one two three" in shown or any("one two three" in each for each in await _overruled(world))


@pytest.mark.parametrize("after", [2, 3, 4])
async def test_an_edit_right_after_a_write_that_was_not_stored_takes_nothing_away(after):
    """It does not show our words, but nobody removed them: they never stood there."""
    world = await _pushed()
    _edit_ticket(world, "two", "2")
    await world.deliver_all()

    async def mark():
        _edit_feature(world, "four", "<b>four</b>")

    world.chaos.lie_in_wait("ignore", 0)
    world.chaos.lie_in_wait("person", after, mark)
    await world.drain()
    await world.calm_down()
    assert "one two three" not in world.tracker.items["1"].snapshot.description
    assert "one 2 three" in world.tracker.items["1"].snapshot.description
    assert "**four** five six" in world.tracker.items["1"].snapshot.description


async def test_what_came_with_half_a_merge_does_not_come_again_where_the_other_half_is_refused():
    """Productboard keeps no strikethrough here, so its half of every merge is accepted and not stored."""
    world = await _pushed()
    _edit_ticket(world, "five", "~~five~~")
    await world.calm_down()
    _edit_feature(world, "<p>four", "<ul><li>seven</li><li>eight</li></ul><p>four")
    await world.calm_down()
    assert Field.DESCRIPTION in (await world.links())[0].refusals
    _edit_feature(world, "eight", "nine")
    await world.calm_down()
    text = world.tracker.items["1"].snapshot.description
    assert text.startswith("one two three\n\n- seven\n- nine\n\nfour ~~five~~ six\n")
    assert world.board.items["f1"].snapshot.description.count("seven") == 1


async def test_a_warning_outlives_the_next_merge_as_long_as_the_sides_differ():
    world = await _pushed()
    _edit_ticket(world, "two", "2")
    await world.deliver_all()

    async def delete_a_block():
        world.board.put("f1", description="<p>four five six</p>")

    world.chaos.lie_in_wait("after write", 0, delete_a_block)
    await world.drain()
    await world.calm_down()
    assert Field.DESCRIPTION in (await world.links())[0].warnings
    _edit_ticket(world, "six", "6")
    _edit_feature(world, "four", "4")
    await world.calm_down()
    assert Field.DESCRIPTION in (await world.links())[0].warnings
    text = world.tracker.items["1"].snapshot.description
    world.tracker.put("1", description=text.replace("one 2 three\n\n", ""))
    await world.calm_down()
    assert not (await world.links())[0].warnings


@pytest.mark.parametrize("fault", ["down", "rate", "auth"])
async def test_a_cell_that_cannot_be_put_does_not_hide_why_its_link_was_set_aside(fault):
    world = TwinWorld()
    world.board.add("f1", "Feature", TEXT, StatusId("planned"))
    await world.begin((_policy(), _policy()))
    world.chaos.lie_in_wait("reject", 0)
    await world.click("a", "f1", "push", jobs_meanwhile=2)
    (link,) = await world.links()
    assert (link.state, link.trouble.code) == (LinkState.SET_ASIDE, "rejected")
    world.board.set_cell(COLUMNS["a"], "f1", PROGRESS)
    world.chaos.lie_in_wait(fault, 0)
    world.clock.advance(10)
    await world.sweep(polls=False)
    await world.drain()
    assert world.chaos.happened[fault] == 1
    if fault == "auth":
        await world.resume("a")
        await polling.poll(world.ctx, A, Side.FEATURE)
    await world.come_to_rest()
    (link,) = await world.links()
    assert (link.state, link.trouble.code) == (LinkState.SET_ASIDE, "rejected")
    assert world.board.cell(COLUMNS["a"], "f1").state is CellState.ERROR


async def test_an_edit_of_the_second_side_while_the_first_is_written_at_length_is_not_overwritten():
    world = await _pushed()
    _edit_feature(world, "one", "1")
    _edit_ticket(world, "five", "5")

    async def edit():
        _edit_feature(world, "three", "3")

    world.chaos.lie_in_wait("very slow", 2)
    world.chaos.lie_in_wait("after write", 0, edit)
    await world.deliver_all()
    await world.drain()
    await world.calm_down()
    for item in (world.board.items["f1"], world.tracker.items["1"]):
        assert all(word in item.snapshot.description for word in ("1 two 3", "four 5 six"))
    assert world.outside.gaps == []
