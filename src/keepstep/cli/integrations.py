"""Commands about integrations that exist: list, look at, pause, resume, sync, replace a token, delete."""

import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated

import typer

from keepstep.app import connect, discover, guarding, manage, removing
from keepstep.app.context import Context
from keepstep.app.overview import IntegrationRow, list_integrations
from keepstep.cli import integrations_making
from keepstep.cli.integrations_options import AsJson, Named, Wait
from keepstep.cli.opening import ACTOR, find_integration, run_with_context
from keepstep.cli.printing import ago, at, note, say, say_facts, say_json, say_table
from keepstep.cli.reading import read_token
from keepstep.cli.waiting import wait_for_removal
from keepstep.domain.ids import IntegrationId
from keepstep.web.api.integrations import detail_of
from keepstep.web.api.models_integrations import IntegrationDetail, IntegrationSummary
from keepstep.web.api.values import naming

integrations = typer.Typer(no_args_is_help=True, help="Integrations: one workspace, one project, one column.")

_ID_SHOWN = 8
_NEWEST = 10


class TokenSide(StrEnum):
    BOARD = "board"
    TRACKER = "tracker"


def add_to(app: typer.Typer) -> None:
    integrations_making.add_to(integrations)
    app.add_typer(integrations, name="integrations")


@integrations.command("list")
def list_all(*, as_json: AsJson = False) -> None:
    """List them, those that need attention first."""
    rows = run_with_context(list_integrations)
    if as_json:
        say_json([IntegrationSummary.of(each) for each in rows])
    elif not rows:
        note("There is none yet. Make one with `keepstep integrations create`, or on the page.")
    else:
        heads = ("ID", "NAME", "STATE", "LINKS", "HEALTH")
        say_table(heads, [_row(each) for each in rows], flexible=(1, 4))


def _row(row: IntegrationRow) -> tuple[str, ...]:
    integration = row.integration
    links = str(sum(row.by_state.values()))
    return integration.id[:_ID_SHOWN], integration.name, integration.state, links, row.health.sentence


@integrations.command()
def show(integration: Named, *, as_json: AsJson = False) -> None:
    """Show one: its health, its settings, its steps and its last events. Tokens are never shown."""
    found = run_with_context(lambda ctx: _detail(ctx, integration))
    if as_json:
        say_json(found)
    else:
        _show(found)


async def _detail(ctx: Context, named: str) -> IntegrationDetail:
    return await detail_of(ctx, (await find_integration(ctx, named)).id)


def _show(found: IntegrationDetail) -> None:
    links, tracker = found.links, found.tracker
    say_facts((
        ("Name", found.name),
        ("Id", found.id),
        ("State", found.state),
        ("Health", f"{found.health.word}: {found.health.sentence}"),
        ("What helps", found.health.cure),
        ("Productboard", f"{found.board.workspace} ({found.board.base_url}), token …{found.board.token_end}"),
        ("Tracker", f"{tracker.name} ({tracker.base_url}), token …{tracker.token_end}"),
        ("Project", f"{found.project.name} (id {found.project.id})"),
        ("Button", found.button),
        ("Links", f"{links.in_step} in step, {links.working} working, {links.attention} need attention"),
        ("Waiting", f"{found.waiting} notices" if found.waiting else ""),
        *((f"Heard of {side}s", ago(moment)) for side, moment in found.last_notice.items()),
        *((f"Wrote to {side}s", ago(moment)) for side, moment in found.last_change.items()),
    ))  # fmt: skip
    if found.state in ("connecting", "removing"):
        say("\nSteps")
        say_table(
            ("STEP", "STATE", "DETAIL"), [(each.name, each.state, each.detail) for each in found.steps], (2,)
        )
    if found.attention:
        say("\nNeeds attention")
        rows = [(each.id[:_ID_SHOWN], each.feature.title, each.health.sentence) for each in found.attention]
        say_table(("LINK", "FEATURE", "WHAT"), rows, flexible=(1, 2))
    say("\nLast events")
    events = [(at(each.at), each.act, each.reason) for each in found.journal[:_NEWEST]]
    say_table(("AT", "WHAT", "WHY"), events, flexible=(2,))


@integrations.command()
def pause(integration: Named) -> None:
    """Carry nothing over until it is resumed. What comes in is kept."""
    _steer(integration, lambda ctx, each: manage.pause(ctx, each, ACTOR), "is paused")


@integrations.command()
def resume(integration: Named) -> None:
    """Go on with what waited."""
    _steer(integration, lambda ctx, each: manage.resume(ctx, each, ACTOR), "is active again")


@integrations.command("allow-detaching")
def allow_detaching(integration: Named) -> None:
    """Go on after too many Links seemed to be gone: for an hour they are detached without asking."""
    _steer(
        integration, lambda ctx, each: guarding.allow(ctx, each, ACTOR), "detaches what is gone, for an hour"
    )


@integrations.command()
def sync(integration: Named) -> None:
    """Look at both sides now instead of at the next poll."""
    _steer(
        integration, lambda ctx, each: manage.sync_integration(ctx, each, ACTOR), "looks at both sides now"
    )


@integrations.command("try-again")
def try_again(integration: Named) -> None:
    """Connect, or remove, once more after it stopped."""
    _steer(integration, lambda ctx, each: connect.try_again(ctx, each, ACTOR), "is tried again")


@integrations.command()
def discard(integration: Named) -> None:
    """Drop one that could not be connected. All that it had made outside was undone before."""
    _steer(integration, connect.discard, "is gone")


@integrations.command()
def forget(integration: Named) -> None:
    """While it is being removed: drop our data although the other side refuses its part."""
    _steer(integration, lambda ctx, each: removing.forget_anyway(ctx, each, ACTOR), "is forgotten")


@integrations.command()
def token(
    integration: Named,
    side: Annotated[TokenSide, typer.Argument(help="Productboard's (board) or the tracker's.")],
) -> None:
    """Replace a token; the new one is read from standard input, and tried before it is stored."""
    pasted = read_token(None, "The new token")

    async def replace(ctx: Context, each: IntegrationId) -> None:
        with naming():
            secret = discover.cleaned_token(pasted)
            await manage.replace_token(ctx, each, side.value, secret, ACTOR)

    _steer(integration, replace, f"has a new {side} token")


def _steer(named: str, act: Callable[[Context, IntegrationId], Awaitable[None]], outcome: str) -> None:
    async def work(ctx: Context) -> str:
        found = await find_integration(ctx, named)
        await act(ctx, found.id)
        return found.name

    note(f"{run_with_context(work)} {outcome}.")


@integrations.command()
def delete(
    integration: Named,
    *,
    clean_tickets: Annotated[
        bool,
        typer.Option("--clean-tickets", help="Also take the link back to Productboard out of the tickets."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait: Wait = 30.0,
) -> None:
    """Remove the column, both webhooks and our data. Features and tickets stay."""
    if not yes:
        found = run_with_context(lambda ctx: find_integration(ctx, integration))
        typer.confirm(f"Delete {found.name}, its column and its Links?", abort=True, err=True)

    async def work(ctx: Context) -> tuple[str, bool]:
        chosen = await find_integration(ctx, integration)
        await removing.remove(ctx, chosen.id, ACTOR, clean_tickets=clean_tickets)
        return chosen.name, await wait_for_removal(ctx, chosen.id, time.monotonic() + wait)

    name, gone = run_with_context(work)
    if gone:
        note(f"{name} is gone.")
    else:
        note(f"{name} is being removed; that goes on by itself while `keepstep serve` runs.")
