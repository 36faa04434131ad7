"""GitTab's webhooks: shapes against recorded ones, secrets, retries, hooks that switch themselves off, resends."""

import asyncio
import base64
import json
import os
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from keepstep_sandbox.app import SandboxApp, SandboxConfig
from keepstep_sandbox.gittab import create_app

EXAMPLES = Path(__file__).parents[2] / ".." / "shared" / "webhook-examples" / "gitlab"
SIGNING = "whsec_" + base64.b64encode(os.urandom(32)).decode()

# Key paths of the documented examples that GitTab does not have, and why.
LEFT_OUT = {
    "object_attributes.escalation_status": "incidents only",
    "object_attributes.escalation_policy": "incidents only, and a paid feature",
    "changes.total_time_spent": "there is no time tracking here",
}


class Listener:
    """The service's side: keeps headers and raw bodies, answers as told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.at: list[float] = []
        self.answers: list[int | float] = []  # a status, or seconds to sleep
        self.default = 204
        self.app = Starlette(routes=[Route("/{rest:path}", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        self.got.append((dict(request.headers), await request.body()))
        self.at.append(time.monotonic())
        answer = self.answers.pop(0) if self.answers else self.default
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            answer = 204
        return Response(status_code=answer)

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(raw) for _, raw in self.got]


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def app(listener) -> AsyncIterator[SandboxApp]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(listener.app)) as out:
        app = create_app(
            SandboxConfig(client=out, time_scale=0.002, callback_limit_s=0.2, allow_insecure_callbacks=True)
        )
        yield app
        await app.state.sandbox.aclose()


def api(app: SandboxApp, token: str = "demo-visitor-token") -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gittab/api/v4", headers={"PRIVATE-TOKEN": token}
    )


@pytest.fixture
async def client(app) -> AsyncIterator[httpx.AsyncClient]:
    async with api(app) as client:
        yield client


async def add_hook(client: httpx.AsyncClient, project: int = 1, **more: Any) -> dict[str, Any]:
    wanted = {"url": "http://service/hook", "issues_events": True, "note_events": True, "push_events": False}
    answer = await client.post(f"/projects/{project}/hooks", json=wanted | more)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def create(client: httpx.AsyncClient, project: int = 1, **values: Any) -> dict[str, Any]:
    answer = await client.post(f"/projects/{project}/issues", json={"title": "An issue"} | values)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def change(client: httpx.AsyncClient, issue: dict[str, Any], **values: Any) -> dict[str, Any]:
    answer = await client.put(f"/projects/{issue['project_id']}/issues/{issue['iid']}", json=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def idle(app: SandboxApp, within: float = 0.0) -> None:
    assert await app.state.sandbox.delivery.idle(within)


def key_paths(value: Any, path: str = "") -> set[str]:
    if isinstance(value, dict):
        deeper = [key_paths(item, f"{path}.{name}" if path else name) for name, item in value.items()]
        return {path, *(one for paths in deeper for one in paths)} - {""}
    if isinstance(value, list):
        return {path, *(one for item in value for one in key_paths(item, f"{path}[]"))}
    return {path}


def documented(name: str) -> dict[str, Any]:
    if not EXAMPLES.is_dir():
        pytest.skip("the recorded examples are not beside this checkout")
    return json.loads((EXAMPLES / name).read_text())


def missing(expected: dict[str, Any], bodies: list[dict[str, Any]]) -> set[str]:
    there = {path for body in bodies for path in key_paths(body)}
    lost = key_paths(expected) - there
    return {path for path in lost if not any(path == out or path.startswith(out + ".") for out in LEFT_OUT)}


async def test_issue_events_have_every_documented_key(app, client, listener):
    expected = documented("issue_docs_full.json")
    await add_hook(client)
    issue = await create(client, labels="one", description="Text", assignee_ids=[1])
    await change(client, issue, title="New", description="New text", labels="two", state_event="close")
    await change(client, issue, state_event="reopen", remove_labels="two")
    await idle(app)
    bodies = listener.bodies()
    assert missing(expected, bodies) == set()
    assert [body["object_attributes"]["action"] for body in bodies] == [
        "open",
        "close",
        "update",
        "reopen",
        "update",
    ]


async def test_note_events_have_every_documented_key(app, client, listener):
    expected = documented("note_issue_docs_full.json")
    await add_hook(client)
    issue = await create(client, labels="one")
    await client.post(f"/projects/1/issues/{issue['iid']}/notes", json={"body": "Hello"})
    await idle(app)
    note = next(body for body in listener.bodies() if body["object_kind"] == "note")
    lost = missing(expected, [note])
    assert lost == set()
    assert (note["object_attributes"]["note"], note["object_attributes"]["action"]) == ("Hello", "create")
    assert note["issue"]["iid"] == issue["iid"]


async def test_an_update_tells_what_changed_from_what_to_what(app, client, listener):
    await add_hook(client)
    issue = await create(client, labels="a")
    await change(client, issue, title="Other", labels="b")
    await idle(app)
    opened, updated = listener.bodies()
    assert opened["changes"] == {}
    assert updated["changes"]["title"] == {"previous": "An issue", "current": "Other"}
    labels = updated["changes"]["labels"]
    assert ([one["title"] for one in labels["previous"]], [one["title"] for one in labels["current"]]) == (
        ["a"],
        ["b"],
    )
    assert updated["user"]["username"] == "visitor"
    assert updated["object_attributes"]["labels"] == updated["labels"]
    assert updated["changes"]["updated_at"]["current"].endswith(" UTC")


async def test_a_write_that_changes_nothing_sends_nothing(app, client, listener):
    issue = await create(client, labels="a,b", description="Text")
    await add_hook(client)
    after = await change(client, issue, title=issue["title"], labels="b,a", state_event="reopen")
    await idle(app)
    assert (listener.got, after["updated_at"]) == ([], issue["updated_at"])


async def test_headers_carry_both_secrets_and_a_signature_that_verifies(app, client, listener):
    hook = await add_hook(client, token="plain-secret", signing_token=SIGNING)
    await create(client, title="Grüße 🚀")
    await idle(app)
    headers, raw = listener.got[0]
    assert headers["x-gitlab-event"] == "Issue Hook"
    assert headers["x-gitlab-token"] == "plain-secret"
    assert headers["idempotency-key"] == headers["webhook-id"]
    assert headers["x-gitlab-instance"] == "http://127.0.0.1"
    assert headers["x-gitlab-webhook-uuid"]
    assert Webhook(SIGNING).verify(raw, headers)["object_attributes"]["title"] == "Grüße 🚀"
    with pytest.raises(WebhookVerificationError):
        Webhook(SIGNING).verify(raw + b" ", headers)
    shown = json.dumps((await client.get(f"/projects/1/hooks/{hook['id']}/events")).json())
    assert "plain-secret" not in shown
    assert SIGNING not in json.dumps(hook)


async def test_without_a_signing_token_there_is_no_signature_but_an_id(app, client, listener):
    await add_hook(client)
    await create(client)
    await idle(app)
    headers, _ = listener.got[0]
    assert "webhook-signature" not in headers
    assert "x-gitlab-token" not in headers
    assert headers["webhook-id"]
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 5


async def test_two_hooks_share_the_event_and_not_the_delivery(app, client, listener):
    await add_hook(client)
    await add_hook(client, url="http://service/second")
    await create(client)
    await idle(app)
    (first, _), (second, _) = listener.got
    assert first["x-gitlab-event-uuid"] == second["x-gitlab-event-uuid"]
    assert first["idempotency-key"] != second["idempotency-key"]


async def test_confidential_issues_go_to_hooks_that_asked_for_them(app, client, listener):
    await add_hook(client, url="http://service/open")
    await add_hook(client, url="http://service/all", confidential_issues_events=True, issues_events=False)
    issue = await create(client, confidential=True)
    await client.post(f"/projects/1/issues/{issue['iid']}/notes", json={"body": "psst"})
    await idle(app)
    assert [headers["x-gitlab-event"] for headers, _ in listener.got] == ["Confidential Issue Hook"]
    assert listener.bodies()[0]["event_type"] == "confidential_issue"


async def test_a_delivery_leaves_within_a_few_milliseconds(app, client, listener):
    await add_hook(client)
    waits = []
    for _ in range(5):
        await create(client)
        answered = time.monotonic()
        await idle(app)
        waits.append(listener.at[-1] - answered)
    assert min(waits) < 0.02


async def test_a_refused_delivery_is_not_repeated(app, client, listener):
    await add_hook(client)
    listener.answers = [500]
    await create(client)
    await idle(app, within=1)
    assert len(listener.got) == 1


async def test_a_delivery_without_an_answer_comes_again_under_the_same_key(app, client, listener):
    hook = await add_hook(client, signing_token=SIGNING)
    listener.answers = [0.5, 0.5]
    await create(client)
    await idle(app, within=1)
    keys = [headers["idempotency-key"] for headers, _ in listener.got]
    assert (len(keys), len(set(keys))) == (3, 1)
    Webhook(SIGNING).verify(listener.got[-1][1], listener.got[-1][0])
    events = (await client.get(f"/projects/1/hooks/{hook['id']}/events")).json()
    assert [event["response_status"] for event in events] == ["204", "internal error", "internal error"]


async def test_retries_end(app, client, listener):
    await add_hook(client)
    await client.post("http://gittab/_sandbox/seed", json={"auto_disable": False})
    listener.answers = [0.5] * 10
    await create(client)
    await idle(app, within=1)
    assert len(listener.got) == 4


async def test_four_failures_pause_a_hook_and_a_success_frees_it(app, client, listener, monkeypatch):
    monkeypatch.setattr("keepstep_sandbox.gittab.webhooks._PAUSE_SECONDS", 600.0)
    hook = await add_hook(client)
    listener.default = 500

    async def status() -> dict[str, Any]:
        return (await client.get(f"/projects/1/hooks/{hook['id']}")).json()

    for _ in range(3):
        await create(client)
        await idle(app)
    assert (await status())["alert_status"] == "executable"
    await create(client)
    await idle(app)
    paused = await status()
    assert paused["alert_status"] == "temporarily_disabled"
    assert paused["disabled_until"]
    await create(client)
    await idle(app)
    assert len(listener.got) == 4  # nothing is sent, and nothing is kept for later
    await asyncio.sleep(1.3)  # ten minutes, scaled
    assert (await status())["alert_status"] == "executable"
    listener.default = 204
    await create(client)
    await idle(app)
    assert (await status(), len(listener.got)) == (
        paused | {"alert_status": "executable", "disabled_until": None},
        5,
    )
    assert app.state.sandbox.emulator.state.hooks[hook["id"]].failures == 0


async def test_the_pause_doubles_up_to_a_day_and_the_fortieth_failure_ends_it(app, client, listener):
    hook = await add_hook(client)
    listener.default = 410
    record = app.state.sandbox.emulator.state.hooks[hook["id"]]
    pauses = []
    for _ in range(40):
        record.disabled_until = None
        before = time.time()
        await create(client)
        await idle(app)
        if record.disabled_until:
            pauses.append(datetime.fromisoformat(record.disabled_until).timestamp() - before)
    minutes = [pause / 0.002 / 60 for pause in pauses]
    assert [round(minutes[i] / minutes[0]) for i in range(5)] == pytest.approx([1, 2, 4, 8, 16], abs=3)
    assert max(minutes) == pytest.approx(1440, rel=0.1)
    assert (await client.get(f"/projects/1/hooks/{hook['id']}")).json()["alert_status"] == "disabled"
    await create(client)
    await idle(app)
    assert len(listener.got) == 40

    listener.default = 204
    tested = await client.post(f"/projects/1/hooks/{hook['id']}/test/issues_events")
    assert (tested.status_code, tested.json()) == (201, {"message": "201 Created"})
    assert (await client.get(f"/projects/1/hooks/{hook['id']}")).json()["alert_status"] == "executable"


async def test_a_test_that_fails_says_so(client, listener):
    hook = await add_hook(client)
    listener.answers = [404]
    failed = await client.post(f"/projects/1/hooks/{hook['id']}/test/issues_events")
    assert (failed.status_code, failed.json()) == (
        422,
        {"message": "Hook executed successfully but returned HTTP 404"},
    )
    assert (await client.post(f"/projects/1/hooks/{hook['id']}/test/push_events")).status_code == 422
    assert (await client.post(f"/projects/1/hooks/{hook['id']}/test/nonsense")).status_code == 400


async def test_a_delivery_can_be_sent_again_five_times_a_minute(app, client, listener):
    hook = await add_hook(client)
    await create(client)
    await idle(app)
    event = (await client.get(f"/projects/1/hooks/{hook['id']}/events")).json()[0]
    resend = f"/projects/1/hooks/{hook['id']}/events/{event['id']}/resend"
    assert [(await client.post(resend)).status_code for _ in range(6)] == [201] * 5 + [429]
    assert len({headers["idempotency-key"] for headers, _ in listener.got}) == 1
    assert len({raw for _, raw in listener.got}) == 1


async def test_deleting_tells_only_where_it_was_seeded(app, client, listener):
    await add_hook(client, project=1)
    await add_hook(client, project=2)
    for project in (1, 2):
        issue = await create(client, project=project)
        await client.delete(f"/projects/{project}/issues/{issue['iid']}")
        await idle(app)
    deleted = [b for b in listener.bodies() if b["object_attributes"]["action"] == "delete"]
    assert [(b["project"]["id"], b["event_type"]) for b in deleted] == [(1, "issue")]

    await client.post("http://gittab/_sandbox/seed", json={"delete_events": {"1": False, "2": True}})
    issue = await create(client, project=2)
    await client.delete(f"/projects/2/issues/{issue['iid']}")
    await idle(app)
    assert listener.bodies()[-1]["object_attributes"]["action"] == "delete"


async def test_a_move_closes_here_and_opens_there(app, client, listener):
    await add_hook(client, project=1)
    await add_hook(client, project=2)
    issue = await create(client)
    await idle(app)
    moved = (await client.post(f"/projects/1/issues/{issue['iid']}/move", json={"to_project_id": 2})).json()
    await idle(app)
    events = {(b["project"]["id"], b["object_attributes"]["action"]): b for b in listener.bodies()[1:]}
    assert set(events) == {(1, "close"), (2, "open")}
    assert events[1, "close"]["object_attributes"]["moved_to_id"] == moved["id"]
    assert events[2, "open"]["object_attributes"]["id"] == moved["id"] != issue["id"]


async def test_a_removed_hook_gets_nothing_more(app, client, listener):
    hook = await add_hook(client)
    listener.answers = [0.5]
    await create(client)
    await asyncio.sleep(0.05)
    assert (await client.delete(f"/projects/1/hooks/{hook['id']}")).status_code == 204
    await create(client)
    await idle(app, within=1)
    assert len(listener.got) == 1


async def test_pointing_a_hook_elsewhere_drops_its_secrets(app, client, listener):
    hook = await add_hook(client, token="secret-of-the-first", signing_token=SIGNING)
    path = f"/projects/1/hooks/{hook['id']}"
    moved = (await client.put(path, json={"url": "http://service/elsewhere"})).json()
    assert (moved["token_present"], moved["signing_token_present"]) == (False, False)
    again = (await client.put(path, json={"url": "http://service/third", "token": "new"})).json()
    assert again["token_present"]
    await create(client)
    await idle(app)
    assert listener.got[0][0]["x-gitlab-token"] == "new"


async def test_waiting_retries_survive_a_restart(tmp_path, listener):
    listener.answers = [0.5]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(listener.app)) as out:
        config = SandboxConfig(
            client=out,
            state_file=tmp_path / "gittab.json",
            callback_limit_s=0.1,
            time_scale=0.1,
            allow_insecure_callbacks=True,
        )
        first = create_app(config)
        async with api(first) as client:
            await add_hook(client)
            await create(client)
            await asyncio.sleep(0.2)
        await first.state.sandbox.aclose()
        assert len(listener.got) == 1
        second = create_app(config)
        second.state.sandbox.start()
        await idle(second, within=1)
        await second.state.sandbox.aclose()
    keys = {headers["idempotency-key"] for headers, _ in listener.got}
    assert (len(listener.got), len(keys)) == (2, 1)
