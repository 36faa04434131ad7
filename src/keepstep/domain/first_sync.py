"""The first sync of two that existed before they were linked: what differs, and whose value stays.

A difference is held as a conflict that only a decision ends. Who wants one side's values for all decides them at once;
so the losing value goes to the journal in the same way.
"""

from collections.abc import Mapping
from datetime import datetime

from keepstep.domain.bulk import FirstSync
from keepstep.domain.fields import Field, Side
from keepstep.domain.link import Base, Conflict
from keepstep.domain.merge import FieldRule, Pair
from keepstep.domain.plan import moved
from keepstep.domain.policy import Direction, FieldPolicy, SyncPolicy


def first_differences(
    rules: Mapping[Field, FieldRule], policy: SyncPolicy, now: Base, first: FirstSync, at: datetime
) -> tuple[Base, Mapping[Field, Conflict]]:
    """The base to begin with, and what waits for a decision. Nothing does where both are to keep what they have.

    An empty description is no opinion: it takes the other side's, as far as the field's direction allows.
    """
    base, held = now, dict[Field, Conflict]()
    if first is FirstSync.KEEP:
        return base, held
    for name, rule in rules.items():
        pair = Pair(now.feature.value(name), now.ticket.value(name))
        if rule.equivalent(pair):
            continue
        if name is Field.DESCRIPTION and _one_is_empty(rule, pair):
            base = moved(base, name, Pair("", ""))
        elif _may_be_decided(rule, policy.of(name), pair, first):
            held[name] = Conflict("", "", pair.feature, pair.ticket, at, first=True)
    return base, held


def _one_is_empty(rule: FieldRule, pair: Pair) -> bool:
    return any(rule.same(side, pair.of(side), "") for side in Side)


def _may_be_decided(rule: FieldRule, policy: FieldPolicy, pair: Pair, first: FirstSync) -> bool:
    """The winner's value may go to the other side, and where a person is asked, there is something to choose."""
    match first:
        case FirstSync.FEATURE:
            return policy.direction is Direction.ONCE or policy.direction.allows(Side.TICKET)
        case FirstSync.TICKET:
            return policy.direction.allows(Side.FEATURE)
    carried = [rule.carry(side, pair.of(side), pair.of(side.other)) for side in Side]
    return policy.direction is Direction.BOTH and any(each is not None for each in carried)


def as_if_in_step(rule: FieldRule, now: Pair, winner: Side) -> Pair:
    """The base by which the winner's value is the only change: as if both had shown the loser's until now."""
    loser = winner.other
    before = rule.carry(loser, now.of(loser), "") or ""
    return Pair(before, now.ticket) if winner is Side.FEATURE else Pair(now.feature, before)
