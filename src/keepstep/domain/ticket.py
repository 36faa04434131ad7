"""Ticket: our picture of a tracker's ticket, whatever the tracker calls it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from keepstep.domain.fields import Snapshot
from keepstep.domain.ids import StatusId, TicketId


class StatusCategory(StrEnum):
    """What every tracker's states boil down to; decides the colour of the cell."""

    TODO = "todo"
    DOING = "doing"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class TicketStatus:
    id: StatusId
    name: str
    category: StatusCategory
    note: str = ""
    """For the person who draws the map: why a ticket may not get there."""


@dataclass(frozen=True, slots=True)
class TicketRef:
    """Where a ticket is. `id` is stable; `project` and `key` are how the tracker's API addresses it today."""

    id: TicketId
    project: str
    key: str
    label: str
    """How people name it: "#14", "ACME-42"."""
    url: str


@dataclass(frozen=True, slots=True)
class Ticket:
    ref: TicketRef
    title: str
    description: str
    """In the tracker's own format, exactly as read, managed footers included."""
    status: TicketStatus
    updated_at: datetime
    labels: tuple[str, ...] = ()
    moved_to: TicketId | None = None
    """Set on a stub that was left behind by a move and could not be followed."""

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(self.title, self.description, self.status.id)


@dataclass(frozen=True, slots=True)
class TicketDraft:
    """A ticket to be created."""

    title: str
    description: str
    status: StatusId | None
    """None: whatever the tracker starts with."""
    marker: str
    defaults: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Values for the manifest's `defaults` fields, such as labels."""
    link_back: str = ""
    """The address that a link back leads to, where the tracker has a place for it besides the text."""


@dataclass(frozen=True, slots=True)
class TicketChanges:
    """Only what is to change; None leaves a field alone."""

    title: str | None = None
    description: str | None = None
    status: StatusId | None = None
