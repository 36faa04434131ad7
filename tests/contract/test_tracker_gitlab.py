"""GitLab's adapter on the emulator: the contract of every Tracker, and what only GitLab has."""

from datetime import UTC, datetime, timedelta

import pytest

from contract.gitlab_world import DOING, HOOK, PROJECT, SECRET, TOKEN, URL, gitlab_world
from contract.tracker_contract import TrackerContract, draft
from keepstep.domain.ids import marker_of
from keepstep.domain.ticket import TicketChanges
from keepstep.ports.errors import (
    AuthLostError,
    NotThereError,
    RejectedError,
    TransientError,
)


@pytest.fixture
async def world():
    async with gitlab_world() as made:
        yield made


class TestGitTab(TrackerContract):
    project = PROJECT
    unknown_project = "4711"

    @pytest.fixture
    def tracker(self, world):
        return world.open()


class TestGitLabKind(TestGitTab):
    """The same code under the other name."""

    @pytest.fixture
    def tracker(self, world):
        return world.open(kind="gitlab")


class TestStatusesByLabels:
    async def test_statuses_stand_in_the_order_of_work_under_short_names(self, world):
        statuses = await world.open().account.list_statuses(PROJECT)
        assert [(each.id, each.name, each.category) for each in statuses] == [
            ("opened", "Open", "todo"),
            ("label:workflow::ready", "ready", "doing"),
            (DOING, "doing", "doing"),
            ("label:workflow::review", "review", "doing"),
            ("closed", "Closed", "done"),
        ]
        twins = await world.open(labels=("a::doing", "b::doing")).account.list_statuses(PROJECT)
        assert [each.name for each in twins] == ["Open", "a::doing", "b::doing", "Closed"]

    @pytest.mark.parametrize(
        ("state", "labels", "status"),
        [
            ("opened", ["bug"], "opened"),
            ("opened", ["workflow::review", "bug", "workflow::doing"], DOING),
            ("closed", ["workflow::doing"], "closed"),
        ],
    )
    async def test_closed_wins_then_the_first_label_in_the_settings_order(self, world, state, labels, status):
        made = world.seed(issues=[{"title": "A", "labels": labels, "state": state}])["issues"][0]
        found = await world.open().tickets.find_by_address(PROJECT, str(made["iid"]))
        assert found.status.id == status

    async def test_a_status_label_replaces_the_others_and_leaves_foreign_ones(self, world):
        tickets = world.open().tickets
        ticket = await tickets.create_ticket(PROJECT, draft(status=DOING, defaults={"labels": ("bug",)}))
        assert sorted(ticket.labels) == ["bug", "workflow::doing"]
        world.sandbox.journal.clear()
        after = await tickets.write_ticket(ticket.ref, TicketChanges(status="label:workflow::review"))
        assert sorted(after.labels) == ["bug", "workflow::review"]
        assert [each["method"] for each in world.asked()] == ["PUT"]
        assert world.asked("PUT")[0]["request_body"] == {
            "state_event": "reopen",
            "add_labels": "workflow::review",
            "remove_labels": "workflow::ready,workflow::doing",
        }

    async def test_closing_leaves_the_labels_and_opening_takes_them_away(self, world):
        tickets = world.open().tickets
        ticket = await tickets.create_ticket(PROJECT, draft(status=DOING))
        closed = await tickets.write_ticket(ticket.ref, TicketChanges(status="closed"))
        assert (closed.status.id, closed.labels) == ("closed", ("workflow::doing",))
        doing = await tickets.write_ticket(ticket.ref, TicketChanges(status=DOING))
        assert doing.status.id == DOING
        opened = await tickets.write_ticket(ticket.ref, TicketChanges(status="opened"))
        assert (opened.status.id, opened.labels) == ("opened", ())

    async def test_reopening_what_is_open_tells_nobody_anything(self, world):
        tracker = world.open()
        ticket = await tracker.tickets.create_ticket(PROJECT, draft(status=None))
        await tracker.notifications.ensure_hook(PROJECT, HOOK, SECRET)
        after = await tracker.tickets.write_ticket(ticket.ref, TicketChanges(status="opened"))
        assert after == ticket
        assert await world.sandbox.delivery.idle(0, 2)
        assert world.deliveries == []

    async def test_a_status_that_is_not_configured_is_rejected_before_anything_is_made(self, world):
        tickets = world.open(labels=()).tickets
        with pytest.raises(RejectedError, match="workflow::doing is not among") as caught:
            await tickets.create_ticket(PROJECT, draft(status=DOING))
        assert caught.value.field == "status"
        assert world.asked("POST") == []

    async def test_a_ticket_can_be_created_closed(self, world):
        ticket = await world.open().tickets.create_ticket(PROJECT, draft(status="closed"))
        assert ticket.status.id == "closed"

    async def test_a_ticket_that_could_not_be_closed_after_all_is_in_doubt_not_lost(self, world):
        world.fail("PUT /api/v4/*", status=500)
        tickets = world.open().tickets
        with pytest.raises(TransientError) as caught:
            await tickets.create_ticket(PROJECT, draft(status="closed"))
        assert caught.value.doubt
        assert len(await tickets.find_by_marker(PROJECT, draft().marker)) == 1


