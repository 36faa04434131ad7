"""What needs a person, and how the installation itself is."""

from fastapi import APIRouter

from keepstep.app.overview import list_attention, list_integrations
from keepstep.web.api.models import PagingDep
from keepstep.web.api.models_links import HealthOut, LinkSummary
from keepstep.web.api.models_system import AttentionItem, AttentionPage, SystemOut
from keepstep.web.deps import ContextDep, ServicesDep

router = APIRouter(tags=["overview"])


@router.get("/attention", operation_id="listAttention", summary="List what needs a person")
async def attention(ctx: ContextDep, paging: PagingDep) -> AttentionPage:
    """Per integration up to 50 Links, with what is wrong and what helps; integrations in trouble first."""
    health = {row.integration.id: row.health for row in await list_integrations(ctx)}
    found = [each for each in await list_attention(ctx) if each[0].id in health]
    items = [
        AttentionItem(
            integration=integration.id,
            name=integration.name,
            state=integration.state,
            health=HealthOut.of(health[integration.id]),
            links=[LinkSummary.of(each, ctx.pages.address(each.id)) for each in links],
        )
        for integration, links in found[paging.offset : paging.offset + paging.limit]
    ]
    return AttentionPage(items=items, total=len(found), offset=paging.offset, limit=paging.limit)


@router.get("/system", operation_id="getSystem", summary="Show how the installation is")
async def system(services: ServicesDep) -> SystemOut:
    """Database, workers, queue, and the settings worth knowing; never a secret."""
    return SystemOut.of(services.version, await services.ready(), await services.system())
