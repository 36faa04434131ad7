"""Locks inside one process, for tests; owners that share a table stand for processes."""

import contextlib
from collections.abc import AsyncIterator

from keepstep.ports.locks import BusyError, LockLostError


class _MemoryHeld:
    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.lost = False

    def check(self) -> None:
        if self.lost:
            raise LockLostError


class MemoryLocks:
    """Implements keepstep.ports.locks.Locks. `beside` is another owner's locks, to be shared with them."""

    def __init__(self, owner: str = "memory", *, beside: "MemoryLocks | None" = None) -> None:
        self._owner = owner
        self._held: dict[str, _MemoryHeld] = beside._held if beside else {}  # noqa: SLF001

    @contextlib.asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[_MemoryHeld]:
        if key in self._held:
            raise BusyError(key)
        held = self._held[key] = _MemoryHeld(self._owner)
        try:
            yield held
        finally:
            if self._held.get(key) is held:
                del self._held[key]

    async def release_owner(self, owner: str) -> None:
        """The holds of that owner raise LockLostError from now on, and their keys are free."""
        for key, held in list(self._held.items()):
            if held.owner == owner:
                held.lost = True
                del self._held[key]
