"""The journal on PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.errors import ForeignKeyViolation

from keepstep.adapters.postgres.counting import Span, fold
from keepstep.adapters.postgres.documents import Row, in_utc, texts_document, texts_from
from keepstep.domain.errors import MissingError
from keepstep.domain.events import Act, Entry
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.ports.storage import PRUNE_BATCH, JournalQuery, full_hour

_ADD = """
INSERT INTO journal (at, act, integration_id, link_id, side, field, doc) VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_COLUMNS = "id, at, act, integration_id, link_id, side, field, doc::text"
_ACTIVITY = """
SELECT integration_id, extract(epoch FROM hour - %(since)s)::int / 3600, sum(number)::bigint
FROM journal_tally WHERE hour >= %(since)s AND hour < %(until)s
  AND (%(integration)s::text IS NULL OR integration_id = %(integration)s)
GROUP BY 1, 2 HAVING sum(number) > 0
"""
_ALL = """
SELECT coalesce(sum(number), 0)::bigint FROM journal_tally
WHERE %(integration)s::text IS NULL OR integration_id = %(integration)s
"""
_FOLD = """
WITH folded AS (
    DELETE FROM journal_tally USING (
        SELECT ctid FROM journal_tally WHERE writer <> 0 OR number = 0 FOR UPDATE SKIP LOCKED
    ) AS free WHERE journal_tally.ctid = free.ctid
    RETURNING integration_id, hour, number
)
INSERT INTO journal_tally AS kept (integration_id, hour, writer, number)
SELECT integration_id, hour, 0, sum(number) FROM folded GROUP BY integration_id, hour HAVING sum(number) <> 0
ON CONFLICT (integration_id, hour, writer) DO UPDATE SET number = kept.number + excluded.number
"""
# One look into the index for each integration and side, instead of reading the whole journal.
_LAST_CHANGE = """
SELECT integrations.id, sides.side, last.at
FROM (SELECT id FROM integrations WHERE %(integration)s::text IS NULL OR id = %(integration)s) AS integrations
CROSS JOIN (VALUES ('feature'), ('ticket')) AS sides (side)
CROSS JOIN LATERAL (
    SELECT at FROM journal
    WHERE integration_id = integrations.id AND side = sides.side AND act IN ('wrote', 'ticket created')
    ORDER BY at DESC LIMIT 1
) AS last
"""
_PRUNE = """
DELETE FROM journal WHERE id IN (
    SELECT id FROM journal WHERE at < %s ORDER BY at, id LIMIT %s FOR UPDATE SKIP LOCKED
)
"""


class PostgresJournal:
    """Implements keepstep.ports.storage.Journal."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def add(self, *entries: Entry) -> None:
        """Raises MissingError when the integration is gone; the transaction is lost then."""
        if not entries:
            return
        try:
            async with self._connection.cursor() as cursor:
                await cursor.executemany(_ADD, [_values(entry) for entry in entries])
        except ForeignKeyViolation as error:
            raise MissingError("There is no such integration (any more).") from error

    async def page(self, query: JournalQuery) -> tuple[Sequence[Entry], int]:
        clauses, values = ["true"], list[object]()
        for column, wanted in (
            ("integration_id", query.integration),
            ("link_id", query.link),
            ("side", query.side.value if query.side else None),
            ("field", query.field.value if query.field else None),
        ):
            if wanted is not None:
                clauses.append(f"{column} = %s")
                values.append(wanted)
        if query.acts:
            clauses.append("act = ANY(%s)")
            values.append([act.value for act in query.acts])
        if query.since is not None:
            clauses.append("at >= %s")
            values.append(query.since)
        where = " AND ".join(clauses)
        number = await self._number(query, where, values)
        offset, limit = max(query.offset, 0), max(query.limit, 0)
        if number <= offset:
            return [], number
        span = Span.of(offset, limit, number, exact=True)
        order = "at, id" if span.from_the_end else "at DESC, id DESC"
        entries = await self._select(
            f"{where} ORDER BY {order} LIMIT %s OFFSET %s", *values, span.limit, span.offset
        )
        return entries[::-1] if span.from_the_end else entries, number

    async def _number(self, query: JournalQuery, where: str, values: Sequence[object]) -> int:
        whole = replace(query, offset=0, limit=0) == JournalQuery(query.integration, limit=0)
        if whole:
            cursor = await self._connection.execute(_ALL, {"integration": query.integration})
        else:
            cursor = await self._connection.execute(f"SELECT count(*) FROM journal WHERE {where}", values)  # noqa: S608
        row = await cursor.fetchone()
        return row[0] if row else 0

    async def get(self, entry: int) -> Entry:
        found = await self._select("id = %s", entry)
        if not found:
            raise MissingError("There is no such journal entry (any more).")
        return found[0]

    async def activity(
        self, since: datetime, hours: int, integration: IntegrationId | None = None
    ) -> Mapping[IntegrationId, Sequence[int]]:
        start = full_hour(since)
        values = {"since": start, "until": start + timedelta(hours=hours), "integration": integration}
        cursor = await self._connection.execute(_ACTIVITY, values)
        counts: dict[IntegrationId, list[int]] = {}
        for of, hour, number in await cursor.fetchall():
            counts.setdefault(IntegrationId(of), [0] * hours)[hour] = number
        return counts

    async def fold_counts(self) -> None:
        await fold(self._connection, _FOLD)

    async def last_change(
        self, integration: IntegrationId | None = None
    ) -> Mapping[IntegrationId, Mapping[Side, datetime]]:
        cursor = await self._connection.execute(_LAST_CHANGE, {"integration": integration})
        last: dict[IntegrationId, dict[Side, datetime]] = {}
        for of, side, at in await cursor.fetchall():
            last.setdefault(IntegrationId(of), {})[Side(side)] = in_utc(at)
        return last

    async def prune(self, before: datetime, limit: int = PRUNE_BATCH) -> int:
        cursor = await self._connection.execute(_PRUNE, (before, limit))
        return cursor.rowcount

    async def _select(self, condition: str, *values: object) -> list[Entry]:
        query = f"SELECT {_COLUMNS} FROM journal WHERE {condition}"  # noqa: S608 - conditions are written above
        cursor = await self._connection.execute(query, values)
        return [_entry(row) for row in await cursor.fetchall()]


def _values(entry: Entry) -> tuple[object, ...]:
    texts = {
        "before": entry.before,
        "after": entry.after,
        "reason": entry.reason,
        "actor": entry.actor,
        "answer": entry.answer,
    }
    return (
        entry.at,
        entry.act.value,
        entry.integration_id,
        entry.link_id,
        entry.side.value if entry.side else None,
        entry.field.value if entry.field else None,
        texts_document(texts),
    )


def _entry(row: Row) -> Entry:
    number, at, act, integration, link, side, field, document = row
    texts = texts_from(document)
    return Entry(
        at=in_utc(at),
        act=Act(act),
        integration_id=IntegrationId(integration),
        link_id=LinkId(link) if link else None,
        side=Side(side) if side else None,
        field=Field(field) if field else None,
        before=texts.get("before"),
        after=texts.get("after"),
        reason=texts.get("reason") or "",
        actor=texts.get("actor") or "",
        answer=texts.get("answer") or "",
        id=number,
    )
