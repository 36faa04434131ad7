"""GitLab's shapes, and the way from and to ours. Unknown fields are ignored."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from keepstep.adapters.trackers.gitlab.settings import CLOSED, OPENED, StatusRules
from keepstep.domain.ids import StatusId, TicketId
from keepstep.domain.integration import ProjectRef
from keepstep.domain.ticket import Ticket, TicketChanges, TicketDraft, TicketRef
from keepstep.ports.errors import RejectedError


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


def _label_name(label: Any) -> Any:
    """With details asked for, a label is an object."""
    return label.get("name") if isinstance(label, dict) else label


class IssueWire(Wire):
    id: int
    iid: int
    project_id: int
    title: str
    description: str | None = None
    state: str
    labels: list[Annotated[str, BeforeValidator(_label_name)]] = []
    created_at: datetime
    updated_at: datetime
    web_url: str
    moved_to_id: int | None = None


class ProjectWire(Wire):
    id: int
    path_with_namespace: str
    web_url: str = ""
    archived: bool = False
    issues_enabled: bool = True
    """Missing in simple lists."""
    issues_access_level: str = "enabled"


class LabelWire(Wire):
    name: str


class UserWire(Wire):
    username: str
    name: str = ""


class TokenWire(Wire):
    name: str = ""
    scopes: list[str] = []
    expires_at: str | None = None


class MetadataWire(Wire):
    version: str = ""


class NoteWire(Wire):
    body: str = ""


class HookWire(Wire):
    id: int
    url: str
    signing_token_present: bool = False
    """Missing before GitLab 19: such a server ignores the signing token without a word."""
    alert_status: str = "executable"


def ticket_from_wire(issue: IssueWire, rules: StatusRules) -> Ticket:
    labels = tuple(issue.labels)
    return Ticket(
        ref=TicketRef(
            id=TicketId(str(issue.id)),
            project=str(issue.project_id),
            key=str(issue.iid),
            label=f"#{issue.iid}",
            url=issue.web_url,
        ),
        title=issue.title,
        description=issue.description or "",
        status=rules.read(issue.state, labels),
        updated_at=aware(issue.updated_at),
        labels=labels,
        moved_to=TicketId(str(issue.moved_to_id)) if issue.moved_to_id is not None else None,
    )


def aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def project_from_wire(project: ProjectWire) -> ProjectRef:
    return ProjectRef(id=str(project.id), name=project.path_with_namespace, url=project.web_url)


def wire_from_draft(draft: TicketDraft, labels: tuple[str, ...], rules: StatusRules) -> dict[str, Any]:
    """A new issue is always open: one that shall be closed is closed right after."""
    body: dict[str, Any] = {"title": draft.title, "description": draft.description}
    status_label = rules.label_of(draft.status) if draft.status else None
    wanted = [*labels, status_label] if status_label and status_label not in labels else [*labels]
    if wanted:
        body["labels"] = ",".join(wanted)
    return body


def wire_from_changes(changes: TicketChanges, rules: StatusRules) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if changes.title is not None:
        body["title"] = changes.title
    if changes.description is not None:
        body["description"] = changes.description
    if changes.status is not None:
        body |= _wire_from_status(changes.status, rules)
    return body


def _wire_from_status(status: StatusId, rules: StatusRules) -> dict[str, Any]:
    """To reopen an open issue, or to take away a label that it does not have, changes nothing: no need to look first.

    Status labels that are not scoped (or on the free plan, where scoped ones do not exclude each other) would pile up,
    so the others are taken away. Closing leaves them: they tell where the work ended.
    """
    if status == CLOSED:
        return {"state_event": "close"}
    wanted = rules.label_of(status)
    if wanted is None and status != OPENED:
        raise unknown_status(status)
    body: dict[str, Any] = {"state_event": "reopen"}
    others = [each for each in rules.labels if each != wanted]
    if wanted is not None:
        body["add_labels"] = wanted
    if others:
        body["remove_labels"] = ",".join(others)
    return body


def unknown_status(status: StatusId) -> RejectedError:
    return RejectedError(
        f"{status.removeprefix('label:')} is not among the labels that mean a status. Choose it in the settings of the "
        "integration, or map another status.",
        field="status",
        status=None,
    )
