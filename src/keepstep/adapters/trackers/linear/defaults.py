"""What every new issue may be given: labels, assignee, priority, project. All of it is chosen per team."""

from collections.abc import Mapping
from typing import Any

from keepstep.adapters.trackers import SettingValues, chosen, chosen_one
from keepstep.ports.errors import RejectedError
from keepstep.ports.tracker import FieldKind, SettingField

LABELS = SettingField(
    name="labels",
    label="Labels",
    help="Every issue that Keepstep creates gets them: labels of the team or of the workspace that exist already.",
    kind=FieldKind.LABELS,
)
ASSIGNEE = SettingField(
    name="assignee",
    label="Assignee",
    help="Left empty, new issues have none.",
    kind=FieldKind.CHOICE,
    live=True,
)
PRIORITY = SettingField(
    name="priority",
    label="Priority",
    help="Left empty, new issues have none.",
    kind=FieldKind.CHOICE,
    choices=(("1", "Urgent"), ("2", "High"), ("3", "Medium"), ("4", "Low")),
)
PROJECT = SettingField(
    name="project",
    label="Project in Linear",
    help="Left empty, new issues belong to none.",
    kind=FieldKind.CHOICE,
    live=True,
)
ALL = (LABELS, ASSIGNEE, PRIORITY, PROJECT)


def wanted_labels(values: SettingValues) -> tuple[str, ...]:
    return chosen(values, LABELS.name)


def wire_from_defaults(values: SettingValues, label_ids: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a new issue. Raises RejectedError for what cannot be meant."""
    body: dict[str, Any] = {}
    wanted = wanted_labels(values)
    absent = [name for name in wanted if name not in label_ids]
    if absent:
        raise RejectedError(
            f"Linear has no label {', '.join(absent)} for this team. Make it there, or choose another one in the "
            "settings of the integration.",
            field=LABELS.name,
            status=None,
        )
    if wanted:
        body["labelIds"] = [label_ids[name] for name in wanted]
    assignee, project = chosen_one(values, ASSIGNEE.name), chosen_one(values, PROJECT.name)
    if assignee:
        body["assigneeId"] = assignee
    if project:
        body["projectId"] = project
    priority = chosen_one(values, PRIORITY.name)
    if priority:
        if priority not in dict(PRIORITY.choices):
            raise RejectedError(
                f"{priority} is no priority of Linear's. Choose one in the settings of the integration.",
                field=PRIORITY.name,
                status=None,
            )
        body["priority"] = int(priority)
    return body
