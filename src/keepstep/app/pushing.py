"""Making the ticket of a pushed feature: find-or-create, so that no doubt ever leads to a second one."""

from dataclasses import replace
from datetime import timedelta

from keepstep.app.doubt import find_marked, may_still_come
from keepstep.app.failures import give_up_push
from keepstep.app.marking import ensure_marks, link_back
from keepstep.app.reading import read_feature, remember_feature, remember_ticket
from keepstep.app.sync import synchronise
from keepstep.app.work import Work
from keepstep.domain.events import Act, Timer, TimerKind
from keepstep.domain.feature import PUSHABLE_TYPES, Feature
from keepstep.domain.fields import Field, Side, Snapshot
from keepstep.domain.link import Base, CreateIntent, Intent, Link, LinkState
from keepstep.domain.plan import draft_of, goes_out, with_value
from keepstep.domain.ticket import Ticket, TicketDraft
from keepstep.ports.errors import NotThereError, OutsideError, RejectedError, StaleError
from keepstep.ports.storage import TicketTakenError

_KEPT_UNMATCHED = timedelta(minutes=10)


async def push(work: Work) -> None:
    """Ends with a Link that has its ticket and is in step, or with an error that says what comes next."""
    try:
        feature = await read_feature(work)
    except NotThereError:
        await give_up_push(work, "gone", "This feature does not exist any more, or our token may not see it.")
        return
    if feature.type not in PUSHABLE_TYPES:
        sentence = f"Only features and subfeatures can be pushed. This is a {feature.type}."
        await give_up_push(work, "unsupported", sentence)
        return
    remember_feature(work, feature)
    in_doubt = work.link.intent.create is not None
    if not in_doubt or await _made_nothing(work):
        await _create(work, feature, again=in_doubt)


async def _made_nothing(work: Work) -> bool:
    """An earlier create is in doubt: look, wait as long as the tracker may need, look again, only then create.

    False: its ticket was found, or the second look has to wait, or the push ended. A ticket that was made and then
    linked with another feature is no reason to make one more, unless a person asks for it.
    """
    marked = await find_marked(work)
    if marked.ours:
        first, *extras = marked.ours
        for extra in extras:
            reason = f"{extra.ref.label} carries the marker of {first.ref.label}; close one of them by hand."
            work.tell(Act.DUPLICATE, reason, side=Side.TICKET, after=extra.ref.url)
        await _attach(work, first, Act.ADOPTED)
        return False
    if may_still_come(work):
        await work.save()
        return False
    work.change(intent=Intent())
    if marked.owners:
        await give_up_push(work, "taken", _taken_by(marked.owners[0]))
        return False
    return True


def _taken_by(owner: Link) -> str:
    label = owner.ticket.label if owner.ticket else "The ticket"
    title = owner.feature_title
    return f"{label}, made by this push, is linked with “{title}” now. Dismiss this and push again for another ticket."


async def _create(work: Work, feature: Feature, *, again: bool) -> None:
    drafted = draft_of(work.rules, work.integration.policy, feature.snapshot)
    work.change(
        intent=Intent(create=CreateIntent(work.now, feature.snapshot, drafted, again=again)), retry_at=None
    )
    await work.save()
    await work.fence()
    try:
        ticket = await work.sides.tracker.tickets.create_ticket(work.project, _draft(work, drafted))
    except OutsideError as error:
        if not error.doubt:
            work.change(intent=Intent())
        raise
    await _attach(work, ticket, Act.CREATED)


def _draft(work: Work, drafted: Snapshot) -> TicketDraft:
    return TicketDraft(
        title=drafted.title,
        description=drafted.description,
        status=drafted.status,
        marker=work.link.marker,
        defaults=work.integration.defaults,
        link_back=link_back(work),
    )


async def _attach(work: Work, ticket: Ticket, act: Act) -> None:
    """The Link has its ticket: commit that at once, give it the notices that came too early, then make it in step.

    What was found may lack our marks; they come before the commit, after which nobody would miss them.
    """
    intent = work.link.intent.create
    if intent is None:
        raise RejectedError("The ticket belongs to no push.")
    if act is Act.ADOPTED:
        await ensure_marks(work, ticket.ref)
    before, told = work.link, [*work.journal]
    work.change(state=LinkState.LINKED, ticket=ticket.ref, base=_first_base(work, intent, ticket))
    work.change(intent=Intent(), trouble=None, attempts=0, retry_at=None)
    remember_ticket(work, ticket)
    work.tell(act, _told[act].format(ticket.ref.label), side=Side.TICKET, after=ticket.ref.url)
    try:
        async with work.ctx.storage.begin() as uow:
            work.link = await uow.links.save(work.link)
            since = work.now - _KEPT_UNMATCHED
            early = await uow.inbox.adopt(work.integration.id, ticket.ref.id, work.link.id, since)
            await uow.journal.add(*work.journal)
            if act is Act.ADOPTED or intent.again:
                later = Timer(
                    TimerKind.LOOK_AGAIN, work.integration.id, work.now + _KEPT_UNMATCHED, work.link.id
                )
                await uow.timers.set(later)
            await uow.commit()
    except TicketTakenError as taken:
        work.link, work.journal = before, told  # in doubt as before: what comes of that is the next look's
        raise StaleError(
            f"{ticket.ref.label} was linked with “{taken.owner.feature_title}” in the meantime."
        ) from taken
    work.journal = []
    if early:
        await work.ctx.jobs.wake_link(work.link.id)
    owed = work.link.base is not None and work.link.base.feature.status != intent.feature.status
    await synchronise(work, read=frozenset() if act is Act.CREATED and not owed else frozenset(Side))


_told = {
    Act.CREATED: "Created {0} for this feature.",
    Act.ADOPTED: "Found {0} by its marker: an earlier try had made it, although its answer was lost.",
}


def _first_base(work: Work, intent: CreateIntent, ticket: Ticket) -> Base:
    """What each side had when they were in step: the draft, or what the tracker made of it.

    A status that the tracker did not start with is still owed to the ticket: the feature's base is left empty, so
    that it counts as changed.
    """
    feature, shown = intent.feature, intent.draft
    for name, rule in work.rules.items():
        now, drafted = ticket.snapshot.value(name), intent.draft.value(name)
        if rule.same(Side.TICKET, now, drafted) or rule.lesser(Side.TICKET, now, drafted):
            shown = with_value(shown, name, now)
    if intent.draft.status is None:
        shown = replace(shown, status=ticket.status.id)
    elif ticket.status.id != intent.draft.status:
        feature, shown = replace(feature, status=None), replace(shown, status=ticket.status.id)
    if not goes_out(work.integration.policy, Field.DESCRIPTION):
        # The feature's text never went out: it is an edit of its own, which a later change of the ticket joins.
        feature = replace(feature, description="")
    return Base(feature, shown)
