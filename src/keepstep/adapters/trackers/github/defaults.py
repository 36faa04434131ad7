"""What every new issue may be given: labels, assignee, milestone, type."""

from collections.abc import Sequence
from typing import Any

from keepstep.adapters.trackers import SettingValues, chosen, chosen_one
from keepstep.adapters.trackers.github.wire import IssueWire
from keepstep.ports.errors import RejectedError
from keepstep.ports.tracker import FieldKind, SettingField

LABELS = SettingField(
    name="labels",
    label="Labels",
    help="Every issue that Keepstep creates gets them. Names that do not exist yet are created.",
    kind=FieldKind.LABELS,
)
ASSIGNEE = SettingField(
    name="assignee",
    label="Assignee",
    help="Left empty, new issues have none.",
    kind=FieldKind.CHOICE,
    live=True,
)
MILESTONE = SettingField(
    name="milestone",
    label="Milestone",
    help="Left empty, new issues have none.",
    kind=FieldKind.CHOICE,
    live=True,
)
TYPE = SettingField(
    name="type",
    label="Issue type",
    help="One of the organization's. Left empty, new issues have none.",
    kind=FieldKind.CHOICE,
    live=True,
)
ALL = (LABELS, ASSIGNEE, MILESTONE, TYPE)


def wire_from_defaults(values: SettingValues, status_label: str | None) -> dict[str, Any]:
    """Raises RejectedError for a milestone that is none."""
    body: dict[str, Any] = {}
    labels = chosen(values, LABELS.name)
    if status_label is not None and status_label.lower() not in (each.lower() for each in labels):
        labels = (*labels, status_label)
    if labels:
        body["labels"] = list(labels)
    if assignee := chosen_one(values, ASSIGNEE.name):
        body["assignees"] = [assignee]
    if kind := chosen_one(values, TYPE.name):
        body["type"] = kind
    if milestone := chosen_one(values, MILESTONE.name):
        if not milestone.isascii() or not milestone.isdecimal():
            raise RejectedError(
                f"{milestone} is no milestone of this repository. Choose one in the settings of the integration.",
                field=MILESTONE.name,
                status=None,
            )
        body["milestone"] = int(milestone)
    return body


def dropped(body: dict[str, Any], issue: IssueWire) -> Sequence[str]:
    """The names of what was sent and is not on the issue: without the right to triage, GitHub leaves it out."""
    carried = {each.lower() for each in issue.labels}
    people = {each.login.lower() for each in issue.assignees}
    kept = {
        "labels": all(each.lower() in carried for each in body.get("labels", ())),
        "assignees": all(each.lower() in people for each in body.get("assignees", ())),
        "milestone": "milestone" not in body
        or (issue.milestone and issue.milestone.number) == body["milestone"],
        "type": "type" not in body or bool(issue.type and issue.type.name.lower() == body["type"].lower()),
    }
    return [name for name, whether in kept.items() if not whether]
