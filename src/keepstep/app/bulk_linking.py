"""Applying the pairs of a bulk link: a few at a time, read together, so that many pairs cost few calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keepstep.app.context import Context
from keepstep.app.opening import open_sides
from keepstep.app.pairing import new_pair, pair_in
from keepstep.domain.bulk import BulkItem, BulkOutcome, BulkRun, why_not_pushed
from keepstep.domain.column import INITIAL
from keepstep.domain.events import Source
from keepstep.domain.feature import Feature
from keepstep.domain.ids import FeatureId, TicketId
from keepstep.domain.integration import Integration
from keepstep.domain.ticket import Ticket
from keepstep.ports.storage import TicketTakenError, UnitOfWork
from keepstep.ports.tracker import Tracker


@dataclass(frozen=True, slots=True)
class PairsNow:
    """What both sides of some pairs show now."""

    tracker: Tracker
    features: Mapping[FeatureId, Feature]
    tickets: Mapping[TicketId, Ticket]


async def read_pairs(ctx: Context, integration: Integration, items: Sequence[BulkItem]) -> PairsNow:
    """Raises the errors of the outside."""
    sides = await open_sides(ctx, integration)
    features = await sides.board.features.list_features([each.feature_id for each in items])
    refs = [each.ticket for each in items if each.ticket]
    tickets = await sides.tracker.tickets.list_tickets(integration.project.id, refs)
    return PairsNow(
        sides.tracker,
        {each.id: each for each in features},
        {each.ref.id: each for each in tickets},
    )


async def link_item(
    ctx: Context, uow: UnitOfWork, run: BulkRun, integration: Integration, item: BulkItem, now: PairsNow
) -> BulkItem:
    """The item as it is after this transaction; the caller commits both, and wakes."""
    feature = now.features.get(item.feature_id)
    ticket = now.tickets.get(item.ticket.id) if item.ticket else None
    if feature is None:
        return item.became(BulkOutcome.FAILED, "The feature is not there any more, or hidden from our token.")
    if ticket is None:
        return item.became(BulkOutcome.FAILED, "The ticket is not there any more, or hidden from our token.")
    own = item.link_id if item.link_id and await uow.links.find(item.link_id) is None else None
    fresh = new_pair(ctx, integration, now.tracker, feature, ticket, run.first, own)
    try:
        link, is_new = await pair_in(uow, replace(fresh, cell=INITIAL), run.first, run.actor, Source.BULK)
    except TicketTakenError as taken:
        reason = f"{ticket.ref.label} is linked already, with “{taken.owner.feature_title}”."
        return item.became(BulkOutcome.SKIPPED, reason)
    if not is_new:
        return item.became(BulkOutcome.SKIPPED, why_not_pushed(link) or "A push of it has failed.")
    return replace(item.became(BulkOutcome.UNDER_WAY), link_id=link.id)
