"""BulkRun: many features pushed, or linked with tickets that exist, as one job that people see, pause and cancel.

A run is collected first and shown; nothing happens before a person starts it. Each of its items then becomes an
ordinary Link: the run only feeds the Links' jobs a few at a time and notes what became of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from keepstep.domain.errors import ForbiddenMoveError
from keepstep.domain.ids import BulkId, FeatureId, IntegrationId, LinkId, StatusId
from keepstep.domain.link import Link, LinkState
from keepstep.domain.ticket import TicketRef


class BulkKind(StrEnum):
    PUSH = "push"
    LINK = "link"


class BulkState(StrEnum):
    PREPARING = "preparing"
    """Its items are being collected; nothing is changed anywhere."""
    PROPOSED = "proposed"
    """A person looks at it, and starts or drops it."""
    RUNNING = "running"
    PAUSED = "paused"
    """Nothing new begins; what is under way ends."""
    CANCELLING = "cancelling"
    """What is under way ends, then it is cancelled."""
    CANCELLED = "cancelled"
    DONE = "done"
    FAILED = "failed"
    """It could not be collected; `message` says why."""


AT_WORK = frozenset({BulkState.PREPARING, BulkState.RUNNING, BulkState.PAUSED, BulkState.CANCELLING})
STARTED = frozenset({BulkState.RUNNING, BulkState.PAUSED, BulkState.CANCELLING})
ENDED = frozenset({BulkState.CANCELLED, BulkState.DONE, BulkState.FAILED})


class BulkOutcome(StrEnum):
    """What became of one item."""

    WAITING = "waiting"
    UNDER_WAY = "under way"
    PUSHED = "pushed"
    LINKED = "linked"
    SKIPPED = "skipped"
    FAILED = "failed"


UNFINISHED = frozenset({BulkOutcome.WAITING, BulkOutcome.UNDER_WAY})


class Way(StrEnum):
    """By what a feature and a ticket were found to belong together."""

    MARKER = "marker"
    """The ticket carries our marker, and its footer leads to the feature."""
    ADDRESS = "address"
    """One side's description holds the other side's address."""
    TITLE = "title"
    """Both have the same title, and nobody else has it."""
    CSV = "csv"


class FirstSync(StrEnum):
    """Whose values stay where the two sides differ when they are linked."""

    KEEP = "keep"
    """Both keep what they have; from the next change on they follow each other."""
    FEATURE = "feature"
    TICKET = "ticket"
    ASK = "ask"
    """Each difference waits for a person."""


@dataclass(frozen=True, slots=True)
class FeatureSelection:
    """Which features; every condition that is given must hold. Archived ones are never chosen."""

    text: str = ""
    """Part of the title, case-insensitive."""
    statuses: tuple[StatusId, ...] = ()
    """Any of them."""
    tags: tuple[str, ...] = ()
    """Names; any of them."""
    place: str = ""
    """Id of a product or component; what is below it counts too."""
    owner: str = ""
    """E-mail address."""
    subfeatures: bool = False
    """Subfeatures too."""


@dataclass(frozen=True, slots=True)
class CsvPair:
    line: int
    feature: FeatureId
    ticket: str
    """Key or address, as it stands in the file."""


@dataclass(frozen=True, slots=True)
class BulkRun:
    id: BulkId
    integration_id: IntegrationId
    kind: BulkKind
    state: BulkState
    created_at: datetime
    actor: str
    title: str = ""
    """For people: what was chosen."""
    selection: FeatureSelection = FeatureSelection()
    ways: tuple[Way, ...] = ()
    csv: tuple[CsvPair, ...] = ()
    first: FirstSync = FirstSync.KEEP
    message: str = ""
    """Why it is paused, waits or failed."""
    held: bool = False
    """Paused because its integration is: it goes on with it."""
    notes: tuple[str, ...] = ()
    """What a person should know about the proposal, such as titles that stand twice."""
    started_at: datetime | None = None
    resumed_at: datetime | None = None
    finished_before: int = 0
    """Items that were finished when it was last resumed: the pace is measured from there."""
    ended_at: datetime | None = None
    attempts: int = 0
    retry_at: datetime | None = None
    revision: int = 0

    def proposed(self) -> "BulkRun":
        return replace(self, state=BulkState.PROPOSED, message="", attempts=0, retry_at=None)

    def started(self, now: datetime) -> "BulkRun":
        if self.state is not BulkState.PROPOSED:
            raise ForbiddenMoveError(f"This run is {self.state}: only one that is proposed can be started.")
        return replace(self, state=BulkState.RUNNING, started_at=now, resumed_at=now)

    def paused(self, message: str, *, held: bool = False) -> "BulkRun":
        if self.state is not BulkState.RUNNING:
            raise ForbiddenMoveError(f"This run is {self.state}: only one that is running can be paused.")
        return replace(self, state=BulkState.PAUSED, message=message, held=held)

    def resumed(self, now: datetime, finished: int) -> "BulkRun":
        if self.state is not BulkState.PAUSED:
            raise ForbiddenMoveError(f"This run is {self.state}: only one that is paused can be resumed.")
        return replace(
            self,
            state=BulkState.RUNNING,
            message="",
            held=False,
            resumed_at=now,
            finished_before=finished,
            attempts=0,
            retry_at=None,
        )

    def cancelled(self, now: datetime, *, under_way: int) -> "BulkRun":
        if self.state in ENDED or self.state is BulkState.CANCELLING:
            raise ForbiddenMoveError(f"This run is {self.state} already.")
        if under_way:
            return replace(self, state=BulkState.CANCELLING, message="", held=False, retry_at=None)
        return self.ended(BulkState.CANCELLED, now)

    def ended(self, state: BulkState, now: datetime, message: str = "") -> "BulkRun":
        return replace(self, state=state, message=message, held=False, ended_at=now, retry_at=None)


@dataclass(frozen=True, slots=True)
class BulkItem:
    """One feature of a run, with its ticket where one is proposed or made. `id` is 0 until stored."""

    run_id: BulkId
    feature_id: FeatureId
    feature_title: str = ""
    feature_url: str = ""
    feature_status: str = ""
    ticket: TicketRef | None = None
    ticket_title: str = ""
    ticket_status: str = ""
    way: Way | None = None
    chosen: bool = True
    """What is not chosen when the run starts is left out."""
    outcome: BulkOutcome = BulkOutcome.WAITING
    reason: str = ""
    """Why it was skipped or failed, or what is left to be decided."""
    link_id: LinkId | None = None
    """Its Link once there is one; before, the Link whose marker the ticket carries."""
    line: int = 0
    """Of the CSV file."""
    id: int = 0

    def became(self, outcome: BulkOutcome, reason: str = "") -> "BulkItem":
        return replace(self, outcome=outcome, reason=reason)


@dataclass(frozen=True, slots=True)
class BulkCounts:
    by_outcome: Mapping[BulkOutcome, int] = field(default_factory=dict)
    chosen: int = 0
    """Of those that wait, how many are chosen."""

    def of(self, outcome: BulkOutcome) -> int:
        return self.by_outcome.get(outcome, 0)

    @property
    def total(self) -> int:
        return sum(self.by_outcome.values())

    @property
    def unfinished(self) -> int:
        return sum(self.of(each) for each in UNFINISHED)

    @property
    def finished(self) -> int:
        return self.total - self.unfinished


def outcome_of(kind: BulkKind, link: Link | None) -> tuple[BulkOutcome, str] | None:
    """What an item's Link says of it; None while it is under way."""
    if link is None or not link.is_open:
        return BulkOutcome.FAILED, "It was unlinked before this run saw its end."
    if link.state in (LinkState.SET_ASIDE, LinkState.DISMISSED):
        return BulkOutcome.FAILED, link.trouble.message if link.trouble else f"The Link is {link.state}."
    if link.ticket is None or link.synced_at is None:
        return None
    done = BulkOutcome.PUSHED if kind is BulkKind.PUSH else BulkOutcome.LINKED
    match link.state:
        case LinkState.IN_CONFLICT:
            fields = " and ".join(sorted(link.conflicts))
            return done, f"The two sides differ in {fields}: a person decides."
        case LinkState.REFUSED:
            fields = " and ".join(sorted(link.refusals))
            return done, f"A write was refused: {fields}."
    return done, ""


def why_not_pushed(link: Link) -> str:
    """Of a feature that has a Link; empty where another try is what a person would do."""
    if link.ticket is not None:
        return f"Linked already, with {link.ticket.label}."
    return "A push of it is under way." if link.state is LinkState.PUSHING else ""


_MEASURED_FROM = 5
"""So many finished items tell more than any declared limit."""


def estimated_end(run: BulkRun, counts: BulkCounts, now: datetime, per_second: float) -> datetime | None:
    """None while nothing goes on. `per_second`: items that the services' declared limits allow."""
    if run.state not in (BulkState.RUNNING, BulkState.CANCELLING) or run.resumed_at is None:
        return None
    since = counts.finished - run.finished_before
    elapsed = (now - run.resumed_at).total_seconds()
    if since >= _MEASURED_FROM and elapsed > 0:
        per_second = since / elapsed
    left = counts.unfinished if run.state is BulkState.RUNNING else counts.of(BulkOutcome.UNDER_WAY)
    return now + timedelta(seconds=left / per_second)
