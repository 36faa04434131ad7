"""Linear's adapter on a Linear in memory that speaks by the vendor's schema: the contract, and what only it has."""

from datetime import UTC, datetime, timedelta

import pytest

from contract.linear_cloud import MEMBER, READER, checked, moment
from contract.linear_world import URL, linear_world
from contract.tracker_contract import TrackerContract, draft
from keepstep.adapters.trackers.linear import queries
from keepstep.adapters.trackers.linear.ids import id_of, issue_id
from keepstep.domain.ids import LinkId, marker_of
from keepstep.domain.ticket import TicketChanges
from keepstep.ports.errors import (
    AuthLostError,
    NotThereError,
    RejectedError,
    TransientError,
)

FEATURE = "https://acme.productboard.com/feature/1"


@pytest.fixture
async def world():
    async with linear_world() as made:
        yield made


@pytest.fixture
def tickets(world):
    return world.open().tickets


class TestLinear(TrackerContract):
    unknown_project = "0d9c6f0e-7a1b-4c55-9d57-1f2e3a4b5c6d"

    @pytest.fixture
    def tracker(self, world):
        self.project = world.team
        return world.open()

    async def test_a_ticket_is_found_by_its_marker_oldest_first(self, tracker):
        """Here there is never a second one: the marker is the id."""
        assert await tracker.tickets.find_by_marker(self.project, draft().marker) == []
        first = await tracker.tickets.create_ticket(self.project, draft())
        assert await tracker.tickets.create_ticket(self.project, draft("Again")) == first
        await tracker.tickets.create_ticket(self.project, draft(link=LinkId("a1" * 16)))
        assert await tracker.tickets.find_by_marker(self.project, draft().marker) == [first]

    async def test_several_tickets_are_read_at_once(self, tracker):
        made = [
            await tracker.tickets.create_ticket(self.project, draft(link=LinkId(digit * 32)))
            for digit in "abc"
        ]
        found = await tracker.tickets.list_tickets(self.project, [each.ref for each in made[:2]])
        assert {each.ref.id: each for each in found} == {each.ref.id: each for each in made[:2]}
        assert await tracker.tickets.list_tickets(self.project, []) == []


class TestStates:
    async def test_states_stand_in_the_order_of_work(self, world):
        world.cloud.add_state(world.cloud.eng, "Duplicate", "duplicate")
        world.cloud.add_state(world.cloud.eng, "Accepted", "started", 20)
        world.cloud.add_state(world.cloud.eng, "Odd", "a type of tomorrow")
        statuses = await world.open().account.list_statuses(world.team)
        assert [(each.name, each.category) for each in statuses] == [
            ("Odd", "todo"), ("Triage", "todo"), ("Backlog", "todo"), ("Todo", "todo"), ("In Progress", "doing"),
            ("In Review", "doing"), ("Accepted", "doing"), ("Done", "done"), ("Canceled", "dropped"),
            ("Duplicate", "dropped"),
        ]  # fmt: skip
        assert [each.name for each in statuses if each.note] == ["Duplicate"]

    async def test_a_state_of_another_team_is_rejected_as_the_status(self, world, tickets):
        ticket = await tickets.create_ticket(world.team, draft())
        theirs = world.cloud.state("Done", world.cloud.web)["id"]
        with pytest.raises(RejectedError, match="of another team") as caught:
            await tickets.write_ticket(ticket.ref, TicketChanges(status=theirs))
        assert caught.value.field == "status"

    async def test_a_state_that_is_gone_does_not_look_like_a_lost_ticket(self, world, tickets):
        ticket = await tickets.create_ticket(world.team, draft())
        with pytest.raises(RejectedError) as caught:
            await tickets.write_ticket(ticket.ref, TicketChanges(status=issue_id(draft().marker)))
        assert caught.value.field == "status"


