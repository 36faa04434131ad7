"""What arrived (inbox rows), what is due (timers), and what we did (journal entries)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import IntegrationId, LinkId


class NoticeKind(StrEnum):
    CHANGED = "changed"
    DELETED = "deleted"
    PUSH = "push"
    UNLINK = "unlink"
    SYNC = "sync"
    """A person's *sync now* or *try again*, or the policy changed."""
    DECIDE = "decide"
    """A person chose a value: `detail` has field, side and the exact value."""
    CELL = "cell"
    """The cell has to be looked at: a click may have overwritten it."""
    LOOK_AGAIN = "look again"
    """The second look at something that had vanished, or at a create in doubt."""


class Source(StrEnum):
    """Who said so."""

    WEBHOOK = "webhook"
    POLL = "poll"
    CLICK = "click"
    PERSON = "person"
    TIMER = "timer"
    BULK = "bulk"
    """A bulk run that a person started: nobody waits for this one Link."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One inbox row. `id` is 0 until stored."""

    integration_id: IntegrationId
    kind: NoticeKind
    source: Source
    received_at: datetime
    side: Side | None = None
    subject: str = ""
    """Feature id or the tracker's ticket id, as the sender named it."""
    link_id: LinkId | None = None
    """None: it matched no Link when it came; kept for 10 minutes for a ticket whose creation is not committed."""
    delivery_id: str | None = None
    """The sender's id of this delivery; a second row with it is not stored. Never made up by us."""
    actor: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)
    id: int = 0


class Act(StrEnum):
    """What a journal entry records."""

    CONNECTED = "integration connected"
    CONNECT_FAILED = "connecting failed"
    CHANGED_SETTINGS = "settings changed"
    PAUSED = "paused"
    RESUMED = "resumed"
    REMOVAL = "removal"
    PUSHED = "pushed"
    CREATED = "ticket created"
    ADOPTED = "ticket found again"
    LINKED = "linked"
    WROTE = "wrote"
    KEPT = "left alone"
    OVERRULED = "overruled"
    """Both sides changed one field, or had it in words of their own; `before` holds the loser, to be put back."""
    ASKED = "asked"
    DECIDED = "decided"
    REFUSED = "refused"
    LOSS = "stored less than written"
    COLUMN = "column"
    UNLINKED = "unlinked"
    """`before` holds the feature's title: the Link that knows it goes."""
    LOST_SIGHT = "lost sight"
    FOUND_AGAIN = "found again"
    MOVED = "moved"
    """The ticket lives in another place now, and is kept in step there."""
    FAILED = "failed"
    SET_ASIDE = "set aside"
    DUPLICATE = "second ticket with this marker"
    BULK = "bulk run"
    REPAIRED = "repaired"
    """A webhook or column outside was missing, switched off or pointed elsewhere, and is in place again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal row. `id` is 0 until stored."""

    at: datetime
    act: Act
    integration_id: IntegrationId
    link_id: LinkId | None = None
    side: Side | None = None
    field: Field | None = None
    before: str | None = None
    after: str | None = None
    reason: str = ""
    """Which notice, which rule: a sentence for people."""
    actor: str = ""
    """Who caused it, where known; "" is Keepstep itself."""
    answer: str = ""
    """What the API answered, in short, where it matters."""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Click:
    """An open click: the web process waits for its Link's outcome. `id` is 0 until stored."""

    link_id: LinkId
    came_at: datetime
    answered_at: datetime | None = None
    final: bool = False
    """Its answer carried the final state."""
    id: int = 0


class TimerKind(StrEnum):
    CELL = "cell"
    LOOK_AGAIN = "look again"
    POLL_FEATURES = "poll features"
    POLL_TICKETS = "poll tickets"
    LOOK_AFTER = "look after"
    """Look whether column and webhooks are in place."""


@dataclass(frozen=True, slots=True)
class Timer:
    """At `due_at` the sweep turns it into an inbox row or a poll. One per (kind, subject)."""

    kind: TimerKind
    integration_id: IntegrationId
    due_at: datetime
    link_id: LinkId | None = None
    side: Side | None = None


Json = dict[str, Any]
