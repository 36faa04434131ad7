"""`python -m bench.text`: what reading, writing and planning a description cost, in units of one markdown-it-py parse.

Parse and work take turns in one process and are measured in its own processor time, so that what others do on the
machine touches both alike. Nothing is remembered between two turns unless a line says so.
"""

import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from bench.figures import Figure
from bench.noise import listen_to_the_machine, machine
from keepstep.adapters.formats.markdown import GITLAB, Markdown
from keepstep.adapters.formats.productboard_html import ProductboardHtml
from keepstep.adapters.formats.remembered import remembered
from keepstep.domain.document import fresh
from keepstep.domain.fields import Snapshot
from keepstep.domain.link import Base
from keepstep.domain.plan import Plan, make_plan
from keepstep.domain.policy import StatusMap, SyncPolicy
from keepstep.domain.rules import DescriptionRule, field_rules

_CORPUS = Path(__file__).parent.parent / "tests" / "unit" / "text" / "corpus"
_BOARD, _TICKET = ProductboardHtml(), Markdown(GITLAB)
_SMALL, _MIDDLE, _LARGE = 20_000, 50_000, 500_000
_TURNS = {_SMALL: 15, _MIDDLE: 5, _LARGE: 3}
_PLAN_AIM, _GROWTH_AIM = 4.0, 15.0
_MEMORY_AIM = 100.0
"""Bytes for each character of both sides' texts together, at the worst moment of a plan."""


@dataclass(frozen=True, slots=True)
class _Sample:
    markdown: str
    html: str

    @classmethod
    def of(cls, length: int) -> "_Sample":
        """Tickets as people write them, one after the other."""
        tickets = [path.read_bytes().decode() for path in sorted(_CORPUS.glob("*.md"))]
        times = length // sum(map(len, tickets)) + 1
        markdown = "\n\n".join(tickets * times)[:length]
        return cls(markdown, _BOARD.write(_TICKET.read(markdown)))

    @property
    def base(self) -> Base:
        return Base(Snapshot("a", self.html, None), Snapshot("a", self.markdown, None))

    def now(self, *, feature: bool = False, ticket: bool = False) -> Base:
        """One word changed at the front of the feature, one sentence added at the end of the ticket."""
        html = self.html.replace("the", "that", 1) if feature else self.html
        markdown = f"{self.markdown}\n\nLast words.\n" if ticket else self.markdown
        return Base(Snapshot("a", html, None), Snapshot("a", markdown, None))


def _plan(base: Base, now: Base) -> Plan:
    rule = DescriptionRule(_BOARD, _TICKET, (), "keepstep" + "0" * 32)
    return make_plan(field_rules(StatusMap(), rule, 255), SyncPolicy(), base, now)


def _works(sample: _Sample) -> dict[str, Callable[[], object]]:
    document = _TICKET.read(sample.markdown)
    return {
        "read Markdown": lambda: _TICKET.read(sample.markdown),
        "read Productboard HTML": lambda: _BOARD.read(sample.html),
        "write Markdown back": lambda: _TICKET.write(document),
        "write Markdown anew": lambda: _TICKET.write(fresh(document)),
        "write Productboard HTML": lambda: _BOARD.write(document),
        "plan, nothing changed": lambda: _plan(sample.base, sample.now()),
        "plan, a word changed in the feature": lambda: _plan(sample.base, sample.now(feature=True)),
        "plan, a sentence added to the ticket": lambda: _plan(sample.base, sample.now(ticket=True)),
        "plan, both": lambda: _plan(sample.base, sample.now(feature=True, ticket=True)),
    }


def _taken(work: Callable[[], object]) -> float:
    gc.collect()
    started = time.process_time()
    work()
    return time.process_time() - started


