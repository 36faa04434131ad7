"""Database, emulators and the service's processes, as the scenarios see them."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

from acceptance.emulators import PROJECT, Board, Tracker
from acceptance.processes import Process, clean_environment, free_ports, until
from acceptance.site import _address_in
from crash.actions import BOARD_TOKEN
from crash.seams import ENDED_BY_A_POINT
from keepstep.adapters.jobs.schema import apply_schema
from keepstep.bootstrap import prepare_database

_TESTS = Path(__file__).parents[1]
MAIN = "Roadmap"


class CrashSite:
    def __init__(self, dsn, folder):
        self._stack = contextlib.ExitStack()
        self.client = self._stack.enter_context(httpx.Client(timeout=30))
        asyncio.run(_prepare(dsn))
        emulators = []
        for name in ("productboard", "gittab"):
            command = [
                sys.executable,
                "-m",
                "keepstep_sandbox",
                "--insecure-callbacks",
                "--time-scale",
                "0.001",
                name,
            ]
            emulators.append(Process(name, command, folder, {}))
            self._stack.callback(emulators[-1].clean)
        addresses = [until(lambda each=each: _address_in(each.output), 40) for each in emulators]
        for address in addresses:
            until(lambda address=address: _answers(self.client, address), 40)
        self.board, self.tracker = Board(addresses[0], self.client), Tracker(addresses[1], self.client)
        # A hook that switches itself off for a moment after each crash would make every run another one.
        calm = {"limits": {"requests_per_minute": None}, "auto_disable": False}
        self.tracker.call("POST", "/_sandbox/seed", calm)
        # Nor is a fast machine to meet the limit: time jumps here, and the emulator's seconds do not.
        fast = {"tokens": [{"token": BOARD_TOKEN, "per_second": 100_000}]}
        self.board.call("POST", "/_sandbox/seed", fast)
        self._start(dsn, folder)
        self.heard()
        self.do("connect", name=MAIN)
        self.column = self.column_of(MAIN)["id"]

    def close(self):
        self._stack.close()

    def _start(self, dsn, folder):
        told = {
            "dsn": dsn,
            "board": self.board.address,
            "tracker": self.tracker.address,
            "port": free_ports(),
        }
        self.log = folder / "service.log"
        errors = self._stack.enter_context(self.log.open("ab"))
        self._service = subprocess.Popen(
            [sys.executable, "-m", "crash.forking", json.dumps(told)],
            cwd=folder,
            env=clean_environment(PYTHONPATH=str(_TESTS)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        self._stack.callback(self._end)

    def _end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._service.pid, 9)
        self._service.communicate()

    # ---- the service

    def do(self, action, **values):
        """Without counting."""
        told = self._order(action, values, count=False)
        assert "done" in told, told
        assert not told["crashes"], told["crashes"]

    def record(self, action, **values):
        told = self._order(action, values, count=True)
        assert "done" in told, told
        assert not told["crashes"], told["crashes"]
        assert not told["strays"], f"Past the points goes: {told['strays']}"
        return told["done"]

    def crash(self, action, target, again=0, **values):
        """Ended at that point and started again; what the new process found and did.

        `again`: the point of its recovery at which that one ends as well, if it has so many.
        """
        told = self._order(action, values, count=True, target=target, again=again)
        assert told == {"ended": ENDED_BY_A_POINT}, f"The process did not end at point {target}: {told}"
        told = self.heard()
        return self.heard() if again and told == {"ended": ENDED_BY_A_POINT} else told

    def _order(self, action, values, **more):
        self._service.stdin.write(json.dumps({"action": action, "values": values, **more}) + "\n")
        self._service.stdin.flush()
        return self.heard()

    def heard(self):
        line = self._service.stdout.readline()
        assert line, f"The service's processes ended: {self.log.read_text()[-2000:]}"
        return json.loads(line)

    # ---- the outside

    def new_feature(self, name):
        made = self.board.call("POST", "/_sandbox/seed", {"entities": [{"fields": {"name": name}}]})
        return made["entities"][0]

    def feature(self, feature):
        return self.board.call("GET", f"/v2/entities/{feature}")["data"]["fields"]

    def tickets(self, title):
        """By its exact title, whoever made them."""
        found = self.tracker.call("GET", f"{PROJECT}/issues", search=title, state="all", scope="all")
        return [each for each in found if each["title"] == title]

    def column_of(self, name):
        return next((each for each in self.board.columns() if each["fields"]["name"] == name), None)

    def registered(self, integration):
        """Of this id: columns, subscriptions and hooks that exist."""
        columns = [each for each in self.board.columns() if integration in each["fields"]["type"]]
        subscriptions = self.board.subscriptions()
        ours = [each for each in subscriptions if integration in each["fields"]["notification"]["url"]]
        hooks = [each for each in self.tracker.hooks() if integration in each["url"]]
        return len(columns), len(ours), len(hooks)

    def integrations_outside(self):
        """How many columns, subscriptions and hooks there are in all."""
        return len(self.board.columns()), len(self.board.subscriptions()), len(self.tracker.hooks())


def _answers(client, address):
    try:
        return client.get(f"{address}/_sandbox/health").status_code == 200
    except httpx.TransportError:
        return False


async def _prepare(dsn):
    await prepare_database(dsn)
    await apply_schema(dsn)
