"""The Connect wizard as a person without a script meets it, and the checks its script asks for."""

import re

import pytest
from walking import inputs, only_integration, to_mapping, to_project, to_review, to_tracker, words

from keepstep.domain.fields import Field
from keepstep.domain.integration import IntegrationState
from keepstep.domain.policy import ConflictRule, Direction
from keepstep.ports.storage import JournalQuery

from outside_world import (
    BOARD_TOKEN,
    BOARD_URL,
    NAME,
    PROJECTS,
    TRACKER_TOKEN,
    TRACKER_URL,
    WEAK_TOKEN,
    Place,
    status_id,
)

GITLAB = {"kind": "gitlab", "tracker_url": TRACKER_URL}
NOWHERE = {"kind": "gitlab", "tracker_url": "https://nowhere.test"}


@pytest.fixture
def place():
    return Place()


@pytest.fixture
async def member(place):
    return await place.member()


async def test_the_whole_way_makes_an_integration_that_does_what_was_chosen(place, member):
    mapping = inputs(await to_mapping(member))
    mapping |= {
        "direction.title": "to ticket",
        "rule.description": "ask",
        "default.labels": ["productboard", "bug"],
        "default.milestone": "Autumn",
    }
    await member.fill("/connect/mapping", mapping)
    page = await member.send("/connect/review", name="Roadmap", button="GitLab")

    made = await only_integration(place)
    assert page.url.path == f"/integrations/{made.id}"
    assert (made.name, made.button, made.board.base_url) == ("Roadmap", "GitLab", BOARD_URL)
    assert (made.tracker.kind, made.tracker.base_url, made.project) == ("gitlab", TRACKER_URL, PROJECTS[0])
    assert made.tracker_settings == {"status_labels": ("workflow::doing", "workflow::review")}
    assert made.defaults == {"labels": ("productboard", "bug"), "milestone": "Autumn"}
    assert made.policy.of(Field.TITLE).direction is Direction.TO_TICKET
    assert made.policy.of(Field.DESCRIPTION).rule is ConflictRule.ASK
    assert made.policy.status_map.to_ticket[status_id("In progress")] == "label:workflow::doing"
    assert made.policy.status_map.to_feature["closed"] == status_id("Released")
    assert await place.vault.open(made.board.token) == BOARD_TOKEN
    assert await place.vault.open(made.tracker.token) == TRACKER_TOKEN
    await place.work()
    assert (await only_integration(place)).state is IntegrationState.ACTIVE
    assert place.town.made == ["column Roadmap [GitLab]", "subscription", "hook 1"]
    async with place.storage.begin() as uow:
        entries, _ = await uow.journal.page(JournalQuery())
    assert NAME in {each.actor for each in entries}


async def test_a_second_click_on_connect_makes_no_second_integration(place, member):
    await to_review(member)
    await member.send("/connect/review", name="Roadmap", button="GitLab")
    page = await member.send("/connect/review", name="Roadmap", button="GitLab")

    assert page.url.path == "/connect/productboard"
    assert (await only_integration(place)).name == "Roadmap"


async def test_a_tracker_without_settings_defaults_and_webhooks(place, member):
    await to_project(member, "slips", "https://slips.example.com")
    page = await member.send("/connect/tracker/project", project="demo/mobile")

    assert page.url.path == "/connect/mapping"
    assert "New tickets" not in words(page)
    page = await member.fill("/connect/mapping", inputs(page))
    assert "No webhook in Paper Slips Deluxe" in words(page)
    assert inputs(page)["button"] == "Push"
    await member.send("/connect/review", name="Slips", button="Push")
    assert (await only_integration(place)).project == PROJECTS[1]


@pytest.mark.parametrize(
    ("entered", "field", "said"),
    [
        ({"board_token": ""}, "board_token", "Paste a token"),
        ({"board_token": "two words"}, "board_token", "blank inside"),
        ({"board_token": "wrong-token-0001-abcd"}, "board_token", "Productboard refused the token (401)"),
        ({"board_token": WEAK_TOKEN}, "board_token", "lacks rights: make columns"),
        ({"board_token": BOARD_TOKEN, "board_url": "ftp://x"}, "board_url", "has to begin with https"),
        ({"board_token": BOARD_TOKEN, "board_url": "https://nowhere.test"}, "board_url", "Nobody answers"),
    ],
)
async def test_productboards_errors_stand_at_their_field_and_keep_the_input(member, entered, field, said):
    page = await member.fill("/connect/productboard", {"workspace": "Acme"} | entered)

    assert page.status_code == 422
    assert re.search(rf'id="e-{field}"', page.text)
    assert re.search(
        rf'aria-invalid="true"[^>]*aria-describedby="e-{field}|name="{field}" aria-invalid="true"', page.text
    )
    assert said in words(page)
    if entered.get("board_url"):
        assert inputs(page)["board_url"] == entered["board_url"]
    assert (await member.see("/connect/tracker")).url.path == "/connect/productboard"


