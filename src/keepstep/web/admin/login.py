"""Logging in and out."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from keepstep.app.people import LoginRefusedError, TooManyAttemptsError
from keepstep.web.admin.layout import render
from keepstep.web.admin.session import (
    CSRF,
    SessionDep,
    drop_session,
    find_session,
    go,
    keep_session,
    local_path,
    refuse_foreign,
)
from keepstep.web.deps import ServicesDep

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def login_page(request: Request, given: ServicesDep) -> Response:
    wanted = local_path(request.query_params.get("next", ""))
    if await find_session(request) is not None:
        return go(wanted)
    return await _page(request, given, wanted)


@router.post("/login", dependencies=[Depends(refuse_foreign)])
async def log_in(
    request: Request,
    given: ServicesDep,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    wanted: Annotated[str, Form(alias="next")] = "",
) -> Response:
    wanted = local_path(wanted)
    address = request.client.host if request.client else ""
    try:
        opened = await given.people.log_in(name, password, address)
    except LoginRefusedError as error:
        return await _page(request, given, wanted, name=name, error=str(error), status=401)
    except TooManyAttemptsError as error:
        return await _page(request, given, wanted, name=name, error=str(error), until=error.until, status=429)
    answer = go(wanted)
    keep_session(answer, opened, secure=given.secure_cookies)
    return answer


@router.post("/logout", dependencies=[CSRF])
async def log_out(given: ServicesDep, session: SessionDep) -> Response:
    await given.people.log_out(session)
    answer = go("/login")
    drop_session(answer, secure=given.secure_cookies)
    return answer


async def _page(
    request: Request,
    given: ServicesDep,
    wanted: str,
    *,
    name: str = "",
    error: str = "",
    until: datetime | None = None,
    status: int = 200,
) -> Response:
    now = given.ctx.clock.now()
    headers = {"Retry-After": str(max(1, int((until - now).total_seconds())))} if until else {}
    return render(
        request,
        "login.html",
        status=status,
        headers=headers,
        wanted=wanted,
        name=name[:100],
        error=error,
        until=until,
        address=given.ctx.rules.public_url,
        nobody=await given.people.is_empty(),
    )
