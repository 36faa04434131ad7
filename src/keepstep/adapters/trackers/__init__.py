"""What every tracker's folder offers, so that it can be opened by its kind alone.

A new tracker is one folder beside the others, one `TrackerAdapter` per kind, and one line in `registry.py` (or an entry
point of the group `keepstep.trackers` in a package of its own).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keepstep.adapters.http import HttpClient, Service
from keepstep.ports.tracker import Tracker, TrackerManifest, TrackerWire

SettingValues = Mapping[str, str | tuple[str, ...]]


def chosen(values: SettingValues, name: str) -> tuple[str, ...]:
    """The values of a field of several, without blanks and repetitions; text is split at commas."""
    value = values.get(name, ())
    each = value.split(",") if isinstance(value, str) else value
    return tuple(dict.fromkeys(part.strip() for part in each if part.strip()))


@dataclass(frozen=True, slots=True)
class TrackerAdapter:
    """One kind of tracker, ready to be opened."""

    manifest: TrackerManifest
    service: Service
    api_root: Callable[[str], str]
    """From the base URL, as checked, to the root of the API."""
    headers: Callable[[str], Mapping[str, str]]
    """The headers that carry this token."""
    open: Callable[[HttpClient, SettingValues], Tracker]
    wire: TrackerWire
