"""Inbox, journal, clicks, timers and marks in memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from keepstep.adapters.memory.records import may_run
from keepstep.adapters.memory.state import Transaction
from keepstep.domain.errors import MissingError
from keepstep.domain.events import Act, Click, Entry, Notice, NoticeKind, Source, Timer
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.ports.storage import PRUNE_BATCH, JournalQuery, full_hour

_WRITES = frozenset({Act.WROTE, Act.CREATED})
_HOUR = timedelta(hours=1)


class MemoryInbox:
    """Implements keepstep.ports.storage.Inbox."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, notice: Notice) -> bool:
        state = await self._transaction.write()
        if notice.integration_id not in state.integrations:
            raise MissingError("There is no such integration (any more).")
        if notice.source is Source.WEBHOOK and notice.side is not None:
            self._heard(state.received, notice.integration_id, notice.side, notice.received_at)
        if notice.delivery_id is not None and any(_same_delivery(notice, o) for o in state.notices.values()):
            return False
        link = notice.link_id if notice.link_id in state.links else None
        row = self._transaction.next_id()
        state.notices[row] = replace(notice, id=row, link_id=link)
        return True

    async def unhandled(self, link: LinkId) -> Sequence[Notice]:
        return sorted(
            (n for n in self._unhandled() if n.link_id == link), key=lambda n: (n.received_at, n.id)
        )

    async def mark_handled(self, rows: Collection[int], at: datetime) -> None:
        state = await self._transaction.write()
        for row in rows:
            if row in state.notices:
                state.handled.setdefault(row, at)

    async def adopt(self, integration: IntegrationId, subject: str, link: LinkId, since: datetime) -> int:
        state = await self._transaction.write()
        found = [
            notice
            for notice in self._unhandled()
            if notice.link_id is None
            and notice.integration_id == integration
            and notice.side is Side.TICKET
            and notice.subject == subject
            and notice.received_at >= since
        ]
        for notice in found:
            state.notices[notice.id] = replace(notice, link_id=link)
        return len(found)

    async def links_waiting(self, now: datetime, older_than: datetime, limit: int) -> Sequence[LinkId]:
        state = self._transaction.state
        oldest: dict[LinkId, datetime] = {}
        for notice in self._unhandled():
            link = state.links.get(notice.link_id) if notice.link_id else None
            if link and notice.received_at < older_than and may_run(state, link, now):
                oldest[link.id] = min(notice.received_at, oldest.get(link.id, notice.received_at))
        return sorted(oldest, key=lambda link: (oldest[link], link))[:limit]

    async def count_unlinked(self, integration: IntegrationId, side: Side, at: datetime) -> None:
        state = await self._transaction.write()
        if integration in state.integrations:
            self._heard(state.received, integration, side, at)
            state.unlinked[integration, side] = state.unlinked.get((integration, side), 0) + 1

    async def last_received(self) -> Mapping[IntegrationId, Mapping[Side, datetime]]:
        return _by_side(self._transaction.state.received)

    async def with_news(self, links: Collection[LinkId], side: Side) -> Collection[LinkId]:
        told = (NoticeKind.CHANGED, NoticeKind.DELETED)
        return {
            notice.link_id
            for notice in self._unhandled()
            if notice.link_id and notice.link_id in links and notice.side is side and notice.kind in told
        }

    async def announced_gone(self, integration: IntegrationId, limit: int) -> Sequence[LinkId]:
        found = {
            notice.link_id: None
            for notice in self._unhandled()
            if notice.link_id and notice.integration_id == integration and notice.kind is NoticeKind.DELETED
        }
        return list(found)[:limit]

    async def waiting(self, integration: IntegrationId) -> int:
        return sum(
            notice.integration_id == integration and notice.link_id is not None
            for notice in self._unhandled()
        )

    async def prune(
        self, before: datetime, unmatched_before: datetime | None = None, limit: int = PRUNE_BATCH
    ) -> int:
        state = await self._transaction.write()
        unmatched = unmatched_before or before
        old = [
            notice.id
            for notice in state.notices.values()
            if (notice.id in state.handled and notice.received_at < before)
            or (notice.id not in state.handled and notice.link_id is None and notice.received_at < unmatched)
        ]
        old = sorted(old, key=lambda row: state.notices[row].received_at)[:limit]
        for row in old:
            del state.notices[row]
            state.handled.pop(row, None)
        return len(old)

    def _unhandled(self) -> list[Notice]:
        state = self._transaction.state
        return [notice for notice in state.notices.values() if notice.id not in state.handled]

    @staticmethod
    def _heard(
        received: dict[tuple[IntegrationId, Side], datetime],
        integration: IntegrationId,
        side: Side,
        at: datetime,
    ) -> None:
        received[integration, side] = max(at, received.get((integration, side), at))


def _same_delivery(one: Notice, other: Notice) -> bool:
    return (one.integration_id, one.side, one.delivery_id) == (
        other.integration_id,
        other.side,
        other.delivery_id,
    )


def _by_side(
    times: Mapping[tuple[IntegrationId, Side], datetime],
) -> Mapping[IntegrationId, Mapping[Side, datetime]]:
    found: dict[IntegrationId, dict[Side, datetime]] = {}
    for (integration, side), at in times.items():
        found.setdefault(integration, {})[side] = at
    return found


