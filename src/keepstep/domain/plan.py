"""What a Link needs, as values: writes with their reasons, what was left alone and why, conflicts, the next base.

Push, notification, poll, *sync now* and preview all use this one pure function. Carrying it out, and advancing the
base with what the other side *confirmed*, is `keepstep.app.sync`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from keepstep.domain.fields import Field, Side, Snapshot
from keepstep.domain.ids import StatusId
from keepstep.domain.link import Base, Refusal
from keepstep.domain.merge import (
    Endangered,
    FieldRule,
    Keep,
    Merge,
    Nothing,
    Pair,
    Settle,
    Undecided,
    Write,
    merge_field,
)
from keepstep.domain.policy import Direction, FieldPolicy, SyncPolicy


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    field: Field
    target: Side
    value: str
    before: str
    source: str
    reason: str
    loser: str | None = None
    paired: bool = False
    """The other side is written too: the base moves only when both have confirmed."""
    keeps_base: bool = False
    """It carries nothing over, and what people changed here still waits: the base stays."""
    rest: str | None = None
    """The target's next base, where that is not what it then shows: edits of its own that may not flow back."""


@dataclass(frozen=True, slots=True)
class Note:
    """A write that was suppressed, and why."""

    field: Field
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    base: Base
    """The next base, as far as it needs no write."""
    writes: tuple[PlannedWrite, ...] = ()
    undecided: Mapping[Field, Pair] = field(default_factory=dict)
    endangered: Mapping[Field, tuple[Side, str, str]] = field(default_factory=dict)
    """Target, the value not written, what it would have destroyed."""
    warnings: Mapping[Field, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    refused_again: frozenset[Field] = frozenset()
    """Fields whose only wish is a write that was refused before."""
    untouched: frozenset[Field] = frozenset()
    """Fields in which neither side shows anything new."""
    frozen: frozenset[Field] = frozenset()
    """Fields that another program fights over: nobody looked at them."""

    def for_side(self, side: Side) -> tuple[PlannedWrite, ...]:
        return tuple(write for write in self.writes if write.target is side)


def make_plan(
    rules: Mapping[Field, FieldRule],
    policy: SyncPolicy,
    base: Base,
    now: Base,
    *,
    newest: Side = Side.FEATURE,
    decided: Mapping[Field, Side] | None = None,
    refusals: Mapping[Field, Refusal] | None = None,
) -> Plan:
    plan = Plan(base)
    for name, rule in rules.items():
        chosen = (decided or {}).get(name)
        before, present = _pair(base, name), _pair(now, name)
        outcome = merge_field(rule, policy.of(name), before, present, newest=newest, decided=chosen)
        refusal = (refusals or {}).get(name)
        match outcome:
            case Nothing():
                plan = replace(plan, untouched=plan.untouched | {name})
            case Settle(reason, warning, untouched):
                plan = _note(replace(plan, base=moved(plan.base, name, present)), name, reason)
                plan = replace(plan, untouched=plan.untouched | ({name} if untouched else set()))
                plan = _warn(plan, name, warning)
            case Keep(reason):
                plan = _note(plan, name, reason)
            case Merge():
                plan = _with_merge(plan, name, rule, policy.of(name), before, present, outcome, refusal)
            case Undecided():
                plan = replace(plan, undecided={**plan.undecided, name: present})
            case Endangered(target, value, what):
                plan = replace(plan, endangered={**plan.endangered, name: (target, value, what)})
            case Write(target, value, _, _) if _refused_before(rule, refusal, target, value):
                plan = _note(plan, name, "The same write was refused before; it is not tried again unasked.")
                plan = replace(plan, refused_again=plan.refused_again | {name})
            case Write(target, value, reason, loser):
                source = present.of(target.other)
                write = PlannedWrite(name, target, value, present.of(target), source, reason, loser)
                plan = replace(plan, writes=(*plan.writes, write))
    return plan


def goes_out(policy: SyncPolicy, name: Field) -> bool:
    """A new ticket gets this field of its feature."""
    direction = policy.of(name).direction
    return direction is Direction.ONCE or direction.allows(Side.TICKET)


def draft_of(rules: Mapping[Field, FieldRule], policy: SyncPolicy, feature: Snapshot) -> Snapshot:
    """What a new ticket of this feature would show: a title always, the other fields as far as they go out."""

    def carried(name: Field, value: str) -> str:
        return rules[name].carry(Side.FEATURE, value, "") or ""

    status = carried(Field.STATUS, feature.value(Field.STATUS)) if goes_out(policy, Field.STATUS) else ""
    return Snapshot(
        title=carried(Field.TITLE, feature.title) or "Untitled feature",
        description=carried(
            Field.DESCRIPTION, feature.description if goes_out(policy, Field.DESCRIPTION) else ""
        ),
        status=StatusId(status) if status else None,
    )


def _with_merge(
    plan: Plan,
    name: Field,
    rule: FieldRule,
    policy: FieldPolicy,
    base: Pair,
    now: Pair,
    merge: Merge,
    refusal: Refusal | None,
) -> Plan:
    """Write each side that does not show the merged value yet, as far as the field's direction allows."""
    wanted = Pair(merge.joined.feature, merge.joined.ticket)
    targets = [
        side
        for side in Side
        if policy.direction.allows(side) and not rule.unchanged(side, wanted.of(side), now.of(side))
    ]
    rests = _rests(rule, policy, base, now)
    if not targets:
        rest = Pair(rests.get(Side.FEATURE, now.feature), rests.get(Side.TICKET, now.ticket))
        return _note(
            replace(plan, base=moved(plan.base, name, rest)), name, "Both sides say the same already."
        )
    for side in targets:
        if lost := rule.loss(side, now.of(side), wanted.of(side), base.of(side.other)):
            return replace(plan, endangered={**plan.endangered, name: (side, wanted.of(side), lost)})
        if _refused_before(rule, refusal, side, wanted.of(side)):
            plan = _note(plan, name, "The same write was refused before; it is not tried again unasked.")
            return replace(plan, refused_again=plan.refused_again | {name})
    writes = tuple(
        PlannedWrite(
            name,
            side,
            wanted.of(side),
            now.of(side),
            now.of(side.other),
            merge.reason,
            now.of(side) if side is merge.loser else None,
            paired=len(targets) > 1,
            rest=rests.get(side),
        )
        for side in targets
    )
    return replace(plan, writes=(*plan.writes, *writes))


def _rests(rule: FieldRule, policy: FieldPolicy, base: Pair, now: Pair) -> dict[Side, str]:
    """In a field that goes one way: how the target would stand if nobody had edited it.

    Against that, its own edits are still its own at the next change of the source, and are merged again, not lost.
    """
    if policy.direction is Direction.BOTH:
        return {}
    return {
        side: value
        for side in Side
        if policy.direction.allows(side)
        and (value := rule.carry(side.other, now.of(side.other), base.of(side))) is not None
    }


def moved(base: Base, name: Field, to: Pair) -> Base:
    """This base with one field of both sides replaced."""
    return Base(with_value(base.feature, name, to.feature), with_value(base.ticket, name, to.ticket))


def with_value(snapshot: Snapshot, name: Field, value: str) -> Snapshot:
    match name:
        case Field.TITLE:
            return replace(snapshot, title=value)
        case Field.DESCRIPTION:
            return replace(snapshot, description=value)
        case Field.STATUS:
            return replace(snapshot, status=StatusId(value) if value else None)


def _pair(base: Base, name: Field) -> Pair:
    return Pair(base.feature.value(name), base.ticket.value(name))


def _note(plan: Plan, name: Field, reason: str) -> Plan:
    return replace(plan, notes=(*plan.notes, Note(name, reason)))


def _warn(plan: Plan, name: Field, warning: str) -> Plan:
    return replace(plan, warnings={**plan.warnings, name: warning}) if warning else plan


def _refused_before(rule: FieldRule, refusal: Refusal | None, target: Side, value: str) -> bool:
    return refusal is not None and refusal.target is target and rule.same(target, refusal.value, value)
