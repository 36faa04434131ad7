"""Our marks on a ticket besides its text: a label, a field, a remote link, whatever the tracker's adapter uses.

They are set before the footer is written and taken off after it, so that a footer tells that the marks were set.
"""

from keepstep.app.work import Work
from keepstep.domain.events import Act
from keepstep.domain.fields import Side
from keepstep.domain.ticket import TicketRef
from keepstep.ports.errors import NotThereError, RejectedError


async def ensure_marks(work: Work, ref: TicketRef) -> None:
    """What the tracker refuses is told, and does not stop the sync: the footer's marker is there as well."""
    try:
        await work.fence()
        await work.sides.tracker.tickets.ensure_marks(ref, work.link.marker, link_back(work))
    except (NotThereError, RejectedError) as error:
        work.tell(Act.KEPT, f"The ticket could not be marked as linked: {error}", side=Side.TICKET)


async def remove_marks(work: Work, ref: TicketRef) -> None:
    await work.fence()
    await work.sides.tracker.tickets.remove_marks(ref, work.link.marker)


def link_back(work: Work) -> str:
    """To the feature; to the Link's own page where the workspace gives its features no address."""
    return work.link.feature_url or work.ctx.pages.address(work.link.id)
