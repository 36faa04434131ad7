"""Notifications in: verify over the raw bytes, store once, wake; all of it before anything is acknowledged.

A notification is a hint. It marks the Link dirty; its values are never trusted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keepstep.app.context import Context
from keepstep.app.push import check_board_proof
from keepstep.domain.events import Notice, NoticeKind, Source
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.domain.integration import Integration, IntegrationState
from keepstep.domain.link import Link
from keepstep.ports.productboard import FeatureNotice
from keepstep.ports.storage import UnitOfWork
from keepstep.ports.tracker import TicketNotice


@dataclass(frozen=True, slots=True)
class Received:
    """What became of one delivery."""

    stored: int
    unlinked: int = 0
    repeated: int = 0


async def from_board(
    ctx: Context, integration_id: IntegrationId, authorization: str, body: bytes
) -> Received:
    """Raises MissingError, NotGenuineError, UnreadableError; then nothing is stored."""
    integration = await _find(ctx, integration_id)
    await check_board_proof(ctx, integration, authorization)
    notices = ctx.outside.board_wire().read_notification(body)
    if integration.state is IntegrationState.REMOVING:
        return Received(0)
    async with ctx.storage.begin() as uow:
        dirty, unlinked = await _store_feature_notices(ctx, uow, integration, notices)
        await uow.commit()
    await wake_all(ctx, dirty)
    return Received(len(dirty), unlinked)


async def _store_feature_notices(
    ctx: Context, uow: UnitOfWork, integration: Integration, notices: Sequence[FeatureNotice]
) -> tuple[list[LinkId], int]:
    """Productboard has no delivery id, and two edits of one name are byte-identical: every row is kept."""
    now, dirty, unlinked = ctx.clock.now(), [], 0
    for each in notices:
        links = await uow.links.of_features(integration.id, [each.feature]) if each.feature else []
        open_links = [link for link in links if link.is_open]
        for link in open_links:
            kind = NoticeKind.DELETED if each.deleted else NoticeKind.CHANGED
            await uow.inbox.add(
                Notice(integration.id, kind, Source.WEBHOOK, now, Side.FEATURE, link.feature_id, link.id)
            )
            dirty.append(link.id)
        if not open_links:
            await uow.inbox.count_unlinked(integration.id, Side.FEATURE, now)
            unlinked += 1
    return dirty, unlinked


async def from_tracker(
    ctx: Context, integration_id: IntegrationId, headers: Mapping[str, str], body: bytes
) -> Received:
    """Raises MissingError, NotGenuineError, UnreadableError; then nothing is stored."""
    integration = await _find(ctx, integration_id)
    secret = await ctx.vault.open(integration.hook_secret)
    wire = ctx.outside.tracker_wire(integration.tracker.kind)
    signed = integration.registrations.hook_signed
    notices = wire.read_notification(headers, body, secret, signed=signed)
    if integration.state is IntegrationState.REMOVING:
        return Received(0)
    async with ctx.storage.begin() as uow:
        links = await _links_of(uow, integration, notices)
        stored = [
            await uow.inbox.add(_ticket_notice(ctx, integration, each, links))
            for each in notices
            if each.ticket
        ]
        if not stored:
            await uow.inbox.count_unlinked(integration.id, Side.TICKET, ctx.clock.now())
        await uow.commit()
    await wake_all(ctx, [link.id for link in links.values()])
    return Received(sum(stored), len(notices) - len(links), len(stored) - sum(stored))


async def _links_of(
    uow: UnitOfWork, integration: Integration, notices: Sequence[TicketNotice]
) -> dict[str, Link]:
    tickets = {each.ticket for each in notices if each.ticket}
    links = await uow.links.of_tickets(integration.tracker.key, tickets) if tickets else []
    return {link.ticket.id: link for link in links if link.ticket and link.integration_id == integration.id}


def _ticket_notice(
    ctx: Context, integration: Integration, notice: TicketNotice, links: Mapping[str, Link]
) -> Notice:
    """One that matches no Link is kept for a while: its ticket's creation may not be committed yet."""
    link = links.get(notice.ticket or "")
    return Notice(
        integration.id,
        NoticeKind.DELETED if notice.deleted else NoticeKind.CHANGED,
        Source.WEBHOOK,
        ctx.clock.now(),
        Side.TICKET,
        notice.ticket or "",
        link.id if link else None,
        notice.delivery_id,
        notice.actor,
    )


async def _find(ctx: Context, integration_id: IntegrationId) -> Integration:
    async with ctx.storage.begin() as uow:
        return await uow.integrations.get(integration_id)


async def wake_all(ctx: Context, links: Sequence[LinkId]) -> None:
    """After the commit. A crash before this leaves rows without a job, which the sweep finds."""
    for link in dict.fromkeys(links):
        await ctx.jobs.wake_link(link)
