"""Entities under /v2: list, get, create, change, delete, and their relationships."""

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keepstep_sandbox.productboard.errors import ApiError, invalid
from keepstep_sandbox.productboard.fields import Values
from keepstep_sandbox.productboard.gate import Call, Gate
from keepstep_sandbox.productboard.notices import Notices
from keepstep_sandbox.productboard.searching import Criteria, search
from keepstep_sandbox.productboard.showing import Selection, Shower, check_selection
from keepstep_sandbox.productboard.state import Entity, new_id
from keepstep_sandbox.productboard.wire import email_text
from keepstep_sandbox.productboard.wire_entities import (
    ENTITY_TYPES,
    RELATION_TYPES,
    EntityCreate,
    EntityPatch,
    ParentBody,
    RelationshipBody,
)
from keepstep_sandbox.productboard.writing import Writing, check_fields_or_patch

_READ, _WRITE, _DELETE = "entities:read", "entities:write", "entities:delete"


def values_of(call: Call) -> Values:
    return Values(call.workspace, call.account.rich_text_2026_09, call.has_scope("members:pii:read"))


def shower_of(call: Call) -> Shower:
    return Shower(values_of(call), call.base)


def selection_of(call: Call) -> Selection:
    """`fields[]`, checked; "default" when there is none."""
    names = call.listed("fields")
    if not names:
        return "default"
    check_selection([name for name in names if name != "all"], parameter="fields[]")
    return names


class EntitiesApi:
    """The handlers that change something need the notices; so all are methods."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices

    def routes(self, gate: Gate) -> list[Route]:
        one = "/entities/{id}"
        return [
            gate.route("GET", "/entities", _READ, self._list),
            gate.route("POST", "/entities", _WRITE, self._create),
            gate.route("POST", "/entities/search", _READ, search),
            gate.route("GET", one, _READ, self._get),
            gate.route("PATCH", one, _WRITE, self._patch),
            gate.route("DELETE", one, _DELETE, self._delete),
            gate.route("GET", one + "/relationships", _READ, self._list_relationships),
            gate.route("POST", one + "/relationships", _WRITE, self._add_relationship),
            gate.route("PUT", one + "/relationships/parent", _WRITE, self._set_parent),
            gate.route("DELETE", one + "/relationships/{type}/{targetId}", _WRITE, self._remove_relationship),
        ]

    def _writing(self, call: Call) -> Writing:
        return Writing(call.workspace, values_of(call), self._notices.announce)

    async def _list(self, call: Call) -> Response:
        criteria = _criteria_from_query(call)
        selection = selection_of(call)
        shower = shower_of(call)
        found = [
            entity for entity in call.workspace.entities.values() if criteria.fit(entity, call.workspace)
        ]
        return call.page(found, lambda entity: shower.entity(entity, selection))

    async def _create(self, call: Call) -> Response:
        data = call.body(EntityCreate).data
        if call.ignores_write:
            phantom = Entity(id=new_id(), type=data.type, fields={})
            return JSONResponse({"data": shower_of(call).reference(phantom)}, status_code=201)
        entity = self._writing(call).create(data.type, data.fields, data.relationships, data.metadata)
        call.sandbox.changed()
        return JSONResponse({"data": shower_of(call).reference(entity)}, status_code=201)

    async def _get(self, call: Call) -> Response:
        entity = _entity(call)
        return JSONResponse({"data": shower_of(call).entity(entity, selection_of(call))})

    async def _patch(self, call: Call) -> Response:
        entity = _entity(call)
        data = call.body(EntityPatch).data
        check_fields_or_patch(data.model_fields_set)
        if not call.ignores_write:
            self._writing(call).update(entity, data.fields, data.patch, data.metadata)
            call.sandbox.changed()
        return JSONResponse({"data": shower_of(call).reference(entity)})

    async def _delete(self, call: Call) -> Response:
        entity = _entity(call)
        if not call.ignores_write:
            self._writing(call).delete(entity)
            call.sandbox.changed()
        return Response(status_code=204)

    async def _list_relationships(self, call: Call) -> Response:
        entity = _entity(call)
        kind, target_type = _enum(call, "type", RELATION_TYPES), _enum(call, "target[type]", ENTITY_TYPES)
        target_id = call.uuid_parameter("target[id]")
        found = [
            relation
            for relation in shower_of(call).relationships(entity)
            if kind in (None, relation["type"])
            and target_type in (None, relation["target"]["type"])
            and target_id in (None, relation["target"]["id"])
        ]
        return call.page(found, lambda relation: relation)

    async def _add_relationship(self, call: Call) -> Response:
        entity, data = _entity(call), call.body(RelationshipBody).data
        target = call.workspace.entities.get(data.target.id)
        if not call.ignores_write or target is None:
            self._writing(call).add_relation(entity, data.type, data.target.id)
            call.sandbox.changed()
        shown = shower_of(call).relationship(data.type, call.workspace.entity(data.target.id))
        links = {"self": f"{call.api}/entities/{entity.id}/relationships/{data.type}/{data.target.id}"}
        return JSONResponse({"data": shown, "links": links}, status_code=201)

    async def _set_parent(self, call: Call) -> Response:
        entity, data = _entity(call), call.body(ParentBody).data
        if not call.ignores_write:
            self._writing(call).set_parent(entity, data.target.id)
            call.sandbox.changed()
        shown = shower_of(call).relationship("parent", call.workspace.entity(data.target.id))
        links = {"self": f"{call.api}/entities/{entity.id}/relationships/parent/{data.target.id}"}
        return JSONResponse({"data": shown, "links": links})

    async def _remove_relationship(self, call: Call) -> Response:
        entity = _entity(call)
        kind = call.request.path_params["type"]
        if kind not in RELATION_TYPES:
            raise invalid(f"'{kind}' is no type of relationship.", parameter="type")
        if not call.ignores_write:
            self._writing(call).remove_relation(entity, kind, call.path_id("targetId", "entity"))
            call.sandbox.changed()
        return Response(status_code=204)


def _entity(call: Call) -> Entity:
    return call.workspace.entity(call.path_id("id", "entity"))


def _enum(call: Call, name: str, allowed: tuple[str, ...]) -> str | None:
    value = call.request.query_params.get(name)
    if value is not None and value not in allowed:
        raise invalid(f"'{value}' is not a value of '{name}'.", parameter=name)
    return value


def _criteria_from_query(call: Call) -> Criteria:
    query = call.request.query_params
    email = query.get("owner[email]")
    if email is not None:
        if not call.has_scope("members:pii:read"):
            raise ApiError(
                403, "auth.accessDenied", "Filtering by owner[email] needs the scope 'members:pii:read'."
            )
        try:
            email = email_text(email)
        except ValueError as wrong:
            raise invalid(f"'owner[email]' {wrong}.", parameter="owner[email]") from wrong
    owner_id, status_id = call.uuid_parameter("owner[id]"), call.uuid_parameter("status[id]")
    status_name, parent = query.get("status[name]"), call.uuid_parameter("parent[id]")
    return Criteria(
        types=call.listed("type", ENTITY_TYPES),
        name=query.get("name"),
        archived=call.flag("archived"),
        owners=[*_pair("id", owner_id), *_pair("email", email)],
        statuses=[*_pair("id", status_id), *_pair("name", status_name)],
        parents=[parent] if parent else [],
    )


def _pair(key: str, value: str | None) -> list[tuple[str, str]]:
    return [] if value is None else [(key, value)]
