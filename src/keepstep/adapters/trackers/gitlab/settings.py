"""What a person chooses for a GitLab project, and what it means for statuses.

GitLab's REST API knows two states. Teams say the rest with labels, so the labels that mean a status are chosen, in the
order of work, and each becomes a status of its own: `label:<name>` between `opened` and `closed`. (GitLab's custom
statuses of work items are in GraphQL only, and in paid plans.)
"""

from dataclasses import dataclass

from keepstep.adapters.trackers import SettingValues, chosen
from keepstep.domain.ids import StatusId
from keepstep.domain.ticket import StatusCategory, TicketStatus
from keepstep.ports.tracker import FieldKind, SettingField

OPENED = StatusId("opened")
CLOSED = StatusId("closed")
_LABEL = "label:"

STATUS_LABELS = SettingField(
    name="status_labels",
    label="Labels that mean a status",
    help="In the order of work. An open issue with one of them has that status; with several, the first one counts.",
    kind=FieldKind.LABELS,
)
NEW_TICKET_LABELS = SettingField(
    name="labels",
    label="Labels",
    help="Every issue that Keepstep creates gets them. Names that do not exist yet are created.",
    kind=FieldKind.LABELS,
)


@dataclass(frozen=True, slots=True)
class StatusRules:
    """Between GitLab's state and labels and our statuses."""

    labels: tuple[str, ...] = ()

    @classmethod
    def from_settings(cls, values: SettingValues) -> "StatusRules":
        return cls(chosen(values, STATUS_LABELS.name))

    def all(self) -> tuple[TicketStatus, ...]:
        return (self._opened, *(self._of_label(each) for each in self.labels), self._closed)

    def read(self, state: str, labels: tuple[str, ...]) -> TicketStatus:
        """Closed wins; else the first status label that the issue carries; else opened."""
        if state == "closed":
            return self._closed
        first = next((each for each in self.labels if each in labels), None)
        return self._of_label(first) if first is not None else self._opened

    def label_of(self, status: StatusId) -> str | None:
        """The label that this status puts on an issue; None for opened, closed and unknown ones."""
        label = status.removeprefix(_LABEL)
        return label if status.startswith(_LABEL) and label in self.labels else None

    def knows(self, status: StatusId) -> bool:
        return status in (OPENED, CLOSED) or self.label_of(status) is not None

    @property
    def _opened(self) -> TicketStatus:
        return TicketStatus(OPENED, "Open", StatusCategory.TODO)

    @property
    def _closed(self) -> TicketStatus:
        return TicketStatus(CLOSED, "Closed", StatusCategory.DONE)

    def _of_label(self, label: str) -> TicketStatus:
        return TicketStatus(StatusId(_LABEL + label), self._name(label), StatusCategory.DOING)

    def _name(self, label: str) -> str:
        """`workflow::doing` is shown as `doing`, unless another scope has a `doing` too."""
        tail = label.rpartition("::")[2]
        same = [each for each in self.labels if each.rpartition("::")[2] == tail]
        return tail if tail and len(same) == 1 else label
