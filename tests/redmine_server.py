"""A real Redmine on 127.0.0.1: Debian's package, a copy of its application with a SQLite database of its own.

Nothing of the installed instance is used or changed. The seeded database is made once and kept under build/redmine, so
that later runs start in seconds. Tests take `redmine`; they are skipped with the reason where it is not installed.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

SHARE = Path("/usr/share/redmine")
BUILD = Path(__file__).parents[1] / "build" / "redmine"
BOT, PERSON, ADMIN, READER = (f"{digit}" * 40 for digit in "abcd")
PASSWORD = "rowan-lantern-42"
FIELD = "Productboard ID"
_START_SECONDS = 90
_SEED = f"""
Setting.rest_api_enabled = '1'
Setting.text_formatting = 'textile'
Setting.default_language = 'en'
Setting.login_required = '0'
ActionMailer::Base.perform_deliveries = false
manager = Role.find_by(name: 'Manager')
reader = Role.create!(name: 'Reader', permissions: [:view_issues])
def someone(login, first, last, key, admin = false)
  user = User.new(firstname: first, lastname: last, mail: login + '@example.net', language: 'en')
  user.login = login
  user.admin = admin
  user.password = user.password_confirmation = '{PASSWORD}'
  user.save!
  Token.create!(user: user, action: 'api').update_columns(value: key)
  user
end
bot = someone('bot', 'Sync', 'Bot', '{BOT}')
person = someone('vera', 'Vera', 'Visitor', '{PERSON}')
someone('boss', 'Ada', 'Admin', '{ADMIN}', true)
watcher = someone('reader', 'Rea', 'Reader', '{READER}')
trackers = Tracker.all.to_a
%w[Alpha Beta Hidden].each do |name|
  project = Project.new(name: name, identifier: name.downcase, is_public: false)
  project.enabled_module_names = ['issue_tracking']
  project.trackers = trackers
  project.save!
  Member.create!(project: project, principal: person, roles: [manager])
  Member.create!(project: project, principal: bot, roles: [manager]) unless name == 'Hidden'
  Member.create!(project: project, principal: watcher, roles: [reader]) if name == 'Alpha'
end
off = Project.create!(name: 'Off', identifier: 'off', is_public: false)
off.enabled_module_names = []
off.save!
Member.create!(project: off, principal: bot, roles: [manager])
field = IssueCustomField.new(name: '{FIELD}', field_format: 'string', is_filter: true, is_for_all: true)
field.trackers = trackers
field.save!
rejected = IssueStatus.find_by(name: 'Rejected')
WorkflowTransition.where(new_status_id: rejected.id).delete_all
"""
_SECRET = "0123456789abcdef" * 4


@dataclass(frozen=True)
class RedmineServer:
    url: str

    def ask(self, method: str, path: str, body: object = None, key: str = PERSON) -> httpx.Response:
        """As a person, by the API."""
        return httpx.request(
            method, self.url + path, json=body, headers={"X-Redmine-API-Key": key}, timeout=30
        )

    def id_of(self, path: str, name: str, title: str) -> str:
        found = self.ask("GET", path, key=ADMIN).json()[name]
        return next(str(each["id"]) for each in found if each["name"] == title)


def why_not() -> str:
    """Why there is no Redmine here; "" when there is one."""
    if not (SHARE / "config.ru").exists():
        return "Redmine is not installed: INSTALL=1 make test-redmine, as root on Debian"
    missing = [name for name in ("bundle", "puma") if shutil.which(name) is None]
    return f"Redmine needs {' and '.join(missing)}" if missing else ""


def prepared() -> Path:
    """The application with its migrated and seeded database, made anew when package or seed have changed."""
    with _one_at_a_time():
        return _prepared()


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Tests run in several processes."""
    BUILD.parent.mkdir(parents=True, exist_ok=True)
    with (BUILD.parent / "redmine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prepared() -> Path:
    version = (SHARE / "lib/redmine/version.rb").read_bytes()
    key = hashlib.sha256(version + _SEED.encode() + Path(__file__).read_bytes()).hexdigest()[:12]
    folder = BUILD / key
    if (folder / "ready").exists():
        return folder
    shutil.rmtree(BUILD, ignore_errors=True)
    app = folder / "app"
    shutil.copytree(SHARE, app, ignore=shutil.ignore_patterns("instances"), ignore_dangling_symlinks=True)
    instance = app / "instances" / "default"
    for name in ("config", "tmp/cache", "log", "files", "plugin_assets"):
        (instance / name).mkdir(parents=True)
    database = f"production:\n  adapter: sqlite3\n  database: {folder}/redmine.sqlite3\n  encoding: utf8\n"
    for place in (instance / "config", app / "config"):
        (place / "database.yml").unlink(missing_ok=True)
        (place / "database.yml").write_text(database)
    (instance / "config" / "secret_key.txt").write_text(_SECRET)
    (app / "config" / "additional_environment.rb").write_text("config.public_file_server.enabled = true\n")
    (folder / "seed.rb").write_text(_SEED)
    for command in (
        ["rake", "db:migrate"],
        ["rake", "redmine:load_default_data"],
        ["rails", "runner", str(folder / "seed.rb")],
    ):
        _run(app, ["bundle", "exec", *command])
    (folder / "ready").touch()
    return folder


def _run(app: Path, command: list[str]) -> None:
    done = subprocess.run(
        command, cwd=app, env=_environment(), capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {(done.stderr or done.stdout)[-2000:]}")


def _environment(database: Path | None = None) -> dict[str, str]:
    """`database` instead of the one that was seeded."""
    own = {} if database is None else {"DATABASE_URL": f"sqlite3:{database}"}
    return {
        **os.environ,
        **own,
        "RAILS_ENV": "production",
        "REDMINE_LANG": "en",
        "SECRET_KEY_BASE": _SECRET,
        "RUBYOPT": "-W0",
    }


@pytest.fixture(scope="session")
def redmine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedmineServer]:
    if reason := why_not():
        pytest.skip(reason)
    folder = prepared()
    own = tmp_path_factory.mktemp("redmine")
    database = own / "redmine.sqlite3"
    shutil.copy(folder / "redmine.sqlite3", database)
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    log = own / "puma.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            ["puma", "-b", f"tcp://127.0.0.1:{port}", "-e", "production", "-t", "1:3", "config.ru"],
            cwd=folder / "app",
            env=_environment(database),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(url, process, log)
        yield RedmineServer(url)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/users/current.json", timeout=5).status_code == 401:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    raise RuntimeError(f"Redmine did not start: {log.read_text()[-2000:]}")
