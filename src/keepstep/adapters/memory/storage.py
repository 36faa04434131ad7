"""Storage in memory: the same promises as on PostgreSQL, for tests and for trying things out."""

import contextlib
from collections.abc import AsyncIterator

from keepstep.adapters.memory.bulk import MemoryBulkItems, MemoryBulkRuns
from keepstep.adapters.memory.events import (
    MemoryClicks,
    MemoryInbox,
    MemoryJournal,
    MemoryMarks,
    MemoryTimers,
)
from keepstep.adapters.memory.records import MemoryIntegrations, MemoryLinks
from keepstep.adapters.memory.state import Store, Transaction


class MemoryUnitOfWork:
    """Implements keepstep.ports.storage.UnitOfWork."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.integrations = MemoryIntegrations(transaction)
        self.links = MemoryLinks(transaction)
        self.inbox = MemoryInbox(transaction)
        self.journal = MemoryJournal(transaction)
        self.clicks = MemoryClicks(transaction)
        self.timers = MemoryTimers(transaction)
        self.marks = MemoryMarks(transaction)
        self.bulk_runs = MemoryBulkRuns(transaction)
        self.bulk_items = MemoryBulkItems(transaction)

    async def commit(self) -> None:
        self._transaction.commit()


class MemoryStorage:
    """Implements keepstep.ports.storage.Storage."""

    def __init__(self) -> None:
        self._store = Store()

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[MemoryUnitOfWork]:
        transaction = Transaction(self._store)
        try:
            yield MemoryUnitOfWork(transaction)
        finally:
            transaction.rollback()