class TestFinding:
    async def test_a_lost_answer_to_a_create_is_found_by_the_marker(self, world):
        tickets = world.open().tickets
        world.fail("POST /api/v4/projects/*/issues", drop=True, when="after")
        with pytest.raises(TransientError) as caught:
            await tickets.create_ticket(PROJECT, draft())
        assert caught.value.doubt
        found = await tickets.find_by_marker(PROJECT, draft().marker)
        assert [each.title for each in found] == [draft().title]

    async def test_a_longer_word_that_begins_like_the_marker_is_not_it(self, world):
        marker = marker_of("0" * 32)
        world.seed(
            issues=[{"title": "A", "description": f"x {marker}ff"}, {"title": "B", "description": marker}]
        )
        found = await world.open().tickets.find_by_marker(PROJECT, marker)
        assert [each.title for each in found] == ["B"]

    @pytest.mark.parametrize(
        ("address", "found"),
        [
            ("http://127.0.0.1:8082/demo/roadmap/-/issues/1", True),
            ("http://127.0.0.1:8082/demo/roadmap/issues/1?x=1#note_4", True),
            ("http://127.0.0.1:8082/Demo/Roadmap/-/work_items/1", True),
            ("#1", True),
            (" 1 ", True),
            ("demo/roadmap#1", True),
            ("http://127.0.0.1:8082/demo/mobile/-/issues/1", False),
            ("https://elsewhere.example/demo/roadmap/-/issues/1", False),
            ("other/roadmap#1", False),
            ("#99999", False),
            ("http://127.0.0.1:8082/demo/roadmap", False),
            ("https://[broken", False),
            ("one", False),
            ("", False),
        ],
    )
    async def test_pasted_addresses(self, world, address, found):
        ticket = await world.open().tickets.find_by_address(PROJECT, address)
        assert (ticket.ref.key if ticket else None) == ("1" if found else None)

    async def test_a_move_is_followed_by_the_marker(self, world):
        tickets = world.open().tickets
        before = await tickets.create_ticket(PROJECT, draft())
        await world.person("POST", f"/projects/1/issues/{before.ref.key}/move", {"to_project_id": 2})
        moved = await tickets.find_by_address("2", str((await _newest(world, 2))["iid"]))
        assert await tickets.fetch_ticket(before.ref) == moved
        assert (moved.ref.project, moved.status.id) == ("2", "opened")

    async def test_a_move_without_a_marker_leaves_a_stub_that_says_where_to(self, world):
        made = world.seed(issues=[{"title": "Goes away"}])["issues"][0]
        tickets = world.open().tickets
        before = await tickets.find_by_address(PROJECT, str(made["iid"]))
        await world.person("POST", f"/projects/1/issues/{made['iid']}/move", {"to_project_id": 2})
        stub = await tickets.fetch_ticket(before.ref)
        assert stub.status.id == "closed"
        moved = await tickets.find_by_address("2", str((await _newest(world, 2))["iid"]))
        assert stub.moved_to == moved.ref.id

    async def test_another_issue_under_the_same_number_is_not_ours(self, world):
        tickets = world.open().tickets
        ticket = await tickets.create_ticket(PROJECT, draft())
        world.sandbox.emulator.state.issues[int(ticket.ref.id)].id = 999_999
        with pytest.raises(NotThereError):
            await tickets.fetch_ticket(ticket.ref)

    async def test_changes_are_all_found_at_page_borders_within_one_moment(self, world):
        made = world.seed(issues=[{"title": f"T{n}"} for n in range(330)])["issues"]
        issues = [world.sandbox.emulator.state.issues[each["id"]] for each in made]
        start = datetime.now(UTC) + timedelta(hours=1)
        for number, issue in enumerate(issues):
            # A border in the middle of a run of 30, and a run of 150 that is longer than a page.
            tick = number // 30 if number < 90 else (90 if number < 240 else number)
            moment = start + timedelta(milliseconds=tick)
            issue.updated_at = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        found = [each async for each in world.open().tickets.iter_changed(PROJECT, start)]
        assert {each.ref.id for each in found} == {str(each.id) for each in issues}
        assert len(found) == 330
        assert [each.updated_at for each in found] == sorted(each.updated_at for each in found)
        assert len(world.asked("GET")) <= 6


