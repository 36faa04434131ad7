"""What was measured, kept in build/ and written into the documents: tables between two marks, plots beside them.

A part that was not measured this time stays as it was, with its own day and noise. The prose is written by hand.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.noise import Noise, machine

_ROOT = Path(__file__).parents[1]
_MARKS = re.compile(r"(<!-- measured: (?P<parts>[^\n]*?) -->\n)(?P<old>.*?)(<!-- /measured -->)", re.DOTALL)
_MET = {True: "yes", False: "**no**", None: ""}

Parts = dict[str, dict[str, Any]]


class Record:
    """One file of figures, and the documents that show them."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.parts: Parts = json.loads(file.read_text())["parts"] if file.exists() else {}

    def keep(self, parts: Mapping[str, Sequence[Figure]], noise: Noise, command: str) -> None:
        taken = {
            "on": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": machine().rpartition(", load")[0],
            "noise": asdict(noise),
            "command": command,
        }
        for title, figures in parts.items():
            self.parts[title] = taken | {"figures": [each.as_json() for each in figures]}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps({"parts": self.parts}, indent=1) + "\n")

    def write_into(self, document: Path) -> None:
        text = document.read_text()
        document.write_text(_MARKS.sub(self._section, text))

    def _section(self, found: re.Match[str]) -> str:
        titles = [each.strip() for each in found["parts"].split(";")]
        known = [self.parts[title] for title in titles if title in self.parts]
        if not known:
            return found[0]
        figures = [each for part in known for each in part["figures"]]
        return f"{found[1]}{_taken(known[0])}\n\n{_tables(figures)}\n{found[4]}"


def _taken(part: Mapping[str, Any]) -> str:
    noise = part["noise"]
    slower = noise["median_ms"] / noise["best_ms"]
    return (
        f"{part['on']}, {part['machine']}, load {noise['load']:.1f}, a fixed loop at {slower:.2f} times its best: "
        f"`{part['command']}`."
    )


def _tables(figures: Sequence[Mapping[str, Any]]) -> str:
    plain = [each for each in figures if "by" not in each and each["result"]]
    return "\n\n".join([*_compared([each for each in figures if "by" in each]), *_listed(plain)])


def _compared(figures: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """One column for each thing that was compared."""
    if not figures:
        return
    columns = list(figures[0]["by"])
    judged = any(each["aim"] for each in figures)
    head = ["", *columns, *(["as fast"] if judged else [])]
    rows = [
        [each["name"], *(_shown(each["by"].get(column), each) for column in columns)]
        + ([_MET[each["met"]]] if judged else [])
        for each in figures
    ]
    yield _markdown(head, rows)


def _shown(value: object, figure: Mapping[str, Any]) -> str:
    return f"{value:.1f} {figure['unit']}" if isinstance(value, float) else str(value or "")


def _listed(figures: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    if figures:
        rows = [
            [
                each["name"].strip(),
                each["result"],
                each["aim"].replace("<=", "≤").replace(">=", "≥"),
                _MET[each["met"]],
            ]
            for each in figures
        ]
        yield _markdown(["what", "result", "aim", "met"], rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(each.replace('|', '/') for each in line)} |" for line in lines)


def write_performance(record: Record) -> None:
    from bench.plots import draw_all  # noqa: PLC0415 - a run that keeps nothing needs no plotting library

    record.write_into(_ROOT / "docs" / "performance.md")
    draw_all(record.parts, _ROOT / "docs" / "img")


def write_reliability(record: Record) -> None:
    record.write_into(_ROOT / "docs" / "reliability.md")
