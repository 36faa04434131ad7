"""The budget of calls on PostgreSQL: one round trip a call, by the server's clock, shared by all processes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from keepstep.adapters.connections import one_statement
from keepstep.adapters.postgres.pool import new_pool
from keepstep.domain.calls import Limit, charges_of
from keepstep.ports.budget import FURTHEST_SECONDS, ROUNDING_SECONDS, AccountKey, Ask, Turn

_TAKE = "SELECT wait, closed FROM take_call(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
_CLOSE = """
INSERT INTO call_budgets AS budget (account, closed_until)
VALUES (%(account)s, extract(epoch FROM clock_timestamp()) + %(wait)s)
ON CONFLICT (account) DO UPDATE SET closed_until = greatest(budget.closed_until, excluded.closed_until)
"""
_POOL_SIZE = 2


def budget_pool(dsn: str) -> AsyncConnectionPool[AsyncConnection[Any]]:
    """Connections whose commits do not wait for the disk: what a crash loses is the memory of some calls."""
    return new_pool(dsn, "keepstep-budget", max_size=_POOL_SIZE, synchronous_commit="off")


class PostgresBudget:
    """Implements keepstep.ports.budget.Budget. The pool is the caller's to open and close."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def take(self, account: AccountKey, limits: Sequence[Limit], ask: Ask) -> Turn:
        charges = charges_of(limits, ask.call_class, ask.kind, begun=ask.begun)
        values = (
            account,
            [each.name for each in charges],
            [each.fills for each in charges],
            [each.room for each in charges],
            [each.spread for each in charges],
            ask.call_class + 1,  # arrays begin with 1 there
            ask.patience,
            FURTHEST_SECONDS,
            ROUNDING_SECONDS,
        )
        async with one_statement(self._pool) as connection:
            row = await (await connection.execute(_TAKE, values)).fetchone()
        return Turn(*row) if row else Turn()

    async def close(self, account: AccountKey, wait: timedelta) -> None:
        async with one_statement(self._pool) as connection:
            await connection.execute(_CLOSE, {"account": account, "wait": wait.total_seconds()})