@pytest.mark.parametrize(
    ("entered", "field", "said"),
    [
        ({"kind": ""}, "kind", "Choose the kind"),
        ({**GITLAB, "tracker_token": ""}, "tracker_token", "Paste a token"),
        ({**GITLAB, "tracker_token": "glpat-wrong-0001-abcd"}, "tracker_token", "GitLab refused the token"),
        ({**GITLAB, "tracker_token": WEAK_TOKEN}, "tracker_token", "the scope api; the role Maintainer"),
        ({**NOWHERE, "tracker_token": TRACKER_TOKEN}, "tracker_url", "Nobody answers"),
    ],
)  # fmt: skip
async def test_the_trackers_errors_stand_at_their_field(member, entered, field, said):
    await to_tracker(member)
    page = await member.fill("/connect/tracker", entered)

    assert page.status_code == 422
    assert said in words(page)
    assert f'href="#f-{field}"' in page.text
    assert f'id="f-{field}"' in page.text
    assert 'id="projects"' not in page.text


async def test_a_token_is_stored_at_once_and_only_its_end_is_shown(place, member):
    bad = "wrong-but-long-enough-wxyz"
    page = await member.send("/connect/productboard", board_token=bad)
    assert "•••• wxyz" in page.text
    assert bad not in page.text
    assert bad in place.vault._secrets.values()

    await member.send("/connect/productboard", board_token=f' "{BOARD_TOKEN}"\n')
    assert list(place.vault._secrets.values()) == [BOARD_TOKEN]
    kept = await place.store.drafts.load((await place.people.list_people())[0].id)
    assert BOARD_TOKEN not in str(kept)
    for path in ("/connect/productboard", "/connect/tracker"):
        assert BOARD_TOKEN not in (await member.see(path)).text


async def test_an_empty_token_field_keeps_the_stored_one(member):
    await to_tracker(member)
    page = await member.send("/connect/productboard", board_token="", workspace="Acme Corp")

    assert page.url.path == "/connect/tracker"
    assert inputs(await member.see("/connect/productboard"))["workspace"] == "Acme Corp"


async def test_steps_cannot_be_skipped_and_going_back_keeps_everything(member):
    for path in ("/connect", "/connect/tracker", "/connect/mapping", "/connect/review"):
        assert (await member.see(path)).url.path == "/connect/productboard"
    await to_review(member)
    await member.send("/connect/review", name="", button="much too long a label")

    assert "api.productboard.com" in inputs(await member.see("/connect/productboard"))["board_url"]
    page = await member.see("/connect/tracker")
    assert "demo/roadmap is the project" in words(page)
    assert inputs(page)["setting.status_labels"] == "workflow::review"
    page = await member.see("/connect/mapping")
    assert inputs(page)[f"to_ticket.{status_id('In progress')}"] == "label:workflow::doing"
    page = await member.see("/connect/review")
    assert inputs(page)["button"] == "much too long a label"
    assert (await member.see("/connect")).url.path == "/connect/review"


async def test_another_address_or_project_makes_what_hung_on_it_void(place, member):
    await to_review(member)
    await member.send("/connect/tracker/project", project="2")
    assert (await member.see("/connect/review")).url.path == "/connect/tracker"
    await member.fill("/connect/tracker/settings", {})
    page = await member.see("/connect/mapping")
    assert "label:workflow::doing" not in page.text
    await member.fill("/connect/mapping", inputs(page))
    slips = {"kind": "slips", "tracker_url": "https://slips.example.com", "tracker_token": TRACKER_TOKEN}
    await member.send("/connect/tracker", **slips)
    page = await member.see("/connect")
    assert page.url.path == "/connect/tracker"
    assert "New tickets are made here" in words(page)


@pytest.mark.parametrize(
    ("path", "elsewhere", "field"),
    [
        ("/connect/productboard", {"board_url": f"{BOARD_URL}/other"}, "board_token"),
        ("/connect/tracker", {"kind": "gitlab", "tracker_url": f"{TRACKER_URL}/other"}, "tracker_token"),
        ("/connect/tracker", {"kind": "slips", "tracker_url": TRACKER_URL}, "tracker_token"),
    ],
)
async def test_the_stored_token_is_not_sent_elsewhere(place, member, monkeypatch, path, elsewhere, field):
    await to_review(member)
    token = BOARD_TOKEN if field == "board_token" else TRACKER_TOKEN
    sent = []
    monkeypatch.setattr(place.town, "open_board", lambda *_: sent.append("board"))
    monkeypatch.setattr(place.town, "open_tracker", lambda *_: sent.append("tracker"))

    answer = (await member.fill("/connect/check", {**elsewhere, field: ""})).json()
    assert (answer["ok"], answer["field"]) == (False, field)
    assert "the stored one is not sent there" in answer["text"]
    assert token in place.vault._secrets.values()

    page = await member.send(path, **elsewhere)
    assert page.status_code == 422
    assert "the stored one is not sent there" in words(page)
    assert f'id="e-{field}"' in page.text
    assert token not in place.vault._secrets.values()
    assert sent == []


