"""GitTab's REST API: shapes against the specification, errors, lists, search and quick actions."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from keepstep_sandbox.app import SandboxApp, SandboxConfig
from keepstep_sandbox.gittab import create_app

SPEC = Path(__file__).parents[2] / ".." / "shared" / "openapi" / "gitlab" / "gitlab-v4-issues.openapi.json"
EXAMPLES = SPEC.parent / "examples"
MARKER = "keepstep0f3a9c1d2e4b5a6978877665544332211"


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


# --- shapes ---


def spec() -> dict[str, Any]:
    if not SPEC.is_file():
        pytest.skip("the specification is not beside this checkout")
    return json.loads(SPEC.read_text())


def check(document: dict[str, Any], path: str, method: str, answer: httpx.Response) -> None:
    described = document["paths"][path][method]["responses"][str(answer.status_code)]
    content = described.get("content", {}).get("application/json")
    if content is None:
        return
    schema = {"$ref": "#/schema", "schema": content["schema"], "components": document["components"]}
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(answer.json())


async def test_every_operation_answers_as_the_specification_says(client):
    document = spec()
    issue = await create(client, labels="bug", assignee_ids=[1], description="Text")
    await put(client, issue["iid"], state_event="close")
    hook = (await client.post("/projects/1/hooks", json={"url": "http://127.0.0.1:9/"})).json()
    of_issue, of_hook = "/projects/{id}/issues/{issue_iid}", "/projects/{id}/hooks/{hook_id}"
    calls = [
        ("get", "/user", None),
        ("get", "/personal_access_tokens/self", None),
        ("get", "/metadata", None),
        ("get", "/projects", None),
        ("get", "/projects/{id}", None),
        ("get", "/projects/{id}/labels", None),
        ("post", "/projects/{id}/labels", {"name": "spec", "color": "#aabbcc"}),
        ("get", "/projects/{id}/issues", None),
        ("post", "/projects/{id}/issues", {"title": "Spec", "labels": "bug"}),
        ("post", "/projects/{id}/issues", {"title": ""}),
        ("get", of_issue, None),
        ("put", of_issue, {"title": "Spec 2"}),
        ("put", of_issue, {}),
        ("post", f"{of_issue}/notes", {"body": "Hello"}),
        ("get", f"{of_issue}/notes", None),
        ("get", f"{of_issue}/resource_state_events", None),
        ("post", f"{of_issue}/move", {"to_project_id": 1}),
        ("get", "/projects/{id}/hooks", None),
        ("post", "/projects/{id}/hooks", {"url": "http://127.0.0.1:9/2"}),
        ("post", "/projects/{id}/hooks", {"url": "nonsense"}),
        ("get", of_hook, None),
        ("put", of_hook, {"issues_events": True}),
        ("post", f"{of_hook}/test/{{trigger}}", {}),
        ("get", f"{of_hook}/events", None),
        ("delete", of_hook, None),
        ("post", f"{of_issue}/move", {"to_project_id": 2}),
        ("delete", of_issue, None),
    ]
    for method, path, body in calls:
        address = path.format(id=1, issue_iid=issue["iid"], hook_id=hook["id"], trigger="issues_events")
        answer = await client.request(method, address, json=body)
        check(document, path, method, answer)
    described = {
        (m, p) for p, operations in document["paths"].items() for m in operations if m != "parameters"
    }
    resend = ("post", f"{of_hook}/events/{{hook_event_id}}/resend")  # has its own test beside the webhooks
    assert described - {(m, p) for m, p, _ in calls} == {resend}


@pytest.mark.parametrize(
    ("name", "path", "left_out"),
    [
        ("issue.json", "/projects/1/issues/1", {"epic", "iteration", "health_status", "milestone"}),
        ("note.json", "/projects/1/issues/1/notes/1", {"resolved", "resolved_at", "upvote", "downvote"}),
        ("hook.json", "/projects/1/hooks/1", set()),
    ],
)
async def test_answers_have_the_keys_of_recorded_ones(client, name, path, left_out):
    """Left out are paid features and what only other kinds of notes have."""
    spec()
    await client.post("/projects/1/issues/1/notes", json={"body": "Hello"})
    await client.post("/projects/1/hooks", json={"url": "http://127.0.0.1:9/"})
    await put(client, 1, description="- [ ] a task")
    recorded, ours = json.loads((EXAMPLES / name).read_text()), (await client.get(path)).json()
    assert set(recorded) - set(ours) - left_out == set()


# --- parameters and errors ---


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "answer"),
    [
        ("POST", "/projects/1/issues", {}, 400, {"error": "title is missing"}),
        ("POST", "/projects/1/issues", {"title": None}, 400, {"message": {"title": ["can't be blank"]}}),
        ("POST", "/projects/1/issues", {"title": ["x"]}, 400, {"error": "title is invalid"}),
        ("PUT", "/projects/1/issues/1", {"issue_type": "x"}, 400, {"error": "issue_type does not have a valid value"}),
        ("PUT", "/projects/1/issues/1", {"assignee_ids": "me"}, 400, {"error": "assignee_ids is invalid"}),
        ("GET", "/projects/1/issues/999", None, 404, {"message": "404 Not found"}),
        ("DELETE", "/projects/1/issues/999", None, 404, {"message": "404 Issue Not Found"}),
        ("GET", "/projects/1/issues/x", None, 400, {"error": "issue_iid is invalid"}),
        ("GET", "/projects/1/issues?state=open", None, 400, {"error": "state does not have a valid value"}),
        ("GET", "/projects/1/issues?updated_after=yesterday", None, 400, {"error": "updated_after is invalid"}),
        ("GET", "/projects/1/issues?per_page=0", None, 400, {"error": "per_page does not have a valid value"}),
        ("GET", "/projects/99/issues", None, 404, {"message": "404 Project Not Found"}),
        ("GET", "/nowhere", None, 404, {"error": "404 Not Found"}),
        ("PATCH", "/projects/1/issues/1", {}, 405, {"error": "405 Not Allowed"}),
        ("POST", "/projects/1/issues/1/notes", {"body": " "}, 400, {"message": {"note": ["can't be blank"]}}),
        ("POST", "/projects/1/issues/1/move", {"to_project_id": 99}, 404, {"message": "404 Project Not Found"}),
    ],
)  # fmt: skip
async def test_errors_are_gitlabs(client, method, path, body, status, answer):
    given = await client.request(method, path, json=body)
    assert (given.status_code, given.json()) == (status, answer)


async def test_a_too_long_description_is_refused_and_changes_nothing(client):
    long = await client.put(
        "/projects/1/issues/1", json={"description": "x" * 1_048_577, "state_event": "close"}
    )
    assert long.status_code == 400
    assert "description" in long.json()["message"]
    assert (await client.get("/projects/1/issues/1")).json()["state"] == "opened"


async def test_forms_and_json_mean_the_same(client):
    form = await client.post(
        "/projects/1/issues", data={"title": "Form", "labels": "b,a", "confidential": "true"}
    )
    assert (form.status_code, form.json()["labels"], form.json()["confidential"]) == (201, ["a", "b"], True)
    as_list = await create(client, title="List", labels=["b", "a"])
    assert as_list["labels"] == ["a", "b"]
    broken = await client.post(
        "/projects/1/issues", content=b"{", headers={"content-type": "application/json"}
    )
    assert broken.status_code == 400


async def test_labels_replace_add_and_remove(client):
    issue = await create(client, labels="a,workflow::ready")
    changed = await put(client, issue["iid"], add_labels="workflow::doing,b", remove_labels="a")
    assert changed["labels"] == [
        "b",
        "workflow::doing",
        "workflow::ready",
    ]  # not exclusive: that is a paid feature
    assert changed["updated_at"] > issue["updated_at"]
    assert (await put(client, issue["iid"], labels="only"))["labels"] == ["only"]
    assert (await put(client, issue["iid"], labels=""))["labels"] == []


# --- lists ---


async def test_lists_filter_and_sort(client):
    await seed(
        client, issues=[{"title": f"Old {n}", "days_old": 100 + n, "labels": ["old"]} for n in range(3)]
    )
    assert await titles(client, labels="old", sort="asc") == ["Old 2", "Old 1", "Old 0"]
    assert await titles(client, labels="old", order_by="title", sort="asc") == ["Old 0", "Old 1", "Old 2"]
    assert await titles(client, labels="old,bug") == []
    assert await titles(client, state="closed") == ["Sign-in page forgets where you came from"]
    first = await titles(client, **{"iids[]": [1, 2]}, sort="asc")
    assert len(first) == 2
    assert len(await titles(client, author_username="jonas")) == 2
    assert await titles(client, labels="None") == []


async def test_changed_since_is_inclusive_to_the_millisecond(client):
    issue = await create(client, title="Watched")
    for moment in (issue["updated_at"], issue["updated_at"].replace("Z", "+00:00")):
        assert await titles(client, updated_after=moment) == ["Watched"]
    assert "Watched" not in await titles(client, updated_before="2020-01-01T00:00:00Z")
    await put(client, 1, title="Touched")
    assert await titles(client, updated_after=issue["updated_at"], order_by="updated_at", sort="asc") == [
        "Watched",
        "Touched",
    ]


async def test_comments_and_labels_move_updated_at(client):
    issue = await create(client)
    await client.post(f"/projects/1/issues/{issue['iid']}/notes", json={"body": "Hello"})
    commented = (await client.get(f"/projects/1/issues/{issue['iid']}")).json()
    assert commented["updated_at"] > issue["updated_at"]
    assert commented["user_notes_count"] == 1


async def test_pages_name_their_neighbours(client):
    answer = await client.get(
        "/projects/demo%2Froadmap/issues", params={"per_page": 1, "page": 2, "state": "all"}
    )
    assert (answer.headers["X-Prev-Page"], answer.headers["X-Next-Page"], answer.headers["X-Total"]) == (
        "1",
        "3",
        "4",
    )
    following = answer.links["next"]["url"]
    assert "demo%2Froadmap" in following
    assert "state=all" in following
    assert [i["iid"] for i in (await client.get(following)).json()] == [1]
    last = await client.get("/projects/1/issues", params={"per_page": 4})
    assert (last.headers["X-Next-Page"], "next" in last.links) == ("", False)
    assert (await client.get("/projects/1/issues?pagination=keyset")).status_code == 405


# --- search ---


@pytest.mark.parametrize(
    ("description", "search", "hit"),
    [
        (f"Text.\n\n{MARKER}", MARKER, True),
        (f"Text.\n\n<!-- {MARKER} -->", MARKER, False),
        (f'Text <a title="{MARKER}">x</a>', MARKER, False),
        (f"Text. {MARKER}", MARKER[:20], True),
        (f"Text. {MARKER}", MARKER[5:], False),
        (f"Text. {MARKER.upper()}", MARKER, True),
        ("y" * 50, "y" * 50, False),
        ("y" * 49, "y" * 49, True),
        ("Export as CSV file", "export the file", True),
        ("Export as CSV file", "export xml", False),
        ("Größe ändern", "größe", False),  # letters outside ASCII are cut out of a query
        ("Экспорт доски", "спорт", True),
    ],
)
async def test_search_has_gitlabs_traps(client, description, search, hit):
    await create(client, title="The one", description=description)
    assert ("The one" in await titles(client, search=search, **{"in": "description"})) is hit


async def test_a_marker_is_found_right_after_the_write_and_only_where_asked(client):
    issue = await create(client, title="Plain")
    await put(client, issue["iid"], description=f"See\n\n{MARKER}")
    assert await titles(client, search=MARKER) == ["Plain"]
    assert await titles(client, search=MARKER, **{"in": "title"}) == []
    await put(client, issue["iid"], description="See")
    assert await titles(client, search=MARKER) == []


# --- quick actions ---


async def test_quick_actions_in_a_description_are_carried_out_and_removed(client):
    issue = await create(client, description='Before\n/label ~bug ~"customer"\n/title Renamed\nAfter\n/close')
    assert (issue["state"], issue["title"], issue["labels"]) == ("closed", "Renamed", ["bug", "customer"])
    assert issue["description"] == "Before\nAfter"
    again = await put(client, issue["iid"], description="Text\n/reopen\n/unlabel ~bug\n/assign @visitor")
    assert (again["state"], again["labels"], again["description"]) == ("opened", ["customer"], "Text")
    assert again["assignee"]["username"] == "visitor"


@pytest.mark.parametrize(
    "text",
    [
        "\\/close",
        " /close",
        "see /close",
        "/closet door",
        "/unheard of",
        "```\n/close\n```",
        "~~~\n/close\n~~~",
        ">>>\n/close\n>>>",
        "<div>\n/close\n</div>",
        "- /close",
        "> /close",
        "/usr/bin/python",
    ],
)
async def test_what_is_no_quick_action_stays(client, text):
    issue = await create(client, description=text)
    assert (issue["state"], issue["description"]) == ("opened", text)


async def test_a_note_of_nothing_but_commands_leaves_no_note(client):
    issue = await create(client)
    notes = f"/projects/1/issues/{issue['iid']}/notes"
    only = await client.post(notes, json={"body": "/close"})
    assert (only.status_code, only.json()["commands_changes"]) == (202, {"state_event": "close"})
    assert (await client.get(notes)).json() == []
    mixed = await client.post(notes, json={"body": "Again\n/reopen"})
    assert (mixed.status_code, mixed.json()["body"]) == (201, "Again")
    assert (await client.get(f"/projects/1/issues/{issue['iid']}")).json()["state"] == "opened"
