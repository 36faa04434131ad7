"""The one place that turns what went wrong into an answer: a page for people, JSON under /api and /hooks.

Each answer says what happened, why as far as we know, and what to do. What nobody foresaw gets a short reference that
stands in the log beside the traceback; the traceback itself never leaves the house.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from keepstep.domain.errors import (
    ForbiddenMoveError,
    InvalidInputError,
    KeepstepError,
    MissingError,
    StaleRevisionError,
)
from keepstep.ports.errors import (
    AuthLostError,
    NotGenuineError,
    NotThereError,
    OutsideError,
    RateLimitedError,
    RejectedError,
    TransientError,
    UnexpectedReplyError,
    UnreadableError,
)
from keepstep.ports.vault import VaultError
from keepstep.web.admin.layout import render
from keepstep.web.admin.session import find_session
from keepstep.web.guards import HEADERS

_LOG = structlog.get_logger(__name__)
_JSON_PATHS = ("/api/", "/hooks/", "/healthz", "/readyz", "/metrics")


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer to be given, before it is a page or JSON."""

    status: int
    code: str
    title: str
    what: str
    why: str = ""
    cure: str = ""
    field: str = ""
    reference: str = ""
    retry_after: timedelta | None = None

    @property
    def headers(self) -> dict[str, str]:
        wait = self.retry_after
        return {} if wait is None else {"Retry-After": str(max(1, round(wait.total_seconds())))}

    def as_json(self) -> dict[str, object]:
        named = {
            "code": self.code,
            "message": " ".join(part for part in (self.what, self.why, self.cure) if part),
            "what": self.what,
            "why": self.why,
            "do": self.cure,
            "field": self.field,
            "reference": self.reference,
        }
        return {"error": {key: value for key, value in named.items() if value}}


_OUTSIDE: tuple[tuple[type[OutsideError], int, str, str, str], ...] = (
    (AuthLostError, 502, "auth_lost", "A token is refused",
     "Paste a new token in the integration's settings; nothing is lost, what waits goes on then."),
    (RateLimitedError, 503, "rate_limited", "Too many requests over there", "Try again when that time has passed."),
    (TransientError, 503, "outside_unavailable", "The other side does not answer",
     "Try again in a moment. What is under way is tried again by itself."),
    (NotThereError, 404, "not_there", "Not found over there",
     "Check the address, and whether the token may see it."),
    (RejectedError, 422, "rejected", "The other side does not accept this", "Change what it names, then try again."),
    (UnexpectedReplyError, 502, "unexpected_reply", "An answer we do not understand",
     "Check the address. If it is right, the other side may have changed: please report it."),
)  # fmt: skip


def problem_of(error: Exception) -> Problem:
    """What an error means to whoever asked."""
    match error:
        case InvalidInputError():
            return Problem(422, "invalid_input", "That cannot be used", str(error), field=error.field)
        case MissingError():
            return Problem(
                404, "missing", "Not found", str(error) or "There is no such thing here.",
                "It may have been removed since.", "Go back to the list and look there.",
            )  # fmt: skip
        case ForbiddenMoveError():
            return Problem(409, "not_possible_now", "Not possible right now", str(error))
        case StaleRevisionError():
            return Problem(
                409, "changed_meanwhile", "Somebody was faster",
                "This was changed while you were looking at it.", cure="Reload the page and try again.",
            )  # fmt: skip
        case NotGenuineError():
            return Problem(
                401, "not_genuine", "Not genuine", str(error) or "This call does not prove who sent it."
            )
        case UnreadableError():
            return Problem(400, "unreadable", "Not readable", str(error) or "The body cannot be read.")
        case OutsideError():
            return _outside(error)
        case VaultError():
            return Problem(
                500, "secret_locked", "A stored token cannot be opened", "A stored token cannot be opened.",
                "The key it was sealed with is not among the keys of this installation.",
                "Put that key back into KEEPSTEP_SECRET_KEYS, or paste the token again in the settings.",
            )  # fmt: skip
    return Problem(400, "refused", "Not possible", str(error))


def _outside(error: OutsideError) -> Problem:
    for kind, status, code, title, cure in _OUTSIDE:
        if isinstance(error, kind):
            problem = Problem(status, code, title, str(error), cure=cure)
            match error:
                case RateLimitedError():
                    return replace(problem, retry_after=error.retry_after)
                case RejectedError():
                    return replace(problem, field=error.field)
            return problem
    return Problem(502, "outside", "Something outside went wrong", str(error), cure="Try again in a moment.")


