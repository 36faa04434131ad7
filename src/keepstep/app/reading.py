"""Reading the two sides: no stale answer is taken for news, and what was read is remembered on the Link."""

from dataclasses import replace
from datetime import datetime, timedelta

from keepstep.app.work import Work
from keepstep.domain.feature import Feature
from keepstep.domain.fields import Side, Snapshot
from keepstep.domain.link import Seen
from keepstep.domain.ticket import Ticket
from keepstep.ports.errors import NotThereError

_STALE_PAUSE_SECONDS = 0.3
_STALE_READS = 3
_STALE_AFTER_WRITE = timedelta(seconds=10)


async def read_feature(work: Work) -> Feature:
    """Raises NotThereError when it is deleted or hidden."""
    for attempt in range(_STALE_READS):
        feature = await work.sides.board.features.fetch_feature(work.link.feature_id)
        if not _looks_stale(work, Side.FEATURE, feature.snapshot, feature.updated_at):
            break
        if attempt + 1 < _STALE_READS:
            await work.ctx.clock.sleep(_STALE_PAUSE_SECONDS)
    return feature


async def read_ticket(work: Work) -> Ticket:
    """Raises NotThereError when it is deleted or hidden."""
    if work.link.ticket is None:
        raise NotThereError("This Link has no ticket yet.")
    for attempt in range(_STALE_READS):
        ticket = await work.sides.tracker.tickets.fetch_ticket(work.link.ticket)
        if not _looks_stale(work, Side.TICKET, ticket.snapshot, ticket.updated_at):
            break
        if attempt + 1 < _STALE_READS:
            await work.ctx.clock.sleep(_STALE_PAUSE_SECONDS)
    return ticket


def _looks_stale(work: Work, side: Side, snapshot: Snapshot, updated_at: datetime) -> bool:
    """Older than what we have seen, or what stood there before our own write a moment ago. Read again, then believe."""
    seen = work.link.seen.get(side)
    if seen is None:
        return False
    fresh_write = seen.wrote_at is not None and work.now - seen.wrote_at < _STALE_AFTER_WRITE
    undone = fresh_write and bool(seen.before_write) and snapshot.digest == seen.before_write
    return updated_at < seen.updated_at or undone


def remember_feature(work: Work, feature: Feature) -> None:
    work.change(
        feature_title=feature.title,
        feature_url=feature.url or work.link.feature_url,
        feature_type=feature.type,
        feature_status=feature.status.name if feature.status else "",
    )
    _remember(work, Side.FEATURE, feature.snapshot, feature.updated_at)


def remember_ticket(work: Work, ticket: Ticket) -> None:
    work.change(ticket=ticket.ref, ticket_title=ticket.title, ticket_status=ticket.status)
    _remember(work, Side.TICKET, ticket.snapshot, ticket.updated_at)


def _remember(work: Work, side: Side, snapshot: Snapshot, updated_at: datetime) -> None:
    seen = work.link.seen.get(side)
    if seen is None:
        fresh = Seen(snapshot.digest, updated_at)
    else:
        fresh = replace(seen, digest=snapshot.digest, updated_at=max(updated_at, seen.updated_at))
    work.change(seen={**work.link.seen, side: fresh})


def remember_write(work: Work, side: Side, before: Snapshot) -> None:
    """Called right before a write, so that a read which still shows `before` is not believed at once."""
    seen = work.link.seen.get(side)
    if seen is not None:
        marked = replace(seen, before_write=before.digest, wrote_at=work.now)
        work.change(seen={**work.link.seen, side: marked})
