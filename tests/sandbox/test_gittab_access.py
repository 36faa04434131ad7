"""GitTab's tokens, roles and budgets; and what the sandbox adds: faults, restarts, seeds."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from keepstep_sandbox.app import SandboxApp, SandboxConfig
from keepstep_sandbox.gittab import create_app


@pytest.fixture
async def app() -> AsyncIterator[SandboxApp]:
    app = create_app(SandboxConfig(public_base="http://gittab", allow_insecure_callbacks=True))
    yield app
    await app.state.sandbox.aclose()


def api(app: SandboxApp, token: str | None = "demo-visitor-token") -> httpx.AsyncClient:
    headers = {} if token is None else {"PRIVATE-TOKEN": token}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gittab/api/v4", headers=headers
    )


@pytest.fixture
async def client(app) -> AsyncIterator[httpx.AsyncClient]:
    async with api(app) as client:
        yield client


async def seed(client: httpx.AsyncClient, **what: Any) -> dict[str, Any]:
    answer = await client.post("http://gittab/_sandbox/seed", json=what)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def create(client: httpx.AsyncClient, project: int = 1, **values: Any) -> dict[str, Any]:
    answer = await client.post(f"/projects/{project}/issues", json={"title": "An issue"} | values)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def put(client: httpx.AsyncClient, iid: int, **values: Any) -> dict[str, Any]:
    answer = await client.put(f"/projects/1/issues/{iid}", json=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def titles(client: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await client.get("/projects/1/issues", params=params)
    assert answer.status_code == 200, answer.text
    return [issue["title"] for issue in answer.json()]


# --- who may what ---


async def test_no_token_sees_nothing(app):
    async with api(app, None) as nobody:
        assert (await nobody.get("/user")).status_code == 401
        assert (await nobody.get("/projects")).json() == []
        assert (await nobody.get("/projects/1")).json() == {"message": "404 Project Not Found"}
        assert (await nobody.post("/projects/1/issues", json={"title": "x"})).status_code == 401


async def test_a_reading_token_cannot_write(app, client):
    await seed(client, tokens=[{"token": "reader", "scopes": ["read_api"]}])
    async with api(app, "reader") as reader:
        assert (await reader.get("/projects/1/issues")).status_code == 200
        refused = await reader.post("/projects/1/issues", json={"title": "x"})
        assert refused.status_code == 403
        assert (refused.json()["error"], refused.json()["scope"]) == ("insufficient_scope", "api")


async def test_a_reporter_writes_issues_and_no_hooks(app, client):
    await seed(client, tokens=[{"token": "reporter", "role": "reporter"}])
    async with api(app, "reporter") as reporter:
        issue = await create(reporter, labels="from-reporter")
        assert issue["labels"] == ["from-reporter"]
        assert (await reporter.get("/projects/1/hooks")).json() == {"message": "403 Forbidden"}
        assert (await reporter.get("/projects/2")).status_code == 404
        own = (await reporter.get("/projects", params={"min_access_level": 30})).json()
        assert own == []


async def test_a_guest_sets_no_labels_and_sees_nothing_confidential(app, client):
    await seed(client, tokens=[{"token": "guest", "role": "guest"}])
    hidden = await create(client, confidential=True, title="Hidden")
    async with api(app, "guest") as guest:
        assert (await create(guest, labels="bug", assignee_ids=[1]))["labels"] == []
        assert (await guest.get(f"/projects/1/issues/{hidden['iid']}")).status_code == 404
        assert "Hidden" not in await titles(guest, per_page=100)
        assert (await guest.put("/projects/1/issues/1", json={"title": "Mine now"})).status_code == 403


async def test_dead_tokens_say_why(app, client):
    await seed(
        client, tokens=[{"token": "old", "expires_at": "2020-01-01"}], revoke_tokens=["demo-gittab-token"]
    )
    for token, word in (("old", "expired"), ("demo-gittab-token", "revoked")):
        async with api(app, token) as dead:
            answer = await dead.get("/user")
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
        assert word in answer.json()["error_description"]


async def test_a_lost_role_makes_the_project_invisible(app, client):
    await seed(client, roles=[{"token": "demo-gittab-token", "project": 1, "role": "none"}])
    async with api(app, "demo-gittab-token") as bot:
        assert (await bot.get("/projects/1/issues/1")).json() == {"message": "404 Project Not Found"}


async def test_a_budget_is_each_tokens_own_and_ends_with_429(app, client):
    await seed(client, limits={"requests_per_minute": 5})
    async with api(app, "demo-gittab-token") as bot:
        answers = [await bot.get("/user") for _ in range(11)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[-1].text == "Retry later\n"
    assert 1 <= int(refused[-1].headers["Retry-After"]) <= 60
    assert answers[0].headers["RateLimit-Limit"] == "5"
    assert (await client.get("/user")).status_code == 200


async def test_new_issues_can_be_limited(client):
    await seed(client, limits={"issues_per_minute": 2})
    answers = [await client.post("/projects/1/issues", json={"title": "x"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert int(answers[2].headers["Retry-After"]) > 0


async def test_archived_projects_are_read_only_and_issues_can_be_off(client):
    await seed(
        client,
        projects=[
            {"path": "demo/old", "archived": True},
            {"path": "demo/plain", "issues_enabled": False},
        ],
    )
    assert (await client.get("/projects/demo%2Fold/issues")).json() == []
    assert (await client.post("/projects/demo%2Fold/issues", json={"title": "x"})).status_code == 403
    assert (await client.get("/projects/demo%2Fplain/issues")).status_code == 403


async def test_only_admins_read_issues_by_their_global_number(app, client):
    assert (await client.get("/issues/1")).status_code == 403
    await seed(client, tokens=[{"token": "root", "user": "root", "admin": True, "projects": []}])
    async with api(app, "root") as root:
        assert (await root.get("/issues/1")).json()["id"] == 1


async def test_numbers_and_times_are_an_owners_to_choose(app, client):
    owned = await create(client, iid=500, created_at="2020-01-02T03:04:05Z")
    assert (owned["iid"], owned["created_at"]) == (500, "2020-01-02T03:04:05.000Z")
    assert (await client.post("/projects/1/issues", json={"title": "x", "iid": 500})).status_code == 400
    async with api(app, "demo-gittab-token") as bot:
        assert (await create(bot, iid=900))["iid"] == 501


# --- what a hook may be ---


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "ftp://a.example/x", "http://a.example/x", "https://127.0.0.1/x", "https://localhost/x"],
)
async def test_insecure_addresses_are_refused_unless_allowed(url):
    app = create_app(SandboxConfig())
    async with api(app) as client:
        answer = await client.post("/projects/1/hooks", json={"url": url})
        assert (answer.status_code, answer.json()) == (422, {"error": "Invalid url given"})
        assert (
            await client.post("/projects/1/hooks", json={"url": "https://a.example/x"})
        ).status_code == 201


@pytest.mark.parametrize(
    "token", ["whsec_", "whsec_c2hvcnQ=", base64.b64encode(b"x" * 32).decode(), "whsec_*"]
)
async def test_a_signing_token_must_be_one(client, token):
    answer = await client.post("/projects/1/hooks", json={"url": "https://a.example", "signing_token": token})
    assert answer.status_code == 400
    assert "signing_token" in answer.json()["message"]


# --- faults, restart, control ---


async def test_an_ignored_write_answers_success_and_leaves_everything(app, client):
    await client.post(
        "http://gittab/_sandbox/faults",
        json={"match": "* /api/v4/projects/1/*", "ignore_write": True, "times": 3},
    )
    before = app.state.sandbox.emulator.snapshot()["issues"]
    put_answer = await client.put("/projects/1/issues/1", json={"title": "Lost"})
    assert (put_answer.status_code, put_answer.json()["title"]) == (
        200,
        "Export of large boards stops at 500 rows",
    )
    assert (await client.post("/projects/1/issues", json={"title": "Lost"})).status_code == 201
    assert (await client.delete("/projects/1/issues/1")).status_code == 204
    assert app.state.sandbox.emulator.snapshot()["issues"] == before
    assert await put(client, 1, title="Kept")


async def test_a_fault_can_ask_to_come_again_later(client):
    await client.post(
        "http://gittab/_sandbox/faults",
        json={
            "match": "GET /api/v4/user",
            "status": 429,
            "headers": {"Retry-After": "7"},
            "body": "Retry later\n",
        },
    )
    answer = await client.get("/user")
    assert (answer.status_code, answer.headers["Retry-After"], answer.text) == (429, "7", "Retry later\n")
    assert (await client.get("/user")).status_code == 200


async def test_a_second_start_goes_on_where_the_first_ended(tmp_path):
    config = SandboxConfig(state_file=tmp_path / "gittab.json", allow_insecure_callbacks=True)
    first = create_app(config)
    async with api(first) as client:
        issue = await create(client, description="Kept", labels="kept")
        await client.post(f"/projects/1/issues/{issue['iid']}/notes", json={"body": "Kept too"})
        await client.post("/projects/1/hooks", json={"url": "http://127.0.0.1:9/", "token": "kept"})
        await client.delete("/projects/1/issues/1")
    before = first.state.sandbox.emulator.snapshot()
    await first.state.sandbox.aclose()

    second = create_app(config)
    assert second.state.sandbox.emulator.snapshot() == before
    async with api(second) as client:
        assert (await client.get(f"/projects/1/issues/{issue['iid']}")).json()["description"] == "Kept"
        assert (await client.get("/projects/1/issues/1")).status_code == 404
        assert (await create(client))["iid"] == issue["iid"] + 1
    await second.state.sandbox.aclose()


async def test_a_deleted_number_is_never_used_again(client):
    issue = await create(client)
    await client.delete(f"/projects/1/issues/{issue['iid']}")
    assert (await create(client))["iid"] == issue["iid"] + 1


async def test_a_wrong_seed_is_refused(client):
    for wrong in ({"issues": [{"title": "x", "project": 77}]}, {"nonsense": 1}, {"revoke_tokens": ["who"]}):
        answer = await client.post("http://gittab/_sandbox/seed", json=wrong)
        assert answer.status_code == 400, wrong


async def test_reset_brings_back_the_first_day(client):
    await create(client)
    await client.delete("/projects/1/issues/1")
    await client.post("http://gittab/_sandbox/reset")
    assert len(await titles(client)) == 4
    await client.post("http://gittab/_sandbox/reset", json={"seed": "empty"})
    assert await titles(client) == []
