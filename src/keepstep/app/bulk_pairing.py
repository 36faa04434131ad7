"""Collecting the pairs of a bulk link: what is not linked is read once on both sides, and compared; or a CSV is."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from keepstep.app.bulk_collecting import BATCH, Collecting, batches, item_of
from keepstep.domain.bulk import BulkItem, BulkOutcome, CsvPair, FeatureSelection, Way, why_not_pushed
from keepstep.domain.feature import PUSHABLE_TYPES, Feature
from keepstep.domain.ids import FeatureId, LinkId, TicketId, marker_of
from keepstep.domain.pairing import (
    FeatureFacts,
    Match,
    TicketFacts,
    marks_in,
    match,
    mentions_in,
)
from keepstep.domain.ticket import Ticket
from keepstep.ports.bulk import BulkItemQuery
from keepstep.ports.storage import UnitOfWork

_EVER = datetime(2000, 1, 1, tzinfo=UTC)


async def collect_pairs(collecting: Collecting) -> None:
    features, tickets = await _features(collecting), await _tickets(collecting)
    matches = match(features, tickets, collecting.run.ways)
    collecting.run = replace(collecting.run, notes=tuple(matches.notes))
    items = [_proposed(collecting, each) for each in matches.found]
    for at in range(0, len(items), BATCH):
        async with collecting.ctx.storage.begin() as uow:
            await collecting.store(uow, items[at : at + BATCH])


async def _features(collecting: Collecting) -> list[FeatureFacts]:
    facts: list[FeatureFacts] = []
    everything = collecting.sides.board.features.iter_selected(FeatureSelection(subfeatures=True))
    async for some in batches(everything):
        async with collecting.ctx.storage.begin() as uow:
            linked = await collecting.open_links(uow, [each.id for each in some])
        facts += [_facts_of_feature(each) for each in some if each.id not in linked]
    return facts


def _facts_of_feature(feature: Feature) -> FeatureFacts:
    status = feature.status.name if feature.status else ""
    return FeatureFacts(feature.id, feature.title, feature.url, status, mentions_in(feature.description))


async def _tickets(collecting: Collecting) -> list[TicketFacts]:
    facts: dict[TicketId, TicketFacts] = {}
    everything = collecting.sides.tracker.tickets.iter_changed(collecting.integration.project.id, _EVER)
    async for some in batches(everything):
        async with collecting.ctx.storage.begin() as uow:
            ids = [each.ref.id for each in some]
            owned = await uow.links.of_tickets(collecting.integration.tracker.key, ids)
            taken = {link.ticket.id for link in owned if link.ticket}
            for each in some:
                if each.ref.id not in taken and not await _is_being_made(uow, each):
                    facts[each.ref.id] = _facts_of_ticket(each)
    return list(facts.values())


async def _is_being_made(uow: UnitOfWork, ticket: Ticket) -> bool:
    """It carries the marker of a Link that is still looking for it."""
    for marker in marks_in(ticket.description):
        link = await uow.links.find(_link_of(marker))
        if link is not None and link.is_open:
            return True
    return False


def _link_of(marker: str) -> LinkId:
    return LinkId(marker.removeprefix(marker_of(LinkId(""))))


def _facts_of_ticket(ticket: Ticket) -> TicketFacts:
    return TicketFacts(
        ticket.ref,
        ticket.title,
        ticket.status.name,
        mentions_in(ticket.description),
        marks_in(ticket.description),
    )


def _proposed(collecting: Collecting, found: Match) -> BulkItem:
    """Equal titles may be chance: they wait for a tick. A single marker gives the Link its old id back."""
    feature, ticket = found.feature, found.ticket
    own = _link_of(ticket.markers[0]) if found.way is Way.MARKER and len(ticket.markers) == 1 else None
    return BulkItem(
        run_id=collecting.run.id,
        feature_id=feature.id,
        feature_title=feature.title,
        feature_url=feature.url,
        feature_status=feature.status,
        ticket=ticket.ref,
        ticket_title=ticket.title,
        ticket_status=ticket.status,
        way=found.way,
        chosen=found.way is not Way.TITLE,
        link_id=own,
    )


async def collect_csv(collecting: Collecting) -> None:
    """What is stored already is not looked up again: a line costs a call."""
    stored = await _stored(collecting)
    pairs = [each for each in collecting.run.csv if each.feature not in stored]
    for at in range(0, len(pairs), BATCH):
        some = pairs[at : at + BATCH]
        found = await collecting.sides.board.features.list_features([each.feature for each in some])
        features = {each.id: each for each in found}
        items = [await _looked_up(collecting, each, features.get(each.feature)) for each in some]
        async with collecting.ctx.storage.begin() as uow:
            await collecting.store(uow, await _without_taken(collecting, uow, items))


async def _stored(collecting: Collecting) -> Collection[FeatureId]:
    async with collecting.ctx.storage.begin() as uow:
        query = BulkItemQuery(collecting.run.id, limit=len(collecting.run.csv))
        items, _ = await uow.bulk_items.page(query)
    return {each.feature_id for each in items}


async def _looked_up(collecting: Collecting, pair: CsvPair, feature: Feature | None) -> BulkItem:
    item = BulkItem(collecting.run.id, pair.feature, way=Way.CSV, line=pair.line)
    if feature is None:
        return item.became(
            BulkOutcome.SKIPPED, "Productboard knows no such feature, or our token may not see it."
        )
    item = replace(item_of(collecting.run, feature), way=Way.CSV, line=pair.line)
    if feature.type not in PUSHABLE_TYPES:
        reason = f"Only features and subfeatures can be linked. This is a {feature.type}."
        return item.became(BulkOutcome.SKIPPED, reason)
    project = collecting.integration.project
    ticket = await collecting.sides.tracker.tickets.find_by_address(project.id, pair.ticket)
    if ticket is None:
        return item.became(
            BulkOutcome.SKIPPED, f"There is no ticket “{pair.ticket[:100]}” in {project.name}."
        )
    return replace(item, ticket=ticket.ref, ticket_title=ticket.title, ticket_status=ticket.status.name)


async def _without_taken(
    collecting: Collecting, uow: UnitOfWork, items: Sequence[BulkItem]
) -> Sequence[BulkItem]:
    """What belongs to another Link is said here, long before it would be refused."""
    linked = await collecting.open_links(uow, [each.feature_id for each in items])
    tickets = [each.ticket.id for each in items if each.ticket]
    owned = await uow.links.of_tickets(collecting.integration.tracker.key, tickets)
    owners = {link.ticket.id: link for link in owned if link.ticket}
    checked = []
    for each in items:
        link, owner = linked.get(each.feature_id), owners.get(each.ticket.id) if each.ticket else None
        if each.outcome is BulkOutcome.WAITING and link is not None:
            checked.append(
                each.became(BulkOutcome.SKIPPED, why_not_pushed(link) or "A push of it has failed.")
            )
        elif each.outcome is BulkOutcome.WAITING and owner is not None:
            checked.append(
                each.became(BulkOutcome.SKIPPED, f"The ticket is linked with “{owner.feature_title}”.")
            )
        else:
            checked.append(each)
    return checked
