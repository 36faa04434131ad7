"""What a person does with bulk runs: propose, choose, start, pause, resume, cancel, and look."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from keepstep.app.bulk_csv import read_pairs
from keepstep.app.bulk_feeding import AT_ONCE
from keepstep.app.context import Context
from keepstep.app.opening import open_sides
from keepstep.app.preview import Preview, preview_with
from keepstep.app.revising import until_done
from keepstep.domain.bulk import (
    STARTED,
    BulkCounts,
    BulkItem,
    BulkKind,
    BulkOutcome,
    BulkRun,
    BulkState,
    FeatureSelection,
    FirstSync,
    Way,
    estimated_end,
)
from keepstep.domain.errors import ForbiddenMoveError, InvalidInputError
from keepstep.domain.events import Act, Entry
from keepstep.domain.ids import BulkId, IntegrationId
from keepstep.domain.integration import Integration, IntegrationState
from keepstep.ports.bulk import BulkItemQuery
from keepstep.ports.storage import UnitOfWork
from keepstep.ports.tracker import TrackerManifest

_BOARD_CALLS_PER_SECOND = 50
"""Productboard's declared limit of one token."""
_CALLS_PER_ITEM = 3
"""On the busier side, about: read, write, and what the write leaves to be written."""


@dataclass(frozen=True, slots=True)
class BulkView:
    run: BulkRun
    integration: Integration
    counts: BulkCounts
    ends_at: datetime | None
    """About when it will be done; None while nothing goes on."""


async def propose_push(
    ctx: Context, integration_id: IntegrationId, selection: FeatureSelection, title: str, actor: str
) -> BulkRun:
    """Collecting begins; nothing is pushed before the run is started. Raises ForbiddenMoveError."""
    run = BulkRun(
        id=ctx.clock.new_bulk_id(),
        integration_id=integration_id,
        kind=BulkKind.PUSH,
        state=BulkState.PREPARING,
        created_at=ctx.clock.now(),
        actor=actor,
        title=title,
        selection=selection,
    )
    return await _add(ctx, run)


async def propose_link(
    ctx: Context,
    integration_id: IntegrationId,
    ways: Collection[Way],
    actor: str,
    *,
    csv: str = "",
) -> BulkRun:
    """By a CSV of pairs, else by these ways. Raises InvalidInputError (ways, csv), ForbiddenMoveError.

    Nothing is linked before the run is started, and what was found by equal titles only after a tick.
    """
    pairs = read_pairs(csv) if csv.strip() else ()
    looked_for = [each for each in (Way.MARKER, Way.ADDRESS, Way.TITLE) if each in ways]
    if not pairs and not looked_for:
        raise InvalidInputError("ways", "Choose by what pairs are looked for, or give a CSV.")
    title = f"CSV of {len(pairs)} pairs" if pairs else f"Pairs by {', '.join(looked_for)}"
    run = BulkRun(
        id=ctx.clock.new_bulk_id(),
        integration_id=integration_id,
        kind=BulkKind.LINK,
        state=BulkState.PREPARING,
        created_at=ctx.clock.now(),
        actor=actor,
        title=title,
        ways=(Way.CSV,) if pairs else tuple(looked_for),
        csv=pairs,
    )
    return await _add(ctx, run)


async def _add(ctx: Context, run: BulkRun) -> BulkRun:
    async with ctx.storage.begin() as uow:
        check_active(await uow.integrations.get(run.integration_id))
        await uow.bulk_runs.add(run)
        await uow.commit()
    return run


def check_active(integration: Integration) -> None:
    """Raises ForbiddenMoveError."""
    if integration.state is not IntegrationState.ACTIVE:
        raise ForbiddenMoveError(
            f"{integration.name} is {integration.state}: bulk runs go on only while it is active."
        )


async def start(ctx: Context, run_id: BulkId, actor: str, first: FirstSync | None = None) -> BulkRun:
    """What is not chosen is left out. `first`: of linking, whose values stay where the sides differ."""

    async def begin(uow: UnitOfWork, run: BulkRun) -> BulkRun:
        check_active(await uow.integrations.get(run.integration_id))
        for other in await uow.bulk_runs.at_work():
            if other.integration_id == run.integration_id and other.state in STARTED and other.id != run.id:
                raise ForbiddenMoveError(
                    "Another bulk run of this integration is under way: wait for its end, or cancel it."
                )
        started = run.started(ctx.clock.now())
        saved = await uow.bulk_runs.save(started if first is None else replace(started, first=first))
        await uow.bulk_items.skip_waiting(run.id, "Left out by a person.", unchosen_only=True)
        counts = await uow.bulk_items.counts(run.id)
        await _tell(ctx, uow, saved, f"Started: {_what(saved, counts.chosen)}.", actor)
        return saved

    return await _change(ctx, run_id, begin)


def _what(run: BulkRun, number: int) -> str:
    features = "1 feature" if number == 1 else f"{number} features"
    return f"{features} to be {'pushed' if run.kind is BulkKind.PUSH else 'linked with their tickets'}"


