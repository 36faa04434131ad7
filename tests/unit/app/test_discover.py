"""The proposal for the status map on lists as real workspaces and trackers have them, and pasted tokens."""

import pytest

from keepstep.app.discover import cleaned_token, propose_map
from keepstep.domain.errors import InvalidInputError
from keepstep.domain.feature import FeatureStatus
from keepstep.domain.ids import StatusId
from keepstep.domain.ticket import StatusCategory as C
from keepstep.domain.ticket import TicketStatus

PRODUCTBOARD = ["New idea", "Candidate", "Planned", "In progress", "Released", "Won't do"]
GITLAB = [("Open", C.TODO), ("Closed", C.DONE)]
GITLAB_LABELS = [
    ("Open", C.TODO),
    ("workflow::ready", C.DOING),
    ("workflow::doing", C.DOING),
    ("workflow::review", C.DOING),
    ("Closed", C.DONE),
]
GITHUB = [("Open", C.TODO), ("Closed as completed", C.DONE), ("Closed as not planned", C.DROPPED)]
JIRA = [
    ("Backlog", C.TODO),
    ("Selected for Development", C.TODO),
    ("In Progress", C.DOING),
    ("In Review", C.DOING),
    ("Done", C.DONE),
    ("Won't Do", C.DONE),
]
LINEAR = [
    ("Backlog", C.TODO),
    ("Todo", C.TODO),
    ("In Progress", C.DOING),
    ("Done", C.DONE),
    ("Canceled", C.DROPPED),
    ("Duplicate", C.DROPPED),
]
REDMINE = [
    ("New", C.TODO),
    ("In Progress", C.DOING),
    ("Resolved", C.DOING),
    ("Feedback", C.DOING),
    ("Closed", C.DONE),
    ("Rejected", C.DONE),
]

PAIRS = [
    (
        PRODUCTBOARD,
        GITLAB,
        ["Open", "Open", "Open", "Open", "Closed", "Closed"],
        ["Planned", "Released"],
    ),
    (
        PRODUCTBOARD,
        GITLAB_LABELS,
        ["Open", "Open", "Open", "workflow::doing", "Closed", "Closed"],
        ["Planned", "Planned", "In progress", "In progress", "Released"],
    ),
    (
        PRODUCTBOARD,
        GITHUB,
        ["Open", "Open", "Open", "Open", "Closed as completed", "Closed as not planned"],
        ["Planned", "Released", "Won't do"],
    ),
    (
        PRODUCTBOARD,
        JIRA,
        ["Backlog", "Backlog", "Selected for Development", "In Progress", "Done", "Won't Do"],
        ["Candidate", "Planned", "In progress", "In progress", "Released", "Won't do"],
    ),
    (
        PRODUCTBOARD,
        LINEAR,
        ["Backlog", "Backlog", "Todo", "In Progress", "Done", "Canceled"],
        ["Candidate", "Planned", "In progress", "Released", "Won't do", "Won't do"],
    ),
    (
        ["Idea", "In discovery", "Ready for development", "In development", "QA", "Shipped", "Declined"],
        REDMINE,
        ["New", "New", "New", "In Progress", None, "Closed", "Rejected"],
        ["Idea", "In development", None, "QA", "Shipped", "Declined"],
    ),
    (
        ["Later", "Next", "Now", "Done"],
        GITLAB,
        ["Open", "Open", "Open", "Closed"],
        ["Next", "Done"],
    ),
    (
        ["Open", "In progress", "Closed"],
        [("open", C.TODO), ("in-progress", C.DOING), ("CLOSED", C.DONE)],
        ["open", "in-progress", "CLOSED"],
        ["Open", "In progress", "Closed"],
    ),
]


def features(names):
    return [FeatureStatus(StatusId(f"f {name}"), name) for name in names]


def tickets(pairs):
    return [TicketStatus(StatusId(f"t {name}"), name, category) for name, category in pairs]


