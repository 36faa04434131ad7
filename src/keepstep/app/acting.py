"""Carrying out a plan's writes, and judging by what each side shows afterwards what a write proves.

The intent is committed before the first write. Per side one write carries all fields that change; the base moves only
with what that side confirmed.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto

from keepstep.app.fighting import watch
from keepstep.app.reading import read_feature, read_ticket, remember_feature, remember_ticket, remember_write
from keepstep.app.work import Work
from keepstep.domain.events import Act, Notice, NoticeKind, Source
from keepstep.domain.fields import Field, Side, Snapshot
from keepstep.domain.ids import StatusId
from keepstep.domain.link import IntendedWrite, Intent, Refusal
from keepstep.domain.merge import FieldRule, Pair
from keepstep.domain.plan import Plan, PlannedWrite, moved
from keepstep.domain.ticket import TicketChanges
from keepstep.ports.errors import RejectedError
from keepstep.ports.productboard import FeatureChanges
from keepstep.ports.storage import JournalQuery, UnitOfWork


class Verdict(Enum):
    """What a side shows after our write."""

    CONFIRMED = auto()
    REFUSED = auto()
    """What stood there before: the answer said yes, the side says no."""
    LOSS = auto()
    """Less than we wrote, or a normal form of it."""
    OVERTAKEN = auto()
    """Something else: a person was faster."""
    PASSED_OVER = auto()
    """What stood there before with a person's edit in it, and nothing of ours: not stored, as when refused."""


def judge(rule: FieldRule, side: Side, write: PlannedWrite, shown: str) -> Verdict:
    if rule.same(side, shown, write.value):
        return Verdict.CONFIRMED
    if rule.same(side, shown, write.before):
        return Verdict.REFUSED
    if rule.lesser(side, shown, write.value):
        return Verdict.LOSS
    return Verdict.OVERTAKEN if rule.bears(side, shown, write.value, write.before) else Verdict.PASSED_OVER


async def commit_intent(work: Work, plan: Plan) -> None:
    """What is going to be written, and what it overrules: from here on neither a crash nor an unlink loses anybody's
    words.
    """
    work.held.check()
    work.halves.clear()
    work.change(intent=Intent(writes=tuple(_intended(write) for write in plan.writes)))
    async with work.ctx.storage.begin() as uow:
        for write in plan.writes:
            if write.loser is not None and not await _is_told(uow, work, write):
                reason = f"{write.reason} This value lost and can be put back."
                work.tell(
                    Act.OVERRULED,
                    reason,
                    side=write.target,
                    field=write.field,
                    before=write.loser,
                    after=write.value,
                )
        work.link = await uow.links.save(work.link)
        await uow.journal.add(*work.journal)
        await uow.commit()
    work.journal = []


def _intended(write: PlannedWrite) -> IntendedWrite:
    return IntendedWrite(
        write.field,
        write.target,
        write.value,
        write.before,
        write.source,
        write.paired,
        write.keeps_base,
        write.rest,
    )


async def _is_told(uow: UnitOfWork, work: Work, write: PlannedWrite) -> bool:
    """By an earlier try of the same write."""
    acts = (Act.OVERRULED,)
    query = JournalQuery(link=work.link.id, side=write.target, field=write.field, acts=acts, limit=1)
    last, _ = await uow.journal.page(query)
    return bool(last) and (last[0].before, last[0].after) == (write.loser, write.value)


async def write_side(work: Work, side: Side, writes: Sequence[PlannedWrite], before: Snapshot) -> Snapshot:
    """Returns what the side shows then. Raises the errors of the outside; what was confirmed until then stays in
    `work.link`.
    """
    try:
        shown = await _send(work, side, writes, before)
    except RejectedError as error:
        if len(writes) > 1:
            for write in writes:
                before = await write_side(work, side, [write], before)
        elif (plainer := _plainer(work, writes[0])) != writes[0]:
            return await write_side(work, side, [plainer], before)
        else:
            _refuse(work, writes[0], str(error))
        return before
    for write in writes:
        await _take_verdict(work, side, write, shown)
    return shown


def _plainer(work: Work, write: PlannedWrite) -> PlannedWrite:
    """A description without the parts that were to be written back as they once stood there."""
    if write.field is not Field.DESCRIPTION:
        return write
    return replace(write, value=work.description.rewritten(write.target, write.value))


