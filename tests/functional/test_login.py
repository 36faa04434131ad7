"""Logging in over HTTP: cookie, way back, refusals, CSRF, and the API's tokens."""

from datetime import timedelta

import pytest
from fastapi import APIRouter

from keepstep.app import people as rules
from keepstep.web.admin.routes import routers
from keepstep.web.admin.session import TokenDep
from keepstep.web.app import create_app
from keepstep.web.deps import Services

from outside_world import NAME, PASSWORD, Place


@pytest.fixture
def place():
    return Place()


async def log_in(visitor, password=PASSWORD, name=NAME, **more):
    return await visitor.web.post("/login", data={"name": name, "password": password, **more})


async def test_without_people_the_login_says_how_to_make_one(place):
    page = await (await place.visitor()).see("/")

    assert page.status_code == 200
    assert "keepstep admin create" in page.text
    assert "<form" not in page.text
    await place.people.create_admin(NAME, PASSWORD)
    page = await (await place.visitor()).see("/login")
    assert "keepstep admin create" not in page.text
    assert 'name="password"' in page.text
    assert "https://keepstep.example.org" in page.text


@pytest.mark.parametrize(
    "path",
    ["/", "/people", "/connect", "/connect/mapping", "/attention", "/system", "/integrations/x/settings"],
)
async def test_no_page_opens_without_a_login_and_the_login_leads_back(place, path):
    await place.people.create_admin(NAME, PASSWORD)
    visitor = await place.visitor()
    sent = await visitor.web.get(path)

    assert sent.status_code == 303
    assert sent.headers["location"] == ("/login" if path == "/" else f"/login?next={path}")
    page = await visitor.web.get(sent.headers["location"])
    assert f'name="next" value="{path}"' in page.text
    assert (await log_in(visitor, next=path)).headers["location"] == path


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\r\nX: y",
        "/login",
        "",
    ],
)
async def test_the_way_back_never_leads_to_another_site(place, elsewhere):
    await place.people.create_admin(NAME, PASSWORD)
    visitor = await place.visitor()
    page = await visitor.web.get("/login", params={"next": elsewhere})

    assert 'name="next" value="/"' in page.text
    assert (await log_in(visitor, next=elsewhere)).headers["location"] == "/"


@pytest.mark.parametrize("secure", [False, True])
async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(place, secure):
    await place.people.create_admin(NAME, PASSWORD)
    visitor = await place.visitor(secure=secure)
    cookie = (await log_in(visitor)).headers["set-cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert ("Secure" in cookie) is secure
    assert cookie.startswith("__Host-keepstep=" if secure else "keepstep=")
    assert (await visitor.web.get("/people")).status_code == 200


async def test_a_refused_login_keeps_the_name_and_not_the_password(place):
    await place.people.create_admin(NAME, PASSWORD)
    answer = await log_in(await place.visitor(), "not the password")

    assert answer.status_code == 401
    assert "do not belong together" in answer.text
    assert f'value="{NAME}"' in answer.text
    assert "not the password" not in answer.text
    assert "set-cookie" not in answer.headers


async def test_too_many_attempts_are_told_when_to_come_back(place):
    await place.people.create_admin(NAME, PASSWORD)
    visitor = await place.visitor()
    for _ in range(rules.ATTEMPTS_PER_NAME):
        assert (await log_in(visitor, "guess")).status_code == 401
    answer = await log_in(visitor)

    assert answer.status_code == 429
    assert "Try again in 15 minutes" in answer.text
    assert 0 < int(answer.headers["retry-after"]) <= 900
    place.clock.advance(timedelta(minutes=15))
    assert (await log_in(visitor)).status_code == 303


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://keepstep.test"}, 303),
        ({"Origin": "http://keepstep.test"}, 303),
        ({}, 303),
    ],
)
async def test_another_site_cannot_log_somebody_in(place, headers, status):
    await place.people.create_admin(NAME, PASSWORD)
    visitor = await place.visitor()
    answer = await visitor.web.post("/login", data={"name": NAME, "password": PASSWORD}, headers=headers)

    assert answer.status_code == status


