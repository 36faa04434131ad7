"""What the API refuses, and how it says so: who may ask, what can be read, which field is wrong."""

import pytest
from api_caller import API, Caller, new_integration

from world import BOARD, BOARD_TOKEN, TRACKER, TRACKER_TOKEN


@pytest.fixture
async def caller(world):
    return await Caller.open(world)


@pytest.mark.parametrize(
    "authorization", ["", "ks_wrong", "Bearer ks_wrong", "Bearer ", "Basic ks_x", "Bearer x"]
)
async def test_without_a_valid_token_everything_is_401(world, authorization):
    headers = {"Authorization": authorization} if authorization else {}
    for method, path in (("GET", "/integrations"), ("POST", "/integrations"), ("GET", "/system")):
        answer = await world.client.request(method, f"{API}{path}", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "login_needed"


async def test_every_operation_asks_for_a_token(world):
    document = (await world.client.get(f"{API}/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method in operations:
            answer = await world.client.request(method, f"http://keepstep.test{path}")
            assert answer.status_code == 401, (method, path)


async def test_a_revoked_token_and_one_of_a_disabled_person_end_at_once(world, caller):
    assert (await caller.ask("GET", "/system")).status_code == 200
    (token,) = await world.people.list_tokens()
    await world.people.revoke_token(token.id)
    assert (await caller.ask("GET", "/system")).status_code == 401


async def test_a_session_of_the_pages_is_no_key_to_the_api(world, caller):
    made = await world.people.create_admin("bob", "three plain words")
    opened = await world.people.log_in(made.person.name, "three plain words", "192.0.2.1")
    answer = await world.client.get(f"{API}/system", headers={"Cookie": f"keepstep={opened.secret}"})
    assert answer.status_code == 401


def _board(**changes):
    return {"board": {"base_url": f"{BOARD}/v2", "token": BOARD_TOKEN} | changes}


def _tracker(**changes):
    return {"tracker": {"kind": "gittab", "base_url": TRACKER, "token": TRACKER_TOKEN} | changes}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": 7}, "name"),
        ({"button": "eleven long"}, "button"),
        ({"surprise": 1}, "surprise"),
        ({"board": {}}, "board.token"),
        (_board(token="two words"), "board.token"),
        (_board(token="refused-by-productboard"), "board.token"),
        (_board(base_url="ftp://productboard.test"), "board.base_url"),
        (_board(base_url="http://169.254.169.254/v2"), "board.base_url"),
        (_tracker(kind="bugtracker"), "tracker.kind"),
        (_tracker(token=""), "tracker.token"),
        (_tracker(token="refused-by-gittab"), "tracker.token"),
        (_tracker(base_url="nowhere"), "tracker.base_url"),
        (_tracker(settings={"colour": "red"}), "tracker.settings"),
        (_tracker(settings={"status_labels": "one"}), "tracker.settings.status_labels"),
        ({"project": ""}, "project"),
        ({"project": "4711"}, "project"),
        ({"defaults": {"labels": "one"}}, "defaults.labels"),
        ({"defaults": {"nothing": []}}, "defaults"),
        ({"policy": {"fields": {"colour": {}}}}, "policy.fields.colour.[key]"),
        ({"policy": {"fields": {"title": {"rule": "mine"}}}}, "policy.fields.title.rule"),
        ({"policy": {"status_map": {"to_ticket": {"no-such": "opened"}}}}, "policy.status_map.to_ticket"),
        ({"policy": {"status_map": {"to_feature": {"opened": "no-such"}}}}, "policy.status_map.to_feature"),
    ],
)
async def test_what_cannot_be_used_is_422_and_names_the_field(world, caller, changes, field):
    error = await caller.refused("POST", "/integrations", new_integration(**changes))
    assert error["field"] == field
    assert error["code"] == "invalid_input"
    assert (await caller.get("/integrations"))["total"] == 0
    for secret in (BOARD_TOKEN, TRACKER_TOKEN, "refused-by-productboard", "refused-by-gittab", "two words"):
        assert not [each for each in caller.heard if secret in each]
    assert not world.ctx.vault._secrets


async def test_a_tracker_that_is_down_is_503_and_stores_nothing(world, caller):
    world.fault("gittab", match="* /api/v4/*", status=503, times=None)
    error = await caller.refused("POST", "/integrations", new_integration(), 503)
    assert error["code"] == "outside_unavailable"
    assert not world.ctx.vault._secrets


@pytest.mark.parametrize(
    ("body", "status"), [(b"{not json", 400), (b"", 422), (b"[]", 422), (b"[" * 5000, 400)]
)
async def test_a_body_that_cannot_be_read(world, caller, body, status):
    answer = await caller.ask(
        "POST", "/integrations", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


async def test_an_oversized_body_is_413(world, caller):
    body = new_integration(name="x" * 2_000_000)
    assert (await caller.ask("POST", "/integrations", body)).status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/integrations/none", None),
        ("PATCH", "/integrations/none", {"name": "x"}),
        ("DELETE", "/integrations/none", None),
        ("PUT", "/integrations/none/tokens/board", {"token": "abc"}),
        ("POST", "/integrations/none/pause", None),
        ("POST", "/integrations/none/discard", None),
        ("GET", "/integrations/none/statuses", None),
        ("GET", "/links/none", None),
        ("POST", "/links/none/sync", None),
        ("POST", "/links/none/unlink", None),
        ("POST", "/links/none/decide", {"field": "title", "keep": "ticket"}),
        ("POST", "/links", {"integration": "none", "feature": "x", "ticket": "y"}),
        ("POST", "/journal/4711/put-back", None),
        ("GET", "/trackers/none", None),
        ("GET", "/nothing/at/all", None),
    ],
)
async def test_what_does_not_exist_is_404(world, caller, method, path, body):
    assert (await caller.refused(method, path, body, 404))["code"] in ("missing", "not_found")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/links?limit=0", "limit"),
        ("/links?limit=501", "limit"),
        ("/links?offset=-1", "offset"),
        ("/links?state=happy", "state"),
        ("/links?sort=colour", "sort"),
        ("/journal?act=dreamt", "act"),
        ("/journal?side=both", "side"),
        ("/integrations?limit=many", "limit"),
    ],
)
async def test_a_query_that_cannot_be_read_names_its_part(world, caller, path, field):
    assert (await caller.refused("GET", path))["field"].split(".")[0] == field


async def test_an_unknown_map_entry_is_refused_also_later(world, caller):
    integration = await caller.created()
    path = f"/integrations/{integration['id']}"
    wrong = {"policy": {"status_map": {"to_ticket": {"no-such": "closed"}}}}
    assert (await caller.refused("PATCH", path, wrong))["field"] == "policy.status_map.to_ticket"
    assert (await caller.refused("PATCH", path, {"project": "4711"}))["field"] == "project"
    assert (await caller.refused("PATCH", path, {"button": ""}))["field"] == "button"


async def test_rules_can_change_while_the_tracker_is_away(world, caller):
    integration = await caller.created()
    world.fault("gittab", match="* /api/v4/*", status=503, times=None)
    pairs = dict(list(integration["policy"]["status_map"]["to_ticket"].items())[:2])
    body = {"policy": {"fields": {"status": {"direction": "off"}}, "status_map": {"to_ticket": pairs}}}
    changed = await caller.do("PATCH", f"/integrations/{integration['id']}", body)
    assert changed["policy"]["status_map"]["to_ticket"] == pairs
