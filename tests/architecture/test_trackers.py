"""Every kind of tracker comes with what the next reader and the next user need."""

import ast
import tomllib
from pathlib import Path

import pytest

from architecture.checkout import DOCS, ROOT, SRC, name_of
from keepstep.adapters.registry import known_trackers

FOLDERS = sorted(
    path for path in (SRC / "keepstep/adapters/trackers").iterdir() if (path / "__init__.py").is_file()
)
KINDS = sorted(known_trackers())
STATES = {"done", "todo", "exempt"}
RULES = {
    "verify", "projects", "labels", "statuses", "find_or_create", "find_by_address", "write_only_changes",
    "write_precondition", "changed_since", "comment_once", "webhook", "webhook_signature", "webhook_revived",
    "delete_events", "moves", "rate_limits", "errors_for_people", "recorded_payloads", "contract_tests", "live_tests",
}  # fmt: skip


def quality_of(folder: Path) -> dict:
    return tomllib.loads((folder / "quality.toml").read_text())


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_tracker_says_where_it_stands(folder):
    rules = quality_of(folder)["rules"]
    assert set(rules) == RULES
    for name, found in rules.items():
        state = found if isinstance(found, str) else found["state"]
        assert state in STATES, name
        if state == "exempt":
            assert found["comment"], f"{name} is exempt without a reason"


def test_every_kind_stands_in_the_quality_file_of_its_folder():
    assert sorted(kind for folder in FOLDERS for kind in quality_of(folder)["kinds"]) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_documented(kind):
    name = known_trackers()[kind].manifest.name
    assert name in (DOCS / "connecting.md").read_text()
    assert name in (ROOT / "README.md").read_text()


def classes_under_contract() -> list[str]:
    """Names of the test classes that inherit, at whatever distance, from TrackerContract."""
    bases: dict[str, list[str]] = {}
    for path in (ROOT / "tests/contract").glob("test_tracker_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [base.id for base in node.bases if isinstance(base, ast.Name)]
    return [name for name in bases if _descends(name, bases)]


def _descends(name: str, bases: dict[str, list[str]]) -> bool:
    return name == "TrackerContract" or any(_descends(each, bases) for each in bases.get(name, []))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_passes_the_contract(kind):
    """Its class is called after it: TestGitTab, TestGitLabKind."""
    name = known_trackers()[kind].manifest.name.replace(" ", "")
    assert any(each.startswith(f"Test{name}") for each in classes_under_contract())


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_tracker_has_recorded_payloads_under_test(folder):
    assert list((ROOT / "tests/wire").glob(f"test_{folder.name}_*.py"))
