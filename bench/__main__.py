"""`python -m bench [--quick] [--only WORDS] [--record]`: measure, print, stop everything. Exit code 1 if a step failed.

`--record` keeps the figures in build/bench.json and writes the tables and plots of docs/performance.md.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from bench import (
    answers,
    beside,
    burst,
    changes,
    growth,
    resting,
    saturation,
    starting,
    sweep_cost,
    throughput,
)
from bench import scale as several
from bench.edits import Way
from bench.figures import BenchError, Figure
from bench.noise import Noise, listen_to_the_machine, machine
from bench.record import Record, write_performance
from bench.stage import Column, Stage, open_stage


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything."""

    starts: int
    clicks: int
    pairs: int
    """Of the column that is measured alone."""
    webhook_repeats: int
    webhook_seconds: float
    edits: int
    call_repeats: int
    columns: int
    """Of the throughput with several tokens."""
    pairs_per_column: int
    drains: int
    idle_seconds: float
    rest_seconds: float
    ways: tuple[Way, ...]
    """Of the throughput with several tokens."""
    bursts: int
    rates: tuple[float, ...]
    rate_seconds: float
    workers: tuple[int, ...]
    empty_jobs: int
    swept: tuple[int, int]
    """Links, and how many of them changed."""
    sizes: tuple[int, ...]
    """Links of the growth."""
    beside: beside.Scale | None
    """None: n8n is left out."""


FULL = Scale(
    3, 30, 60, 3, 4.0, 99, 3, 5, 30, 3, 10.0, 1.8, tuple(Way), 5, saturation.RATES, 3.0, (1, 2, 3), 500,
    (10_000, 50), growth.SIZES, beside.Scale(30, 60, 10, 20),
)  # fmt: skip
QUICK = Scale(
    1, 2, 10, 1, 1.0, 6, 1, 2, 6, 1, 1.0, 2.5, (Way.TO_TICKET,), 1, (50,), 1.0, (1,), 50,
    (120, 4), (100, 300), None,
)  # fmt: skip

_FIGURES = Path(__file__).parents[1] / "build" / "bench.json"
_TOGETHER = (
    "Start", "Rest", "Clicks", "Calls until quiet", *(f"Edit to change, {way.value}" for way in Way), "Burst",
    "Webhooks", "Load", "Changes per second, one process", "After the load",
)  # fmt: skip
"""On one stage."""

_Step = Callable[[], Awaitable[Sequence[Figure]]]


