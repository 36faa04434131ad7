"""What can be done with an integration as a whole: pause, sync, link by hand, try again, delete."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from keepstep.app import connect, links, manage, removing
from keepstep.app.overview import view_integration
from keepstep.domain.bulk import FirstSync
from keepstep.domain.errors import InvalidInputError, MissingError
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.domain.integration import IntegrationState
from keepstep.ports.errors import OutsideError
from keepstep.web.admin.integration import show_links
from keepstep.web.admin.layout import integration_path, render, see
from keepstep.web.admin.session import CSRF, PersonDep
from keepstep.web.deps import ContextDep

router = APIRouter(include_in_schema=False)


def _path(integration_id: str) -> str:
    return f"/integrations/{integration_id}"


@router.post("/integrations/{integration_id}/pause", dependencies=[CSRF])
async def pause(ctx: ContextDep, integration_id: str, person: PersonDep) -> Response:
    await manage.pause(ctx, IntegrationId(integration_id), person.name)
    return see(_path(integration_id), "paused")


@router.post("/integrations/{integration_id}/resume", dependencies=[CSRF])
async def resume(ctx: ContextDep, integration_id: str, person: PersonDep) -> Response:
    await manage.resume(ctx, IntegrationId(integration_id), person.name)
    return see(_path(integration_id), "resumed")


@router.post("/integrations/{integration_id}/sync", dependencies=[CSRF])
async def sync(ctx: ContextDep, integration_id: str, person: PersonDep) -> Response:
    await manage.sync_integration(ctx, IntegrationId(integration_id), person.name)
    return see(_path(integration_id), "syncing")


@router.post("/integrations/{integration_id}/links/try-again", dependencies=[CSRF])
async def try_links_again(
    ctx: ContextDep,
    integration_id: str,
    person: PersonDep,
    link: Annotated[list[str] | None, Form()] = None,
    back: Annotated[str, Form()] = "",
) -> Response:
    woken = await links.try_again(ctx, [LinkId(each) for each in link or ()], person.name)
    section = "/attention" if back == "attention" else ""
    return see(_path(integration_id) + section, "tried" if woken else "none-chosen")


@router.get("/integrations/{integration_id}/links")
async def links_page(integration_id: str, _person: PersonDep) -> Response:
    """Where a refused *link existing* leaves the browser: loading that address again shows the list."""
    return see(_path(integration_id))


@router.post("/integrations/{integration_id}/links", dependencies=[CSRF])
async def link_existing(
    request: Request,
    ctx: ContextDep,
    integration_id: str,
    person: PersonDep,
    feature: Annotated[str, Form()] = "",
    ticket: Annotated[str, Form()] = "",
    first: Annotated[FirstSync, Form()] = FirstSync.KEEP,
) -> Response:
    entered = {"feature": feature.strip(), "ticket": ticket.strip(), "first": first.value}
    missing = {name: "Paste its address here." for name, value in entered.items() if not value}
    try:
        if not missing:
            made = await links.link_existing(
                ctx, IntegrationId(integration_id), entered["feature"], entered["ticket"], person.name, first
            )
            return see(f"/links/{made.id}", "linked")
    except InvalidInputError as error:
        missing = {error.field: str(error)}
    except OutsideError as error:
        missing = {"": str(error)}
    view = await view_integration(ctx, IntegrationId(integration_id))
    return await show_links(request, ctx, view, entered=entered, errors=missing)


@router.post("/integrations/{integration_id}/try-again", dependencies=[CSRF])
async def try_again(ctx: ContextDep, integration_id: str, person: PersonDep) -> Response:
    try:
        await connect.try_again(ctx, IntegrationId(integration_id), person.name)
    except MissingError:
        return see("/", "removed")  # the removal was tried again by itself, and was quicker than the hand
    return see(_path(integration_id), "retrying")


@router.post("/integrations/{integration_id}/discard", dependencies=[CSRF])
async def discard(ctx: ContextDep, integration_id: str, _person: PersonDep) -> Response:
    await connect.discard(ctx, IntegrationId(integration_id))
    return see("/", "discarded")


@router.get("/integrations/{integration_id}/delete")
async def delete_page(request: Request, ctx: ContextDep, integration_id: str, _person: PersonDep) -> Response:
    view = await view_integration(ctx, IntegrationId(integration_id))
    if view.row.integration.state is IntegrationState.REMOVING:
        return see(integration_path(view.row.integration))
    return render(request, "integration/delete.html", view=view, section="settings", place="integrations")


@router.post("/integrations/{integration_id}/delete", dependencies=[CSRF])
async def delete(
    ctx: ContextDep,
    integration_id: str,
    person: PersonDep,
    clean_tickets: Annotated[str, Form()] = "",
) -> Response:
    await removing.remove(ctx, IntegrationId(integration_id), person.name, clean_tickets=bool(clean_tickets))
    return see(_path(integration_id), "removing")


@router.post("/integrations/{integration_id}/forget", dependencies=[CSRF])
async def forget(ctx: ContextDep, integration_id: str, person: PersonDep) -> Response:
    try:
        await removing.forget_anyway(ctx, IntegrationId(integration_id), person.name)
    except MissingError:
        return see("/", "removed")
    return see(_path(integration_id), "forgetting")
