"""What an open decision would lead to: the merge for either choice, before anybody chooses."""

from collections.abc import Mapping

from keepstep.app.context import Context
from keepstep.app.opening import description_rule, open_tracker
from keepstep.domain.fields import Field, Side
from keepstep.domain.first_sync import as_if_in_step
from keepstep.domain.integration import Integration
from keepstep.domain.link import Conflict, Link
from keepstep.domain.merge import FieldRule, Pair
from keepstep.domain.rules import field_rules


async def propose(ctx: Context, integration: Integration, link: Link) -> Mapping[Field, Mapping[Side, Pair]]:
    """Per undecided field that can be merged: for either side as the chosen one, the exact values of both sides.

    Where only some places clash, everything else of both sides is in both proposals.
    """
    if not link.conflicts:
        return {}
    tracker = await open_tracker(ctx, integration)
    description = description_rule(ctx, link, tracker)
    rules = field_rules(integration.policy.status_map, description, tracker.manifest.title_limit)
    found: dict[Field, Mapping[Side, Pair]] = {}
    for name, conflict in link.conflicts.items():
        now = Pair(conflict.feature, conflict.ticket)
        joined = {side: rules[name].join(_base(rules[name], conflict, side), now, side) for side in Side}
        pairs = {side: Pair(each.feature, each.ticket) for side, each in joined.items() if each is not None}
        if pairs:
            found[name] = pairs
    return found


def _base(rule: FieldRule, conflict: Conflict, winner: Side) -> Pair:
    if conflict.first:
        return as_if_in_step(rule, Pair(conflict.feature, conflict.ticket), winner)
    return Pair(conflict.base_feature, conflict.base_ticket)
