"""Collecting the items of bulk runs: read, compare, store; nothing is changed outside.

Interrupted, it begins anew and passes over what is stored already. A run is one process's at a time.
"""

import contextlib

from keepstep.app.bulk_collecting import Collecting, collect_features
from keepstep.app.bulk_pairing import collect_csv, collect_pairs
from keepstep.app.bulk_waiting import PATIENCE_SECONDS, bear, is_due
from keepstep.app.context import Context
from keepstep.app.opening import open_sides
from keepstep.domain.bulk import BulkKind, BulkRun, BulkState
from keepstep.domain.calls import CallClass
from keepstep.domain.errors import MissingError, StaleRevisionError
from keepstep.domain.ids import BulkId
from keepstep.domain.integration import IntegrationState
from keepstep.ports.errors import OutsideError
from keepstep.ports.locks import BusyError, Held, LockLostError


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
                with ctx.outside.calling(CallClass.BULK, patience=PATIENCE_SECONDS):
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
        collecting = Collecting(ctx, held, integration, run, await open_sides(ctx, integration))
    except OutsideError as error:
        await bear(ctx, run, error)
        return
    try:
        await _collect(collecting)
    except OutsideError as error:
        await bear(ctx, collecting.run, error)
        return
    await _propose(ctx, held, collecting.run)


async def _collect(collecting: Collecting) -> None:
    if collecting.run.kind is BulkKind.PUSH:
        await collect_features(collecting)
    elif collecting.run.csv:
        await collect_csv(collecting)
    else:
        await collect_pairs(collecting)


async def _propose(ctx: Context, held: Held, run: BulkRun) -> None:
    held.check()
    async with ctx.storage.begin() as uow:
        await uow.bulk_runs.save(run.proposed())
        await uow.commit()
