"""Probe, click and webhooks of the Productboard emulator."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from keepstep_sandbox.productboard.demo import fixed_id
from keepstep_sandbox.productboard.notices import RETRY_SECONDS
from sandbox.productboard_desk import (
    COMPONENT,
    CONNECTED,
    FEATURE,
    LIMIT_S,
    PLANNED,
    SUBFEATURE,
    Desk,
    answer,
    integration_body,
    open_desk,
    webhook_body,
)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk(time_scale=0.001) as desk:
        yield desk


# The probe


async def test_probe_carries_token_secret_and_kept_query(desk):
    url = "https://service.example/action?tenant=7"
    await desk.integration(
        action={"url": url, "version": 1, "headers": {"authorization": "Bearer s3cr3t-of-action"}}
    )
    ((query, secret, accept),) = desk.service.probes
    assert query.startswith("tenant=7&validationToken=")
    assert (secret, accept) == ("Bearer s3cr3t-of-action", "text/plain")


async def _quoted(request):
    return PlainTextResponse(f'"{request.query_params["validationToken"]}"')


async def _as_json(request):
    return JSONResponse(request.query_params["validationToken"])


async def _created(request):
    return PlainTextResponse(request.query_params["validationToken"], status_code=201)


async def _moved(_request):
    return Response(status_code=302, headers={"Location": "https://service.example/action"})


async def _late(request):
    await asyncio.sleep(LIMIT_S * 2)
    return PlainTextResponse(request.query_params["validationToken"])


@pytest.mark.parametrize("probe", [_quoted, _as_json, _created, _moved, _late])
async def test_failed_probe_creates_nothing(desk, probe):
    desk.service.probe = probe
    refused = await desk.call("POST", "/v2/plugin-integrations", integration_body(), status=400)
    assert refused["errors"][0]["code"] == "callback.probeFailed"
    assert (await desk.call("GET", "/v2/plugin-integrations"))["data"] == []


async def test_probe_only_when_enabled_and_the_url_changes(desk):
    made = await desk.integration(integrationStatus="disabled")
    assert desk.service.probes == []
    path = f"/v2/plugin-integrations/{made}"
    await desk.call("PATCH", path, {"data": {"fields": {"integrationStatus": "enabled", "name": "Other"}}})
    assert desk.service.probes == []
    other = {"url": "https://service.example/action?v=2", "version": 1}
    await desk.call("PATCH", path, {"data": {"fields": {"action": other}}})
    assert len(desk.service.probes) == 1
    desk.service.probe = _quoted
    broken = {"url": "https://service.example/action?v=3", "version": 1}
    await desk.call("PATCH", path, {"data": {"fields": {"action": broken, "name": "Never"}}}, status=400)
    kept = (await desk.call("GET", path))["data"]["fields"]
    assert kept == {
        "type": "com.acme.tracker",
        "name": "Other",
        "integrationStatus": "enabled",
        "initialState": {"label": "Push"},
    }


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://service.example/action", "request.invalid"),
        ("https://localhost/action", "callback.invalidUrl"),
        ("https://127.0.0.1/action", "callback.invalidUrl"),
        ("https://10.1.2.3/action", "callback.invalidUrl"),
        ("https://[::1]/action", "callback.invalidUrl"),
        ("https://tracker/action", "callback.invalidUrl"),
        ("https://tracker.internal/action", "callback.invalidUrl"),
    ],
)
async def test_private_callback_addresses_pass_only_where_allowed(url, code):
    target = {"url": url, "version": 1}
    async with open_desk() as strict:
        for path, body in (
            ("/v2/plugin-integrations", integration_body(action=target)),
            ("/v2/webhooks", webhook_body(notification=target)),
        ):
            refused = await strict.call("POST", path, body, status=400)
            assert refused["errors"][0]["code"] == code
        assert strict.service.probes == []
    async with open_desk(allow_insecure_callbacks=True) as loose:
        await loose.integration(action=target)
        await loose.webhook(notification=target)


# Clicks


async def test_click_body_and_synchronous_answer(desk):
    async def click(_data):
        return answer(CONNECTED)

    desk.service.click = click
    made = await desk.integration()
    result = await desk.click(made, user="tomas@harbor.example")
    assert result["connection"] == CONNECTED == await desk.connection(made)
    assert result["answer_ms"] > 0
    ((data, secret),) = desk.service.clicks
    assert secret == "Bearer s3cr3t-of-action"
    assert data["integrationId"] == made
    assert data["trigger"] == "button.push"
    assert data["feature"]["id"] == FEATURE
    assert data["feature"]["links"]["self"] == f"https://pb.example/features/{FEATURE}"
    assert data["triggeredByUser"] == {"name": "Tomas Lind", "email": "tomas@harbor.example"}
    assert data["links"]["connection"].endswith(f"/v2/plugin-integrations/{made}/connections/{FEATURE}")
    assert (await desk.client.get(data["feature"]["links"]["self"])).status_code == 410


async def test_user_can_be_left_out_and_unknowns_are_refused(desk):
    made = await desk.integration()
    await desk.click(made, user=None)
    assert "triggeredByUser" not in desk.service.clicks[0][0]
    await desk.call(
        "POST",
        "/_sandbox/click",
        {"integrationId": made, "entityId": FEATURE, "trigger": "button.press"},
        status=400,
    )
    await desk.call(
        "POST",
        "/_sandbox/click",
        {"integrationId": made, "entityId": fixed_id("nothing"), "trigger": "button.push"},
        status=404,
    )


async def test_unlink_keeps_what_the_answer_says(desk):
    made = await desk.integration()
    await desk.put(made, CONNECTED)

    async def stays(data):
        return answer(CONNECTED if data["trigger"] == "button.unlink" else {"state": "initial"})

    desk.service.click = stays
    assert (await desk.click(made, "button.unlink"))["connection"] == CONNECTED
    assert (await desk.click(made, "button.dismiss"))["connection"] == {"state": "initial"}
    assert await desk.connection(made) == {"state": "initial"}
    assert (await desk.call("GET", f"/v2/plugin-integrations/{made}/connections"))["data"] == []


async def _bad_status(_data):
    return JSONResponse({"data": {"fields": {"connection": {"state": "progress"}}}}, status_code=202)


async def _old_shape(_data):
    return JSONResponse({"data": {"connection": {"state": "progress"}}})


async def _too_long(_data):
    return answer({**CONNECTED, "label": "x" * 21})


async def _no_target(_data):
    return answer({key: value for key, value in CONNECTED.items() if key != "targetUrl"})


async def _no_json(_data):
    return PlainTextResponse("ok")


async def _slow(_data):
    await asyncio.sleep(LIMIT_S * 2)
    return answer(CONNECTED)


@pytest.mark.parametrize(
    ("click", "reason"),
    [
        (_bad_status, "202"),
        (_old_shape, "data/fields"),
        (_too_long, "label"),
        (_no_target, "targetUrl"),
        (_no_json, "JSON"),
        (_slow, "0.4 s"),
    ],
)
async def test_bad_answer_becomes_an_error_with_its_reason(desk, click, reason):
    desk.service.click = click
    made = await desk.integration()
    connection = (await desk.click(made))["connection"]
    assert connection["state"] == "error"
    assert 0 < len(connection["message"]) <= 255
    assert reason in connection["debugDetail"]
    assert await desk.connection(made) == connection
    await desk.put(made, CONNECTED)  # no click is needed to repair it
    assert await desk.connection(made) == CONNECTED


async def test_put_before_the_answer_is_overwritten_by_it(desk):
    made = await desk.integration()

    async def put_then_progress(_data):
        await desk.put(made, CONNECTED)
        assert await desk.connection(made) == CONNECTED
        return answer({"state": "progress"})

    desk.service.click = put_then_progress
    await desk.click(made)
    assert await desk.connection(made) == {"state": "progress"}
    entries = (await desk.call("GET", "/_sandbox/journal"))["entries"]
    put = next(entry for entry in entries if entry["method"] == "PUT")
    click = next(entry for entry in entries if entry["kind"] == "click")
    assert click["started_at"] < put["started_at"] < put["at"] < click["at"]
    assert put["seq"] < click["seq"]


async def test_click_under_way_spins_on_the_board_only(desk):
    made, begun, finish = await desk.integration(), asyncio.Event(), asyncio.Event()

    async def wait(_data):
        begun.set()
        await finish.wait()
        return answer(CONNECTED)

    async def cell():
        state = await desk.call("GET", "/board/state")
        rows = [row for group in state["groups"] for row in group["rows"] if row["id"] == FEATURE]
        return rows[0]["cells"][made]

    desk.service.click = wait
    clicking = asyncio.create_task(desk.click(made))
    await begun.wait()
    assert (await cell())["clicking"] is True
    assert await desk.connection(made) == {"state": "initial"}
    finish.set()
    await clicking
    assert (await cell())["clicking"] is False
    assert (await cell())["label"] == "In progress"


async def test_answer_after_the_integration_was_deleted_is_dropped(desk):
    made = await desk.integration()

    async def delete_first(_data):
        await desk.call("DELETE", f"/v2/plugin-integrations/{made}", status=204)
        return answer(CONNECTED)

    desk.service.click = delete_first
    await desk.click(made)
    await desk.call("GET", f"/v2/plugin-integrations/{made}", status=404)


# Connections


async def test_connection_lists_never_show_initial_ones_and_search_filters(desk):
    made = await desk.integration()
    await desk.put(made, CONNECTED)
    await desk.put(made, {"state": "error", "message": "No"}, SUBFEATURE)
    await desk.put(made, {"state": "initial"}, COMPONENT)
    path = f"/v2/plugin-integrations/{made}/connections"

    async def found(query: str) -> set[str]:
        return {item["id"] for item in (await desk.call("GET", path + query))["data"]}

    assert await found("") == {FEATURE, SUBFEATURE}
    assert await found("?state[]=error&state[]=progress") == {SUBFEATURE}
    assert await found("?state[]=initial") == set()
    wanted = {"data": {"filter": {"state": ["connected"], "entityId": [FEATURE, SUBFEATURE]}}}
    answered = await desk.call("POST", path + "/search", wanted)
    assert [item["id"] for item in answered["data"]] == [FEATURE]
    await desk.call("GET", path + "?state=error", status=400)
    await desk.call("GET", path + "?state[]=lost", status=400)


async def test_debug_detail_cannot_be_set(desk):
    made = await desk.integration()
    await desk.put(made, {"state": "error", "message": "No", "debugDetail": "mine"})
    assert await desk.connection(made) == {"state": "error", "message": "No"}


async def test_connection_writes_move_no_updated_at_and_go_with_their_entity(desk):
    made = await desk.integration()
    before = (await desk.entity())["updatedAt"]
    await desk.put(made, CONNECTED)
    assert (await desk.entity())["updatedAt"] == before
    await desk.call("DELETE", f"/v2/entities/{FEATURE}", status=204)
    await desk.call("GET", f"/v2/plugin-integrations/{made}/connections/{FEATURE}", status=404)
    assert (await desk.call("GET", f"/v2/plugin-integrations/{made}/connections"))["data"] == []


# Webhooks


async def test_changes_of_features_are_announced_with_the_secret(desk):
    await desk.webhook()
    await desk.patch({"name": "A", "status": {"id": PLANNED}})
    made = await desk.call(
        "POST",
        "/v2/entities",
        {
            "data": {
                "type": "feature",
                "fields": {"name": "B"},
                "relationships": [{"type": "parent", "target": {"id": COMPONENT}}],
            }
        },
        status=201,
    )
    await desk.call("DELETE", f"/v2/entities/{made['data']['id']}", status=204)
    await desk.settled()
    first, *others = desk.service.hooks
    assert first == {
        "id": FEATURE,
        "eventType": "feature.updated",
        "updatedAttributes": ["name", "status"],
        "links": {"target": f"https://pb.example/features/{FEATURE}"},
    }
    assert [(hook["eventType"], hook["id"]) for hook in others] == [
        ("feature.created", made["data"]["id"]),
        ("feature.deleted", made["data"]["id"]),
    ]
    assert all("updatedAttributes" not in hook for hook in others)
    assert desk.service.hook_headers[0]["authorization"] == "Bearer s3cr3t-of-hook"


async def test_webhook_follows_the_answer_promptly(desk):
    await desk.webhook()
    await desk.patch({"name": "A"})
    answered = time.monotonic()
    await desk.settled()
    assert -0.002 < desk.service.hook_times[0] - answered < 0.5
    entries = (await desk.call("GET", "/_sandbox/journal"))["entries"]
    patch = next(entry for entry in entries if entry["method"] == "PATCH")
    hook = next(entry for entry in entries if entry["kind"] == "webhook")
    assert hook["started_at"] > patch["at"]


async def test_no_webhook_for_subfeatures_idle_writes_and_other_events(desk):
    await desk.webhook("feature.updated")
    await desk.patch({"name": "Sub"}, SUBFEATURE)
    name = (await desk.entity())["fields"]["name"]
    await desk.patch({"name": name})
    await desk.patch({"name": "Component"}, COMPONENT)
    await desk.call("DELETE", f"/v2/entities/{fixed_id('feature/sso')}", status=204)
    await desk.settled()
    assert desk.service.hooks == []


async def test_component_and_custom_field_events(desk):
    await desk.webhook("component.updated", "hierarchy-entity.custom-field-value.updated", "feature.updated")
    await desk.patch({"name": "Component"}, COMPONENT)
    size = "4f0d2a61-3c1e-4a8e-9d0b-6f1a2b3c4d5e"
    await desk.patch({size: {"name": "Large"}})
    await desk.settled()
    assert [hook["eventType"] for hook in desk.service.hooks] == [
        "component.updated",
        "hierarchy-entity.custom-field-value.updated",
    ]
    assert "id" not in desk.service.hooks[1]
    assert desk.service.hooks[1]["links"]["target"].endswith(
        f"customField.id={size}&hierarchyEntity.id={FEATURE}"
    )


async def test_deleting_a_component_announces_its_features(desk):
    await desk.webhook("feature.deleted")
    await desk.call("DELETE", f"/v2/entities/{COMPONENT}", status=204)
    await desk.settled()
    assert FEATURE in {hook["id"] for hook in desk.service.hooks}
    assert len(desk.service.hooks) == 4
    await desk.call("GET", f"/v2/entities/{SUBFEATURE}", status=404)


async def test_retries_follow_the_vendors_schedule(desk):
    assert RETRY_SECONDS == (60, 180, 540, 1620, 4860, 14580, 43740, 131220)
    desk.service.hook_statuses = [500, 302, 401, 204]
    await desk.webhook()
    await desk.patch({"name": "A"})
    await asyncio.sleep(0.01)
    assert await desk.sandbox.delivery.idle(within=1.0)
    times = desk.service.hook_times
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(waits) == 3
    for wait, seconds in zip(waits, RETRY_SECONDS, strict=False):
        assert -0.005 < wait - seconds / 1000 < 0.5


async def test_deleted_webhook_is_silent_at_once():
    async with open_desk(time_scale=0.01) as desk:
        desk.service.hook_statuses = [500]
        made = await desk.webhook()
        await desk.patch({"name": "A"})
        await desk.settled()
        await desk.call("DELETE", f"/v2/webhooks/{made}", status=204)
        await desk.patch({"name": "B"})
        await asyncio.sleep(0.7)  # the first wait, scaled, is 0.6 s
        assert len(desk.service.hooks) == 1
        assert desk.sandbox.delivery.waiting() == []


async def test_webhook_reads_hide_the_secret_and_nothing_is_probed(desk):
    made = await desk.webhook()
    shown = (await desk.call("GET", f"/v2/webhooks/{made}"))["data"]
    assert "headers" not in shown["fields"]["notification"]
    assert desk.service.hooks == []
    journal = (await desk.client.get("/_sandbox/journal")).text
    assert "s3cr3t" not in journal
    assert "…hook" in journal


async def test_lost_and_doubled_webhooks(desk):
    await desk.webhook()
    for rule in ({"lose": True}, {"duplicate": True}):
        await desk.call(
            "POST", "/_sandbox/faults", {"direction": "out", "match": "POST /hook", **rule}, status=201
        )
    await desk.patch({"name": "lost"})
    await desk.settled()
    await desk.patch({"name": "twice"})
    await desk.settled()
    assert [hook["updatedAttributes"] for hook in desk.service.hooks] == [["name"], ["name"]]
    lost = (await desk.call("GET", "/_sandbox/journal?direction=out"))["entries"][0]
    assert lost["status"] is None
    assert lost["error"] == "lost by a fault rule"


async def test_unreachable_service_is_an_error_not_a_crash():
    async with httpx.AsyncClient() as out, open_desk(client=out, allow_insecure_callbacks=True) as desk:
        target = {"url": "http://127.0.0.1:9/none", "version": 1}
        refused = await desk.call(
            "POST", "/v2/plugin-integrations", integration_body(action=target), status=400
        )
        assert refused["errors"][0]["code"] == "callback.probeFailed"
        assert "ConnectError" in refused["errors"][0]["detail"]
