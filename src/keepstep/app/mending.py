"""What is safe to put right unasked: columns and webhooks in place and pointing here, and jobs whose wake was lost.

Nothing that a person decided is touched: a paused integration stays paused, a Link set aside stays so.
"""

from collections.abc import Sequence

from keepstep.app import sweep
from keepstep.app.context import Context
from keepstep.app.looking_after import look_after
from keepstep.domain.events import Act
from keepstep.domain.integration import Integration, IntegrationState
from keepstep.ports.storage import JournalQuery


async def mend(ctx: Context, integrations: Sequence[Integration]) -> Sequence[str]:
    """Returns what was done, each as a sentence. A worker carries out what was woken."""
    done: list[str] = []
    for each in integrations:
        if each.state is IntegrationState.ACTIVE:
            started = ctx.clock.now()
            await look_after(ctx, each.id)
            async with ctx.storage.begin() as uow:
                query = JournalQuery(each.id, acts=(Act.REPAIRED,), since=started)
                entries, _ = await uow.journal.page(query)
            done += [f"{each.name}: {entry.reason}" for entry in entries]
    unfinished = await sweep.wake_integrations(ctx)
    links = await sweep.wake_due(ctx) + await sweep.wake_forgotten(ctx)
    if unfinished:
        done.append("Woke the job of each integration that is not finished, or points to an old address.")
    if links:
        done.append("Woke the one Link that waited." if links == 1 else f"Woke {links} Links that waited.")
    return done
