"""What an admin does with an Integration that exists: settings, tokens, pause, resume, look now."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

from keepstep.app.connect import check_button, check_name
from keepstep.app.context import Context
from keepstep.app.failures import pause_in
from keepstep.app.opening import open_board, open_tracker
from keepstep.app.polling import schedule_polls
from keepstep.app.receive import wake_all
from keepstep.app.revising import revise
from keepstep.app.tracker_hooks import remove_hook
from keepstep.domain.errors import ForbiddenMoveError, InvalidInputError, StaleRevisionError
from keepstep.domain.events import Act, Entry, Notice, NoticeKind, Source
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.domain.integration import Integration, IntegrationState, PauseCause, ProjectRef
from keepstep.domain.link import Link, LinkState
from keepstep.domain.policy import SyncPolicy
from keepstep.ports.errors import AuthLostError, NotThereError
from keepstep.ports.storage import LinkQuery, UnitOfWork
from keepstep.ports.tracker import Tracker

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Changes:
    """Only what is to change; None leaves it alone."""

    name: str | None = None
    button: str | None = None
    workspace: str | None = None
    policy: SyncPolicy | None = None
    defaults: Mapping[str, str | tuple[str, ...]] | None = None
    tracker_settings: Mapping[str, str | tuple[str, ...]] | None = None
    project: ProjectRef | None = None
    tracker_url: str | None = None
    tracker_token: str | None = None
    """Needed with another address: the stored one goes only to where it was entered for."""


async def pause(ctx: Context, integration_id: IntegrationId, actor: str) -> None:
    async def stop(uow: UnitOfWork, integration: Integration) -> None:
        cause = PauseCause(f"Paused by {actor or 'a person'}.", ctx.clock.now(), by_person=True)
        await pause_in(ctx, uow, integration, cause, actor)

    await revise(ctx, integration_id, stop)


async def resume(ctx: Context, integration_id: IntegrationId, actor: str) -> None:
    """What waited goes on; a push that waited gets its whole time anew."""

    async def go_on(uow: UnitOfWork, integration: Integration) -> None:
        if integration.state is not IntegrationState.PAUSED:
            raise ForbiddenMoveError(f"{integration.name} is not paused.")
        await _resume_in(ctx, uow, integration, actor)

    await revise(ctx, integration_id, go_on)
    await _wake_waiting(ctx, integration_id)


async def _resume_in(ctx: Context, uow: UnitOfWork, integration: Integration, actor: str) -> None:
    integration = await uow.integrations.save(integration.active())
    await schedule_polls(ctx, uow, integration, at_once=True)
    await uow.journal.add(Entry(ctx.clock.now(), Act.RESUMED, integration.id, reason="Resumed.", actor=actor))


async def _wake_waiting(ctx: Context, integration_id: IntegrationId) -> None:
    now, woken = ctx.clock.now(), []
    async for link in _all_links(ctx, integration_id):
        waits = link.trouble is not None or link.state in (LinkState.PUSHING, LinkState.UNLINKING)
        if waits and link.state is not LinkState.SET_ASIDE:
            pushed = now if link.state is LinkState.PUSHING else link.pushed_at
            await _save_quietly(ctx, replace(link.calm(), pushed_at=pushed))
            woken.append(link.id)
    async with ctx.storage.begin() as uow:
        waiting = await uow.inbox.links_waiting(now, now, _PAGE * 10)
    await wake_all(ctx, [*woken, *waiting])


async def _save_quietly(ctx: Context, link: Link) -> None:
    """A Link that its own job has just saved needs nothing from us."""
    try:
        async with ctx.storage.begin() as uow:
            await uow.links.save(link)
            await uow.commit()
    except StaleRevisionError:
        return


async def _all_links(ctx: Context, integration_id: IntegrationId) -> AsyncIterator[Link]:
    last: Link | None = None
    while True:
        async with ctx.storage.begin() as uow:
            links = await uow.links.list_after(integration_id, last, _PAGE)
        for link in links:
            yield link
        if len(links) < _PAGE:
            return
        last = links[-1]


async def change(ctx: Context, integration_id: IntegrationId, changes: Changes, actor: str) -> Integration:
    """Raises InvalidInputError, which names the field. A changed policy acts on the next change of a Link."""
    if changes.name is not None:
        check_name(changes.name)
    if changes.button is not None:
        check_button(changes.button)
    async with ctx.storage.begin() as uow:
        before = await uow.integrations.get(integration_id)
        _, links = await uow.links.page(LinkQuery(integration_id, limit=1))
    if before.state is IntegrationState.REMOVING:
        raise ForbiddenMoveError(f"{before.name} is being removed.")
    after = await _changed(ctx, before, changes, links)
    after = await _tell_outside(ctx, before, after)
    saved = await _store(ctx, before, await _with_token(ctx, after, changes.tracker_token), actor)
    if saved.registrations.public_url != ctx.rules.public_url:
        await ctx.jobs.wake_integration(integration_id)
    if before.policy != after.policy:
        await _policy_changed(ctx, integration_id)
    return saved


async def _with_token(ctx: Context, integration: Integration, token: str | None) -> Integration:
    if token is None:
        return integration
    return replace(integration, tracker=replace(integration.tracker, token=await ctx.vault.put(token)))


async def _store(ctx: Context, before: Integration, after: Integration, actor: str) -> Integration:
    """Of two tokens of the tracker the one that is not used afterwards is forgotten."""
    unused = after.tracker.token
    reason = _what_changed(before, after)
    try:
        async with ctx.storage.begin() as uow:
            saved = await uow.integrations.save(after)
            await uow.journal.add(
                Entry(ctx.clock.now(), Act.CHANGED_SETTINGS, after.id, reason=reason, actor=actor)
            )
            await uow.commit()
        unused = before.tracker.token
        return saved
    finally:
        if before.tracker.token != after.tracker.token:
            await ctx.vault.forget(unused)


async def _changed(ctx: Context, before: Integration, changes: Changes, links: int) -> Integration:
    after = before
    if changes.name is not None:
        after = replace(after, name=changes.name.strip())
    if changes.button is not None:
        after = replace(after, button=changes.button.strip())
    if changes.workspace is not None:
        after = replace(after, board=replace(after.board, workspace=changes.workspace.strip()))
    if changes.policy is not None:
        after = replace(after, policy=changes.policy)
    if changes.defaults is not None:
        after = replace(after, defaults=changes.defaults)
    if changes.tracker_settings is not None:
        after = replace(after, tracker_settings=changes.tracker_settings)
    return await _moved(ctx, after, changes, links)


async def _moved(ctx: Context, after: Integration, changes: Changes, links: int) -> Integration:
    """Another project or address: only while nothing is linked, and only where the token is good for it."""
    token = changes.tracker_token
    if changes.tracker_url is not None and changes.tracker_url.rstrip("/") != after.tracker.base_url:
        _refuse_while_linked("tracker_url", "The tracker's address", links)
        if token is None:
            raise InvalidInputError(
                "tracker_token",
                "Another address needs its token: the stored one is not sent there. Paste it.",
            )
        after = replace(after, tracker=replace(after.tracker, base_url=changes.tracker_url.rstrip("/")))
    elif token is not None:
        raise InvalidInputError(
            "tracker_token",
            "The address stays, so no token is taken with it. Replace the token under Tokens in the settings, or by "
            "keepstep integrations token.",
        )
    if changes.project is not None and changes.project.id != after.project.id:
        _refuse_while_linked("project", "The project", links)
        after = replace(after, project=changes.project)
    if changes.tracker_url is not None or changes.project is not None:
        tracker = await open_tracker(ctx, after) if token is None else _tracker_with(ctx, after, token)
        try:
            await _verify(tracker, "token" if token is None else "tracker_token")
        except AuthLostError as error:
            if token is None:
                raise
            raise InvalidInputError("tracker_token", str(error)) from error
        after = replace(after, project=await tracker.account.get_project(after.project.id))
    return after


def _tracker_with(ctx: Context, integration: Integration, token: str) -> Tracker:
    account = integration.tracker
    return ctx.outside.open_tracker(account.kind, account.base_url, token, integration.tracker_settings)


async def _verify(tracker: Tracker, field: str) -> None:
    """Raises InvalidInputError (`field`) for a token that lacks rights, and the tracker's own errors."""
    facts = await tracker.account.verify()
    if facts.missing:
        raise InvalidInputError(field, "This token lacks rights: " + "; ".join(facts.missing))


