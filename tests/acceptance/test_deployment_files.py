"""The files in deploy/, checked as far as it goes without the programs that they are for."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from acceptance.processes import KEEPSTEP
from keepstep.settings import Settings

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def test_every_setting_they_name_exists():
    known = {f"KEEPSTEP_{name.upper()}" for name in Settings.model_fields}
    for file in [*DEPLOY.iterdir(), ROOT / "docs" / "deployment.md"]:
        named = set(re.findall(r"KEEPSTEP_[A-Z_]+", file.read_text()))
        assert named <= known, file.name


def test_the_image_is_made_of_files_that_are_there_and_let_in():
    copied = [
        source
        for line in (DEPLOY / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    let_in = {
        line[1:]
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert set(copied) == let_in
    assert all((ROOT / source).exists() for source in copied)


def test_systemd_takes_the_unit(tmp_path: Path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    unit = (DEPLOY / "keepstep.service").read_text()
    assert "/opt/keepstep/bin/keepstep" in unit
    copy = tmp_path / "keepstep.service"
    copy.write_text(unit.replace("/opt/keepstep/bin/keepstep", str(KEEPSTEP)))
    said = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert copy.name not in said.stderr, said.stderr


def test_the_proxies_show_the_world_hooks_and_links_only():
    caddy = (DEPLOY / "Caddyfile").read_text()
    public = caddy.split("\nkeepstep.example.com {", 1)[1].split("\n}\n", 1)[0]
    assert re.findall(r"@public path (.+)", public) == ["/hooks/* /l/*"]
    assert public.count("reverse_proxy") == 1
    nginx = (DEPLOY / "nginx.conf").read_text()
    server = nginx.split("server {")[1]
    assert "server_name keepstep.example.com;" in server
    blocks = dict(re.findall(r"location (\S+) \{([^}]*)\}", server))
    assert {path for path, block in blocks.items() if "proxy_pass" in block} == {"/hooks/", "/l/"}
    assert "return 404" in blocks["/"]
