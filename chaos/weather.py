"""Faults by the dice: answers wrong, late, cut off or lost after the work was done; deliveries that go astray."""

import asyncio
import random
from collections import Counter
from typing import Any

from chaos.town import ChaosError, Town

_EVERY_SECONDS = 0.5
_API = {"board": "/v2/*", "tracker": "/api/v4/*"}
# Weight, name, rule. `times` is thrown when the rule is made.
_KINDS: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (4, "error before the work", {"status": 503}),
    (4, "error after the work", {"status": 502, "when": "after"}),
    (3, "too many requests", {"status": 429, "headers": {"Retry-After": "1"}}),
    (3, "slow", {"delay_s": 1.5}),
    (1, "too slow", {"delay_s": 11.0, "when": "after"}),
    (4, "answer lost after the work", {"drop": True, "when": "after"}),
    (2, "connection closed before the work", {"drop": True}),
    (3, "answer cut off", {"status": 200, "body": '{"data": {"id": "5b', "when": "after"}),
    (4, "delivery lost", {"direction": "out", "lose": True}),
    (4, "delivery doubled", {"direction": "out", "duplicate": True}),
    (4, "deliveries reordered", {"direction": "out", "reorder": True}),
    (2, "delivery late", {"direction": "out", "delay_s": 3.0}),
)


class Weather:
    def __init__(self, town: Town, seed: str) -> None:
        self._town, self._dice = town, random.Random(seed)  # noqa: S311 - a seed, so that it can be run again
        self.met: Counter[str] = Counter()
        """How often each kind of fault has struck."""
        self._made: dict[str, dict[str, str]] = {"board": {}, "tracker": {}}

    async def storm(self) -> None:
        """Until cancelled."""
        while True:
            await self._add()
            await asyncio.sleep(_EVERY_SECONDS)

    async def _add(self) -> None:
        side = self._dice.choice(("board", "tracker"))
        _, name, rule = self._dice.choices(_KINDS, [weight for weight, *_ in _KINDS])[0]
        inbound = rule.get("direction") != "out"
        method = self._dice.choice(("*", "GET", "POST", "PUT"))
        match = f"{method} {_API[side]}" if inbound else "* *"
        body = {"match": match, "times": self._dice.randint(1, 3), **rule}
        made = await self._town.said(await self._town.http.post(f"{self._address(side)}/faults", json=body))
        self._made[side][made["id"]] = name

    async def calm_down(self) -> None:
        """No fault is left; `met` says what they did."""
        for side, names in self._made.items():
            answer = await self._town.said(await self._town.http.get(f"{self._address(side)}/faults"))
            for each in answer["faults"]:
                if each["id"] in names:
                    self.met[names[each["id"]]] += each["hits"]
            cleared = await self._town.http.delete(f"{self._address(side)}/faults")
            if not cleared.is_success:
                raise ChaosError("The faults cannot be cleared.")

    def _address(self, side: str) -> str:
        place = self._town.place
        return f"{place.board if side == 'board' else place.tracker}/_sandbox"
