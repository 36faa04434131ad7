"""Making and changing an integration from JSON, for the API and for the command line.

Both credentials are tried before anything is stored, so that a wrong one is said at once and names its field; the
steps of connecting are then the use case's.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from keepstep.app import discover, manage
from keepstep.app.connect import NewIntegration, check_button, check_name, connect
from keepstep.app.context import Context
from keepstep.app.discover import BoardAccess, TrackerAccess
from keepstep.app.manage import Changes
from keepstep.domain.errors import InvalidInputError, MissingError
from keepstep.domain.feature import FeatureStatus
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration, ProjectRef
from keepstep.domain.policy import StatusMap, SyncPolicy
from keepstep.domain.ticket import TicketStatus
from keepstep.ports.errors import NotThereError, RejectedError
from keepstep.ports.tracker import SettingField
from keepstep.ports.vault import VaultError
from keepstep.web.api.models_integrations import IntegrationChange, IntegrationCreate
from keepstep.web.api.models_system import StatusesOut
from keepstep.web.api.values import (
    Given,
    Stored,
    board_access,
    check_map,
    checked_values,
    naming,
    refuse_missing,
    sentence,
    stored,
    tracker_access,
)


@dataclass(frozen=True, slots=True)
class _Tried:
    board: BoardAccess
    tracker: TrackerAccess
    project: ProjectRef
    workspace: str
    features: Sequence[FeatureStatus]
    tickets: Sequence[TicketStatus]


async def create_integration(ctx: Context, body: IntegrationCreate, actor: str) -> Integration:
    """Raises InvalidInputError with the field's path, and the errors of the outside."""
    check_name(body.name)
    check_button(body.button)
    with naming("tracker"):
        manifest = ctx.outside.manifest(body.tracker.kind)
    tried = await _try(ctx, body)
    given = checked_values(manifest.defaults, _known(manifest.defaults, body.defaults), {}, "defaults")
    fields = await discover.list_fields(ctx, tried.tracker, tried.project.id, given)
    checked_values(fields.settings, _known(fields.settings, body.tracker.settings), {}, "tracker.settings")
    defaults = checked_values(fields.defaults, body.defaults, {}, "defaults")
    proposed = discover.propose_map(tried.features, tried.tickets)
    policy = body.policy.onto(SyncPolicy(status_map=proposed))
    check_map(policy.status_map, [each.id for each in tried.features], [each.id for each in tried.tickets])
    new = NewIntegration(
        name=body.name,
        board_url=tried.board.base_url,
        board_token=await ctx.vault.put(tried.board.token),
        kind=body.tracker.kind,
        tracker_url=tried.tracker.base_url,
        tracker_token=await ctx.vault.put(tried.tracker.token),
        project=tried.project,
        workspace=body.board.workspace or tried.workspace,
        button=body.button,
        policy=policy,
        tracker_settings=tried.tracker.settings,
        defaults=defaults,
    )
    return await connect(ctx, new, actor)


def _known(fields: Sequence[SettingField], given: Given) -> Given:
    """Without those that only the project itself may know."""
    names = {each.name for each in fields}
    return {name: value for name, value in given.items() if name in names}


async def _try(ctx: Context, body: IntegrationCreate) -> _Tried:
    with naming("board"):
        board = board_access(body.board)
        found = await discover.check_board(ctx, board.base_url, board.token)
    refuse_missing("board.token", found.facts.missing)
    with naming("tracker"):
        tracker = tracker_access(ctx, body.tracker)
        facts = await discover.check_tracker(
            ctx, tracker.kind, tracker.base_url, tracker.token, tracker.settings
        )
    refuse_missing("tracker.token", facts.missing)
    project = await discover.find_project(ctx, tracker, body.project)
    tickets = await discover.list_ticket_statuses(ctx, tracker, project.id)
    return _Tried(board, tracker, project, found.facts.name, found.statuses, tickets)


