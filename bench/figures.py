"""What a measurement says, its aim beside it, and how both are printed."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

_NAME_WIDTH = 50
_RESULT_WIDTH = 62


class BenchError(Exception):
    """A step could not be carried out; one sentence says why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    name: str
    result: str
    aim: str = ""
    met: bool | None = None
    """None where nothing is aimed at."""
    numbers: dict[str, Any] = field(default_factory=dict)
    """The same for machines."""

    def line(self) -> str:
        verdict = {True: "yes", False: "NO", None: ""}[self.met]
        return (
            f"  {self.name:<{_NAME_WIDTH}} {self.result:<{_RESULT_WIDTH}} {self.aim:<26} {verdict}".rstrip()
        )

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "result": self.result, "aim": self.aim, "met": self.met, **self.numbers}


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed (nearest rank, so it was measured)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median, and the range where there is more than one value."""
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} [{min(values):.{digits}f}-{max(values):.{digits}f}]"


def times(
    name: str,
    runs: Sequence[Sequence[float]],
    shares: Sequence[float],
    aims: dict[float, float] | None = None,
) -> Figure:
    """Milliseconds by quantile: the median over the runs, with their range. An aim is held against that median."""
    found = {share: [quantile(run, share) for run in runs] for share in shares}
    words = [f"p{share * 100:.0f} {spread(values)}" for share, values in found.items()]
    met = aim = None
    if aims:
        met = all(statistics.median(found[share]) <= most for share, most in aims.items())
        aim = ", ".join(f"p{share * 100:.0f} <= {most:g} ms" for share, most in aims.items())
    count = sum(len(run) for run in runs)
    return Figure(
        name,
        "  ".join(words) + f" ms  n {count}",
        aim or "",
        met,
        {"unit": "ms", "n": count, **{f"p{share * 100:.0f}": values for share, values in found.items()}},
    )


def amount(
    name: str,
    values: Sequence[float],
    unit: str,
    *,
    most: float | None = None,
    judged: Callable[[Sequence[float]], float] = statistics.median,
    digits: int = 1,
    note: str = "",
) -> Figure:
    """A quantity over its repeats; `judged` picks what the aim is held against."""
    counted = f"  n {len(values)}" if len(values) > 1 else ""
    return Figure(
        name,
        f"{spread(values, digits)} {unit}{counted}{'  ' + note if note else ''}",
        f"<= {most:g} {unit}" if most is not None else "",
        judged(values) <= most if most is not None else None,
        {"unit": unit, "values": list(values), "note": note},
    )
