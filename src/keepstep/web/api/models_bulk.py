"""Bulk runs as JSON."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field as Described
from pydantic import StringConstraints

from keepstep.app.bulk import BulkView
from keepstep.app.preview import Preview
from keepstep.domain.bulk import BulkItem, BulkKind, BulkOutcome, BulkState, FirstSync, Way
from keepstep.web.api.models import Answer, Body, Line, Page, Utc

Id = Annotated[str, StringConstraints(min_length=1, max_length=64)]
ItemId = Annotated[int, Described(ge=1, lt=2**63)]


class BulkPushCreate(Body):
    """Every condition that is given must hold; none at all means every feature that is not archived."""

    integration: Id
    text: Line = Described("", description="Part of the title.")
    statuses: list[Line] = Described([], max_length=50, description="Any of them, by name or id.")
    tags: list[Line] = Described([], max_length=50, description="Any of them, by name.")
    place: Line = Described("", description="A product or component, by name or id; what is below it counts.")
    owner: Line = Described("", description="E-mail address.")
    subfeatures: bool = False


class PairedBy(StrEnum):
    """How pairs are looked for."""

    MARKER = "marker"
    ADDRESS = "address"
    TITLE = "title"


class BulkLinkCreate(Body):
    integration: Id
    ways: list[PairedBy] = Described(
        [], max_length=3, description="By our marker, by an address in a description, by equal titles."
    )
    csv: Annotated[str, StringConstraints(max_length=900_000)] = Described(
        "", description="Columns `feature` and `ticket`; then nothing else is looked for."
    )


class BulkChoice(Body):
    items: list[ItemId] = Described(max_length=1000)
    chosen: bool


class BulkStart(Body):
    first: FirstSync | None = Described(
        None, description="Of linking: whose values stay where the two sides differ."
    )


class BulkRunOut(Answer):
    id: str
    integration: str
    kind: BulkKind
    state: BulkState
    title: str = Described(description="What was chosen, in words.")
    message: str = Described(description="Why it is paused, waits or failed.")
    notes: list[str] = Described(description="What is worth knowing about the proposal.")
    ways: list[Way] = Described(description="Of linking: how pairs were looked for.")
    first: FirstSync
    actor: str
    created_at: Utc
    started_at: Utc | None
    ended_at: Utc | None
    ends_at: Utc | None = Described(description="About when it will be done; null while nothing goes on.")
    total: int
    chosen: int = Described(description="Of those that wait.")
    outcomes: Mapping[BulkOutcome, int]

    @classmethod
    def of(cls, view: BulkView) -> "BulkRunOut":
        run, counts = view.run, view.counts
        return cls(
            id=run.id,
            integration=run.integration_id,
            kind=run.kind,
            state=run.state,
            title=run.title,
            message=run.message,
            notes=list(run.notes),
            ways=list(run.ways),
            first=run.first,
            actor=run.actor,
            created_at=run.created_at,
            started_at=run.started_at,
            ended_at=run.ended_at,
            ends_at=view.ends_at,
            total=counts.total,
            chosen=counts.chosen,
            outcomes={each: counts.of(each) for each in BulkOutcome},
        )


class BulkRunPage(Page[BulkRunOut]):
    pass


class BulkFeature(Answer):
    id: str
    title: str
    status: str
    url: str


class BulkTicket(Answer):
    label: str
    title: str
    status: str
    url: str


class BulkItemOut(Answer):
    id: int
    feature: BulkFeature
    ticket: BulkTicket | None
    way: Way | None = Described(description="How the pair was found; null when pushing.")
    line: int = Described(description="Of the CSV file; 0 where there is none.")
    chosen: bool
    outcome: BulkOutcome
    reason: str
    link: str | None

    @classmethod
    def of(cls, item: BulkItem) -> "BulkItemOut":
        ticket = item.ticket and BulkTicket(
            label=item.ticket.label, title=item.ticket_title, status=item.ticket_status, url=item.ticket.url
        )
        return cls(
            id=item.id,
            feature=BulkFeature(
                id=item.feature_id,
                title=item.feature_title,
                status=item.feature_status,
                url=item.feature_url,
            ),
            ticket=ticket,
            way=item.way,
            line=item.line,
            chosen=item.chosen,
            outcome=item.outcome,
            reason=item.reason,
            link=None if item.outcome in (BulkOutcome.WAITING, BulkOutcome.SKIPPED) else item.link_id,
        )


class BulkItemPage(Page[BulkItemOut]):
    pass


class BulkPreview(Answer):
    title: str
    description: str = Described(description="In the tracker's own text.")
    footer: str
    status: str | None = Described(description="Its name; null: whatever the tracker starts with.")
    status_reason: str

    @classmethod
    def of(cls, shown: Preview) -> "BulkPreview":
        return cls(
            title=shown.title,
            description=shown.description,
            footer=shown.footer,
            status=shown.status.name if shown.status else None,
            status_reason=shown.status_reason,
        )
