"""The Connect wizard, first half: credentials and project.

Every step is checked when it is sent, and can be gone back to without losing anything: what was entered is kept in a
draft on the server (`keepstep.app.drafts`). `connect_mapping` has the other two steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fastapi import APIRouter
from fastapi.responses import Response

from keepstep.app import discover
from keepstep.app.discover import TrackerAccess
from keepstep.app.drafts import (
    PRODUCTBOARD_URL,
    WizardStep,
    board_access,
    discard_draft,
    token_end,
    tracker_access,
)
from keepstep.domain.errors import InvalidInputError, KeepstepError
from keepstep.domain.integration import ProjectRef
from keepstep.ports.tracker import FieldKind, SettingField, TrackerManifest
from keepstep.web.admin.entries import account_prefix, initial_values, read_values, sentence, text
from keepstep.web.admin.session import CSRF, PersonDep, go, read_form
from keepstep.web.admin.wizard import (
    Wizard,
    WizardDep,
    named,
    refuse_missing,
    stored_token,
    text_of_query,
)
from keepstep.web.deps import ServicesDep

router = APIRouter(prefix="/connect", include_in_schema=False)


@router.get("")
async def begin(wizard: WizardDep) -> Response:
    return go(f"/connect/{wizard.draft.reached()}")


@router.post("/discard", dependencies=[CSRF])
async def discard(given: ServicesDep, person: PersonDep) -> Response:
    await discard_draft(given.ctx, given.people.drafts, person.id)
    return go("/")


@router.get("/productboard")
async def productboard_page(wizard: WizardDep) -> Response:
    return await _productboard(wizard)


async def _productboard(wizard: Wizard, errors: dict[str, str] | None = None) -> Response:
    return wizard.page(
        WizardStep.PRODUCTBOARD,
        "productboard.html",
        errors,
        default_url=PRODUCTBOARD_URL,
        token_end=await token_end(wizard.ctx, wizard.draft.board_token),
    )


@router.post("/productboard", dependencies=[CSRF])
async def check_productboard(wizard: WizardDep) -> Response:
    form = await read_form(wizard.request)
    draft = wizard.draft.with_board(text(form, "board_url") or PRODUCTBOARD_URL)
    try:
        before, kept = wizard.draft.board_token, draft.board_token
        token = await stored_token(wizard.ctx, before, kept, form, "board_token")
        draft = replace(draft, board_token=token)
        await wizard.save(draft)
        access = await board_access(wizard.ctx, draft)
        found = await discover.check_board(wizard.ctx, access.base_url, access.token)
        refuse_missing("Productboard", found.facts.missing)
    except KeepstepError as error:
        await wizard.save(draft)
        return await _productboard(wizard, {named(error, "board"): sentence(error)})
    await wizard.save(
        replace(draft, board_ok=True, workspace=text(form, "workspace", 100) or found.facts.name)
    )
    return go("/connect/tracker")


@router.get("/tracker")
async def tracker_page(wizard: WizardDep) -> Response:
    if not wizard.draft.may_open(WizardStep.TRACKER):
        return go("/connect")
    return await _tracker(wizard)


@router.post("/tracker", dependencies=[CSRF])
async def check_tracker(wizard: WizardDep) -> Response:
    """The account: kind, address, token."""
    form, ctx = await read_form(wizard.request), wizard.ctx
    kind = text(form, "kind")
    try:
        manifest = ctx.outside.manifest(kind)
    except InvalidInputError:
        return await _tracker(wizard, {"kind": "Choose the kind of tracker."})
    draft = wizard.draft.with_tracker(kind, text(form, "tracker_url") or manifest.default_base_url)
    account = read_values(form, manifest.account, account_prefix(kind))
    draft = replace(draft, account=account.values)
    if account.errors:
        await wizard.save(draft)
        return await _tracker(wizard, dict(account.errors))
    try:
        before, kept = wizard.draft.tracker_token, draft.tracker_token
        token = await stored_token(ctx, before, kept, form, "tracker_token")
        draft = replace(draft, tracker_token=token)
        await wizard.save(draft)
        access = await tracker_access(ctx, draft)
        facts = await discover.check_tracker(ctx, kind, access.base_url, access.token, access.settings)
        refuse_missing(manifest.name, facts.missing)
    except KeepstepError as error:
        await wizard.save(draft)
        return await _tracker(wizard, {named(error, "tracker"): sentence(error)})
    await wizard.save(replace(draft, tracker_ok=True, tracker_user=facts.user))
    return go("/connect/tracker#project")


@router.post("/tracker/project", dependencies=[CSRF])
async def choose_project(wizard: WizardDep) -> Response:
    form, draft = await read_form(wizard.request), wizard.draft
    if not draft.tracker_ok:
        return go("/connect/tracker")
    try:
        access = await tracker_access(wizard.ctx, draft)
        project = await discover.find_project(wizard.ctx, access, text(form, "project"))
    except KeepstepError as error:
        return await _tracker(wizard, {"project": sentence(error)})
    asks_more = bool(wizard.ctx.outside.manifest(draft.kind).settings)
    await wizard.save(draft.with_project(project, asks_more=asks_more))
    return go("/connect/tracker#settings" if asks_more else "/connect/mapping")


@router.post("/tracker/settings", dependencies=[CSRF])
async def choose_settings(wizard: WizardDep) -> Response:
    form, draft = await read_form(wizard.request), wizard.draft
    if draft.project is None:
        return go("/connect/tracker")
    try:
        access = await tracker_access(wizard.ctx, draft)
        known = await discover.list_fields(wizard.ctx, access, draft.project_id)
    except KeepstepError as error:
        return await _tracker(wizard, {"project": sentence(error)})
    entered = read_values(form, known.settings, "setting")
    if entered.errors:
        await wizard.save(replace(draft, tracker_settings=entered.values, settings_ok=False))
        return await _tracker(wizard, dict(entered.errors))
    await wizard.save(draft.with_settings(entered.values))
    return go("/connect/mapping")


async def _tracker(wizard: Wizard, errors: dict[str, str] | None = None) -> Response:
    ctx, draft, errors = wizard.ctx, wizard.draft, errors or {}
    manifests = ctx.outside.manifests()
    manifest = next((each for each in manifests if each.kind == draft.kind), None)
    query, search = wizard.request.query_params, text_of_query(wizard.request, "search")
    picking = draft.project is None or "search" in query or "change" in query or "project" in errors
    choice = await _choice(wizard, manifest, search, picking=picking)
    return wizard.page(
        WizardStep.TRACKER,
        "tracker.html",
        errors,
        manifests=manifests,
        manifest=manifest,
        token_end=await token_end(ctx, draft.tracker_token),
        picking=picking,
        search=search,
        choice=choice,
        values=initial_values(choice.fields, draft.tracker_settings),
        account={each.kind: initial_values(each.account, draft.account) for each in manifests},
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the tracker offers, fetched live; `trouble` says why it could not be."""

    projects: Sequence[ProjectRef] = ()
    fields: Sequence[SettingField] = ()
    labels: Sequence[str] = ()
    trouble: str = ""


async def _choice(wizard: Wizard, manifest: TrackerManifest | None, search: str, *, picking: bool) -> _Choice:
    draft = wizard.draft
    if manifest is None or not draft.tracker_ok:
        return _Choice()
    try:
        access = await tracker_access(wizard.ctx, draft)
        if picking:
            return _Choice(projects=await discover.list_projects(wizard.ctx, access, search))
        if manifest.settings:
            return await _offered(wizard, access)
    except KeepstepError as error:
        return _Choice(trouble=sentence(error))
    return _Choice()


async def _offered(wizard: Wizard, access: TrackerAccess) -> _Choice:
    found = (await discover.list_fields(wizard.ctx, access, wizard.draft.project_id)).settings
    if not _wants_labels(found):
        return _Choice(fields=found)
    return _Choice(
        fields=found, labels=await discover.list_labels(wizard.ctx, access, wizard.draft.project_id)
    )


def _wants_labels(fields: tuple[SettingField, ...]) -> bool:
    return any(each.kind is FieldKind.LABELS for each in fields)
