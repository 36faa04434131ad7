"""A script that speaks to the JSON API of a world, and remembers every answer it got."""

from typing import Any

import httpx

from world import BOARD, BOARD_TOKEN, SERVICE, STATUS_LABELS, TRACKER, TRACKER_TOKEN, World

API = f"{SERVICE}/api/v1"


class Caller:
    def __init__(self, world: World, secret: str) -> None:
        self.world = world
        self.secret = secret
        self.heard: list[str] = []
        """Bodies and headers of all answers."""

    @classmethod
    async def open(cls, world: World) -> "Caller":
        made = await world.people.create_admin("ada")
        token = await world.people.create_token(made.person, "script")
        return cls(world, token.secret)

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.secret}"} | options.pop("headers", {})
        answer = await self.world.client.request(
            method, f"{API}{path}", json=body, headers=headers, timeout=30, **options
        )
        self.heard.append(answer.text + str(answer.headers))
        return answer

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.ask("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def do(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = await self.ask(method, path, body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def refused(self, method: str, path: str, body: Any = None, status: int = 422) -> dict[str, str]:
        """The error of an answer with this status."""
        answer = await self.ask(method, path, body)
        assert answer.status_code == status, answer.text
        error: dict[str, str] = answer.json()["error"]
        assert error["message"]
        return error

    async def created(self, **changes: Any) -> dict[str, Any]:
        """An integration, made over the API, as soon as it is active."""
        made = await self.do("POST", "/integrations", new_integration(**changes), 201)

        async def active() -> dict[str, Any] | None:
            found = await self.get(f"/integrations/{made['id']}")
            assert not found["failure"], found["failure"]
            return found if found["state"] == "active" else None

        return await self.world.until(active)

    async def linked(self, integration: dict[str, Any], index: int = 0) -> dict[str, Any]:
        """A feature pushed with the button, and its Link at rest."""
        feature = (await self.world.features())[index]
        stored = await self.world.integration(_Known(integration["id"]))
        assert (await self.world.click(stored, feature["id"]))["state"] == "connected"
        await self.world.quiet()
        page = await self.get("/links", integration=integration["id"], q=feature["fields"]["name"])
        (link,) = [each for each in page["items"] if each["feature"]["id"] == feature["id"]]
        return await self.get(f"/links/{link['id']}")

    async def until_link(self, link: str, **wanted: Any) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            found = await self.get(f"/links/{link}")
            return found if all(found[name] == value for name, value in wanted.items()) else None

        return await self.world.until(look)


class _Known:
    """Enough of an integration to look it up."""

    def __init__(self, integration: str) -> None:
        self.id = integration


def new_integration(**changes: Any) -> dict[str, Any]:
    body = {
        "name": "Roadmap",
        "board": {"base_url": f"{BOARD}/v2", "token": BOARD_TOKEN},
        "tracker": {
            "kind": "gittab",
            "base_url": TRACKER,
            "token": TRACKER_TOKEN,
            "settings": {"status_labels": list(STATUS_LABELS)},
        },
        "project": "1",
        "defaults": {"labels": ["productboard"]},
    }
    return body | changes
