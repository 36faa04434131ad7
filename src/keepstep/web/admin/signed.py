"""The read-only page of one Link: where the column's error and the ticket's footer lead, without a login.

It shows what the Link's page shows, but offers nothing to do, and names neither people nor anything beside this Link.
"""

from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import Response

from keepstep.app.overview import Health, LinkView
from keepstep.domain.errors import MissingError
from keepstep.domain.link import LinkState
from keepstep.web.admin.layout import render
from keepstep.web.admin.link import show_link
from keepstep.web.deps import ContextDep

router = APIRouter(include_in_schema=False)

_HEADERS = {
    # The address is the permission: it must not travel on in a Referer, nor into a search engine.
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
_LONGEST_ADDRESS = 500


@router.get("/l/{signed}")
async def signed_page(request: Request, ctx: ContextDep, signed: str) -> Response:
    link_id = ctx.pages.read(signed) if len(signed) <= _LONGEST_ADDRESS else None
    if link_id is None:
        raise MissingError("This address does not lead to a Link. It may have been copied incompletely.")
    try:
        shown = await show_link(request, ctx, link_id)
    except MissingError as error:
        raise MissingError("This Link is gone: feature and ticket are not kept in step any more.") from error
    return render(
        request,
        "link/signed.html",
        headers=_HEADERS,
        shown=shown,
        view=shown.view,
        link=shown.view.link,
        health=_without_action(shown.view),
    )


def _without_action(view: LinkView) -> Health:
    """The cure names what somebody else has to do, since nothing can be done here."""
    if view.link.state is LinkState.IN_CONFLICT:
        return replace(view.health, cure="Whoever runs Keepstep can choose which one stays.")
    if view.link.state is LinkState.SET_ASIDE:
        return replace(view.health, cure="Whoever runs Keepstep can mend the cause and try again.")
    if view.link.trouble is not None:
        return replace(view.health, cure="It is tried again by itself.")
    return view.health
