"""GitHub's manners: addresses, redirects to what has moved, pages, refusals that mean "too much"."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from keepstep.adapters.http import Call, HttpClient, Problem, Reply, Service, segment
from keepstep.domain.calls import CREATES, WRITES, CallKind, Limit
from keepstep.ports.errors import UnexpectedReplyError

PER_PAGE = 100
_CLOUD = "https://api.github.com"
_CLOUD_PAGES = frozenset({"github.com", "www.github.com", "api.github.com"})
_DATA_RESIDENCY = ".ghe.com"
_SERVER_PATH = "/api/v3"
_REDIRECTS = (301, 302, 307, 308)
_MOST_REDIRECTS = 3
_LEAST_WAIT = timedelta(seconds=60)
_LIMITED = re.compile(r"rate limit|abuse detection", re.IGNORECASE)
_NEXT = re.compile(r'<([^>]*)>;\s*rel="next"')
_FIELDS = {
    "title": "title",
    "body": "description",
    "state": "status",
    "state_reason": "status",
    "labels": "labels",
    "label": "labels",
    "assignees": "assignee",
    "assignee": "assignee",
    "milestone": "milestone",
    "type": "type",
    "url": "public_url",
}


def read_problem(status: int, body: Any) -> Problem:
    """`{"message", "errors": [{"field", "code", "message"} | text]}`; limits come as 403, too, and say so in words."""
    if not isinstance(body, dict):
        return Problem(text=body if isinstance(body, str) else "")
    text = str(body.get("message") or "")
    errors = body.get("errors")
    listed = errors if isinstance(errors, list) else []
    told = [each for each in (_told(one) for one in listed) if each]
    field = next(
        (
            _FIELDS[str(one["field"])]
            for one in listed
            if isinstance(one, dict) and one.get("field") in _FIELDS
        ),
        "",
    )
    limited = status in (403, 429) and _LIMITED.search(text) is not None
    return Problem(text=f"{text}: {'; '.join(told)}" if told else text, field=field, limited=limited)


def _told(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    if error.get("message"):
        return str(error["message"])
    words = (error.get("field"), error.get("code"))
    return " ".join(str(each).replace("_", " ") for each in words if each)


def read_wait(headers: Mapping[str, str]) -> timedelta | None:
    """The primary limit tells when it ends; after the secondary one at least a minute is asked for."""
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining", "").strip() != "0" or not re.fullmatch(r"\d{1,12}", reset):
        return _LEAST_WAIT
    try:
        now = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        now = datetime.now(UTC)
    return timedelta(seconds=int(reset) - now.timestamp())


_POINTS = {CallKind.READ: 1.0, CallKind.WRITE: 5.0, CallKind.CREATE: 5.0}
SERVICE = Service(
    name="GitHub",
    side="tracker",
    limits=(
        Limit("hour", calls=4900, seconds=3600, burst=2400),
        Limit("points", calls=880, seconds=60, burst=160, costs=_POINTS),
        Limit("writes", calls=80, seconds=60, burst=40, costs=WRITES),
        Limit("creations an hour", calls=490, seconds=3600, burst=240, costs=CREATES),
    ),
    read_problem=read_problem,
    read_wait=read_wait,
)
"""5,000 requests an hour; 900 points a minute; 80 writes a minute, and 500 an hour that make something new."""


def api_root(base_url: str) -> str:
    """The API's address from that of the pages, or of the API itself: github.com, GHE.com, or a server of one's own."""
    host = (urlsplit(base_url).hostname or "").lower()
    if host in _CLOUD_PAGES:
        return _CLOUD
    if host.endswith(_DATA_RESIDENCY):
        return f"https://api.{host.removeprefix('api.')}"
    return base_url.rstrip("/").removesuffix(_SERVER_PATH) + _SERVER_PATH


def repository_path(project: str, rest: str = "") -> str:
    """By the repository's id, which stays when it is renamed or transferred.

    Known from the addresses that GitHub itself sends in redirects and in links to pages; not in its reference.
    """
    return f"/repositories/{segment(project)}{rest}"


class GitHubClient:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def send(self, call: Call) -> Reply:
        return await self._http.send(call)

    async def follow(self, call: Call) -> Reply:
        """A read that follows redirects within this API; `Reply.call.path` is where it ended."""
        for _ in range(_MOST_REDIRECTS + 1):
            reply = await self._http.send(replace(call, passes=_REDIRECTS))
            if reply.status not in _REDIRECTS:
                return reply
            call = replace(call, path=self._target(reply))
        raise UnexpectedReplyError(f"GitHub redirects {call.thing} again and again.", status=301)

    def _target(self, reply: Reply) -> str:
        """Only within the API: the token goes along."""
        location = reply.headers.get("location", "")
        root = self._http.base_url
        path = location.removeprefix(root) if location.startswith(f"{root}/") else ""
        if not path:
            raise reply.unexpected("it redirects to another place")
        return path.partition("?")[0]

    async def pages(self, call: Call, *, limit: int | None = None) -> AsyncIterator[tuple[Reply, list[Any]]]:
        """All pages of a list, or the first `limit` ones."""
        page = 1
        while True:
            reply = await self.page(call, page)
            yield reply, reply.items()
            if not next_address(reply) or page == limit:
                return
            page += 1

    async def page(self, call: Call, page: int) -> Reply:
        numbered = (*call.params, ("per_page", str(PER_PAGE)), ("page", str(page)))
        return await self._http.send(replace(call, params=numbered))


def next_address(reply: Reply) -> str:
    """Of the next page; "" on the last one."""
    found = _NEXT.search(reply.headers.get("link", ""))
    return found[1] if found else ""
