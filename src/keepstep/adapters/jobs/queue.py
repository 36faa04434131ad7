"""Putting jobs into procrastinate's table and reading it: single statements, each atomic by itself.

procrastinate's own `defer` answers a waiting job with a failed INSERT, which fills the server's log and leaves no
way to raise that job. ON CONFLICT over the same unique index does both without a race: a conflict with a job that
a worker is just taking waits for that worker, and then inserts.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg_pool import AsyncConnectionPool

from keepstep.ports.errors import TransientError

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]

TASK = "keepstep.run"
LINKS = "links"
CLICKS = "clicks"
_PERSON_PRIORITY = 10
_OWNER_PREFIX = "keepstep-jobs-"

NO_TENANTS: LiteralString = "SELECT ''"
# A machine's job stands one behind the last of its tenant, and not before whoever is first now: tenants take turns, a
# flood of one stands in line behind itself, and one who comes seldom is next (start-time fair queueing).
_INSERT: LiteralString = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args)
SELECT %(queue)s::text, %(task)s,
       CASE WHEN %(priority)s::integer > 0 OR %(queue)s::text <> 'links' THEN %(priority)s::integer ELSE least(
           coalesce((SELECT priority - 1 FROM procrastinate_jobs
                     WHERE status = 'todo' AND queue_name = 'links' AND args ->> 'tenant' = owner.tenant
                     ORDER BY priority LIMIT 1), 0),
           coalesce((SELECT priority FROM procrastinate_jobs
                     WHERE status = 'todo' AND priority <= 0
                     ORDER BY priority DESC, id LIMIT 1), 0)) END,
       %(key)s::text, %(key)s::text, jsonb_build_object('key', %(key)s::text, 'tenant', owner.tenant)
FROM (SELECT coalesce(({tenants}), '') AS tenant) owner
ON CONFLICT (queueing_lock) WHERE status = 'todo'
"""
# A machine's wake must not touch the waiting row: a worker skips rows that somebody has locked.
_WAKE: LiteralString = "DO NOTHING"
_WAKE_URGENTLY: LiteralString = """DO UPDATE SET queue_name = EXCLUDED.queue_name, priority = EXCLUDED.priority
WHERE procrastinate_jobs.priority < EXCLUDED.priority"""
_WITH_A_JOB: LiteralString = """
SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = ANY(%(keys)s)
UNION
SELECT lock FROM procrastinate_jobs WHERE status = 'doing' AND lock = ANY(%(keys)s)
"""
_CRASHED: LiteralString = """
INSERT INTO keepstep_job_crashes (key, job_id, error) VALUES (%(key)s, %(job)s, %(error)s)
ON CONFLICT (key) DO UPDATE
SET job_id = EXCLUDED.job_id, error = EXCLUDED.error, crashed_at = now(), times = keepstep_job_crashes.times + 1
"""
_STATS: LiteralString = """
SELECT (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'),
       (SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'),
       (SELECT extract(epoch FROM now() - min(event.at))::float
          FROM procrastinate_jobs job JOIN procrastinate_events event ON event.job_id = job.id
         WHERE job.status = 'todo' AND event.type = 'deferred'),
       (SELECT count(DISTINCT owner) FROM procrastinate_workers
         WHERE last_heartbeat > now() - make_interval(secs => %(dead)s)),
       (SELECT extract(epoch FROM now() - max(last_heartbeat))::float FROM procrastinate_workers
         WHERE owner = %(owner)s)
"""


def owner_name(owner: str) -> str:
    """What the engine's connections are called; `owner_of` turns it back."""
    return f"{_OWNER_PREFIX}{owner}"


def owner_of(name: str) -> str:
    return name.removeprefix(_OWNER_PREFIX)


@dataclass(frozen=True)
class EngineStats:
    waiting: int
    running: int
    oldest_waiting_s: float | None
    workers_alive: int
    """Processes, over all machines, that gave a sign of life within the limit."""
    own_heartbeat_s: float | None
    """Age of this process's last sign of life; None when it runs no worker."""


@dataclass(frozen=True)
class DeadLetter:
    """A key whose last job ended with an error that nobody inside it expected."""

    key: str
    error: str
    times: int
    at: datetime


class JobTable:
    """Every method raises TransientError when the database does not answer."""

    def __init__(self, pool: Pool, tenants: LiteralString = NO_TENANTS) -> None:
        """`tenants` gives the tenant of the Link `%(name)s`, as text, or no row."""
        self._pool = pool
        self._insert: LiteralString = _INSERT.replace("{tenants}", tenants)

    async def wake(self, key: str, *, queue: str = LINKS, urgent: bool = False) -> None:
        values = {
            "queue": CLICKS if urgent else queue,
            "task": TASK,
            "priority": _PERSON_PRIORITY if urgent else 0,
            "key": key,
            "name": key.partition(":")[2],
        }
        await self.run(self._insert + (_WAKE_URGENTLY if urgent else _WAKE), values)

    async def with_a_job(self, keys: Collection[str]) -> set[str]:
        return {row[0] for row in await self.run(_WITH_A_JOB, {"keys": list(keys)})}

    async def note_crash(self, key: str, job_id: int, error: str) -> None:
        await self.run(_CRASHED, {"key": key, "job": job_id, "error": error})

    async def dead_letters(self) -> list[DeadLetter]:
        rows = await self.run(
            "SELECT key, error, times, crashed_at FROM keepstep_job_crashes ORDER BY crashed_at DESC LIMIT 200"
        )
        return [DeadLetter(*row) for row in rows]

    async def stats(self, owner: str, dead_after_s: float) -> EngineStats:
        rows = await self.run(_STATS, {"dead": dead_after_s, "owner": owner_name(owner)})
        return EngineStats(*rows[0])

    async def run(
        self, statement: LiteralString, values: dict[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(statement, values)
                return await cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise TransientError("The job engine's database does not answer.") from error
