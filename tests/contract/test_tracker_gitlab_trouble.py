"""GitLab's adapter on the emulator: hooks and their deliveries, and every kind of trouble."""

import json
from datetime import timedelta

import pytest

from contract.gitlab_world import HOOK, PROJECT, SECRET, TOKEN, gitlab_world
from contract.tracker_contract import draft
from keepstep.domain.ids import TicketId
from keepstep.domain.ticket import TicketChanges
from keepstep.ports.errors import (
    AuthLostError,
    NotGenuineError,
    NotThereError,
    OutsideError,
    RateLimitedError,
    RejectedError,
    StaleError,
    TransientError,
    UnexpectedReplyError,
)


@pytest.fixture
async def world():
    async with gitlab_world() as made:
        yield made


class TestHooks:
    async def test_the_hook_asks_for_issues_alone_with_both_secrets(self, world):
        facts = await world.open().notifications.ensure_hook(PROJECT, HOOK, SECRET)
        assert facts.signed
        sent = world.asked("POST")[0]["request_body"]
        assert (sent["push_events"], sent["issues_events"], sent["confidential_issues_events"]) == (
            False,
            True,
            True,
        )
        shown = json.dumps((await world.person("GET", "/projects/1/hooks")).json())
        assert '"push_events": false' in shown

    async def test_what_the_hook_delivers_is_proven_and_read(self, world):
        tracker = world.open()
        facts = await tracker.notifications.ensure_hook(PROJECT, HOOK, SECRET)
        ticket = await tracker.tickets.create_ticket(PROJECT, draft())
        await world.person("PUT", f"/projects/1/issues/{ticket.ref.key}", {"title": "By a person"})
        await world.person("DELETE", f"/projects/1/issues/{ticket.ref.key}")
        assert await world.sandbox.delivery.idle(0, 2)
        wire = world.outside.tracker_wire("gittab")
        notices = [
            wire.read_notification(each.headers, each.content, SECRET, signed=facts.signed)[0]
            for each in world.deliveries
        ]
        assert {each.ticket for each in notices} == {TicketId(ticket.ref.id)}
        assert [each.deleted for each in notices] == [False, False, True]
        assert len({each.delivery_id for each in notices}) == 3
        assert notices[1].actor == "Vera Visitor"
        request = world.deliveries[0]
        with pytest.raises(NotGenuineError):
            wire.read_notification(request.headers, request.content + b" ", SECRET, signed=True)

    async def test_a_hook_that_was_switched_off_is_revived(self, world):
        notifications = world.open().notifications
        facts = await notifications.ensure_hook(PROJECT, HOOK, SECRET)
        world.sandbox.emulator.state.hooks[int(facts.id)].failures = 40
        assert await _alert_status(world, facts.id) == "disabled"
        await notifications.ensure_hook(PROJECT, HOOK, SECRET)
        assert await _alert_status(world, facts.id) == "executable"

    async def test_an_address_that_the_server_refuses_is_told_with_its_cure(self, world):
        with pytest.raises(RejectedError, match="local network") as caught:
            await world.open().notifications.ensure_hook(PROJECT, "http://127.0.0.1:8080/hooks", SECRET)
        assert caught.value.field == "public_url"


async def _alert_status(world, hook):
    return (await world.person("GET", f"/projects/1/hooks/{hook}")).json()["alert_status"]


class TestGitLabInTrouble:
    @pytest.mark.parametrize(
        ("rule", "error", "doubt"),
        [
            ({"status": 401, "body": {"message": "401 Unauthorized"}}, AuthLostError, False),
            ({"status": 403, "body": {"message": "403 Forbidden"}}, RejectedError, False),
            ({"status": 404, "body": {"message": "404 Not found"}}, NotThereError, False),
            ({"status": 409}, StaleError, False),
            ({"status": 412}, StaleError, False),
            ({"status": 422, "body": {"message": {"title": ["is odd"]}}}, RejectedError, False),
            (
                {"status": 429, "body": "Retry later", "headers": {"Retry-After": "7"}},
                RateLimitedError,
                False,
            ),
            ({"status": 500}, TransientError, True),
            ({"status": 502, "body": "<html>Whoops</html>"}, TransientError, True),
            ({"drop": True}, TransientError, True),
            ({"status": 200, "body": "<html>Sign in</html>"}, UnexpectedReplyError, True),
            ({"status": 200, "body": '{"id": 84, "iid"'}, UnexpectedReplyError, True),
            ({"status": 200, "body": {"id": 84}}, UnexpectedReplyError, True),
        ],
    )
    async def test_each_kind_of_trouble_has_its_error_without_the_token(self, world, rule, error, doubt):
        tickets = world.open().tickets
        ticket = await tickets.create_ticket(PROJECT, draft())
        world.fail(**rule)
        with pytest.raises(error) as caught:
            await tickets.write_ticket(ticket.ref, TicketChanges(title="A"))
        assert type(caught.value) is error
        assert caught.value.doubt is doubt
        assert "GitTab" in str(caught.value)
        assert TOKEN not in f"{caught.value} {caught.value!r}"
        if error is RateLimitedError:
            assert caught.value.retry_after == timedelta(seconds=7)
        if rule.get("status") == 422:
            assert caught.value.field == "title"
            assert "is odd" in str(caught.value)

    async def test_a_slow_create_is_given_up_in_doubt(self):
        async with gitlab_world(total_seconds=0.2) as world:
            world.fail("POST /api/v4/*", delay_s=5, when="after")
            with pytest.raises(TransientError) as caught:
                await world.open().tickets.create_ticket(PROJECT, draft())
            assert caught.value.doubt
            assert len(await world.open().tickets.find_by_marker(PROJECT, draft().marker)) == 1

    async def test_a_project_out_of_sight_is_not_there(self, world):
        tickets = world.open().tickets
        ticket = await tickets.create_ticket(PROJECT, draft())
        world.seed(roles=[{"token": TOKEN, "project": 1, "role": "none"}])
        with pytest.raises(NotThereError, match="may not see it"):
            await tickets.fetch_ticket(ticket.ref)
        with pytest.raises(OutsideError):
            await world.open().account.get_project(PROJECT)

    async def test_a_write_that_is_ignored_shows_what_stands_there(self, world):
        tickets = world.open().tickets
        ticket = await tickets.create_ticket(PROJECT, draft())
        world.fail("PUT /api/v4/*", ignore_write=True)
        after = await tickets.write_ticket(ticket.ref, TicketChanges(title="Ignored"))
        assert after.title == draft().title
