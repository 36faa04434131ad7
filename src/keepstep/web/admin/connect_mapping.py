"""The Connect wizard, second half: the map with a live preview, and the review before anything is made."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import FormData

from keepstep.app.connect import check_button, check_name, connect
from keepstep.app.discover import TrackerAccess
from keepstep.app.drafts import (
    WizardStep,
    board_access,
    new_integration,
    proposed_button,
    tracker_access,
)
from keepstep.app.preview import Preview, preview, sample_features
from keepstep.domain.errors import InvalidInputError, KeepstepError
from keepstep.domain.feature import Feature
from keepstep.domain.policy import StatusMap, SyncPolicy
from keepstep.ports.tracker import Channel, TrackerManifest
from keepstep.web.admin.entries import (
    completed,
    initial_values,
    read_policy,
    read_values,
    sentence,
    text,
)
from keepstep.web.admin.layout import integration_path, render
from keepstep.web.admin.mapping_forms import MappingForm, Offer, fetch_offer, mapping_form
from keepstep.web.admin.session import CSRF, go, read_form
from keepstep.web.admin.wizard import Wizard, WizardDep, text_of_query

router = APIRouter(prefix="/connect", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Found:
    """Both sides as they are now."""

    tracker: TrackerAccess
    offer: Offer
    samples: Sequence[Feature]


@router.get("/mapping")
async def mapping_page(wizard: WizardDep) -> Response:
    if not wizard.draft.may_open(WizardStep.MAPPING):
        return go("/connect")
    try:
        found = await _look(wizard)
    except KeepstepError as error:
        return _unreachable(wizard, error)
    if not wizard.draft.mapping_ok and not wizard.draft.to_ticket and not wizard.draft.to_feature:
        await _fill_map(wizard, found.offer)
    return _mapping(wizard, found, text_of_query(wizard.request, "feature"))


@router.post("/mapping", dependencies=[CSRF])
async def save_mapping(wizard: WizardDep) -> Response:
    if not wizard.draft.may_open(WizardStep.MAPPING):
        return go("/connect")
    form = await read_form(wizard.request)
    try:
        found = await _look(wizard)
    except KeepstepError as error:
        return _unreachable(wizard, error)
    errors = await _take(wizard, form, found.offer)
    action = text(form, "go")
    if not errors:
        found, errors = await _with_fields_of_choice(wizard, form, found)
    if action == "propose":
        await _fill_map(wizard, found.offer)
    if errors or action in ("propose", "preview"):
        return _mapping(wizard, found, text(form, "feature"), errors)
    await wizard.save(replace(wizard.draft, mapping_ok=True))
    return go("/connect/review")


@router.post("/mapping/preview", dependencies=[CSRF])
async def show_preview(wizard: WizardDep) -> Response:
    """The preview alone, for the page's script; what was entered is stored on the way."""
    form = await read_form(wizard.request)
    try:
        found = await _look(wizard)
        await _take(wizard, form, found.offer)
        shown = _preview(wizard, found, text(form, "feature"))
    except KeepstepError as error:
        return render(wizard.request, "connect/_preview.html", shown=None, trouble=sentence(error))
    return render(wizard.request, "connect/_preview.html", shown=shown, trouble="")


async def _look(wizard: Wizard) -> _Found:
    ctx, draft = wizard.ctx, wizard.draft
    board, tracker = await board_access(ctx, draft), await tracker_access(ctx, draft)
    offer = await fetch_offer(ctx, board, tracker, draft.project_id, draft.defaults)
    return _Found(tracker, offer, await sample_features(ctx, board))


async def _with_fields_of_choice(
    wizard: Wizard, form: FormData, found: _Found
) -> tuple[_Found, dict[str, str]]:
    """What a new ticket requires may depend on what was just chosen, such as its type: ask for that as well."""
    if not any(each.live for each in found.offer.defaults):
        return found, {}
    try:
        fresh = await _look(wizard)
    except KeepstepError:
        return found, {}
    if fresh.offer.defaults == found.offer.defaults:
        return fresh, {}
    return fresh, await _take(wizard, form, fresh.offer)


async def _fill_map(wizard: Wizard, offer: Offer) -> None:
    """What is not mapped yet gets the proposal."""
    policy = wizard.draft.policy
    filled = replace(policy, status_map=completed(policy.status_map, offer.proposal))
    await wizard.save(wizard.draft.with_policy(filled, wizard.draft.defaults))


