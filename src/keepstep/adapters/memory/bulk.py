"""Bulk runs and their items in memory."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from keepstep.adapters.memory.state import Transaction
from keepstep.domain.bulk import AT_WORK, BulkCounts, BulkItem, BulkOutcome, BulkRun
from keepstep.domain.errors import MissingError, StaleRevisionError
from keepstep.domain.ids import BulkId, IntegrationId
from keepstep.ports.bulk import BulkItemQuery


class MemoryBulkRuns:
    """Implements keepstep.ports.bulk.BulkRuns."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, run: BulkRun) -> None:
        state = await self._transaction.write()
        if run.integration_id not in state.integrations:
            raise MissingError("There is no such integration (any more).")
        state.bulk_runs[run.id] = run

    async def get(self, run: BulkId) -> BulkRun:
        found = self._transaction.state.bulk_runs.get(run)
        if found is None:
            raise MissingError("There is no such bulk run (any more).")
        return found

    async def save(self, run: BulkRun) -> BulkRun:
        state = await self._transaction.write()
        if (await self.get(run.id)).revision != run.revision:
            raise StaleRevisionError("This bulk run was changed by somebody else in the meantime.")
        saved = replace(run, revision=run.revision + 1)
        state.bulk_runs[run.id] = saved
        return saved

    async def page(
        self, integration: IntegrationId | None, offset: int, limit: int
    ) -> tuple[Sequence[BulkRun], int]:
        runs = self._transaction.state.bulk_runs.values()
        found = [run for run in runs if integration in (None, run.integration_id)]
        found.sort(key=lambda run: run.id)
        found.sort(key=lambda run: run.created_at, reverse=True)
        return found[offset : offset + limit], len(found)

    async def at_work(self) -> Sequence[BulkRun]:
        runs = self._transaction.state.bulk_runs.values()
        return sorted((run for run in runs if run.state in AT_WORK), key=lambda run: (run.created_at, run.id))

    async def prune(self, before: datetime) -> int:
        state = await self._transaction.write()
        old = {
            run.id for run in state.bulk_runs.values() if run.created_at < before and run.state not in AT_WORK
        }
        state.bulk_runs = {key: run for key, run in state.bulk_runs.items() if key not in old}
        state.bulk_items = {key: item for key, item in state.bulk_items.items() if item.run_id not in old}
        return len(old)


class MemoryBulkItems:
    """Implements keepstep.ports.bulk.BulkItems."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, items: Sequence[BulkItem]) -> int:
        state = await self._transaction.write()
        added = 0
        for item in items:
            if item.run_id not in state.bulk_runs:
                raise MissingError("There is no such bulk run (any more).")
            known = any(
                each.run_id == item.run_id and each.feature_id == item.feature_id
                for each in state.bulk_items.values()
            )
            if not known:
                number = self._transaction.next_id()
                state.bulk_items[number] = replace(item, id=number)
                added += 1
        return added

    async def save(self, items: Sequence[BulkItem]) -> None:
        state = await self._transaction.write()
        for item in items:
            if item.id in state.bulk_items:
                state.bulk_items[item.id] = item

    async def page(self, query: BulkItemQuery) -> tuple[Sequence[BulkItem], int]:
        wanted = query.text.casefold()
        found = [
            item
            for item in self._of(query.run)
            if (not query.outcomes or item.outcome in query.outcomes)
            and query.chosen in (None, item.chosen)
            and wanted in _words(item)
        ]
        return found[query.offset : query.offset + query.limit], len(found)

    async def get(self, run: BulkId, item: int) -> BulkItem:
        found = self._transaction.state.bulk_items.get(item)
        if found is None or found.run_id != run:
            raise MissingError("There is no such item in this bulk run.")
        return found

    async def counts(self, run: BulkId) -> BulkCounts:
        items = self._of(run)
        waiting = [item for item in items if item.outcome is BulkOutcome.WAITING]
        return BulkCounts(Counter(item.outcome for item in items), sum(item.chosen for item in waiting))

    async def choose(self, run: BulkId, items: Collection[int], *, chosen: bool) -> None:
        state = await self._transaction.write()
        for item in self._of(run):
            if item.id in items and item.outcome is BulkOutcome.WAITING:
                state.bulk_items[item.id] = replace(item, chosen=chosen)

    async def skip_waiting(self, run: BulkId, reason: str, *, unchosen_only: bool = False) -> int:
        state = await self._transaction.write()
        skipped = [
            item
            for item in self._of(run)
            if item.outcome is BulkOutcome.WAITING and not (unchosen_only and item.chosen)
        ]
        for item in skipped:
            state.bulk_items[item.id] = item.became(BulkOutcome.SKIPPED, reason)
        return len(skipped)

    def _of(self, run: BulkId) -> list[BulkItem]:
        return [item for item in self._transaction.state.bulk_items.values() if item.run_id == run]


def _words(item: BulkItem) -> str:
    ticket = (item.ticket.label, item.ticket.url) if item.ticket else ()
    return "\n".join((item.feature_title, item.ticket_title, *ticket)).casefold()
