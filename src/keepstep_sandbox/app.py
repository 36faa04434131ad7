"""What both emulators are made of: one ASGI app with a journal, faults, callbacks, a state file and control routes.

An emulator gives its routes and an `Emulator` (its state); `build_app` puts the rest around it. Order from the
outside in: journal, faults, routes. Journal and faults stand outside Starlette, because its error handler would
answer where a fault wants to close the connection without a word.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keepstep_sandbox.control import control_routes
from keepstep_sandbox.delivery import Delivery
from keepstep_sandbox.faults import FaultRule, Faults
from keepstep_sandbox.journal import Entry, Journal, kept_body, kept_headers
from keepstep_sandbox.store import StateFile


@dataclass(frozen=True)
class SandboxConfig:
    """How an emulator is started."""

    state_file: Path | None = None  # None: nothing is kept
    public_base: str = "http://127.0.0.1"  # its own address, without a slash at the end, for links
    allow_insecure_callbacks: bool = False  # accept http and private hosts as callback addresses
    time_scale: float = 1.0  # the waits between retries are multiplied by it
    callback_limit_s: float = 5.0  # how long a callback may take
    seed: str = "demo"  # or "empty"
    client: httpx.AsyncClient | None = None  # for callbacks; in-process tests route it to an ASGI app


class Emulator(Protocol):
    """The state of one emulator."""

    name: str

    def snapshot(self) -> dict[str, Any]:
        """All state as JSON."""
        ...

    def restore(self, saved: dict[str, Any]) -> None:
        """Takes over what `snapshot` gave."""
        ...

    def reset(self, seed: str) -> None:
        """Forgets everything and seeds anew."""
        ...

    def seed(self, additions: dict[str, Any]) -> dict[str, Any]:
        """Adds what the control API was given and answers what came of it. Raises ValueError for nonsense."""
        ...


class ConnectionDropped(httpx.RemoteProtocolError):
    """A fault closed the connection; in-process clients see what a real one would raise."""


class Sandbox:
    """Everything around an emulator's state; tests reach it as `app.state.sandbox`."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.journal = Journal()
        self.faults = Faults()
        self.delivery = Delivery(
            self.journal,
            self.faults,
            client=config.client,
            time_scale=config.time_scale,
            limit_s=config.callback_limit_s,
            on_change=self.changed,
        )
        self._emulator: Emulator | None = None
        self._file = StateFile(config.state_file, self._snapshot)
        self._to_resume: list[dict[str, Any]] = []

    @property
    def emulator(self) -> Emulator:
        if self._emulator is None:
            raise RuntimeError("the sandbox has no emulator yet")
        return self._emulator

    def adopt(self, emulator: Emulator) -> None:
        """Takes the emulator and gives it the saved state, or a fresh seed."""
        self._emulator = emulator
        saved = self._file.load()
        if saved is None:
            emulator.reset(self.config.seed)
            self.changed()
        else:
            emulator.restore(saved["state"])
            self._to_resume = saved.get("deliveries", [])

    def _snapshot(self) -> dict[str, Any]:
        waiting = self.delivery.waiting() + self._to_resume
        return {"emulator": self.emulator.name, "state": self.emulator.snapshot(), "deliveries": waiting}

    def changed(self) -> None:
        """Call after each change of state; the file follows within 100 ms."""
        if self._emulator is not None:
            self._file.changed()

    def reset(self, seed: str | None = None) -> None:
        """As freshly started: state, journal, faults and deliveries."""
        self._to_resume = []
        self.delivery.cancel()
        self.journal.clear()
        self.faults.clear()
        self.emulator.reset(seed or self.config.seed)
        self.changed()

    def start(self) -> None:
        """Takes up the deliveries that waited when the emulator was stopped."""
        resumed, self._to_resume = self._to_resume, []
        self.delivery.resume(resumed)

    async def aclose(self) -> None:
        """Stops the deliveries and writes the state."""
        self._to_resume = await self.delivery.aclose()
        self._file.flush()


class SandboxApp:
    """The ASGI app; `state.sandbox` is its `Sandbox`."""

    def __init__(self, inner: Starlette, sandbox: Sandbox, api_prefix: str) -> None:
        inner.state.sandbox = sandbox
        self.state = inner.state
        self._inner = inner
        self._app = _Journalling(_Faulting(inner, sandbox.faults), sandbox.journal, api_prefix)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["sandbox.send"] = send
            await self._app(scope, receive, send)
        else:
            await self._inner(scope, receive, send)


