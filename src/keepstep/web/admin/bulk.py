"""Bulk runs on the pages: the list of an integration's runs, the forms that begin one, and one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response

from keepstep.app import bulk, selecting
from keepstep.app.bulk_csv import decoded
from keepstep.app.overview import view_integration
from keepstep.domain.bulk import AT_WORK, BulkKind, BulkOutcome, BulkState, FirstSync, Way
from keepstep.domain.errors import InvalidInputError, KeepstepError
from keepstep.domain.ids import BulkId, IntegrationId
from keepstep.ports.bulk import BulkItemQuery
from keepstep.ports.errors import OutsideError
from keepstep.ports.productboard import SelectionChoices
from keepstep.web.admin.integration import PAGE_SIZE, page_number
from keepstep.web.admin.layout import Pages, render, see
from keepstep.web.admin.session import CSRF, PersonDep
from keepstep.web.deps import ContextDep

router = APIRouter(include_in_schema=False)

_LONGEST_SEARCH = 200
_LARGEST_ID = 2**63
_LOOKED_FOR = (Way.MARKER, Way.ADDRESS, Way.TITLE)


@router.get("/integrations/{integration_id}/bulk")
async def runs(request: Request, ctx: ContextDep, integration_id: str, _person: PersonDep) -> Response:
    view = await view_integration(ctx, IntegrationId(integration_id))
    number = page_number(request)
    found, total = await bulk.list_runs(
        ctx, IntegrationId(integration_id), (number - 1) * PAGE_SIZE, PAGE_SIZE
    )
    pages = Pages(f"/integrations/{integration_id}/bulk", {}, number, PAGE_SIZE, total)
    return render(
        request, "bulk/list.html", view=view, section="bulk", runs=found, pages=pages, place="integrations"
    )


@router.get("/integrations/{integration_id}/bulk/push")
async def push_form(request: Request, ctx: ContextDep, integration_id: str, _person: PersonDep) -> Response:
    return await _show_push_form(request, ctx, integration_id, selecting.Asked(), {})


async def _show_push_form(
    request: Request,
    ctx: ContextDep,
    integration_id: str,
    asked: selecting.Asked,
    errors: Mapping[str, str],
) -> Response:
    view = await view_integration(ctx, IntegrationId(integration_id))
    trouble, choices = "", SelectionChoices()
    try:
        choices = await selecting.choices(ctx, IntegrationId(integration_id))
    except OutsideError as error:
        trouble = str(error)
    return render(
        request,
        "bulk/push.html",
        status=422 if errors else 200,
        view=view,
        section="bulk",
        choices=choices,
        places=[("", "Anywhere"), *((each.id, f"{each.name} ({each.kind})") for each in choices.places)],
        asked=asked,
        errors=errors,
        trouble=trouble,
        place="integrations",
    )


@router.post("/integrations/{integration_id}/bulk/push", dependencies=[CSRF])
async def propose_push(
    request: Request,
    ctx: ContextDep,
    integration_id: str,
    person: PersonDep,
    q: Annotated[str, Form()] = "",
    status: Annotated[list[str] | None, Form()] = None,
    tag: Annotated[list[str] | None, Form()] = None,
    place: Annotated[str, Form()] = "",
    owner: Annotated[str, Form()] = "",
    subfeatures: Annotated[str, Form()] = "",
) -> Response:
    asked = selecting.Asked(
        q.strip()[:_LONGEST_SEARCH], status or (), tag or (), place, owner, subfeatures=bool(subfeatures)
    )
    try:
        selection, title = await selecting.select(ctx, IntegrationId(integration_id), asked)
        run = await bulk.propose_push(ctx, IntegrationId(integration_id), selection, title, person.name)
    except (InvalidInputError, OutsideError) as error:
        return await _show_push_form(request, ctx, integration_id, asked, _errors_of(error))
    return see(f"/bulk/{run.id}")


@router.get("/integrations/{integration_id}/bulk/link")
async def link_form(request: Request, ctx: ContextDep, integration_id: str, _person: PersonDep) -> Response:
    return await _show_link_form(request, ctx, integration_id, _LOOKED_FOR, "", {})


async def _show_link_form(
    request: Request,
    ctx: ContextDep,
    integration_id: str,
    ways: Sequence[Way],
    csv: str,
    errors: Mapping[str, str],
) -> Response:
    return render(
        request,
        "bulk/link.html",
        status=422 if errors else 200,
        view=await view_integration(ctx, IntegrationId(integration_id)),
        section="bulk",
        ways=ways,
        looked_for=_LOOKED_FOR,
        csv=csv,
        errors=errors,
        place="integrations",
    )


@router.post("/integrations/{integration_id}/bulk/link", dependencies=[CSRF])
async def propose_link(
    request: Request,
    ctx: ContextDep,
    integration_id: str,
    person: PersonDep,
    way: Annotated[list[Way] | None, Form()] = None,
    csv: Annotated[str, Form()] = "",
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    try:
        content = await file.read() if file is not None else b""
        csv = decoded(content) if content.strip() else csv
        run = await bulk.propose_link(ctx, IntegrationId(integration_id), way or (), person.name, csv=csv)
    except InvalidInputError as error:
        return await _show_link_form(request, ctx, integration_id, way or (), csv, _errors_of(error))
    return see(f"/bulk/{run.id}")


def _errors_of(error: KeepstepError) -> Mapping[str, str]:
    return {error.field if isinstance(error, InvalidInputError) else "": str(error)}


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """What the list of items is asked for; what cannot be read counts as not asked."""

    text: str
    outcome: BulkOutcome | None

    @classmethod
    def of(cls, request: Request) -> "ItemFilter":
        asked = request.query_params
        wanted = asked.get("outcome", "")
        return cls(
            asked.get("q", "").strip()[:_LONGEST_SEARCH],
            next((each for each in BulkOutcome if each.value == wanted), None),
        )

    @property
    def is_set(self) -> bool:
        return bool(self.text or self.outcome)


@router.get("/bulk/{run_id}")
async def run_page(request: Request, ctx: ContextDep, run_id: str, _person: PersonDep) -> Response:
    found = await bulk.view_run(ctx, BulkId(run_id))
    asked, number = ItemFilter.of(request), page_number(request)
    outcomes = (asked.outcome,) if asked.outcome else ()
    query = BulkItemQuery(
        found.run.id, outcomes, asked.text, offset=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE
    )
    items, total = await bulk.list_items(ctx, query)
    chosen = {"q": asked.text, "outcome": asked.outcome or ""}
    return render(
        request,
        "bulk/run.html",
        found=found,
        view=await view_integration(ctx, found.run.integration_id),
        items=items,
        asked=asked,
        outcomes=_outcome_options(found.run.kind),
        pages=Pages(f"/bulk/{run_id}", chosen, number, PAGE_SIZE, total),
        at_work=found.run.state in AT_WORK,
        place="integrations",
    )


def _outcome_options(kind: BulkKind) -> Sequence[tuple[str, str]]:
    other = BulkOutcome.LINKED if kind is BulkKind.PUSH else BulkOutcome.PUSHED
    named = [each for each in BulkOutcome if each is not other]
    return [("", "All"), *((each.value, each.value.capitalize()) for each in named)]


@router.get("/bulk/{run_id}/items/{item_id}")
async def item_page(
    request: Request, ctx: ContextDep, run_id: str, item_id: str, _person: PersonDep
) -> Response:
    """The ticket that this feature would become."""
    found = await bulk.view_run(ctx, BulkId(run_id))
    number = int(item_id) if item_id.isascii() and item_id.isdecimal() else 0
    trouble, shown = "", None
    try:
        shown = await bulk.preview_item(ctx, BulkId(run_id), min(number, _LARGEST_ID - 1))
    except OutsideError as error:
        trouble = str(error)
    return render(request, "bulk/item.html", found=found, shown=shown, trouble=trouble, place="integrations")


@router.post("/bulk/{run_id}/choose", dependencies=[CSRF])
async def choose(
    ctx: ContextDep,
    run_id: str,
    _person: PersonDep,
    shown: Annotated[list[int] | None, Form()] = None,
    item: Annotated[list[int] | None, Form()] = None,
    page: Annotated[str, Form()] = "",
) -> Response:
    await _keep_choice(ctx, run_id, shown, item)
    return see(f"/bulk/{run_id}", "chosen", page=page)


async def _keep_choice(
    ctx: ContextDep, run_id: str, shown: list[int] | None, ticked: list[int] | None
) -> None:
    """Of the items that the form showed; what stands on other pages stays as it is."""
    seen = {each for each in shown or () if 0 < each < _LARGEST_ID}
    taken = seen & set(ticked or ())
    if taken:
        await bulk.choose(ctx, BulkId(run_id), taken, chosen=True)
    if seen - taken:
        await bulk.choose(ctx, BulkId(run_id), seen - taken, chosen=False)


@router.post("/bulk/{run_id}/start", dependencies=[CSRF])
async def start(
    ctx: ContextDep,
    run_id: str,
    person: PersonDep,
    shown: Annotated[list[int] | None, Form()] = None,
    item: Annotated[list[int] | None, Form()] = None,
    first: Annotated[FirstSync | None, Form()] = None,
) -> Response:
    found = await bulk.view_run(ctx, BulkId(run_id))
    if found.run.state is BulkState.PROPOSED:
        await _keep_choice(ctx, run_id, shown, item)
    await bulk.start(ctx, BulkId(run_id), person.name, first)
    return see(f"/bulk/{run_id}", "bulk-started")


@router.post("/bulk/{run_id}/pause", dependencies=[CSRF])
async def pause(ctx: ContextDep, run_id: str, person: PersonDep) -> Response:
    await bulk.pause(ctx, BulkId(run_id), person.name)
    return see(f"/bulk/{run_id}", "bulk-paused")


@router.post("/bulk/{run_id}/resume", dependencies=[CSRF])
async def resume(ctx: ContextDep, run_id: str, person: PersonDep) -> Response:
    await bulk.resume(ctx, BulkId(run_id), person.name)
    return see(f"/bulk/{run_id}", "bulk-resumed")


@router.post("/bulk/{run_id}/cancel", dependencies=[CSRF])
async def cancel(ctx: ContextDep, run_id: str, person: PersonDep) -> Response:
    await bulk.cancel(ctx, BulkId(run_id), person.name)
    return see(f"/bulk/{run_id}", "bulk-cancelled")
