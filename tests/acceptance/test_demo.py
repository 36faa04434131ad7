"""`keepstep demo` as people run it: start, Ctrl-C, start again, other ports, a taken port, awkward folders."""

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from acceptance.emulators import Board, Tracker
from acceptance.processes import KEEPSTEP, Process, clean_environment, free_ports, temporary_folder, until

pytestmark = pytest.mark.acceptance

START_SECONDS = 60.0


@dataclass
class Demo:
    """One folder, in which the demo runs now and then."""

    folder: Path
    port: int
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))
    processes: list[Process] = field(default_factory=list)

    @property
    def service(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state(self) -> Path:
        return self.folder / ".demo" / str(self.port)

    def begin(self) -> Process:
        name = f"demo-{len(self.processes)}"
        process = Process(name, [KEEPSTEP, "demo"], self.folder, {"KEEPSTEP_DEMO_PORT": str(self.port)})
        self.processes.append(process)
        return process

    def start(self) -> Process:
        """Returns when it has told its addresses."""
        process = self.begin()
        until(lambda: _runs(process) and "Stop with Ctrl-C" in process.output, START_SECONDS)
        return process

    def board(self) -> Board:
        return Board(f"http://127.0.0.1:{self.port + 1}", self.client)

    def tracker(self) -> Tracker:
        return Tracker(f"http://127.0.0.1:{self.port + 2}", self.client)

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Status 0 while nobody answers."""
        try:
            answer = self.client.get(f"{self.service}/readyz")
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    def family(self, process: Process) -> list[psutil.Process]:
        """All that belongs to it: children, and the database's server, which is nobody's child."""
        homes = [self.state / "postgres"]
        homes += [Path(marker.read_text().strip()) for marker in self.state.rglob("postgres-home")]
        found = process.family()
        for each in psutil.process_iter(["name", "cmdline"]):
            if any(str(home / "pg") in (each.info["cmdline"] or []) for home in homes):
                found += [each, *each.children(recursive=True)]
        return found


def _runs(process: Process) -> bool:
    assert process.ended is None, process.output
    return True


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """Below a folder that only we may enter, with a path of more than 150 characters."""
    with temporary_folder() as folder:
        private = folder / "private"
        private.mkdir(mode=0o700)
        deep = private / ("long-" * 15 + "x") / ("path-" * 15 + "x")
        deep.mkdir(parents=True)
        assert len(str(deep)) > 150
        demo = Demo(deep, free_ports(3))
        try:
            yield demo
        finally:
            demo.client.close()
            for process in demo.processes:
                if process.ended is None:
                    process.send(signal.SIGTERM)
                    with_time = time.monotonic() + 10
                    while process.ended is None and time.monotonic() < with_time:
                        time.sleep(0.1)
                process.clean()


def test_it_starts_goes_on_from_where_it_ended_and_stops_with_ctrl_c(demo: Demo):
    """One story, since a demo takes its time to start."""
    first = demo.begin()
    column, feature, ticket, told = _first_run(demo, first)
    _stopped_by_ctrl_c(demo, first)
    second = demo.start()
    _second_run(demo, column, feature, ticket)
    assert _addresses_and_login(second.output) == told
    _stopped_by_ctrl_c(demo, second)


def _first_run(demo: Demo, process: Process) -> tuple[str, str, str, list[str]]:
    """Ready only once it is connected, which we delay; then a push."""
    board_answers = f"http://127.0.0.1:{demo.port + 1}/_sandbox/health"
    until(lambda: _runs(process) and _answers(demo, board_answers), START_SECONDS)
    board, tracker = demo.board(), demo.tracker()
    board.fault("POST /v2/plugin-integrations", delay_s=2, when="after")
    status, said = until(lambda: seen if (seen := demo.ready())[0] else None, START_SECONDS)
    assert status == 503
    assert [each["name"] for each in said["checks"] if not each["ok"]] == ["demo"]
    until(lambda: demo.ready()[0] == 200, START_SECONDS)
    (column,) = [each["id"] for each in board.columns() if each["fields"]["integrationStatus"] == "enabled"]
    assert len(tracker.hooks()) == 1
    feature = board.features()[0]
    cell = board.click(column, feature)
    assert cell["state"] == "connected"
    until(lambda: "Stop with Ctrl-C" in process.output, 5)
    return column, feature, cell["hoverLabel"].removeprefix("#"), _addresses_and_login(process.output)


def _second_run(demo: Demo, column: str, feature: str, ticket: str) -> None:
    board, tracker = demo.board(), demo.tracker()
    assert demo.ready()[0] == 200
    assert [each["id"] for each in board.columns()] == [column]
    assert len(tracker.hooks()) == 1
    assert board.cell(column, feature)["state"] == "connected"
    board.rename(feature, "Renamed after the second start")
    until(lambda: tracker.issue(ticket)["title"] == "Renamed after the second start", 15)
    tracker.edit(ticket, title="And the other way")
    until(lambda: board.name(feature) == "And the other way", 15)
    assert len(tracker.made_by_us()) == 1


def _stopped_by_ctrl_c(demo: Demo, process: Process) -> None:
    family = demo.family(process)
    assert {each.name() for each in family} >= {"postgres"}
    assert len(family) > 4, "the demo, two emulators, the database's server and its processes"
    begun = time.monotonic()
    code = process.ctrl_c()
    _, alive = psutil.wait_procs(family, timeout=max(0.1, begun + 10 - time.monotonic()))
    assert alive == []
    assert code in (0, 130)
    assert "Traceback" not in process.output
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", demo.port))


def _answers(demo: Demo, address: str) -> bool:
    try:
        return demo.client.get(address).status_code == 200
    except httpx.TransportError:
        return False


def _addresses_and_login(output: str) -> list[str]:
    return re.findall(r"http://127\.0\.0\.1:\d+|login: \S+ / \S+", output)


def test_what_it_prints_logs_in(demo: Demo):
    process = demo.start()
    told = _addresses_and_login(process.output)
    assert [each for each in told if each.startswith("http")] == [
        f"http://127.0.0.1:{demo.port + step}" for step in range(3)
    ]
    found = re.search(r"login: (\S+) / (\S+?)\)", process.output)
    assert found is not None
    with httpx.Client(base_url=demo.service, follow_redirects=True) as person:
        answer = person.post("/login", data={"name": found[1], "password": found[2]})
        assert answer.status_code == 200
        assert "GitTab roadmap" in answer.text


@pytest.mark.parametrize("step", [0, 2])
def test_a_taken_port_is_said_in_one_line(step: int, tmp_path: Path):
    port = free_ports(3)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + step))
        taken.listen()
        ended = _run(tmp_path, str(port))
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert f"Port {port + step} is taken" in line
    assert "KEEPSTEP_DEMO_PORT" in line
    assert ended.stdout == ""


@pytest.mark.parametrize("wrong", ["eighty", "65534"])
def test_a_port_that_leaves_no_room_for_three_is_said_in_one_line(wrong: str, tmp_path: Path):
    ended = _run(tmp_path, wrong)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "KEEPSTEP_DEMO_PORT" in line
    assert list(tmp_path.iterdir()) == []


def _run(folder: Path, port: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KEEPSTEP, "demo"],
        cwd=folder,
        env=clean_environment(KEEPSTEP_DEMO_PORT=port),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
