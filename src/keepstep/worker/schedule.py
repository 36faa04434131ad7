"""The loops beside the engine: timers, retries that are due, lost wakes, polls, pruning.

Each turn that fails is logged and followed by the next one; nothing here may end the process.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from keepstep.app import alerting, bulk_feeding, bulk_preparing, polling, sweep
from keepstep.app.context import Context
from keepstep.app.people import People
from keepstep.domain.events import Timer

_LOG = structlog.get_logger(__name__)

_TIMERS_SECONDS = 0.25
_RETRIES_SECONDS = 1.0
_FORGOTTEN_SECONDS = 15.0
_INTEGRATIONS_SECONDS = 2.0
_BULK_SECONDS = 1.0
_COUNTS_SECONDS = 600.0
_PRUNE_SECONDS = 3600.0
_ALERTS_SECONDS = 15.0
_POLLS_AT_ONCE = 4


class Schedule:
    """`run` until cancelled; several processes may run it side by side."""

    def __init__(self, ctx: Context, people: People) -> None:
        self._ctx = ctx
        self._people = people
        self._polls: set[asyncio.Task[None]] = set()
        self._poll_slots = asyncio.Semaphore(_POLLS_AT_ONCE)

    async def run(self) -> None:
        ctx = self._ctx
        turns: tuple[tuple[str, float, Callable[[], Awaitable[object]]], ...] = (
            ("timers", _TIMERS_SECONDS, self._timers),
            ("retries", _RETRIES_SECONDS, lambda: sweep.wake_due(ctx)),
            ("forgotten", _FORGOTTEN_SECONDS, lambda: sweep.wake_forgotten(ctx)),
            ("integrations", _INTEGRATIONS_SECONDS, lambda: sweep.wake_integrations(ctx)),
            ("bulk preparing", _BULK_SECONDS, lambda: bulk_preparing.prepare_runs(ctx)),
            ("bulk feeding", _BULK_SECONDS, lambda: bulk_feeding.feed_runs(ctx)),
            ("alerts", _ALERTS_SECONDS, lambda: alerting.tell_people(ctx)),
            ("counts", _COUNTS_SECONDS, lambda: sweep.fold_counts(ctx)),
            ("prune", _PRUNE_SECONDS, self._prune),
        )
        try:
            async with asyncio.TaskGroup() as group:
                for name, seconds, turn in turns:
                    group.create_task(_forever(name, seconds, turn))
        finally:
            for task in self._polls:
                task.cancel()
            await asyncio.gather(*self._polls, return_exceptions=True)

    async def _prune(self) -> None:
        await sweep.prune(self._ctx)
        await self._people.prune()

    async def _timers(self) -> None:
        for timer in await sweep.run_timers(self._ctx):
            task = asyncio.create_task(self._poll(timer))
            self._polls.add(task)
            task.add_done_callback(self._polls.discard)

    async def _poll(self, timer: Timer) -> None:
        async with self._poll_slots:
            try:
                await polling.run_due_poll(self._ctx, timer)
            except Exception:  # noqa: BLE001 - the outermost loop of a poll: the next one covers the same time
                _LOG.exception("poll.failed", integration=timer.integration_id, kind=timer.kind)


async def _forever(name: str, seconds: float, turn: Callable[[], Awaitable[object]]) -> None:
    failed = False
    while True:
        try:
            await turn()
            failed = False
        except Exception:  # noqa: BLE001 - the outermost loop of the sweep: the next turn finds the same work
            if not failed:
                _LOG.exception("sweep.failed", turn=name)
            failed = True
        await asyncio.sleep(seconds)
