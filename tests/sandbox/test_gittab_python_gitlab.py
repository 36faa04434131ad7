"""GitTab driven by python-gitlab, over a real socket, as a user of GitLab would."""

import base64
import os
import socket
import threading
import time
from collections.abc import Iterator

import gitlab
import pytest
import uvicorn

from keepstep_sandbox.app import SandboxConfig
from keepstep_sandbox.gittab import create_app


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    # With the protocol named, asyncio switches Nagle's algorithm off; without, each answer takes 40 ms longer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = create_app(SandboxConfig(public_base=base, allow_insecure_callbacks=True))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    yield base
    server.should_exit = True
    thread.join(5)
    assert not thread.is_alive()


def client(address, token="demo-visitor-token", **options) -> gitlab.Gitlab:
    return gitlab.Gitlab(address, retry_transient_errors=False, **options, private_token=token)


@pytest.fixture
def gl(address) -> Iterator[gitlab.Gitlab]:
    with client(address) as session:
        yield session


@pytest.fixture
def project(gl):
    return gl.projects.get("demo/roadmap")


def test_signs_in_with_either_header(address):
    with client(address) as session:
        session.auth()
        assert session.user.username == "visitor"
        assert session.version() == ("19.0.0", "gittab")
        token = session.personal_access_tokens.get("self")
        assert (token.scopes, token.active, token.revoked) == (["api"], True, False)
    with gitlab.Gitlab(address, oauth_token="demo-gittab-token") as bearer:
        bearer.auth()
        assert bearer.user.username.startswith("project_1_bot_")


def test_a_wrong_token_is_an_authentication_error(address):
    with client(address, "nobody") as session, pytest.raises(gitlab.GitlabAuthenticationError) as caught:
        session.auth()
    assert (caught.value.response_code, caught.value.error_message) == (401, "401 Unauthorized")


def test_projects_are_found_by_number_path_and_search(gl):
    assert gl.projects.get(1).path_with_namespace == "demo/roadmap"
    assert gl.projects.get("demo/mobile").id == 2
    assert [p.id for p in gl.projects.list(search="road")] == [1]
    by_keys = gl.projects.list(iterator=True, pagination="keyset", order_by="id", sort="asc", per_page=1)
    assert [p.id for p in by_keys] == [1, 2]
    assert gl.projects.list(membership=True, min_access_level=50, simple=True, get_all=True)
    with pytest.raises(gitlab.GitlabGetError) as caught:
        gl.projects.get("demo/nowhere")
    assert (caught.value.response_code, caught.value.error_message) == (404, "404 Project Not Found")


def test_an_issue_lives_and_dies(project):
    issue = project.issues.create(
        {"title": "From python-gitlab", "description": "Text", "labels": ["ux", "bug"]}
    )
    assert (issue.state, issue.labels) == ("opened", ["bug", "ux"])

    issue.title, issue.labels = "Renamed", ["bug"]
    issue.save()
    assert project.issues.get(issue.iid).title == "Renamed"

    issue.state_event = "close"
    issue.save()
    closed = project.issues.get(issue.iid)
    assert (closed.state, closed.attributes["closed_by"]["username"]) == ("closed", "visitor")
    closed.state_event = "reopen"
    closed.save()
    assert project.issues.get(issue.iid).state == "opened"
    assert [event.state for event in issue.resourcestateevents.list(get_all=True)] == ["closed", "reopened"]
    actions = [(e.label["name"], e.action) for e in issue.resourcelabelevents.list(get_all=True)]
    assert actions == [("ux", "remove")]

    issue.delete()
    with pytest.raises(gitlab.GitlabGetError) as caught:
        project.issues.get(issue.iid)
    assert caught.value.response_code == 404


def test_a_move_leaves_the_old_issue_closed_with_its_target(gl, project):
    issue = project.issues.create({"title": "To the other project", "labels": "bug,only-here"})
    iid = issue.iid
    issue.move(2)
    old = project.issues.get(iid)
    new = next(i for i in gl.projects.get(2).issues.list(iterator=True) if i.title == issue.title)
    assert (old.state, old.moved_to_id, new.labels) == ("closed", new.id, ["bug"])


