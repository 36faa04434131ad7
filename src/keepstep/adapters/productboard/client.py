"""Productboard's manners: envelope, errors, pages, pacing."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from keepstep.adapters.http import Call, HttpClient, Problem, Reply, Service
from keepstep.domain.calls import Limit

_FIELDS = {"name": "title", "description": "description", "status": "status"}
_PROBE_CURE = (
    "Productboard called this service to check its address and did not get the answer it wants. The public address "
    "has to be reachable from the internet over https, with a certificate that browsers trust."
)


def read_problem(_status: int, body: Any) -> Problem:
    """From the error envelope, or from the gateway's plain `{"message": ...}`."""
    if not isinstance(body, dict):
        return Problem()
    errors = body.get("errors")
    if not (isinstance(errors, list) and errors and isinstance(errors[0], dict)):
        return Problem(text=str(body.get("message") or ""))
    first = errors[0]
    code = str(first.get("code") or "")
    text = str(first.get("detail") or first.get("title") or code)
    if body.get("id"):
        text = f"{text.rstrip('.')} (request {body['id']})"
    if code in ("callback.probeFailed", "callback.invalidUrl"):
        return Problem(text=text, field="public_url", cure=_PROBE_CURE)
    source = first.get("source")
    return Problem(text=text, field=_field_of(source if isinstance(source, dict) else {}))


def _field_of(source: dict[str, Any]) -> str:
    """The pointer goes into our body: /data/fields/status/id, or /data/patch/1 (which names no field)."""
    for part in str(source.get("pointer") or "").split("/"):
        if part in _FIELDS:
            return _FIELDS[part]
        if part in ("action", "notification"):
            return "public_url"
        if part == "initialState":
            return "button"
    return ""


SERVICE = Service(
    name="Productboard",
    side="board",
    limits=(Limit("second", calls=48, seconds=1, burst=8),),
    read_problem=read_problem,
)
"""50 requests a second and token are allowed."""


class BoardClient:
    """Calls with Productboard's envelope, and lists of any length."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    @property
    def host(self) -> str:
        return self._http.host

    async def send(self, call: Call) -> Reply:
        return await self._http.send(call)

    async def fetch(self, call: Call) -> tuple[Reply, Any]:
        """The answer and what is in its envelope."""
        reply = await self._http.send(call)
        return reply, _unwrapped(reply, "data")

    async def pages(self, call: Call) -> AsyncIterator[tuple[Reply, list[Any]]]:
        """All pages of a list or a search, until there is no next link; an empty page may have one.

        Only the cursor of the link is used: the link itself has been seen with parameters that the API then refuses. It
        is decoded once here and encoded once by the client; encoded twice it is refused.
        """
        seen: set[str] = set()
        cursor: str | None = None
        while True:
            params = [*call.params] if cursor is None else [*call.params, ("pageCursor", cursor)]
            reply = await self._http.send(replace(call, params=params))
            yield reply, reply.items(_unwrapped(reply, "data"))
            cursor = _next_cursor(reply)
            if cursor is None:
                return
            if cursor in seen:
                raise reply.unexpected("its pages go round in a circle")
            seen.add(cursor)


def _unwrapped(reply: Reply, key: str) -> Any:
    if not isinstance(reply.data, dict) or key not in reply.data:
        raise reply.unexpected(f"{key} is missing")
    return reply.data[key]


def _next_cursor(reply: Reply) -> str | None:
    links = reply.data.get("links")
    link = links.get("next") if isinstance(links, dict) else None
    if not link:
        return None
    for pair in urlsplit(str(link)).query.split("&"):
        name, _, value = pair.partition("=")
        if name == "pageCursor":
            # Not as in a form: a plus is one, cursors being base64.
            return unquote(value)
    raise reply.unexpected("its next page has no cursor")
