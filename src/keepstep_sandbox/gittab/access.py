"""Who is asking and what they may: tokens, scopes, roles, and each token's own rate budget."""

import time
from collections import defaultdict, deque
from datetime import UTC, datetime

from starlette.requests import Request

from keepstep_sandbox.gittab.errors import (
    GitLabError,
    dead_token,
    forbidden,
    insufficient_scope,
    not_found,
    too_many,
    unauthorized,
)
from keepstep_sandbox.gittab.state import GUEST, PLANNER, Issue, Project, State, Token, User

_MINUTE_SECONDS = 60


class Access:
    """Raises GitLabError wherever somebody may not."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.clear()

    def clear(self) -> None:
        self._windows: dict[int, tuple[int, int]] = {}  # token id -> minute, requests in it
        self._created: defaultdict[tuple[int, int], deque[float]] = defaultdict(deque)
        self._resent: defaultdict[int, deque[float]] = defaultdict(deque)

    def token_of(self, request: Request) -> Token | None:
        """The token a request carries; None for none. Raises 401 for one that is not or no longer good."""
        secret = request.headers.get("private-token") or request.query_params.get("private_token")
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if not secret and scheme.lower() == "bearer":
            secret = bearer.strip()
        if not secret:
            return None
        token = self._state.token_with(secret)
        if token is None:
            raise unauthorized()
        if token.revoked:
            raise dead_token("Token was revoked. You have to re-authorize from the user.")
        if token.expires_at is not None and token.expires_at <= datetime.now(UTC).date().isoformat():
            raise dead_token("Token is expired. You can either do re-authorization or token refresh.")
        token.last_used_at = self._state.clock.now()
        return token

    def check_scope(self, token: Token, scopes: tuple[str, ...]) -> None:
        """An endpoint without scopes is open to every token."""
        if scopes and not set(scopes) & set(token.scopes):
            raise insufficient_scope(*scopes)

    def count(self, token: Token) -> dict[str, str]:
        """Counts a request and returns the budget's headers. Raises 429 when the minute's budget is used up."""
        limit = self._state.limits["requests_per_minute"]
        if limit is None:
            return {}
        now = int(time.time())
        minute = now // _MINUTE_SECONDS
        then, used = self._windows.get(token.id, (minute, 0))
        used = used + 1 if then == minute else 1
        self._windows[token.id] = (minute, used)
        reset = (minute + 1) * _MINUTE_SECONDS
        headers = {
            "RateLimit-Limit": str(limit),
            "RateLimit-Name": "throttle_authenticated_api",
            "RateLimit-Observed": str(used),
            "RateLimit-Remaining": str(max(0, limit - used)),
            "RateLimit-Reset": str(reset),
        }
        if used > limit:
            raise GitLabError(429, "Retry later\n", {**headers, "Retry-After": str(reset - now)})
        return headers

    def count_new_issue(self, user: User, project: Project) -> None:
        limit = self._state.limits["issues_per_minute"]
        if limit is not None:
            _slide(self._created[user.id, project.id], limit)

    def count_resend(self, hook_id: int) -> None:
        _slide(self._resent[hook_id], 5)

    def project(self, user: User | None, key: str, level: int = GUEST) -> Project:
        """Raises 404 for a project that the user cannot see, 403 for one where the role is too low."""
        project = self._state.project_at(key)
        if project is None or user is None or project.level(user) < GUEST:
            raise not_found("Project")
        if project.level(user) < level:
            raise forbidden()
        return project

    def may_see(self, user: User, project: Project, issue: Issue) -> bool:
        if not issue.confidential or project.level(user) >= PLANNER:
            return True
        return user.id == issue.author_id or user.id in issue.assignee_ids

    def may_edit(self, user: User, project: Project, issue: Issue) -> bool:
        own = user.id == issue.author_id or user.id in issue.assignee_ids
        return own or project.level(user) >= PLANNER


def _slide(times: deque[float], limit: int) -> None:
    """A sliding minute; raises 429 when it is full."""
    now = time.monotonic()
    while times and times[0] <= now - _MINUTE_SECONDS:
        times.popleft()
    if len(times) >= limit:
        raise too_many(max(1, round(times[0] + _MINUTE_SECONDS - now)))
    times.append(now)
