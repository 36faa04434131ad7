"""What guard and breaker ask of every storage."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from keepstep.app.guarding import let_go
from keepstep.domain.errors import StaleRevisionError
from keepstep.domain.events import Act, Entry, NoticeKind
from keepstep.domain.fields import Field, Side
from keepstep.domain.fight import Written
from keepstep.domain.guard import Guard
from keepstep.domain.integration import PauseCause
from keepstep.domain.link import Conflict
from keepstep.ports.storage import JournalQuery, Storage

from storage_cases import NOW, integration, link, notice

pytest_plugins = ["storages"]

_HOME = integration("one").id


@pytest.fixture
async def filled(storage: Storage) -> Storage:
    async with storage.begin() as uow:
        await uow.integrations.add(integration("one"))
        for each in (link(1), link(2)):
            await uow.links.add_or_find(each)
        await uow.commit()
    return storage


async def test_links_whose_side_was_deleted_are_told_until_it_is_handled(filled: Storage):
    async with filled.begin() as uow:
        await uow.inbox.add(notice(link(1).id, kind=NoticeKind.DELETED))
        await uow.inbox.add(notice(link(2).id, kind=NoticeKind.CHANGED))
        await uow.commit()
    async with filled.begin() as uow:
        assert list(await uow.inbox.announced_gone(_HOME, 10)) == [link(1).id]
        assert list(await uow.inbox.announced_gone(_HOME, 0)) == []
        await uow.inbox.mark_handled([each.id for each in await uow.inbox.unhandled(link(1).id)], NOW)
        assert list(await uow.inbox.announced_gone(_HOME, 10)) == []


async def test_the_journal_counts_from_a_time_on(filled: Storage):
    async with filled.begin() as uow:
        for minutes in (0, 30, 90):
            at = NOW - timedelta(minutes=minutes)
            await uow.journal.add(Entry(at, Act.UNLINKED, _HOME, link(1).id, Side.TICKET))
        _, total = await uow.journal.page(
            JournalQuery(_HOME, acts=(Act.UNLINKED,), since=NOW - timedelta(hours=1), limit=1)
        )
    assert total == 2


async def test_of_many_jobs_at_one_moment_no_more_are_let_go_than_the_guard_allows(filled: Storage):
    """Each in a transaction of its own; who was overtaken counts again."""
    ctx = SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW), rules=SimpleNamespace(guard=Guard(links=3)))

    async def detach() -> bool:
        while True:
            try:
                async with filled.begin() as uow:
                    released = await let_go(ctx, uow, _HOME)
                    if released:
                        await uow.journal.add(Entry(NOW, Act.UNLINKED, _HOME, link(1).id, Side.TICKET))
                    await uow.commit()
                    return released
            except StaleRevisionError:
                continue

    async def read() -> None:
        async with filled.begin() as uow:
            await uow.integrations.get(_HOME)
            await asyncio.sleep(0.1)

    # So that a pool has its connections open, and the transactions do overlap.
    await asyncio.gather(*(read() for _ in range(4)))
    released = await asyncio.gather(*(detach() for _ in range(8)))
    assert sum(released) == 3
    async with filled.begin() as uow:
        assert (await uow.integrations.get(_HOME)).pause is not None
        _, told = await uow.journal.page(JournalQuery(_HOME, acts=(Act.UNLINKED,), limit=1))
    assert told == 3


async def test_a_fight_and_a_stop_come_back_whole(filled: Storage):
    fought = Conflict("a", "b", "c", "d", NOW, fight=True)
    writes = (Written(NOW, Side.TICKET, "0123"), Written(NOW, Side.FEATURE, "4567"))
    cause = PauseCause("Too many.", NOW, guard=True)
    async with filled.begin() as uow:
        stored = await uow.links.get(link(1).id)
        await uow.links.save(replace(stored, conflicts={Field.TITLE: fought}, written={Field.TITLE: writes}))
        home = await uow.integrations.get(_HOME)
        await uow.integrations.save(replace(home.paused(cause), detach_until=NOW))
        await uow.commit()
    async with filled.begin() as uow:
        after, home = await uow.links.get(link(1).id), await uow.integrations.get(_HOME)
    assert (after.conflicts, after.written) == ({Field.TITLE: fought}, {Field.TITLE: writes})
    assert (home.pause, home.detach_until) == (cause, NOW)
