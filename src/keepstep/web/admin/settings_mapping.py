"""Changing the map and the field policy of an integration."""

from dataclasses import replace

from fastapi import APIRouter
from fastapi.responses import Response

from keepstep.app import discover
from keepstep.app.discover import BoardAccess
from keepstep.app.manage import Changes
from keepstep.domain.errors import InvalidInputError, KeepstepError, MissingError
from keepstep.domain.integration import IntegrationState
from keepstep.domain.policy import SyncPolicy
from keepstep.ports.vault import VaultError
from keepstep.web.admin.entries import completed, read_policy, sentence, text
from keepstep.web.admin.layout import integration_path, render, see
from keepstep.web.admin.mapping_forms import Offer, fetch_offer, mapping_form
from keepstep.web.admin.session import CSRF, go, read_form
from keepstep.web.admin.settings import Desk, DeskDep

router = APIRouter(prefix="/integrations/{integration_id}", include_in_schema=False)


@router.get("/mapping")
async def mapping_page(desk: DeskDep) -> Response:
    if desk.integration.state is IntegrationState.REMOVING:
        return go(integration_path(desk.integration))
    try:
        offer = await _offer(desk)
    except KeepstepError as error:
        return _page(desk, None, desk.integration.policy, trouble=sentence(error))
    return _page(desk, offer, desk.integration.policy)


@router.post("/mapping", dependencies=[CSRF])
async def save_mapping(desk: DeskDep) -> Response:
    form, policy = await read_form(desk.request), desk.integration.policy
    try:
        offer = await _offer(desk)
    except KeepstepError as error:
        return _page(desk, None, policy, trouble=sentence(error))
    try:
        policy = read_policy(form, offer.features, offer.tickets, policy)
        if text(form, "go") == "propose":
            return _page(
                desk,
                offer,
                replace(policy, status_map=completed(policy.status_map, offer.proposal)),
                unsaved=True,
            )
        await desk.change(Changes(policy=policy))
    except MissingError:
        raise
    except KeepstepError as error:
        return _page(desk, offer, policy, error=sentence(error))
    return see(integration_path(desk.integration, "rules"), "saved")


async def _offer(desk: Desk) -> Offer:
    """Raises InvalidInputError, and the errors of the outside."""
    board = desk.integration.board
    try:
        token = await desk.ctx.vault.open(board.token)
    except (VaultError, MissingError) as error:
        said = "The stored Productboard token cannot be opened any more. Paste a new one in the settings."
        raise InvalidInputError("token", said) from error
    tracker = await discover.tracker_of(desk.ctx, desk.integration)
    return await fetch_offer(
        desk.ctx, BoardAccess(board.base_url, token), tracker, desk.integration.project.id
    )


def _page(
    desk: Desk,
    offer: Offer | None,
    policy: SyncPolicy,
    *,
    trouble: str = "",
    error: str = "",
    unsaved: bool = False,
) -> Response:
    return render(
        desk.request,
        "settings/mapping.html",
        status=422 if error else 200,
        view=desk.view,
        section="mapping",
        place="integrations",
        form=mapping_form(offer, policy, desk.manifest.name) if offer else None,
        trouble=trouble,
        error=error,
        unsaved=unsaved,
    )
