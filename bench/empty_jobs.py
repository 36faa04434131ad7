"""`python -m bench.empty_jobs DSN`: a worker of the service's engine whose jobs do nothing; runs until it is ended."""

import asyncio
import contextlib
import os
import signal
import sys

from keepstep.adapters.jobs.engine import JobEngine
from keepstep.domain.ids import LinkId


async def _nothing(*_: object) -> None:
    """The job."""


def engine_of(dsn: str) -> JobEngine:
    return JobEngine(
        dsn,
        f"bench-{os.getpid()}",
        run_link=_nothing,
        run_integration=_nothing,
        on_crash=_nothing,
        on_dead_worker=_nothing,
    )


async def fill(dsn: str, jobs: int) -> None:
    """So many waiting jobs, each of another Link. Makes the engine's tables first."""
    engine = engine_of(dsn)
    await engine.apply_schema()
    await engine.open()
    try:
        for number in range(jobs):
            await engine.wake_link(LinkId(f"{number:032x}"))
    finally:
        await engine.close()


async def _work(dsn: str) -> None:
    me = asyncio.current_task()
    if me is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    engine = engine_of(dsn)
    await engine.open()
    try:
        await engine.run_worker()
    finally:
        await engine.close()


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_work(sys.argv[1]))
