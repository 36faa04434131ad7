"""Bulk runs and their items on PostgreSQL."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from keepstep.adapters.postgres.documents import (
    Row,
    bulk_item_document,
    bulk_item_from,
    bulk_run_document,
    bulk_run_from,
    like_pattern,
    plain,
)
from keepstep.domain.bulk import BulkCounts, BulkItem, BulkOutcome, BulkRun
from keepstep.domain.errors import MissingError, StaleRevisionError
from keepstep.domain.ids import BulkId, IntegrationId
from keepstep.ports.bulk import BulkItemQuery

_ADD_RUN = """
INSERT INTO bulk_runs (id, integration_id, state, created_at, revision, doc)
SELECT %(id)s, id, %(state)s, %(created_at)s, %(revision)s, %(doc)s
FROM integrations WHERE id = %(integration)s FOR KEY SHARE
"""
_AT_WORK = "state IN ('preparing', 'running', 'paused', 'cancelling')"
_ADD_ITEM = """
WITH home AS (SELECT id FROM bulk_runs WHERE id = %(run)s FOR KEY SHARE)
INSERT INTO bulk_items (run_id, feature_id, outcome, reason, chosen, search_text, doc)
SELECT home.id, %(feature)s, %(outcome)s, %(reason)s, %(chosen)s, %(words)s, %(doc)s FROM home
ON CONFLICT (run_id, feature_id) DO NOTHING
"""
_SAVE_ITEM = """
UPDATE bulk_items SET outcome = %(outcome)s, reason = %(reason)s, chosen = %(chosen)s, search_text = %(words)s,
       doc = %(doc)s
WHERE id = %(id)s
"""
_ITEM = "id, outcome, reason, chosen, doc::text"


class PostgresBulkRuns:
    """Implements keepstep.ports.bulk.BulkRuns."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def add(self, run: BulkRun) -> None:
        cursor = await self._connection.execute(
            _ADD_RUN,
            {
                "id": run.id,
                "integration": run.integration_id,
                "state": run.state.value,
                "created_at": run.created_at,
                "revision": run.revision,
                "doc": bulk_run_document(run),
            },
        )
        if cursor.rowcount == 0:
            raise MissingError("There is no such integration (any more).")

    async def get(self, run: BulkId) -> BulkRun:
        cursor = await self._connection.execute(
            "SELECT doc::text FROM bulk_runs WHERE id = %s", (plain(run),)
        )
        row = await cursor.fetchone()
        if row is None:
            raise MissingError("There is no such bulk run (any more).")
        return bulk_run_from(row[0])

    async def save(self, run: BulkRun) -> BulkRun:
        saved = replace(run, revision=run.revision + 1)
        cursor = await self._connection.execute(
            "UPDATE bulk_runs SET state = %s, revision = %s, doc = %s WHERE id = %s AND revision = %s",
            (saved.state.value, saved.revision, bulk_run_document(saved), run.id, run.revision),
        )
        if cursor.rowcount == 0:
            await self.get(run.id)
            raise StaleRevisionError("This bulk run was changed by somebody else in the meantime.")
        return saved

    async def page(
        self, integration: IntegrationId | None, offset: int, limit: int
    ) -> tuple[Sequence[BulkRun], int]:
        condition = "%(of)s::text IS NULL OR integration_id = %(of)s"
        values = {"of": integration, "limit": limit, "offset": offset}
        counted = await self._connection.execute(
            f"SELECT count(*) FROM bulk_runs WHERE {condition}",  # noqa: S608 - written above
            values,
        )
        total = await counted.fetchone()
        cursor = await self._connection.execute(
            f"SELECT doc::text FROM bulk_runs WHERE {condition} "  # noqa: S608 - written above
            "ORDER BY created_at DESC, id LIMIT %(limit)s OFFSET %(offset)s",
            values,
        )
        return [bulk_run_from(row[0]) for row in await cursor.fetchall()], total[0] if total else 0

    async def at_work(self) -> Sequence[BulkRun]:
        cursor = await self._connection.execute(
            f"SELECT doc::text FROM bulk_runs WHERE {_AT_WORK} ORDER BY created_at, id"  # noqa: S608 - a constant
        )
        return [bulk_run_from(row[0]) for row in await cursor.fetchall()]

    async def prune(self, before: datetime) -> int:
        cursor = await self._connection.execute(
            f"DELETE FROM bulk_runs WHERE created_at < %s AND NOT ({_AT_WORK})",  # noqa: S608 - a constant
            (before,),
        )
        return cursor.rowcount


