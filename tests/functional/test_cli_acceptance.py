"""The command line as a person uses it: real processes, the embedded database, both emulators on real sockets."""

import contextlib
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from keepstep.cli import app

pytestmark = pytest.mark.acceptance

BOARD_TOKEN, TRACKER_TOKEN, VISITOR = "demo-productboard-token", "demo-gittab-token", "demo-visitor-token"
KEEPSTEP = str(Path(sys.executable).with_name("keepstep"))
WAIT_SECONDS = 40.0
CALL_SECONDS = 60


class Installation:
    """One folder, one `keepstep serve` and both emulators."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.board_port, self.tracker_port = free_ports(3)
        self.service, self.board, self.tracker = (
            f"http://127.0.0.1:{port}" for port in (self.port, self.board_port, self.tracker_port)
        )
        self.heard = ""
        """All that the commands printed."""

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KEEPSTEP_")}
        return kept | {
            "KEEPSTEP_DATA_DIR": str(self.folder / "data"),
            "KEEPSTEP_PUBLIC_URL": self.service,
            "KEEPSTEP_PORT": str(self.port),
            "COLUMNS": "80",
            "NO_COLOR": "1",
        }

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                list(command),
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def emulator(self, name: str, port: int) -> subprocess.Popen[bytes]:
        options = ("--port", str(port), "--insecure-callbacks", "--time-scale", "0.05")
        return self.start(sys.executable, "-m", "keepstep_sandbox", name, *options)

    def keepstep(self, *words: str, given: str = "", code: int = 0) -> str:
        """What the command printed on standard output; it ended with this code.

        In this process: starting one costs a second. `process` is the other way.
        """
        root = logging.getLogger()
        handlers, level = list(root.handlers), root.level
        try:
            done = CliRunner().invoke(app, list(words), input=given, env=self.environment)
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return self._ended(done.exit_code, done.stdout, done.stderr, code)

    def process(self, *words: str, given: str = "", code: int = 0) -> str:
        """The same, as a process of its own."""
        done = subprocess.run(
            [KEEPSTEP, *words],
            input=given,
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=CALL_SECONDS,
            check=False,
        )
        return self._ended(done.returncode, done.stdout, done.stderr, code)

    def _ended(self, ended: int, out: str, err: str, code: int) -> str:
        self.heard += out + err
        assert ended == code, out + err
        assert "Traceback" not in err
        return out

    def read(self, *words: str) -> Any:
        return json.loads(self.keepstep(*words, "--json"))

    def features(self) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {VISITOR}"}
        answer = httpx.get(f"{self.board}/v2/entities", params={"type[]": "feature"}, headers=headers)
        return answer.raise_for_status().json()["data"]

    def click(self, column: str, feature: str) -> dict[str, Any]:
        body = {"integrationId": column, "entityId": feature, "trigger": "button.push"}
        answer = httpx.post(f"{self.board}/_sandbox/click", json=body, timeout=30)
        return answer.raise_for_status().json()["connection"]

    def issues(self, method: str = "GET", path: str = "", **options: Any) -> Any:
        url = f"{self.tracker}/api/v4/projects/1/issues{path}"
        answer = httpx.request(method, url, headers={"PRIVATE-TOKEN": VISITOR}, **options)
        return answer.raise_for_status().json()

    def new_integration(self) -> dict[str, Any]:
        return {
            "name": "Roadmap",
            "board": {"base_url": f"{self.board}/v2", "token": BOARD_TOKEN},
            "tracker": {"kind": "gittab", "base_url": self.tracker, "token": TRACKER_TOKEN},
            "project": "1",
        }


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in taken]


def until(probe: Any, seconds: float = WAIT_SECONDS) -> Any:
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.TransportError):
            if found := probe():
                return found
        assert time.monotonic() < end, "not in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    folder = Path(tempfile.mkdtemp(prefix="keepstep-cli-"))
    place = Installation(folder)
    running = [
        place.emulator("productboard", place.board_port),
        place.emulator("gittab", place.tracker_port),
        place.start(KEEPSTEP, "serve"),
    ]
    try:
        for address in (f"{place.board}/_sandbox/journal", f"{place.tracker}/_sandbox/journal"):
            until(lambda address=address: httpx.get(address).status_code == 200)
        until(lambda: httpx.get(f"{place.service}/readyz").status_code == 200)
        yield place
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        _remove_cluster(folder)
        shutil.rmtree(folder)


def _remove_cluster(folder: Path) -> None:
    """As root the database's files lie outside the data folder, where the marker says."""
    marker = folder / "data" / "postgres" / "postgres-home"
    if marker.exists():
        home = Path(marker.read_text().strip())
        assert home.parent == Path("/var/lib/keepstep")
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def integration(installation: Installation) -> dict[str, Any]:
    """Made and connected by the command line, tokens and all from standard input."""
    given = json.dumps(installation.new_integration())
    made = installation.keepstep("integrations", "create", "--from-json", "-", given=given)
    found = installation.read("integrations", "show", made.strip())
    assert found["state"] == "active"
    return found


