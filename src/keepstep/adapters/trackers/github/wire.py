"""GitHub's shapes, and the way from them to ours. Unknown fields are ignored."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from keepstep.adapters.trackers.github.settings import StatusRules
from keepstep.domain.ids import TicketId
from keepstep.domain.integration import ProjectRef
from keepstep.domain.ticket import Ticket, TicketRef


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


def _label_name(label: Any) -> Any:
    """An issue's labels may be plain words, by the vendor's description."""
    return label.get("name") if isinstance(label, dict) else label


class NamedWire(Wire):
    name: str


class UserWire(Wire):
    login: str
    name: str | None = None


class MilestoneWire(Wire):
    number: int
    title: str = ""


class TypeWire(Wire):
    name: str
    is_enabled: bool = True


class IssueWire(Wire):
    id: int
    number: int
    title: str
    body: str | None = None
    state: str
    state_reason: str | None = None
    labels: list[Annotated[str, BeforeValidator(_label_name)]] = []
    assignees: list[UserWire] = []
    milestone: MilestoneWire | None = None
    type: TypeWire | None = None
    created_at: datetime
    updated_at: datetime
    html_url: str
    pull_request: dict[str, Any] | None = None
    """Present on what is no issue: pull requests share the list and the numbers."""


class RightsWire(Wire):
    admin: bool = False
    maintain: bool = False
    push: bool = False
    triage: bool = False

    @property
    def may_triage(self) -> bool:
        return self.admin or self.maintain or self.push or self.triage


class RepositoryWire(Wire):
    id: int
    full_name: str
    html_url: str = ""
    archived: bool = False
    has_issues: bool = True
    permissions: RightsWire | None = None
    """Missing for the tokens of apps."""

    @property
    def may_triage(self) -> bool:
        return self.permissions is None or self.permissions.may_triage


class CommentWire(Wire):
    body: str | None = None


class HookConfigWire(Wire):
    url: str = ""


class LastResponseWire(Wire):
    code: int | None = None
    message: str | None = None


class HookWire(Wire):
    id: int
    active: bool = True
    config: HookConfigWire = HookConfigWire()
    last_response: LastResponseWire | None = None


class DeliveryWire(Wire):
    id: int
    guid: str
    delivered_at: datetime
    status_code: int = 0
    """0 where no answer came."""
    event: str = ""


def ticket_from_wire(issue: IssueWire, project: str, rules: StatusRules) -> Ticket:
    labels = tuple(issue.labels)
    return Ticket(
        ref=TicketRef(
            id=TicketId(str(issue.id)),
            project=project,
            key=str(issue.number),
            label=f"#{issue.number}",
            url=issue.html_url,
        ),
        title=issue.title,
        description=issue.body or "",
        status=rules.read(issue.state, issue.state_reason, labels),
        updated_at=issue.updated_at,
        labels=labels,
    )


def project_from_wire(repository: RepositoryWire) -> ProjectRef:
    return ProjectRef(id=str(repository.id), name=repository.full_name, url=repository.html_url)
