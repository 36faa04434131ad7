"""Second chapter: push, edit on both boards, decide what both sides changed, and part again."""

from playwright.sync_api import expect

from acceptance.processes import until
from browser.configuring import SECOND
from browser.stage import Stage

FIRST = "GitTab roadmap"
CSV, FASTEST = "Faster CSV export", "Fastest CSV export"
DARK, EXCEL, OFFLINE = "Dark theme", "Import from Excel", "Offline mode for the mobile app"


def push(stage: Stage) -> None:
    """At once, later because GitTab is slow, a subfeature, and through the second column."""
    stage.push(CSV)
    number = stage.ticket_of(CSV)
    assert stage.cell(CSV).get_attribute("title") == f"#{number} {CSV}"
    with stage.demo.fault(stage.demo.tracker, "POST /api/v4/projects/*/issues", delay_s=5, times=1):
        stage.push(DARK)
        expect(stage.row(DARK)).to_contain_text("Working…")
        stage.look(stage.board, "board-working")
        stage.cell(DARK).wait_for()
    expect(stage.cell(DARK).locator(".under")).to_have_text("Closed")
    stage.push("Conflict screen")
    stage.cell("Conflict screen").wait_for()
    stage.push("Keyboard shortcuts everywhere", SECOND)
    stage.cell("Keyboard shortcuts everywhere").wait_for()
    stage.tracker.goto(str(stage.cell(CSV).get_attribute("href")))
    expect(stage.tracker.locator("#description-shown")).to_contain_text("Target: first byte within 2 s")
    expect(stage.tracker.locator("#description-shown")).to_contain_text("kept in step by Keepstep")
    stage.look(stage.tracker, "ticket-new")


def link_existing(stage: Stage) -> None:
    page = stage.keepstep
    stage.open_integration(FIRST)
    page.get_by_label("Feature in Productboard").fill("not an address")
    page.get_by_label("Ticket in GitTab").fill("4")
    page.get_by_role("button", name="Link them").click()
    expect(page.locator("#e-feature")).to_contain_text("Paste the feature's address")
    stage.look(page, "link-existing-refused")
    stage.open_feature(EXCEL)
    page.get_by_label("Feature in Productboard").fill(stage.board.url)
    page.get_by_role("button", name="Link them").click()
    page.wait_for_url("**/links/*")
    expect(page.get_by_text("Each side keeps what it had").first).to_be_visible()
    stage.close_panel()
    assert stage.ticket_of(EXCEL) == "4"
    stage.tracker.goto(f"{stage.demo.tracker}/demo/roadmap/-/issues/4")
    expect(stage.tracker.locator("#description-shown")).to_contain_text("kept in step by Keepstep")


def edit_on_both_boards(stage: Stage) -> None:
    board, tracker = stage.board, stage.tracker
    tracker.goto(str(stage.cell(CSV).get_attribute("href")))
    stage.open_feature(CSV)
    board.locator("#item-name").fill("Much faster CSV export")
    board.locator("#item-description").click()
    board.keyboard.press("Control+End")
    board.keyboard.press("Enter")
    board.keyboard.type("Written on the board.")
    board.get_by_label("Status", exact=True).select_option("Planned")
    board.get_by_role("button", name="Save changes").click()
    expect(tracker.locator("#issue-title")).to_have_text("Much faster CSV export")
    expect(tracker.locator("#description-shown")).to_contain_text("Written on the board.")
    stage.look(board, "board-feature", whole=False)

    tracker.get_by_role("link", name="Edit", exact=True).click()
    tracker.fill("#title", FASTEST)
    text = tracker.input_value("#description")
    tracker.fill("#description", text.replace("on the board.", "on the board, and **in GitTab**."))
    stage.look(tracker, "ticket-edit")
    tracker.get_by_role("button", name="Save", exact=True).click()
    expect(board.locator("#item-name")).to_have_value(FASTEST)
    expect(board.locator("#item-description b", has_text="in GitTab")).to_be_visible()
    stage.close_panel()

    tracker.fill("#add-label", "workflow::review")
    tracker.get_by_role("button", name="Add", exact=True).click()
    expect(stage.cell(FASTEST).locator(".under")).to_have_text("review")
    tracker.get_by_role("button", name="Close issue").click()
    expect(stage.cell(FASTEST).locator(".under")).to_have_text("Closed")
    expect(stage.row(FASTEST)).to_contain_text("Released")
    stage.look(tracker, "ticket-followed")
    stage.open_link(FIRST, FASTEST)
    expect(stage.keepstep.get_by_text("Status written to Productboard").first).to_be_visible()
    stage.look(stage.keepstep, "link")


