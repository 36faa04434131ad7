"""The gate every API call passes: token, budget, scope, body; and the shape of lists.

Each token has its own 50 requests in any one second (a sliding second: the vendor does not say how it counts,
and this is the strict reading).
"""

import base64
import json
import math
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keepstep_sandbox.app import Sandbox
from keepstep_sandbox.productboard.errors import ApiError, invalid, malformed, not_found
from keepstep_sandbox.productboard.state import Account, Token, Workspace
from keepstep_sandbox.productboard.wire import parsed, uuid_text

_PAGE_SIZE = 100
Body = TypeVar("Body", bound=BaseModel)
Item = TypeVar("Item")


class Budgets:
    """How many requests each token has made within the last second."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = defaultdict(deque)

    def spend(self, token: Token) -> dict[str, str]:
        """The rate headers of an accepted request. Raises ApiError 429 when the budget is spent."""
        now, seen = time.monotonic(), self._seen[token.token]
        while seen and seen[0] <= now - 1.0:
            seen.popleft()
        headers = {"X-RateLimit-Limit": str(token.per_second)}
        if len(seen) >= token.per_second:
            refused = ApiError(
                429, "rate.limitExceeded", f"More than {token.per_second} requests in one second."
            )
            wait = str(max(1, math.ceil(seen[0] + 1.0 - now)))
            refused.headers = {**headers, "X-RateLimit-Remaining": "0", "Retry-After": wait}
            raise refused
        seen.append(now)
        return {**headers, "X-RateLimit-Remaining": str(token.per_second - len(seen))}

    def clear(self) -> None:
        self._seen.clear()


@dataclass(frozen=True)
class Call:
    """One accepted request: who asks, in which workspace, for what."""

    request: Request
    sandbox: Sandbox
    account: Account
    workspace: Workspace
    token: Token
    raw: bytes

    @property
    def base(self) -> str:
        return self.sandbox.config.public_base

    @property
    def api(self) -> str:
        return self.base + "/v2"

    @property
    def ignores_write(self) -> bool:
        """A fault rule wants success answered and nothing changed."""
        return bool(getattr(self.request.state, "ignore_write", False))

    def has_scope(self, scope: str) -> bool:
        return self.token.scopes is None or scope in self.token.scopes

    def body(self, model: type[Body]) -> Body:
        """Raises ApiError 400."""
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise malformed(f"The Content-Type must be application/json, not '{kind or 'missing'}'.")
        return parsed(model, self.raw)

    def path_id(self, name: str, what: str) -> str:
        """A UUID of the path. Raises ApiError 404 for anything else, as for an id that is not there."""
        try:
            return uuid_text(self.request.path_params[name])
        except ValueError as wrong:
            raise not_found(what) from wrong

    def listed(self, name: str, allowed: Sequence[str] | None = None) -> list[str]:
        """An array parameter, `name[]`. Raises ApiError 400 for the scalar form and for values not allowed."""
        query = self.request.query_params
        if name in query:
            # Real clients meet this with a text about JSON parsing; the array form is the only one.
            raise invalid(f"Unable to parse '{name}': repeat '{name}[]' instead.", parameter=name)
        values = query.getlist(name + "[]")
        for value in values:
            if allowed is not None and value not in allowed:
                raise invalid(f"'{value}' is not a value of '{name}[]'.", parameter=name + "[]")
        return values

    def flag(self, name: str) -> bool | None:
        value = self.request.query_params.get(name)
        if value not in (None, "true", "false"):
            raise invalid(f"'{name}' must be true or false.", parameter=name)
        return None if value is None else value == "true"

    def uuid_parameter(self, name: str) -> str | None:
        value = self.request.query_params.get(name)
        try:
            return None if value is None else uuid_text(value)
        except ValueError as wrong:
            raise invalid(f"'{name}' must be a UUID.", parameter=name) from wrong

    def page(self, items: Sequence[Item], shown: Callable[[Item], Any]) -> Response:
        """One page of up to 100 with the link to the next. Raises ApiError 400 for a foreign cursor."""
        start = self._cursor()
        after = start + _PAGE_SIZE
        link = self._next_link(after) if after < len(items) else None
        return JSONResponse({"data": [shown(item) for item in items[start:after]], "links": {"next": link}})

    def _cursor(self) -> int:
        cursor = self.request.query_params.get("pageCursor")
        if cursor is None:
            return 0
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            return int(json.loads(base64.urlsafe_b64decode(padded))["after"])
        except (ValueError, KeyError, TypeError) as wrong:
            raise invalid("The format of the page cursor is not valid.", parameter="pageCursor") from wrong

    def _next_link(self, after: int) -> str:
        cursor = base64.urlsafe_b64encode(json.dumps({"after": after}).encode()).decode().rstrip("=")
        pairs = [(k, v) for k, v in self.request.query_params.multi_items() if k != "pageCursor"]
        return f"{self.base}{self.request.url.path}?{urlencode([*pairs, ('pageCursor', cursor)])}"


Handler = Callable[[Call], Awaitable[Response]]


class Gate:
    """Makes routes of handlers."""

    def __init__(self, sandbox: Sandbox, account: Callable[[], Account], budgets: Budgets) -> None:
        self._sandbox = sandbox
        self._account = account
        self._budgets = budgets

    def route(self, method: str, path: str, scope: str, handler: Handler) -> Route:
        """A route under /v2 that needs `scope`."""

        async def endpoint(request: Request) -> Response:
            headers: dict[str, str] = {}
            try:
                account = self._account()
                token = account.authenticated(request.headers.get("authorization"))
                headers = self._budgets.spend(token)
                _check_scope(token, scope)
                workspace = account.workspaces[token.workspace]
                call = Call(request, self._sandbox, account, workspace, token, await request.body())
                response = await handler(call)
            except ApiError as refused:
                response = refused.response()
            response.headers.update(headers)
            return response

        return Route("/v2" + path, endpoint, methods=[method])


def _check_scope(token: Token, scope: str) -> None:
    if token.scopes is not None and scope not in token.scopes:
        raise ApiError(403, "auth.accessDenied", f"This token lacks the scope '{scope}'.")


async def route_not_found(_request: Request) -> Response:
    """What nothing else matched, wrong methods included."""
    return ApiError(404, "route.notFound", "No route of this API has this path and method.").response()
