"""Twenty edits of one feature within a second: how many syncs carry them over."""

import asyncio
import itertools
import time

from bench.edits import Edit, Way, What
from bench.figures import BenchError, Figure, amount
from bench.stage import Column, Pair, Stage

EDITS = 20
_SYNCS_AIM = 2.0
_SPREAD_SECONDS = 0.9
_TRIES = 3
_NUMBERS = itertools.count(9000)


async def measure(stage: Stage, column: Column, repeats: int) -> list[Figure]:
    found = [await _burst(stage, column, at) for at in range(repeats)]
    return [
        amount(
            f"{EDITS} edits of one title in a second: writes to the ticket",
            [writes for writes, _ in found],
            "writes",
            most=_SYNCS_AIM,
            judged=max,
            digits=0,
            note="each is one sync",
        ),
        amount("  upstream calls until quiet", [calls for _, calls in found], "calls", digits=0),
    ]


async def _burst(stage: Stage, column: Column, at: int) -> tuple[int, int]:
    """(writes to the ticket, all upstream calls). Raises BenchError when the last edit did not arrive."""
    pair = column.pairs[at % len(column.pairs)]
    for _ in range(_TRIES):
        await stage.quiet()
        since = await stage.board.position(), await stage.tracker.position()
        last, seconds = await _edit_often(stage, pair)
        if seconds <= 2 * _SPREAD_SECONDS:
            break
    else:
        raise BenchError("The machine was too slow to make the edits within a second or so.")
    await stage.quiet()
    await last.check(stage)
    await stage.still_quiet()
    board, tracker = await stage.board.journal(since[0]), await stage.tracker.journal(since[1])
    calls = [each for each in (*board, *tracker) if each.is_call and pair.is_meant(each.path)]
    writes = [each for each in calls if each.method == "PUT" and "/issues/" in each.path]
    return len(writes), len(calls)


async def _edit_often(stage: Stage, pair: Pair) -> tuple[Edit, float]:
    """The last edit, and the seconds that all of them took."""
    edits = [Edit(Way.TO_TICKET, What.TITLE, pair, next(_NUMBERS)) for _ in range(EDITS)]
    began = time.monotonic()
    for number, each in enumerate(edits):
        await asyncio.sleep(max(0.0, began + number * _SPREAD_SECONDS / EDITS - time.monotonic()))
        await each.make(stage)
    return edits[-1], time.monotonic() - began