def build_app(sandbox: Sandbox, routes: Sequence[BaseRoute], *, api_prefix: str) -> SandboxApp:
    """The app around `routes`; requests outside `api_prefix` are journalled as kind `page`."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        sandbox.start()
        try:
            yield
        finally:
            await sandbox.aclose()

    inner = Starlette(routes=[*control_routes(sandbox), *routes], lifespan=lifespan)
    return SandboxApp(inner, sandbox, api_prefix)


class _Journalling:
    """Notes every request but those of the control API and the pages' own reading."""

    def __init__(self, app: ASGIApp, journal: Journal, api_prefix: str) -> None:
        self._app = app
        self._journal = journal
        self._api_prefix = api_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        is_api = path.startswith(self._api_prefix)
        if path.startswith("/_sandbox/") or (not is_api and scope["method"] in ("GET", "HEAD")):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        error: str | None = None
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except ConnectionDropped as dropped:
            error = str(dropped)
            raise
        finally:
            self._journal.add(exchange.entry("api" if is_api else "page", error))


class _Exchange:
    """One request and its answer as they pass by."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._started_at, self._clock = time.time(), time.perf_counter()
        self._ended: tuple[float, float] | None = None
        self._asked = bytearray()
        self._answered = bytearray()
        self._status: int | None = None
        self._answer_headers: dict[str, str] = {}

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._asked += message.get("body", b"")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._answer_headers = kept_headers(
                (k.decode("latin-1"), v.decode("latin-1")) for k, v in message["headers"]
            )
        else:
            self._answered += message.get("body", b"")
            self._ended = time.time(), time.perf_counter()
        await self._send(message)

    def entry(self, kind: str, error: str | None) -> Entry:
        query: bytes = self._scope["query_string"]
        at, clock = self._ended or (time.time(), time.perf_counter())
        return Entry(
            direction="in",
            kind=kind,
            method=self._scope["method"],
            path=self._scope["path"] + ("?" + query.decode("latin-1") if query else ""),
            started_at=self._started_at,
            at=at,
            duration_ms=(clock - self._clock) * 1000,
            status=self._status,
            request_headers=kept_headers(
                (k.decode("latin-1"), v.decode("latin-1")) for k, v in self._scope["headers"]
            ),
            request_body=kept_body(bytes(self._asked)),
            response_headers=self._answer_headers,
            response_body=kept_body(bytes(self._answered)),
            error=error or self._scope.get("sandbox.error"),
            fault=self._scope.get("sandbox.fault"),
        )


class _Faulting:
    """Does to a request what the fault rules say."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        taken = None if path.startswith("/_sandbox/") else self._faults.take("in", scope["method"], path)
        if taken is None:
            await self._app(scope, receive, send)
            return
        scope["sandbox.fault"], rule = taken
        if rule.ignore_write:
            scope.setdefault("state", {})["ignore_write"] = True
        if rule.when == "before":
            await _wait(rule.delay_s)
        if not rule.drop and rule.status is None:
            await self._late(rule, scope, receive, send)
            return
        if rule.when == "after":
            await self._app(scope, receive, _swallow)
            await _wait(rule.delay_s)
        if rule.drop:
            await _drop(scope, receive)
        else:
            await _answer(rule, send)

    async def _late(self, rule: FaultRule, scope: Scope, receive: Receive, send: Send) -> None:
        """The true answer; with `when: after` the work is done at once and the answer waits."""
        if rule.when == "before" or not rule.delay_s:
            await self._app(scope, receive, send)
            return
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)

        await self._app(scope, receive, hold)
        await _wait(rule.delay_s)
        for message in held:
            await send(message)


async def _wait(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


async def _swallow(_message: Message) -> None:
    """Takes the true answer, which nobody will see."""


async def _answer(rule: FaultRule, send: Send) -> None:
    text = rule.body if isinstance(rule.body, str) else json.dumps(rule.body) if rule.body is not None else ""
    headers = {"content-type": "application/json", **{k.lower(): v for k, v in rule.headers.items()}}
    body = text.encode()
    raw = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": rule.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _drop(scope: Scope, receive: Receive) -> None:
    """Closes the connection without an answer.

    ASGI has no message for this. Under uvicorn the transport is reached through the server's own `send`;
    elsewhere the exception goes up to the in-process client.
    """
    scope["sandbox.error"] = "connection dropped by a fault rule"
    transport = getattr(getattr(scope["sandbox.send"], "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionDropped("connection dropped by a fault rule")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
