"""The inbox on PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from keepstep.adapters.postgres.documents import Row, in_utc, plain, texts_document, texts_from
from keepstep.domain.errors import MissingError
from keepstep.domain.events import Notice, NoticeKind, Source
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.ports.storage import PRUNE_BATCH

# A Link that is being deleted at this moment is waited for and then taken as gone, never an error.
_ADD = """
WITH home AS (SELECT id FROM integrations WHERE id = %(integration)s FOR KEY SHARE),
link AS (SELECT id FROM links WHERE id = %(link)s FOR KEY SHARE),
heard AS (
    INSERT INTO received (integration_id, side, slot, last_at, unlinked)
    SELECT home.id, %(side)s, pg_backend_pid() %% 8, %(at)s, 0 FROM home WHERE %(heard)s
    ON CONFLICT (integration_id, side, slot)
    DO UPDATE SET last_at = greatest(received.last_at, excluded.last_at)
),
stored AS (
    INSERT INTO inbox (integration_id, link_id, kind, source, side, subject, delivery_id, received_at, doc)
    SELECT home.id, (SELECT id FROM link), %(kind)s, %(source)s, %(side)s, %(subject)s, %(delivery)s, %(at)s, %(doc)s
    FROM home
    ON CONFLICT (integration_id, (coalesce(side, '')), delivery_id) WHERE delivery_id IS NOT NULL DO NOTHING
    RETURNING id
)
SELECT (SELECT count(*) FROM home), (SELECT count(*) FROM stored)
"""
_UNHANDLED = """
SELECT id, integration_id, link_id, kind, source, side, subject, delivery_id, received_at, doc::text
FROM inbox WHERE link_id = %s AND handled_at IS NULL ORDER BY received_at, id
"""
_ADOPT = """
UPDATE inbox SET link_id = %s
WHERE integration_id = %s AND subject = %s AND side = 'ticket' AND received_at >= %s
  AND link_id IS NULL AND handled_at IS NULL
"""
_LINKS_WAITING = """
SELECT inbox.link_id
FROM integrations
JOIN inbox ON inbox.integration_id = integrations.id AND inbox.handled_at IS NULL AND inbox.received_at < %s
JOIN links ON links.id = inbox.link_id
WHERE integrations.state = 'active' AND links.state <> 'set aside'
  AND (links.retry_at IS NULL OR links.retry_at <= %s)
