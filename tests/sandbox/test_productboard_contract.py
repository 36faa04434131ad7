"""The emulator behind the vendor's own OpenAPI files: our answers fit their schemas, and what breaks them is refused.

The violations are made from the request schemas: one for each required field, enum, length, type, format and closed
object that a full, valid body meets.
"""

import copy
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from keepstep_sandbox.productboard.demo import fixed_id
from sandbox.productboard_desk import (
    ADA,
    COMPONENT,
    CONNECTED,
    FEATURE,
    OPENAPI,
    PLANNED,
    SUBFEATURE,
    Desk,
    integration_body,
    open_desk,
    webhook_body,
)

pytestmark = pytest.mark.skipif(
    not OPENAPI.is_dir(), reason="the vendor's OpenAPI files are not shipped and not beside this checkout"
)
FILES = ("plugin-integrations", "webhooks", "entities", "members")
SOURCE = {"system": "Tracker", "recordId": "ACME-42", "url": "https://tracker.example/ACME-42"}
SECURITY, UX = fixed_id("tag/security"), fixed_id("tag/ux")


@dataclass(frozen=True)
class Op:
    """A call that succeeds, with a body as full as the schema allows."""

    file: str
    method: str
    path: str
    status: int = 200
    body: Any = None
    parameters: dict[str, str] = field(default_factory=dict)
    query: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.note}".strip()

    def url(self, ids: dict[str, str]) -> str:
        return "/v2" + self.path.format_map({**ids, **self.parameters}) + self.query


def _connection(state: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"fields": {"connection": state}}}


