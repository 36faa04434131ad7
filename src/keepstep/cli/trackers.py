"""Commands about the kinds of trackers that this build knows; they need neither settings nor a database."""

from typing import Annotated

import typer

from keepstep.adapters.registry import known_trackers
from keepstep.cli.printing import say_json, say_table
from keepstep.web.api.models_system import TrackerKind

trackers = typer.Typer(no_args_is_help=True, help="The kinds of trackers that this build knows.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(trackers, name="trackers")


@trackers.callback()
def _group() -> None:
    """Keeps `list` a command of its own although it is the only one."""


@trackers.command("list")
def list_trackers(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False
) -> None:
    """List them."""
    found = [TrackerKind.of(each.manifest) for each in known_trackers().values()]
    if as_json:
        say_json(found)
        return
    rows = [(each.kind, each.name, each.channel, each.summary) for each in found]
    say_table(("KIND", "NAME", "CHANNEL", "SUMMARY"), rows, flexible=(3,))
