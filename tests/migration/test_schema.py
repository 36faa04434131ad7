"""The schema's steps: run once by whoever comes first, skipped cheaply by all others."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from keepstep.adapters.postgres import migrations
from keepstep.adapters.postgres.migrations import HEAD
from keepstep.adapters.postgres.migrations.versions import v0001_first_tables
from keepstep.adapters.postgres.pool import new_pool
from keepstep.adapters.postgres.schema import ensure_schema, is_current, migrate

_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"


@pytest.fixture
def dsn(postgres_dsn: str) -> Iterator[str]:
    """Empty for each test."""
    yield postgres_dsn
    with psycopg.connect(postgres_dsn, autocommit=True, options="-c lock_timeout=10s") as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[AsyncConnectionPool[AsyncConnection[Any]]]:
    pool = new_pool(dsn, "schema-test", max_size=4)
    await pool.open()
    yield pool
    await pool.close()


def _tables(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        return {row[0] for row in connection.execute(_TABLES)}


def _revision(dsn: str) -> list[tuple[str]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchall()


async def test_an_empty_database_is_brought_up_and_then_found_current(pool, dsn: str):
    assert not await is_current(pool)
    await ensure_schema(pool, dsn)
    assert await is_current(pool)
    assert _revision(dsn) == [(HEAD,)]
    await ensure_schema(pool, dsn)
    assert {"links", "inbox", "journal", "secrets", "users", "sessions", "api_tokens"} <= _tables(dsn)


def test_processes_that_start_at_once_do_not_get_into_each_others_way(dsn: str):
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(migrate, dsn) for _ in range(4)]:
            done.result(timeout=60)
    assert _revision(dsn) == [(HEAD,)]


def test_the_first_step_can_be_undone(dsn: str):
    _upgrade(dsn, "0001")
    tables = _tables(dsn) - {"alembic_version"}
    assert tables == set(v0001_first_tables._TABLES)


async def test_a_newer_schema_is_left_alone(pool, dsn: str):
    await asyncio.to_thread(migrate, dsn)
    async with pool.connection() as connection:
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert await is_current(pool)
    await asyncio.to_thread(migrate, dsn)
    assert _revision(dsn) == [("9999",)]


def test_head_is_the_last_step_and_revisions_rise():
    config = Config()
    config.set_main_option("script_location", str(migrations.__path__[0]))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [HEAD]
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)
    assert all(len(revision) == 4 and revision.isdigit() for revision in revisions)


def test_a_start_on_a_current_schema_loads_no_migration_library():
    code = (
        "import sys, keepstep.adapters.postgres.schema, keepstep.adapters.postgres.storage;"
        "sys.exit(bool({'alembic', 'sqlalchemy'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


_LINK = """
INSERT INTO links (id, integration_id, feature_id, state, account, created_at, touched_at, title_sort, search_text,
                   revision, doc)
SELECT 'l' || n, 'i', 'f' || n, CASE n % 2 WHEN 0 THEN 'linked' ELSE 'pushing' END, 'a', now(), now(), '', '', 1, '{}'
FROM generate_series(1, 5) AS n
"""


def _upgrade(dsn: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.__path__[0]))
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_counts_begin_with_what_is_there_and_follow_older_code(dsn: str):
    _upgrade(dsn, "0001")
    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO integrations VALUES ('i', 'active', 'i', 1, '{}')")
        connection.execute(_LINK)
        connection.execute(
            "INSERT INTO journal (at, act, integration_id, doc) VALUES (now(), 'wrote', 'i', '{}')"
        )
    _upgrade(dsn, "head")
    with psycopg.connect(dsn) as connection:
        counts = (
            "SELECT state, sum(number) FROM link_tally GROUP BY state HAVING sum(number) > 0 ORDER BY state"
        )
        assert connection.execute(counts).fetchall() == [("linked", 2), ("pushing", 3)]
        assert connection.execute("SELECT sum(number) FROM journal_tally").fetchone() == (1,)
        connection.execute("UPDATE links SET state = 'linked' WHERE id = 'l1'")
        connection.execute("DELETE FROM links WHERE id = 'l3'")
        assert connection.execute(counts).fetchall() == [("linked", 3), ("pushing", 1)]


def test_a_role_that_may_create_no_extension_gets_everything_but_the_index_of_search(dsn: str):
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE ROLE plain LOGIN")
        try:
            connection.execute("GRANT ALL ON SCHEMA public TO plain")
            migrate(f"{dsn}&user=plain")
            assert _revision(dsn) == [(HEAD,)]
            assert connection.execute("SELECT to_regclass('links_search')").fetchone() == (None,)
            assert connection.execute("SELECT to_regclass('links_by_sync')").fetchone() != (None,)
        finally:
            connection.execute("DROP OWNED BY plain CASCADE; DROP ROLE plain")


def test_search_has_its_index_where_the_extension_may_be_made(dsn: str):
    migrate(dsn)
    with psycopg.connect(dsn) as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(
            "EXPLAIN SELECT id FROM links WHERE search_text LIKE '%offline%'"
        ).fetchall()
    assert "links_search" in str(plan)
