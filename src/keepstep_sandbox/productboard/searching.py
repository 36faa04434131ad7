"""Finding entities: the filters of the list and of POST /entities/search. All of them must hold.

`metadata.source`, `creator` and `relationships.customer` are taken and ignored: the vendor marks them as not yet
active, and clients have seen just that. Archived and active items both come back unless filtered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from keepstep_sandbox.productboard.errors import failed, invalid
from keepstep_sandbox.productboard.fields import SPECS, Values, one_reference
from keepstep_sandbox.productboard.gate import Call
from keepstep_sandbox.productboard.showing import Shower, check_selection
from keepstep_sandbox.productboard.state import Entity, Workspace, time_text
from keepstep_sandbox.productboard.wire_entities import DateRange, EntitySearch, SearchFilter

Reference = tuple[str, str]  # ("id", uuid) or ("name" | "email", text)
_CUSTOM_OPERATORS = frozenset({"id", "name", "contains", "eq", "any", "all"})


@dataclass(frozen=True)
class Criteria:
    """What is looked for; empty means anything."""

    types: Sequence[str] = ()
    ids: Sequence[str] = ()
    name: str | None = None
    archived: bool | None = None
    owners: Sequence[Reference] = ()
    statuses: Sequence[Reference] = ()
    parents: Sequence[str] = ()
    created: DateRange = field(default_factory=DateRange)
    updated: DateRange = field(default_factory=DateRange)
    custom: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def fit(self, entity: Entity, workspace: Workspace) -> bool:
        return (
            (not self.types or entity.type in self.types)
            and (not self.ids or entity.id in self.ids)
            and (self.name is None or self.name.casefold() in entity.name.casefold())
            and (self.archived is None or bool(entity.fields.get("archived")) == self.archived)
            and (not self.parents or entity.parent in self.parents)
            and _within(entity.created_at, self.created)
            and _within(entity.updated_at, self.updated)
            and self._fits_references(entity, workspace)
            and all(_fits_custom(entity, workspace, key, wanted) for key, wanted in self.custom.items())
        )

    def _fits_references(self, entity: Entity, workspace: Workspace) -> bool:
        if self.owners:
            member = workspace.members.get(entity.fields.get("owner", ""))
            names = {("id", member.id), ("email", member.email.lower())} if member else set()
            if not names & {(key, text.lower()) for key, text in self.owners}:
                return False
        if self.statuses:
            option = workspace.options["status"].get(entity.fields.get("status", ""))
            return option is not None and bool(
                {("id", option.id), ("name", option.name)} & set(self.statuses)
            )
        return True


def _within(moment: str, wanted: DateRange) -> bool:
    after = wanted.from_ is None or moment >= time_text(wanted.from_)
    return after and (wanted.to is None or moment <= time_text(wanted.to))


def _fits_custom(entity: Entity, workspace: Workspace, key: str, wanted: Mapping[str, Any]) -> bool:
    kept = entity.fields.get(key)
    if SPECS[key].kind != "option":
        contains = wanted.get("contains")
        return (contains is None or contains in str(kept or "")) and (
            "eq" not in wanted or wanted["eq"] == kept
        )
    option = workspace.options[key].get(kept or "")
    asked = [wanted] if wanted.keys() & {"id", "name"} else [*wanted.get("any", []), *wanted.get("all", [])]
    return option is not None and any(
        option.id == each.get("id") or option.name == each.get("name") for each in asked
    )


async def search(call: Call) -> Response:
    """POST /entities/search."""
    data = call.body(EntitySearch).data
    selection = data.return_.fields
    if not isinstance(selection, str):
        check_selection([name for name in selection if name != "all"], pointer="/data/return/fields")
    criteria = _criteria(data.filter)
    values = Values(call.workspace, call.account.rich_text_2026_09, call.has_scope("members:pii:read"))
    shower = Shower(values, call.base)
    found = [entity for entity in call.workspace.entities.values() if criteria.fit(entity, call.workspace)]
    return call.page(found, lambda entity: shower.entity(entity, selection))


def _criteria(wanted: SearchFilter) -> Criteria:
    fields, where = wanted.fields, "/data/filter/fields"
    custom = {
        key: value
        for key, value in fields.items()
        if key not in ("name", "archived", "owner", "status", "creator")
    }
    _check_custom(custom, wanted.type)
    name, archived = fields.get("name"), fields.get("archived")
    if "name" in fields and (not isinstance(name, str) or len(name) > 255):
        raise invalid("'name' must be a string of at most 255 characters.", where + "/name")
    if "archived" in fields and not isinstance(archived, bool):
        raise invalid("'archived' must be true or false.", where + "/archived")
    _references(fields, "creator", "email")
    return Criteria(
        types=wanted.type,
        ids=wanted.id,
        name=name,
        archived=archived,
        owners=_references(fields, "owner", "email"),
        statuses=_references(fields, "status", "name"),
        parents=[target.id for target in wanted.relationships.parent],
        created=wanted.createdAt,
        updated=wanted.updatedAt,
        custom=custom,
    )


def _references(fields: Mapping[str, Any], key: str, second: str) -> list[Reference]:
    if key not in fields:
        return []
    pointer = f"/data/filter/fields/{key}"
    if not isinstance(fields[key], list):
        raise invalid(f"'{key}' must be a list.", pointer)
    return [one_reference(item, second, f"{pointer}/{index}") for index, item in enumerate(fields[key])]


def _check_custom(custom: Mapping[str, Any], types: Sequence[str]) -> None:
    for key, wanted in custom.items():
        pointer = f"/data/filter/fields/{key}"
        if not isinstance(wanted, dict) or wanted.keys() - _CUSTOM_OPERATORS:
            raise invalid("A filter of a custom field takes id, name, contains, eq, any or all.", pointer)
        if key not in SPECS or not SPECS[key].is_custom:
            raise failed(f"'{key}' is no field that can be searched.", pointer)
        if not types:
            raise failed("A filter of a custom field needs 'filter.type'.", pointer)
        for operator, value in wanted.items():
            expected = list if operator in ("any", "all") else object if operator == "eq" else str
            if not isinstance(value, expected):
                raise invalid(f"'{operator}' has the wrong type.", f"{pointer}/{operator}")
