"""Taking a Link apart.

What vanished is looked for twice; what is unlinked leaves the ticket clean and the cell free.
"""

from keepstep.app.cells import look_at_cell_later, quiet_at
from keepstep.app.cleaning import clean_ticket, forget
from keepstep.app.doubt import may_still_come, take_ours
from keepstep.app.failures import give_up_push
from keepstep.app.guarding import let_go
from keepstep.app.work import Work
from keepstep.domain.column import INITIAL
from keepstep.domain.events import Act, NoticeKind, Timer, TimerKind
from keepstep.domain.fields import Side
from keepstep.domain.link import Ending, LinkState, LostSight, Trouble
from keepstep.ports.errors import NotThereError
from keepstep.ports.storage import UnitOfWork


async def vanished(work: Work, side: Side) -> None:
    """A read answered "not there", which may also mean "not visible to this token".

    Gone is only what a delete event announced, or what a second look, after `look_again_after`, still does not find
    while its project or workspace answers.
    """
    announced = any(row.kind is NoticeKind.DELETED and row.side is side for row in work.rows)
    if announced or await _gone_twice(work, side):
        await end(work, Ending.FEATURE_DELETED if side is Side.FEATURE else Ending.TICKET_DELETED)
        return
    if work.link.ticket is None:
        await give_up_push(work, "gone", "This feature does not exist any more, or our token may not see it.")
        return
    lost = work.link.lost
    if lost is None or lost.side is not side:
        lost = LostSight(side, work.now)
        work.tell(Act.LOST_SIGHT, f"The {side} does not answer any more; we look again.", side=side)
    work.change(state=LinkState.LOST_SIGHT, lost=lost, retry_at=None, trouble=None, attempts=0)
    due = max(lost.since + work.ctx.rules.look_again_after, work.now)
    async with work.ctx.storage.begin() as uow:
        await work.finish_in(uow)
        await uow.timers.set(Timer(TimerKind.LOOK_AGAIN, work.integration.id, due, work.link.id))
        await uow.commit()
    work.settle_rows()


async def _gone_twice(work: Work, side: Side) -> bool:
    lost = work.link.lost
    if lost is None or lost.side is not side or work.now - lost.since < work.ctx.rules.look_again_after:
        return False
    if side is Side.FEATURE:
        await work.sides.board.workspace.verify()
    else:
        await work.sides.tracker.account.get_project(work.project)
    return True


async def end(work: Work, ending: Ending) -> None:
    """From now on the Link is *unlinking*; go on with that at once. Unless the guard holds it back."""
    side = Side.FEATURE if ending is Ending.FEATURE_DELETED else Side.TICKET
    async with work.ctx.storage.begin() as uow:
        released = await let_go(work.ctx, uow, work.integration.id)
        if released:
            # Its rows are handled with this; the sweep finds it by its time, should nobody go on.
            again = work.now
            work.change(
                state=LinkState.UNLINKING, ending=ending, lost=None, cell=None, retry_at=again, attempts=0
            )
            title = work.link.feature_title or None
            work.tell(Act.UNLINKED, f"{ending[0].upper()}{ending[1:]}.", side=side, before=title)
            await work.finish_in(uow)
        else:
            await _hold_back(work, uow, side, ending)
        await uow.commit()
    if released:
        work.settle_rows()
        await unlink(work)


async def _hold_back(work: Work, uow: UnitOfWork, side: Side, ending: Ending) -> None:
    """Its rows stay as they are: when the integration is resumed, the next look finds out anew."""
    message = f"It looks as if {ending}. Too many Links would go at once, so this one waits for a person."
    cure = "Decide on the integration's page whether to go on."
    work.change(
        state=LinkState.LOST_SIGHT,
        lost=work.link.lost or LostSight(side, work.now),
        trouble=Trouble("guard", message, work.now, cure),
        retry_at=None,
    )
    work.tell(Act.KEPT, message, side=side)
    work.held.check()
    work.link = await uow.links.save(work.link)
    await uow.journal.add(*work.journal)


async def unlink(work: Work) -> None:
    """May be repeated from the start: every step finds out whether it is done already."""
    waits = await _is_ticket_to_come(work)
    if work.link.ticket is not None and work.link.ending is not Ending.TICKET_DELETED:
        await clean_ticket(work)
    if not await _free_cell(work):
        return
    if waits:
        await work.finish()  # the sweep finds it by its time
    else:
        await forget(work)


async def _is_ticket_to_come(work: Work) -> bool:
    """A push unlinked before its answer came may have left a ticket behind: it is found, or looked for once more."""
    if work.link.ticket is not None or work.link.intent.create is None:
        return False
    return await take_ours(work) is None and may_still_come(work)


async def _free_cell(work: Work) -> bool:
    """Back to the button, unless a newer Link owns the cell. False: a click is still open, a timer comes back."""
    column = work.integration.registrations.column
    if column is None or work.link.ending is Ending.FEATURE_DELETED:
        return True
    async with work.ctx.storage.begin() as uow:
        owner = await uow.links.find_open(work.integration.id, work.link.feature_id)
        quiet = await quiet_at(work.ctx, uow, work.link.id)
        if owner is None and quiet is not None:
            await work.finish_in(uow)
            await look_at_cell_later(uow, work.link, quiet)
            await uow.commit()
            work.settle_rows()
            return False
    if owner is not None:
        return True
    columns = work.sides.board.columns
    try:
        if await columns.fetch_cell(column, work.link.feature_id) != INITIAL:
            await work.fence()
            await columns.put_cell(column, work.link.feature_id, INITIAL)
    except NotThereError:
        work.tell(Act.KEPT, "The column or the feature is gone; there is no cell to free.", side=Side.FEATURE)
    return True
