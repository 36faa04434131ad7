"""The Link's cell: what it should show, and putting it there, never before a click's answer could overwrite it."""

from dataclasses import replace
from datetime import datetime

from keepstep.app.context import Context
from keepstep.app.opening import open_board
from keepstep.app.work import Work
from keepstep.domain.column import INITIAL, PROGRESS, Cell, connected_cell, error_cell, undecided_cell
from keepstep.domain.events import Timer, TimerKind
from keepstep.domain.ids import LinkId
from keepstep.domain.integration import Integration
from keepstep.domain.link import Link, LinkState
from keepstep.ports.storage import UnitOfWork


def cell_of(ctx: Context, link: Link) -> Cell:
    """What a Link's cell shows; derived from the Link alone."""
    if link.state in (LinkState.UNLINKING, LinkState.DISMISSED):
        return INITIAL
    page = ctx.pages.address(link.id)
    if link.ticket is None or link.ticket_status is None:
        failed = link.state is LinkState.SET_ASIDE or _stands_still(link)
        return error_cell(link.trouble.message, page) if failed and link.trouble else PROGRESS
    if link.state is LinkState.SET_ASIDE and link.trouble:
        return error_cell(link.trouble.message, page)
    if link.state is LinkState.IN_CONFLICT:
        return undecided_cell(link.ticket, page)
    return connected_cell(link.ticket, link.ticket_title, link.ticket_status)


async def quiet_at(ctx: Context, uow: UnitOfWork, link: LinkId) -> datetime | None:
    """When every click of this Link has been answered and applied; None: now.

    A PUT before that moment may be overwritten by the answer that is still on its way.
    """
    now, rules = ctx.clock.now(), ctx.rules
    clicks = await uow.clicks.recent(link, now - rules.click_dies)
    moments = [
        each.answered_at + rules.click_settles if each.answered_at else each.came_at + rules.click_dies
        for each in clicks
    ]
    return max((moment for moment in moments if moment > now), default=None)


async def look_at_cell_later(uow: UnitOfWork, link: Link, at: datetime) -> None:
    await uow.timers.set(Timer(TimerKind.CELL, link.integration_id, at, link.id))


async def show_cell(ctx: Context, integration: Integration, link: Link) -> Link:
    """Put the cell if it does not show what it should; one read first when what it shows is unknown.

    Returns the Link knowing its cell; the caller commits it. Raises the errors of the outside.
    """
    column, wanted = integration.registrations.column, cell_of(ctx, link)
    if column is None or link.cell == wanted:
        return link
    columns = (await open_board(ctx, integration)).columns
    if link.cell is None and await columns.fetch_cell(column, link.feature_id) == wanted:
        return replace(link, cell=wanted)
    await columns.put_cell(column, link.feature_id, wanted)
    return replace(link, cell=wanted)


def is_settled(link: Link) -> bool:
    """The Link has an outcome that a waiting click can be answered with."""
    return link.state is not LinkState.PUSHING or _stands_still(link)


def _stands_still(link: Link) -> bool:
    """A person who waits for this push is told why: a token is refused, or calls are used up for a while."""
    return link.held_long or (link.trouble is not None and link.trouble.code == "auth")


async def look_at_cell(work: Work) -> None:
    """A click's answer may have replaced what we put: read the cell once and repair it, unless a newer Link owns it."""
    async with work.ctx.storage.begin() as uow:
        quiet = await quiet_at(work.ctx, uow, work.link.id)
        owner = await uow.links.find_open(work.integration.id, work.link.feature_id)
    if owner is not None and owner.id != work.link.id:
        await work.finish()
        return
    if quiet is None:
        work.change(cell=None)
        await work.fence()
        work.change(cell=(await show_cell(work.ctx, work.integration, work.link)).cell)
        await work.finish()
        return
    async with work.ctx.storage.begin() as uow:
        await work.finish_in(uow)
        await look_at_cell_later(uow, work.link, quiet)
        await uow.commit()