async def _newest(world, project):
    answer = await world.person("GET", f"/projects/{project}/issues?order_by=created_at&sort=desc")
    return answer.json()[0]


class TestComments:
    async def test_a_comment_quotes_without_calling_anybody_or_acting(self, world):
        tickets = world.open().tickets
        ticket = await tickets.create_ticket(PROJECT, draft())
        await tickets.ensure_comment(ticket.ref, "/close\n\n/label ~bug said @amara about #1", draft().marker)
        after = await tickets.fetch_ticket(ticket.ref)
        assert (after.status.id, after.labels) == ("opened", ())
        notes = (await world.person("GET", f"/projects/1/issues/{ticket.ref.key}/notes")).json()
        body = next(each["body"] for each in notes if draft().marker in each["body"])
        assert "\\@amara" in body
        assert "\\#1" in body

    async def test_a_comment_is_found_behind_a_hundred_others(self, world):
        tickets = world.open().tickets
        ticket = await tickets.create_ticket(PROJECT, draft())
        await tickets.ensure_comment(ticket.ref, "Unlinked.", "keepstep-key")
        for number in range(101):
            await world.person("POST", f"/projects/1/issues/{ticket.ref.key}/notes", {"body": f"n{number}"})
        world.sandbox.journal.clear()
        await tickets.ensure_comment(ticket.ref, "Unlinked.", "keepstep-key")
        assert world.asked("POST") == []


class TestAccountOfGitLab:
    async def test_the_token_tells_user_version_and_expiry(self, world):
        facts = await world.open().account.verify()
        assert facts.user
        assert facts.version
        assert facts.missing == ()
        assert datetime.fromisoformat(facts.expires_on).date() > datetime.now(UTC).date()

    async def test_a_token_that_may_only_read_is_told_its_scope(self, world):
        world.seed(tokens=[{"token": "reads-only-token", "scopes": ["read_api"]}])
        tracker = world.open("reads-only-token")
        assert "api" in (await tracker.account.verify()).missing[0]
        with pytest.raises(RejectedError, match='the scope "api"') as caught:
            await tracker.tickets.create_ticket(PROJECT, draft())
        assert caught.value.status == 403

    async def test_a_role_too_low_for_hooks_is_told_which_it_takes(self, world):
        world.seed(tokens=[{"token": "reporter-token-1", "role": "reporter"}])
        with pytest.raises(RejectedError, match="role Maintainer"):
            await world.open("reporter-token-1").notifications.ensure_hook(PROJECT, HOOK, SECRET)

    @pytest.mark.parametrize("expired", [True, False])
    async def test_a_token_that_is_over_is_lost_on_its_side(self, world, expired):
        world.seed(tokens=[{"token": "soon-over-token", "expires_at": "2020-01-01" if expired else None}])
        if not expired:
            world.seed(revoke_tokens=["soon-over-token"])
        with pytest.raises(AuthLostError, match="paste a new one") as caught:
            await world.open("soon-over-token").account.verify()
        assert caught.value.side == "tracker"

    async def test_projects_are_found_by_path_best_match_first(self, world):
        for number in range(3):
            world.seed(
                projects=[
                    {"path": f"other/roadmap-{number}", "members": {"project_1_bot_7f3c9e": "reporter"}}
                ]
            )
        projects = await world.open().account.list_projects("demo/roadmap")
        assert projects[0].name == "demo/roadmap"
        assert projects[0].id == "1"

    async def test_a_project_without_issues_or_archived_is_rejected_with_the_reason(self, world):
        bot = {"project_1_bot_7f3c9e": "maintainer"}
        made = world.seed(
            projects=[
                {"path": "demo/off", "issues_enabled": False, "members": bot},
                {"path": "demo/old", "archived": True, "members": bot},
            ]
        )["projects"]
        account = world.open().account
        for project, word in zip(made, ("switched off", "archived"), strict=True):
            with pytest.raises(RejectedError, match=word) as caught:
                await account.get_project(str(project["id"]))
            assert caught.value.field == "project"

    @pytest.mark.parametrize("base", [URL, f"{URL}/", f"{URL}/api/v4", f"{URL}/api/v4/"])
    async def test_the_address_is_taken_with_and_without_the_apis_path(self, world, base):
        tracker = world.outside.open_tracker("gitlab", base, TOKEN, {})
        assert (await tracker.account.get_project("demo/roadmap")).id == "1"
