"""Faults on demand: what an unlucky network or a bad day of the vendor does, made repeatable.

A rule matches a request by `METHOD /path/glob` and acts `times` times. Inbound: delay, answer something else
before or after the work is done, close the connection, or accept a write and ignore it. Outbound: a
delivery is lost, doubled, delayed, or held back until the next one has gone.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class FaultRule(BaseModel):
    """One rule as the control API takes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: str = Field(default="* *", description="method or *, a blank, and a glob for the path or URL")
    direction: Literal["in", "out"] = "in"
    times: int | None = Field(default=1, ge=1, description="null: until deleted")
    delay_s: float = Field(default=0.0, ge=0)

    # inbound
    status: int | None = Field(default=None, ge=100, le=599)
    body: Any = None
    headers: dict[str, str] = Field(default_factory=dict)
    when: Literal["before", "after"] = "before"
    drop: bool = False
    ignore_write: bool = False

    # outbound
    lose: bool = False
    duplicate: bool = False
    reorder: bool = False

    def fits(self, method: str, *paths: str) -> bool:
        """True if the rule speaks of this method and one of these spellings of the address."""
        wanted, _, glob = self.match.partition(" ")
        if wanted not in ("*", method):
            return False
        return any(fnmatchcase(path, glob or "*") for path in paths)


@dataclass
class _Armed:
    id: str
    rule: FaultRule
    left: int | None
    hits: int = 0


class Faults:
    """The rules in force, first match wins."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self._ids = itertools.count(1)

    def add(self, rule: FaultRule | Mapping[str, Any]) -> str:
        """Arms a rule and returns its id. Raises pydantic's ValidationError for a wrong one."""
        checked = rule if isinstance(rule, FaultRule) else FaultRule.model_validate(rule)
        armed = _Armed(id=f"fault-{next(self._ids)}", rule=checked, left=checked.times)
        self._armed.append(armed)
        return armed.id

    def take(self, direction: str, method: str, *paths: str) -> tuple[str, FaultRule] | None:
        """The first rule with turns left that fits; one turn is used up."""
        for armed in self._armed:
            if armed.left == 0 or armed.rule.direction != direction or not armed.rule.fits(method, *paths):
                continue
            armed.hits += 1
            if armed.left is not None:
                armed.left -= 1
            return armed.id, armed.rule
        return None

    def shown(self) -> list[dict[str, Any]]:
        return [
            {
                "id": armed.id,
                "left": armed.left,
                "hits": armed.hits,
                **armed.rule.model_dump(exclude_defaults=True),
            }
            for armed in self._armed
        ]

    def remove(self, fault_id: str) -> bool:
        before = len(self._armed)
        self._armed = [armed for armed in self._armed if armed.id != fault_id]
        return len(self._armed) < before

    def clear(self) -> None:
        self._armed.clear()
