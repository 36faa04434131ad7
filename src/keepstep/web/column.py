"""Productboard's calls about the column: the probe, and clicks on the button."""

import re
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from keepstep.app import push
from keepstep.domain.ids import IntegrationId
from keepstep.ports.errors import UnreadableError
from keepstep.web.deps import ContextDep

router = APIRouter(prefix="/hooks/productboard", include_in_schema=False)

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,512}")


def echo_probe(validation_token: str) -> Response:
    """The probe's token and nothing else; the only thing that is ever reflected, and only of these characters."""
    if not _TOKEN.fullmatch(validation_token):
        raise UnreadableError("validationToken is expected: 1 to 512 letters, digits, - or _.")
    return PlainTextResponse(
        validation_token,
        headers={
            "Content-Type": "text/plain",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )


@router.get("/{integration}/action")
async def probe(
    integration: IntegrationId, token: Annotated[str, Query(alias="validationToken")] = ""
) -> Response:
    """Answered before the integration knows its column: Productboard probes while it creates it."""
    del integration
    return echo_probe(token)


@router.post("/{integration}/action")
async def click(
    request: Request,
    ctx: ContextDep,
    integration: IntegrationId,
    authorization: Annotated[str, Header()] = "",
) -> Response:
    """Always 200 with the cell's state for a genuine click; 400, 401, 404 or 413 for anything else."""
    cell = await push.click(ctx, integration, authorization, await request.body())
    return JSONResponse(ctx.outside.board_wire().write_answer(cell))
