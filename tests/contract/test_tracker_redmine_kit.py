"""The conformance kit on the real Redmine."""

import asyncio
import hashlib
import hmac
import json
from types import MappingProxyType

import pytest

from contract.tracker_contract import TrackerKit
from keepstep.adapters.trackers.redmine import REDMINE
from keepstep.ports.errors import NotThereError
from keepstep.testing.tracker_world import Fault, TrackerWorld
from redmine_server import BOT, FIELD

SECRET = "our-secret-of-256-bits-and-more"
pytestmark = pytest.mark.redmine


class RedmineWorld(TrackerWorld):
    adapter = REDMINE
    token, wrong_token = BOT, "e" * 40
    secret = SECRET
    ran_on = "a real Redmine 5.0.4; webhooks of 7.0 by their source"
    means = MappingProxyType({403: NotThereError})
    skips = MappingProxyType(
        {
            "test_a_created_ticket_has_every_status_that_may_be_asked_for": "the workflow decides how an issue begins",
            "test_each_status_can_be_written_from_each_other": "the workflow decides; those without a note are written",
            "test_a_write_changes_what_it_carries_and_nothing_else": "whole seconds; held by a test of its own",
            "test_the_same_write_twice_is_no_second_change": "a write moves the time; has a test of its own",
        }
    )

    def __init__(self, server):
        self.server, self.base_url = server, server.url
        super().__init__()
        self.project = server.id_of("/projects.json?limit=100", "projects", "Alpha")
        self._beta = server.id_of("/projects.json?limit=100", "projects", "Beta")
        self.settings = {
            "text": "textile",
            "marker_field": server.id_of("/custom_fields.json", "custom_fields", FIELD),
        }
        self.defaults = {"tracker": server.id_of("/trackers.json", "trackers", "Feature")}

    def clear(self):
        for project in (self.project, self._beta):
            found = self.server.ask("GET", f"/issues.json?project_id={project}&status_id=*&limit=100").json()
            for issue in found["issues"]:
                self.server.ask("DELETE", f"/issues/{issue['id']}.json")

    async def _person(self, method, ref, **fields):
        body = {"issue": fields} if fields else None
        answer = await asyncio.to_thread(self.server.ask, method, f"/issues/{ref.key}.json", body)
        assert answer.status_code == 204

    async def edit(self, ref, *, title):
        await self._person("PUT", ref, subject=title)

    async def delete(self, ref):
        await self._person("DELETE", ref)

    async def move(self, ref):
        await self._person("PUT", ref, project_id=int(self._beta))

    async def delivery(self, ref):
        body = json.dumps({"type": "issue.updated", "data": {"issue": {"id": int(ref.key)}}}).encode()
        proof = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return {"X-Redmine-Signature-256": f"sha256={proof}"}, body

    async def ignore_next_write(self):
        self.fail(Fault(method="PUT", status=204))


class TestRedmineKit(TrackerKit):
    @pytest.fixture
    async def world(self, redmine):
        world = RedmineWorld(redmine)
        world.clear()
        yield world
        await world.aclose()
