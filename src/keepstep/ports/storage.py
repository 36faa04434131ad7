"""Storage: one UnitOfWork is one transaction. None is ever open during an outside call."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from keepstep.domain.events import Act, Click, Entry, Notice, Timer
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import FeatureId, IntegrationId, LinkId, TicketId
from keepstep.domain.integration import Integration
from keepstep.domain.link import Link, LinkState
from keepstep.ports.bulk import BulkItems, BulkRuns

PRUNE_BATCH = 2_000
"""Rows dropped in one transaction: none of them is open for long, however much has gathered."""


class Integrations(Protocol):
    async def add(self, integration: Integration) -> None: ...

    async def get(self, integration: IntegrationId) -> Integration:
        """Raises MissingError."""

    async def find(self, integration: IntegrationId) -> Integration | None: ...

    async def list_all(self) -> Sequence[Integration]:
        """By name."""

    async def save(self, integration: Integration) -> Integration:
        """Returns it with its revision raised. Raises StaleRevisionError, or MissingError when it is gone."""

    async def delete(self, integration: IntegrationId) -> None:
        """With all its Links, notices, clicks, timers, journal entries and marks. May be repeated."""


@dataclass(frozen=True, slots=True)
class LinkQuery:
    integration: IntegrationId | None = None
    states: Collection[LinkState] = ()
    """Empty: all."""
    text: str = ""
    """Part of the feature's title, the ticket's title, label or address; case-insensitive."""
    sort: str = "synced"
    """synced (newest first), title, ticket, state, created."""
    offset: int = 0
    limit: int = 50


MOST_COUNTED = 10_000
"""Matches of a search by text that are counted at least."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Links that wait because one side takes no more calls for now."""

    links: int
    until: datetime
    """When the first of them is tried again."""


class Links(Protocol):
    async def add_or_find(self, link: Link) -> tuple[Link, bool]:
        """Insert it, or return the open Link (not *unlinking*) of its integration and feature, and whether it is new.

        Atomic: two callers at once get one Link.
        """

    async def get(self, link: LinkId) -> Link:
        """Raises MissingError."""

    async def find(self, link: LinkId) -> Link | None: ...

    async def find_open(self, integration: IntegrationId, feature: FeatureId) -> Link | None: ...

    async def of_features(
        self, integration: IntegrationId, features: Collection[FeatureId]
    ) -> Sequence[Link]:
        """Every Link, open or unlinking, of these features."""

    async def of_tickets(self, account: str, tickets: Collection[TicketId]) -> Sequence[Link]:
        """Every Link in the installation that owns one of these tickets; at most one each."""

    async def save(self, link: Link) -> Link:
        """Returns it with its revision raised.

        Raises StaleRevisionError when it was saved since, MissingError when it is gone, and TicketTakenError when its
        ticket belongs to another Link.
        """

    async def delete(self, link: LinkId) -> None:
        """With its notices, clicks and timers; its journal stays. May be repeated."""

    async def page(self, query: LinkQuery) -> tuple[Sequence[Link], int]:
        """One page and the number of all matches. Of a search by text, matches beyond `MOST_COUNTED` need not be
        counted; the number is larger than that then.
        """

    async def list_after(self, integration: IntegrationId, after: Link | None, limit: int) -> Sequence[Link]:
        """The Links behind this one (None: the first ones), in an order that no change of a Link alters; for walking
        through all of them. None is left out but one that is made meanwhile.
        """

    async def counts(
        self, integration: IntegrationId | None = None
    ) -> Mapping[IntegrationId, Mapping[LinkState, int]]:
        """Of one integration, or of all."""

    async def fold_counts(self) -> None:
        """Put together what is kept beside the Links for counting; changes no number. Now and then is enough."""

    async def retrying(self, integration: IntegrationId | None = None) -> Mapping[IntegrationId, int]:
        """How many Links failed last time and wait for their next try; those set aside wait for a person instead."""

    async def held_back(self) -> Mapping[IntegrationId, Mapping[Side, HeldBack]]:
        """Those of `retrying` that wait for a side's limit of calls (`Link.held_by`)."""

    async def due(self, now: datetime, limit: int) -> Sequence[LinkId]:
        """Links of active integrations whose retry_at has passed and that are not set aside, longest due first."""


class TicketTakenError(Exception):
    """Another Link owns this ticket: `owner`."""

    def __init__(self, owner: Link) -> None:
        super().__init__(owner.id)
        self.owner = owner


