"""What is older than it is kept for goes, however much of it there is, and nothing younger with it."""

from dataclasses import replace
from datetime import timedelta

from keepstep.app import sweep
from keepstep.domain.events import Act, Entry, Notice, NoticeKind, Source
from keepstep.domain.fields import Side
from keepstep.ports.storage import PRUNE_BATCH, JournalQuery


async def test_old_entries_and_notices_go_batch_by_batch(world):
    integration = await world.connect()
    now, batch = world.ctx.clock.now(), PRUNE_BATCH + 1
    old = now - timedelta(days=4)
    async with world.ctx.storage.begin() as uow:
        before = (await uow.journal.page(JournalQuery()))[1]
        await uow.journal.add(*[Entry(old, Act.FAILED, integration.id) for _ in range(batch)])
        await uow.journal.add(Entry(now - timedelta(days=2), Act.FAILED, integration.id))
        for number in range(batch):
            row = Notice(integration.id, NoticeKind.CHANGED, Source.WEBHOOK, old, Side.TICKET, str(number))
            await uow.inbox.add(row)
        await uow.commit()
    kept = replace(world.ctx, rules=replace(world.ctx.rules, journal_days=3, inbox_days=3))
    await sweep.prune(kept)
    async with world.ctx.storage.begin() as uow:
        assert (await uow.journal.page(JournalQuery()))[1] == before + 1
        assert await uow.inbox.prune(now) == 0
