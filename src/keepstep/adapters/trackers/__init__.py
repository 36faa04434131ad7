"""What every tracker's folder offers, so that it can be opened by its kind alone.

A new tracker is one folder beside the others, one `TrackerAdapter` per kind, and one line in `registry.py` (or an entry
point of the group `keepstep.trackers` in a package of its own).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keepstep.adapters.http import HttpClient, Service
from keepstep.ports.tracker import SettingValues, Tracker, TrackerManifest, TrackerWire

__all__ = ["SettingValues", "TrackerAdapter", "chosen", "chosen_one"]


def chosen(values: SettingValues, name: str) -> tuple[str, ...]:
    """The values of a field of several, without blanks and repetitions; text is split at commas."""
    value = values.get(name, ())
    each = value.split(",") if isinstance(value, str) else value
    return tuple(dict.fromkeys(part.strip() for part in each if part.strip()))


def chosen_one(values: SettingValues, name: str) -> str:
    """The value of a field of one, or ""."""
    value = values.get(name, "")
    return (value if isinstance(value, str) else next(iter(value), "")).strip()


@dataclass(frozen=True, slots=True)
class TrackerAdapter:
    """One kind of tracker, ready to be opened."""

    manifest: TrackerManifest
    service: Service
    api_root: Callable[[str], str]
    """From the base URL, as checked, to the root of the API."""
    headers: Callable[[str, SettingValues], Mapping[str, str]]
    """The headers that carry this token; the values are those of the manifest's `account` fields, and others."""
    open: Callable[[HttpClient, SettingValues], Tracker]
    wire: TrackerWire
    entered_secret: Callable[[str], str] = str
    """What a person enters as the webhook's secret, made of the integration's own."""
    package: str = ""
    """The package whose `quality.toml` says where this adapter stands."""