class TestCreating:
    async def test_the_markers_digits_are_the_id(self, world, tickets):
        ticket = await tickets.create_ticket(
            world.team, draft(link=LinkId("0d9c6f0e7a1b4c559d571f2e3a4b5c6d"))
        )
        assert ticket.ref.id == "0d9c6f0e-7a1b-4c55-9d57-1f2e3a4b5c6d"
        assert issue_id("another word") == issue_id("another word") != issue_id("a word")
        assert id_of("a", "b") != id_of("ab", "")

    async def test_a_lost_answer_is_found_and_repeating_makes_no_second(self, world, tickets):
        world.fail("CreateIssue", drop=True, after=True)
        with pytest.raises(TransientError) as caught:
            await tickets.create_ticket(world.team, draft())
        assert caught.value.doubt
        (found,) = await tickets.find_by_marker(world.team, draft().marker)
        assert await tickets.create_ticket(world.team, draft("Another")) == found
        assert len(world.cloud.issues) == 1

    async def test_defaults_go_along_labels_by_their_names(self, world, tickets):
        fields = (await world.open().account.list_fields(world.team, {})).defaults
        choices = {each.name: each.choices for each in fields}
        chosen = {"labels": ("bug", "productboard"), "priority": "2"}
        chosen |= {name: choices[name][0][0] for name in ("assignee", "project")}
        ticket = await tickets.create_ticket(world.team, draft(defaults=chosen))
        assert ticket.labels == ("bug", "productboard")
        wanted = world.cloud.issues[ticket.ref.id]["wanted"]
        assert (wanted["priority"], wanted["assigneeId"], wanted["projectId"]) == (
            2, chosen["assignee"], chosen["project"],
        )  # fmt: skip
        assert (dict(choices["assignee"])[chosen["assignee"]], choices["project"][0][1]) == (
            "amara",
            "Exports",
        )

    @pytest.mark.parametrize(
        ("defaults", "field"), [({"labels": ("site",)}, "labels"), ({"priority": "9"}, "priority")]
    )
    async def test_a_default_that_is_not_the_teams_is_rejected_before_anything_is_made(
        self, world, tickets, defaults, field
    ):
        with pytest.raises(RejectedError, match="in the settings") as caught:
            await tickets.create_ticket(world.team, draft(defaults=defaults))
        assert caught.value.field == field
        assert world.cloud.issues == {}

    async def test_one_that_was_put_into_the_trash_is_neither_found_nor_made_again(self, world, tickets):
        ticket = await tickets.create_ticket(world.team, draft())
        world.cloud.trash(ticket.ref.id)
        assert await tickets.find_by_marker(world.team, draft().marker) == []
        with pytest.raises(RejectedError, match=r"ENG-1 .* trash\. Restore it"):
            await tickets.create_ticket(world.team, draft())


class TestMarks:
    async def test_the_link_back_is_one_attachment_with_our_marker(self, world, tickets):
        wanted = draft()
        wanted = type(wanted)(wanted.title, wanted.description, None, wanted.marker, {}, FEATURE)
        ticket = await tickets.create_ticket(world.team, wanted)
        await tickets.ensure_marks(ticket.ref, wanted.marker, FEATURE)
        (made,) = world.cloud.attachments.values()
        assert (made["url"], made["metadata"]) == (FEATURE, {"keepstep": wanted.marker})
        await tickets.ensure_marks(ticket.ref, marker_of(LinkId("b" * 32)), f"{FEATURE}2")
        for _ in range(2):
            await tickets.remove_marks(ticket.ref, wanted.marker)
        assert [each["url"] for each in world.cloud.attachments.values()] == [f"{FEATURE}2"]

    async def test_a_ticket_whose_mark_failed_is_in_doubt_not_lost(self, world, tickets):
        wanted = draft()
        wanted = type(wanted)(wanted.title, wanted.description, None, wanted.marker, {}, FEATURE)
        world.fail("Attach", status=502)
        with pytest.raises(TransientError) as caught:
            await tickets.create_ticket(world.team, wanted)
        assert caught.value.doubt
        assert len(await tickets.find_by_marker(world.team, wanted.marker)) == 1

    async def test_without_an_address_there_is_no_mark(self, world, tickets):
        await tickets.create_ticket(world.team, draft())
        assert world.asked() == ["CreateIssue"]

    async def test_the_marks_of_a_lost_ticket_count_as_removed(self, world, tickets):
        ticket = await tickets.create_ticket(world.team, draft())
        world.cloud.remove(ticket.ref.id)
        before = len(world.asked())
        await tickets.remove_marks(ticket.ref, draft().marker)
        assert len(world.asked()) > before, "It has to have looked."


