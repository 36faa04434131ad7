"""Before a Link is detached because its feature or ticket is gone or moved: is that one too many within an hour?

What a person unlinks is neither stopped nor counted. A stop pauses the integration and loses nothing: the Links keep
their rows, and the next look decides anew, with a person's word or because everything has come back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keepstep.app.context import Context
from keepstep.app.failures import pause_in
from keepstep.app.manage import resume
from keepstep.app.revising import revise
from keepstep.domain.errors import ForbiddenMoveError
from keepstep.domain.events import Act, Entry
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration, IntegrationState, PauseCause
from keepstep.domain.link import Link, LinkState
from keepstep.ports.storage import JournalQuery, LinkQuery, UnitOfWork

_SHOWN = 200
_ATTACHED = frozenset(LinkState) - {LinkState.UNLINKING}


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What would be detached, as far as is known by now."""

    integration: Integration
    links: Sequence[Link]


async def let_go(ctx: Context, uow: UnitOfWork, integration_id: IntegrationId) -> bool:
    """In the transaction that detaches. False: held back, the integration is paused.

    Saving the integration makes two jobs take turns: one of them raises StaleRevisionError and counts again.
    """
    integration, now = await uow.integrations.get(integration_id), ctx.clock.now()
    if integration.state is not IntegrationState.ACTIVE:
        return False
    if integration.detach_until is None or integration.detach_until <= now:
        detached = await _detached(ctx, uow, integration_id)
        _, left = await uow.links.page(LinkQuery(integration_id, states=_ATTACHED, limit=1))
        if ctx.rules.guard.stops(total=left + detached, detached=detached):
            await pause_in(ctx, uow, integration, _cause(ctx, detached))
            return False
    await uow.integrations.save(integration)
    return True


async def _detached(ctx: Context, uow: UnitOfWork, integration_id: IntegrationId) -> int:
    """Within the window, by itself: a person's unlinking names no side."""
    since, total = ctx.clock.now() - ctx.rules.guard.window, 0
    for side in Side:
        query = JournalQuery(integration_id, side=side, acts=(Act.UNLINKED,), since=since, limit=1)
        total += (await uow.journal.page(query))[1]
    return total


def _cause(ctx: Context, detached: int) -> PauseCause:
    noun = "Link was" if detached == 1 else "Links were"
    message = (
        f"{detached} {noun} detached within an hour, and more features or tickets are gone or moved. "
        "A lost right of our token looks the same, so nothing more is detached unasked."
    )
    return PauseCause(message, ctx.clock.now(), guard=True)


async def view_held_back(ctx: Context, integration_id: IntegrationId) -> HeldBack:
    """Raises MissingError."""
    async with ctx.storage.begin() as uow:
        integration = await uow.integrations.get(integration_id)
        lost, _ = await uow.links.page(
            LinkQuery(integration_id, states=(LinkState.LOST_SIGHT,), limit=_SHOWN)
        )
        found = {link.id: link for link in lost}
        for each in await uow.inbox.announced_gone(integration_id, _SHOWN):
            link = await uow.links.find(each)
            if link is not None and link.state is not LinkState.UNLINKING:
                found[each] = link
    return HeldBack(integration, list(found.values())[:_SHOWN])


async def allow(ctx: Context, integration_id: IntegrationId, actor: str) -> None:
    """A person has looked: for as long as the guard looks back, what is gone is detached. Resumes."""

    async def let(uow: UnitOfWork, integration: Integration) -> None:
        if integration.pause is None or not integration.pause.guard:
            raise ForbiddenMoveError(f"{integration.name} does not wait for this decision.")
        now = ctx.clock.now()
        until = now + ctx.rules.guard.window
        await uow.integrations.save(replace(integration, detach_until=until))
        reason = f"Allowed to detach what is gone, until {until:%H:%M} UTC."
        await uow.journal.add(Entry(now, Act.DECIDED, integration_id, reason=reason, actor=actor))

    await revise(ctx, integration_id, let)
    await resume(ctx, integration_id, actor)
