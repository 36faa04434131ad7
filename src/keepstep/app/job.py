"""The job of one Link: take its rows, hold its feature, do what its state asks for, and bear what goes wrong.

Failure leaves the engine: a failed run ends its job, and the Link keeps attempts, `retry_at` and the error.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from keepstep.app import detach, pushing, sync
from keepstep.app.cells import look_at_cell
from keepstep.app.context import Context
from keepstep.app.failures import bear
from keepstep.app.opening import open_sides
from keepstep.app.work import Work, by_person, call_class
from keepstep.domain.errors import MissingError, StaleRevisionError
from keepstep.domain.events import Notice, NoticeKind
from keepstep.domain.ids import LinkId
from keepstep.domain.integration import Integration, IntegrationState
from keepstep.domain.link import Link, LinkState
from keepstep.ports.errors import OutsideError
from keepstep.ports.jobs import Urgency
from keepstep.ports.locks import BusyError, Held, LockLostError

_BUSY_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 1.0
"""A job never sleeps longer in a worker's slot."""


async def run_link(ctx: Context, link_id: LinkId) -> None:
    """What the engine runs. Ends normally for everything that is foreseen; only a defect raises."""
    async with ctx.storage.begin() as uow:
        link = await uow.links.find(link_id)
    if link is None:
        return
    try:
        async with ctx.locks.hold(f"feature:{link.feature_id}") as held:
            await _pause_in_a_burst(ctx, link)
            await _take_and_do(ctx, held, link_id)
    except BusyError:
        await ctx.clock.sleep(_BUSY_PAUSE_SECONDS)
        await ctx.jobs.wake_link(link_id)
    except StaleRevisionError:
        await ctx.jobs.wake_link(link_id, Urgency.PERSON)
    except (LockLostError, MissingError):
        pass  # somebody else goes on with this Link, or it is gone
    finally:
        await ctx.signals.tell(link_id)


async def _take_and_do(ctx: Context, held: Held, link_id: LinkId) -> None:
    async with ctx.storage.begin() as uow:
        link = await uow.links.get(link_id)
        integration = await uow.integrations.get(link.integration_id)
        rows = await uow.inbox.unhandled(link_id)
        now = ctx.clock.now()
        cell_only = not _may_run(integration, link, rows, now)
        if cell_only:
            rows = [row for row in rows if row.kind is NoticeKind.CELL]
            if not rows or integration.state is not IntegrationState.ACTIVE:
                return
        link = await uow.links.save(link if cell_only else replace(link, started_at=now))
        await uow.commit()
    work = Work(ctx, held, integration, link, rows)
    try:
        with ctx.outside.calling(call_class(rows)):
            work.sides = await open_sides(ctx, integration)
            await (look_at_cell(work) if cell_only else _do(work))
    except OutsideError as error:
        await bear(work, error)


async def _pause_in_a_burst(ctx: Context, link: Link) -> None:
    """What arrives within a second of the last start rides together; a person does not wait.

    The rows are asked for only then: most Links have long been at rest.
    """
    if link.started_at is None or link.state is LinkState.PUSHING:
        return
    left = (link.started_at + ctx.rules.burst_pause - ctx.clock.now()).total_seconds()
    if left <= 0:
        return
    async with ctx.storage.begin() as uow:
        rows = await uow.inbox.unhandled(link.id)
    if not by_person(rows):
        await ctx.clock.sleep(min(left, _LONGEST_PAUSE_SECONDS))


def _may_run(integration: Integration, link: Link, rows: Sequence[Notice], now: datetime) -> bool:
    """A machine's wake respects backoff; a person's goes through.

    A Link set aside keeps its rows, whoever they are from: what a person does makes it ready again first.
    """
    if integration.state is not IntegrationState.ACTIVE or link.state is LinkState.SET_ASIDE:
        return False
    if by_person(rows):
        return True
    if link.retry_at is not None:
        return link.retry_at <= now
    return bool(rows or link.intent.writes) or link.state in (LinkState.PUSHING, LinkState.UNLINKING)


async def _do(work: Work) -> None:
    match work.link.state:
        case LinkState.UNLINKING:
            await detach.unlink(work)
        case LinkState.DISMISSED:
            await work.finish()
        case _ if work.link.ticket is None:
            await pushing.push(work)
        case _:
            await sync.synchronise(work)
