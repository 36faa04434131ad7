"""Times as GitLab shows them: REST with milliseconds, webhooks with seconds, changes in the old spelling."""

import time
from datetime import UTC, datetime, timedelta


def stamp(at: datetime) -> str:
    """`2026-11-24T09:00:00.123Z`: one spelling, so that comparing text compares time."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parsed(text: str) -> datetime:
    return datetime.fromisoformat(text)


def ago(*, days: float = 0, hours: float = 0) -> str:
    return stamp(datetime.now(UTC) - timedelta(days=days, hours=hours))


def after(seconds: float) -> str:
    return stamp(datetime.now(UTC) + timedelta(seconds=seconds))


def is_past(text: str) -> bool:
    return text <= stamp(datetime.now(UTC))


def hook_time(text: str | None) -> str | None:
    """As in a webhook's attributes."""
    return None if text is None else text[:19] + "Z"


def change_time(text: str | None) -> str | None:
    """As in a webhook's changes."""
    return None if text is None else text[:10] + " " + text[11:19] + " UTC"


class Clock:
    """Never gives the same millisecond twice: GitLab keeps microseconds, and no two of its writes are as close."""

    def __init__(self) -> None:
        self._last_ms = 0

    def now(self) -> str:
        self._last_ms = max(self._last_ms + 1, time.time_ns() // 1_000_000)
        return stamp(datetime.fromtimestamp(self._last_ms / 1000, UTC))
