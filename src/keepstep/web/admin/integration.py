"""One integration: its Links, its journal, what needs a person, and the steps while it is connected or removed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from keepstep.app.context import Context
from keepstep.app.overview import (
    IntegrationView,
    link_health,
    list_journal,
    list_links,
    view_integration,
)
from keepstep.domain.errors import MissingError
from keepstep.domain.events import Act
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import IntegrationState
from keepstep.domain.link import ATTENTION, IN_STEP, LinkState
from keepstep.ports.storage import JournalQuery, LinkQuery
from keepstep.web.admin.journal import links_of, show_entries
from keepstep.web.admin.layout import Pages, integration_path, render, see
from keepstep.web.admin.names import StatusDirectory
from keepstep.web.admin.presenting import FIRST_CHOICES
from keepstep.web.admin.session import PersonDep
from keepstep.web.deps import ContextDep

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50
_GOING = frozenset({"removing", "retrying", "forgetting"})
"""What was asked for a moment ago: when the integration is gone by now, that is the success and no fault."""
_LONGEST_SEARCH = 200

_GROUPS: Mapping[str, frozenset[LinkState]] = {
    "in-step": IN_STEP,
    "working": frozenset({LinkState.PUSHING, LinkState.UNLINKING}),
    "attention": ATTENTION,
}
_SORTS = {
    "synced": "Last synced",
    "title": "Feature title",
    "ticket": "Ticket",
    "state": "State",
    "created": "Linked since",
}


@dataclass(frozen=True, slots=True)
class LinkFilter:
    """What the list of Links is asked for; what cannot be read counts as not asked."""

    text: str
    state: str
    sort: str

    @classmethod
    def of(cls, request: Request) -> "LinkFilter":
        asked = request.query_params
        state, sort = asked.get("state", ""), asked.get("sort", "")
        known = {*_GROUPS, *(each.value for each in LinkState)}
        return cls(
            text=asked.get("q", "").strip()[:_LONGEST_SEARCH],
            state=state if state in known else "",
            sort=sort if sort in _SORTS else "synced",
        )

    @property
    def states(self) -> frozenset[LinkState]:
        if not self.state:
            return frozenset()
        return _GROUPS.get(self.state) or frozenset({LinkState(self.state)})

    @property
    def is_set(self) -> bool:
        return bool(self.text or self.state)


def page_number(request: Request) -> int:
    asked = request.query_params.get("page", "1")
    return min(max(int(asked), 1), 1_000_000) if asked.isascii() and asked.isdecimal() else 1


@router.get("/integrations/{integration_id}")
async def links(request: Request, ctx: ContextDep, integration_id: str, _person: PersonDep) -> Response:
    try:
        view = await view_integration(ctx, IntegrationId(integration_id))
    except MissingError:
        if request.query_params.get("done") in _GOING:
            return see("/", "removed")
        raise
    integration = view.row.integration
    if integration.state is IntegrationState.CONNECTING:
        return render(request, "integration/connecting.html", view=view, place="integrations")
    if integration.state is IntegrationState.REMOVING:
        return render(request, "integration/removing.html", view=view, place="integrations")
    return await show_links(request, ctx, view)


async def show_links(
    request: Request,
    ctx: Context,
    view: IntegrationView,
    *,
    entered: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    """The section Links; with `entered` and `errors` when *link existing* was refused."""
    integration = view.row.integration
    asked, number = LinkFilter.of(request), page_number(request)
    query = LinkQuery(
        integration.id, asked.states, asked.text, asked.sort, (number - 1) * PAGE_SIZE, PAGE_SIZE
    )
    found, total = await list_links(ctx, query)
    sort = "" if asked.sort == "synced" else asked.sort
    pages = Pages(
        integration_path(integration),
        {"q": asked.text, "state": asked.state, "sort": sort},
        number,
        PAGE_SIZE,
        total,
    )
    return render(
        request,
        "integration/links.html",
        status=422 if errors else 200,
        view=view,
        section="links",
        links=found,
        asked=asked,
        pages=pages,
        states=_state_options(view),
        sorts=list(_SORTS.items()),
        first_choices=[(key.value, label) for key, label, _ in FIRST_CHOICES],
        entered=entered or {},
        errors=errors or {},
        place="integrations",
    )


def _state_options(view: IntegrationView) -> Sequence[tuple[str, str]]:
    counts, by_state = view.row.counts, view.row.by_state
    groups = [
        ("", "All"),
        ("in-step", f"In step ({counts.in_step})"),
        ("working", f"Working ({counts.working})"),
        ("attention", f"Needs attention ({counts.attention})"),
    ]
    single = (
        LinkState.IN_CONFLICT,
        LinkState.REFUSED,
        LinkState.LOST_SIGHT,
        LinkState.SET_ASIDE,
        LinkState.DISMISSED,
    )
    named = [(each.value, f"{each.value.capitalize()} ({by_state.get(each, 0)})") for each in single]
    return [*groups, *named]


@dataclass(frozen=True, slots=True)
class JournalFilter:
    side: Side | None
    field: Field | None
    act: Act | None

    @classmethod
    def of(cls, request: Request) -> "JournalFilter":
        asked = request.query_params
        return cls(
            side=next((each for each in Side if each.value == asked.get("side")), None),
            field=next((each for each in Field if each.value == asked.get("field")), None),
            act=next((each for each in Act if each.value == asked.get("act")), None),
        )

    @property
    def is_set(self) -> bool:
        return bool(self.side or self.field or self.act)


@router.get("/integrations/{integration_id}/activity")
async def activity(request: Request, ctx: ContextDep, integration_id: str, _person: PersonDep) -> Response:
    view = await view_integration(ctx, IntegrationId(integration_id))
    integration, asked, number = view.row.integration, JournalFilter.of(request), page_number(request)
    query = JournalQuery(
        integration.id,
        side=asked.side,
        field=asked.field,
        acts=(asked.act,) if asked.act else (),
        offset=(number - 1) * PAGE_SIZE,
        limit=PAGE_SIZE,
    )
    entries, total = await list_journal(ctx, query)
    known = await links_of(ctx, entries)
    names = await StatusDirectory.of(request).names(ctx, integration, known.values(), entries)
    chosen = {"side": asked.side or "", "field": asked.field or "", "act": asked.act or ""}
    return render(
        request,
        "integration/activity.html",
        view=view,
        section="activity",
        entries=show_entries(entries, known, names, view.row.tracker_name),
        asked=asked,
        acts=[("", "Anything"), *((each.value, each.value.capitalize()) for each in Act)],
        pages=Pages(integration_path(integration, "activity"), chosen, number, PAGE_SIZE, total),
        place="integrations",
    )


@router.get("/integrations/{integration_id}/attention")
async def attention(request: Request, ctx: ContextDep, integration_id: str, _person: PersonDep) -> Response:
    view = await view_integration(ctx, IntegrationId(integration_id))
    return render(
        request,
        "integration/attention.html",
        view=view,
        section="attention",
        links=[(link, link_health(link)) for link in view.attention],
        place="integrations",
    )
