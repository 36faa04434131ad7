"""Collecting the items of bulk runs: read, compare, store; nothing is changed outside.

Interrupted, it begins anew and passes over what is stored already. A run is one process's at a time.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from keepstep.app.bulk_waiting import bear, is_due
from keepstep.app.context import Context
from keepstep.app.opening import Sides, open_sides
from keepstep.domain.bulk import BulkItem, BulkOutcome, BulkRun, BulkState
from keepstep.domain.errors import MissingError, StaleRevisionError
from keepstep.domain.feature import Feature
from keepstep.domain.ids import BulkId
from keepstep.domain.integration import Integration, IntegrationState
from keepstep.domain.link import Link, LinkState
from keepstep.ports.errors import OutsideError
from keepstep.ports.locks import BusyError, Held, LockLostError
from keepstep.ports.storage import UnitOfWork

_BATCH = 100
_T = TypeVar("_T")


@dataclass
class Preparing:
    """One run that is being collected; its revision is the fence."""

    ctx: Context
    held: Held
    integration: Integration
    run: BulkRun
    sides: Sides

    async def store(self, uow: UnitOfWork, items: Sequence[BulkItem]) -> None:
        """Commits. Raises LockLostError or StaleRevisionError when the run is not ours any more."""
        self.held.check()
        self.run = await uow.bulk_runs.save(self.run)
        await uow.bulk_items.add(items)
        await uow.commit()


async def prepare_runs(ctx: Context) -> int:
    """One turn of the worker's loop. Returns how many runs were worked on."""
    async with ctx.storage.begin() as uow:
        runs = [run for run in await uow.bulk_runs.at_work() if run.state is BulkState.PREPARING]
    done = 0
    for run in runs:
        if not is_due(ctx, run):
            continue
        with contextlib.suppress(BusyError, LockLostError, StaleRevisionError, MissingError):
            async with ctx.locks.hold(f"bulk:{run.id}") as held:
                await _prepare(ctx, held, run.id)
                done += 1
    return done


async def _prepare(ctx: Context, held: Held, run_id: BulkId) -> None:
    async with ctx.storage.begin() as uow:
        run = await uow.bulk_runs.get(run_id)
        integration = await uow.integrations.get(run.integration_id)
    if run.state is not BulkState.PREPARING or integration.state is not IntegrationState.ACTIVE:
        return
    try:
        preparing = Preparing(ctx, held, integration, run, await open_sides(ctx, integration))
    except OutsideError as error:
        await bear(ctx, run, error)
        return
    try:
        await _collect_features(preparing)
    except OutsideError as error:
        await bear(ctx, preparing.run, error)
        return
    held.check()
    async with ctx.storage.begin() as uow:
        await uow.bulk_runs.save(preparing.run.proposed())
        await uow.commit()


async def _collect_features(preparing: Preparing) -> None:
    selected = preparing.sides.board.features.iter_selected(preparing.run.selection)
    async for features in batches(selected, _BATCH):
        async with preparing.ctx.storage.begin() as uow:
            ids = [each.id for each in features]
            links = await uow.links.of_features(preparing.integration.id, ids)
            known = {link.feature_id: link for link in links if link.is_open}
            items = [_to_push(preparing.run, each, known.get(each.id)) for each in features]
            await preparing.store(uow, items)


def _to_push(run: BulkRun, feature: Feature, link: Link | None) -> BulkItem:
    item = item_of(run, feature)
    reason = why_not_pushed(link) if link else ""
    return item.became(BulkOutcome.SKIPPED, reason) if reason else item


def why_not_pushed(link: Link) -> str:
    """Empty where another try is what a person would do."""
    if link.ticket is not None:
        return f"Linked already, with {link.ticket.label}."
    return "A push of it is under way." if link.state is LinkState.PUSHING else ""


def item_of(run: BulkRun, feature: Feature) -> BulkItem:
    return BulkItem(
        run_id=run.id,
        feature_id=feature.id,
        feature_title=feature.title,
        feature_url=feature.url,
        feature_status=feature.status.name if feature.status else "",
    )


async def batches(found: AsyncIterator[_T], size: int) -> AsyncIterator[list[_T]]:
    batch: list[_T] = []
    async for each in found:
        batch.append(each)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
