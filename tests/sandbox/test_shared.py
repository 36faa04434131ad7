"""What both emulators share, tried on a toy emulator: journal, faults, deliveries, state file, control routes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keepstep_sandbox.app import ConnectionDropped, Sandbox, SandboxApp, SandboxConfig, build_app
from keepstep_sandbox.delivery import Callback


class Toy:
    name = "toy"

    def __init__(self) -> None:
        self.words: list[str] = []

    def snapshot(self) -> dict[str, Any]:
        return {"words": self.words}

    def restore(self, saved: dict[str, Any]) -> None:
        self.words = saved["words"]

    def reset(self, seed: str) -> None:
        self.words = [seed]

    def seed(self, additions: dict[str, Any]) -> dict[str, Any]:
        self.words += additions["words"]
        return {"count": len(self.words)}


class Listener:
    """The service's side: notes what it is sent and answers as told."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.at: list[float] = []
        self.answers: list[int] = []
        self.pause_s = 0.0
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        self.got.append(await request.json())
        self.at.append(time.monotonic())
        if self.pause_s:
            await asyncio.sleep(self.pause_s)
        return Response(status_code=self.answers.pop(0) if self.answers else 204)


def toy_app(config: SandboxConfig) -> SandboxApp:
    sandbox, toy = Sandbox(config), Toy()
    sandbox.adopt(toy)

    async def add(request: Request) -> Response:
        word = (await request.json())["word"]
        if not getattr(request.state, "ignore_write", False):
            toy.words.append(word)
            sandbox.changed()
        return JSONResponse({"words": toy.words})

    async def show(_request: Request) -> Response:
        return JSONResponse({"words": toy.words})

    routes = [
        Route("/api/words", add, methods=["POST"]),
        Route("/api/words", show, methods=["GET"]),
        Route("/", show),
    ]
    return build_app(sandbox, routes, api_prefix="/api")


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def app(listener: Listener) -> AsyncIterator[SandboxApp]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(listener.app)) as out:
        app = toy_app(SandboxConfig(client=out, time_scale=0.01, callback_limit_s=0.4))
        yield app
        await app.state.sandbox.aclose()


