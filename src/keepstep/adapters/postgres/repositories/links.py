"""Links on PostgreSQL: the rules of uniqueness are the database's, so they hold between processes too."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from keepstep.adapters.postgres.counting import Span, fold
from keepstep.adapters.postgres.documents import in_utc, like_pattern, link_columns, link_from, plain
from keepstep.domain.errors import ForbiddenMoveError, InvalidInputError, MissingError, StaleRevisionError
from keepstep.domain.fields import Side
from keepstep.domain.ids import FeatureId, IntegrationId, LinkId, TicketId
from keepstep.domain.link import Link, LinkState
from keepstep.ports.storage import MOST_COUNTED, HeldBack, LinkQuery, TicketTakenError

_ADD = """
WITH home AS (SELECT id FROM integrations WHERE id = %(integration_id)s FOR KEY SHARE)
INSERT INTO links (id, integration_id, feature_id, state, account, ticket_id, retry_at, held_by, created_at,
                   touched_at, title_sort, ticket_sort, search_text, revision, doc)
SELECT %(id)s, home.id, %(feature_id)s, %(state)s, %(account)s, %(ticket_id)s, %(retry_at)s, %(held_by)s,
       %(created_at)s, %(touched_at)s, %(title_sort)s, %(ticket_sort)s, %(search_text)s, %(revision)s, %(doc)s
FROM home
ON CONFLICT (integration_id, feature_id) WHERE state <> 'unlinking' DO NOTHING
"""
_UPDATE = """
UPDATE links SET feature_id = %(feature_id)s, state = %(state)s, account = %(account)s, ticket_id = %(ticket_id)s,
       retry_at = %(retry_at)s, held_by = %(held_by)s, touched_at = %(touched_at)s, title_sort = %(title_sort)s,
       ticket_sort = %(ticket_sort)s, search_text = %(search_text)s, revision = %(revision)s, doc = %(doc)s
WHERE id = %(id)s AND revision = %(revision)s - 1
"""
_CLAIMS_NOTHING_NEW = """
AND (%(state)s = 'unlinking' OR (state <> 'unlinking'
     AND (%(ticket_id)s::text IS NULL OR (account = %(account)s AND ticket_id = %(ticket_id)s))))
"""
_OWNER = """
SELECT doc::text FROM links
WHERE account = %(account)s AND ticket_id = %(ticket_id)s AND state <> 'unlinking' AND id <> %(id)s
"""
TENANT_OF_LINK: LiteralString = "SELECT integration_id FROM links WHERE id = %(name)s::text"
"""For the queue of jobs, in which integrations take turns."""
_DUE = """
SELECT links.id FROM links JOIN integrations ON integrations.id = links.integration_id
WHERE links.retry_at <= %s AND links.retry_at IS NOT NULL AND links.state <> 'set aside'
  AND integrations.state = 'active'
