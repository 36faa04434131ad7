"""Two web processes behind a balancer and three workers: one budget of calls, one job per Link, and nothing lost."""

import itertools
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from acceptance.balancer import balanced
from acceptance.emulators import PROJECT, Emulator
from acceptance.processes import Process, free_ports, until
from acceptance.site import Site, key_of, open_site
from keepstep.adapters.postgres.migrations import HEAD

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

WEBS, WORKERS = 2, 3
LINKS = 30
SHARE = "25"
WINDOW_SECONDS, ALLOWED = 3, 32
"""A quarter of what we allow ourselves at Productboard: 8 calls at once, and 40 in each second."""
_LATE = 6
"""Calls that a busy machine may bring into the window: they were let through before it began, and sent in it."""
_SETTLES_SECONDS = 0.4
"""What was under way when an account was closed, on a busy machine."""


@dataclass
class Fleet:
    site: Site
    ports: range
    processes: dict[str, Process] = field(default_factory=dict)
    integration: dict[str, Any] = field(default_factory=dict)
    tickets: dict[str, str] = field(default_factory=dict)
    """By feature: the key of its ticket."""

    @property
    def column(self) -> str:
        column: str = self.integration["registrations"]["column"]
        return column

    def start_web(self, number: int) -> None:
        port = str(self.ports[number])
        self.processes[f"web {number}"] = self.site.start(
            f"web {number}", "serve", "--no-worker", KEEPSTEP_PORT=port
        )

    def start_worker(self, number: int) -> None:
        self.processes[f"worker {number}"] = self.site.start(f"worker {number}", "worker")

    def wait_until_up(self) -> None:
        for name, process in self.processes.items():
            assert process.ended is None, f"{name}: {process.output}"
        for port in self.ports:
            until(lambda port=port: self._is_ready(port), 60)
        until(lambda: self._alive() == WORKERS, 60)

    def _alive(self) -> int:
        query = "SELECT count(DISTINCT owner) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '7 s'"
        found: int = self.site.ask(query)[0][0]
        return found

    def _is_ready(self, port: int) -> bool:
        return self.site._answers(f"http://127.0.0.1:{port}/readyz")

    def restart(self, name: str) -> None:
        """As a rolling upgrade does: one goes, one comes."""
        assert self.processes[name].stop() == 0
        kind, number = name.split()
        (self.start_web if kind == "web" else self.start_worker)(int(number))
        self.wait_until_up()

    def push(self, count: int) -> list[str]:
        """So many new features, each with its ticket."""
        features = self.site.board.add_features(count)
        with ThreadPoolExecutor(4) as people:
            list(people.map(lambda feature: self.site.board.click(self.column, feature), features))
        for feature in features:
            self.tickets[feature] = until(lambda feature=feature: self._ticket_of(feature), 30)
        return features

    def _ticket_of(self, feature: str) -> str:
        link = self.site.link_of(self.integration, feature)
        return key_of(link) if link and link["ticket"] else ""

    def titles(self, features: list[str]) -> dict[str, str]:
        issues = {str(each["iid"]): each["title"] for each in self.site.tracker.made_by_us()}
        return {feature: issues.get(self.tickets[feature], "") for feature in features}


@pytest.fixture(scope="module")
def fleet(postgres_dsn: str) -> Iterator[Fleet]:
    """All five begin at once, on an empty database."""
    with open_site(postgres_dsn, KEEPSTEP_PUSH_WAIT="2.5", KEEPSTEP_CALL_SHARE=SHARE) as site:
        first = free_ports(WEBS)
        fleet = Fleet(site, range(first, first + WEBS))
        with balanced(site.port, fleet.ports):
            for number in range(WEBS):
                fleet.start_web(number)
            for number in range(WORKERS):
                fleet.start_worker(number)
            fleet.wait_until_up()
            fleet.integration = site.connect()
            fleet.push(LINKS)
            site.wait_until_quiet(40)
            yield fleet


def _calls(emulator: Emulator, since: float = 0.0) -> list[dict[str, Any]]:
    """Of the service, in order of their beginning."""
    entries = [
        each
        for each in emulator.call("GET", "/_sandbox/journal", direction="in")["entries"]
        if each["request_headers"].get("user-agent") == "keepstep" and each["started_at"] >= since
    ]
    return sorted(entries, key=lambda each: each["started_at"])


def _most_in_a_window(times: list[float]) -> int:
    most, window = 0, deque[float]()
    for at in times:
        window.append(at)
        while window[0] <= at - WINDOW_SECONDS:
            window.popleft()
        most = max(most, len(window))
    return most


