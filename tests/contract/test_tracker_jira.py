"""Jira Cloud: the conformance kit, and what only Jira does."""

import pytest

from contract.jira_world import JiraWorld
from contract.tracker_contract import TrackerKit


class TestJiraKit(TrackerKit):
    @pytest.fixture
    async def world(self):
        world = JiraWorld()
        yield world
        await world.aclose()
