"""Redmine's manners: errors as a list of sentences, pages by offset, a web page where a path is unknown."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from keepstep.adapters.http import Call, HttpClient, Problem, Reply, Service
from keepstep.domain.calls import Limit

PER_PAGE = 100
_FIELDS = {"Subject": "title", "Description": "description", "Status": "status", "Tracker": "tracker"}
REST = "a Redmine whose REST web service is switched on (Administration, Settings, API)"
"""While it is off everything is answered with 403."""


def read_problem(_status: int, body: Any) -> Problem:
    """`{"errors": ["Subject cannot be blank"]}`; a 403 has no body."""
    errors = body.get("errors") if isinstance(body, dict) else None
    if not isinstance(errors, list):
        return Problem()
    told = [str(each) for each in errors]
    first = told[0].partition(" ")[0] if told else ""
    cure = "" if told else "Somebody else changed it at the same moment."
    return Problem("; ".join(told), _FIELDS.get(first, ""), cure=cure)


SERVICE = Service(
    name="Redmine",
    side="tracker",
    limits=(Limit("second", calls=12, seconds=1, burst=2),),
    read_problem=read_problem,
)
"""Redmine sets no limits; it answers one request after the other, so we are gentle."""


def api_root(base_url: str) -> str:
    """The address of the pages, of whichever one a person has copied the beginning."""
    return base_url.removesuffix("/projects").removesuffix("/issues")


class RedmineClient:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    @property
    def base_url(self) -> str:
        return self._http.base_url

    @property
    def host(self) -> str:
        return self._http.host

    async def send(self, call: Call) -> Reply:
        return await self._http.send(call)

    async def page(self, call: Call, name: str, offset: int) -> tuple[Reply, Sequence[Any]]:
        params = [*call.params, ("limit", str(PER_PAGE)), ("offset", str(offset))]
        reply = await self._http.send(replace(call, params=params))
        found = reply.data.get(name) if isinstance(reply.data, dict) else None
        return reply, reply.items(found if isinstance(found, list) else reply.data)

    async def pages(
        self, call: Call, name: str, *, limit: int | None = None
    ) -> AsyncIterator[tuple[Reply, Any]]:
        """Each entry of all pages, or of the first `limit` ones, with the answer it stood in."""
        at = 0
        while True:
            reply, entries = await self.page(call, name, at * PER_PAGE)
            for each in entries:
                yield reply, each
            at += 1
            if len(entries) < PER_PAGE or at == limit:
                return
