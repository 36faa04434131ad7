"""Timers and the polls' marks on PostgreSQL; set for an integration or Link that is gone, they are forgotten."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from keepstep.adapters.postgres.documents import in_utc
from keepstep.domain.events import Timer, TimerKind
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId, LinkId

_SET = """
WITH home AS (SELECT id FROM integrations WHERE id = %(integration)s FOR KEY SHARE),
link AS (SELECT id FROM links WHERE id = %(link)s FOR KEY SHARE)
INSERT INTO timers (kind, integration_id, link_id, side, due_at)
SELECT %(kind)s, home.id, (SELECT id FROM link), %(side)s, %(due_at)s FROM home
WHERE %(link)s::text IS NULL OR EXISTS (SELECT FROM link)
ON CONFLICT (integration_id, kind, (coalesce(link_id, '')))
DO UPDATE SET due_at = excluded.due_at, side = excluded.side
"""
# MATERIALIZED: joined into the DELETE, the LIMIT could be run again and take more rows than it says.
_TAKE = """
WITH due AS MATERIALIZED (
    SELECT id FROM timers WHERE due_at <= %s ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED
)
DELETE FROM timers USING due WHERE timers.id = due.id
RETURNING timers.kind, timers.integration_id, timers.due_at, timers.link_id, timers.side, timers.id
"""
_SET_MARK = """
INSERT INTO marks (integration_id, name, at)
SELECT id, %s, %s FROM integrations WHERE id = %s FOR KEY SHARE
ON CONFLICT (integration_id, name) DO UPDATE SET at = excluded.at
"""


class PostgresTimers:
    """Implements keepstep.ports.storage.Timers."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def set(self, timer: Timer) -> None:
        values = {
            "kind": timer.kind.value,
            "integration": timer.integration_id,
            "link": timer.link_id,
            "side": timer.side.value if timer.side else None,
            "due_at": timer.due_at,
        }
        await self._connection.execute(_SET, values)

    async def take_due(self, now: datetime, limit: int) -> Sequence[Timer]:
        """Taken when the unit of work commits; rolled back, they are due again."""
        rows = await (await self._connection.execute(_TAKE, (now, limit))).fetchall()
        rows.sort(key=lambda row: (row[2], row[5]))
        return [
            Timer(
                kind=TimerKind(kind),
                integration_id=IntegrationId(integration),
                due_at=in_utc(due_at),
                link_id=LinkId(link) if link else None,
                side=Side(side) if side else None,
            )
            for kind, integration, due_at, link, side, _ in rows
        ]

    async def clear(self, link: LinkId) -> None:
        await self._connection.execute("DELETE FROM timers WHERE link_id = %s", (link,))


class PostgresMarks:
    """Implements keepstep.ports.storage.Marks."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def get(self, integration: IntegrationId, name: str) -> datetime | None:
        cursor = await self._connection.execute(
            "SELECT at FROM marks WHERE integration_id = %s AND name = %s", (integration, name)
        )
        row = await cursor.fetchone()
        return in_utc(row[0]) if row else None

    async def set(self, integration: IntegrationId, name: str, at: datetime) -> None:
        await self._connection.execute(_SET_MARK, (name, at, integration))

    async def names(self, integration: IntegrationId, prefix: str) -> Sequence[str]:
        cursor = await self._connection.execute(
            "SELECT name FROM marks WHERE integration_id = %s AND starts_with(name, %s) ORDER BY name",
            (integration, prefix),
        )
        return [name for (name,) in await cursor.fetchall()]
