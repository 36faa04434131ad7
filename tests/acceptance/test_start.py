"""Starting: what is wrong is said in one line that names it, and a stop leaves nothing running."""

import base64
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from acceptance.processes import KEEPSTEP, clean_environment, free_ports, temporary_folder, until
from acceptance.site import open_site

pytestmark = pytest.mark.acceptance

KEY = base64.b64encode(b"k" * 32).decode()
UNREACHABLE = "postgresql://nobody:geheim@127.0.0.1:1/none"
WRONG = {
    "port": ("KEEPSTEP_PORT", "abc"),
    "public address": ("KEEPSTEP_PUBLIC_URL", "foo"),
    "short key": ("KEEPSTEP_SECRET_KEYS", "first:c2hvcnQ="),
    "key without a name": ("KEEPSTEP_SECRET_KEYS", KEY),
    "kind of database": ("KEEPSTEP_DATABASE_URL", "mysql://somewhere/else"),
    "unreachable database": ("KEEPSTEP_DATABASE_URL", UNREACHABLE),
}


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    settings = {"KEEPSTEP_DATA_DIR": str(folder / "data"), "KEEPSTEP_PORT": str(free_ports()), **settings}
    return subprocess.run(
        [KEEPSTEP, *arguments],
        cwd=folder,
        env=clean_environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def wrong_starts() -> dict[str, subprocess.CompletedProcess[str]]:
    """All of them, some at a time: most of a start is importing."""
    with temporary_folder() as folder, ThreadPoolExecutor(3) as several:
        started = {
            what: several.submit(
                run, folder, "serve", **({"KEEPSTEP_DATABASE_URL": UNREACHABLE} | {name: value})
            )
            for what, (name, value) in WRONG.items()
        }
        return {what: each.result() for what, each in started.items()}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_setting_stops_the_start_with_one_line(
    what: str, wrong_starts: dict[str, subprocess.CompletedProcess[str]]
):
    name, ended = WRONG[what][0], wrong_starts[what]
    assert ended.returncode == 1, ended.stderr
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert name in lines[0]
    if what == "unreachable database":
        assert "Connection refused" in lines[0]
    assert "geheim" not in lines[0]
    assert KEY not in lines[0]
    assert ended.stdout == ""


def test_a_taken_port_is_said_before_anything_is_made():
    with temporary_folder() as folder, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = run(folder, "serve", KEEPSTEP_PORT=port)
        assert not (folder / "data").exists()
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert f"Port {port} on 127.0.0.1 cannot be used (Address already in use)" in line
    assert "KEEPSTEP_PORT" in line


def test_a_setting_in_the_env_file_is_read():
    with temporary_folder() as folder:
        (folder / ".env").write_text("KEEPSTEP_PUSH_WAIT=soon\n")
        ended = run(folder, "serve")
    assert ended.returncode == 1
    assert "KEEPSTEP_PUSH_WAIT" in ended.stderr


def test_the_first_start_keeps_its_key_to_itself(postgres_dsn: str):
    with open_site(postgres_dsn) as site:
        service = site.serve()
        (key,) = (site.folder / "data").iterdir()
        assert key.stat().st_mode & 0o777 == 0o600
        assert service.stop() == 0
        assert service.output == ""


def test_the_embedded_database_outlives_a_kill_and_stops_with_the_service():
    """The default shape: one process, no settings but the ports."""
    with open_site() as site:
        service = site.serve()
        (server,) = _servers_below(site.folder)
        service.kill()
        assert server.is_running()
        again = site.serve()
        assert _servers_below(site.folder) == [server]
        assert again.stop(signal.SIGINT) == 0
        until(lambda: not server.is_running(), 5)
        assert not (site.folder / "data" / "postgres" / "pg" / "postmaster.pid").exists()


def _servers_below(folder: Path) -> list[psutil.Process]:
    """The database servers over that folder's data, which root keeps elsewhere."""
    homes = [folder / "data" / "postgres"]
    homes += [Path(marker.read_text().strip()) for marker in folder.rglob("postgres-home")]
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        words = process.info["cmdline"] or []
        if process.info["name"] == "postgres" and any(str(home / "pg") in words for home in homes):
            found.append(process)
    return found
