"""First chapter: log in, and connect a second project through the wizard, wrong tokens and a failing step included."""

from playwright.sync_api import Page, expect

from browser.stage import BOARD_TOKEN, TRACKER_TOKEN, Stage

SECOND = "Mobile app"


def log_in(stage: Stage) -> None:
    page = stage.keepstep
    page.goto(stage.demo.service)
    stage.look(page, "login")
    page.fill("[name=name]", "admin")
    page.fill("[name=password]", "not the password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("Name and password do not belong together")
    page.fill("[name=password]", stage.demo.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{stage.demo.service}/")
    expect(page.get_by_role("row", name="GitTab roadmap")).to_contain_text("Ready")
    stage.look(page, "home-first")
    stage.open_integration("GitTab roadmap")
    expect(page.get_by_text("Add the column to your board")).to_be_visible()
    expect(page.locator(".add-column svg").first).to_be_visible()
    stage.look(page, "integration-first")
    stage.look(stage.board, "board-first")


def configure(stage: Stage) -> None:
    page = stage.keepstep
    page.goto(f"{stage.demo.service}/connect")
    _productboard(stage, page)
    _tracker(stage, page)
    _mapping(stage, page)
    page.fill("[name=name]", SECOND)
    page.fill("[name=button]", "Ticket")
    stage.look(page, "connect-review")
    _connect(stage, page)


def _productboard(stage: Stage, page: Page) -> None:
    page.fill("[name=board_url]", f"{stage.demo.board}/v2")
    page.fill("[name=board_token]", "a-token-that-is-wrong")
    expect(page.locator("[data-check-result]")).to_contain_text("Productboard refused the token")
    page.get_by_role("button", name="Check and continue").click()
    expect(page.locator("#e-board_token")).to_contain_text("Productboard refused the token")
    stage.look(page, "connect-refused")
    page.fill("[name=board_token]", BOARD_TOKEN)
    expect(page.locator("[data-check-result]")).to_contain_text("accepts this token")
    page.get_by_role("button", name="Check and continue").click()
    page.wait_for_url("**/connect/tracker")


def _tracker(stage: Stage, page: Page) -> None:
    page.get_by_label("GitTab").check()
    page.fill("[name=tracker_url]", stage.demo.tracker)
    page.fill("[name=tracker_token]", "another-wrong-token")
    page.get_by_role("button", name="Check the token").click()
    expect(page.locator("#e-tracker_token")).to_contain_text("GitTab refused the token")
    page.fill("[name=tracker_token]", TRACKER_TOKEN)
    page.get_by_role("button", name="Check the token").click()
    expect(page.locator(".project")).to_have_count(2)
    stage.look(page, "connect-project")
    page.locator(".project", has_text="demo/mobile").click()
    page.get_by_role("button", name="Choose").click()
    page.locator("#settings").get_by_role("button", name="Continue").click()
    page.wait_for_url("**/connect/mapping")


def _mapping(stage: Stage, page: Page) -> None:
    """A proposal stands there; the preview follows the map."""
    first = page.get_by_label("In progress", exact=True).first
    expect(first).to_have_value("opened")
    expect(page.locator("#preview .badge")).to_have_text("Open")
    first.select_option("closed")
    expect(page.locator("#preview .badge")).to_have_text("Closed")
    first.select_option("opened")
    stage.look(page, "connect-mapping")
    page.locator("main").get_by_role("button", name="Continue").click()
    page.wait_for_url("**/connect/review")


def _connect(stage: Stage, page: Page) -> None:
    """The last step fails: the ones before it are undone and the page says so. Then it works."""
    demo = stage.demo
    before = demo.webhooks()
    with demo.fault(
        demo.tracker, "POST /api/v4/projects/*/hooks", status=422, body={"error": "Invalid url given"}
    ):
        page.get_by_role("button", name="Connect").click()
        page.wait_for_url("**/integrations/*")
        expect(page.get_by_role("heading", name="Connecting failed")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("422")
    expect(page.get_by_role("alert")).to_contain_text("Everything made on the way was undone")
    expect(page.locator('[data-step="undone"]')).to_have_count(2)
    assert SECOND not in demo.columns()
    assert demo.webhooks() == before
    stage.look(page, "connect-failed")
    with demo.fault(demo.board, "POST /v2/webhooks*", delay_s=4):
        page.get_by_role("button", name="Try again").click()
        expect(page.locator('[data-step="running"]')).to_contain_text("Productboard webhook")
        page.screenshot(path=stage.screen("connecting"), full_page=True)
        expect(page.get_by_text("Add the column to your board")).to_be_visible()
    expect(page.locator(".add-column")).to_contain_text(SECOND)
    assert SECOND in demo.columns()
    assert demo.webhooks() == (before[0] + 1, before[1] + 1)
    expect(stage.board.get_by_role("columnheader", name=SECOND)).to_be_visible()
