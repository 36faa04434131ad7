"""The wizard's mapping with its preview, and the review."""

from dataclasses import replace
from html import unescape

import pytest
from walking import inputs, only_integration, to_mapping, to_review, words

from outside_world import (
    BOARD_URL,
    STATUSES,
    Place,
    feature,
    status_id,
)


@pytest.fixture
def place():
    return Place()


@pytest.fixture
async def member(place):
    return await place.member()


async def test_the_proposal_covers_every_status_and_an_unmapped_one_is_marked(member):
    page = await to_mapping(member)
    chosen = inputs(page)
    assert all(chosen[f"to_ticket.{status_id(each)}"] for each in STATUSES)
    assert len([name for name in chosen if name.startswith("to_feature.")]) == 4
    assert 'class="map-row unmapped"' not in page.text

    chosen[f"to_ticket.{status_id('Candidate')}"] = ""
    page = await member.fill("/connect/mapping", chosen | {"go": "preview"})
    assert page.text.count('class="map-row unmapped"') == 1
    page = await member.fill("/connect/mapping", inputs(page) | {"go": "propose"})
    assert 'class="map-row unmapped"' not in page.text
    assert inputs(page)[f"to_ticket.{status_id('Candidate')}"] == "opened"


async def test_a_status_may_stay_unmapped(place, member):
    chosen = inputs(await to_mapping(member))
    chosen[f"to_ticket.{status_id('Candidate')}"] = ""
    page = await member.fill("/connect/mapping", chosen)
    assert page.url.path == "/connect/review"
    await member.send("/connect/review", name="Roadmap", button="Push")

    made = (await only_integration(place)).policy.status_map
    assert status_id("Candidate") not in made.to_ticket
    assert status_id("Planned") in made.to_ticket


async def test_values_that_were_not_offered_are_not_taken(place, member):
    chosen = inputs(await to_mapping(member))
    chosen |= {f"to_ticket.{status_id('Planned')}": "label:invented", "to_ticket.invented": "opened"}
    await member.fill("/connect/mapping", chosen)
    await member.send("/connect/review", name="Roadmap", button="Push")
    made = (await only_integration(place)).policy.status_map

    assert status_id("Planned") not in made.to_ticket
    assert "invented" not in made.to_ticket

    page = await (await place.member()).see("/connect")
    assert page.status_code == 200


async def test_a_direction_that_does_not_exist_is_refused(member):
    page = await member.fill(
        "/connect/mapping", inputs(await to_mapping(member)) | {"direction.title": "sideways"}
    )

    assert page.status_code == 422
    assert "Choose one of the list" in words(page)


async def test_the_preview_shows_a_real_feature_in_the_trackers_own_text(member):
    page = await to_mapping(member)

    shown = unescape(page.text)
    assert "People want to **sign in** without a password." in shown
    assert "- Passkeys on [all platforms](https://example.org/passkeys)" in shown
    assert "[Feature in Productboard](https://acme.productboard.com/feature/2)" in shown
    assert '<span class="badge" data-word="working"><span>workflow::doing</span>' in page.text


async def test_the_preview_follows_what_is_entered(member):
    chosen = inputs(await to_mapping(member)) | {"feature": "f-2"}
    moved = chosen | {f"to_ticket.{status_id('In progress')}": "closed", "direction.description": "off"}
    page = await member.fill("/connect/mapping/preview", moved)

    assert '<span class="badge" data-word="ok"><span>Closed</span>' in page.text
    assert "The description does not go to tickets" in page.text
    assert "sign in" not in page.text.replace("Sign in", "")
    page = await member.fill("/connect/mapping/preview", moved | {"direction.status": "to feature"})
    assert "The status does not go to tickets" in page.text
    page = await member.fill(
        "/connect/mapping/preview", chosen | {f"to_ticket.{status_id('In progress')}": ""}
    )
    assert "“In progress” is not mapped." in unescape(page.text)


async def test_the_preview_can_show_another_feature_and_escapes_it(member):
    chosen = inputs(await to_mapping(member)) | {"feature": "f-3"}
    page = await member.fill("/connect/mapping/preview", chosen)

    assert "Offline drafts &lt;on&gt; mobile" in page.text
    assert "The feature has no status." in page.text
    assert "The feature has no description." in page.text


async def test_an_empty_workspace_has_no_preview_but_goes_on(place, member):
    place.town.features.clear()
    page = await to_mapping(member)

    assert "no feature to show yet" in words(page)
    assert (await member.fill("/connect/mapping", inputs(page))).url.path == "/connect/review"


async def test_other_types_are_not_previewed(place, member):
    place.town.features.insert(0, replace(feature(9, "A component", None), type="component"))
    page = await to_mapping(member)

    assert "A component" not in page.text


async def test_while_a_side_is_down_the_mapping_says_so_and_loses_nothing(place, member):
    chosen = inputs(await to_mapping(member))
    place.town.down.add(BOARD_URL)
    for page in (await member.see("/connect/mapping"), await member.fill("/connect/mapping", chosen)):
        assert "does not answer" in words(page)
        assert "Nothing is lost" in words(page)
    page = await member.fill("/connect/mapping/preview", chosen)
    assert "The preview cannot be made right now" in words(page)
    place.town.down.clear()
    assert (await member.fill("/connect/mapping", chosen)).url.path == "/connect/review"


@pytest.mark.parametrize(
    ("name", "button", "fields"),
    [("", "Push", {"name"}), ("Fine", "", {"button"}), ("x" * 101, "elevenchars", {"name", "button"})],
)
async def test_names_are_checked_before_anything_is_made(place, member, name, button, fields):
    await to_review(member)
    page = await member.send("/connect/review", name=name, button=button)

    assert page.status_code == 422
    assert {each for each in ("name", "button") if f'id="e-{each}"' in page.text} == fields
    assert inputs(page)["name"] == name
    async with place.storage.begin() as uow:
        assert not await uow.integrations.list_all()


async def test_the_review_says_what_will_be_made_and_proposes_names(member):
    page = await to_review(member)

    assert inputs(page)["name"] == "demo/roadmap"
    assert inputs(page)["button"] == "GitLab"
    for part in (
        "A column in Productboard",
        "A webhook in Productboard",
        "A webhook in GitLab",
        "gitlab.example.com",
    ):
        assert part in words(page)
    assert "https://keepstep.example.org" in words(page)
