"""An integration's settings and its mapping: saved, refused with the reason, and kept while a side is down."""

from dataclasses import replace

import pytest
from walking import inputs, only_integration, to_review, words

from keepstep.domain.errors import MissingError
from keepstep.domain.fields import Field
from keepstep.domain.ids import FeatureId, LinkId
from keepstep.domain.integration import IntegrationState, PauseCause
from keepstep.domain.link import Link, LinkState
from keepstep.domain.policy import ConflictRule, Direction

from outside_world import (
    BOARD_TOKEN,
    BOARD_URL,
    NOW,
    PROJECTS,
    TRACKER_TOKEN,
    TRACKER_URL,
    WEAK_TOKEN,
    Place,
    status_id,
)


@pytest.fixture
def place():
    return Place()


@pytest.fixture
async def member(place):
    visitor = await place.member()
    await to_review(visitor)
    await visitor.send("/connect/review", name="Roadmap", button="GitLab")
    await place.work()
    place.town.made.clear()
    return visitor


@pytest.fixture
async def home(place, member):
    return f"/integrations/{(await only_integration(place)).id}"


async def save(place, **changes):
    async with place.storage.begin() as uow:
        (found,) = await uow.integrations.list_all()
        await uow.integrations.save(replace(found, **changes))
        await uow.commit()


async def link_one(place):
    made = await only_integration(place)
    link = Link(
        LinkId("a" * 32), made.id, FeatureId("f-1"), LinkState.LINKED, NOW, made.tracker.key,
        feature_title="Dark mode",
    )  # fmt: skip
    async with place.storage.begin() as uow:
        await uow.links.add_or_find(link)
        await uow.commit()


async def test_the_page_shows_what_is_set_and_no_token(member, home):
    page = await member.see(f"{home}/settings")
    found = inputs(page)

    assert page.status_code == 200
    assert (found["name"], found["button"], found["tracker_url"]) == ("Roadmap", "GitLab", TRACKER_URL)
    assert found["setting.status_labels"] == "workflow::review"
    assert found["project"] == "1"
    assert "•••• 9f3a" in page.text
    assert "•••• 77c1" in page.text
    assert BOARD_TOKEN not in page.text
    assert TRACKER_TOKEN not in page.text
    assert f'href="{home}/delete"' in page.text


async def test_names_are_saved_and_the_column_follows(place, member, home):
    page = await member.send(f"{home}/settings/names", name="Roadmap 2", button="Push", workspace="Acme")

    assert page.url.path == f"{home}/settings"
    assert "Saved." in words(page)
    made = await only_integration(place)
    assert (made.name, made.button, made.board.workspace) == ("Roadmap 2", "Push", "Acme")
    assert place.town.made == ["column renamed Roadmap 2 [Push]"]


@pytest.mark.parametrize(
    ("name", "button", "field"), [("", "Push", "name"), ("Fine", "eleven char", "button")]
)
async def test_a_refused_name_keeps_the_input(place, member, home, name, button, field):
    page = await member.send(f"{home}/settings/names", name=name, button=button, workspace="Kept")

    assert page.status_code == 422
    assert f'id="e-{field}"' in page.text
    assert (inputs(page)["name"], inputs(page)["button"], inputs(page)["workspace"]) == (name, button, "Kept")
    assert (await only_integration(place)).name == "Roadmap"


async def test_a_name_that_productboard_cannot_be_told_is_not_saved(place, member, home):
    place.town.down.add(BOARD_URL)
    page = await member.send(f"{home}/settings/names", name="Other", button="Push", workspace="")

    assert page.status_code == 422
    assert "Productboard does not answer" in words(page)
    assert (await only_integration(place)).name == "Roadmap"


async def test_project_and_address_change_while_nothing_is_linked(place, member, home):
    page = await member.send(f"{home}/settings/place", tracker_url=TRACKER_URL, project="2")

    assert page.url.path == f"{home}/settings", words(page)
    assert (await only_integration(place)).project == PROJECTS[1]
    assert "hook 1 removed" in place.town.made


async def test_the_stored_token_is_not_sent_to_another_address(place, member, home):
    before = await only_integration(place)
    form = {"tracker_url": f"{TRACKER_URL}/other", "project": "1"}
    page = await member.fill(f"{home}/settings/place", form)
    assert page.status_code == 422
    assert "Another address needs its token" in words(page)
    assert inputs(page)["tracker_url"] == form["tracker_url"]
    assert await only_integration(place) == before


async def test_the_address_changes_with_a_token_for_it(place, member, home):
    before = (await only_integration(place)).tracker
    form = {"tracker_url": f"{TRACKER_URL}/other/", "project": "1", "place_token": f" {TRACKER_TOKEN}\n"}
    page = await member.fill(f"{home}/settings/place", form)
    assert page.url.path == f"{home}/settings", words(page)
    after = (await only_integration(place)).tracker
    assert after.base_url == f"{TRACKER_URL}/other"
    assert await place.ctx.vault.open(after.token) == TRACKER_TOKEN
    with pytest.raises(MissingError):
        await place.ctx.vault.open(before.token)


