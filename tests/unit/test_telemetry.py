"""What logs show, and what they never show."""

import json
import logging

import pytest
import structlog

from keepstep.telemetry import configure_logging

SECRET = "glpat-never-to-be-seen"


@pytest.fixture(autouse=True)
def logging_as_before():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("json_lines", [True, False])
@pytest.mark.parametrize("by", ["structlog", "logging"])
def test_a_traceback_shows_where_but_no_variables(json_lines, by, capsys):
    configure_logging(json_lines=json_lines, level="info")
    _fail_and_log(SECRET, by)
    told = capsys.readouterr().err
    assert "ZeroDivisionError" in told
    assert "_fail_and_log" in told
    assert SECRET not in told


def _fail_and_log(token, by):
    parts = {"token": token}
    try:
        len(parts) / 0
    except ZeroDivisionError:
        log = structlog.get_logger("test") if by == "structlog" else logging.getLogger("test")
        log.exception("test.failed")


def test_json_lines_are_one_object_an_event(capsys):
    configure_logging(json_lines=True, level="info")
    structlog.get_logger("test").info("sync.link.done", link="l1")
    logging.getLogger("test").info("plain", extra={"owner": "me"})
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (first["event"], first["link"], first["level"]) == ("sync.link.done", "l1", "info")
    assert (second["event"], second["owner"]) == ("plain", "me")


def test_what_is_below_the_level_stays_out(capsys):
    configure_logging(json_lines=False, level="warning")
    structlog.get_logger("test").info("quiet")
    logging.getLogger("test").info("quiet")
    assert capsys.readouterr().err == ""