async def test_logging_out_ends_the_session_on_the_server(place):
    member = await place.member()
    cookie = member.web.cookies["keepstep"]
    answer = await member.fill("/logout", {})

    assert answer.url.path == "/login"
    assert "keepstep" not in member.web.cookies
    member.web.cookies["keepstep"] = cookie
    assert (await member.web.get("/people")).status_code == 303


async def test_a_session_is_over_after_twelve_idle_hours(place):
    member = await place.member()
    place.clock.advance(timedelta(hours=11, minutes=59))
    assert (await member.web.get("/people")).status_code == 200
    place.clock.advance(timedelta(hours=12))
    assert (await member.web.get("/people")).status_code == 303


POSTS = [
    "/logout", "/people/add", "/people/password", "/people/tokens", "/people/x/disable", "/people/tokens/x/revoke",
    "/connect/productboard", "/connect/tracker", "/connect/tracker/project", "/connect/tracker/settings",
    "/connect/mapping", "/connect/mapping/preview", "/connect/review", "/connect/check", "/connect/discard",
]  # fmt: skip


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("csrf", [None, "", "guess"])
async def test_no_form_is_taken_without_the_sessions_own_csrf(place, path, csrf):
    member = await place.member()
    answer = await member.web.post(path, data={} if csrf is None else {"csrf": csrf})

    assert answer.status_code == 403
    assert "Load the page again" in answer.text


async def test_every_post_route_of_the_pages_is_guarded(place):
    """The login has no session yet; /hooks and /api prove themselves otherwise."""
    member = await place.member()
    routes = [route for router in routers() for route in router.routes]
    paths = {route.path for route in routes if "POST" in route.methods}
    assert {"/people/add", "/connect/review", "/integrations/{integration_id}/settings/names"} <= paths
    for path in paths - {"/login"}:
        filled = "/".join("x" if part.startswith("{") else part for part in path.split("/"))
        assert (await member.web.post(filled)).status_code == 403, path


async def test_the_header_serves_as_well_as_the_field(place):
    member = await place.member()
    csrf = await member.csrf()
    answer = await member.web.post("/connect/check", data={"kind": "gitlab"}, headers={"X-CSRF-Token": csrf})

    assert answer.status_code == 200
    assert not answer.json()["ok"]


async def test_one_sessions_csrf_is_no_good_in_another(place):
    first, second = await place.member(), await place.member()
    answer = await first.web.post("/people/tokens", data={"csrf": await second.csrf(), "token_name": "x"})

    assert answer.status_code == 403
    assert not await place.people.list_tokens()


async def test_the_api_takes_a_token_and_nothing_else(place):
    door = APIRouter()

    @door.get("/api/v1/who")
    async def who(token: TokenDep) -> dict[str, str]:
        return {"name": token.name, "person": token.person.name}

    member = await place.member()
    ada = (await place.people.list_people())[0]
    made = await place.people.create_token(ada, "ci")
    given = Services(place.ctx, place.people, place._ready, "0", secure_cookies=False, system=place._system)
    member.web._transport.app = create_app(given, [door])

    answer = await member.web.get("/api/v1/who", headers={"Authorization": f"Bearer {made.secret}"})
    assert answer.json() == {"name": "ci", "person": NAME}
    for wrong in (
        {},
        {"Authorization": made.secret},
        {"Authorization": "Bearer ks_wrong"},
        {"Authorization": "Basic x"},
    ):
        answer = await member.web.get("/api/v1/who", headers=wrong)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "Bearer ks_" in answer.json()["error"]["message"]
    await place.people.revoke_token(made.token.id)
    answer = await member.web.get("/api/v1/who", headers={"Authorization": f"Bearer {made.secret}"})
    assert answer.status_code == 401


async def test_a_name_with_a_character_that_no_database_keeps_is_an_unknown_name(place):
    await place.people.create_admin(NAME, PASSWORD)
    visitor = await place.visitor()

    assert (await log_in(visitor, name=f"{NAME}\0")).status_code == 401
    assert (await log_in(visitor)).status_code == 303
