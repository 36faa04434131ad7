"""Changes a second with one, two and three workers, beside what the engine does with jobs that do nothing; one run.

Each number of workers meets both, one right after the other, so that the machine's noise touches them alike. A change
is two syncs: the one that carries it over, and the one that looks at our own echo.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg

from bench import throughput
from bench.edits import Way
from bench.empty_jobs import fill
from bench.figures import BenchError, Figure, spread
from bench.fleet import Fleet
from bench.processes import Child, clean_environment
from bench.stage import Column, Stage, open_stage

_SYNCS_PER_CHANGE = 2
_SHARE_AIM = 0.4
_REST_SECONDS = 4.5
"""A call that met the limit of its token comes again after two seconds or so; that is not quiet yet."""
_EMPTY_SECONDS = 120.0


async def measure(workers: Sequence[int], columns: int, pairs: int, jobs: int, repeats: int) -> list[Figure]:
    async with open_stage(_REST_SECONDS, Fleet) as stage:
        places = [await stage.add_column(pairs) for _ in range(columns)]
        for each in places:
            await stage.push(each, pairs)
        fleet = stage.service
        if not isinstance(fleet, Fleet):
            raise BenchError("This is measured on several processes.")
        rates: dict[str, float] = {}
        bare: dict[str, float] = {}
        figures: list[Figure] = []
        for number in workers:
            await fleet.set_workers(number)
            syncs = [await _syncs(stage, places) for _ in range(repeats)]
            empty = [await _empty(fleet, number, jobs) for _ in range(repeats)]
            rates[str(number)], bare[str(number)] = sorted(syncs)[repeats // 2], sorted(empty)[repeats // 2]
            figures.append(_figure(number, syncs, empty))
        numbers = {"unit": "a second", "syncs": rates, "empty jobs": bare}
        return [
            *figures,
            Figure(
                "Links and tokens per side", f"{columns * pairs} Links, {columns} tokens", numbers=numbers
            ),
        ]


def _figure(number: int, syncs: Sequence[float], empty: Sequence[float]) -> Figure:
    share = sorted(syncs)[len(syncs) // 2] / sorted(empty)[len(empty) // 2]
    workers = "1 worker" if number == 1 else f"{number} workers"
    return Figure(
        f"{workers}: syncs, and empty jobs",
        f"{spread(syncs)} syncs/s, {spread(empty)} empty jobs/s: {share:.0%}  n {len(syncs)}",
        f">= {_SHARE_AIM:.0%}",
        share >= _SHARE_AIM,
        {"unit": "a second", "values": list(syncs), "empty": list(empty)},
    )


async def _syncs(stage: Stage, columns: Sequence[Column]) -> float:
    return (await throughput.drain(stage, columns, Way.TO_TICKET)).rate * _SYNCS_PER_CHANGE


async def _empty(fleet: Fleet, workers: int, jobs: int) -> float:
    """Jobs a second in a database of its own, on the same server. Raises BenchError."""
    with psycopg.connect(fleet.dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty_jobs")
        try:
            dsn = fleet.dsn.replace("/postgres?", "/empty_jobs?")
            await fill(dsn, jobs)
            return await _work_off(fleet.folder, dsn, workers, jobs)
        finally:
            connection.execute("DROP DATABASE empty_jobs WITH (FORCE)")


async def _work_off(folder: Path, dsn: str, workers: int, jobs: int) -> float:
    command = [sys.executable, "-m", "bench.empty_jobs", dsn]
    environment = clean_environment(PYTHONPATH=str(Path(__file__).parents[1]))
    children: list[Child] = []
    try:
        children += [Child(f"empty-{n}", command, folder, environment) for n in range(workers)]
        with psycopg.connect(dsn, autocommit=True) as connection:
            return await _watch(connection, jobs)
    finally:
        for each in children:
            await each.stop()


async def _watch(connection: psycopg.Connection, jobs: int) -> float:
    """From when a tenth is done, so that starting is not counted, until none is left."""
    began, at_begin = 0.0, 0
    until = time.monotonic() + _EMPTY_SECONDS
    while time.monotonic() < until:
        row = connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone()
        left, now = (row[0] if row else 0), time.perf_counter()
        if not began and left <= jobs * 0.9:
            began, at_begin = now, left
        if left == 0:
            return at_begin / max(now - began, 0.001)
        await asyncio.sleep(0.02)
    raise BenchError("The empty jobs were not done in time.")