def test_whoever_starts_first_migrates_and_the_others_find_it_done(fleet: Fleet):
    assert fleet.site.ask("SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert all(process.ended is None for process in fleet.processes.values())
    for name, process in fleet.processes.items():
        assert "Traceback" not in process.output, f"{name}: {process.output}"


def test_all_processes_together_keep_to_the_limit(fleet: Fleet):
    site, began = fleet.site, time.time()
    features = list(fleet.tickets)[:LINKS]
    with ThreadPoolExecutor(8) as people:
        for turn in range(3):
            list(people.map(lambda feature, turn=turn: site.board.rename(feature, f"Turn {turn}"), features))
    until(lambda: fleet.titles(features) == dict.fromkeys(features, "Turn 2"), 60)
    site.wait_until_quiet(60)
    calls = _calls(site.board, began)
    assert len(calls) > 2 * ALLOWED, "Enough that it takes longer."
    assert _most_in_a_window([each["started_at"] for each in calls]) <= ALLOWED + _LATE
    assert not [each for each in calls if each["status"] == 429]


def test_a_link_has_one_job_at_a_time(fleet: Fleet):
    """Its calls never overlap, in whichever process its jobs run."""
    site, began = fleet.site, time.time()
    slow = [site.board.fault("* /v2/entities/*", delay_s=0.06, times=None)]
    features = list(fleet.tickets)[:6]
    for turn in range(6):
        for feature in features:
            site.board.rename(feature, f"Again {turn}")
            site.tracker.edit(fleet.tickets[feature], title=f"Again {turn}")
        time.sleep(0.3)
    site.wait_until_quiet(60)
    for rule in slow:
        site.board.call("DELETE", f"/_sandbox/faults/{rule}")
    by_link: dict[str, list[dict[str, Any]]] = defaultdict(list)
    names = {f"{PROJECT}/issues/{ticket}": feature for feature, ticket in fleet.tickets.items()}
    names |= {f"/v2/entities/{feature}": feature for feature in fleet.tickets}
    for each in _calls(site.board, began) + _calls(site.tracker, began):
        if feature := names.get(each["path"].partition("?")[0]):
            by_link[feature].append(each)
    assert set(by_link) >= set(features)
    for calls in by_link.values():
        calls.sort(key=lambda each: each["started_at"])
        for earlier, later in itertools.pairwise(calls):
            assert later["started_at"] > earlier["at"] - 0.03, (earlier, later)


def test_one_429_stops_all_of_them_until_then(fleet: Fleet):
    site, wait = fleet.site, 10
    features = list(fleet.tickets)[:LINKS]
    began = time.time()
    headers = {"Retry-After": str(wait)}
    site.board.fault(f"GET /v2/entities/{features[0]}", status=429, headers=headers, times=1)
    site.board.rename(features[0], "After the limit")
    refused = until(lambda: next((each for each in _calls(site.board, began) if each["status"] == 429), None))
    for feature in features[1:]:
        site.board.rename(feature, "After the limit")
    until(lambda: any(each["waiting"] >= LINKS // 2 for each in _limits(fleet)), wait - 1)
    until(lambda: fleet.titles(features) == dict.fromkeys(features, "After the limit"), 60)
    site.wait_until_quiet(60)
    calls = _calls(site.board, refused["at"])
    during = [
        each
        for each in calls
        if refused["at"] + _SETTLES_SECONDS < each["started_at"] < refused["at"] + wait - 0.5
    ]
    assert not during
    assert sum(each["status"] == 429 for each in calls) == 0, "Nobody ran into the same wall."
    assert not _limits(fleet)


def _limits(fleet: Fleet) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = fleet.site.api("GET", f"/integrations/{fleet.integration['id']}")["limits"]
    return found


def test_a_rolling_restart_loses_nothing(fleet: Fleet):
    """Each process goes and comes back while people edit both sides and click."""
    site, features = fleet.site, list(fleet.tickets)[:10]
    over = threading.Event()
    with ThreadPoolExecutor(
        1
    ) as people:  # the processes are children of this thread, which has to outlive them
        busy = people.submit(_edit_and_click, fleet, features, over)
        try:
            for name in list(fleet.processes):
                fleet.restart(name)
        finally:
            over.set()
        rounds, pushed = busy.result()
    assert rounds > len(fleet.processes)
    expected = {feature: f"Round {rounds} of {number}" for number, feature in enumerate(features)}
    until(lambda: fleet.titles(features) == expected, 60)
    until(lambda: {each: site.board.name(each) for each in features} == expected, 60)
    site.wait_until_quiet(60)
    cells = {each: site.board.cell(fleet.column, each) for each in pushed}
    assert {cell["state"] for cell in cells.values()} == {"connected"}, cells
    assert len({fleet._ticket_of(each) for each in pushed}) == len(pushed), "One ticket for each."


def _edit_and_click(fleet: Fleet, features: list[str], over: threading.Event) -> tuple[int, list[str]]:
    """The number of the last round, and what was pushed."""
    site, pushed = fleet.site, list[str]()
    for turn in itertools.count():
        for number, feature in enumerate(features):
            title = f"Round {turn} of {number}"
            if number % 2:
                site.tracker.edit(fleet.tickets[feature], title=title)
            else:
                site.board.rename(feature, title)
        pushed += site.board.add_features(1)
        if site.board.click(fleet.column, pushed[-1])["state"] == "error":
            # A connection that broke with its process: the button says so, and a person clicks again.
            site.board.click(fleet.column, pushed[-1])
        if over.wait(1):
            return turn, pushed
    raise AssertionError("Rounds have no end of their own.")
