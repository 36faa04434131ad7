"""Redmine's adapter on a real Redmine: the contract, and the traps that only a real one has."""

from datetime import UTC, datetime, timedelta

import pytest

from contract.tracker_contract import LINK, TrackerContract, draft
from keepstep.adapters.outside import OutsideWorld
from keepstep.domain.ids import LinkId, StatusId, marker_of
from keepstep.domain.ticket import TicketChanges
from keepstep.ports.errors import AuthLostError, NotThereError, RejectedError
from redmine_server import ADMIN, BOT, FIELD, READER, RedmineServer

HIDDEN_STATUS = "Rejected"

pytestmark = pytest.mark.redmine


class World:
    def __init__(self, server: RedmineServer, outside: OutsideWorld) -> None:
        self.server, self.outside = server, outside
        self.alpha = server.id_of("/projects.json?limit=100", "projects", "Alpha")
        self.beta = server.id_of("/projects.json?limit=100", "projects", "Beta")
        self.hidden = server.id_of("/projects.json?limit=100", "projects", "Hidden")
        self.field = server.id_of("/custom_fields.json", "custom_fields", FIELD)
        self.feature = server.id_of("/trackers.json", "trackers", "Feature")

    def open(self, key=BOT, *, field=True, text="textile"):
        settings = {"text": text, "marker_field": self.field if field else ""}
        return self.outside.open_tracker("redmine", self.server.url, key, settings)

    def status(self, name):
        return StatusId(self.server.id_of("/issue_statuses.json", "issue_statuses", name))

    def draft(self, title="Export as CSV", status=None, link=LINK):
        return draft(title, status, {"tracker": self.feature}, link)

    def clear(self):
        """Tests begin with an empty project."""
        for project in (self.alpha, self.beta, self.hidden):
            found = self.server.ask("GET", f"/issues.json?project_id={project}&status_id=*&limit=100").json()
            for issue in found["issues"]:
                assert self.server.ask("DELETE", f"/issues/{issue['id']}.json").status_code == 204


@pytest.fixture
async def world(redmine):
    outside = OutsideWorld(allow_private=True)
    world = World(redmine, outside)
    world.clear()
    yield world
    await outside.aclose()


@pytest.fixture
def tracker(world):
    return world.open()


class TestRedmine(TrackerContract):
    unknown_project = "no-such-project"

    @pytest.fixture(autouse=True)
    def _in_alpha(self, world):
        self.project = world.alpha

    async def test_a_created_ticket_has_every_status_that_may_be_asked_for(self, world, tracker):
        """The workflow decides how a new issue begins: another wish is left out without a word, and seen at once."""
        for name, link in (("In Progress", "a" * 32), (HIDDEN_STATUS, "b" * 32)):
            wanted = world.draft(status=world.status(name), link=LinkId(link))
            made = await tracker.tickets.create_ticket(world.alpha, wanted)
            assert made.status.name == "New"
            assert await tracker.tickets.fetch_ticket(made.ref) == made

    async def test_a_write_changes_what_it_carries_and_nothing_else(self, world, tracker):
        """Redmine counts whole seconds: two changes may bear one time."""
        made = await tracker.tickets.create_ticket(world.alpha, world.draft())
        after = await tracker.tickets.write_ticket(made.ref, TicketChanges(title="Another title"))
        assert after.title == "Another title"
        assert (after.description, after.status) == (made.description, made.status)
        assert after.updated_at >= made.updated_at

    async def test_each_status_can_be_written_from_each_other(self, world, tracker):
        made = await tracker.tickets.create_ticket(world.alpha, world.draft())
        statuses = [each for each in await tracker.account.list_statuses(world.alpha) if not each.note]
        assert len(statuses) == 5
        for status in (*statuses, *reversed(statuses)):
            after = await tracker.tickets.write_ticket(made.ref, TicketChanges(status=status.id))
            assert after.status.id == status.id

    async def test_the_same_write_twice_is_no_second_change(self, world, tracker):
        made = await tracker.tickets.create_ticket(world.alpha, world.draft())
        changes = TicketChanges(title="Once", description="Once")
        first = await tracker.tickets.write_ticket(made.ref, changes)
        again = await tracker.tickets.write_ticket(made.ref, changes)
        assert again.snapshot == first.snapshot

    async def test_a_hook_is_made_once_brought_up_to_date_and_removed_twice(self, tracker):
        assert tracker.notifications is None
        assert any("{url}" in step for step in tracker.manifest.hook_steps)


class TestCredentials:
    async def test_a_wrong_key_is_lost_although_lists_answer(self, world):
        account = world.open("e" * 40).account
        with pytest.raises(AuthLostError, match="401"):
            await account.verify()

    async def test_a_key_without_rights_is_told_which_it_lacks(self, world):
        tickets = world.open(READER).tickets
        made = await world.open().tickets.create_ticket(world.alpha, world.draft())
        with pytest.raises(RejectedError, match="right to edit issues"):
            await tickets.write_ticket(made.ref, TicketChanges(title="Not allowed"))
        with pytest.raises(RejectedError):
            await tickets.create_ticket(world.alpha, world.draft(link=LinkId("c" * 32)))

    async def test_a_project_without_issues_or_not_visible_says_so(self, world):
        account = world.open().account
        with pytest.raises(RejectedError, match="Issue tracking is off"):
            await account.get_project("off")
        with pytest.raises(NotThereError):
            await account.get_project("hidden")
        assert (await account.get_project("alpha")).name == "Alpha"