_CELL = "/plugin-integrations/{integrationId}/connections/{entityId}"
_SEARCH = {
    "data": {
        "filter": {
            "type": ["feature"],
            "id": [FEATURE],
            "createdAt": {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"},
            "updatedAt": {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"},
            "fields": {"name": "export", "archived": False},
            "relationships": {"parent": [{"id": COMPONENT}], "customer": [{"id": ADA}]},
            "metadata": {"source": {"system": "Tracker", "recordId": "ACME-42"}},
        },
        "return": {"fields": ["name", "status"]},
    }
}
_CREATE = {
    "data": {
        "type": "feature",
        "fields": {
            "name": "New",
            "description": "<p>Text</p>",
            "status": {"id": PLANNED},
            "owner": {"id": ADA},
        },
        "relationships": [{"type": "parent", "target": {"id": COMPONENT}}],
        "metadata": {"source": SOURCE},
    }
}
OPS = [
    Op("plugin-integrations", "POST", "/plugin-integrations", 201, integration_body()),
    Op("plugin-integrations", "GET", "/plugin-integrations"),
    Op("plugin-integrations", "GET", "/plugin-integrations/{integrationId}"),
    Op("plugin-integrations", "PATCH", "/plugin-integrations/{integrationId}", 200, integration_body()),
    Op(
        "plugin-integrations",
        "GET",
        "/plugin-integrations/{integrationId}/connections",
        query="?state[]=connected",
    ),
    Op(
        "plugin-integrations",
        "POST",
        "/plugin-integrations/{integrationId}/connections/search",
        body={"data": {"filter": {"state": ["connected"], "entityId": [FEATURE]}}},
    ),
    Op("plugin-integrations", "GET", _CELL),
    Op("plugin-integrations", "PUT", _CELL, body=_connection(CONNECTED), note="connected"),
    Op(
        "plugin-integrations",
        "PUT",
        _CELL,
        body=_connection({"state": "error", "message": "No"}),
        note="error",
    ),
    Op("plugin-integrations", "PUT", _CELL, body=_connection({"state": "progress"}), note="progress"),
    Op("plugin-integrations", "PUT", _CELL, body=_connection({"state": "initial"}), note="initial"),
    Op("plugin-integrations", "DELETE", _CELL, 204),
    Op("plugin-integrations", "DELETE", "/plugin-integrations/{integrationId}", 204),
    Op("webhooks", "POST", "/webhooks", 201, webhook_body()),
    Op("webhooks", "GET", "/webhooks"),
    Op("webhooks", "GET", "/webhooks/{webhookId}"),
    Op("webhooks", "DELETE", "/webhooks/{webhookId}", 204),
    Op("entities", "GET", "/entities/configurations", query="?type[]=feature&type[]=component"),
    Op("entities", "GET", "/entities/configurations/{type}", parameters={"type": "feature"}),
    Op("entities", "POST", "/entities", 201, _CREATE),
    Op("entities", "GET", "/entities", query="?type[]=feature&type[]=subfeature&fields[]=all"),
    Op("entities", "GET", "/entities/{id}", query="?fields[]=all"),
    Op(
        "entities",
        "PATCH",
        "/entities/{id}",
        body={"data": {"fields": {"name": "N"}, "metadata": {"source": SOURCE}}},
    ),
    Op(
        "entities",
        "PATCH",
        "/entities/{id}",
        body={
            "data": {
                "patch": [
                    {"op": "set", "path": "name", "value": "N"},
                    {"op": "addItems", "path": "tags", "value": [{"id": UX}]},
                    {"op": "removeItems", "path": "tags", "value": [{"name": "ux"}]},
                    {"op": "clear", "path": "owner"},
                ]
            }
        },
        note="patch",
    ),
    Op("entities", "POST", "/entities/search", body=_SEARCH),
    Op("entities", "GET", "/entities/{id}/relationships", query="?type=parent&target[type]=component"),
    Op(
        "entities",
        "POST",
        "/entities/{id}/relationships",
        201,
        {"data": {"type": "link", "target": {"id": fixed_id("feature/sso")}}},
    ),
    Op(
        "entities",
        "PUT",
        "/entities/{id}/relationships/parent",
        body={"data": {"type": "component", "target": {"id": fixed_id("component/access")}}},
    ),
    Op(
        "entities",
        "DELETE",
        "/entities/{id}/relationships/{type}/{targetId}",
        204,
        parameters={"type": "isBlockedBy", "targetId": fixed_id("feature/audit-log")},
    ),
    Op("entities", "DELETE", "/entities/{id}", 204),
    Op(
        "entities",
        "GET",
        "/entities/fields/{id}/values",
        parameters={"id": "status"},
        query="?assignedEntityType[]=feature",
    ),
    Op("entities", "GET", "/entities/fields/{id}/values", parameters={"id": "tags"}, note="tags"),
    Op(
        "entities",
        "POST",
        "/entities/fields/{id}/values",
        201,
        {"data": {"fields": {"name": "fresh", "color": "lime"}}},
        {"id": "tags"},
    ),
    Op(
        "entities",
        "PATCH",
        "/entities/fields/{id}/values/{valueId}",
        200,
        {"data": {"fields": {"name": "safety", "color": "pink"}}},
        {"id": "tags", "valueId": SECURITY},
    ),
    Op(
        "entities",
        "DELETE",
        "/entities/fields/{id}/values/{valueId}",
        204,
        parameters={"id": "tags", "valueId": SECURITY},
        query="?force=true",
    ),
    Op("members", "GET", "/members", query="?roles[]=admin&roles[]=maker&query=a"),
    Op("members", "GET", "/members/{id}", parameters={"id": ADA}),
    Op(
        "members",
        "POST",
        "/members/search",
        body={
            "data": {
                "filter": {
                    "id": [ADA],
                    "fields": {
                        "email": ["ada@harbor.example"],
                        "role": ["admin"],
                        "disabled": False,
                        "invitationPending": False,
                    },
                },
                "search": {"query": "ada"},
                "return": {"includeDisabled": True, "includeInvitationPending": True},
            }
        },
    ),
]


class Spec:
    """One of the vendor's files."""

    def __init__(self, name: str) -> None:
        self.json = json.loads((OPENAPI / f"{name}.json").read_text("utf-8"))

    def operations(self) -> set[tuple[str, str]]:
        methods = ("get", "post", "put", "patch", "delete")
        return {(m.upper(), path) for path, ops in self.json["paths"].items() for m in ops if m in methods}

    def resolved(self, schema: Any) -> Any:
        while isinstance(schema, dict) and "$ref" in schema:
            node: Any = self.json
            for part in schema["$ref"].removeprefix("#/").split("/"):
                node = node[part]
            schema = node
        return schema

    def validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        whole = {**schema, "components": self.json["components"]}
        return Draft202012Validator(whole, format_checker=FormatChecker())

    def response(self, op: Op, status: int) -> dict[str, Any] | None:
        responses = self.json["paths"][op.path][op.method.lower()]["responses"]
        content = self.resolved(responses[str(status)]).get("content")
        return content["application/json"]["schema"] if content else None

    def request(self, op: Op) -> dict[str, Any] | None:
        body = self.resolved(self.json["paths"][op.path][op.method.lower()].get("requestBody"))
        return body["content"]["application/json"]["schema"] if body else None


@pytest.fixture(scope="module")
def specs() -> dict[str, Spec]:
    return {name: Spec(name) for name in FILES}


@dataclass
class Stage:
    desk: Desk
    ids: dict[str, str]

    async def send(self, op: Op, body: Any = None) -> Any:
        return await self.desk.client.request(
            op.method, op.url(self.ids), json=body if body is not None else op.body
        )


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with open_desk() as desk:
        integration = await desk.integration()
        await desk.put(integration, CONNECTED)
        blocked = {"data": {"type": "isBlockedBy", "target": {"id": fixed_id("feature/audit-log")}}}
        await desk.call("POST", f"/v2/entities/{FEATURE}/relationships", blocked, status=201)
        ids = {
            "integrationId": integration,
            "entityId": FEATURE,
            "webhookId": await desk.webhook(),
            "id": FEATURE,
        }
        yield Stage(desk, ids)


def test_every_operation_of_the_files_is_called(specs):
    called = {(op.file, op.method, op.path) for op in OPS}
    listed = {(name, method, path) for name, spec in specs.items() for method, path in spec.operations()}
    assert called == listed
    assert len(listed) > 30


@pytest.mark.parametrize("op", OPS, ids=str)
async def test_answers_fit_the_vendors_schemas(op: Op, specs, stage):
    spec = specs[op.file]
    response = await stage.send(op)
    assert response.status_code == op.status, response.text
    schema = spec.response(op, op.status)
    if schema is None:
        assert response.content == b""
    else:
        errors = [
            f"{list(e.absolute_path)}: {e.message}"
            for e in spec.validator(schema).iter_errors(response.json())
        ]
        assert errors == []
    if op.body is not None:  # our own examples must be good, or the violations prove nothing
        assert list(spec.validator(spec.request(op)).iter_errors(op.body)) == []


@pytest.mark.parametrize("op", OPS, ids=str)
async def test_refusals_fit_the_vendors_envelope(op: Op, specs, stage):
    spec = specs[op.file]
    refused = await stage.desk.client.request(
        op.method, op.url(stage.ids), headers={"Authorization": "Bearer no"}
    )
    assert refused.status_code == 401
    assert refused.json()["errors"][0]["code"] == "auth.invalid"
    assert list(spec.validator(spec.response(op, 401)).iter_errors(refused.json())) == []
    absent = dict.fromkeys(stage.ids, "00000000-0000-4000-8000-000000000000")
    if set(op.parameters) | {"integrationId", "id", "webhookId"} and any(
        "{" + n + "}" in op.path for n in absent
    ):
        url = "/v2" + op.path.format_map({**op.parameters, **absent})
        missing = await stage.desk.client.request(op.method, url, json=op.body)
        assert missing.status_code == 404, missing.text
        assert missing.json()["errors"][0]["code"] == "resource.notFound"
        assert list(spec.validator(spec.response(op, 404)).iter_errors(missing.json())) == []


# Violations

_WRONG_TYPES: dict[str, Any] = {
    "string": 7,
    "object": "text",
    "array": "text",
    "boolean": "yes",
    "integer": "1",
    "number": "1",
}


Violation = tuple[str, tuple[Any, ...], Any]  # what, where, and the value put there; _DROP takes the key out


def violations(spec: Spec, schema: Any, good: Any, at: tuple[Any, ...] = ()) -> Iterator[Violation]:
    schema = spec.resolved(schema)
    for choice in ("oneOf", "anyOf"):
        if choice in schema:
            # A wrong type for all branches would be right for none; the branch our value took gives the finer ones.
            taken = next(s for s in schema[choice] if spec.validator(s).is_valid(good))
            yield from violations(spec, taken, good, at)
            return
    yield from _scalar_violations(schema, at)
    if isinstance(good, dict):
        yield from _object_violations(spec, schema, good, at)
    if isinstance(good, list):
        yield from _array_violations(spec, schema, good, at)


def _object_violations(
    spec: Spec, schema: Any, good: dict[str, Any], at: tuple[Any, ...]
) -> Iterator[Violation]:
    for name in schema.get("required", []):
        yield f"without {name}", (*at, name), _DROP
    if schema.get("additionalProperties") is False:
        yield "unknown key", (*at, "surprise"), 1
    for name, value in good.items():
        if name in schema.get("properties", {}):
            yield from violations(spec, schema["properties"][name], value, (*at, name))


def _array_violations(spec: Spec, schema: Any, good: list[Any], at: tuple[Any, ...]) -> Iterator[Violation]:
    if schema.get("minItems"):
        yield "too few items", at, good[: schema["minItems"] - 1]
    if schema.get("uniqueItems"):
        yield "doubled item", at, [*good, good[0]]
    if "maxItems" in schema:
        yield "too many items", at, good * (schema["maxItems"] + 1)
    for index, value in enumerate(good):
        yield from violations(spec, schema["items"], value, (*at, index))


_DROP = object()
_BAD_FORMATS = {
    "uuid": "not-a-uuid",
    "uri": "not a uri",
    "email": "nobody",
    "date-time": "yesterday",
    "date": "soon",
}


def _scalar_violations(schema: dict[str, Any], at: tuple[Any, ...]) -> Iterator[Violation]:
    if isinstance(schema.get("type"), str):
        yield "wrong type", at, _WRONG_TYPES[schema["type"]]
    if "enum" in schema:
        yield "not in enum", at, 99 if schema.get("type") == "integer" else "something-else"
    if "maxLength" in schema:
        filler = "https://a.example/" if schema.get("format") == "uri" else ""
        yield "too long", at, filler + "x" * (schema["maxLength"] + 1 - len(filler))
    if schema.get("minLength"):
        yield "too short", at, ""
    if "pattern" in schema:
        yield "against pattern", at, "http://plain.example/action"
    if schema.get("format") in _BAD_FORMATS:
        yield "bad format", at, _BAD_FORMATS[schema["format"]]
    if "maximum" in schema:
        yield "too large", at, schema["maximum"] + 1


def broken(body: Any, where: tuple[Any, ...], value: Any) -> Any:
    made = copy.deepcopy(body)
    if not where:
        return value
    node = made
    for part in where[:-1]:
        node = node[part]
    if value is _DROP:
        node.pop(where[-1], None)
    else:
        node[where[-1]] = value
    return made


# The type of a patch's value depends on the field its path names: see test_productboard_entities.py.
_FREE_VALUE = "value"


async def test_generated_violations_are_refused(specs, stage):
    counts: dict[str, int] = {}
    for op in OPS:
        if op.body is None:
            continue
        spec = specs[op.file]
        for what, where, value in violations(spec, spec.request(op), op.body):
            if what != "without value" and _FREE_VALUE in where:
                continue
            response = await stage.send(op, broken(op.body, where, value))
            case = f"{op}: {what} at {'/'.join(map(str, where)) or 'the root'}"
            assert response.status_code == 400, (case, response.status_code, response.text)
            error = response.json()["errors"][0]
            assert error["code"] == "request.invalid", (case, error)
            assert list(spec.validator(spec.response(op, 400)).iter_errors(response.json())) == []
            counts[what.split(" ")[0]] = counts.get(what.split(" ")[0], 0) + 1
    print(f"{sum(counts.values())} violations refused: {counts}")
    assert sum(counts.values()) > 150
    assert {"without", "wrong", "not", "too", "bad", "unknown", "doubled", "against"} <= counts.keys()


async def test_bodies_that_are_no_json_and_other_content_types(stage):
    post = stage.desk.client.post
    for content, kind in ((b"{", "application/json"), (b"{}", "text/plain"), (b"", "application/json")):
        for path in ("/v2/webhooks", "/v2/plugin-integrations", "/v2/entities", "/v2/entities/search"):
            response = await post(path, content=content, headers={"Content-Type": kind})
            assert response.status_code == 400
            assert response.json()["errors"][0]["code"] == "request.malformed"


async def test_callbacks_fit_the_vendors_schemas(specs, stage):
    desk = stage.desk
    await desk.click(stage.ids["integrationId"])
    click = {"data": desk.service.clicks[0][0]}
    paths = specs["plugin-integrations"].json["paths"]
    callback = paths["/plugin-integrations"]["post"]["callbacks"]["actionCallback"]
    schema = callback["{$request.body#/data/fields/action/url}"]["post"]["requestBody"]["content"][
        "application/json"
    ]
    assert list(specs["plugin-integrations"].validator(schema["schema"]).iter_errors(click)) == []

    await desk.patch({"name": "Other"})
    await desk.patch({"name": "Sub"}, SUBFEATURE)
    await desk.settled()
    assert [hook["id"] for hook in desk.service.hooks] == [FEATURE]
    notice = {"$ref": "#/components/schemas/WebhookNotificationRequestBody"}
    assert list(specs["webhooks"].validator(notice).iter_errors({"data": desk.service.hooks[0]})) == []
