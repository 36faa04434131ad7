"""A sealing key is replaced while the service runs, as docs/operations.md says, and the old one dropped."""

import base64
import secrets

import pytest

from acceptance.processes import until
from acceptance.site import Site, key_of, open_site

pytestmark = pytest.mark.acceptance


def _line(name: str) -> str:
    return f"{name}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _run(site: Site, name: str, *arguments: str) -> str:
    process = site.start(name, *arguments)
    until(lambda: process.ended is not None, 40)
    assert process.ended == 0, process.output
    return process.output


def test_the_old_key_is_dropped_and_everything_goes_on(postgres_dsn: str):
    old, new = _line("old"), _line("new")
    with open_site(postgres_dsn, KEEPSTEP_SECRET_KEYS=old) as site:
        first = site.serve(name="first")
        integration = site.connect()
        column = integration["registrations"]["column"]
        feature = site.board.add_features(1)[0]
        site.board.click(column, feature)
        until(lambda: site.board.cell(column, feature)["state"] == "connected")
        link = site.link_of(integration, feature)
        assert link is not None
        assert first.stop() == 0

        site.settings["KEEPSTEP_SECRET_KEYS"] = f"{new},{old}"
        second = site.serve(name="second")
        assert "sealed with the key old, an older one" in _said(_run(site, "before", "doctor"))
        assert "are sealed with the key new" in _run(site, "reseal", "reseal")
        site.board.rename(feature, "Between the keys")
        until(lambda: site.tracker.issue(key_of(link))["title"] == "Between the keys")
        assert "sealed with the key old, an older one: it can be dropped" in _said(
            _run(site, "after", "doctor")
        )
        assert second.stop() == 0

        site.settings["KEEPSTEP_SECRET_KEYS"] = new
        site.serve(name="third")
        site.board.rename(feature, "With the new key alone")
        until(lambda: site.tracker.issue(key_of(link))["title"] == "With the new key alone")
        site.tracker.edit(key_of(link), title="And back")
        until(lambda: site.board.name(feature) == "And back")


def _said(output: str) -> str:
    """The report without its line breaks."""
    return " ".join(output.split())
