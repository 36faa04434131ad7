"""The remedies for what procrastinate lacks or gets wrong, each pinned, so that an upgrade shows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest
from procrastinate import sql

from keepstep.adapters.jobs.engine import EngineSettings, JobEngine
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.ports.errors import TransientError
from keepstep.ports.jobs import Urgency

A, B, C = (LinkId(letter * 32) for letter in "abc")
QUICK = EngineSettings(
    concurrency=2,
    click_concurrency=1,
    heartbeat_s=0.3,
    dead_after_s=1,
    poll_s=600,  # no test waits that long: a job that is not announced is never found
    rescue_every_s=0.3,
    stop_s=2,
)

_LISTENING = """
SELECT count(*)::int FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~ 'LISTEN "?procrastinate'
"""


class Bench:
    """One engine whose jobs wait until the test lets them go."""

    def __init__(self, dsn: str, owner: str, settings: EngineSettings) -> None:
        self.dsn = dsn
        self.log: list[tuple[str, str]] = []
        self.crashes: list[tuple[str, BaseException]] = []
        self.fenced: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.failing: set[str] = set()
        self.met: dict[str, Exception] = {}
        """What a Link's next run ends with, once."""
        self.engine = JobEngine(
            dsn,
            owner,
            run_link=self._run,
            run_integration=self._run,
            on_crash=self._crashed,
            on_dead_worker=self._fence,
            settings=settings,
        )

    def gate(self, link: LinkId) -> asyncio.Event:
        return self.gates.setdefault(link, asyncio.Event())

    async def _run(self, name: LinkId | IntegrationId) -> None:
        self.log.append(("start", name))
        if name in self.gates:
            await self.gates[name].wait()
        self.log.append(("end", name))
        if name in self.failing:
            raise ZeroDivisionError(name)
        if name in self.met:
            raise self.met.pop(name)

    async def _crashed(self, key: str, error: BaseException) -> None:
        self.crashes.append((key, error))

    async def _fence(self, owner: str) -> None:
        self.fenced.append(owner)

    async def query(self, text: str, *values: Any) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            cursor = await connection.execute(text, values)
            return await cursor.fetchall() if cursor.description else []

    def started(self, name: str) -> int:
        return self.log.count(("start", name))

    async def until_found(self, text: str) -> Any:
        async with asyncio.timeout(15):
            while not (rows := await self.query(text)):
                await asyncio.sleep(0.01)
        return rows[0][0]

    async def until_listening(self) -> None:
        """A job announced between a worker's first look and its LISTEN would be found by the poll."""
        async with asyncio.timeout(30):
            while await self.query(_LISTENING) != [(2,)]:
                await asyncio.sleep(0.01)

    async def idle(self) -> None:
        async with asyncio.timeout(15):
            while (await self.engine.stats()).running:
                await asyncio.sleep(0.01)

    async def until(self, holds: Callable[[], Any], seconds: float = 15) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def _working(bench: Bench) -> AsyncIterator[asyncio.Task[Any]]:
    worker = asyncio.create_task(bench.engine.run_worker())
    try:
        await bench.until_listening()
        yield worker
    finally:
        for gate in bench.gates.values():
            gate.set()
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


@contextlib.asynccontextmanager
async def _opened(dsn: str, owner: str = "tested", settings: EngineSettings = QUICK) -> AsyncIterator[Bench]:
    bench = Bench(dsn, owner, settings)
    await bench.engine.apply_schema()
    await bench.engine.open()
    try:
        yield bench
    finally:
        await bench.engine.close()


@pytest.fixture
async def bench(postgres_dsn: str) -> AsyncIterator[Bench]:
    async with _opened(postgres_dsn) as bench:
        await bench.query("TRUNCATE procrastinate_jobs, procrastinate_workers, keepstep_job_crashes CASCADE")
        yield bench


async def test_a_job_put_back_does_not_collide_with_the_one_that_waits(bench: Bench):
    """Without the trigger this raises a unique violation and the key stays locked for ever."""
    bench.gate(A)
    async with _working(bench):
        await bench.engine.wake_link(A)
        await bench.until(lambda: bench.started(A) == 1)
        await bench.engine.wake_link(A)
        [(job, queueing_lock)] = await bench.query(
            "SELECT id, queueing_lock FROM procrastinate_jobs WHERE status = 'doing'"
        )
        assert queueing_lock is None
        await bench.query("SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)", job)
        [(waiting,)] = await bench.query("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")
        assert waiting == 2


