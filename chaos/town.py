"""What stands before the storm: workspaces and projects on both emulators, and integrations over the service's API."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from chaos.place import Place

_FIRST_PROJECT = 101
_CONNECT_SECONDS = 60.0
STATUS_LABELS = ["workflow::doing", "workflow::review"]
_PUSHES_AT_ONCE = 12


class ChaosError(Exception):
    """The run itself could not go on; it says nothing about the service's promises."""


@dataclass
class Quarter:
    """One integration: a workspace, a project, tokens of its own."""

    number: int
    features: list[str]
    """Not pushed yet."""
    integration: str = ""
    column: str = ""
    statuses: list[str] = field(default_factory=list)
    """Ids of feature statuses that are mapped."""
    status_map: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def project(self) -> int:
        return _FIRST_PROJECT + self.number

    @property
    def board_token(self) -> str:
        return f"chaos-board-of-the-service-{self.number}"

    @property
    def tracker_token(self) -> str:
        return f"chaos-tracker-of-the-service-{self.number}"

    @property
    def person(self) -> str:
        return f"chaos-token-of-a-person-{self.number}"


class Town:
    def __init__(self, place: Place, dice: random.Random) -> None:
        self.place, self.dice = place, dice
        self.http = httpx.AsyncClient(timeout=30, trust_env=False, limits=httpx.Limits(keepalive_expiry=2))
        self.quarters: list[Quarter] = []
        self._token = ""

    async def aclose(self) -> None:
        await self.http.aclose()

    async def build(self, quarters: int, links: int, spare: int) -> None:
        """Connected, and so many Links at rest; each quarter keeps some features that nobody has pushed."""
        self._token = await asyncio.to_thread(self.place.api_token)
        share = -(-links // quarters)
        for number in range(quarters):
            self.quarters.append(await self._connected(number, share + spare))
        slots = asyncio.Semaphore(_PUSHES_AT_ONCE)
        left = links
        pushes = []
        for quarter in self.quarters:
            count = min(share, left)
            left -= count
            pushes += [self._push(slots, quarter, quarter.features.pop()) for _ in range(count)]
        await asyncio.gather(*pushes)

    async def _push(self, slots: asyncio.Semaphore, quarter: Quarter, feature: str) -> None:
        async with slots:
            await self.click(quarter, feature)

    async def _connected(self, number: int, features: int) -> Quarter:
        quarter = Quarter(number, [])
        entities = [
            {"fields": {"name": f"Feature {number}-{each}", "description": _description(number, each)}}
            for each in range(features)
        ]
        tokens = [{"token": each, "per_second": 1_000_000} for each in (quarter.board_token, quarter.person)]
        seed = {"workspace": f"chaos-{number}", "tokens": tokens, "entities": entities}
        made = await self.said(await self.http.post(f"{self.place.board}/_sandbox/seed", json=seed))
        quarter.features = [str(each) for each in made["entities"]]
        for seed in self._seeds_of_the_tracker(quarter):
            await self.said(await self.http.post(f"{self.place.tracker}/_sandbox/seed", json=seed))
        found = await self.ask("POST", "/integrations", self._wanted(quarter))
        until = time.monotonic() + _CONNECT_SECONDS
        while found["state"] != "active":
            if found["failure"] or time.monotonic() > until:
                raise ChaosError(
                    f"The integration is not connected: {found['failure'] or 'it takes too long'}"
                )
            await asyncio.sleep(0.2)
            found = await self.ask("GET", f"/integrations/{found['id']}")
        quarter.integration, quarter.column = found["id"], found["registrations"]["column"]
        quarter.status_map = found["policy"]["status_map"]
        quarter.statuses = sorted(quarter.status_map["to_ticket"])
        return quarter

    @staticmethod
    def _seeds_of_the_tracker(quarter: Quarter) -> list[dict[str, Any]]:
        project = quarter.project
        tokens = [{"token": each, "projects": [project]} for each in (quarter.tracker_token, quarter.person)]
        return [
            {
                "projects": [{"id": project, "path": f"chaos/project-{project}"}],
                "labels": [{"project": project, "name": name} for name in STATUS_LABELS],
                "limits": {"requests_per_minute": None},
            },
            {"tokens": tokens},
        ]

    def _wanted(self, quarter: Quarter) -> dict[str, Any]:
        return {
            "name": f"Quarter {quarter.number}",
            "board": {"base_url": f"{self.place.board}/v2", "token": quarter.board_token},
            "tracker": {
                "kind": "gittab",
                "base_url": self.place.tracker,
                "token": quarter.tracker_token,
                "settings": {"status_labels": STATUS_LABELS},
            },
            "project": str(quarter.project),
        }

    # ---- asking

    async def ask(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """The service's API. Raises ChaosError."""
        headers = {"Authorization": f"Bearer {self._token}"}
        address = f"{self.place.web}/api/v1{path}"
        return await self.said(
            await self.http.request(method, address, json=body, params=params, headers=headers)
        )

    async def said(self, answer: httpx.Response) -> Any:
        """Its JSON. Raises ChaosError for anything but 2xx, and for what a fault has cut off."""
        if not answer.is_success:
            request = answer.request
            raise ChaosError(f"{request.method} {request.url}: {answer.status_code} {answer.text[:300]}")
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise ChaosError(f"{answer.request.url}: no JSON") from error

    async def links(self) -> list[Any]:
        """Every Link there is."""
        found: list[Any] = []
        while True:
            page = await self.ask("GET", "/links", sort="created", offset=len(found), limit=100)
            found += page["items"]
            if not page["items"] or len(found) >= page["total"]:
                return found

    async def click(self, quarter: Quarter, feature: str, trigger: str = "button.push") -> None:
        body = {"integrationId": quarter.column, "entityId": feature, "trigger": trigger}
        await self.said(await self.http.post(f"{self.place.board}/_sandbox/click", json=body))


def _description(quarter: int, feature: int) -> str:
    """Three paragraphs of words that stand nowhere else."""
    start = quarter * 100_000 + feature * 10
    return "".join(f"<p>w{start + each} first</p>" for each in range(3))
