"""What every implementation of ports.locks promises, in memory and on PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import psycopg
import pytest

from keepstep.adapters.memory.locks import MemoryLocks
from keepstep.adapters.postgres.locks import PostgresLocks
from keepstep.ports.locks import BusyError, LockLostError


class Pair(NamedTuple):
    ours: MemoryLocks | PostgresLocks
    theirs: MemoryLocks | PostgresLocks


@asynccontextmanager
async def _opened(*locks: PostgresLocks) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for one in locks:
            await one.close()


@pytest.fixture(params=["memory", "postgres"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    if request.param == "memory":
        ours = MemoryLocks("ours")
        yield Pair(ours, MemoryLocks("theirs", beside=ours))
        return
    dsn = request.getfixturevalue("postgres_dsn")
    first, second = PostgresLocks(dsn, "ours"), PostgresLocks(dsn, "theirs")
    async with _opened(first, second):
        yield Pair(first, second)


async def test_a_held_key_is_busy_for_the_other_process_and_for_ourselves(pair: Pair):
    async with pair.ours.hold("feature:1") as held:
        held.check()
        for locks in pair:
            with pytest.raises(BusyError):
                async with locks.hold("feature:1"):
                    pytest.fail("two hold one key")
        async with pair.theirs.hold("feature:2") as other:
            other.check()
    for locks in pair:
        async with locks.hold("feature:1") as held:
            held.check()


async def test_an_error_inside_frees_the_key(pair: Pair):
    with pytest.raises(ZeroDivisionError):
        async with pair.ours.hold("feature:1"):
            raise ZeroDivisionError
    async with pair.theirs.hold("feature:1") as held:
        held.check()


async def test_whose_owner_was_released_has_lost_its_hold_and_others_get_the_key(pair: Pair):
    async with AsyncExitStack() as stack:
        held = await stack.enter_async_context(pair.theirs.hold("feature:1"))
        untouched = await stack.enter_async_context(pair.ours.hold("feature:2"))
        await pair.ours.release_owner("theirs")
        with pytest.raises(LockLostError):
            held.check()
        untouched.check()
        again = await stack.enter_async_context(pair.ours.hold("feature:1"))
        again.check()
    async with pair.theirs.hold("feature:1") as held:
        held.check()


async def test_of_many_at_once_exactly_one_holds(pair: Pair):
    inside = most = entered = 0

    async def contend(locks: MemoryLocks | PostgresLocks) -> None:
        nonlocal inside, most, entered
        try:
            async with locks.hold("feature:1"):
                inside += 1
                most, entered = max(most, inside), entered + 1
                await asyncio.sleep(0.002)
                inside -= 1
        except BusyError:
            await asyncio.sleep(0.001)

    for _ in range(5):
        await asyncio.gather(*(contend(pair[number % 2]) for number in range(20)))
    assert most == 1
    assert entered >= 5


async def test_a_hold_cancelled_while_it_is_taken_is_given_back(pair: Pair):
    async def take() -> None:
        async with pair.ours.hold("feature:1"):
            await asyncio.sleep(10)

    for turns in range(12):  # cancelled after each possible number of steps of the loop
        taking = asyncio.create_task(take())
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        await asyncio.sleep(0.05)
        async with pair.theirs.hold("feature:1") as held:
            held.check()


@pytest.fixture
async def postgres_locks(postgres_dsn: str) -> AsyncIterator[PostgresLocks]:
    locks = PostgresLocks(postgres_dsn, "lone", lease_seconds=1.5)
    async with _opened(locks):
        yield locks


def _terminate(dsn: str, owner: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s",
            (f"keepstep-locks-{owner}",),
        )


async def test_a_connection_ended_by_the_server_is_noticed_before_the_next_look(
    postgres_locks: PostgresLocks, postgres_dsn: str
):
    async with postgres_locks.hold("feature:1") as held:
        held.check()
        _terminate(postgres_dsn, "lone")  # blocks the loop: no background task can have noticed
        with pytest.raises(LockLostError):
            held.check()
    async with postgres_locks.hold("feature:1") as held:
        held.check()


async def test_a_loop_that_stood_still_longer_than_the_lease_trusts_nothing(postgres_locks: PostgresLocks):
    async with postgres_locks.hold("feature:1") as held:
        time.sleep(1.7)  # noqa: ASYNC251  (standing still is what is tested)
        with pytest.raises(LockLostError):
            held.check()
        await asyncio.sleep(1.2)  # looked at again: the session never ended, so neither did the lock
        held.check()


async def test_the_lease_is_renewed_while_nothing_happens(postgres_locks: PostgresLocks):
    async with postgres_locks.hold("feature:1") as held:
        for _ in range(5):
            await asyncio.sleep(0.5)
            held.check()


async def test_an_owner_too_long_for_postgresql_is_refused():
    with pytest.raises(ValueError, match="application name"):
        PostgresLocks("", "x" * 60)


async def test_no_database_means_no_lock():
    locks = PostgresLocks("postgresql://postgres@/none?host=/nowhere", "lone")
    async with _opened(locks):
        with pytest.raises(LockLostError):
            async with locks.hold("feature:1"):
                pytest.fail("held without a database")
