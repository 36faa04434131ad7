"""Feeding bulk runs: a few items at a time become Links, whose ordinary jobs do the work, and each outcome is noted.

An item and its Link move in one transaction, and the run's revision is saved first in it: a crash at any point leaves
both or neither, and a person who pauses or cancels is never overtaken. What belongs to a bulk run carries `Source.BULK`
in the inbox: by it, whoever shares out calls tells it from clicks and notifications.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from keepstep.app.bulk_linking import PairsNow, link_item, read_pairs
from keepstep.app.bulk_waiting import PATIENCE_SECONDS, bear, is_due
from keepstep.app.context import Context
from keepstep.app.push import ask_push, new_link, pushed_again
from keepstep.domain.bulk import (
    STARTED,
    BulkItem,
    BulkKind,
    BulkOutcome,
    BulkRun,
    BulkState,
    outcome_of,
    why_not_pushed,
)
from keepstep.domain.calls import CallClass
from keepstep.domain.column import INITIAL
from keepstep.domain.errors import MissingError, StaleRevisionError
from keepstep.domain.events import Source
from keepstep.domain.ids import BulkId, LinkId
from keepstep.domain.integration import Integration, IntegrationState
from keepstep.ports.bulk import BulkItemQuery
from keepstep.ports.errors import OutsideError
from keepstep.ports.locks import BusyError, Held, LockLostError
from keepstep.ports.storage import UnitOfWork

AT_ONCE = 8
"""Items of one run under way: the next ones wait in the run, not in the queue, so that a pause acts at once."""


async def feed_runs(ctx: Context) -> int:
    """One turn of the worker's loop. Returns how many items were begun."""
    async with ctx.storage.begin() as uow:
        runs = [run for run in await uow.bulk_runs.at_work() if run.state in STARTED]
    begun = 0
    for run in runs:
        with contextlib.suppress(BusyError, LockLostError, StaleRevisionError, MissingError):
            async with ctx.locks.hold(f"bulk:{run.id}") as held:
                with ctx.outside.calling(CallClass.BULK, patience=PATIENCE_SECONDS):
                    begun += await _feed(ctx, held, run.id)
    return begun


async def _feed(ctx: Context, held: Held, run_id: BulkId) -> int:
    async with ctx.storage.begin() as uow:
        run = await uow.bulk_runs.get(run_id)
        integration = await uow.integrations.get(run.integration_id)
        under_way, _ = await uow.bulk_items.page(
            BulkItemQuery(run_id, {BulkOutcome.UNDER_WAY}, limit=AT_ONCE)
        )
        settled = await _settled(uow, run, under_way)
        left = len(under_way) - len(settled)
        after = await _next_state(ctx, uow, run, integration, left)
        if settled or after != run:
            held.check()
            run = await uow.bulk_runs.save(after)
            await uow.bulk_items.save(settled)
            await uow.commit()
    if run.state is not BulkState.RUNNING or left >= AT_ONCE or not is_due(ctx, run):
        return 0
    return await _begin(ctx, held, run, integration, AT_ONCE - left)


async def _settled(uow: UnitOfWork, run: BulkRun, under_way: Sequence[BulkItem]) -> Sequence[BulkItem]:
    settled = []
    for item in under_way:
        link = await uow.links.find(item.link_id) if item.link_id else None
        outcome = outcome_of(run.kind, link)
        if outcome is not None:
            ticket = (link.ticket if link else None) or item.ticket
            settled.append(replace(item.became(*outcome), ticket=ticket))
    return settled


async def _next_state(
    ctx: Context, uow: UnitOfWork, run: BulkRun, integration: Integration, under_way: int
) -> BulkRun:
    active, now = integration.state is IntegrationState.ACTIVE, ctx.clock.now()
    match run.state:
        case BulkState.CANCELLING if not under_way:
            return run.ended(BulkState.CANCELLED, now)
        case BulkState.RUNNING if not active:
            cause = f" {integration.pause.message}" if integration.pause else ""
            return run.paused(f"{integration.name} is {integration.state}.{cause}", held=True)
        case BulkState.PAUSED if active and run.held:
            return run.resumed(now, (await uow.bulk_items.counts(run.id)).finished)
    return run


async def _begin(ctx: Context, held: Held, run: BulkRun, integration: Integration, room: int) -> int:
    async with ctx.storage.begin() as uow:
        query = BulkItemQuery(run.id, {BulkOutcome.WAITING}, chosen=True, limit=room)
        items, waiting = await uow.bulk_items.page(query)
    if not waiting:
        return await _end_when_all_is_done(ctx, held, run)
    return await _begin_items(ctx, held, run, integration, items)


async def _end_when_all_is_done(ctx: Context, held: Held, run: BulkRun) -> int:
    async with ctx.storage.begin() as uow:
        if not (await uow.bulk_items.counts(run.id)).unfinished:
            held.check()
            await uow.bulk_runs.save(run.ended(BulkState.DONE, ctx.clock.now()))
            await uow.commit()
    return 0


async def _begin_items(
    ctx: Context, held: Held, run: BulkRun, integration: Integration, items: Sequence[BulkItem]
) -> int:
    pairs: PairsNow | None = None
    if run.kind is BulkKind.LINK:
        try:
            pairs = await read_pairs(ctx, integration, items)
        except OutsideError as error:
            await bear(ctx, run, error)
            return 0
    held.check()
    async with ctx.storage.begin() as uow:
        await uow.bulk_runs.save(replace(run, message="", attempts=0, retry_at=None))
        begun = [
            await (
                link_item(ctx, uow, run, integration, item, pairs)
                if pairs
                else _push(ctx, uow, run, integration, item)
            )
            for item in items
        ]
        await uow.bulk_items.save(begun)
        await uow.commit()
    return await _wake_begun(ctx, begun)


async def _push(
    ctx: Context, uow: UnitOfWork, run: BulkRun, integration: Integration, item: BulkItem
) -> BulkItem:
    """An ordinary push without a click: the cell is as it was, so the job needs not look at it first."""
    now = ctx.clock.now()
    fresh = replace(new_link(ctx, integration, item.feature_id, item.feature_url), cell=INITIAL)
    link, is_new = await uow.links.add_or_find(fresh)
    if not is_new:
        if reason := why_not_pushed(link):
            return item.became(BulkOutcome.SKIPPED, reason)
        link = await uow.links.save(pushed_again(link, now))
    await ask_push(uow, link, Source.BULK, now, run.actor, "Pushed with many others.")
    return replace(item.became(BulkOutcome.UNDER_WAY), link_id=link.id)


async def _wake_begun(ctx: Context, items: Sequence[BulkItem]) -> int:
    """After the commit; a wake that is lost here is found by the sweep."""
    woken: list[LinkId] = [
        item.link_id for item in items if item.outcome is BulkOutcome.UNDER_WAY and item.link_id
    ]
    for link in woken:
        await ctx.jobs.wake_link(link)
    return len(woken)