async def choose(ctx: Context, run_id: BulkId, items: Collection[int], *, chosen: bool) -> BulkRun:
    """Take items in, or leave them out, before the run is started."""

    async def mark(uow: UnitOfWork, run: BulkRun) -> BulkRun:
        if run.state is not BulkState.PROPOSED:
            raise ForbiddenMoveError(f"This run is {run.state}: items are chosen while it is proposed.")
        saved = await uow.bulk_runs.save(run)
        await uow.bulk_items.choose(run.id, items, chosen=chosen)
        return saved

    return await _change(ctx, run_id, mark)


async def pause(ctx: Context, run_id: BulkId, actor: str) -> BulkRun:
    """What is under way ends; nothing new begins."""

    async def stop(uow: UnitOfWork, run: BulkRun) -> BulkRun:
        saved = await uow.bulk_runs.save(run.paused(f"Paused by {actor or 'a person'}."))
        await _tell(ctx, uow, saved, "Paused.", actor)
        return saved

    return await _change(ctx, run_id, stop)


async def resume(ctx: Context, run_id: BulkId, actor: str) -> BulkRun:
    async def go_on(uow: UnitOfWork, run: BulkRun) -> BulkRun:
        check_active(await uow.integrations.get(run.integration_id))
        counts = await uow.bulk_items.counts(run.id)
        saved = await uow.bulk_runs.save(run.resumed(ctx.clock.now(), counts.finished))
        await _tell(ctx, uow, saved, "Resumed.", actor)
        return saved

    return await _change(ctx, run_id, go_on)


async def cancel(ctx: Context, run_id: BulkId, actor: str) -> BulkRun:
    """What is under way ends; what waits is skipped. What is done stays."""

    async def drop(uow: UnitOfWork, run: BulkRun) -> BulkRun:
        counts = await uow.bulk_items.counts(run.id)
        under_way = counts.of(BulkOutcome.UNDER_WAY)
        saved = await uow.bulk_runs.save(run.cancelled(ctx.clock.now(), under_way=under_way))
        await uow.bulk_items.skip_waiting(run.id, "Cancelled before its turn.")
        if run.state in STARTED:
            await _tell(ctx, uow, saved, f"Cancelled; {counts.of(BulkOutcome.WAITING)} had not begun.", actor)
        return saved

    return await _change(ctx, run_id, drop)


async def _change(
    ctx: Context, run_id: BulkId, change: Callable[[UnitOfWork, BulkRun], Awaitable[BulkRun]]
) -> BulkRun:
    """`change` saves the run before it touches items: the run's row is the lock."""

    async def act(uow: UnitOfWork) -> BulkRun:
        return await change(uow, await uow.bulk_runs.get(run_id))

    return await until_done(ctx, act)


async def _tell(ctx: Context, uow: UnitOfWork, run: BulkRun, what: str, actor: str) -> None:
    name = "Bulk push" if run.kind is BulkKind.PUSH else "Bulk link"
    await uow.journal.add(
        Entry(ctx.clock.now(), Act.BULK, run.integration_id, reason=f"{name}. {what}", actor=actor)
    )


async def view_run(ctx: Context, run_id: BulkId) -> BulkView:
    """Raises MissingError."""
    async with ctx.storage.begin() as uow:
        run = await uow.bulk_runs.get(run_id)
        return await _view(ctx, uow, run, await uow.integrations.get(run.integration_id))


async def list_runs(
    ctx: Context, integration_id: IntegrationId | None, offset: int, limit: int
) -> tuple[Sequence[BulkView], int]:
    async with ctx.storage.begin() as uow:
        runs, total = await uow.bulk_runs.page(integration_id, offset, limit)
        known = {each.id: each for each in await uow.integrations.list_all()}
        return [await _view(ctx, uow, run, known[run.integration_id]) for run in runs], total


async def _view(ctx: Context, uow: UnitOfWork, run: BulkRun, integration: Integration) -> BulkView:
    counts = await uow.bulk_items.counts(run.id)
    pace = _declared_pace(ctx.outside.manifest(integration.tracker.kind))
    return BulkView(run, integration, counts, estimated_end(run, counts, ctx.clock.now(), pace))


def _declared_pace(manifest: TrackerManifest) -> float:
    """Items a second that both sides' declared limits allow, and that we begin at most."""
    limits = [limit.calls / limit.seconds for limit in manifest.limits]
    return min([AT_ONCE, *(each / _CALLS_PER_ITEM for each in (_BOARD_CALLS_PER_SECOND, *limits))])


async def list_items(ctx: Context, query: BulkItemQuery) -> tuple[Sequence[BulkItem], int]:
    async with ctx.storage.begin() as uow:
        return await uow.bulk_items.page(query)


async def preview_item(ctx: Context, run_id: BulkId, item_id: int) -> Preview:
    """The ticket that this item's feature would become, of its present words. Raises the errors of the outside."""
    async with ctx.storage.begin() as uow:
        run = await uow.bulk_runs.get(run_id)
        item = await uow.bulk_items.get(run_id, item_id)
        integration = await uow.integrations.get(run.integration_id)
    sides = await open_sides(ctx, integration)
    feature = await sides.board.features.fetch_feature(item.feature_id)
    statuses = await sides.tracker.account.list_statuses(integration.project.id)
    return preview_with(ctx, sides.tracker, feature, integration.policy, statuses)
