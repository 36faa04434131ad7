"""What we registered outside, as it is found there: a webhook or a column."""

from dataclasses import dataclass
from enum import StrEnum


class HookState(StrEnum):
    FINE = "fine"
    MISSING = "missing"
    DISABLED = "disabled"
    ELSEWHERE = "elsewhere"
    """It exists, and points to another address than ours."""
    UNKNOWN = "unknown"
    """Our token may not look."""


@dataclass(frozen=True, slots=True)
class HookReport:
    state: HookState
    detail: str = ""
    """For people: what the tracker says of it."""
