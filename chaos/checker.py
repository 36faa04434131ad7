"""The verdict, from what both emulators show and the service's API says. Knows nothing of the service's code."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_MARKER = re.compile(r"keepstep[0-9a-f]{32}")
_WORD = re.compile(r"\bw\d+\b")
_SEEN_FINDINGS = 12


@dataclass
class Verdict:
    links: int = 0
    in_step: int = 0
    duplicates: int = 0
    left: int = 0
    """Notices not handled, Links and cells that are not at rest."""
    decisions: int = 0
    """Fields that wait for a person, or that a side refuses: they are not counted as out of step."""
    findings: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return self.links > 0 and self.in_step == self.links and not self.duplicates and not self.left

    @property
    def share(self) -> str:
        """Never rounded up to 100."""
        if self.in_step == self.links:
            return "100"
        return f"{min(99.9, 100 * self.in_step / max(1, self.links)):.1f}"

    def found(self, what: str) -> None:
        if len(self.findings) < _SEEN_FINDINGS:
            self.findings.append(what)


@dataclass(frozen=True)
class Sight:
    """What one integration's two sides show."""

    features: Mapping[str, Mapping[str, Any]]
    """Entity id to its fields."""
    tickets: Mapping[str, Mapping[str, Any]]
    """Key to the issue."""
    cells: Mapping[str, Mapping[str, Any]]
    """Entity id to what its cell shows, where it shows something."""
    links: Iterable[Mapping[str, Any]]
    """As the API lists them."""
    status_map: Mapping[str, Mapping[str, str]]
    waiting: int


def judge(sights: Iterable[Sight]) -> Verdict:
    verdict = Verdict()
    for each in sights:
        _judge_links(verdict, each)
        _judge_tickets(verdict, each)
        verdict.left += each.waiting
        if each.waiting:
            verdict.found(f"{each.waiting} notices wait")
    return verdict


def _judge_links(verdict: Verdict, sight: Sight) -> None:
    linked = set()
    for link in sight.links:
        feature = link["feature"]["id"]
        linked.add(feature)
        verdict.links += 1
        if link["state"] not in ("linked", "in conflict", "refused") or link["ticket"] is None:
            verdict.left += 1
            verdict.found(
                f"the Link of {feature} is {link['state']}: {(link['trouble'] or {}).get('message')}"
            )
            continue
        key = link["ticket"]["label"].removeprefix("#")
        differs = _differences(sight, feature, key)
        open_fields = {*link["conflicts"], *link["warnings"]}
        verdict.decisions += len(open_fields)
        if differs.keys() - open_fields:
            verdict.found(f"{feature} and #{key} are not in step: {differs}")
        else:
            verdict.in_step += 1
        cell = sight.cells.get(feature, {"state": "initial"})
        if cell["state"] != "connected" or cell.get("hoverLabel") != f"#{key}":
            verdict.left += 1
            verdict.found(f"the cell of {feature} shows {cell}")
    for feature, cell in sight.cells.items():
        # An error without a Link is the answer to a click that came to nothing; the person dismisses it.
        if feature not in linked and cell["state"] != "error":
            verdict.left += 1
            verdict.found(f"the cell of {feature}, which is not linked, shows {cell}")


def _differences(sight: Sight, feature: str, key: str) -> dict[str, Any]:
    one, two = sight.features[feature], sight.tickets.get(key)
    if two is None:
        return {"ticket": "it is gone"}
    found = {
        "title": (one["name"].split(), two["title"].split()),
        "description": (_WORD.findall(one["description"] or ""), _WORD.findall(two["description"] or "")),
    }
    differs: dict[str, Any] = {name: pair for name, pair in found.items() if pair[0] != pair[1]}
    mine, theirs = one["status"]["id"], _status_of(two)
    to_ticket, to_feature = sight.status_map["to_ticket"], sight.status_map["to_feature"]
    if to_ticket.get(mine) != theirs and to_feature.get(theirs) != mine:
        differs["status"] = (one["status"]["name"], theirs)
    return differs


def _status_of(ticket: Mapping[str, Any]) -> str:
    if ticket["state"] == "closed":
        return "closed"
    labels = [each for each in ticket["labels"] if each.startswith("workflow::")]
    return f"label:{labels[0]}" if labels else "opened"


def _judge_tickets(verdict: Verdict, sight: Sight) -> None:
    """A marker stands in one ticket, and every ticket with a marker is some Link's; one ticket a feature."""
    marks: Counter[str] = Counter()
    ours = {link["ticket"]["label"].removeprefix("#") for link in sight.links if link["ticket"]}
    for key, ticket in sight.tickets.items():
        found = set(_MARKER.findall(ticket["description"] or ""))
        marks.update(found)
        if found and key not in ours:
            verdict.duplicates += 1
            verdict.found(f"#{key} carries a marker and belongs to no Link")
    for mark, count in marks.items():
        if count > 1:
            verdict.duplicates += count - 1
            verdict.found(f"{count} tickets carry {mark}")