GROUP BY inbox.link_id ORDER BY min(inbox.received_at), inbox.link_id LIMIT %s
"""
_COUNT_UNLINKED = """
INSERT INTO received (integration_id, side, slot, last_at, unlinked)
SELECT id, %s, pg_backend_pid() %% 8, %s, 1 FROM integrations WHERE id = %s FOR KEY SHARE
ON CONFLICT (integration_id, side, slot)
DO UPDATE SET last_at = greatest(received.last_at, excluded.last_at), unlinked = received.unlinked + 1
"""
_PRUNE = """
DELETE FROM inbox WHERE id IN (
    SELECT id FROM inbox
    WHERE received_at < greatest(%(before)s, %(unmatched_before)s)
        AND ((handled_at IS NOT NULL AND received_at < %(before)s)
            OR (handled_at IS NULL AND link_id IS NULL AND received_at < %(unmatched_before)s))
    ORDER BY received_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
"""


class PostgresInbox:
    """Implements keepstep.ports.storage.Inbox."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def add(self, notice: Notice) -> bool:
        """Raises MissingError when the integration is gone; a Link that is gone leaves the notice unmatched."""
        values = {
            "integration": notice.integration_id,
            "link": notice.link_id,
            "kind": notice.kind.value,
            "source": notice.source.value,
            "side": notice.side.value if notice.side else None,
            "subject": plain(notice.subject),
            "delivery": plain(notice.delivery_id) if notice.delivery_id is not None else None,
            "at": notice.received_at,
            "heard": notice.source is Source.WEBHOOK and notice.side is not None,
            "doc": texts_document({"actor": notice.actor, **{f"+{k}": v for k, v in notice.detail.items()}}),
        }
        row = await (await self._connection.execute(_ADD, values)).fetchone()
        if not row or not row[0]:
            raise MissingError("There is no such integration (any more).")
        return bool(row[1])

    async def unhandled(self, link: LinkId) -> Sequence[Notice]:
        cursor = await self._connection.execute(_UNHANDLED, (link,))
        return [_notice(row) for row in await cursor.fetchall()]

    async def mark_handled(self, rows: Collection[int], at: datetime) -> None:
        if rows:
            await self._connection.execute(
                "UPDATE inbox SET handled_at = %s WHERE id = ANY(%s) AND handled_at IS NULL", (at, list(rows))
            )

    async def adopt(self, integration: IntegrationId, subject: str, link: LinkId, since: datetime) -> int:
        cursor = await self._connection.execute(_ADOPT, (link, integration, plain(subject), since))
        return cursor.rowcount

    async def links_waiting(self, now: datetime, older_than: datetime, limit: int) -> Sequence[LinkId]:
        cursor = await self._connection.execute(_LINKS_WAITING, (older_than, now, limit))
        return [LinkId(row[0]) for row in await cursor.fetchall()]

    async def count_unlinked(self, integration: IntegrationId, side: Side, at: datetime) -> None:
        await self._connection.execute(_COUNT_UNLINKED, (side.value, at, integration))

    async def last_received(self) -> Mapping[IntegrationId, Mapping[Side, datetime]]:
        cursor = await self._connection.execute(
            "SELECT integration_id, side, max(last_at) FROM received GROUP BY integration_id, side"
        )
        found: dict[IntegrationId, dict[Side, datetime]] = {}
        for integration, side, at in await cursor.fetchall():
            found.setdefault(IntegrationId(integration), {})[Side(side)] = in_utc(at)
        return found

    async def with_news(self, links: Collection[LinkId], side: Side) -> Collection[LinkId]:
        told = [NoticeKind.CHANGED.value, NoticeKind.DELETED.value]
        cursor = await self._connection.execute(
            "SELECT DISTINCT link_id FROM inbox"
            " WHERE link_id = ANY(%s) AND handled_at IS NULL AND side = %s AND kind = ANY(%s)",
            (list(links), side.value, told),
        )
        return {LinkId(row[0]) for row in await cursor.fetchall()}

    async def announced_gone(self, integration: IntegrationId, limit: int) -> Sequence[LinkId]:
        cursor = await self._connection.execute(
            "SELECT DISTINCT link_id FROM inbox WHERE integration_id = %s AND handled_at IS NULL"
            " AND link_id IS NOT NULL AND kind = %s LIMIT %s",
            (integration, NoticeKind.DELETED.value, limit),
        )
        return [LinkId(row[0]) for row in await cursor.fetchall()]

    async def waiting(self, integration: IntegrationId) -> int:
        cursor = await self._connection.execute(
            "SELECT count(*) FROM inbox"
            " WHERE integration_id = %s AND handled_at IS NULL AND link_id IS NOT NULL",
            (integration,),
        )
        row = await cursor.fetchone()
        return row[0] if row else 0

    async def prune(
        self, before: datetime, unmatched_before: datetime | None = None, limit: int = PRUNE_BATCH
    ) -> int:
        cursor = await self._connection.execute(
            _PRUNE, {"before": before, "unmatched_before": unmatched_before or before, "limit": limit}
        )
        return cursor.rowcount


def _notice(row: Row) -> Notice:
    number, integration, link, kind, source, side, subject, delivery, received_at, document = row
    texts = texts_from(document)
    return Notice(
        integration_id=IntegrationId(integration),
        kind=NoticeKind(kind),
        source=Source(source),
        received_at=in_utc(received_at),
        side=Side(side) if side else None,
        subject=subject,
        link_id=LinkId(link) if link else None,
        delivery_id=delivery,
        actor=texts.pop("actor") or "",
        detail={key[1:]: value or "" for key, value in texts.items()},
        id=number,
    )
