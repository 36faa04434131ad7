"""The ticket that a real feature would become, before it is pushed or anything is connected: shown, never created."""

from collections.abc import Sequence
from dataclasses import dataclass

from keepstep.app.context import Context
from keepstep.app.discover import BoardAccess, TrackerAccess, open_board, open_tracker
from keepstep.domain.document import Document
from keepstep.domain.feature import PUSHABLE_TYPES, Feature
from keepstep.domain.fields import Field
from keepstep.domain.footer import footer_blocks
from keepstep.domain.ids import LinkId, StatusId, marker_of
from keepstep.domain.plan import draft_of, goes_out
from keepstep.domain.policy import SyncPolicy
from keepstep.domain.rules import DescriptionRule, field_rules
from keepstep.domain.ticket import TicketStatus
from keepstep.ports.tracker import Tracker

_SAMPLE = 20
_ANY_LINK = LinkId("0" * 32)
"""Every ticket gets digits of its own when it is made."""


@dataclass(frozen=True, slots=True)
class Preview:
    feature: Feature
    title: str
    description: str
    """In the tracker's own text."""
    footer: str
    """What Keepstep adds below it; the digits of the marker differ from ticket to ticket."""
    status: TicketStatus | None
    """None: whatever the tracker starts with."""
    status_reason: str
    """Why there is no status; "" when there is one."""
    left_out: Sequence[Field]
    """Fields that the policy does not carry to tickets."""


async def sample_features(ctx: Context, board: BoardAccess) -> Sequence[Feature]:
    found = await open_board(ctx, board).workspace.sample_features(_SAMPLE)
    return [each for each in found if each.type in PUSHABLE_TYPES and not each.archived]


def preview(
    ctx: Context,
    access: TrackerAccess,
    feature: Feature,
    policy: SyncPolicy,
    statuses: Sequence[TicketStatus],
) -> Preview:
    """Calls nobody: feature and statuses have been read before."""
    return preview_with(ctx, open_tracker(ctx, access), feature, policy, statuses)


def preview_with(
    ctx: Context, tracker: Tracker, feature: Feature, policy: SyncPolicy, statuses: Sequence[TicketStatus]
) -> Preview:
    """The same for an integration that exists: its tracker is open already."""
    description = DescriptionRule(ctx.outside.board_text(), tracker.text, (), marker_of(_ANY_LINK))
    rules = field_rules(policy.status_map, description, tracker.manifest.title_limit)
    drafted = draft_of(rules, policy, feature.snapshot)
    status, reason = _status(feature, policy, statuses, drafted.status)
    return Preview(
        feature=feature,
        title=drafted.title,
        description=drafted.description.strip(),
        footer=_footer(ctx, tracker, feature),
        status=status,
        status_reason=reason,
        left_out=[each for each in Field if each is not Field.TITLE and not goes_out(policy, each)],
    )


def _status(
    feature: Feature, policy: SyncPolicy, statuses: Sequence[TicketStatus], wanted: StatusId | None
) -> tuple[TicketStatus | None, str]:
    if not goes_out(policy, Field.STATUS):
        return None, "The status does not go to tickets."
    if feature.status is None:
        return None, "The feature has no status."
    found = next((each for each in statuses if each.id == wanted), None)
    return found, "" if found else f"“{feature.status.name}” is not mapped."


def _footer(ctx: Context, tracker: Tracker, feature: Feature) -> str:
    blocks = footer_blocks(feature.url, f"{ctx.rules.public_url}/l/…", marker_of(_ANY_LINK))
    return tracker.text.write(Document(blocks)).strip()
