"""From a request to a handler: segments, token, scope, rate budget, errors.

Paths are matched on the bytes as they came, because a project may be given as `group%2Fname`: one segment, not two.
The order of checks is GitLab's: unknown route, token, scope, budget, then the handler.
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from keepstep_sandbox.gittab.emulator import GitTab
from keepstep_sandbox.gittab.errors import GitLabError, forbidden, not_found, unauthorized
from keepstep_sandbox.gittab.params import Params, read_params, whole
from keepstep_sandbox.gittab.state import GUEST, Issue, Project, State, Token, User

PREFIX = "/api/v4"
READ = ("api", "read_api")
WRITE = ("api",)


@dataclass
class Call:
    """One request with everything a handler asks for."""

    request: Request
    gittab: GitTab
    token: Token | None
    user: User | None
    path: dict[str, str]
    params: Params

    @property
    def state(self) -> State:
        return self.gittab.state

    @property
    def me(self) -> User:
        """Raises 401 without a token."""
        if self.user is None:
            raise unauthorized()
        return self.user

    @property
    def writes(self) -> bool:
        return self.request.method not in ("GET", "HEAD")

    def project(self, level: int = GUEST) -> Project:
        """The project of the path. Raises 404 when it is not to be seen, 403 where the role is too low."""
        project = self.gittab.access.project(self.user, self.path["id"], level)
        if self.writes and project.archived:
            raise forbidden()
        return project

    def issue(self, missing: str = "") -> tuple[Project, Issue]:
        """The issue of the path; `missing` names it in the 404, which differs from route to route in GitLab."""
        project = self.project()
        if not project.issues_enabled:
            raise forbidden()
        issue = self.state.issue_at(project.id, whole(self.path["issue_iid"], "issue_iid"))
        if issue is None or not self.gittab.access.may_see(self.me, project, issue):
            raise not_found(missing)
        return project, issue

    def number(self, name: str) -> int:
        return whole(self.path[name], name)


Handler = Callable[[Call], Response | Awaitable[Response]]


@dataclass(frozen=True)
class Endpoint:
    method: str
    pattern: str  # `:name` stands for one segment
    handler: Handler
    scopes: tuple[str, ...] = READ  # any of them; none: every token
    anonymous: bool = False  # may be asked without a token

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        parts = self.pattern.strip("/").split("/")
        if len(parts) != len(segments):
            return None
        path: dict[str, str] = {}
        for part, segment in zip(parts, segments, strict=True):
            if part.startswith(":"):
                path[part[1:]] = unquote(segment)
            elif part != segment:
                return None
        return path


class Api:
    """Answers everything below the prefix."""

    def __init__(self, gittab: GitTab, endpoints: Sequence[Endpoint]) -> None:
        self._gittab = gittab
        self._endpoints = endpoints

    async def answer(self, request: Request) -> Response:
        headers: dict[str, str] = {}
        try:
            endpoint, path = self._find(request.method, request)
            call = await self._admitted(request, endpoint, path, headers)
            # A handler that awaits lets others write meanwhile, so it cannot be undone.
            undoable = call.writes and not inspect.iscoroutinefunction(endpoint.handler)
            if undoable and getattr(request.state, "ignore_write", False):
                response = await self._ignored(call, endpoint)
            else:
                response = await _handled(endpoint.handler, call)
        except GitLabError as refusal:
            response = refusal.response()
        if request.method not in ("GET", "HEAD") and response.status_code < 400:
            self._gittab.sandbox.changed()
        response.headers.update(headers)
        return response

    def _find(self, method: str, request: Request) -> tuple[Endpoint, dict[str, str]]:
        raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
        segments = raw.partition(b"?")[0].decode("latin-1").removeprefix(PREFIX).strip("/").split("/")
        wanted = "GET" if method == "HEAD" else method
        known = False
        for endpoint in self._endpoints:
            path = endpoint.match(segments)
            if path is not None and endpoint.method == wanted:
                return endpoint, path
            known = known or path is not None
        if known:
            raise GitLabError(405, {"error": "405 Not Allowed"})
        raise GitLabError(404, {"error": "404 Not Found"})

    async def _admitted(
        self, request: Request, endpoint: Endpoint, path: dict[str, str], headers: dict[str, str]
    ) -> Call:
        access = self._gittab.access
        token = access.token_of(request)
        if token is None and not endpoint.anonymous:
            raise unauthorized()
        if token is not None:
            headers |= access.count(token)
            access.check_scope(token, endpoint.scopes)
        user = None if token is None else self._gittab.state.users[token.user_id]
        return Call(request, self._gittab, token, user, path, await read_params(request))

    async def _ignored(self, call: Call, endpoint: Endpoint) -> Response:
        """Success without effect: the write is done in silence and undone; an update answers what still stands."""
        gittab = self._gittab
        saved = gittab.snapshot()
        gittab.webhooks.muted = True
        try:
            response = await _handled(endpoint.handler, call)
        finally:
            gittab.webhooks.muted = False
            gittab.restore(saved)
        if endpoint.method != "PUT" or response.status_code >= 400:
            return response
        reader = next(e for e in self._endpoints if e.method == "GET" and e.pattern == endpoint.pattern)
        return await _handled(reader.handler, call)


async def _handled(handler: Handler, call: Call) -> Response:
    response = handler(call)
    return await response if inspect.isawaitable(response) else response


def created(body: object) -> Response:
    return JSONResponse(body, status_code=201)


def gone() -> Response:
    return Response(status_code=204)
