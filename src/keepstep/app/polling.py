"""Finding what notifications missed: watermarks per side, with overlap, all pages finished before the mark moves.

Subfeatures and trackers without webhooks live on this. An item is news when it shows something else than the last
sync saw, whatever its time says; what is known costs nothing. Linked items that the list of changes does not
contain are looked up by id, so that a deletion which nobody announces is noticed too.
"""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from keepstep.app.cells import cell_of
from keepstep.app.context import Context
from keepstep.app.failures import pause_for_credential
from keepstep.app.looking_after import look_after
from keepstep.app.moves import projects_of
from keepstep.app.opening import open_board, open_tracker
from keepstep.app.receive import wake_all
from keepstep.app.silence import note_unannounced
from keepstep.domain.calls import CallClass
from keepstep.domain.column import INITIAL, CellState
from keepstep.domain.events import Notice, NoticeKind, Source, Timer, TimerKind
from keepstep.domain.feature import PUSHABLE_TYPES
from keepstep.domain.fields import Side, Snapshot
from keepstep.domain.ids import FeatureId, IntegrationId, LinkId, TicketId
from keepstep.domain.integration import Integration, IntegrationState
from keepstep.domain.link import Link
from keepstep.domain.ticket import TicketRef
from keepstep.ports.errors import (
    AuthLostError,
    NotThereError,
    OutsideError,
    RateLimitedError,
    RejectedError,
)
from keepstep.ports.locks import BusyError
from keepstep.ports.storage import UnitOfWork

_PAGE = 100
_PATIENCE_SECONDS = 15.0
"""A poll begins anew when a call is refused its turn, and holds no worker's slot: it can wait longer than a job."""
_POLLS = {Side.FEATURE: TimerKind.POLL_FEATURES, Side.TICKET: TimerKind.POLL_TICKETS}


async def schedule_polls(
    ctx: Context, uow: UnitOfWork, integration: Integration, *, at_once: bool = False
) -> None:
    """In the caller's transaction; a poll schedules its successor, whatever becomes of it."""
    due = ctx.clock.now() if at_once else ctx.clock.now() + ctx.rules.poll_every
    for kind in (*_POLLS.values(), TimerKind.LOOK_AFTER):
        await uow.timers.set(Timer(kind, integration.id, due))


async def poll(ctx: Context, integration_id: IntegrationId, side: Side) -> int:
    """Returns how many Links turned out to have news. An upstream that is down is told by its Links, not here."""
    async with ctx.storage.begin() as uow:
        integration = await uow.integrations.find(integration_id)
    if integration is None or integration.state is not IntegrationState.ACTIVE:
        return 0
    try:
        async with ctx.locks.hold(f"poll:{integration_id}:{side}"):
            return await _poll(ctx, integration, side)
    except BusyError:
        return 0
    except AuthLostError as error:
        async with ctx.storage.begin() as uow:
            await pause_for_credential(ctx, uow, integration_id, error)
            await uow.commit()
        return 0
    except RateLimitedError as error:
        async with ctx.storage.begin() as uow:
            due = ctx.clock.now() + error.retry_after
            await uow.timers.set(Timer(_POLLS[side], integration_id, due))
            await uow.commit()
        return 0


async def _poll(ctx: Context, integration: Integration, side: Side) -> int:
    started = ctx.clock.now()
    async with ctx.storage.begin() as uow:
        mark = await uow.marks.get(integration.id, side)
    is_ahead = mark is not None and mark > started
    since = started - ctx.rules.poll_every if is_ahead else mark or integration.created_at
    since -= ctx.rules.poll_overlap
    shown = await (_changed_features if side is Side.FEATURE else _changed_tickets)(ctx, integration, since)
    news = await _store_news(ctx, integration, side, shown)
    # A mark that lies ahead is of a clock that was put right since: it does not say when that poll was.
    looked_up = is_ahead or await _is_look_up_due(ctx, integration, side)
    if looked_up:
        news += await _look_up_the_rest(ctx, integration, side, set(shown))
    if side is Side.FEATURE:
        news += await _mend_cells(ctx, integration)
    async with ctx.storage.begin() as uow:
        await uow.marks.set(integration.id, side, started)
        if looked_up:
            await uow.marks.set(integration.id, f"ids:{side}", started)
        await uow.commit()
    return news


