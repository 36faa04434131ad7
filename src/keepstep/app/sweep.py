"""The loop in every worker: timers that are due, Links whose retry is due, rows that lost their wake, polls, pruning.

It wakes only Links of *active* integrations that are not *set aside* and whose `retry_at` has passed.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from keepstep.app.context import Context
from keepstep.app.polling import schedule_polls
from keepstep.domain.events import Notice, NoticeKind, Source, Timer, TimerKind
from keepstep.domain.ids import LinkId
from keepstep.domain.integration import IntegrationState
from keepstep.ports.storage import PRUNE_BATCH, UnitOfWork

_BATCH = 200
_WITHOUT_JOB_AFTER = timedelta(seconds=20)
_UNMATCHED_KEPT = timedelta(minutes=10)
"""As long as a creation may take, whose ticket they may be about."""
_POLL_KINDS = frozenset({TimerKind.POLL_FEATURES, TimerKind.POLL_TICKETS, TimerKind.LOOK_AFTER})


async def run_timers(ctx: Context) -> Sequence[Timer]:
    """Turn due timers into inbox rows and wake their Links. Returns the polls that are due, to be run beside this."""
    now = ctx.clock.now()
    async with ctx.storage.begin() as uow:
        due = await uow.timers.take_due(now, _BATCH)
        polls, woken = [], []
        for timer in due:
            if timer.kind in _POLL_KINDS:
                every = (
                    ctx.rules.look_after_every if timer.kind is TimerKind.LOOK_AFTER else ctx.rules.poll_every
                )
                await uow.timers.set(Timer(timer.kind, timer.integration_id, now + every))
                polls.append(timer)
            elif timer.link_id is not None and await uow.links.find(timer.link_id) is not None:
                await uow.inbox.add(_row(ctx, timer))
                woken.append(timer.link_id)
        await uow.commit()
    await _wake(ctx, woken)
    return polls


def _row(ctx: Context, timer: Timer) -> Notice:
    kind = NoticeKind.CELL if timer.kind is TimerKind.CELL else NoticeKind.LOOK_AGAIN
    return Notice(
        timer.integration_id, kind, Source.TIMER, ctx.clock.now(), timer.side, link_id=timer.link_id
    )


async def wake_due(ctx: Context) -> int:
    """Links whose time to try again has come."""
    async with ctx.storage.begin() as uow:
        due = await uow.links.due(ctx.clock.now(), _BATCH)
    return await _wake(ctx, due)


async def wake_forgotten(ctx: Context) -> int:
    """Rows whose wake was lost between commit and engine."""
    now = ctx.clock.now()
    async with ctx.storage.begin() as uow:
        waiting = await uow.inbox.links_waiting(now, now - _WITHOUT_JOB_AFTER, _BATCH)
    busy = await ctx.jobs.links_with_a_job(waiting)
    return await _wake(ctx, [link for link in waiting if link not in busy])


async def wake_integrations(ctx: Context) -> int:
    """Connecting, removing and re-pointing that is not finished: also what a crash has interrupted."""
    now, woken = ctx.clock.now(), 0
    async with ctx.storage.begin() as uow:
        integrations = await uow.integrations.list_all()
    for each in integrations:
        unfinished = each.state is IntegrationState.REMOVING or (
            each.state is IntegrationState.CONNECTING and not each.failure
        )
        moved = (
            each.state in (IntegrationState.ACTIVE, IntegrationState.PAUSED)
            and each.registrations.public_url != ctx.rules.public_url
        )
        if (unfinished or moved) and (each.retry_at is None or each.retry_at <= now):
            await ctx.jobs.wake_integration(each.id)
            woken += 1
    return woken


async def ensure_polls(ctx: Context) -> None:
    """At start: every active integration is polled soon, whatever happened while nobody ran."""
    async with ctx.storage.begin() as uow:
        for each in await uow.integrations.list_all():
            if each.state is IntegrationState.ACTIVE:
                await schedule_polls(ctx, uow, each, at_once=True)
        await uow.commit()


async def prune(ctx: Context) -> None:
    """What is older than it is kept for, batch by batch: no transaction is open for long, whatever has gathered."""
    now = ctx.clock.now()
    noticed = now - timedelta(days=ctx.rules.inbox_days)
    noted = now - timedelta(days=ctx.rules.journal_days)
    for drop in (
        lambda uow: uow.inbox.prune(noticed, now - _UNMATCHED_KEPT),
        lambda uow: uow.clicks.prune(noticed),
        lambda uow: uow.journal.prune(noted),
        lambda uow: uow.bulk_runs.prune(noted),
    ):
        while await _drop(ctx, drop) >= PRUNE_BATCH:
            pass


async def _drop(ctx: Context, drop: Callable[[UnitOfWork], Awaitable[int]]) -> int:
    async with ctx.storage.begin() as uow:
        dropped = await drop(uow)
        await uow.commit()
    return dropped


async def fold_counts(ctx: Context) -> None:
    """What every writer has counted for itself is put together, so that reading the counts stays quick."""
    async with ctx.storage.begin() as uow:
        await uow.links.fold_counts()
        await uow.journal.fold_counts()
        await uow.commit()


async def _wake(ctx: Context, links: Sequence[LinkId]) -> int:
    for link in dict.fromkeys(links):
        await ctx.jobs.wake_link(link)
    return len(links)
