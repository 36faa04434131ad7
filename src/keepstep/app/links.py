"""What a person does with a Link: make one of a pair, look now, try again, unlink, decide, put a value back."""

from collections.abc import Sequence
from dataclasses import replace

from keepstep.app.addresses import feature_id_in
from keepstep.app.context import Context
from keepstep.app.opening import Sides, open_sides
from keepstep.app.pairing import new_pair, pair_in
from keepstep.app.push import begin_unlinking
from keepstep.app.revising import until_done
from keepstep.domain.bulk import FirstSync
from keepstep.domain.errors import ForbiddenMoveError, InvalidInputError, MissingError
from keepstep.domain.events import Act, Entry, Notice, NoticeKind, Source
from keepstep.domain.feature import PUSHABLE_TYPES, Feature
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.domain.integration import Integration, IntegrationState
from keepstep.domain.link import Ending, Link, LinkState
from keepstep.domain.ticket import Ticket
from keepstep.ports.errors import NotThereError
from keepstep.ports.jobs import Urgency
from keepstep.ports.storage import TicketTakenError, UnitOfWork


async def link_existing(
    ctx: Context,
    integration_id: IntegrationId,
    feature: str,
    ticket: str,
    actor: str,
    first: FirstSync = FirstSync.KEEP,
) -> Link:
    """Pair a feature (its id or address) with a ticket (its address or key). Raises InvalidInputError.

    `first` says whose values stay where the two differ. The ticket gets the footer with the link back.
    """
    async with ctx.storage.begin() as uow:
        integration = await uow.integrations.get(integration_id)
    if integration.state is not IntegrationState.ACTIVE:
        raise ForbiddenMoveError(f"{integration.name} is {integration.state}: it can link when it is active.")
    sides = await open_sides(ctx, integration)
    found, target = await _find_both(sides, integration, feature, ticket)
    try:
        async with ctx.storage.begin() as uow:
            fresh = new_pair(ctx, integration, sides.tracker, found, target, first)
            stored, is_new = await pair_in(uow, fresh, first, actor, Source.PERSON)
            if not is_new:
                other = stored.ticket.label if stored.ticket else "a ticket that is being made"
                raise InvalidInputError("feature", f"This feature is linked already, with {other}.")
            await uow.commit()
    except TicketTakenError as taken:
        raise InvalidInputError(
            "ticket", f"{target.ref.label} is linked already, with “{taken.owner.feature_title}”."
        ) from taken
    await ctx.jobs.wake_link(stored.id, Urgency.PERSON)
    return stored


async def _find_both(
    sides: Sides, integration: Integration, feature: str, ticket: str
) -> tuple[Feature, Ticket]:
    try:
        found = await sides.board.features.fetch_feature(feature_id_in(feature))
    except NotThereError as error:
        raise InvalidInputError(
            "feature", "Productboard knows no such feature, or our token may not see it."
        ) from error
    if found.type not in PUSHABLE_TYPES:
        raise InvalidInputError(
            "feature", f"Only features and subfeatures can be linked. This is a {found.type}."
        )
    target = await sides.tracker.tickets.find_by_address(integration.project.id, ticket.strip())
    if target is None:
        name = integration.project.name
        raise InvalidInputError("ticket", f"No such ticket in {name}. Paste its address, or its number.")
    return found, target


async def sync_now(ctx: Context, link_id: LinkId, actor: str) -> None:
    """Runs at once, whatever backoff the Link is in. Raises MissingError."""
    await try_again(ctx, [link_id], actor)


async def try_again(ctx: Context, links: Sequence[LinkId], actor: str) -> int:
    """Returns how many were woken; those that are gone are passed over, unless it was the only one."""
    woken = 0
    for link_id in links:
        try:
            await _ask_again(ctx, link_id, actor)
            woken += 1
        except MissingError:
            if len(links) == 1:
                raise
    return woken


async def _ask_again(ctx: Context, link_id: LinkId, actor: str) -> None:
    async def act(uow: UnitOfWork) -> None:
        link = await uow.links.get(link_id)
        await uow.links.save(_ready_again(ctx, link))
        await _add_person_row(ctx, uow, link, NoticeKind.SYNC, actor, {})

    await until_done(ctx, act)
    await ctx.jobs.wake_link(link_id, Urgency.PERSON)


def _ready_again(ctx: Context, link: Link) -> Link:
    link = replace(link.calm(), cell=None)
    if link.state is not LinkState.SET_ASIDE:
        return link
    if link.ticket is None:
        return replace(link, state=LinkState.PUSHING, pushed_at=ctx.clock.now())
    return replace(link, state=link.settled_state)


async def _add_person_row(
    ctx: Context, uow: UnitOfWork, link: Link, kind: NoticeKind, actor: str, detail: dict[str, str]
) -> None:
    await uow.inbox.add(
        Notice(
            link.integration_id,
            kind,
            Source.PERSON,
            ctx.clock.now(),
            link_id=link.id,
            actor=actor,
            detail=detail,
        )
    )


async def unlink(ctx: Context, link_id: LinkId, actor: str) -> None:
    """As with the button: the ticket stays, free of our footer; the cell gets its button back."""

    async def act(uow: UnitOfWork) -> None:
        link = await uow.links.get(link_id)
        if link.is_open:
            await begin_unlinking(ctx, uow, link, Ending.PERSON, actor)
            await _add_person_row(ctx, uow, link, NoticeKind.UNLINK, actor, {})

    await until_done(ctx, act)
    await ctx.jobs.wake_link(link_id, Urgency.PERSON)


async def decide(ctx: Context, link_id: LinkId, field: Field, keep: Side, actor: str) -> None:
    """End an open conflict: this side's value goes to the other side; the other value stays in the journal."""

    async def act(uow: UnitOfWork) -> None:
        link = await uow.links.get(link_id)
        if field not in link.conflicts:
            raise ForbiddenMoveError(f"There is nothing to decide about the {field} any more.")
        await _decide_in(ctx, uow, link, field, actor, {"field": field, "side": keep})

    await until_done(ctx, act)
    await ctx.jobs.wake_link(link_id, Urgency.PERSON)


async def put_back(ctx: Context, entry_id: int, actor: str) -> LinkId:
    """Write a value that the journal holds back to both sides. Returns its Link."""

    async def act(uow: UnitOfWork) -> LinkId:
        entry = await uow.journal.get(entry_id)
        if entry.link_id is None or entry.field is None or entry.side is None or entry.before is None:
            raise ForbiddenMoveError("This entry holds no value that could be put back.")
        link = await uow.links.get(entry.link_id)
        if not link.is_open or link.ticket is None:
            raise ForbiddenMoveError("This Link is not in step any more.")
        detail = {"field": entry.field, "side": entry.side, "value": entry.before}
        await _decide_in(ctx, uow, link, entry.field, actor, detail)
        return link.id

    link_id = await until_done(ctx, act)
    await ctx.jobs.wake_link(link_id, Urgency.PERSON)
    return link_id


async def _decide_in(
    ctx: Context, uow: UnitOfWork, link: Link, field: Field, actor: str, detail: dict[str, str]
) -> None:
    await uow.links.save(_ready_again(ctx, link))
    await _add_person_row(ctx, uow, link, NoticeKind.DECIDE, actor, detail)
    side = Side(detail["side"])
    reason = (
        f"Chose the {side}'s value." if "value" not in detail else f"Put an earlier value of the {side} back."
    )
    await uow.journal.add(
        Entry(
            ctx.clock.now(),
            Act.DECIDED,
            link.integration_id,
            link.id,
            side,
            field,
            reason=reason,
            actor=actor,
        )
    )
