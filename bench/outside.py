"""The two emulators as the bench uses them: seeding, a person's edits, clicks, and their journals."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.figures import BenchError

SERVICE_AGENT = "keepstep"
PERSON_AGENT = "bench"
# The servers close a connection that was idle for 5 s; one used again at that very moment would fail.
SHORT_LIVED = httpx.Limits(keepalive_expiry=2)
DESCRIPTION = (
    "<p>Field crews lose their connection for hours. They must be able to <b>read and edit</b> their board, and "
    "everything has to be sent once they are back.</p><h2>Must have</h2><ul><li>Open the last used board without a "
    "network</li><li>Queue edits and show how many wait</li><li>Resolve conflicts <i>by field</i>, not by item</li>"
    '</ul><p>Sketches: <a href="https://design.example/offline">design file</a>.</p><p>Revision 0.</p>'
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One line of an emulator's journal."""

    direction: str
    kind: str
    method: str
    path: str
    status: int | None
    started_at: float
    ended_at: float
    milliseconds: float
    by_service: bool
    by_person: bool
    """Of this bench; what is neither of the two is another program."""
    body: Any

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "Exchange":
        return cls(
            entry["direction"],
            entry["kind"],
            entry["method"],
            entry["path"],
            entry["status"],
            entry["started_at"],
            entry["at"],
            entry["duration_ms"],
            entry["request_headers"].get("user-agent") == SERVICE_AGENT,
            entry["request_headers"].get("user-agent") == PERSON_AGENT,
            entry["request_body"],
        )

    @property
    def is_call(self) -> bool:
        """The service asked or told the emulator something."""
        return self.direction == "in" and self.kind == "api" and self.by_service


class Emulator:
    """Control and journal of one emulator."""

    def __init__(self, address: str, state_file: Path) -> None:
        self.address = address
        self._state_file = state_file
        self.client = httpx.AsyncClient(
            base_url=address,
            trust_env=False,
            timeout=30,
            limits=SHORT_LIVED,
            headers={"User-Agent": PERSON_AGENT},
        )

    async def control(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """Raises BenchError."""
        answer = await self.client.request(method, f"/_sandbox/{path}", json=body, params=params)
        if answer.is_error:
            raise BenchError(f"{method} {path} was answered with {answer.status_code}: {answer.text[:300]}")
        return answer.json() if answer.content else None

    async def position(self) -> int:
        """Where the journal stands; `since` for later."""
        found = await self.control("GET", "journal", since=2**60)
        return int(found["last_seq"])

    async def journal(self, since: int) -> list[Exchange]:
        found = await self.control("GET", "journal", since=since)
        return [Exchange.of(entry) for entry in found["entries"]]

    async def is_idle(self) -> bool:
        return bool((await self.control("GET", "idle", within=0.5, limit=0.1))["idle"])

    async def forget_journal(self) -> None:
        await self.control("DELETE", "journal")

    def saved_state(self) -> dict[str, Any]:
        """What it keeps over a restart, the secrets of its callbacks among it."""
        state: dict[str, Any] = json.loads(self._state_file.read_text())["state"]
        return state

    async def aclose(self) -> None:
        await self.client.aclose()


async def checked(answer: httpx.Response) -> Any:
    """Its JSON. Raises BenchError for anything but 2xx."""
    if not answer.is_success:
        request = answer.request
        raise BenchError(
            f"{request.method} {request.url} was answered with {answer.status_code}: {answer.text[:300]}"
        )
    return answer.json() if answer.content else None


class Board(Emulator):
    """Productboard."""

    async def add_workspace(self, name: str, tokens: Sequence[str], features: int) -> list[str]:
        """The ids of its features. The first token is the service's and has the vendor's budget."""
        service, *persons = tokens
        entities = [
            {"type": "feature", "fields": {"name": f"Feature {number}", "description": DESCRIPTION}}
            for number in range(1, features + 1)
        ]
        budgets = [{"token": service}, *({"token": each, "per_second": 1_000_000} for each in persons)]
        made = await self.control(
            "POST", "seed", {"workspace": name, "tokens": budgets, "entities": entities}
        )
        return [str(each) for each in made["entities"]]

    async def click(self, column: str, feature: str) -> tuple[str, float]:
        """The cell's state that results, and how long the answer took."""
        body = {"integrationId": column, "entityId": feature, "trigger": "button.push"}
        outcome = await self.control("POST", "click", body)
        connection = outcome["connection"]
        return str(connection["state"]), float(outcome["answer_ms"])

    async def edit(self, token: str, feature: str, **fields: Any) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        body = {"data": {"fields": fields}}
        await checked(await self.client.patch(f"/v2/entities/{feature}", json=body, headers=headers))

    async def show(self, token: str, feature: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        found = await checked(await self.client.get(f"/v2/entities/{feature}", headers=headers))
        fields: dict[str, Any] = found["data"]["fields"]
        return fields


class Tracker(Emulator):
    """GitTab."""

    async def add_project(self, project: int, tokens: Sequence[str]) -> None:
        """The first token is the service's. No limit per minute: what the service allows itself is what acts."""
        wanted = [{"token": each, "projects": [project]} for each in tokens]
        labels = [{"project": project, "name": name} for name in ("workflow::doing", "workflow::review")]
        await self.control(
            "POST",
            "seed",
            {
                "projects": [{"id": project, "path": f"bench/project-{project}"}],
                "labels": labels,
                "limits": {"requests_per_minute": None},
            },
        )
        await self.control("POST", "seed", {"tokens": wanted})

    async def edit(self, token: str, project: int, issue: int, **fields: Any) -> None:
        address, headers = f"/api/v4/projects/{project}/issues/{issue}", {"PRIVATE-TOKEN": token}
        await checked(await self.client.put(address, json=fields, headers=headers))

    async def show(self, token: str, project: int, issue: int) -> dict[str, Any]:
        address, headers = f"/api/v4/projects/{project}/issues/{issue}", {"PRIVATE-TOKEN": token}
        found: dict[str, Any] = await checked(await self.client.get(address, headers=headers))
        return found
