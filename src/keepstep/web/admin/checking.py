"""Checking credentials as they are typed or pasted: asked by the pages' script, nothing is stored."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData

from keepstep.app import discover
from keepstep.app.context import Context
from keepstep.app.drafts import PRODUCTBOARD_URL, ConnectDraft, board_access, tracker_access
from keepstep.domain.errors import InvalidInputError, KeepstepError
from keepstep.web.admin.entries import account_prefix, read_values, sentence, text
from keepstep.web.admin.session import CSRF, read_form
from keepstep.web.admin.wizard import WizardDep, named, pasted_token, refuse_missing

router = APIRouter(prefix="/connect", include_in_schema=False)


@router.post("/check", dependencies=[CSRF])
async def check_as_typed(wizard: WizardDep) -> JSONResponse:
    """For the pages' script: what the present entries would give. Stores nothing."""
    form, ctx, draft = await read_form(wizard.request), wizard.ctx, wizard.draft
    try:
        if "kind" in form or "tracker_token" in form:
            said = await _try_tracker(ctx, form, draft)
        else:
            said = await _try_board(ctx, form, draft)
    except KeepstepError as error:
        side = "tracker" if "tracker_token" in form else "board"
        return JSONResponse({"ok": False, "field": named(error, side), "text": sentence(error)})
    return JSONResponse({"ok": True, "field": "", "text": said})


async def _try_board(ctx: Context, form: FormData, draft: ConnectDraft) -> str:
    now = draft.with_board(text(form, "board_url") or PRODUCTBOARD_URL)
    pasted = pasted_token(draft.board_token, now.board_token, form, "board_token")
    token = pasted or (await board_access(ctx, now)).token
    found = await discover.check_board(ctx, now.board_url, token)
    refuse_missing("Productboard", found.facts.missing)
    return (
        f"Productboard accepts this token: {found.facts.name}, {len(found.statuses)} feature statuses. "
        "It reads all that is needed; whether it may also write shows when the column is made."
    )


async def _try_tracker(ctx: Context, form: FormData, draft: ConnectDraft) -> str:
    manifest = ctx.outside.manifest(text(form, "kind"))
    now = draft.with_tracker(manifest.kind, text(form, "tracker_url") or manifest.default_base_url)
    pasted = pasted_token(draft.tracker_token, now.tracker_token, form, "tracker_token")
    token = pasted or (await tracker_access(ctx, now)).token
    account = read_values(form, manifest.account, account_prefix(manifest.kind))
    for name, wrong in account.errors.items():
        raise InvalidInputError(name, wrong)
    facts = await discover.check_tracker(ctx, now.kind, now.tracker_url, token, account.values)
    refuse_missing(manifest.name, facts.missing)
    until = f", until {facts.expires_on}" if facts.expires_on else ""
    version = f" ({manifest.name} {facts.version})" if facts.version else ""
    return f"{manifest.name} accepts this token of {facts.user}{until}{version}. No right was found missing."
