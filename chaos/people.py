"""Many people at once: they rename, move, rewrite paragraphs, push, push twice, unlink; on either side, by the dice."""

import asyncio
import itertools
import random
import re
from collections import Counter
from typing import Any

import httpx

from chaos.town import ChaosError, Quarter, Town

_CROWD = 12
_MARKER = re.compile(r"keepstep[0-9a-f]{32}")
_STATES: tuple[dict[str, str], ...] = (
    {"state_event": "close"},
    {"state_event": "reopen"},
    {"add_labels": "workflow::doing"},
    {"remove_labels": "workflow::doing"},
)


class People:
    def __init__(self, town: Town, seed: str, edits_per_second: float) -> None:
        self._town, self._seed = town, seed
        self._pause = _CROWD / edits_per_second
        self._words = itertools.count(90_000_000)
        self._pairs: list[tuple[Quarter, str, str]] = []
        """Quarter, feature, ticket key."""
        self.did: Counter[str] = Counter()

    async def meet(self) -> None:
        """Learn what is linked."""
        quarters = {each.integration: each for each in self._town.quarters}
        self._pairs = [
            (quarters[each["integration"]], each["feature"]["id"], each["ticket"]["label"].removeprefix("#"))
            for each in await self._town.links()
            if each["ticket"] is not None
        ]

    async def live(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as crowd:
            for number in range(_CROWD):
                crowd.create_task(self._one(random.Random(f"{self._seed} {number}")))  # noqa: S311 - a seed

    async def _one(self, dice: random.Random) -> None:
        while True:
            await asyncio.sleep(self._pause * dice.uniform(0.5, 1.5))
            quarter, feature, ticket = dice.choice(self._pairs)
            weights = (44, 44, 6, 3, 3)
            acts = (self._edit_feature, self._edit_ticket, self._push_new, self._push_again, self._unlink)
            act = dice.choices(acts, weights)[0]
            try:
                await act(dice, quarter, feature, ticket)
                self.did[act.__name__.strip("_").replace("_", " ")] += 1
            except (ChaosError, httpx.HTTPError):
                self.did["met an error"] += 1

    def _word(self) -> str:
        return f"w{next(self._words)}"

    # ---- on the board

    async def feature(self, quarter: Quarter, feature: str) -> Any:
        address = f"{self._town.place.board}/v2/entities/{feature}"
        answer = await self._town.http.get(address, headers={"Authorization": f"Bearer {quarter.person}"})
        return (await self._town.said(answer))["data"]["fields"]

    async def write_feature(self, quarter: Quarter, feature: str, **fields: Any) -> None:
        address = f"{self._town.place.board}/v2/entities/{feature}"
        headers = {"Authorization": f"Bearer {quarter.person}"}
        body = {"data": {"fields": fields}}
        await self._town.said(await self._town.http.patch(address, json=body, headers=headers))

    async def _edit_feature(self, dice: random.Random, quarter: Quarter, feature: str, _ticket: str) -> None:
        match dice.choice(("title", "status", "description")):
            case "title":
                await self.write_feature(quarter, feature, name=f"Called {self._word()}")
            case "status":
                await self.write_feature(quarter, feature, status={"id": dice.choice(quarter.statuses)})
            case _:
                before = (await self.feature(quarter, feature))["description"] or ""
                parts = re.findall(r"<p>.*?</p>", before, re.DOTALL) or [""]
                parts[dice.randrange(len(parts))] = f"<p>{self._word()} on the board</p>"
                await self.write_feature(quarter, feature, description="".join(parts))

    # ---- at the tracker

    async def ticket(self, quarter: Quarter, ticket: str) -> Any:
        answer = await self._town.http.get(
            self._issue(quarter, ticket), headers={"PRIVATE-TOKEN": quarter.person}
        )
        return await self._town.said(answer)

    async def write_ticket(self, quarter: Quarter, ticket: str, **fields: str) -> None:
        headers = {"PRIVATE-TOKEN": quarter.person}
        await self._town.said(
            await self._town.http.put(self._issue(quarter, ticket), json=fields, headers=headers)
        )

    def _issue(self, quarter: Quarter, ticket: str) -> str:
        return f"{self._town.place.tracker}/api/v4/projects/{quarter.project}/issues/{ticket}"

    async def _edit_ticket(self, dice: random.Random, quarter: Quarter, _feature: str, ticket: str) -> None:
        match dice.choice(("title", "status", "description")):
            case "title":
                await self.write_ticket(quarter, ticket, title=f"Called {self._word()}")
            case "status":
                await self.write_ticket(quarter, ticket, **dice.choice(_STATES))
            case _:
                before = (await self.ticket(quarter, ticket))["description"] or ""
                parts = before.split("\n\n")
                ours = [number for number, part in enumerate(parts) if re.match(r"w\d", part)]
                if ours:
                    parts[dice.choice(ours)] = f"{self._word()} at the tracker"
                await self.write_ticket(quarter, ticket, description="\n\n".join(parts))

    # ---- on the button

    async def _push_new(self, dice: random.Random, quarter: Quarter, _feature: str, _ticket: str) -> None:
        if not quarter.features:
            return
        feature = quarter.features.pop()
        clicks = [self._town.click(quarter, feature) for _ in range(dice.choice((1, 2)))]
        await asyncio.gather(*clicks)

    async def _push_again(self, _dice: random.Random, quarter: Quarter, feature: str, _ticket: str) -> None:
        await self._town.click(quarter, feature)

    async def _unlink(self, dice: random.Random, quarter: Quarter, feature: str, _ticket: str) -> None:
        await self._town.click(quarter, feature, "button.unlink")
        if dice.random() < 0.5:
            await self._town.click(quarter, feature)
