"""The mass guard: a lost permission or an emptied project looks like many deletions, so a person is asked first."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Guard:
    """How much of an integration may be detached by itself: the larger of the two, within the window."""

    links: int = 5
    percent: int = 10
    window: timedelta = timedelta(hours=1)

    def allowed(self, total: int) -> int:
        """Of so many Links; a share is rounded down, for the next one would be more than it."""
        return max(self.links, total * self.percent // 100)

    def stops(self, *, total: int, detached: int) -> bool:
        """Whether one more is too many. `total`: Links at the window's begin, those detached since included."""
        return detached >= self.allowed(total)
