"""SyncPolicy: per field a direction and a conflict rule, the status map, the rules of deletion."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import StatusId


class Direction(StrEnum):
    BOTH = "both"
    TO_TICKET = "to ticket"
    TO_FEATURE = "to feature"
    ONCE = "once"
    """Set when the ticket is created or linked, never again."""
    OFF = "off"

    def allows(self, target: Side) -> bool:
        wanted = Direction.TO_TICKET if target is Side.TICKET else Direction.TO_FEATURE
        return self in (Direction.BOTH, wanted)


class ConflictRule(StrEnum):
    NEWEST = "newest"
    PRODUCTBOARD = "productboard"
    TRACKER = "tracker"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class FieldPolicy:
    direction: Direction = Direction.BOTH
    rule: ConflictRule = ConflictRule.NEWEST


@dataclass(frozen=True, slots=True)
class StatusMap:
    """Two maps by id, not necessarily each other's inverse."""

    to_ticket: Mapping[StatusId, StatusId] = field(default_factory=dict)
    to_feature: Mapping[StatusId, StatusId] = field(default_factory=dict)

    def translate(self, status: StatusId | None, target: Side) -> StatusId | None:
        if status is None:
            return None
        return (self.to_ticket if target is Side.TICKET else self.to_feature).get(status)

    def equivalent(self, feature: StatusId | None, ticket: StatusId | None) -> bool:
        """Either map carries one onto the other: nothing has to be written."""
        return (
            self.translate(feature, Side.TICKET) == ticket is not None
            or self.translate(ticket, Side.FEATURE) == feature is not None
        )


@dataclass(frozen=True, slots=True)
class DeletionRules:
    comment_when_unlinked: bool = False
    comment_when_feature_deleted: bool = True


def _every_field() -> dict[Field, FieldPolicy]:
    return {each: FieldPolicy() for each in Field}


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    fields: Mapping[Field, FieldPolicy] = field(default_factory=_every_field)
    status_map: StatusMap = field(default_factory=StatusMap)
    deletion: DeletionRules = field(default_factory=DeletionRules)

    def of(self, name: Field) -> FieldPolicy:
        return self.fields.get(name, FieldPolicy())
