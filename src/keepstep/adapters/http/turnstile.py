"""Before each call: a slot of this process, then a turn in the account's budget, which all processes share.

Who the call is for is said once, where the work begins (`calling`), and found here; nothing in between passes it on.
Of each class at most so many calls are under way, so that the less urgent leave slots free; of those that wait for
the budget one of each class asks, and the others stand behind it in order.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta

from keepstep.adapters.http.failures import sent_away
from keepstep.adapters.http.service import Call, Service
from keepstep.domain.calls import CallClass
from keepstep.ports.budget import AccountKey, Ask, Budget, Turn

AT_ONCE = 8
_SLOTS = {CallClass.CLICK: AT_ONCE, CallClass.NOTIFICATION: 6, CallClass.SWEEP: 4, CallClass.BULK: 2}
_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Calling:
    """On whose behalf calls are made."""

    call_class: CallClass = CallClass.CLICK
    """Where nothing was said a person waits: a page, a command."""
    patience: float = _PATIENCE_SECONDS
    begun: set[AccountKey] = field(default_factory=set)
    """Accounts that this work has called."""


_CALLING: ContextVar[Calling | None] = ContextVar("calling", default=None)


@contextmanager
def calling(call_class: CallClass, patience: float = _PATIENCE_SECONDS) -> Iterator[None]:
    """Calls inside are made for this class; the innermost counts."""
    before = _CALLING.set(Calling(call_class, patience))
    try:
        yield
    finally:
        _CALLING.reset(before)


class Turnstile:
    """Of one account in this process."""

    def __init__(self, service: Service, account: AccountKey, budget: Budget) -> None:
        self._service = service
        self._account = account
        self._budget = budget
        self._slots = {each: asyncio.Semaphore(_SLOTS[each]) for each in CallClass}
        self._first = {each: asyncio.Lock() for each in CallClass}

    @asynccontextmanager
    async def passing(self, call: Call) -> AsyncIterator[None]:
        """Inside it the call may be made. Raises RateLimitedError when its turn is further away than its patience."""
        mine = _CALLING.get() or Calling()
        async with AsyncExitStack() as held:
            for each in reversed(CallClass):
                if each <= mine.call_class:
                    await held.enter_async_context(self._slots[each])
            await self._take(call, mine)
            yield

    async def _take(self, call: Call, mine: Calling) -> None:
        clock = asyncio.get_running_loop().time
        end, first = clock() + mine.patience, self._first[mine.call_class]
        try:
            async with asyncio.timeout_at(end):
                await first.acquire()
        except TimeoutError:
            turn = await self._ask(call, mine, 0.0)
        else:
            try:
                while (turn := await self._ask(call, mine, max(0.0, end - clock()))).wait > 0:
                    if clock() + turn.wait > end:
                        break
                    await asyncio.sleep(turn.wait)
            finally:
                first.release()
        if not turn.taken:
            raise sent_away(self._service, timedelta(seconds=turn.wait), closed=turn.closed)
        mine.begun.add(self._account)

    async def _ask(self, call: Call, mine: Calling, patience: float) -> Turn:
        begun = self._account in mine.begun
        ask = Ask(mine.call_class, call.kind, begun=begun, patience=patience)
        return await self._budget.take(self._account, self._service.limits, ask)

    async def close(self, wait: timedelta) -> None:
        """The account told us to wait: so do all processes."""
        await self._budget.close(self._account, wait)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """No call is under way inside, and none begins."""
        slots = self._slots[CallClass.CLICK]  # every call holds one
        async with AsyncExitStack() as held:
            for _ in range(AT_ONCE):
                await held.enter_async_context(slots)
            yield
