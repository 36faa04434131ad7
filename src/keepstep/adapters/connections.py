"""Connections of a pool that are tried before they are handed out, without a round trip for each use.

A server that ended a connection has closed its socket, or said why on it: both can be seen here, for nothing. Only
one that shows such a sign, or that nobody used for a while, is asked. A cut network shows no sign, and a question
asked a moment before would not help there either: the time limits of the connection end it.
"""

import contextlib
import select
import time
from collections.abc import AsyncIterator
from typing import Any

from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

_TRUSTED_SECONDS = 2.0


class SeenConnection(AsyncConnection[Any]):
    """Knows when it was last handed out in good health."""

    # Not when it was given back: a pool with a `reset` sends every connection that comes back through a worker task.
    seen_at: float = 0.0


async def check_if_doubtful(connection: AsyncConnection[Any]) -> None:
    """For a pool's `check`. Raises psycopg.OperationalError for a connection that has ended."""
    now = time.monotonic()
    fresh = isinstance(connection, SeenConnection) and now - connection.seen_at < _TRUSTED_SECONDS
    if not fresh or connection.closed or _has_something_to_say(connection):
        await AsyncConnectionPool.check_connection(connection)
    if isinstance(connection, SeenConnection):
        connection.seen_at = now


@contextlib.asynccontextmanager
async def one_statement(
    pool: AsyncConnectionPool[AsyncConnection[Any]],
) -> AsyncIterator[AsyncConnection[Any]]:
    """For a single statement, which needs no transaction around it: one round trip instead of three."""
    async with pool.connection() as connection:
        before = connection.autocommit
        await connection.set_autocommit(True)
        try:
            yield connection
        finally:
            if connection.info.transaction_status is TransactionStatus.IDLE:
                await connection.set_autocommit(before)
            else:
                await connection.close()  # cut off in mid-statement: the pool makes another


def _has_something_to_say(connection: AsyncConnection[Any]) -> bool:
    """Between two uses the server is silent, unless it says good-bye."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
