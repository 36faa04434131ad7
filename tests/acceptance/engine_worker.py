"""A worker process for test_engine: every run takes its Link's lock, pretends to call outside, and leaves a row."""

import asyncio
import os
import signal
import sys

import psycopg

from keepstep.adapters.jobs.engine import EngineSettings, JobEngine
from keepstep.adapters.postgres.locks import PostgresLocks
from keepstep.adapters.postgres.pool import new_pool
from keepstep.domain.ids import LinkId
from keepstep.ports.locks import BusyError, LockLostError

SCHEMA = """
CREATE TABLE event (id bigserial PRIMARY KEY, link text NOT NULL, handled_by bigint);
CREATE INDEX ON event (link) WHERE handled_by IS NULL;
CREATE TABLE run (id bigserial PRIMARY KEY, link text NOT NULL, owner text NOT NULL,
                  began timestamptz NOT NULL DEFAULT clock_timestamp(), ended timestamptz, outcome text);
"""
SETTINGS = EngineSettings(
    concurrency=8,
    click_concurrency=2,
    heartbeat_s=0.5,
    dead_after_s=3,
    rescue_every_s=0.5,
    rescue_limit=50,
    stop_s=3,
)
LEASE_SECONDS = 2.0


class Worker:
    def __init__(self, dsn: str, owner: str, seconds: float) -> None:
        self._owner = owner
        self._seconds = seconds
        self._pool = new_pool(dsn, f"worker-{owner}")
        self._locks = PostgresLocks(dsn, owner, lease_seconds=LEASE_SECONDS)
        self._engine = JobEngine(
            dsn,
            owner,
            run_link=self._run,
            run_integration=self._never,
            on_crash=self._crashed,
            on_dead_worker=self._locks.release_owner,
            settings=SETTINGS,
        )

    async def main(self) -> None:
        await self._pool.open()
        await self._engine.open()
        worker = asyncio.create_task(self._engine.run_worker())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.cancel)
        print("ready", flush=True)
        await asyncio.gather(worker, return_exceptions=True)
        await self._engine.close()
        await self._locks.close()
        await self._pool.close()

    async def _run(self, link: LinkId) -> None:
        try:
            async with self._locks.hold(f"feature:{link}") as held:
                await self._work(link, held)
        except BusyError:
            await asyncio.sleep(0.2)
            await self._engine.wake_link(link)

    async def _work(self, link: LinkId, held) -> None:
        rows = await self._query("SELECT id FROM event WHERE link = %s AND handled_by IS NULL", link)
        [(run,)] = await self._query(
            "INSERT INTO run (link, owner) VALUES (%s, %s) RETURNING id", link, self._owner
        )
        await asyncio.sleep(self._seconds)
        try:
            held.check()
        except LockLostError:
            await self._query("UPDATE run SET outcome = 'lost', ended = clock_timestamp() WHERE id = %s", run)
            raise
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE event SET handled_by = %s WHERE id = ANY(%s)", (run, [row[0] for row in rows])
            )
            await connection.execute(
                "UPDATE run SET outcome = 'done', ended = clock_timestamp() WHERE id = %s", (run,)
            )

    async def _never(self, _integration: str) -> None:
        raise AssertionError

    async def _crashed(self, key: str, error: BaseException) -> None:
        if isinstance(error, (psycopg.Error, LockLostError)):  # what an application's sweep would do
            await asyncio.sleep(0.2)
            await self._engine.wake_link(LinkId(key.removeprefix("link:")))

    async def _query(self, text: str, *values):
        async with self._pool.connection() as connection:
            cursor = await connection.execute(text, values)
            return await cursor.fetchall() if cursor.description else []


if __name__ == "__main__":
    asyncio.run(Worker(sys.argv[1], f"{sys.argv[2]}-{os.getpid()}", float(sys.argv[3])).main())
