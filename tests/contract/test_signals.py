"""What every implementation of ports.signals promises, in memory and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import psycopg
import pytest

from keepstep.adapters.memory.signals import MemorySignals
from keepstep.adapters.postgres.pool import new_pool
from keepstep.adapters.postgres.signals import PostgresSignals
from keepstep.domain.ids import LinkId

LINK, OTHER = LinkId("a" * 32), LinkId("b" * 32)


class Pair(NamedTuple):
    """Two processes; in memory they are one."""

    web: MemorySignals | PostgresSignals
    worker: MemorySignals | PostgresSignals


@pytest.fixture(params=["memory", "postgres"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    if request.param == "memory":
        signals = MemorySignals()
        yield Pair(signals, signals)
        return
    dsn = request.getfixturevalue("postgres_dsn")
    async with new_pool(dsn, "keepstep-test") as pool:
        web, worker = PostgresSignals(dsn, pool), PostgresSignals(dsn, pool)
        await web.open()
        await worker.open()
        yield Pair(web, worker)
        await web.close()
        await worker.close()


async def _waiting(signals: MemorySignals | PostgresSignals, link: LinkId) -> asyncio.Task[bool]:
    task = asyncio.create_task(signals.wait(link, 20))
    await asyncio.sleep(0)
    return task


async def test_everyone_who_waits_is_told_once_and_soon(pair: Pair):
    waiters = [await _waiting(signals, LINK) for signals in (pair.web, pair.web, pair.worker)]
    await pair.worker.tell(LINK)
    async with asyncio.timeout(10):
        assert await asyncio.gather(*waiters) == [True, True, True]


async def test_another_link_is_no_answer_and_time_ends(pair: Pair):
    waiter = asyncio.create_task(pair.web.wait(LINK, 0.2))
    await asyncio.sleep(0)
    await pair.worker.tell(OTHER)
    assert await waiter is False


async def test_what_was_told_before_is_not_told_again(pair: Pair):
    waiter = await _waiting(pair.web, LINK)
    await pair.worker.tell(LINK)
    assert await waiter is True
    assert await pair.web.wait(LINK, 0.1) is False


async def test_no_registered_waiter_is_missed_under_load(pair: Pair):
    links = [LinkId(f"{number:032x}") for number in range(200)]
    waiters = [await _waiting(pair.web, link) for link in links]
    await asyncio.gather(*(pair.worker.tell(link) for link in links))
    assert all(await asyncio.gather(*waiters))


async def test_a_waiter_that_is_cancelled_leaves_nothing_behind(pair: Pair):
    waiter = await _waiting(pair.web, LINK)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    assert not pair.web._waiting
    await pair.worker.tell(LINK)


async def test_a_lost_listener_comes_back(postgres_dsn: str):
    async with new_pool(postgres_dsn, "keepstep-test") as pool:
        signals = PostgresSignals(postgres_dsn, pool)
        await signals.open()
        with psycopg.connect(postgres_dsn, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'keepstep-signals'"
            ).fetchall()
        assert (True,) in ended
        waiter = await _waiting(signals, LINK)
        while not waiter.done():
            await signals.tell(LINK)
            await asyncio.sleep(0.05)
        assert await waiter is True
        await signals.close()
