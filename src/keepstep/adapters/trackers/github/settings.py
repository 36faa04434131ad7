"""What a person chooses for a repository, and what it means for statuses.

GitHub knows open and closed, and why an issue was closed. Teams that want more say it with labels. So a person chooses:
the reasons are the statuses; or the labels that mean a status are, in the order of work, before the closed ones.
"""

from dataclasses import dataclass

from keepstep.adapters.trackers import SettingValues, chosen, chosen_one
from keepstep.domain.ids import StatusId
from keepstep.domain.ticket import StatusCategory, TicketStatus
from keepstep.ports.errors import RejectedError
from keepstep.ports.tracker import FieldKind, SettingField

OPEN = StatusId("open")
COMPLETED = StatusId("completed")
_LABEL = "label:"
_BY_LABELS = "labels"

STATUS_BY = SettingField(
    name="status_by",
    label="Statuses are",
    help="By labels, an open issue can have more than one status.",
    kind=FieldKind.CHOICE,
    required=True,
    choices=(("state", "open, or closed with a reason"), (_BY_LABELS, "labels, and closed with a reason")),
    default="state",
)
STATUS_LABELS = SettingField(
    name="status_labels",
    label="Labels that mean a status",
    help="In the order of work, if statuses are labels. An open issue with several has the first one's status.",
    kind=FieldKind.LABELS,
)
SETTINGS = (STATUS_BY, STATUS_LABELS)

_OPENED = TicketStatus(OPEN, "Open", StatusCategory.TODO)
_CLOSED = {
    COMPLETED: TicketStatus(COMPLETED, "Completed", StatusCategory.DONE),
    StatusId("not_planned"): TicketStatus(StatusId("not_planned"), "Not planned", StatusCategory.DROPPED),
    StatusId("duplicate"): TicketStatus(
        StatusId("duplicate"),
        "Duplicate",
        StatusCategory.DROPPED,
        note="Keepstep closes the issue as a duplicate and names no other one.",
    ),
}


@dataclass(frozen=True, slots=True)
class StatusRules:
    """Between GitHub's state, its reason and labels, and our statuses. The case of labels counts no more than there."""

    labels: tuple[str, ...] = ()

    @classmethod
    def from_settings(cls, values: SettingValues) -> "StatusRules":
        by_labels = chosen_one(values, STATUS_BY.name) == _BY_LABELS
        return cls(chosen(values, STATUS_LABELS.name) if by_labels else ())

    def all(self) -> tuple[TicketStatus, ...]:
        return (_OPENED, *(_of_label(each) for each in self.labels), *_CLOSED.values())

    def read(self, state: str, reason: str | None, labels: tuple[str, ...]) -> TicketStatus:
        """Closed wins, and counts as completed where no reason, or one unknown to us, is told."""
        if state == "closed":
            return _CLOSED.get(StatusId(reason or ""), _CLOSED[COMPLETED])
        carried = {each.lower() for each in labels}
        first = next((each for each in self.labels if each.lower() in carried), None)
        return _of_label(first) if first is not None else _OPENED

    def label_of(self, status: StatusId) -> str | None:
        """The label that this status puts on an issue; None for open and closed ones. RejectedError if unknown."""
        label = status.removeprefix(_LABEL)
        if status.startswith(_LABEL) and label in self.labels:
            return label
        if status == OPEN or is_closed(status):
            return None
        raise RejectedError(
            f"{label} is no status here. Choose it among the labels that mean a status, in the settings of the "
            "integration, or map another one.",
            field="status",
            status=None,
        )

    def others(self, wanted: str | None, carried: tuple[str, ...]) -> list[str]:
        """Status labels that an issue carries and that another status takes away."""
        ours = {each.lower() for each in self.labels} - {(wanted or "").lower()}
        return [each for each in carried if each.lower() in ours]


def is_closed(status: StatusId) -> bool:
    return status in _CLOSED


def _of_label(label: str) -> TicketStatus:
    return TicketStatus(StatusId(_LABEL + label), label, StatusCategory.DOING)
