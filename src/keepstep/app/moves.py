"""Tickets that move to another project: followed where the tracker declares it, and looked for there by the polls.

A project that a ticket was followed to has no webhook of ours, so it gets a watermark of its own.
"""

from keepstep.app.context import Context
from keepstep.app.work import Work
from keepstep.domain.events import Act
from keepstep.domain.fields import Side
from keepstep.domain.integration import Integration
from keepstep.domain.ticket import Ticket, TicketRef

_ELSEWHERE = "ticket elsewhere:"


async def follow(work: Work, ticket: Ticket) -> bool:
    """False: it moved, and is not kept in step where it is now."""
    before = work.link.ticket
    if ticket.moved_to is not None:
        return False
    if before is None or _place(before) == _place(ticket.ref):
        return True
    if not work.sides.tracker.manifest.capabilities.follows_moves or await _is_taken(work, ticket.ref):
        return False
    if ticket.ref.project != work.project:
        async with work.ctx.storage.begin() as uow:
            await uow.marks.set(work.integration.id, _ELSEWHERE + ticket.ref.project, work.now)
            await uow.commit()
    work.tell(
        Act.MOVED,
        f"{before.label} moved and is {ticket.ref.label} now; it stays in step.",
        side=Side.TICKET,
        before=before.url,
        after=ticket.ref.url,
    )
    return True


def _place(ref: TicketRef) -> tuple[str, str]:
    return ref.id, ref.project


async def _is_taken(work: Work, ref: TicketRef) -> bool:
    """By another Link: a ticket belongs to one in the whole installation."""
    async with work.ctx.storage.begin() as uow:
        owners = await uow.links.of_tickets(work.integration.tracker.key, [ref.id])
    return any(owner.id != work.link.id for owner in owners)


async def projects_of(ctx: Context, integration: Integration) -> list[str]:
    """Where its tickets are: its own project first, then those that tickets were followed to."""
    async with ctx.storage.begin() as uow:
        names = await uow.marks.names(integration.id, _ELSEWHERE)
    others = (name.removeprefix(_ELSEWHERE) for name in names)
    return [integration.project.id, *(each for each in others if each != integration.project.id)]
