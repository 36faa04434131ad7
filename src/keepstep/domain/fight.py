"""Another program that changes a field back each time: noticed by our own writes, which then come again and again."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from keepstep.domain.fields import Side


@dataclass(frozen=True, slots=True)
class Written:
    """One write of ours that no person of Keepstep asked for."""

    at: datetime
    target: Side
    digest: str
    """Of the value: descriptions are long."""


@dataclass(frozen=True, slots=True)
class Fight:
    flips: int = 4
    """0: never look for one."""
    within: timedelta = timedelta(minutes=10)

    def recent(self, writes: Sequence[Written], now: datetime) -> tuple[Written, ...]:
        """What still counts; no more is kept."""
        if not self.flips:
            return ()
        return tuple(each for each in writes if now - each.at <= self.within)[-self.flips :]

    def is_on(self, writes: Sequence[Written], now: datetime) -> bool:
        """The last writes went to and fro between two values, each another than the one before."""
        last = [(each.target, each.digest) for each in self.recent(writes, now)]
        return (
            len(last) >= max(2, self.flips)
            and len(set(last)) == len({last[0], last[1]})
            and all(one != other for one, other in itertools.pairwise(last))
        )
