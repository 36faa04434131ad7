"""From an edit on one side to the other side's change: how long it takes, and how many calls it costs."""

import asyncio
import itertools
import re
from collections.abc import Sequence

from bench.edits import Edit, Way, What
from bench.figures import BenchError, Figure, amount, times
from bench.outside import Exchange
from bench.stage import Column, Pair, Stage

_LATENCY_AIM = {0.5: 150.0}
_CALLS_AIM = {Way.TO_TICKET: 5.0, Way.TO_FEATURE: 6.0}
_BETWEEN_SECONDS = 0.5
_SETTLED_SECONDS = 1.5
_RUNS = 3
_NUMBERS = itertools.count(1000)


async def latency(stage: Stage, column: Column, way: Way, count: int) -> list[Figure]:
    """Title edits, one every half second, the pairs taking turns so that each has long been at rest."""
    pairs = column.pairs[: max(8, count // 4)]
    if len(pairs) * _BETWEEN_SECONDS < _SETTLED_SECONDS:
        raise BenchError("Too few pairs: they would not have come to rest.")
    await stage.quiet()
    since = await stage.board.position(), await stage.tracker.position()
    edits = [Edit(way, What.TITLE, pairs[at % len(pairs)], next(_NUMBERS)) for at in range(count)]
    for each in edits:
        await each.make(stage)
        await asyncio.sleep(_BETWEEN_SECONDS)
    await stage.quiet()
    for each in edits[-len(pairs) :]:
        await each.check(stage)
    await stage.still_quiet()
    board, tracker = await stage.board.journal(since[0]), await stage.tracker.journal(since[1])
    here, there = (board, tracker) if way is Way.TO_TICKET else (tracker, board)
    found = [_Carried.of(each, here, there) for each in edits]
    size = max(1, count // _RUNS)
    runs = [found[at : at + size] for at in range(0, size * _RUNS, size)]
    return [
        times(
            f"{way.value}, beyond the upstreams' own time",
            [[each.beyond_ms for each in run] for run in runs],
            (0.5, 0.95),
            _LATENCY_AIM,
        ),
        times(
            "  from the edit's answer to the write's answer",
            [[each.whole_ms for each in found]],
            (0.5, 0.95, 0.99),
        ),
        times(
            "  of it, webhook sent to first read",
            [[each.waking_ms for each in run] for run in runs],
            (0.5, 0.95),
        ),
    ]


class _Carried:
    """One edit's way to the other side, as both journals tell it."""

    def __init__(self, edit: Exchange, webhook: Exchange, calls: Sequence[Exchange], write: Exchange) -> None:
        self.whole_ms = (write.ended_at - edit.ended_at) * 1000
        upstream = sum(each.milliseconds for each in calls)
        announcing = max(0.0, webhook.started_at - edit.ended_at) * 1000
        self.beyond_ms = self.whole_ms - upstream - announcing
        self.waking_ms = (min(each.started_at for each in calls) - webhook.started_at) * 1000

    @classmethod
    def of(cls, edit: Edit, here: Sequence[Exchange], there: Sequence[Exchange]) -> "_Carried":
        """Raises BenchError when a journal lacks a step."""
        pair = edit.pair
        try:
            made = next(
                each
                for each in here
                if each.direction == "in" and not each.by_service and edit.title in str(each.body)
            )
            write = next(
                each
                for each in there
                if each.is_call and each.method in ("PUT", "PATCH") and edit.title in str(each.body)
            )
            webhook = next(
                each
                for each in here
                if each.direction == "out" and each.started_at >= made.started_at and _speaks_of(each, pair)
            )
        except StopIteration:
            raise BenchError(f"The journals do not show how {edit.title!r} was carried over.") from None
        calls = [
            each
            for each in (*here, *there)
            if each.is_call
            and made.started_at <= each.started_at <= write.started_at
            and pair.is_meant(each.path)
        ]
        return cls(made, webhook, calls, write)


def _speaks_of(webhook: Exchange, pair: Pair) -> bool:
    data = webhook.body
    if "data" in data:
        return bool(data["data"].get("id") == pair.feature)
    return bool(data["object_attributes"]["iid"] == pair.issue)


async def calls(stage: Stage, column: Column, repeats: int) -> list[Figure]:
    """One edit at a time on a pair of its own for each kind, counted until nobody calls any more."""
    kinds = [(way, what) for way in Way for what in What]
    pairs = dict(zip(kinds, column.pairs, strict=False))
    counts: dict[tuple[Way, What], list[float]] = {kind: [] for kind in kinds}
    words: dict[tuple[Way, What], str] = {}
    for number in range(1, repeats + 1):
        await stage.quiet()
        since = await stage.board.position(), await stage.tracker.position()
        edits = [Edit(*kind, pairs[kind], number) for kind in kinds]
        for each in edits:
            await each.make(stage)
            await asyncio.sleep(_BETWEEN_SECONDS)
        await stage.quiet()
        journal = [*await stage.board.journal(since[0]), *await stage.tracker.journal(since[1])]
        asked = [each for each in journal if each.is_call]
        for kind, edit in zip(kinds, edits, strict=True):
            await edit.check(stage)
            ours = sorted(
                (each for each in asked if edit.pair.is_meant(each.path)), key=lambda call: call.started_at
            )
            counts[kind].append(len(ours))
            words[kind] = ", ".join(_word(each) for each in ours)
        await stage.still_quiet()
        _refuse_strays(asked, [each.pair for each in edits])
    return [
        amount(
            f"{way.value}, {what.value}: upstream calls",
            counts[way, what],
            "calls",
            most=_CALLS_AIM[way] if what is not What.DESCRIPTION else None,
            judged=max,
            digits=0,
            note=words[way, what],
        )
        for way, what in kinds
    ]


def _refuse_strays(asked: Sequence[Exchange], pairs: Sequence[Pair]) -> None:
    strays = [each for each in asked if not any(pair.is_meant(each.path) for pair in pairs)]
    if strays:
        raise BenchError(f"Calls that belong to no edit: {_word(strays[0])} and {len(strays) - 1} more.")


def _word(call: Exchange) -> str:
    """Method and kind of thing."""
    thing = "cell" if "/connections/" in call.path else "feature" if "/v2/" in call.path else "ticket"
    if re.search(r"/(labels|notes)\b", call.path):
        thing = "labels"
    return f"{call.method} {thing}"
