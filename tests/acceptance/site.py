"""The service and both emulators as real processes on free ports, in a folder of their own.

Logs are shown when a test fails inside the `with`.
"""

import asyncio
import contextlib
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg

from acceptance.emulators import Board, Tracker
from acceptance.processes import KEEPSTEP, Process, free_ports, temporary_folder, until
from keepstep.adapters.clock import SystemClock
from keepstep.adapters.passwords import Argon2Passwords
from keepstep.adapters.postgres.people import PostgresPeople
from keepstep.adapters.postgres.pool import new_pool
from keepstep.app.people import People
from keepstep.bootstrap import prepare_database

_START_SECONDS = 40.0
_LOG_LINES = 60

# Long polls, so that nothing is found by chance; short times of everything that a test waits for.
QUICK = {
    "KEEPSTEP_PUSH_WAIT": "1.0",
    "KEEPSTEP_POLL_EVERY": "3600",
    "KEEPSTEP_FIRST_RETRY": "0.3",
    "KEEPSTEP_LONGEST_RETRY": "1",
    "KEEPSTEP_SETTLE_SCALE": "0.1",
    "KEEPSTEP_DEAD_AFTER": "7",
    "KEEPSTEP_LOG_LEVEL": "warning",
}


class Site:
    """A folder, two emulators, and as many processes of the service as a test starts."""

    def __init__(self, folder: Path, database_url: str = "", **settings: str) -> None:
        self.folder = folder
        self.database_url = database_url
        self.processes: list[Process] = []
        self.port = free_ports()
        self.address = f"http://127.0.0.1:{self.port}"
        self.settings = QUICK | {
            "KEEPSTEP_DATABASE_URL": database_url,
            "KEEPSTEP_DATA_DIR": str(folder / "data"),
            "KEEPSTEP_PORT": str(self.port),
            "KEEPSTEP_PUBLIC_URL": self.address,
            **settings,
        }
        self.client = httpx.Client(timeout=30)
        addresses = self._emulators("productboard", "gittab")
        self.board = Board(addresses[0], self.client)
        self.tracker = Tracker(addresses[1], self.client)
        self._token = ""

    # ---- processes

    def start(self, name: str, *arguments: str, **settings: str) -> Process:
        """Runs `keepstep ...`; does not wait for it."""
        process = Process(name, [KEEPSTEP, *arguments], self.folder, self.settings | settings)
        self.processes.append(process)
        return process

    def serve(self, *arguments: str, name: str = "service") -> Process:
        """Returns when it is ready."""
        process = self.start(name, "serve", *arguments)
        until(lambda: self.is_ready(process), _START_SECONDS)
        return process

    def worker(self, name: str) -> Process:
        """Returns when its worker has announced itself to the others."""
        before = self.workers()
        process = self.start(name, "worker")
        until(lambda: self._running(process) and self.workers() - before, _START_SECONDS)
        return process

    def workers(self) -> set[str]:
        return {row[0] for row in self.ask("SELECT DISTINCT owner FROM procrastinate_workers")}

    def is_ready(self, process: Process) -> bool:
        return self._running(process) and self._answers(f"{self.address}/readyz")

    @staticmethod
    def _running(process: Process) -> bool:
        assert process.ended is None, f"{process.name} ended with {process.ended}: {process.output}"
        return True

    def _emulators(self, *names: str) -> list[str]:
        """Their addresses, once both answer."""
        command = [sys.executable, "-m", "keepstep_sandbox", "--insecure-callbacks", "--time-scale", "0.01"]
        made = [Process(name, [*command, name], self.folder, {}) for name in names]
        self.processes += made
        addresses = [until(lambda each=each: _address_in(each.output), _START_SECONDS) for each in made]
        for address in addresses:
            until(lambda address=address: self._answers(f"{address}/_sandbox/health"), _START_SECONDS)
        return addresses

    def _answers(self, address: str) -> bool:
        try:
            return self.client.get(address).status_code == 200
        except httpx.TransportError:
            return False

    def close(self, *, failed: bool) -> None:
        self.client.close()
        for process in reversed(self.processes):
            process.clean()
            if failed:
                lines = process.output.splitlines()[-_LOG_LINES:]
                print(f"---- {process.name}", *lines, sep="\n")

    # ---- the database

    def ask(self, query: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def waiting(self) -> dict[str, int]:
        """What is not done yet; empty when all is quiet. At one moment: a timer that is due becomes a notice."""
        found = self.ask(
            "SELECT (SELECT count(*) FROM inbox WHERE handled_at IS NULL AND link_id IS NOT NULL),"
            " (SELECT count(*) FROM timers WHERE kind = 'cell'), (SELECT count(*) FROM procrastinate_jobs)"
        )
        names = ("notices", "timers", "jobs")
        return {name: count for name, count in zip(names, found[0], strict=True) if count}

    def wait_until_quiet(self, seconds: float = 25.0) -> None:
        end = time.monotonic() + seconds
        while left := self.waiting():
            assert time.monotonic() < end, f"Not quiet within {seconds} s: {left}"
            time.sleep(0.1)

    # ---- the service's API

    def token(self) -> str:
        if not self._token:
            self._token = (
                asyncio.run(_new_token(self.database_url)) if self.database_url else self._by_command()
            )
        return self._token

    def _by_command(self) -> str:
        """The embedded database is reached through the service's own commands."""
        for words in (("create", "tester"), ("token", "tester")):
            command = self.start(f"admin-{words[0]}", "admin", *words)
            until(lambda command=command: command.ended is not None, _START_SECONDS)
            assert command.ended == 0, command.output
        found = re.search(r"\bks_\S+", command.output)
        assert found is not None
        return found[0]

    def api(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = self.client.request(
            method,
            f"{self.address}/api/v1{path}",
            json=body,
            params=params,
            headers={"Authorization": f"Bearer {self.token()}"},
        )
        if answer.status_code == 404:
            return None
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def begin_connecting(self, name: str) -> dict[str, Any]:
        body = {
            "name": name,
            "board": {"base_url": f"{self.board.address}/v2", "token": "demo-productboard-token"},
            "tracker": {
                "kind": "gittab",
                "base_url": self.tracker.address,
                "token": "demo-gittab-token",
                "settings": {"status_labels": ["workflow::doing", "workflow::review"]},
            },
            "project": "1",
        }
        made: dict[str, Any] = self.api("POST", "/integrations", body)
        return made

    def connected(self, integration: str, seconds: float = 25.0) -> dict[str, Any]:
        """The integration, once it is active."""

        def active() -> dict[str, Any] | None:
            found: dict[str, Any] = self.api("GET", f"/integrations/{integration}")
            assert not found["failure"], found["failure"]
            return found if found["state"] == "active" else None

        return until(active, seconds)

    def connect(self, name: str = "Roadmap") -> dict[str, Any]:
        return self.connected(self.begin_connecting(name)["id"])

    def link_of(self, integration: dict[str, Any], feature: str) -> dict[str, Any] | None:
        items = self.api("GET", "/links", integration=integration["id"], limit=100)["items"]
        return next((each for each in items if each["feature"]["id"] == feature), None)


def _address_in(output: str) -> str:
    found = re.search(r"http://\S+", output)
    return found[0] if found else ""


def key_of(link: dict[str, Any]) -> str:
    """What GitTab's addresses call the Link's ticket."""
    label: str = link["ticket"]["label"]
    return label.removeprefix("#")


async def _new_token(dsn: str) -> str:
    await prepare_database(dsn)
    async with new_pool(dsn, "keepstep-tests", max_size=1) as pool:
        people = People(PostgresPeople(pool), Argon2Passwords(memory_kib=1024, passes=1), SystemClock())
        made = await people.create_admin("tester")
        return (await people.create_token(made.person, "acceptance tests")).secret


@contextlib.contextmanager
def open_site(database_url: str = "", **settings: str) -> Iterator[Site]:
    with temporary_folder() as folder:
        site = Site(folder, database_url, **settings)
        failed = True
        try:
            yield site
            failed = False
        finally:
            site.close(failed=failed)
