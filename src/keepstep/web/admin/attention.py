"""Everything that waits for a person, across all integrations."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from keepstep.app.overview import count_links, integration_health, link_health, list_attention
from keepstep.domain.link import LinkState
from keepstep.web.admin.layout import render
from keepstep.web.admin.session import PersonDep
from keepstep.web.deps import ContextDep

router = APIRouter(include_in_schema=False)


@router.get("/attention")
async def attention(request: Request, ctx: ContextDep, _person: PersonDep) -> Response:
    found = [
        (
            integration,
            integration_health(integration, count_links({LinkState.IN_CONFLICT: len(links)})),
            [(link, link_health(link)) for link in links],
        )
        for integration, links in await list_attention(ctx)
    ]
    waiting = sum(len(links) for _, _, links in found)
    return render(request, "attention.html", found=found, waiting=waiting, place="attention")
