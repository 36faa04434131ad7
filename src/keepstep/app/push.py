"""The column's button: open, answer and close Links by click.

The answer waits up to `Rules.push_wait` for the outcome, so that a quick push is `connected` at once. What a click's
answer says is applied by Productboard when it arrives, so the cell is looked at once more a second later.
"""

import hmac
from dataclasses import replace
from datetime import datetime

from keepstep.app.cells import cell_of, is_settled, look_at_cell_later
from keepstep.app.context import Context
from keepstep.app.opening import board_proof
from keepstep.domain.column import INITIAL, PROGRESS, Cell, CellState, error_cell
from keepstep.domain.errors import StaleRevisionError
from keepstep.domain.events import Act, Click, Entry, Notice, NoticeKind, Source
from keepstep.domain.fields import Side
from keepstep.domain.ids import FeatureId, IntegrationId, LinkId
from keepstep.domain.integration import Integration, IntegrationState
from keepstep.domain.link import Ending, Link, LinkState
from keepstep.ports.errors import NotGenuineError, UnreadableError
from keepstep.ports.jobs import Urgency
from keepstep.ports.productboard import ColumnClick
from keepstep.ports.storage import UnitOfWork

_LEAST_WAIT_SECONDS = 0.001
"""Less than that is what is left of adding seconds up, and no time to wait for."""


async def click(ctx: Context, integration_id: IntegrationId, authorization: str, body: bytes) -> Cell:
    """Raises MissingError (no such integration), NotGenuineError, UnreadableError."""
    came_at, deadline = ctx.clock.now(), ctx.clock.elapsed() + ctx.rules.push_wait
    async with ctx.storage.begin() as uow:
        integration = await uow.integrations.get(integration_id)
    await check_board_proof(ctx, integration, authorization)
    wire = ctx.outside.board_wire().read_click(body)
    column = integration.registrations.column
    if column is not None and wire.column != column:
        raise UnreadableError(f"data.integrationId is {wire.column!r}; this address belongs to {column!r}.")
    match wire.trigger:
        case "button.push":
            return await _push(ctx, integration, wire, came_at, deadline)
        case "button.unlink":
            return await _unlink(ctx, integration, wire)
        case "button.dismiss":
            return await _dismiss(ctx, integration, wire)
    await _journal_unknown(ctx, integration, wire)
    expected = "button.push, button.unlink or button.dismiss"
    raise UnreadableError(f"data.trigger is {wire.trigger!r}; expected {expected}.")


async def check_board_proof(ctx: Context, integration: Integration, authorization: str) -> None:
    """Productboard signs nothing: the value we gave it comes back in `Authorization`. Constant time."""
    expected = await board_proof(ctx, integration)
    if not hmac.compare_digest(expected.encode(), authorization.encode()):
        raise NotGenuineError("The Authorization header is not the one that we gave to Productboard.")


async def _push(
    ctx: Context, integration: Integration, wire: ColumnClick, came_at: datetime, deadline: float
) -> Cell:
    refusal = _not_now(integration)
    if refusal:
        await _mend_after(ctx, integration, wire)
        return error_cell(refusal)
    link, opened = await _open_link(ctx, integration, wire, came_at)
    await ctx.jobs.wake_link(link.id, Urgency.PERSON)
    cell = await _outcome(ctx, link.id, deadline)
    await _note_answer(ctx, link, opened, final=cell.state is not CellState.PROGRESS)
    return cell


async def _mend_after(ctx: Context, integration: Integration, wire: ColumnClick) -> None:
    """The refusal overwrites the cell of a feature that is linked already: it is looked at when work goes on."""
    async with ctx.storage.begin() as uow:
        link = await uow.links.find_open(integration.id, wire.feature)
        if link is not None:
            await look_at_cell_later(uow, link, ctx.clock.now() + ctx.rules.click_settles)
            await uow.commit()


def _not_now(integration: Integration) -> str:
    match integration.state:
        case IntegrationState.REMOVING:
            return f"{integration.name} is being removed from Keepstep."
        case IntegrationState.CONNECTING:
            return f"{integration.name} is not connected yet. Try again in a minute."
        case IntegrationState.PAUSED:
            cause = (
                integration.pause.message if integration.pause else "Nothing is pushed until it is resumed."
            )
            return f"{integration.name} is paused. {cause}"
    return ""


async def _open_link(
    ctx: Context, integration: Integration, wire: ColumnClick, came_at: datetime
) -> tuple[Link, Click]:
    """Commits the Link (new, or the one that is there), its inbox row and the open click, in one transaction."""
    fresh = new_link(ctx, integration, wire.feature, wire.feature_url)
    while True:
        try:
            async with ctx.storage.begin() as uow:
                link, is_new = await uow.links.add_or_find(fresh)
                again = link if is_new else pushed_again(link, came_at)
                if again != link:
                    link = await uow.links.save(again)
                opened = await uow.clicks.add(Click(link.id, came_at))
                await ask_push(uow, link, Source.CLICK, came_at, wire.actor, "Pushed with the button.")
                await uow.commit()
                return link, opened
        except StaleRevisionError:
            continue


def new_link(ctx: Context, integration: Integration, feature: FeatureId, url: str) -> Link:
    """Of a feature that is to be pushed."""
    now = ctx.clock.now()
    return Link(
        id=ctx.clock.new_link_id(),
        integration_id=integration.id,
        feature_id=feature,
        state=LinkState.PUSHING,
        created_at=now,
        account=integration.tracker.key,
        feature_url=url,
        pushed_at=now,
    )


