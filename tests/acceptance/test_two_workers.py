"""The scaled shape: a web process without a worker, and workers that are stopped, continued and killed beside it."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from acceptance.emulators import PROJECT
from acceptance.processes import Process, until
from acceptance.site import Site, key_of, open_site

pytestmark = pytest.mark.acceptance

DEAD_AFTER = 7


@dataclass
class Scaled:
    """The processes of all tests here; each test leaves one worker running in `first`."""

    site: Site
    integration: dict[str, Any]
    first: Process

    @property
    def column(self) -> str:
        column: str = self.integration["registrations"]["column"]
        return column

    def pushed(self, feature: str) -> str:
        """The key of its ticket, at once or later."""
        self.site.board.click(self.column, feature)
        until(lambda: self.cell(feature) == "connected", 15)
        return self.ticket_of(feature)

    def ticket_of(self, feature: str) -> str:
        link = self.site.link_of(self.integration, feature)
        assert link is not None
        return key_of(link)

    def cell(self, feature: str) -> str:
        state: str = self.site.board.cell(self.column, feature)["state"]
        return state


@pytest.fixture(scope="module")
def scaled(postgres_dsn: str) -> Iterator[Scaled]:
    with open_site(postgres_dsn, KEEPSTEP_DEAD_AFTER=str(DEAD_AFTER), KEEPSTEP_PUSH_WAIT="2") as site:
        site.serve("--no-worker", name="web")
        worker = site.worker("first worker")
        yield Scaled(site, site.connect(), worker)


def test_a_click_is_answered_by_the_web_and_done_by_the_worker(scaled: Scaled):
    quick, slow = scaled.site.board.add_features(2)
    assert scaled.site.board.click(scaled.column, quick)["state"] == "connected"
    scaled.site.tracker.fault(f"POST {PROJECT}/issues", delay_s=2.4)
    assert scaled.site.board.click(scaled.column, slow)["state"] == "progress"
    until(lambda: scaled.cell(slow) == "connected", 10)
    assert scaled.site.board.calls("PUT", f"/v2/plugin-integrations/{scaled.column}/connections/{slow}")


def test_a_worker_stopped_past_its_limit_and_continued_writes_nothing_twice(scaled: Scaled):
    """It is stopped while it waits for answers, so that it goes on right before its writes."""
    site = scaled.site
    edited, reading, creating = site.board.add_features(3)
    ticket = scaled.pushed(edited)
    site.wait_until_quiet()
    puts = len(site.tracker.calls("PUT", f"{PROJECT}/issues/{ticket}"))
    before = len(site.tracker.made_by_us())
    rules = [
        (site.board, site.board.fault(f"GET /v2/entities/{edited}", delay_s=2)),
        (site.board, site.board.fault(f"GET /v2/entities/{reading}", delay_s=2)),
        (site.tracker, site.tracker.fault(f"POST {PROJECT}/issues", delay_s=2, when="after")),
    ]
    with ThreadPoolExecutor(2) as people:
        people.submit(site.board.click, scaled.column, reading)
        people.submit(site.board.click, scaled.column, creating)
        site.board.call("PATCH", f"/v2/entities/{edited}", {"data": {"fields": {"name": "Edited once"}}})
        for emulator, rule in rules:
            until(lambda emulator=emulator, rule=rule: emulator.hits(rule), 5)
        scaled.first.send(signal.SIGSTOP)
        second = site.worker("second worker")
    until(lambda: site.tracker.issue(ticket)["title"] == "Edited once", 20)
    for feature in (reading, creating):
        until(lambda feature=feature: scaled.cell(feature) == "connected", 20)
    site.wait_until_quiet()
    scaled.first.send(signal.SIGCONT)
    time.sleep(3)
    site.wait_until_quiet()
    assert len(site.tracker.calls("PUT", f"{PROJECT}/issues/{ticket}")) == puts + 1
    assert len(site.tracker.made_by_us()) == before + 2
    assert scaled.first.ended is None
    assert second.stop() == 0
    site.tracker.edit(ticket, title="By the continued one")
    until(lambda: site.board.name(edited) == "By the continued one", 10)


def test_a_killed_worker_under_thirty_edits_loses_none(scaled: Scaled):
    """Each Link is edited on one side: an edit in the one call between our read and our write may be overwritten."""
    site = scaled.site
    features = site.board.add_features(10)
    tickets = {feature: scaled.pushed(feature) for feature in features}
    second = site.worker("worker to be killed")
    for turn in range(3):
        for number, feature in enumerate(features):
            name = f"Edit {turn} of {number}"
            if number % 2:
                site.tracker.edit(tickets[feature], title=name)
            else:
                site.board.rename(feature, name)
            if (turn, number) == (1, 5):
                second.kill()
    expected = {feature: f"Edit 2 of {number}" for number, feature in enumerate(features)}
    until(lambda: {each: site.board.name(each) for each in features} == expected, 30)
    until(lambda: {each: site.tracker.issue(tickets[each])["title"] for each in features} == expected, 30)
    site.wait_until_quiet()
    assert {each: scaled.ticket_of(each) for each in features} == tickets


def test_without_any_worker_nothing_acknowledged_is_lost(scaled: Scaled):
    """The web alone answers and keeps; a worker that comes later does it."""
    site = scaled.site
    pushed, edited = site.board.add_features(2)
    ticket = scaled.pushed(edited)
    site.wait_until_quiet()
    assert scaled.first.stop() == 0
    assert site.board.click(scaled.column, pushed)["state"] == "progress"
    site.board.rename(edited, "While nobody worked")
    until(lambda: site.waiting().get("notices", 0) >= 2, 5)
    scaled.first = site.worker("next worker")
    until(lambda: scaled.cell(pushed) == "connected", 15)
    until(lambda: site.tracker.issue(ticket)["title"] == "While nobody worked", 15)
