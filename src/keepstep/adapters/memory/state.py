"""What the in-memory storage holds, and who may change it: readers see what is committed, one writer works on a copy.

The first write of a unit of work waits for the writer before it, as a second UPDATE of a row waits in PostgreSQL (here
for the whole store at once), and then sees what that one committed. Reading never waits.
"""

import asyncio
from dataclasses import dataclass, field, fields
from datetime import datetime

from keepstep.domain.bulk import BulkItem, BulkRun
from keepstep.domain.events import Click, Entry, Notice, Timer, TimerKind
from keepstep.domain.fields import Side
from keepstep.domain.ids import BulkId, IntegrationId, LinkId
from keepstep.domain.integration import Integration
from keepstep.domain.link import Link

_WRITER_SECONDS = 10

TimerKey = tuple[TimerKind, IntegrationId, LinkId | None]


@dataclass(slots=True)
class State:
    integrations: dict[IntegrationId, Integration] = field(default_factory=dict)
    links: dict[LinkId, Link] = field(default_factory=dict)
    notices: dict[int, Notice] = field(default_factory=dict)
    handled: dict[int, datetime] = field(default_factory=dict)
    received: dict[tuple[IntegrationId, Side], datetime] = field(default_factory=dict)
    unlinked: dict[tuple[IntegrationId, Side], int] = field(default_factory=dict)
    journal: dict[int, Entry] = field(default_factory=dict)
    clicks: dict[int, Click] = field(default_factory=dict)
    timers: dict[TimerKey, Timer] = field(default_factory=dict)
    marks: dict[tuple[IntegrationId, str], datetime] = field(default_factory=dict)
    bulk_runs: dict[BulkId, BulkRun] = field(default_factory=dict)
    bulk_items: dict[int, BulkItem] = field(default_factory=dict)

    def copy(self) -> "State":
        """Shallow: every value in it is frozen."""
        return State(**{each.name: dict(getattr(self, each.name)) for each in fields(self)})


class Store:
    """The committed state and the right to replace it."""

    def __init__(self) -> None:
        self.committed = State()
        self.writer = asyncio.Lock()
        self._last_id = 0

    def next_id(self) -> int:
        """Rising over all kinds of rows; like a sequence it does not roll back."""
        self._last_id += 1
        return self._last_id


class Transaction:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._working: State | None = None

    @property
    def state(self) -> State:
        """For reading: our own changes, or what is committed now."""
        return self._store.committed if self._working is None else self._working

    async def write(self) -> State:
        """For writing: ours alone until commit or rollback."""
        if self._working is None:
            try:
                async with asyncio.timeout(_WRITER_SECONDS):
                    await self._store.writer.acquire()
            except TimeoutError as error:
                raise RuntimeError(
                    f"A unit of work that has written was left open for {_WRITER_SECONDS} s while another one waits."
                ) from error
            self._working = self._store.committed.copy()
        return self._working

    def next_id(self) -> int:
        return self._store.next_id()

    def commit(self) -> None:
        if self._working is not None:
            self._store.committed = self._working
            self.rollback()

    def rollback(self) -> None:
        if self._working is not None:
            self._working = None
            self._store.writer.release()
