"""After the mass guard stopped: what would be detached, and the two ways on."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from keepstep.app import guarding
from keepstep.app.overview import link_health, view_integration
from keepstep.domain.ids import IntegrationId
from keepstep.domain.link import Link, LinkState
from keepstep.web.admin.layout import integration_path, render, see
from keepstep.web.admin.session import CSRF, PersonDep
from keepstep.web.deps import ContextDep

router = APIRouter(prefix="/integrations/{integration_id}/detaching", include_in_schema=False)


_ANNOUNCED = "A deletion was told of. We look once more before the Link ends."


@router.get("")
async def detaching(request: Request, ctx: ContextDep, integration_id: str, _person: PersonDep) -> Response:
    view = await view_integration(ctx, IntegrationId(integration_id))
    held = await guarding.view_held_back(ctx, IntegrationId(integration_id))
    if held.integration.pause is None or not held.integration.pause.guard:
        return see(integration_path(held.integration))
    found = [(link, _reason(link)) for link in held.links]
    return render(
        request, "integration/detaching.html", view=view, section="", links=found, place="integrations"
    )


@router.post("", dependencies=[CSRF])
async def allow(ctx: ContextDep, integration_id: str, person: PersonDep) -> Response:
    await guarding.allow(ctx, IntegrationId(integration_id), person.name)
    return see(f"/integrations/{integration_id}", "letting-go")


def _reason(link: Link) -> str:
    """Until somebody looked, a Link that is told to be gone is in step as far as it knows."""
    return link_health(link).sentence if link.state is LinkState.LOST_SIGHT else _ANNOUNCED