async def test_a_token_entered_together_with_another_address_is_kept(place, member):
    await to_review(member)
    other = {"kind": "gitlab", "tracker_url": f"{TRACKER_URL}/other"}
    await member.send("/connect/tracker", **other, tracker_token=TRACKER_TOKEN)
    page = await member.send("/connect/tracker", **other)

    assert page.url.path == "/connect/tracker"
    assert "New tickets are made here" in words(page)
    assert sorted(place.vault._secrets.values()) == sorted([BOARD_TOKEN, TRACKER_TOKEN])


async def test_the_same_entries_once_more_change_nothing(member):
    await to_review(member)
    await member.send("/connect/productboard", board_url=BOARD_URL)
    await member.send("/connect/tracker", kind="gitlab", tracker_url=TRACKER_URL)
    await member.send("/connect/tracker/project", project="1")

    assert (await member.see("/connect")).url.path == "/connect/review"


async def test_projects_are_searched_live_and_none_found_says_what_to_do(place, member):
    page = await to_project(member)
    assert all(each.name in page.text for each in PROJECTS)

    page = await member.see("/connect/tracker?search=mobile")
    assert "demo/mobile" in page.text
    assert "demo/roadmap" not in page.text
    page = await member.see("/connect/tracker?search=<nothing>")
    assert "Nothing is called “<nothing>”" in words(page)
    assert "<nothing>" not in page.text
    place.town.projects.clear()
    page = await member.see("/connect/tracker")
    assert "Give it a role there" in words(page)


@pytest.mark.parametrize(("project", "said"), [("", "Choose a project"), ("99", "does not see this project")])
async def test_a_project_that_cannot_be_used_is_named(member, project, said):
    await to_project(member)
    page = await member.send("/connect/tracker/project", project=project)

    assert page.status_code == 422
    assert said in words(page)
    assert 'id="projects"' in page.text


async def test_labels_can_be_typed_where_the_project_has_none(place, member):
    place.town.labels.clear()
    await to_project(member)
    page = await member.send("/connect/tracker/project", project="1")
    assert re.search(r'<input type="text" name="setting.status_labels"', page.text)
    page = await member.fill(
        "/connect/tracker/settings", {"setting.status_labels": ["doing", "", " doing ", "review"]}
    )

    assert [f"label:{each}" in page.text for each in ("doing", "review")] == [True, True]


async def test_discarding_forgets_the_tokens(place, member):
    await to_project(member)
    assert len(place.vault._secrets) == 2
    page = await member.send("/connect/discard")

    assert page.url.path == "/"
    assert not place.vault._secrets
    assert (await member.see("/connect")).url.path == "/connect/productboard"


async def test_two_people_have_a_draft_each(place, member):
    await to_tracker(member)
    made = await place.people.create_admin("bob", "another long one")
    other = await place.visitor()
    await other.web.post("/login", data={"name": "bob", "password": made.password})

    assert (await other.see("/connect")).url.path == "/connect/productboard"
    assert (await member.see("/connect")).url.path == "/connect/tracker"


@pytest.mark.parametrize(
    ("entered", "ok", "field", "said"),
    [
        ({"board_token": BOARD_TOKEN}, True, "", "acme.productboard.com, 6 feature statuses"),
        ({"board_token": f"Bearer {BOARD_TOKEN} \n"}, True, "", "accepts"),
        ({"board_token": "wrong"}, False, "board_token", "refused the token"),
        ({"board_token": ""}, False, "board_token", "Paste a token"),
        ({"board_token": BOARD_TOKEN, "board_url": "nonsense"}, False, "board_url", "https"),
        ({**GITLAB, "tracker_token": TRACKER_TOKEN}, True, "", "ada-bot, until 2027-03-01 (GitLab 18.2)"),
        ({**GITLAB, "tracker_token": WEAK_TOKEN}, False, "tracker_token", "the scope api"),
        ({"kind": "", "tracker_token": TRACKER_TOKEN}, False, "kind", "no tracker"),
    ],
)  # fmt: skip
async def test_credentials_are_checked_as_typed_and_nothing_is_stored(
    place, member, entered, ok, field, said
):
    answer = (await member.fill("/connect/check", entered)).json()

    assert (answer["ok"], answer["field"]) == (ok, field)
    assert said in answer["text"]
    assert not place.vault._secrets
    assert await place.store.drafts.load((await place.people.list_people())[0].id) is None
    token = entered.get("board_token") or entered.get("tracker_token")
    assert not token or len(token) < 8 or token.strip() not in answer["text"]


async def test_a_draft_that_cannot_be_read_any_more_begins_anew(place, member):
    ada = (await place.people.list_people())[0]
    await place.store.drafts.save(
        ada.id, {"board_ok": True, "directions": {"title": "sideways"}, "unknown": 1}
    )

    assert (await member.see("/connect")).url.path == "/connect/productboard"
