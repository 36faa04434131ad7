"""The files of this checkout, for the tests beside it."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
DOCS = ROOT / "docs"


def source_files(*folders: str) -> Sequence[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def documents() -> Sequence[Path]:
    """What people read: the README, the changelog, and everything below docs."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked_files() -> Sequence[Path]:
    """What is under version control. Skips where there is no git, or no repository, such as in an unpacked archive."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: what is tracked cannot be told")
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]