class PostgresBulkItems:
    """Implements keepstep.ports.bulk.BulkItems."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def add(self, items: Sequence[BulkItem]) -> int:
        added = 0
        for item in items:
            added += (await self._connection.execute(_ADD_ITEM, _columns(item))).rowcount
        if items and not added:
            await PostgresBulkRuns(self._connection).get(items[0].run_id)
        return added

    async def save(self, items: Sequence[BulkItem]) -> None:
        for item in items:
            await self._connection.execute(_SAVE_ITEM, _columns(item))

    async def page(self, query: BulkItemQuery) -> tuple[Sequence[BulkItem], int]:
        clauses, values = ["run_id = %s"], list[object]([plain(query.run)])
        if query.outcomes:
            clauses.append("outcome = ANY(%s)")
            values.append([each.value for each in query.outcomes])
        if query.chosen is not None:
            clauses.append("chosen = %s")
            values.append(query.chosen)
        if query.text:
            clauses.append("search_text LIKE %s")
            values.append(like_pattern(query.text))
        where = " AND ".join(clauses)
        counted = await self._connection.execute(f"SELECT count(*) FROM bulk_items WHERE {where}", values)  # noqa: S608
        total = await counted.fetchone()
        cursor = await self._connection.execute(
            f"SELECT {_ITEM} FROM bulk_items WHERE {where} ORDER BY id LIMIT %s OFFSET %s",  # noqa: S608 - as above
            [*values, query.limit, query.offset],
        )
        return [_item(row) for row in await cursor.fetchall()], total[0] if total else 0

    async def get(self, run: BulkId, item: int) -> BulkItem:
        cursor = await self._connection.execute(
            f"SELECT {_ITEM} FROM bulk_items WHERE run_id = %s AND id = %s",  # noqa: S608 - a constant
            (plain(run), item),
        )
        row = await cursor.fetchone()
        if row is None:
            raise MissingError("There is no such item in this bulk run.")
        return _item(row)

    async def counts(self, run: BulkId) -> BulkCounts:
        cursor = await self._connection.execute(
            "SELECT outcome, count(*), count(*) FILTER (WHERE chosen) FROM bulk_items WHERE run_id = %s GROUP BY 1",
            (plain(run),),
        )
        rows = {BulkOutcome(outcome): (number, chosen) for outcome, number, chosen in await cursor.fetchall()}
        waiting = rows.get(BulkOutcome.WAITING, (0, 0))
        return BulkCounts({outcome: number for outcome, (number, _) in rows.items()}, waiting[1])

    async def choose(self, run: BulkId, items: Collection[int], *, chosen: bool) -> None:
        await self._connection.execute(
            "UPDATE bulk_items SET chosen = %s WHERE run_id = %s AND id = ANY(%s) AND outcome = 'waiting'",
            (chosen, plain(run), list(items)),
        )

    async def skip_waiting(self, run: BulkId, reason: str, *, unchosen_only: bool = False) -> int:
        cursor = await self._connection.execute(
            "UPDATE bulk_items SET outcome = 'skipped', reason = %s "
            "WHERE run_id = %s AND outcome = 'waiting' AND NOT (%s AND chosen)",
            (plain(reason), plain(run), unchosen_only),
        )
        return cursor.rowcount


def _columns(item: BulkItem) -> dict[str, object]:
    ticket = (item.ticket.label, item.ticket.url) if item.ticket else ()
    words = (item.feature_title, item.ticket_title, *ticket)
    return {
        "id": item.id,
        "run": item.run_id,
        "feature": plain(item.feature_id),
        "outcome": item.outcome.value,
        "reason": plain(item.reason),
        "chosen": item.chosen,
        "words": plain("\n".join(words).casefold()),
        "doc": bulk_item_document(item),
    }


def _item(row: Row) -> BulkItem:
    number, outcome, reason, chosen, document = row
    return replace(
        bulk_item_from(document), id=number, outcome=BulkOutcome(outcome), reason=reason, chosen=chosen
    )
