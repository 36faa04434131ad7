"""A large installation in a moment: one real integration with one real Link is copied inside the database.

Every copy is what the service itself would have stored: the columns beside the document are those that
`adapters.postgres.documents` computes, and ids, titles, addresses and times differ from row to row. The same number
gives the same row, so two runs have the same database.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from keepstep.adapters.postgres.documents import link_columns, link_from

INTEGRATIONS = 100
ENTRIES_PER_LINK = 2
_AT_HOME = 100
"""So many copies belong to the real integration before the others get any: a page of it is full at every size."""
_DAYS = 60
"""Over which the past of the copies is spread; the journal is kept 90."""
_INBOX_DAYS = 14
"""Handled notices are kept a week: half of them wait for the next prune."""
_NUMBER = 990000000
"""Stands in the template for the number of the copy; no other number of it has these digits."""
_FIRST_WORDS = "Offline,Bulk,Shared,Nightly,Partial,Secure,Guided,Custom,Instant,Linked"
_SECOND_WORDS = "export,import,login,search,billing,reports,invites,filters,webhooks,boards"
_THIRD_WORDS = (
    "for admins,on mobile,in Europe,with audit,by team,for guests,at scale,per plan,via API,by mail"
)

_WORDS = """
CREATE FUNCTION pg_temp.title(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT (%(first)s::text[])[1 + n %% 10] || ' ' || (%(second)s::text[])[1 + n / 10 %% 10] || ' '
         || (%(third)s::text[])[1 + n / 100 %% 10] || ' ' || n $$
"""
_INTEGRATIONS = """
INSERT INTO integrations (id, state, name_sort, revision, doc)
SELECT replace(%(id)s, left(%(id)s, 6), lpad(to_hex(n), 6, '0')), 'active', 'copy ' || lpad(n::text, 4, '0'), 1,
       replace(replace(%(doc)s, %(id)s, replace(%(id)s, left(%(id)s, 6), lpad(to_hex(n), 6, '0'))), %(name)s,
               'Copy ' || lpad(n::text, 4, '0'))::json
FROM generate_series(1, %(number)s) AS n
"""
_LINKS = """
INSERT INTO links (id, integration_id, feature_id, state, account, ticket_id, retry_at, created_at, touched_at,
                   title_sort, ticket_sort, search_text, revision, doc)
SELECT md5('link' || n), home.id, md5('feature' || n)::uuid::text, 'linked',
       %(account)s, '9' || n, NULL, seen.at, seen.at, lower(pg_temp.title(n)), '#' || lpad(n::text, 12, '0'),
       replace(replace(%(search_text)s, %(title)s, lower(pg_temp.title(n))), %(mark)s, n::text), 1,
       replace(replace(replace(replace(replace(replace(%(doc)s,
           %(id)s, md5('link' || n)), %(feature)s, md5('feature' || n)::uuid::text), %(written)s, pg_temp.title(n)),
           %(mark)s, n::text), %(home)s, home.id),
           %(at)s, to_char(seen.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::json
FROM generate_series(%(start)s::bigint, %(end)s::bigint) AS n,
     LATERAL (SELECT %(now)s::timestamptz - make_interval(secs => n * 7919 %% (%(days)s * 86400)) AS at) AS seen,
     (SELECT array_agg(id ORDER BY id) AS ids FROM integrations) AS homes,
     LATERAL (SELECT CASE WHEN n <= %(at_home)s THEN %(home)s ELSE homes.ids[1 + n %% cardinality(homes.ids)] END
              AS id) AS home
"""
_JOURNAL = """
INSERT INTO journal (at, act, integration_id, link_id, side, field, doc)
SELECT links.touched_at - make_interval(days => each), 'wrote', links.integration_id, links.id,
       CASE each %% 2 WHEN 0 THEN 'ticket' ELSE 'feature' END, 'title',
       json_build_object('before', links.title_sort, 'after', links.title_sort || ' ' || each,
                         'reason', 'The title changed in Productboard.', 'actor', '', 'answer', '')
FROM links, generate_series(0, %(each)s - 1) AS each
WHERE links.ticket_id = ANY (SELECT '9' || n FROM generate_series(%(start)s::bigint, %(end)s::bigint) AS n)
"""
_INBOX = """
INSERT INTO inbox (integration_id, link_id, kind, source, side, subject, delivery_id, received_at, handled_at, doc)
SELECT integration_id, id, 'changed', 'webhook', 'ticket', ticket_id, id, heard.at, heard.at + interval '1 second',
       '{"actor": "ada"}'
FROM links, LATERAL (SELECT %(now)s::timestamptz
       - make_interval(secs => ticket_id::bigint * 7919 %% (%(days)s * 86400)) AS at) AS heard
WHERE ticket_id = ANY (SELECT '9' || n FROM generate_series(%(start)s::bigint, %(end)s::bigint) AS n)
"""
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename IN ('links', 'journal', 'inbox') AND indexname NOT LIKE '%_pkey'
"""
_TABLES = ("links", "journal", "inbox", "integrations")


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes with all indexes, for each row."""

    link: float
    link_indexes: float
    """Of it."""
    entry: float
    notice: float
    database: int
    """Bytes of everything."""


class Seeding:
    """Adds copies to a database in which the service has connected one integration and pushed one feature."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(
            dsn, autocommit=True, options="-c statement_timeout=0 -c maintenance_work_mem=256MB"
        )
        self.links = 0
        """Copies so far."""
        self._now = self._one("SELECT now()")
        lists = {"first": _FIRST_WORDS, "second": _SECOND_WORDS, "third": _THIRD_WORDS}
        words = {name: each.split(",") for name, each in lists.items()}
        statement = psycopg.ClientCursor(self._connection).mogrify(_WORDS, words)
        self._connection.execute(statement.encode())
        self._template = self._make_template()

    def close(self) -> None:
        self._connection.close()

    def _one(self, query: str, *values: object) -> Any:
        row = self._connection.execute(query.encode(), values).fetchone()
        return row[0] if row else None

    def _make_template(self) -> dict[str, object]:
        """The real Link with marks where the copies differ."""
        document = self._one("SELECT doc::text FROM links ORDER BY created_at LIMIT 1")
        plain = json.loads(document)
        title, label = plain["feature_title"], plain["ticket"]["label"]
        marked = json.loads(document)
        marked["ticket"] |= {
            "id": f"9{_NUMBER}",
            "label": f"#{_NUMBER}",
            "url": plain["ticket"]["url"].removesuffix(label.removeprefix("#")) + str(_NUMBER),
        }
        text = json.dumps(marked, ensure_ascii=False).replace(title, f"Title {_NUMBER}")
        for each in ("synced_at", "created_at", "started_at"):
            if plain[each]:
                text = text.replace(plain[each], "2020-01-02T03:04:05.000006Z")
        link = link_from(text)
        columns = link_columns(link)
        return {
            "doc": columns["doc"],
            "search_text": columns["search_text"],
            "title": f"title {_NUMBER}",
            "written": f"Title {_NUMBER}",
            "mark": str(_NUMBER),
            "id": link.id,
            "feature": link.feature_id,
            "home": link.integration_id,
            "account": link.account,
            "at": "2020-01-02T03:04:05.000006Z",
            "now": self._now,
        }

    def add_integrations(self) -> None:
        """Up to INTEGRATIONS in all."""
        found = self._connection.execute("SELECT id, doc::text FROM integrations").fetchall()
        name = json.loads(found[0][1])["name"]
        values = {"id": found[0][0], "doc": found[0][1], "name": name, "number": INTEGRATIONS - len(found)}
        self._run(_INTEGRATIONS, values)

    def grow_to(self, links: int) -> None:
        """So many copies in all, with their journal and inbox, and the planner knows them."""
        span = {"start": self.links + 1, "end": links}
        with self._without_indexes():
            self._run(_LINKS, self._template | span | {"days": _DAYS, "at_home": _AT_HOME})
            self._connection.execute("ANALYZE links")
            self._run(_JOURNAL, span | {"each": ENTRIES_PER_LINK})
            self._run(_INBOX, span | {"now": self._now, "days": _INBOX_DAYS})
        self.links = links
        for table in _TABLES:
            self._connection.execute(f"VACUUM ANALYZE {table}".encode())

    @contextlib.contextmanager
    def _without_indexes(self) -> Iterator[None]:
        """Made again afterwards: one by one, a million rows would take ten times as long."""
        found = self._connection.execute(_INDEXES).fetchall()
        for name, _ in found:
            self._connection.execute(f"DROP INDEX {name}".encode())
        yield
        for _, definition in found:
            self._connection.execute(definition.encode())

    def _run(self, statement: str, values: dict[str, Any]) -> None:
        self._connection.execute(statement.encode(), values)

    def size(self) -> Size:
        def each(table: str, what: str = "pg_total_relation_size") -> float:
            query = f"SELECT {what}('{table}')::float8 / greatest(count(*), 1) FROM {table}"  # noqa: S608 - ours
            return float(self._one(query))

        return Size(
            each("links"),
            each("links", "pg_indexes_size"),
            each("journal"),
            each("inbox"),
            int(self._one("SELECT pg_database_size(current_database())")),
        )

    def rows(self, table: str) -> int:
        return int(self._one(f"SELECT count(*) FROM {table}"))  # noqa: S608 - ours

    @property
    def _example(self) -> int:
        return min(self.links, 500)

    def a_link(self) -> str:
        """The id of one copy."""
        return str(self._one("SELECT id FROM links WHERE ticket_id = %s", f"9{self._example}"))

    def a_word(self) -> str:
        """The end of that copy's address, as a person would search for it; longer numbers have it, too."""
        return f"issues/{self._example}"
