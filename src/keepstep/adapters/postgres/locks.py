"""Locks over all processes: session advisory locks on one connection of this process.

The locks live as long as that connection. It is looked at once a second; `Held.check` also looks at the
socket itself, so a connection that the server ended is noticed as soon as the news has reached this machine.
Where no news comes (a cut cable, this process stopped by a signal and continued) a lease decides: a hold whose
connection was last seen alive more than `lease_seconds` ago is not trusted. Whoever terminates another's locks
must therefore have waited longer than the lease. What remains is one outside call wide: between the check and
the write that follows it.
"""

import asyncio
import contextlib
import select
import time
from collections.abc import AsyncIterator
from typing import Any

import psycopg

from keepstep.adapters.postgres.pool import connection_settings
from keepstep.ports.locks import BusyError, LockLostError

_LOOK_SECONDS = 1.0
_PREFIX = "keepstep-locks-"
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL | getattr(select, "POLLRDHUP", 0)
_TRY = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_RELEASE = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"
_TERMINATE = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE application_name = %s AND datname = current_database() AND pid <> pg_backend_pid()
"""


class _Session:
    """One connection and what is known about its life."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], lease_seconds: float) -> None:
        self.connection = connection
        self._lease = lease_seconds
        self._seen = time.monotonic()
        self._lost = False
        self._poll = select.poll()
        self._poll.register(connection.fileno(), _GONE)

    @property
    def lost(self) -> bool:
        if not self._lost and (self.connection.closed or self._poll.poll(0)):
            self._lost = True
        return self._lost

    def check(self) -> None:
        if self.lost or time.monotonic() - self._seen > self._lease:
            raise LockLostError

    async def ask(self, query: str, *values: str) -> Any:
        """The one value of the answer. Raises LockLostError, and the session stays lost."""
        asked = time.monotonic()
        try:
            async with asyncio.timeout(self._lease):
                row = await (await self.connection.execute(query, values)).fetchone()
        except (psycopg.Error, TimeoutError) as error:
            await self.close()
            raise LockLostError from error
        self._seen = max(self._seen, asked)
        return row[0] if row else None

    async def close(self) -> None:
        self._lost = True
        await self.connection.close()


class _PostgresHeld:
    def __init__(self, session: _Session) -> None:
        self._session = session

    def check(self) -> None:
        self._session.check()


class PostgresLocks:
    """Implements keepstep.ports.locks.Locks. `owner` names this process among all that share the database."""

    def __init__(self, dsn: str, owner: str, *, lease_seconds: float = 6.0) -> None:
        self._dsn = dsn
        self._settings = connection_settings(f"{_PREFIX}{owner}")
        self._lease = lease_seconds
        self._owner = owner
        self._session: _Session | None = None
        self._connecting = asyncio.Lock()
        # Advisory locks can be taken twice by one session, so inside the process this set decides.
        self._taken: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Optional; the first hold connects as well. Raises LockLostError."""
        await self._connected()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[_PostgresHeld]:
        """As the port says; raises LockLostError when the database does not answer."""
        if key in self._taken:
            raise BusyError(key)
        self._taken.add(key)
        taking = self._start(self._take(key))
        try:
            session = await asyncio.shield(taking)
        except asyncio.CancelledError:
            # The server may be granting the lock just now: nobody would give it back but us.
            self._start(self._give_back_when_taken(taking, key))
            raise
        except BaseException:
            self._taken.discard(key)
            raise
        try:
            yield _PostgresHeld(session)
        finally:
            await asyncio.shield(self._start(self._give_back(session, key)))

    async def release_owner(self, owner: str) -> None:
        """Ends the lock connection of a process thought dead; its holds raise LockLostError from then on.

        Terminating needs the same database user. Raises LockLostError when the database does not answer.
        """
        if owner != self._owner:
            await (await self._connected()).ask(_TERMINATE, f"{_PREFIX}{owner}")

    def _start(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _take(self, key: str) -> _Session:
        session = await self._connected()
        if not await session.ask(_TRY, key):
            raise BusyError(key)
        return session

    async def _give_back(self, session: _Session, key: str) -> None:
        try:
            if not session.lost:
                await session.ask(_RELEASE, key)
        except LockLostError:
            pass  # with the connection the lock went too
        finally:
            self._taken.discard(key)

    async def _give_back_when_taken(self, taking: asyncio.Task[_Session], key: str) -> None:
        try:
            session = await taking
        except (BusyError, LockLostError):
            self._taken.discard(key)
        else:
            await self._give_back(session, key)

    async def _connected(self) -> _Session:
        async with self._connecting:
            if self._session is None or self._session.lost:
                if self._session is not None:
                    await self._session.close()
                try:
                    connection = await psycopg.AsyncConnection.connect(
                        self._dsn, autocommit=True, **self._settings
                    )
                except psycopg.Error as error:
                    raise LockLostError("The database does not answer.") from error
                self._session = _Session(connection, self._lease)
                self._start(self._watch(self._session))
            return self._session

    @staticmethod
    async def _watch(session: _Session) -> None:
        with contextlib.suppress(LockLostError):
            while not session.lost:
                await asyncio.sleep(_LOOK_SECONDS)
                await session.ask("SELECT 1")
        await session.close()