ORDER BY links.retry_at, links.id LIMIT %s
"""
_ORDER = {
    "synced": ("touched_at DESC, id", "touched_at, id DESC"),
    "title": ("title_sort, id", "title_sort DESC, id DESC"),
    "ticket": ("ticket_sort NULLS LAST, id", "ticket_sort DESC NULLS FIRST, id DESC"),
    "state": ("state, touched_at DESC, id", "state DESC, touched_at, id DESC"),
    "created": ("created_at DESC, id", "created_at, id DESC"),
}
"""Each from its beginning, and from its end: the last page is as near as the first."""
_COUNTS = """
SELECT integration_id, state, sum(number)::bigint FROM link_tally
WHERE %(integration)s::text IS NULL OR integration_id = %(integration)s
GROUP BY integration_id, state HAVING sum(number) > 0
"""
_FOLD = """
WITH folded AS (
    DELETE FROM link_tally USING (
        SELECT ctid FROM link_tally WHERE writer <> 0 OR number = 0 FOR UPDATE SKIP LOCKED
    ) AS free WHERE link_tally.ctid = free.ctid
    RETURNING integration_id, state, number
)
INSERT INTO link_tally AS kept (integration_id, state, writer, number)
SELECT integration_id, state, 0, sum(number) FROM folded GROUP BY integration_id, state
HAVING sum(number) <> 0
ON CONFLICT (integration_id, state, writer) DO UPDATE SET number = kept.number + excluded.number
"""
_RIVALRIES = 3
"""How often a rival may win a uniqueness and vanish again before we give up."""


class PostgresLinks:
    """Implements keepstep.ports.storage.Links."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def add_or_find(self, link: Link) -> tuple[Link, bool]:
        for _ in range(_RIVALRIES):
            if await self._insert(link):
                return link, True
            found = await self.find_open(link.integration_id, link.feature_id)
            if found is not None:
                return found, False
            cursor = await self._connection.execute(
                "SELECT 1 FROM integrations WHERE id = %s", (link.integration_id,)
            )
            if await cursor.fetchone() is None:
                raise MissingError("There is no such integration (any more).")
        raise StaleRevisionError("This feature is being pushed and unlinked at the same time.")

    async def _insert(self, link: Link) -> bool:
        columns = link_columns(link)
        if link.ticket is None:
            return (await self._connection.execute(_ADD, columns)).rowcount == 1
        try:
            # A savepoint: a refusal must not end the caller's work.
            async with self._connection.transaction():
                return (await self._connection.execute(_ADD, columns)).rowcount == 1
        except UniqueViolation:
            await self._refuse_taken_ticket(link)
            raise

    async def get(self, link: LinkId) -> Link:
        found = await self.find(link)
        if found is None:
            raise MissingError("There is no such Link (any more).")
        return found

    async def find(self, link: LinkId) -> Link | None:
        found = await self._select("id = %s", plain(link))
        return found[0] if found else None

    async def find_open(self, integration: IntegrationId, feature: FeatureId) -> Link | None:
        found = await self._select(
            "integration_id = %s AND feature_id = %s AND state <> 'unlinking'", integration, plain(feature)
        )
        return found[0] if found else None

    async def of_features(
        self, integration: IntegrationId, features: Collection[FeatureId]
    ) -> Sequence[Link]:
        wanted = [plain(each) for each in features]
        return await self._select("integration_id = %s AND feature_id = ANY(%s)", integration, wanted)

    async def of_tickets(self, account: str, tickets: Collection[TicketId]) -> Sequence[Link]:
        wanted = [plain(each) for each in tickets]
        return await self._select(
            "account = %s AND ticket_id = ANY(%s) AND ticket_id IS NOT NULL AND state <> 'unlinking'",
            plain(account),
            wanted,
        )

    async def save(self, link: Link) -> Link:
        """One UPDATE, unless the Link claims a ticket or a feature that it did not own before."""
        saved = replace(link, revision=link.revision + 1)
        columns = link_columns(saved)
        cursor = await self._connection.execute(_UPDATE + _CLAIMS_NOTHING_NEW, columns)
        if cursor.rowcount == 0:
            await self._claim(saved)
        return saved

    async def _claim(self, saved: Link) -> None:
        for _ in range(_RIVALRIES):
            try:
                async with self._connection.transaction():  # a savepoint, as above
                    cursor = await self._connection.execute(_UPDATE, link_columns(saved))
            except UniqueViolation as violation:
                await self._refuse_taken_ticket(saved)
                rival = await self.find_open(saved.integration_id, saved.feature_id)
                if rival is not None and rival.id != saved.id:
                    raise ForbiddenMoveError(
                        "This feature was pushed again since: the newer Link stays."
                    ) from violation
                continue
            if cursor.rowcount:
                return
            break
        await self.get(saved.id)
        raise StaleRevisionError("This Link was changed by somebody else in the meantime.")

    async def _refuse_taken_ticket(self, link: Link) -> None:
        cursor = await self._connection.execute(_OWNER, link_columns(link))
        row = await cursor.fetchone()
        if row:
            raise TicketTakenError(link_from(row[0])) from None

    async def delete(self, link: LinkId) -> None:
        await self._connection.execute("DELETE FROM links WHERE id = %s", (link,))

    async def page(self, query: LinkQuery) -> tuple[Sequence[Link], int]:
        if query.sort not in _ORDER:
            raise InvalidInputError("sort", f"Links are not sorted by {query.sort!r}.")
        clauses, values = ["true"], list[object]()
        if query.integration is not None:
            clauses.append("integration_id = %s")
            values.append(query.integration)
        if query.states:
            clauses.append("state = ANY(%s)")
            values.append([state.value for state in query.states])
        if query.text:
            clauses.append("search_text LIKE %s")
            values.append(like_pattern(query.text))
        where = " AND ".join(clauses)
        number = await self._number(where, values) if query.text else await self._tallied(query)
        offset, limit = max(query.offset, 0), max(query.limit, 0)
        if number <= offset:
            return [], number
        span = Span.of(offset, limit, number, exact=not query.text or number <= MOST_COUNTED)
        return await self._page(where, values, query.sort, span), number

    async def _number(self, where: str, values: Sequence[object]) -> int:
        """Of those that a search finds; counting more would mean reading them all."""
        counted = f"SELECT FROM links WHERE {where} LIMIT {MOST_COUNTED + 1}"
        cursor = await self._connection.execute(f"SELECT count(*) FROM ({counted}) AS found", values)  # noqa: S608
        row = await cursor.fetchone()
        return row[0] if row else 0

    async def _tallied(self, query: LinkQuery) -> int:
        by_state = (await self.counts(query.integration)).values()
        return sum(
            number
            for each in by_state
            for state, number in each.items()
            if not query.states or state in query.states
        )

    async def _page(self, where: str, values: Sequence[object], sort: str, span: Span) -> Sequence[Link]:
        """Which Links they are is said by the index alone; only theirs are read."""
        order = _ORDER[sort][span.from_the_end]
        shown = f"SELECT id FROM links WHERE {where} ORDER BY {order} LIMIT %s OFFSET %s"  # noqa: S608
        query = f"SELECT doc::text FROM links JOIN ({shown}) AS shown USING (id) ORDER BY {order}"  # noqa: S608
        cursor = await self._connection.execute(query, [*values, span.limit, span.offset])
        links = [link_from(row[0]) for row in await cursor.fetchall()]
        return links[::-1] if span.from_the_end else links

    async def list_after(self, integration: IntegrationId, after: Link | None, limit: int) -> Sequence[Link]:
        last = (after.feature_id, after.id) if after else ("", "")
        return await self._select(
            "integration_id = %s AND (feature_id, id) > (%s, %s) ORDER BY feature_id, id LIMIT %s",
            integration,
            plain(last[0]),
            last[1],
            limit,
        )

    async def counts(
        self, integration: IntegrationId | None = None
    ) -> Mapping[IntegrationId, Mapping[LinkState, int]]:
        cursor = await self._connection.execute(_COUNTS, {"integration": integration})
        counts: dict[IntegrationId, dict[LinkState, int]] = {}
        for of, state, number in await cursor.fetchall():
            counts.setdefault(IntegrationId(of), {})[LinkState(state)] = number
        return counts

    async def fold_counts(self) -> None:
        await fold(self._connection, _FOLD)

    async def retrying(self, integration: IntegrationId | None = None) -> Mapping[IntegrationId, int]:
        cursor = await self._connection.execute(
            "SELECT integration_id, count(*) FROM links WHERE retry_at IS NOT NULL AND state <> 'set aside' "
            "AND (%(integration)s::text IS NULL OR integration_id = %(integration)s) GROUP BY integration_id",
            {"integration": integration},
        )
        return {IntegrationId(of): number for of, number in await cursor.fetchall()}

    async def held_back(self) -> Mapping[IntegrationId, Mapping[Side, HeldBack]]:
        cursor = await self._connection.execute(
            "SELECT integration_id, held_by, count(*), min(retry_at) FROM links "
            "WHERE retry_at IS NOT NULL AND state <> 'set aside' AND held_by IS NOT NULL "
            "GROUP BY integration_id, held_by"
        )
        held: dict[IntegrationId, dict[Side, HeldBack]] = {}
        for integration, side, number, until in await cursor.fetchall():
            held.setdefault(IntegrationId(integration), {})[Side(side)] = HeldBack(number, in_utc(until))
        return held

    async def due(self, now: datetime, limit: int) -> Sequence[LinkId]:
        cursor = await self._connection.execute(_DUE, (now, limit))
        return [LinkId(row[0]) for row in await cursor.fetchall()]

    async def _select(self, condition: str, *values: object) -> list[Link]:
        query = f"SELECT doc::text FROM links WHERE {condition}"  # noqa: S608 - conditions are written above
        cursor = await self._connection.execute(query, values)
        return [link_from(row[0]) for row in await cursor.fetchall()]
