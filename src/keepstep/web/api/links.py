"""Links: list, look at, pair, sync, decide, unlink."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response

from keepstep.app import links
from keepstep.app.context import Context
from keepstep.app.overview import list_links, view_link
from keepstep.domain.errors import MissingError
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.domain.link import LinkState
from keepstep.ports.storage import LinkQuery
from keepstep.web.api.access import ActorDep
from keepstep.web.api.models import MISSING, MOVES, OUTSIDE, PagingDep
from keepstep.web.api.models_links import (
    Decision,
    LinkCreate,
    LinkDetail,
    LinkIds,
    LinkPage,
    LinkSort,
    LinkSummary,
    StateGroup,
    Woken,
)
from keepstep.web.deps import ContextDep

router = APIRouter(prefix="/links", tags=["links"])


def states_of(asked: list[LinkState | StateGroup]) -> frozenset[LinkState]:
    return frozenset().union(
        *(each.states if isinstance(each, StateGroup) else frozenset({each}) for each in asked)
    )


async def detail_of(ctx: Context, link_id: LinkId) -> LinkDetail:
    """Raises MissingError."""
    return LinkDetail.of_view(await view_link(ctx, link_id))


@router.get("", operation_id="listLinks", summary="List Links")
async def list_all(
    ctx: ContextDep,
    paging: PagingDep,
    integration: Annotated[str | None, Query(description="Of this integration only.")] = None,
    state: Annotated[
        list[LinkState | StateGroup] | None,
        Query(description="A state, or *in step*, *working*, *attention*; may be given several times."),
    ] = None,
    q: Annotated[
        str, Query(max_length=200, description="Part of a title, or of the ticket's label or address.")
    ] = "",
    sort: LinkSort = LinkSort.SYNCED,
) -> LinkPage:
    """Newest sync first unless sorted otherwise."""
    query = LinkQuery(
        IntegrationId(integration) if integration else None,
        states_of(state or []),
        q.strip(),
        sort.value,
        paging.offset,
        paging.limit,
    )
    found, total = await list_links(ctx, query)
    items = [LinkSummary.of(each, ctx.pages.address(each.id)) for each in found]
    return LinkPage(items=items, total=total, offset=paging.offset, limit=paging.limit)


@router.post(
    "",
    status_code=201,
    operation_id="createLink",
    summary="Pair a feature with an existing ticket",
    responses=MOVES | OUTSIDE,
)
async def create(response: Response, ctx: ContextDep, actor: ActorDep, body: LinkCreate) -> LinkDetail:
    """`first` says whose values stay where the two differ; then they are kept in step."""
    made = await links.link_existing(
        ctx, IntegrationId(body.integration), body.feature, body.ticket, actor, body.first
    )
    response.headers["Location"] = f"/api/v1/links/{made.id}"
    return await detail_of(ctx, made.id)


@router.get("/{link_id}", operation_id="getLink", summary="Show a Link", responses=MISSING)
async def get(ctx: ContextDep, link_id: str) -> LinkDetail:
    """Both values of each field, the base, why each is what it is, and its journal."""
    return await detail_of(ctx, LinkId(link_id))


@router.post(
    "/{link_id}/sync", status_code=202, operation_id="syncLink", summary="Sync a Link now", responses=MOVES
)
async def sync(ctx: ContextDep, actor: ActorDep, link_id: str) -> LinkDetail:
    """At once, whatever it is waiting for."""
    await links.sync_now(ctx, LinkId(link_id), actor)
    return await detail_of(ctx, LinkId(link_id))


@router.post(
    "/{link_id}/try-again",
    status_code=202,
    operation_id="tryLinkAgain",
    summary="Try a Link again that was set aside",
    responses=MOVES,
)
async def try_again(ctx: ContextDep, actor: ActorDep, link_id: str) -> LinkDetail:
    await links.try_again(ctx, [LinkId(link_id)], actor)
    return await detail_of(ctx, LinkId(link_id))


@router.post(
    "/{link_id}/unlink",
    status_code=202,
    operation_id="unlink",
    summary="Unlink",
    responses=MOVES,
    response_class=Response,
)
async def unlink(ctx: ContextDep, actor: ActorDep, link_id: str) -> Response:
    """The ticket stays, without our footer; the feature's cell gets its button back."""
    await links.unlink(ctx, LinkId(link_id), actor)
    return Response(status_code=202)


@router.post(
    "/{link_id}/decide",
    status_code=202,
    operation_id="decideConflict",
    summary="Choose which side's value stays",
    responses=MOVES,
)
async def decide(ctx: ContextDep, actor: ActorDep, link_id: str, body: Decision) -> LinkDetail:
    """For a field that both sides changed. The other value stays in the journal and can be put back."""
    await links.decide(ctx, LinkId(link_id), body.field, body.keep, actor)
    return await detail_of(ctx, LinkId(link_id))


@router.post("/sync", status_code=202, operation_id="syncLinks", summary="Sync several Links now")
async def sync_many(ctx: ContextDep, actor: ActorDep, body: LinkIds) -> Woken:
    return await _each(body, lambda link: links.sync_now(ctx, link, actor))


@router.post("/try-again", status_code=202, operation_id="tryLinksAgain", summary="Try several Links again")
async def try_many_again(ctx: ContextDep, actor: ActorDep, body: LinkIds) -> Woken:
    return await _each(body, lambda link: links.sync_now(ctx, link, actor))


@router.post("/unlink", status_code=202, operation_id="unlinkSeveral", summary="Unlink several Links")
async def unlink_many(ctx: ContextDep, actor: ActorDep, body: LinkIds) -> Woken:
    return await _each(body, lambda link: links.unlink(ctx, link, actor))


async def _each(body: LinkIds, act: Callable[[LinkId], Awaitable[None]]) -> Woken:
    done: list[str] = []
    missing: list[str] = []
    for link in body.ids:
        try:
            await act(link)
            done.append(link)
        except MissingError:
            missing.append(link)
    return Woken(done=done, missing=missing)
