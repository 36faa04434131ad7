"""How many changes one process carries over in a second when many Links change at once, and what holds it back."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from bench.edits import Edit, Way, What
from bench.figures import BenchError, Figure, spread
from bench.outside import Emulator
from bench.processes import cpu_seconds
from bench.stage import Column, Pair, Stage

_EDITORS_PER_COLUMN = 4
_LONGEST_SECONDS = 120.0
_BUSY = 0.85
"""Of one core: what uses more than this has no time left."""
_NUMBERS = itertools.count(5000)


@dataclass(frozen=True, slots=True)
class _Drain:
    seconds: float
    """From the first edit to the last write on the other side."""
    changes: int
    board_calls: int
    service: float
    database: float
    emulators: float

    @property
    def rate(self) -> float:
        return self.changes / self.seconds


async def measure(stage: Stage, columns: Sequence[Column], way: Way, repeats: int) -> Figure:
    drains = [await _drain(stage, columns, way) for _ in range(repeats)]
    rates = [each.rate for each in drains]
    middle = sorted(drains, key=lambda each: each.rate)[len(drains) // 2]
    tokens = "1 token" if len(columns) == 1 else f"{len(columns)} tokens"
    used = f"service {middle.service:.2f}, database {middle.database:.2f}, emulators {middle.emulators:.2f} cores"
    return Figure(
        f"{way.value}, {tokens} per side, {middle.changes} Links",
        f"{spread(rates)} changes/s  n {len(drains)}; limit: {_limit(middle, len(columns))}; {used}",
        numbers={"unit": "changes/s", "values": rates},
    )


def _limit(drain: _Drain, tokens: int) -> str:
    per_token = drain.board_calls / drain.seconds / tokens
    if per_token > _BUSY * 40:
        return f"the pace per Productboard token ({per_token:.0f} of 40 calls/s)"
    if drain.service > _BUSY:
        return "the service's one core"
    if drain.service + drain.database + drain.emulators > _BUSY * 2:
        return "the machine's cores"
    return f"waiting ({per_token:.0f} Productboard calls/s and token; the machine is shared)"


async def _drain(stage: Stage, columns: Sequence[Column], way: Way) -> _Drain:
    await stage.quiet()
    since = await stage.board.position(), await stage.tracker.position()
    groups = _groups(stage)
    before = [cpu_seconds(each) for each in groups]
    number, started = next(_NUMBERS), time.time()
    edits = [Edit(way, What.TITLE, pair, number) for pair in stage.pairs(columns)]
    await asyncio.gather(*(_edit(stage, edits, column) for column in columns))
    target = stage.tracker if way is Way.TO_TICKET else stage.board
    position = since[1] if way is Way.TO_TICKET else since[0]
    ended = await _all_written(target, position, edits)
    spent = [cpu_seconds(each) - at for each, at in zip(_groups(stage), before, strict=True)]
    elapsed = time.time() - started
    calls = sum(each.is_call and each.started_at <= ended for each in await stage.board.journal(since[0]))
    for edit in edits[:: max(1, len(edits) // 5)]:
        await edit.check(stage)
    return _Drain(ended - started, len(edits), calls, *(each / elapsed for each in spent))


def _groups(stage: Stage) -> list[list[psutil.Process]]:
    emulators = [each.watched for each in stage.emulators.values()]
    return [stage.service.own, stage.service.database.processes(), emulators]


async def _edit(stage: Stage, edits: Sequence[Edit], column: Column) -> None:
    slots = asyncio.Semaphore(_EDITORS_PER_COLUMN)

    async def one(edit: Edit) -> None:
        async with slots:
            await edit.make(stage)

    await asyncio.gather(*(one(edit) for edit in edits if edit.pair.column is column))


async def _all_written(side: Emulator, position: int, edits: Sequence[Edit]) -> float:
    """When the last of them was written on the other side. Raises BenchError."""
    until = time.monotonic() + _LONGEST_SECONDS
    wanted: set[Pair] = {edit.pair for edit in edits}
    while time.monotonic() < until:
        await asyncio.sleep(0.5)
        written = {}
        for each in await side.journal(position):
            if each.is_call and each.method in ("PUT", "PATCH") and "/connections/" not in each.path:
                written[each.path] = each.ended_at
        done = [
            max((at for path, at in written.items() if pair.is_meant(path)), default=None) for pair in wanted
        ]
        if all(at is not None for at in done):
            return max(at for at in done if at is not None)
    raise BenchError(f"Not all of {len(wanted)} changes arrived within {_LONGEST_SECONDS:g} s.")
