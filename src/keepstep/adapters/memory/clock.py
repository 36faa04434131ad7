"""A clock that tests turn by hand, with ids that are the same in every run."""

import asyncio
import itertools
import secrets
from datetime import UTC, datetime, timedelta

from keepstep.domain.ids import BulkId, IntegrationId, LinkId

_START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class FakeClock:
    """Implements keepstep.ports.clock.Clock. Time moves by `advance` and, unless `sleeps_advance` is off, by sleeping.

    With `sleeps_advance` off a sleeper waits until somebody else has advanced the clock far enough.
    """

    def __init__(
        self, start: datetime = _START, *, sleeps_advance: bool = True, random_ids: bool = False
    ) -> None:
        self._now = start
        self._start = start
        self._jumped = timedelta()
        self._sleeps_advance = sleeps_advance
        self._random_ids = random_ids
        self._numbers = itertools.count(1)
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []

    def now(self) -> datetime:
        return self._now

    def elapsed(self) -> float:
        return (self._now - self._jumped - self._start).total_seconds()

    def jump(self, by: timedelta) -> None:
        """As when somebody sets the machine's time: no sleeper wakes sooner or later for it."""
        self._now += by
        self._jumped += by
        self._sleepers = [(until + by, woken) for until, woken in self._sleepers]

    def advance(self, by: timedelta | float) -> datetime:
        """Seconds or a timedelta; wakes whoever has slept long enough."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)
        for until, woken in self._sleepers:
            if until <= self._now:
                woken.set()
        self._sleepers = [sleeper for sleeper in self._sleepers if not sleeper[1].is_set()]
        return self._now

    async def sleep(self, seconds: float) -> None:
        if self._sleeps_advance:
            self.advance(max(seconds, 0))
        if self._sleeps_advance or seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.Event()
        self._sleepers.append((self._now + timedelta(seconds=seconds), woken))
        await woken.wait()

    def new_integration_id(self) -> IntegrationId:
        return IntegrationId(self._hex())

    def new_link_id(self) -> LinkId:
        return LinkId(self._hex())

    def new_bulk_id(self) -> BulkId:
        return BulkId(self._hex())

    def new_secret(self) -> str:
        return secrets.token_urlsafe(32) if self._random_ids else f"secret-{self._hex()}-{self._hex()}"

    def _hex(self) -> str:
        return secrets.token_hex(16) if self._random_ids else f"{next(self._numbers):032x}"
