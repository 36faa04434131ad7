"""The journal: what Keepstep did and why; values in it can be put back."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from keepstep.app import links
from keepstep.app.overview import list_journal
from keepstep.domain.events import Act
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.ports.storage import JournalQuery
from keepstep.web.api.access import ActorDep
from keepstep.web.api.links import detail_of
from keepstep.web.api.models import MOVES, PagingDep
from keepstep.web.api.models_links import EntryOut, EntryPage, LinkDetail
from keepstep.web.deps import ContextDep

router = APIRouter(prefix="/journal", tags=["journal"])

_LARGEST_ID = 2**63 - 1


@router.get("", operation_id="listJournal", summary="Read the journal")
async def list_entries(
    ctx: ContextDep,
    paging: PagingDep,
    integration: Annotated[str | None, Query(description="Of this integration only.")] = None,
    link: Annotated[str | None, Query(description="Of this Link only.")] = None,
    side: Side | None = None,
    field: Field | None = None,
    act: Annotated[list[Act] | None, Query(description="May be given several times.")] = None,
) -> EntryPage:
    """The newest first."""
    query = JournalQuery(
        IntegrationId(integration) if integration else None,
        LinkId(link) if link else None,
        side,
        field,
        act or (),
        paging.offset,
        paging.limit,
    )
    found, total = await list_journal(ctx, query)
    items = [EntryOut.of(each) for each in found]
    return EntryPage(items=items, total=total, offset=paging.offset, limit=paging.limit)


@router.post(
    "/{entry_id}/put-back",
    status_code=202,
    operation_id="putBack",
    summary="Write a value of the journal back",
    responses=MOVES,
)
async def put_back(
    ctx: ContextDep, actor: ActorDep, entry_id: Annotated[int, Path(ge=1, le=_LARGEST_ID)]
) -> LinkDetail:
    """Writes the entry's `before` to both sides. Only where `can_put_back` is true."""
    return await detail_of(ctx, await links.put_back(ctx, entry_id, actor))