_PLAIN: dict[int, Problem] = {
    400: Problem(400, "bad_request", "Not understood", "This request cannot be read."),
    401: Problem(401, "login_needed", "Please log in", "This needs a login.", cure="Log in and try again."),
    403: Problem(403, "forbidden", "Not allowed", "This is not allowed.",
                 "The page may be older than your login.", "Reload the page and try again."),
    404: Problem(404, "not_found", "Page not found", "There is nothing at this address.",
                 "It may have been removed, or the address is incomplete.", "Start from the list of integrations."),
    405: Problem(405, "method_not_allowed", "Not possible like this", "This address does not take such a request.",
                 cure="Start from the list of integrations."),
    408: Problem(408, "too_slow", "Too slow", "What was sent did not come in time."),
    413: Problem(413, "too_large", "Too large", "What was sent is larger than we take."),
    429: Problem(429, "too_many", "Too many tries", "There were too many tries.", cure="Wait a little."),
    503: Problem(503, "not_ready", "Not ready", "Keepstep cannot work right now.", cure="Try again in a moment."),
}  # fmt: skip


def problem_of_http(error: HTTPException) -> Problem:
    """Of a status that a route or the framework raised; its own words come first where it has some."""
    try:
        phrase = HTTPStatus(error.status_code).phrase
    except ValueError:
        phrase = ""
    problem = _PLAIN.get(error.status_code) or Problem(error.status_code, "error", phrase or "Error", phrase)
    said = "" if error.detail == phrase else str(error.detail)
    return replace(problem, what=said, why="") if said else problem


def wants_json(request: Request) -> bool:
    return request.url.path.startswith(_JSON_PATHS)


async def answer(request: Request, problem: Problem) -> Response:
    """A page keeps its navigation for whoever is logged in; not after a fault of ours, which may be the database's."""
    if problem.status < 500 and not wants_json(request):
        await find_session(request)
    return _rendered(request, problem)


def _rendered(request: Request, problem: Problem) -> Response:
    if wants_json(request):
        return JSONResponse(problem.as_json(), status_code=problem.status, headers=problem.headers)
    return render(request, "error.html", status=problem.status, headers=problem.headers, problem=problem)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
    headers = dict(error.headers or {})
    if 300 <= error.status_code < 400 and "Location" in headers:
        return RedirectResponse(headers["Location"], status_code=error.status_code)
    response = await answer(request, problem_of_http(error))
    response.headers.update(headers)
    return response


async def _on_keepstep(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.status >= 500:
        _LOG.warning("web.outside.failed", path=request.url.path, error=type(error).__name__, said=str(error))
    return await answer(request, problem)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type only
    first = error.errors()[0] if error.errors() else {"loc": (), "msg": "not readable"}
    name = ".".join(str(part) for part in first["loc"][1:]) or "request"
    malformed = first.get("type") == "json_invalid"
    what = "The body is not JSON." if malformed else f"{name}: {first['msg']}."
    problem = Problem(
        400 if malformed else 422, "unreadable" if malformed else "invalid_input", "That cannot be used", what,
        field="" if malformed else name,
    )  # fmt: skip
    return await answer(request, problem)


async def _on_anything(request: Request, error: Exception) -> Response:
    reference = secrets.token_hex(4)
    _LOG.error(
        "web.failed", reference=reference, method=request.method, path=request.url.path, exc_info=error
    )
    problem = Problem(
        500, "internal", "That went wrong here", "Keepstep could not do this because of a fault of its own.",
        "Nothing was half done: what had begun is finished or tried again by itself.",
        f"Try again. If it stays, look for {reference} in the log and report what stands there.",
        reference=reference,
    )  # fmt: skip
    response = _rendered(request, problem)
    # This answer is made outside all middleware, so it brings its own guards.
    response.headers.update(dict(HEADERS))
    return response


async def _on_disconnect(_request: Request, _error: Exception) -> Response:
    """Whoever asked has gone: nobody reads this, and there is nothing to report."""
    return Response(status_code=400)


def install(app: FastAPI) -> None:
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(KeepstepError, _on_keepstep)
    app.add_exception_handler(VaultError, _on_keepstep)
    app.add_exception_handler(Exception, _on_anything)
