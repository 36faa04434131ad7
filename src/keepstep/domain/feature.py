"""Feature: our picture of a Productboard feature or subfeature."""

from dataclasses import dataclass
from datetime import datetime

from keepstep.domain.fields import Snapshot
from keepstep.domain.ids import FeatureId, StatusId

PUSHABLE_TYPES = frozenset({"feature", "subfeature"})


@dataclass(frozen=True, slots=True)
class FeatureStatus:
    id: StatusId
    name: str


@dataclass(frozen=True, slots=True)
class Feature:
    id: FeatureId
    type: str
    """Productboard's entity type: feature, subfeature, component, ..."""
    title: str
    description: str
    """Productboard HTML, exactly as read; "" when absent."""
    status: FeatureStatus | None
    archived: bool
    url: str
    """Address of the page for people; "" where the workspace gives none."""
    updated_at: datetime

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(self.title, self.description, self.status.id if self.status else None)
