"""Three-way merge of one field: base, feature and ticket in, one outcome out. Pure.

A side has changed when it differs from its *own* base; the two bases need not be equal, so maps that are not each
other's inverse, and text formats that lose something, come to rest. What "the same" means, and how a value is carried
over, is the business of a `FieldRule`; see `keepstep.domain.rules`.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from keepstep.domain.fields import Side
from keepstep.domain.policy import ConflictRule, Direction, FieldPolicy


@dataclass(frozen=True, slots=True)
class Pair:
    """One field's exact values on both sides."""

    feature: str
    ticket: str

    def of(self, side: Side) -> str:
        return self.feature if side is Side.FEATURE else self.ticket


_SAME = "Both sides say the same already."


class FieldRule(Protocol):
    """What one field means: equality on a side, and the way from one side to the other."""

    authored: ClassVar[bool]
    """People's own words, which nothing but the journal could bring back."""

    def same(self, side: Side, one: str, other: str) -> bool:
        """Equal as this side means it: white space, lossy storage and managed footers aside."""

    def unchanged(self, target: Side, value: str, onto: str) -> bool:
        """Writing `value` over `onto` would change nothing there; may be less sure than `same`, and cheaper."""

    def equivalent(self, pair: Pair) -> bool:
        """The two sides say the same already: nothing has to be written."""

    def carry(self, source: Side, value: str, onto: str) -> str | None:
        """The exact value to write on the other side, where `onto` stands now; None: it has no counterpart."""

    def join(self, base: Pair, now: Pair, winner: Side | None) -> "Joined | None":
        """Merge inside the value what both sides changed; None where a value is one thing, such as a title."""

    def loss(self, target: Side, onto: str, value: str, base: str) -> str:
        """What writing `value` over `onto` would destroy although nobody deleted it; "" when nothing."""

    def lesser(self, side: Side, shown: str, written: str) -> bool:
        """`shown` is a part or a normal form of `written`: the vendor stored less than we sent."""

    def bears(self, side: Side, shown: str, written: str, before: str) -> bool:
        """`shown` holds something of what `written` changed in `before`, or nobody can tell."""


@dataclass(frozen=True, slots=True)
class Joined:
    """The exact value for each side, with both sides' changes in it."""

    feature: str
    ticket: str
    clashes: int = 0
    """Places that both changed differently; decided for the winner where there is one, else left as they are."""
    lost: str = ""
    """The words that the winner's took the place of."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Both sides are as they were."""


@dataclass(frozen=True, slots=True)
class Settle:
    """The bases move to what both sides show; nothing is written."""

    reason: str
    warning: str = ""
    untouched: bool = False
    """Nothing but the notation changed: what is known of this field still holds."""


@dataclass(frozen=True, slots=True)
class Keep:
    """One side has changed and stays as it is; its base does not move, so the next change of the source merges."""

    reason: str


@dataclass(frozen=True, slots=True)
class Write:
    target: Side
    value: str
    reason: str
    loser: str | None = None
    """The target's own edit that this write overrules; goes to the journal."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Both sides get what the other one changed."""

    joined: Joined
    reason: str
    loser: Side | None = None
    """The side whose edit lost somewhere: its whole value goes to the journal."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """Both changed differently and the rule is to ask."""


@dataclass(frozen=True, slots=True)
class Endangered:
    """The write is refused by us: it would destroy what nobody deleted."""

    target: Side
    value: str
    what: str


Outcome = Nothing | Settle | Keep | Write | Merge | Undecided | Endangered


def merge_field(
    rule: FieldRule,
    policy: FieldPolicy,
    base: Pair,
    now: Pair,
    *,
    newest: Side,
    decided: Side | None = None,
) -> Outcome:
    """`newest`: the side whose change was noticed last. `decided`: a person chose this side's value."""
    if decided is not None:
        return _win(rule, base, now, decided, "A person chose it.")
    changed = [side for side in Side if not rule.same(side, now.of(side), base.of(side))]
    if not changed:
        return Nothing() if now == base else Settle("Only the notation changed.", untouched=True)
    if policy.direction in (Direction.ONCE, Direction.OFF):
        return Keep(f"This field goes {policy.direction}; it is left alone.")
    if len(changed) == 2:
        return _conflict(rule, policy, base, now, newest)
    (source,) = changed
    if not policy.direction.allows(source.other):
        return Keep(f"This field goes {policy.direction}: the edit of the {source} stays there.")
    if _owns_nothing(rule, base, source.other):
        return _carry(rule, base, now, source, f"The {source} changed.")
    if rule.equivalent(now):
        return Settle(_SAME)
    reason = f"The {source} changed; the two were not in step before."
    joined = rule.join(base, now, source)
    if joined is not None:
        return Merge(joined, reason, source.other if joined.clashes else None)
    return _carry(rule, base, now, source, reason, overruled=rule.authored)


def _owns_nothing(rule: FieldRule, base: Pair, side: Side) -> bool:
    """All that this side has is the other one's, so that nothing is lost where the other one's takes its place."""
    if rule.equivalent(base):
        return True
    carried = rule.carry(side.other, base.of(side.other), base.of(side))
    return carried is not None and rule.lesser(side, base.of(side), carried)


def _conflict(rule: FieldRule, policy: FieldPolicy, base: Pair, now: Pair, newest: Side) -> Outcome:
    joined = rule.join(base, now, None)
    if joined is not None and not joined.clashes:
        return Merge(joined, "Both changed, in different places.")
    if rule.equivalent(now):
        return Settle(_SAME)
    if policy.direction is not Direction.BOTH:
        source = Side.FEATURE if policy.direction is Direction.TO_TICKET else Side.TICKET
        return _win(rule, base, now, source, f"Both changed; this field goes {policy.direction}.")
    match policy.rule:
        case ConflictRule.ASK:
            return Undecided()
        case ConflictRule.PRODUCTBOARD:
            return _win(rule, base, now, Side.FEATURE, "Both changed; Productboard wins by the rule.")
        case ConflictRule.TRACKER:
            return _win(rule, base, now, Side.TICKET, "Both changed; the tracker wins by the rule.")
        case ConflictRule.NEWEST:
            return _win(rule, base, now, newest, f"Both changed; the {newest} changed last.")


def _win(rule: FieldRule, base: Pair, now: Pair, winner: Side, reason: str) -> Outcome:
    """The winner's value, or where values can be joined, the winner's only where both changed the same place."""
    joined = rule.join(base, now, winner)
    if joined is not None:
        return Merge(joined, reason, winner.other if joined.clashes else None)
    return _carry(rule, base, now, winner, reason, overruled=True)


def _carry(
    rule: FieldRule, base: Pair, now: Pair, source: Side, reason: str, *, overruled: bool = False
) -> Outcome:
    target = source.other
    onto = now.of(target)
    value = rule.carry(source, now.of(source), onto)
    if value is None:
        return Settle(
            reason,
            warning=f"The {source}'s value has no counterpart on the {target}: map it to carry it over.",
        )
    if rule.unchanged(target, value, onto):
        return Settle(_SAME)
    if lost := rule.loss(target, onto, value, base.of(source)):
        return Endangered(target, value, lost)
    return Write(target, value, reason, loser=onto if overruled else None)
