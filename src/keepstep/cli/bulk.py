"""Commands about bulk runs: push many, link existing, look, choose, start, pause, resume, cancel."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from keepstep.app import bulk as use
from keepstep.app import selecting
from keepstep.app.context import Context
from keepstep.cli.opening import ACTOR, find_integration, run_with_context
from keepstep.cli.printing import ago, at, note, say, say_data, say_facts, say_json, say_table
from keepstep.cli.reading import read_text
from keepstep.domain.bulk import BulkItem, BulkOutcome, BulkRun, BulkState, FirstSync, Way
from keepstep.domain.errors import InvalidInputError, MissingError
from keepstep.domain.ids import BulkId
from keepstep.ports.bulk import BulkItemQuery
from keepstep.web.api.models_bulk import BulkItemOut, BulkRunOut, PairedBy

bulk = typer.Typer(no_args_is_help=True, help="Bulk runs: many features pushed or linked at once.")

Named = Annotated[str, typer.Argument(metavar="RUN", help="Its id, or the id's beginning.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Wait = Annotated[
    float, typer.Option(min=0, help="Seconds to wait until the run is collected; 0 does not wait.")
]
_LOOK_SECONDS = 0.5
_ID_SHOWN = 8
_SHORTEST_PREFIX = 4
_PAGE = 500
_LARGEST_ID = 2**63 - 1


def add_to(app: typer.Typer) -> None:
    app.add_typer(bulk, name="bulk")


@bulk.command("list")
def list_all(
    *,
    integration: Annotated[str | None, typer.Option(help="Of this integration only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_PAGE)] = 20,
    as_json: AsJson = False,
) -> None:
    """List bulk runs, newest first."""

    async def work(ctx: Context) -> list[BulkRunOut]:
        chosen = (await find_integration(ctx, integration)).id if integration else None
        found, _ = await use.list_runs(ctx, chosen, 0, limit)
        return [BulkRunOut.of(each) for each in found]

    found = run_with_context(work)
    if as_json:
        say_json(found)
        return
    rows = [
        (run.id[:_ID_SHOWN], run.kind, run.state, str(run.total), ago(run.created_at), run.title)
        for run in found
    ]
    say_table(("ID", "KIND", "STATE", "ITEMS", "MADE", "WHAT"), rows, (5,))


@bulk.command()
def push(
    integration: Annotated[str, typer.Argument(help="Its name, id, or the id's beginning.")],
    *,
    text: Annotated[str, typer.Option(help="Part of the title.")] = "",
    status: Annotated[
        list[str] | None, typer.Option(help="Any of these; may be given several times.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Any of these; may be given several times.")] = None,
    place: Annotated[str, typer.Option(help="A product or component; what is below it counts.")] = "",
    owner: Annotated[str, typer.Option(help="E-mail address.")] = "",
    subfeatures: Annotated[bool, typer.Option("--subfeatures", help="Subfeatures too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Start at once, without looking at it first.")] = False,
    wait: Wait = 60,
    as_json: AsJson = False,
) -> None:
    """Select features to be pushed. Nothing is pushed before the run is started."""
    asked = selecting.Asked(text, status or (), tag or (), place, owner, subfeatures=subfeatures)

    async def work(ctx: Context) -> BulkRunOut:
        chosen = await find_integration(ctx, integration)
        selection, title = await selecting.select(ctx, chosen.id, asked)
        run = await use.propose_push(ctx, chosen.id, selection, title, ACTOR)
        return await _collected(ctx, run, wait, start=yes)

    _say_proposed(run_with_context(work), as_json=as_json)


@bulk.command()
def link(
    integration: Annotated[str, typer.Argument(help="Its name, id, or the id's beginning.")],
    *,
    by: Annotated[
        list[PairedBy] | None,
        typer.Option(help="How pairs are looked for; may be given several times. Default: all ways."),
    ] = None,
    csv: Annotated[
        str | None, typer.Option(help="A file with the columns feature and ticket; - is standard input.")
    ] = None,
    wait: Wait = 60,
    as_json: AsJson = False,
) -> None:
    """Look for features and tickets that belong together. Nothing is linked before the run is started."""
    pairs = read_text(csv) if csv else ""
    ways = [Way(each) for each in by or PairedBy]

    async def work(ctx: Context) -> BulkRunOut:
        chosen = await find_integration(ctx, integration)
        run = await use.propose_link(ctx, chosen.id, ways, ACTOR, csv=pairs)
        return await _collected(ctx, run, wait, start=False)

    if csv and not pairs.strip():
        raise InvalidInputError("csv", f"{csv} is empty.")
    _say_proposed(run_with_context(work), as_json=as_json)


async def _collected(ctx: Context, run: BulkRun, wait: float, *, start: bool) -> BulkRunOut:
    """Raises InvalidInputError when it should be started and is not collected in time."""
    until = time.monotonic() + wait
    while (found := (await use.view_run(ctx, run.id)).run).state is BulkState.PREPARING:
        if time.monotonic() >= until:
            if start:
                raise InvalidInputError(
                    "wait",
                    f"Run {run.id[:_ID_SHOWN]} is still being collected: is a worker running? Start it later.",
                )
            break
        await asyncio.sleep(_LOOK_SECONDS)
    if start and found.state is BulkState.PROPOSED:
        await use.start(ctx, run.id, ACTOR)
    return BulkRunOut.of(await use.view_run(ctx, run.id))


def _say_proposed(run: BulkRunOut, *, as_json: bool) -> None:
    if as_json:
        say_json(run)
        return
    short = run.id[:_ID_SHOWN]
    match run.state:
        case BulkState.PREPARING:
            note(f"It is being collected. See `keepstep bulk show {short}`.")
        case BulkState.PROPOSED:
            note(
                f"{run.chosen} chosen, {run.outcomes[BulkOutcome.SKIPPED]} skipped. "
                f"Look: `keepstep bulk show {short}`. Start: `keepstep bulk start {short}`."
            )
        case _:
            note(f"It is {run.state}. {run.message}".strip())
    say(run.id)


@bulk.command()
def show(
    run: Named,
    *,
    outcome: Annotated[
        list[BulkOutcome] | None, typer.Option(help="Items of this outcome only; several are possible.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, max=100_000, help="Items to list.")] = 50,
    as_json: AsJson = False,
) -> None:
    """State, counts, about when it will be done, and its items."""

    async def work(ctx: Context) -> tuple[BulkRunOut, list[BulkItem]]:
        found = await _find(ctx, run)
        items, _ = await use.list_items(ctx, BulkItemQuery(found, outcome or (), limit=limit))
        return BulkRunOut.of(await use.view_run(ctx, found)), list(items)

    found, items = run_with_context(work)
    if as_json:
        shown = [BulkItemOut.of(each).model_dump(mode="json") for each in items]
        say_data(found.model_dump(mode="json") | {"items": shown})
        return
    counted = ", ".join(f"{number} {name}" for name, number in found.outcomes.items() if number)
    say_facts(
        [
            ("Run", found.id),
            ("What", f"{found.kind}: {found.title}"),
            ("State", f"{found.state}. {found.message}"),
            ("Items", counted or "none"),
            ("Ready", f"about {at(found.ends_at)}" if found.ends_at else ""),
            *(("Note", each) for each in found.notes),
        ]
    )
    say()
    rows = [
        (
            str(each.id),
            each.outcome if each.chosen or each.outcome is not BulkOutcome.WAITING else "not chosen",
            each.ticket.label if each.ticket else "-",
            each.feature_title or each.feature_id,
            each.reason or each.way or "",
        )
        for each in items
    ]
    say_table(("ITEM", "OUTCOME", "TICKET", "FEATURE", "WHY"), rows, (3, 4))


@bulk.command()
def choose(
    run: Named,
    items: Annotated[
        list[int], typer.Argument(metavar="ITEM...", min=1, max=_LARGEST_ID, help="See `bulk show`.")
    ],
    *,
    out: Annotated[bool, typer.Option("--out", help="Leave them out instead of taking them in.")] = False,
) -> None:
    """Take items in, or leave them out, before the run is started."""

    async def work(ctx: Context) -> BulkRunOut:
        found = await _find(ctx, run)
        await use.choose(ctx, found, items, chosen=not out)
        return BulkRunOut.of(await use.view_run(ctx, found))

    note(f"{run_with_context(work).chosen} chosen.")


@bulk.command()
def start(
    run: Named,
    *,
    first: Annotated[
        FirstSync | None, typer.Option(help="Of linking: whose values stay where the two sides differ.")
    ] = None,
) -> None:
    """Start what was proposed. What is not chosen is left out."""
    _move(run, lambda ctx, found: use.start(ctx, found, ACTOR, first))


@bulk.command()
def pause(run: Named) -> None:
    """What is under way ends; nothing new begins."""
    _move(run, lambda ctx, found: use.pause(ctx, found, ACTOR))


@bulk.command()
def resume(run: Named) -> None:
    """Go on."""
    _move(run, lambda ctx, found: use.resume(ctx, found, ACTOR))


@bulk.command()
def cancel(run: Named) -> None:
    """What is under way ends, what waits is skipped, what is done stays."""
    _move(run, lambda ctx, found: use.cancel(ctx, found, ACTOR))


def _move(run: str, move: Callable[[Context, BulkId], Awaitable[BulkRun]]) -> None:
    async def work(ctx: Context) -> BulkRun:
        return await move(ctx, await _find(ctx, run))

    note(f"It is {run_with_context(work).state}.")


async def _find(ctx: Context, named: str) -> BulkId:
    """By id, or by its beginning. Raises MissingError, InvalidInputError."""
    wanted, found, offset = named.strip().lower(), list[BulkId](), 0
    while len(wanted) >= _SHORTEST_PREFIX:
        views, total = await use.list_runs(ctx, None, offset, _PAGE)
        found += [each.run.id for each in views if each.run.id.startswith(wanted)]
        offset += _PAGE
        if offset >= total:
            break
    if not found:
        raise MissingError(f"There is no bulk run {named!r}. See `keepstep bulk list`.")
    if len(found) > 1:
        raise InvalidInputError("run", f"Several runs begin with {named!r}: give more of the id.")
    return found[0]
