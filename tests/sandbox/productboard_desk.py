"""What the tests of the Productboard emulator share: an emulator in-process, a client, and an integration's side."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from keepstep_sandbox.app import SandboxApp, SandboxConfig
from keepstep_sandbox.productboard import create_app
from keepstep_sandbox.productboard.demo import DEMO_TOKEN, fixed_id

OPENAPI = Path(__file__).parents[2] / ".." / "shared" / "openapi" / "productboard"
LIMIT_S = 0.4
CONNECTED = {
    "state": "connected",
    "label": "In progress",
    "hoverLabel": "ACME-42",
    "tooltip": "ACME-42 Faster export",
    "color": "blue",
    "targetUrl": "https://tracker.example/ACME-42",
}

FEATURE = fixed_id("feature/csv-export")
SUBFEATURE = fixed_id("subfeature/csv-progress")
COMPONENT = fixed_id("component/exchange")
PLANNED = fixed_id("status/Planned")
ADA = fixed_id("member/ada")


def answer(state: dict[str, Any]) -> Response:
    return JSONResponse({"data": {"fields": {"connection": state}}})


async def echo(request: Request) -> Response:
    return PlainTextResponse(request.query_params["validationToken"])


@dataclass
class Service:
    """The integration's side; tests replace its answers."""

    probe: Callable[[Request], Awaitable[Response]] = echo
    click: Callable[[dict[str, Any]], Awaitable[Response]] | None = None
    hook_statuses: list[int] = field(default_factory=list)
    probes: list[tuple[str, str | None, str | None]] = field(
        default_factory=list
    )  # query, authorization, accept
    clicks: list[tuple[dict[str, Any], str | None]] = field(default_factory=list)
    hooks: list[dict[str, Any]] = field(default_factory=list)
    hook_headers: list[dict[str, str]] = field(default_factory=list)
    hook_times: list[float] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        action = Route("/action", self._action, methods=["GET", "POST"])
        return Starlette(routes=[action, Route("/hook", self._hook, methods=["GET", "POST"])])

    async def _action(self, request: Request) -> Response:
        secret = request.headers.get("authorization")
        if request.method == "GET":
            self.probes.append((request.url.query, secret, request.headers.get("accept")))
            return await self.probe(request)
        data = (await request.json())["data"]
        self.clicks.append((data, secret))
        return await self.click(data) if self.click else answer({"state": "progress"})

    async def _hook(self, request: Request) -> Response:
        self.hooks.append((await request.json())["data"])
        self.hook_headers.append(dict(request.headers))
        self.hook_times.append(time.monotonic())
        return Response(status_code=self.hook_statuses.pop(0) if self.hook_statuses else 204)


@dataclass
class Desk:
    """One emulator with a client that holds the demo token, at a budget that tests do not reach."""

    app: SandboxApp
    client: httpx.AsyncClient
    service: Service

    @property
    def sandbox(self) -> Any:
        return self.app.state.sandbox

    async def call(
        self, method: str, path: str, body: Any = None, *, status: int = 200, **options: Any
    ) -> Any:
        response = await self.client.request(method, path, json=body, **options)
        assert response.status_code == status, (method, path, response.status_code, response.text)
        return response.json() if response.content else None

    async def entity(self, entity_id: str = FEATURE, query: str = "") -> dict[str, Any]:
        return (await self.call("GET", f"/v2/entities/{entity_id}{query}"))["data"]

    async def patch(self, fields: dict[str, Any], entity_id: str = FEATURE, *, status: int = 200) -> Any:
        return await self.call(
            "PATCH", f"/v2/entities/{entity_id}", {"data": {"fields": fields}}, status=status
        )

    async def integration(self, **fields: Any) -> str:
        made = await self.call("POST", "/v2/plugin-integrations", integration_body(**fields), status=201)
        return made["data"]["id"]

    async def webhook(self, *events: str, **fields: Any) -> str:
        body = webhook_body(*events, **fields)
        return (await self.call("POST", "/v2/webhooks", body, status=201))["data"]["id"]

    async def connection(self, integration_id: str, entity_id: str = FEATURE) -> dict[str, Any]:
        path = f"/v2/plugin-integrations/{integration_id}/connections/{entity_id}"
        return (await self.call("GET", path))["data"]["fields"]["connection"]

    async def put(self, integration_id: str, state: dict[str, Any], entity_id: str = FEATURE) -> None:
        path = f"/v2/plugin-integrations/{integration_id}/connections/{entity_id}"
        await self.call("PUT", path, {"data": {"fields": {"connection": state}}})

    async def click(self, integration_id: str, trigger: str = "button.push", **more: Any) -> dict[str, Any]:
        body = {"integrationId": integration_id, "entityId": FEATURE, "trigger": trigger, **more}
        return await self.call("POST", "/_sandbox/click", body)

    async def settled(self) -> None:
        await asyncio.sleep(0.005)
        assert await self.sandbox.delivery.idle()


def integration_body(**fields: Any) -> dict[str, Any]:
    return {
        "data": {
            "fields": {
                "type": "com.acme.tracker",
                "name": "Tracker",
                "integrationStatus": "enabled",
                "initialState": {"label": "Push"},
                "action": {
                    "url": "https://service.example/action",
                    "version": 1,
                    "headers": {"authorization": "Bearer s3cr3t-of-action"},
                },
                **fields,
            }
        }
    }


def webhook_body(*events: str, **fields: Any) -> dict[str, Any]:
    wanted = events or ("feature.created", "feature.updated", "feature.deleted")
    return {
        "data": {
            "fields": {
                "name": "acme-sync",
                "events": [{"eventType": event} for event in wanted],
                "notification": {
                    "url": "https://service.example/hook",
                    "version": 1,
                    "headers": {"authorization": "Bearer s3cr3t-of-hook"},
                },
                **fields,
            }
        }
    }


@asynccontextmanager
async def open_desk(service: Service | None = None, **config: Any) -> AsyncIterator[Desk]:
    service = service or Service()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app)) as out:
        options = {"client": out, "callback_limit_s": LIMIT_S, "public_base": "https://pb.example", **config}
        app = create_app(SandboxConfig(**options))
        app.state.sandbox.emulator.account.tokens[DEMO_TOKEN].per_second = 100_000
        headers = {"Authorization": f"Bearer {DEMO_TOKEN}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="https://pb.example", headers=headers
        ) as client:
            try:
                yield Desk(app, client, service)
            finally:
                await app.state.sandbox.aclose()