async def test_a_token_for_an_address_that_could_not_be_saved_is_not_kept(place, member, home, monkeypatch):
    before, kept = await only_integration(place), []
    put = place.ctx.vault.put

    async def overtaken(token):
        """A job saves the integration just then."""
        kept.append(await put(token))
        await save(place, name="Saved by a job")
        return kept[-1]

    monkeypatch.setattr(place.ctx.vault, "put", overtaken)
    form = {"tracker_url": f"{TRACKER_URL}/other", "project": "1", "place_token": TRACKER_TOKEN}
    page = await member.fill(f"{home}/settings/place", form)
    assert page.status_code in (409, 422), words(page)
    assert (await only_integration(place)).tracker == before.tracker
    assert await place.ctx.vault.open(before.tracker.token) == TRACKER_TOKEN
    with pytest.raises(MissingError):
        await place.ctx.vault.open(kept[0])


async def test_a_token_for_a_place_that_stays_is_refused(place, member, home):
    form = {"tracker_url": TRACKER_URL, "project": "1", "place_token": TRACKER_TOKEN}
    page = await member.fill(f"{home}/settings/place", form)
    assert page.status_code == 422
    assert "The address stays" in words(page)


async def test_project_and_address_are_refused_while_links_exist(place, member, home):
    await link_one(place)
    page = await member.see(f"{home}/settings")
    assert "Neither can change while 1 Link exists" in words(page)
    assert 'name="project"' not in page.text

    page = await member.send(f"{home}/settings/place", tracker_url=TRACKER_URL, project="2")
    assert page.status_code == 422
    assert "cannot change while 1 Link exists" in words(page)
    assert (await only_integration(place)).project == PROJECTS[0]


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        (
            {"tracker_url": "https://nowhere.test", "project": "1", "place_token": TRACKER_TOKEN},
            "Nobody answers",
        ),
        (
            {"tracker_url": "nonsense", "project": "1", "place_token": TRACKER_TOKEN},
            "has to begin with https",
        ),
        ({"tracker_url": "https://other.test", "project": "1", "place_token": "wrong"}, "refused the token"),
        ({"tracker_url": "https://other.test", "project": "1", "place_token": WEAK_TOKEN}, "lacks rights"),
        ({"tracker_url": "https://nowhere.test", "project": "1", "place_token": "a b"}, "a blank inside"),
        ({"tracker_url": TRACKER_URL, "project": "99"}, "has no project 99"),
    ],
)
async def test_a_place_that_cannot_be_reached_is_refused(place, member, home, entered, said):
    page = await member.fill(f"{home}/settings/place", entered)

    assert page.status_code == 422
    assert said in words(page)
    assert inputs(page)["tracker_url"] == entered["tracker_url"]
    assert (await only_integration(place)).tracker.base_url == TRACKER_URL


async def test_other_status_labels_lead_to_the_mapping(place, member, home):
    data = {"setting.status_labels": ["workflow::ready", "workflow::doing"]}
    page = await member.fill(f"{home}/settings/reading", data)

    assert page.url.path == f"{home}/mapping"
    assert (await only_integration(place)).tracker_settings == {
        "status_labels": ("workflow::ready", "workflow::doing")
    }
    assert "label:workflow::ready" in page.text
    assert 'class="map-row unmapped"' in page.text


async def test_a_label_that_is_gone_from_the_project_is_shown_as_such(place, member, home):
    place.town.labels.remove("workflow::doing")

    assert "workflow::doing (not in the project)" in words(await member.see(f"{home}/settings"))


async def test_defaults_of_new_tickets_are_saved(place, member, home):
    page = await member.fill(
        f"{home}/settings/defaults", {"default.labels": ["bug", ""], "default.milestone": " Autumn "}
    )

    assert page.url.path == f"{home}/settings"
    assert (await only_integration(place)).defaults == {"labels": ("bug",), "milestone": "Autumn"}


@pytest.mark.parametrize("side", ["board", "tracker"])
@pytest.mark.parametrize(
    ("pasted", "said"),
    [("", "Paste a token"), ("two words", "blank inside"), ("wrong-token-0001-abcd", "refused the token")],
)
async def test_a_token_that_does_not_work_is_not_stored(place, member, home, side, pasted, said):
    before = dict(place.vault._secrets)
    page = await member.fill(f"{home}/settings/token/{side}", {f"{side}_token": pasted})

    assert page.status_code == 422
    assert f'id="e-{side}_token"' in page.text
    assert said in words(page)
    assert not pasted or f'value="{pasted}"' not in page.text
    assert place.vault._secrets == before


async def test_a_token_without_enough_rights_is_not_stored(place, member, home):
    page = await member.send(f"{home}/settings/token/tracker", tracker_token=WEAK_TOKEN)

    assert "the role Maintainer" in words(page)
    assert WEAK_TOKEN not in place.vault._secrets.values()