async def _is_look_up_due(ctx: Context, integration: Integration, side: Side) -> bool:
    async with ctx.storage.begin() as uow:
        last = await uow.marks.get(integration.id, f"ids:{side}")
    return last is None or not timedelta() <= ctx.clock.now() - last < ctx.rules.look_up_every


async def _changed_features(ctx: Context, integration: Integration, since: datetime) -> dict[str, Snapshot]:
    features = (await open_board(ctx, integration)).features
    return {
        each.id: each.snapshot
        for kind in sorted(PUSHABLE_TYPES)
        async for each in features.iter_changed(kind, since)
    }


async def _changed_tickets(ctx: Context, integration: Integration, since: datetime) -> dict[str, Snapshot]:
    """In its own project, and in those that tickets were followed to; one of those that is gone loses nothing here."""
    tickets = (await open_tracker(ctx, integration)).tickets
    own, *others = await projects_of(ctx, integration)
    shown: dict[str, Snapshot] = {
        each.ref.id: each.snapshot async for each in tickets.iter_changed(own, since)
    }
    for project in others:
        with contextlib.suppress(NotThereError, RejectedError):
            shown |= {each.ref.id: each.snapshot async for each in tickets.iter_changed(project, since)}
    return shown


async def _store_news(
    ctx: Context,
    integration: Integration,
    side: Side,
    shown: dict[str, Snapshot],
    *,
    gone: Sequence[str] = (),
) -> int:
    """One row for each linked item that shows something new, or nothing any more, unless a row that waits says so."""
    items = [*shown, *gone]
    dirty: list[LinkId] = []
    for start in range(0, len(items), _PAGE):
        async with ctx.storage.begin() as uow:
            part, unannounced = items[start : start + _PAGE], False
            for link in await _links_with_news(uow, integration, side, part, shown):
                subject = _subject(link, side)
                await uow.inbox.add(_notice(ctx, link, side, subject))
                dirty.append(link.id)
                unannounced |= subject in shown and _is_announced(link, side)
            if dirty:
                await uow.marks.set(integration.id, found_first(side), ctx.clock.now())
            if unannounced:
                await note_unannounced(ctx, uow, integration.id, side)
            await uow.commit()
    await wake_all(ctx, dirty)
    return len(dirty)


def found_first(side: Side) -> str:
    """The mark of the last change that a look found before any notification told of it."""
    return f"found first:{side}"


def _is_announced(link: Link, side: Side) -> bool:
    """Subfeatures have no webhook: a look is the only way to hear of them."""
    return side is Side.TICKET or link.feature_type != "subfeature"


async def _links_with_news(
    uow: UnitOfWork, integration: Integration, side: Side, items: Sequence[str], shown: dict[str, Snapshot]
) -> Sequence[Link]:
    """Without those that have been told and cannot look now; the sweep wakes them for what waits."""
    found = [
        link
        for link in await _links_of(uow, integration, side, items)
        if (subject := _subject(link, side)) not in shown or _is_news(link, side, shown[subject])
    ]
    if not found:
        return ()
    told = await uow.inbox.with_news([link.id for link in found], side)
    return [link for link in found if link.id not in told]


async def _links_of(
    uow: UnitOfWork, integration: Integration, side: Side, items: Sequence[str]
) -> Sequence[Link]:
    if side is Side.FEATURE:
        links = await uow.links.of_features(integration.id, [FeatureId(each) for each in items])
    else:
        links = await uow.links.of_tickets(integration.tracker.key, [TicketId(each) for each in items])
    return [link for link in links if link.is_open and link.base and link.integration_id == integration.id]


def _subject(link: Link, side: Side) -> str:
    return link.feature_id if side is Side.FEATURE or link.ticket is None else link.ticket.id


