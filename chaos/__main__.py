"""`python -m chaos`: CHAOS_S seconds of storm over CHAOS_LINKS Links, thrown by CHAOS_SEED; exit code 0 if all held."""

import asyncio
import contextlib
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

from chaos.checker import Verdict, judge
from chaos.clocks import clock_offsets
from chaos.looking import Looking
from chaos.people import People
from chaos.place import Place, open_place
from chaos.town import ChaosError, Town
from chaos.weather import Weather

_WORKERS = 2
_KILL_EVERY_SECONDS = 6.0
_LONGEST_STORM = 300.0
_LIFE_SAMPLE = 20
_LIFE_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    seconds: float
    links: int
    seed: str
    quarters: int
    edits_per_second: float
    patience: float
    """Seconds after the storm within which all has to be quiet."""


def _plan() -> Plan:
    seconds = float(os.environ.get("CHAOS_S", "120"))
    links = int(os.environ.get("CHAOS_LINKS", "500"))
    return Plan(
        seconds=min(seconds, _LONGEST_STORM),
        links=links,
        seed=os.environ.get("CHAOS_SEED", "1"),
        quarters=max(1, min(5, links // 40)),
        edits_per_second=float(os.environ.get("CHAOS_EDITS", "8")),
        patience=float(os.environ.get("CHAOS_PATIENCE", "180")),
    )


async def _run(plan: Plan) -> bool:
    dice = random.Random(plan.seed)  # noqa: S311 - a seed, so that it can be run again
    async with open_place(_WORKERS) as place, _opened(Town(place, dice)) as town:
        began = time.monotonic()
        await town.build(plan.quarters, plan.links, spare=max(4, plan.links // 40))
        looking = Looking(town)
        await looking.quiet(plan.patience, rest=4)
        before = judge(await looking.sights())
        _say(f"{before.links} Links made in {time.monotonic() - began:.0f} s, {before.share} % in step")
        if not before.good:
            raise ChaosError(f"It was not in order before the storm: {before.findings}")
        people = People(town, plan.seed, plan.edits_per_second)
        await people.meet()
        weather = Weather(town, plan.seed)
        kills = await _storm(plan, place, weather, people)
        _say(f"storm: {sum(people.did.values())} acts {dict(people.did)}")
        _say(f"storm: {sum(weather.met.values())} faults {dict(weather.met)}")
        _say(f"storm: {sum(kills.values())} workers killed, the database ended once")
        _say(_clocks(kills))
        rest = await looking.quiet(plan.patience)
        verdict = judge(await looking.sights())
        _say(
            f"at rest {rest:.0f} s after the storm; {verdict.decisions} fields wait for a person or are warned of"
        )
        alive = await _alive(town, people, dice)
        return _tell(verdict, alive, place.complaints())


@contextlib.asynccontextmanager
async def _opened(town: Town) -> AsyncIterator[Town]:
    try:
        yield town
    finally:
        await town.aclose()


def _clocks(kills: Counter[int]) -> str:
    if clock_offsets() == (0,):
        return "storm: all clocks were true; others skipped: no libfaketime here"
    wrong = {f"{seconds:+d} s": times for seconds, times in sorted(kills.items()) if seconds}
    return f"storm: {sum(wrong.values())} workers started with a wrong clock {wrong}"


async def _storm(plan: Plan, place: Place, weather: Weather, people: People) -> Counter[int]:
    """Returns how many workers were killed, by how far ahead the clock of the next one was."""
    dice = random.Random(f"{plan.seed} kills")  # noqa: S311 - a seed, so that it can be run again
    kills, restarted = Counter[int](), False
    tasks = [asyncio.create_task(weather.storm()), asyncio.create_task(people.live())]
    began = time.monotonic()
    try:
        while (left := began + plan.seconds - time.monotonic()) > 0:
            await asyncio.sleep(min(left, _KILL_EVERY_SECONDS * dice.uniform(0.5, 1.5)))
            for task in tasks:
                if task.done():
                    task.result()
            clock = dice.choice(clock_offsets())
            await place.kill_worker(dice.randrange(_WORKERS), clock)
            kills[clock] += 1
            if not restarted and time.monotonic() - began > plan.seconds / 2:
                await asyncio.to_thread(place.restart_database)
                restarted = True
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await weather.calm_down()
    return kills


async def _alive(town: Town, people: People, dice: random.Random) -> str:
    """One more edit on some Links: what is quiet must not be dead. "" when all were carried over."""
    quarters = {each.integration: each for each in town.quarters}
    links = [each for each in await town.links() if each["state"] == "linked"]
    wanted = {}
    for number, link in enumerate(dice.sample(links, min(_LIFE_SAMPLE, len(links)))):
        quarter, key = quarters[link["integration"]], link["ticket"]["label"].removeprefix("#")
        title = f"Alive {number}"
        if number % 2:
            await people.write_ticket(quarter, key, title=title)
        else:
            await people.write_feature(quarter, link["feature"]["id"], name=title)
        wanted[quarter.number, link["feature"]["id"], key] = title
    until = time.monotonic() + _LIFE_SECONDS
    while wanted and time.monotonic() < until:
        for place, title in list(wanted.items()):
            quarter = town.quarters[place[0]]
            shown = (
                (await people.feature(quarter, place[1]))["name"],
                (await people.ticket(quarter, place[2]))["title"],
            )
            if shown == (title, title):
                del wanted[place]
        await asyncio.sleep(0.5)
    return f"{len(wanted)} of the last edits were not carried over: {list(wanted)[:3]}" if wanted else ""


def _tell(verdict: Verdict, dead: str, complaints: list[str]) -> bool:
    for each in verdict.findings:
        _say(f"found: {each}")
    for line in complaints[:5]:
        _say(f"defect: {line[:1500]}")
    if dead:
        _say(f"found: {dead}")
    _say(f"chaos: duplicates {verdict.duplicates}, in step {verdict.share} %, left {verdict.left}")
    return verdict.good and not dead and not complaints


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    plan = _plan()
    _say(f"chaos: seed {plan.seed}, {plan.links} Links, {plan.seconds:.0f} s of storm")
    try:
        return 0 if asyncio.run(_run(plan)) else 1
    except ChaosError as error:
        _say(f"chaos: could not be carried out: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
