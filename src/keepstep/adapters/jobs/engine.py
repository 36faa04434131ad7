"""The job engine: procrastinate behind ports.jobs, with what it lacks for us.

At most one job waits and one runs per key (`link:<id>`, `integration:<id>`). Two workers run in each process: one
takes only what a person waits for, the other takes everything, so a person never waits behind machines. A job that
raises is reported and ends; when it is tried again is the application's business. A job that is cut off by a stop
is put back; one whose worker died is put back by the others (`rescue`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, LiteralString, NoReturn

import procrastinate
import psycopg
from procrastinate import JobContext
from psycopg_pool import AsyncConnectionPool

from keepstep.adapters.connections import SeenConnection, check_if_doubtful
from keepstep.adapters.jobs import schema
from keepstep.adapters.jobs.queue import (
    CLICKS,
    LINKS,
    NO_TENANTS,
    TASK,
    DeadLetter,
    EngineStats,
    JobTable,
    Pool,
    owner_name,
)
from keepstep.adapters.jobs.rescue import Rescue
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.ports.errors import TransientError
from keepstep.ports.jobs import Urgency

_log = logging.getLogger(__name__)

_LINK, _INTEGRATION = "link:", "integration:"
_NAME_BYTES = 63
_ERROR_CHARACTERS = 500
_RESTART_SECONDS = 1.0
# Left to itself the planner joins the whole queue to fetch one job while the table is not analysed yet
# (procrastinate's issue 1242).
_PLANNER = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan")
# Workers are forgotten by our own rescue, after their locks; procrastinate's pruning would come before.
_NEVER_PRUNE_SECONDS = 10.0 * 365 * 86_400


@dataclass(frozen=True)
class EngineSettings:
    concurrency: int = 16
    click_concurrency: int = 4
    heartbeat_s: float = 10.0
    dead_after_s: float = 30.0
    """More than the lease of the locks, so that a worker thought dead already distrusts its own."""
    poll_s: float = 1.0
    job_timeout_s: float = 120.0
    rescue_every_s: float = 3.0
    rescue_limit: int = 5
    stop_s: float = 5.0
    """How long running jobs may take to end when the worker stops; then they are cut off and put back."""


class JobEngine:
    """Implements keepstep.ports.jobs.Jobs and runs the jobs. `owner` names this process among all."""

    def __init__(
        self,
        dsn: str,
        owner: str,
        *,
        run_link: Callable[[LinkId], Awaitable[None]],
        run_integration: Callable[[IntegrationId], Awaitable[None]],
        on_crash: Callable[[str, BaseException], Awaitable[None]],
        on_dead_worker: Callable[[str], Awaitable[None]],
        tenants: LiteralString = NO_TENANTS,
        settings: EngineSettings | None = None,
    ) -> None:
        """`tenants` is a query for the tenant of the Link `%(name)s`: the jobs of several take turns."""
        self._dsn = dsn
        self._owner = owner
        self._run_link = run_link
        self._run_integration = run_integration
        self._on_crash = on_crash
        self._settings = settings or EngineSettings()
        self._pool = _pool(dsn, owner)
        self._table = JobTable(self._pool, tenants)
        self._running: set[int] = set()
        self._rescue = Rescue(
            self._table,
            owner,
            running=lambda: self._running,
            fence=on_dead_worker,
            give_up=self._crashed,
            dead_after_s=self._settings.dead_after_s,
            limit=self._settings.rescue_limit,
        )
        self._app = procrastinate.App(connector=procrastinate.PsycopgConnector())
        self._app.task(name=TASK, pass_context=True)(self._run)

    async def apply_schema(self) -> None:
        """May be repeated, by several processes at once; needs no open engine."""
        await schema.apply_schema(self._dsn)

    async def open(self) -> None:
        """Raises psycopg_pool.PoolTimeout when the database does not answer within 10 s."""
        await self._pool.open(wait=True, timeout=10)
        await self._app.open_async(self._pool)

    async def close(self) -> None:
        await self._app.close_async()
        await self._pool.close()

    async def wake_link(self, link: LinkId, urgency: Urgency = Urgency.MACHINE) -> None:
        await self._table.wake(f"{_LINK}{link}", urgent=urgency is Urgency.PERSON)

    async def wake_integration(self, integration: IntegrationId) -> None:
        await self._table.wake(f"{_INTEGRATION}{integration}", queue=CLICKS)

    async def links_with_a_job(self, links: Collection[LinkId]) -> set[LinkId]:
        keys = await self._table.with_a_job([f"{_LINK}{link}" for link in links])
        return {LinkId(key.removeprefix(_LINK)) for key in keys}

    async def stats(self) -> EngineStats:
        return await self._table.stats(self._owner, self._settings.dead_after_s)

    async def dead_letters(self) -> list[DeadLetter]:
        """Keys whose last job crashed, the newest first, at most 200."""
        return await self._table.dead_letters()

    async def run_worker(self) -> NoReturn:
        """Runs jobs until cancelled, whatever happens to the database meanwhile.

        Cancelling lets running jobs end within `stop_s`; what is cut off then is put back for others.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(
                _kept_running("clicks", lambda: self._work([CLICKS], self._settings.click_concurrency))
            )
            group.create_task(
                _kept_running("links", lambda: self._work([LINKS, CLICKS], self._settings.concurrency))
            )
            group.create_task(_kept_running("rescue", self._rescue_forever))
        raise AssertionError("The tasks of a worker end only by being cancelled.")

    async def _work(self, queues: list[str], concurrency: int) -> None:
        settings = self._settings
        await self._app.run_worker_async(
            queues=queues,
            name=self._owner,
            concurrency=concurrency,
            fetch_job_polling_interval=settings.poll_s,
            abort_job_polling_interval=60.0,
            shutdown_graceful_timeout=settings.stop_s,
            delete_jobs="successful",
            install_signal_handlers=False,
            update_heartbeat_interval=settings.heartbeat_s,
            stalled_worker_timeout=_NEVER_PRUNE_SECONDS,
        )

    async def _rescue_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.rescue_every_s)
            await self._rescue.once()

    async def _run(self, context: JobContext, key: str, tenant: str = "") -> None:  # noqa: ARG002 - the queue's
        """Ends well in procrastinate's eyes, always: its failed jobs would pile up without their error's text."""
        job_id = context.job.id or 0
        self._running.add(job_id)
        try:
            async with asyncio.timeout(self._settings.job_timeout_s):
                await self._call(key)
        except asyncio.CancelledError:
            await asyncio.shield(self._put_back(key, context.job.queue))
        except Exception as error:  # noqa: BLE001  (the outermost loop: whatever a job raises is reported)
            if _database_went_away(error):
                _log.warning("jobs.database.lost", extra={"key": key})
                await self._put_back(key, context.job.queue)
            else:
                await self._crashed(key, job_id, error)
        finally:
            self._running.discard(job_id)

    async def _call(self, key: str) -> None:
        kind, name = key.split(":", 1)
        if f"{kind}:" == _LINK:
            await self._run_link(LinkId(name))
        else:
            await self._run_integration(IntegrationId(name))

    async def _put_back(self, key: str, queue: str) -> None:
        try:
            await self._table.wake(key, queue=queue, urgent=queue == CLICKS and key.startswith(_LINK))
        except TransientError:
            _log.exception("jobs.put_back.failed", extra={"key": key})

    async def _crashed(self, key: str, job_id: int, error: BaseException) -> None:
        text = f"{type(error).__name__}: {error}"[:_ERROR_CHARACTERS]
        reports = (self._on_crash(key, error), self._table.note_crash(key, job_id, text))
        for failure in await asyncio.gather(*reports, return_exceptions=True):
            if failure is not None:
                _log.error("jobs.crash.unreported", extra={"key": key, "error": text}, exc_info=failure)


