"""Linear's manners: one address for everything, named parts in `data`, pages by cursor."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from keepstep.adapters.http import Call, HttpClient, Reply, Service
from keepstep.adapters.trackers.linear.failures import read_problem, read_status, read_wait
from keepstep.domain.calls import Limit

_PATH = "/graphql"
_APP = "https://linear.app"
_API = "https://api.linear.app"
_READS = 'the right "Read"'
WRITES = 'the right "Write"'

SERVICE = Service(
    name="Linear",
    side="tracker",
    limits=(
        Limit("second", calls=24, seconds=1, burst=4),
        Limit("hour", calls=4800, seconds=3600, burst=2400),
    ),
    read_problem=read_problem,
    read_status=read_status,
    read_wait=read_wait,
)
"""About 5,000 requests an hour and key, in bursts as they come; when it is too much, Linear says until when to wait."""

_Model = TypeVar("_Model", bound=BaseModel)


def api_root(base_url: str) -> str:
    """The address of the API, with its path or without, or that of the pages."""
    if base_url == _APP or base_url.startswith(f"{_APP}/"):
        return _API
    return base_url.removesuffix("/").removesuffix(_PATH)


class Part:
    """One named part of an answer's data."""

    def __init__(self, reply: Reply, value: Any) -> None:
        self._reply = reply
        self.value = value

    def at(self, *names: str) -> "Part":
        """Raises UnexpectedReplyError where it is missing."""
        value = self.value
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
            if value is None:
                raise self._reply.unexpected(f"{'.'.join(names)} is missing")
        return Part(self._reply, value)

    def checked(self) -> "Part":
        """This answer of a mutation. One without success has not done it, and gives no reason."""
        if self.at("success").value is not True:
            raise self._reply.unexpected("it says that it did not do it")
        return self

    def parse(self, model: type[_Model]) -> _Model:
        return self._reply.parse(model, self.value)

    def nodes(self, model: type[_Model]) -> list[_Model]:
        return [self._reply.parse(model, each) for each in self._reply.items(self.at("nodes").value)]

    @property
    def next_cursor(self) -> str:
        """Empty on the last page."""
        info = self.at("pageInfo").value
        return str(info.get("endCursor") or "") if info.get("hasNextPage") else ""


class LinearClient:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def ask(self, query: str, variables: Mapping[str, Any], thing: str, right: str = _READS) -> Part:
        """The data of a query, which changes nothing."""
        return await self._send(query, variables, thing, right, reads=True)

    async def change(
        self, mutation: str, name: str, variables: Mapping[str, Any], thing: str, right: str = WRITES
    ) -> Part:
        """What the mutation of this name answers."""
        return (await self._send(mutation, variables, thing, right, reads=False)).at(name).checked()

    async def pages(
        self, query: str, variables: Mapping[str, Any], thing: str, *names: str, limit: int = 20
    ) -> AsyncIterator[Part]:
        """The connection of these names, page after page, at most so many."""
        after: str | None = None
        for _ in range(limit):
            part = (await self.ask(query, {**variables, "after": after}, thing)).at(*names)
            yield part
            after = part.next_cursor
            if not after:
                return

    async def _send(
        self, query: str, variables: Mapping[str, Any], thing: str, right: str, *, reads: bool
    ) -> Part:
        body = {"query": query, "variables": dict(variables)}
        reply = await self._http.send(Call("POST", _PATH, thing, body=body, right=right, reads=reads))
        return Part(reply, reply.data).at("data")
