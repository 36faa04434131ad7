"""Our own trackers through the conformance kit that other authors use."""

import pytest

from contract.kit_worlds import GitHubWorld, GitTabWorld, LinearWorld
from contract.tracker_contract import TrackerKit


class TestGitTabKit(TrackerKit):
    @pytest.fixture
    async def world(self):
        world = GitTabWorld()
        yield world
        await world.aclose()


class TestLinearKit(TrackerKit):
    @pytest.fixture
    async def world(self):
        world = LinearWorld()
        yield world
        await world.aclose()


class TestGitHubKit(TrackerKit):
    @pytest.fixture
    async def world(self):
        world = GitHubWorld()
        yield world
        await world.aclose()