async def _send(work: Work, side: Side, writes: Sequence[PlannedWrite], before: Snapshot) -> Snapshot:
    """One call for all fields; then what the side shows."""
    values = {write.field: write.value for write in writes}
    status = StatusId(values[Field.STATUS]) if values.get(Field.STATUS) else None
    remember_write(work, side, before)
    await work.fence()
    if side is Side.FEATURE:
        changes = FeatureChanges(values.get(Field.TITLE), values.get(Field.DESCRIPTION), status)
        await work.sides.board.features.write_feature(work.link.feature_id, changes)
        feature = await read_feature(work)
        remember_feature(work, feature)
        return feature.snapshot
    if work.link.ticket is None:
        raise RejectedError("This Link has no ticket.")
    wanted = TicketChanges(values.get(Field.TITLE), values.get(Field.DESCRIPTION), status)
    ticket = await work.sides.tracker.tickets.write_ticket(work.link.ticket, wanted)
    if ticket.snapshot.digest == before.digest:
        ticket = await read_ticket(work)
    remember_ticket(work, ticket)
    return ticket.snapshot


async def _take_verdict(work: Work, side: Side, write: PlannedWrite, shown: Snapshot) -> None:
    rule, value = work.rules[write.field], shown.value(write.field)
    verdict = judge(rule, side, write, value)
    match verdict:
        case Verdict.CONFIRMED:
            _advance(work, write, value)
            _told(work, Act.WROTE, write, value, write.reason)
        case Verdict.REFUSED:
            name = work.sides.tracker.manifest.name if side is Side.TICKET else "Productboard"
            _refuse(work, write, f"{name} accepted the new {write.field} but did not store it.")
        case Verdict.LOSS:
            _advance(work, write, value)
            warning = f"The {side} stored less than was written; the other side keeps the whole."
            work.change(warnings={**work.link.warnings, write.field: warning})
            _told(work, Act.LOSS, write, value, warning)
        case Verdict.OVERTAKEN:
            _advance(work, write, write.value)
            _told(work, Act.WROTE, write, write.value, f"{write.reason} Somebody changed it again at once.")
            await _note_overtaken(work, side)
        case Verdict.PASSED_OVER:
            _intent_done(work, write)
            await _note_overtaken(work, side)
    if verdict not in (Verdict.REFUSED, Verdict.PASSED_OVER) and not write.keeps_base:
        watch(work, write)


def _advance(work: Work, write: PlannedWrite, shown: str) -> None:
    """The base moves for this field, and the intent loses it: confirmed. Of a merge wholly with its second half."""
    _intent_done(work, write)
    if write.keeps_base:
        return
    halves = {write.target: shown if write.rest is None else write.rest}
    if write.paired:
        halves = work.halves.setdefault(write.field, {})
        halves[write.target] = shown
        if len(halves) < len(Side):
            if work.rules[write.field].same(write.target, shown, write.value):
                count_half(work, write)
            return
    if work.link.base is not None:
        pair = Pair(halves.get(Side.FEATURE, write.source), halves.get(Side.TICKET, write.source))
        work.change(base=moved(work.link.base, write.field, pair))


def count_half(work: Work, write: PlannedWrite | IntendedWrite) -> None:
    """One half of a merge proves that the other side's edits are here now; this side's own go on waiting.

    Else, where the second half is refused, what came over would count as added on both sides, and stand twice.
    """
    base = work.link.base
    if base is None:
        return
    onto = base.side(write.target).value(write.field)
    rest = work.rules[write.field].carry(write.target.other, write.source, onto)
    if rest is None:
        return
    halves = {write.target: rest, write.target.other: write.source}
    pair = Pair(halves[Side.FEATURE], halves[Side.TICKET])
    work.change(base=moved(base, write.field, pair))


def _intent_done(work: Work, write: PlannedWrite) -> None:
    left = tuple(
        each for each in work.link.intent.writes if (each.field, each.target) != (write.field, write.target)
    )
    work.change(intent=replace(work.link.intent, writes=left))


def _refuse(work: Work, write: PlannedWrite, message: str) -> None:
    """The base stays, nothing flows back, and the same write is not tried again unasked."""
    refusal = Refusal(write.target, write.value, message, work.now)
    work.change(refusals={**work.link.refusals, write.field: refusal})
    _intent_done(work, write)
    _told(work, Act.REFUSED, write, write.value, message)


def _told(work: Work, act: Act, write: PlannedWrite, after: str, reason: str) -> None:
    work.tell(act, reason, side=write.target, field=write.field, before=write.before, after=after)


async def _note_overtaken(work: Work, side: Side) -> None:
    """What stands there now is the next sync's change: its row survives this job, since it was not taken by it."""
    async with work.ctx.storage.begin() as uow:
        await uow.inbox.add(
            Notice(
                work.integration.id,
                NoticeKind.CHANGED,
                Source.TIMER,
                work.now,
                side,
                work.link.feature_id,
                work.link.id,
            )
        )
        await uow.commit()
    await work.ctx.jobs.wake_link(work.link.id)
