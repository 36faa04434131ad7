"""Middleware around every answer: limits on bodies, and the headers that tell browsers what a page may do.

Both are plain ASGI: they cost next to nothing on the doors, where every millisecond counts.
"""

import asyncio
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

HEADERS = (
    ("Content-Security-Policy", CONTENT_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)


_CLOSING = {"Connection": "close"}


class SecurityHeaders:
    """A route's own header of that name stands (the signed page sends a stricter Referrer-Policy)."""

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        self._app = app
        self._headers = (*HEADERS, ("Strict-Transport-Security", "max-age=31536000")) if https else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers:
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BodyLimit:
    """Answers 413 when a route reads a body that is too large: by its announced length, else as soon as too much came.

    408 when the whole of it is not here in time. Raised from the read, inside the error handlers: the answer is a page
    or JSON like any other. It ends the connection, or else the rest of the body would have to be read.
    """

    def __init__(
        self, app: ASGIApp, *, limit: int, seconds: float, larger: Mapping[str, int] | None = None
    ) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds
        self._larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope["path"])
        announced = Headers(scope=scope).get("content-length", "")
        taken = limit + 1 if _is_larger(announced, limit) else 0
        deadline = asyncio.get_running_loop().time() + self._seconds
        complete = False

        async def receive_within_limit() -> Message:
            nonlocal taken, complete
            if taken <= limit:
                message = await receive() if complete else await self._in_time(receive, deadline)
                complete = complete or not message.get("more_body", False)
                taken += len(message.get("body", b""))
                if taken <= limit:
                    return message
            what = f"What was sent is larger than the {limit // 1024} kB we take here."
            raise HTTPException(413, what, _CLOSING)

        await self._app(scope, receive_within_limit, send)

    async def _in_time(self, receive: Receive, deadline: float) -> Message:
        try:
            async with asyncio.timeout_at(deadline):
                return await receive()
        except TimeoutError as error:
            what = f"What was sent was not here within {self._seconds:.0f} s."
            raise HTTPException(408, what, _CLOSING) from error

    def _limit_of(self, path: str) -> int:
        return next((limit for prefix, limit in self._larger.items() if path.startswith(prefix)), self._limit)


def _is_larger(announced: str, limit: int) -> bool:
    """By a header that may be anything; one of many digits is too large without being read as a number."""
    if not (announced.isascii() and announced.isdecimal()):
        return False
    return len(announced.lstrip("0")) > len(str(limit)) or int(announced) > limit
