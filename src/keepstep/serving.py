"""Running the web pages, the doors and the worker: in one process by default, apart with `serve --no-worker`."""

import asyncio
import contextlib
import importlib.metadata
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import psycopg
import structlog
import uvicorn

from keepstep.app.sweep import ensure_polls
from keepstep.bootstrap import Runtime, database, open_runtime
from keepstep.settings import Settings, SettingsError
from keepstep.system import system_facts
from keepstep.web import api
from keepstep.web.app import create_app
from keepstep.web.column import router as column
from keepstep.web.deps import Check, Readiness, Services
from keepstep.web.hooks import router as hooks
from keepstep.web.patience import PatientProtocol
from keepstep.worker.schedule import Schedule

_LOG = structlog.get_logger(__name__)
_GRACE_SECONDS = 5

Ready = Callable[[Runtime], Awaitable[Readiness]]
Started = Callable[[Runtime], Coroutine[Any, Any, None]]


class _Server(uvicorn.Server):
    """Stops at SIGTERM or SIGINT and returns, so that what was opened is closed in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


def version() -> str:
    return importlib.metadata.version("keepstep")


async def run_worker(runtime: Runtime) -> None:
    """The engine's jobs and the sweep, until cancelled."""
    await ensure_polls(runtime.ctx)
    async with asyncio.TaskGroup() as group:
        group.create_task(runtime.engine.run_worker())
        group.create_task(Schedule(runtime.ctx, runtime.people).run())


async def is_ready(runtime: Runtime) -> Readiness:
    """Migrated (or this process would not run) and the database answers now."""
    try:
        async with asyncio.timeout(2), runtime.pool.connection() as connection:
            await connection.execute("SELECT 1")
    except (psycopg.Error, TimeoutError) as error:
        return Readiness((Check("database", ok=False, detail=f"The database does not answer: {error}"),))
    return Readiness((Check("database", ok=True, detail="Answers, and is migrated."),))


def listen(host: str, port: int) -> socket.socket:
    """Raises SettingsError when the port is taken."""
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; without, each answer waits 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"Port {port} on {host} cannot be used ({error.strerror}): stop what runs there, or set KEEPSTEP_PORT."
        ) from None
    return listener


def build_services(
    runtime: Runtime, ready: Ready = is_ready, boards: tuple[tuple[str, str], ...] = ()
) -> Services:
    return Services(
        ctx=runtime.ctx,
        people=runtime.people,
        ready=lambda: ready(runtime),
        version=version(),
        secure_cookies=runtime.settings.secure_cookies,
        system=lambda: system_facts(runtime),
        boards=boards,
    )


async def serve(
    settings: Settings,
    *,
    with_worker: bool,
    ready: Ready = is_ready,
    boards: tuple[tuple[str, str], ...] = (),
    started: Started | None = None,
) -> None:
    """Until SIGTERM or SIGINT. `started` runs beside the server, once it answers."""
    with listen(settings.host, settings.port) as listener:
        opening = database(settings)
        dsn = await asyncio.to_thread(opening.__enter__)
        try:
            async with open_runtime(settings, dsn) as runtime:
                await _serve(
                    runtime, listener, with_worker=with_worker, ready=ready, boards=boards, started=started
                )
        finally:
            await asyncio.to_thread(opening.__exit__, None, None, None)


async def _serve(
    runtime: Runtime,
    listener: socket.socket,
    *,
    with_worker: bool,
    ready: Ready,
    boards: tuple[tuple[str, str], ...],
    started: Started | None,
) -> None:
    app = create_app(build_services(runtime, ready, boards), [column, hooks, api.router])
    api.describe(app)
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config)
    beside = [asyncio.create_task(run_worker(runtime))] if with_worker else []
    if started is not None:
        beside.append(asyncio.create_task(started(runtime)))
    for task in beside:
        task.add_done_callback(lambda done: _stop_on_failure(server, done))
    _LOG.info(
        "serve.started", address=runtime.settings.public_url, port=runtime.settings.port, worker=with_worker
    )
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in beside:
            task.cancel()
        outcomes = await asyncio.gather(*beside, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


def _stop_on_failure(server: uvicorn.Server, done: "asyncio.Task[None]") -> None:
    if not done.cancelled() and done.exception() is not None:
        server.should_exit = True


async def work(settings: Settings) -> None:
    """A worker alone, until SIGTERM or SIGINT."""
    opening = database(settings)
    dsn = await asyncio.to_thread(opening.__enter__)
    try:
        async with open_runtime(settings, dsn) as runtime:
            worker = asyncio.create_task(run_worker(runtime))
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, worker.cancel)
            _LOG.info("worker.started", owner=runtime.owner)
            with contextlib.suppress(asyncio.CancelledError):
                await worker
    finally:
        await asyncio.to_thread(opening.__exit__, None, None, None)
