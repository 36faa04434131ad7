"""What every implementation of ports.jobs promises: the twin for tests and the engine on PostgreSQL."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest

from keepstep.adapters.jobs.engine import EngineSettings, JobEngine
from keepstep.adapters.jobs.inline import InlineJobs
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.ports.jobs import Urgency

A, B, C = (LinkId(letter * 32) for letter in "abc")
PLUG = IntegrationId("a" * 32)


class Bench:
    """Jobs whose work is a function of the test; `settle` runs them until nothing waits."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.crashes: list[tuple[str, str]] = []
        self.work: Callable[[str], Awaitable[Any]] = _nothing
        self.jobs: InlineJobs | JobEngine

    async def run_link(self, link: LinkId) -> None:
        self.ran.append(f"link:{link}")
        await self.work(f"link:{link}")

    async def run_integration(self, integration: IntegrationId) -> None:
        self.ran.append(f"integration:{integration}")
        await self.work(f"integration:{integration}")

    async def on_crash(self, key: str, error: BaseException) -> None:
        self.crashes.append((key, type(error).__name__))

    async def settle(self) -> None:
        if isinstance(self.jobs, InlineJobs):
            await self.jobs.drain(self.run_link, self.run_integration, self.on_crash)
            return
        worker = asyncio.create_task(self.jobs.run_worker())
        async with asyncio.timeout(20):
            while (now := await self.jobs.stats()).waiting + now.running:
                await asyncio.sleep(0.02)
        worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await worker


async def _nothing(_key: str) -> None:
    pass


@pytest.fixture(params=["inline", "postgres"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    bench = Bench()
    if request.param == "inline":
        bench.jobs = InlineJobs(lambda link: link[0])
        yield bench
        return
    dsn = request.getfixturevalue("postgres_dsn")
    bench.jobs = engine = JobEngine(
        dsn,
        "contract",
        run_link=bench.run_link,
        run_integration=bench.run_integration,
        on_crash=bench.on_crash,
        on_dead_worker=_nothing,
        tenants="SELECT left(%(name)s::text, 1)",
        settings=EngineSettings(concurrency=1, click_concurrency=1, stop_s=2),
    )
    await engine.apply_schema()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    await engine.open()
    yield bench
    await engine.close()


async def test_wakes_of_one_link_before_its_run_are_one_run(bench: Bench):
    for _ in range(3):
        await bench.jobs.wake_link(A)
    await bench.jobs.wake_link(A, Urgency.PERSON)
    await bench.settle()
    assert bench.ran == [f"link:{A}"]


async def test_a_wake_during_the_run_is_another_run(bench: Bench):
    async def wake_twice(key: str) -> None:
        if len(bench.ran) == 1:
            await bench.jobs.wake_link(A)
            await bench.jobs.wake_link(A)

    bench.work = wake_twice
    await bench.jobs.wake_link(A)
    await bench.settle()
    assert bench.ran == [f"link:{A}"] * 2


async def test_a_link_and_an_integration_of_one_name_are_two(bench: Bench):
    await bench.jobs.wake_link(LinkId(PLUG))
    await bench.jobs.wake_integration(PLUG)
    await bench.jobs.wake_integration(PLUG)
    await bench.settle()
    assert sorted(bench.ran) == [f"integration:{PLUG}", f"link:{PLUG}"]


async def test_the_sweep_sees_who_waits_and_who_runs(bench: Bench):
    seen: list[set[LinkId]] = []

    async def look(key: str) -> None:
        if key == f"link:{A}":
            seen.append(await bench.jobs.links_with_a_job([A, C]))

    bench.work = look
    await bench.jobs.wake_link(A)
    await bench.jobs.wake_link(B)
    assert await bench.jobs.links_with_a_job([A, B, C]) == {A, B}
    assert await bench.jobs.links_with_a_job([]) == set()
    await bench.settle()
    assert seen == [{A}]
    assert await bench.jobs.links_with_a_job([A, B, C]) == set()


async def test_a_persons_wake_makes_the_waiting_job_overtake(bench: Bench):
    links = [LinkId(f"{number:032x}") for number in range(8)]
    for link in links:
        await bench.jobs.wake_link(link)
    await bench.jobs.wake_link(links[-1], Urgency.PERSON)
    await bench.jobs.wake_link(links[-1], Urgency.MACHINE)
    await bench.settle()
    assert f"link:{links[-1]}" in bench.ran[:2]  # the engine has two slots here, and either may be first
    assert sorted(bench.ran) == [f"link:{link}" for link in links]


def _links(tenant: str, count: int) -> list[LinkId]:
    return [LinkId(f"{tenant}{number:031x}") for number in range(count)]


async def test_a_flood_of_one_tenant_does_not_stand_before_anothers_job(bench: Bench):
    flood, (seldom, later) = _links("a", 20), _links("b", 2)
    for link in flood:
        await bench.jobs.wake_link(link)
    await bench.jobs.wake_link(seldom)

    async def wake_the_later(key: str) -> None:
        if key == f"link:{flood[9]}":
            await bench.jobs.wake_link(later)

    bench.work = wake_the_later
    await bench.settle()
    assert bench.ran.index(f"link:{seldom}") <= 2
    assert bench.ran.index(f"link:{later}") - bench.ran.index(f"link:{flood[9]}") <= 3
    of_the_flood = [key for key in bench.ran if key.startswith("link:a")]
    assert of_the_flood == [f"link:{link}" for link in flood], "In the order in which they came."


async def test_two_floods_take_turns(bench: Bench):
    """The second came when the first had waited for long: it does not go before all of it."""
    first, second = _links("a", 12), _links("b", 6)
    for link in first[:6]:
        await bench.jobs.wake_link(link)

    async def wake_the_second(key: str) -> None:
        if key == f"link:{first[2]}":
            for one, other in zip(second, first[6:], strict=True):
                await bench.jobs.wake_link(one)
                await bench.jobs.wake_link(other)

    bench.work = wake_the_second
    await bench.settle()
    tenants = [key.removeprefix("link:")[0] for key in bench.ran[4:12]]
    assert 3 <= tenants.count("a") <= 5
    assert len(bench.ran) == 18


async def test_a_crash_is_reported_and_ends_the_job_alone(bench: Bench):
    async def crash(key: str) -> None:
        if key == f"link:{A}":
            raise ZeroDivisionError

    bench.work = crash
    await bench.jobs.wake_link(A)
    await bench.jobs.wake_link(B)
    await bench.settle()
    assert bench.crashes == [(f"link:{A}", "ZeroDivisionError")]
    assert sorted(bench.ran) == [f"link:{A}", f"link:{B}"]
    await bench.jobs.wake_link(A)
    bench.work = _nothing
    await bench.settle()
    assert bench.ran[-1] == f"link:{A}"


async def test_a_job_that_wakes_itself_for_a_busy_lock_runs_again(bench: Bench):
    async def busy_twice(_key: str) -> None:
        if len(bench.ran) < 3:
            await bench.jobs.wake_link(A)

    bench.work = busy_twice
    await bench.jobs.wake_link(A)
    await bench.settle()
    assert bench.ran == [f"link:{A}"] * 3


async def test_the_twin_stops_a_job_that_wakes_itself_for_ever():
    jobs = InlineJobs()
    await jobs.wake_link(A)
    with pytest.raises(RuntimeError, match="still wait"):
        await jobs.drain(jobs.wake_link, jobs.wake_integration, limit=5)
