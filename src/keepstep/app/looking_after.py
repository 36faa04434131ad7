"""Proof of life: whether column, subscription and webhook still stand outside and point here; repaired where possible.

Runs by a timer, holding the integration as connecting does. What cannot be put right stands on the integration with
its cure, and is tried again at every look.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from keepstep.app.context import Context
from keepstep.app.failures import pause_for_credential
from keepstep.app.opening import (
    Sides,
    column_callback,
    events_callback,
    open_sides,
    tracker_hook_url,
)
from keepstep.app.receive import wake_all
from keepstep.app.tracker_hooks import ensure_hook
from keepstep.domain.events import Act, Entry, Notice, NoticeKind, Source
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration, IntegrationState, Part, PartReport
from keepstep.domain.link import Link
from keepstep.ports.errors import AuthLostError, OutsideError
from keepstep.ports.locks import BusyError, Held, LockLostError
from keepstep.ports.registrations import HookReport, HookState

_PAGE = 100
_WORDS = {
    HookState.MISSING: "It was gone.",
    HookState.DISABLED: "It was switched off.",
    HookState.ELSEWHERE: "It pointed to another address.",
}
_SIDES = {Part.COLUMN: Side.FEATURE, Part.SUBSCRIPTION: Side.FEATURE, Part.HOOK: Side.TICKET}


async def look_after(ctx: Context, integration_id: IntegrationId) -> None:
    """An upstream that is down is told by Links and polls, not here."""
    try:
        async with ctx.locks.hold(f"integration:{integration_id}") as held:
            async with ctx.storage.begin() as uow:
                integration = await uow.integrations.find(integration_id)
            if integration is None or integration.state is not IntegrationState.ACTIVE:
                return
            await _Round(ctx, held, integration, await open_sides(ctx, integration)).run()
    except (BusyError, LockLostError):
        return
    except AuthLostError as error:
        async with ctx.storage.begin() as uow:
            await pause_for_credential(ctx, uow, integration_id, error)
            await uow.commit()
    except OutsideError:
        return


async def show_all_cells(ctx: Context, integration_id: IntegrationId) -> None:
    last: Link | None = None
    while True:
        async with ctx.storage.begin() as uow:
            links = await uow.links.list_after(integration_id, last, _PAGE)
            now = ctx.clock.now()
            for link in links:
                row = Notice(
                    integration_id, NoticeKind.CELL, Source.TIMER, now, Side.FEATURE, link_id=link.id
                )
                await uow.inbox.add(row)
            await uow.commit()
        if not links:
            return
        await wake_all(ctx, [link.id for link in links])
        last = links[-1]


@dataclass
class _Round:
    ctx: Context
    held: Held
    integration: Integration
    sides: Sides

    async def run(self) -> None:
        made = self.integration.registrations
        if made.column is not None:
            url = (await column_callback(self.ctx, self.integration)).url
            await self._part(
                Part.COLUMN, await self.sides.board.columns.inspect_column(made.column, url), self._column
            )
        if made.subscription is not None:
            url = (await events_callback(self.ctx, self.integration)).url
            report = await self.sides.board.subscriptions.inspect_subscription(made.subscription, url)
            await self._part(Part.SUBSCRIPTION, report, self._subscription)
        tracker = self.sides.tracker
        if made.hook is not None and tracker.notifications is not None:
            project, url = self.integration.project.id, tracker_hook_url(self.ctx, self.integration)
            report = await tracker.notifications.inspect_hook(project, made.hook, url)
            await self._part(Part.HOOK, report, self._hook)
            if tracker.manifest.capabilities.redelivers and report.state is HookState.FINE:
                since = self.ctx.clock.now() - self.ctx.rules.look_after_every * 2
                await tracker.notifications.ask_again(project, made.hook, since)

    async def _part(self, part: Part, report: HookReport, repair: Callable[[], Awaitable[None]]) -> None:
        now, before = self.ctx.clock.now(), self.integration.part(part)
        repaired_at = before.repaired_at if before else None
        if report.state in (HookState.FINE, HookState.UNKNOWN):
            # What our token may not look at is proved by what comes through it.
            await self._save(PartReport(part, now, fine=True, repaired_at=repaired_at))
            return
        try:
            self.held.check()
            await repair()
        except AuthLostError:
            raise
        except OutsideError as error:
            detail = f"{_WORDS[report.state]} It could not be put right: {error}"
            first = before.broken_at if before else None
            await self._save(PartReport(part, now, False, detail, repaired_at, broken_at=first or now))
            return
        reason = f"The {part}: {_WORDS[report.state]} It is in place again. {report.detail}".rstrip()
        await self._save(PartReport(part, now, fine=True, repaired_at=now), Act.REPAIRED, reason)

    async def _column(self) -> None:
        """A column that was deleted comes back without its cells: every Link shows its own again."""
        callback = await column_callback(self.ctx, self.integration)
        made = await self.sides.board.columns.ensure_column(
            self.integration.column_type, self.integration.name, self.integration.button, callback
        )
        if made != self.integration.registrations.column:
            self._registered(column=made)
            await show_all_cells(self.ctx, self.integration.id)

    async def _subscription(self) -> None:
        callback = await events_callback(self.ctx, self.integration)
        name = f"Keepstep: {self.integration.name}"
        self._registered(
            subscription=await self.sides.board.subscriptions.ensure_subscription(name, callback)
        )

    async def _hook(self) -> None:
        made = await ensure_hook(self.ctx, self.integration)
        self._registered(hook=made.hook, hook_signed=made.signed)

    def _registered(self, **made: str | bool | None) -> None:
        registrations = replace(self.integration.registrations, **made)  # type: ignore[arg-type]
        self.integration = replace(self.integration, registrations=registrations)

    async def _save(self, report: PartReport, act: Act | None = None, reason: str = "") -> None:
        before = self.integration.part(report.part)
        if (
            act is None
            and before is not None
            and (before.fine, before.detail) == (report.fine, report.detail)
        ):
            report = replace(before, at=report.at)
        others = tuple(each for each in self.integration.parts if each.part is not report.part)
        self.held.check()
        async with self.ctx.storage.begin() as uow:
            stored = await uow.integrations.get(self.integration.id)
            if stored.state is not IntegrationState.ACTIVE:
                return
            changed = replace(stored, registrations=self.integration.registrations, parts=(*others, report))
            self.integration = await uow.integrations.save(changed)
            if act is not None:
                side = _SIDES[report.part]
                await uow.journal.add(
                    Entry(self.ctx.clock.now(), act, self.integration.id, side=side, reason=reason)
                )
            await uow.commit()