class Inbox(Protocol):
    async def add(self, notice: Notice) -> bool:
        """False, and nothing stored, when this integration has had this delivery id from this side already."""

    async def unhandled(self, link: LinkId) -> Sequence[Notice]:
        """Oldest first."""

    async def mark_handled(self, rows: Collection[int], at: datetime) -> None: ...

    async def adopt(self, integration: IntegrationId, subject: str, link: LinkId, since: datetime) -> int:
        """Give this Link the tracker's unmatched notices of its new ticket; returns how many."""

    async def links_waiting(self, now: datetime, older_than: datetime, limit: int) -> Sequence[LinkId]:
        """Links with a notice unhandled since before `older_than`, of *active* integrations, not set aside, and whose
        retry_at (if any) has passed; longest waiting first. The sweep wakes those of them without a job.
        """

    async def count_unlinked(self, integration: IntegrationId, side: Side, at: datetime) -> None:
        """Count a notification that concerns nothing of ours."""

    async def last_received(self) -> Mapping[IntegrationId, Mapping[Side, datetime]]:
        """Last webhook per integration and side, unlinked ones included."""

    async def with_news(self, links: Collection[LinkId], side: Side) -> Collection[LinkId]:
        """Those of these Links with an unhandled notice that this side of them was changed or deleted."""

    async def announced_gone(self, integration: IntegrationId, limit: int) -> Sequence[LinkId]:
        """Links with an unhandled notice that one of their sides was deleted."""

    async def waiting(self, integration: IntegrationId) -> int:
        """Unhandled notices of Links; those that match no Link are not waiting for anything."""

    async def prune(
        self, before: datetime, unmatched_before: datetime | None = None, limit: int = PRUNE_BATCH
    ) -> int:
        """Drop handled notices received before `before`, and unmatched ones before `unmatched_before` (default: the
        same), the oldest first and at most `limit`. Returns how many.
        """


@dataclass(frozen=True, slots=True)
class JournalQuery:
    integration: IntegrationId | None = None
    link: LinkId | None = None
    side: Side | None = None
    field: Field | None = None
    acts: Collection[Act] = ()
    offset: int = 0
    limit: int = 50
    since: datetime | None = None


def full_hour(at: datetime) -> datetime:
    """The hour (UTC) that this time lies in."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


class Journal(Protocol):
    async def add(self, *entries: Entry) -> None: ...

    async def page(self, query: JournalQuery) -> tuple[Sequence[Entry], int]:
        """Newest first, and the number of all matches."""

    async def get(self, entry: int) -> Entry:
        """Raises MissingError."""

    async def activity(
        self, since: datetime, hours: int, integration: IntegrationId | None = None
    ) -> Mapping[IntegrationId, Sequence[int]]:
        """Entries per hour (UTC) from the one of `since` on, `hours` numbers for each integration that has any."""

    async def fold_counts(self) -> None:
        """As that of the Links."""

    async def last_change(
        self, integration: IntegrationId | None = None
    ) -> Mapping[IntegrationId, Mapping[Side, datetime]]:
        """When we last wrote to each side."""

    async def prune(self, before: datetime, limit: int = PRUNE_BATCH) -> int:
        """Drop entries of before then, the oldest first and at most `limit`. Returns how many."""


class Clicks(Protocol):
    async def add(self, click: Click) -> Click:
        """Returns it with its id."""

    async def answer(self, click: int, at: datetime, *, final: bool) -> bool:
        """Compare-and-set: False when it was answered or given up before."""

    async def recent(self, link: LinkId, since: datetime) -> Sequence[Click]:
        """Clicks of this Link that came since then."""

    async def prune(self, before: datetime, limit: int = PRUNE_BATCH) -> int:
        """Drop those that came before then, the oldest first and at most `limit`. Returns how many."""


class Timers(Protocol):
    async def set(self, timer: Timer) -> None:
        """One per (kind, integration, link): a later call replaces the due time."""

    async def take_due(self, now: datetime, limit: int) -> Sequence[Timer]:
        """Remove and return; two processes never get the same one."""

    async def clear(self, link: LinkId) -> None: ...


class Marks(Protocol):
    """Watermarks of the polls."""

    async def get(self, integration: IntegrationId, name: str) -> datetime | None: ...

    async def set(self, integration: IntegrationId, name: str, at: datetime) -> None: ...

    async def names(self, integration: IntegrationId, prefix: str) -> Sequence[str]:
        """Those that begin so, in order."""


class UnitOfWork(Protocol):
    @property
    def integrations(self) -> Integrations: ...

    @property
    def links(self) -> Links: ...

    @property
    def inbox(self) -> Inbox: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def clicks(self) -> Clicks: ...

    @property
    def timers(self) -> Timers: ...

    @property
    def marks(self) -> Marks: ...

    @property
    def bulk_runs(self) -> BulkRuns: ...

    @property
    def bulk_items(self) -> BulkItems: ...

    async def commit(self) -> None:
        """Without it, leaving the block rolls everything back."""


class Storage(Protocol):
    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]: ...
