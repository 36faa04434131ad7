"""What a sweep costs in calls: 10,000 Links, of which 50 features changed and no webhook told of it.

The Links are made from what the service itself reads on both sides, so that it knows them as it would know pushed ones.
Then both sides are polled once, 50 features are edited while their webhooks are lost, and both are polled again: the
calls of that poll, of the syncs it wakes and of their echoes are counted in the emulators' journals.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bench.edits import Edit, Way, What
from bench.figures import BenchError, Figure, amount
from bench.stage import Column, Pair, Stage, open_stage
from keepstep.adapters.postgres.embedded import embedded_postgres
from keepstep.app import polling
from keepstep.app.cells import cell_of
from keepstep.app.context import Context
from keepstep.app.opening import open_sides
from keepstep.app.pairing import new_pair
from keepstep.bootstrap import open_runtime
from keepstep.domain.bulk import FirstSync
from keepstep.domain.feature import Feature
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId
from keepstep.domain.ticket import Ticket
from keepstep.settings import load_settings

_SEED_AT_ONCE = 1000
_PAGE = 100
_CALLS_PER_CHANGE, _OTHER_CALLS = 5, 10


async def measure(links: int, changed: int) -> list[Figure]:
    async with open_stage() as stage, _opened(stage) as ctx:
        column = await stage.add_column(0)
        pairs = await _linked(stage, ctx, column, links)
        await _poll(ctx, column)
        await stage.quiet()
        # Whatever was changed within the overlap is listed again; here that would be all of it.
        calm = replace(ctx, rules=replace(ctx.rules, poll_overlap=timedelta(0)))
        await stage.board.control(
            "POST", "faults", {"match": "* *", "direction": "out", "lose": True, "times": 100_000}
        )
        edits = [
            Edit(Way.TO_TICKET, What.TITLE, each, 1) for each in pairs[:: max(1, links // changed)][:changed]
        ]
        for each in edits:
            await each.make(stage)
        await stage.board.control("DELETE", "faults")
        since = await stage.board.position(), await stage.tracker.position()
        await _poll(calm, column)
        await stage.quiet()
        asked = [
            each
            for journal in (await stage.board.journal(since[0]), await stage.tracker.journal(since[1]))
            for each in journal
            if each.is_call
        ]
        for each in edits:
            await each.check(stage)
        most = -(-changed // _PAGE) + _CALLS_PER_CHANGE * changed + _OTHER_CALLS
        note = f"{sum(any(pair.is_meant(call.path) for pair in pairs) for call in asked)} of them for the changed ones"
        name = f"sweep of {links:,} Links of which {changed} changed, echoes included"
        return [amount(name, [len(asked)], "calls", most=most, digits=0, note=note)]


@asynccontextmanager
async def _opened(stage: Stage) -> AsyncIterator[Context]:
    with embedded_postgres(stage.service.database.folder) as dsn:
        async with open_runtime(load_settings(**stage.service.settings), dsn) as runtime:
            yield runtime.ctx


async def _linked(stage: Stage, ctx: Context, column: Column, links: int) -> list[Pair]:
    """Equal features and tickets on both sides, each two a Link."""
    for start in range(0, links, _SEED_AT_ONCE):
        names = [f"Wish {number:06}" for number in range(start, min(links, start + _SEED_AT_ONCE))]
        entities = [{"type": "feature", "fields": {"name": each}} for each in names]
        await stage.board.control("POST", "seed", {"workspace": column.workspace, "entities": entities})
        issues = [{"project": column.project, "title": each, "days_old": 1} for each in names]
        await stage.tracker.control("POST", "seed", {"issues": issues})
    async with ctx.storage.begin() as uow:
        integration = await uow.integrations.get(IntegrationId(column.integration))
    sides = await open_sides(ctx, integration)
    ever = datetime(2000, 1, 1, tzinfo=UTC)
    features: dict[str, Feature] = {
        each.title: each async for each in sides.board.features.iter_changed("feature", ever)
    }
    tickets: dict[str, Ticket] = {
        each.title: each async for each in sides.tracker.tickets.iter_changed(integration.project.id, ever)
    }
    both = [(features[title], tickets[title]) for title in sorted(features) if title in tickets]
    if len(both) != links:
        raise BenchError(f"{len(both)} of {links} items were found on both sides.")
    async with ctx.storage.begin() as uow:
        for feature, ticket in both:
            link = new_pair(ctx, integration, sides.tracker, feature, ticket, FirstSync.KEEP)
            # As after a push: we know what the cell shows, because we put it there.
            await uow.links.add_or_find(replace(link, cell=cell_of(ctx, link)))
        await uow.commit()
    return [Pair(column, feature.id, int(ticket.ref.key)) for feature, ticket in both]


async def _poll(ctx: Context, column: Column) -> None:
    for side in Side:
        await polling.poll(ctx, IntegrationId(column.integration), side)
