"""Configurations of entity types, and the values of their select, tag and status fields."""

from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keepstep_sandbox.productboard.errors import ApiError, failed, invalid, not_found
from keepstep_sandbox.productboard.fields import SIZE_FIELD, SPECS, FieldSpec
from keepstep_sandbox.productboard.gate import Call, Gate
from keepstep_sandbox.productboard.state import Option, new_id
from keepstep_sandbox.productboard.wire_entities import ENTITY_TYPES, OptionCreate, OptionPatch
from keepstep_sandbox.productboard.writing import PARENT_TYPES, TYPES

_READ, _WRITE = "entities:read", "fields:write"
# Live configurations name larger limits than the schema (2000 and 1048576); we stay with the schema's.
_JSON_TYPES = {
    "name": "string",
    "text": "string",
    "rich": "string",
    "flag": "boolean",
    "number": "number",
    "options": "array",
}
_LINK_TYPES = {
    "link": list(TYPES),
    "isBlockedBy": ["feature", "subfeature"],
    "isBlocking": ["feature", "subfeature"],
}


def configuration_routes(gate: Gate) -> list[Route]:
    """Before the routes of single entities, whose path would match these."""
    values = "/entities/fields/{id}/values"
    return [
        gate.route("GET", "/entities/configurations", _READ, _list),
        gate.route("GET", "/entities/configurations/{type}", _READ, _get),
        gate.route("GET", values, _READ, _list_values),
        gate.route("POST", values, _WRITE, _create_value),
        gate.route("PATCH", values + "/{valueId}", _WRITE, _patch_value),
        gate.route("DELETE", values + "/{valueId}", _WRITE, _delete_value),
    ]


async def _list(call: Call) -> Response:
    types = call.listed("type", ENTITY_TYPES) or TYPES
    return call.page([kind for kind in TYPES if kind in types], lambda kind: _configuration(call, kind))


async def _get(call: Call) -> Response:
    kind = call.request.path_params["type"]
    if kind not in ENTITY_TYPES:
        raise invalid(f"'{kind}' is no type of entity.", parameter="type")
    if kind not in TYPES:
        raise not_found("configuration")
    return JSONResponse({"data": _configuration(call, kind)})


def _configuration(call: Call, kind: str) -> dict[str, Any]:
    return {
        "type": kind,
        "fields": {key: _field(call, spec) for key, spec in SPECS.items() if kind in spec.types},
        "relationships": _relationships(kind),
        "filters": _filters(kind),
        "links": {"self": f"{call.api}/entities/configurations/{kind}"},
    }


def _field(call: Call, spec: FieldSpec) -> dict[str, Any]:
    operations = {"set": True, "clear": spec.clearable}
    patch = {**operations, "addItems": True, "removeItems": True} if spec.is_list else operations
    shown: dict[str, Any] = {
        "id": spec.key,
        "name": spec.name,
        "path": f"/fields/{spec.key}",
        "schema": {"type": _JSON_TYPES.get(spec.kind, "object")},
        "lifecycle": {"create": {"set": True}, "update": operations, "patch": patch},
    }
    constraints: dict[str, Any] = {}
    if spec.max_length is not None:
        constraints["maxLength"] = spec.max_length
    if spec.key == "name":
        constraints |= {"required": True, "allowEmpty": False}
    if spec.kind == "member":
        link = f"{call.api}/members?roles[]=admin&roles[]=maker"
        constraints["values"] = {"query": {"links": {"list": link}}}
    if constraints:
        shown["constraints"] = constraints
    if spec.kind in ("option", "options"):
        options = call.workspace.options.get(spec.key, {}).values()
        shown["values"] = {"data": [_inline_value(option) for option in options]}
    return shown


def _inline_value(option: Option) -> dict[str, Any]:
    return {"id": option.id, "name": option.name, "assignedEntityTypes": option.types}


