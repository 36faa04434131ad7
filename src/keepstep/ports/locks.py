"""One writer per feature at a time, over all processes, and fencing of a writer thought dead."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class BusyError(Exception):
    """Somebody else holds this lock; try again in a moment."""


class LockLostError(Exception):
    """The connection that held the lock is gone: whoever believed to hold it must stop before the next write."""


class Held(Protocol):
    def check(self) -> None:
        """Raises LockLostError when the lock is no longer certainly ours."""


class Locks(Protocol):
    def hold(self, key: str) -> AbstractAsyncContextManager[Held]:
        """Hold the lock of this key (`feature:<id>`, `integration:<id>`) while the block runs.

        Does not wait: raises BusyError when it is held elsewhere, in this process or in another.
        """