@pytest.mark.parametrize(("feature_names", "ticket_names", "outward", "inward"), PAIRS)
def test_realistic_pairs_are_mapped_as_a_person_would(feature_names, ticket_names, outward, inward):
    """None: more than one answer is fine."""
    proposal = propose_map(features(feature_names), tickets(ticket_names))
    there = {key[2:]: value[2:] for key, value in proposal.to_ticket.items()}
    back = {key[2:]: value[2:] for key, value in proposal.to_feature.items()}

    wanted = {name: to for name, to in zip(feature_names, outward, strict=True) if to}
    assert {name: there[name] for name in wanted} == wanted
    wanted = {name: to for (name, _), to in zip(ticket_names, inward, strict=True) if to}
    assert {name: back[name] for name in wanted} == wanted


@pytest.mark.parametrize(("feature_names", "ticket_names"), [pair[:2] for pair in PAIRS])
def test_every_status_of_either_side_is_mapped(feature_names, ticket_names):
    ours, theirs = features(feature_names), tickets(ticket_names)
    proposal = propose_map(ours, theirs)

    assert set(proposal.to_ticket) == {each.id for each in ours}
    assert set(proposal.to_feature) == {each.id for each in theirs}
    assert set(proposal.to_ticket.values()) <= {each.id for each in theirs}
    assert set(proposal.to_feature.values()) <= {each.id for each in ours}


@pytest.mark.parametrize(("feature_names", "ticket_names"), [pair[:2] for pair in PAIRS])
def test_what_comes_back_stays_where_it_is(feature_names, ticket_names):
    """A ticket's status that some feature status leads to comes back to one of those."""
    proposal = propose_map(features(feature_names), tickets(ticket_names))
    kinds = {f"t {name}": category for name, category in ticket_names}
    for ticket in set(proposal.to_ticket.values()):
        if kinds[ticket] is not C.DROPPED:
            assert proposal.to_ticket[proposal.to_feature[ticket]] == ticket


def test_unfinished_work_never_becomes_finished():
    ours = features(["Mystery", "Riddle", "Under review", "Enigma", "Released"])
    proposal = propose_map(ours, tickets(GITLAB))

    assert [proposal.to_ticket[each.id] for each in ours] == ["t Open"] * 4 + ["t Closed"]


def test_a_cancelled_ticket_does_not_release_its_feature():
    ours = features(["Idea", "In progress", "Released"])
    proposal = propose_map(ours, tickets(LINEAR))

    assert proposal.to_feature[StatusId("t Canceled")] == "f Idea"


def test_names_that_say_nothing_follow_the_order():
    ours = features(["Alpha", "In progress", "Gamma", "Done"])
    proposal = propose_map(ours, tickets(GITLAB_LABELS))

    assert proposal.to_ticket[StatusId("f Alpha")] in ("t Open", "t workflow::ready")
    assert proposal.to_ticket[StatusId("f Gamma")] == "t workflow::review"


def test_only_unknown_names_still_give_a_map():
    ours = features(["Eins", "Zwei", "Drei"])
    proposal = propose_map(ours, tickets(GITLAB))

    assert set(proposal.to_ticket.values()) == {"t Open"}
    assert proposal.to_feature[StatusId("t Closed")] == "f Drei"


def test_nothing_on_one_side_gives_an_empty_map():
    assert not propose_map([], tickets(GITLAB)).to_feature
    assert not propose_map(features(PRODUCTBOARD), []).to_ticket


@pytest.mark.parametrize(
    "pasted",
    [
        "glpat-abc123",
        "  glpat-abc123\n",
        '"glpat-abc123"',
        "'glpat-abc123',".removesuffix(","),
        "\u201cglpat-abc123\u201d",
        "Bearer glpat-abc123",
        "Authorization: Bearer glpat-abc123",
        "PRIVATE-TOKEN: glpat-abc123",
        "\ufeffglpat-abc123\u200b",
        "<glpat-abc123>\r\n",
    ],
)
def test_what_pasting_brings_along_is_taken_off(pasted):
    assert cleaned_token(pasted) == "glpat-abc123"


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        ("", "Paste a token"),
        (' "" ', "Paste a token"),
        ("glpat-abc\nglpat-def", "more than one line"),
        ("my token", "blank inside"),
        ("glpat-äbc", "plain letters"),
        ("glpat-a\x00bc", "plain letters"),
    ],
)
def test_what_cannot_be_one_token_is_named(pasted, said):
    with pytest.raises(InvalidInputError, match=said) as refused:
        cleaned_token(pasted)
    assert refused.value.field == "token"