def _relationships(kind: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if PARENT_TYPES[kind]:
        shown["parent"] = {"targetType": list(PARENT_TYPES[kind]), "cardinality": "single", "mandatory": True}
    below = [child for child, parents in PARENT_TYPES.items() if kind in parents]
    if below:
        shown["child"] = {"targetType": below, "cardinality": "multiple", "mandatory": False}
    for link, targets in _LINK_TYPES.items():
        if kind in targets:
            shown[link] = {"targetType": targets, "cardinality": "multiple", "mandatory": False}
    return shown


def _filters(kind: str) -> list[dict[str, Any]]:
    uuid = {"type": "string", "format": "uuid"}
    filters: list[dict[str, Any]] = [
        {"name": "name", "field": "name", "schema": {"type": "string"}},
        {"name": "owner[id]", "field": "owner", "schema": uuid},
        {
            "name": "owner[email]",
            "field": "owner",
            "schema": {"type": "string", "format": "email"},
            "requiredScopes": ["members:pii:read"],
        },
        {"name": "archived", "field": "archived", "schema": {"type": "boolean"}},
    ]
    if kind in SPECS["status"].types:
        filters.append({"name": "status[id]", "field": "status", "schema": uuid})
        filters.append({"name": "status[name]", "field": "status", "schema": {"type": "string"}})
    if PARENT_TYPES[kind]:
        filters.append({"name": "parent[id]", "relationship": "parent", "schema": uuid})
    return filters


def _spec(call: Call) -> FieldSpec:
    """By UUID or built-in name. Raises ApiError 404 for a field without values."""
    spec = SPECS.get(call.request.path_params["id"])
    if spec is None or spec.kind not in ("option", "options"):
        raise not_found("field with values")
    return spec


def _value(spec: FieldSpec, option: Option) -> dict[str, Any]:
    if spec.key in ("tags", SIZE_FIELD):
        return {"id": option.id, "fields": {"name": option.name, "color": option.color or "gray"}}
    return {"id": option.id, "fields": {"name": option.name, "assignedEntityTypes": option.types}}


async def _list_values(call: Call) -> Response:
    spec = _spec(call)
    types = call.listed("assignedEntityType", ENTITY_TYPES)
    options = call.workspace.options.get(spec.key, {}).values()
    found = [option for option in options if not types or set(types) & set(option.types)]
    return call.page(found, lambda option: _value(spec, option))


def _writable(call: Call) -> FieldSpec:
    spec = _spec(call)
    if spec.key not in ("tags", SIZE_FIELD):
        raise failed(f"Values of '{spec.name}' cannot be changed by the API.", "/data")
    return spec


def _reference(call: Call, spec: FieldSpec, option_id: str) -> dict[str, Any]:
    url = f"{call.api}/entities/fields/{spec.key}/values/{option_id}"
    return {"data": {"id": option_id, "links": {"self": url}}}


def _free_name(call: Call, spec: FieldSpec, name: str) -> str:
    if not name.strip():
        raise failed("The field 'name' cannot be empty.", "/data/fields/name")
    if call.workspace.option(spec.key, name=name) is not None:
        raise failed("A value of this name exists already.", "/data/fields/name")
    return name


async def _create_value(call: Call) -> Response:
    spec = _writable(call)
    fields = call.body(OptionCreate).data.fields
    option = Option(new_id(), _free_name(call, spec, fields.name), list(spec.types), fields.color)
    if not call.ignores_write:
        call.workspace.options[spec.key][option.id] = option
        call.sandbox.changed()
    return JSONResponse(_reference(call, spec, option.id), status_code=201)


def _option(call: Call, spec: FieldSpec) -> Option:
    found = call.workspace.option(spec.key, option_id=call.path_id("valueId", "value"))
    if found is None:
        raise not_found("value")
    return found


async def _patch_value(call: Call) -> Response:
    spec = _writable(call)
    option = _option(call, spec)
    fields = call.body(OptionPatch).data.fields
    given = fields.model_fields_set
    if "name" in given and fields.name != option.name:
        _free_name(call, spec, fields.name)
    if not call.ignores_write:
        option.name = fields.name if "name" in given else option.name
        option.color = fields.color if "color" in given else option.color
        call.sandbox.changed()
    return JSONResponse(_reference(call, spec, option.id))


async def _delete_value(call: Call) -> Response:
    spec = _writable(call)
    option = _option(call, spec)
    replacement = call.uuid_parameter("replaceWith")
    if replacement is not None and call.workspace.option(spec.key, option_id=replacement) is None:
        raise ApiError(
            422, "selectOption.notFound", "The replacement does not exist.", parameter="replaceWith"
        )
    users = [
        entity for entity in call.workspace.entities.values() if _uses(entity.fields.get(spec.key), option.id)
    ]
    if users and replacement is None and not call.flag("force"):
        raise ApiError(
            422, "validation.failed", "The value is in use: give 'replaceWith' or 'force'.", parameter="force"
        )
    if not call.ignores_write:
        for entity in users:
            _replace(entity.fields, spec, option.id, replacement)
        del call.workspace.options[spec.key][option.id]
        call.sandbox.changed()
    return Response(status_code=204)


def _uses(kept: Any, option_id: str) -> bool:
    return kept == option_id or (isinstance(kept, list) and option_id in kept)


def _replace(fields: dict[str, Any], spec: FieldSpec, gone: str, replacement: str | None) -> None:
    if spec.is_list:
        ids = [replacement if each == gone else each for each in fields[spec.key]]
        fields[spec.key] = list(dict.fromkeys(each for each in ids if each is not None))
    elif replacement is not None:
        fields[spec.key] = replacement
    if not fields[spec.key] or fields[spec.key] == gone:
        del fields[spec.key]