class MemoryJournal:
    """Implements keepstep.ports.storage.Journal."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, *entries: Entry) -> None:
        state = await self._transaction.write()
        for entry in entries:
            if entry.integration_id not in state.integrations:
                raise MissingError("There is no such integration (any more).")
            row = self._transaction.next_id()
            state.journal[row] = replace(entry, id=row)

    async def page(self, query: JournalQuery) -> tuple[Sequence[Entry], int]:
        found = [
            entry
            for entry in self._transaction.state.journal.values()
            if query.integration in (None, entry.integration_id)
            and query.link in (None, entry.link_id)
            and query.side in (None, entry.side)
            and query.field in (None, entry.field)
            and (not query.acts or entry.act in query.acts)
            and (query.since is None or entry.at >= query.since)
        ]
        found.sort(key=lambda entry: (entry.at, entry.id), reverse=True)
        offset = max(query.offset, 0)
        return found[offset : offset + max(query.limit, 0)], len(found)

    async def get(self, entry: int) -> Entry:
        try:
            return self._transaction.state.journal[entry]
        except KeyError:
            raise MissingError("There is no such journal entry (any more).") from None

    async def activity(
        self, since: datetime, hours: int, integration: IntegrationId | None = None
    ) -> Mapping[IntegrationId, Sequence[int]]:
        counts: dict[IntegrationId, list[int]] = {}
        for entry in self._transaction.state.journal.values():
            hour = (entry.at - full_hour(since)) // _HOUR
            if 0 <= hour < hours and integration in (None, entry.integration_id):
                counts.setdefault(entry.integration_id, [0] * hours)[hour] += 1
        return counts

    async def fold_counts(self) -> None:
        """Nothing is kept beside the entries."""

    async def last_change(
        self, integration: IntegrationId | None = None
    ) -> Mapping[IntegrationId, Mapping[Side, datetime]]:
        last: dict[tuple[IntegrationId, Side], datetime] = {}
        for entry in self._transaction.state.journal.values():
            if (
                entry.act in _WRITES
                and entry.side is not None
                and integration in (None, entry.integration_id)
            ):
                key = (entry.integration_id, entry.side)
                last[key] = max(entry.at, last.get(key, entry.at))
        return _by_side(last)

    async def prune(self, before: datetime, limit: int = PRUNE_BATCH) -> int:
        state = await self._transaction.write()
        old = sorted((entry.at, row) for row, entry in state.journal.items() if entry.at < before)[:limit]
        for _, row in old:
            del state.journal[row]
        return len(old)


class MemoryClicks:
    """Implements keepstep.ports.storage.Clicks."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, click: Click) -> Click:
        state = await self._transaction.write()
        if click.link_id not in state.links:
            raise MissingError("There is no such Link (any more).")
        stored = replace(click, id=self._transaction.next_id())
        state.clicks[stored.id] = stored
        return stored

    async def answer(self, click: int, at: datetime, *, final: bool) -> bool:
        state = await self._transaction.write()
        found = state.clicks.get(click)
        if found is None or found.answered_at is not None:
            return False
        state.clicks[click] = replace(found, answered_at=at, final=final)
        return True

    async def recent(self, link: LinkId, since: datetime) -> Sequence[Click]:
        found = (
            c for c in self._transaction.state.clicks.values() if c.link_id == link and c.came_at >= since
        )
        return sorted(found, key=lambda click: (click.came_at, click.id))

    async def prune(self, before: datetime, limit: int = PRUNE_BATCH) -> int:
        state = await self._transaction.write()
        old = sorted((click.came_at, row) for row, click in state.clicks.items() if click.came_at < before)
        for _, row in old[:limit]:
            del state.clicks[row]
        return len(old[:limit])


class MemoryTimers:
    """Implements keepstep.ports.storage.Timers."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def set(self, timer: Timer) -> None:
        state = await self._transaction.write()
        known = timer.link_id is None or timer.link_id in state.links
        if timer.integration_id in state.integrations and known:
            state.timers[timer.kind, timer.integration_id, timer.link_id] = timer

    async def take_due(self, now: datetime, limit: int) -> Sequence[Timer]:
        state = await self._transaction.write()
        due = sorted((t for t in state.timers.values() if t.due_at <= now), key=lambda t: t.due_at)[:limit]
        for timer in due:
            del state.timers[timer.kind, timer.integration_id, timer.link_id]
        return due

    async def clear(self, link: LinkId) -> None:
        state = await self._transaction.write()
        state.timers = {key: timer for key, timer in state.timers.items() if key[2] != link}


class MemoryMarks:
    """Implements keepstep.ports.storage.Marks."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, integration: IntegrationId, name: str) -> datetime | None:
        return self._transaction.state.marks.get((integration, name))

    async def set(self, integration: IntegrationId, name: str, at: datetime) -> None:
        state = await self._transaction.write()
        if integration in state.integrations:
            state.marks[integration, name] = at

    async def names(self, integration: IntegrationId, prefix: str) -> Sequence[str]:
        marks = self._transaction.state.marks
        return sorted(name for of, name in marks if of == integration and name.startswith(prefix))
