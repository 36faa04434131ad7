"""Many at once, as a person does it: choose, look, start, pause, and link what exists; in a real browser."""

import re
import shutil

import httpx
import pytest
from playwright.sync_api import expect

from browser.stage import VISITOR, set_stage

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LOOKS = 9
_PAIRED = "Audit log with export"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.acceptance,
    pytest.mark.timeout(480),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found: install Debian's package chromium"),
]


def test_many_are_pushed_and_linked():
    with set_stage(str(CHROMIUM), "screens-bulk") as stage:
        _log_in(stage)
        _push_many(stage)
        _link_existing(stage)
        assert stage.problems == []
        assert stage.looks == LOOKS


def _log_in(stage):
    page = stage.keepstep
    page.goto(stage.demo.service)
    page.fill("[name=name]", "admin")
    page.fill("[name=password]", stage.demo.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{stage.demo.service}/")


def _push_many(stage):
    page = stage.keepstep
    stage.open_integration("GitTab roadmap", "bulk")
    page.get_by_role("link", name="Push many").click()
    for status in ("New idea", "Candidate", "Planned", "In progress", "Released"):
        page.get_by_label(status, exact=True).check()
    stage.look(page, "bulk-push")
    page.get_by_role("button", name="Show what would be pushed").click()
    expect(page.locator("#bulk-state")).to_contain_text("would be pushed")
    stage.look(page, "bulk-proposed")
    page.locator("#bulk-items").get_by_role("link").first.click()
    expect(page.locator("#preview")).to_contain_text("kept in step by")
    stage.look(page, "bulk-preview")
    page.get_by_role("link", name="Back to the run").click()
    page.get_by_role("checkbox", name=f"Choose {_PAIRED}").uncheck()
    with stage.demo.fault(stage.demo.tracker, "POST /api/v4/projects/*/issues", delay_s=4):
        page.get_by_role("button", name="Push the chosen ones").click()
        expect(page.locator("#bulk-state")).to_contain_text("8 under way")
        page.get_by_role("button", name="Pause").click()
        expect(page.locator("#bulk-state")).to_contain_text("Paused by admin.")
        expect(page.locator("#bulk-state")).to_contain_text("8 pushed")
        stage.look(page, "bulk-paused")
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("#bulk-state")).to_contain_text(re.compile("About ready at .* UTC"))
        expect(page.locator("#bulk-state")).to_contain_text("3 under way")
        stage.look(page, "bulk-running")
    expect(page.locator("#bulk-state")).to_contain_text("Ended")
    expect(page.locator("#bulk-items")).to_contain_text("Left out by a person.")
    stage.look(page, "bulk-done")
    pushed = page.locator("#bulk-items tr", has_text="Pushed").first.get_by_role("link").first.inner_text()
    stage.cell(pushed).wait_for()


def _link_existing(stage):
    page = stage.keepstep
    address = f"{stage.demo.tracker}/api/v4/projects/1/issues"
    for title, text in ((_PAIRED, "Words of the ticket."), ("Somewhere else", "Nothing in common.")):
        body = {"title": title, "description": text}
        httpx.post(address, json=body, headers={"PRIVATE-TOKEN": VISITOR}).raise_for_status()
    stage.open_integration("GitTab roadmap", "bulk/link")
    page.get_by_label("Or by a CSV").fill("feature;ticket\nnonsense;#1")
    page.get_by_role("button", name="Show what would be linked").click()
    expect(page.locator("#e-csv")).to_contain_text("Line 2, column feature")
    stage.look(page, "bulk-link")
    page.get_by_label("Or by a CSV").fill("")
    page.get_by_role("button", name="Show what would be linked").click()
    row = page.locator("#bulk-items tr", has_text=_PAIRED)
    expect(row).to_contain_text("equal titles")
    row.get_by_role("checkbox").check()
    page.get_by_text("Ask me about each").click()
    stage.look(page, "bulk-pairs")
    page.get_by_role("button", name="Link the chosen ones").click()
    expect(page.locator("#bulk-state")).to_contain_text("1 linked")
    row.get_by_role("link", name=_PAIRED).click()
    page.wait_for_url("**/links/*")
    expect(page.locator("main")).to_contain_text("differed in")
    stage.look(page, "bulk-asked")