class TestLife:
    async def test_a_move_to_another_team_is_followed_by_the_id(self, world, tickets):
        before = await tickets.create_ticket(world.team, draft())
        world.cloud.move(before.ref.id, world.cloud.web)
        after = await tickets.fetch_ticket(before.ref)
        assert after.ref.id == before.ref.id
        assert (after.ref.project, after.ref.key) == (world.cloud.web["id"], "WEB-1")
        assert await tickets.list_tickets(world.team, [before.ref]) == []
        assert await tickets.find_by_address(world.team, before.ref.url) is None
        assert await tickets.find_by_address(world.cloud.web["id"], before.ref.label) == after

    async def test_the_trash_counts_as_deleted_and_can_be_left_again(self, world, tickets):
        ticket = await tickets.create_ticket(world.team, draft())
        world.cloud.trash(ticket.ref.id)
        with pytest.raises(NotThereError, match="trash"):
            await tickets.fetch_ticket(ticket.ref)
        with pytest.raises(NotThereError):
            await tickets.write_ticket(ticket.ref, TicketChanges(title="A"))
        assert await tickets.list_tickets(world.team, [ticket.ref]) == []
        assert await tickets.find_by_address(world.team, ticket.ref.label) is None
        assert world.cloud.issues[ticket.ref.id]["trashed"]
        world.cloud.trash(ticket.ref.id, trashed=False)
        assert (await tickets.fetch_ticket(ticket.ref)).title == ticket.title

    async def test_an_archived_issue_is_read_and_taken_out_of_the_archive_to_be_written(self, world, tickets):
        ticket = await tickets.create_ticket(world.team, draft())
        world.cloud.archive(ticket.ref.id)
        assert (await tickets.fetch_ticket(ticket.ref)).title == ticket.title
        assert [each.ref for each in await tickets.list_tickets(world.team, [ticket.ref])] == [ticket.ref]
        assert (await tickets.write_ticket(ticket.ref, TicketChanges(title="Again"))).title == "Again"
        assert world.cloud.issues[ticket.ref.id]["archivedAt"] is None

    @pytest.mark.parametrize(
        ("address", "found"),
        [
            ("https://linear.app/acme/issue/ENG-1/export-as-csv", True),
            ("https://linear.app/Acme/issue/eng-1", True),
            ("linear.app/acme/issue/ENG-1/x?a=b#comment-1", True),
            (" eng-1 ", True),
            ("https://linear.app/other/issue/ENG-1", False),
            ("https://elsewhere.example/acme/issue/ENG-1", False),
            ("https://linear.app/acme/issue/ENG-99", False),
            ("https://linear.app/acme/team/ENG", False),
            ("https://[broken", False),
            ("ENG", False),
            ("", False),
        ],
    )
    async def test_pasted_addresses(self, world, tickets, address, found):
        await tickets.create_ticket(world.team, draft())
        ticket = await tickets.find_by_address(world.team, address)
        assert (ticket.ref.key if ticket else None) == ("ENG-1" if found else None)

    async def test_changes_are_all_found_at_page_borders_within_one_moment(self, world, tickets):
        start = datetime.now(UTC) + timedelta(hours=1)
        for number in range(170):
            issue = world.cloud.add_issue(f"T{number}")
            # A border in the middle of a run of 30, and a run of 80 that is longer than a page.
            tick = number // 30 if number < 60 else (60 if number < 140 else number)
            issue["updatedAt"] = moment(start + timedelta(milliseconds=tick))
        issue |= {"trashed": True, "archivedAt": issue["updatedAt"]}
        since = len(world.cloud.asked)
        found = [each async for each in tickets.iter_changed(world.team, start)]
        assert {each.ref.id for each in found} == set(world.cloud.issues)
        assert len(found) == 170
        assert [each.updated_at for each in found] == sorted(each.updated_at for each in found)
        assert len(world.asked(since)) <= 7

    async def test_what_changes_while_we_read_hides_nothing(self, world, tickets):
        made = [world.cloud.add_issue(f"T{number}") for number in range(120)]
        found = set()
        async for each in tickets.iter_changed(world.team, datetime.fromisoformat(made[0]["updatedAt"])):
            found.add(each.ref.id)
            if len(found) == 50:  # the page's last one moves to the end of all
                world.cloud.edit(each.ref.id, title="Moved on")
        assert found == {each["id"] for each in made}


