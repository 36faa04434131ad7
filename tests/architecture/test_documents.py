"""Documents and code say the same: settings, commands, make targets, links, dependencies."""

import re
import tomllib
from pathlib import Path

import pytest
import typer.main

from architecture.checkout import DOCS, ROOT, documents, name_of
from keepstep.cli import app
from keepstep.settings import Settings

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
MAKE = re.compile(r"\bmake ((?:[a-z]+(?:-[a-z]+)*)(?: [a-z]+(?:-[a-z]+)*)*)")
PINNED = re.compile(r"^([a-z0-9-]+)(?:\[[a-z, ]+\])?==[^\s\\]+", re.MULTILINE)
NOT_SETTINGS = {"KEEPSTEP_DEMO_PORT"}
"""Of the demo alone; it stands on the page, too, outside the tables."""


def settings_rows() -> dict[str, str]:
    """From a setting's name to its row in the tables of docs/settings.md."""
    rows = re.findall(
        r"^\| `(KEEPSTEP_[A-Z0-9_]+)` \|(.*)$", (DOCS / "settings.md").read_text(), re.MULTILINE
    )
    assert len(rows) == len(dict(rows)), "a setting has two rows"
    return dict(rows)


def test_every_setting_is_documented_and_none_is_made_up():
    assert set(settings_rows()) == {f"KEEPSTEP_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_the_default_that_is_documented_is_the_one_that_holds(name):
    documented = settings_rows()[f"KEEPSTEP_{name.upper()}"].split("|")[0].split("(")[0].strip(" `")
    default = Settings.model_fields[name].default
    if default in ("", None):
        assert documented == "empty"
    elif hasattr(default, "total_seconds"):
        assert float(documented) == default.total_seconds()
    elif isinstance(default, bool):
        assert documented == str(default).lower()
    elif isinstance(default, int | float):
        assert float(documented) == default
    else:
        assert documented == str(default)


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_no_document_names_a_setting_that_does_not_exist(path):
    known = {f"KEEPSTEP_{name.upper()}" for name in Settings.model_fields} | NOT_SETTINGS
    assert set(re.findall(r"KEEPSTEP_[A-Z0-9_]*[A-Z0-9]", path.read_text())) <= known


def anchors_of(path: Path) -> set[str]:
    text = FENCE.sub("", path.read_text())
    made = {
        re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-")
        for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    return made | set(re.findall(r'id="([^"]+)"', text))


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_every_relative_link_leads_somewhere(path):
    broken = []
    for target in LINK.findall(CODE.sub("", FENCE.sub("", path.read_text()))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors_of(there)):
            broken.append(target)
    assert not broken


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_every_make_target_that_is_named_exists(path):
    """In code only: prose may make decisions."""
    code = [*FENCE.findall(path.read_text()), *CODE.findall(FENCE.sub("", path.read_text()))]
    named = {
        target
        for part in code
        for line in part.splitlines()
        for targets in MAKE.findall(line.split("#")[0])
        for target in targets.split()
    }
    assert named <= make_targets()


def test_every_make_target_says_what_it_does():
    explained = set(re.findall(r"^([a-z-]+):.*## \S", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert make_targets() == explained


def commands() -> set[str]:
    """`serve`, `integrations`, `integrations create`, ..."""
    found: set[str] = set()
    for name, command in typer.main.get_command(app).commands.items():
        found |= {name, *(f"{name} {each}" for each in getattr(command, "commands", {}))}
    return found


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_every_command_that_is_named_exists(path):
    """`keepstep` followed by lower-case words, in code."""
    text = path.read_text()
    code = "\n".join([*FENCE.findall(text), *CODE.findall(FENCE.sub("", text))])
    known, wrong = commands(), []
    groups = {each.split()[0] for each in known if " " in each}
    for first, second in re.findall(
        r"(?:^|[\s`/])keepstep ([a-z]+(?:-[a-z]+)*)(?: ([a-z]+(?:-[a-z]+)*))?(?![\w/.:=-])",
        code,
        re.MULTILINE,
    ):
        wanted = f"{first} {second}" if second and first in groups else first
        if wanted not in known:
            wrong.append(wanted)
    assert not wrong


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def plain_name(requirement: str) -> str:
    return re.split(r"[\[<>=!~;\s]", requirement, maxsplit=1)[0].lower()


def direct(*groups: str) -> set[str]:
    found = project()
    named = [found["project"]["dependencies"], *(found["dependency-groups"][each] for each in groups)]
    return {plain_name(each) for part in named for each in part}


@pytest.mark.parametrize(("lock", "groups"), [("runtime", ("build",)), ("dev", ("dev",))])
def test_the_lock_covers_what_the_project_asks_for(lock, groups):
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    assert direct(*groups) <= set(PINNED.findall(text))


@pytest.mark.parametrize("lock", ["runtime", "dev"])
def test_a_lock_has_hashes_for_everything_and_no_addresses(lock):
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    packages = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(packages) > 20
    without = [each.split()[0] for each in packages if "--hash=sha256:" not in each]
    assert not without
    assert "://" not in text
    assert not re.search(r"^\s*(?:-e|--index|--extra-index|--find-links|-i|-f)\b", text, re.MULTILINE)


def test_both_locks_agree():
    locks = [
        dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z, ]+\])?==([^\s\\]+)", text, re.MULTILINE))
        for text in ((ROOT / "requirements" / f"{name}.txt").read_text() for name in ("runtime", "dev"))
    ]
    shared = locks[0].keys() & locks[1].keys()
    assert {name: locks[0][name] for name in shared} == {name: locks[1][name] for name in shared}


def test_every_dependency_has_its_reason():
    text = (DOCS / "dependencies.md").read_text().lower()
    documented = set(re.findall(r"\*\*([a-z0-9-]+)\*\*", text))
    assert documented >= direct("build", "dev")


def test_the_changelog_knows_this_version():
    assert project()["project"]["version"] in (ROOT / "CHANGELOG.md").read_text()


def test_decisions_are_numbered_without_gaps_and_have_all_their_parts():
    pages = sorted((DOCS / "adr").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    parts = ("Status:", "Date:", "## Context", "## Drivers", "## Options", "## Outcome", "## Consequences")
    assert not [(page.name, part) for page in pages for part in parts if part not in page.read_text()]
