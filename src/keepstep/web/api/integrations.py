"""Integrations: list, create, look at, change, steer, delete."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from keepstep.app import connect, discover, guarding, manage, removing
from keepstep.app.context import Context
from keepstep.app.overview import IntegrationView, list_integrations, list_journal, view_integration
from keepstep.domain.ids import IntegrationId
from keepstep.ports.storage import JournalQuery
from keepstep.web.api.access import ActorDep
from keepstep.web.api.creating import change_integration, create_integration, statuses_of
from keepstep.web.api.models import MISSING, MOVES, OUTSIDE, PagingDep
from keepstep.web.api.models_integrations import (
    IntegrationChange,
    IntegrationCreate,
    IntegrationDetail,
    IntegrationPage,
    IntegrationSummary,
    NewToken,
)
from keepstep.web.api.models_links import LinkSummary
from keepstep.web.api.models_system import StatusesOut
from keepstep.web.api.values import naming
from keepstep.web.deps import ContextDep

router = APIRouter(prefix="/integrations", tags=["integrations"])

_NEWEST = 20


async def detail_of(ctx: Context, integration_id: IntegrationId) -> IntegrationDetail:
    """Raises MissingError."""
    view = await view_integration(ctx, integration_id)
    journal, _ = await list_journal(ctx, JournalQuery(integration_id, limit=_NEWEST))
    return IntegrationDetail.of_view(view, attention_of(ctx, view), journal)


def attention_of(ctx: Context, view: IntegrationView) -> list[LinkSummary]:
    return [LinkSummary.of(each, ctx.pages.address(each.id)) for each in view.attention]


@router.get("", operation_id="listIntegrations", summary="List integrations")
async def list_all(ctx: ContextDep, paging: PagingDep) -> IntegrationPage:
    """Those that need attention first, then by name."""
    rows = await list_integrations(ctx)
    part = rows[paging.offset : paging.offset + paging.limit]
    return IntegrationPage(
        items=[IntegrationSummary.of(each) for each in part],
        total=len(rows),
        offset=paging.offset,
        limit=paging.limit,
    )


@router.post(
    "", status_code=201, operation_id="createIntegration", summary="Create an integration", responses=OUTSIDE
)
async def create(
    response: Response, ctx: ContextDep, actor: ActorDep, body: IntegrationCreate
) -> IntegrationDetail:
    """Tries both tokens and the project, stores everything, and begins to connect.

    The answer is in the state *connecting*; ask again until it is *active*, or `failure` says why it stopped.
    """
    made = await create_integration(ctx, body, actor)
    response.headers["Location"] = f"/api/v1/integrations/{made.id}"
    return await detail_of(ctx, made.id)


@router.get(
    "/{integration_id}", operation_id="getIntegration", summary="Show an integration", responses=MISSING
)
async def get(ctx: ContextDep, integration_id: str) -> IntegrationDetail:
    """With its health, counts, settings, the steps of connecting or removing, and its last events."""
    return await detail_of(ctx, IntegrationId(integration_id))


@router.patch(
    "/{integration_id}",
    operation_id="changeIntegration",
    summary="Change an integration",
    responses=MOVES | OUTSIDE,
)
async def change(
    ctx: ContextDep, actor: ActorDep, integration_id: str, body: IntegrationChange
) -> IntegrationDetail:
    """What is left out stays. A changed policy acts on the next change of a Link.

    Project and tracker address can change only while no Link exists.
    """
    await change_integration(ctx, IntegrationId(integration_id), body, actor)
    return await detail_of(ctx, IntegrationId(integration_id))


@router.get(
    "/{integration_id}/statuses",
    operation_id="listIntegrationStatuses",
    summary="List both sides' statuses as they are now",
    responses=MISSING | OUTSIDE,
)
async def statuses(ctx: ContextDep, integration_id: str) -> StatusesOut:
    """Asked with the stored tokens, with a map proposed from the names. Changes nothing."""
    async with ctx.storage.begin() as uow:
        integration = await uow.integrations.get(IntegrationId(integration_id))
    return await statuses_of(ctx, integration)


@router.put(
    "/{integration_id}/tokens/{side}",
    operation_id="replaceToken",
    summary="Replace a token",
    responses=MOVES | OUTSIDE,
)
async def replace_token(
    ctx: ContextDep,
    actor: ActorDep,
    integration_id: str,
    side: Literal["board", "tracker"],
    body: NewToken,
) -> IntegrationDetail:
    """Tried before it replaces the present one. An integration that was paused for this token goes on."""
    with naming():
        token = discover.cleaned_token(body.token.get_secret_value())
        await manage.replace_token(ctx, IntegrationId(integration_id), side, token, actor)
    return await detail_of(ctx, IntegrationId(integration_id))


@router.post("/{integration_id}/pause", operation_id="pauseIntegration", summary="Pause", responses=MOVES)
async def pause(ctx: ContextDep, actor: ActorDep, integration_id: str) -> IntegrationDetail:
    """Nothing is carried over until it is resumed. What comes in is kept."""
    await manage.pause(ctx, IntegrationId(integration_id), actor)
    return await detail_of(ctx, IntegrationId(integration_id))


@router.post("/{integration_id}/resume", operation_id="resumeIntegration", summary="Resume", responses=MOVES)
async def resume(ctx: ContextDep, actor: ActorDep, integration_id: str) -> IntegrationDetail:
    """What waited goes on."""
    await manage.resume(ctx, IntegrationId(integration_id), actor)
    return await detail_of(ctx, IntegrationId(integration_id))


@router.post(
    "/{integration_id}/allow-detaching",
    operation_id="allowDetaching",
    summary="Detach what is gone, and resume",
    responses=MOVES,
)
async def allow_detaching(ctx: ContextDep, actor: ActorDep, integration_id: str) -> IntegrationDetail:
    """After the mass guard has paused it: for an hour, Links whose feature or ticket is gone are detached unasked."""
    await guarding.allow(ctx, IntegrationId(integration_id), actor)
    return await detail_of(ctx, IntegrationId(integration_id))


@router.post(
    "/{integration_id}/sync",
    status_code=202,
    operation_id="syncIntegration",
    summary="Look at both sides now",
    responses=MOVES,
)
async def sync(ctx: ContextDep, actor: ActorDep, integration_id: str) -> IntegrationDetail:
    """Instead of at the next poll."""
    await manage.sync_integration(ctx, IntegrationId(integration_id), actor)
    return await detail_of(ctx, IntegrationId(integration_id))


@router.post(
    "/{integration_id}/try-again",
    status_code=202,
    operation_id="tryIntegrationAgain",
    summary="Try to connect, or to remove, once more",
    responses=MOVES,
)
async def try_again(ctx: ContextDep, actor: ActorDep, integration_id: str) -> IntegrationDetail:
    await connect.try_again(ctx, IntegrationId(integration_id), actor)
    return await detail_of(ctx, IntegrationId(integration_id))


@router.delete(
    "/{integration_id}",
    status_code=202,
    operation_id="deleteIntegration",
    summary="Delete an integration",
    responses=MOVES,
)
async def delete(
    ctx: ContextDep,
    actor: ActorDep,
    integration_id: str,
    *,
    clean_tickets: Annotated[
        bool, Query(description="Also take the link back to Productboard out of the tickets.")
    ] = False,
) -> IntegrationDetail:
    """Removes the column, both webhooks and our data; tickets and features stay.

    That takes its time: `steps` shows how far it is, and 404 says that it is done.
    """
    await removing.remove(ctx, IntegrationId(integration_id), actor, clean_tickets=clean_tickets)
    return await detail_of(ctx, IntegrationId(integration_id))


@router.post(
    "/{integration_id}/forget",
    status_code=202,
    operation_id="forgetIntegration",
    summary="Give up on what cannot be removed outside",
    response_class=Response,
    responses=MOVES,
)
async def forget(ctx: ContextDep, actor: ActorDep, integration_id: str) -> Response:
    """Only while it is being removed: drops our data although an upstream refuses its part."""
    await removing.forget_anyway(ctx, IntegrationId(integration_id), actor)
    return Response(status_code=202)


@router.post(
    "/{integration_id}/discard",
    status_code=204,
    operation_id="discardIntegration",
    summary="Drop an integration that could not be connected",
    responses=MOVES,
)
async def discard(ctx: ContextDep, _actor: ActorDep, integration_id: str) -> None:
    """Everything that it had made outside was undone before."""
    await connect.discard(ctx, IntegrationId(integration_id))
