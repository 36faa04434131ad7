"""Third chapter: what goes wrong is explained and mended; settings, people, and the end of an integration."""

from playwright.sync_api import expect

from browser.configuring import SECOND
from browser.stage import TRACKER_TOKEN, VISITOR, Stage
from browser.stepping import FIRST

SAVED, AUDIT, GUEST = "Saved views with sharing", "Audit log with export", "Guest access with an end date"


def be_told_of_trouble(stage: Stage) -> None:
    """GitTab is down: nothing is green that does not flow, and it mends itself. A refusal ends in the cell."""
    page, demo = stage.keepstep, stage.demo
    with demo.fault(demo.tracker, "* /api/v4/*", status=503):
        stage.push(SAVED)
        expect(stage.row(SAVED)).to_contain_text("Working…")
        stage.open_integration(FIRST)
        expect(page.locator("#health")).to_contain_text("1 Link waits for its next try")
        page.get_by_role("link", name=SAVED, exact=True).click()
        expect(page.locator("main")).to_contain_text("GitTab cannot answer")
        expect(page.locator("main")).to_contain_text("It is tried again by itself")
        stage.look(page, "link-waiting")
    stage.cell(SAVED).wait_for()
    expect(page.locator("#link-state .badge")).to_have_text("In step")

    refusal = {"status": 403, "body": {"message": "403 Forbidden"}}
    with demo.fault(demo.tracker, "POST /api/v4/projects/*/issues", **refusal):
        stage.push(GUEST)
        stage.row(GUEST).get_by_role("button", name="Problem").click()
        told = stage.board.locator("#error-dialog-message")
        address = str(told.get_by_role("link").get_attribute("href"))
        expect(told).to_contain_text("GitTab does not allow this token")
        stage.look(stage.board, "board-problem", whole=False)
    stage.board.get_by_role("button", name="Close", exact=True).click()
    _read_signed_pages(stage, address)
    stage.open_integration(FIRST, "attention")
    page.locator(".entry", has_text=GUEST).get_by_role("button", name="Try again").click()
    stage.cell(GUEST).wait_for()


def _read_signed_pages(stage: Stage, from_cell: str) -> None:
    """What the column's error and the ticket's footer lead to, read by somebody who is not logged in."""
    stage.tracker.goto(str(stage.cell(SAVED).get_attribute("href")))
    footer = stage.tracker.locator("#description-shown").get_by_role("link", name="Keepstep", exact=True)
    with stage.browser.new_context(bypass_csp=True) as stranger:
        page = stage.listen(stranger.new_page())
        page.goto(from_cell)
        expect(page.get_by_role("heading", name=GUEST).first).to_be_visible()
        expect(page.locator("main")).to_contain_text("does not allow this token")
        stage.look(page, "signed-problem")
        page.goto(str(footer.get_attribute("href")))
        expect(page.locator("#link-state")).to_contain_text("In step")
        expect(page.get_by_role("button")).to_have_count(0)
        stage.look(page, "signed")


def replace_a_token(stage: Stage) -> None:
    """The tracker's token expires: the integration pauses, everybody is told why, a new one lets all go on."""
    page, demo = stage.keepstep, stage.demo
    with demo.fault(demo.tracker, "* /api/v4/projects/1/*", status=401):
        stage.push(AUDIT)
        stage.row(AUDIT).get_by_role("button", name="Problem").click()
        expect(stage.board.locator("#error-dialog-message")).to_contain_text("is paused")
        stage.board.get_by_role("button", name="Close", exact=True).click()
        page.goto(demo.service)
        expect(page.get_by_role("row", name=FIRST)).to_contain_text("Paused")
        stage.look(page, "home-broken")
        stage.open_integration(FIRST)
        page.get_by_role("link", name="Paste a new token").click()
        page.fill("[name=tracker_token]", "not-the-right-one")
        page.get_by_role("button", name="Replace the GitTab token").click()
        expect(page.locator("#e-tracker_token")).to_contain_text("GitTab refused the token")
    page.fill("[name=tracker_token]", VISITOR)
    page.get_by_role("button", name="Replace the GitTab token").click()
    expect(page.get_by_text("The new token works and is stored.")).to_be_visible()
    stage.cell(AUDIT).wait_for()
    page.fill("[name=tracker_token]", TRACKER_TOKEN)
    page.get_by_role("button", name="Replace the GitTab token").click()
    expect(page.get_by_text("The new token works and is stored.")).to_be_visible()


