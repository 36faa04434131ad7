"""Plugin integrations and their connections under /v2."""

from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keepstep_sandbox.productboard.callbacks import INITIAL, check_callback_url, probe, put_connection
from keepstep_sandbox.productboard.gate import Call, Gate
from keepstep_sandbox.productboard.state import PluginIntegration, new_id, now_text
from keepstep_sandbox.productboard.wire_callbacks import (
    CallbackTarget,
    ConnectionBody,
    ConnectionSearch,
    IntegrationCreate,
    IntegrationPatch,
)

_STATES = ("connected", "error", "progress", "initial")
_READ, _WRITE = "plugin-integrations:read", "plugin-integrations:write"


def integration_routes(gate: Gate) -> list[Route]:
    one = "/plugin-integrations/{integrationId}"
    cell = one + "/connections/{entityId}"
    return [
        gate.route("POST", "/plugin-integrations", _WRITE, _create),
        gate.route("GET", "/plugin-integrations", _READ, _list),
        gate.route("GET", one, _READ, _get),
        gate.route("PATCH", one, _WRITE, _patch),
        gate.route("DELETE", one, "plugin-integrations:delete", _delete),
        gate.route("GET", one + "/connections", _READ, _list_connections),
        gate.route("POST", one + "/connections/search", _READ, _search_connections),
        gate.route("GET", cell, _READ, _get_connection),
        gate.route("PUT", cell, _WRITE, _put_connection),
        gate.route("DELETE", cell, _WRITE, _delete_connection),
    ]


def _links(call: Call, integration_id: str) -> dict[str, str]:
    url = f"{call.api}/plugin-integrations/{integration_id}"
    return {"self": url, "connections": url + "/connections"}


def _reference(call: Call, integration_id: str) -> dict[str, Any]:
    return {"data": {"id": integration_id, "links": _links(call, integration_id)}}


def _shown(call: Call, integration: PluginIntegration) -> dict[str, Any]:
    return {
        "id": integration.id,
        "type": "pluginIntegration",
        "createdAt": integration.created_at,
        "fields": {  # never the action
            "type": integration.type,
            "name": integration.name,
            "integrationStatus": integration.status,
            "initialState": {"label": integration.label},
        },
        "links": _links(call, integration.id),
    }


def _integration(call: Call) -> PluginIntegration:
    return call.workspace.integration(call.path_id("integrationId", "plugin integration"))


def _check_target(call: Call, target: CallbackTarget) -> None:
    insecure = call.sandbox.config.allow_insecure_callbacks
    check_callback_url(target.url, "/data/fields/action/url", insecure=insecure)


async def _create(call: Call) -> Response:
    fields = call.body(IntegrationCreate).data.fields
    _check_target(call, fields.action)
    integration = PluginIntegration(
        id=new_id(),
        type=fields.type,
        name=fields.name,
        status=fields.integrationStatus,
        label=fields.initialState.label,
        url=fields.action.url,
        version=fields.action.version,
        authorization=fields.action.authorization,
        created_at=now_text(),
    )
    if integration.status == "enabled":
        await probe(call.sandbox, integration)
    if not call.ignores_write:
        call.workspace.integrations[integration.id] = integration
        call.sandbox.changed()
    return JSONResponse(_reference(call, integration.id), status_code=201)


async def _list(call: Call) -> Response:
    return call.page(
        list(call.workspace.integrations.values()), lambda integration: _shown(call, integration)
    )


async def _get(call: Call) -> Response:
    return JSONResponse({"data": _shown(call, _integration(call))})


async def _patch(call: Call) -> Response:
    integration = _integration(call)
    fields = call.body(IntegrationPatch).data.fields
    given = fields.model_fields_set
    changes: dict[str, Any] = {}
    if "name" in given:
        changes["name"] = fields.name
    if "integrationStatus" in given:
        changes["status"] = fields.integrationStatus
    if "initialState" in given:
        changes["label"] = fields.initialState.label
    if "action" in given:
        _check_target(call, fields.action)
        changes |= {"url": fields.action.url, "version": fields.action.version}
        changes["authorization"] = fields.action.authorization
    after = PluginIntegration(**{**vars(integration), **changes})
    # The vendor's text: on update when enabled and the URL changes.
    if after.status == "enabled" and after.url != integration.url:
        await probe(call.sandbox, after)
    if not call.ignores_write:
        for key, value in changes.items():
            setattr(integration, key, value)
        call.sandbox.changed()
    return JSONResponse(_reference(call, integration.id))


async def _delete(call: Call) -> Response:
    integration = _integration(call)
    if not call.ignores_write:
        del call.workspace.integrations[integration.id]
        call.sandbox.changed()
    return Response(status_code=204)


def _connection(call: Call, integration: PluginIntegration, entity_id: str) -> dict[str, Any]:
    state = integration.connections.get(entity_id, INITIAL)
    url = f"{call.api}/plugin-integrations/{integration.id}/connections/{entity_id}"
    return {
        "id": entity_id,
        "type": "pluginIntegrationConnection",
        "fields": {"connection": state},
        "links": {"self": url},
    }


async def _list_connections(call: Call) -> Response:
    integration = _integration(call)
    states = call.listed("state", _STATES)
    found = [key for key, state in integration.connections.items() if not states or state["state"] in states]
    return call.page(found, lambda entity_id: _connection(call, integration, entity_id))


async def _search_connections(call: Call) -> Response:
    integration = _integration(call)
    wanted = call.body(ConnectionSearch).data.filter
    found = [
        key
        for key, state in integration.connections.items()
        if (not wanted.state or state["state"] in wanted.state)
        and (not wanted.entityId or key in wanted.entityId)
    ]
    return call.page(found, lambda entity_id: _connection(call, integration, entity_id))


async def _get_connection(call: Call) -> Response:
    integration = _integration(call)
    entity = call.workspace.entity(call.path_id("entityId", "entity"))
    return JSONResponse({"data": _connection(call, integration, entity.id)})


async def _put_connection(call: Call) -> Response:
    integration = _integration(call)
    entity = call.workspace.entity(call.path_id("entityId", "entity"))
    state = call.body(ConnectionBody).state
    if not call.ignores_write:
        put_connection(integration, entity.id, state)
        call.sandbox.changed()
    shown = _connection(call, integration, entity.id)
    return JSONResponse({"data": {"id": entity.id, "links": shown["links"]}})


async def _delete_connection(call: Call) -> Response:
    integration = _integration(call)
    entity_id = call.path_id("entityId", "entity")
    if not call.ignores_write:
        integration.connections.pop(entity_id, None)
        call.sandbox.changed()
    return Response(status_code=204)
