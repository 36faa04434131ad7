"""Tokens, budgets, workspaces, faults, restart and the board's own endpoints of the Productboard emulator."""

from collections.abc import AsyncIterator

import httpx
import pytest

from keepstep_sandbox.app import ConnectionDropped
from keepstep_sandbox.productboard.demo import VISITOR_TOKEN, fixed_id
from sandbox.productboard_desk import (
    ADA,
    COMPONENT,
    CONNECTED,
    FEATURE,
    PLANNED,
    SUBFEATURE,
    Desk,
    open_desk,
)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk() as desk:
        yield desk


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# Tokens and budgets


@pytest.mark.parametrize(
    "header", [None, "Bearer wrong", "Basic demo-productboard-token", "demo-productboard-token"]
)
async def test_wrong_tokens_are_401(desk, header):
    del desk.client.headers["Authorization"]
    answered = await desk.client.get("/v2/entities", headers={"Authorization": header} if header else {})
    assert answered.status_code == 401
    assert answered.json()["errors"][0]["code"] == "auth.invalid"


async def test_revoked_token_is_401_until_given_again(desk):
    seed = {"tokens": [{"token": VISITOR_TOKEN, "revoked": True}]}
    await desk.call("POST", "/_sandbox/seed", seed)
    await desk.call("GET", "/v2/entities", status=401, headers=bearer(VISITOR_TOKEN))
    await desk.call("POST", "/_sandbox/seed", {"tokens": [{"token": VISITOR_TOKEN}]})
    await desk.call("GET", "/v2/entities", headers=bearer(VISITOR_TOKEN))


async def test_scopes(desk):
    await desk.call(
        "POST", "/_sandbox/seed", {"tokens": [{"token": "narrow-token", "scopes": ["entities:read"]}]}
    )
    narrow = bearer("narrow-token")
    entity = await desk.call("GET", f"/v2/entities/{fixed_id('feature/sso')}", headers=narrow)
    assert entity["data"]["fields"]["owner"] == {"id": ADA, "email": "[redacted]"}
    denied = await desk.call("POST", "/v2/webhooks", {}, status=403, headers=narrow)
    assert denied["errors"][0]["code"] == "auth.accessDenied"
    await desk.call("GET", "/v2/entities?owner[email]=ada@harbor.example", status=403, headers=narrow)


async def test_each_token_has_fifty_requests_a_second(desk):
    async def spend() -> httpx.Response:
        return await desk.client.get("/v2/webhooks", headers=bearer(VISITOR_TOKEN))

    answered = [await spend() for _ in range(50)]
    assert {each.status_code for each in answered} == {200}
    assert answered[0].headers["x-ratelimit-limit"] == "50"
    assert [each.headers["x-ratelimit-remaining"] for each in answered[-2:]] == ["1", "0"]
    refused = await spend()
    assert refused.status_code == 429
    assert refused.json()["errors"][0]["code"] == "rate.limitExceeded"
    assert refused.headers["retry-after"] == "1"
    assert (await desk.client.get("/v2/webhooks")).status_code == 200  # another token, another budget
    assert "retry-after" not in answered[0].headers


async def test_second_workspace_is_isolated(desk):
    seed = {
        "workspace": "second",
        "tokens": [{"token": "second-token"}],
        "entities": [{"fields": {"name": "Theirs", "description": "<p>x</p>"}}],
    }
    seeded = await desk.call("POST", "/_sandbox/seed", seed)
    theirs, second = seeded["entities"][0], bearer("second-token")
    listed = await desk.call("GET", "/v2/entities?type[]=feature", headers=second)
    assert [entity["fields"]["name"] for entity in listed["data"]] == ["Theirs"]
    await desk.call("GET", f"/v2/entities/{theirs}", status=404)
    await desk.call("GET", f"/v2/entities/{FEATURE}", status=404, headers=second)
    made = await desk.integration()
    await desk.call("GET", f"/v2/plugin-integrations/{made}", status=404, headers=second)
    ours = (await desk.call("GET", "/v2/entities/configurations/feature"))["data"]["fields"]["status"][
        "values"
    ]
    other = await desk.call("GET", "/v2/entities/configurations/feature", headers=second)
    assert {each["id"] for each in ours["data"]}.isdisjoint(
        each["id"] for each in other["data"]["fields"]["status"]["values"]["data"]
    )


async def test_unknown_routes_and_methods(desk):
    for method, path in (
        ("PUT", "/v2/entities"),
        ("GET", "/v2/nothing"),
        ("PATCH", f"/v2/webhooks/{FEATURE}"),
    ):
        missing = await desk.call(method, path, status=404)
        assert missing["errors"][0]["code"] == "route.notFound"


