"""The JSON file through Keepstep's conformance kit."""

import json
from types import MappingProxyType

import pytest
from keepstep_tracker_jsonfile import JSONFILE

from keepstep.testing.tracker_contract import TrackerKit
from keepstep.testing.tracker_world import TrackerWorld


class FileWorld(TrackerWorld):
    adapter = JSONFILE
    base_url = "http://localhost"
    token, wrong_token = "ada-token", "nobody-token"
    answers_over_http = False
    ran_on = "a file"
    skips = MappingProxyType(
        {
            "test_each_kind_of_trouble_has_its_error": "a file is not asked over HTTP",
            "test_a_create_whose_answer_is_lost_is_in_doubt_and_found": "a file's answer is never lost",
        }
    )

    def __init__(self, path):
        super().__init__()
        self.path = path
        path.write_text(json.dumps({"users": {self.token: "Ada"}, "tickets": []}))
        self.project, self.unknown_project = path.name, "other.json"
        self.settings = {"file": str(path)}

    def _person(self, act):
        data = json.loads(self.path.read_text())
        act(data)
        self.path.write_text(json.dumps(data))

    async def edit(self, ref, *, title):
        def rename(data):
            row = next(each for each in data["tickets"] if str(each["id"]) == ref.id)
            row["title"] = title

        self._person(rename)

    async def delete(self, ref):
        def drop(data):
            data["tickets"] = [each for each in data["tickets"] if str(each["id"]) != ref.id]

        self._person(drop)


class TestJsonFile(TrackerKit):
    @pytest.fixture
    async def world(self, tmp_path):
        world = FileWorld(tmp_path / "tickets.json")
        yield world
        await world.aclose()
