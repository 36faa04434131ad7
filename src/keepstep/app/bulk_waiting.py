"""What a bulk run does when the outside does not answer: it waits, or it stops and says why."""

from dataclasses import replace

from keepstep.app.context import Context
from keepstep.app.failures import backoff, pause_for_credential
from keepstep.domain.bulk import BulkRun, BulkState
from keepstep.ports.errors import AuthLostError, OutsideError, RateLimitedError, StaleError, TransientError

PATIENCE_SECONDS = 30.0
"""For one call of a run's own: it holds no worker's slot, and begins anew when it is sent away."""


async def bear(ctx: Context, run: BulkRun, error: OutsideError) -> None:
    """Commit what the failure means for the run. A credential that is refused pauses its integration."""
    async with ctx.storage.begin() as uow:
        await uow.bulk_runs.save(_after(ctx, run, error))
        if isinstance(error, AuthLostError):
            await pause_for_credential(ctx, uow, run.integration_id, error)
        await uow.commit()


def _after(ctx: Context, run: BulkRun, error: OutsideError) -> BulkRun:
    now, message = ctx.clock.now(), str(error)
    match error:
        case AuthLostError():
            return replace(run, message=message)
        case RateLimitedError():
            return replace(run, message=message, retry_at=now + error.retry_after)
        case TransientError() | StaleError() if run.attempts + 1 < ctx.rules.attempts:
            attempts = run.attempts + 1
            return replace(run, message=message, attempts=attempts, retry_at=now + backoff(ctx, attempts))
    if run.state is BulkState.RUNNING:
        return run.paused(message)
    return run.ended(BulkState.FAILED, now, message)


def is_due(ctx: Context, run: BulkRun) -> bool:
    return run.retry_at is None or run.retry_at <= ctx.clock.now()