# Faults


async def test_ignored_writes_answer_success_and_change_nothing(desk):
    made, hook = await desk.integration(), await desk.webhook()
    before = await desk.entity()
    await desk.call(
        "POST", "/_sandbox/faults", {"match": "* /v2/*", "ignore_write": True, "times": None}, status=201
    )
    await desk.patch({"name": "Never"})
    await desk.put(made, CONNECTED)
    await desk.call("DELETE", f"/v2/webhooks/{hook}", status=204)
    await desk.call("DELETE", f"/v2/entities/{FEATURE}", status=204)
    parent = [{"type": "parent", "target": {"id": COMPONENT}}]
    phantom = await desk.call(
        "POST",
        "/v2/entities",
        {"data": {"type": "feature", "fields": {"name": "Never"}, "relationships": parent}},
        status=201,
    )
    await desk.call("DELETE", "/_sandbox/faults", status=204)
    assert await desk.entity() == before
    assert await desk.connection(made) == {"state": "initial"}
    await desk.call("GET", f"/v2/webhooks/{hook}")
    await desk.call("GET", f"/v2/entities/{phantom['data']['id']}", status=404)
    await desk.settled()
    assert desk.service.hooks == []


async def test_answer_lost_after_the_work(desk):
    await desk.webhook()
    await desk.call(
        "POST", "/_sandbox/faults", {"match": "PATCH *", "drop": True, "when": "after"}, status=201
    )
    with pytest.raises(ConnectionDropped):
        await desk.patch({"name": "Done all the same"})
    assert (await desk.entity())["fields"]["name"] == "Done all the same"
    await desk.settled()
    assert len(desk.service.hooks) == 1


async def test_vendor_down_and_too_busy(desk):
    rules = [
        {"match": "GET /v2/entities/*", "status": 503},
        {"match": "GET /v2/entities/*", "status": 429, "headers": {"Retry-After": "3"}},
    ]
    await desk.call("POST", "/_sandbox/faults", rules, status=201)
    await desk.call("GET", f"/v2/entities/{FEATURE}", status=503)
    busy = await desk.client.get(f"/v2/entities/{FEATURE}")
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "3")
    await desk.entity()


# Restart, reset, seed


async def test_everything_survives_a_restart(tmp_path):
    state_file = tmp_path / "state.json"
    async with open_desk(state_file=state_file) as desk:
        made, hook = await desk.integration(), await desk.webhook()
        await desk.put(made, CONNECTED)
        await desk.patch({"name": "Kept", "owner": {"id": ADA}, "tags": [{"name": "ux"}]})
        await desk.patch({"description": None}, fixed_id("feature/offline-mode"))
        await desk.settled()
        before = await desk.entity()
    async with open_desk(state_file=state_file) as desk:
        assert await desk.entity() == before
        assert await desk.connection(made) == CONNECTED
        assert len((await desk.call("GET", "/_sandbox/nodes"))["lost_nodes"]) == 1
        await desk.click(made)
        assert desk.service.clicks[0][1] == "Bearer s3cr3t-of-action"
        await desk.patch({"name": "Again"})
        await desk.settled()
        assert desk.service.hook_headers[0]["authorization"] == "Bearer s3cr3t-of-hook"
        await desk.call("GET", f"/v2/webhooks/{hook}")


async def test_reset_brings_the_demo_back(desk):
    before = await desk.entity()
    await desk.patch({"name": "Other"})
    await desk.integration()
    await desk.call("POST", "/_sandbox/reset")
    assert (await desk.entity())["fields"] == before["fields"]
    assert (await desk.call("GET", "/v2/plugin-integrations"))["data"] == []
    await desk.call("POST", "/_sandbox/reset", {"seed": "empty"})
    assert (await desk.call("GET", "/v2/entities?type[]=feature"))["data"] == []
    assert len((await desk.call("GET", "/v2/entities?type[]=component"))["data"]) == 3
    await desk.call("POST", "/_sandbox/reset", {"seed": "nothing"}, status=400)