@dataclass(frozen=True, slots=True)
class _Measured:
    seconds: Sequence[float]
    ratios: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def _measured(
    parse: Callable[[], object], work: Callable[[], object], turns: int, *, warm: bool
) -> _Measured:
    seconds, ratios = [], []
    if turns > 1:
        work()
    for _ in range(turns):
        if not warm:
            remembered.forget()
        one = _taken(work)
        seconds.append(one)
        ratios.append(one / _taken(parse))
    return _Measured(seconds, ratios)


def _ratio(name: str, measured: _Measured) -> Figure:
    middle = statistics.median(measured.ratios)
    planning = name.startswith("plan")
    return Figure(
        name,
        f"{middle:.2f} parses [{min(measured.ratios):.2f}-{max(measured.ratios):.2f}]  {measured.median * 1000:.1f} ms",
        f"<= {_PLAN_AIM:g} parses" if planning else "",
        middle <= _PLAN_AIM if planning else None,
        {"unit": "parses", "values": list(measured.ratios)},
    )


def _growth(name: str, middle: _Measured, large: _Measured) -> Figure:
    times = large.median / max(middle.median, 1e-6)
    shown = f"{times:.1f} times  ({middle.median * 1000:.0f} ms, {large.median * 1000:.0f} ms)"
    return Figure(name, shown, f"<= {_GROWTH_AIM:g} times", times <= _GROWTH_AIM, {"times": times})


def _memory() -> list[Figure]:
    """What one plan with edits on both sides needs at most, and what of it the process keeps for the next."""
    sample = _Sample.of(_LARGE)
    base, now = sample.base, sample.now(feature=True, ticket=True)
    characters = len(sample.html) + len(sample.markdown)
    remembered.forget()
    gc.collect()
    tracemalloc.start()
    _plan(base, now)
    peak = tracemalloc.get_traced_memory()[1]
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    each = peak / characters
    return [
        Figure(
            "plan, both: at most",
            f"{peak / 1e6:.0f} MB, {each:.0f} bytes a character of both texts",
            f"<= {_MEMORY_AIM:g} bytes",
            each <= _MEMORY_AIM,
            {"unit": "bytes", "values": [peak]},
        ),
        Figure(
            "plan, both: kept for the next",
            f"{kept / 1e6:.0f} MB",
            "",
            None,
            {"unit": "bytes", "values": [kept]},
        ),
    ]


def measured_figures() -> dict[str, list[Figure]]:
    """By heading."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    found: dict[int, dict[str, _Measured]] = {}
    warm: dict[str, _Measured] = {}
    for size, turns in _TURNS.items():
        sample = _Sample.of(size)

        def parse(text: str = sample.markdown) -> object:
            return parser.parse(text)

        works = _works(sample)
        found[size] = {name: _measured(parse, work, turns, warm=False) for name, work in works.items()}
        if size == _SMALL:
            warm = {
                f"{name}, seen before": _measured(parse, work, turns, warm=True)
                for name, work in works.items()
                if name.startswith("plan, ") and "nothing" not in name
            }
    small = [_ratio(name, one) for name, one in (*found[_SMALL].items(), *warm.items())]
    grown = [
        _growth(name, found[_MIDDLE][name], found[_LARGE][name])
        for name in found[_LARGE]
        if "nothing" not in name
    ]
    return {
        f"A description of {_SMALL // 1000} kB, in parses by markdown-it-py (CommonMark, tables, strikethrough)": small,
        f"From {_MIDDLE // 1000} kB to {_LARGE // 1000} kB": grown,
        f"Memory for a description of {_LARGE // 1000} kB": _memory(),
    }


def main() -> int:
    out = sys.stdout
    out.write(f"{machine()}\n")
    before = listen_to_the_machine()
    parts = measured_figures()
    after = listen_to_the_machine()
    for title, figures in parts.items():
        out.write(f"\n{title}\n")
        out.writelines(f"{figure.line()}\n" for figure in figures)
    best = min(before.best_ms, after.best_ms)
    out.write(f"\nnoise\n  {before.line('before', best)}\n  {after.line('after', best)}\n")
    missed = [figure for figures in parts.values() for figure in figures if figure.met is False]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
