"""The walk-through for authors of trackers, command by command."""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "writing-a-tracker.md"
EXAMPLE = ROOT / "examples" / "keepstep-tracker-jsonfile"


def test_every_command_of_the_page_does_what_it_says(tmp_path):
    """In a copy of the checkout's layout, with an environment that sees what is installed here."""
    home = tmp_path / "examples" / EXAMPLE.name
    shutil.copytree(
        EXAMPLE, home, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", ".pytest_cache")
    )
    venv.create(tmp_path / ".venv", with_pip=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = tmp_path / ".venv" / "lib" / version / "site-packages"
    (packages / "here.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n{ROOT / 'src'}\n")
    keepstep = tmp_path / ".venv" / "bin" / "keepstep"
    keepstep.write_text(f"#!{tmp_path}/.venv/bin/python\nfrom keepstep.cli import main\nmain()\n")
    keepstep.chmod(0o755)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 2
    trying, undoing = (_run(block, tmp_path) for block in blocks)
    assert re.search(r"^jsonfile +JSON file +keepstep_tracker_jsonfile +polling", trying, re.MULTILINE), (
        trying
    )
    assert re.search(r"\d+ passed, \d+ skipped", trying), trying
    assert "Successfully uninstalled" in undoing


def _run(block: str, folder: Path) -> str:
    command = ["bash", "-euo", "pipefail", "-c", block]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_stays_small():
    code = (EXAMPLE / "src/keepstep_tracker_jsonfile/__init__.py").read_text()
    assert len(code.splitlines()) < 200
    allowed = r"keepstep\.(ports|domain|testing|adapters\.(formats|http|trackers))\b"
    for name in re.findall(r"^from (keepstep\.[\w.]+)", code, re.MULTILINE):
        assert re.match(allowed, name), f"{name} is not public"