class Report:
    """Prints each part as soon as it is measured and goes on after one that failed."""

    def __init__(self, only: str = "") -> None:
        self._only = [each.strip() for each in only.lower().split(",")]
        self.parts: dict[str, list[Figure]] = {}
        self.failures: list[str] = []
        self.began = time.monotonic()

    async def part(self, title: str, step: _Step) -> None:
        if not self.wants([title]):
            return
        self.say(f"\n{title}")
        try:
            figures = await step()
        except (BenchError, httpx.HTTPError, OSError) as error:
            why = str(error) or type(error).__name__
            self.failures.append(f"{title}: {why}")
            self.say(f"  FAILED: {why}")
            return
        self.parts.setdefault(title, []).extend(figures)
        for figure in figures:
            self.say(figure.line())

    def wants(self, titles: Sequence[str]) -> bool:
        return any(word in each.lower() for each in titles for word in self._only)

    def say(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def as_json(self, scale: Scale, before: Noise, after: Noise) -> dict[str, Any]:
        parts = {title: [each.as_json() for each in figures] for title, figures in self.parts.items()}
        noise = {"before": asdict(before), "after": asdict(after)}
        return {"scale": asdict(scale), "noise": noise, "parts": parts, "failures": self.failures}


async def _measure(report: Report, scale: Scale) -> None:
    await report.part("Start", lambda: starting.measure(scale.starts))
    async with open_stage(scale.rest_seconds) as stage:
        column = await stage.add_column(scale.pairs + scale.clicks)
        await report.part("Rest", lambda: _rest(stage, scale))
        await report.part("Clicks", lambda: answers.clicks(stage, column, scale.clicks))
        await stage.push(column, scale.pairs - scale.clicks)
        await report.part("Calls until quiet", lambda: changes.calls(stage, column, scale.call_repeats))
        for way in Way:
            await report.part(
                f"Edit to change, {way.value}",
                lambda way=way: changes.latency(stage, column, way, scale.edits),  # type: ignore[misc]
            )
        await report.part("Burst", lambda: burst.measure(stage, column, scale.bursts))
        await report.part("Webhooks", lambda: _webhooks(stage, column, scale))
        await report.part("Load", lambda: saturation.measure(stage, column, scale.rates, scale.rate_seconds))
        await report.part("Changes per second, one process", lambda: _throughput(stage, column, scale))
        await report.part("After the load", lambda: _after(stage))


async def _measure_apart(report: Report, scale: Scale) -> None:
    """What has a stage of its own."""
    await report.part("Workers", lambda: _workers(scale))
    await report.part("Sweep", lambda: sweep_cost.measure(*scale.swept))
    wanted = scale.beside
    if wanted is not None:
        await report.part("Beside n8n", lambda: beside.measure(wanted))
    await report.part("Growth", lambda: growth.measure(scale.sizes, report.say))


async def _workers(scale: Scale) -> list[Figure]:
    pairs = max(1, scale.pairs_per_column // 3)
    return await several.measure(scale.workers, scale.columns, pairs, scale.empty_jobs, scale.drains)


async def _rest(stage: Stage, scale: Scale) -> list[Figure]:
    idle = await resting.processor(stage, scale.idle_seconds)
    return [await resting.memory(stage, "connected, idle", judged=True), idle]


async def _webhooks(stage: Stage, column: Column, scale: Scale) -> list[Figure]:
    return await answers.webhooks(stage, column, repeats=scale.webhook_repeats, seconds=scale.webhook_seconds)


async def _throughput(stage: Stage, column: Column, scale: Scale) -> list[Figure]:
    figures = [await throughput.measure(stage, [column], way, scale.drains) for way in Way]
    several = [await stage.add_column(scale.pairs_per_column) for _ in range(scale.columns)]
    await asyncio.gather(*(stage.push(each, scale.pairs_per_column) for each in several))
    return [*figures, *[await throughput.measure(stage, several, way, scale.drains) for way in scale.ways]]


async def _after(stage: Stage) -> list[Figure]:
    await stage.quiet()
    return [await resting.memory(stage, "after the load", judged=False)]


async def _run(scale: Scale, target: Path | None, only: str, command: str | None) -> int:
    report, before = Report(only), listen_to_the_machine()
    report.say(f"Keepstep's bench on {machine()}. Aims stand beside the results.")
    me = asyncio.current_task()
    if me is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    try:
        if report.wants(_TOGETHER):
            await _measure(report, scale)
        await _measure_apart(report, scale)
    except (BenchError, httpx.HTTPError) as error:
        report.failures.append(str(error) or type(error).__name__)
    after = listen_to_the_machine()
    best = min(before.best_ms, after.best_ms)
    report.say("\nNoise")
    report.say(f"  {before.line('before', best)}")
    report.say(f"  {after.line('after', best)}")
    missed = [each.name.strip() for figures in report.parts.values() for each in figures if each.met is False]
    report.say(f"\nTook {time.monotonic() - report.began:.0f} s. Aims missed: {'; '.join(missed) or 'none'}.")
    for failure in report.failures:
        report.say(f"FAILED: {failure}")
    if target is not None:
        text = json.dumps(report.as_json(scale, before, after), indent=1) + "\n"
        target.write_text(text)  # noqa: ASYNC240 - nothing else runs any more
    if command is not None:
        record = Record(_FIGURES)
        record.keep(report.parts, before, command)
        write_performance(record)
    return 1 if report.failures else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measure Keepstep on this machine.")
    parser.add_argument("--quick", action="store_true", help="little of everything, in less than a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures for machines as well")
    parser.add_argument(
        "--only",
        default="",
        metavar="WORDS",
        help="only the parts whose title has one of these in it (commas)",
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="write the figures into build/bench.json and docs/performance.md",
    )
    chosen = parser.parse_args()
    command = None
    if chosen.record:
        command = f"make bench ONLY={chosen.only!r}" if chosen.only else "make bench"
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        return asyncio.run(_run(QUICK if chosen.quick else FULL, chosen.json, chosen.only, command))
    return 130


if __name__ == "__main__":
    sys.exit(main())
