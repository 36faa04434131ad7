"""What is asked for: how descriptions are written, where the marker is kept, defaults for new issues."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from keepstep.adapters.formats.markdown import GITHUB, Markdown
from keepstep.adapters.formats.textile import Textile
from keepstep.adapters.trackers import SettingValues, chosen_one
from keepstep.adapters.trackers.redmine.wire import FieldDefinitionWire, NamedWire
from keepstep.ports.text import TextFormat
from keepstep.ports.tracker import FieldKind, SettingField

TEXT = SettingField(
    "text",
    "Text formatting",
    "As it is set in Redmine under Administration, Settings, General. Redmine does not tell it to others.",
    FieldKind.CHOICE,
    required=True,
    choices=(("textile", "Textile"), ("markdown", "Markdown or CommonMark")),
    default="textile",
)
MARKER = SettingField(
    "marker_field",
    "Custom field for the marker",
    "A text field for issues that can be used as a filter, such as “Productboard ID”; an admin makes it. Without one "
    "tickets are found again by the marker in their description.",
    FieldKind.CHOICE,
    live=True,
)
TRACKER = SettingField(
    "tracker", "Tracker", "The kind of issue that is made.", FieldKind.CHOICE, required=True, live=True
)
PRIORITY = SettingField("priority", "Priority", "", FieldKind.CHOICE, live=True)
CATEGORY = SettingField("category", "Category", "", FieldKind.CHOICE, live=True)
ASSIGNEE = SettingField("assignee", "Assignee", "A member of the project.", FieldKind.CHOICE, live=True)
SETTINGS = (TEXT, MARKER)
DEFAULTS = (TRACKER, PRIORITY, CATEGORY, ASSIGNEE)
_OWN = "field:"
_SIMPLE = {"string", "text", "link", "int", "float", "date"}
_TEXTS: dict[str, TextFormat] = {"textile": Textile(), "markdown": Markdown(GITHUB)}


def text_of(settings: SettingValues) -> TextFormat:
    return _TEXTS.get(chosen_one(settings, TEXT.name), _TEXTS["textile"])


def marker_field(settings: SettingValues) -> int | None:
    value = chosen_one(settings, MARKER.name)
    return int(value) if value.isdecimal() else None


def choices(field: SettingField, found: Sequence[NamedWire]) -> SettingField:
    return replace(field, choices=tuple((str(each.id), each.name) for each in found))


def required_field(field: FieldDefinitionWire) -> SettingField:
    """A custom field that every new issue needs."""
    name, options = f"{_OWN}{field.id}", tuple(str(each.get("value", "")) for each in field.possible_values)
    if field.field_format == "bool":
        return SettingField(
            name, field.name, "", FieldKind.CHOICE, required=True, choices=(("1", "Yes"), ("0", "No"))
        )
    if options:
        pairs = tuple((each, each) for each in options)
        return SettingField(name, field.name, "", FieldKind.CHOICE, required=True, choices=pairs)
    note = (
        ""
        if field.field_format in _SIMPLE
        else f"Of the kind {field.field_format}: enter what its API takes."
    )
    return SettingField(name, field.name, note, required=True)


def wire_from_defaults(defaults: SettingValues, marker: tuple[int, str] | None) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for field, key in (
        (TRACKER, "tracker_id"),
        (PRIORITY, "priority_id"),
        (CATEGORY, "category_id"),
        (ASSIGNEE, "assigned_to_id"),
    ):
        value = chosen_one(defaults, field.name)
        if value.isdecimal():
            body[key] = int(value)
    own = [
        {"id": int(name.removeprefix(_OWN)), "value": chosen_one(defaults, name)}
        for name in defaults
        if name.startswith(_OWN) and name.removeprefix(_OWN).isdecimal()
    ]
    if marker is not None:
        own.append({"id": marker[0], "value": marker[1]})
    if own:
        body["custom_fields"] = own
    return body
