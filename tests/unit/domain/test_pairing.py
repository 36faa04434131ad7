"""Which features and tickets are proposed as pairs, and which are left out because there is a second partner."""

import pytest

from keepstep.domain.bulk import Way
from keepstep.domain.ids import FeatureId, TicketId
from keepstep.domain.pairing import (
    FeatureFacts,
    TicketFacts,
    marks_in,
    match,
    mentions_in,
    normal_address,
)
from keepstep.domain.ticket import TicketRef

MARKER = "keepstep" + "a" * 32
ALL = tuple(Way)


def feature(number, title="", text=""):
    return FeatureFacts(
        FeatureId(f"0f000000-0000-4000-8000-00000000000{number}"), title or f"Feature {number}",
        f"https://acme.example/features/{number}", "Planned", mentions_in(text),
    )  # fmt: skip


def ticket(number, title="", text=""):
    ref = TicketRef(
        TicketId(str(number)), "1", str(number), f"#{number}", f"https://git.example/a/-/issues/{number}"
    )
    return TicketFacts(ref, title or f"Ticket {number}", "Open", mentions_in(text), marks_in(text))


def pairs(features, tickets, ways=ALL):
    found = match(features, tickets, ways)
    return [(each.feature.id[-1], each.ticket.ref.id, each.way) for each in found.found], found.notes


def test_a_marked_ticket_that_leads_to_a_feature_is_its_ticket():
    text = f"Words.\n\n[Feature](https://acme.example/features/1) · `{MARKER}`"
    assert pairs([feature(1), feature(2)], [ticket(7, text=text)]) == ([("1", "7", Way.MARKER)], [])


def test_a_marked_ticket_that_leads_nowhere_is_not_guessed():
    assert pairs([feature(1)], [ticket(7, text=MARKER)]) == ([], [])


@pytest.mark.parametrize(
    ("in_feature", "in_ticket"),
    [
        ('<p>See <a href="https://git.example/a/-/issues/7?x=1#note">it</a>.</p>', ""),
        ("<p>See HTTPS://GIT.example/a/-/issues/7.</p>", ""),
        ("", "From https://acme.example/features/1/"),
        ("", "From https://app.example/x/0f000000-0000-4000-8000-000000000001?tab=1"),
        (
            '<a href="https://git.example/a/-/issues/7">it</a>',
            "and back: <https://acme.example/features/1>",
        ),
    ],
)
def test_an_address_on_either_side_makes_a_pair_once(in_feature, in_ticket):
    found = pairs([feature(1, text=in_feature), feature(2)], [ticket(7, text=in_ticket), ticket(70)])
    assert found == ([("1", "7", Way.ADDRESS)], [])


def test_equal_titles_make_a_pair_white_space_and_case_aside():
    found = pairs([feature(1, "Dark  mode"), feature(2)], [ticket(7, " dark MODE ")])
    assert found == ([("1", "7", Way.TITLE)], [])


@pytest.mark.parametrize(
    ("features", "tickets"),
    [
        ([feature(1, "Same")], [ticket(7, "Same"), ticket(8, "same")]),
        ([feature(1, "Same"), feature(2, "Same")], [ticket(7, "Same")]),
        ([feature(1, text="https://git.example/a/-/issues/7 https://git.example/a/-/issues/8")],
         [ticket(7), ticket(8)]),
    ],
)  # fmt: skip
def test_what_has_two_partners_is_left_out_and_told(features, tickets):
    found, notes = pairs(features, tickets)
    assert found == []
    assert len(notes) == 1
    assert "more than one possible partner" in notes[0]


def test_the_surest_way_comes_first_and_only_the_ways_asked_for_are_gone():
    one, two = feature(1, "Same"), feature(2, "Other")
    tickets = [ticket(7, "Same"), ticket(8, "Other", f"{MARKER} https://acme.example/features/1")]
    assert pairs([one, two], tickets)[0] == [("1", "8", Way.MARKER)]
    assert pairs([one, two], tickets, [Way.TITLE])[0] == [("2", "8", Way.TITLE), ("1", "7", Way.TITLE)]


def test_an_empty_title_is_no_title():
    assert pairs([feature(1, " ")], [ticket(7, "  ")]) == ([], [])


def test_addresses_are_compared_by_the_page_they_lead_to():
    assert normal_address("https://A.example/B/") == normal_address("http://a.example/b") == "a.example/b"
    assert normal_address("https://a.example/?d=1") != normal_address("https://a.example/?d=2")


def test_a_page_that_is_told_by_its_query_is_found_by_its_query_only():
    one, two = (
        FeatureFacts(FeatureId(str(each)), f"F{each}", f"https://acme.example/?d={each}", "", frozenset())
        for each in (1, 2)
    )
    found, _ = pairs([one, two], [ticket(7, text="see https://acme.example/?d=2")])
    assert found == [("2", "7", Way.ADDRESS)]