async def ask_push(
    uow: UnitOfWork, link: Link, source: Source, at: datetime, actor: str, reason: str
) -> None:
    """The inbox row that makes the Link's job push it, and the journal's entry. The caller commits and wakes."""
    await uow.inbox.add(
        Notice(
            link.integration_id,
            NoticeKind.PUSH,
            source,
            at,
            Side.FEATURE,
            link.feature_id,
            link.id,
            actor=actor,
        )
    )
    await uow.journal.add(Entry(at, Act.PUSHED, link.integration_id, link.id, reason=reason, actor=actor))


def pushed_again(link: Link, now: datetime) -> Link:
    """A person's click clears the backoff; a push that had ended begins anew with the same Link and marker."""
    link = replace(link.calm(), cell=None)
    if link.ticket is None and link.state in (LinkState.SET_ASIDE, LinkState.DISMISSED):
        return replace(link, state=LinkState.PUSHING, pushed_at=now)
    if link.state is LinkState.SET_ASIDE:
        return replace(link, state=link.settled_state)
    return link


async def _outcome(ctx: Context, link_id: LinkId, deadline: float) -> Cell:
    """Wait for the job, but answer inside the limit whatever happens, also when the machine's time is set meanwhile."""
    while True:
        async with ctx.storage.begin() as uow:
            link = await uow.links.find(link_id)
            integration = await uow.integrations.find(link.integration_id) if link else None
        if link is None:
            return INITIAL
        if integration is not None and (refusal := _not_now(integration)):
            return error_cell(refusal)
        if is_settled(link):
            return cell_of(ctx, link)
        left = deadline - ctx.clock.elapsed()
        if left < _LEAST_WAIT_SECONDS:
            return PROGRESS
        await ctx.signals.wait(link_id, left)


async def _note_answer(ctx: Context, link: Link, opened: Click, *, final: bool) -> None:
    now = ctx.clock.now()
    async with ctx.storage.begin() as uow:
        await uow.clicks.answer(opened.id, now, final=final)
        await look_at_cell_later(uow, link, now + ctx.rules.click_settles)
        await uow.commit()


async def _unlink(ctx: Context, integration: Integration, wire: ColumnClick) -> Cell:
    """The cell is free at once: a new push gets a new Link. What is left to do on the ticket is the old Link's job."""
    now = ctx.clock.now()
    while True:
        try:
            async with ctx.storage.begin() as uow:
                link = await uow.links.find_open(integration.id, wire.feature)
                if link is None:
                    return INITIAL
                await begin_unlinking(ctx, uow, link, Ending.BUTTON, wire.actor)
                clicked = await uow.clicks.add(Click(link.id, now))
                await uow.clicks.answer(clicked.id, now, final=True)
                await uow.inbox.add(
                    Notice(
                        integration.id,
                        NoticeKind.UNLINK,
                        Source.CLICK,
                        now,
                        Side.FEATURE,
                        wire.feature,
                        link.id,
                        actor=wire.actor,
                    )
                )
                await uow.commit()
            break
        except StaleRevisionError:
            continue
    await ctx.jobs.wake_link(link.id, Urgency.PERSON)
    return INITIAL


async def begin_unlinking(ctx: Context, uow: UnitOfWork, link: Link, ending: Ending, actor: str) -> Link:
    """The caller commits, and wakes the Link's job."""
    now = ctx.clock.now()
    saved = await uow.links.save(
        replace(link.calm(), state=LinkState.UNLINKING, ending=ending, lost=None, cell=None)
    )
    reason = f"{ending[0].upper()}{ending[1:]}."
    title = link.feature_title or None
    await uow.journal.add(
        Entry(now, Act.UNLINKED, link.integration_id, link.id, before=title, reason=reason, actor=actor)
    )
    return saved


async def _dismiss(ctx: Context, integration: Integration, wire: ColumnClick) -> Cell:
    """The truth: a Link with a ticket stays. A failed one without goes, unless its create is in doubt."""
    now = ctx.clock.now()
    while True:
        try:
            async with ctx.storage.begin() as uow:
                link = await uow.links.find_open(integration.id, wire.feature)
                if link is None:
                    return INITIAL
                clicked = await uow.clicks.add(Click(link.id, now))
                await uow.clicks.answer(clicked.id, now, final=True)
                if link.ticket is None and link.state is not LinkState.PUSHING:
                    await _put_to_rest(uow, link)
                    cell = INITIAL
                else:
                    await look_at_cell_later(uow, link, now + ctx.rules.click_settles)
                    cell = cell_of(ctx, link)
                await uow.commit()
                return cell
        except StaleRevisionError:
            continue


async def _put_to_rest(uow: UnitOfWork, link: Link) -> None:
    """A create in doubt keeps its Link, so that the next push finds the ticket by the same marker."""
    if link.intent.create is None:
        await uow.links.delete(link.id)
    else:
        await uow.links.save(replace(link.calm(), state=LinkState.DISMISSED, cell=None))


async def _journal_unknown(ctx: Context, integration: Integration, wire: ColumnClick) -> None:
    async with ctx.storage.begin() as uow:
        reason = f"Productboard sent the unknown trigger {wire.trigger[:100]!r}; nothing was done."
        await uow.journal.add(
            Entry(ctx.clock.now(), Act.KEPT, integration.id, reason=reason, actor=wire.actor)
        )
        await uow.commit()
