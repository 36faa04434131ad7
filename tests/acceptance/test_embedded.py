"""The embedded database with real processes: shared, killed, started again, in awkward folders, as root or not."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

import keepstep
from keepstep.adapters.postgres.embedded import EmbeddedDatabaseError, embedded_postgres

pytestmark = pytest.mark.acceptance

IS_ROOT = os.geteuid() == 0
USER = 1
"""`daemon`, which every system has; initdb insists on a user with a name."""
APP = """
import sys
from pathlib import Path
from keepstep.adapters.postgres.embedded import embedded_postgres
with embedded_postgres(Path(sys.argv[1]), system_dir=Path(sys.argv[2])) as dsn:
    print(dsn, flush=True)
    sys.stdin.read()
"""


class Place:
    """A data folder, and the processes that the test started over it."""

    def __init__(self, folder: Path, system: Path) -> None:
        self.data = folder / "data"
        self.system = system
        self._apps: list[subprocess.Popen[str]] = []

    def start(self) -> tuple[subprocess.Popen[str], str]:
        app = subprocess.Popen(
            [sys.executable, "-c", APP, self.data, self.system],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._apps.append(app)
        return app, _line(app)

    def entered(self) -> contextlib.AbstractContextManager[str]:
        return embedded_postgres(self.data, system_dir=self.system)

    def clean(self) -> None:
        for app in self._apps:
            app.kill()
            app.wait()
            for stream in (app.stdin, app.stdout):
                assert stream is not None
                stream.close()
        ours = (str(self.data.parent), f"{self.system}/")
        for process in psutil.process_iter(["name", "cmdline"]):
            command = process.info["cmdline"] or []
            if process.info["name"] == "postgres" and any(
                folder in word for word in command for folder in ours
            ):
                process.kill()


@pytest.fixture(scope="module")
def system() -> Iterator[Path]:
    """Root's folder, with one copy of the programs for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="keepstep-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def place(system: Path) -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="keepstep-tests-"))
    folder.chmod(0o755)
    place = Place(folder, system)
    try:
        yield place
    finally:
        try:
            place.clean()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _line(app: subprocess.Popen[str]) -> str:
    assert app.stdout is not None
    return app.stdout.readline().strip()


def _leave(app: subprocess.Popen[str]) -> None:
    assert app.stdin is not None
    app.stdin.close()
    assert app.wait(30) == 0


def _ask(dsn: str, text: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(text)
        return str(cursor.fetchone()[0]) if cursor.description else ""


def _files(dsn: str) -> Path:
    return Path(_ask(dsn, "SHOW data_directory"))


def _server(dsn: str) -> int:
    return int((_files(dsn) / "postmaster.pid").read_text().split()[0])


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_two_processes_share_it_and_the_last_one_out_stops_it(place: Place):
    first, dsn = place.start()
    second, same = place.start()
    assert dsn == same
    server = _server(dsn)
    _leave(first)
    assert _ask(dsn, "SELECT 7") == "7"
    _leave(second)
    assert not _alive(server)


def test_many_may_start_and_leave_at_once(place: Place):
    apps = [place.start() for _ in range(4)]
    assert len({dsn for _, dsn in apps}) == 1
    server = _server(apps[0][1])
    for app, _ in apps:
        assert app.stdin is not None
        app.stdin.close()  # all of them, before the first is waited for
    assert [app.wait(30) for app, _ in apps] == [0] * 4
    assert not _alive(server)


def test_after_a_killed_application_the_next_clean_exit_still_stops_it(place: Place):
    app, dsn = place.start()
    server = _server(dsn)
    app.kill()
    app.wait()
    assert _ask(dsn, "SELECT 7") == "7"
    with place.entered() as again:
        assert _server(again) == server
    assert not _alive(server)


def test_after_everything_was_killed_it_starts_with_what_was_committed(place: Place):
    app, dsn = place.start()
    _ask(dsn, "CREATE TABLE kept AS SELECT 7 AS number")
    server = _server(dsn)
    app.kill()
    os.kill(server, signal.SIGKILL)
    app.wait()
    _until(lambda: not _alive(server))
    with place.entered() as again:
        assert _ask(again, "SELECT number FROM kept") == "7"
        assert _server(again) != server


def test_a_pid_file_that_names_another_program_is_not_believed(place: Place):
    app, dsn = place.start()
    pid_file = _files(dsn) / "postmaster.pid"
    server = _server(dsn)
    app.kill()
    os.kill(server, signal.SIGKILL)
    app.wait()
    _until(lambda: not _alive(server))
    # PostgreSQL itself sees through the pid of another user's program, so it has to be the same user's.
    other = subprocess.Popen(["/bin/sleep", "60"], user=pid_file.stat().st_uid)
    try:
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(other.pid), *lines[1:], ""]))
        with place.entered() as again:
            assert _ask(again, "SELECT 7") == "7"
        assert other.poll() is None, "the other program must not be touched"
    finally:
        other.kill()
        other.wait()


