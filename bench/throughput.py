"""How many changes one process carries over in a second when many Links change at once, and what holds it back."""

import asyncio
import itertools
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from bench.edits import Edit, Way, What
from bench.figures import BenchError, Figure, spread
from bench.outside import Exchange
from bench.processes import cpu_seconds
from bench.stage import Column, Stage

_EDITORS_PER_COLUMN = 4
_LONGEST_SECONDS = 120.0
_LOOK_SECONDS = 0.3
_BUSY = 0.85
"""Of one core: what uses more than this has no time left."""
_NUMBERS = itertools.count(5000)


@dataclass(frozen=True, slots=True)
class Drain:
    seconds: float
    """From the first edit to the last write on the other side."""
    changes: int
    board_calls: int
    service: float
    database: float
    outside: float
    """Emulators and this bench, which edits like many people at once."""

    @property
    def rate(self) -> float:
        return self.changes / self.seconds


async def measure(stage: Stage, columns: Sequence[Column], way: Way, repeats: int) -> Figure:
    drains = [await drain(stage, columns, way) for _ in range(repeats)]
    rates = [each.rate for each in drains]
    middle = sorted(drains, key=lambda each: each.rate)[len(drains) // 2]
    tokens = "1 token" if len(columns) == 1 else f"{len(columns)} tokens"
    used = (
        f"service {middle.service:.2f}, database {middle.database:.2f}, the rest {middle.outside:.2f} cores"
    )
    return Figure(
        f"{way.value}, {tokens} per side, {middle.changes} Links",
        f"{spread(rates)} changes/s  n {len(drains)}; limit: {_limit(middle, len(columns))}; {used}",
        numbers={"unit": "changes/s", "values": rates},
    )


def _limit(drain: Drain, tokens: int) -> str:
    per_token = drain.board_calls / drain.seconds / tokens
    if per_token > _BUSY * 40:
        return "the pace per Productboard token (40 calls/s, 8 of them at once)"
    if drain.service > _BUSY:
        return "the service's one core"
    if drain.service + drain.database + drain.outside > _BUSY * len(os.sched_getaffinity(0)):
        return "the machine's cores"
    return f"nothing is full; calls wait for each other ({per_token:.0f} Productboard calls/s and token)"


async def drain(stage: Stage, columns: Sequence[Column], way: Way) -> Drain:
    await stage.quiet()
    for emulator in (stage.board, stage.tracker):
        await emulator.forget_journal()
    since = await stage.board.position(), await stage.tracker.position()
    before = _spent(stage)
    number, started = next(_NUMBERS), time.time()
    edits = [Edit(way, What.TITLE, pair, number) for pair in stage.pairs(columns)]
    editing = asyncio.gather(*(_edit(stage, edits, column) for column in columns))
    after, at = await _until_quiet(stage)
    await editing
    # Read once, at the end: a journal that is being read cannot answer anybody else.
    board, tracker = await stage.board.journal(since[0]), await stage.tracker.journal(since[1])
    ended = _last_write(edits, tracker if way is Way.TO_TICKET else board)
    for edit in edits[:: max(1, len(edits) // 5)]:
        await edit.check(stage)
    await stage.still_quiet()
    calls = sum(each.is_call and each.started_at <= ended for each in board)
    shares = [(then - now) / (at - started) for then, now in zip(after, before, strict=True)]
    return Drain(ended - started, len(edits), calls, *shares)


def _spent(stage: Stage) -> list[float]:
    """Processor seconds so far: service, database, emulators and bench."""
    outside = [psutil.Process(), *(each.watched for each in stage.emulators.values())]
    return [cpu_seconds(each) for each in (stage.service.own, stage.service.database.processes(), outside)]


async def _edit(stage: Stage, edits: Sequence[Edit], column: Column) -> None:
    slots = asyncio.Semaphore(_EDITORS_PER_COLUMN)

    async def one(edit: Edit) -> None:
        async with slots:
            await edit.make(stage)

    await asyncio.gather(*(one(edit) for edit in edits if edit.pair.column is column))


async def _until_quiet(stage: Stage) -> tuple[list[float], float]:
    """Processor seconds spent when the last call was seen, and when that was. Raises BenchError."""
    until, seen = time.monotonic() + _LONGEST_SECONDS, (0, 0)
    spent, at = _spent(stage), time.time()
    while time.monotonic() < until:
        await asyncio.sleep(_LOOK_SECONDS)
        now = await stage.board.position(), await stage.tracker.position()
        if now != seen:
            seen, spent, at = now, _spent(stage), time.time()
        elif time.time() - at > stage.rest_seconds:
            return spent, at
    raise BenchError(f"It did not become quiet within {_LONGEST_SECONDS:g} s.")


def _last_write(edits: Sequence[Edit], journal: Sequence[Exchange]) -> float:
    """When the last of them was written on the other side. Raises BenchError."""
    writes = [
        each
        for each in journal
        if each.is_call and each.method in ("PUT", "PATCH") and "/connections/" not in each.path
    ]
    ends = [[write.ended_at for write in writes if edit.title in str(write.body)] for edit in edits]
    if not all(ends):
        raise BenchError(f"{sum(not each for each in ends)} of {len(edits)} changes did not arrive.")
    return max(max(each) for each in ends)
