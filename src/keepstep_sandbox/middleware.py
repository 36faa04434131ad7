"""Journal and faults around an ASGI app, as plain ASGI, so that a connection can be closed without a word."""

import asyncio
import json
import time

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keepstep_sandbox.faults import FaultRule, Faults
from keepstep_sandbox.journal import Entry, Journal, kept_body, kept_headers


class ConnectionDropped(httpx.RemoteProtocolError):
    """A fault closed the connection; in-process clients see what a real one would raise."""


class Journalling:
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


class Faulting:
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
