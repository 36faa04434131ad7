"""People who may log in, one's own password, and tokens for the API."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from keepstep.app.people import NewPerson, NewToken, TooManyAttemptsError
from keepstep.domain.errors import ForbiddenMoveError, InvalidInputError
from keepstep.ports.people import ApiTokenId, PersonId
from keepstep.web.admin.layout import render, see
from keepstep.web.admin.session import CSRF, PersonDep, SessionDep
from keepstep.web.deps import Services, ServicesDep

router = APIRouter(prefix="/people", include_in_schema=False)


@router.get("")
async def people_page(request: Request, given: ServicesDep, _person: PersonDep) -> Response:
    return await _page(request, given)


@router.post("/add", dependencies=[CSRF])
async def add_person(
    request: Request, given: ServicesDep, _person: PersonDep, person_name: Annotated[str, Form()] = ""
) -> Response:
    """The password is made here and shown once."""
    try:
        made = await given.people.create_admin(person_name)
    except InvalidInputError as error:
        return await _page(request, given, {"person_name": str(error)}, {"person_name": person_name})
    return await _page(request, given, made=made)


@router.post("/{person_id}/disable", dependencies=[CSRF])
async def disable(given: ServicesDep, person: PersonDep, person_id: str) -> Response:
    if person_id == person.id:
        raise ForbiddenMoveError("You cannot disable yourself. Ask somebody else to do it.")
    await given.people.disable(PersonId(person_id))
    return see("/people", "saved")


@router.post("/{person_id}/enable", dependencies=[CSRF])
async def enable(given: ServicesDep, _person: PersonDep, person_id: str) -> Response:
    await given.people.enable(PersonId(person_id))
    return see("/people", "saved")


@router.post("/password", dependencies=[CSRF])
async def change_password(
    request: Request,
    given: ServicesDep,
    session: SessionDep,
    old: Annotated[str, Form()] = "",
    new: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    try:
        if new != again:
            raise InvalidInputError("again", "The two new passwords differ. Enter both once more.")  # noqa: TRY301
        await given.people.change_password(session, old, new)
    except InvalidInputError as error:
        return await _page(request, given, {error.field: str(error)})
    except TooManyAttemptsError as error:
        return await _page(request, given, {"old": str(error)})
    return see("/people", "password")


@router.post("/tokens", dependencies=[CSRF])
async def create_token(
    request: Request, given: ServicesDep, person: PersonDep, token_name: Annotated[str, Form()] = ""
) -> Response:
    try:
        made = await given.people.create_token(person, token_name)
    except InvalidInputError as error:
        return await _page(request, given, {"token_name": str(error)}, {"token_name": token_name})
    return await _page(request, given, token=made)


@router.post("/tokens/{token_id}/revoke", dependencies=[CSRF])
async def revoke_token(given: ServicesDep, _person: PersonDep, token_id: str) -> Response:
    await given.people.revoke_token(ApiTokenId(token_id))
    return see("/people", "saved")


async def _page(
    request: Request,
    given: Services,
    errors: Mapping[str, str] | None = None,
    entered: Mapping[str, str] | None = None,
    *,
    made: NewPerson | None = None,
    token: NewToken | None = None,
) -> Response:
    return render(
        request,
        "people.html",
        status=422 if errors else 200,
        place="people",
        people=await given.people.list_people(),
        tokens=await given.people.list_tokens(),
        errors=errors or {},
        entered=entered or {},
        made=made,
        token=token,
    )
