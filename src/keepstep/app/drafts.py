"""What a person has entered in the Connect wizard so far, kept on the server until it becomes an Integration.

Tokens go into the vault as they come; the draft holds references. An answer that depended on an earlier entry goes
when that entry changes: another workspace or project makes the status map void, another address the token.
"""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from keepstep.app.connect import NewIntegration
from keepstep.app.context import Context
from keepstep.app.discover import BoardAccess, TrackerAccess
from keepstep.domain.errors import InvalidInputError, MissingError
from keepstep.domain.fields import Field
from keepstep.domain.ids import SecretRef, StatusId
from keepstep.domain.integration import MAX_LABEL, ProjectRef
from keepstep.domain.policy import ConflictRule, Direction, FieldPolicy, StatusMap, SyncPolicy
from keepstep.ports.people import Drafts, PersonId
from keepstep.ports.vault import VaultError

PRODUCTBOARD_URL = "https://api.productboard.com/v2"

Values = Mapping[str, str | tuple[str, ...]]


class WizardStep(StrEnum):
    PRODUCTBOARD = "productboard"
    TRACKER = "tracker"
    MAPPING = "mapping"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class ConnectDraft:
    board_url: str = PRODUCTBOARD_URL
    board_token: str = ""
    """A SecretRef, or "" while none was entered; so is `tracker_token`."""
    board_ok: bool = False
    """The token was accepted at this address."""
    workspace: str = ""
    kind: str = ""
    tracker_url: str = ""
    tracker_token: str = ""
    account: Values = field(default_factory=dict)
    """What the kind of tracker asks for beside the token."""
    tracker_ok: bool = False
    tracker_user: str = ""
    project_id: str = ""
    project_name: str = ""
    project_url: str = ""
    settings_ok: bool = False
    tracker_settings: Values = field(default_factory=dict)
    mapping_ok: bool = False
    to_ticket: Mapping[str, str] = field(default_factory=dict)
    to_feature: Mapping[str, str] = field(default_factory=dict)
    directions: Mapping[str, str] = field(default_factory=dict)
    """Per field; one that is not there has the policy's default. So are `conflict_rules`."""
    conflict_rules: Mapping[str, str] = field(default_factory=dict)
    defaults: Values = field(default_factory=dict)
    name: str = ""
    button: str = ""

    @property
    def tokens(self) -> set[SecretRef]:
        return {SecretRef(ref) for ref in (self.board_token, self.tracker_token) if ref}

    @property
    def project(self) -> ProjectRef | None:
        return ProjectRef(self.project_id, self.project_name, self.project_url) if self.project_id else None

    @property
    def status_map(self) -> StatusMap:
        return StatusMap(_statuses(self.to_ticket), _statuses(self.to_feature))

    @property
    def policy(self) -> SyncPolicy:
        chosen = {
            each: FieldPolicy(
                Direction(self.directions.get(each, Direction.BOTH)),
                ConflictRule(self.conflict_rules.get(each, ConflictRule.NEWEST)),
            )
            for each in Field
        }
        return SyncPolicy(chosen, self.status_map)

    def reached(self) -> WizardStep:
        """The first step that is not finished."""
        if not self.board_ok:
            return WizardStep.PRODUCTBOARD
        if not (self.tracker_ok and self.project_id and self.settings_ok):
            return WizardStep.TRACKER
        return WizardStep.REVIEW if self.mapping_ok else WizardStep.MAPPING

    def may_open(self, step: WizardStep) -> bool:
        order = list(WizardStep)
        return order.index(step) <= order.index(self.reached())

    def with_board(self, url: str) -> "ConnectDraft":
        """Not checked yet; another address is another workspace, and the stored token is not for it."""
        changed = replace(self, board_url=url, board_ok=False)
        if _is_same_address(url, self.board_url):
            return changed
        return replace(changed, board_token="").without_map()

    def with_tracker(self, kind: str, url: str) -> "ConnectDraft":
        """Not checked yet; the stored token is not for another kind or address."""
        changed = replace(self, kind=kind, tracker_url=url, tracker_ok=False)
        if kind == self.kind and _is_same_address(url, self.tracker_url):
            return changed
        changed = replace(changed, tracker_token="", tracker_user="")
        changed = replace(changed, project_id="", project_name="", project_url="")
        changed = changed.without_map()
        if kind != self.kind:
            changed = replace(changed, account={}, tracker_settings={}, defaults={}, button="")
        return replace(changed, settings_ok=False)

    def with_project(self, project: ProjectRef, *, asks_more: bool) -> "ConnectDraft":
        """`asks_more`: this kind of tracker has settings of its own to be answered next."""
        same = project.id == self.project_id
        changed = replace(self, project_id=project.id, project_name=project.name, project_url=project.url)
        if same:
            return changed
        return replace(changed, settings_ok=not asks_more, tracker_settings={}, defaults={}).without_map()

    def with_settings(self, values: Values) -> "ConnectDraft":
        changed = replace(self, tracker_settings=values, settings_ok=True)
        return changed if values == self.tracker_settings else changed.without_map()

    def with_policy(self, policy: SyncPolicy, defaults: Values) -> "ConnectDraft":
        return replace(
            self,
            to_ticket={str(key): str(to) for key, to in policy.status_map.to_ticket.items()},
            to_feature={str(key): str(to) for key, to in policy.status_map.to_feature.items()},
            directions={each.value: policy.of(each).direction.value for each in Field},
            conflict_rules={each.value: policy.of(each).rule.value for each in Field},
            defaults=defaults,
        )

    def without_map(self) -> "ConnectDraft":
        return replace(self, to_ticket={}, to_feature={}, mapping_ok=False)


