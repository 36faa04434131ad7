"""The tracker's webhook: made through its API where that may be, else by a person; taken away again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from keepstep.app.context import Context
from keepstep.app.opening import open_tracker, tracker_hook_url
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration
from keepstep.ports.errors import RejectedError
from keepstep.ports.tracker import Channel, HookFacts, HookStep, Tracker, TrackerManifest

_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class HookMade:
    hook: str | None
    """None: a person makes it."""
    signed: bool
    detail: str


async def ensure_hook(ctx: Context, integration: Integration) -> HookMade:
    """Find or make it, pointing to our address of today. A refusal leads to the way by hand, where there is one."""
    tracker = await open_tracker(ctx, integration)
    manifest = tracker.manifest
    try:
        made = await _by_api(ctx, integration, tracker)
    except RejectedError as error:
        if error.status != 403 or not manifest.hook_steps:
            raise
        return _by_hand(manifest, f"{error} ")
    if made is None:
        return _by_hand(manifest, "")
    proof = "and signs what it sends" if made.signed else "and proves itself with a secret"
    return HookMade(made.id, made.signed, f"{manifest.name} tells us when a ticket changes, {proof}.")


async def _by_api(ctx: Context, integration: Integration, tracker: Tracker) -> HookFacts | None:
    if tracker.notifications is None or tracker.manifest.channel is not Channel.WEBHOOK:
        return None
    secret = await ctx.vault.open(integration.hook_secret)
    return await tracker.notifications.ensure_hook(
        integration.project.id, tracker_hook_url(ctx, integration), secret
    )


def _by_hand(manifest: TrackerManifest, because: str) -> HookMade:
    found = "Until then changes of tickets are found by looking every few minutes."
    if manifest.channel is Channel.POLLING:
        return HookMade(None, signed=False, detail=f"{manifest.name} calls nobody. {found}")
    steps = (
        f"{because}A person makes the webhook in {manifest.name}; the integration's page says how. {found}"
    )
    return HookMade(None, signed=manifest.hook_signed, detail=steps)


async def steps_by_hand(ctx: Context, integration: Integration) -> Sequence[HookStep]:
    """How a person makes the webhook; () where it was made through the API, or nobody can make one."""
    if integration.registrations.hook is not None:
        return ()
    if ctx.outside.manifest(integration.tracker.kind).channel is Channel.POLLING:
        return ()
    secret = await ctx.vault.open(integration.hook_secret)
    return ctx.outside.hook_steps(integration.tracker.kind, tracker_hook_url(ctx, integration), secret)


async def wait_for_a_call(
    ctx: Context, integration_id: IntegrationId, since: datetime, seconds: float
) -> bool:
    """Whether the tracker called our webhook at or after `since`; gives up after so many seconds."""
    end = ctx.clock.elapsed() + seconds
    while True:
        async with ctx.storage.begin() as uow:
            heard = (await uow.inbox.last_received()).get(integration_id, {}).get(Side.TICKET)
        if heard is not None and heard >= since:
            return True
        if ctx.clock.elapsed() >= end:
            return False
        await ctx.clock.sleep(_LOOK_SECONDS)


async def remove_hook(ctx: Context, integration: Integration, hook: str | None = None) -> None:
    """This one, or the one that is registered; none is removed already."""
    made = hook or integration.registrations.hook
    if made is None:
        return
    tracker = await open_tracker(ctx, integration)
    if tracker.notifications is not None:
        await tracker.notifications.remove_hook(integration.project.id, made)
