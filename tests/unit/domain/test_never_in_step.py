"""Two that were linked as they are, or of which one stores less: what only one has is not taken away silently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.domain.sides import TICKET, carried_out, html_of, planned, snapshot, some

from keepstep.domain.fields import Side
from keepstep.domain.policy import ConflictRule

COMMON = ["Alpha one two.", "Beta one two."]


def texts(feature, ticket):
    """Two lists of paragraphs, as both sides show them."""
    markdown = ["\n\n".join(each) for each in (feature, ticket)]
    return snapshot(description=html_of(markdown[0])), snapshot(description=f"{markdown[1]}\n")


def in_order(feature, ticket, side):
    """What `side` is to have stands in `feature`'s place."""
    return (feature, ticket) if side is Side.FEATURE else (ticket, feature)


def paragraphs(result, side):
    text = TICKET.write(result.feature) if side is Side.FEATURE else result.markdown
    return [each for each in text.strip().split("\n\n") if each]


@pytest.mark.parametrize("editor", list(Side))
def test_an_edit_leaves_what_the_other_side_alone_has(editor):
    own = ["Own words.", *COMMON]
    edited = [COMMON[0], "Beta one two three."]
    result = carried_out(texts(*in_order(COMMON, own, editor)), texts(*in_order(edited, own, editor)))
    assert paragraphs(result, editor.other) == ["Own words.", *edited]
    assert paragraphs(result, editor) == edited
    assert result.losers == []


@pytest.mark.parametrize("editor", list(Side))
def test_what_has_nothing_in_common_is_replaced_and_kept_for_the_journal(editor):
    long = ["A long design.", "With two paragraphs."]
    before, now = (
        texts(*in_order(["A short word."], long, editor)),
        texts(*in_order(["A longer word."], long, editor)),
    )
    for rule in ConflictRule:
        result = carried_out(before, now, rule)
        assert paragraphs(result, editor.other) == ["A longer word."]
        assert result.losers == [before[editor is Side.FEATURE].description]


@pytest.mark.parametrize("editor", list(Side))
def test_who_edits_what_the_other_side_stored_less_of_is_carried_over_whole(editor):
    """It has nothing of its own; perhaps it holds the whole now."""
    whole, less = [*COMMON, "Gamma one two."], COMMON[:1]
    shorter = [COMMON[0], "Gamma one two."]
    result = carried_out(texts(*in_order(whole, less, editor)), texts(*in_order(shorter, less, editor)))
    assert paragraphs(result, editor.other) == shorter
    assert result.losers == []


@pytest.mark.parametrize("editor", list(Side))
def test_who_edits_the_lesser_leaves_the_whole(editor):
    whole, less = COMMON, COMMON[:1]
    result = carried_out(
        texts(*in_order(less, whole, editor)), texts(*in_order(["Alpha one two three."], whole, editor))
    )
    assert paragraphs(result, editor.other) == ["Alpha one two three.", COMMON[1]]


@pytest.mark.parametrize("asked", [ConflictRule.ASK, ConflictRule.NEWEST])
def test_both_changed_where_nothing_corresponds(asked):
    """A place that one edited, and the other has in words of its own, is no place of its own: the rule decides it."""
    before = texts(["One line."], ["A long design.", "With two paragraphs.", "End."])
    now = texts(["One line more."], ["A long design.", "With two paragraphs.", "End.", "And a last one."])
    result = carried_out(before, now, asked, newest=Side.TICKET)
    if asked is ConflictRule.ASK:
        assert result.plan.undecided
        assert not result.plan.writes
    else:
        assert result.losers == [now[0].description]


def test_a_title_that_gives_way_is_kept_for_the_journal_and_a_status_is_not():
    before = snapshot(title="Of the feature"), snapshot(title="Of the ticket")
    (write,) = planned(before, (snapshot(title="Edited"), before[1])).writes
    assert (write.target, write.value, write.loser) == (Side.TICKET, "Edited", "Of the ticket")


@pytest.mark.parametrize(
    ("feature", "ticket"),
    [
        (["Own.", *COMMON], COMMON),
        (COMMON, ["Own.", *COMMON]),
        ([], ["Own."]),
        (["Own."], []),
        (["Own.", "Mine."], ["Other.", *COMMON]),
    ],
)
def test_what_both_put_in_stands_once(feature, ticket):
    """Beside what only one side has, a gap is met twice."""
    now = texts(["New there.", *feature], [*ticket, "New here."])
    result = carried_out(texts(feature, ticket), now)
    for side in Side:
        shown = paragraphs(result, side)
        assert len(shown) == len(set(shown))
        assert {"New there.", "New here."} <= set(shown)


NAMES = st.lists(
    st.sampled_from([f"{name}1 {name}2 {name}3" for name in "abcdefgh"]), unique=True, max_size=5
)


@some
@given(NAMES, NAMES, NAMES, st.sampled_from(list(Side)))
def test_no_block_is_lost_without_a_journal_entry_or_doubled(mine, others, now, editor):
    """Whatever one side makes of its text: what the other alone had stands, or is kept for the journal."""
    before = texts(*in_order(mine, others, editor))
    result = carried_out(before, texts(*in_order(now, others, editor)))
    shown = paragraphs(result, editor.other)
    assert len(shown) == len(set(shown))
    assert set(others) - set(mine) <= set(shown) or result.losers
    assert paragraphs(result, editor) == now