def change_settings(stage: Stage) -> None:
    page = stage.keepstep
    home = stage.open_integration(SECOND, "settings")
    page.get_by_label("Label of the button").fill("To GitTab")
    page.get_by_role("button", name="Save the names").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(stage.row(AUDIT).get_by_role("button", name=f"to {SECOND}")).to_have_text("To GitTab")
    stage.look(page, "settings")
    page.goto(f"{home}/rules")
    stage.look(page, "rules")
    page.goto(f"{home}?q=nothing-is-called-so")
    expect(page.get_by_text("No Link matches")).to_be_visible()
    stage.open_integration(FIRST)
    page.locator("#state").select_option("in-step")
    expect(page.get_by_role("link", name=SAVED, exact=True)).to_be_visible()
    page.get_by_label("Search").fill("audit")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#links tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Show all").first.click()
    stage.look(page, "integration")
    stage.look(stage.board, "board")
    page.goto(stage.demo.service)
    expect(page.get_by_role("row", name=FIRST)).to_contain_text("In step")
    stage.look(page, "home")
    stage.tracker.goto(f"{stage.demo.tracker}/demo/roadmap/-/issues?state=all")
    stage.look(stage.tracker, "tickets")


def meet_people(stage: Stage) -> None:
    page = stage.keepstep
    page.goto(f"{stage.demo.service}/people")
    page.get_by_label("Name of another person").fill("mei")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("mei can log in now")).to_be_visible()
    page.get_by_label("What a new token is for").fill("nightly report")
    page.get_by_role("button", name="Make a token").click()
    token = page.locator(".once-value code").inner_text()
    assert token.startswith("ks_")
    stage.look(page, "people")
    page.reload()
    expect(page.get_by_text(token)).to_have_count(0)
    page.get_by_role("row", name="nightly report").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name="nightly report")).to_have_count(0)
    page.goto(f"{stage.demo.service}/system")
    stage.look(page, "system")
    page.goto(f"{stage.demo.service}/no-such-page")
    stage.look(page, "not-found")


def delete_an_integration(stage: Stage) -> None:
    """Productboard is down at first: what is stuck is said; then column, webhooks and our data go."""
    page, demo = stage.keepstep, stage.demo
    before = demo.webhooks()
    home = stage.open_integration(SECOND, "delete")
    expect(page.get_by_text("2 webhooks")).to_be_visible()
    expect(page.get_by_text("1 Link", exact=True)).to_be_visible()
    stage.look(page, "delete")
    with demo.fault(demo.board, "DELETE /v2/*", status=503):
        page.get_by_role("button", name=f"Delete {SECOND}").click()
        page.wait_for_url(f"{home}?done=removing")
        expect(page.get_by_role("alert")).to_contain_text("Productboard cannot answer")
        expect(page.get_by_text("Forget it anyway").first).to_be_visible()
        stage.look(page, "removing")
        page.get_by_role("button", name="Try again now").click()
        expect(page.get_by_role("alert")).to_contain_text("Productboard cannot answer")
    expect(page.get_by_text("The integration is removed.")).to_be_visible()
    assert SECOND not in demo.columns()
    assert demo.webhooks() == (before[0] - 1, before[1] - 1)
    expect(stage.board.get_by_role("columnheader", name=SECOND)).to_have_count(0)
