"""Link: one feature and one ticket in step, the base, the intent of a write under way, and its troubles."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from keepstep.domain.column import Cell
from keepstep.domain.fields import Field, Side, Snapshot
from keepstep.domain.fight import Written
from keepstep.domain.ids import FeatureId, IntegrationId, LinkId, marker_of
from keepstep.domain.ticket import TicketRef, TicketStatus


class LinkState(StrEnum):
    PUSHING = "pushing"
    LINKED = "linked"
    IN_CONFLICT = "in conflict"
    REFUSED = "refused"
    LOST_SIGHT = "lost sight"
    SET_ASIDE = "set aside"
    UNLINKING = "unlinking"
    DISMISSED = "dismissed"


IN_STEP = frozenset({LinkState.LINKED})
LIMITS = {Side.FEATURE: "board limit", Side.TICKET: "tracker limit"}
"""Codes of the troubles of a Link that waits because one of its accounts takes no more calls for now."""
_LONG = timedelta(seconds=30)
ATTENTION = frozenset({LinkState.IN_CONFLICT, LinkState.REFUSED, LinkState.LOST_SIGHT, LinkState.SET_ASIDE})


@dataclass(frozen=True, slots=True)
class Base:
    feature: Snapshot
    ticket: Snapshot

    def side(self, side: Side) -> Snapshot:
        return self.feature if side is Side.FEATURE else self.ticket


@dataclass(frozen=True, slots=True)
class IntendedWrite:
    """One field's write, committed before it is made: afterwards it tells our own write from a person's."""

    field: Field
    target: Side
    value: str
    """In the target's exact form. The target shows the expected form when it reads as this value reads."""
    before: str
    source: str
    """The other side's exact value that this write carries over; its base once the write is confirmed."""
    paired: bool = False
    """One of two writes of a merge: the base moves only when both are confirmed."""
    keeps_base: bool = False
    """Confirmed or not, the base stays."""
    rest: str | None = None
    """The target's base once this is confirmed, where that is not what it then shows."""


@dataclass(frozen=True, slots=True)
class CreateIntent:
    """A create was sent, or is about to be: until its ticket is known, nobody may create another."""

    at: datetime
    feature: Snapshot
    """What the draft was made from."""
    draft: Snapshot
    looks: int = 0
    """How often we have looked for the marker without finding it."""
    look_after: datetime | None = None
    """The last look counts from then on only: no click, however impatient, may shorten what the tracker needs."""
    again: bool = False
    """An earlier create was given up on after two looks: its ticket may still turn up, and is looked for once more."""


@dataclass(frozen=True, slots=True)
class Intent:
    create: CreateIntent | None = None
    writes: tuple[IntendedWrite, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a Link does not move: cause, and what helps. Both may be shown to anyone who may see the Link."""

    code: str
    message: str
    at: datetime
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A write that the target answered but did not carry out; not tried again until source or policy change."""

    target: Side
    value: str
    message: str
    at: datetime


class ConflictCause(StrEnum):
    BOTH_CHANGED = "both changed"
    FIGHT = "fight"
    """Another program set it back again and again."""
    FIRST_SYNC = "first sync"
    """They differed when they were linked."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both sides hold another value of one field, and a person is to decide."""

    base_feature: str
    base_ticket: str
    feature: str
    ticket: str
    since: datetime
    fight: bool = False
    """Left alone on both sides until a person decides; so is `first`."""
    first: bool = False

    @property
    def held(self) -> bool:
        """No edit ends it, only a decision."""
        return self.fight or self.first

    @property
    def cause(self) -> ConflictCause:
        if self.fight:
            return ConflictCause.FIGHT
        return ConflictCause.FIRST_SYNC if self.first else ConflictCause.BOTH_CHANGED


@dataclass(frozen=True, slots=True)
class LostSight:
    side: Side
    since: datetime


class Ending(StrEnum):
    """Why a Link is taken apart; decides comment and cell."""

    BUTTON = "unlinked with the button"
    PERSON = "unlinked in Keepstep"
    FEATURE_DELETED = "the feature was deleted"
    TICKET_DELETED = "the ticket was deleted"
    TICKET_MOVED = "the ticket was moved away"
    INTEGRATION_REMOVED = "the integration was removed"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the last read of one side showed: tells news from what is known, and a stale read from a fresh one."""

    digest: str
    updated_at: datetime
    """The side's own clock."""
    before_write: str = ""
    """Digest of what stood there before our last write; a read that still shows it soon after is stale at first."""
    wrote_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Link:
    id: LinkId
    integration_id: IntegrationId
    feature_id: FeatureId
    state: LinkState
    created_at: datetime
    account: str
    """The tracker account's key: a ticket id is unique within it."""
    feature_title: str = ""
    feature_url: str = ""
    feature_type: str = ""
    feature_status: str = ""
    """Name of the status when last read, for lists."""
    ticket: TicketRef | None = None
    ticket_title: str = ""
    ticket_status: TicketStatus | None = None
    base: Base | None = None
    intent: Intent = Intent()
    refusals: Mapping[Field, Refusal] = field(default_factory=dict)
    conflicts: Mapping[Field, Conflict] = field(default_factory=dict)
    warnings: Mapping[Field, str] = field(default_factory=dict)
    """What a person should know although nothing is wrong: an unmapped status, a vendor's loss."""
    written: Mapping[Field, tuple[Written, ...]] = field(default_factory=dict)
    """Our latest writes that no person of Keepstep asked for: tells a fight."""
    seen: Mapping[Side, Seen] = field(default_factory=dict)
    lost: LostSight | None = None
    ending: Ending | None = None
    trouble: Trouble | None = None
    attempts: int = 0
    retry_at: datetime | None = None
    pushed_at: datetime | None = None
    """When the push that is under way began; it gives up 15 minutes later."""
    synced_at: datetime | None = None
    started_at: datetime | None = None
    """When the last job started: the next machine-woken one starts not sooner than a second later."""
    cell: Cell | None = None
    """What we last put or read; None when unknown (a click's answer may have overwritten it)."""
    revision: int = 0

    @property
    def marker(self) -> str:
        return marker_of(self.id)

    @property
    def is_open(self) -> bool:
        """Owns the feature's cell: at most one such Link per integration and feature."""
        return self.state is not LinkState.UNLINKING

    @property
    def held_by(self) -> Side | None:
        """Whose limit of calls it waits for."""
        if self.trouble is None or self.retry_at is None:
            return None
        return next((side for side, code in LIMITS.items() if code == self.trouble.code), None)

    @property
    def held_long(self) -> bool:
        """So long that a person who waits for it is told, rather than shown that it is under way."""
        if self.held_by is None or self.trouble is None or self.retry_at is None:
            return False
        return self.retry_at - self.trouble.at >= _LONG

    @property
    def settled_state(self) -> LinkState:
        if self.conflicts:
            return LinkState.IN_CONFLICT
        return LinkState.REFUSED if self.refusals else LinkState.LINKED

    def calm(self) -> "Link":
        """Free of a past failure: what a success, or a person's *try again*, does."""
        return replace(self, trouble=None, attempts=0, retry_at=None)