def decide_conflicts(stage: Stage) -> None:
    """Under *ask*: different paragraphs both survive; of one title a person chooses."""
    page, demo = stage.keepstep, stage.demo
    home = stage.open_integration(FIRST, "mapping")
    for name in ("title", "description"):
        page.locator(f"[name='rule.{name}']").select_option("ask")
    page.get_by_role("button", name="Save the mapping").click()
    expect(page.get_by_text("a person decides on the Link's page").first).to_be_visible()
    stage.look(page, "mapping")
    stage.push(OFFLINE)
    number = stage.ticket_of(OFFLINE)
    feature = stage.open_feature(OFFLINE)
    stage.close_panel()
    page.goto(home)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#health")).to_contain_text("Paused by admin")
    rich, plain = demo.feature(feature)["description"], demo.issue(number)["description"]
    demo.edit_feature(feature, name="Offline first", description=rich.replace("for hours", "for days"))
    changed = plain.replace("Open the last used board", "Open the last three boards")
    demo.edit_issue(number, title="Works offline", description=changed)
    expect(page.locator(".health-note")).to_contain_text("wait")
    stage.look(page, "integration-paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#health")).to_contain_text("1 Link needs attention")
    expect(stage.cell("Offline first").locator(".under")).to_have_text("Decide")
    for text in (demo.feature(feature)["description"], demo.issue(number)["description"]):
        assert "for days" in text
        assert "Open the last three boards" in text
    page.goto(f"{demo.service}/attention")
    stage.look(page, "attention")
    page.get_by_role("link", name="Decide").click()
    expect(page.locator("#field-title")).to_contain_text("GitTab says")
    stage.look(page, "link-conflict")
    page.locator("#field-title").get_by_role("button", name="Keep this one").last.click()
    expect(page.locator("#link-state .badge")).to_have_text("In step")
    expect(stage.cell("Works offline")).to_have_attribute("title", f"#{number} Works offline")
    assert demo.issue(number)["title"] == "Works offline"
    expect(page.get_by_role("button", name="Put the earlier value back").first).to_be_visible()


def part(stage: Stage) -> None:
    """Unlinked with the button, the ticket deleted, the feature deleted."""
    board, tracker = stage.board, stage.tracker
    number = stage.ticket_of(DARK)
    stage.open_feature(DARK)
    board.get_by_role("button", name=f"Unlink from {FIRST}").click()
    stage.close_panel()
    expect(stage.row(DARK).get_by_role("button", name=f"to {FIRST}")).to_be_visible()
    until(lambda: "keepstep" not in stage.demo.issue(number)["description"].lower(), 20)

    tracker.goto(str(stage.cell(FASTEST).get_attribute("href")))
    tracker.get_by_text("Delete issue").click()
    tracker.get_by_role("button", name="Delete #").click()
    expect(stage.row(FASTEST).get_by_role("button", name=f"to {FIRST}")).to_be_visible()

    number = stage.ticket_of(EXCEL)
    stage.open_feature(EXCEL)
    board.locator("#item-delete").click()
    board.locator("#delete-confirm").click()
    tracker.goto(f"{stage.demo.tracker}/demo/roadmap/-/issues/{number}")
    expect(tracker.get_by_text("was deleted in Productboard")).to_be_visible()
    expect(tracker.locator("#description-shown")).not_to_contain_text("Keepstep")
    stage.look(tracker, "ticket-parted")
    stage.open_integration(FIRST, "activity")
    expect(stage.keepstep.locator(".entry", has_text="The ticket was deleted.")).to_contain_text(FASTEST)
    stage.look(stage.keepstep, "activity")
