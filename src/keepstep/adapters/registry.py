"""The trackers this build knows: those in here, one line each, and those that installed packages bring along."""

from collections.abc import Mapping
from importlib.metadata import entry_points

from keepstep.adapters.trackers import TrackerAdapter
from keepstep.adapters.trackers.github import GITHUB
from keepstep.adapters.trackers.gitlab import GITLAB, GITTAB
from keepstep.adapters.trackers.jira import JIRA
from keepstep.adapters.trackers.linear import LINEAR
from keepstep.adapters.trackers.redmine import REDMINE

_BUILT_IN = (
    GITHUB,
    GITLAB,
    GITTAB,
    JIRA,
    LINEAR,
    REDMINE,
)
ENTRY_POINTS = "keepstep.trackers"
"""Each entry point names a `TrackerAdapter`."""


def known_trackers() -> Mapping[str, TrackerAdapter]:
    """By kind, in the order in which they are offered. Raises TypeError or ValueError for a misfit."""
    found = {each.manifest.kind: each for each in _BUILT_IN}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda each: each.name):
        adapter = point.load()
        if not isinstance(adapter, TrackerAdapter):
            raise TypeError(f"The entry point {point.name} ({point.value}) is no TrackerAdapter.")
        if adapter.manifest.kind in found:
            raise ValueError(f"The tracker {adapter.manifest.kind} of {point.value} is known already.")
        found[adapter.manifest.kind] = adapter
    return found