async def test_seeding_is_silent_and_refuses_nonsense(desk):
    await desk.webhook()
    seed = {
        "statuses": [{"id": fixed_id("extra"), "name": "Parked"}],
        "entities": [
            {
                "id": fixed_id("mine"),
                "fields": {
                    "name": "Mine",
                    "status": {"name": "Parked"},
                    "description": '<p><a href="urn:pb:node:z">z</a></p>',
                },
                "nodes": {"urn:pb:node:z": "a poll"},
            }
        ],
    }
    await desk.call("POST", "/_sandbox/seed", seed)
    assert (await desk.entity(fixed_id("mine")))["fields"]["status"]["name"] == "Parked"
    nodes = (await desk.call("GET", "/_sandbox/nodes"))["nodes"]
    assert {"entityId": fixed_id("mine"), "urn": "urn:pb:node:z", "content": "a poll"} in nodes
    await desk.settled()
    assert desk.service.hooks == []
    await desk.call("POST", "/_sandbox/seed", {"entities": [{"fields": {"name": ""}}]}, status=400)
    await desk.call("POST", "/_sandbox/seed", {"nonsense": 1}, status=400)


def test_the_demo_is_worth_looking_at():
    from keepstep_sandbox.productboard.demo import demo_account  # noqa: PLC0415
    from keepstep_sandbox.productboard.richtext import check_rich_text  # noqa: PLC0415

    workspace = demo_account().workspaces["demo"]
    features = [entity for entity in workspace.entities.values() if entity.type == "feature"]
    texts = [entity.fields["description"] for entity in workspace.entities.values()]
    assert len(features) >= 12
    assert len(workspace.members) >= 4
    for text in texts:
        check_rich_text(text)
    assert all(
        any(part in text for text in texts)
        for part in ("urn:pb:node:", "<ul>", "<pre", "<table>", "checklist")
    )
    assert workspace.entities[FEATURE].id == demo_account().workspaces["demo"].entities[FEATURE].id


# The board's own endpoints


async def test_a_persons_edit_is_checked_and_announced(desk):
    await desk.webhook()
    path = f"/board/items/{FEATURE}?by={ADA}"
    await desk.call("PATCH", path, {"name": "By hand", "status": PLANNED, "owner": None, "archived": True})
    fields = (await desk.entity())["fields"]
    assert (fields["name"], fields["status"]["name"], fields["archived"]) == ("By hand", "Planned", True)
    assert "owner" not in fields
    await desk.settled()
    assert desk.service.hooks[0]["updatedAttributes"] == ["name", "archived", "status", "owner"]
    assert (await desk.call("GET", f"/board/items/{FEATURE}"))["changedBy"] == "Ada Vance"
    refused = await desk.call("PATCH", path, {"description": "<p><em>x</em></p>"}, status=400)
    assert "em" in refused["error"]
    assert "Authorization" not in (await desk.client.get("/board/state", headers=bearer("none"))).text


async def test_board_state_is_sent_only_when_it_changed(desk):
    first = await desk.client.get("/board/state")
    version = first.headers["x-version"]
    assert (await desk.client.get("/board/state", params={"known": version})).status_code == 204
    await desk.patch({"name": "Moved"})
    assert (await desk.client.get("/board/state", params={"known": version})).status_code == 200


async def test_create_and_delete_by_hand(desk):
    await desk.webhook()
    made = await desk.call(
        "POST", "/board/items", {"type": "feature", "name": "New", "parent": COMPONENT}, status=201
    )
    below = {"type": "subfeature", "name": "Below", "parent": made["id"]}
    sub = await desk.call("POST", "/board/items", below, status=201)
    await desk.call("POST", "/board/items", {**below, "name": " "}, status=422)
    await desk.call("DELETE", f"/board/items/{made['id']}", status=204)
    await desk.call("GET", f"/board/items/{sub['id']}", status=404)
    await desk.settled()
    assert [hook["eventType"] for hook in desk.service.hooks] == ["feature.created", "feature.deleted"]


async def test_a_lost_node_is_told_to_the_person(desk):
    path = f"/board/items/{fixed_id('feature/audit-log')}"
    answered = await desk.call("PATCH", path, {"description": "<p>short</p>"})
    assert answered["lost"] == ["collapsible section with 6 questions"]


async def test_click_from_the_board_and_page_calls_in_the_journal(desk):
    made = await desk.integration()
    body = {"integrationId": made, "entityId": SUBFEATURE, "trigger": "button.push", "user": ADA}
    answered = await desk.call("POST", "/board/click", body)
    assert answered["connection"] == {"state": "progress"}
    page = await desk.client.get("/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert (await desk.client.get("/static/board.js")).status_code == 200
    kinds = [e["kind"] for e in (await desk.call("GET", "/_sandbox/journal"))["entries"]]
    assert kinds == ["probe", "api", "click", "page"]