async def test_two_jobs_of_a_key_never_overlap_and_the_later_is_not_lost(bench: Bench):
    bench.gate(A)
    async with _working(bench):
        await bench.engine.wake_link(A)
        await bench.until(lambda: bench.started(A) == 1)
        await bench.engine.wake_link(A, Urgency.PERSON)
        await bench.engine.wake_link(B)
        await bench.until(lambda: ("end", B) in bench.log)  # a fetch passed by: A still waits for itself
        assert bench.started(A) == 1
        bench.gate(A).set()
        await bench.until(lambda: bench.log.count(("end", A)) == 2)
    assert [entry for entry in bench.log if entry[1] == A] == [("start", A), ("end", A)] * 2


async def test_a_person_starts_at_once_though_all_common_slots_are_taken(bench: Bench):
    others = [LinkId(f"{number:032x}") for number in range(2)]
    for link in others:
        bench.gate(link)
    async with _working(bench):
        for link in [*others, C]:
            await bench.engine.wake_link(link)
        await bench.until(lambda: len(bench.log) == 2)
        await asyncio.sleep(0.1)
        assert bench.started(C) == 0
        await bench.engine.wake_link(C, Urgency.PERSON)
        await bench.until(lambda: ("end", C) in bench.log)
        assert [link for what, link in bench.log if what == "end"] == [C]
    assert bench.started(C) == 1


async def test_a_wake_is_never_lost_against_a_worker_that_is_just_taking_the_job(bench: Bench):
    """Each event is stored before its wake; at the end every one must have been seen by some run."""
    stored: dict[str, int] = {A: 0, B: 0}
    seen: dict[str, int] = {A: 0, B: 0}

    async def look(link: LinkId) -> None:
        seen[link] = stored[link]

    bench.engine._run_link = look
    async with _working(bench):
        for number in range(300):
            link = (A, B)[number % 2]
            stored[link] += 1
            await bench.engine.wake_link(link, Urgency.PERSON if number % 7 == 0 else Urgency.MACHINE)
            if number % 5 == 0:
                await asyncio.sleep(0.003)
        await bench.until(lambda: seen == stored)


async def test_an_uncommitted_fetch_makes_the_wake_wait_and_then_insert(bench: Bench):
    await bench.engine.wake_link(A)
    async with await psycopg.AsyncConnection.connect(bench.dsn) as taking:
        await taking.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        waking = asyncio.create_task(bench.engine.wake_link(A))
        urgent = asyncio.create_task(bench.engine.wake_link(A, Urgency.PERSON))
        await asyncio.sleep(0.2)
        assert not waking.done()
        await taking.commit()
    await asyncio.gather(waking, urgent)
    rows = await bench.query("SELECT status::text, priority FROM procrastinate_jobs ORDER BY id")
    assert rows == [("doing", 0), ("todo", 10)]


async def test_a_machines_wake_does_not_hide_the_waiting_job_from_workers(bench: Bench):
    """Locking the row would: workers skip locked rows, and the job would wait for the next poll."""
    await bench.engine.wake_link(A)
    [before] = await bench.query("SELECT xmin, xmax FROM procrastinate_jobs")
    await bench.engine.wake_link(A)
    assert await bench.query("SELECT xmin, xmax FROM procrastinate_jobs") == [before]


async def test_a_job_may_run_only_so_long(postgres_dsn: str):
    settings = EngineSettings(concurrency=1, click_concurrency=1, job_timeout_s=0.2, stop_s=1)
    async with _opened(postgres_dsn, "timed", settings) as bench:
        bench.gate(A)
        async with _working(bench):
            await bench.engine.wake_link(A)
            await bench.until(lambda: bench.crashes)
        [(key, error)] = bench.crashes
        assert key == f"link:{A}"
        assert isinstance(error, TimeoutError)


