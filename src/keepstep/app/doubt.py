"""A create in doubt: its ticket is looked for by the marker, and once more when the tracker must show it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from keepstep.app.work import Work
from keepstep.domain.link import Intent, Link
from keepstep.domain.ticket import Ticket, TicketRef


@dataclass(frozen=True, slots=True)
class Marked:
    """The tickets that carry a Link's marker."""

    ours: Sequence[Ticket]
    """The oldest first."""
    owners: Sequence[Link]
    """Other Links that such tickets belong to: a person paired them."""


async def find_marked(work: Work) -> Marked:
    found = await work.sides.tracker.tickets.find_by_marker(work.project, work.link.marker)
    async with work.ctx.storage.begin() as uow:
        owners = await uow.links.of_tickets(work.link.account, [each.ref.id for each in found])
    others = [owner for owner in owners if owner.id != work.link.id]
    taken = {owner.ticket.id for owner in others if owner.ticket}
    return Marked([each for each in found if each.ref.id not in taken], others)


def may_still_come(work: Work) -> bool:
    """Nothing of ours was found. True: its ticket may need more time, and the Link says when to look again."""
    intent = work.link.intent.create
    if intent is None or (intent.looks >= 1 and (intent.look_after is None or intent.look_after <= work.now)):
        return False
    settle = timedelta(seconds=work.sides.tracker.manifest.settle_seconds * work.ctx.rules.settle_scale)
    again = intent.look_after or work.now + settle
    waiting = replace(intent, looks=intent.looks + 1, look_after=again)
    work.change(intent=Intent(create=waiting), retry_at=again)
    return True


async def take_ours(work: Work) -> TicketRef | None:
    """The ticket that a create in doubt has made becomes the Link's, if it shows already."""
    if work.link.intent.create is None:
        return None
    ours = (await find_marked(work)).ours
    if not ours:
        return None
    work.change(ticket=ours[0].ref)
    return ours[0].ref