async def _take(wizard: Wizard, form: FormData, offer: Offer) -> dict[str, str]:
    """Store what was entered; returns what is wrong with it."""
    draft = wizard.draft
    entered = read_values(form, offer.defaults, "default")
    try:
        policy = read_policy(form, offer.features, offer.tickets, draft.policy)
    except InvalidInputError as error:
        return {error.field: str(error)}
    changed = draft.with_policy(policy, entered.values)
    await wizard.save(replace(changed, mapping_ok=draft.mapping_ok and not entered.errors))
    return dict(entered.errors)


def _mapping(wizard: Wizard, found: _Found, feature: str, errors: dict[str, str] | None = None) -> Response:
    manifest = wizard.ctx.outside.manifest(wizard.draft.kind)
    form: MappingForm = mapping_form(found.offer, wizard.draft.policy, manifest.name)
    shown = _preview(wizard, found, feature)
    return wizard.page(
        WizardStep.MAPPING,
        "mapping.html",
        errors,
        form=form,
        manifest=manifest,
        labels=found.offer.labels,
        defaults=found.offer.defaults,
        values=initial_values(found.offer.defaults, wizard.draft.defaults),
        samples=[(each.id, each.title) for each in found.samples],
        shown=shown,
        trouble="",
    )


def _unreachable(wizard: Wizard, error: KeepstepError) -> Response:
    manifest = wizard.ctx.outside.manifest(wizard.draft.kind)
    return wizard.page(WizardStep.MAPPING, "mapping.html", trouble=sentence(error), manifest=manifest)


def _preview(wizard: Wizard, found: _Found, feature: str) -> Preview | None:
    """Of the chosen feature; at first, of one that has something to show."""
    described = next((each for each in found.samples if each.description), None)
    chosen = next((each for each in found.samples if each.id == feature), described)
    chosen = chosen or next(iter(found.samples), None)
    if chosen is None:
        return None
    return preview(wizard.ctx, found.tracker, chosen, wizard.draft.policy, found.offer.tickets)


@router.get("/review")
async def review_page(wizard: WizardDep) -> Response:
    if not wizard.draft.may_open(WizardStep.REVIEW):
        return go("/connect")
    return _review(wizard)


@router.post("/review", dependencies=[CSRF])
async def finish(wizard: WizardDep) -> Response:
    if not wizard.draft.may_open(WizardStep.REVIEW):
        return go("/connect")
    form = await read_form(wizard.request)
    draft = replace(wizard.draft, name=text(form, "name", 200), button=text(form, "button", 100))
    await wizard.save(draft)
    errors = _checked(draft.name, draft.button)
    if errors:
        return _review(wizard, errors)
    new = new_integration(draft)
    if not await wizard.claim():
        return go("/")
    try:
        integration = await connect(wizard.ctx, new, wizard.person.name)
    except InvalidInputError as error:
        await wizard.save(draft)
        return _review(wizard, {error.field: str(error)})
    return go(integration_path(integration))


def _checked(name: str, button: str) -> dict[str, str]:
    errors = {}
    for check, value in ((check_name, name), (check_button, button)):
        try:
            check(value)
        except InvalidInputError as error:
            errors[error.field] = str(error)
    return errors


def _review(wizard: Wizard, errors: dict[str, str] | None = None) -> Response:
    draft, ctx = wizard.draft, wizard.ctx
    manifest = ctx.outside.manifest(draft.kind)
    policy: SyncPolicy = draft.policy
    status_map: StatusMap = policy.status_map
    return wizard.page(
        WizardStep.REVIEW,
        "review.html",
        errors,
        manifest=manifest,
        name=draft.name or (draft.project_name if not errors else ""),
        button=draft.button or (proposed_button(manifest.name) if not errors else ""),
        public_url=ctx.rules.public_url,
        board_host=urlsplit(draft.board_url).netloc,
        tracker_host=urlsplit(draft.tracker_url).netloc,
        hook=manifest.channel is Channel.WEBHOOK,
        by_hand=manifest.channel is Channel.WEBHOOK_BY_HAND,
        warnings=_warnings(wizard, manifest),
        mapped=len(status_map.to_ticket) + len(status_map.to_feature),
    )


def _warnings(wizard: Wizard, manifest: TrackerManifest) -> list[str]:
    """What will not work, as far as it can be told before trying."""
    ours = urlsplit(wizard.ctx.rules.public_url)
    real = (urlsplit(wizard.draft.board_url).hostname or "").endswith("productboard.com")
    found = []
    if real and (ours.scheme != "https" or ours.hostname in ("localhost", "127.0.0.1", "::1")):
        found.append(
            f"Productboard calls only public https addresses; this service says it is at {ours.geturl()}. "
            "Set KEEPSTEP_PUBLIC_URL to the address it is reached at, and start it again."
        )
    if manifest.channel is Channel.POLLING:
        found.append(f"{manifest.name} does not call us: its changes are found by looking every few minutes.")
    return found
