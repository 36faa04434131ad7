"""`python -m bench.reliability [--quick] [--record]`: outages, chaos, crash points; the tables of docs/reliability.md.

Each is also there alone (`make chaos`, `make crash`); this runs them one after the other and writes down what they
said in their last lines. Exit code 1 when one of them did not hold.
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import recovery
from bench.figures import BenchError, Figure
from bench.noise import listen_to_the_machine
from bench.record import Record, write_reliability

_ROOT = Path(__file__).parents[1]
_FIGURES = _ROOT / "build" / "reliability.json"
_VERDICT = re.compile(
    r"chaos: duplicates (?P<duplicates>\d+), in step (?P<share>[\d.]+) %, left (?P<left>\d+)"
)
_POINTS = re.compile(r"crash points: (?P<survived>\d+) of (?P<all>\d+) survived")
_LINES = {
    "acts": re.compile(r"storm: (\d+) acts"),
    "faults": re.compile(r"storm: (\d+) faults"),
    "kills": re.compile(r"storm: (\d+) workers killed"),
    "quiet": re.compile(r"at rest (\d+) s"),
}


@dataclass(frozen=True, slots=True)
class Scale:
    outage_seconds: float
    edits: int
    storms: Sequence[Mapping[str, str]]
    crash: Sequence[str]
    """Arguments of `python -m crash`."""


FULL = Scale(
    60,
    20,
    (
        {"CHAOS_SEED": "1", "CHAOS_LINKS": "500", "CHAOS_S": "120"},
        {"CHAOS_SEED": "7", "CHAOS_LINKS": "150", "CHAOS_S": "100", "CHAOS_EDITS": "14"},
        {"CHAOS_SEED": "2", "CHAOS_LINKS": "60", "CHAOS_S": "40"},
    ),
    (),
)
QUICK = Scale(
    10, 6, ({"CHAOS_SEED": "2", "CHAOS_LINKS": "40", "CHAOS_S": "20"},), ("--sample", "40", "--seconds", "90")
)


def outages(scale: Scale) -> list[Figure]:
    return asyncio.run(recovery.measure(scale.outage_seconds, scale.edits))


def storms(scale: Scale) -> list[Figure]:
    return [_storm(each) for each in scale.storms]


def _storm(settings: Mapping[str, str]) -> Figure:
    said, seconds = _ran("chaos", [], settings)
    verdict = _VERDICT.search(said)
    if verdict is None:
        raise BenchError(f"chaos gave no verdict: {said.strip().splitlines()[-1:]}")
    found = {name: (line.search(said) or [None, "?"])[1] for name, line in _LINES.items()}
    good = verdict["duplicates"] == "0" and verdict["share"] == "100" and verdict["left"] == "0"
    return Figure(
        " ".join(f"{name}={value}" for name, value in settings.items()),
        f"duplicates {verdict['duplicates']}, in step {verdict['share']} %, left {verdict['left']}; "
        f"{found['acts']} acts, {found['faults']} faults, {found['kills']} workers killed, "
        f"quiet {found['quiet']} s after the storm; {seconds:.0f} s in all",
        "duplicates 0, in step 100 %",
        good,
        {"duplicates": int(verdict["duplicates"]), "share": float(verdict["share"])},
    )


def crash_points(scale: Scale) -> list[Figure]:
    said, seconds = _ran("crash", scale.crash, {"PYTHONPATH": str(_ROOT / "tests")})
    found = _POINTS.search(said)
    if found is None:
        raise BenchError(f"The crash points gave no verdict: {said.strip().splitlines()[-1:]}")
    which = "every point, and some again in their recovery" if not scale.crash else "a sample of the points"
    return [
        Figure(
            which,
            f"{found['survived']} of {found['all']} survived; {seconds:.0f} s",
            "all",
            found["survived"] == found["all"],
            {"survived": int(found["survived"]), "all": int(found["all"])},
        )
    ]


def _ran(module: str, arguments: Sequence[str], settings: Mapping[str, str]) -> tuple[str, float]:
    """What it said on standard output, and its seconds; its exit code says no more than that does."""
    started = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own modules
        [sys.executable, "-m", module, *arguments],
        cwd=_ROOT,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stdout, time.monotonic() - started


PARTS: Mapping[str, Callable[[Scale], list[Figure]]] = {
    "Outages": outages,
    "Chaos": storms,
    "Crash points": crash_points,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.reliability", description="Outages, chaos and crash points.")
    parser.add_argument(
        "--quick", action="store_true", help="shorter outages, one storm, a sample of the points"
    )
    parser.add_argument("--only", default="", metavar="WORD", help="only the part whose title has this in it")
    parser.add_argument("--record", action="store_true", help="write the tables of docs/reliability.md")
    chosen = parser.parse_args()
    scale, held, record = QUICK if chosen.quick else FULL, True, Record(_FIGURES)
    for title, part in PARTS.items():
        if chosen.only.lower() not in title.lower():
            continue
        sys.stdout.write(f"\n{title}\n")
        noise = listen_to_the_machine()
        try:
            figures = part(scale)
        except BenchError as error:
            sys.stdout.write(f"  FAILED: {error}\n")
            held = False
            continue
        sys.stdout.writelines(f"{each.line()}\n" for each in figures)
        held = held and all(each.met is not False for each in figures)
        if chosen.record:
            record.keep({title: figures}, noise, "make reliability")
            write_reliability(record)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
