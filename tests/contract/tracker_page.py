"""The tables of `docs/trackers.md`: what each tracker can, where it stands, and what it passed when the kit ran last.

`make tracker-table` runs the kit and writes the page anew; a test holds the first two tables against the code.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from keepstep.adapters.registry import known_trackers
from keepstep.adapters.trackers import TrackerAdapter
from keepstep.adapters.trackers.quality import State, quality_of

PAGE = Path(__file__).parents[2] / "docs" / "trackers.md"
REPORT = Path(__file__).parents[2] / "build" / "kit.xml"
_STATED = ("<!-- stated by the code from here -->", "<!-- stated to here -->")
_RUN = ("<!-- seen by `make tracker-table` from here -->", "<!-- seen to here -->")
_ABLE = {
    "delete_events": "deletion told",
    "restore": "restored",
    "follows_moves": "moves followed",
    "labels": "labels",
    "assignee": "assignee",
    "comments": "comments",
    "redelivers": "asks again for lost deliveries",
    "write_precondition": "write precondition",
}


def stated() -> str:
    adapters = [each for each in known_trackers().values() if each.package.startswith("keepstep.")]
    return "\n\n".join(["\n".join(_manifests(adapters)), "\n".join(_quality(adapters))])


def _manifests(adapters: list[TrackerAdapter]) -> Iterator[str]:
    yield "| tracker | tried on | text | notifications | marker found by | can |"
    yield "|---|---|---|---|---|---|"
    for adapter in adapters:
        manifest = adapter.manifest
        able = ", ".join(words for name, words in _ABLE.items() if getattr(manifest.capabilities, name))
        signed = "" if manifest.channel != "webhook by hand" else ", else by looking"
        yield (
            f"| **{manifest.name}** | {quality_of(adapter).ran_on} | {manifest.text_format.replace('_', ' ')} "
            f"| {manifest.channel}{signed} | {manifest.marker} | {able} |"
        )


def _quality(adapters: list[TrackerAdapter]) -> Iterator[str]:
    names = [each.manifest.name for each in adapters]
    marks = [quality_of(each).rules for each in adapters]
    yield f"| expectation | {' | '.join(names)} |"
    yield f"|---{'|---' * len(names)}|"
    rules = list(dict.fromkeys(name for found in marks for name in found))
    for rule in rules:
        cells = [_cell(found[rule].state, found[rule].comment) if rule in found else "" for found in marks]
        yield f"| {rule.replace('_', ' ')} | {' | '.join(cells)} |"


def _cell(state: State, comment: str) -> str:
    word = {State.DONE: "done", State.TODO: "**to do**", State.EXEMPT: "n/a"}[state]
    return f"{word}: {comment}" if comment else word


def seen(report: Path = REPORT) -> str:
    """From pytest's own report of the run."""
    names = {each.manifest.name.replace(" ", "") for each in known_trackers().values()}
    passed: dict[str, int] = {}
    skipped: dict[str, dict[str, int]] = {}
    for case in ET.parse(report).iter("testcase"):
        name = re.search(r"Test(\w+?)(?:Kit)?\Z", case.get("classname", ""))
        if name is None or name.group(1) not in names:
            continue
        skip = case.find("skipped")
        if skip is None:
            assert case.find("failure") is None, f"{case.get('name')} failed"
            passed[name.group(1)] = passed.get(name.group(1), 0) + 1
        else:
            reasons = skipped.setdefault(name.group(1), {})
            reason = skip.get("message", "")
            reasons[reason] = reasons.get(reason, 0) + 1
    lines = ["| tracker | passed | skipped, and why |", "|---|---|---|"]
    for name, count in sorted(passed.items()):
        reasons = "; ".join(skipped.get(name, {})) or "nothing"
        lines.append(f"| {name} | {count} | {reasons} |")
    return "\n".join(lines)


def _between(text: str, marks: tuple[str, str], content: str) -> str:
    before, _, rest = text.partition(marks[0])
    _, _, after = rest.partition(marks[1])
    return f"{before}{marks[0]}\n\n{content}\n\n{marks[1]}{after}"


def page(*, anew: bool) -> str:
    text = _between(PAGE.read_text(), _STATED, stated())
    return _between(text, _RUN, seen()) if anew else text


if __name__ == "__main__":
    PAGE.write_text(page(anew=True))
    sys.stdout.write(f"{PAGE.name} is written.\n")
