"""The seams: every await of a use case that touches the outside or the database, counted; at the n-th the process ends.

Everything goes through the ports, so the ports are wrapped. Whether something goes past them is watched for on the
level below: a query or a request that no seam has announced is a stray, and a recording with strays fails.
"""

import contextlib
import os
import re
import sys
from contextvars import ContextVar

import httpx
import psycopg

ENDED_BY_A_POINT = 77
_INSIDE: ContextVar[bool] = ContextVar("inside a seam", default=False)
_VARIABLE = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{32}\b|\b\d+\b")
_OURS = ("keepstep.app.", "keepstep.web.", "keepstep.bootstrap")


@contextlib.contextmanager
def inside():
    """What happens in here is announced, or is the harness's own."""
    token = _INSIDE.set(True)
    try:
        yield
    finally:
        _INSIDE.reset(token)


class Points:
    """Counts while it is on. `target`: the number of the point at which the process ends; 0: at none."""

    def __init__(self):
        self.on, self.target = False, 0
        self.seen, self.strays = [], []

    def start(self, target):
        self.on, self.target, self.seen, self.strays = True, target, [], []

    def stop(self):
        self.on = False

    def at(self, what):
        if not self.on:
            return
        self.seen.append(f"{what} ({_place()})")
        if len(self.seen) == self.target:
            os._exit(ENDED_BY_A_POINT)

    def stray(self, what):
        if self.on and not _INSIDE.get():
            self.strays.append(f"{what} ({_place()})")


def _place():
    """The use case's function that awaits this."""
    frame = sys._getframe(2)
    while frame is not None:
        module, name = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if module.startswith(_OURS) and not name.startswith("<"):
            return f"{module.removeprefix('keepstep.')}.{name}"
        frame = frame.f_back
    return "the worker"


def _plain(path):
    return _VARIABLE.sub("*", path.split("?", 1)[0])


class Port:
    """Any port of coroutines: a point before each call, and one after each that may have changed something."""

    def __init__(self, inner, name, points, reads=()):
        self._inner, self._name, self._points, self._reads = inner, name, points, reads

    def __getattr__(self, method):
        call = getattr(self._inner, method)

        async def announced(*values, **named):
            what = f"{self._name} {method}"
            self._points.at(f"before {what}")
            with inside():
                answer = await call(*values, **named)
            if method not in self._reads:
                self._points.at(f"after {what}")
            return answer

        return announced


class SeamStorage:
    def __init__(self, inner, points):
        self._inner, self._points = inner, points

    @contextlib.asynccontextmanager
    async def begin(self):
        self._points.at("before database begin")
        with inside():
            async with self._inner.begin() as uow:
                yield SeamUnitOfWork(uow, self._points)


class SeamUnitOfWork:
    """Between begin and commit nothing lasts, so only the commit has points."""

    def __init__(self, inner, points):
        self._inner, self._points = inner, points

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def commit(self):
        self._points.at("before database commit")
        await self._inner.commit()
        self._points.at("after database commit")


class SeamLocks:
    def __init__(self, inner, points):
        self._inner, self._points = inner, points

    @contextlib.asynccontextmanager
    async def hold(self, key):
        kind = key.split(":", 1)[0]
        self._points.at(f"before lock {kind}")
        with inside():
            entered = self._inner.hold(key)
            held = await entered.__aenter__()
        self._points.at(f"after lock {kind}")
        try:
            yield held
        finally:
            with inside():
                await entered.__aexit__(None, None, None)


class SeamTransport(httpx.AsyncBaseTransport):
    """Where `HttpClient` hands its request to the network: before it is sent, and when the whole answer is here."""

    def __init__(self, inner, points):
        self._inner, self._points = inner, points
        self.writes = []

    async def handle_async_request(self, request):
        what = f"{request.method} {_plain(request.url.path)}"
        self._points.at(f"before {what}")
        with inside():
            response = await self._inner.handle_async_request(request)
            await response.aread()
            await response.aclose()
        if request.method != "GET" and not request.url.path.endswith("/search"):
            self.writes.append(what)
        self._points.at(f"after {what}")
        headers = [pair for pair in response.headers.raw if pair[0].lower() != b"content-encoding"]
        return httpx.Response(
            response.status_code, headers=headers, content=response.content, extensions=response.extensions
        )

    async def aclose(self):
        await self._inner.aclose()


@contextlib.contextmanager
def watched_for_strays(points):
    """psycopg and httpx tell of every query and request."""
    with contextlib.ExitStack() as undo:

        def watch(owner, name, words):
            real = getattr(owner, name)

            def watched(self, *values, **named):
                points.stray(words(values))
                return real(self, *values, **named)

            setattr(owner, name, watched)
            undo.callback(setattr, owner, name, real)

        watch(psycopg.AsyncConnection, "execute", lambda values: f"query {str(values[0])[:80]}")
        watch(psycopg.AsyncCursor, "execute", lambda values: f"query {str(values[0])[:80]}")
        watch(psycopg.AsyncConnection, "commit", lambda _values: "commit")
        watch(
            httpx.AsyncHTTPTransport, "handle_async_request", lambda values: f"request {values[0].url.path}"
        )
        yield
