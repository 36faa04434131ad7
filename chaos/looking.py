"""Waiting until all is quiet, and gathering what the checker judges."""

import asyncio
import time
from typing import Any

from chaos.checker import Sight
from chaos.town import ChaosError, Quarter, Town

REST_SECONDS = 24.0
"""Two polls and more without a write, and without anything that waits."""


class Looking:
    def __init__(self, town: Town) -> None:
        self._town = town
        self._at = {"board": 0, "tracker": 0}

    async def quiet(self, limit: float, rest: float = REST_SECONDS) -> float:
        """Seconds until the last write; gives up after `limit` with what is there then."""
        began = last = time.monotonic()
        while time.monotonic() - began < limit:
            if await self._writes() or not await self._at_rest():
                last = time.monotonic()
            if time.monotonic() - last >= rest:
                break
            await asyncio.sleep(0.5)
        return last - began

    async def _writes(self) -> int:
        """The service's calls since the last look that change something."""
        count = 0
        for side in self._at:
            query: dict[str, str | int] = {"since": self._at[side], "direction": "in"}
            answer = await self._town.http.get(f"{self._address(side)}/_sandbox/journal", params=query)
            told = await self._town.said(answer)
            self._at[side] = told["last_seq"]
            count += sum(_is_write(each) for each in told["entries"])
        return count

    async def _at_rest(self) -> bool:
        try:
            for quarter in self._town.quarters:
                found = await self._town.ask("GET", f"/integrations/{quarter.integration}")
                if found["waiting"] or found["links"]["working"] or found["state"] != "active":
                    return False
        except ChaosError:
            return False
        return True

    def _address(self, side: str) -> str:
        return self._town.place.board if side == "board" else self._town.place.tracker

    # ---- for the checker

    async def sights(self) -> list[Sight]:
        links = await self._town.links()
        return [
            await self._sight(each, [link for link in links if link["integration"] == each.integration])
            for each in self._town.quarters
        ]

    async def _sight(self, quarter: Quarter, links: list[Any]) -> Sight:
        integration = await self._town.ask("GET", f"/integrations/{quarter.integration}")
        board = {"Authorization": f"Bearer {quarter.board_token}"}
        address = f"{self._town.place.board}/v2"
        features = await self._pages(f"{address}/entities?type[]=feature", board)
        cells = await self._pages(f"{address}/plugin-integrations/{quarter.column}/connections", board)
        return Sight(
            features={each["id"]: each["fields"] for each in features},
            tickets=await self._tickets(quarter),
            cells={each["id"]: each["fields"]["connection"] for each in cells},
            links=links,
            status_map=quarter.status_map,
            waiting=integration["waiting"],
        )

    async def _pages(self, address: str, headers: dict[str, str]) -> list[Any]:
        found: list[Any] = []
        following: str | None = address
        while following:
            page = await self._town.said(await self._town.http.get(following, headers=headers))
            found += page["data"]
            following = page["links"]["next"]
        return found

    async def _tickets(self, quarter: Quarter) -> dict[str, Any]:
        found: dict[str, Any] = {}
        address = f"{self._town.place.tracker}/api/v4/projects/{quarter.project}/issues"
        headers, page = {"PRIVATE-TOKEN": quarter.person}, 1
        while True:
            query: dict[str, str | int] = {"state": "all", "scope": "all", "per_page": 100, "page": page}
            part = await self._town.said(await self._town.http.get(address, params=query, headers=headers))
            found |= {str(each["iid"]): each for each in part}
            if len(part) < 100:
                return found
            page += 1


def _is_write(entry: dict[str, Any]) -> bool:
    ours = entry["request_headers"].get("user-agent") == "keepstep"
    path = entry["path"].split("?")[0]
    return ours and entry["method"] != "GET" and not path.endswith("/search")
