"""What a person asks of an Integration that jobs are saving at the same time."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from keepstep.app.context import Context
from keepstep.domain.errors import StaleRevisionError
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration
from keepstep.ports.storage import UnitOfWork

_T = TypeVar("_T")


async def revise(
    ctx: Context, integration_id: IntegrationId, change: Callable[[UnitOfWork, Integration], Awaitable[_T]]
) -> _T:
    """One transaction around `change`, which gets the Integration as it is now; again where a job was faster.

    For acts that mean the same whatever the job did (pause, resume, try again, remove). One that puts a form's values
    over what is stored must tell the person instead. Raises MissingError, and what `change` raises.
    """
    while True:
        try:
            async with ctx.storage.begin() as uow:
                done = await change(uow, await uow.integrations.get(integration_id))
                await uow.commit()
                return done
        except StaleRevisionError:
            continue