@pytest.fixture(scope="module")
def link(installation: Installation, integration: dict[str, Any]) -> dict[str, Any]:
    feature = installation.features()[0]
    assert installation.click(integration["registrations"]["column"], feature["id"])["state"] == "connected"
    (found,) = installation.read("links", "list", "--search", feature["fields"]["name"])
    return found


def test_a_person_and_a_token_are_made_and_the_token_opens_the_api(installation):
    installation.process("admin", "create", "ada", "--password-stdin", given="three plain words\n")
    made = installation.keepstep("admin", "create", "bob").strip()
    assert re.fullmatch(r"[a-z0-9]{4}(-[a-z0-9]{4}){4}", made)
    assert installation.keepstep("admin", "reset-password", "bob").strip() != made
    token = installation.process("admin", "token", "ada").strip()
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{installation.service}/api/v1/system", headers=headers).json()["ready"]
    assert [each["name"] for each in installation.read("admin", "list")] == ["ada", "bob"]
    installation.process("admin", "create", "ada", code=1)
    installation.keepstep("admin", "token", "nobody", code=1)


def test_an_integration_is_made_listed_and_shown(installation, integration):
    assert [each["id"] for each in installation.read("integrations", "list")] == [integration["id"]]
    shown = installation.keepstep("integrations", "show", "roadmap")
    assert "Everything is in step" in shown or "Nothing is pushed yet" in shown
    listed = installation.keepstep("integrations", "list")
    assert "Roadmap" in listed
    assert all(len(line) <= 80 for line in listed.splitlines())


def test_options_do_what_the_json_does(installation, integration):
    token_file = installation.folder / "board"
    token_file.write_text(f"{BOARD_TOKEN}\n")
    words = ["--name", "By options", "--kind", "gittab", "--project", "demo/roadmap"]
    words += ["--board-url", f"{installation.board}/v2", "--board-token-file", str(token_file)]
    words += ["--tracker-url", installation.tracker, "--tracker-token-file", "-"]
    words += ["--setting", "status_labels=workflow::doing", "--default", "labels=productboard"]
    made = installation.keepstep("integrations", "create", *words, given=TRACKER_TOKEN).strip()
    found = installation.read("integrations", "show", made[:8])
    assert found["tracker"]["settings"] == {"status_labels": ["workflow::doing"]}
    assert found["defaults"] == {"labels": ["productboard"]}
    installation.keepstep("integrations", "change", made, "--name", "Changed", "--button", "Send")
    assert installation.read("integrations", "show", made)["name"] == "Changed"
    installation.keepstep("integrations", "delete", "Changed", "--yes")
    installation.keepstep("integrations", "show", made, code=1)


def test_links_are_listed_explained_synced_and_unlinked(installation, integration, link):
    listed = installation.keepstep("links", "list", "--state", "in-step")
    assert link["id"][:8] in listed
    assert all(len(line) <= 80 for line in listed.splitlines())
    explained = installation.keepstep("links", "explain", link["id"][:10])
    for word in ("title", "description", "status", "base", "why", link["ticket"]["label"]):
        assert word in explained
    installation.keepstep("links", "sync", link["id"])
    feature = installation.features()[1]
    issue = installation.issues("POST", json={"title": "Was there before"})
    paired = installation.keepstep("links", "create", "Roadmap", feature["id"], issue["web_url"]).strip()
    assert installation.read("links", "show", paired)["ticket"]["title"] == "Was there before"
    installation.keepstep("links", "unlink", paired)
    until(lambda: paired not in [each["id"] for each in installation.read("links", "list")])
    installation.keepstep("links", "show", paired, code=1)


def test_a_conflict_is_shown_decided_and_put_back(installation, integration, link):
    rules = {"policy": {"fields": {"title": {"rule": "ask"}}}}
    installation.keepstep("integrations", "change", "Roadmap", "--from-json", "-", given=json.dumps(rules))
    installation.keepstep("integrations", "pause", "Roadmap")
    iid = link["ticket"]["label"].removeprefix("#")
    url = f"{installation.board}/v2/entities/{link['feature']['id']}"
    fields = {"data": {"fields": {"name": "Said in Productboard"}}}
    httpx.patch(url, json=fields, headers={"Authorization": f"Bearer {VISITOR}"}).raise_for_status()
    installation.issues("PUT", f"/{iid}", json={"title": "Said in GitTab"})
    installation.keepstep("integrations", "resume", "Roadmap")
    until(lambda: installation.read("links", "show", link["id"])["state"] == "in conflict")
    explained = installation.keepstep("links", "explain", link["id"])
    for word in ("waits for a decision", "“Said in Productboard”", "“Said in GitTab”"):
        assert word in explained
    installation.keepstep("links", "decide", link["id"], "title", "feature")
    until(lambda: installation.issues(path=f"/{iid}")["title"] == "Said in Productboard")
    until(lambda: installation.read("links", "show", link["id"])["state"] == "linked")
    explained = installation.keepstep("links", "explain", link["id"])
    entry = re.search(r"entry (\d+): ticket's title was “Said in GitTab”", explained)
    assert entry is not None, explained
    installation.keepstep("links", "put-back", entry[1])
    until(lambda: installation.issues(path=f"/{iid}")["title"] == "Said in GitTab")


