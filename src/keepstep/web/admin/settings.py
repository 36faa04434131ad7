"""An integration's settings: names, tokens, where its tickets go, how the tracker is read, defaults for new tickets.

Every card is a form of its own, so that what is refused in one never holds up another. `settings_mapping` has the map.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from keepstep.app import discover, manage
from keepstep.app.context import Context
from keepstep.app.manage import Changes
from keepstep.app.overview import IntegrationView, view_integration
from keepstep.domain.errors import InvalidInputError, KeepstepError, MissingError
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration, IntegrationState, ProjectRef
from keepstep.ports.errors import NotThereError
from keepstep.ports.people import Person
from keepstep.ports.tracker import FieldKind, ProjectFields, TrackerManifest
from keepstep.web.admin.entries import (
    Values,
    account_prefix,
    initial_values,
    raw,
    read_values,
    sentence,
    text,
)
from keepstep.web.admin.layout import integration_path, render, see
from keepstep.web.admin.session import CSRF, PersonDep, go, read_form
from keepstep.web.deps import services

router = APIRouter(prefix="/integrations/{integration_id}", include_in_schema=False)

_LIVE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Desk:
    """One integration being changed by one person within one request."""

    request: Request
    ctx: Context
    person: Person
    view: IntegrationView

    @property
    def integration(self) -> Integration:
        return self.view.row.integration

    @property
    def manifest(self) -> TrackerManifest:
        return self.ctx.outside.manifest(self.integration.tracker.kind)

    async def change(self, changes: Changes) -> Integration:
        return await manage.change(self.ctx, self.integration.id, changes, self.person.name)


async def desk(request: Request, integration_id: str, person: PersonDep) -> Desk:
    """Raises MissingError."""
    ctx = services(request).ctx
    return Desk(request, ctx, person, await view_integration(ctx, IntegrationId(integration_id)))


DeskDep = Annotated[Desk, Depends(desk)]


@dataclass(frozen=True, slots=True)
class Refused:
    """What was entered and why it was not taken."""

    errors: Mapping[str, str] = field(default_factory=dict)
    entered: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Live:
    """What the tracker offers, fetched for this page; empty with a reason when it does not answer in time."""

    fields: ProjectFields
    projects: Sequence[ProjectRef] = ()
    labels: Sequence[str] | None = ()
    """None: not known right now."""
    trouble: str = ""


@router.get("/settings")
async def settings_page(desk: DeskDep) -> Response:
    if desk.integration.state is IntegrationState.REMOVING:
        return go(integration_path(desk.integration))
    return await _page(desk)


async def _page(desk: Desk, refused: Refused | None = None) -> Response:
    refused = refused or Refused()
    integration, manifest = desk.integration, desk.manifest
    links = sum(desk.view.row.by_state.values())
    live = await _look(desk, links, {**integration.defaults, **_entered(refused, "default")})
    return render(
        desk.request,
        "settings/settings.html",
        status=422 if refused.errors else 200,
        view=desk.view,
        section="settings",
        place="integrations",
        manifest=manifest,
        links=links,
        live=live,
        errors=refused.errors,
        entered=refused.entered,
        settings=initial_values(
            live.fields.settings, {**integration.tracker_settings, **_entered(refused, "setting")}
        ),
        defaults=initial_values(
            live.fields.defaults, {**integration.defaults, **_entered(refused, "default")}
        ),
        account=initial_values(manifest.account, integration.tracker_settings),
        account_prefix=account_prefix(manifest.kind),
    )


async def _look(desk: Desk, links: int, defaults: Values) -> _Live:
    static = ProjectFields(desk.manifest.settings, desk.manifest.defaults)
    try:
        async with asyncio.timeout(_LIVE_SECONDS):
            access, project = (
                await discover.tracker_of(desk.ctx, desk.integration),
                desk.integration.project.id,
            )
            projects = await discover.list_projects(desk.ctx, access) if not links else ()
            found = await discover.list_fields(desk.ctx, access, project, defaults)
            wanted = (*found.settings, *found.defaults)
            asks_labels = any(each.kind is FieldKind.LABELS for each in wanted)
            labels = await discover.list_labels(desk.ctx, access, project) if asks_labels else ()
            return _Live(found, projects, labels)
    except TimeoutError:
        trouble = f"{desk.manifest.name} does not answer right now, so its lists are not shown."
        return _Live(static, labels=None, trouble=trouble)
    except KeepstepError as error:
        return _Live(static, labels=None, trouble=sentence(error))


@router.post("/settings/names", dependencies=[CSRF])
async def save_names(desk: DeskDep) -> Response:
    form = await read_form(desk.request)
    entered = {name: text(form, name, 200) for name in ("name", "button", "workspace")}
    changes = Changes(name=entered["name"], button=entered["button"], workspace=entered["workspace"])
    return await _save(desk, changes, entered, "name")


@router.post("/settings/place", dependencies=[CSRF])
async def save_place(desk: DeskDep) -> Response:
    """Project and tracker address: refused, with the reason, while Links exist."""
    form = await read_form(desk.request)
    entered = {name: text(form, name) for name in ("tracker_url", "project")}
    project = ProjectRef(entered["project"], entered["project"]) if entered["project"] else None
    try:
        pasted = raw(form, "place_token")
        token = discover.cleaned_token(pasted) if pasted else None
    except InvalidInputError as error:
        return await _page(desk, Refused({"place_token": sentence(error)}, entered))
    changes = Changes(project=project, tracker_url=entered["tracker_url"] or None, tracker_token=token)
    return await _save(desk, changes, entered, "tracker_url")


@router.post("/settings/reading", dependencies=[CSRF])
async def save_reading(desk: DeskDep) -> Response:
    """How the tracker is read; other statuses may result, so the map is looked over next."""
    form, known = await read_form(desk.request), await _fields(desk, desk.integration.defaults)
    entered = read_values(form, known.settings, "setting")
    if entered.errors:
        return await _page(desk, Refused(entered.errors, _prefixed("setting", entered.values)))
    changes = Changes(tracker_settings={**desk.integration.tracker_settings, **entered.values})
    return await _save(desk, changes, _prefixed("setting", entered.values), "", "mapping")


@router.post("/settings/defaults", dependencies=[CSRF])
async def save_defaults(desk: DeskDep) -> Response:
    form, known = await read_form(desk.request), await _fields(desk, desk.integration.defaults)
    entered = read_values(form, known.defaults, "default")
    if not entered.errors and any(each.live for each in known.defaults):
        # What is required may depend on what was just chosen, such as the type.
        entered = read_values(form, (await _fields(desk, entered.values)).defaults, "default")
    if entered.errors:
        return await _page(desk, Refused(entered.errors, _prefixed("default", entered.values)))
    return await _save(desk, Changes(defaults=entered.values), _prefixed("default", entered.values), "")


async def _fields(desk: Desk, defaults: Values) -> ProjectFields:
    """As the project has them; where the tracker does not answer, as the manifest has them."""
    try:
        access = await discover.tracker_of(desk.ctx, desk.integration)
        return await discover.list_fields(desk.ctx, access, desk.integration.project.id, defaults)
    except KeepstepError:
        return ProjectFields(desk.manifest.settings, desk.manifest.defaults)


@router.post("/settings/token/{side}", dependencies=[CSRF])
async def save_token(desk: DeskDep, side: str) -> Response:
    """Verified before it replaces the present one; what waited for it goes on."""
    if side not in ("board", "tracker"):
        raise MissingError("An integration has a board token and a tracker token.")
    form: FormData = await read_form(desk.request)
    name = f"{side}_token"
    try:
        token = discover.cleaned_token(raw(form, name))
        asked = desk.manifest.account if side == "tracker" else ()
        account = read_values(form, asked, account_prefix(desk.manifest.kind))
        if account.errors:
            return await _page(desk, Refused(account.errors))
        await manage.replace_token(
            desk.ctx, desk.integration.id, side, token, desk.person.name, account.values
        )
    except KeepstepError as error:
        return await _page(desk, Refused({name: sentence(error)}))
    return see(integration_path(desk.integration, "settings"), "token")


async def _save(
    desk: Desk,
    changes: Changes,
    entered: Mapping[str, str | tuple[str, ...]],
    default_field: str,
    then: str = "settings",
) -> Response:
    try:
        await desk.change(changes)
    except MissingError:
        raise
    except KeepstepError as error:
        missing = "project" if isinstance(error, NotThereError) else default_field
        named = error.field if isinstance(error, InvalidInputError) else missing
        return await _page(desk, Refused({_input(named, default_field): sentence(error)}, entered))
    return see(integration_path(desk.integration, then), "saved")


def _input(named: str, default: str) -> str:
    """The name of the input on the page; a token that fails on the way is no entry of this form."""
    names = {"base_url": "tracker_url", "token": default, "tracker_token": "place_token"}
    return names.get(named, named)


def _prefixed(prefix: str, values: Mapping[str, str | tuple[str, ...]]) -> dict[str, str | tuple[str, ...]]:
    return {f"{prefix}.{name}": value for name, value in values.items()}


def _entered(refused: Refused, prefix: str) -> dict[str, str | tuple[str, ...]]:
    start = f"{prefix}."
    return {
        name.removeprefix(start): value for name, value in refused.entered.items() if name.startswith(start)
    }
