"""`kill -9` of the service at every moment that matters, then a start over what it left.

All moments are reached first, each on a feature or an integration of its own, and then one kill ends them together:
the emulators hold their answers back, and a row and a table of ours are locked, so that each is wide enough to meet.
"""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
import pytest

from acceptance.emulators import PROJECT
from acceptance.processes import Process, until
from acceptance.site import Site, key_of, open_site

pytestmark = pytest.mark.acceptance

# Shorter than the 10 s after which the service gives a call up, longer than it takes to reach every moment.
HELD = 9.0
PUSHES = (
    "while the feature is read",
    "between commit and wake",
    "with the create not yet done",
    "with the create never done",
    "with the answer to the create lost",
    "between create and commit",
    "before the cell is put",
    "with the cell put but not known",
)
UNLINKS = (
    "before the ticket is cleaned",
    "with the ticket cleaned but not known",
    "before the cell is freed",
)
CONNECTS = ("column", "subscription", "hook")


@dataclass
class Crash:
    site: Site
    main: dict[str, Any]
    """The integration that everything but the connects belongs to."""
    features: dict[str, str] = field(default_factory=dict)
    tickets: dict[str, str] = field(default_factory=dict)
    integrations: dict[str, str] = field(default_factory=dict)
    clicks: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(len(PUSHES)))

    @property
    def column(self) -> str:
        column: str = self.main["registrations"]["column"]
        return column

    def push(self, moment: str) -> None:
        """The click stays open; its answer is the emulator's business."""
        self.clicks.submit(self.site.board.click, self.column, self.features[moment])

    def unlink(self, moment: str) -> None:
        self.site.board.click(self.column, self.features[moment], "button.unlink")

    def cell_path(self, moment: str) -> str:
        return f"/v2/plugin-integrations/{self.column}/connections/{self.features[moment]}"


@pytest.fixture(scope="module")
def crashed(postgres_dsn: str) -> Iterator[Crash]:
    """Killed at all moments at once, and started again."""
    with open_site(postgres_dsn) as site:
        service = site.serve()
        crash = Crash(site, site.connect())
        names = (*PUSHES, *UNLINKS)
        crash.features = dict(zip(names, site.board.add_features(len(names)), strict=True))
        crash.integrations["removal"] = site.connect("To be removed")["id"]
        for moment in UNLINKS:
            feature = crash.features[moment]
            site.board.click(crash.column, feature)
            until(lambda feature=feature: _connected(site, crash.column, feature))
            link = site.link_of(crash.main, feature)
            assert link is not None
            crash.tickets[moment] = key_of(link)
        site.wait_until_quiet()
        with crash.clicks:
            _reach_every_moment(crash, service)
        _age_what_was_not_woken(crash)
        site.board.call("DELETE", "/_sandbox/faults")
        site.tracker.call("DELETE", "/_sandbox/faults")
        site.serve()
        yield crash


def _reach_every_moment(crash: Crash, service: Process) -> None:
    site, board, tracker = crash.site, crash.site.board, crash.site.tracker
    met = [
        *_begin_late_cells(crash),
        *_begin_unlinks(crash),
        _begin_reading(crash),
        *_begin_connects(crash),
        *_begin_creates(crash),
    ]
    for emulator, rule in met:
        until(lambda emulator=emulator, rule=rule: emulator.hits(rule), 6)
    answer_soon = tracker.fault(f"POST {PROJECT}/issues", when="after", delay_s=1.2)
    crash.push("between create and commit")
    until(lambda: tracker.hits(answer_soon), 5)
    created = "SELECT FROM links WHERE feature_id = %s FOR NO KEY UPDATE"
    with (
        _locked(site, created, crash.features["between create and commit"]) as link,
        _locked(site, "LOCK TABLE procrastinate_jobs IN SHARE MODE") as jobs,
    ):
        crash.push("between commit and wake")
        feature = crash.features["between commit and wake"]
        until(lambda: site.ask("SELECT id FROM links WHERE feature_id = %s", feature), 5)
        until(lambda: _writers_waiting(site, link) and _writers_waiting(site, jobs), 5)
        assert board.hits(met[0][1]) == 1
        service.kill()
        # What the dead service had sent to the database already must not be carried out after all.
        site.ask(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND application_name <> 'test-lock'"
        )


