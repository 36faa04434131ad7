"""Removing an Integration: tracker hook, Productboard webhook, column, link-backs if asked, our rows; repeatable.

What an upstream refuses is kept, shown and retried; *forget anyway* ends it. A ticket that refuses to be cleaned stops
no other one.
"""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from keepstep.app.cleaning import clean_ticket, forget
from keepstep.app.context import Context
from keepstep.app.failures import backoff
from keepstep.app.opening import open_board, open_sides
from keepstep.app.revising import revise
from keepstep.app.tracker_hooks import remove_hook
from keepstep.app.work import Work
from keepstep.domain.calls import CallClass
from keepstep.domain.errors import ForbiddenMoveError, MissingError
from keepstep.domain.events import Act, Entry
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration, IntegrationState, Step, StepName, StepState
from keepstep.domain.link import Link
from keepstep.ports.errors import OutsideError
from keepstep.ports.locks import Held
from keepstep.ports.storage import LinkQuery, UnitOfWork

_PAGE = 50
_PATIENCE_SECONDS = 30.0
"""Nobody waits for it."""
_SHIFT_SECONDS = 60.0
"""So long one job cleans tickets; the next one goes on. A job may take 120 s."""


async def remove(ctx: Context, integration_id: IntegrationId, actor: str, *, clean_tickets: bool) -> None:
    """From now on clicks get "being removed" and notifications are dropped; the rest is the job's."""

    async def begin(uow: UnitOfWork, integration: Integration) -> None:
        if integration.state is IntegrationState.REMOVING:
            raise ForbiddenMoveError(f"{integration.name} is being removed already.")
        names = [StepName.HOOK] if integration.registrations.hook else []
        names += [StepName.SUBSCRIPTION, StepName.COLUMN]
        names += [StepName.LINKS] if clean_tickets else []
        steps = tuple(Step(name) for name in (*names, StepName.DATA))
        await uow.integrations.save(replace(integration.removing(), steps=steps))
        reason = "Removal began."
        await uow.journal.add(Entry(ctx.clock.now(), Act.REMOVAL, integration_id, reason=reason, actor=actor))

    await revise(ctx, integration_id, begin)
    await ctx.jobs.wake_integration(integration_id)


async def forget_anyway(ctx: Context, integration_id: IntegrationId, actor: str) -> None:
    """Give up on what the upstreams refuse; what is left there is named in the last journal entry."""

    async def give_up(uow: UnitOfWork, integration: Integration) -> None:
        if integration.state is not IntegrationState.REMOVING:
            raise ForbiddenMoveError("Only an integration that is being removed can be forgotten.")
        await uow.integrations.save(replace(integration, forget=True, retry_at=None))
        reason = "Told to forget what the other side refuses to remove."
        await uow.journal.add(Entry(ctx.clock.now(), Act.REMOVAL, integration_id, reason=reason, actor=actor))

    await revise(ctx, integration_id, give_up)
    await ctx.jobs.wake_integration(integration_id)


async def run_removal(ctx: Context, held: Held, integration: Integration) -> None:
    await _Removal(ctx, held, integration).run()


class _Removal:
    def __init__(self, ctx: Context, held: Held, integration: Integration) -> None:
        self.ctx, self.held, self.integration = ctx, held, integration

    async def run(self) -> None:
        actions: dict[StepName, Callable[[], Awaitable[str | None]]] = {
            StepName.HOOK: self._hook,
            StepName.SUBSCRIPTION: self._subscription,
            StepName.COLUMN: self._column,
            StepName.LINKS: self._links,
        }
        failures: list[str] = []
        for step in self.integration.steps:
            if step.name is StepName.DATA or step.state is StepState.DONE or self._is_given_up(step):
                continue
            await self._save(self.integration.with_step(step.name, StepState.RUNNING))
            try:
                detail = await actions[step.name]()
            except OutsideError as error:
                failures.append(str(error))
                await self._save(self.integration.with_step(step.name, StepState.FAILED, str(error)))
            else:
                if detail is None:
                    await self._go_on_later(failures)
                    return
                await self._save(self.integration.with_step(step.name, StepState.DONE, detail))
        if failures and not self.integration.forget:
            await self._try_later(failures[0])
        else:
            await self._drop()

    def _is_given_up(self, step: Step) -> bool:
        """Cleaning tickets may take hours: who says to forget does not wait for the rest of it."""
        return self.integration.forget and step.name is StepName.LINKS and step.state is not StepState.WAITING

    async def _hook(self) -> str:
        await remove_hook(self.ctx, self.integration)
        return "The tracker's webhook is gone."

    async def _subscription(self) -> str:
        made = self.integration.registrations.subscription
        if made is not None:
            await (await open_board(self.ctx, self.integration)).subscriptions.remove_subscription(made)
        return "Productboard's webhook is gone."

    async def _column(self) -> str:
        made = self.integration.registrations.column
        if made is not None:
            await (await open_board(self.ctx, self.integration)).columns.remove_column(made)
        return "The column and its buttons are gone."

    async def _links(self) -> str | None:
        """None when its time is over and Links are left. Each goes as it is cleaned, so that no run begins anew."""
        end = self.ctx.clock.elapsed() + _SHIFT_SECONDS
        sides = await open_sides(self.ctx, self.integration)
        with self.ctx.outside.calling(CallClass.BULK, patience=_PATIENCE_SECONDS):
            while links := await self._next_links():
                for link in links:
                    work = Work(self.ctx, self.held, self.integration, link, rows=())
                    work.sides = sides
                    with contextlib.suppress(MissingError):  # its own job was faster
                        await clean_ticket(work)
                    await forget(work)
                    if self.ctx.clock.elapsed() >= end:
                        return None
        return "Took the link back out of the tickets; the tickets stay."

    async def _next_links(self) -> Sequence[Link]:
        """And say how many are left."""
        async with self.ctx.storage.begin() as uow:
            links = await uow.links.list_after(self.integration.id, None, _PAGE)
            _, total = await uow.links.page(LinkQuery(self.integration.id, limit=1))
        if links:
            left = f"{total} {'Link is' if total == 1 else 'Links are'} left."
            await self._save(self.integration.with_step(StepName.LINKS, StepState.RUNNING, left))
        return links

    async def _go_on_later(self, failures: Sequence[str]) -> None:
        await self._save(replace(self.integration, failure=" ".join(failures[:1])))
        await self.ctx.jobs.wake_integration(self.integration.id)

    async def _try_later(self, message: str) -> None:
        attempts = self.integration.attempts + 1
        retry_at = self.ctx.clock.now() + backoff(self.ctx, attempts)
        await self._save(replace(self.integration, failure=message, attempts=attempts, retry_at=retry_at))

    async def _drop(self) -> None:
        self.held.check()
        async with self.ctx.storage.begin() as uow:
            await uow.integrations.delete(self.integration.id)
            await uow.commit()
        board, tracker = self.integration.board.token, self.integration.tracker.token
        for ref in (board, tracker, self.integration.board_secret, self.integration.hook_secret):
            await self.ctx.vault.forget(ref)

    async def _save(self, changed: Integration) -> None:
        self.held.check()
        async with self.ctx.storage.begin() as uow:
            self.integration = await uow.integrations.save(changed)
            await uow.commit()