async def test_a_new_token_resumes_what_waited_for_it(place, member, home):
    cause = PauseCause("GitLab refused the token (401).", NOW, field="tracker token")
    await save(place, state=IntegrationState.PAUSED, pause=cause)
    page = await member.send(f"{home}/settings/token/tracker", tracker_token=f'"{TRACKER_TOKEN}"')

    assert page.url.path == f"{home}/settings"
    assert "The new token works" in words(page)
    assert (await only_integration(place)).state is IntegrationState.ACTIVE


async def test_a_side_without_tokens_is_no_address(member, home):
    assert (await member.fill(f"{home}/settings/token/other", {})).status_code == 404
    assert (await member.see("/integrations/unknown/settings")).status_code == 404
    assert (await member.see("/integrations/unknown/mapping")).status_code == 404


async def test_the_settings_open_while_the_tracker_is_down(place, member, home):
    place.town.down.add(TRACKER_URL)
    page = await member.see(f"{home}/settings")

    assert page.status_code == 200
    assert "GitLab does not answer" in words(page)
    assert inputs(page)["project"] == "1"
    assert "workflow::doing" in page.text


async def test_the_settings_open_when_a_token_cannot_be_opened_any_more(place, member, home):
    place.vault.lose_key()
    page = await member.see(f"{home}/settings")

    assert page.status_code == 200
    assert "cannot be opened any more" in words(page)
    assert "cannot be opened any more" in words(await member.see(f"{home}/mapping"))


async def test_map_and_policy_are_changed(place, member, home):
    chosen = inputs(await member.see(f"{home}/mapping"))
    chosen |= {
        f"to_ticket.{status_id('Planned')}": "",
        "to_feature.closed": status_id("Won't do"),
        "direction.status": "to feature",
        "rule.title": "tracker",
    }
    page = await member.fill(f"{home}/mapping", chosen)

    assert page.url.path == f"{home}/rules"
    policy = (await only_integration(place)).policy
    assert status_id("Planned") not in policy.status_map.to_ticket
    assert policy.status_map.to_feature["closed"] == status_id("Won't do")
    assert policy.of(Field.STATUS).direction is Direction.TO_FEATURE
    assert policy.of(Field.TITLE).rule is ConflictRule.TRACKER
    assert policy.of(Field.DESCRIPTION).rule is ConflictRule.NEWEST


async def test_a_new_status_is_marked_and_proposed_without_touching_the_others(place, member, home):
    chosen = inputs(await member.see(f"{home}/mapping")) | {"to_feature.closed": status_id("Won't do")}
    await member.fill(f"{home}/mapping", chosen)
    place.town.statuses.insert(4, "In review")
    page = await member.see(f"{home}/mapping")
    assert page.text.count('class="map-row unmapped"') == 1

    page = await member.fill(f"{home}/mapping", inputs(page) | {"go": "propose"})
    assert "not saved yet" in words(page)
    assert inputs(page)[f"to_ticket.{status_id('In review')}"] == "label:workflow::review"
    assert inputs(page)["to_feature.closed"] == status_id("Won't do")
    assert status_id("In review") not in (await only_integration(place)).policy.status_map.to_ticket
    await member.fill(f"{home}/mapping", inputs(page))
    assert status_id("In review") in (await only_integration(place)).policy.status_map.to_ticket


async def test_a_direction_that_does_not_exist_is_refused(place, member, home):
    chosen = inputs(await member.see(f"{home}/mapping")) | {"direction.title": "sideways"}
    page = await member.fill(f"{home}/mapping", chosen)

    assert page.status_code == 422
    assert "The mapping was not saved" in words(page)


@pytest.mark.parametrize("address", [BOARD_URL, TRACKER_URL])
async def test_while_a_side_is_down_the_mapping_stays_as_it_is(place, member, home, address):
    chosen = inputs(await member.see(f"{home}/mapping")) | {"rule.title": "ask"}
    before = (await only_integration(place)).policy
    place.town.down.add(address)

    for page in (await member.see(f"{home}/mapping"), await member.fill(f"{home}/mapping", chosen)):
        assert "The mapping stays as it is" in words(page)
    assert (await only_integration(place)).policy == before


async def test_an_integration_that_failed_to_connect_can_be_changed(place):
    member = await place.member()
    await to_review(member)
    place.town.down.add(BOARD_URL)
    page = await member.send("/connect/review", name="Roadmap", button="GitLab")
    await place.work()
    place.town.down.clear()
    home = page.url.path
    page = await member.see(f"{home}/settings")

    assert "Change what you entered" in words(page)
    assert f'action="{home}/try-again"' in page.text
    await member.send(f"{home}/settings/names", name="Better", button="GitLab", workspace="")
    await member.send(f"{home}/try-again")
    await place.work()
    made = await only_integration(place)
    assert (made.state, made.name) == (IntegrationState.ACTIVE, "Better")


async def test_what_is_being_removed_has_no_settings_any_more(place, member, home):
    await save(place, state=IntegrationState.REMOVING)

    for path in ("settings", "mapping"):
        assert (await member.web.get(f"{home}/{path}")).headers["location"] == home
    page = await member.send(f"{home}/settings/names", name="x", button="x", workspace="")
    assert "being removed" in words(page)