async def load_draft(drafts: Drafts, person: PersonId) -> ConnectDraft:
    """An empty one when there is none, or when an earlier version of Keepstep wrote one we cannot read."""
    stored = await drafts.load(person)
    return _from_json(stored) if stored else ConnectDraft()


async def save_draft(drafts: Drafts, person: PersonId, draft: ConnectDraft) -> None:
    await drafts.save(person, asdict(draft))


async def store_token(ctx: Context, ref: str, token: str) -> str:
    """Into the vault at once, under the draft's reference where it has one."""
    if ref:
        with contextlib.suppress(MissingError):
            await ctx.vault.replace(SecretRef(ref), token)
            return ref
    return await ctx.vault.put(token)


async def token_end(ctx: Context, ref: str) -> str:
    """The last four characters, for display; a sign of its own for a token too short to show any part of."""
    if not ref:
        return ""
    try:
        return await ctx.vault.last_four(SecretRef(ref)) or "…"
    except (MissingError, VaultError):
        return ""


async def discard_draft(ctx: Context, drafts: Drafts, person: PersonId) -> None:
    """With its tokens."""
    draft = await load_draft(drafts, person)
    await forget_tokens(ctx, draft.tokens)
    await drafts.forget(person)


async def forget_tokens(ctx: Context, refs: Iterable[SecretRef]) -> None:
    for ref in refs:
        await ctx.vault.forget(ref)


async def board_access(ctx: Context, draft: ConnectDraft) -> BoardAccess:
    """Raises InvalidInputError when no token was entered, or it cannot be opened any more."""
    return BoardAccess(draft.board_url, await _open(ctx, draft.board_token))


async def tracker_access(ctx: Context, draft: ConnectDraft) -> TrackerAccess:
    """Raises InvalidInputError when no token was entered, or it cannot be opened any more."""
    token = await _open(ctx, draft.tracker_token)
    return TrackerAccess(draft.kind, draft.tracker_url, token, {**draft.account, **draft.tracker_settings})


async def _open(ctx: Context, ref: str) -> str:
    if not ref:
        raise InvalidInputError("token", "Paste a token.")
    try:
        return await ctx.vault.open(SecretRef(ref))
    except (MissingError, VaultError) as error:
        raise InvalidInputError(
            "token", "The stored token cannot be opened any more. Paste it again."
        ) from error


def new_integration(draft: ConnectDraft) -> NewIntegration:
    """Raises InvalidInputError, which names the step that is missing."""
    project = draft.project
    if draft.reached() is not WizardStep.REVIEW or project is None:
        raise InvalidInputError(draft.reached(), "Finish this step first.")
    return NewIntegration(
        name=draft.name,
        board_url=draft.board_url,
        board_token=SecretRef(draft.board_token),
        kind=draft.kind,
        tracker_url=draft.tracker_url,
        tracker_token=SecretRef(draft.tracker_token),
        project=project,
        workspace=draft.workspace,
        button=draft.button,
        policy=draft.policy,
        tracker_settings={**draft.account, **draft.tracker_settings},
        defaults=draft.defaults,
    )


def proposed_button(tracker_name: str) -> str:
    """The tracker's name where the button has room for it."""
    return tracker_name if len(tracker_name) <= MAX_LABEL else "Push"


def _is_same_address(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _statuses(pairs: Mapping[str, str]) -> dict[StatusId, StatusId]:
    return {StatusId(key): StatusId(value) for key, value in pairs.items()}


def _from_json(stored: Mapping[str, Any]) -> ConnectDraft:
    known = {each.name: stored[each.name] for each in fields(ConnectDraft) if each.name in stored}
    try:
        for name in {"account", "tracker_settings", "defaults"} & known.keys():
            known[name] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in known[name].items()
            }
        draft = ConnectDraft(**known)
        draft.policy  # noqa: B018 - a direction or rule that does not exist any more raises here
    except (AttributeError, TypeError, ValueError):
        return ConnectDraft()
    return draft
