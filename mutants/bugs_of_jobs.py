"""Bugs in the inbox, in locks and in fences."""
# ruff: noqa: SLF001 - to replace what is private is the point

import contextlib
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from keepstep.adapters.memory import locks
from keepstep.adapters.memory.events import MemoryInbox
from keepstep.adapters.memory.records import MemoryLinks
from keepstep.app import job
from keepstep.app.work import Work
from keepstep.domain.events import Notice
from keepstep.domain.link import Link


def deduplicate_by_digest() -> None:
    """A notification that looks like an earlier one is a repetition."""
    real = MemoryInbox.add

    async def add(self: MemoryInbox, notice: Notice) -> bool:
        mark = (notice.kind, notice.side, notice.subject, notice.link_id)
        stored = self._transaction.state.notices.values()
        if notice.side and any(mark == (o.kind, o.side, o.subject, o.link_id) for o in stored):
            return False
        return await real(self, notice)

    MemoryInbox.add = add


def handle_rows_that_came_meanwhile() -> None:
    """A finished job marks every row of its Link as handled, not only those it took."""
    real = MemoryInbox.mark_handled

    async def mark(self: MemoryInbox, rows: Collection[int], at: datetime) -> None:
        links = {self._transaction.state.notices[row].link_id for row in rows}
        every = [each.id for each in self._unhandled() if each.link_id in links]
        await real(self, every, at)

    MemoryInbox.mark_handled = mark


def handle_rows_at_the_start() -> None:
    """The rows are marked before the work is done."""
    real = job._do

    async def do(work: Work) -> None:
        async with work.ctx.storage.begin() as uow:
            await uow.inbox.mark_handled([row.id for row in work.rows], work.now)
            await uow.commit()
        await real(work)

    job._do = do


def no_lock_on_the_feature() -> None:
    """Two workers may write one feature at once."""

    @contextlib.asynccontextmanager
    async def hold(self: locks.MemoryLocks, key: str) -> AsyncIterator[Any]:
        del key
        yield locks._MemoryHeld(self._owner)

    locks.MemoryLocks.hold = hold


def no_fence() -> None:
    """A worker thought dead goes on writing, outside and inside."""

    async def fence(self: Work) -> None:
        del self

    Work.fence = fence
    locks._MemoryHeld.check = lambda self: None  # noqa: ARG005
    real = MemoryLinks.save

    async def save(self: MemoryLinks, link: Link) -> Link:
        stored = await self.get(link.id)
        return await real(self, replace(link, revision=stored.revision))

    MemoryLinks.save = save


BUGS = (
    deduplicate_by_digest,
    handle_rows_that_came_meanwhile,
    handle_rows_at_the_start,
    no_lock_on_the_feature,
    no_fence,
)
