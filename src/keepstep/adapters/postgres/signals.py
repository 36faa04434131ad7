"""Outcomes told over NOTIFY: one LISTEN connection per process serves everyone who waits in it."""

import asyncio
import contextlib
import logging
from typing import Any

import psycopg
from psycopg import sql
from psycopg_pool import AsyncConnectionPool

from keepstep.adapters.connections import one_statement
from keepstep.adapters.postgres.pool import connection_settings
from keepstep.domain.ids import LinkId

_CHANNEL = "keepstep_outcome"
_LONGEST_PAUSE_SECONDS = 2.0
_LOOK_SECONDS = 10.0
_log = logging.getLogger(__name__)


class PostgresSignals:
    """Implements keepstep.ports.signals.Signals.

    A waiter is registered when `wait` first runs, and from then on misses nothing while the LISTEN connection
    stands. A signal sent while that connection is being made anew is lost; the port allows that.
    """

    def __init__(self, dsn: str, pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]]) -> None:
        self._dsn = dsn
        self._pool = pool
        self._waiting: dict[LinkId, set[asyncio.Future[None]]] = {}
        self._listener: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Returns once it listens. Raises psycopg.OperationalError when the database does not answer."""
        connection = await self._connect()
        self._listener = asyncio.create_task(self._keep_listening(connection))

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
            self._listener = None

    async def tell(self, link: LinkId) -> None:
        async with one_statement(self._pool) as connection:
            await connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, link))

    async def wait(self, link: LinkId, seconds: float) -> bool:
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self._waiting.setdefault(link, set())
        waiters.add(told)
        try:
            async with asyncio.timeout(seconds):
                await told
        except TimeoutError:
            return False
        else:
            return True
        finally:
            waiters.discard(told)
            if not waiters and self._waiting.get(link) is waiters:
                del self._waiting[link]

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, **connection_settings("keepstep-signals")
        )
        try:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(_CHANNEL)))
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _keep_listening(self, connection: psycopg.AsyncConnection[Any]) -> None:
        pause = 0.1
        while True:
            try:
                await self._listen(connection)
            except psycopg.Error:
                _log.warning("signals.listener.lost")
            finally:
                await connection.close()
            while connection.closed:
                await asyncio.sleep(pause)
                with contextlib.suppress(psycopg.Error):
                    connection = await self._connect()
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            pause = 0.1

    async def _listen(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Returns never; raises psycopg.Error when the connection is gone."""
        while True:
            async for notice in connection.notifies(timeout=_LOOK_SECONDS):
                self._deliver(LinkId(notice.payload))
            await connection.execute("SELECT 1")  # a half-open connection gives no notice of its end

    def _deliver(self, link: LinkId) -> None:
        for told in self._waiting.get(link, ()):
            if not told.done():
                told.set_result(None)