async def test_a_crash_is_a_dead_letter_until_the_next_good_run(bench: Bench):
    bench.failing.add(A)
    async with _working(bench):
        for times in (1, 2):
            await bench.engine.wake_link(A)
            await bench.until(lambda times=times: len(bench.crashes) == times)
            await bench.idle()
        letters = await bench.engine.dead_letters()
        assert [(letter.key, letter.times) for letter in letters] == [(f"link:{A}", 2)]
        assert letters[0].error.startswith("ZeroDivisionError: ")
        assert await bench.query("SELECT status FROM procrastinate_jobs") == []
        bench.failing.clear()
        await bench.engine.wake_link(A)
        await bench.until(lambda: bench.started(A) == 3)
        await bench.idle()
        assert await bench.engine.dead_letters() == []


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("server closed the connection unexpectedly"),
        psycopg.errors.AdminShutdown("bye"),
    ],
)
async def test_a_database_that_goes_away_under_a_job_is_no_crash_of_it(bench: Bench, error: Exception):
    bench.met[A] = error
    async with _working(bench):
        await bench.engine.wake_link(A)
        await bench.until(lambda: bench.started(A) == 2)
        await bench.idle()
    assert bench.crashes == []
    assert await bench.engine.dead_letters() == []


async def test_a_statement_that_takes_too_long_is_a_crash(bench: Bench):
    """Put back at once it would run for ever."""
    bench.met[A] = psycopg.errors.QueryCanceled("statement timeout")
    async with _working(bench):
        await bench.engine.wake_link(A)
        await bench.until(lambda: bench.crashes)
    assert bench.started(A) == 1


async def test_a_stop_lets_running_jobs_end_and_puts_back_what_it_cuts_off(postgres_dsn: str):
    settings = EngineSettings(concurrency=2, click_concurrency=1, stop_s=1.5)
    async with _opened(postgres_dsn, "stopped", settings) as bench:
        await bench.query("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
        bench.gate(A)
        bench.gate(B)
        worker = asyncio.create_task(bench.engine.run_worker())
        await bench.engine.wake_link(A)
        await bench.engine.wake_link(B)
        await bench.until(lambda: len(bench.log) == 2)
        worker.cancel()
        await asyncio.sleep(0.1)
        bench.gate(A).set()
        await asyncio.gather(worker, return_exceptions=True)
        assert ("end", A) in bench.log
        assert ("end", B) not in bench.log
        assert await bench.engine.links_with_a_job([A, B]) == {B}
        assert await bench.query("SELECT status::text FROM procrastinate_jobs") == [("todo",)]
        assert await bench.query("SELECT * FROM procrastinate_workers") == []


async def test_the_engine_tells_what_goes_on(bench: Bench):
    bench.gate(A)
    async with _working(bench):
        await bench.engine.wake_link(A)
        await bench.until(lambda: bench.started(A) == 1)
        await bench.engine.wake_link(A)
        stats = await bench.engine.stats()
    assert (stats.waiting, stats.running, stats.workers_alive) == (1, 1, 1)
    assert stats.oldest_waiting_s is not None
    assert 0 <= stats.oldest_waiting_s < 5
    assert stats.own_heartbeat_s is not None
    assert stats.own_heartbeat_s < 1
    assert (await bench.engine.stats()).own_heartbeat_s is None


async def _corpse(bench: Bench, owner: str, link: LinkId, attempts: int = 0) -> int:
    """A job that a worker now silent for a minute had taken."""
    [(worker,)] = await bench.query(
        "INSERT INTO procrastinate_workers (last_heartbeat, owner)"
        " VALUES (now() - interval '1 minute', %s) RETURNING id",
        f"keepstep-jobs-{owner}",
    )
    [(job,)] = await bench.query(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status, worker_id, attempts) VALUES"
        " ('links', 'keepstep.run', %s, jsonb_build_object('key', %s::text), 'doing', %s, %s) RETURNING id",
        f"link:{link}",
        f"link:{link}",
        worker,
        attempts,
    )
    return job


async def test_a_dead_workers_job_is_fenced_and_then_run_by_another(bench: Bench):
    job = await _corpse(bench, "dead", A)
    async with _working(bench):
        await bench.until(lambda: ("end", A) in bench.log)
    assert bench.fenced == ["dead"]
    with pytest.raises(psycopg.errors.RaiseException, match="not found"):
        await bench.query("SELECT procrastinate_finish_job_v1(%s, 'succeeded', true)", job)
    assert await bench.query("SELECT * FROM procrastinate_workers") == []


async def test_a_rescued_job_rides_with_the_one_that_waits(bench: Bench):
    await _corpse(bench, "dead", A)
    await bench.engine.wake_link(A)
    await bench.engine._rescue.once()
    assert await bench.query("SELECT status::text FROM procrastinate_jobs") == [("todo",)]


