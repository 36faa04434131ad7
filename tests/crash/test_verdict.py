"""The checker of chaos can find what it looks for, and shares no code with the service that it judges."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MARK, OTHER = "keepstep" + "a" * 32, "keepstep" + "b" * 32


@pytest.fixture
def checker(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from chaos import checker  # noqa: PLC0415 - it stands beside the tests, not on their path

    yield checker
    for name in [each for each in sys.modules if each.partition(".")[0] == "chaos"]:
        del sys.modules[name]


def sight(checker, **changes):
    """One Link in step; a change of any part of it."""
    parts = {
        "features": {
            "f": {"name": "A", "description": "<p>w1 x</p>", "status": {"id": "s1", "name": "Planned"}}
        },
        "tickets": {"7": {"title": "A", "description": f"w1 x\n\n{MARK}", "state": "opened", "labels": []}},
        "cells": {"f": {"state": "connected", "hoverLabel": "#7"}},
        "links": [
            {
                "feature": {"id": "f"},
                "ticket": {"label": "#7"},
                "state": "linked",
                "conflicts": [],
                "warnings": {},
                "trouble": None,
            }
        ],
        "status_map": {"to_ticket": {"s1": "opened"}, "to_feature": {"opened": "s1", "closed": "s2"}},
        "waiting": 0,
    }
    return checker.Sight(**{**parts, **changes})


def changed(part, **fields):
    return lambda checker: {
        part: {key: {**value, **fields} for key, value in getattr(sight(checker), part).items()}
    }


def test_what_is_in_step_is_good(checker):
    verdict = checker.judge([sight(checker)])
    assert verdict.good, verdict.findings
    assert verdict.share == "100"


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        (changed("features", name="B"), "in step"),
        (changed("features", description="<p>w2 x</p>"), "in step"),
        (changed("tickets", state="closed"), "in step"),
        (changed("cells", state="progress"), "left"),
        (changed("cells", hoverLabel="#8"), "left"),
        (lambda _: {"waiting": 2}, "left"),
        (lambda _: {"cells": {}}, "left"),
        (
            lambda checker: {"tickets": {**sight(checker).tickets, "8": sight(checker).tickets["7"]}},
            "duplicates",
        ),
    ],
)
def test_what_is_not_is_counted(checker, change, counted):
    verdict = checker.judge([sight(checker, **change(checker))])
    found = {
        "in step": verdict.links - verdict.in_step,
        "left": verdict.left,
        "duplicates": verdict.duplicates,
    }
    assert not verdict.good
    assert found[counted]
    assert verdict.findings


def test_a_ticket_that_no_link_knows_is_a_duplicate(checker):
    stray = {"title": "A", "description": f"w1\n\n{OTHER}", "state": "opened", "labels": []}
    verdict = checker.judge([sight(checker, tickets={**sight(checker).tickets, "8": stray})])
    assert verdict.duplicates == 1


def test_nothing_at_all_is_not_good(checker):
    assert not checker.judge([]).good


def test_almost_all_is_not_rounded_to_all(checker):
    assert checker.Verdict(links=100_000, in_step=99_999).share == "99.9"


def test_the_checker_imports_nothing_of_the_service():
    tree = ast.parse((ROOT / "chaos" / "checker.py").read_text())
    named = {
        module.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
        )
    }
    assert named <= sys.stdlib_module_names
