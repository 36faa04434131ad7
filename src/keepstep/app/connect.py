"""Connecting, re-pointing and removing an Integration: steps that are committed, shown, repeatable, and undone.

The integration, its ids and its secrets are committed before the first outside call, and every create is
find-or-create, so a crash at any point leaves nothing behind that we do not know of.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from keepstep.app.context import Context
from keepstep.app.failures import backoff
from keepstep.app.opening import column_callback, events_callback, open_board, open_tracker
from keepstep.app.polling import schedule_polls
from keepstep.app.removing import run_removal
from keepstep.app.revising import revise
from keepstep.app.tracker_hooks import ensure_hook, remove_hook
from keepstep.domain.errors import ForbiddenMoveError, InvalidInputError, MissingError, StaleRevisionError
from keepstep.domain.events import Act, Entry
from keepstep.domain.ids import IntegrationId, SecretRef
from keepstep.domain.integration import (
    MAX_LABEL,
    BoardAccount,
    Integration,
    IntegrationState,
    ProjectRef,
    Registrations,
    Step,
    StepName,
    StepState,
    TrackerAccount,
)
from keepstep.domain.policy import SyncPolicy
from keepstep.ports.errors import AuthLostError, OutsideError, RateLimitedError, RejectedError
from keepstep.ports.locks import BusyError, Held, LockLostError
from keepstep.ports.storage import UnitOfWork
from keepstep.ports.tracker import Channel

_BUSY_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class NewIntegration:
    """What the configuration page has gathered; tokens are in the vault already."""

    name: str
    board_url: str
    board_token: SecretRef
    kind: str
    tracker_url: str
    tracker_token: SecretRef
    project: ProjectRef
    workspace: str = ""
    button: str = "Push"
    policy: SyncPolicy = field(default_factory=SyncPolicy)
    tracker_settings: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    defaults: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


async def connect(ctx: Context, new: NewIntegration, actor: str) -> Integration:
    """Commit it as *connecting* and wake its job. Raises InvalidInputError, which names the field."""
    check_name(new.name)
    check_button(new.button)
    ctx.outside.manifest(new.kind)
    if not new.project.id:
        raise InvalidInputError("project", "Choose the project that new tickets go to.")
    now = ctx.clock.now()
    integration = Integration(
        id=ctx.clock.new_integration_id(),
        name=new.name.strip(),
        state=IntegrationState.CONNECTING,
        board=BoardAccount(new.board_url.rstrip("/"), new.board_token, new.workspace),
        tracker=TrackerAccount(new.kind, new.tracker_url.rstrip("/"), new.tracker_token),
        project=new.project,
        button=new.button.strip(),
        policy=new.policy,
        board_secret=await ctx.vault.put(ctx.clock.new_secret()),
        hook_secret=await ctx.vault.put(ctx.clock.new_secret()),
        created_at=now,
        tracker_settings=new.tracker_settings,
        defaults=new.defaults,
        registrations=Registrations(public_url=ctx.rules.public_url),
        steps=_steps(ctx, new.kind),
    )
    async with ctx.storage.begin() as uow:
        await uow.integrations.add(integration)
        await uow.journal.add(
            Entry(now, Act.CHANGED_SETTINGS, integration.id, reason="Created.", actor=actor)
        )
        await uow.commit()
    await ctx.jobs.wake_integration(integration.id)
    return integration


def check_name(name: str) -> None:
    if not 1 <= len(name.strip()) <= 100:
        raise InvalidInputError("name", "Give it a name of 1 to 100 characters.")


def check_button(label: str) -> None:
    if not 1 <= len(label.strip()) <= MAX_LABEL:
        raise InvalidInputError("button", f"Productboard's button holds 1 to {MAX_LABEL} characters.")


def _steps(ctx: Context, kind: str) -> tuple[Step, ...]:
    names = [StepName.BOARD, StepName.TRACKER, StepName.COLUMN, StepName.SUBSCRIPTION]
    if ctx.outside.manifest(kind).channel is not Channel.POLLING:
        names.append(StepName.HOOK)
    return tuple(Step(name) for name in names)


async def try_again(ctx: Context, integration_id: IntegrationId, actor: str) -> None:
    """After connecting failed, or a removal got stuck: begin again at once."""

    async def again(uow: UnitOfWork, integration: Integration) -> None:
        if integration.state is IntegrationState.CONNECTING:
            integration = replace(integration, steps=_steps(ctx, integration.tracker.kind))
        await uow.integrations.save(replace(integration, failure="", attempts=0, retry_at=None))
        reason = "Tried again."
        await uow.journal.add(
            Entry(ctx.clock.now(), Act.CHANGED_SETTINGS, integration_id, reason=reason, actor=actor)
        )

    await revise(ctx, integration_id, again)
    await ctx.jobs.wake_integration(integration_id)


async def discard(ctx: Context, integration_id: IntegrationId) -> None:
    """Drop an integration whose connecting failed; everything it had made outside was undone."""
    async with ctx.storage.begin() as uow:
        integration = await uow.integrations.get(integration_id)
        if integration.state is not IntegrationState.CONNECTING or not integration.failure:
            raise ForbiddenMoveError(
                f"{integration.name} can be discarded only after connecting it has failed."
            )
        if any((integration.registrations.column, integration.registrations.subscription)):
            raise ForbiddenMoveError("Something of it still exists outside: try again, or delete it.")
        await uow.integrations.delete(integration_id)
        await uow.commit()
    secrets = (integration.board.token, integration.tracker.token)
    for ref in (*secrets, integration.board_secret, integration.hook_secret):
        await ctx.vault.forget(ref)


async def run_integration(ctx: Context, integration_id: IntegrationId) -> None:
    """What the engine runs for an Integration: connect it, re-point it, or remove it. Holds it exclusively."""
    try:
        async with ctx.locks.hold(f"integration:{integration_id}") as held:
            async with ctx.storage.begin() as uow:
                integration = await uow.integrations.find(integration_id)
            if integration is None:
                return
            await _run(ctx, held, integration)
    except BusyError:
        await ctx.clock.sleep(_BUSY_PAUSE_SECONDS)
        await ctx.jobs.wake_integration(integration_id)
    except StaleRevisionError:
        await ctx.jobs.wake_integration(integration_id)
    except (LockLostError, MissingError):
        pass  # somebody else goes on with it, or it is gone


async def _run(ctx: Context, held: Held, integration: Integration) -> None:
    match integration.state:
        case IntegrationState.CONNECTING if not integration.failure:
            await _Connecting(ctx, held, integration).run()
        case IntegrationState.ACTIVE | IntegrationState.PAUSED:
            if integration.registrations.public_url != ctx.rules.public_url:
                await _repoint(ctx, held, integration)
        case IntegrationState.REMOVING:
            await run_removal(ctx, held, integration)


class _Connecting:
    """The steps in order, each committed before the next. A failure undoes those before it; a limit is waited for."""

    def __init__(self, ctx: Context, held: Held, integration: Integration) -> None:
        self.ctx, self.held, self.integration = ctx, held, integration

    async def run(self) -> None:
        makers: dict[StepName, Callable[[], Awaitable[str]]] = {
            StepName.BOARD: self._board,
            StepName.TRACKER: self._tracker,
            StepName.COLUMN: self._column,
            StepName.SUBSCRIPTION: self._subscription,
            StepName.HOOK: self._hook,
        }
        for step in self.integration.steps:
            if step.state is StepState.DONE:
                continue
            await self._save(replace(self.integration.with_step(step.name, StepState.RUNNING), retry_at=None))
            try:
                detail = await makers[step.name]()
            except RateLimitedError as error:
                await self._wait(step.name, error)
                return
            except (OutsideError, InvalidInputError) as error:
                await self._save(self.integration.with_step(step.name, StepState.FAILED, str(error)))
                await self._undo()
                await self._fail(str(error))
                return
            await self._save(self.integration.with_step(step.name, StepState.DONE, detail))
        await self._activate()

    async def _board(self) -> str:
        board = await open_board(self.ctx, self.integration)
        facts = await board.workspace.verify()
        if facts.missing:
            raise RejectedError("The Productboard token lacks rights: " + "; ".join(facts.missing))
        if not self.integration.board.workspace:
            account = replace(self.integration.board, workspace=facts.name)
            self.integration = replace(self.integration, board=account)
        return f"Productboard accepts the token for {facts.name}."

    async def _tracker(self) -> str:
        tracker = await open_tracker(self.ctx, self.integration)
        facts = await tracker.account.verify()
        if facts.missing:
            raise RejectedError(
                f"The {tracker.manifest.name} token lacks rights: " + "; ".join(facts.missing)
            )
        project = await tracker.account.get_project(self.integration.project.id)
        self.integration = replace(self.integration, project=project)
        return f"{tracker.manifest.name} accepts the token of {facts.user} for {project.name}."

    async def _column(self) -> str:
        board = await open_board(self.ctx, self.integration)
        callback = await column_callback(self.ctx, self.integration)
        made = await board.columns.ensure_column(
            self.integration.column_type, self.integration.name, self.integration.button, callback
        )
        self._registered(column=made)
        return f"The column “{self.integration.name}” exists; its button says “{self.integration.button}”."

    async def _subscription(self) -> str:
        board = await open_board(self.ctx, self.integration)
        name = f"Keepstep: {self.integration.name}"
        made = await board.subscriptions.ensure_subscription(
            name, await events_callback(self.ctx, self.integration)
        )
        self._registered(subscription=made)
        return "Productboard tells us when a feature changes."

    async def _hook(self) -> str:
        made = await ensure_hook(self.ctx, self.integration)
        self._registered(hook=made.hook, hook_signed=made.signed)
        return made.detail

    def _registered(self, **made: str | bool | None) -> None:
        registrations = replace(self.integration.registrations, **made)  # type: ignore[arg-type]
        self.integration = replace(self.integration, registrations=registrations)

    async def _undo(self) -> None:
        """Backwards. What cannot be undone now stays registered, so that *delete* finds it."""
        registrations = self.integration.registrations
        undoing = (
            (StepName.HOOK, registrations.hook, self._undo_hook),
            (StepName.SUBSCRIPTION, registrations.subscription, self._undo_subscription),
            (StepName.COLUMN, registrations.column, self._undo_column),
        )
        for name, made, undo in undoing:
            if made is None:
                continue
            try:
                await undo(made)
            except OutsideError as error:
                detail = f"Could not be undone: {error}"
                await self._save(self.integration.with_step(name, StepState.FAILED, detail))
            else:
                await self._save(self.integration.with_step(name, StepState.UNDONE, "Removed again."))

    async def _undo_hook(self, made: str) -> None:
        await remove_hook(self.ctx, self.integration, made)
        self._clear(hook=None)

    async def _undo_subscription(self, made: str) -> None:
        await (await open_board(self.ctx, self.integration)).subscriptions.remove_subscription(made)
        self._clear(subscription=None)

    async def _undo_column(self, made: str) -> None:
        await (await open_board(self.ctx, self.integration)).columns.remove_column(made)
        self._clear(column=None)

    def _clear(self, **gone: None) -> None:
        registrations = replace(self.integration.registrations, **gone)  # type: ignore[arg-type]
        self.integration = replace(self.integration, registrations=registrations)

    async def _wait(self, step: StepName, error: RateLimitedError) -> None:
        """The token may be busy with other Links or tools: what is made stays, and the sweep goes on from here."""
        waiting = self.integration.with_step(step, StepState.RUNNING, str(error))
        await self._save(replace(waiting, retry_at=self.ctx.clock.now() + error.retry_after))

    async def _fail(self, message: str) -> None:
        await self._save(replace(self.integration, failure=message), Act.CONNECT_FAILED, message)

    async def _activate(self) -> None:
        async with self.ctx.storage.begin() as uow:
            self.integration = await uow.integrations.save(self.integration.active())
            await schedule_polls(self.ctx, uow, self.integration)
            reason = "Column, subscription and webhook are in place."
            await uow.journal.add(
                Entry(self.ctx.clock.now(), Act.CONNECTED, self.integration.id, reason=reason)
            )
            await uow.commit()

    async def _save(self, changed: Integration, act: Act | None = None, reason: str = "") -> None:
        self.held.check()
        async with self.ctx.storage.begin() as uow:
            self.integration = await uow.integrations.save(changed)
            if act is not None:
                await uow.journal.add(Entry(self.ctx.clock.now(), act, changed.id, reason=reason))
            await uow.commit()


async def _repoint(ctx: Context, held: Held, integration: Integration) -> None:
    """Our public address changed: hooks and column are made to point to the new one."""
    try:
        changed = await _repointed(ctx, held, integration)
    except AuthLostError as error:
        changed = replace(integration, failure=f"Our address changed, but: {error}")
    except OutsideError as error:
        attempts = integration.attempts + 1
        changed = replace(
            integration,
            failure=f"Our address changed, but not everything points to it yet: {error}",
            attempts=attempts,
            retry_at=ctx.clock.now() + backoff(ctx, attempts),
        )
    held.check()
    async with ctx.storage.begin() as uow:
        await uow.integrations.save(changed)
        await uow.commit()


async def _repointed(ctx: Context, held: Held, integration: Integration) -> Integration:
    """Column first: it probes the new address. A subscription cannot be changed: make the new one, drop the old."""
    board = await open_board(ctx, integration)
    old = integration.registrations
    held.check()
    if old.column is not None:
        await board.columns.change_column(old.column, action=await column_callback(ctx, integration))
    name = f"Keepstep: {integration.name}"
    subscription = await board.subscriptions.ensure_subscription(
        name, await events_callback(ctx, integration)
    )
    if old.subscription is not None and old.subscription != subscription:
        await board.subscriptions.remove_subscription(old.subscription)
    made = await ensure_hook(ctx, integration)
    if old.hook is not None and old.hook != made.hook:
        await remove_hook(ctx, integration, old.hook)
    fresh = Registrations(old.column, subscription, made.hook, ctx.rules.public_url, made.signed)
    return replace(integration, registrations=fresh, failure="", attempts=0, retry_at=None)