@pytest.fixture
async def client(app: SandboxApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://toy") as client:
        yield client


async def fault(client: httpx.AsyncClient, **rule: Any) -> str:
    answer = await client.post("/_sandbox/faults", json=rule)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def words(client: httpx.AsyncClient) -> list[str]:
    return (await client.get("/api/words")).json()["words"]


async def test_journal_keeps_api_calls_in_order_and_hides_secrets(client):
    await client.post(
        "/api/words?private_token=abcdefghijkl",
        json={"word": "a", "headers": {"authorization": "Bearer 123456789"}},
        headers={"Authorization": "Bearer secret-token-9876"},
    )
    await client.get("/api/words")
    await client.get("/")
    shown = (await client.get("/_sandbox/journal")).json()
    assert [(e["seq"], e["method"], e["kind"]) for e in shown["entries"]] == [
        (1, "POST", "api"),
        (2, "GET", "api"),
    ]
    first = shown["entries"][0]
    assert first["request_headers"]["authorization"] == "…9876"
    assert first["request_body"]["headers"]["authorization"] == "…6789"
    assert "abcdefgh" not in first["path"]
    assert first["started_at"] <= first["at"]
    assert first["duration_ms"] >= 0
    assert first["response_body"] == {"words": ["demo", "a"]}
    later = (await client.get("/_sandbox/journal", params={"since": 1})).json()
    assert [e["seq"] for e in later["entries"]] == [2]
    await client.delete("/_sandbox/journal")
    assert (await client.get("/_sandbox/journal")).json() == {"entries": [], "last_seq": 2}


async def test_long_bodies_are_cut(client):
    await client.post("/api/words", json={"word": "x" * 30_000})
    entry = (await client.get("/_sandbox/journal")).json()["entries"][0]
    assert entry["request_body"].endswith("…")
    assert len(entry["request_body"]) == 20_001


async def test_fault_before_the_work_answers_and_changes_nothing(client):
    await fault(client, match="POST /api/*", status=503, body={"no": 1}, headers={"Retry-After": "2"})
    answer = await client.post("/api/words", json={"word": "a"})
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (503, {"no": 1}, "2")
    assert await words(client) == ["demo"]
    assert (await client.post("/api/words", json={"word": "b"})).status_code == 200


async def test_fault_after_the_work_answers_though_it_was_done(client):
    await fault(client, match="POST /api/words", status=500, when="after")
    assert (await client.post("/api/words", json={"word": "a"})).status_code == 500
    assert await words(client) == ["demo", "a"]


async def test_dropped_before_and_after(client):
    await fault(client, match="* /api/words", drop=True)
    with pytest.raises(ConnectionDropped):
        await client.post("/api/words", json={"word": "a"})
    await fault(client, match="* /api/words", drop=True, when="after")
    with pytest.raises(httpx.TransportError):
        await client.post("/api/words", json={"word": "b"})
    assert await words(client) == ["demo", "b"]
    entries = (await client.get("/_sandbox/journal")).json()["entries"]
    assert [e["status"] for e in entries] == [None, None, 200]
    assert all(e["error"] and e["fault"] for e in entries[:2])


async def test_ignored_write_answers_success(client):
    await fault(client, match="POST *", ignore_write=True)
    assert (await client.post("/api/words", json={"word": "a"})).status_code == 200
    assert await words(client) == ["demo"]


async def test_delay_before_and_after_the_work(client):
    await fault(client, match="POST *", delay_s=0.06)
    started = time.monotonic()
    await client.post("/api/words", json={"word": "a"})
    assert time.monotonic() - started >= 0.06
    await fault(client, match="POST *", delay_s=0.1, when="after")
    slow = asyncio.create_task(client.post("/api/words", json={"word": "b"}))
    await asyncio.sleep(0.04)
    assert not slow.done()
    assert await words(client) == ["demo", "a", "b"]
    assert (await slow).status_code == 200


async def test_rules_run_out_are_listed_and_deleted(client):
    forever = await fault(client, match="GET /api/*", status=418, times=None)
    assert [(await client.get("/api/words")).status_code for _ in range(3)] == [418] * 3
    listed = (await client.get("/_sandbox/faults")).json()["faults"]
    assert [(rule["id"], rule["hits"], rule["left"]) for rule in listed] == [(forever, 3, None)]
    assert (await client.delete(f"/_sandbox/faults/{forever}")).status_code == 204
    assert (await client.get("/api/words")).status_code == 200
    assert (await client.post("/_sandbox/faults", json={"match": "*", "statsu": 1})).status_code == 400


async def test_delivery_goes_at_once(app, listener):
    started = time.monotonic()
    app.state.sandbox.delivery.post(Callback("http://listener/hook", {"n": 1}))
    assert await app.state.sandbox.delivery.idle()
    assert listener.got == [{"n": 1}]
    assert listener.at[0] - started < 0.5


async def test_retries_follow_the_scaled_schedule(app, client, listener):
    listener.answers = [500, 302, 204]
    app.state.sandbox.delivery.post(Callback("http://listener/hook", {"n": 1}, schedule=(5.0, 15.0, 45.0)))
    assert await app.state.sandbox.delivery.idle(within=1.0)
    waits = [later - earlier for earlier, later in zip(listener.at, listener.at[1:], strict=False)]
    assert len(waits) == 2
    assert -0.005 < waits[0] - 0.05 < 0.5
    assert -0.005 < waits[1] - 0.15 < 0.5
    entries = (await client.get("/_sandbox/journal", params={"direction": "out"})).json()["entries"]
    assert [(e["status"], e["attempt"]) for e in entries] == [(500, 1), (302, 2), (204, 3)]


async def test_delivery_ends_with_its_schedule(app, listener):
    listener.answers = [500] * 9
    app.state.sandbox.delivery.post(Callback("http://listener/hook", {}, schedule=(0.1, 0.1)))
    assert await app.state.sandbox.delivery.idle(within=1.0)
    assert len(listener.got) == 3


async def test_slow_listener_counts_as_failure(app, client, listener):
    listener.pause_s = 0.8
    app.state.sandbox.delivery.post(Callback("http://listener/hook", {}))
    assert await app.state.sandbox.delivery.idle()
    (entry,) = (await client.get("/_sandbox/journal", params={"direction": "out"})).json()["entries"]
    assert entry["status"] is None
    assert "0.4 s" in entry["error"]


async def test_outbound_faults_lose_double_delay_and_reorder(app, client, listener):
    post, idle = app.state.sandbox.delivery.post, app.state.sandbox.delivery.idle
    await fault(client, direction="out", match="POST /hook", lose=True)
    post(Callback("http://listener/hook", {"n": "lost"}, schedule=(0.1,)))
    assert await idle(within=1.0)
    await fault(client, direction="out", match="POST http://listener/*", duplicate=True)
    post(Callback("http://listener/hook", {"n": "twice"}))
    assert await idle()
    await fault(client, direction="out", reorder=True)
    post(Callback("http://listener/hook", {"n": "first"}))
    post(Callback("http://listener/hook", {"n": "second"}))
    assert await idle()
    assert [got["n"] for got in listener.got] == ["twice", "twice", "second", "first"]
    await fault(client, direction="out", delay_s=0.06)
    started = time.monotonic()
    post(Callback("http://listener/hook", {"n": "late"}))
    assert await idle()
    assert listener.at[-1] - started >= 0.06


async def test_forgotten_and_reset_deliveries_stop(app, client, listener):
    listener.answers = [500, 500]
    delivery = app.state.sandbox.delivery
    delivery.post(Callback("http://listener/hook", {"n": 1}, schedule=(100.0,), source="a"))
    delivery.post(Callback("http://listener/hook", {"n": 2}, schedule=(100.0,), source="b"))
    await delivery.idle()
    delivery.forget("a")
    assert [item["callback"]["source"] for item in delivery.waiting()] == ["b"]
    await client.post("/_sandbox/reset")
    assert delivery.waiting() == []
    await asyncio.sleep(1.1)  # the wait, scaled, is 1 s
    assert len(listener.got) == 2


async def test_reset_and_seed(client):
    assert (await client.post("/_sandbox/seed", json={"words": ["x"]})).json() == {"count": 2}
    assert (await client.post("/_sandbox/seed", json={})).status_code == 400
    await client.post("/_sandbox/reset", json={"seed": "empty"})
    assert await words(client) == ["empty"]


async def test_state_and_waiting_deliveries_survive_a_restart(tmp_path: Path, listener):
    path = tmp_path / "deep" / "state.json"
    listener.answers = [500]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(listener.app)) as out:
        config = SandboxConfig(client=out, state_file=path, time_scale=0.01)
        app = toy_app(config)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://toy") as client:
            await client.post("/api/words", json={"word": "kept"})
            await asyncio.sleep(0.12)
            assert json.loads(path.read_text())["state"] == {"words": ["demo", "kept"]}
            assert path.stat().st_mode & 0o777 == 0o600
            app.state.sandbox.delivery.post(Callback("http://listener/hook", {"n": 1}, schedule=(20.0,)))
            await app.state.sandbox.delivery.idle()
            await app.state.sandbox.aclose()
        again = toy_app(config)
        assert again.state.sandbox.emulator.words == ["demo", "kept"]
        again.state.sandbox.start()
        assert await again.state.sandbox.delivery.idle(within=1.0)
        assert len(listener.got) == 2
        await again.state.sandbox.aclose()
        assert json.loads(path.read_text())["deliveries"] == []
