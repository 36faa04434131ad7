"""The button: one ticket per push, whatever happens on the way, and a cell that tells the truth."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from keepstep.app import links, manage
from keepstep.domain.events import Act, Timer, TimerKind
from keepstep.domain.integration import IntegrationState
from keepstep.domain.link import LinkState

from world import BOARD, BOARD_TOKEN, QUICK, SERVICE, TRACKER_TOKEN, open_world

PUT_CELL = "PUT /v2/plugin-integrations/*/connections/*"
CREATE = "POST /api/v4/projects/1/issues"


async def test_a_quick_push_is_connected_in_the_answer(world):
    integration = await world.connect()
    feature = (await world.features())[0]
    connection = await world.click(integration, feature["id"])
    (issue,) = await world.issues()
    assert connection == {
        "state": "connected",
        "label": "doing",
        "hoverLabel": f"#{issue['iid']}",
        "tooltip": f"#{issue['iid']} {feature['fields']['name']}",
        "color": "blue",
        "targetUrl": issue["web_url"],
    }
    assert issue["title"] == feature["fields"]["name"]
    assert "**read and edit**" in issue["description"]
    assert set(issue["labels"]) == {"productboard", "workflow::doing"}
    link = await world.link_of(integration, feature["id"])
    assert link.marker in issue["description"]
    assert feature["links"]["html"] in issue["description"]
    assert world.ctx.pages.address(link.id) in issue["description"]


async def test_after_a_push_nothing_more_is_written(world):
    integration = await world.connect()
    await world.pushed(integration)
    since = time.time()
    await world.poll(integration)
    await world.quiet()
    assert [call for call in world.calls(since) if not call.startswith("GET")] == [
        "POST /v2/entities/search",
        "POST /v2/entities/search",
    ]


async def test_a_subfeature_can_be_pushed(world):
    integration = await world.connect()
    subfeature = (await world.features("subfeature"))[0]
    connection = await world.click(integration, subfeature["id"])
    assert connection["state"] == "connected"
    (issue,) = await world.issues()
    assert issue["title"] == subfeature["fields"]["name"]


async def test_other_types_get_a_plain_sentence(world):
    integration = await world.connect()
    component = (await world.features("component"))[0]
    connection = await world.click(integration, component["id"])
    assert connection["state"] == "error"
    assert connection["message"].startswith(
        "Only features and subfeatures can be pushed. This is a component."
    )
    assert await world.issues() == []


async def test_an_unknown_feature_gets_a_plain_sentence(world):
    integration = await world.connect()
    answer = await _post_click(world, integration, "button.push", "00000000-0000-4000-8000-000000000000")
    assert answer.status_code == 200
    connection = answer.json()["data"]["fields"]["connection"]
    assert connection["state"] == "error"
    assert "does not exist any more" in connection["message"]


async def test_two_clicks_at_once_make_one_ticket(world):
    integration = await world.connect()
    feature = (await world.features())[0]
    answers = await asyncio.gather(
        *(_post_click(world, integration, "button.push", feature["id"]) for _ in range(2))
    )
    assert [each.json()["data"]["fields"]["connection"]["state"] for each in answers] == ["connected"] * 2
    assert len(await world.issues()) == 1
    assert len(await world.links(integration)) == 1


async def test_two_columns_make_two_tickets_of_one_feature(world):
    first, second = await world.connect(), await world.connect(name="Second")
    feature = (await world.features())[0]
    for integration in (first, second):
        assert (await world.click(integration, feature["id"]))["state"] == "connected"
    assert len(await world.issues()) == 2


@pytest.mark.parametrize(
    ("trigger", "authorization", "body", "status"),
    [
        ("button.explode", None, None, 400),
        ("button.push", "Bearer wrong", None, 401),
        ("button.push", "", None, 401),
        ("button.push", None, b"{not json", 400),
        ("button.push", None, b'{"data": {}}', 400),
        ("button.push", None, b"[" * 200_000, 400),
        ("button.push", None, b"x" * 9_000_000, 413),
    ],
)
async def test_a_click_that_is_not_one_changes_nothing(world, trigger, authorization, body, status):
    integration = await world.connect()
    feature = (await world.features())[0]
    answer = await _post_click(
        world, integration, trigger, feature["id"], authorization=authorization, body=body
    )
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert await world.links(integration) == []
    assert await world.issues() == []


async def test_a_click_of_another_column_is_refused(world):
    first, second = await world.connect(), await world.connect(name="Second")
    feature = (await world.features())[0]
    column = second.registrations.column
    answer = await _post_click(world, first, "button.push", feature["id"], column=column)
    assert answer.status_code == 400
    assert column in answer.json()["error"]["message"]


async def test_an_unknown_integration_is_404(world):
    answer = await world.client.post(f"{SERVICE}/hooks/productboard/nobody/action", json={})
    assert answer.status_code == 404


@pytest.mark.parametrize("token", ["", "a b", "<script>", "x" * 513])
async def test_only_a_clean_probe_is_echoed(world, token):
    url = f"{SERVICE}/hooks/productboard/any/action"
    answer = await world.client.get(url, params={"validationToken": token})
    assert answer.status_code == 400
    assert token not in answer.text or not token
    clean = await world.client.get(url, params={"validationToken": "Az09_-"})
    assert (clean.status_code, clean.text, clean.headers["content-type"]) == (200, "Az09_-", "text/plain")


async def test_a_slow_tracker_gives_progress_then_connected(world):
    integration = await world.connect()
    feature = (await world.features())[0]
    world.fault("gittab", match=CREATE, delay_s=2.5)
    began = time.monotonic()
    assert await world.click(integration, feature["id"]) == {"state": "progress"}
    assert time.monotonic() - began < 4
    await world.until(lambda: _is_connected(world, integration, feature))
    assert len(await world.issues()) == 1


async def test_a_tracker_that_is_down_gets_the_ticket_when_it_is_back(world):
    integration = await world.connect()
    feature = (await world.features())[0]
    world.fault("gittab", match="* /api/v4/*", status=503, times=None)
    assert await world.click(integration, feature["id"]) == {"state": "progress"}
    world.clear_faults()
    await world.until(lambda: _is_connected(world, integration, feature))
    assert len(await world.issues()) == 1


async def test_a_push_that_cannot_succeed_ends_with_the_reason():
    rules = replace(QUICK, push_limit=timedelta(seconds=2))
    async with open_world(rules) as world:
        integration = await world.connect()
        feature = (await world.features())[0]
        world.fault("gittab", match="* /api/v4/*", status=503, times=None)
        assert await world.click(integration, feature["id"]) == {"state": "progress"}
        cell = await world.until(lambda: _is_error(world, integration, feature))
        assert "503" in cell["message"]
        link = await world.link_of(integration, feature["id"])
        assert link.state is LinkState.SET_ASIDE
        assert world.ctx.pages.address(link.id) in cell["message"]
        world.clear_faults()
        assert (await world.click(integration, feature["id"]))["state"] == "connected"
        assert len(await world.issues()) == 1


async def test_what_the_tracker_rejects_is_said_at_once(world):
    integration = await world.connect()
    feature = (await world.features())[0]
    world.fault("gittab", match=CREATE, status=400, body={"message": {"title": ["is too rude"]}})
    connection = await world.click(integration, feature["id"])
    assert connection["state"] == "error"
    assert "is too rude" in connection["message"]
    assert await world.click(integration, feature["id"], "button.dismiss") == {"state": "initial"}
    assert await world.links(integration) == []


async def test_a_lost_answer_never_makes_a_second_ticket(world):
    integration = await world.connect()
    feature = (await world.features())[0]
    world.fault("gittab", match=CREATE, drop=True, when="after")
    await world.click(integration, feature["id"])
    await world.until(lambda: _is_connected(world, integration, feature))
    await world.quiet()
    assert len(await world.issues()) == 1
    assert world.calls().count(CREATE) == 1


async def test_a_status_is_still_owed_when_the_first_sync_of_a_found_ticket_failed(world):
    """The create stopped half way, before the close; the ticket was found, and could not be read just then."""
    integration = await world.connect()
    feature = next(each for each in await world.features() if each["fields"]["status"]["name"] == "Released")
    world.fault("gittab", match="PUT /api/v4/projects/1/issues/*", status=503)
    world.fault("gittab", match="GET /api/v4/projects/1/issues/*", status=503)
    await world.click(integration, feature["id"])
    await world.until(lambda: _is_closed(world))
    await world.quiet()
    link = await world.link_of(integration, feature["id"])
    assert link.state is LinkState.LINKED
    assert link.base.feature.status == feature["fields"]["status"]["id"]
    assert world.calls().count(CREATE) == 1


@pytest.mark.parametrize("lost", [{"drop": True}, {"delay_s": 0.6}])
async def test_a_new_ticket_that_somebody_paired_with_another_feature_stays_there(world, lost):
    """Its create's answer was lost, or is still on the way; no second ticket comes of it before a person asks."""
    integration = await world.connect()
    feature, other = (await world.features())[:2]
    world.fault("gittab", match=CREATE, when="after", **lost)
    clicking = asyncio.create_task(world.click(integration, feature["id"]))
    (issue,) = await world.until(world.issues)
    world.worker_runs = "delay_s" in lost
    await links.link_existing(world.ctx, integration.id, other["id"], str(issue["iid"]), "tester")
    world.worker_runs = True
    await clicking
    cell = await world.until(lambda: _is_error(world, integration, feature))
    assert (
        f"#{issue['iid']}, made by this push, is linked with “{other['fields']['name']}” now"
        in cell["message"]
    )
    await world.quiet()
    assert world.calls().count(CREATE) == 1
    assert (await world.click(integration, feature["id"]))["state"] == "connected"
    assert world.calls().count(CREATE) == 2
    owned = [(await world.link_of(integration, each["id"])).ticket.key for each in (other, feature)]
    assert owned == [str(issue["iid"]), str(issue["iid"] + 1)]


