"""Changes that only a look finds, though a webhook should have told of them: nothing is lost, but something is cut."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from keepstep.app.context import Context
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration
from keepstep.ports.storage import UnitOfWork


async def note_unannounced(ctx: Context, uow: UnitOfWork, integration_id: IntegrationId, side: Side) -> None:
    """In the transaction that stores the finds. Since when: begins anew after each notification of that side."""
    now = ctx.clock.now()
    since = await uow.marks.get(integration_id, _since(side))
    heard = (await uow.inbox.last_received()).get(integration_id, {}).get(side)
    if since is None or (heard is not None and heard >= since):
        await uow.marks.set(integration_id, _since(side), now)
    await uow.marks.set(integration_id, _last(side), now)


async def silent_sides(
    ctx: Context, uow: UnitOfWork, integration: Integration, heard: Mapping[Side, datetime]
) -> Sequence[tuple[Side, datetime]]:
    """Sides whose webhook exists and has been silent for too long while changes were found; and since when."""
    made, found = integration.registrations, []
    for side, hook in ((Side.FEATURE, made.subscription), (Side.TICKET, made.hook)):
        since = await uow.marks.get(integration.id, _since(side))
        last = await uow.marks.get(integration.id, _last(side))
        if hook is None or since is None or last is None or last - since < ctx.rules.silent_after:
            continue
        if side not in heard or heard[side] < since:
            found.append((side, since))
    return found


def _since(side: Side) -> str:
    return f"unannounced since:{side}"


def _last(side: Side) -> str:
    return f"unannounced last:{side}"
