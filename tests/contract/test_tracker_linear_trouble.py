"""Linear's adapter on a Linear in memory: webhooks and their deliveries, and every kind of trouble."""

import json
import time
from datetime import timedelta

import pytest

from contract.linear_cloud import ADMIN, MEMBER
from contract.linear_world import HOOK, SECRET, linear_world
from contract.tracker_contract import draft
from keepstep.adapters.trackers.linear.failures import read_problem, read_status, read_wait
from keepstep.domain.ticket import TicketChanges
from keepstep.ports.errors import (
    AuthLostError,
    NotGenuineError,
    NotThereError,
    RateLimitedError,
    RejectedError,
    StaleError,
    TransientError,
    UnexpectedReplyError,
)
from keepstep.ports.registrations import HookState


@pytest.fixture
async def world():
    async with linear_world() as made:
        yield made


def errors(message, code=None, shown=None, **more):
    extensions = {"code": code, "userPresentableMessage": shown, **more}
    kept = {name: value for name, value in extensions.items() if value is not None}
    return {"errors": [{"message": message, "extensions": kept}], "data": None}


class TestHooks:
    async def test_the_hook_asks_for_issues_of_the_team_alone_with_our_secret(self, world):
        facts = await world.open().notifications.ensure_hook(world.team, HOOK, SECRET)
        assert facts.signed
        assert world.cloud.hooks[facts.id] == {
            "id": facts.id, "failures": [], "url": HOOK, "secret": SECRET, "resourceTypes": ["Issue"],
            "label": "Keepstep", "enabled": True, "teamId": world.team,
        }  # fmt: skip

    async def test_what_the_hook_delivers_is_proven_and_read(self, world):
        tracker = world.open()
        facts = await tracker.notifications.ensure_hook(world.team, HOOK, SECRET)
        ticket = await tracker.tickets.create_ticket(world.team, draft())
        world.cloud.edit(ticket.ref.id, title="By a person")
        world.cloud.move(ticket.ref.id, world.cloud.web)
        world.cloud.edit(ticket.ref.id, title="Where no webhook of ours is")
        world.cloud.move(ticket.ref.id, world.cloud.eng)
        world.cloud.trash(ticket.ref.id)
        world.cloud.trash(ticket.ref.id, trashed=False)
        world.cloud.remove(ticket.ref.id)
        wire = world.outside.tracker_wire("linear")
        notices = [
            wire.read_notification(each.headers, each.content, SECRET, signed=facts.signed)[0]
            for each in world.cloud.deliveries
        ]
        assert {each.ticket for each in notices} == {ticket.ref.id}
        assert [each.deleted for each in notices] == [False, False, False, False, True, False, True]
        assert len({each.delivery_id for each in notices}) == 7
        assert notices[1].actor == "mo"
        request = world.cloud.deliveries[0]
        with pytest.raises(NotGenuineError):
            wire.read_notification(request.headers, request.content + b" ", SECRET, signed=True)

    async def test_a_hook_tells_how_it_is_and_is_mended(self, world):
        notifications = world.open().notifications
        facts = await notifications.ensure_hook(world.team, HOOK, SECRET)
        hook = world.cloud.hooks[facts.id]
        assert (await notifications.inspect_hook(world.team, facts.id, HOOK)).state is HookState.FINE
        elsewhere = await notifications.inspect_hook(world.team, facts.id, "https://new.example/hook")
        assert (elsewhere.state, elsewhere.detail) == (HookState.ELSEWHERE, HOOK)
        hook["enabled"] = False
        hook["failures"] = [
            {"createdAt": "2026-11-24T09:00:00.000Z", "httpStatus": None, "responseOrError": "timeout"},
            {"createdAt": "2026-11-24T08:00:00.000Z", "httpStatus": 204.0, "responseOrError": ""},
        ]
        report = await notifications.inspect_hook(world.team, facts.id, HOOK)
        assert report.state is HookState.DISABLED
        assert "timeout" in report.detail
        assert await notifications.ensure_hook(world.team, HOOK, "another secret") == facts
        assert (world.cloud.hooks[facts.id]["enabled"], world.cloud.hooks[facts.id]["secret"]) == (
            True, "another secret",
        )  # fmt: skip
        hidden = await world.open(MEMBER).notifications.inspect_hook(world.team, facts.id, HOOK)
        assert hidden.state is HookState.UNKNOWN
        await notifications.remove_hook(world.team, facts.id)
        assert (await notifications.inspect_hook(world.team, facts.id, HOOK)).state is HookState.MISSING

    async def test_our_hook_is_found_behind_a_hundred_others(self, world):
        for number in range(119):
            key = f"other-{number}"
            world.cloud.hooks[key] = {"id": key, "url": f"{HOOK}/{key}", "enabled": True}
        notifications = world.open().notifications
        first = await notifications.ensure_hook(world.team, HOOK, SECRET)
        assert await notifications.ensure_hook(world.team, HOOK, SECRET) == first
        assert len(world.cloud.hooks) == 120

    async def test_without_an_admins_key_it_is_for_a_person_to_make(self, world):
        tracker = world.open(MEMBER)
        with pytest.raises(RejectedError, match="admin's key") as caught:
            await tracker.notifications.ensure_hook(world.team, HOOK, SECRET)
        assert caught.value.status == 403
        steps = world.outside.hook_steps("linear", HOOK, SECRET)
        assert [(each.value, each.is_secret) for each in steps if each.value] == [
            (HOOK, False),
            (SECRET, True),
        ]


