"""Linear's shapes, and the way from and to ours. Unknown fields are ignored."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from keepstep.domain.ids import StatusId, TicketId
from keepstep.domain.integration import ProjectRef
from keepstep.domain.ticket import StatusCategory, Ticket, TicketChanges, TicketRef, TicketStatus

PAGES = "https://linear.app"
_CATEGORIES = {
    "triage": StatusCategory.TODO,
    "backlog": StatusCategory.TODO,
    "unstarted": StatusCategory.TODO,
    "started": StatusCategory.DOING,
    "completed": StatusCategory.DONE,
    "canceled": StatusCategory.DROPPED,
    "duplicate": StatusCategory.DROPPED,
}
"""In the order of work."""
_ORDER = tuple(_CATEGORIES)
_NOTES = {
    "duplicate": "Linear sets it by itself when an issue is marked as a duplicate; writing it may be refused."
}


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class StateWire(Wire):
    id: str
    name: str
    type: str
    position: float = 0


class TeamWire(Wire):
    id: str
    key: str
    name: str
    retired_at: datetime | None = Field(default=None, alias="retiredAt")


class NamedWire(Wire):
    id: str
    name: str
    active: bool = True


class _Reference(Wire):
    id: str


class _Label(Wire):
    name: str


class _Labels(Wire):
    nodes: list[_Label] = []


class IssueWire(Wire):
    id: str
    identifier: str
    title: str
    description: str | None = None
    url: str
    created_at: datetime = Field(alias="createdAt")
    updated_at: datetime = Field(alias="updatedAt")
    archived_at: datetime | None = Field(default=None, alias="archivedAt")
    trashed: bool | None = None
    state: StateWire
    team: _Reference
    labels: _Labels = _Labels()


class AttachmentWire(Wire):
    id: str
    url: str
    metadata: dict[str, Any] = {}


class FailureWire(Wire):
    created_at: datetime = Field(alias="createdAt")
    http_status: float | None = Field(default=None, alias="httpStatus")
    response_or_error: str | None = Field(default=None, alias="responseOrError")


class HookWire(Wire):
    id: str
    url: str | None = None
    enabled: bool = True
    failures: list[FailureWire] = []


class ViewerWire(Wire):
    name: str = ""
    email: str = ""
    admin: bool = False


def status_from_wire(state: StateWire) -> TicketStatus:
    """An unknown type of state, which Linear may add, counts as work not begun."""
    category = _CATEGORIES.get(state.type, StatusCategory.TODO)
    return TicketStatus(StatusId(state.id), state.name, category, _NOTES.get(state.type, ""))


def in_order(states: list[StateWire]) -> list[StateWire]:
    def place(state: StateWire) -> tuple[int, float, str]:
        return (_ORDER.index(state.type) if state.type in _ORDER else 0, state.position, state.name)

    return sorted(states, key=place)


def ticket_from_wire(issue: IssueWire) -> Ticket:
    """The key changes with the team; the id stays."""
    return Ticket(
        ref=TicketRef(
            id=TicketId(issue.id),
            project=issue.team.id,
            key=issue.identifier,
            label=issue.identifier,
            url=issue.url,
        ),
        title=issue.title,
        description=issue.description or "",
        status=status_from_wire(issue.state),
        updated_at=issue.updated_at,
        labels=tuple(each.name for each in issue.labels.nodes),
    )


def wire_from_changes(changes: TicketChanges) -> dict[str, Any]:
    body = {"title": changes.title, "description": changes.description, "stateId": changes.status}
    return {name: value for name, value in body.items() if value is not None}


def project_from_wire(team: TeamWire, workspace: str) -> ProjectRef:
    return ProjectRef(
        id=team.id, name=f"{team.name} ({team.key})", url=f"{PAGES}/{workspace}/team/{team.key}"
    )
