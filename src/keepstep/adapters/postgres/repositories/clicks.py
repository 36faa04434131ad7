"""Clicks on PostgreSQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from keepstep.adapters.postgres.documents import in_utc
from keepstep.domain.errors import MissingError
from keepstep.domain.events import Click
from keepstep.domain.ids import LinkId
from keepstep.ports.storage import PRUNE_BATCH

_ADD = """
INSERT INTO clicks (link_id, came_at, answered_at, final)
SELECT id, %s, %s, %s FROM links WHERE id = %s FOR KEY SHARE RETURNING id
"""
_RECENT = """
SELECT link_id, came_at, answered_at, final, id FROM clicks WHERE link_id = %s AND came_at >= %s
ORDER BY came_at, id
"""
_PRUNE = """
DELETE FROM clicks WHERE id IN (
    SELECT id FROM clicks WHERE came_at < %s ORDER BY came_at LIMIT %s FOR UPDATE SKIP LOCKED
)
"""


class PostgresClicks:
    """Implements keepstep.ports.storage.Clicks."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def add(self, click: Click) -> Click:
        """Raises MissingError when the Link is gone."""
        cursor = await self._connection.execute(
            _ADD, (click.came_at, click.answered_at, click.final, click.link_id)
        )
        row = await cursor.fetchone()
        if row is None:
            raise MissingError("There is no such Link (any more).")
        return replace(click, id=row[0])

    async def answer(self, click: int, at: datetime, *, final: bool) -> bool:
        cursor = await self._connection.execute(
            "UPDATE clicks SET answered_at = %s, final = %s WHERE id = %s AND answered_at IS NULL",
            (at, final, click),
        )
        return cursor.rowcount == 1

    async def recent(self, link: LinkId, since: datetime) -> Sequence[Click]:
        cursor = await self._connection.execute(_RECENT, (link, since))
        return [
            Click(LinkId(owner), in_utc(came_at), in_utc(answered_at) if answered_at else None, final, number)
            for owner, came_at, answered_at, final, number in await cursor.fetchall()
        ]

    async def prune(self, before: datetime, limit: int = PRUNE_BATCH) -> int:
        cursor = await self._connection.execute(_PRUNE, (before, limit))
        return cursor.rowcount