async def test_a_lost_request_is_made_again_after_two_looks(world):
    integration = await world.connect()
    feature = (await world.features())[0]
    world.fault("gittab", match=CREATE, drop=True, when="before")
    await world.click(integration, feature["id"])
    await world.until(lambda: _is_connected(world, integration, feature))
    await world.quiet()
    assert len(await world.issues()) == 1
    calls = [call for call in world.calls() if call.endswith("/projects/1/issues")]
    assert calls == [CREATE, "GET /api/v4/projects/1/issues", "GET /api/v4/projects/1/issues", CREATE]


async def test_a_dismissed_push_in_doubt_is_found_by_the_next_one():
    rules = replace(QUICK, push_limit=timedelta(seconds=1))
    async with open_world(rules) as world:
        integration = await world.connect()
        feature = (await world.features())[0]
        world.fault("gittab", match=CREATE, drop=True, when="after")
        world.fault("gittab", match="GET /api/v4/projects/1/issues*", status=503, times=None)
        await world.click(integration, feature["id"])
        await world.until(lambda: _is_error(world, integration, feature))
        assert await world.click(integration, feature["id"], "button.dismiss") == {"state": "initial"}
        link = await world.link_of(integration, feature["id"])
        assert link.state is LinkState.DISMISSED
        world.clear_faults()
        assert (await world.click(integration, feature["id"]))["state"] == "connected"
        assert len(await world.issues()) == 1


