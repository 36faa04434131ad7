"""Looking around with credentials before an integration uses them. Nothing is stored, nothing is written anywhere."""

from fastapi import APIRouter

from keepstep.app import discover
from keepstep.app.context import Context
from keepstep.domain.integration import ProjectRef
from keepstep.web.api.models import OUTSIDE
from keepstep.web.api.models_system import (
    BoardCheck,
    BoardChecked,
    BothSides,
    InProject,
    LabelPage,
    ProjectPage,
    ProjectSearch,
    StatusesOut,
    TrackerCheck,
    TrackerChecked,
    feature_statuses,
    projects,
)
from keepstep.web.api.values import board_access, naming, tracker_access
from keepstep.web.deps import ContextDep

router = APIRouter(prefix="/checks", tags=["checks"], responses=OUTSIDE)


@router.post("/board", operation_id="checkBoard", summary="Try a Productboard token")
async def check_board(ctx: ContextDep, body: BoardCheck) -> BoardChecked:
    """Says which workspace it opens, what it may not do, and which statuses features have there."""
    with naming():
        access = board_access(body)
        found = await discover.check_board(ctx, access.base_url, access.token)
    return BoardChecked(
        workspace=found.facts.name,
        missing=list(found.facts.missing),
        statuses=feature_statuses(found.statuses),
    )


@router.post("/tracker", operation_id="checkTracker", summary="Try a tracker's token")
async def check_tracker(ctx: ContextDep, body: TrackerCheck) -> TrackerChecked:
    """Says whose it is, what it may not do, and when it ends."""
    with naming():
        access = tracker_access(ctx, body)
        facts = await discover.check_tracker(ctx, access.kind, access.base_url, access.token, access.settings)
    return TrackerChecked(
        user=facts.user, version=facts.version, missing=list(facts.missing), expires_on=facts.expires_on
    )


@router.post("/projects", operation_id="listProjects", summary="List the tracker's projects")
async def list_projects(ctx: ContextDep, body: ProjectSearch) -> ProjectPage:
    """Those that this token may write tickets in, the best match first."""
    with naming():
        found = await discover.list_projects(ctx, tracker_access(ctx, body), body.search)
    return ProjectPage(items=projects(found), total=len(found), offset=0, limit=len(found))


@router.post("/labels", operation_id="listLabels", summary="List a project's labels")
async def list_labels(ctx: ContextDep, body: InProject) -> LabelPage:
    with naming():
        access = tracker_access(ctx, body)
        project = await _project(ctx, body)
        found = await discover.list_labels(ctx, access, project.id)
    return LabelPage(items=list(found), total=len(found), offset=0, limit=len(found))


@router.post("/statuses", operation_id="listStatuses", summary="List both sides' statuses and propose a map")
async def list_statuses(ctx: ContextDep, body: BothSides) -> StatusesOut:
    """The map is read from the names alone: look it over before you use it."""
    with naming("board"):
        access = board_access(body.board)
        features = await discover.list_board_statuses(ctx, access)
    with naming("tracker"):
        project = await _project(ctx, body.tracker)
        tickets = await discover.list_ticket_statuses(ctx, tracker_access(ctx, body.tracker), project.id)
    return StatusesOut.of(features, tickets, discover.propose_map(features, tickets))


async def _project(ctx: Context, body: InProject) -> ProjectRef:
    return await discover.find_project(ctx, tracker_access(ctx, body), body.project)
