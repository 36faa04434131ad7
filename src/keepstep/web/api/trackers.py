"""Which trackers this build knows, and what each of them asks for."""

from fastapi import APIRouter

from keepstep.domain.errors import InvalidInputError, MissingError
from keepstep.web.api.models import MISSING
from keepstep.web.api.models_system import TrackerKind, TrackerPage
from keepstep.web.deps import ContextDep

router = APIRouter(prefix="/trackers", tags=["trackers"])


@router.get("", operation_id="listTrackers", summary="List the kinds of trackers")
async def list_trackers(ctx: ContextDep) -> TrackerPage:
    """Each with the settings it takes, where its token is made, and what it can do."""
    found = [TrackerKind.of(each) for each in ctx.outside.manifests()]
    return TrackerPage(items=found, total=len(found), offset=0, limit=len(found))


@router.get("/{kind}", operation_id="getTracker", summary="Show one kind of tracker", responses=MISSING)
async def get_tracker(ctx: ContextDep, kind: str) -> TrackerKind:
    try:
        return TrackerKind.of(ctx.outside.manifest(kind))
    except InvalidInputError as error:
        raise MissingError(str(error)) from error