def _database_went_away(error: Exception) -> bool:
    """Under a job that is no defect of ours: it runs again as soon as the database is back.

    A statement that takes too long, or a full disk, is told by another state and does not mend itself so.
    """
    if not isinstance(error, psycopg.OperationalError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


async def _kept_running(name: str, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Starts it again whenever it ends by itself, as procrastinate's worker does after a long outage."""
    while True:
        try:
            await start()
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  (no error may end the service's worker)
            _log.exception("jobs.worker.ended", extra={"part": name})
        me = asyncio.current_task()
        if me is not None and me.cancelling():
            raise asyncio.CancelledError  # stopping, but the database was down and hid it behind its own error
        await asyncio.sleep(_RESTART_SECONDS)


def _pool(dsn: str, owner: str) -> Pool:
    """Single statements only, hence autocommit.

    The keepalives end a half-open connection within half a minute; without them a worker hangs for hours
    (procrastinate's issues 1513 and 1596).
    """
    name = owner_name(owner)
    if len(name.encode()) > _NAME_BYTES:
        raise ValueError(f"PostgreSQL would cut the application name {name!r}.")
    options = {"statement_timeout": "30000", **dict.fromkeys(_PLANNER, "off")}
    return AsyncConnectionPool(
        dsn,
        min_size=1,
        max_size=5,
        open=False,
        timeout=5,
        max_idle=60,
        name=name,
        connection_class=SeenConnection,
        check=check_if_doubtful,
        configure=_autocommit,
        kwargs={
            "application_name": name,
            "connect_timeout": 10,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "tcp_user_timeout": 30_000,
            "options": " ".join(f"-c {key}={value}" for key, value in options.items()),
        },
    )


async def _autocommit(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.set_autocommit(True)
