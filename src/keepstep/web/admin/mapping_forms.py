"""The mapping form, shared by the wizard and an integration's settings: what it offers, and what it shows."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keepstep.app import discover
from keepstep.app.context import Context
from keepstep.app.discover import BoardAccess, TrackerAccess
from keepstep.app.matching import propose_map
from keepstep.domain.feature import FeatureStatus
from keepstep.domain.fields import Field
from keepstep.domain.ids import StatusId
from keepstep.domain.policy import StatusMap, SyncPolicy
from keepstep.domain.ticket import TicketStatus
from keepstep.ports.tracker import FieldKind, SettingField
from keepstep.web.admin.entries import DIRECTION_LABELS, RULE_LABELS, Values
from keepstep.web.admin.presenting import DIRECTION_SENTENCES, RULE_SENTENCES

Option = tuple[str, str]

FIELD_HELP = {
    Field.TITLE: "The name of the feature, the title of the ticket.",
    Field.DESCRIPTION: "Formatting is converted both ways. The line that Keepstep adds to tickets stays there.",
    Field.STATUS: "By the map above.",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """What both sides have, fetched live."""

    features: Sequence[FeatureStatus]
    tickets: Sequence[TicketStatus]
    defaults: Sequence[SettingField] = ()
    """The fields for new tickets, as the project has them."""
    labels: Sequence[str] = ()

    @property
    def proposal(self) -> StatusMap:
        return propose_map(self.features, self.tickets)


async def fetch_offer(
    ctx: Context,
    board: BoardAccess,
    tracker: TrackerAccess,
    project: str,
    defaults: Values | None = None,
) -> Offer:
    """`defaults`: what is chosen for new tickets; None: those are not asked for.

    Raises InvalidInputError, and the errors of the outside.
    """
    features, tickets = await asyncio.gather(
        discover.list_board_statuses(ctx, board), discover.list_ticket_statuses(ctx, tracker, project)
    )
    if defaults is None:
        return Offer(features, tickets)
    fields = (await discover.list_fields(ctx, tracker, project, defaults)).defaults
    wanted = any(each.kind is FieldKind.LABELS for each in fields)
    labels = await discover.list_labels(ctx, tracker, project) if wanted else ()
    return Offer(features, tickets, fields, labels)


@dataclass(frozen=True, slots=True)
class MapRow:
    """One status and what it becomes; `chosen` is "" while it is not mapped."""

    input: str
    name: str
    chosen: str


@dataclass(frozen=True, slots=True)
class MapSide:
    title: str
    source: str
    target: str
    rows: Sequence[MapRow]
    options: Sequence[Option]
    notes: Sequence[tuple[str, str]] = ()
    """Of the targets: name, and why an item may not get there."""

    @property
    def unmapped(self) -> int:
        return sum(not row.chosen for row in self.rows)


@dataclass(frozen=True, slots=True)
class FieldRow:
    name: str
    help: str
    direction: str
    rule: str


@dataclass(frozen=True, slots=True)
class MappingForm:
    sides: Sequence[MapSide]
    fields: Sequence[FieldRow]
    directions: Sequence[tuple[str, str, str]]
    """Value, label, one-line explanation; so are `rules`."""
    rules: Sequence[tuple[str, str, str]]

    @property
    def unmapped(self) -> int:
        return sum(side.unmapped for side in self.sides)


def mapping_form(offer: Offer, policy: SyncPolicy, tracker_name: str) -> MappingForm:
    there = _side(
        "to_ticket", "Productboard", tracker_name, offer.features, offer.tickets, policy.status_map.to_ticket
    )
    back = _side(
        "to_feature",
        tracker_name,
        "Productboard",
        offer.tickets,
        offer.features,
        policy.status_map.to_feature,
    )
    return MappingForm(
        sides=(there, back),
        fields=[
            FieldRow(
                each.value, FIELD_HELP[each], policy.of(each).direction.value, policy.of(each).rule.value
            )
            for each in Field
        ],
        directions=[
            (each.value, label, DIRECTION_SENTENCES[each]) for each, label in DIRECTION_LABELS.items()
        ],
        rules=[(each.value, label, RULE_SENTENCES[each]) for each, label in RULE_LABELS.items()],
    )


def _side(
    name: str,
    source: str,
    target: str,
    sources: Sequence[FeatureStatus] | Sequence[TicketStatus],
    targets: Sequence[FeatureStatus] | Sequence[TicketStatus],
    chosen: Mapping[StatusId, StatusId],
) -> MapSide:
    known = {each.id for each in targets}
    rows = [
        MapRow(f"{name}.{each.id}", each.name, chosen[each.id] if chosen.get(each.id) in known else "")
        for each in sources
    ]
    noun = "feature" if name == "to_ticket" else "ticket"
    return MapSide(
        f"When the {noun} changes",
        source,
        target,
        rows,
        [(each.id, each.name) for each in targets],
        [(each.name, each.note) for each in targets if isinstance(each, TicketStatus) and each.note],
    )
