"""The command line where it needs no database: help, usage, trackers, the doctor's first look, the printing."""

import json
import logging
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from keepstep.cli import app
from keepstep.cli.printing import ago, plain, say_facts, say_table, shortened, width_of

NO_DATABASE = {"KEEPSTEP_DATABASE_URL": "postgresql://127.0.0.1:1/none", "COLUMNS": "80", "NO_COLOR": "1"}


@pytest.fixture(autouse=True)
def _logging_stays():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def invoke(*words, **environment):
    return CliRunner().invoke(app, list(words), env=NO_DATABASE | environment)


def test_trackers_are_listed_without_a_database():
    done = invoke("trackers", "list", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert [each["kind"] for each in found][:2] == ["github", "gitlab"]
    assert {"name", "channel", "settings", "token_help"} <= found[0].keys()
    table = invoke("trackers", "list").stdout.splitlines()
    assert table[0].split() == ["KIND", "NAME", "FROM", "CHANNEL", "QUALITY"]
    assert all(len(line) <= 80 for line in table)


@pytest.mark.acceptance
def test_as_a_process_trackers_list_prints_nothing_but_json(tmp_path):
    command = [str(Path(sys.executable).with_name("keepstep")), "trackers", "list", "--json"]
    environment = {"PATH": "", "KEEPSTEP_PORT": "not a port"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout)
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("no-such-command",),
        ("links", "decide", "abc"),
        ("links", "decide", "abc", "colour", "feature"),
        ("links", "decide", "abc", "title", "nobody"),
        ("links", "list", "--state", "happy"),
        ("links", "put-back", "zero"),
        ("integrations", "create", "--kind", "gitlab"),
        ("integrations", "create", "--name", "x", "--kind", "gitlab", "--project", "1"),
        ("integrations", "create", "--from-json", "-", "--name", "x"),
        ("integrations", "change", "x"),
        ("integrations", "change", "x", "--tracker-url", "https://other.example"),
        ("integrations", "token", "x", "nobody"),
        ("admin", "create"),
    ],
)
def test_wrong_usage_ends_with_2(words):
    assert invoke(*words).exit_code == 2


@pytest.mark.parametrize(
    "group", [(), ("admin",), ("integrations",), ("links",), ("trackers",), ("integrations", "create")]
)
def test_every_command_says_what_it_does(group):
    done = invoke(*group, "--help")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) > 5


@pytest.mark.parametrize("words", [("links", "list"), ("integrations", "list"), ("admin", "create", "ada")])
def test_a_database_that_is_away_is_one_line_at_once(words):
    started = datetime.now(UTC)
    done = invoke(*words)
    assert done.exit_code == 1
    assert done.stderr.startswith("keepstep: The database does not answer: ")
    assert done.stderr.count("\n") == 1
    assert datetime.now(UTC) - started < timedelta(seconds=10)


def test_a_wrong_setting_is_one_line_that_names_it():
    done = invoke("links", "list", KEEPSTEP_PORT="x")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("keepstep: KEEPSTEP_PORT is wrong")


def test_the_doctor_names_a_wrong_setting():
    done = invoke("doctor", KEEPSTEP_PUSH_WAIT="9")
    assert done.exit_code == 1
    assert "failure  settings: KEEPSTEP_PUSH_WAIT is wrong" in done.stdout


def test_the_doctor_makes_nothing_on_a_fresh_machine(tmp_path):
    folder = tmp_path / "data"
    done = invoke("doctor", KEEPSTEP_DATABASE_URL="", KEEPSTEP_DATA_DIR=str(folder))
    assert done.exit_code == 0
    assert "warning  database" in done.stdout
    assert not folder.exists()


def test_the_doctor_tells_that_the_database_is_away_and_what_helps(tmp_path):
    key = tmp_path / "secret.key"
    key.write_text("a key")
    key.chmod(0o644)
    done = invoke(
        "doctor", "--json", KEEPSTEP_DATA_DIR=str(tmp_path), KEEPSTEP_PUBLIC_URL="http://127.0.0.1:1"
    )
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert not report["ok"]
    found = {each["about"]: each for each in report["parts"][0]["findings"]}
    assert found["keys"]["mark"] == "failure"
    assert found["keys"]["cure"] == f"chmod 600 {key}"
    assert found["door"]["mark"] == "warning"
    assert found["database"]["mark"] == "failure"
    assert "KEEPSTEP_DATABASE_URL" in found["database"]["cure"]


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    done = invoke("integrations", "create", "--from-json", str(tmp_path / "none"))
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "cannot be read" in done.stderr
    broken = tmp_path / "broken.json"
    broken.write_text('{"name": "x", "board": {"token": "secret-in-here"}')
    done = invoke("integrations", "create", "--from-json", str(broken))
    assert done.exit_code == 1
    assert "secret-in-here" not in done.stderr


def test_a_table_fits_the_terminal_and_stays_aligned(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    say_table(
        ("ID", "TITLE", "STATE"),
        [("1", "long " * 30, "linked"), ("22", "日本語のタイトル", "x")],
        flexible=(1,),
    )
    lines = capsys.readouterr().out.splitlines()
    assert all(width_of(line) <= 40 for line in lines)
    starts = {
        width_of(line[: line.index(word)]) for line, word in zip(lines, ("STATE", "linked", "x"), strict=True)
    }
    assert len(starts) == 1


def test_what_came_from_outside_cannot_steer_the_terminal(capsys):
    say_facts([("Title", "red \x1b[31malert\x07\r\nnext\u202e")])
    assert capsys.readouterr().out == "Title  red [31malert next\n"
    assert plain("a\tb\x00c") == "a b c"


@pytest.mark.parametrize(
    ("text", "room", "shown"), [("short", 10, "short"), ("much too long", 6, "much…"), ("日本語", 5, "日本…")]
)
def test_shortening_counts_cells(text, room, shown):
    assert shortened(text, room) == shown


def test_ages_are_said_in_one_unit():
    now = datetime.now(UTC)
    ages = [ago(now - timedelta(seconds=each)) for each in (3, 70, 7300, 200_000)]
    assert ages == ["just now", "1 min ago", "2 h ago", "2 d ago"]
    assert ago(None) == "never"


def _commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name))


def test_the_guide_names_every_command_and_no_other():
    guide = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:\| )?`keepstep ([a-z -]+?)(?: [A-Z\[][^`]*)?`", guide, re.MULTILINE))
    assert named == set(_commands(typer.main.get_command(app)))