class TestComments:
    async def test_a_comment_is_made_once_by_its_id(self, world, tickets):
        ticket = await tickets.create_ticket(world.team, draft())
        for _ in range(2):
            await tickets.ensure_comment(ticket.ref, "# Unlinked *now*\n\n- by @amara", draft().marker)
        (comment,) = world.cloud.comments.values()
        assert comment["body"] == "\\# Unlinked \\*now\\*\n\n\\- by @amara"
        await tickets.ensure_comment(ticket.ref, "Another", "another-key")
        assert len(world.cloud.comments) == 2


class TestAccountOfLinear:
    async def test_the_key_tells_its_user_and_workspace(self, world):
        assert (await world.open(MEMBER).account.verify()).user == "mo (Acme)"

    async def test_a_key_stands_alone_and_an_oauth_token_is_a_bearer(self, world):
        with pytest.raises(AuthLostError, match="paste a new one") as caught:
            await world.open("lin_oauth_not-a-key").account.verify()
        assert caught.value.side == "tracker"
        world.cloud.users["Bearer lin_oauth_not-a-key"] = world.cloud.users[MEMBER]
        await world.open("lin_oauth_not-a-key").account.verify()

    async def test_a_key_that_may_only_read_is_told_its_right(self, world):
        tracker = world.open(READER)
        await tracker.account.verify()
        with pytest.raises(RejectedError, match='the right "Write"') as caught:
            await tracker.tickets.create_ticket(world.team, draft())
        assert caught.value.status == 403

    async def test_teams_are_found_by_name_and_key_best_match_first_over_all_pages(self, world):
        for number in range(130):
            world.cloud.add_team(f"T{number}", f"The web of {number}")
        account = world.open().account
        assert (await account.list_projects("web"))[0].name == "Web (WEB)"
        assert len(await account.list_projects("web")) == 131
        for name in ("WEB", "web", "Web (WEB)"):
            assert (await account.get_project(name)).id == world.cloud.web["id"]
        assert (await account.get_project(world.team)).url == "https://linear.app/acme/team/ENG"
        with pytest.raises(NotThereError):
            await account.get_project("Nowhere")

    async def test_a_retired_team_is_not_offered_and_rejected_with_the_reason(self, world):
        old = world.cloud.add_team("OLD", "Old", retiredAt=moment(datetime.now(UTC)))
        account = world.open().account
        assert await account.list_projects("Old") == []
        with pytest.raises(RejectedError, match="retired") as caught:
            await account.get_project(old["id"])
        assert caught.value.field == "project"

    async def test_labels_are_the_teams_and_the_workspaces_without_groups(self, world):
        world.cloud.add_label("Area", world.cloud.eng, is_group=True)
        assert await world.open().account.list_labels(world.team) == ["bug", "productboard"]

    @pytest.mark.parametrize(
        "base", [URL, f"{URL}/graphql", "https://linear.app", "https://linear.app/acme/team/ENG"]
    )
    async def test_the_address_is_that_of_the_api_or_of_the_pages(self, world, base):
        assert (await world.open(base=base).account.get_project("ENG")).id == world.team


def test_no_query_costs_more_than_a_single_one_may():
    """By the vendor's rule: a tenth for a value, one for an object, times the length of the list it is in."""
    documents = [
        value for name, value in vars(queries).items() if name.isupper() and not name.startswith("_")
    ]
    assert len(documents) == 22
    for document in documents:
        assert _cost(checked(document)) < 10_000, document


def _cost(document):
    fragments = {each.name.value: each for each in document.definitions if each.kind == "fragment_definition"}

    def of(node):
        total = 0.0
        for each in node.selection_set.selections:
            if each.kind == "fragment_spread":
                total += of(fragments[each.name.value])
            elif each.selection_set:
                length = next(
                    (int(arg.value.value) for arg in each.arguments or () if arg.name.value == "first"), 1
                )
                total += length * (1 + of(each))
            else:
                total += 0.1
        return total

    return sum(of(each) for each in document.definitions if each.kind == "operation_definition")
