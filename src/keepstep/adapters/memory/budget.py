"""A budget of one process, for tests and for what runs without a database."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from keepstep.domain.calls import CallClass, Limit, charges_of
from keepstep.ports.budget import FURTHEST_SECONDS, ROUNDING_SECONDS, AccountKey, Ask, Turn


@dataclass
class _Account:
    full_until: dict[str, float] = field(default_factory=dict)
    """By limit: when its bucket will have drained."""
    promised: dict[CallClass, float] = field(default_factory=dict)
    """When the next one that is sent away may come again."""
    closed_until: float = 0.0


class MemoryBudget:
    """Implements keepstep.ports.budget.Budget."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` gives seconds that never go back."""
        self._now = now
        self._accounts: dict[AccountKey, _Account] = {}

    async def take(self, account: AccountKey, limits: Sequence[Limit], ask: Ask) -> Turn:
        found, now = self._accounts.setdefault(account, _Account()), self._now()
        charges = charges_of(limits, ask.call_class, ask.kind, begun=ask.begun)
        full = {each.name: max(now, found.full_until.get(each.name, 0.0)) + each.fills for each in charges}
        closed = found.closed_until - now
        wait, spread = max(0.0, closed), max((each.spread for each in charges), default=0.0)
        for each in charges:
            mine = full[each.name] - now - each.room
            if mine > wait:
                wait, spread = mine, each.spread
        if wait < ROUNDING_SECONDS:
            found.full_until |= full
            return Turn()
        if wait > ask.patience and spread:
            again = max(now + wait, found.promised.get(ask.call_class, 0.0))
            found.promised[ask.call_class] = min(again + spread, now + wait + FURTHEST_SECONDS)
            wait = again - now
        return Turn(wait, closed > 0)

    async def close(self, account: AccountKey, wait: timedelta) -> None:
        found = self._accounts.setdefault(account, _Account())
        found.closed_until = max(found.closed_until, self._now() + wait.total_seconds())
