"""Jobs of workers that died: found by their heartbeat, fenced, then put back.

A rescued job gets a new row. Should its old worker wake up after all (SIGSTOP, a hung machine), its attempt to
finish the old row finds nothing; with procrastinate's `retry_job` it would finish the job of its successor.
"""

import logging
from collections.abc import Awaitable, Callable, Collection
from typing import LiteralString

from keepstep.adapters.jobs.queue import JobTable, owner_name, owner_of

_log = logging.getLogger(__name__)

# A process whose worker ended badly and was started again has an old row and a fresh one: it is alive.
_DEAD_OWNERS: LiteralString = """
SELECT owner FROM procrastinate_workers
GROUP BY owner HAVING bool_and(last_heartbeat < now() - make_interval(secs => %(dead)s))
"""
# Only rows of fenced owners, or old rows of living ones: who fell silent since the first query waits a round.
_RESCUE: LiteralString = """
WITH lost AS (
    SELECT id FROM procrastinate_workers worker
    WHERE last_heartbeat < now() - make_interval(secs => %(dead)s) AND (
        owner = ANY(%(fenced)s)
        OR EXISTS (
            SELECT FROM procrastinate_workers other WHERE other.owner = worker.owner
            AND other.last_heartbeat >= now() - make_interval(secs => %(dead)s)
        )
    )
), taken AS (
    DELETE FROM procrastinate_jobs job WHERE job.status = 'doing' AND (
        job.worker_id IS NULL OR job.worker_id IN (SELECT id FROM lost) OR job.id = ANY(%(orphans)s)
    )
    RETURNING job.id, job.queue_name, job.task_name, job.priority, job.lock, job.args, job.attempts
), again AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, attempts)
    SELECT queue_name, task_name, priority, lock, lock, args, attempts + 1 FROM taken WHERE attempts < %(limit)s
    ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
), forgotten AS (
    DELETE FROM procrastinate_workers WHERE id IN (SELECT id FROM lost)
)
SELECT id, lock, attempts FROM taken
"""
_OURS_DOING: LiteralString = """
SELECT job.id FROM procrastinate_jobs job JOIN procrastinate_workers worker ON worker.id = job.worker_id
WHERE job.status = 'doing' AND worker.owner = %(owner)s
"""


class WorkerDiedError(Exception):
    """The worker died each time it ran this job; it is not started again by itself."""


class Rescue:
    """`fence` is awaited with the owner of a dead worker before any of its jobs may run elsewhere.

    `running` tells which job ids this process runs: a row it does not run although it should was left over when
    the database went away just as the job ended, and would keep its key locked for ever.
    """

    def __init__(
        self,
        table: JobTable,
        owner: str,
        *,
        running: Callable[[], Collection[int]],
        fence: Callable[[str], Awaitable[None]],
        give_up: Callable[[str, int, BaseException], Awaitable[None]],
        dead_after_s: float,
        limit: int,
    ) -> None:
        self._table = table
        self._owner = owner
        self._running = running
        self._fence = fence
        self._give_up = give_up
        self._dead_after_s = dead_after_s
        self._limit = limit
        self._suspects: set[int] = set()

    async def once(self) -> list[str]:
        """The keys whose jobs were put back. Raises TransientError."""
        orphans = await self._orphans()
        names = await self._table.run(_DEAD_OWNERS, {"dead": self._dead_after_s})
        fenced = [name for (name,) in names if await self._fenced(name)]
        taken = await self._table.run(
            _RESCUE,
            {"dead": self._dead_after_s, "fenced": fenced, "orphans": orphans, "limit": self._limit},
        )
        for job_id, key, attempts in taken:
            _log.warning("jobs.rescued", extra={"key": key, "attempts": attempts})
            if attempts >= self._limit:
                await self._give_up(key, job_id, WorkerDiedError())
        return [key for _, key, attempts in taken if attempts < self._limit]

    async def _orphans(self) -> list[int]:
        """Seen twice in a row, since a job is fetched before it runs and ends before its row does."""
        doing = await self._table.run(_OURS_DOING, {"owner": owner_name(self._owner)})
        suspects = {row[0] for row in doing} - set(self._running())
        orphans = sorted(suspects & self._suspects)
        self._suspects = suspects
        return orphans

    async def _fenced(self, name: str) -> bool:
        try:
            await self._fence(owner_of(name))
        except Exception:  # noqa: BLE001  (what cannot be fenced must not run twice: it waits for the next round)
            _log.exception("jobs.fence.failed", extra={"owner": owner_of(name)})
            return False
        return True
