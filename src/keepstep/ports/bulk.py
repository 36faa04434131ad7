"""Storage of bulk runs and their items; part of the UnitOfWork of `keepstep.ports.storage`.

Whoever changes items saves their run in the same transaction: its revision is the fence between two processes, and
between a process and a person.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from keepstep.domain.bulk import BulkCounts, BulkItem, BulkOutcome, BulkRun
from keepstep.domain.ids import BulkId, IntegrationId


class BulkRuns(Protocol):
    async def add(self, run: BulkRun) -> None:
        """Raises MissingError when its integration is gone."""

    async def get(self, run: BulkId) -> BulkRun:
        """Raises MissingError."""

    async def save(self, run: BulkRun) -> BulkRun:
        """Returns it with its revision raised. Raises StaleRevisionError, or MissingError when it is gone."""

    async def page(
        self, integration: IntegrationId | None, offset: int, limit: int
    ) -> tuple[Sequence[BulkRun], int]:
        """Newest first, and the number of all."""

    async def at_work(self) -> Sequence[BulkRun]:
        """Those that are preparing, running, paused or cancelling, oldest first."""

    async def prune(self, before: datetime) -> int:
        """Drop those that were made before then and are not at work, with their items. Returns how many."""


@dataclass(frozen=True, slots=True)
class BulkItemQuery:
    run: BulkId
    outcomes: Collection[BulkOutcome] = ()
    """Empty: all."""
    text: str = ""
    """Part of the feature's title, or of the ticket's title, label or address; case-insensitive."""
    chosen: bool | None = None
    offset: int = 0
    limit: int = 50


class BulkItems(Protocol):
    async def add(self, items: Sequence[BulkItem]) -> int:
        """At the end of their run. One whose feature is in it already is passed over. Returns how many are new."""

    async def save(self, items: Sequence[BulkItem]) -> None: ...

    async def page(self, query: BulkItemQuery) -> tuple[Sequence[BulkItem], int]:
        """In the order in which they were added, and the number of all matches."""

    async def get(self, run: BulkId, item: int) -> BulkItem:
        """Raises MissingError."""

    async def counts(self, run: BulkId) -> BulkCounts: ...

    async def choose(self, run: BulkId, items: Collection[int], *, chosen: bool) -> None:
        """Of those that wait."""

    async def skip_waiting(self, run: BulkId, reason: str, *, unchosen_only: bool = False) -> int:
        """Those that wait are skipped, all or those that are not chosen. Returns how many."""
