"""What is asked for: how statuses are reached, and what new issues start with, required fields included."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from keepstep.adapters.trackers import SettingValues, chosen, chosen_one
from keepstep.adapters.trackers.jira.wire import FieldWire
from keepstep.ports.errors import RejectedError
from keepstep.ports.tracker import FieldKind, SettingField

EMAIL = SettingField(
    "email", "E-mail address", "Of the Atlassian account that made the token.", required=True
)
ONE_STEP, FOUR_STEPS = "one", "four"
TRANSITIONS = SettingField(
    "transitions",
    "How a status is reached",
    "Where the workflow has no step straight to a status, Keepstep may go through others that it has seen lead "
    "there. Each step counts as one: its e-mails are sent and its automations run.",
    FieldKind.CHOICE,
    required=True,
    choices=(
        (ONE_STEP, "Only in one step"),
        (FOUR_STEPS, "Up to four known steps, each with its e-mails and rules"),
    ),
    default=ONE_STEP,
)
RESOLUTION = SettingField(
    "resolution",
    "Resolution",
    "Given where a step of the workflow demands one, such as Done.",
    FieldKind.CHOICE,
    live=True,
)
TYPE = SettingField(
    "type", "Issue type", "The kind of issue that is made.", FieldKind.CHOICE, required=True, live=True
)
LABELS = SettingField("labels", "Labels", "Every new issue gets these.", FieldKind.LABELS)
ASSIGNEE = SettingField("assignee", "Assignee", "", FieldKind.CHOICE, live=True)
PRIORITY = SettingField("priority", "Priority", "", FieldKind.CHOICE, live=True)
SETTINGS = (TRANSITIONS, RESOLUTION)
DEFAULTS = (TYPE, LABELS, ASSIGNEE, PRIORITY)
_OWN = "field:"
_HANDLED = {"project", "issuetype", "summary", "description", "labels", "assignee", "priority", "reporter"}
_BY_ID = {"option", "priority", "version", "component", "resolution", "securitylevel"}
_HELP = {
    "number": "A number.",
    "date": "A day, as 2026-11-24.",
    "datetime": "A moment, as 2026-11-24T09:30:00.000+0000.",
    "user": "The account id of a person.",
    "string": "",
}


def with_choices(field: SettingField, pairs: Sequence[tuple[str, str]]) -> SettingField:
    return replace(field, choices=tuple(pairs))


def required_fields(fields: Sequence[FieldWire]) -> list[SettingField]:
    """What this project and type demand beyond what is asked for anyway."""
    wanted = [each for each in fields if each.required and not each.has_default]
    return [_required(each) for each in wanted if each.field_id not in _HANDLED]


def _required(field: FieldWire) -> SettingField:
    shape, name = field.shape, f"{_OWN}{field.field_id}"
    pairs = tuple((each.id, each.label) for each in field.allowed or ())
    if pairs and _kind(field) in _BY_ID:
        # Several are possible for an array, and one is enough for what is required.
        return SettingField(name, field.name, "", FieldKind.CHOICE, required=True, choices=pairs)
    if shape.type == "array" and shape.items == "string":
        return SettingField(name, field.name, "Several, with commas between.", required=True)
    if shape.type in _HELP:
        return SettingField(name, field.name, _HELP[shape.type], required=True)
    note = (
        f"Keepstep cannot fill in a field of the kind {shape.custom.rpartition(':')[2] or shape.type}. Give it a "
        "default in Jira, make it optional, or choose another issue type."
    )
    return SettingField(name, field.name, note, required=True)


def _kind(field: FieldWire) -> str:
    return field.shape.items if field.shape.type == "array" else field.shape.type


def wire_from_defaults(defaults: SettingValues, fields: Sequence[FieldWire]) -> dict[str, Any]:
    """The fields of a new issue. Raises RejectedError for a value that is none of its kind."""
    body: dict[str, Any] = {"issuetype": {"id": chosen_one(defaults, TYPE.name)}}
    if assignee := chosen_one(defaults, ASSIGNEE.name):
        body["assignee"] = {"accountId": assignee}
    if priority := chosen_one(defaults, PRIORITY.name):
        body["priority"] = {"id": priority}
    known = {each.field_id: each for each in fields}
    for name in defaults:
        field = known.get(name.removeprefix(_OWN)) if name.startswith(_OWN) else None
        if field is not None and chosen_one(defaults, name):
            body[field.field_id] = _value(field, chosen(defaults, name), chosen_one(defaults, name))
    return body


def has_own(defaults: SettingValues) -> bool:
    return any(name.startswith(_OWN) for name in defaults)


def _value(field: FieldWire, several: tuple[str, ...], one: str) -> Any:
    shape = field.shape
    if shape.type == "array":
        return [_single(shape.items, each, field) for each in several]
    return _single(shape.type, one, field)


def _single(kind: str, value: str, field: FieldWire) -> Any:
    if kind in _BY_ID:
        return {"id": value}
    if kind == "user":
        return {"accountId": value}
    if kind == "number":
        try:
            return float(value)
        except ValueError as error:
            raise RejectedError(
                f"{field.name} takes a number. Correct it in the settings of the integration.",
                field=f"{_OWN}{field.field_id}",
                status=None,
            ) from error
    return value
