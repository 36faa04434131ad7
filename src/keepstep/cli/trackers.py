"""Commands about the kinds of trackers that this build knows; they need neither settings nor a database."""

from collections.abc import Mapping
from typing import Annotated

import typer

from keepstep.adapters.registry import known_trackers
from keepstep.adapters.trackers import TrackerAdapter
from keepstep.adapters.trackers.quality import State, quality_of
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
    """List them: those built in and those that installed packages bring, and where each stands."""
    adapters = list(known_trackers().values())
    if as_json:
        say_json([_listed(each) for each in adapters])
        return
    rows = [
        (each.manifest.kind, each.manifest.name, _origin(each), each.manifest.channel, _standing(each))
        for each in adapters
    ]
    say_table(("KIND", "NAME", "FROM", "CHANNEL", "QUALITY"), rows, flexible=(4,))


class ListedTracker(TrackerKind):
    """A kind of tracker, and where its adapter stands."""

    origin: str
    ran_on: str
    quality: Mapping[str, str]


def _listed(adapter: TrackerAdapter) -> ListedTracker:
    quality = quality_of(adapter)
    return ListedTracker(
        **TrackerKind.of(adapter.manifest).model_dump(),
        origin=_origin(adapter),
        ran_on=quality.ran_on,
        quality={name: mark.state for name, mark in quality.rules.items()},
    )


def _origin(adapter: TrackerAdapter) -> str:
    root = adapter.package.partition(".")[0]
    return "built in" if root == "keepstep" else root or "a package"


def _standing(adapter: TrackerAdapter) -> str:
    quality = quality_of(adapter)
    if not quality.rules:
        return "not stated"
    done, todo, exempt = (quality.count(each) for each in State)
    return f"{done} done, {todo} to do, {exempt} exempt; tried on {quality.ran_on or 'nothing'}"
