"""The fields of entities: which exist, what they take, how they are kept and shown.

Kept: references as ids, everything else as sent. Absent means empty. One kind, one way to take a value and one
to show it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from keepstep_sandbox.productboard.errors import ApiError, failed, invalid, reference_not_found
from keepstep_sandbox.productboard.richtext import RichTextError, check_rich_text
from keepstep_sandbox.productboard.state import Member, Workspace, new_id, now_text
from keepstep_sandbox.productboard.wire import email_text, uuid_text

SIZE_FIELD = "4f0d2a61-3c1e-4a8e-9d0b-6f1a2b3c4d5e"
NOTE_FIELD = "8a5e6a0f-52b6-4c0e-a7d4-0f6f3b8f2c11"
RICH_TEXT_LIMIT = 524_288
_ALL = ("product", "component", "feature", "subfeature")
_WORK = ("feature", "subfeature")
_REDACTED = "[redacted]"


@dataclass(frozen=True)
class FieldSpec:
    key: str  # built-in name, or a UUID for a custom field
    name: str
    kind: str
    types: tuple[str, ...]
    clearable: bool = True
    max_length: int | None = None

    @property
    def is_list(self) -> bool:
        return self.kind == "options"

    @property
    def is_custom(self) -> bool:
        return self.key in (SIZE_FIELD, NOTE_FIELD)


SPECS: Mapping[str, FieldSpec] = {
    spec.key: spec
    for spec in (
        FieldSpec("name", "Name", "name", _ALL, clearable=False, max_length=255),
        FieldSpec("description", "Description", "rich", _ALL, max_length=RICH_TEXT_LIMIT),
        FieldSpec("archived", "Archived", "flag", _ALL, clearable=False),
        FieldSpec("status", "Status", "option", _WORK, clearable=False),
        FieldSpec("owner", "Owner", "member", _ALL),
        FieldSpec("timeframe", "Timeframe", "timeframe", _WORK),
        FieldSpec("tags", "Tags", "options", _WORK),
        FieldSpec("teams", "Teams", "options", _WORK),
        FieldSpec("effort", "Effort", "number", _WORK),
        FieldSpec("health", "Health", "health", _WORK),
        FieldSpec("workProgress", "Work progress", "progress", _WORK),
        FieldSpec(SIZE_FIELD, "Size", "option", _WORK),
        FieldSpec(NOTE_FIELD, "Release note", "text", _WORK, max_length=255),
    )
}


def spec_for(key: str, entity_type: str, pointer: str) -> FieldSpec:
    """Raises ApiError 422 for a field this type does not have."""
    spec = SPECS.get(key)
    if spec is None or entity_type not in spec.types:
        raise failed(f"Entities of type {entity_type} have no field '{key}'.", pointer)
    return spec


@dataclass(frozen=True)
class Values:
    """Takes and shows values in the light of one workspace."""

    workspace: Workspace
    since_2026_09: bool
    may_see_people: bool = True

    def taken(self, spec: FieldSpec, value: Any, pointer: str) -> Any:
        """What is kept; None for an empty value. Raises ApiError 400 or 422."""
        scalar = spec.kind in ("name", "rich", "text", "number", "flag")
        if scalar and isinstance(value, dict) and "value" in value:
            value = value["value"]
        return _TAKERS[spec.kind](self, spec, value, pointer)

    def shown(self, spec: FieldSpec, kept: Any) -> Any:
        shower = _SHOWERS.get(spec.kind)
        return kept if shower is None else shower(self, spec, kept)

    def member_ref(self, member: Member) -> dict[str, str]:
        return {"id": member.id, "email": member.email if self.may_see_people else _REDACTED}

    def find_member(self, value: Any, pointer: str) -> Member:
        """By id or e-mail, exactly one of them."""
        reference = one_reference(value, "email", pointer)
        for member in self.workspace.members.values():
            if reference in (("id", member.id), ("email", member.email.lower())):
                return member
        raise reference_not_found("No such member in this workspace.", pointer)


def one_reference(value: Any, second: str, pointer: str) -> tuple[str, str]:
    """("id", uuid) or (second, text) of a value that names exactly one. Raises ApiError 400."""
    if not isinstance(value, dict):
        raise invalid(f"An object with 'id' or '{second}' is expected.", pointer)
    given = [key for key in ("id", second) if key in value]
    if len(given) != 1 or not isinstance(value[given[0]], str):
        raise invalid(f"Exactly one of 'id' and '{second}' must be given, as a string.", pointer)
    key, text = given[0], value[given[0]]
    if len(text) > 255:
        raise invalid(f"'{key}' must have at most 255 characters.", f"{pointer}/{key}")
    try:
        if key == "id":
            text = uuid_text(text)
        elif key == "email":
            text = email_text(text).lower()
    except ValueError as wrong:
        raise invalid(f"'{key}' {wrong}.", f"{pointer}/{key}") from wrong
    return key, text


def _text(spec: FieldSpec, value: Any, pointer: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"Field '{spec.key}' must be a string.", pointer)
    if spec.max_length is not None and len(value) > spec.max_length:
        raise invalid(f"Field '{spec.key}' must have at most {spec.max_length} characters.", pointer)
    return value


def _take_name(_values: Values, spec: FieldSpec, value: Any, pointer: str) -> Any:
    text = _text(spec, value, pointer)
    if not text.strip():
        raise failed("The field 'name' cannot be empty.", pointer)
    return text


def _take_text(_values: Values, spec: FieldSpec, value: Any, pointer: str) -> Any:
    return _text(spec, value, pointer) or None


def _take_rich(values: Values, spec: FieldSpec, value: Any, pointer: str) -> Any:
    text = _text(spec, value, pointer)
    try:
        check_rich_text(text, since_2026_09=values.since_2026_09)
    except RichTextError as wrong:
        raise invalid(f"The rich text of '{spec.key}' is refused. {wrong}", pointer) from wrong
    return text or None


def _take_flag(_values: Values, spec: FieldSpec, value: Any, pointer: str) -> Any:
    if not isinstance(value, bool):
        raise invalid(f"Field '{spec.key}' must be true or false.", pointer)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _take_number(_values: Values, spec: FieldSpec, value: Any, pointer: str) -> Any:
    if not _is_number(value):
        raise invalid(f"Field '{spec.key}' must be a number.", pointer)
    return value


def _take_member(values: Values, _spec: FieldSpec, value: Any, pointer: str) -> Any:
    member = values.find_member(value, pointer)
    if not member.may_own:
        raise failed("Only active admins and makers can be owners.", pointer)
    return member.id


def _take_option(values: Values, spec: FieldSpec, value: Any, pointer: str) -> Any:
    key, text = one_reference(value, "name", pointer)
    option = values.workspace.option(spec.key, **({"option_id": text} if key == "id" else {"name": text}))
    if option is None and spec.key == "status":
        raise failed("The field 'status' must be a status of the entity's configuration.", pointer)
    if option is None:
        raise ApiError(
            422, "selectOption.notFound", f"The field '{spec.name}' has no such option.", pointer=pointer
        )
    return option.id


def _take_options(values: Values, spec: FieldSpec, value: Any, pointer: str) -> Any:
    if not isinstance(value, list):
        raise invalid(f"Field '{spec.key}' must be a list.", pointer)
    ids = [_take_option(values, spec, item, f"{pointer}/{index}") for index, item in enumerate(value)]
    return list(dict.fromkeys(ids)) or None


def _take_timeframe(_values: Values, spec: FieldSpec, value: Any, pointer: str) -> Any:
    if not isinstance(value, dict):
        raise invalid(f"Field '{spec.key}' must be an object.", pointer)
    kept = {}
    for key in ("startDate", "endDate"):
        if value.get(key) is not None:
            text = value[key]
            if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
                raise invalid(f"'{key}' must be a date, YYYY-MM-DD.", f"{pointer}/{key}")
            try:
                date.fromisoformat(text)
            except ValueError as wrong:
                raise invalid(f"'{key}' is no day of the calendar.", f"{pointer}/{key}") from wrong
            kept[key] = text
    if value.get("granularity") is not None:
        kept["granularity"] = _one_of(
            value["granularity"], ("year", "quarter", "month", "day"), pointer + "/granularity"
        )
    if "startDate" in kept and kept["startDate"] > kept.get("endDate", kept["startDate"]):
        raise failed("The timeframe must not end before it starts.", pointer)
    return kept or None


def _one_of(value: Any, allowed: tuple[str, ...], pointer: str) -> str:
    if value not in allowed:
        raise invalid(f"The value must be one of {', '.join(allowed)}.", pointer)
    return str(value)


def _take_health(values: Values, spec: FieldSpec, value: Any, pointer: str) -> Any:
    if not isinstance(value, dict):
        raise invalid(f"Field '{spec.key}' must be an object.", pointer)
    mode = _one_of(value.get("mode", "manual"), ("manual", "calculated"), pointer + "/mode")
    if mode == "calculated" and value.keys() & {"status", "comment"}:
        raise failed("A calculated health takes neither status nor comment.", pointer)
    states = ("notSet", "onTrack", "atRisk", "offTrack")
    kept = {"mode": mode, "status": _one_of(value.get("status", "notSet"), states, pointer + "/status")}
    if value.get("comment"):
        comment = FieldSpec("comment", "Comment", "rich", spec.types, max_length=RICH_TEXT_LIMIT)
        kept["comment"] = _take_rich(values, comment, value["comment"], pointer + "/comment")
    return {"id": new_id(), **kept, "lastUpdatedAt": now_text()}


def _take_progress(_values: Values, spec: FieldSpec, value: Any, pointer: str) -> Any:
    if not isinstance(value, dict):
        raise invalid(f"Field '{spec.key}' must be an object.", pointer)
    amount = value.get("value")
    if amount is None or not _is_number(amount) or not 0 <= amount <= 100:
        raise invalid("'value' must be a number from 0 to 100.", pointer + "/value")
    mode = _one_of(value.get("mode"), ("manual", "statusBased", "calculated"), pointer + "/mode")
    return {"value": amount, "mode": mode}


_TAKERS: Mapping[str, Callable[[Values, FieldSpec, Any, str], Any]] = {
    "name": _take_name,
    "text": _take_text,
    "rich": _take_rich,
    "flag": _take_flag,
    "number": _take_number,
    "member": _take_member,
    "option": _take_option,
    "options": _take_options,
    "timeframe": _take_timeframe,
    "health": _take_health,
    "progress": _take_progress,
}


def _show_option(values: Values, spec: FieldSpec, kept: Any) -> Any:
    option = values.workspace.options[spec.key][kept]
    shown = {"id": option.id, "name": option.name}
    return shown | ({"color": option.color} if option.color else {})


def _show_options(values: Values, spec: FieldSpec, kept: Any) -> Any:
    return [_show_option(values, spec, option_id) for option_id in kept]


def _show_member(values: Values, _spec: FieldSpec, kept: Any) -> Any:
    return values.member_ref(values.workspace.members[kept])


_SHOWERS: Mapping[str, Callable[[Values, FieldSpec, Any], Any]] = {
    "option": _show_option,
    "options": _show_options,
    "member": _show_member,
}
