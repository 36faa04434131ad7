"""What a person asks while jobs save the same thing: done all the same, on what the jobs have made of it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from keepstep.app.context import Context
from keepstep.domain.errors import StaleRevisionError
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration
from keepstep.ports.storage import UnitOfWork

_T = TypeVar("_T")


async def until_done(ctx: Context, act: Callable[[UnitOfWork], Awaitable[_T]]) -> _T:
    """`act` and the commit; again, with what is stored then, where a job was faster. Raises what `act` raises."""
    while True:
        try:
            async with ctx.storage.begin() as uow:
                done = await act(uow)
                await uow.commit()
                return done
        except StaleRevisionError:
            continue


async def revise(
    ctx: Context, integration_id: IntegrationId, change: Callable[[UnitOfWork, Integration], Awaitable[_T]]
) -> _T:
    """For acts that mean the same whatever the job did: pause, resume, try again, remove. Raises MissingError.

    One that puts a form's values over what is stored must tell the person instead.
    """

    async def act(uow: UnitOfWork) -> _T:
        return await change(uow, await uow.integrations.get(integration_id))

    return await until_done(ctx, act)