def _refuse_while_linked(field: str, what: str, links: int) -> None:
    if links:
        noun = "Link exists" if links == 1 else "Links exist"
        raise InvalidInputError(
            field,
            f"{what} cannot change while {links} {noun}: unlink them first, or make a second integration.",
        )


async def _tell_outside(ctx: Context, before: Integration, after: Integration) -> Integration:
    """The column carries name and button. A hook of the old project goes; the job then points a new one to us."""
    registrations = before.registrations
    if registrations.column is not None and (before.name, before.button) != (after.name, after.button):
        board = await open_board(ctx, before)
        await board.columns.change_column(registrations.column, name=after.name, button=after.button)
    if (before.project.id, before.tracker.base_url) == (after.project.id, after.tracker.base_url):
        return after
    await remove_hook(ctx, before)
    unpointed = replace(registrations, hook=None, hook_signed=False, public_url="")
    return replace(after, registrations=unpointed)


def _what_changed(before: Integration, after: Integration) -> str:
    named = {
        "name": before.name != after.name,
        "button": before.button != after.button,
        "mapping": before.policy != after.policy,
        "defaults for new tickets": before.defaults != after.defaults,
        "tracker settings": before.tracker_settings != after.tracker_settings,
        "project": before.project.id != after.project.id,
        "tracker address": before.tracker.base_url != after.tracker.base_url,
    }
    return "Changed " + (", ".join(name for name, differs in named.items() if differs) or "nothing") + "."


