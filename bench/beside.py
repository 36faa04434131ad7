"""Keepstep beside n8n on the same work in the same run: titles edited in Productboard, carried to the tracker.

Both meet the same emulators, each with a workspace, a project and tokens of its own, one after the other at every
question. Everything is read from the emulators' journals; nothing is asked of either program.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.figures import BenchError, Figure, quantile
from bench.n8n import N8n, install, paired, versions
from bench.outside import Exchange
from bench.processes import weigh
from bench.stage import Column, Pair, Stage, open_stage

_NUMBERS = itertools.count(1)
_BETWEEN_SECONDS = 0.5
_SLOW_SECONDS = 0.4
_APART_SECONDS = 0.15
_ARRIVE_SECONDS = 40.0
_ANSWERS_SECONDS = 10.0
_N8N_COLUMN = 900


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    column: Column
    processes: Callable[[], Sequence[psutil.Process]]
    kill: Callable[[], Awaitable[None]]
    start: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Scale:
    edits: int
    """One after the other."""
    pairs: int
    """Edited all at once."""
    rounds: int
    """Of two quick edits of one feature."""
    killed: int
    """Edits before the kill."""


async def measure(scale: Scale) -> list[Figure]:
    await install()
    with tempfile.TemporaryDirectory(prefix="keepstep-bench-") as name:
        async with open_stage() as stage:
            ours = await stage.add_column(scale.pairs)
            await stage.push(ours, scale.pairs)
            theirs = await paired(stage, _N8N_COLUMN, scale.pairs)
            n8n = N8n(Path(name))
            await n8n.set_up(stage, theirs)
            await n8n.start()
            try:
                service = stage.service
                both = [
                    Contender("Keepstep", ours, lambda: service.all, lambda: _kill(stage), service.start),
                    Contender(versions(), theirs, lambda: n8n.own, n8n.kill, n8n.start),
                ]
                return await _compared(stage, both, scale)
            finally:
                await n8n.stop()


async def _compared(stage: Stage, both: Sequence[Contender], scale: Scale) -> list[Figure]:
    found: dict[str, dict[str, str]] = {}

    def tell(contender: Contender, answers: dict[str, str]) -> None:
        for question, answer in answers.items():
            found.setdefault(question, {})[contender.name] = answer

    for question in (_memory, _single_edits, _all_at_once, _two_quick_edits, _after_a_kill):
        for each in both:
            await _rest(stage)
            tell(each, await question(stage, each, scale))
    return [
        Figure(question, "  |  ".join(answers.values()), numbers={"by": answers})
        for question, answers in found.items()
    ]


async def _kill(stage: Stage) -> None:
    child = stage.service.child
    child.watched.kill()
    while not child.ended:  # noqa: ASYNC110 - another process's end
        await asyncio.sleep(0.02)


async def _rest(stage: Stage) -> None:
    await stage.quiet()
    for emulator in (stage.board, stage.tracker):
        await emulator.forget_journal()


async def _memory(_stage: Stage, contender: Contender, _scale: Scale) -> dict[str, str]:
    processes = list(contender.processes())
    return {"memory, idle (PSS)": f"{weigh(processes).pss:.0f} MB, {len(processes)} processes"}


async def _single_edits(stage: Stage, contender: Contender, scale: Scale) -> dict[str, str]:
    edits = await _edited(stage, contender.column.pairs[: scale.edits], _BETWEEN_SECONDS)
    await _arrived(stage, edits)
    await stage.quiet()
    board, tracker = await _journals(stage)
    answers = [each.milliseconds for each in _deliveries(board, contender.column)]
    times = [_way(edit, title, board, tracker) for edit, title in edits.items()]
    calls = [
        each for each in (*board, *tracker) if _is_call(each) and any(p.is_meant(each.path) for p in edits)
    ]
    return {
        "answer to the webhook": f"p50 {quantile(answers, 0.5):.0f}, p95 {quantile(answers, 0.95):.0f} ms",
        "from edit to change": f"p50 {quantile(times, 0.5):.0f}, p95 {quantile(times, 0.95):.0f} ms",
        "calls for a change": f"{len(calls) / len(edits):.1f}",
    }


async def _all_at_once(stage: Stage, contender: Contender, _scale: Scale) -> dict[str, str]:
    started = time.time()
    edits = await _edited(stage, contender.column.pairs, 0)
    late = await _arrived(stage, edits)
    await stage.quiet()
    _, tracker = await _journals(stage)
    writes = [_write(pair, title, tracker) for pair, title in edits.items() if pair not in late]
    rate = len(writes) / (max(each.ended_at for each in writes) - started)
    missing = f", {len(late)} never arrived" if late else ""
    return {f"{len(edits)} features edited at once": f"{rate:.1f} changes/s{missing}"}


async def _two_quick_edits(stage: Stage, contender: Contender, scale: Scale) -> dict[str, str]:
    """The first one's write is slow, once; the second edit comes before it has ended."""
    overlaps = stale = 0
    for number in range(scale.rounds):
        pair = contender.column.pairs[number]
        await _rest(stage)
        rule = {"match": f"PUT /api/v4/projects/{contender.column.project}/*", "delay_s": _SLOW_SECONDS}
        await stage.tracker.control("POST", "faults", rule | {"times": 1})
        for _ in range(2):
            last = (await _edited(stage, [pair], 0))[pair]
            await asyncio.sleep(_APART_SECONDS)
        await asyncio.sleep(_SLOW_SECONDS)
        await stage.quiet()
        _, tracker = await _journals(stage)
        overlaps += _overlap([each for each in tracker if _is_call(each) and pair.is_meant(each.path)])
        shown = await stage.tracker.show(contender.column.person_token, contender.column.project, pair.issue)
        stale += shown["title"] != last
        await stage.tracker.control("DELETE", "faults")
    return {
        "two quick edits of one feature, the first write slow": (
            f"calls overlapped in {overlaps} of {scale.rounds}, the older title stayed in {stale}"
        )
    }


