"""What the board's pages read and do, as a person of the workspace: under `/board/`, without token or cookie.

The page asks every second with the version it knows and gets 204 while nothing has changed. Changes go through the
same `Writing` as the API's, so they are checked alike and announced alike.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from keepstep_sandbox.control import json_object, refusing
from keepstep_sandbox.productboard.emulator import ProductboardEmulator
from keepstep_sandbox.productboard.errors import ApiError
from keepstep_sandbox.productboard.fields import Values
from keepstep_sandbox.productboard.state import Entity, Workspace
from keepstep_sandbox.productboard.wire_entities import RelationshipCreate, TargetRef
from keepstep_sandbox.productboard.writing import Writing

_STATIC = Path(__file__).parent / "static"
_WORK = ("feature", "subfeature")
# Images of a description are not loaded: the page fetches nothing from elsewhere.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class _StaticPages(StaticFiles):
    """Static files that are asked for anew after an update."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"cache-control", b"no-cache")]
            await send(message)

        await super().__call__(scope, receive, send_with_headers)


def board_routes(emulator: ProductboardEmulator) -> list[BaseRoute]:
    board = _Board(emulator)
    return [
        Route("/", board.page, methods=["GET"]),
        Mount("/static", _StaticPages(directory=_STATIC)),
        Route("/board/state", board.state, methods=["GET"]),
        Route("/board/items", refusing(board.create), methods=["POST"]),
        Route("/board/items/{id}", board.item, methods=["GET"]),
        Route("/board/items/{id}", refusing(board.change), methods=["PATCH"]),
        Route("/board/items/{id}", refusing(board.delete), methods=["DELETE"]),
        Route("/board/click", refusing(board.click), methods=["POST"]),
    ]


class _Board:
    def __init__(self, emulator: ProductboardEmulator) -> None:
        self._emulator = emulator

    def _workspace(self, request: Request) -> Workspace:
        workspaces = self._emulator.account.workspaces
        return workspaces.get(request.query_params.get("workspace", "")) or next(iter(workspaces.values()))

    def _writing(self, request: Request, workspace: Workspace) -> Writing:
        member = workspace.members.get(request.query_params.get("by", ""))
        values = Values(workspace, self._emulator.account.rich_text_2026_09)
        return Writing(
            workspace, values, self._emulator.notices.announce, member.name if member else "somebody"
        )

    async def page(self, _request: Request) -> Response:
        return FileResponse(_STATIC / "board.html", headers=_HEADERS)

    async def state(self, request: Request) -> Response:
        body = json.dumps(
            self._state(self._workspace(request)), separators=(",", ":"), ensure_ascii=False
        ).encode()
        version = hashlib.blake2b(body, digest_size=8).hexdigest()
        headers = {"X-Version": version, "Cache-Control": "no-store"}
        if request.query_params.get("known") == version:
            return Response(status_code=204, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    def _state(self, workspace: Workspace) -> dict[str, Any]:
        return {
            "workspace": {"id": workspace.id, "name": workspace.name},
            "workspaces": [{"id": w.id, "name": w.name} for w in self._emulator.account.workspaces.values()],
            "members": [
                {"id": m.id, "name": m.name, "mayOwn": m.may_own}
                for m in workspace.members.values()
                if not m.disabled
            ],
            "statuses": [{"id": s.id, "name": s.name} for s in workspace.options["status"].values()],
            "columns": [
                {"id": i.id, "name": i.name, "label": i.label}
                for i in workspace.integrations.values()
                if i.status == "enabled"
            ],
            "groups": [self._group(workspace, entity) for entity in _places(workspace)],
        }

    def _group(self, workspace: Workspace, place: Entity) -> dict[str, Any]:
        rows = []
        for feature in workspace.children(place.id):
            if feature.type == "feature":
                rows.append(self._row(workspace, feature))
                rows += [self._row(workspace, child) for child in workspace.children(feature.id)]
        return {"id": place.id, "type": place.type, "name": place.name, "rows": rows}

    def _row(self, workspace: Workspace, entity: Entity) -> dict[str, Any]:
        return {
            "id": entity.id,
            "type": entity.type,
            "name": entity.name,
            "status": entity.fields.get("status"),
            "owner": entity.fields.get("owner"),
            "archived": entity.fields["archived"],
            "updatedAt": entity.updated_at,
            "cells": {
                integration.id: {
                    **integration.connections.get(entity.id, {"state": "initial"}),
                    "clicking": self._emulator.clicks.is_under_way(integration.id, entity.id),
                    "debugDetail": None,  # the vendor's pages do not show it
                }
                for integration in workspace.integrations.values()
                if integration.status == "enabled"
            },
        }

    async def item(self, request: Request) -> Response:
        workspace = self._workspace(request)
        entity = workspace.entities.get(request.path_params["id"])
        if entity is None:
            return JSONResponse({"error": "This item has been deleted."}, status_code=404)
        parent = workspace.entities.get(entity.parent or "")
        return JSONResponse(
            {
                **self._row(workspace, entity),
                "description": entity.fields.get("description", ""),
                "nodes": entity.nodes,
                "parent": parent.name if parent else None,
                "below": len(list(workspace.with_descendants(entity))) - 1,
                "changedBy": entity.changed_by or "the seed",
            }
        )

    async def create(self, request: Request) -> Response:
        workspace = self._workspace(request)
        body = await json_object(request)
        parent = RelationshipCreate(type="parent", target=TargetRef(id=body["parent"]))
        fields = {"name": body["name"]}
        try:
            entity = self._writing(request, workspace).create(body["type"], fields, [parent])
        except ApiError as refused:
            return JSONResponse({"error": refused.detail}, status_code=refused.status)
        self._emulator.sandbox.changed()
        return JSONResponse({"id": entity.id}, status_code=201)

    async def change(self, request: Request) -> Response:
        """Takes name, description, archived; status and owner as ids, owner null for nobody."""
        workspace = self._workspace(request)
        body = await json_object(request)
        fields: dict[str, Any] = {
            key: body[key] for key in ("name", "description", "archived") if key in body
        }
        fields |= {key: body[key] and {"id": body[key]} for key in ("status", "owner") if key in body}
        lost_before = len(workspace.lost_nodes)
        try:
            entity = workspace.entity(request.path_params["id"])
            self._writing(request, workspace).update(entity, fields)
        except ApiError as refused:
            return JSONResponse({"error": refused.detail}, status_code=refused.status)
        self._emulator.sandbox.changed()
        lost = [loss["content"] for loss in workspace.lost_nodes[lost_before:]]
        return JSONResponse({"updatedAt": entity.updated_at, "lost": lost})

    async def delete(self, request: Request) -> Response:
        workspace = self._workspace(request)
        entity = workspace.entities.get(request.path_params["id"])
        if entity is not None and entity.type in _WORK:
            self._writing(request, workspace).delete(entity)
            self._emulator.sandbox.changed()
        return Response(status_code=204)

    async def click(self, request: Request) -> Response:
        body = await json_object(request)
        try:
            outcome = await self._emulator.click(
                body["integrationId"], body["entityId"], body["trigger"], body.get("user", "")
            )
        except ApiError as refused:
            return JSONResponse({"error": refused.detail}, status_code=refused.status)
        return JSONResponse({"connection": outcome.connection, "answerMs": outcome.answer_ms})


def _places(workspace: Workspace) -> list[Entity]:
    """Products and components, each component after what it stands under."""
    found: list[Entity] = []
    for product in workspace.entities.values():
        if product.type == "product":
            found += [
                entity
                for entity in workspace.with_descendants(product)
                if entity.type in ("product", "component")
            ]
    return found
