"""Decisions about what differed when two were linked: there is no base that both came from, so one is made."""

from collections.abc import Mapping
from dataclasses import replace

from keepstep.app.work import Work
from keepstep.domain.fields import Field, Side
from keepstep.domain.first_sync import as_if_in_step
from keepstep.domain.link import Base
from keepstep.domain.merge import Pair
from keepstep.domain.plan import Plan, moved


def _decided_first(work: Work, decided: Mapping[Field, Side]) -> Mapping[Field, Side]:
    held = {name for name, each in work.link.conflicts.items() if each.first}
    return {name: side for name, side in decided.items() if name in held}


def base_for(work: Work, base: Base, now: Base, decided: Mapping[Field, Side]) -> Base:
    """As if the loser's value had stood on both sides: then the winner's replaces it."""
    for name, side in _decided_first(work, decided).items():
        pair = Pair(now.feature.value(name), now.ticket.value(name))
        base = moved(base, name, as_if_in_step(work.rules[name], pair, side))
    return base


def with_losers(work: Work, plan: Plan, decided: Mapping[Field, Side]) -> Plan:
    """The whole losing value goes to the journal, also where it was merged away without a clash.

    What is embedded in a feature was never on the ticket's side, so its absence there is nobody's wish: kept.
    """
    first = _decided_first(work, decided)
    for write in plan.writes:
        if first.get(write.field) is not write.target.other:
            continue
        writes = tuple(each for each in plan.writes if each != write)
        if lost := work.rules[write.field].loss(write.target, write.before, write.value, ""):
            danger = {**plan.endangered, write.field: (write.target, write.value, lost)}
            plan = replace(plan, writes=writes, endangered=danger)
        elif write.before:
            plan = replace(plan, writes=(*writes, replace(write, loser=write.before)))
    return plan
