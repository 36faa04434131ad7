"""GitHub's account, webhooks and refusals."""

from datetime import UTC, datetime, timedelta

import pytest

from contract.github_cloud import APP, CLASSIC, READER, STRANGER
from contract.github_world import HOOK, PROJECT, SECRET, github_world
from contract.tracker_contract import draft
from keepstep.adapters.trackers.github.client import api_root
from keepstep.ports.errors import (
    AuthLostError,
    RateLimitedError,
    RejectedError,
    UnexpectedReplyError,
)
from keepstep.ports.registrations import HookState


@pytest.fixture
async def world():
    async with github_world() as made:
        yield made


@pytest.mark.parametrize(
    ("base", "root"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://www.github.com", "https://api.github.com"),
        ("https://api.github.com", "https://api.github.com"),
        ("https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("https://api.acme.ghe.com", "https://api.acme.ghe.com"),
        ("https://git.acme.example", "https://git.acme.example/api/v3"),
        ("https://git.acme.example/api/v3", "https://git.acme.example/api/v3"),
        ("https://notgithub.com", "https://notgithub.com/api/v3"),
    ],
)
def test_the_address_of_pages_or_api_is_enough(base, root):
    assert api_root(base) == root


class TestAccount:
    async def test_the_day_on_which_the_token_ends_is_told(self, world):
        facts = await world.open().account.verify()
        assert (facts.user, facts.expires_on, facts.missing) == (
            world.cloud.person_like.get("name") or "ada",
            "2027-03-01",
            (),
        )

    async def test_what_a_token_lacks_is_said_in_words(self, world):
        (told,) = (await world.open(CLASSIC).account.verify()).missing
        assert "scope repo" in told
        (told,) = (await world.open(STRANGER).account.verify()).missing
        assert "sees no repository" in told

    async def test_an_apps_token_is_nobodys_and_works(self, world):
        tracker = world.open(APP)
        assert (await tracker.account.verify()).user == "GitHub App"
        assert [each.name for each in await tracker.account.list_projects()] == ["acme/web"]
        await tracker.tickets.create_ticket(PROJECT, draft())
        assert len(await tracker.tickets.find_by_marker(PROJECT, draft().marker)) == 1

    async def test_a_wrong_token_is_lost(self, world):
        with pytest.raises(AuthLostError, match="paste a new one") as caught:
            await world.open("github_pat_wrong-token").account.verify()
        assert caught.value.side == "tracker"

    async def test_repositories_are_offered_best_match_first_without_those_that_take_no_issues(self, world):
        world.cloud.repositories.append(
            world.cloud.web | {"id": 105, "full_name": "acme/webshop", "name": "webshop"}
        )
        account = world.open().account
        assert [each.name for each in await account.list_projects("WEB")] == ["acme/web", "acme/webshop"]
        assert len(await account.list_projects()) == 3
        assert await world.open(READER).account.list_projects() == []

    async def test_a_repository_is_found_by_its_name_and_by_a_former_one(self, world):
        account = world.open().account
        assert (await account.get_project("acme/web")).id == PROJECT
        assert (await account.get_project("acme/former")).name == "acme/web"

    @pytest.mark.parametrize(("project", "why"), [("103", "archived"), ("104", "switched off")])
    async def test_a_repository_that_takes_no_issues_is_rejected(self, world, project, why):
        with pytest.raises(RejectedError, match=why) as caught:
            await world.open().account.get_project(project)
        assert caught.value.field == "project"

    async def test_a_missing_permission_is_named(self, world):
        world.fail("POST .*/issues$", 403, {"message": "Resource not accessible by personal access token"})
        with pytest.raises(RejectedError, match="Issues: read and write"):
            await world.open().tickets.create_ticket(PROJECT, draft())

    async def test_redirects_without_end_are_no_answer(self, world):
        for _ in range(5):
            world.fail("GET", 301, headers={"location": f"{world.cloud.root}/repositories/101"})
        with pytest.raises(UnexpectedReplyError, match="again and again"):
            await world.open().account.get_project(PROJECT)


class TestLimits:
    @pytest.mark.parametrize("status", [403, 429])
    async def test_the_primary_limit_tells_when_it_ends_by_the_servers_clock(self, world, status):
        headers = {
            "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000900", "date": "Fri, 15 Jan 2027 08:10:00 GMT",
        }  # fmt: skip
        world.fail(
            "GET /user", status, {"message": "API rate limit exceeded for user ID 1."}, headers=headers
        )
        with pytest.raises(RateLimitedError) as caught:
            await world.open().account.verify()
        assert caught.value.retry_after == timedelta(seconds=300)

    @pytest.mark.parametrize(("headers", "seconds"), [({"retry-after": "90"}, 90), ({}, 60)])
    async def test_the_secondary_one_tells_it_or_a_minute_is_waited(self, world, headers, seconds):
        body = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
        world.fail("POST .*/issues$", 403, body, headers=headers)
        with pytest.raises(RateLimitedError) as caught:
            await world.open().tickets.create_ticket(PROJECT, draft())
        assert caught.value.retry_after == timedelta(seconds=seconds)
        assert not caught.value.doubt

    async def test_another_403_is_no_limit(self, world):
        world.fail("GET /repositories", 403, {"message": "Resource not accessible"})
        with pytest.raises(RejectedError):
            await world.open().account.get_project(PROJECT)


class TestHook:
    async def test_a_hook_asks_for_issues_alone_as_json_with_our_secret(self, world):
        facts = await world.open().notifications.ensure_hook(PROJECT, HOOK, SECRET)
        (hook,) = world.cloud.hooks
        assert facts.signed
        assert (hook["events"], hook["active"], hook["secret"]) == (["issues"], True, SECRET)
        assert hook["config"] == {
            "url": HOOK,
            "content_type": "json",
            "secret": "********",
            "insecure_ssl": "0",
        }

    async def test_who_is_no_admin_is_left_to_make_it_by_hand(self, world):
        with pytest.raises(RejectedError, match="Webhooks: read and write") as caught:
            await world.open(READER).notifications.ensure_hook(PROJECT, HOOK, SECRET)
        assert caught.value.status == 403

    async def test_a_hook_is_looked_at_and_mended(self, world):
        notifications = world.open().notifications
        made = await notifications.ensure_hook(PROJECT, HOOK, SECRET)
        (hook,) = world.cloud.hooks

        async def state():
            return (await notifications.inspect_hook(PROJECT, made.id, HOOK)).state

        assert await state() is HookState.FINE
        hook["last_response"] = {"code": 502, "status": "x", "message": "x"}
        assert "502" in (await notifications.inspect_hook(PROJECT, made.id, HOOK)).detail
        hook["active"] = False
        assert await state() is HookState.DISABLED
        assert await notifications.ensure_hook(PROJECT, HOOK, SECRET) == made
        assert await state() is HookState.FINE
        hook["config"]["url"] = "https://elsewhere.example"
        assert await state() is HookState.ELSEWHERE
        world.cloud.hooks.clear()
        assert await state() is HookState.MISSING

    async def test_what_failed_is_asked_for_again_once_each(self, world):
        notifications = world.open().notifications
        made = await notifications.ensure_hook(PROJECT, HOOK, SECRET)
        start = world.cloud.now + timedelta(seconds=1)
        issue = world.cloud.add_issue(world.cloud.web, "T")
        for _ in range(130):
            world.cloud.edit(issue)
        early, late, healed = (world.cloud.deliveries[at] for at in (0, 120, 125))
        for each in (early, late, healed):
            each["status_code"] = 502
        world.cloud.send(healed["hook"], healed["guid"], healed["body"], "edited", again=True)
        assert await notifications.ask_again(PROJECT, made.id, start) == 2
        assert [each["guid"] for each in world.cloud.deliveries[-2:]] == [late["guid"], early["guid"]]
        assert await notifications.ask_again(PROJECT, made.id, start) == 0
        late["status_code"] = world.cloud.deliveries[-2]["status_code"] = 0
        assert await notifications.ask_again(PROJECT, made.id, datetime.now(UTC) + timedelta(hours=1)) == 0
        assert await notifications.ask_again(PROJECT, made.id, start) == 1
