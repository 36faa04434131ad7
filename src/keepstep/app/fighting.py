"""A field that our writes carry to and fro: another program works against us, so we stop and ask a person.

The same holds for what differed when two were linked, where a person wanted to be asked. It is shown as an open
decision. Deciding goes on with the field; the other fields never stopped.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from hashlib import sha256

from keepstep.app.work import Work, by_person
from keepstep.domain.events import Act, NoticeKind
from keepstep.domain.fields import Field, Side
from keepstep.domain.fight import Written
from keepstep.domain.link import Base, Conflict
from keepstep.domain.plan import PlannedWrite


def watch(work: Work, write: PlannedWrite) -> None:
    """After a write that went through. What a person asked for here is never part of a fight."""
    fight, now = work.ctx.rules.fight, work.now
    if not fight.flips or by_person(work.rows) or work.link.base is None:
        return
    last = Written(now, write.target, sha256(write.value.encode()).hexdigest()[:16])
    kept = fight.recent((*work.link.written.get(write.field, ()), last), now)
    work.change(written={**work.link.written, write.field: kept})
    if not fight.is_on(kept, now):
        return
    base, name = work.link.base, write.field
    feature, ticket = base.feature.value(name), base.ticket.value(name)
    conflict = Conflict(feature, ticket, feature, ticket, now, fight=True)
    work.change(conflicts={**work.link.conflicts, name: conflict})
    minutes = int(fight.within.total_seconds() // 60)
    reason = (
        f"It went to and fro {fight.flips} times within {minutes} minutes. Another program works against us."
    )
    work.tell(Act.ASKED, reason, side=write.target, field=name, before=write.before, after=write.value)


def frozen_fields(work: Work) -> frozenset[Field]:
    """Those that nobody has decided about."""
    decided = {Field(row.detail["field"]) for row in work.rows if row.kind is NoticeKind.DECIDE}
    return frozenset(name for name, each in work.link.conflicts.items() if each.held and name not in decided)


def still_fought_over(work: Work, now: Base, read: Collection[Side]) -> Mapping[Field, Conflict]:
    """With what the sides that were read show now. A decision lets the field begin anew."""
    frozen = frozen_fields(work)
    ended = {name for name, each in work.link.conflicts.items() if each.held} - frozen
    if ended:
        work.change(written={name: each for name, each in work.link.written.items() if name not in ended})
    return {name: _as_seen(work.link.conflicts[name], name, now, read) for name in frozen}


def _as_seen(conflict: Conflict, name: Field, now: Base, read: Collection[Side]) -> Conflict:
    if Side.FEATURE in read:
        conflict = replace(conflict, feature=now.feature.value(name))
    return replace(conflict, ticket=now.ticket.value(name)) if Side.TICKET in read else conflict