def test_labels_are_made_changed_and_removed(project):
    label = project.labels.create({"name": "area::board", "color": "#aabbcc", "description": "The board"})
    assert project.labels.get("area::board").text_color == "#1F1E24"
    label.new_name = "area::cards"
    label.save()
    issue = project.issues.create({"title": "Carries a label", "labels": "area::cards"})
    assert any(one.name == "area::cards" for one in project.labels.list(iterator=True, with_counts=True))
    with pytest.raises(gitlab.GitlabCreateError) as caught:
        project.labels.create({"name": "area::cards", "color": "#aabbcc"})
    assert caught.value.response_code == 409
    project.labels.delete("area::cards")
    assert project.issues.get(issue.iid).labels == []


def test_notes_are_written_and_edited(project):
    issue = project.issues.create({"title": "Talk"})
    note = issue.notes.create({"body": "First"})
    note.body = "First, edited"
    note.save()
    assert issue.notes.get(note.id).body == "First, edited"
    assert [n.body for n in issue.notes.list(get_all=True, activity_filter="only_comments")] == [
        "First, edited"
    ]
    note.delete()
    assert issue.notes.list(get_all=True) == []


def test_hooks_keep_their_secrets(project):
    signing = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    hook = project.hooks.create(
        {"url": "http://127.0.0.1:9/x", "issues_events": True, "token": "s3", "signing_token": signing}
    )
    assert (hook.push_events, hook.issues_events, hook.note_events) == (True, True, False)
    assert (hook.token_present, hook.signing_token_present, hook.alert_status) == (True, True, "executable")
    assert not {"token", "signing_token"} & set(hook.attributes)
    hook.note_events, hook.push_events = True, False
    hook.save()
    again = project.hooks.get(hook.id)
    assert (again.note_events, again.push_events, again.token_present) == (True, False, True)
    assert hook.id in [one.id for one in project.hooks.list(iterator=True)]
    hook.delete()
    assert project.hooks.list(get_all=True) == []


def test_hooks_are_for_maintainers_and_real_addresses(address, project):
    with pytest.raises(gitlab.GitlabCreateError) as caught:
        project.hooks.create({"url": "ftp://example.com"})
    assert (caught.value.response_code, caught.value.error_message) == (422, "Invalid url given")


def test_an_iterator_walks_all_pages(gl):
    project = gl.projects.get(2)
    for number in range(150):
        project.issues.create({"title": f"Walk {number:03}", "labels": "walk"})
    titles = [i.title for i in project.issues.list(iterator=True, labels="walk", sort="asc", per_page=40)]
    assert titles == [f"Walk {number:03}" for number in range(150)]
    first = project.issues.list(labels="walk", per_page=100, page=1)
    assert len(first) == 100
    listing = project.issues.list(iterator=True, labels="walk", per_page=1000)
    assert (listing.total, listing.total_pages, listing.per_page, listing.next_page) == (150, 2, 100, 2)


def test_errors_say_which_field_is_wrong(project):
    with pytest.raises(gitlab.GitlabCreateError) as blank:
        project.issues.create({"title": "  "})
    assert blank.value.error_message == {"title": ["can't be blank"]}
    with pytest.raises(gitlab.GitlabCreateError) as long:
        project.issues.create({"title": "x" * 256})
    assert long.value.error_message == {"title": ["is too long (maximum is 255 characters)"]}
    assert long.value.response_code == 400


def test_a_bot_may_not_delete_issues(address):
    with client(address, "demo-gittab-token") as session:
        project = session.projects.get(1, lazy=True)
        issue = project.issues.create({"title": "The bot's own"})
        with pytest.raises(gitlab.GitlabDeleteError) as caught:
            issue.delete()
    assert (caught.value.response_code, caught.value.error_message) == (403, "403 Forbidden")


def test_the_list_of_all_issues_holds_only_ones_own_by_default(gl, address):
    with client(address, "demo-gittab-token") as session:
        session.projects.get(1, lazy=True).issues.create({"title": "Seen by scope"})
        assert {i.author["username"][:13] for i in session.issues.list(iterator=True)} == {"project_1_bot"}
        assert "visitor" in {i.author["username"] for i in session.issues.list(iterator=True, scope="all")}