def _is_news(link: Link, side: Side, snapshot: Snapshot) -> bool:
    seen = link.seen.get(side)
    return seen is None or seen.digest != snapshot.digest


def _notice(ctx: Context, link: Link, side: Side, subject: str) -> Notice:
    return Notice(
        link.integration_id, NoticeKind.CHANGED, Source.POLL, ctx.clock.now(), side, subject, link.id
    )


async def _look_up_the_rest(ctx: Context, integration: Integration, side: Side, known: set[str]) -> int:
    """Every linked item that was not among the changed ones, by id, a page at a time."""
    news, last = 0, None
    while True:
        async with ctx.storage.begin() as uow:
            links = await uow.links.list_after(integration.id, last, _PAGE)
        if not links:
            return news
        last = links[-1]
        rest = [each for each in links if each.is_open and each.base and _subject(each, side) not in known]
        if rest:
            shown = await _fetch_all(ctx, integration, side, rest)
            lost = [_subject(each, side) for each in rest if _subject(each, side) not in shown]
            unknown = [each for each in lost if not _is_lost_already(rest, side, each)]
            news += await _store_news(ctx, integration, side, shown, gone=unknown)


async def _mend_cells(ctx: Context, integration: Integration) -> int:
    """Cells in `progress` or `error` that our Links do not explain: the Link looks again, a stray spinner goes.

    An error without a Link is the answer to a click while nothing could be pushed; the person dismisses it.
    """
    column = integration.registrations.column
    if column is None:
        return 0
    columns = (await open_board(ctx, integration)).columns
    unsettled, woken = await columns.list_unsettled(column), []
    for feature, cell in unsettled.items():
        async with ctx.storage.begin() as uow:
            link = await uow.links.find_open(integration.id, feature)
            if link is not None and cell_of(ctx, link) != cell:
                kind, now = NoticeKind.CELL, ctx.clock.now()
                await uow.inbox.add(
                    Notice(integration.id, kind, Source.POLL, now, Side.FEATURE, feature, link.id)
                )
                woken.append(link.id)
                await uow.commit()
        if link is None and cell.state is CellState.PROGRESS:
            with contextlib.suppress(NotThereError):  # a cell whose feature is gone must not stop the poll
                await columns.put_cell(column, feature, INITIAL)
    await wake_all(ctx, woken)
    return len(woken)


def _is_lost_already(links: Sequence[Link], side: Side, subject: str) -> bool:
    """Its second look is due by a timer; the poll has nothing to add."""
    return any(_subject(link, side) == subject and link.lost is not None for link in links)


async def _fetch_all(
    ctx: Context, integration: Integration, side: Side, links: Sequence[Link]
) -> dict[str, Snapshot]:
    if side is Side.FEATURE:
        board = await open_board(ctx, integration)
        features = await board.features.list_features([link.feature_id for link in links])
        return {each.id: each.snapshot for each in features}
    tracker = await open_tracker(ctx, integration)
    refs = sorted((link.ticket for link in links if link.ticket), key=_project)
    shown: dict[str, Snapshot] = {}
    for project, some in groupby(refs, _project):
        tickets = await tracker.tickets.list_tickets(project, list(some))
        shown |= {each.ref.id: each.snapshot for each in tickets}
    return shown


def _project(ref: TicketRef) -> str:
    return ref.project


async def run_due_poll(ctx: Context, timer: Timer) -> None:
    """What the sweep runs for a poll's timer; its successor was scheduled when the timer was taken."""
    with ctx.outside.calling(CallClass.SWEEP, patience=_PATIENCE_SECONDS):
        if timer.kind is TimerKind.LOOK_AFTER:
            await look_after(ctx, timer.integration_id)
            return
        side = Side.FEATURE if timer.kind is TimerKind.POLL_FEATURES else Side.TICKET
        with contextlib.suppress(OutsideError):  # the mark did not move: the next poll covers the same time
            await poll(ctx, timer.integration_id, side)