def test_a_server_that_is_killed_under_its_application_comes_back(place: Place):
    with place.entered() as dsn:
        server = _server(dsn)
        os.kill(server, signal.SIGKILL)

        def answers() -> bool:
            try:
                return _ask(dsn, "SELECT 7") == "7" and _server(dsn) != server
            except psycopg.OperationalError:
                return False

        _until(answers)
        server = _server(dsn)
    assert not _alive(server)


def test_what_an_interrupted_first_start_left_is_thrown_away(place: Place):
    if IS_ROOT:
        pytest.skip("as root every first start takes a folder of its own")
    half = place.data / "pg.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with place.entered() as dsn:
        assert _ask(dsn, "SELECT 7") == "7"
    assert not half.exists()


def test_files_of_another_version_are_told_in_one_line(place: Place):
    with place.entered() as dsn:
        files = _files(dsn)
    (files / "PG_VERSION").write_text("12\n")
    with (
        pytest.raises(EmbeddedDatabaseError, match="made by PostgreSQL 12, but PostgreSQL 18") as told,
        place.entered(),
    ):
        pytest.fail("started over foreign files")
    assert "\n" not in told.value.message


def test_a_folder_without_the_programs_is_named(place: Place):
    with (
        pytest.raises(EmbeddedDatabaseError, match="KEEPSTEP_PG_BINDIR names /usr/share, where initdb"),
        embedded_postgres(place.data, bindir=Path("/usr/share"), system_dir=place.system),
    ):
        pytest.fail("started without programs")


def test_a_folder_that_cannot_be_is_told_in_one_line(place: Place):
    place.data.write_text("a file")
    with pytest.raises(EmbeddedDatabaseError, match="Cannot use the data folder"), place.entered():
        pytest.fail("started in a file")


@pytest.mark.skipif(not IS_ROOT, reason="only root keeps the files elsewhere")
def test_a_database_that_vanished_is_not_silently_begun_anew(place: Place):
    with place.entered() as dsn:
        files = _files(dsn)
    moved = place.data.rename(place.data.with_name("moved"))
    with embedded_postgres(moved, system_dir=place.system) as dsn:
        assert _files(dsn) == files, "a moved data folder keeps its database"
    shutil.rmtree(files)
    with (
        pytest.raises(EmbeddedDatabaseError, match="should lie in"),
        embedded_postgres(moved, system_dir=place.system),
    ):
        pytest.fail("began an empty database")


def _awkward(base: Path) -> Path:
    """Below a private folder, and with a path of more than 150 characters."""
    private = base / "private"
    private.mkdir(mode=0o700)
    deep = private / ("long-" * 15 + "x") / ("path-" * 15 + "x") / "with a space"
    assert len(str(deep)) >= 150
    return deep


def test_below_a_private_folder_and_a_long_path(place: Place):
    place.data.mkdir()
    with embedded_postgres(_awkward(place.data), system_dir=place.system) as dsn:
        assert _ask(dsn, "SELECT 7") == "7"
        assert _ask(dsn, "SHOW fsync") == "on"
        assert _ask(dsn, "SHOW listen_addresses") == ""


def _python_of_everyone() -> list[str] | None:
    """An interpreter that a normal user may start: ours may lie in root's home."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info[1]}"):
        command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", python]
        with contextlib.suppress(OSError):
            if (
                subprocess.run(
                    [*command, "-c", "import psutil"], env=_paths(), check=False, cwd="/"
                ).returncode
                == 0
            ):
                return command
    return None


def _paths() -> dict[str, str]:
    folders = [Path(keepstep.__file__).parents[1], Path(psycopg.__file__).parents[1]]
    return {
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.mark.skipif(not IS_ROOT, reason="we are a normal user: the other tests are this one")
def test_as_a_normal_user_below_a_private_folder_and_a_long_path(place: Place):
    command = _python_of_everyone()
    if command is None:
        pytest.skip("no Python with our packages that a normal user may start")
    place.data.mkdir()
    deep = _awkward(place.data)
    for folder in (place.data, deep.parents[2]):
        os.chown(folder, USER, USER)
    run = subprocess.run(
        [*command, "-c", APP, deep, place.system],
        env=_paths(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("postgresql://")
    assert (deep / "pg" / "PG_VERSION").stat().st_uid == USER
    assert not list(Path("/tmp").glob(f"keepstep-{USER}-*"))
    with (
        pytest.raises(EmbeddedDatabaseError, match="made by another user"),
        embedded_postgres(deep, system_dir=place.system),
    ):
        pytest.fail("root took a user's files")
