"""Entities, their fields, search, members and options of the Productboard emulator."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from keepstep_sandbox.productboard.demo import fixed_id
from sandbox.productboard_desk import ADA, COMPONENT, FEATURE, PLANNED, SUBFEATURE, Desk, open_desk

NODE_FEATURE = fixed_id("feature/offline-mode")
NODE = "urn:pb:node:mention-7f21c0"
SIZE = "4f0d2a61-3c1e-4a8e-9d0b-6f1a2b3c4d5e"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        yield desk


async def all_pages(desk: Desk, method: str, path: str, body: Any = None) -> list[list[dict[str, Any]]]:
    pages, link = [], path
    while link:
        answered = await desk.call(method, link, body)
        pages.append(answered["data"])
        link = answered["links"]["next"]
    return pages


# Reading and finding


async def test_pages_of_a_hundred_with_absolute_links(desk):
    await desk.call("POST", "/_sandbox/seed", {"features": 236})
    pages = await all_pages(desk, "GET", "/v2/entities?type[]=feature&fields[]=name")
    assert [len(page) for page in pages] == [100, 100, 50]
    ids = [entity["id"] for page in pages for entity in page]
    assert len(set(ids)) == 250
    first = await desk.call("GET", "/v2/entities?type[]=feature&fields[]=name")
    assert first["links"]["next"].startswith(
        "https://pb.example/v2/entities?type%5B%5D=feature&fields%5B%5D=name&"
    )
    body = {"data": {"filter": {"type": ["feature"]}, "return": {"fields": ["name"]}}}
    assert [len(page) for page in await all_pages(desk, "POST", "/v2/entities/search", body)] == [
        100,
        100,
        50,
    ]


@pytest.mark.parametrize("cursor", ["nonsense", "%22", "eyJ4IjoxfQ"])
async def test_foreign_cursor_is_refused(desk, cursor):
    refused = await desk.call("GET", f"/v2/entities?pageCursor={cursor}", status=400)
    assert refused["errors"][0]["source"] == {"parameter": "pageCursor"}


async def test_scalar_parameters_are_refused(desk):
    for query in (
        "type=feature",
        "fields=name",
        "type[]=thing",
        "archived=perhaps",
        "status[id]=x",
        "owner[email]=x",
    ):
        refused = await desk.call("GET", f"/v2/entities?{query}", status=400)
        assert refused["errors"][0]["code"] == "request.invalid"


async def test_empty_fields_are_left_out_unless_asked_for(desk):
    pdf = fixed_id("feature/pdf-report")
    assert "owner" not in (await desk.entity(pdf))["fields"]
    everything = (await desk.entity(pdf, "?fields[]=all"))["fields"]
    assert everything["owner"] is None
    assert everything["timeframe"] is None
    assert set((await desk.entity(pdf, "?fields[]=name&fields[]=owner"))["fields"]) == {"name"}
    await desk.call("GET", f"/v2/entities/{pdf}?fields[]=timeframe.startDate", status=400)


async def test_shape_of_an_entity(desk):
    entity = await desk.entity(NODE_FEATURE)
    fields = entity["fields"]
    assert fields["status"] == {"id": fixed_id("status/In progress"), "name": "In progress"}
    assert fields["owner"] == {"id": ADA, "email": "ada@harbor.example"}
    assert {"id": fixed_id("tag/ux"), "name": "ux", "color": "blue"} in fields["tags"]
    assert fields[SIZE]["name"] == "Large"
    parent, *children = entity["relationships"]["data"]
    assert (parent["type"], parent["target"]["type"]) == ("parent", "component")
    assert {child["type"] for child in children} == {"child"}
    assert entity["links"]["self"] == f"https://pb.example/v2/entities/{NODE_FEATURE}"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("type[]=feature", 14),
        ("type[]=subfeature", 4),
        ("type[]=feature&type[]=subfeature", 18),
        ("type[]=feature&archived=true", 1),
        ("type[]=feature&name=EXPORT", 2),
        ("type[]=feature&status[name]=Planned", 3),
        ("type[]=feature&status[name]=planned", 0),
        (f"type[]=feature&status[id]={PLANNED}", 3),
        (f"type[]=feature&owner[id]={ADA}", 3),
        ("type[]=feature&owner[email]=ADA@harbor.example", 3),
        (f"parent[id]={COMPONENT}", 4),
        ("type[]=initiative", 0),
    ],
)
async def test_list_filters(desk, query, count):
    assert len((await desk.call("GET", f"/v2/entities?{query}"))["data"]) == count


async def search(desk: Desk, status: int = 200, **filters: Any) -> Any:
    answered = await desk.call("POST", "/v2/entities/search", {"data": {"filter": filters}}, status=status)
    return {entity["id"] for entity in answered["data"]} if status == 200 else answered["errors"][0]


async def test_search_filters(desk):
    assert await search(desk, id=[FEATURE, SUBFEATURE]) == {FEATURE, SUBFEATURE}
    assert await search(desk, type=["feature"], id=[FEATURE, SUBFEATURE]) == {FEATURE}
    assert len(await search(desk, type=["feature"], fields={"archived": False})) == 13
    assert (
        len(await search(desk, type=["feature"], fields={"status": [{"id": PLANNED}, {"name": "Released"}]}))
        == 4
    )
    assert len(await search(desk, type=["feature"], fields={"owner": [{"email": "ada@harbor.example"}]})) == 3
    assert len(await search(desk, relationships={"parent": [{"id": COMPONENT}]})) == 4
    assert len(await search(desk, type=["feature"], fields={SIZE: {"name": "Large"}})) == 2
    # Marked "not yet active" by the vendor: taken, and without effect.
    assert len(await search(desk, type=["feature"], metadata={"source": {"recordId": "none"}})) == 14


async def test_search_refuses_what_it_does_not_know(desk):
    assert (await search(desk, 422, fields={SIZE: {"name": "Large"}}))["code"] == "validation.failed"
    assert (await search(desk, 400, type=["feature"], fields={SIZE: {"like": "L"}}))[
        "code"
    ] == "request.invalid"
    assert (await search(desk, 400, fields={"status": {"id": PLANNED}}))["code"] == "request.invalid"
    assert (await search(desk, 400, fields={"archived": "no"}))["code"] == "request.invalid"
    flat = await desk.call("POST", "/v2/entities/search", {"data": {"type": ["feature"]}}, status=400)
    assert flat["errors"][0]["source"]["pointer"] == "/data/type"


async def test_search_by_updated_at_finds_what_changed(desk):
    await asyncio.sleep(0.002)
    mark = (await desk.entity())["updatedAt"]
    await desk.patch({"name": "Moved"})
    moved = (await desk.entity())["updatedAt"]
    assert moved > mark
    assert FEATURE in await search(desk, updatedAt={"from": moved})
    assert await search(desk, updatedAt={"from": moved}, type=["feature"]) == {FEATURE}
    assert FEATURE not in await search(desk, updatedAt={"to": mark})
    assert FEATURE in await search(desk, createdAt={"to": mark})


async def test_return_fields_of_a_search(desk):
    async def fields(wanted: Any) -> set[str]:
        body = {"data": {"filter": {"id": [fixed_id("feature/pdf-report")]}, "return": {"fields": wanted}}}
        return set((await desk.call("POST", "/v2/entities/search", body))["data"][0]["fields"])

    assert await fields(["name", "owner"]) == {"name"}
    assert await fields("default") == {"name", "description", "archived", "status"}
    assert "effort" in await fields("all")


# Writing


async def test_writes_answer_a_reference_only(desk):
    answered = await desk.patch({"name": "Other"})
    assert set(answered["data"]) == {"id", "type", "links"}


async def test_a_write_without_a_change_moves_nothing(desk):
    before = await desk.entity()
    await desk.patch(
        {"name": before["fields"]["name"], "status": {"name": before["fields"]["status"]["name"]}}
    )
    assert await desk.entity() == before


async def test_fields_and_patch_operations(desk):
    await desk.patch(
        {"timeframe": {"startDate": "2026-10-01", "endDate": "2026-12-31", "granularity": "quarter"}}
    )
    operations = [
        {"op": "set", "path": "status", "value": {"name": "Released"}},
        {"op": "addItems", "path": "tags", "value": [{"name": "ux"}, {"name": "security"}]},
        {"op": "removeItems", "path": "tags", "value": [{"name": "performance"}]},
        {"op": "clear", "path": "timeframe.startDate"},
        {"op": "clear", "path": "owner"},
    ]
    await desk.call("PATCH", f"/v2/entities/{FEATURE}", {"data": {"patch": operations}})
    fields = (await desk.entity())["fields"]
    assert fields["status"]["name"] == "Released"
    assert [tag["name"] for tag in fields["tags"]] == ["ux", "security"]
    assert fields["timeframe"] == {"endDate": "2026-12-31", "granularity": "quarter"}
    assert "owner" not in fields
    await desk.patch(
        {"description": None, "tags": [], "effort": {"value": 5}, "health": {"status": "atRisk"}}
    )
    fields = (await desk.entity())["fields"]
    assert "description" not in fields
    assert "tags" not in fields
    assert fields["effort"] == 5
    assert fields["health"]["status"] == "atRisk"


REFUSED_FIELDS = [
    ({"name": 7}, 400, "request.invalid"),
    ({"name": "x" * 256}, 400, "request.invalid"),
    ({"name": "  "}, 422, "validation.failed"),
    ({"name": None}, 422, "validation.failed"),
    ({"archived": "yes"}, 400, "request.invalid"),
    ({"status": None}, 422, "validation.failed"),
    ({"status": "Planned"}, 400, "request.invalid"),
    ({"status": {"name": "planned"}}, 422, "validation.failed"),
    ({"status": {"id": PLANNED, "name": "Planned"}}, 400, "request.invalid"),
    ({"status": {"id": "x"}}, 400, "request.invalid"),
    ({"owner": {"email": "nobody@harbor.example"}}, 422, "validation.referenceNotFound"),
    ({"owner": {"email": "ines@harbor.example"}}, 422, "validation.failed"),
    ({"owner": {"email": "x"}}, 400, "request.invalid"),
    ({"tags": [{"name": "unheard of"}]}, 422, "selectOption.notFound"),
    ({"tags": {"name": "ux"}}, 400, "request.invalid"),
    ({"effort": "5"}, 400, "request.invalid"),
    ({"timeframe": {"startDate": "2026-12-01", "endDate": "2026-01-01"}}, 422, "validation.failed"),
    ({"timeframe": {"startDate": "2026-13-01"}}, 400, "request.invalid"),
    ({"timeframe": {"granularity": "week"}}, 400, "request.invalid"),
    ({"workProgress": {"value": 101, "mode": "manual"}}, 400, "request.invalid"),
    ({"health": {"mode": "calculated", "status": "atRisk"}}, 422, "validation.failed"),
    ({"description": "x" * 524_289}, 400, "request.invalid"),
    ({"unknown": 1}, 422, "validation.failed"),
]


@pytest.mark.parametrize(("fields", "status", "code"), REFUSED_FIELDS)
async def test_refused_values_change_nothing(desk, fields, status, code):
    before = await desk.entity()
    refused = await desk.patch({"effort": 3, **fields}, status=status)
    assert refused["errors"][0]["code"] == code
    assert refused["errors"][0]["source"]["pointer"].startswith("/data/fields/")
    assert await desk.entity() == before


async def test_patch_and_fields_together_and_odd_operations(desk):
    path = f"/v2/entities/{FEATURE}"
    operation = {"op": "set", "path": "name", "value": "A"}
    both = await desk.call(
        "PATCH", path, {"data": {"fields": {"name": "B"}, "patch": [operation]}}, status=400
    )
    assert both["errors"][0]["code"] == "request.invalid"
    for odd, status in (
        ({"op": "clear", "path": "name"}, 422),
        ({"op": "addItems", "path": "name", "value": "A"}, 422),
        ({"op": "set", "path": "nothing", "value": 1}, 422),
        ({"op": "set", "path": "timeframe.startDate", "value": "2026-01-01"}, 422),
    ):
        await desk.call("PATCH", path, {"data": {"patch": [odd]}}, status=status)


async def create(desk: Desk, kind: str, parent: str | None, status: int = 201, **fields: Any) -> Any:
    relationships = [{"type": "parent", "target": {"id": parent}}] if parent else []
    body = {"data": {"type": kind, "fields": {"name": "New", **fields}, "relationships": relationships}}
    return await desk.call("POST", "/v2/entities", body, status=status)


async def test_create_needs_a_fitting_parent(desk):
    made = (await create(desk, "feature", COMPONENT))["data"]["id"]
    fields = (await desk.entity(made))["fields"]
    assert (fields["status"]["name"], fields["archived"]) == ("New idea", False)
    for kind, parent in (
        ("feature", None),
        ("subfeature", None),
        ("subfeature", COMPONENT),
        ("feature", FEATURE),
    ):
        refused = await create(desk, kind, parent, 422)
        assert refused["errors"][0]["code"] == "validation.failed"
    refused = await create(desk, "feature", fixed_id("nothing"), 422)
    assert refused["errors"][0]["code"] == "validation.referenceNotFound"
    await create(desk, "initiative", None, 422)
    await create(desk, "feature", COMPONENT, 422, name=None)


async def test_metadata_source_is_kept(desk):
    source = {"system": "Tracker", "recordId": "7", "url": "https://tracker.example/7"}
    await desk.call("PATCH", f"/v2/entities/{FEATURE}", {"data": {"metadata": {"source": source}}})
    assert (await desk.entity())["metadata"] == {"source": source}


async def test_delete_takes_subfeatures_along(desk):
    await desk.call("DELETE", f"/v2/entities/{FEATURE}", status=204)
    for gone in (FEATURE, SUBFEATURE):
        missing = await desk.call("GET", f"/v2/entities/{gone}", status=404)
        assert missing["errors"][0]["code"] == "resource.notFound"
    await desk.call("DELETE", f"/v2/entities/{FEATURE}", status=404)


async def test_relationships(desk):
    sso, path = fixed_id("feature/sso"), f"/v2/entities/{FEATURE}/relationships"
    await desk.call("POST", path, {"data": {"type": "isBlocking", "target": {"id": sso}}}, status=201)
    again = await desk.call("POST", path, {"data": {"type": "isBlocking", "target": {"id": sso}}}, status=409)
    assert again["errors"][0]["code"] == "conflict.uniqueViolation"
    back = await desk.call("GET", f"/v2/entities/{sso}/relationships?type=isBlockedBy")
    assert [relation["target"]["id"] for relation in back["data"]] == [FEATURE]
    await desk.call("DELETE", f"{path}/isBlocking/{sso}", status=204)
    await desk.call("DELETE", f"{path}/isBlocking/{sso}", status=404)
    access = fixed_id("component/access")
    await desk.call("PUT", path + "/parent", {"data": {"target": {"id": access}}})
    moved = await desk.call("GET", path + "?type=parent")
    assert [relation["target"]["id"] for relation in moved["data"]] == [access]
    await desk.call("PUT", path + "/parent", {"data": {"target": {"id": sso}}}, status=422)
    await desk.call("DELETE", f"{path}/parent/{access}", status=422)


async def test_long_relationship_lists_point_to_their_pages(desk):
    await desk.call("POST", "/_sandbox/seed", {"features": 120})
    component = await desk.entity(fixed_id("component/workspace"))
    assert len(component["relationships"]["data"]) == 100
    pages = await all_pages(desk, "GET", component["relationships"]["links"]["next"])
    assert [len(page) for page in pages] == [100, 26]


# Nodes


async def lost(desk: Desk) -> list[dict[str, Any]]:
    return (await desk.call("GET", "/_sandbox/nodes"))["lost_nodes"]


async def test_content_behind_a_node_anchor_is_lost_without_it(desk):
    html = (await desk.entity(NODE_FEATURE))["fields"]["description"]
    anchor = f'<a href="{NODE}">@Tomas Lind</a>'
    assert anchor in html
    await desk.patch({"description": f"<p>New text {anchor}</p>"}, NODE_FEATURE)
    assert await lost(desk) == []
    await desk.patch({"description": "<p>New text</p>"}, NODE_FEATURE)
    (loss,) = await lost(desk)
    assert (loss["entityId"], loss["urn"], loss["content"]) == (NODE_FEATURE, NODE, "mention of Tomas Lind")
    await desk.patch({"description": f"<p>{anchor}</p>"}, NODE_FEATURE)
    nodes = (await desk.call("GET", "/_sandbox/nodes"))["nodes"]
    assert NODE not in {node["urn"] for node in nodes}


async def test_clearing_the_description_loses_its_nodes(desk):
    await desk.patch({"description": None}, NODE_FEATURE)
    assert [loss["urn"] for loss in await lost(desk)] == [NODE]


# Configuration, options, members


async def test_configuration_tells_statuses_and_limits(desk):
    configuration = (await desk.call("GET", "/v2/entities/configurations/feature"))["data"]
    statuses = configuration["fields"]["status"]["values"]["data"]
    assert [status["name"] for status in statuses] == [
        "New idea",
        "Candidate",
        "Planned",
        "In progress",
        "Released",
        "Won't do",
    ]
    assert configuration["fields"]["description"]["constraints"]["maxLength"] == 524_288
    assert configuration["relationships"]["parent"]["mandatory"] is True
    listed = (await desk.call("GET", "/v2/entities/configurations"))["data"]
    assert [each["type"] for each in listed] == ["product", "component", "feature", "subfeature"]
    component = (await desk.call("GET", "/v2/entities/configurations/component"))["data"]
    assert "status" not in component["fields"]
    await desk.call("GET", "/v2/entities/configurations/gadget", status=400)


async def test_options_of_tags(desk):
    path = "/v2/entities/fields/tags/values"
    made = await desk.call("POST", path, {"data": {"fields": {"name": "new", "color": "lime"}}}, status=201)
    await desk.patch({"tags": [{"name": "new"}, {"name": "ux"}]})
    await desk.call("POST", path, {"data": {"fields": {"name": "new"}}}, status=422)
    one = f"{path}/{made['data']['id']}"
    await desk.call("PATCH", one, {"data": {"fields": {"name": "newer"}}})
    assert (await desk.entity())["fields"]["tags"][0]["name"] == "newer"
    await desk.call("DELETE", one, status=422)
    await desk.call("DELETE", f"{one}?replaceWith={fixed_id('tag/ux')}", status=204)
    assert [tag["name"] for tag in (await desk.entity())["fields"]["tags"]] == ["ux"]
    await desk.call(
        "POST", "/v2/entities/fields/status/values", {"data": {"fields": {"name": "X"}}}, status=422
    )
    await desk.call("GET", "/v2/entities/fields/name/values", status=404)


async def test_members(desk):
    seeded = {"members": [{"name": "Old Hand", "email": "old@harbor.example", "disabled": True}]}
    await desk.call("POST", "/_sandbox/seed", seeded)

    async def names(query: str) -> list[str]:
        return [each["fields"]["name"] for each in (await desk.call("GET", "/v2/members" + query))["data"]]

    assert len(await names("")) == 6
    assert await names("?roles[]=admin") == ["Ada Vance"]
    assert await names("?query=TANAKA") == ["Mei Tanaka"]
    assert len(await names("?includeDisabled=true")) == 7
    found = await desk.call(
        "POST", "/v2/members/search", {"data": {"filter": {"fields": {"email": "MEI@harbor.example"}}}}
    )
    assert [each["fields"]["name"] for each in found["data"]] == ["Mei Tanaka"]
    await desk.call("GET", "/v2/members?roles[]=owner", status=400)
    await desk.call("GET", "/v2/members?query=", status=400)
