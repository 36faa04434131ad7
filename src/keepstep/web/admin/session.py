"""Who is asking: dependencies that pages and the API put in front of their routes.

`require_person` for pages (without a session one is sent to the login and back), `require_csrf` for every POST of a
page, `require_token` for the API. They leave `person`, `csrf` and `session` under `request.state`, where templates find
them.
"""

import hmac
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from keepstep.app.people import SESSION_LONGEST, OpenedSession
from keepstep.ports.people import ApiToken, Person, Session
from keepstep.web.deps import services

_LONGEST_NEXT = 2000
_MAX_FIELDS = 3000


class LoginNeededError(HTTPException):
    """Nobody is logged in: the answer leads to the login, which leads back."""

    def __init__(self, path: str) -> None:
        super().__init__(303, "Log in first.", headers={"Location": path, "Cache-Control": "no-store"})


async def find_session(request: Request) -> Session | None:
    """The session of this request, if there is one; read once a request."""
    if not hasattr(request.state, "session"):
        given = services(request)
        secret = request.cookies.get(_cookie_name(secure=given.secure_cookies), "")
        session = await given.people.find_session(secret)
        request.state.session = session
        request.state.person = session.person if session else None
        request.state.csrf = session.csrf if session else ""
    found: Session | None = request.state.session
    return found


async def require_session(request: Request) -> Session:
    session = await find_session(request)
    if session is None:
        raise LoginNeededError(_login_path(request))
    return session


async def require_person(request: Request) -> Person:
    """Raises LoginNeededError, which sends a browser to the login."""
    return (await require_session(request)).person


async def require_csrf(request: Request) -> None:
    """The form field `csrf`, or the header `X-CSRF-Token`, is the session's own. Raises 403, LoginNeededError."""
    session = await require_session(request)
    shown = request.headers.get("x-csrf-token") or (await read_form(request)).get("csrf", "")
    if not isinstance(shown, str) or not hmac.compare_digest(shown.encode(), session.csrf.encode()):
        raise HTTPException(
            403,
            "This form was opened before you logged in, or on another site. Load the page again, then send it.",
        )


async def require_token(request: Request) -> ApiToken:
    """The API's callers show `Authorization: Bearer ks_...`. Raises 401."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    token = await services(request).people.find_token(secret.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        raise HTTPException(
            401,
            "Send a token of this service as 'Authorization: Bearer ks_...'. It is made on the page People and tokens.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return token


PersonDep = Annotated[Person, Depends(require_person)]
SessionDep = Annotated[Session, Depends(require_session)]
TokenDep = Annotated[ApiToken, Depends(require_token)]
CSRF = Depends(require_csrf)
"""For a POST route: `@router.post(path, dependencies=[CSRF])`."""


async def read_form(request: Request) -> FormData:
    """Plain fields, and one file where a form has one. Raises 422 for a text that no database can keep."""
    if "form" not in request.headers.get("content-type", ""):
        return FormData()
    form = await request.form(max_files=1, max_fields=_MAX_FIELDS)
    for name, value in form.multi_items():
        if isinstance(value, str) and "\0" in f"{name}{value}":
            field = name.replace("\0", "")[:100]
            raise HTTPException(
                422, f"{field} has the character U+0000 in it. Remove it and send the form again."
            )
    return form


def refuse_foreign(request: Request) -> None:
    """For the login, where no session guards yet: a browser says from which site a form is sent. Raises 403."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        foreign = site not in ("same-origin", "none")
    else:
        origin = request.headers.get("origin")
        ours = {request.headers.get("host"), urlsplit(services(request).ctx.rules.public_url).netloc}
        foreign = origin is not None and urlsplit(origin).netloc not in ours
    if foreign:
        raise HTTPException(
            403, "This form was sent from another site. Open the login page of Keepstep itself."
        )


def keep_session(response: Response, opened: OpenedSession, *, secure: bool) -> None:
    response.set_cookie(
        _cookie_name(secure=secure),
        opened.secret,
        max_age=int(SESSION_LONGEST.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def drop_session(response: Response, *, secure: bool) -> None:
    response.delete_cookie(
        _cookie_name(secure=secure), path="/", secure=secure, httponly=True, samesite="lax"
    )


def local_path(wanted: str) -> str:
    """Where to go after the login: a path of ours, else home. Browsers read a backslash as a slash."""
    plain = wanted.isprintable() and "\\" not in wanted and len(wanted) <= _LONGEST_NEXT
    local = wanted.startswith("/") and not wanted.startswith(("//", "/login", "/logout"))
    return wanted if plain and local else "/"


def go(path: str) -> RedirectResponse:
    return RedirectResponse(path, status_code=303, headers={"Cache-Control": "no-store"})


def _login_path(request: Request) -> str:
    """Back to this page afterwards; of a POST, whose content is lost, to where it was sent from is not known: home."""
    if request.method not in ("GET", "HEAD"):
        return "/login"
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='/')}"


def _cookie_name(*, secure: bool) -> str:
    """With the prefix, a browser takes it only over TLS, from this host, for all paths."""
    return "__Host-keepstep" if secure else "keepstep"
