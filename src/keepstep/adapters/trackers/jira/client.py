"""Jira Cloud's manners: errors by field, waits in headers of its own, the user's time zone, pages by a token."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from keepstep.adapters.http import Call, HttpClient, Problem, Reply, Service, segment
from keepstep.adapters.trackers.jira.wire import MyselfWire, ServerWire
from keepstep.domain.calls import Limit

API = "/rest/api/3"
PER_PAGE = 100
_GATEWAY = "api.atlassian.com"
_FIELDS = {"summary": "title", "description": "description", "labels": "labels", "project": "project"}


def read_problem(_status: int, body: Any) -> Problem:
    """`{"errorMessages": [...], "errors": {field: reason}}`; webhooks answer `{"messages": [{"key": ...}]}`."""
    if not isinstance(body, dict):
        return Problem(text=body if isinstance(body, str) else "")
    named = body.get("errors")
    errors: dict[str, Any] = named if isinstance(named, dict) else {}
    told = body.get("errorMessages") or body.get("messages") or []
    listed = told if isinstance(told, list) else [told]
    texts = [str(each.get("key", "") if isinstance(each, dict) else each) for each in listed]
    texts += [str(reason) for reason in errors.values()]
    first = next(iter(errors), "")
    field = _FIELDS.get(first, f"field:{first}" if first.startswith("customfield_") else first)
    return Problem("; ".join(each for each in texts if each), field)


def read_wait(headers: Mapping[str, str]) -> timedelta | None:
    """`X-RateLimit-Reset` is a moment in ISO form; `Retry-After` comes before it."""
    try:
        moment = datetime.fromisoformat(headers.get("x-ratelimit-reset", ""))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)


SERVICE = Service(
    name="Jira",
    side="tracker",
    limits=(Limit("second", calls=12, seconds=1, burst=2),),
    read_problem=read_problem,
    read_wait=read_wait,
)
"""Bursts are limited by site, page and method without a number told, and writes to one issue besides."""


def api_root(base_url: str) -> str:
    """The site, whichever of its pages was copied; the gateway's address for scoped tokens stays whole."""
    parts = urlsplit(base_url)
    if parts.netloc == _GATEWAY:
        return base_url.partition("/rest/")[0]
    return f"{parts.scheme}://{parts.netloc}"


def issue_path(issue: str, rest: str = "") -> str:
    return f"{API}/issue/{segment(issue)}{rest}"


class JiraClient:
    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._site = ""
        self._myself: MyselfWire | None = None

    @property
    def account_key(self) -> str:
        """Tells accounts apart in memory, without the token."""
        return f"{self._http.base_url} {sha256(self._http.credential.encode()).hexdigest()}"

    async def send(self, call: Call) -> Reply:
        return await self._http.send(call)

    async def myself(self) -> MyselfWire:
        if self._myself is None:
            reply = await self.send(Call("GET", f"{API}/myself", "the account"))
            self._myself = reply.parse(MyselfWire)
        return self._myself

    async def site(self) -> str:
        """Where people read issues: behind the gateway the API's address is another one."""
        if not self._site:
            self._site = self._http.base_url
            if urlsplit(self._site).netloc == _GATEWAY:
                reply = await self.send(Call("GET", f"{API}/serverInfo", "the site"))
                self._site = reply.parse(ServerWire).base_url.rstrip("/")
        return self._site

    async def pages(self, call: Call, *names: str, limit: int = 20) -> AsyncIterator[tuple[Reply, Any]]:
        """Each entry of a list by `startAt`, which stands under one of these names, or is the answer itself."""
        start = 0
        for _ in range(limit):
            params = [*call.params, ("startAt", str(start)), ("maxResults", str(PER_PAGE))]
            reply = await self.send(replace(call, params=params))
            data = reply.data
            named = data if isinstance(data, dict) else {}
            entries = reply.items(next((named[name] for name in names if name in named), data))
            for each in entries:
                yield reply, each
            start += len(entries)
            whole = named.get("total", start + 1 if len(entries) else start)
            if not entries or named.get("isLast") or start >= whole or isinstance(data, list):
                return

    async def search(
        self, jql: str, body: dict[str, Any], *, limit: int = 0
    ) -> AsyncIterator[tuple[Reply, Any]]:
        """Issues by JQL. What was written moments ago may be missing: the index follows."""
        wanted = {"jql": jql, "maxResults": limit or PER_PAGE, **body}
        while True:
            call = Call("POST", f"{API}/search/jql", "the issues", body=wanted, reads=True)
            reply = await self.send(call)
            found = reply.data if isinstance(reply.data, dict) else {}
            for each in reply.items(found.get("issues", reply.data)):
                yield reply, each
            token = found.get("nextPageToken")
            if limit or not token or found.get("isLast"):
                return
            wanted = {**wanted, "nextPageToken": token}
