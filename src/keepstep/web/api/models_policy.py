"""The policy as JSON: per field a direction and a rule, the status map, the rules of deletion."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import Field as Described
from pydantic import StringConstraints

from keepstep.domain.fields import Field
from keepstep.domain.ids import StatusId
from keepstep.domain.policy import ConflictRule, DeletionRules, Direction, FieldPolicy, StatusMap, SyncPolicy
from keepstep.web.api.models import Answer, Body

Status = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Pairs = Annotated[dict[Status, Status], Described(max_length=1000)]


class FieldPolicyOut(Answer):
    direction: Direction
    rule: ConflictRule = Described(description="Which side stays when both changed it.")


class StatusMapOut(Answer):
    to_ticket: Mapping[str, str] = Described(
        description="Id of a feature's status to id of a ticket's status."
    )
    to_feature: Mapping[str, str] = Described(
        description="Id of a ticket's status to id of a feature's status."
    )

    @classmethod
    def of(cls, found: StatusMap) -> "StatusMapOut":
        return cls(
            to_ticket={str(key): str(value) for key, value in found.to_ticket.items()},
            to_feature={str(key): str(value) for key, value in found.to_feature.items()},
        )


class DeletionOut(Answer):
    comment_when_unlinked: bool
    comment_when_feature_deleted: bool


class PolicyOut(Answer):
    fields: Mapping[Field, FieldPolicyOut]
    status_map: StatusMapOut
    deletion: DeletionOut

    @classmethod
    def of(cls, policy: SyncPolicy) -> "PolicyOut":
        rules = {each: policy.of(each) for each in Field}
        return cls(
            fields={
                each: FieldPolicyOut(direction=rule.direction, rule=rule.rule) for each, rule in rules.items()
            },
            status_map=StatusMapOut.of(policy.status_map),
            deletion=DeletionOut(
                comment_when_unlinked=policy.deletion.comment_when_unlinked,
                comment_when_feature_deleted=policy.deletion.comment_when_feature_deleted,
            ),
        )


class FieldPolicyBody(Body):
    direction: Direction | None = None
    rule: ConflictRule | None = None

    def onto(self, before: FieldPolicy) -> FieldPolicy:
        return FieldPolicy(self.direction or before.direction, self.rule or before.rule)


class StatusMapBody(Body):
    """Each direction that is given replaces that direction as a whole."""

    to_ticket: Pairs | None = None
    to_feature: Pairs | None = None

    def onto(self, before: StatusMap) -> StatusMap:
        to_ticket = before.to_ticket if self.to_ticket is None else _ids(self.to_ticket)
        to_feature = before.to_feature if self.to_feature is None else _ids(self.to_feature)
        return StatusMap(to_ticket, to_feature)


class DeletionBody(Body):
    comment_when_unlinked: bool | None = None
    comment_when_feature_deleted: bool | None = None

    def onto(self, before: DeletionRules) -> DeletionRules:
        given = self.model_dump(exclude_none=True)
        return replace(before, **given)


class PolicyBody(Body):
    """What is left out stays as it is (in a new integration: the default; the status map is then proposed)."""

    fields: dict[Field, FieldPolicyBody] = Described(default_factory=dict)
    status_map: StatusMapBody | None = None
    deletion: DeletionBody | None = None

    def onto(self, before: SyncPolicy) -> SyncPolicy:
        rules = {each: self.fields.get(each, FieldPolicyBody()).onto(before.of(each)) for each in Field}
        status_map = self.status_map.onto(before.status_map) if self.status_map else before.status_map
        deletion = self.deletion.onto(before.deletion) if self.deletion else before.deletion
        return SyncPolicy(rules, status_map, deletion)


def _ids(pairs: Mapping[str, str]) -> dict[StatusId, StatusId]:
    return {StatusId(key): StatusId(value) for key, value in pairs.items()}
