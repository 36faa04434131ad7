"""Home: all integrations, those that need somebody first."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from keepstep.app.overview import list_integrations
from keepstep.web.admin.layout import render
from keepstep.web.admin.session import PersonDep
from keepstep.web.deps import ContextDep, ServicesDep

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request, ctx: ContextDep, services: ServicesDep, _person: PersonDep) -> Response:
    rows = await list_integrations(ctx)
    return render(request, "home.html", rows=rows, boards=services.boards, place="integrations")
