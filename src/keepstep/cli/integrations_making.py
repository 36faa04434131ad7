"""Making and changing integrations: by options, or from the same JSON that the API takes.

Tokens come from files, from standard input, or are asked for; never as an option, which other users of the machine
could read in the list of processes.
"""

import sys
import time
from typing import Annotated, Any

import typer

from keepstep.app.context import Context
from keepstep.app.drafts import PRODUCTBOARD_URL
from keepstep.cli.integrations_options import AsJson, Named, Wait
from keepstep.cli.opening import ACTOR, find_integration, run_with_context
from keepstep.cli.printing import note, say, say_json
from keepstep.cli.reading import STDIN, model_of, pairs_of, read_model, read_token
from keepstep.cli.waiting import wait_for_connection
from keepstep.domain.errors import InvalidInputError
from keepstep.web.api.creating import change_integration, create_integration
from keepstep.web.api.integrations import detail_of
from keepstep.web.api.models_integrations import IntegrationChange, IntegrationCreate, IntegrationDetail

FromJson = Annotated[
    str | None,
    typer.Option("--from-json", metavar="FILE", help="Take everything from this file; - is standard input."),
]
TokenFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="File with the token; - is standard input.")
]
Pairs = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="May be given several times.")]


def add_to(group: typer.Typer) -> None:
    """To the group `integrations`."""
    group.command()(create)
    group.command()(change)


def create(
    *,
    from_json: FromJson = None,
    name: Annotated[str | None, typer.Option(help="Also the column's name.")] = None,
    kind: Annotated[str | None, typer.Option(help="See `keepstep trackers list`.")] = None,
    project: Annotated[str | None, typer.Option(help="Id or path of the tracker's project.")] = None,
    board_url: Annotated[str, typer.Option(help="Of Productboard's API.")] = PRODUCTBOARD_URL,
    board_token_file: TokenFile = None,
    tracker_url: Annotated[str, typer.Option(help="Left out: the kind's default.")] = "",
    tracker_token_file: TokenFile = None,
    button: Annotated[str, typer.Option(help="At most 10 characters.")] = "Push",
    workspace: Annotated[str, typer.Option(help="A name for the workspace.")] = "",
    setting: Pairs = None,
    default: Pairs = None,
    wait: Wait = 30.0,
    as_json: AsJson = False,
) -> None:
    """Make an integration and connect it. The status map is proposed from the names, unless the JSON brings one.

    The project's own settings are given as --setting, what new tickets get as --default: for GitLab
    --setting status_labels=workflow::doing --default labels=productboard.
    """
    if from_json is not None:
        if any((name, kind, project, board_token_file, tracker_token_file, setting, default)):
            raise typer.BadParameter(
                "It takes everything; leave the other options out.", param_hint="--from-json"
            )
        body = read_model(IntegrationCreate, from_json)
    else:
        given = {"name": name, "kind": kind, "project": project}
        _refuse_unsaid(given)
        _refuse_no_token({"--board-token-file": board_token_file, "--tracker-token-file": tracker_token_file})
        data = {
            "name": name,
            "button": button,
            "project": project,
            "board": {
                "base_url": board_url,
                "workspace": workspace,
                "token": _token(board_token_file, "Productboard"),
            },
            "tracker": {
                "kind": kind,
                "base_url": tracker_url,
                "token": _token(tracker_token_file, "the tracker"),
            },
        }
        body = model_of(IntegrationCreate, data)
    made = run_with_context(lambda ctx: _create(ctx, body, setting or [], default or [], wait))
    if as_json:
        say_json(made)
    else:
        note(f"{made.name}: {made.health.sentence}")
        say(made.id)


def _refuse_unsaid(given: dict[str, str | None]) -> None:
    for option, value in given.items():
        if not value:
            raise typer.BadParameter("This is needed (or --from-json).", param_hint=f"--{option}")


def _refuse_no_token(sources: dict[str, str | None]) -> None:
    """By option."""
    if list(sources.values()).count(STDIN) > 1:
        raise typer.BadParameter(
            "Only one token can come from standard input.", param_hint="--tracker-token-file"
        )
    for option, source in sources.items():
        if source is None and not sys.stdin.isatty():
            raise typer.BadParameter("Nobody is there to be asked for the token.", param_hint=option)


def _token(source: str | None, whose: str) -> str:
    return read_token(source, f"Token for {whose}")


async def _create(
    ctx: Context, body: IntegrationCreate, setting: list[str], default: list[str], wait: float
) -> IntegrationDetail:
    if setting or default:
        manifest = ctx.outside.manifest(body.tracker.kind)
        settings: dict[str, Any] = pairs_of(setting, "--setting", (*manifest.account, *manifest.settings))
        tracker = body.tracker.model_copy(update={"settings": settings})
        defaults: dict[str, Any] = pairs_of(default, "--default", manifest.defaults)
        body = body.model_copy(update={"tracker": tracker, "defaults": defaults})
    try:
        made = await create_integration(ctx, body, ACTOR)
    except InvalidInputError as error:
        raise InvalidInputError(error.field, f"{error.field}: {error}") from error
    if not await wait_for_connection(ctx, made.id, time.monotonic() + wait) and wait:
        note("It is not connected yet: that is done by `keepstep serve`. Is it running?")
    return await detail_of(ctx, made.id)


def change(
    integration: Named,
    *,
    from_json: FromJson = None,
    name: Annotated[str | None, typer.Option()] = None,
    button: Annotated[str | None, typer.Option(help="At most 10 characters.")] = None,
    workspace: Annotated[str | None, typer.Option(help="A name for the workspace.")] = None,
    project: Annotated[str | None, typer.Option(help="Id or path; only while no Link exists.")] = None,
    tracker_url: Annotated[str | None, typer.Option(help="Only while no Link exists.")] = None,
    tracker_token_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="With --tracker-url; - is standard input.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change its settings. The JSON is that of the API's PATCH; mapping and rules are changed with it."""
    given = {"name": name, "button": button, "project": project}
    data: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if workspace is not None:
        data["board"] = {"workspace": workspace}
    if tracker_url is not None or tracker_token_file is not None:
        _refuse_no_token({"--tracker-token-file": tracker_token_file})
        data["tracker"] = {"base_url": tracker_url, "token": _token(tracker_token_file, "that address")}
    if bool(data) is (from_json is not None):
        raise typer.BadParameter("Say what is to change, by options or by --from-json.", param_hint="change")
    body = (
        model_of(IntegrationChange, data) if from_json is None else read_model(IntegrationChange, from_json)
    )

    async def work(ctx: Context) -> IntegrationDetail:
        found = await find_integration(ctx, integration)
        try:
            await change_integration(ctx, found.id, body, ACTOR)
        except InvalidInputError as error:
            raise InvalidInputError(error.field, f"{error.field}: {error}") from error
        return await detail_of(ctx, found.id)

    changed = run_with_context(work)
    if as_json:
        say_json(changed)
    else:
        note(f"{changed.name} is changed.")