def _begin_late_cells(crash: Crash) -> list[Any]:
    """The create takes longer than the click waits, so the cell is put later."""
    board, tracker = crash.site.board, crash.site.tracker
    before, after = "before the cell is put", "with the cell put but not known"
    met = [
        (board, board.fault(f"PUT {crash.cell_path(before)}", delay_s=HELD, status=503)),
        (board, board.fault(f"PUT {crash.cell_path(after)}", delay_s=HELD, when="after")),
    ]
    for moment in (before, after):
        slow = tracker.fault(f"POST {PROJECT}/issues", delay_s=1.3)
        crash.push(moment)
        until(lambda slow=slow: tracker.hits(slow), 5)
    return met


def _begin_unlinks(crash: Crash) -> list[Any]:
    board, tracker = crash.site.board, crash.site.tracker
    before, after, cell = UNLINKS
    met = [
        (
            tracker,
            tracker.fault(f"PUT {PROJECT}/issues/{crash.tickets[before]}", delay_s=HELD, status=503),
        ),
        (
            tracker,
            tracker.fault(f"PUT {PROJECT}/issues/{crash.tickets[after]}", delay_s=HELD, when="after"),
        ),
        (board, board.fault(f"GET {crash.cell_path(cell)}", delay_s=HELD)),
    ]
    for moment in UNLINKS:
        crash.unlink(moment)
    return met


def _begin_reading(crash: Crash) -> Any:
    board, moment = crash.site.board, "while the feature is read"
    rule = board.fault(f"GET /v2/entities/{crash.features[moment]}", delay_s=HELD)
    crash.push(moment)
    return board, rule


def _begin_connects(crash: Crash) -> list[Any]:
    """The outside has what was asked for, and its answer does not arrive."""
    site, met = crash.site, []
    places = {
        "column": (site.board, "POST /v2/plugin-integrations"),
        "subscription": (site.board, "POST /v2/webhooks"),
        "hook": (site.tracker, f"POST {PROJECT}/hooks"),
    }
    for step, (emulator, match) in places.items():
        rule = emulator.fault(match, delay_s=HELD, when="after")
        crash.integrations[step] = site.begin_connecting(f"Killed at the {step}")["id"]
        until(lambda emulator=emulator, rule=rule: emulator.hits(rule), 5)
        met.append((emulator, rule))
    hook = site.tracker.fault(f"DELETE {PROJECT}/hooks/*", delay_s=HELD, when="after")
    site.api("DELETE", f"/integrations/{crash.integrations['removal']}")
    return [*met, (site.tracker, hook)]


def _begin_creates(crash: Crash) -> list[Any]:
    """One after the other, since the rules know only the address. The late one ends before anybody may look for it."""
    tracker, met = crash.site.tracker, []
    for moment, rule in {
        "with the answer to the create lost": {"delay_s": HELD, "when": "after"},
        "with the create never done": {"delay_s": HELD, "status": 503},
        "with the create not yet done": {"delay_s": 4.0},
    }.items():
        made = tracker.fault(f"POST {PROJECT}/issues", **rule)
        crash.push(moment)
        until(lambda made=made: tracker.hits(made), 5)
        met.append((tracker, made))
    return met


@contextlib.contextmanager
def _locked(site: Site, statement: LiteralString, *values: str) -> Iterator[int]:
    """Nobody writes what it locks; reading goes on. Gives the pid of the backend that holds it."""
    with psycopg.connect(site.database_url, application_name="test-lock") as connection:
        connection.execute(statement, values)
        yield connection.info.backend_pid
        connection.rollback()


def _writers_waiting(site: Site, backend: int) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
    count: int = site.ask(query, backend)[0][0]
    return count