async def test_productboards_rate_limit_is_obeyed(world):
    integration = await world.connect()
    feature = (await world.features())[0]
    body = {"id": "r", "errors": [{"code": "rate.limitExceeded", "title": "t", "detail": "d"}]}
    path = f"/v2/entities/{feature['id']}"
    world.fault("productboard", match=f"GET {path}*", status=429, headers={"Retry-After": "1"}, body=body)
    await world.click(integration, feature["id"])
    await world.until(lambda: _link_with_ticket(world, integration, feature))
    journal = world.productboard.state.sandbox.journal._entries
    reads = [entry for entry in journal if entry.path.startswith(path) and entry.method == "GET"]
    assert [entry.status for entry in reads][:2] == [429, 200]
    assert reads[1].started_at - reads[0].at >= 1


async def test_a_lost_tracker_token_pauses_and_is_said_everywhere(world):
    integration = await world.connect()
    feature, other = (await world.features())[:2]
    world.fault("gittab", match="* /api/v4/*", status=401, body={"message": "401 Unauthorized"}, times=None)
    connection = await world.click(integration, feature["id"])
    assert connection["state"] == "error"
    assert "401" in connection["message"]
    paused = await world.integration(integration)
    assert paused.state is IntegrationState.PAUSED
    assert "401" in paused.pause.message
    second = await world.click(integration, other["id"])
    assert second["state"] == "error"
    assert "paused" in second["message"]
    assert await world.link_of(integration, other["id"]) is None
    world.clear_faults()
    await manage.replace_token(world.ctx, integration.id, "tracker", TRACKER_TOKEN, "tester")
    await world.until(lambda: _is_connected(world, integration, feature))
    assert (await world.integration(integration)).state is IntegrationState.ACTIVE