async def _policy_changed(ctx: Context, integration_id: IntegrationId) -> None:
    """A refused write or an open decision is looked at anew under the new policy."""
    woken: list[LinkId] = []
    async for link in _all_links(ctx, integration_id):
        if link.refusals or link.conflicts:
            async with ctx.storage.begin() as uow:
                await uow.inbox.add(
                    Notice(integration_id, NoticeKind.SYNC, Source.TIMER, ctx.clock.now(), link_id=link.id)
                )
                await uow.commit()
            woken.append(link.id)
    await wake_all(ctx, woken)


async def replace_token(
    ctx: Context,
    integration_id: IntegrationId,
    side: str,
    token: str,
    actor: str,
    account: Mapping[str, str | tuple[str, ...]] | None = None,
) -> None:
    """Verified before it is stored. Resumes an integration that was paused for this token; nothing was lost.

    `account`: what the kind of tracker asks for beside the token, where that changes with it.
    """
    async with ctx.storage.begin() as uow:
        integration = await uow.integrations.get(integration_id)
    integration = _with_account(integration, account)
    await _verify_token(ctx, integration, side, token)
    ref = integration.board.token if side == "board" else integration.tracker.token
    await ctx.vault.replace(ref, token)

    async def note(uow: UnitOfWork, integration: Integration) -> bool:
        integration = _with_account(integration, account)
        if account:
            integration = await uow.integrations.save(integration)
        reason = f"A new {side} token."
        await uow.journal.add(
            Entry(ctx.clock.now(), Act.CHANGED_SETTINGS, integration_id, reason=reason, actor=actor)
        )
        cause = integration.pause
        resumed = cause is not None and not cause.by_person and cause.field in (f"{side} token", "")
        if resumed:
            await _resume_in(ctx, uow, integration, actor)
        return resumed

    if await revise(ctx, integration_id, note):
        await _wake_waiting(ctx, integration_id)


def _with_account(
    integration: Integration, account: Mapping[str, str | tuple[str, ...]] | None
) -> Integration:
    return replace(integration, tracker_settings={**integration.tracker_settings, **(account or {})})


async def _verify_token(ctx: Context, integration: Integration, side: str, token: str) -> None:
    if side == "board":
        await ctx.outside.open_board(integration.board.base_url, token).workspace.verify()
        return
    if side != "tracker":
        raise InvalidInputError("side", "The token is of the side “board” or “tracker”.")
    tracker = _tracker_with(ctx, integration, token)
    await _verify(tracker, "token")
    try:
        await tracker.account.get_project(integration.project.id)
    except NotThereError as error:
        raise InvalidInputError("token", f"This token does not see {integration.project.name}.") from error


async def sync_integration(ctx: Context, integration_id: IntegrationId, actor: str) -> None:
    """Look at both sides now instead of at the next poll."""
    async with ctx.storage.begin() as uow:
        integration = await uow.integrations.get(integration_id)
        if integration.state is not IntegrationState.ACTIVE:
            raise ForbiddenMoveError(
                f"{integration.name} is {integration.state}: it can be synced when it is active."
            )
        await schedule_polls(ctx, uow, integration, at_once=True)
        reason = "Told to look at both sides now."
        await uow.journal.add(
            Entry(ctx.clock.now(), Act.CHANGED_SETTINGS, integration_id, reason=reason, actor=actor)
        )
        await uow.commit()
