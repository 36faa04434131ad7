"""Storage on PostgreSQL: one UnitOfWork is one transaction on one connection of the pool, at *read committed*."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from keepstep.adapters.postgres.repositories.bulk import PostgresBulkItems, PostgresBulkRuns
from keepstep.adapters.postgres.repositories.clicks import PostgresClicks
from keepstep.adapters.postgres.repositories.inbox import PostgresInbox
from keepstep.adapters.postgres.repositories.integrations import PostgresIntegrations
from keepstep.adapters.postgres.repositories.journal import PostgresJournal
from keepstep.adapters.postgres.repositories.links import PostgresLinks
from keepstep.adapters.postgres.repositories.timers import PostgresMarks, PostgresTimers


class PostgresUnitOfWork:
    """Implements keepstep.ports.storage.UnitOfWork."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self.integrations = PostgresIntegrations(connection)
        self.links = PostgresLinks(connection)
        self.inbox = PostgresInbox(connection)
        self.journal = PostgresJournal(connection)
        self.clicks = PostgresClicks(connection)
        self.timers = PostgresTimers(connection)
        self.marks = PostgresMarks(connection)
        self.bulk_runs = PostgresBulkRuns(connection)
        self.bulk_items = PostgresBulkItems(connection)

    async def commit(self) -> None:
        await self._connection.commit()


class PostgresStorage:
    """Implements keepstep.ports.storage.Storage. The pool is the caller's to open and close."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[PostgresUnitOfWork]:
        async with self._pool.connection() as connection:
            yield PostgresUnitOfWork(connection)
            await connection.rollback()  # or else the pool would commit what nobody committed
