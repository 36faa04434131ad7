"""The deliberate bugs: each still replaces something that exists, and two of them are found right here.

All of them are put in by `make mutants`.
"""

import ast
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from mutants.catalogue import MUTANTS  # noqa: E402 - it lies beside the tests, not in the package


def _targets(function):
    """(object, attribute) for everything that the function, or one of its own that it calls, assigns to."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    known = function.__globals__
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute):
                    yield eval(ast.unparse(target.value), known), target.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
            called = known[node.func.id]
            if inspect.isfunction(called) and called.__module__ == function.__module__:
                yield from _targets(called)


@pytest.mark.parametrize("name", MUTANTS)
def test_what_a_mutant_replaces_exists(name):
    targets = list(_targets(MUTANTS[name].put_in))
    assert targets
    for owner, attribute in targets:
        assert hasattr(owner, attribute), f"{owner} has no {attribute} any more"


def test_there_are_as_many_as_promised():
    assert len(MUTANTS) >= 18


def _run(*arguments):
    command = [sys.executable, "-m", "mutants", *arguments, "--seeds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip().splitlines()


def test_two_mutants_are_found():
    code, lines = _run("drop-the-base", "forget-the-footer")
    assert (code, lines[-1]) == (0, "mutants: 2 of 2 found"), lines


def test_one_that_is_not_found_is_said():
    code, lines = _run("trust-updated-at", "--examples", "1", "--steps", "1")
    assert (code, lines[-1]) == (1, "mutants: 0 of 1 found"), lines