async def test_a_lost_productboard_token_pauses(world):
    integration = await world.connect()
    feature, other = (await world.features())[:2]
    world.fault("productboard", match="GET /v2/entities/*", status=401, body={"message": "no"}, times=None)
    connection = await world.click(integration, feature["id"])
    assert connection["state"] == "error"
    assert (await world.integration(integration)).pause.field == "board token"
    assert "paused" in (await world.click(integration, other["id"]))["message"]
    world.clear_faults()
    await manage.replace_token(world.ctx, integration.id, "board", BOARD_TOKEN, "tester")
    await world.until(lambda: _is_connected(world, integration, feature))


async def test_a_paused_integration_answers_and_waits(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    await manage.pause(world.ctx, integration.id, "tester")
    other = (await world.features())[1]
    connection = await world.click(integration, other["id"])
    assert connection["state"] == "error"
    assert "Paused by tester" in connection["message"]
    await world.edit_feature(feature["id"], name="While paused")
    await world.quiet()
    assert (await world.issue(issue["iid"]))["title"] == feature["fields"]["name"]
    assert await world.click(integration, feature["id"], "button.unlink") == {"state": "initial"}
    await manage.resume(world.ctx, integration.id, "tester")
    await world.until(lambda: _has_no_marker(world, issue["iid"]))


async def test_the_put_waits_for_the_answer(world):
    """Productboard applies our answer when it arrives: a PUT before it would be overwritten for good."""
    integration = await world.connect()
    feature = (await world.features())[0]
    world.fault("gittab", match=CREATE, delay_s=1.6)
    assert await world.click(integration, feature["id"]) == {"state": "progress"}
    await world.until(lambda: _is_connected(world, integration, feature))
    journal = world.productboard.state.sandbox.journal._entries
    answered = next(entry.at for entry in journal if entry.direction == "out" and entry.kind == "click")
    puts = [entry.started_at for entry in journal if entry.method == "PUT"]
    assert puts
    assert min(puts) >= answered + QUICK.click_settles.total_seconds() * 0.9


async def test_dismiss_on_a_linked_feature_keeps_the_link(world):
    integration = await world.connect()
    feature, _, link = await world.pushed(integration)
    connection = await world.click(integration, feature["id"], "button.dismiss")
    assert connection["state"] == "connected"
    assert (await world.link_of(integration, feature["id"])).id == link.id


async def test_a_push_on_a_linked_feature_answers_its_state(world):
    integration = await world.connect()
    feature, _, _ = await world.pushed(integration)
    since = time.time()
    assert (await world.click(integration, feature["id"]))["state"] == "connected"
    await world.quiet()
    assert len(await world.issues()) == 1
    assert [call for call in world.calls(since) if not call.startswith("GET")] == []


async def test_a_cell_that_a_late_answer_overwrote_is_repaired(world):
    integration = await world.connect()
    feature, _, _ = await world.pushed(integration)
    column = integration.registrations.column
    body = {"data": {"fields": {"connection": {"state": "progress"}}}}
    path = f"/v2/plugin-integrations/{column}/connections/{feature['id']}"
    await world.board("PUT", path, body, token=BOARD_TOKEN)
    link = await world.link_of(integration, feature["id"])
    await links.sync_now(world.ctx, link.id, "tester")
    await world.until(lambda: _is_connected(world, integration, feature))


async def test_the_poll_mends_cells_that_no_link_explains(world):
    integration = await world.connect()
    feature, _, _ = await world.pushed(integration)
    stray = (await world.features())[5]
    column = integration.registrations.column
    body = {"data": {"fields": {"connection": {"state": "progress"}}}}
    for entity in (feature, stray):
        path = f"/v2/plugin-integrations/{column}/connections/{entity['id']}"
        await world.board("PUT", path, body, token=BOARD_TOKEN)
    await world.poll(integration)
    await world.until(lambda: _is_connected(world, integration, feature))
    assert await world.cell(integration, stray["id"]) == {"state": "initial"}


async def test_a_person_does_not_wait_for_the_backoff():
    rules = replace(QUICK, first_retry=timedelta(hours=1), longest_retry=timedelta(hours=1))
    async with open_world(rules) as world:
        integration = await world.connect()
        feature, issue, link = await world.pushed(integration)
        world.fault("gittab", match="* /api/v4/projects/1/issues/*", status=503)
        await world.edit_feature(feature["id"], name="In backoff")
        await world.until(lambda: _in_backoff(world, integration, feature))
        await links.sync_now(world.ctx, link.id, "tester")
        await world.until(lambda: _has_title(world, issue["iid"], "In backoff"))


async def test_a_webhook_for_a_ticket_that_is_not_committed_yet_is_not_lost(world):
    """The tracker tells of an edit while its answer to our create is still on the way."""
    integration = await world.connect()
    feature = (await world.features())[0]
    world.fault("gittab", match=CREATE, delay_s=0.6, when="after")
    clicking = asyncio.create_task(world.click(integration, feature["id"]))
    (issue,) = await world.until(world.issues)
    await world.edit_issue(issue["iid"], title="Faster than the commit")
    await asyncio.sleep(0.1)
    link = await world.link_of(integration, feature["id"])
    assert link.ticket is None
    await clicking
    await world.until(lambda: _feature_named(world, feature["id"], "Faster than the commit"))


async def _post_click(world, integration, trigger, entity, *, authorization=None, body=None, column=None):
    secret = await world.ctx.vault.open(integration.board_secret)
    url = f"{SERVICE}/hooks/productboard/{integration.id}/action"
    payload = {
        "data": {
            "integrationId": column or integration.registrations.column,
            "trigger": trigger,
            "feature": {"id": entity, "links": {"self": f"{BOARD}/features/{entity}", "html": f"{BOARD}/x"}},
        }
    }
    headers = {"Authorization": f"Bearer {secret}" if authorization is None else authorization}
    content = httpx.Request("POST", url, json=payload).content if body is None else body
    headers["Content-Type"] = "application/json"
    return await world.client.post(url, content=content, headers=headers, timeout=30)


async def _is_connected(world, integration, feature):
    cell = await world.cell(integration, feature["id"])
    return cell if cell["state"] == "connected" else None


async def _is_error(world, integration, feature):
    cell = await world.cell(integration, feature["id"])
    return cell if cell["state"] == "error" else None


async def _is_closed(world):
    return [each["state"] for each in await world.issues()] == ["closed"]


async def _link_with_ticket(world, integration, feature):
    link = await world.link_of(integration, feature["id"])
    return link if link and link.ticket else None


async def _in_backoff(world, integration, feature):
    link = await world.link_of(integration, feature["id"])
    return link.retry_at is not None


async def _has_title(world, iid, title):
    return (await world.issue(iid))["title"] == title


async def _feature_named(world, entity, name):
    return (await world.feature(entity))["fields"]["name"] == name


async def _has_no_marker(world, iid):
    return "keepstep" not in ((await world.issue(iid))["description"] or "")


async def test_a_twin_that_turns_up_late_is_reported(world):
    """The first request was still being carried out when two looks had not found its ticket."""
    integration = await world.connect()
    feature = (await world.features())[0]
    world.fault("gittab", match=CREATE, drop=True, when="before")
    await world.click(integration, feature["id"])
    await world.until(lambda: _is_connected(world, integration, feature))
    link = await world.link_of(integration, feature["id"])
    async with world.ctx.storage.begin() as uow:
        due = await uow.timers.take_due(world.ctx.clock.now() + timedelta(hours=1), 100)
    assert TimerKind.LOOK_AGAIN in [timer.kind for timer in due if timer.link_id == link.id]
    (issue,) = await world.issues()
    await world.tracker("POST", "/projects/1/issues", {"title": "Twin", "description": issue["description"]})
    async with world.ctx.storage.begin() as uow:
        now = world.ctx.clock.now()
        await uow.timers.set(Timer(TimerKind.LOOK_AGAIN, integration.id, now, link.id))
        await uow.commit()
    entry = await world.until(lambda: _told(world, link, Act.DUPLICATE))
    assert "close one of them by hand" in entry.reason


async def _told(world, link, act):
    return next((entry for entry in await world.journal(link) if entry.act is act), None)


async def test_a_refusal_while_paused_does_not_stay_in_a_linked_cell(world):
    integration = await world.connect()
    feature, _, _ = await world.pushed(integration)
    await manage.pause(world.ctx, integration.id, "tester")
    assert (await world.click(integration, feature["id"]))["state"] == "error"
    await manage.resume(world.ctx, integration.id, "tester")
    await world.until(lambda: _is_connected(world, integration, feature))
