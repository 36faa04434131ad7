"""One budget of calls for each account outside, shared by every process that uses it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NewType, Protocol

from keepstep.domain.calls import CallClass, CallKind, Limit

AccountKey = NewType("AccountKey", str)
"""Stands for an address and the token used there. The token cannot be found from it."""
FURTHEST_SECONDS = 600.0
"""So far behind the first moment are those who are sent away spread, at most."""
ROUNDING_SECONDS = 1e-6
"""A shorter wait is none: floating point made it."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One call that somebody wants to make."""

    call_class: CallClass
    kind: CallKind
    begun: bool = False
    """Its work has made a call to this account before."""
    patience: float = 1.0
    """Seconds for which it can be waited."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is: ours when there is nothing to wait."""

    wait: float = 0.0
    """Seconds until there may be room; 0: the call is taken, make it now."""
    closed: bool = False
    """The account itself has told us to wait."""

    @property
    def taken(self) -> bool:
        return self.wait <= 0


class Budget(Protocol):
    async def take(self, account: AccountKey, limits: Sequence[Limit], ask: Ask) -> Turn:
        """Count the call in every limit, or in none and say how long to wait.

        A wait longer than the caller's patience is spread: of those who are sent away each is told a later time, a
        click always the earliest. Nobody holds a place: when the time has come it has to be asked again.
        """

    async def close(self, account: AccountKey, wait: timedelta) -> None:
        """The account said so: nobody calls it before that time, in no process and of no class."""
