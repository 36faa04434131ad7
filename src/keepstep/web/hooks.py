"""Notifications in: Productboard's and the tracker's. 2xx only after the commit."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from keepstep.app import receive
from keepstep.domain.ids import IntegrationId
from keepstep.web.column import echo_probe
from keepstep.web.deps import ContextDep

router = APIRouter(prefix="/hooks", include_in_schema=False)


@router.get("/productboard/{integration}/events")
async def probe(
    integration: IntegrationId, token: Annotated[str, Query(alias="validationToken")] = ""
) -> Response:
    """The published description knows no probe for webhooks; version 1 had one. Answering costs nothing."""
    del integration
    return echo_probe(token)


@router.post("/productboard/{integration}/events")
async def from_board(
    request: Request,
    ctx: ContextDep,
    integration: IntegrationId,
    authorization: Annotated[str, Header()] = "",
) -> Response:
    await receive.from_board(ctx, integration, authorization, await request.body())
    return Response(status_code=204)


@router.post("/tracker/{integration}")
async def from_tracker(request: Request, ctx: ContextDep, integration: IntegrationId) -> Response:
    await receive.from_tracker(ctx, integration, request.headers, await request.body())
    # Linear counts every other status, 204 too, as a failure; to the others all of 2xx is one.
    return Response(status_code=200)
