"""Bugs in what is compared, and in what is made of two changes."""
# ruff: noqa: SLF001 - to replace what is private is the point

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from keepstep.app import sync
from keepstep.app.work import Work
from keepstep.domain import plan, sequences, text_merge
from keepstep.domain.document import fresh
from keepstep.domain.fields import Field, Side, Snapshot
from keepstep.domain.ids import StatusId
from keepstep.domain.link import Base
from keepstep.domain.rules import DescriptionRule

_EMPTY = Snapshot("", "", None)


def drop_the_base() -> None:
    """Compare the two sides with nothing, instead of each with its own base."""
    real = sync.make_plan

    def blind(rules: Any, policy: Any, base: Base, now: Base, **rest: Any) -> plan.Plan:
        del base
        return real(rules, policy, Base(_EMPTY, _EMPTY), now, **rest)

    sync.make_plan = blind


def trust_updated_at() -> None:
    """The side whose own clock says that it changed later is right, in every field."""

    def later(work: Work, now: Base) -> tuple[Mapping[Field, Side], Base]:
        seen = work.link.seen
        if len(seen) < len(Side):
            return {}, now
        side = max(Side, key=lambda each: seen[each].updated_at)
        return dict.fromkeys(Field, side), now

    sync._decisions = later


def forget_the_footer() -> None:
    """Our own lines in the ticket count as the people's text."""
    DescriptionRule.body = lambda self, side, text: self._document(side, text)


def compare_raw_text() -> None:
    """Another notation of the same text is a change, and is carried over as text that is made anew."""
    DescriptionRule.same = lambda self, side, one, other: one == other  # noqa: ARG005

    def anew(self: DescriptionRule, source: Side, value: str, onto: str) -> str:
        del onto
        body = fresh(self.body(source, value))
        return self.feature_text.write(body) if source is Side.TICKET else self.ticket(body, "")

    DescriptionRule.carry = anew


def derive_one_base_from_the_other() -> None:
    """Take the status map for one to one: the feature's base is what the ticket's maps back to."""
    real = sync.make_plan

    def derived(rules: Any, policy: Any, base: Base, now: Base, **rest: Any) -> plan.Plan:
        back = policy.status_map.translate(base.ticket.status, Side.FEATURE)
        if back is not None:
            base = Base(replace(base.feature, status=StatusId(back)), base.ticket)
        return real(rules, policy, base, now, **rest)

    sync.make_plan = derived


def one_side_of_a_paragraph() -> None:
    """Where both changed words of one paragraph, take the feature's."""
    text_merge._merge_plain = lambda base, ours, theirs: ours  # noqa: ARG005


def clash_without_a_word() -> None:
    """Where both changed the same place, take the feature's and call it merged."""

    def quiet(self: Any, slot: Any, feature: Any, ticket: Any) -> None:
        del slot, ticket
        self._out(feature, feature)

    sequences._Merging._both_changed = quiet


def doubled_moves() -> None:
    """A block that both sides moved comes out twice."""
    sequences._settle_double_moves = lambda *args: []  # noqa: ARG005


BUGS = (
    drop_the_base,
    trust_updated_at,
    forget_the_footer,
    compare_raw_text,
    derive_one_base_from_the_other,
    one_side_of_a_paragraph,
    clash_without_a_word,
    doubled_moves,
)
