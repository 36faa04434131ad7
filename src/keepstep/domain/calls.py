"""Calls to the outside: who waits for one, what an account allows, and how much of it each class may use.

A limit is a bucket that every call fills a little and that drains by itself. Who is less urgent may fill it less far,
so the rest of it is always there for the more urgent: a flood of sweeps costs a click nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum


class CallClass(IntEnum):
    """Who waits for the call, the most urgent first."""

    CLICK = 0
    """A person: push, unlink, sync now, a page that asks."""
    NOTIFICATION = 1
    SWEEP = 2
    """Polls, second looks, looking after webhooks."""
    BULK = 3


class CallKind(StrEnum):
    READ = "read"
    WRITE = "write"
    CREATE = "create"


_SHARES = {CallClass.CLICK: 1.0, CallClass.NOTIFICATION: 0.75, CallClass.SWEEP: 0.5, CallClass.BULK: 0.25}
"""How far each class may fill a bucket."""
_SHARE_OF_BEGUN = 0.125
"""So much further goes work whose first call was made: what was read shall not be thrown away for want of a write."""

_LEAST_DRAIN = 1.1
_CALLS_OF_A_JOB = {CallKind.READ: 3.0, CallKind.WRITE: 1.5, CallKind.CREATE: 0.5}
"""On an average."""

ANY_CALL: Mapping[CallKind, float] = dict.fromkeys(CallKind, 1.0)
WRITES: Mapping[CallKind, float] = {CallKind.WRITE: 1.0, CallKind.CREATE: 1.0}
CREATES: Mapping[CallKind, float] = {CallKind.CREATE: 1.0}


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` within any `seconds`, of which `burst` may come at once; the rest is spread over the time."""

    name: str
    """Tells the limits of one account apart."""
    calls: float
    seconds: float
    burst: float
    costs: Mapping[CallKind, float] = field(default_factory=lambda: ANY_CALL)
    """How many calls one of each kind counts for; a kind that is absent counts for none."""

    def __post_init__(self) -> None:
        if not 0 < self.burst < self.calls or self.seconds <= 0:
            raise ValueError(f"The limit {self.name!r}: expected 0 < burst < calls, and more than 0 seconds.")

    @property
    def interval(self) -> float:
        """Seconds in which one call drains away. What is full at the start and drains meanwhile makes `calls`."""
        return self.seconds / (self.calls - self.burst)

    def part(self, share: float) -> "Limit":
        """So much of it, between 0 and 1; one call of the dearest kind fits into its burst in any case."""
        burst = max(self.burst * share, *self.costs.values())
        return replace(self, calls=max(self.calls * share, burst * _LEAST_DRAIN), burst=burst)

    def cost(self, kind: CallKind) -> float:
        return self.costs.get(kind, 0.0)

    def cost_of_a_job(self, kind: CallKind) -> float:
        """Of one that makes this call among others."""
        return max(self.cost(kind), sum(self.cost(each) * number for each, number in _CALLS_OF_A_JOB.items()))

    def room(self, call_class: CallClass, cost: float, *, begun: bool) -> float:
        """How full the bucket may be with this call in it. An empty one takes a call of every class."""
        share = min(1.0, _SHARES[call_class] + (_SHARE_OF_BEGUN if begun else 0.0))
        return max(cost, self.burst * share)


@dataclass(frozen=True, slots=True)
class Charge:
    """What one call does to one bucket, in seconds of draining."""

    name: str
    fills: float
    room: float
    spread: float
    """Between two who are sent away because of it: what a job takes drains meanwhile. No click waits for another."""


def charges_of(
    limits: Sequence[Limit], call_class: CallClass, kind: CallKind, *, begun: bool
) -> Sequence[Charge]:
    """Only of the limits that count this kind of call."""
    return [
        Charge(
            limit.name,
            limit.cost(kind) * limit.interval,
            limit.room(call_class, limit.cost(kind), begun=begun) * limit.interval,
            0.0 if call_class is CallClass.CLICK else limit.cost_of_a_job(kind) * limit.interval,
        )
        for limit in limits
        if limit.cost(kind)
    ]
