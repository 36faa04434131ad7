"""Bulk runs: propose, look, choose, start, pause, resume, cancel."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from keepstep.app import bulk, selecting
from keepstep.app.context import Context
from keepstep.domain.bulk import BulkOutcome, BulkRun, Way
from keepstep.domain.ids import BulkId, IntegrationId
from keepstep.ports.bulk import BulkItemQuery
from keepstep.web.api.access import ActorDep
from keepstep.web.api.models import MISSING, MOVES, OUTSIDE, PagingDep
from keepstep.web.api.models_bulk import (
    BulkChoice,
    BulkItemOut,
    BulkItemPage,
    BulkLinkCreate,
    BulkPreview,
    BulkPushCreate,
    BulkRunOut,
    BulkRunPage,
    BulkStart,
)
from keepstep.web.deps import ContextDep

router = APIRouter(prefix="/bulk", tags=["bulk"])


async def run_out(ctx: Context, run: BulkRun) -> BulkRunOut:
    """Raises MissingError."""
    return BulkRunOut.of(await bulk.view_run(ctx, run.id))


@router.get("", operation_id="listBulkRuns", summary="List bulk runs")
async def list_all(
    ctx: ContextDep,
    paging: PagingDep,
    integration: Annotated[str | None, Query(description="Of this integration only.")] = None,
) -> BulkRunPage:
    """Newest first."""
    wanted = IntegrationId(integration) if integration else None
    found, total = await bulk.list_runs(ctx, wanted, paging.offset, paging.limit)
    items = [BulkRunOut.of(each) for each in found]
    return BulkRunPage(items=items, total=total, offset=paging.offset, limit=paging.limit)


@router.post(
    "/push",
    status_code=202,
    operation_id="proposeBulkPush",
    summary="Select features to be pushed",
    responses=MOVES | OUTSIDE,
)
async def push(response: Response, ctx: ContextDep, actor: ActorDep, body: BulkPushCreate) -> BulkRunOut:
    """They are collected; nothing is pushed before the run is started."""
    integration = IntegrationId(body.integration)
    asked = selecting.Asked(
        body.text, body.statuses, body.tags, body.place, body.owner, subfeatures=body.subfeatures
    )
    selection, title = await selecting.select(ctx, integration, asked)
    run = await bulk.propose_push(ctx, integration, selection, title, actor)
    response.headers["Location"] = f"/api/v1/bulk/{run.id}"
    return await run_out(ctx, run)


@router.post(
    "/link",
    status_code=202,
    operation_id="proposeBulkLink",
    summary="Look for features and tickets that belong together",
    responses=MOVES,
)
async def link(response: Response, ctx: ContextDep, actor: ActorDep, body: BulkLinkCreate) -> BulkRunOut:
    """Pairs are proposed; nothing is linked before the run is started. Pairs by title are not chosen at first."""
    ways = [Way(each) for each in body.ways]
    run = await bulk.propose_link(ctx, IntegrationId(body.integration), ways, actor, csv=body.csv)
    response.headers["Location"] = f"/api/v1/bulk/{run.id}"
    return await run_out(ctx, run)


@router.get("/{run_id}", operation_id="getBulkRun", summary="Show a bulk run", responses=MISSING)
async def get(ctx: ContextDep, run_id: str) -> BulkRunOut:
    """How far it is, and about when it will be done."""
    return BulkRunOut.of(await bulk.view_run(ctx, BulkId(run_id)))


@router.get("/{run_id}/items", operation_id="listBulkItems", summary="List a run's items", responses=MISSING)
async def items(
    ctx: ContextDep,
    paging: PagingDep,
    run_id: str,
    outcome: Annotated[list[BulkOutcome] | None, Query(description="May be given several times.")] = None,
    q: Annotated[str, Query(max_length=200, description="Part of a title or of a ticket's label.")] = "",
) -> BulkItemPage:
    """What would become, or became, of each."""
    await bulk.view_run(ctx, BulkId(run_id))
    query = BulkItemQuery(BulkId(run_id), outcome or (), q.strip(), offset=paging.offset, limit=paging.limit)
    found, total = await bulk.list_items(ctx, query)
    shown = [BulkItemOut.of(each) for each in found]
    return BulkItemPage(items=shown, total=total, offset=paging.offset, limit=paging.limit)


@router.get(
    "/{run_id}/items/{item_id}/preview",
    operation_id="previewBulkItem",
    summary="Show the ticket that an item would become",
    responses=MISSING | OUTSIDE,
)
async def preview(ctx: ContextDep, run_id: str, item_id: Annotated[int, Path(ge=1, lt=2**63)]) -> BulkPreview:
    """Read now from Productboard; nothing is created."""
    return BulkPreview.of(await bulk.preview_item(ctx, BulkId(run_id), item_id))


@router.post(
    "/{run_id}/choose",
    operation_id="chooseBulkItems",
    summary="Take items in or leave them out",
    responses=MOVES,
)
async def choose(ctx: ContextDep, run_id: str, body: BulkChoice) -> BulkRunOut:
    """Before the run is started. What is not chosen then is left out."""
    return await run_out(ctx, await bulk.choose(ctx, BulkId(run_id), body.items, chosen=body.chosen))


@router.post(
    "/{run_id}/start",
    status_code=202,
    operation_id="startBulkRun",
    summary="Start what was proposed",
    responses=MOVES,
)
async def start(ctx: ContextDep, actor: ActorDep, run_id: str, body: BulkStart | None = None) -> BulkRunOut:
    first = body.first if body else None
    return await run_out(ctx, await bulk.start(ctx, BulkId(run_id), actor, first))


@router.post("/{run_id}/pause", operation_id="pauseBulkRun", summary="Pause", responses=MOVES)
async def pause(ctx: ContextDep, actor: ActorDep, run_id: str) -> BulkRunOut:
    """What is under way ends; nothing new begins."""
    return await run_out(ctx, await bulk.pause(ctx, BulkId(run_id), actor))


@router.post(
    "/{run_id}/resume", status_code=202, operation_id="resumeBulkRun", summary="Resume", responses=MOVES
)
async def resume(ctx: ContextDep, actor: ActorDep, run_id: str) -> BulkRunOut:
    return await run_out(ctx, await bulk.resume(ctx, BulkId(run_id), actor))


@router.post("/{run_id}/cancel", operation_id="cancelBulkRun", summary="Cancel", responses=MOVES)
async def cancel(ctx: ContextDep, actor: ActorDep, run_id: str) -> BulkRunOut:
    """What is under way ends, what waits is skipped, what is done stays."""
    return await run_out(ctx, await bulk.cancel(ctx, BulkId(run_id), actor))
