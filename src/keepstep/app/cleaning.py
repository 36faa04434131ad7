"""A Link leaves: its ticket is cleaned of what we put there, and its row goes."""

from keepstep.app.doubt import take_ours
from keepstep.app.marking import remove_marks
from keepstep.app.reading import read_ticket
from keepstep.app.work import Work
from keepstep.domain.events import Act
from keepstep.domain.fields import Side
from keepstep.domain.ids import markers_in
from keepstep.domain.link import Ending
from keepstep.domain.ticket import TicketChanges, TicketRef
from keepstep.ports.errors import NotThereError, RejectedError


async def clean_ticket(work: Work) -> None:
    """Footer and marks go; what the tracker refuses is told and stays. Repeatable."""
    try:
        ref = work.link.ticket or await take_ours(work)
        if ref is None:
            return
        ticket = await read_ticket(work)
        text = work.description.without_footer(ticket.description)
        if work.link.marker in markers_in(ticket.description) and text != ticket.description:
            await work.fence()
            await work.sides.tracker.tickets.write_ticket(ref, TicketChanges(description=text))
            reason = "Took the link back and the marker out of the ticket; the ticket itself stays."
            work.tell(Act.WROTE, reason, side=Side.TICKET, before=ticket.description, after=text)
        await remove_marks(work, ref)
        await _comment(work, ref)
    except (NotThereError, RejectedError) as error:
        work.tell(Act.KEPT, f"The ticket could not be cleaned: {error}", side=Side.TICKET)


async def _comment(work: Work, ref: TicketRef) -> None:
    text = _comment_text(work)
    if text and work.sides.tracker.manifest.capabilities.comments:
        await work.fence()
        await work.sides.tracker.tickets.ensure_comment(ref, text, work.link.marker)


def _comment_text(work: Work) -> str:
    rules, title = work.integration.policy.deletion, work.link.feature_title or "The feature"
    match work.link.ending:
        case Ending.FEATURE_DELETED if rules.comment_when_feature_deleted:
            return f"“{title}” was deleted in Productboard. This ticket is no longer kept in step with it."
        case Ending.TICKET_MOVED:
            return f"This ticket moved away and is no longer kept in step with “{title}” in Productboard."
        case Ending.BUTTON | Ending.PERSON if rules.comment_when_unlinked:
            return f"This ticket was unlinked from “{title}” in Productboard."
    return ""


async def forget(work: Work) -> None:
    """The mapping goes, the journal stays."""
    work.held.check()
    async with work.ctx.storage.begin() as uow:
        await uow.journal.add(*work.journal)
        await uow.links.delete(work.link.id)
        await uow.commit()
    work.settle_rows()
