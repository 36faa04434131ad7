"""The moves of a bulk run, what an item's Link says of it, and the estimate of the end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from keepstep.domain.bulk import (
    BulkCounts,
    BulkKind,
    BulkOutcome,
    BulkRun,
    BulkState,
    estimated_end,
    outcome_of,
)
from keepstep.domain.errors import ForbiddenMoveError
from keepstep.domain.fields import Field
from keepstep.domain.ids import BulkId, FeatureId, IntegrationId, LinkId, TicketId
from keepstep.domain.link import Conflict, Link, LinkState, Trouble
from keepstep.domain.ticket import TicketRef

NOW = datetime(2026, 3, 4, tzinfo=UTC)
RUN = BulkRun(
    BulkId("1" * 32), IntegrationId("i"), BulkKind.PUSH, BulkState.PROPOSED, created_at=NOW, actor="ada"
)
LINK = Link(LinkId("2" * 32), IntegrationId("i"), FeatureId("f"), LinkState.PUSHING, NOW, "gitlab:x")
TICKET = TicketRef(TicketId("1"), "1", "1", "#1", "http://t.test/1")

MOVES = {
    "start": lambda run: run.started(NOW),
    "pause": lambda run: run.paused("By ada."),
    "resume": lambda run: run.resumed(NOW, 0),
    "cancel": lambda run: run.cancelled(NOW, under_way=0),
}
ALLOWED = {
    "start": {BulkState.PROPOSED},
    "pause": {BulkState.RUNNING},
    "resume": {BulkState.PAUSED},
    "cancel": {BulkState.PREPARING, BulkState.PROPOSED, BulkState.RUNNING, BulkState.PAUSED},
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("state", BulkState)
def test_a_move_is_made_from_its_states_and_refused_from_all_others(move, state):
    run = replace(RUN, state=state)
    if state in ALLOWED[move]:
        assert MOVES[move](run).state is not state
    else:
        with pytest.raises(ForbiddenMoveError, match=state.value):
            MOVES[move](run)


def test_a_cancelled_run_waits_for_what_is_under_way():
    running = RUN.started(NOW)
    assert running.cancelled(NOW, under_way=1).state is BulkState.CANCELLING
    ended = running.cancelled(NOW, under_way=0)
    assert (ended.state, ended.ended_at) == (BulkState.CANCELLED, NOW)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"state": LinkState.LINKED, "ticket": TICKET}, None),
        ({"state": LinkState.LINKED, "ticket": TICKET, "synced_at": NOW}, (BulkOutcome.PUSHED, "")),
        (
            {"state": LinkState.SET_ASIDE, "trouble": Trouble("rejected", "The title is bad.", NOW)},
            (BulkOutcome.FAILED, "The title is bad."),
        ),
        (
            {"state": LinkState.IN_CONFLICT, "ticket": TICKET, "synced_at": NOW,
             "conflicts": {Field.TITLE: Conflict("", "", "a", "b", NOW)}},
            (BulkOutcome.PUSHED, "The two sides differ in title: a person decides."),
        ),
        (
            {"state": LinkState.UNLINKING},
            (BulkOutcome.FAILED, "It was unlinked before this run saw its end."),
        ),
    ],
)  # fmt: skip
def test_a_link_says_what_became_of_its_item(changes, expected):
    assert outcome_of(BulkKind.PUSH, replace(LINK, **changes)) == expected


def test_an_item_whose_link_is_gone_has_failed():
    outcome, reason = outcome_of(BulkKind.LINK, None)
    assert outcome is BulkOutcome.FAILED
    assert "unlinked" in reason


def _counts(waiting, pushed):
    return BulkCounts({BulkOutcome.WAITING: waiting, BulkOutcome.PUSHED: pushed}, waiting)


def test_the_end_is_estimated_by_the_limits_first_and_by_its_own_pace_soon():
    run, later = RUN.started(NOW), NOW + timedelta(seconds=20)
    assert estimated_end(run, _counts(100, 0), NOW, 4.0) == NOW + timedelta(seconds=25)
    assert estimated_end(run, _counts(100, 10), later, 4.0) == later + timedelta(seconds=200)


def test_the_pace_is_measured_from_the_last_resume():
    paused = RUN.started(NOW).paused("By ada.")
    hour = NOW + timedelta(hours=1)
    run = paused.resumed(hour, 50)
    soon = hour + timedelta(seconds=10)
    assert estimated_end(run, _counts(30, 60), soon, 1.0) == soon + timedelta(seconds=30)
    assert estimated_end(paused, _counts(30, 60), soon, 1.0) is None
