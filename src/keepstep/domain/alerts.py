"""When somebody is told that an integration stands still, or goes again: never of single items, never twice an hour."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto


class AlertKind(StrEnum):
    PAUSED = "paused"
    GUARD = "guard"
    SET_ASIDE = "set aside"
    FIGHT = "fight"
    HOOK = "hook"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Condition:
    """What is wrong now, of one kind, with a whole integration."""

    kind: AlertKind
    newest: datetime
    """When the latest of its causes came up: later than the last alert, it is news."""
    message: str
    cure: str


class Word(Enum):
    NOTHING = auto()
    ALERT = auto()
    RECOVERED = auto()


def word(
    condition: Condition | None,
    told_at: datetime | None,
    ended_at: datetime | None,
    now: datetime,
    every: timedelta,
) -> Word:
    """`told_at`, `ended_at`: when an alert of this kind, and the word that it is over, were sent last."""
    is_open = told_at is not None and (ended_at is None or ended_at < told_at)
    if condition is None:
        return Word.RECOVERED if is_open else Word.NOTHING
    if told_at is not None and now - told_at < every:
        return Word.NOTHING
    is_news = told_at is None or not is_open or condition.newest > told_at
    return Word.ALERT if is_news else Word.NOTHING
