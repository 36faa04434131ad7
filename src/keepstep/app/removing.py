"""Removing an Integration: tracker hook, Productboard webhook, column, link-backs if asked, our rows; repeatable.

What an upstream refuses is kept, shown and retried; *forget anyway* ends it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from keepstep.app.context import Context
from keepstep.app.failures import backoff
from keepstep.app.opening import description_rule, open_board, open_tracker
from keepstep.app.revising import revise
from keepstep.app.tracker_hooks import remove_hook
from keepstep.domain.calls import CallClass
from keepstep.domain.errors import ForbiddenMoveError
from keepstep.domain.events import Act, Entry
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration, IntegrationState, Step, StepName, StepState
from keepstep.domain.link import Link
from keepstep.domain.ticket import TicketChanges
from keepstep.ports.errors import NotThereError, OutsideError
from keepstep.ports.locks import Held
from keepstep.ports.storage import UnitOfWork
from keepstep.ports.tracker import Tracker

_PAGE = 50
_PATIENCE_SECONDS = 30.0
"""It would begin anew with its first ticket; it is one job, and nobody waits for it."""


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

    async def forget(uow: UnitOfWork, integration: Integration) -> None:
        if integration.state is not IntegrationState.REMOVING:
            raise ForbiddenMoveError("Only an integration that is being removed can be forgotten.")
        await uow.integrations.save(replace(integration, forget=True, retry_at=None))
        reason = "Told to forget what the other side refuses to remove."
        await uow.journal.add(Entry(ctx.clock.now(), Act.REMOVAL, integration_id, reason=reason, actor=actor))

    await revise(ctx, integration_id, forget)
    await ctx.jobs.wake_integration(integration_id)


async def run_removal(ctx: Context, held: Held, integration: Integration) -> None:
    await _Removal(ctx, held, integration).run()


class _Removal:
    def __init__(self, ctx: Context, held: Held, integration: Integration) -> None:
        self.ctx, self.held, self.integration = ctx, held, integration

    async def run(self) -> None:
        actions: dict[StepName, Callable[[], Awaitable[str]]] = {
            StepName.HOOK: self._hook,
            StepName.SUBSCRIPTION: self._subscription,
            StepName.COLUMN: self._column,
            StepName.LINKS: self._links,
        }
        failures = []
        for step in self.integration.steps:
            if step.name is StepName.DATA or step.state is StepState.DONE:
                continue
            await self._save(self.integration.with_step(step.name, StepState.RUNNING))
            try:
                detail = await actions[step.name]()
            except OutsideError as error:
                failures.append(str(error))
                await self._save(self.integration.with_step(step.name, StepState.FAILED, str(error)))
            else:
                await self._save(self.integration.with_step(step.name, StepState.DONE, detail))
        if failures and not self.integration.forget:
            await self._try_later(failures[0])
        else:
            await self._drop()

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

    async def _links(self) -> str:
        cleaned, last = 0, None
        tracker = await open_tracker(self.ctx, self.integration)
        with self.ctx.outside.calling(CallClass.BULK, patience=_PATIENCE_SECONDS):
            while links := await self._links_after(last):
                for link in links:
                    cleaned += await self._clean(tracker, link)
                last = links[-1]
        return f"Took the link back out of {cleaned} tickets; the tickets stay."

    async def _links_after(self, last: Link | None) -> Sequence[Link]:
        async with self.ctx.storage.begin() as uow:
            return await uow.links.list_after(self.integration.id, last, _PAGE)

    async def _clean(self, tracker: Tracker, link: Link) -> bool:
        if link.ticket is None:
            return False
        self.held.check()
        try:
            ticket = await tracker.tickets.fetch_ticket(link.ticket)
            text = description_rule(self.ctx, link, tracker).without_footer(ticket.description)
            if text == ticket.description:
                return False
            await tracker.tickets.write_ticket(link.ticket, TicketChanges(description=text))
        except NotThereError:
            return False
        return True

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
