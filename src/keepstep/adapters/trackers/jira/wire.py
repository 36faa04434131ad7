"""Jira's shapes, and the way from and to ours. Unknown fields are ignored."""

import json
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from keepstep.adapters.formats.adf import Adf
from keepstep.domain.document import Document, Paragraph, Text
from keepstep.domain.ids import StatusId, TicketId
from keepstep.domain.ticket import StatusCategory, Ticket, TicketRef, TicketStatus

READ_FIELDS = ("summary", "description", "status", "updated", "created", "labels", "project", "issuetype")
_CATEGORIES = {"new": StatusCategory.TODO, "indeterminate": StatusCategory.DOING, "done": StatusCategory.DONE}
_ADF = Adf()


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class NamedWire(Wire):
    id: str = ""
    name: str = ""
    value: str = ""

    @property
    def label(self) -> str:
        return self.name or self.value or self.id


class CategoryWire(Wire):
    key: str = "undefined"


class StatusWire(Wire):
    id: str
    name: str
    category: CategoryWire = Field(default_factory=CategoryWire, alias="statusCategory")


class ProjectWire(Wire):
    id: str
    key: str
    name: str = ""
    archived: bool = False


class TypeWire(Wire):
    id: str
    name: str
    subtask: bool = False


class TypeStatusesWire(TypeWire):
    statuses: list[StatusWire] = []


class FieldsWire(Wire):
    summary: str
    description: Any = None
    status: StatusWire
    updated: datetime
    created: datetime
    labels: list[str] = []
    project: ProjectWire
    issuetype: TypeWire


class IssueWire(Wire):
    id: str
    key: str
    fields: FieldsWire


class CreatedWire(Wire):
    id: str
    key: str


class MyselfWire(Wire):
    account_id: str = Field(default="", alias="accountId")
    display_name: str = Field(default="", alias="displayName")
    time_zone: str = Field(default="", alias="timeZone")


class UserWire(Wire):
    account_id: str = Field(alias="accountId")
    display_name: str = Field(default="", alias="displayName")


class ServerWire(Wire):
    base_url: str = Field(alias="baseUrl")


class SchemaWire(Wire):
    type: str = ""
    items: str = ""
    custom: str = ""


class FieldWire(Wire):
    name: str = ""
    field_id: str = Field(default="", alias="fieldId")
    required: bool = False
    has_default: bool = Field(default=False, alias="hasDefaultValue")
    allowed: list[NamedWire] | None = Field(default=None, alias="allowedValues")
    shape: SchemaWire = Field(default_factory=SchemaWire, alias="schema")


class TransitionWire(Wire):
    id: str
    name: str = ""
    to: StatusWire
    is_global: bool = Field(default=False, alias="isGlobal")
    is_available: bool = Field(default=True, alias="isAvailable")
    fields: dict[str, FieldWire] = {}


class HookWire(Wire):
    self: str
    url: str = ""
    enabled: bool = True

    @property
    def id(self) -> str:
        return self.self.rstrip("/").rpartition("/")[2]


def status_from_wire(status: StatusWire, note: str = "") -> TicketStatus:
    category = _CATEGORIES.get(status.category.key, StatusCategory.TODO)
    return TicketStatus(StatusId(status.id), status.name, category, note)


def ticket_from_wire(issue: IssueWire, site: str) -> Ticket:
    fields = issue.fields
    return Ticket(
        ref=TicketRef(
            id=TicketId(issue.id),
            project=fields.project.id,
            key=issue.key,
            label=issue.key,
            url=f"{site}/browse/{issue.key}",
        ),
        title=fields.summary,
        description=text_from_adf(fields.description),
        status=status_from_wire(fields.status),
        updated_at=aware(fields.updated),
        labels=tuple(fields.labels),
    )


def aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def text_from_adf(document: Any) -> str:
    """The document as compact JSON, its keys as they came; "" where there is none."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) if document else ""


def adf_from_text(text: str) -> Any:
    """The document that a text holds; a text that holds none becomes plain paragraphs. None empties the field."""
    if not text.strip():
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    return document if isinstance(document, dict) and document.get("type") == "doc" else plain_adf(text)


def plain_adf(text: str) -> Any:
    """Written as plain text: nothing in it calls people or does anything."""
    parts = tuple(Paragraph((Text(each),)) for each in text.split("\n\n") if each.strip())
    return json.loads(_ADF.write(Document(parts)))


def one_line(title: str) -> str:
    """Jira refuses a summary with line feeds, and one of more than 255 characters."""
    return " ".join(title.splitlines())[:255]