def test_a_token_is_replaced_from_standard_input(installation, integration):
    installation.keepstep(
        "integrations", "token", "Roadmap", "tracker", given="wrong-token-for-the-tracker", code=1
    )
    installation.keepstep("integrations", "token", "Roadmap", "tracker", given=f"{TRACKER_TOKEN}\n")


def test_the_doctor_finds_all_well_but_the_address(installation, integration):
    report = installation.read("doctor")
    marks = {
        (part["about"].split()[0], each["about"]): each["mark"]
        for part in report["parts"]
        for each in part["findings"]
    }
    assert report["ok"]
    assert marks["Installation", "public address"] == "warning"
    for about in ("settings", "data folder", "keys", "door", "database", "worker"):
        assert marks["Installation", about] == "ok", about
    for about in (
        "state",
        "secrets",
        "Productboard token",
        "GitTab token",
        "project",
        "column",
        "status map",
    ):
        assert marks["Integration", about] == "ok", about
    assert "0 failures" in installation.keepstep("doctor", "Roadmap")


def test_the_doctor_names_the_cause_and_the_cure_and_exits_with_1(installation, integration):
    # Only what the doctor asks: everything else would rightly be paused.
    rule = {"match": "* /api/v4/personal_access_tokens/self", "status": 401, "times": None}
    httpx.post(f"{installation.tracker}/_sandbox/faults", json=rule).raise_for_status()
    try:
        report = installation.keepstep("doctor", code=1)
    finally:
        httpx.delete(f"{installation.tracker}/_sandbox/faults").raise_for_status()
    assert "failure  GitTab token" in report
    assert f"keepstep integrations token {integration['id']} tracker" in report


def test_what_is_wrong_is_one_line(installation, integration):
    for words in (
        ("links", "show", "nothing"),
        ("integrations", "show", "nothing"),
        ("integrations", "resume", "Roadmap"),
        ("links", "create", "Roadmap", "no feature", "#1"),
        ("links", "put-back", "999999999"),
        ("bulk", "show", "nothing"),
        ("bulk", "push", "Roadmap", "--place", "Attic"),
    ):
        before = len(installation.heard)
        assert installation.keepstep(*words, code=1) == ""
        assert re.fullmatch(r"keepstep: .+\n", installation.heard[before:]), installation.heard[before:]
    wrong = installation.new_integration() | {"project": 7, "name": ["x"]}
    before = len(installation.heard)
    installation.keepstep("integrations", "create", "--from-json", "-", given=json.dumps(wrong), code=1)
    assert installation.heard[before:].startswith("keepstep: name: ")


def test_many_are_pushed_and_linked_as_runs(installation, integration):
    run = installation.keepstep("bulk", "push", "Roadmap", "--status", "New idea", "--text", "e").strip()
    found = installation.read("bulk", "show", run[:8])
    assert (found["state"], found["kind"]) == ("proposed", "push")
    waiting = [each for each in found["items"] if each["outcome"] == "waiting"]
    assert len(waiting) >= 2
    installation.keepstep("bulk", "choose", run, str(waiting[0]["id"]), "--out")
    installation.keepstep("bulk", "start", run)
    until(lambda: installation.read("bulk", "show", run)["state"] == "done")
    table = installation.keepstep("bulk", "show", run, "--outcome", "skipped")
    assert "Left out by a person." in " ".join(table.split())
    assert installation.read("bulk", "list")[0]["outcomes"]["pushed"] == len(waiting) - 1
    pairs = f"feature,ticket\n{waiting[0]['feature']['id']},#1\n"
    linking = installation.keepstep("bulk", "link", "Roadmap", "--csv", "-", given=pairs).strip()
    installation.keepstep("bulk", "start", linking, "--first", "ticket")
    until(lambda: installation.read("bulk", "show", linking)["outcomes"]["linked"] == 1)
    assert installation.keepstep("bulk", "cancel", linking, code=1) == ""
    before = len(installation.heard)
    installation.keepstep("bulk", "link", "Roadmap", "--csv", "-", given="x,#1\n", code=1)
    assert "Line 1, column feature" in installation.heard[before:]


def test_deleting_ends_it_and_no_token_was_ever_printed(installation, integration):
    installation.keepstep("integrations", "delete", "Roadmap", "--clean-tickets", given="", code=1)
    installation.keepstep("integrations", "delete", "Roadmap", "--clean-tickets", "--yes")
    assert installation.read("integrations", "list") == []
    assert not [each for each in installation.issues() if "keepstep" in (each["description"] or "")]
    for secret in (BOARD_TOKEN, TRACKER_TOKEN, "three plain words"):
        assert secret not in installation.heard
