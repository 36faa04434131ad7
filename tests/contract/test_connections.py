"""Connections of a pool: no question where nothing speaks against one, and none handed out that has ended."""

import asyncio

import psycopg
import pytest

from keepstep.adapters.connections import one_statement
from keepstep.adapters.postgres.pool import new_pool


@pytest.fixture
async def pool(postgres_dsn):
    async with new_pool(postgres_dsn, "keepstep-test-connections", max_size=1) as opened:
        yield opened


async def pid_of(pool):
    async with pool.connection() as connection:
        return connection.info.backend_pid


async def queries(dsn, pid):
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other:
        cursor = await other.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", (pid,))
        return (await cursor.fetchone())[0]


async def test_one_used_a_moment_ago_is_not_asked(pool, postgres_dsn):
    async with one_statement(pool) as connection:
        await connection.execute("SELECT 'the last that was asked'")
        pid = connection.info.backend_pid
    async with pool.connection():
        assert await queries(postgres_dsn, pid) == "SELECT 'the last that was asked'"


async def test_one_that_the_server_ended_is_never_handed_out(pool, postgres_dsn):
    pid = await pid_of(pool)
    async with await psycopg.AsyncConnection.connect(postgres_dsn, autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    async with pool.connection() as connection:
        row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    assert row[0] != pid


async def test_a_single_statement_leaves_the_next_user_a_transaction(pool):
    async with one_statement(pool) as connection:
        await connection.execute("SELECT 1")
    async with pool.connection() as connection:
        await connection.execute("CREATE TABLE never (id int)")
        await connection.rollback()
        row = await (await connection.execute("SELECT to_regclass('never')")).fetchone()
    assert row[0] is None


async def test_one_cut_off_in_mid_statement_is_fit_or_gone(pool):
    async def ask_for_long():
        async with one_statement(pool) as connection:
            await connection.execute("SELECT pg_sleep(30)")

    asking = asyncio.create_task(ask_for_long())
    await asyncio.sleep(0.2)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with pool.connection() as connection:
        assert not connection.autocommit
        await connection.execute("SELECT 1")
