"""What every Tracker keeps, whatever it talks to. A subclass gives the fixture `tracker` and the class variables."""

from datetime import datetime, timedelta

import pytest

from keepstep.domain.ids import LinkId, marker_of
from keepstep.domain.ticket import TicketChanges, TicketDraft
from keepstep.ports.errors import NotThereError

LINK = LinkId("0f" * 16)


def draft(title="Export as CSV", status=None, defaults=None, link=LINK):
    marker = marker_of(link)
    return TicketDraft(title, f"Users want **CSV**.\n\n---\n\n{marker}", status, marker, defaults or {})


class TrackerContract:
    project = ""
    unknown_project = ""

    async def test_a_valid_token_tells_its_user_and_lacks_nothing(self, tracker):
        facts = await tracker.account.verify()
        assert facts.user
        assert facts.missing == ()

    async def test_the_project_is_listed_and_found(self, tracker):
        project = await tracker.account.get_project(self.project)
        assert project.id == self.project
        assert project in await tracker.account.list_projects()
        assert project in await tracker.account.list_projects(project.name)

    async def test_an_unknown_project_is_not_there(self, tracker):
        with pytest.raises(NotThereError):
            await tracker.account.get_project(self.unknown_project)

    async def test_labels_are_listed_where_they_are_declared(self, tracker):
        if not tracker.manifest.capabilities.labels:
            pytest.skip("this tracker declares no labels")
        assert all(await tracker.account.list_labels(self.project))

    async def test_a_created_ticket_is_read_as_it_was_answered(self, tracker):
        made = await tracker.tickets.create_ticket(self.project, draft())
        assert made.title == draft().title
        assert await tracker.tickets.fetch_ticket(made.ref) == made
        assert made.ref.label
        assert made.ref.url.startswith("http")

    async def test_a_created_ticket_has_every_status_that_may_be_asked_for(self, tracker):
        for number, status in enumerate(await tracker.account.list_statuses(self.project)):
            wanted = draft(status=status.id, link=LinkId(f"{number:032x}"))
            assert (await tracker.tickets.create_ticket(self.project, wanted)).status == status

    async def test_a_write_changes_what_it_carries_and_nothing_else(self, tracker):
        made = await tracker.tickets.create_ticket(self.project, draft())
        after = await tracker.tickets.write_ticket(made.ref, TicketChanges(title="Another title"))
        assert after.title == "Another title"
        assert (after.description, after.status) == (made.description, made.status)
        assert after.updated_at > made.updated_at
        assert await tracker.tickets.fetch_ticket(made.ref) == after

    async def test_each_status_can_be_written_from_each_other(self, tracker):
        made = await tracker.tickets.create_ticket(self.project, draft())
        statuses = await tracker.account.list_statuses(self.project)
        for status in (*statuses, *reversed(statuses)):
            after = await tracker.tickets.write_ticket(made.ref, TicketChanges(status=status.id))
            assert after.status == status

    async def test_a_write_of_nothing_shows_the_ticket_as_it_is(self, tracker):
        made = await tracker.tickets.create_ticket(self.project, draft())
        assert await tracker.tickets.write_ticket(made.ref, TicketChanges()) == made

    async def test_the_same_write_twice_is_no_second_change(self, tracker):
        made = await tracker.tickets.create_ticket(self.project, draft())
        first = await tracker.tickets.write_ticket(made.ref, TicketChanges(title="Once", description="Once"))
        assert (
            await tracker.tickets.write_ticket(made.ref, TicketChanges(title="Once", description="Once"))
            == first
        )

    async def test_a_ticket_is_found_by_its_marker_oldest_first(self, tracker):
        assert await tracker.tickets.find_by_marker(self.project, draft().marker) == []
        first = await tracker.tickets.create_ticket(self.project, draft())
        second = await tracker.tickets.create_ticket(self.project, draft("Again"))
        await tracker.tickets.create_ticket(self.project, draft(link=LinkId("a1" * 16)))
        assert await tracker.tickets.find_by_marker(self.project, draft().marker) == [first, second]

    async def test_a_ticket_is_found_by_its_own_address_and_key(self, tracker):
        made = await tracker.tickets.create_ticket(self.project, draft())
        for address in (made.ref.url, made.ref.key, made.ref.label):
            assert await tracker.tickets.find_by_address(self.project, address) == made
        assert await tracker.tickets.find_by_address(self.project, "https://elsewhere.example/1") is None

    async def test_several_tickets_are_read_at_once(self, tracker):
        made = [await tracker.tickets.create_ticket(self.project, draft(f"T{n}")) for n in range(3)]
        found = await tracker.tickets.list_tickets(self.project, [each.ref for each in made[:2]])
        assert sorted(found, key=lambda each: each.ref.id) == sorted(made[:2], key=lambda each: each.ref.id)
        assert await tracker.tickets.list_tickets(self.project, []) == []

    async def test_changes_are_found_from_the_moment_on(self, tracker):
        old = await tracker.tickets.create_ticket(self.project, draft("Old"))
        new = await tracker.tickets.create_ticket(self.project, draft("New"))
        after = await tracker.tickets.write_ticket(new.ref, TicketChanges(title="Newer"))
        found = await self._changed(tracker, after.updated_at)
        assert after in found
        everything = await self._changed(tracker, old.updated_at - timedelta(seconds=1))
        assert {old.ref.id, new.ref.id} <= {each.ref.id for each in everything}

    async def _changed(self, tracker, since: datetime):
        return [each async for each in tracker.tickets.iter_changed(self.project, since)]

    async def test_a_comment_is_written_once(self, tracker):
        made = await tracker.tickets.create_ticket(self.project, draft())
        for _ in range(2):
            await tracker.tickets.ensure_comment(made.ref, "The feature was deleted.", draft().marker)
        assert (await tracker.tickets.fetch_ticket(made.ref)).description == made.description

    async def test_a_hook_is_made_once_brought_up_to_date_and_removed_twice(self, tracker):
        url = "https://keepstep.example/hooks/tracker/contract"
        first = await tracker.notifications.ensure_hook(self.project, url, "secret one")
        again = await tracker.notifications.ensure_hook(self.project, url, "secret two")
        assert again == first
        await tracker.notifications.remove_hook(self.project, first.id)
        await tracker.notifications.remove_hook(self.project, first.id)
