"""Redmine's JSON, as far as it is used, and the way from and to our tickets."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from keepstep.domain.ids import StatusId, TicketId
from keepstep.domain.integration import ProjectRef
from keepstep.domain.ticket import StatusCategory, Ticket, TicketChanges, TicketRef, TicketStatus


class Wire(BaseModel):
    """Plugins add fields: what is not known is ignored."""

    model_config = ConfigDict(extra="ignore")


class NamedWire(Wire):
    id: int
    name: str = ""


class UserWire(Wire):
    id: int
    login: str = ""
    firstname: str = ""
    lastname: str = ""
    admin: bool = False


class StatusWire(NamedWire):
    is_closed: bool = False


class CustomFieldWire(Wire):
    id: int
    name: str = ""
    value: Any = None


class FieldDefinitionWire(NamedWire):
    customized_type: str = ""
    field_format: str = ""
    is_required: bool = False
    is_filter: bool = False
    possible_values: list[dict[str, Any]] = []
    trackers: list[NamedWire] = []


class JournalWire(Wire):
    notes: str | None = None


class IssueWire(Wire):
    id: int
    project: NamedWire
    status: StatusWire
    subject: str
    description: str | None = None
    custom_fields: list[CustomFieldWire] = []
    allowed_statuses: list[NamedWire] = []
    journals: list[JournalWire] = []
    created_on: datetime
    updated_on: datetime


class ProjectWire(NamedWire):
    identifier: str = ""
    status: int = 1
    trackers: list[NamedWire] = []
    issue_custom_fields: list[NamedWire] = []
    enabled_modules: list[NamedWire] | None = None


class MembershipWire(Wire):
    user: NamedWire | None = None


_WAITING = ("new", "open", "backlog", "to do", "todo", "planned")
_DROPPED = ("reject", "cancel", "won't", "wont", "duplicate", "invalid", "abandon")


def project_from_wire(project: ProjectWire, base_url: str) -> ProjectRef:
    return ProjectRef(str(project.id), project.name, f"{base_url}/projects/{project.identifier}")


def status_from_wire(status: StatusWire, note: str = "") -> TicketStatus:
    return TicketStatus(StatusId(str(status.id)), status.name, _category(status), note)


def _category(status: StatusWire) -> StatusCategory:
    """Redmine tells only whether a status closes; the rest, which is a colour and no more, is read from its name."""
    if status.is_closed:
        dropped = status.name.lower().startswith(_DROPPED)
        return StatusCategory.DROPPED if dropped else StatusCategory.DONE
    return StatusCategory.TODO if status.name.lower() in _WAITING else StatusCategory.DOING


def ticket_from_wire(issue: IssueWire, base_url: str) -> Ticket:
    return Ticket(
        ref=TicketRef(
            id=TicketId(str(issue.id)),
            project=str(issue.project.id),
            key=str(issue.id),
            label=f"#{issue.id}",
            url=f"{base_url}/issues/{issue.id}",
        ),
        title=issue.subject,
        # Redmine turns every line end into CRLF when it stores, whatever was sent.
        description=(issue.description or "").replace("\r\n", "\n"),
        status=status_from_wire(issue.status),
        updated_at=issue.updated_on,
    )


def wire_from_changes(changes: TicketChanges) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if changes.title is not None:
        body["subject"] = changes.title
    if changes.description is not None:
        body["description"] = changes.description
    if changes.status is not None:
        body["status_id"] = int(changes.status) if changes.status.isdecimal() else changes.status
    return body
