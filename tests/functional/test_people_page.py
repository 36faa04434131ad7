"""People and tokens: made, shown once, disabled, revoked; one's own password."""

import re

import pytest
from walking import inputs, words

from outside_world import NAME, PASSWORD, Place


@pytest.fixture
def place():
    return Place()


@pytest.fixture
async def member(place):
    return await place.member()


def shown_once(page):
    return re.search(r'class="once-value">.*?<code>([^<]+)</code>', page.text, re.DOTALL)[1]


async def id_of(place, name):
    return next(each.id for each in await place.people.list_people() if each.name == name)


async def test_a_new_person_gets_a_password_that_is_shown_once_and_works(place, member):
    page = await member.send("/people/add", person_name="Bob")
    password = shown_once(page)

    assert "bob can log in now" in words(page)
    assert page.headers["cache-control"] == "no-store"
    assert password not in (await member.see("/people")).text
    other = await place.visitor()
    answer = await other.web.post("/login", data={"name": "bob", "password": password})
    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("name", "said"), [("", "1 to 64 letters"), ("not a name", "1 to 64"), ("ADA", "called ada already")]
)
async def test_a_name_that_cannot_be_is_refused_at_its_field(place, member, name, said):
    page = await member.send("/people/add", person_name=name)

    assert page.status_code == 422
    assert 'id="e-person_name"' in page.text
    assert said in words(page)
    assert inputs(page)["person_name"] == name
    assert len(await place.people.list_people()) == 1


async def test_a_disabled_person_is_out_and_can_be_let_in_again(place, member):
    password = shown_once(await member.send("/people/add", person_name="bob"))
    bob = await id_of(place, "bob")
    other = await place.visitor()
    await other.web.post("/login", data={"name": "bob", "password": password})
    assert (await other.web.get("/people")).status_code == 200

    page = await member.send(f"/people/{bob}/disable")
    assert "Disabled" in words(page)
    assert (await other.web.get("/people")).status_code == 303
    assert (await other.web.post("/login", data={"name": "bob", "password": password})).status_code == 401
    page = await member.send(f"/people/{bob}/enable")
    assert "Disabled" not in words(page)
    assert (await other.web.post("/login", data={"name": "bob", "password": password})).status_code == 303


async def test_nobody_disables_themselves(place, member):
    await member.send("/people/add", person_name="bob")
    ada = await id_of(place, NAME)

    assert f"/people/{ada}/disable" not in (await member.see("/people")).text
    page = await member.send(f"/people/{ada}/disable")
    assert page.status_code == 409
    assert "cannot disable yourself" in words(page)
    assert (await member.web.get("/people")).status_code == 200


@pytest.mark.parametrize("action", ["disable", "enable"])
async def test_an_unknown_person_is_not_found(member, action):
    assert (await member.send(f"/people/nobody/{action}")).status_code == 404


async def test_a_token_is_shown_once_and_then_by_its_end(place, member):
    page = await member.send("/people/tokens", token_name="build server")
    secret = shown_once(page)

    assert secret.startswith("ks_")
    assert (await place.people.find_token(secret)).name == "build server"
    page = await member.see("/people")
    assert secret not in page.text
    assert f"ks_••••{secret[-4:]}" in page.text
    assert "build server" in words(page)
    (token,) = await place.people.list_tokens()
    page = await member.send(f"/people/tokens/{token.id}/revoke")
    assert "No token yet" in words(page)
    assert await place.people.find_token(secret) is None


async def test_a_token_needs_a_name(place, member):
    page = await member.send("/people/tokens", token_name=" ")

    assert page.status_code == 422
    assert 'id="e-token_name"' in page.text
    assert not await place.people.list_tokens()
    assert (await member.send("/people/tokens/nothing/revoke")).status_code == 404


async def test_names_are_shown_as_text(member):
    await member.send("/people/tokens", token_name="<script>alert(1)</script>")
    page = await member.see("/people")

    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text


async def test_ones_own_password_is_changed(place, member):
    new = "a wholly different one"
    page = await member.send("/people/password", old=PASSWORD, new=new, again=new)

    assert "Your password is changed" in words(page)
    other = await place.visitor()
    assert (await other.web.post("/login", data={"name": NAME, "password": PASSWORD})).status_code == 401
    assert (await other.web.post("/login", data={"name": NAME, "password": new})).status_code == 303


@pytest.mark.parametrize(
    ("old", "new", "again", "field"),
    [
        ("wrong", "long enough one", "long enough one", "old"),
        (PASSWORD, "short", "short", "new"),
        (PASSWORD, "long enough one", "long enough two", "again"),
    ],
)
async def test_a_password_that_cannot_be_changed_stays(place, member, old, new, again, field):
    page = await member.send("/people/password", old=old, new=new, again=again)

    assert page.status_code == 422
    assert f'id="e-{field}"' in page.text
    assert new not in page.text
    other = await place.visitor()
    assert (await other.web.post("/login", data={"name": NAME, "password": PASSWORD})).status_code == 303


async def test_guessing_the_present_password_is_slowed_down(member):
    for _ in range(8):
        page = await member.send(
            "/people/password", old="guess", new="long enough one", again="long enough one"
        )
    page = await member.send("/people/password", old=PASSWORD, new="long enough one", again="long enough one")

    assert "Too many attempts" in words(page)


async def test_a_token_with_control_characters_in_its_name_is_refused(member):
    page = await member.send("/people/tokens", token_name="script\x01")

    assert "A name has no control characters." in words(page)