async def _after_a_kill(stage: Stage, contender: Contender, scale: Scale) -> dict[str, str]:
    """Killed as soon as half of the edits' webhooks were answered with success."""
    edits = await _edited(stage, contender.column.pairs[: scale.killed], 0)
    until = time.monotonic() + _ANSWERS_SECONDS
    while (  # noqa: ASYNC110 - another process's doing
        len(await _accepted(stage, contender)) < len(edits) / 2 and time.monotonic() < until
    ):
        await asyncio.sleep(0.02)
    await contender.kill()
    accepted = await _accepted(stage, contender)
    await contender.start()
    ours = {pair: title for pair, title in edits.items() if pair.feature in accepted}
    lost = await _arrived(stage, ours)
    return {f"kill -9 after {len(edits)} edits": f"{len(ours)} accepted, {len(lost)} of them lost"}


async def _accepted(stage: Stage, contender: Contender) -> set[str]:
    """Features of which a webhook was answered with success."""
    board, _ = await _journals(stage)
    return {
        str(each.body["data"]["id"])
        for each in _deliveries(board, contender.column)
        if each.status is not None and 200 <= each.status < 300
    }


async def _edited(stage: Stage, pairs: Sequence[Pair], between: float) -> dict[Pair, str]:
    titles = {pair: f"Beside {next(_NUMBERS)} of {pair.feature[:8]}" for pair in pairs}
    if between:
        for pair, title in titles.items():
            await stage.board.edit(pair.column.person_token, pair.feature, name=title)
            await asyncio.sleep(between)
    else:
        edits = (
            stage.board.edit(pair.column.person_token, pair.feature, name=title)
            for pair, title in titles.items()
        )
        await asyncio.gather(*edits)
    return titles


async def _arrived(stage: Stage, edits: dict[Pair, str]) -> set[Pair]:
    """Returns those whose ticket does not show its title in time."""
    missing, until = set(edits), time.monotonic() + _ARRIVE_SECONDS
    while missing and time.monotonic() < until:
        for pair in list(missing):
            shown = await stage.tracker.show(pair.column.person_token, pair.column.project, pair.issue)
            if shown["title"] == edits[pair]:
                missing.discard(pair)
        await asyncio.sleep(0.3)
    return missing


async def _journals(stage: Stage) -> tuple[list[Exchange], list[Exchange]]:
    return await stage.board.journal(0), await stage.tracker.journal(0)


def _deliveries(board: Sequence[Exchange], column: Column) -> list[Exchange]:
    features = {pair.feature for pair in column.pairs}
    sent = [each for each in board if each.direction == "out" and each.kind == "webhook"]
    return [each for each in sent if each.body["data"].get("id") in features]


def _is_call(each: Exchange) -> bool:
    return each.direction == "in" and each.kind == "api" and not each.by_person


def _write(pair: Pair, title: str, tracker: Sequence[Exchange]) -> Exchange:
    """The first one that carried it. Raises BenchError."""
    for each in tracker:
        if _is_call(each) and each.method == "PUT" and pair.is_meant(each.path) and title in str(each.body):
            return each
    raise BenchError(f"The journal does not show how {title!r} was carried over.")


def _way(pair: Pair, title: str, board: Sequence[Exchange], tracker: Sequence[Exchange]) -> float:
    """Milliseconds from the edit's answer to the write's answer."""
    edit = next(
        each for each in board if each.direction == "in" and each.by_person and title in str(each.body)
    )
    return (_write(pair, title, tracker).ended_at - edit.ended_at) * 1000


def _overlap(calls: Sequence[Exchange]) -> bool:
    """Whether a call to this ticket began before the one before it had ended."""
    ordered = sorted(calls, key=lambda each: each.started_at)
    return any(two.started_at < one.ended_at for one, two in itertools.pairwise(ordered))
