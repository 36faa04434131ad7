"""Jira Cloud through the conformance kit."""

import pytest

from contract.jira_world import HOOK, JiraWorld
from contract.tracker_contract import TrackerContract, TrackerKit, draft
from keepstep.domain.ids import LinkId, marker_of
from keepstep.ports.errors import RejectedError


class TestJiraCloud(TrackerKit, TrackerContract):
    @pytest.fixture
    async def world(self):
        world = JiraWorld()
        yield world
        await world.aclose()


class TestTraps:
    @pytest.fixture
    async def world(self):
        world = JiraWorld()
        yield world
        await world.aclose()

    async def _issue(self, world, digit):
        tickets = world.open().tickets
        wanted = draft(link=LinkId(digit * 32), defaults=world.defaults)
        return await tickets.create_ticket(world.project, wanted)

    async def test_of_two_links_on_one_issue_each_takes_away_its_own_marks(self, world):
        tickets, made = world.open().tickets, await self._issue(world, "a")
        one, other = marker_of(LinkId("a" * 32)), marker_of(LinkId("b" * 32))
        await tickets.ensure_marks(made.ref, other, "https://app.example/2")
        await tickets.remove_marks(made.ref, one)
        issue = world.cloud.issues[made.ref.id]
        assert other in issue["labels"]
        assert one not in issue["labels"]
        assert list(issue["properties"]) == [f"dev.keepstep.{other}"]
        assert list(issue["links"]) == [f"keepstep:{other}"]

    async def test_what_is_required_is_asked_for_as_such(self, world):
        world.cloud.required = [
            {"fieldId": "priority", "name": "Priority", "required": True, "schema": {"type": "priority"}},
            {"fieldId": "customfield_1", "name": "Severity", "required": True, "schema": {"type": "string"}},
        ]
        found = await world.open().account.list_fields(world.project, world.defaults)
        required = {each.name for each in found.defaults if each.required}
        assert required == {"type", "priority", "field:customfield_1"}

    async def test_somebody_who_is_no_admin_makes_the_webhook_by_hand(self, world):
        world.cloud.admin = False
        with pytest.raises(RejectedError) as caught:
            await world.open().notifications.ensure_hook(world.project, HOOK, "a secret")
        assert caught.value.status == 403
        assert any("{secret}" in step for step in world.adapter.manifest.hook_steps)

    async def test_a_search_that_lags_hides_a_new_issue_for_a_while(self, world):
        world.cloud.lag = 2
        made = await self._issue(world, "c")
        tickets, marker = world.open().tickets, marker_of(LinkId("c" * 32))
        assert await tickets.find_by_marker(world.project, marker) == []
        await tickets.find_by_marker(world.project, marker)
        assert [each.ref.id for each in await tickets.find_by_marker(world.project, marker)] == [made.ref.id]
        assert world.adapter.manifest.settle_seconds >= 10
