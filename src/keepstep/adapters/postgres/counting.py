"""Counting and paging what may be millions: see the fifth step of the schema for the tallies."""

from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

_LOCK = 0x6B656570_74616C79
"""`keeptaly` in ASCII."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a sorted list, read from whichever end is nearer."""

    offset: int
    limit: int
    from_the_end: bool

    @classmethod
    def of(cls, offset: int, limit: int, number: int, *, exact: bool) -> "Span":
        """Of `number` rows; where that is only a lower bound, nobody knows where the end is."""
        if not exact or offset <= number // 2:
            return cls(offset, limit, from_the_end=False)
        limit = min(limit, number - offset)
        return cls(number - offset - limit, limit, from_the_end=True)


async def fold(connection: AsyncConnection[Any], statement: str) -> None:
    """One process at a time: two could wait for each other. Writers are never waited for."""
    cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,))
    row = await cursor.fetchone()
    if row and row[0]:
        await connection.execute(statement)
