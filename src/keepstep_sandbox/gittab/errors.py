"""GitLab's two error shapes: Grape's `{"error": …}` for parameters and Rails' `{"message": …}` for the rest."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response


class GitLabError(Exception):
    """An answer other than success; raised anywhere below a route."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})

    def response(self) -> Response:
        if isinstance(self.body, str):
            return PlainTextResponse(self.body, self.status, self.headers)
        return JSONResponse(self.body, self.status, self.headers)


def bad_parameter(reason: str) -> GitLabError:
    """Grape refused a parameter before the route ran."""
    return GitLabError(400, {"error": reason})


def invalid(**fields: str) -> GitLabError:
    """A model refused its values; one sentence a field."""
    return GitLabError(400, {"message": {name: [reason] for name, reason in fields.items()}})


def refused(reason: str, status: int = 400) -> GitLabError:
    return GitLabError(status, {"message": reason})


def unauthorized() -> GitLabError:
    return GitLabError(401, {"message": "401 Unauthorized"})


def dead_token(reason: str) -> GitLabError:
    """A token that was good once."""
    return GitLabError(401, {"error": "invalid_token", "error_description": reason})


def insufficient_scope(*scopes: str) -> GitLabError:
    return GitLabError(
        403,
        {
            "error": "insufficient_scope",
            "error_description": "The request requires higher privileges than provided by the access token.",
            "scope": " ".join(scopes),
        },
    )


def forbidden(reason: str = "") -> GitLabError:
    return GitLabError(403, {"message": "403 Forbidden" + (f" - {reason}" if reason else "")})


def not_found(what: str = "") -> GitLabError:
    """`404 Project Not Found` where a route looks for one thing; `404 Not found` where a record lookup failed."""
    return GitLabError(404, {"message": f"404 {what} Not Found" if what else "404 Not found"})


def too_many(retry_after_s: int) -> GitLabError:
    """One endpoint's own limit; the general one answers plain text."""
    return GitLabError(
        429,
        {"message": {"error": "This endpoint has been requested too many times. Try again later."}},
        {"Retry-After": str(retry_after_s)},
    )