async def statuses_of(ctx: Context, integration: Integration, settings: Stored | None = None) -> StatusesOut:
    """Both sides' statuses as they are now, asked with the stored tokens; `settings` as if they were the tracker's."""
    board, account = integration.board, integration.tracker
    asked = integration.tracker_settings if settings is None else settings
    try:
        tokens = await ctx.vault.open(board.token), await ctx.vault.open(account.token)
    except (VaultError, MissingError) as error:
        raise InvalidInputError("token", "A stored token cannot be opened any more. Replace it.") from error
    tracker = TrackerAccess(account.kind, account.base_url, tokens[1], asked)
    features, tickets = await asyncio.gather(
        discover.list_board_statuses(ctx, BoardAccess(board.base_url, tokens[0])),
        discover.list_ticket_statuses(ctx, tracker, integration.project.id),
    )
    return StatusesOut.of(features, tickets, discover.propose_map(features, tickets))


_PATHS = {
    "tracker_url": "tracker.base_url",
    "base_url": "tracker.base_url",
    "tracker_token": "tracker.token",
}


async def change_integration(
    ctx: Context, integration_id: IntegrationId, body: IntegrationChange, actor: str
) -> Integration:
    """Raises InvalidInputError with the field's path, MissingError, ForbiddenMoveError, and the outside's errors."""
    async with ctx.storage.begin() as uow:
        integration = await uow.integrations.get(integration_id)
    changes = await _changes(ctx, integration, body)
    try:
        return await manage.change(ctx, integration_id, changes, actor)
    except InvalidInputError as error:
        raise InvalidInputError(_PATHS.get(error.field, error.field), str(error)) from error
    except (NotThereError, RejectedError) as error:
        if changes.project is None and changes.tracker_url is None:
            raise
        field = "tracker.base_url" if changes.project is None else "project"
        raise InvalidInputError(field, sentence(error)) from error


async def _changes(ctx: Context, integration: Integration, body: IntegrationChange) -> Changes:
    manifest = ctx.outside.manifest(integration.tracker.kind)
    tracker, settings, defaults, token = body.tracker, None, None, None
    if tracker is not None and tracker.token is not None:
        with naming("tracker"):
            token = discover.cleaned_token(tracker.token.get_secret_value())
    if tracker is not None and tracker.settings is not None:
        before = integration.tracker_settings
        known = (*manifest.account, *manifest.settings)
        settings = checked_values(known, tracker.settings, before, "tracker.settings")
    if body.defaults is not None:
        chosen = {**integration.defaults, **stored(body.defaults)}
        access = await discover.tracker_of(ctx, integration)
        fields = await discover.list_fields(ctx, access, integration.project.id, chosen)
        defaults = checked_values(fields.defaults, body.defaults, integration.defaults, "defaults")
    policy = None if body.policy is None else body.policy.onto(integration.policy)
    if policy is not None and _has_new_ids(integration.policy.status_map, policy.status_map):
        found = await statuses_of(ctx, integration, settings)
        check_map(policy.status_map, [each.id for each in found.feature], [each.id for each in found.ticket])
    return Changes(
        name=body.name,
        button=body.button,
        workspace=body.board.workspace if body.board else None,
        policy=policy,
        defaults=defaults,
        tracker_settings=settings,
        project=ProjectRef(body.project, body.project) if body.project is not None else None,
        tracker_url=tracker.base_url if tracker else None,
        tracker_token=token,
    )


def _has_new_ids(before: StatusMap, after: StatusMap) -> bool:
    """Ids that stand in the map already are not asked for: a rule can be changed while the outside is away."""

    def ids(found: StatusMap, at: int) -> set[str]:
        pairs = (*found.to_ticket.items(), *((theirs, ours) for ours, theirs in found.to_feature.items()))
        return {pair[at] for pair in pairs}

    return any(not ids(after, at) <= ids(before, at) for at in (0, 1))
