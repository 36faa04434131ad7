"""What goes wrong on the way out, and when: mishaps lie in wait for the n-th matching call from now.

Everything Keepstep asks of either side goes through `Chaos.call`. What people do, other workers and the end of the
process happen there too, between any two calls, so that a run is the same every time.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from keepstep.adapters.memory.clock import FakeClock
from keepstep.ports.errors import AuthLostError, RateLimitedError, RejectedError, TransientError

CALL_SECONDS = 0.02
WRITES_ONLY = frozenset(
    {"drop answer", "ignore", "reject", "late", "die after", "before write", "after write"}
)
READS_ONLY = frozenset({"stale"})
NEEDS_A_WAY = frozenset({"ignore", "stale", "late"})
"""A call says whether it can be answered so; the mishap waits for one that can."""


class Killed(BaseException):
    """The process ended here: nothing after this line of the service runs."""


@dataclass
class Mishap:
    kind: str
    after: int
    """How many matching calls still pass first."""
    act: Callable[[], Awaitable[None]] | None = None

    def waits_for(self, ways: frozenset[str], *, write: bool) -> bool:
        if self.kind in NEEDS_A_WAY and self.kind not in ways:
            return False
        if self.kind in WRITES_ONLY:
            return write
        return not write if self.kind in READS_ONLY else True


def _no_answer(name):
    return TransientError(f"{name}: no answer in time.", doubt=True)


def _auth(name):
    side = "board" if name.startswith("board") else "tracker"
    return AuthLostError(f"{name}: the token is refused.", side=side)


_SLOW = {"slow": 0.7, "very slow": 6.0}
_BEFORE = {
    "down": lambda name: TransientError(f"{name}: nobody answers."),
    "time-out": _no_answer,
    "rate": lambda name: RateLimitedError(f"{name}: too many calls.", retry_after=timedelta(seconds=5)),
    "reject": lambda name: RejectedError(f"{name}: not accepted."),
    "auth": _auth,
    "die": Killed,
}
_AFTER = {"drop answer": _no_answer, "die after": Killed}
FAULTS = (*_SLOW, *_BEFORE, *_AFTER, "late", "stale", "ignore")


class ScriptedClock(FakeClock):
    """Runs what is due at a moment when time gets there; nothing that is due may really wait."""

    def __init__(self):
        super().__init__()
        self._due = []

    def at(self, moment, act):
        self._due.append((moment, act))

    def advance(self, by):
        until = self.now() + (by if isinstance(by, timedelta) else timedelta(seconds=by))
        while ready := [each for each in self._due if each[0] <= until]:
            each = min(ready, key=lambda pair: pair[0])
            self._due.remove(each)
            self._now = max(self._now, each[0])
            each[1]()
        return super().advance(until - self.now())


class Chaos:
    def __init__(self, clock):
        self.clock = clock
        self.lying: list[Mishap] = []
        self.writes: list[str] = []
        """What the service has changed outside, in order."""
        self.happened: Counter[str] = Counter()
        self.current = ""
        """The call that is under way."""

    def lie_in_wait(self, kind, after, act=None):
        self.lying.append(Mishap(kind, after, act))

    def stop(self):
        self.lying = []

    async def call(self, name, do, *, write=False, stale=None, ignored=None, late=None):
        """`stale`: an older answer; `ignored`: answer without doing; `late`: do it, after the caller gave up."""
        self.clock.advance(CALL_SECONDS)
        ways = {"stale": stale, "ignore": ignored, "late": late}
        due = self._due(frozenset(way for way, can in ways.items() if can is not None), write=write)
        self.current = name
        for each in due:
            if each.act is not None and each.kind != "after write":
                self.happened[each.kind] += 1
                await each.act()
        for each in due:
            if each.act is None and (answer := await self._befall(each, name, do, stale, ignored, late)):
                return answer[0]
        answer = await self._do(name, do, write=write)
        for each in due:
            if each.act is not None and each.kind == "after write":
                self.happened[each.kind] += 1
                await each.act()
        return answer

    async def _do(self, name, do, *, write=True):
        answer = await do()
        if write:
            self.writes.append(name)
        return answer

    async def _befall(self, mishap, name, do, stale, ignored, late):
        """None: nothing that keeps the call from going on; otherwise its answer in a tuple."""
        self.happened[mishap.kind] += 1
        if mishap.kind in _SLOW:
            self.clock.advance(_SLOW[mishap.kind])
        elif mishap.kind in _BEFORE:
            raise _BEFORE[mishap.kind](name)
        elif mishap.kind in _AFTER:
            await self._do(name, do)
            raise _AFTER[mishap.kind](name)
        elif mishap.kind == "late" and late is not None:
            self.clock.at(self.clock.now() + timedelta(seconds=8), lambda: drive(late()))
            raise _no_answer(name)
        elif mishap.kind == "stale" and stale is not None and (older := stale()) is not None:
            return (older,)
        elif mishap.kind == "ignore" and ignored is not None:
            return (await ignored(),)
        return None

    def _due(self, ways, *, write) -> list[Mishap]:
        due = []
        for each in [each for each in self.lying if each.waits_for(ways, write=write)]:
            if each.after <= 0:
                self.lying.remove(each)
                due.append(each)
            each.after -= 1
        return due


def drive(coroutine):
    """Run a coroutine that never really waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("It waited for something.")


def seconds_between(one: datetime, other: datetime) -> float:
    return (other - one).total_seconds()
