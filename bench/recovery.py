"""An outage of Productboard, of the tracker, of the database, while people go on editing: how soon all is in step.

The scaled shape with one worker. What is out is really out: its process is ended, nothing listens. Edits are made on
the sides that are there; those for the side that is away wait. Counted from the moment it is back: when each edited
Link shows its last title on both sides. The service polls every 30 s here, since GitTab, as GitLab, does not send a
failed webhook again.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from bench.edits import Edit, Way, What
from bench.figures import BenchError, Figure
from bench.fleet import Fleet
from bench.processes import wait_for
from bench.stage import Column, Pair, Stage, open_stage, start_emulator

_LONGEST_SECONDS = 240.0
_POLL_SECONDS = "30"
_NUMBERS = itertools.count(700)

_Act = Callable[[], Awaitable[None]]


async def measure(seconds: float, edits: int) -> list[Figure]:
    def fleet(folder: Path, port: int) -> Fleet:
        return Fleet(folder, port, poll_every=_POLL_SECONDS)

    async with open_stage(make_service=fleet) as stage:
        column = await stage.add_column(edits)
        await stage.push(column, edits)
        figures = []
        for name, ways in (
            ("Productboard", (Way.TO_FEATURE,)),
            ("the tracker", (Way.TO_TICKET,)),
            ("the database", tuple(Way)),
        ):
            down, up = _switches(stage, name)
            figures.append(await _outage(stage, column, name, ways, down, up, seconds))
        return figures


def _switches(stage: Stage, name: str) -> tuple[_Act, _Act]:
    fleet = stage.service
    if not isinstance(fleet, Fleet):
        raise BenchError("This is measured on several processes.")

    async def database_down() -> None:
        await asyncio.to_thread(fleet.cluster.stop)

    async def database_up() -> None:
        await asyncio.to_thread(fleet.cluster.ensure_started)

    if name == "the database":
        return database_down, database_up
    kind, emulator = ("productboard", stage.board) if name == "Productboard" else ("gittab", stage.tracker)

    async def down() -> None:
        await stage.emulators[kind].stop()

    async def up() -> None:
        port = urlsplit(emulator.address).port or 0
        stage.emulators[kind] = start_emulator(kind, port, fleet.folder)
        await wait_for(stage.emulators[kind], f"{emulator.address}/_sandbox/health")

    return down, up


async def _outage(
    stage: Stage, column: Column, name: str, ways: tuple[Way, ...], down: _Act, up: _Act, seconds: float
) -> Figure:
    await down()
    began = time.monotonic()
    titles: dict[Pair, str] = {}
    for number, pair in enumerate(column.pairs):
        edit = Edit(ways[number % len(ways)], What.TITLE, pair, next(_NUMBERS))
        await edit.make(stage)
        titles[pair] = edit.title
        await asyncio.sleep(max(0.0, began + (number + 1) * seconds / len(column.pairs) - time.monotonic()))
    await up()
    back = time.monotonic()
    arrived = await _until_in_step(stage, titles)
    lost = len(titles) - len(arrived)
    times = sorted(each - back for each in arrived.values())
    result = (
        f"{times[-1]:.0f} s after it is back (half: {times[len(times) // 2]:.0f} s)" if times else "never"
    )
    return Figure(
        f"{name} away for {seconds:.0f} s, {len(titles)} edits meanwhile",
        f"all in step {result}; {lost} lost",
        "0 lost",
        lost == 0,
        {"unit": "s", "values": times, "lost": lost},
    )


async def _until_in_step(stage: Stage, titles: dict[Pair, str]) -> dict[Pair, float]:
    """When each of them was first seen in step."""
    found: dict[Pair, float] = {}
    until = time.monotonic() + _LONGEST_SECONDS
    while len(found) < len(titles) and time.monotonic() < until:
        for pair, title in titles.items():
            if pair not in found and await _shows(stage, pair, title):
                found[pair] = time.monotonic()
        await asyncio.sleep(0.5)
    return found


async def _shows(stage: Stage, pair: Pair, title: str) -> bool:
    column = pair.column
    feature = await stage.board.show(column.person_token, pair.feature)
    ticket = await stage.tracker.show(column.person_token, column.project, pair.issue)
    return bool(feature["name"] == ticket["title"] == title)
