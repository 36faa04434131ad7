"""Trackers that ask for more: beside the token, for new tickets, and for a webhook that a person makes."""

from datetime import timedelta

import pytest
from walking import only_integration, words

from keepstep.domain.fields import Side

from outside_world import BOARD_TOKEN, BOARD_URL, TRACKER_TOKEN, TRACKER_URL, Place


@pytest.fixture
def place():
    return Place()


@pytest.fixture
async def member(place):
    visitor = await place.member()
    await visitor.send("/connect/productboard", board_url=BOARD_URL, board_token=BOARD_TOKEN)
    return visitor


async def account(member, email):
    return await member.fill(
        "/connect/tracker", {"kind": "cards", "tracker_token": TRACKER_TOKEN, "account.cards.email": email}
    )


async def to_mapping(member):
    await account(member, "ada@example.com")
    return await member.send("/connect/tracker/project", project="1")


async def connected(place, member):
    await to_mapping(member)
    await member.fill("/connect/mapping", {"default.type": "task"})
    await member.send("/connect/review", name="Roadmap", button="Cards")
    await place.work()
    return await only_integration(place)


async def test_what_a_kind_asks_beside_the_token_is_needed_and_goes_along(place, member):
    page = await account(member, "")
    assert page.status_code == 422
    assert "This is needed." in page.text
    page = await account(member, "somebody@example.com")
    assert "another e-mail" in page.text
    assert 'value="somebody@example.com"' in page.text
    page = await account(member, "ada@example.com")
    assert "as ada-bot" in words(page)
    made = await connected(place, member)
    assert made.tracker_settings["email"] == "ada@example.com"


async def test_the_rights_a_token_needs_are_listed(member):
    page = await member.see("/connect/tracker")
    assert "cards:write , to make tickets" in words(page)


async def test_what_the_chosen_type_requires_is_asked_for(place, member):
    page = await to_mapping(member)
    assert "Task" in page.text
    page = await member.fill("/connect/mapping", {"default.type": "bug"})
    assert page.status_code == 422
    assert "Severity" in page.text
    await member.fill("/connect/mapping", {"default.type": "bug", "default.field:severity": "high"})
    await member.send("/connect/review", name="Roadmap", button="Cards")
    await place.work()
    assert (await only_integration(place)).defaults == {"type": "bug", "field:severity": "high"}


async def test_a_choice_that_the_project_does_not_have_is_refused(member):
    await to_mapping(member)
    page = await member.fill("/connect/mapping", {"default.type": "epic"})
    assert page.status_code == 422
    assert "Choose one of the list." in page.text


async def test_a_new_token_may_belong_to_another_account(place, member):
    made = await connected(place, member)
    home = f"/integrations/{made.id}"
    wrong = {"tracker_token": TRACKER_TOKEN, "account.cards.email": "eve@example.com"}
    page = await member.fill(f"{home}/settings/token/tracker", wrong)
    assert "another e-mail" in page.text
    assert (await only_integration(place)).tracker_settings["email"] == "ada@example.com"
    page = await member.fill(
        f"{home}/settings/token/tracker", wrong | {"account.cards.email": "ada@example.com"}
    )
    assert "The new token works" in page.text


async def test_a_webhook_made_by_hand_is_explained_and_its_first_call_seen(place, member):
    made = await connected(place, member)
    home = f"/integrations/{made.id}"
    assert made.registrations.hook is None
    assert "Make the webhook" in (await member.see(home)).text
    page = await member.see(f"{home}/webhook")
    assert f"https://keepstep.example.org/hooks/tracker/{made.id}" in page.text
    assert f"entered {await place.vault.open(made.hook_secret)}" in page.text
    assert "No call yet" in page.text
    page = await member.fill(f"{home}/webhook/check", {})
    assert "No call came while we waited" in page.text
    async with place.storage.begin() as uow:
        await uow.inbox.count_unlinked(made.id, Side.TICKET, place.clock.now() - timedelta(minutes=1))
        await uow.commit()
    page = await member.fill(f"{home}/webhook/check", {})
    assert "The webhook works" in page.text
    assert "Make the webhook" not in (await member.see(home)).text


async def test_a_webhook_that_was_made_through_the_api_has_no_steps(place, member):
    await member.send(
        "/connect/tracker",
        kind="gitlab",
        tracker_url=TRACKER_URL,
        tracker_token=TRACKER_TOKEN,
    )
    await member.send("/connect/tracker/project", project="1")
    await member.fill("/connect/tracker/settings", {})
    await member.fill("/connect/mapping", {})
    await member.send("/connect/review", name="Roadmap", button="GitLab")
    await place.work()
    made = await only_integration(place)
    assert made.registrations.hook
    assert (await member.see(f"/integrations/{made.id}/webhook")).status_code == 404


async def test_a_status_that_is_hard_to_reach_says_so_where_the_map_is_drawn(member):
    page = await to_mapping(member)
    assert "Closed : only a lead may close cards." in words(page)
