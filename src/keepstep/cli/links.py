"""Commands about Links: list, look at, explain, pair, sync, unlink, decide, put a value back."""

from typing import Annotated

import typer

from keepstep.app import links as use
from keepstep.app.context import Context
from keepstep.app.overview import list_links
from keepstep.cli.explaining import explain_link
from keepstep.cli.opening import ACTOR, find_integration, find_link, run_with_context
from keepstep.cli.printing import ago, note, say, say_facts, say_json, say_table
from keepstep.domain.bulk import FirstSync
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import LinkId
from keepstep.domain.link import Link, LinkState
from keepstep.ports.storage import LinkQuery
from keepstep.web.api.links import detail_of, states_of
from keepstep.web.api.models_links import LinkDetail, LinkSort, LinkSummary, StateGroup

links = typer.Typer(no_args_is_help=True, help="Links: one feature and one ticket that are kept in step.")

Named = Annotated[str, typer.Argument(metavar="LINK", help="Its id, or the id's beginning.")]
Several = Annotated[list[str], typer.Argument(metavar="LINK...", help="Their ids, or the ids' beginnings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_ID_SHOWN = 8
_STATES: dict[str, LinkState | StateGroup] = {str(each): each for each in (*LinkState, *StateGroup)}


def add_to(app: typer.Typer) -> None:
    app.add_typer(links, name="links")


@links.command("list")
def list_all(
    *,
    integration: Annotated[str | None, typer.Option(help="Of this integration only.")] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(help="A state, or in-step, working, attention. May be given several times."),
    ] = None,
    search: Annotated[str, typer.Option(help="Part of a title, or of the ticket's label or address.")] = "",
    sort: LinkSort = LinkSort.SYNCED,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 50,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """List Links, those synced last first."""
    states = states_of([_state(each) for each in state or []])

    async def work(ctx: Context) -> tuple[list[LinkSummary], int]:
        chosen = (await find_integration(ctx, integration)).id if integration else None
        found, total = await list_links(ctx, LinkQuery(chosen, states, search, sort.value, offset, limit))
        return [_summary(ctx, each) for each in found], total

    found, total = run_with_context(work)
    if as_json:
        say_json(found)
    elif not found:
        note("There is no such Link." if total == 0 else f"There are only {total}.")
    else:
        rows = [_row(each) for each in found]
        say_table(("ID", "STATE", "TICKET", "FEATURE", "SYNCED"), rows, flexible=(3,))
    if found and len(found) < total:
        note(f"{len(found)} of {total}; --offset and --limit show others.")


def _state(text: str) -> LinkState | StateGroup:
    found = _STATES.get(text.strip().lower().replace("-", " "))
    if found is None:
        known = ", ".join(each.replace(" ", "-") for each in _STATES)
        raise typer.BadParameter(f"{text!r} is none of {known}.", param_hint="--state")
    return found


def _summary(ctx: Context, link: Link) -> LinkSummary:
    return LinkSummary.of(link, ctx.pages.address(link.id))


def _row(link: LinkSummary) -> tuple[str, ...]:
    ticket = link.ticket.label if link.ticket else "-"
    return link.id[:_ID_SHOWN], link.state, ticket, link.feature.title, ago(link.synced_at)


@links.command()
def show(link: Named, *, as_json: AsJson = False) -> None:
    """Show one Link. `links explain` says why each value is what it is."""
    found = run_with_context(lambda ctx: _detail(ctx, link))
    if as_json:
        say_json(found)
        return
    ticket = found.ticket
    say_facts((
        ("Link", found.id),
        ("Integration", found.integration_name),
        ("State", found.state),
        ("Health", f"{found.health.word}: {found.health.sentence}"),
        ("What helps", found.health.cure),
        ("Feature", found.feature.title),
        ("", found.feature.url),
        ("Ticket", f"{ticket.label} {ticket.title}" if ticket else "none yet"),
        ("", ticket.url if ticket else ""),
        ("Synced", ago(found.synced_at)),
        ("Page", found.page),
    ))  # fmt: skip


async def _detail(ctx: Context, named: str) -> LinkDetail:
    return await detail_of(ctx, await find_link(ctx, named))


@links.command()
def explain(link: Named, *, as_json: AsJson = False) -> None:
    """Say for each field what both sides show, what they agreed on last, and what decided it."""

    async def work(ctx: Context) -> tuple[LinkDetail, str]:
        found = await find_link(ctx, link)
        return await detail_of(ctx, found), await explain_link(ctx, found)

    found, text = run_with_context(work)
    if as_json:
        say_json(found)
    else:
        say(text)


@links.command()
def create(
    integration: Annotated[str, typer.Argument(help="Its name, its id, or the id's beginning.")],
    feature: Annotated[str, typer.Argument(help="The feature's id, or the address of its page.")],
    ticket: Annotated[str, typer.Argument(help="The ticket's address, or its number.")],
    *,
    first: Annotated[
        FirstSync, typer.Option(help="Whose values stay where the two differ; `keep`: both.")
    ] = FirstSync.KEEP,
    as_json: AsJson = False,
) -> None:
    """Pair a feature with a ticket that exists already."""

    async def work(ctx: Context) -> LinkDetail:
        chosen = await find_integration(ctx, integration)
        made = await use.link_existing(ctx, chosen.id, feature, ticket, ACTOR, first)
        return await detail_of(ctx, made.id)

    made = run_with_context(work)
    if as_json:
        say_json(made)
        return
    note(f"{made.feature.title} and {made.ticket.label if made.ticket else ticket} are kept in step now.")
    say(made.id)


@links.command()
def sync(several: Several) -> None:
    """Sync Links now, whatever they wait for. A Link that was set aside is tried again."""

    async def work(ctx: Context) -> int:
        chosen = await _find_all(ctx, several)
        return await use.try_again(ctx, chosen, ACTOR)

    note(f"Syncing {_counted(run_with_context(work))} now.")


@links.command()
def unlink(several: Several) -> None:
    """Unlink. The tickets stay, without our footer; the cells get their button back."""

    async def work(ctx: Context) -> int:
        chosen = await _find_all(ctx, several)
        for each in chosen:
            await use.unlink(ctx, each, ACTOR)
        return len(chosen)

    note(f"Unlinking {_counted(run_with_context(work))}.")


async def _find_all(ctx: Context, several: list[str]) -> list[LinkId]:
    """Before anything is done: a mistyped id among them does nothing to the others."""
    return list(dict.fromkeys([await find_link(ctx, each) for each in several]))


def _counted(number: int) -> str:
    return f"{number} Link" if number == 1 else f"{number} Links"


@links.command()
def decide(
    link: Named,
    field: Annotated[Field, typer.Argument(help="The field that both sides changed.")],
    keep: Annotated[Side, typer.Argument(help="Whose value goes to the other side.")],
) -> None:
    """End a conflict. The other value stays in the journal and can be put back."""

    async def work(ctx: Context) -> None:
        await use.decide(ctx, await find_link(ctx, link), field, keep, ACTOR)

    run_with_context(work)
    note(f"The {keep}'s {field} goes to the other side.")


@links.command("put-back")
def put_back(
    entry: Annotated[int, typer.Argument(min=1, help="Number of the journal entry; see `links explain`.")],
) -> None:
    """Write the earlier value of a journal entry back to both sides."""
    link = run_with_context(lambda ctx: use.put_back(ctx, entry, ACTOR))
    note(f"The value is being written back to both sides of Link {link[:_ID_SHOWN]}.")
