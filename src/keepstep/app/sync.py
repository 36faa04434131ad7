"""Keeping one Link in step: read, plan, commit the intent, act, and advance the base with what was confirmed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from keepstep.app import detach, moves
from keepstep.app.acting import commit_intent, count_half, write_side
from keepstep.app.cells import look_at_cell_later, quiet_at, show_cell
from keepstep.app.doubt import find_marked
from keepstep.app.fighting import frozen_fields, still_fought_over
from keepstep.app.first_decisions import base_for, with_losers
from keepstep.app.marking import ensure_marks
from keepstep.app.reading import read_feature, read_ticket, remember_feature, remember_ticket
from keepstep.app.work import Work
from keepstep.domain.events import Act, Notice, NoticeKind, Source
from keepstep.domain.fields import Field, Side, Snapshot
from keepstep.domain.ids import markers_in
from keepstep.domain.link import Base, Conflict, Ending, IntendedWrite, Intent, LinkState, Refusal
from keepstep.domain.merge import FieldRule, Pair
from keepstep.domain.plan import Plan, PlannedWrite, make_plan, moved, with_value
from keepstep.ports.errors import NotThereError, OutsideError, StaleError

_REPLANS = 3
_FRESH_SECONDS = 0.5
"""A read older than this is repeated right before a write: most APIs know no write precondition."""
_CELL_UNKNOWN = frozenset({NoticeKind.CELL, NoticeKind.PUSH})
"""The answer to a click may have overwritten the cell; a bulk run answers nobody."""


@dataclass
class Reading:
    """What both sides show now; a side that nothing speaks of counts as its base."""

    now: Base
    read_at: dict[Side, float] = field(default_factory=dict)
    """When, by the clock that never jumps."""

    def take(self, side: Side, shown: Snapshot, at: float) -> None:
        self.now = Base(shown, self.now.ticket) if side is Side.FEATURE else Base(self.now.feature, shown)
        self.read_at[side] = at


async def synchronise(work: Work, read: frozenset[Side] | None = None) -> None:
    """`read`: the sides to read first; None: those that the rows speak of."""
    if work.link.base is None:
        raise NotThereError("This Link has no base yet.")
    reading = Reading(work.link.base)
    try:
        for side in sorted(_sides_to_read(work) if read is None else read):
            await _read(work, reading, side)
        for _ in range(_REPLANS):
            await _read_other_side_of_a_change(work, reading)
            _resolve_intents(work, reading)
            plan = _plan(work, reading, await _noticed_by_now(work, reading))
            if await _carry_out(work, reading, plan):
                await _close(work)
                return
    except _VanishedError as gone:
        await detach.vanished(work, gone.side)
        return
    except _MovedAwayError:
        await detach.end(work, Ending.TICKET_MOVED)
        return
    raise StaleError("Both sides keep changing while they are being compared.")


class _VanishedError(Exception):
    def __init__(self, side: Side) -> None:
        super().__init__(side)
        self.side = side


class _MovedAwayError(Exception):
    """The ticket lives where it is not kept in step."""


def _sides_to_read(work: Work) -> frozenset[Side]:
    link = work.link
    if link.synced_at is None:
        return frozenset(Side)  # its first sync failed: what the create did not bring about is still owed
    if not work.rows or link.intent.writes or link.lost is not None:
        return frozenset(Side)  # the run that lost sight of one side took the other side's news with it
    sides: set[Side] = set()
    for row in work.rows:
        match row.kind:
            case NoticeKind.CHANGED | NoticeKind.DELETED if row.side is not None:
                sides.add(row.side)
            case NoticeKind.CELL:
                pass
            case NoticeKind.PUSH if link.state is LinkState.LINKED:
                pass
            case _:
                sides.update(Side)
    return frozenset(sides)


async def _read(work: Work, reading: Reading, side: Side) -> None:
    started = work.ctx.clock.elapsed()
    try:
        if side is Side.FEATURE:
            feature = await read_feature(work)
            remember_feature(work, feature)
            reading.take(side, feature.snapshot, started)
        else:
            ticket = await read_ticket(work)
            if not await moves.follow(work, ticket):
                raise _MovedAwayError
            remember_ticket(work, ticket)
            reading.take(side, ticket.snapshot, started)
    except NotThereError as error:
        raise _VanishedError(side) from error
    if work.link.lost is not None and work.link.lost.side is side:
        work.change(lost=None)
        work.tell(Act.FOUND_AGAIN, f"The {side} answers again.", side=side)


async def _read_other_side_of_a_change(work: Work, reading: Reading) -> None:
    """The side that nothing speaks of is read only if there is something to compare it with."""
    base = work.link.base or reading.now
    for side in Side:
        if side in reading.read_at or side.other not in reading.read_at:
            continue
        present, before = reading.now.side(side.other), base.side(side.other)
        differs = any(
            not rule.same(side.other, present.value(name), before.value(name))
            for name, rule in work.rules.items()
        )
        if differs or work.link.intent.writes or _footer_lost(work, reading):
            await _read(work, reading, side)


def _footer_lost(work: Work, reading: Reading) -> bool:
    return work.link.marker not in markers_in(reading.now.ticket.description)


def _resolve_intents(work: Work, reading: Reading) -> None:
    """After an interruption: a side that shows the intended form was written by us, not by a person.

    What is left of half a merge is planned again from what both sides show.
    """
    done = [write for write in work.link.intent.writes if _is_done(work, reading, write)]
    for write in done:
        partner = next(
            (each for each in done if each.paired and each.field is write.field and each != write), None
        )
        if write.keeps_base or work.link.base is None:
            continue
        if write.paired and partner is None:
            count_half(work, write)
            continue
        shown = reading.now.side(write.target).value(write.field)
        source = reading.now.side(write.target.other).value(write.field) if write.paired else write.source
        rest = shown if write.rest is None else write.rest
        work.change(base=moved(work.link.base, write.field, _pair_of(write.target, rest, source)))
        reason = "Written before the interruption; confirmed by reading it again."
        work.tell(Act.WROTE, reason, side=write.target, field=write.field, before=write.before, after=shown)
    work.change(intent=Intent())


def _is_done(work: Work, reading: Reading, write: IntendedWrite) -> bool:
    shown = reading.now.side(write.target).value(write.field)
    return work.rules[write.field].same(write.target, shown, write.value)


def _pair_of(target: Side, shown: str, source: str) -> Pair:
    return Pair(shown, source) if target is Side.FEATURE else Pair(source, shown)


def _plan(work: Work, reading: Reading, noticed: Sequence[Notice]) -> Plan:
    decided, now = _decisions(work, reading.now)
    base = base_for(work, work.link.base or reading.now, now, decided)
    frozen = frozen_fields(work)
    plan = make_plan(
        {name: rule for name, rule in work.rules.items() if name not in frozen},
        work.integration.policy,
        base,
        now,
        newest=_newest(work, reading, base, noticed),
        decided=decided,
        refusals={} if work.has(NoticeKind.SYNC, NoticeKind.DECIDE) else work.link.refusals,
    )
    plan = replace(plan, frozen=frozen, untouched=plan.untouched | frozen)
    plan = with_losers(work, plan, decided)
    plan = _with_put_back(work, plan, base, reading.now, now)
    return _with_footer(work, reading, plan)


def _decisions(work: Work, now: Base) -> tuple[Mapping[Field, Side], Base]:
    """What people chose: a side, or an older value of a side, which then counts as what that side shows."""
    decided: dict[Field, Side] = {}
    for row in work.rows:
        if row.kind is not NoticeKind.DECIDE:
            continue
        name, side = Field(row.detail["field"]), Side(row.detail["side"])
        decided[name] = side
        if "value" in row.detail:
            snapshot = with_value(now.side(side), name, row.detail["value"])
            now = Base(snapshot, now.ticket) if side is Side.FEATURE else Base(now.feature, snapshot)
    return decided, now


def _with_put_back(work: Work, plan: Plan, base: Base, shown: Base, wanted: Base) -> Plan:
    """Where a person put an older value back, the side it came from has to be written too, and both or none count."""
    writes = list(plan.writes)
    for side in Side:
        for name, rule in work.rules.items():
            now, value = shown.side(side).value(name), wanted.side(side).value(name)
            if rule.same(side, now, value):
                continue
            loser = _unseen(rule, side, name, base, shown)
            source = shown.side(side.other).value(name)
            own = PlannedWrite(name, side, value, now, source, "A person put this value back.", loser=loser)
            for write in [each for each in writes if each.field is name]:
                writes.remove(write)
                if write.target is side:
                    own = replace(own, value=write.value)
                else:
                    writes.append(replace(write, paired=True))
                    own = replace(own, paired=True)
            writes.append(own)
    return replace(plan, writes=tuple(writes))


def _unseen(rule: FieldRule, side: Side, name: Field, base: Base, shown: Base) -> str | None:
    """An edit that had not come to the other side yet when somebody decided over it."""
    value = shown.side(side).value(name)
    return None if rule.same(side, value, base.side(side).value(name)) else value


async def _noticed_by_now(work: Work, reading: Reading) -> Sequence[Notice]:
    """Where both sides changed: also what was told since this job took its rows, for the values just read may show it.

    Those rows only tell which side changed last; they are handled by the next job.
    """
    base = work.link.base or reading.now
    if any(reading.now.side(side) == base.side(side) for side in Side):
        return work.rows
    async with work.ctx.storage.begin() as uow:
        return await uow.inbox.unhandled(work.link.id)


def _newest(work: Work, reading: Reading, base: Base, rows: Sequence[Notice]) -> Side:
    """The side whose change was noticed last; one that nobody told us of is noticed now. Ties go to Productboard."""
    noticed: dict[Side, datetime] = {}
    for side in Side:
        told = [row.received_at for row in rows if row.side is side and row.kind is NoticeKind.CHANGED]
        if told:
            noticed[side] = max(told)
        elif reading.now.side(side) != base.side(side):
            noticed[side] = work.now
    return max(
        Side,
        key=lambda side: (
            noticed.get(side, datetime.min.replace(tzinfo=work.now.tzinfo)),
            side is Side.FEATURE,
        ),
    )


def _with_footer(work: Work, reading: Reading, plan: Plan) -> Plan:
    """A ticket that lost its footer (link back, marker) gets it again, once."""
    if Side.TICKET not in reading.read_at or not _footer_lost(work, reading):
        return plan
    if any(write.field is Field.DESCRIPTION and write.target is Side.TICKET for write in plan.writes):
        return plan
    refusal, text = work.link.refusals.get(Field.DESCRIPTION), reading.now.ticket.description
    if refusal is not None and refusal.target is Side.TICKET:
        return plan
    value = work.description.with_own_footer(text)
    source = reading.now.feature.description
    reason = "The footer with the link back was missing."
    waits = not _is_settled(work, reading, plan, Field.DESCRIPTION)
    write = PlannedWrite(Field.DESCRIPTION, Side.TICKET, value, text, source, reason, keeps_base=waits)
    return replace(plan, writes=(*plan.writes, write))


def _is_settled(work: Work, reading: Reading, plan: Plan, name: Field) -> bool:
    """Nothing that people changed in this field waits: for a decision, for its source, or for the other side."""
    return all(
        work.rules[name].same(side, plan.base.side(side).value(name), reading.now.side(side).value(name))
        for side in Side
    )


async def _carry_out(work: Work, reading: Reading, plan: Plan) -> bool:
    """False: a side moved between our read and our write; plan again."""
    _record(work, reading, plan)
    if not plan.writes:
        return True
    targets = [side for side in (Side.TICKET, Side.FEATURE) if plan.for_side(side)]
    for side in targets:
        if not await _still_as_read(work, reading, side):
            return False
    if work.link.ticket and Side.TICKET in reading.read_at and _footer_lost(work, reading):
        await ensure_marks(work, work.link.ticket)
    await commit_intent(work, plan)
    for side in targets:
        if side is not targets[0] and not await _still_as_read(work, reading, side):
            return False  # while the first side was written; what it confirmed is kept
        started = work.ctx.clock.elapsed()
        shown = await write_side(work, side, plan.for_side(side), reading.now.side(side))
        reading.take(side, shown, started)
    return True


async def _still_as_read(work: Work, reading: Reading, side: Side) -> bool:
    read_at = reading.read_at.get(side)
    if read_at is not None and work.ctx.clock.elapsed() - read_at <= _FRESH_SECONDS:
        return True
    before = reading.now.side(side)
    await _read(work, reading, side)
    return reading.now.side(side) == before


def _record(work: Work, reading: Reading, plan: Plan) -> None:
    """What the plan decides without writing: settled bases, open decisions, refusals of our own, warnings.

    What is known of a field stays where neither side showed anything new and one of them was not even read.
    """
    known = plan.untouched if len(reading.read_at) < len(Side) else frozenset()
    warnings = {
        name: text
        for name, text in work.link.warnings.items()
        if name in plan.untouched or _differs_then(work, reading, plan, name)
    }
    work.change(base=plan.base, warnings={**warnings, **plan.warnings})
    _record_conflicts(work, plan, known, still_fought_over(work, reading.now, reading.read_at))
    _record_refusals(work, plan, known)


def _differs_then(work: Work, reading: Reading, plan: Plan, name: Field) -> bool:
    """The two sides will not say the same even when this plan is carried out: what was warned of is still so."""
    then = {side: reading.now.side(side).value(name) for side in Side}
    then |= {write.target: write.value for write in plan.writes if write.field is name}
    return not work.rules[name].equivalent(Pair(then[Side.FEATURE], then[Side.TICKET]))


def _record_conflicts(
    work: Work, plan: Plan, known: frozenset[Field], fights: Mapping[Field, Conflict]
) -> None:
    conflicts = {name: conflict for name, conflict in work.link.conflicts.items() if name in known}
    conflicts |= fights
    for name, pair in plan.undecided.items():
        before = work.link.conflicts.get(name)
        since = before.since if before else work.now
        conflicts[name] = Conflict(
            plan.base.feature.value(name), plan.base.ticket.value(name), pair.feature, pair.ticket, since
        )
        if before is None:
            work.tell(Act.ASKED, "Both sides changed it; the rule is to ask.", field=name)
    work.change(conflicts=conflicts)


def _record_refusals(work: Work, plan: Plan, known: frozenset[Field]) -> None:
    stay = known | plan.refused_again | plan.frozen
    refusals = {name: refusal for name, refusal in work.link.refusals.items() if name in stay}
    for name, (target, value, what) in plan.endangered.items():
        message = f"Not written: it would delete {what} that nobody removed."
        if name not in work.link.refusals:
            work.tell(Act.REFUSED, message, side=target, field=name, after=value)
        refusals[name] = Refusal(target, value, message, work.now)
    work.change(refusals=refusals)


async def _close(work: Work) -> None:
    """The cell, then one commit for base, journal and rows; the cell waits where a click is still open."""
    if work.has(NoticeKind.LOOK_AGAIN):
        await _report_duplicates(work)
    if any(row.kind in _CELL_UNKNOWN and row.source is not Source.BULK for row in work.rows):
        work.change(cell=None)
    work.change(intent=Intent(), synced_at=work.now)
    work.link = replace(work.link.calm(), state=work.link.settled_state)
    async with work.ctx.storage.begin() as uow:
        quiet = await quiet_at(work.ctx, uow, work.link.id)
        if quiet is not None:
            work.change(cell=None)
            await look_at_cell_later(uow, work.link, quiet)
            await work.finish_in(uow)
            await uow.commit()
    if quiet is not None:
        work.settle_rows()
        return
    try:
        await work.fence()
        work.change(cell=(await show_cell(work.ctx, work.integration, work.link)).cell)
    except OutsideError:
        work.change(cell=None)
        await work.finish()
        raise
    await work.finish()


async def _report_duplicates(work: Work) -> None:
    """Once more after a create in doubt: of two tickets with one marker the older stays linked."""
    for extra in (await find_marked(work)).ours:
        if work.link.ticket is not None and extra.ref.id != work.link.ticket.id:
            reason = f"{extra.ref.label} carries the same marker; close one of them by hand."
            work.tell(Act.DUPLICATE, reason, side=Side.TICKET, after=extra.ref.url)
