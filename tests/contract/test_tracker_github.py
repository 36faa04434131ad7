"""GitHub's adapter on a GitHub in memory that is held against the vendor's description: the contract, and more."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from contract.github_cloud import READER
from contract.github_world import LABELS, PROJECT, github_world
from contract.tracker_contract import TrackerContract, draft
from keepstep.domain.ids import LinkId
from keepstep.domain.ticket import TicketChanges
from keepstep.ports.errors import NotThereError, RejectedError, TransientError


@pytest.fixture
async def world():
    async with github_world() as made:
        yield made


@pytest.fixture
def tickets(world):
    return world.open().tickets


class TestGitHub(TrackerContract):
    project = PROJECT
    unknown_project = "999"

    @pytest.fixture
    def tracker(self, world):
        return world.open()


class TestGitHubByLabels(TestGitHub):
    @pytest.fixture
    def tracker(self, world):
        return world.open(settings=LABELS)


class TestGitHubServer(TestGitHub):
    @pytest.fixture
    async def tracker(self):
        async with github_world(
            "https://git.acme.example", "https://git.acme.example/api/v3", "ghes-3.19-issues"
        ) as made:
            yield made.open()

    async def test_its_version_is_told_and_types_are_not_offered(self, tracker):
        assert (await tracker.account.verify()).version == "enterprise-server@3.19.0"
        fields = await tracker.account.list_fields(PROJECT, {})
        assert [each.name for each in fields.defaults] == ["labels", "assignee", "milestone"]


class TestStatuses:
    async def test_from_one_reason_to_another_the_way_leads_over_open(self, world, tickets):
        ticket = await tickets.create_ticket(PROJECT, draft(status="completed"))
        since = len(world.cloud.asked)
        after = await tickets.write_ticket(ticket.ref, TicketChanges(title="No", status="not_planned"))
        assert (after.status.id, after.title) == ("not_planned", "No")
        assert len(world.asked(since, "PATCH")) == 2

    async def test_an_issue_closed_without_a_reason_is_completed(self, world, tickets):
        issue = world.cloud.add_issue(world.cloud.web, "Old", state="closed")
        ticket = await tickets.find_by_address(PROJECT, f"#{issue['number']}")
        assert ticket.status.id == "completed"
        assert await tickets.write_ticket(ticket.ref, TicketChanges(status="completed")) == ticket

    async def test_a_label_takes_the_others_away_and_leaves_strange_ones(self, world):
        tickets = world.open(settings=LABELS).tickets
        ticket = await tickets.create_ticket(
            PROJECT, draft(status="label:doing", defaults={"labels": ("bug",)})
        )
        assert ticket.labels == ("bug", "doing")
        after = await tickets.write_ticket(ticket.ref, TicketChanges(status="label:review"))
        assert after.labels == ("bug", "review")
        closed = await tickets.write_ticket(ticket.ref, TicketChanges(status="completed"))
        assert (closed.labels, closed.status.name) == (("bug", "review"), "Completed")
        opened = await tickets.write_ticket(ticket.ref, TicketChanges(status="open"))
        assert (opened.labels, opened.status.id) == (("bug",), "open")

    async def test_labels_are_compared_without_their_case(self, world):
        tickets = world.open(settings=LABELS).tickets
        issue = world.cloud.add_issue(world.cloud.web, "Old", labels=[{"name": "Doing"}])
        ticket = await tickets.find_by_address(PROJECT, str(issue["number"]))
        assert ticket.status.id == "label:doing"
        assert await tickets.write_ticket(ticket.ref, TicketChanges(status="label:doing")) == ticket
        assert world.asked(method="POST") == []

    async def test_labels_mean_nothing_where_the_state_is_chosen(self, world):
        tracker = world.open(settings=LABELS | {"status_by": "state"})
        statuses = await tracker.account.list_statuses(PROJECT)
        assert [each.id for each in statuses] == ["open", "completed", "not_planned", "duplicate"]

    async def test_an_unknown_status_is_rejected_before_anything_is_written(self, world, tickets):
        with pytest.raises(RejectedError) as caught:
            await tickets.create_ticket(PROJECT, draft(status="label:doing"))
        assert caught.value.field == "status"
        assert world.cloud.issues == []


class TestCreating:
    async def test_defaults_go_along(self, world, tickets):
        fields = {each.name: each for each in (await world.open().account.list_fields(PROJECT, {})).defaults}
        assert fields["milestone"].choices == (("3", "Winter"),)
        assert [each[0] for each in fields["assignee"].choices] == ["ada", "mo"]
        assert [each[0] for each in fields["type"].choices] == ["Bug", "Feature"]
        chosen = {"labels": ("bug", "new"), "assignee": "mo", "milestone": "3", "type": "Feature"}
        ticket = await tickets.create_ticket(PROJECT, draft(defaults=chosen))
        (issue,) = world.cloud.issues
        assert ticket.labels == ("bug", "new")
        assert (issue["type"]["name"], issue["milestone"]["number"]) == ("Feature", 3)
        assert [each["login"] for each in issue["assignees"]] == ["mo"]

    async def test_who_may_set_no_labels_is_told_before_anything_is_made(self, world):
        tickets = world.open(READER).tickets
        with pytest.raises(RejectedError, match="role Triage"):
            await tickets.create_ticket(PROJECT, draft(defaults={"labels": ("bug",)}))
        assert world.cloud.issues == []
        await tickets.create_ticket(PROJECT, draft())

    async def test_what_is_left_out_in_silence_is_noticed_and_the_issue_found_again(self, world, tickets):
        with pytest.raises(RejectedError, match="left out its assignees") as caught:
            await tickets.create_ticket(PROJECT, draft(defaults={"assignee": "nobody"}))
        assert caught.value.doubt
        assert len(await tickets.find_by_marker(PROJECT, draft().marker)) == 1

    async def test_a_milestone_that_is_none_is_rejected(self, world, tickets):
        with pytest.raises(RejectedError) as caught:
            await tickets.create_ticket(PROJECT, draft(defaults={"milestone": "soon"}))
        assert caught.value.field == "milestone"
        assert world.cloud.issues == []

    async def test_a_lost_answer_is_found_by_the_list_never_by_search(self, world, tickets):
        world.fail("POST .*/issues$", drop=True, after=True)
        with pytest.raises(TransientError) as caught:
            await tickets.create_ticket(PROJECT, draft())
        assert caught.value.doubt
        world.cloud.lagging = 2
        assert await tickets.find_by_marker(PROJECT, draft().marker) == []
        assert len(await tickets.find_by_marker(PROJECT, draft().marker)) == 1
        assert not any("search" in each for each in world.asked())

    async def test_one_made_by_another_persons_token_is_found_too(self, world, tickets):
        world.cloud.add_issue(world.cloud.web, "T", "rita", body=f"x {draft().marker}")
        world.cloud.add_issue(world.cloud.web, "PR", body=draft().marker, pull_request={"url": "x"})
        world.cloud.add_issue(world.cloud.web, "Longer", body=draft().marker + "0")
        assert [each.title for each in await tickets.find_by_marker(PROJECT, draft().marker)] == ["T"]

    async def test_a_failure_after_the_create_leaves_it_in_doubt(self, world, tickets):
        world.fail("PATCH", status=502)
        with pytest.raises(TransientError) as caught:
            await tickets.create_ticket(PROJECT, draft(status="completed"))
        assert caught.value.doubt

    async def test_issues_that_are_switched_off_do_not_look_like_a_lost_repository(self, tickets):
        with pytest.raises(RejectedError, match="switched off"):
            await tickets.create_ticket("104", draft())

    async def test_a_title_that_is_too_long_is_the_titles_fault(self, tickets):
        with pytest.raises(RejectedError, match="title is too long") as caught:
            await tickets.create_ticket(PROJECT, draft("x" * 257))
        assert caught.value.field == "title"


class TestLife:
    async def test_a_transfer_is_followed_to_a_new_id_and_number(self, world, tickets):
        before = await tickets.create_ticket(PROJECT, draft())
        world.cloud.add_issue(world.cloud.api, "First there")
        world.cloud.transfer(world.cloud.issues[0], world.cloud.api)
        after = await tickets.fetch_ticket(before.ref)
        assert (after.ref.project, after.ref.key) == ("102", "2")
        assert after.ref.id != before.ref.id
        assert await tickets.list_tickets(PROJECT, [before.ref]) == []
        assert await tickets.find_by_address(PROJECT, before.ref.label) is None
        written = await tickets.write_ticket(before.ref, TicketChanges(title="There"))
        assert (written.ref.project, written.title) == ("102", "There")

    async def test_a_redirect_that_names_the_repository_is_followed_too_and_one_elsewhere_is_not(
        self, world, tickets
    ):
        before = await tickets.create_ticket(PROJECT, draft())
        there = world.cloud.add_issue(world.cloud.api, "There")
        place = f"repos/acme/api/issues/{there['number']}"
        world.fail("GET .*/issues/1$", 301, headers={"location": f"{world.cloud.root}/{place}"})
        world.fail(f"GET /{place}", 200, {k: v for k, v in there.items() if k != "at"})
        assert (await tickets.fetch_ticket(before.ref)).ref.project == "102"
        world.fail(
            "GET .*/issues/1$", 301, headers={"location": "https://evil.example/repositories/1/issues/1"}
        )
        with pytest.raises(Exception, match="another place"):
            await tickets.fetch_ticket(before.ref)

    async def test_deleted_is_not_there(self, world, tickets):
        ticket = await tickets.create_ticket(PROJECT, draft())
        world.cloud.delete(world.cloud.issues[0])
        with pytest.raises(NotThereError):
            await tickets.fetch_ticket(ticket.ref)
        with pytest.raises(NotThereError):
            await tickets.fetch_ticket(replace(ticket.ref, key="77"))

    async def test_another_issue_under_our_number_is_not_ours(self, tickets):
        ticket = await tickets.create_ticket(PROJECT, draft())
        with pytest.raises(NotThereError, match="Another issue"):
            await tickets.fetch_ticket(replace(ticket.ref, id="1"))

    @pytest.mark.parametrize(
        ("address", "found"),
        [
            ("https://github.com/acme/web/issues/1", True),
            ("github.com/Acme/Web/issues/1#issuecomment-7", True),
            ("https://www.github.com/acme/web/issues/1?x=y", True),
            ("acme/web#1", True),
            (" #1 ", True),
            ("https://github.com/acme/api/issues/1", False),
            ("https://elsewhere.example/acme/web/issues/1", False),
            ("https://github.com/acme/web/pull/1", False),
            ("acme/api#1", False),
            ("#2", False),
            ("#99", False),
            ("https://[broken", False),
            ("", False),
        ],
    )
    async def test_pasted_addresses(self, world, tickets, address, found):
        await tickets.create_ticket(PROJECT, draft())
        world.cloud.add_issue(world.cloud.web, "A pull request", pull_request={"url": "x"})
        ticket = await tickets.find_by_address(PROJECT, address)
        assert (ticket.ref.key if ticket else None) == ("1" if found else None)

    async def test_changes_are_all_found_at_page_borders_and_pull_requests_are_not_among_them(
        self, world, tickets
    ):
        for number in range(330):
            issue = world.cloud.add_issue(world.cloud.web, f"T{number}")
            if number % 50 == 0:
                issue["pull_request"] = {"url": "x"}
        same = world.cloud.issues[40]["updated_at"]
        for issue in world.cloud.issues[40:260]:  # more than two pages in one second
            issue["updated_at"] = same
        start = datetime.fromisoformat(world.cloud.issues[0]["updated_at"])
        since = len(world.cloud.asked)
        found = [each async for each in tickets.iter_changed(PROJECT, start + timedelta(milliseconds=300))]
        wanted = {str(each["id"]) for each in world.cloud.issues if not each.get("pull_request")}
        assert {each.ref.id for each in found} == wanted
        assert len(found) == len(wanted)
        assert len(world.asked(since)) <= 7

    async def test_what_changes_while_we_read_hides_nothing(self, world, tickets):
        made = [world.cloud.add_issue(world.cloud.web, f"T{number}") for number in range(220)]
        found = set()
        async for each in tickets.iter_changed(PROJECT, datetime.fromisoformat(made[0]["updated_at"])):
            found.add(each.ref.id)
            if len(found) == 100:
                world.cloud.edit(made[50], title="Moved on")
        assert found == {str(each["id"]) for each in made}


async def test_a_comment_calls_nobody_and_closes_nothing(world, tickets):
    ticket = await tickets.create_ticket(PROJECT, draft())
    await tickets.ensure_comment(ticket.ref, "# Fixes #12, says @mo", "key-1")
    await tickets.ensure_comment(ticket.ref, "Another", "key-2")
    first, second = (each["body"] for each in world.cloud.comments)
    assert first == "\\# Fixes #<!-- -->12, says @<!-- -->mo\n\n<!-- key-1 -->"
    assert second.startswith("Another")


async def test_markers_of_other_links_do_not_count(tickets):
    await tickets.create_ticket(PROJECT, draft(link=LinkId("b" * 32)))
    assert await tickets.find_by_marker(PROJECT, draft().marker) == []
