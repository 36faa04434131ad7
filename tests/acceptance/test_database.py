"""The database goes away under a running service and comes back: what was acknowledged is done."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from acceptance.processes import temporary_folder, until
from acceptance.site import Site, key_of, open_site
from keepstep.adapters.postgres.embedded import embedded_postgres

pytestmark = pytest.mark.acceptance


@pytest.fixture
def own_server() -> Iterator[str]:
    """A server of this module alone. Whoever holds it open starts it again when it was killed."""
    with (
        temporary_folder() as folder,
        embedded_postgres(folder / "data", system_dir=folder / "system") as dsn,
    ):
        yield dsn


def kill_server(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    pid_file = Path(row[0]) / "postmaster.pid"
    server = psutil.Process(int(pid_file.read_text().split()[0]))
    backends = server.children()
    server.kill()
    psutil.wait_procs(backends, 5)


def test_edits_during_a_database_restart_arrive(own_server: str):
    """The doors wait for the database for a moment; what was not stored gets no 2xx."""
    with open_site(own_server) as site:
        service = site.serve()
        integration = site.connect()
        column = integration["registrations"]["column"]
        features = site.board.add_features(6)
        tickets = {each: _pushed(site, integration, each) for each in features}
        site.wait_until_quiet()
        # GitTab gives a hook that fails four times a rest; what this is about is what Keepstep stores.
        site.tracker.call("POST", "/_sandbox/seed", {"auto_disable": False})
        kill_server(own_server)
        for number, feature in enumerate(features):
            if number % 2:
                site.tracker.edit(tickets[feature], title=f"Meanwhile {number}")
            else:
                site.board.rename(feature, f"Meanwhile {number}")
        clicked = site.board.add_features(1)[0]
        site.board.click(column, clicked)
        until(lambda: site.is_ready(service), 60)
        expected = {each: f"Meanwhile {number}" for number, each in enumerate(features)}
        until(lambda: {each: site.board.name(each) for each in features} == expected, 60)
        until(lambda: {each: site.tracker.issue(tickets[each])["title"] for each in features} == expected, 60)
        if site.board.cell(column, clicked)["state"] == "error":
            site.board.click(column, clicked)
        until(lambda: site.board.cell(column, clicked)["state"] == "connected", 30)
        site.wait_until_quiet()
        assert len(site.tracker.made_by_us()) == len(features) + 1
        assert service.ended is None


def _pushed(site: Site, integration: dict, feature: str) -> str:
    column = integration["registrations"]["column"]
    site.board.click(column, feature)
    until(lambda: site.board.cell(column, feature)["state"] == "connected", 30)
    link = site.link_of(integration, feature)
    assert link is not None
    return key_of(link)