def _age_what_was_not_woken(crash: Crash) -> None:
    """The sweep leaves fresh rows to their wake for 20 s; this one's wake is lost, and nobody shall wait for it."""
    feature = crash.features["between commit and wake"]
    jobs = "SELECT count(*) FROM procrastinate_jobs JOIN links ON lock = 'link:' || links.id WHERE feature_id = %s"
    assert crash.site.ask(jobs, feature) == [(0,)], "the wake was not lost"
    crash.site.ask(
        "UPDATE inbox SET received_at = received_at - interval '21 seconds' WHERE handled_at IS NULL"
        " AND link_id = (SELECT id FROM links WHERE feature_id = %s)",
        feature,
    )


@pytest.mark.parametrize("moment", PUSHES)
def test_a_push_ends_with_one_ticket(crashed: Crash, moment: str):
    site, feature = crashed.site, crashed.features[moment]

    def linked() -> dict[str, Any] | None:
        link = site.link_of(crashed.main, feature)
        return link if link and link["state"] == "linked" else None

    link = until(linked, 30)
    cell = until(lambda: _connected(site, crashed.column, feature), 15)
    ours = [each for each in site.tracker.made_by_us() if f"keepstep{link['id']}" in each["description"]]
    assert [str(each["iid"]) for each in ours] == [key_of(link)]
    assert cell["hoverLabel"] == link["ticket"]["label"]
    assert cell["targetUrl"] == ours[0]["web_url"]


def _connected(site: Site, column: str, feature: str) -> dict[str, Any] | None:
    cell = site.board.cell(column, feature)
    return cell if cell["state"] == "connected" else None


@pytest.mark.parametrize("moment", UNLINKS)
def test_an_unlink_ends_with_a_clean_ticket_and_a_free_cell(crashed: Crash, moment: str):
    site, feature, ticket = crashed.site, crashed.features[moment], crashed.tickets[moment]
    until(lambda: site.link_of(crashed.main, feature) is None, 30)
    until(lambda: site.board.cell(crashed.column, feature)["state"] == "initial", 5)
    issue = site.tracker.issue(ticket)
    assert "keepstep" not in (issue["description"] or "")
    assert issue["state"] == "opened"


@pytest.mark.parametrize("step", CONNECTS)
def test_connecting_leaves_no_second_column_or_hook(crashed: Crash, step: str):
    site, integration = crashed.site, crashed.integrations[step]
    made = site.connected(integration)["registrations"]
    columns = [each["id"] for each in site.board.columns() if integration in each["fields"]["type"]]
    assert columns == [made["column"]]
    subscriptions = site.board.subscriptions()
    ours = [each["id"] for each in subscriptions if integration in each["fields"]["notification"]["url"]]
    assert ours == [made["subscription"]]
    assert [str(each["id"]) for each in site.tracker.hooks() if integration in each["url"]] == [made["hook"]]


def test_a_removal_is_finished(crashed: Crash):
    site, integration = crashed.site, crashed.integrations["removal"]
    until(lambda: site.api("GET", f"/integrations/{integration}") is None, 30)
    assert not [each for each in site.board.columns() if integration in each["fields"]["type"]]
    assert not [each for each in site.tracker.hooks() if integration in each["url"]]
    subscriptions = site.board.subscriptions()
    assert not [each for each in subscriptions if integration in each["fields"]["notification"]["url"]]


def test_then_nothing_waits_and_no_ticket_is_one_too_many(crashed: Crash):
    """Also when everything that was still under way outside has been carried out."""
    crashed.site.wait_until_quiet(15)
    assert len(crashed.site.tracker.made_by_us()) == len(PUSHES)
    assert crashed.site.api("GET", f"/integrations/{crashed.main['id']}")["waiting"] == 0


def test_the_links_go_on_living(crashed: Crash):
    site, feature = crashed.site, crashed.features["between create and commit"]
    link = site.link_of(crashed.main, feature)
    assert link is not None
    site.board.rename(feature, "Renamed after the crash")
    until(lambda: site.tracker.issue(key_of(link))["title"] == "Renamed after the crash", 10)
    site.tracker.edit(key_of(link), title="And back")
    until(lambda: site.board.name(feature) == "And back", 10)
