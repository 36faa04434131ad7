"""The OpenAPI document: complete, valid, and true to the answers."""

import re
from pathlib import Path

import jsonschema
import pytest
from api_caller import API, Caller, new_integration
from fastapi.routing import APIRoute

from keepstep.web import api


@pytest.fixture
async def document(world):
    answer = await world.client.get(f"{API}/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def _operations(document):
    return [
        (path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def _routes(router, prefix=""):
    """Path and methods of each route; newer FastAPI keeps an included router as one route of its own."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            path = route.path if route.path.startswith(prefix) else prefix + route.path
            yield path, route.methods
        else:
            yield from _routes(route.original_router, prefix + router.prefix)


def _resolved(document, schema):
    return schema | {"components": document["components"]}


async def test_every_route_is_in_the_document_and_nothing_else(world, document):
    routes = {(path, method.lower()) for path, methods in _routes(api.router) for method in methods}
    assert len(routes) > 25
    assert {(path, method) for path, method, _ in _operations(document)} == routes


async def test_every_operation_is_described(world, document):
    ids = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(set(ids)) == len(ids)
    tags = {each["name"] for each in document["tags"]}
    for path, method, operation in _operations(document):
        place = f"{method} {path}"
        assert re.fullmatch(r"[a-z][A-Za-z]+", operation["operationId"]), place
        assert operation["summary"], place
        assert set(operation["tags"]) <= tags, place
        assert operation["security"] == [{"token": []}], place
        for status in ("400", "401", "422", "500"):
            schema = operation["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}, place
        if "{" in path:
            assert "404" in operation["responses"], place


async def test_every_reference_leads_somewhere(world, document):
    names = set(re.findall(r"#/components/schemas/([^'\"]+)", str(document)))
    assert names <= set(document["components"]["schemas"])
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


async def test_the_document_has_the_shape_that_openapi_3_1_asks_for(world, document):
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "Keepstep API"
    assert document["info"]["description"]
    for path, _, operation in _operations(document):
        declared = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), path
        assert all(each["required"] for each in operation.get("parameters", []) if each["in"] == "path")
        for response in operation["responses"].values():
            assert response["description"]


async def test_answers_are_as_documented(world, document):
    caller = await Caller.open(world)
    integration = await caller.created()
    link = await caller.linked(integration)
    for path, values in (
        ("/integrations", {}),
        ("/integrations/{integration_id}", {"integration_id": integration["id"]}),
        ("/integrations/{integration_id}/statuses", {"integration_id": integration["id"]}),
        ("/links", {}),
        ("/links/{link_id}", {"link_id": link["id"]}),
        ("/journal", {}),
        ("/attention", {}),
        ("/system", {}),
        ("/trackers", {}),
        ("/trackers/{kind}", {"kind": "gittab"}),
    ):
        answer = await caller.get(path.format(**values))
        responses = document["paths"][f"/api/v1{path}"]["get"]["responses"]
        schema = responses["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(answer, _resolved(document, schema))
    refused = await caller.ask("POST", "/integrations", new_integration(name=""))
    jsonschema.validate(refused.json(), _resolved(document, {"$ref": "#/components/schemas/ErrorAnswer"}))


async def test_the_pages_are_not_in_the_document(world, document):
    assert all(path.startswith("/api/v1/") for path in document["paths"])


async def test_the_guide_names_every_operation_and_no_other(world, document):
    guide = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([A-Z]+) (/[^`]*)` \|", guide, re.MULTILINE)
    known = [(method.upper(), path.removeprefix("/api/v1")) for path, method, _ in _operations(document)]
    assert sorted(named) == sorted(known)
