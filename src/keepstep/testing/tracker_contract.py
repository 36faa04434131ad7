"""What every Tracker keeps, whatever it talks to: pytest classes to be subclassed.

`TrackerContract` needs the fixture `tracker` and the class variables; `TrackerKit` has more to ask and needs the
fixture `world`, a `TrackerWorld`. Both run with pytest-asyncio in its automatic mode.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from keepstep.domain.document import Document, normalise, plain_text
from keepstep.domain.ids import LinkId, marker_of
from keepstep.domain.ticket import Ticket, TicketChanges, TicketDraft
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
    UnreadableError,
)
from keepstep.ports.registrations import HookState
from keepstep.ports.tracker import Channel, SettingValues, Tracker
from keepstep.testing.samples import CONSTRUCTS, PLAIN, TITLES, paragraph
from keepstep.testing.tracker_world import Fault, NotOffered, TrackerWorld

LINK = LinkId("0f" * 16)
HOOK = "https://keepstep.example/hooks/tracker/contract"


def draft(
    title: str = "Export as CSV",
    status: Any = None,
    defaults: SettingValues | None = None,
    link: LinkId = LINK,
) -> TicketDraft:
    marker = marker_of(link)
    return TicketDraft(title, f"Users want **CSV**.\n\n---\n\n{marker}", status, marker, defaults or {})


class TrackerContract:
    project = ""
    unknown_project = ""
    defaults: ClassVar[SettingValues] = {}

    def draft(self, *args: Any, **more: Any) -> TicketDraft:
        return draft(*args, **{"defaults": self.defaults, **more})

    async def test_a_valid_token_tells_its_user_and_lacks_nothing(self, tracker: Tracker) -> None:
        facts = await tracker.account.verify()
        assert facts.user
        assert facts.missing == ()

    async def test_the_project_is_listed_and_found(self, tracker: Tracker) -> None:
        project = await tracker.account.get_project(self.project)
        assert project.id == self.project
        assert project in await tracker.account.list_projects()
        assert project in await tracker.account.list_projects(project.name)

    async def test_an_unknown_project_is_not_there(self, tracker: Tracker) -> None:
        with pytest.raises(NotThereError):
            await tracker.account.get_project(self.unknown_project)

    async def test_labels_are_listed_where_they_are_declared(self, tracker: Tracker) -> None:
        found = await tracker.account.list_labels(self.project)
        assert all(found)
        assert tracker.manifest.capabilities.labels or not found

    async def test_a_created_ticket_is_read_as_it_was_answered(self, tracker: Tracker) -> None:
        made = await tracker.tickets.create_ticket(self.project, self.draft())
        assert made.title == draft().title
        assert await tracker.tickets.fetch_ticket(made.ref) == made
        assert made.ref.label
        assert made.ref.url.partition(":")[0] in ("http", "https", "file")

    async def test_a_created_ticket_has_every_status_that_may_be_asked_for(self, tracker: Tracker) -> None:
        for number, status in enumerate(await tracker.account.list_statuses(self.project)):
            wanted = self.draft(status=status.id, link=LinkId(f"{number:032x}"))
            assert (await tracker.tickets.create_ticket(self.project, wanted)).status == status

    async def test_a_write_changes_what_it_carries_and_nothing_else(self, tracker: Tracker) -> None:
        made = await tracker.tickets.create_ticket(self.project, self.draft())
        after = await tracker.tickets.write_ticket(made.ref, TicketChanges(title="Another title"))
        assert after.title == "Another title"
        assert (after.description, after.status) == (made.description, made.status)
        assert after.updated_at > made.updated_at
        assert await tracker.tickets.fetch_ticket(made.ref) == after

    async def test_each_status_can_be_written_from_each_other(self, tracker: Tracker) -> None:
        made = await tracker.tickets.create_ticket(self.project, self.draft())
        statuses = await tracker.account.list_statuses(self.project)
        for status in (*statuses, *reversed(statuses)):
            after = await tracker.tickets.write_ticket(made.ref, TicketChanges(status=status.id))
            assert after.status == status

    async def test_a_write_of_nothing_shows_the_ticket_as_it_is(self, tracker: Tracker) -> None:
        made = await tracker.tickets.create_ticket(self.project, self.draft())
        assert await tracker.tickets.write_ticket(made.ref, TicketChanges()) == made

    async def test_the_same_write_twice_is_no_second_change(self, tracker: Tracker) -> None:
        made = await tracker.tickets.create_ticket(self.project, self.draft())
        changes = TicketChanges(title="Once", description="Once")
        first = await tracker.tickets.write_ticket(made.ref, changes)
        assert await tracker.tickets.write_ticket(made.ref, changes) == first

    async def test_a_ticket_is_found_by_its_marker_oldest_first(self, tracker: Tracker) -> None:
        assert await tracker.tickets.find_by_marker(self.project, draft().marker) == []
        first = await tracker.tickets.create_ticket(self.project, self.draft())
        second = await tracker.tickets.create_ticket(self.project, self.draft("Again"))
        await tracker.tickets.create_ticket(self.project, self.draft(link=LinkId("a1" * 16)))
        assert await tracker.tickets.find_by_marker(self.project, draft().marker) == [first, second]

    async def test_a_ticket_is_found_by_its_own_address_and_key(self, tracker: Tracker) -> None:
        made = await tracker.tickets.create_ticket(self.project, self.draft())
        for address in (made.ref.url, made.ref.key, made.ref.label):
            assert await tracker.tickets.find_by_address(self.project, address) == made
        assert await tracker.tickets.find_by_address(self.project, "https://elsewhere.example/1") is None

    async def test_several_tickets_are_read_at_once(self, tracker: Tracker) -> None:
        made = [
            await tracker.tickets.create_ticket(self.project, self.draft(f"T{n}", link=LinkId(f"{n}" * 32)))
            for n in range(3)
        ]
        found = await tracker.tickets.list_tickets(self.project, [each.ref for each in made[:2]])
        assert {each.ref.id: each for each in found} == {each.ref.id: each for each in made[:2]}
        assert await tracker.tickets.list_tickets(self.project, []) == []

    async def test_changes_are_found_from_the_moment_on(self, tracker: Tracker) -> None:
        old = await tracker.tickets.create_ticket(self.project, self.draft("Old"))
        new = await tracker.tickets.create_ticket(self.project, self.draft("New", link=LinkId("b2" * 16)))
        after = await tracker.tickets.write_ticket(new.ref, TicketChanges(title="Newer"))
        found = await self.changed(tracker, after.updated_at)
        assert after in found
        everything = await self.changed(tracker, old.updated_at - timedelta(seconds=1))
        assert {old.ref.id, new.ref.id} <= {each.ref.id for each in everything}

    async def changed(self, tracker: Tracker, since: datetime) -> list[Ticket]:
        return [each async for each in tracker.tickets.iter_changed(self.project, since)]

    async def test_a_comment_is_written_once(self, tracker: Tracker) -> None:
        made = await tracker.tickets.create_ticket(self.project, self.draft())
        for _ in range(2):
            await tracker.tickets.ensure_comment(made.ref, "The feature was deleted.", draft().marker)
        assert (await tracker.tickets.fetch_ticket(made.ref)).description == made.description

    async def test_a_hook_is_made_once_brought_up_to_date_and_removed_twice(self, tracker: Tracker) -> None:
        if tracker.notifications is None:
            self.check_nobody_expects_a_hook(tracker)
            return
        first = await tracker.notifications.ensure_hook(self.project, HOOK, "secret one")
        again = await tracker.notifications.ensure_hook(self.project, HOOK, "secret two")
        assert again == first
        await tracker.notifications.remove_hook(self.project, first.id)
        await tracker.notifications.remove_hook(self.project, first.id)

    @staticmethod
    def check_nobody_expects_a_hook(tracker: Tracker) -> None:
        """Where the API makes none, a person does by the steps, or changes are found by looking."""
        manifest = tracker.manifest
        if manifest.channel is Channel.WEBHOOK_BY_HAND:
            assert any("{url}" in step for step in manifest.hook_steps)
            assert any("{secret}" in step for step in manifest.hook_steps)
        else:
            assert manifest.channel is Channel.POLLING


_HTML = "<!doctype html><html><body>Sign in</body></html>"
TROUBLES = (
    (Fault(status=401, body="{}"), AuthLostError),
    (Fault(status=403, body="{}"), RejectedError),
    (Fault(status=404, body="{}"), NotThereError),
    (Fault(status=409, body="{}"), StaleError),
    (Fault(status=412, body="{}"), StaleError),
    (Fault(status=422, body="{}"), RejectedError),
    (Fault(status=429, body="{}", headers={"Retry-After": "7"}), RateLimitedError),
    (Fault(status=500, body="{}"), TransientError),
    (Fault(status=502, body=_HTML), TransientError),
    (Fault(status=503, body=""), TransientError),
    (Fault(status=200, body=_HTML), UnexpectedReplyError),
    (Fault(status=404, body=_HTML), UnexpectedReplyError),
    (Fault(status=302, headers={"Location": "https://elsewhere.example"}), UnexpectedReplyError),
    (Fault(cuts=True), UnexpectedReplyError),
    (Fault(drops=True), TransientError),
)


class TrackerKit(TrackerContract):
    """The contract, and all that takes somebody behind Keepstep's back. A subclass gives the fixture `world`."""

    @pytest.fixture
    def tracker(self, world: TrackerWorld) -> Tracker:
        return world.open()

    @pytest.fixture(autouse=True)
    def _of_this_world(self, world: TrackerWorld, request: pytest.FixtureRequest) -> None:
        type(self).defaults = world.defaults
        self.project, self.unknown_project = world.project, world.unknown_project
        if reason := world.skips.get(request.function.__name__):
            pytest.skip(reason)

    async def _made(self, tracker: Tracker, **more: Any) -> Ticket:
        return await tracker.tickets.create_ticket(self.project, self.draft(**more))

    # ---- credentials and trouble

    async def test_a_wrong_token_is_lost_in_a_sentence_without_it(self, world: TrackerWorld) -> None:
        with pytest.raises(AuthLostError) as caught:
            await world.open(world.wrong_token).account.verify()
        assert caught.value.side == "tracker"
        assert world.wrong_token not in f"{caught.value} {caught.value!r}"
        assert len(str(caught.value)) > len("refused")

    @pytest.mark.parametrize(("fault", "error"), TROUBLES, ids=range(len(TROUBLES)))
    async def test_each_kind_of_trouble_has_its_error(
        self, world: TrackerWorld, tracker: Tracker, fault: Fault, error: type[OutsideError]
    ) -> None:
        made = await self._made(tracker)
        _offered(lambda: world.fail(fault))
        with pytest.raises(OutsideError) as caught:
            await tracker.tickets.fetch_ticket(made.ref)
        assert type(caught.value) is world.means.get(fault.status, error)
        assert world.token not in f"{caught.value} {caught.value!r}"
        if isinstance(caught.value, RateLimitedError):
            assert caught.value.retry_after == timedelta(seconds=7)

    async def test_a_create_whose_answer_is_lost_is_in_doubt_and_found(
        self, world: TrackerWorld, tracker: Tracker
    ) -> None:
        _offered(lambda: world.fail(Fault(method="POST", drops=True)))
        with pytest.raises(TransientError) as caught:
            await self._made(tracker)
        assert caught.value.doubt
        assert len(await tracker.tickets.find_by_marker(self.project, draft().marker)) == 1

    async def test_a_write_that_is_ignored_shows_what_stands_there(
        self, world: TrackerWorld, tracker: Tracker
    ) -> None:
        made = await self._made(tracker)
        try:
            await world.ignore_next_write()
        except NotOffered as reason:
            pytest.skip(str(reason))
        after = await tracker.tickets.write_ticket(made.ref, TicketChanges(title="Ignored"))
        assert after.title == made.title

    # ---- text

    @pytest.mark.parametrize("name", CONSTRUCTS)
    async def test_every_construct_comes_back_as_it_was_written(self, tracker: Tracker, name: str) -> None:
        """Up to the losses of the format, which reading what was written shows."""
        text, document = tracker.text, Document((CONSTRUCTS[name], paragraph("The end.")))
        made = await self._made(tracker)
        written = text.write(document)
        after = await tracker.tickets.write_ticket(made.ref, TicketChanges(description=written))
        assert text.read(after.description) == text.read(written)
        assert (await tracker.tickets.fetch_ticket(made.ref)).description == after.description

    @pytest.mark.parametrize("line", PLAIN)
    async def test_plain_text_does_nothing_and_stays_text(self, tracker: Tracker, line: str) -> None:
        """No quick action is carried out, nobody is called, nothing becomes a heading or a list."""
        text, document = tracker.text, normalise(Document((paragraph(line), paragraph("The end."))))
        made = await self._made(tracker)
        after = await tracker.tickets.write_ticket(made.ref, TicketChanges(description=text.write(document)))
        assert text.read(after.description) == document
        assert plain_text(text.read(after.description)) == plain_text(document)
        assert after.status == made.status
        assert after.labels == made.labels

    @pytest.mark.parametrize("title", TITLES)
    async def test_titles_of_all_kinds_come_back(self, tracker: Tracker, title: str) -> None:
        made = await self._made(tracker, title=title)
        assert made.title == title
        after = await tracker.tickets.write_ticket(made.ref, TicketChanges(title=title[::-1]))
        assert after.title == title[::-1]

    # ---- what people do there

    async def test_an_edit_of_a_person_is_found_and_read(self, world: TrackerWorld, tracker: Tracker) -> None:
        made = await self._made(tracker)
        await world.edit(made.ref, title="By a person")
        found = await self.changed(tracker, made.updated_at)
        assert "By a person" in [each.title for each in found if each.ref.id == made.ref.id]
        assert (await tracker.tickets.fetch_ticket(made.ref)).title == "By a person"

    async def test_what_is_deleted_is_not_there_and_comes_back_where_that_is_declared(
        self, world: TrackerWorld, tracker: Tracker
    ) -> None:
        made = await self._made(tracker)
        await world.delete(made.ref)
        with pytest.raises(NotThereError):
            await tracker.tickets.fetch_ticket(made.ref)
        assert await tracker.tickets.list_tickets(self.project, [made.ref]) == []
        if tracker.manifest.capabilities.restore:
            await world.restore(made.ref)
            assert (await tracker.tickets.fetch_ticket(made.ref)).title == made.title

    async def test_a_move_is_followed_where_that_is_declared(
        self, world: TrackerWorld, tracker: Tracker
    ) -> None:
        made = await self._made(tracker)
        try:
            await world.move(made.ref)
        except NotOffered as reason:
            assert not tracker.manifest.capabilities.follows_moves, "it declares to follow moves"
            pytest.skip(str(reason))
        if tracker.manifest.capabilities.follows_moves:
            moved = await tracker.tickets.fetch_ticket(made.ref)
            assert moved.title == made.title
            assert (moved.ref.id, moved.ref.project) != (made.ref.id, made.ref.project)

    async def test_a_status_that_cannot_be_reached_says_so(self, tracker: Tracker) -> None:
        """Where the map is drawn; all others can be written."""
        made = await self._made(tracker)
        for status in await tracker.account.list_statuses(self.project):
            if status.note:
                assert len(status.note) > len("no")
            else:
                after = await tracker.tickets.write_ticket(made.ref, TicketChanges(status=status.id))
                assert after.status.id == status.id

    async def test_fields_are_those_of_the_project(self, tracker: Tracker) -> None:
        found = await tracker.account.list_fields(self.project, self.defaults)
        names = [each.name for each in found.defaults]
        assert {each.name for each in tracker.manifest.defaults} <= set(names)
        assert {each.name for each in tracker.manifest.settings} <= {each.name for each in found.settings}
        assert len(names) == len(set(names))
        for each in found.defaults:
            assert each.choices or not (each.live and each.required), f"{each.name} offers nothing"

    # ---- our marks

    async def test_marks_are_set_twice_and_removed_twice(self, tracker: Tracker) -> None:
        made = await self._made(tracker)
        for _ in range(2):
            await tracker.tickets.ensure_marks(made.ref, draft().marker, "https://app.example/feature/1")
        for _ in range(2):
            await tracker.tickets.remove_marks(made.ref, draft().marker)
        assert (await tracker.tickets.fetch_ticket(made.ref)).title == made.title

    # ---- notifications

    async def test_a_delivery_is_proven_over_its_raw_bytes(
        self, world: TrackerWorld, tracker: Tracker
    ) -> None:
        made = await self._made(tracker)
        try:
            headers, body = await world.delivery(made.ref)
        except NotOffered as reason:
            pytest.skip(str(reason))
        wire, signed = world.adapter.wire, True
        (notice, *more) = wire.read_notification(headers, body, world.secret, signed=signed)
        assert more == []
        assert notice.ticket == made.ref.id
        again = wire.read_notification(headers, body, world.secret, signed=signed)
        assert again[0].delivery_id == notice.delivery_id
        for wrong in _forgeries(headers, body):
            with pytest.raises(NotGenuineError):
                wire.read_notification(*wrong, world.secret, signed=signed)
        with pytest.raises(NotGenuineError):
            wire.read_notification(headers, body, "another secret", signed=signed)

    async def test_a_delivery_that_is_no_event_is_refused(self, world: TrackerWorld) -> None:
        with pytest.raises((NotGenuineError, UnreadableError)):
            world.adapter.wire.read_notification({}, b"[" * 10_000, world.secret, signed=False)

    async def test_a_hook_is_inspected(self, tracker: Tracker) -> None:
        hooks = tracker.notifications
        if hooks is None:
            self.check_nobody_expects_a_hook(tracker)
            return
        made = await hooks.ensure_hook(self.project, HOOK, "a secret of 256 bits or so")
        assert (await hooks.inspect_hook(self.project, made.id, HOOK)).state is HookState.FINE
        elsewhere = await hooks.inspect_hook(self.project, made.id, f"{HOOK}/other")
        assert elsewhere.state is HookState.ELSEWHERE
        await hooks.remove_hook(self.project, made.id)
        assert (await hooks.inspect_hook(self.project, made.id, HOOK)).state is HookState.MISSING

    # ---- what it declares

    async def test_the_manifest_tells_people_what_they_need(self, tracker: Tracker) -> None:
        manifest = tracker.manifest
        assert manifest.name
        assert manifest.summary.endswith(".")
        assert manifest.token_help
        assert manifest.text_format
        assert manifest.title_limit >= len("x")
        for step in manifest.hook_steps:
            assert step.count("{url}") + step.count("{secret}") <= 1, "one thing to enter in a step"


def _offered(act: Any) -> Any:
    try:
        return act()
    except NotOffered as reason:
        pytest.skip(str(reason))


def _forgeries(headers: Any, body: bytes) -> Sequence[tuple[dict[str, str], bytes]]:
    """Another body, no proof at all, and each header that may carry one spoilt."""
    spoilt = [
        ({**headers, name: "0" * len(value)}, body)
        for name, value in headers.items()
        if any(word in name.lower() for word in ("signature", "token", "secret"))
    ]
    return [(dict(headers), body + b" "), ({}, body), *spoilt]
