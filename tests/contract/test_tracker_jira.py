"""Jira Cloud through the conformance kit."""

import pytest

from contract.jira_world import JiraWorld
from contract.tracker_contract import TrackerContract, TrackerKit


class TestJiraCloud(TrackerKit, TrackerContract):
    @pytest.fixture
    async def world(self):
        world = JiraWorld()
        yield world
        await world.aclose()
