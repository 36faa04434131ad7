"""The main job on a real Redmine, in a real browser, through the wizard and on Redmine's own pages."""

import shutil
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from acceptance.processes import until
from browser.configuring import log_in
from browser.stage import BOARD_TOKEN, Stage, set_stage
from redmine_server import BOT, PASSWORD, RedmineServer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NAME = "Redmine alpha"
FEATURE = "Faster CSV export"

pytestmark = [
    pytest.mark.redmine,
    pytest.mark.browser,
    pytest.mark.acceptance,
    pytest.mark.timeout(480),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found: install Debian's package chromium"),
]


def test_from_the_wizard_to_unlinking(redmine):
    with set_stage(str(CHROMIUM), folder="screens-redmine") as stage:
        log_in(stage)
        _connect(stage, redmine)
        number = _push(stage, redmine)
        _edit_in_redmine(stage, redmine, number)
        _edit_on_the_board(stage, redmine, number)
        _unlink(stage, redmine, number)
        assert stage.problems == []


def _connect(stage: Stage, redmine: RedmineServer) -> None:
    page = stage.keepstep
    page.goto(f"{stage.demo.service}/connect")
    page.fill("[name=board_url]", f"{stage.demo.board}/v2")
    page.fill("[name=board_token]", BOARD_TOKEN)
    page.get_by_role("button", name="Check and continue").click()
    page.wait_for_url("**/connect/tracker")
    page.get_by_label("Redmine").check()
    expect(page.get_by_text("Add issues")).to_be_visible()
    page.fill("[name=tracker_url]", redmine.url)
    page.fill("[name=tracker_token]", "0" * 40)
    page.get_by_role("button", name="Check the token").click()
    expect(page.locator("#e-tracker_token")).to_contain_text("Redmine refused the token")
    page.fill("[name=tracker_token]", BOT)
    page.get_by_role("button", name="Check the token").click()
    page.locator(".project", has_text="Alpha").click()
    page.get_by_role("button", name="Choose").click()
    expect(page.get_by_label("Text formatting")).to_have_value("textile")
    stage.look(page, "redmine-settings")
    page.locator("#settings").get_by_role("button", name="Continue").click()
    page.wait_for_url("**/connect/mapping")
    page.get_by_label("Tracker", exact=True).select_option(label="Feature")
    stage.look(page, "redmine-mapping")
    page.locator("main").get_by_role("button", name="Continue").click()
    page.wait_for_url("**/connect/review")
    expect(page.get_by_text("made by you")).to_be_visible()
    page.fill("[name=name]", NAME)
    page.fill("[name=button]", "Redmine")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text("Add the column to your board")).to_be_visible()
    page.get_by_role("link", name="Make the webhook").first.click()
    expect(page.get_by_text("Redmine 7 and later only")).to_be_visible()
    stage.look(page, "redmine-webhook")


def _push(stage: Stage, redmine: RedmineServer) -> str:
    stage.board.reload()
    stage.push(FEATURE, NAME)
    cell = stage.row(FEATURE).locator(f"a.pill[href^='{redmine.url}']")
    cell.wait_for()
    return urlsplit(str(cell.get_attribute("href"))).path.rsplit("/", 1)[1]


def _window_of_redmine(stage: Stage) -> Page:
    """Nobody listens there: what Redmine's own pages complain of is not ours."""
    stage.tracker.context.close()
    stage.tracker = stage.browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    stage.tracker.set_default_timeout(20_000)
    return stage.tracker


def _log_in_to_redmine(page: Page, redmine: RedmineServer) -> None:
    page.goto(f"{redmine.url}/login")
    page.fill("#username", "vera")
    page.fill("#password", PASSWORD)
    page.click("#login-submit")
    page.wait_for_url("**/my/page")


def _edit_in_redmine(stage: Stage, redmine: RedmineServer, number: str) -> None:
    """On Redmine's own page; it calls nobody, so a person asks for a look."""
    page = _window_of_redmine(stage)
    _log_in_to_redmine(page, redmine)
    page.goto(f"{redmine.url}/issues/{number}/edit")
    expect(page.locator("#issue_subject")).to_have_value(FEATURE)
    page.fill("#issue_subject", "Said in Redmine")
    page.select_option("#issue_status_id", label="In Progress")
    page.locator("input[name=commit]").last.click()
    page.wait_for_url(f"**/issues/{number}")
    stage.open_integration(NAME)
    stage.keepstep.get_by_role("button", name="Sync now").click()
    feature = stage.board.get_by_role("button", name="Said in Redmine", exact=True)
    expect(feature).to_be_visible()


def _edit_on_the_board(stage: Stage, redmine: RedmineServer, number: str) -> None:
    board = stage.board
    stage.open_feature("Said in Redmine")
    board.locator("#item-name").fill(FEATURE)
    board.locator("#item-description").click()
    board.keyboard.press("Control+End")
    board.keyboard.press("Enter")
    board.keyboard.type("Written on the board.")
    board.get_by_role("button", name="Save changes").click()

    def told() -> bool:
        issue = redmine.ask("GET", f"/issues/{number}.json").json()["issue"]
        return issue["subject"] == FEATURE and "Written on the board." in issue["description"]

    until(told, 20)
    page = stage.tracker
    page.goto(f"{redmine.url}/issues/{number}")
    expect(page.locator(".subject h3")).to_have_text(FEATURE)
    expect(page.locator(".description .wiki")).to_contain_text("Written on the board.")
    expect(page.locator(".description .wiki")).to_contain_text("kept in step by Keepstep")
    stage.close_panel()


def _unlink(stage: Stage, redmine: RedmineServer, number: str) -> None:
    stage.open_feature(FEATURE)
    stage.board.get_by_role("button", name=f"Unlink from {NAME}").click()

    def free() -> bool:
        issue = redmine.ask("GET", f"/issues/{number}.json").json()["issue"]
        return "keepstep" not in issue["description"]

    until(free, 20)
