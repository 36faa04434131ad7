"""One Link: both sides, why each value is what it is, what to decide, and what was done."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from keepstep.app import links
from keepstep.app.context import Context
from keepstep.app.opening import open_tracker
from keepstep.app.overview import FieldView, LinkView, view_link
from keepstep.app.proposals import propose
from keepstep.domain.document import split_footers
from keepstep.domain.errors import InvalidInputError, KeepstepError
from keepstep.domain.events import Act
from keepstep.domain.fields import Field, Side, normal_title
from keepstep.domain.ids import LinkId, markers_in
from keepstep.domain.policy import Direction, FieldPolicy
from keepstep.ports.vault import VaultError
from keepstep.web.admin.journal import Parts, ShownEntry, difference, show_entries
from keepstep.web.admin.layout import render, see
from keepstep.web.admin.names import StatusDirectory, StatusNames
from keepstep.web.admin.presenting import DIRECTION_SENTENCES, RULE_SENTENCES, capital, text_of_html
from keepstep.web.admin.session import CSRF, PersonDep
from keepstep.web.deps import ContextDep

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ShownField:
    """One field as words: status ids have become names, and changes of a conflict are marked."""

    view: FieldView
    feature: str
    ticket: str
    agree: bool
    """Both sides read the same, so one value says it all."""
    feature_change: Parts
    ticket_change: Parts
    why: str
    """Who or what gave it this value, and the rule for the next change."""
    outcomes: Mapping[Side, str]
    """Of an open decision: the ticket's text for either choice, without Keepstep's own lines."""


@dataclass(frozen=True, slots=True)
class ShownLink:
    view: LinkView
    fields: list[ShownField]
    entries: list[ShownEntry]


async def show_link(request: Request, ctx: Context, link_id: LinkId) -> ShownLink:
    """Raises MissingError."""
    view = await view_link(ctx, link_id)
    names = await StatusDirectory.of(request).names(ctx, view.integration, [view.link], view.journal)
    entries = show_entries(view.journal, {view.link.id: view.link}, names, view.tracker_name)
    view = replace(view, fields=[await _without_footer(ctx, view, each) for each in view.fields])
    outcomes = await _outcomes(ctx, view)
    fields = [
        _shown(each, names, view.integration.policy.of(each.field), outcomes.get(each.field, {}))
        for each in view.fields
    ]
    return ShownLink(view, fields, list(entries))


async def _outcomes(ctx: Context, view: LinkView) -> Mapping[Field, Mapping[Side, str]]:
    try:
        proposed = await propose(ctx, view.integration, view.link)
        text = (await open_tracker(ctx, view.integration)).text if proposed else None
    except (KeepstepError, VaultError):
        return {}
    return {
        name: {
            side: text.write(split_footers(text.read(pair.ticket))[0]).strip() for side, pair in pairs.items()
        }
        for name, pairs in proposed.items()
        if text is not None
    }


async def _without_footer(ctx: Context, view: LinkView, each: FieldView) -> FieldView:
    """Keepstep's own lines in the ticket are no part of what is kept in step."""
    if each.field is not Field.DESCRIPTION or not markers_in(each.ticket + each.base_ticket):
        return each
    try:
        text = (await open_tracker(ctx, view.integration)).text
    except (KeepstepError, VaultError):
        return each
    ticket, base = (text.write(split_footers(text.read(part))[0]) for part in (each.ticket, each.base_ticket))
    return replace(each, ticket=ticket.strip(), base_ticket=base.strip())


def _shown(
    each: FieldView, names: StatusNames, policy: FieldPolicy, outcomes: Mapping[Side, str]
) -> ShownField:
    words = {
        key: _words(each.field, side, value, names)
        for key, side, value in (
            ("feature", Side.FEATURE, each.feature),
            ("ticket", Side.TICKET, each.ticket),
            ("base_feature", Side.FEATURE, each.base_feature),
            ("base_ticket", Side.TICKET, each.base_ticket),
        )
    }
    return ShownField(
        view=each,
        feature=words["feature"],
        ticket=words["ticket"],
        agree=each.field is Field.TITLE and normal_title(each.feature) == normal_title(each.ticket),
        feature_change=difference(words["base_feature"], words["feature"]) if each.undecided else (),
        ticket_change=difference(words["base_ticket"], words["ticket"]) if each.undecided else (),
        why=_why(each, policy),
        outcomes=outcomes,
    )


def _why(each: FieldView, policy: FieldPolicy) -> str:
    rule = DIRECTION_SENTENCES[policy.direction]
    if policy.direction is Direction.BOTH:
        rule = f"{rule} {RULE_SENTENCES[policy.rule]}"
    if each.last is None:
        return f"As it was when the two were linked. {rule}"
    if each.last.act is Act.LINKED:
        return f"{each.last.reason} Each side keeps what it had until one of them changes. {rule}"
    if each.last.act is Act.OVERRULED:
        return (
            f"Both sides had changed it and the rule decided; the other value is kept in the journal. {rule}"
        )
    return f"{each.last.reason or capital(each.last.act.value) + '.'} {rule}"


def _words(field: Field, side: Side, value: str, names: StatusNames) -> str:
    match field:
        case Field.STATUS:
            return names.of(side, value)
        case Field.DESCRIPTION if side is Side.FEATURE:
            return text_of_html(value)
    return value


@router.get("/links/{link_id}")
async def page(request: Request, ctx: ContextDep, link_id: str, _person: PersonDep) -> Response:
    shown = await show_link(request, ctx, LinkId(link_id))
    return render(
        request, "link/page.html", shown=shown, view=shown.view, link=shown.view.link, place="integrations"
    )


@router.post("/links/{link_id}/sync", dependencies=[CSRF])
async def sync(ctx: ContextDep, link_id: str, person: PersonDep) -> Response:
    await links.sync_now(ctx, LinkId(link_id), person.name)
    return see(f"/links/{link_id}", "link-syncing")


@router.post("/links/{link_id}/unlink", dependencies=[CSRF])
async def unlink(ctx: ContextDep, link_id: str, person: PersonDep) -> Response:
    view = await view_link(ctx, LinkId(link_id))
    await links.unlink(ctx, view.link.id, person.name)
    return see(f"/integrations/{view.integration.id}", "unlinking")


@router.post("/links/{link_id}/decide", dependencies=[CSRF])
async def decide(
    ctx: ContextDep,
    link_id: str,
    person: PersonDep,
    field: Annotated[str, Form()] = "",
    keep: Annotated[str, Form()] = "",
) -> Response:
    if field not in [each.value for each in Field] or keep not in [each.value for each in Side]:
        raise InvalidInputError("keep", "Choose which side's value stays.")
    await links.decide(ctx, LinkId(link_id), Field(field), Side(keep), person.name)
    return see(f"/links/{link_id}", "decided")


@router.post("/links/{link_id}/put-back", dependencies=[CSRF])
async def put_back(
    ctx: ContextDep, link_id: str, person: PersonDep, entry: Annotated[int, Form()]
) -> Response:
    await links.put_back(ctx, entry, person.name)
    return see(f"/links/{link_id}", "put-back")