class TestLinearInTrouble:
    @pytest.mark.parametrize(
        ("status", "body", "error", "doubt"),
        [
            (401, errors("no", "AUTHENTICATION_ERROR"), AuthLostError, False),
            (400, errors("no", "AUTHENTICATION_ERROR"), AuthLostError, False),
            (200, errors("no", type="authentication error"), AuthLostError, False),
            (200, errors("no", "FORBIDDEN"), RejectedError, False),
            (403, {}, RejectedError, False),
            (200, errors("Entity not found: Issue", "INPUT_ERROR"), NotThereError, False),
            (400, errors("Entity not found: Issue - Could not find referenced Issue."), NotThereError, False),
            (200, errors("conflict on insert of Issue", "INPUT_ERROR"), StaleError, False),
            (400, errors("x", "INPUT_ERROR", "title is odd"), RejectedError, False),
            (200, errors("x", "INVALID_INPUT", "title is odd"), RejectedError, False),
            (400, errors("slow down", "RATELIMITED"), RateLimitedError, False),
            (429, {}, RateLimitedError, False),
            (200, errors("oh", "INTERNAL_SERVER_ERROR"), TransientError, True),
            (200, errors("something new"), TransientError, True),
            (200, errors("something new", statusCode=422), RejectedError, False),
            (500, {}, TransientError, True),
            (502, "<html>Whoops</html>", TransientError, True),
            (None, None, TransientError, True),
            (404, "<html>no API here</html>", UnexpectedReplyError, False),
            (200, "<html>Sign in</html>", UnexpectedReplyError, True),
            (200, '{"data": {"issueUpdate"', UnexpectedReplyError, True),
            (200, {"data": None}, UnexpectedReplyError, True),
            (200, {"data": {"issueUpdate": {"success": False}}}, UnexpectedReplyError, True),
            (
                200,
                {"data": {"issueUpdate": {"success": True, "issue": {"id": "x"}}}},
                UnexpectedReplyError,
                True,
            ),
        ],
    )
    async def test_each_kind_of_trouble_has_its_error_without_the_key(
        self, world, status, body, error, doubt
    ):
        tickets = world.open().tickets
        ticket = await tickets.create_ticket(world.team, draft())
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        headers = {"Retry-After": "7"} if error is RateLimitedError else {}
        if error is NotThereError:
            world.cloud.remove(ticket.ref.id)
        world.fail("UpdateIssue", status=status or 200, content=content, headers=headers, drop=status is None)
        with pytest.raises(error) as caught:
            await tickets.write_ticket(ticket.ref, TicketChanges(title="A"))
        assert type(caught.value) is error
        assert caught.value.doubt is doubt
        assert "Linear" in str(caught.value)
        assert ADMIN not in f"{caught.value} {caught.value!r}"
        if error is RateLimitedError:
            assert caught.value.retry_after == timedelta(seconds=7)
        if "odd" in str(caught.value):
            assert caught.value.field == "title"

    async def test_a_team_out_of_sight_is_not_there(self, world):
        tracker = world.open()
        world.cloud.teams.clear()
        with pytest.raises(NotThereError, match="may not see it"):
            await tracker.account.list_statuses(world.team)
        with pytest.raises(NotThereError):
            await tracker.account.get_project(world.team)

    async def test_a_title_too_long_is_rejected_by_its_field(self, world):
        with pytest.raises(RejectedError, match="255") as caught:
            await world.open().tickets.create_ticket(world.team, draft("x" * 256))
        assert caught.value.field == "title"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x-ratelimit-requests-remaining": "9", "x-ratelimit-requests-reset": "{20}"}, None),
        ({"x-ratelimit-requests-remaining": "0", "x-ratelimit-requests-reset": "{20}"}, 20),
        ({"x-ratelimit-requests-reset": "{20}"}, 20),
        (
            {
                "x-complexity": "500",
                "x-ratelimit-complexity-remaining": "499",
                "x-ratelimit-complexity-reset": "{9}",
            },
            9,
        ),
        (
            {
                "x-complexity": "5",
                "x-ratelimit-complexity-remaining": "499",
                "x-ratelimit-complexity-reset": "{9}",
            },
            None,
        ),
        ({"x-ratelimit-requests-reset": "{20}", "x-ratelimit-complexity-reset": "{60}"}, 60),
        ({"x-ratelimit-requests-reset": "soon"}, None),
        ({"x-ratelimit-requests-reset": "9" * 40}, None),
    ],
)
def test_the_wait_is_that_of_the_emptiest_bucket(headers, seconds):
    now = time.time()
    filled = {
        name: str(int((now + int(value[1:-1])) * 1000)) if value.startswith("{") else value
        for name, value in headers.items()
    }
    wait = read_wait(filled)
    assert wait is None if seconds is None else abs(wait.total_seconds() - seconds) < 2


@pytest.mark.parametrize(
    "body",
    [None, "", "text", [], 7, {}, {"errors": []}, {"errors": None}, {"errors": {}}, {"data": {}}],
)
def test_what_tells_no_error_is_taken_as_it_was_sent(body):
    assert [read_status(status, body) for status in (200, 502)] == [200, 502]
    read_problem(200, body)


@pytest.mark.parametrize(
    "error",
    [
        "words",
        None,
        {},
        {"message": None},
        {"extensions": "odd"},
        {"extensions": {"code": 7, "statusCode": "x"}},
    ],
)
def test_errors_of_no_known_shape_are_the_servers(error):
    assert read_status(200, {"errors": [error]}) == 500
    read_problem(200, {"errors": [error]})
