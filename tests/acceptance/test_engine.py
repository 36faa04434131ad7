"""The engine with real worker processes that are killed, stopped and continued, and a server that goes away."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from acceptance.engine_worker import SCHEMA
from keepstep.adapters.jobs.engine import JobEngine
from keepstep.adapters.postgres.embedded import embedded_postgres
from keepstep.domain.ids import LinkId
from keepstep.ports.errors import TransientError

pytestmark = pytest.mark.acceptance

A = LinkId("a" * 32)
OVERLAPS = """
SELECT count(*) FROM run one JOIN run two ON one.link = two.link AND one.id < two.id
WHERE one.outcome = 'done' AND two.outcome = 'done' AND two.began < one.ended
"""


async def _unused(*_: Any) -> None:
    raise AssertionError


class Site:
    """A database, an engine that only wakes, and the worker processes of one test."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.workers: list[subprocess.Popen[str]] = []
        self.engine = JobEngine(
            dsn, "web", run_link=_unused, run_integration=_unused, on_crash=_unused, on_dead_worker=_unused
        )

    def start(self, name: str, seconds: float) -> subprocess.Popen[str]:
        script = Path(__file__).with_name("engine_worker.py")
        worker = subprocess.Popen(
            [sys.executable, script, self.dsn, name, str(seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.workers.append(worker)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        return worker

    async def event(self, link: LinkId) -> None:
        await self.query("INSERT INTO event (link) VALUES (%s)", link)
        await self.engine.wake_link(link)

    async def query(self, text: str, *values: Any) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            cursor = await connection.execute(text, values)
            return await cursor.fetchall() if cursor.description else []

    async def until(self, text: str, expected: list[Any], seconds: float = 20) -> float:
        begun = time.monotonic()
        while (found := await self.query(text)) != expected:
            assert time.monotonic() < begun + seconds, f"{found} instead of {expected}"
            await asyncio.sleep(0.05)
        return time.monotonic() - begun

    async def close(self) -> None:
        await self.engine.close()
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)
            worker.terminate()
        for worker in self.workers:
            try:
                await asyncio.to_thread(worker.wait, 10)
            finally:
                worker.kill()
                assert worker.stdout is not None
                worker.stdout.close()


@pytest.fixture(scope="module")
def own_server() -> Iterator[str]:
    """A server of this module alone: it is killed in between."""
    folder = Path(tempfile.mkdtemp(prefix="keepstep-tests-"))
    folder.chmod(0o755)
    with embedded_postgres(folder / "data", system_dir=folder / "system") as dsn:
        yield dsn
    shutil.rmtree(folder)


@pytest.fixture
async def site(own_server: str, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    name = f"site_{abs(hash(request.node.name))}"
    with psycopg.connect(own_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    site = Site(own_server.replace("/postgres?", f"/{name}?"))
    await site.engine.apply_schema()
    await site.query(SCHEMA)
    await site.engine.open()
    try:
        yield site
    finally:
        await site.close()


async def test_a_killed_workers_job_is_done_by_another(site: Site):
    first = site.start("first", 60)
    await site.event(A)
    await site.until("SELECT count(*) FROM run", [(1,)])
    site.start("second", 0.1)
    first.kill()
    took = await site.until("SELECT count(*) FROM event WHERE handled_by IS NULL", [(0,)])
    assert took < 8
    assert await site.query("SELECT split_part(owner, '-', 1), outcome FROM run ORDER BY id") == [
        ("first", None),
        ("second", "done"),
    ]


async def test_a_stopped_worker_writes_nothing_after_it_is_continued(site: Site):
    first = site.start("first", 3)
    await site.event(A)
    await site.until("SELECT count(*) FROM run", [(1,)])
    first.send_signal(signal.SIGSTOP)
    site.start("second", 0.1)
    await site.until("SELECT count(*) FROM event WHERE handled_by IS NULL", [(0,)])
    [(by,)] = await site.query("SELECT handled_by FROM event")
    first.send_signal(signal.SIGCONT)
    await site.until("SELECT outcome FROM run ORDER BY id LIMIT 1", [("lost",)])
    assert await site.query("SELECT handled_by FROM event") == [(by,)]
    assert await site.query("SELECT split_part(owner, '-', 1) FROM run WHERE id = %s", by) == [("second",)]
    await site.event(LinkId("b" * 32))  # both work on: the first has found its place again
    await site.until("SELECT count(*) FROM event WHERE handled_by IS NULL", [(0,)])
    await site.until("SELECT count(*) FROM procrastinate_jobs", [(0,)])


async def test_a_terminated_worker_leaves_nothing_undone(site: Site):
    first = site.start("first", 0.5)
    await site.event(A)
    await site.until("SELECT count(*) FROM run", [(1,)])
    first.terminate()
    assert await asyncio.to_thread(first.wait, 10) == 0
    assert await site.query("SELECT outcome FROM run") == [("done",)]
    assert await site.query("SELECT * FROM procrastinate_workers") == []


async def test_a_killed_server_interrupts_work_but_loses_none(site: Site):
    site.start("first", 0.3)
    links = [LinkId(f"{number:032x}") for number in range(20)]
    for link in links:
        await site.event(link)
    [(files,)] = await site.query("SHOW data_directory")
    server = int((Path(files) / "postmaster.pid").read_text().split()[0])
    os.kill(server, signal.SIGKILL)
    await _back(site)
    await site.event(A)
    await site.until("SELECT count(*) FROM event WHERE handled_by IS NULL", [(0,)], 30)
    await site.until("SELECT count(*) FROM procrastinate_jobs", [(0,)], 30)
    assert await site.query(OVERLAPS) == [(0,)]


async def _back(site: Site) -> None:
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(0.2)
            try:
                await site.engine.wake_link(A)
            except TransientError:
                continue
            return


async def test_under_fire_every_event_is_handled_and_no_link_has_two_writers(site: Site):
    """Two workers, one of them killed every few seconds; some wakes are left out and found by a sweep."""
    dice = random.Random(7)
    workers = [site.start("any", 0.02), site.start("any", 0.02)]
    links = [LinkId(f"{number:032x}") for number in range(12)]
    killed = time.monotonic()
    kills = 0
    while kills < 3:
        link = links[0] if dice.random() < 0.25 else dice.choice(links)
        await site.query("INSERT INTO event (link) VALUES (%s)", link)
        if dice.random() > 0.03:
            await site.engine.wake_link(link)
        await asyncio.sleep(0.02)
        if time.monotonic() > killed + 2.5:
            workers.pop(0).kill()
            workers.append(site.start("any", 0.02))
            killed, kills = time.monotonic(), kills + 1
    for (link,) in await site.query("SELECT DISTINCT link FROM event WHERE handled_by IS NULL"):
        if not await site.engine.links_with_a_job([link]):
            await site.engine.wake_link(link)
    await site.until("SELECT count(*) FROM event WHERE handled_by IS NULL", [(0,)], 20)
    await site.until("SELECT count(*) FROM procrastinate_jobs", [(0,)], 20)
    assert await site.query(OVERLAPS) == [(0,)]
    [(runs,)] = await site.query("SELECT count(*) FROM run")
    assert runs > 20
