"""What the wizard's pages share: the person's draft, the frame around a step, reading what was pasted."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from keepstep.app import discover
from keepstep.app.context import Context
from keepstep.app.drafts import (
    ConnectDraft,
    WizardStep,
    forget_tokens,
    load_draft,
    save_draft,
    store_token,
)
from keepstep.domain.errors import InvalidInputError, KeepstepError
from keepstep.ports.people import Person
from keepstep.web.admin.entries import raw
from keepstep.web.admin.layout import render
from keepstep.web.admin.session import PersonDep
from keepstep.web.deps import services

STEP_LABELS = {
    WizardStep.PRODUCTBOARD: "Productboard",
    WizardStep.TRACKER: "Tracker",
    WizardStep.MAPPING: "Mapping",
    WizardStep.REVIEW: "Review",
}


class Wizard:
    """One person's draft within one request."""

    def __init__(self, request: Request, person: Person, draft: ConnectDraft) -> None:
        self.request, self.person, self.draft = request, person, draft
        self._drafts = services(request).people.drafts
        self.ctx: Context = services(request).ctx

    async def save(self, draft: ConnectDraft) -> None:
        """Tokens that the draft held and holds no more are forgotten."""
        unused = self.draft.tokens - draft.tokens
        self.draft = draft
        await save_draft(self._drafts, self.person.id, draft)
        await forget_tokens(self.ctx, unused)

    async def claim(self) -> bool:
        """Take the draft away, so that a second click on the last button finds none."""
        return await self._drafts.forget(self.person.id)

    def page(
        self, step: WizardStep, template: str, errors: dict[str, str] | None = None, **facts: object
    ) -> Response:
        return render(
            self.request,
            f"connect/{template}",
            status=422 if errors else 200,
            place="integrations",
            steps=[(each, STEP_LABELS[each], self._state(each, step)) for each in WizardStep],
            step=step,
            draft=self.draft,
            errors=errors or {},
            facts=facts,
        )

    def _state(self, each: WizardStep, current: WizardStep) -> str:
        if each is current:
            return "current"
        order = list(WizardStep)
        if order.index(each) < order.index(self.draft.reached()):
            return "done"
        return "open" if self.draft.may_open(each) else "later"


async def wizard(request: Request, person: PersonDep) -> Wizard:
    return Wizard(request, person, await load_draft(services(request).people.drafts, person.id))


WizardDep = Annotated[Wizard, Depends(wizard)]


async def stored_token(ctx: Context, before: str, kept: str, form: FormData, name: str) -> str:
    """A pasted token goes into the vault; an empty field keeps the one that is there. Raises InvalidInputError."""
    pasted = pasted_token(before, kept, form, name)
    return await store_token(ctx, kept, pasted) if pasted else kept


def pasted_token(before: str, kept: str, form: FormData, name: str) -> str:
    """Empty where the stored one goes on. Raises InvalidInputError where that is not for what was entered now.

    `before` and `kept`: the references that the draft had, and has now.
    """
    pasted = raw(form, name)
    if pasted.strip():
        return discover.cleaned_token(pasted)
    if before and not kept:
        raise InvalidInputError(
            "token", "What was changed needs its own token: the stored one is not sent there. Paste it."
        )
    return ""


def refuse_missing(service: str, missing: tuple[str, ...]) -> None:
    if missing:
        lacks = "; ".join(missing)
        raise InvalidInputError(
            "token", f"{service} accepts the token, but it lacks rights: {lacks}. Make one that has them."
        )


def named(error: KeepstepError, side: str) -> str:
    """The name of the input on the page."""
    name = discover.field_of(error)
    if name == "kind" or name.startswith("account."):
        return name
    return {"token": f"{side}_token"}.get(name, f"{side}_url")


def text_of_query(request: Request, name: str) -> str:
    return " ".join(request.query_params.get(name, "").split())[:200]
