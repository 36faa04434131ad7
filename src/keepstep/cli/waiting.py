"""Waiting for what the worker does: a command wakes the job, `keepstep serve` carries it out."""

import asyncio
import time

from keepstep.app.context import Context
from keepstep.cli.printing import note, plain
from keepstep.domain.errors import ForbiddenMoveError
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration, IntegrationState, StepName, StepState

_LOOK_SECONDS = 0.2
_TOLD = (StepState.DONE, StepState.FAILED, StepState.UNDONE)


class _Teller:
    """Says each step once per outcome."""

    def __init__(self) -> None:
        self._said: set[tuple[StepName, StepState]] = set()

    def tell(self, integration: Integration) -> None:
        for step in integration.steps:
            if step.state in _TOLD and (step.name, step.state) not in self._said:
                self._said.add((step.name, step.state))
                note(f"  {step.state}: {plain(step.detail) or step.name}")


async def wait_for_connection(ctx: Context, integration_id: IntegrationId, until: float) -> bool:
    """False when time runs out first. Raises ForbiddenMoveError with the reason when connecting fails."""
    teller = _Teller()
    while True:
        async with ctx.storage.begin() as uow:
            found = await uow.integrations.get(integration_id)
        teller.tell(found)
        if found.state is not IntegrationState.CONNECTING:
            return True
        if found.failure:
            raise ForbiddenMoveError(f"It could not be connected: {plain(found.failure)}")
        if time.monotonic() >= until:
            return False
        await asyncio.sleep(_LOOK_SECONDS)


async def wait_for_removal(ctx: Context, integration_id: IntegrationId, until: float) -> bool:
    """False when time runs out first. Raises ForbiddenMoveError when the other side refuses its part."""
    teller = _Teller()
    while True:
        async with ctx.storage.begin() as uow:
            found = await uow.integrations.find(integration_id)
        if found is None:
            return True
        teller.tell(found)
        if found.failure:
            raise ForbiddenMoveError(
                f"Not everything could be removed: {plain(found.failure)} It is tried again by itself; "
                f"`keepstep integrations forget {integration_id}` ends it."
            )
        if time.monotonic() >= until:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
