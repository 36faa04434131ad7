"""GitLab's manners: errors of two kinds, numbered pages, quoted projects."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from keepstep.adapters.http import Call, HttpClient, Problem, Reply, Service, segment
from keepstep.domain.calls import Limit

PER_PAGE = 100
_API = "/api/v4"
_FIELDS = {
    "title": "title",
    "description": "description",
    "state_event": "status",
    "add_labels": "labels",
    "remove_labels": "labels",
    "labels": "labels",
    "url": "public_url",
    "body": "comment",
}
_LOCAL_CURE = (
    "GitLab must be able to reach the public address of Keepstep. For an address inside your own network an "
    "administrator of GitLab has to allow webhooks to the local network."
)


def read_problem(_status: int, body: Any) -> Problem:
    """`{"message": text | {field: [reasons]}}` by Rails, `{"error": text, ...}` by the API's parameter check."""
    if not isinstance(body, dict):
        return Problem(text=body if isinstance(body, str) else "")
    error = body.get("error")
    if error == "insufficient_scope":
        return Problem(
            text=str(body.get("error_description") or ""), missing=f'the scope "{body.get("scope", "api")}"'
        )
    message = body.get("message")
    if isinstance(message, dict):
        return _validation(message)
    text = str(message or body.get("error_description") or error or "")
    if "url" in text.lower():
        return Problem(text=text, field="public_url", cure=_LOCAL_CURE)
    first = re.match(r"\w+", text)
    return Problem(text=text, field=_FIELDS.get(first.group() if first else "", ""))


def _validation(message: dict[str, Any]) -> Problem:
    told = []
    for name, reasons in message.items():
        listed = reasons if isinstance(reasons, list) else [reasons]
        told.append(f"{name} {', '.join(str(each) for each in listed)}")
    field = next((_FIELDS[name] for name in message if name in _FIELDS), "")
    return Problem("; ".join(told), field, cure=_LOCAL_CURE if field == "public_url" else "")


def service(name: str, *limits: Limit) -> Service:
    return Service(name=name, side="tracker", limits=limits, read_problem=read_problem)


def api_root(base_url: str) -> str:
    """The address of the pages or of the API, whichever a person has at hand."""
    return base_url.removesuffix(_API) + _API


def project_path(project: str, rest: str = "") -> str:
    return f"/projects/{segment(project)}{rest}"


class GitLabClient:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    @property
    def host(self) -> str:
        return self._http.host

    async def send(self, call: Call) -> Reply:
        return await self._http.send(call)

    async def pages(self, call: Call, *, limit: int | None = None) -> AsyncIterator[tuple[Reply, list[Any]]]:
        """All pages of a list, or the first `limit` ones."""
        page = 1
        while True:
            reply = await self.page(call, page)
            yield reply, reply.items()
            if not has_more(reply) or page == limit:
                return
            page += 1

    async def page(self, call: Call, page: int) -> Reply:
        return await self._http.send(
            replace(call, params=[*call.params, ("per_page", str(PER_PAGE)), ("page", str(page))])
        )


def has_more(reply: Reply) -> bool:
    """By the header; a server that leaves it out is judged by the page being full."""
    following = reply.headers.get("x-next-page")
    return bool(following.strip()) if following is not None else len(reply.items()) >= PER_PAGE
