"""The list of all points, recording it anew, and ending the service at some or all of them."""

import contextlib
import os
import random
import sys
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from acceptance.processes import temporary_folder
from crash.scenarios import SCENARIOS, check_all_at_rest
from crash.site import CrashSite
from keepstep.adapters.postgres.embedded import embedded_postgres

LIST = Path(__file__).with_name("points.txt")
RENEW = "make crash-points"
_RECOVERY = 90
"""About as many points has one; the polls at its end are the same for all."""


@dataclass(frozen=True)
class Point:
    scenario: str
    number: int
    what: str
    again: int = 0
    """The point of the recovery at which that is ended as well."""

    def __str__(self):
        once = f"{self.scenario} {self.number:03} {self.what}"
        return f"{once}, and {self.again:03} of the recovery" if self.again else once


def listed():
    found = []
    for line in LIST.read_text().splitlines():
        scenario, number, what = line.split("\t")
        found.append(Point(scenario, int(number), what))
    return found


def record(site):
    """Every scenario once, undisturbed; checked as after a crash."""
    found = []
    for name, kind in SCENARIOS.items():
        scenario = kind(site)
        seen = site.record(scenario.action, **scenario.values())
        scenario.check()
        found += [Point(name, number, what) for number, what in enumerate(seen, start=1)]
    return found


def write_list(points):
    LIST.write_text("".join(f"{each.scenario}\t{each.number}\t{each.what}\n" for each in points))


def chosen(points, count, seed):
    """So many, the same for the same seed; every scenario is there. 0: all."""
    if not count or count >= len(points):
        return points
    dice = random.Random(seed)
    names = dict.fromkeys(each.scenario for each in points)
    one_each = [dice.choice([each for each in points if each.scenario == name]) for name in names]
    rest = [each for each in points if each not in one_each]
    picked = {*one_each, *dice.sample(rest, max(0, count - len(one_each)))}
    return [each for each in points if each in picked]


def ended_twice(points, count, seed):
    """So many of them, each with a point of its recovery. Not every recovery is so long; then it is ended once."""
    dice = random.Random(f"twice {seed}")
    return [
        replace(each, again=dice.randint(1, _RECOVERY)) for each in chosen(points, count, f"twice {seed}")
    ]


def survive(site, point):
    """Raises AssertionError, saying what broke."""
    scenario = SCENARIOS[point.scenario](site)
    found = site.crash(scenario.action, point.number, point.again, **scenario.values())
    assert "recovered" in found, f"no recovery: {found}"
    assert not found["crashes"], f"jobs met defects: {found['crashes']}"
    assert not found["left"], f"not done: {found['left']}"
    assert not found["writes"], f"not at rest, it still writes: {found['writes']}"
    scenario.check()


def survive_all(site, points, say):
    """The points that were not survived, each with its reason."""
    broken = []
    for each in points:
        began = time.monotonic()
        try:
            survive(site, each)
        except AssertionError as error:
            broken.append((each, str(error)))
            say(f"BROKEN {each}: {error}")
            if os.environ.get("CRASH_TRACE"):
                traceback.print_exc()
        else:
            say(f"{each}: {time.monotonic() - began:.1f} s")
    try:
        check_all_at_rest(site)
    except AssertionError as error:
        broken.append((Point("all together", 0, "at the end"), str(error)))
        say(f"BROKEN {broken[-1][0]}: {error}")
    return broken


@contextlib.contextmanager
def open_crash_site():
    """With a database server of its own."""
    with (
        temporary_folder() as folder,
        embedded_postgres(folder / "data", system_dir=folder / "system") as dsn,
    ):
        site = CrashSite(dsn, folder)
        try:
            yield site
        finally:
            site.close()


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
