"""What holds for every source file: layers, a docstring each, nothing left unfinished, no trace of one machine."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from architecture.checkout import ROOT, SRC, name_of, source_files, tracked_files

# Put together here, so that this file does not find itself.
MARKS = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
NOT_DONE = "NotImplemented" + "Error"
OPEN_TASK = "TO" + "DO"
_PRIVATE = ("wor" + "k", "roo" + "t", "hom" + "e/[a-z]+")
MACHINE_PATH = re.compile(rf"(?<![\w.~-])/(?:{'|'.join(_PRIVATE)})/[\w.-]+")
LONGEST_MODULE = 450
LONGEST_FUNCTION = 60


def text_of(path: Path) -> str:
    """Empty for pictures and the like."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_the_import_contracts_hold():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", said.stdout), said.stdout


@pytest.mark.parametrize("path", source_files("src"), ids=name_of)
def test_every_module_says_what_it_is_for(path):
    words = (ast.get_docstring(ast.parse(path.read_text())) or "").split()
    assert len(words) >= 3, "a module's docstring says which problem it solves"


def unfinished(source: str) -> list[int]:
    """Lines with a mark in a comment or a text, or with the error of what was never written. Names may be words.

    A text that is nothing but the word is a vendor's value: an open task is called so in Atlassian's format.
    """
    texts = (tokenize.COMMENT, tokenize.STRING)
    return [
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if (token.type in texts and MARKS.search(token.string) and token.string.strip("\"'") != OPEN_TASK)
        or (token.type == tokenize.NAME and token.string == NOT_DONE)
    ]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("x = 1\n# TO" + "DO: later\n", [2]),
        (f"raise {NOT_DONE}\n", [1]),
        ('"""FIX' + 'ME"""\n', [1]),
        ("category = StatusCategory.TO" + "DO\n", []),
        ('state = "TO' + 'DO"\n', []),
    ],
)
def test_a_mark_is_told_from_a_name(source, lines):
    assert unfinished(source) == lines


def test_nothing_is_left_unfinished():
    found = [
        f"{name_of(path)}:{number}"
        for path in source_files("src", "tests", "bench")
        for number in unfinished(path.read_text())
    ]
    assert not found


def test_modules_and_functions_keep_to_a_size_one_can_read():
    too_long = []
    for path in source_files("src"):
        text = path.read_text()
        if text.count("\n") > LONGEST_MODULE:
            too_long.append(name_of(path))
        too_long += [
            f"{name_of(path)}:{node.lineno} {node.name}"
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
        ]
    assert not too_long


def test_no_module_hides_behind_an_empty_name():
    empty = {"utils", "helpers", "manager", "common", "misc"}
    found = [name_of(path) for path in SRC.rglob("*") if empty & set(path.stem.lower().split("_"))]
    assert not [name for name in found if "__pycache__" not in name]


def test_no_file_knows_the_machine_it_was_written_on():
    found = [
        f"{name_of(path)}: {hit.group()}"
        for path in tracked_files()
        if (hit := MACHINE_PATH.search(text_of(path)))
    ]
    assert not found


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("see /wo" + "rk/main/src", True),
        ('"/roo' + 't/.cache"', True),
        ("/hom" + "e/ada/keepstep", True),
        ("https://keepstep.example.com/wo" + "rk/items", False),
        ("/etc/keepstep/env", False),
        ("group/wo" + "rk/project", False),
    ],
)
def test_a_path_of_one_machine_is_told_from_an_address(line, is_found):
    assert bool(MACHINE_PATH.search(line)) is is_found
