"""The wheel: built as a release would be, installed into an environment of its own, and run from there."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from acceptance.processes import Process, clean_environment, free_ports, temporary_folder, until

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parents[2]
NOT_SHIPPED = ("__pycache__", ".pyc")


def run(*command: str | Path, folder: Path, **settings: str) -> str:
    environment = clean_environment(**settings)
    environment.pop("PYTHONPATH", None)
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel() -> Iterator[Path]:
    with temporary_folder() as folder:
        run(
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "--target",
            "wheel",
            "--directory",
            folder,
            folder=ROOT,
        )
        (built,) = folder.glob("keepstep-*.whl")
        yield built


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Iterator[Path]:
    """The `bin` of an environment that has our wheel; what it depends on it borrows from the one we run in."""
    with temporary_folder() as folder:
        venv.create(folder / "venv", with_pip=False)
        python = folder / "venv" / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        run(*pip, "--python", python, "install", "--no-index", "--no-deps", wheel, folder=folder)
        (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
        # A line in a .pth file adds the folder, without its own .pth files: our sources stay outside.
        (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        yield python.parent


def test_everything_in_the_sources_is_in_the_wheel(wheel: Path):
    shipped = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        path.relative_to(ROOT / "src").as_posix()
        for package in ("keepstep", "keepstep_sandbox")
        for path in (ROOT / "src" / package).rglob("*")
        if path.is_file() and not any(part in str(path) for part in NOT_SHIPPED)
    }
    assert sources - shipped == set()
    for kind in (".html", ".css", ".js", ".toml", "py.typed", "v0001_first_tables.py"):
        assert any(name.endswith(kind) for name in shipped), kind
    assert any(name.endswith("licenses/LICENSE") for name in shipped)
    assert not any(name.startswith(("tests/", "bench/", "docs/")) for name in shipped)


def test_the_command_runs_without_a_database(installed: Path):
    where = "import keepstep; print(keepstep.__file__)"
    assert run(installed / "python", "-c", where, folder=installed).startswith(str(installed.parent))
    told = run(installed / "keepstep", "--help", folder=installed)
    for command in ("serve", "worker", "migrate", "demo"):
        assert command in told
    trackers = json.loads(run(installed / "keepstep", "trackers", "list", "--json", folder=installed))
    assert {"gittab", "gitlab"} <= {each["kind"] for each in trackers}


def test_the_service_runs_from_the_wheel(installed: Path, postgres_dsn: str):
    """Migrations, templates and static files are found where they were installed."""
    with temporary_folder() as folder:
        port = str(free_ports())
        settings = {
            "KEEPSTEP_DATABASE_URL": postgres_dsn,
            "KEEPSTEP_DATA_DIR": str(folder / "data"),
            "KEEPSTEP_PORT": port,
            "KEEPSTEP_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "PYTHONPATH": os.devnull,
        }
        assert "up to date" in run(installed / "keepstep", "migrate", folder=folder, **settings)
        service = Process("service", [installed / "keepstep", "serve"], folder, settings)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                until(lambda: _is_ready(service, client), 40)
                page = client.get("/login")
                assert page.status_code == 200
                assert "Keepstep" in page.text
                sheets = [
                    part.split('"')[0] for part in page.text.split('href="') if ".css" in part.split('"')[0]
                ]
                assert sheets
                assert all(client.get(each).status_code == 200 for each in sheets)
            assert service.stop() == 0
        finally:
            service.clean()


def _is_ready(service: Process, client: httpx.Client) -> bool:
    assert service.ended is None, service.output
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
