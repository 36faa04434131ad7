"""Titles and statuses: what is written, what is left alone, and why."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.domain.sides import BOARD, MARKER, TICKET, planned, policy_of, snapshot, some

from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import StatusId
from keepstep.domain.link import Base, Refusal
from keepstep.domain.plan import draft_of
from keepstep.domain.policy import ConflictRule, Direction, FieldPolicy, StatusMap, SyncPolicy
from keepstep.domain.rules import DescriptionRule, TitleRule, field_rules

ONE_WAY = {Direction.TO_TICKET: Side.TICKET, Direction.TO_FEATURE: Side.FEATURE}


def titles(feature, ticket):
    return snapshot(title=feature), snapshot(title=ticket)


def statuses(feature, ticket):
    return snapshot(status=feature), snapshot(status=ticket)


def mapped(to_ticket, to_feature):
    def ids(one):
        return {StatusId(key): StatusId(value) for key, value in one.items()}

    return StatusMap(ids(to_ticket), ids(to_feature))


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("changed", list(Side))
def test_one_title_changed(direction, changed):
    now = titles("New", "Old") if changed is Side.FEATURE else titles("Old", "New")
    plan = planned(titles("Old", "Old"), now, policy_of(Field.TITLE, direction))
    if direction.allows(changed.other):
        (write,) = plan.writes
        assert (write.field, write.target, write.value, write.before) == (
            Field.TITLE,
            changed.other,
            "New",
            "Old",
        )
        assert write.reason == f"The {changed} changed."
        assert write.loser is None
    else:
        assert not plan.writes
        assert [note.field for note in plan.notes] == [Field.TITLE]
        assert str(direction) in plan.notes[0].reason
        assert plan.base == Base(*titles("Old", "Old"))


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("rule", list(ConflictRule))
@pytest.mark.parametrize("newest", list(Side))
def test_both_titles_changed(direction, rule, newest):
    plan = planned(
        titles("Old", "Old"), titles("Mine", "Yours"), policy_of(Field.TITLE, direction, rule), newest=newest
    )
    if direction in (Direction.ONCE, Direction.OFF):
        assert not plan.writes
        assert not plan.undecided
        return
    if direction is Direction.BOTH and rule is ConflictRule.ASK:
        assert set(plan.undecided) == {Field.TITLE}
        assert (plan.undecided[Field.TITLE].feature, plan.undecided[Field.TITLE].ticket) == ("Mine", "Yours")
        assert not plan.writes
        return
    winner = {
        ConflictRule.PRODUCTBOARD: Side.FEATURE,
        ConflictRule.TRACKER: Side.TICKET,
        ConflictRule.NEWEST: newest,
    }.get(rule)
    if direction is not Direction.BOTH:
        winner = ONE_WAY[direction].other
    (write,) = plan.writes
    values = {Side.FEATURE: "Mine", Side.TICKET: "Yours"}
    assert (write.target, write.value, write.loser) == (winner.other, values[winner], values[winner.other])
    assert write.reason.startswith("Both changed")


@pytest.mark.parametrize("decided", list(Side))
def test_a_person_decides(decided):
    plan = planned(
        titles("Old", "Old"),
        titles("Mine", "Yours"),
        policy_of(Field.TITLE, rule=ConflictRule.ASK),
        decided={Field.TITLE: decided},
    )
    (write,) = plan.writes
    assert (write.target, write.value) == (
        decided.other,
        "Mine" if decided is Side.FEATURE else "Yours",
    )
    assert not plan.undecided
    assert "person" in write.reason


def test_while_one_field_waits_the_others_go_on():
    before = (snapshot(title="Old"), snapshot(title="Old"))
    now = (snapshot(title="Mine", description="<p>Words</p>"), snapshot(title="Yours"))
    plan = planned(before, now, policy_of(Field.TITLE, rule=ConflictRule.ASK))
    assert set(plan.undecided) == {Field.TITLE}
    assert [(write.field, write.value) for write in plan.writes] == [(Field.DESCRIPTION, "Words")]


def test_the_same_title_on_both_sides_is_written_to_nobody():
    plan = planned(titles("Old", "Old"), titles("New", " New "))
    assert not plan.writes
    assert plan.base == Base(*titles("New", " New "))
    assert plan.notes


def test_white_space_is_no_change():
    plan = planned(titles("Some title", "Some title"), titles("  Some   title ", "Some title"))
    assert not plan.writes
    assert plan.base.feature.title == "  Some   title "


def test_a_title_cut_by_the_tracker_comes_to_rest():
    long = "word " * 60
    (write,) = planned(titles("Old", "Old"), titles(long, "Old")).writes
    assert len(write.value) <= 255
    assert not planned(titles(long, write.value), titles(long, write.value)).writes
    assert TitleRule().lesser(Side.TICKET, write.value[:100], write.value)


def test_a_refused_write_is_not_tried_again_unasked():
    refusals = {Field.TITLE: Refusal(Side.TICKET, "New", "no", datetime(2026, 1, 1, tzinfo=UTC))}
    plan = planned(titles("Old", "Old"), titles("New", "Old"), refusals=refusals)
    assert not plan.writes
    assert plan.refused_again == {Field.TITLE}
    assert plan.notes[0].reason
    assert planned(titles("Old", "Old"), titles("Newer", "Old"), refusals=refusals).writes


MANY_TO_ONE = mapped(
    {"idea": "open", "planned": "open", "done": "closed"}, {"open": "planned", "closed": "done"}
)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (("idea", "open"), ("planned", "open")),
        (("done", "closed"), ("idea", "open")),
        (("planned", "open"), ("idea", "open")),
    ],
)
def test_many_to_one_writes_nothing_where_both_mean_the_same_already(before, now):
    plan = planned(statuses(*before), statuses(*now), policy_of(Field.STATUS, status_map=MANY_TO_ONE))
    assert not plan.writes
    assert plan.base == Base(*statuses(*now))
    assert any(note.reason == "Both sides say the same already." for note in plan.notes)


def test_a_status_without_a_counterpart_is_told():
    plan = planned(
        statuses("idea", "open"), statuses("odd", "open"), policy_of(Field.STATUS, status_map=MANY_TO_ONE)
    )
    assert not plan.writes
    assert "no counterpart" in plan.warnings[Field.STATUS]
    assert "map it" in plan.warnings[Field.STATUS]


NAMES = st.sampled_from("abcd")
MAPS = st.dictionaries(NAMES, NAMES)


@some
@given(
    MAPS,
    MAPS,
    st.tuples(NAMES, NAMES),
    st.tuples(NAMES, NAMES),
    st.sampled_from(Side),
    st.sampled_from(ConflictRule),
)
def test_any_two_maps_come_to_rest(to_ticket, to_feature, before, now, newest, rule):  # fmt: skip
    """However little the maps fit each other: a write or two, then none, with nobody else at work."""
    policy = policy_of(Field.STATUS, rule=rule, status_map=mapped(to_ticket, to_feature))
    base = Base(*statuses(*before))
    shown = dict(zip(Side, now, strict=True))
    for _ in range(2):
        present = statuses(shown[Side.FEATURE], shown[Side.TICKET])
        plan = planned((base.feature, base.ticket), present, policy, newest=newest)
        if plan.undecided:
            return
        base = plan.base
        for write in plan.writes:
            shown[write.target] = write.value
        if plan.writes:
            base = Base(*statuses(shown[Side.FEATURE], shown[Side.TICKET]))
    present = statuses(shown[Side.FEATURE], shown[Side.TICKET])
    assert not planned((base.feature, base.ticket), present, policy, newest=newest).writes
    started = dict(zip(Side, now, strict=True))
    assert sum(shown[side] != started[side] for side in Side) <= 1


@pytest.mark.parametrize("direction", list(Direction))
def test_a_new_ticket_gets_what_goes_out(direction):
    policy = SyncPolicy({each: FieldPolicy(direction) for each in Field}, MANY_TO_ONE)
    rules = field_rules(policy.status_map, DescriptionRule(BOARD, TICKET, (), MARKER), 255)
    draft = draft_of(rules, policy, snapshot(title="Title", description="<p>Words</p>", status="idea"))
    out = direction in (Direction.BOTH, Direction.TO_TICKET, Direction.ONCE)
    assert draft.title == "Title"
    assert (draft.description, draft.status) == (("Words", "open") if out else ("", None))


def test_every_outcome_explains_itself():
    before = (snapshot(title="Old", status="idea"), snapshot(title="Old", status="open"))
    now = (
        snapshot(title="New", description="<p>Words</p>", status="planned"),
        snapshot(title="Old", status="open"),
    )
    policy = SyncPolicy({Field.DESCRIPTION: FieldPolicy(Direction.OFF)}, MANY_TO_ONE)
    plan = planned(before, now, policy)
    told = {write.field for write in plan.writes} | {note.field for note in plan.notes} | plan.untouched
    assert told == set(Field)
    assert all(one.reason.endswith(".") for one in (*plan.writes, *plan.notes))


@pytest.mark.parametrize(
    ("before", "written", "shown", "bears"),
    [
        pytest.param("one two", "one 2", "**one** two", False, id="nothing of it"),
        pytest.param("one two", "one 2", "**one** 2", True, id="all of it, and an edit"),
        pytest.param("one two", "one two three four", "one two three 4", True, id="some of what was added"),
        pytest.param("one two three", "one", "one two 3", True, id="some of what was taken away"),
        pytest.param("one two", "**one** two", "one 2", True, id="only marks: nobody can tell"),
    ],
)
def test_whether_a_text_bears_a_write(before, written, shown, bears):
    rule = DescriptionRule(BOARD, TICKET, (), MARKER)
    assert rule.bears(Side.TICKET, shown, written, before) is bears