async def test_a_job_that_cannot_be_fenced_is_left_alone(bench: Bench):
    async def fail(owner: str) -> None:
        raise ConnectionError(owner)

    await _corpse(bench, "dead", A)
    bench.engine._rescue._fence = fail
    assert await bench.engine._rescue.once() == []
    assert await bench.query("SELECT status::text FROM procrastinate_jobs") == [("doing",)]


async def test_a_job_that_kills_every_worker_is_given_up(bench: Bench):
    await _corpse(bench, "dead", A, attempts=QUICK.rescue_limit)
    assert await bench.engine._rescue.once() == []
    assert [(key, type(error).__name__) for key, error in bench.crashes] == [(f"link:{A}", "WorkerDiedError")]
    assert [letter.key for letter in await bench.engine.dead_letters()] == [f"link:{A}"]
    assert await bench.query("SELECT * FROM procrastinate_jobs") == []


async def test_a_living_process_with_an_old_worker_row_is_not_fenced_but_its_job_is_rescued(bench: Bench):
    await _corpse(bench, "half", A)
    await bench.query("INSERT INTO procrastinate_workers (owner) VALUES ('keepstep-jobs-half')")
    assert await bench.engine._rescue.once() == [f"link:{A}"]
    assert bench.fenced == []


async def test_a_row_left_over_by_a_broken_end_does_not_lock_its_key(bench: Bench):
    """The database went away just when the job ended: the row says doing, under a living worker, for ever."""
    async with _working(bench):
        worker = await bench.until_found("SELECT id FROM procrastinate_workers")
        await bench.query(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status, worker_id) VALUES"
            " ('links', 'keepstep.run', %s, jsonb_build_object('key', %s::text), 'doing', %s)",
            f"link:{A}",
            f"link:{A}",
            worker,
        )
        await bench.until(lambda: ("end", A) in bench.log)


async def test_a_worker_that_ends_by_itself_is_started_again(bench: Bench):
    async with _working(bench):
        await bench.until_found("DELETE FROM procrastinate_workers RETURNING id")
        await bench.engine.wake_link(A)  # fetching under a forgotten worker breaks the foreign key
        await bench.until(lambda: ("end", A) in bench.log)


async def test_a_fetch_walks_the_index_on_a_table_never_analysed(bench: Bench):
    await bench.query(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock)"
        " SELECT 'links', 'keepstep.run', 'link:' || n, 'link:' || n FROM generate_series(1, 5000) n"
    )
    worker = await bench.engine._app.job_manager.register_worker()
    values = {"queues": ["links"], "worker_id": worker}
    async with bench.engine._pool.connection() as connection, connection.transaction():
        fetched = await (await connection.execute(sql.queries["fetch_job"], values)).fetchall()
        cursor = await connection.execute(
            "SELECT coalesce(sum(seq_tup_read), 0)::int, sum(idx_tup_fetch)::int FROM pg_stat_xact_user_tables"
            " WHERE relname = 'procrastinate_jobs'"
        )
        [(walked, looked_up)] = await cursor.fetchall()
    await bench.query("TRUNCATE procrastinate_jobs CASCADE")
    assert len(fetched) == 1
    assert walked == 0
    assert looked_up < 20


async def test_several_processes_may_bring_up_the_schema_at_once(postgres_server: str):
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE at_once")
    dsn = postgres_server.replace("/postgres?", "/at_once?")
    engines = [Bench(dsn, f"p{number}", QUICK).engine for number in range(4)]
    await asyncio.gather(*(engine.apply_schema() for engine in engines))
    await engines[0].apply_schema()
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute(
            "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pair_job_%' ORDER BY 1"
        )
        assert await cursor.fetchall() == [("pair_job_ended",), ("pair_job_raised",), ("pair_job_started",)]
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("DROP DATABASE at_once WITH (FORCE)")


async def test_without_a_database_a_wake_is_transient(postgres_server: str):
    dsn = postgres_server.replace("/postgres?", "/there_is_none?")
    engine = Bench(dsn, "lonely", QUICK).engine
    engine._pool.timeout = 0.2
    await engine._pool.open()
    with pytest.raises(TransientError):
        await engine.wake_link(A)
    await engine.close()