class TestFields:
    async def test_what_the_project_has_is_offered(self, world):
        found = await world.open(ADMIN).account.list_fields(world.alpha, {})
        offered = {each.name: dict(each.choices) for each in (*found.settings, *found.defaults)}
        assert offered["marker_field"] == {world.field: FIELD}
        assert "Feature" in offered["tracker"].values()
        assert "Normal" in offered["priority"].values()
        assert "Vera Visitor" in offered["assignee"].values()

    async def test_required_custom_fields_of_the_chosen_tracker_are_asked_for(self, world):
        account = world.open(ADMIN).account
        found = await account.list_fields(world.alpha, {"tracker": world.feature})
        assert [each.name for each in found.defaults if each.name.startswith("field:")] == []

    async def test_somebody_who_is_no_admin_may_go_without(self, world):
        found = await world.open().account.list_fields(world.alpha, {})
        assert [each.name for each in found.settings] == ["text", "marker_field"]


class TestTraps:
    async def test_a_status_that_is_refused_without_a_word_is_seen(self, world, tracker):
        made = await tracker.tickets.create_ticket(world.alpha, world.draft())
        after = await tracker.tickets.write_ticket(
            made.ref, TicketChanges(status=world.status(HIDDEN_STATUS))
        )
        assert after.status == made.status
        notes = {each.name: each.note for each in await tracker.account.list_statuses(world.alpha)}
        assert "workflow" in notes[HIDDEN_STATUS]
        assert notes["Closed"] == ""

    async def test_line_ends_of_a_browser_mean_the_same(self, world, tracker):
        source = "h2. Why\r\n\r\nUsers want *CSV*.\r\nNext line\r\n\r\n* one\r\n* two"
        made = await tracker.tickets.create_ticket(world.alpha, world.draft())
        body = {"issue": {"description": source}}
        assert world.server.ask("PUT", f"/issues/{made.ref.key}.json", body).status_code == 204
        found = await tracker.tickets.fetch_ticket(made.ref)
        assert found.description == source.replace("\r\n", "\n")
        assert tracker.text.read(source) == tracker.text.read(found.description)

    async def test_a_ticket_is_found_by_its_field_when_its_text_lost_the_marker(self, world, tracker):
        made = await tracker.tickets.create_ticket(world.alpha, world.draft())
        await tracker.tickets.write_ticket(made.ref, TicketChanges(description="No marker"))
        found = await tracker.tickets.find_by_marker(world.alpha, marker_of(LINK))
        assert [each.ref.id for each in found] == [made.ref.id]
        await tracker.tickets.remove_marks(made.ref, marker_of(LINK))
        await tracker.tickets.remove_marks(made.ref, marker_of(LINK))
        assert await tracker.tickets.find_by_marker(world.alpha, marker_of(LINK)) == []
        await tracker.tickets.ensure_marks(made.ref, marker_of(LINK), "https://x.example")
        assert len(await tracker.tickets.find_by_marker(world.alpha, marker_of(LINK))) == 1

    async def test_without_a_field_the_description_is_enough(self, world):
        tickets = world.open(field=False).tickets
        made = await tickets.create_ticket(world.alpha, world.draft())
        found = await tickets.find_by_marker(world.alpha, marker_of(LINK))
        assert [each.ref.id for each in found] == [made.ref.id]

    async def test_a_move_keeps_the_number_and_one_out_of_sight_is_gone(self, world, tracker):
        made = await tracker.tickets.create_ticket(world.alpha, world.draft())
        world.server.ask("PUT", f"/issues/{made.ref.key}.json", {"issue": {"project_id": int(world.beta)}})
        moved = await tracker.tickets.fetch_ticket(made.ref)
        assert (moved.ref.id, moved.ref.project) == (made.ref.id, world.beta)
        assert await tracker.tickets.list_tickets(world.alpha, [made.ref]) == []
        world.server.ask("PUT", f"/issues/{made.ref.key}.json", {"issue": {"project_id": int(world.hidden)}})
        with pytest.raises(NotThereError):
            await tracker.tickets.fetch_ticket(made.ref)

    async def test_a_deleted_issue_is_gone(self, world, tracker):
        made = await tracker.tickets.create_ticket(world.alpha, world.draft())
        assert world.server.ask("DELETE", f"/issues/{made.ref.key}.json").status_code == 204
        with pytest.raises(NotThereError):
            await tracker.tickets.fetch_ticket(made.ref)

    async def test_closed_issues_are_among_the_changed_ones(self, world, tracker):
        start = datetime.now(UTC) - timedelta(seconds=2)
        made = await tracker.tickets.create_ticket(world.alpha, world.draft())
        closed = await tracker.tickets.write_ticket(made.ref, TicketChanges(status=world.status("Closed")))
        found = [each async for each in tracker.tickets.iter_changed(world.alpha, start)]
        assert closed in found

    async def test_an_error_of_a_field_names_it(self, world, tracker):
        made = await tracker.tickets.create_ticket(world.alpha, world.draft())
        with pytest.raises(RejectedError, match="Subject") as caught:
            await tracker.tickets.write_ticket(made.ref, TicketChanges(title=" "))
        assert caught.value.field == "title"

    async def test_titles_and_texts_of_all_kinds_come_back(self, world, tracker):
        title = "😀 שלום مرحبا " + "x" * 230
        made = await tracker.tickets.create_ticket(world.alpha, world.draft(title))
        assert made.title == title

    @pytest.mark.parametrize("text", ["textile", "markdown"])
    async def test_plain_text_calls_nobody(self, world, text):
        tracker = world.open(text=text)
        made = await tracker.tickets.create_ticket(world.alpha, world.draft())
        await tracker.tickets.ensure_comment(made.ref, "said @vera about #1", "keepstep-key")
        notes = world.server.ask("GET", f"/issues/{made.ref.key}.json?include=journals").json()
        (note,) = [each["notes"] for each in notes["issue"]["journals"] if each["notes"]]
        assert "@vera" not in note
        assert "keepstep-key" in note
