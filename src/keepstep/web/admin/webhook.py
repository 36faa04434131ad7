"""The tracker's webhook made by hand: the steps with our address and secret in place, and a look for its first call."""

from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import Response

from keepstep.app.tracker_hooks import steps_by_hand, wait_for_a_call
from keepstep.domain.errors import MissingError
from keepstep.domain.fields import Side
from keepstep.web.admin.layout import integration_path, render, see
from keepstep.web.admin.session import CSRF
from keepstep.web.admin.settings import Desk, DeskDep

router = APIRouter(prefix="/integrations/{integration_id}", include_in_schema=False)

_WAIT_SECONDS = 20.0
_JUST_NOW = timedelta(minutes=2)
"""A call that came while the person walked from page to page counts."""


@router.get("/webhook")
async def webhook_page(desk: DeskDep) -> Response:
    return await _page(desk)


@router.post("/webhook/check", dependencies=[CSRF])
async def check_now(desk: DeskDep) -> Response:
    """Waits for a call of the tracker, such as the ping of its test button."""
    since = desk.ctx.clock.now() - _JUST_NOW
    heard = await wait_for_a_call(desk.ctx, desk.integration.id, since, _WAIT_SECONDS)
    return see(integration_path(desk.integration, "webhook"), "hook-heard" if heard else "hook-silent")


async def _page(desk: Desk) -> Response:
    steps = await steps_by_hand(desk.ctx, desk.integration)
    if not steps:
        raise MissingError("The webhook of this integration is not made by hand.")
    return render(
        desk.request,
        "integration/webhook.html",
        view=desk.view,
        section="settings",
        place="integrations",
        steps=steps,
        heard=desk.view.row.last_notice.get(Side.TICKET),
    )
