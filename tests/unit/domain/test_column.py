"""What a feature's cell shows, within Productboard's limits."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.domain.sides import some

from keepstep.domain.column import (
    MAX_CELL_LABEL,
    MAX_MESSAGE,
    MAX_TOOLTIP,
    CellState,
    connected_cell,
    error_cell,
    shorten,
    undecided_cell,
)
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import StatusId, TicketId
from keepstep.domain.policy import Direction, FieldPolicy, StatusMap, SyncPolicy
from keepstep.domain.ticket import StatusCategory, TicketRef, TicketStatus

FAMILY = "👩\u200d👩\u200d👧"
FLAG = "🇩🇪"
PIECES = ("a", "word ", "é", "e\u0301", FAMILY, FLAG, "👍🏽", "❤\ufe0f", "中", "שלום", "\u200f", " ")


def units(text):
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@some
@given(st.lists(st.sampled_from(PIECES), max_size=40), st.sampled_from([MAX_CELL_LABEL, MAX_TOOLTIP]))
def test_cut_at_a_border_of_a_grapheme(pieces, limit):
    text = " ".join("".join(pieces).split())
    shown = shorten(text, limit)
    assert units(shown) <= limit
    if units(text) <= limit:
        assert shown == text
        return
    assert shown.endswith("…")
    kept = shown[:-1]
    assert text.startswith(kept)
    behind = text[len(kept) :].lstrip()
    assert not unicodedata.category(behind[0]).startswith("M")
    assert behind[0] not in "\u200d\ufe0f🏽"
    assert not kept.endswith("\u200d")
    # A flag is two letters: an even number of them is left on either side.
    assert sum("\U0001f1e6" <= char <= "\U0001f1ff" for char in kept) % 2 == 0


@pytest.mark.parametrize("whole", [FAMILY, FLAG, "e\u0301", "👍🏽"])
def test_what_does_not_fit_whole_is_left_out(whole):
    assert shorten("x" * 19 + whole + "yy", 20) == "x" * 19 + "…"


@pytest.mark.parametrize("category", list(StatusCategory))
def test_a_cell_keeps_the_limits(category):
    ref = TicketRef(TicketId("1"), "p", "k" * 30, "PROJECT-" + "4" * 30, "https://t.example/1")
    cell = connected_cell(
        ref, "A very long title " * 9, TicketStatus(StatusId("1"), "Waiting for the customer", category)
    )
    assert units(cell.label) <= 20
    assert units(cell.hover_label) <= 20
    assert units(cell.tooltip) <= 50
    assert cell.state is CellState.CONNECTED
    waiting = undecided_cell(ref, "https://keepstep.example/links/1")
    assert (waiting.label, waiting.colour, waiting.url) == (
        "Decide",
        "orange",
        "https://keepstep.example/links/1",
    )
    assert units(waiting.tooltip) <= 50


def test_an_error_keeps_the_address_whole():
    page = "https://keepstep.example/links/1"
    cell = error_cell("It did not work. " * 40, page)
    assert cell.message.endswith(f"… {page}")
    assert units(cell.message) <= MAX_MESSAGE


@some
@given(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz")),
    st.dictionaries(st.sampled_from("xyz"), st.sampled_from("abc")),
    st.sampled_from("abc"),
    st.sampled_from("xyz"),
)
def test_statuses_mean_the_same_where_one_map_says_so(to_ticket, to_feature, feature, ticket):
    both = StatusMap(to_ticket, to_feature)
    assert both.equivalent(feature, ticket) == (
        to_ticket.get(feature) == ticket or to_feature.get(ticket) == feature
    )
    assert not both.equivalent(None, None)
    assert both.translate(feature, Side.TICKET) == to_ticket.get(feature)


def test_a_field_without_a_policy_goes_both_ways():
    policy = SyncPolicy({Field.TITLE: FieldPolicy(Direction.OFF)})
    assert policy.of(Field.TITLE).direction is Direction.OFF
    assert policy.of(Field.STATUS).direction is Direction.BOTH
    assert [direction for direction in Direction if direction.allows(Side.TICKET)] == [
        Direction.BOTH,
        Direction.TO_TICKET,
    ]
