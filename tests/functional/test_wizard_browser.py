"""The wizard, settings, login and people in a real browser: they fit, axe finds no serious fault, the script helps."""

import asyncio
import shutil
import socket
from dataclasses import dataclass, field

import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect
from walking import only_integration

from outside_world import BOARD_TOKEN, NAME, PASSWORD, TRACKER_TOKEN, TRACKER_URL, Place

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found: install Debian's package chromium"),
]


@dataclass
class Served:
    place: Place
    base: str
    browser: Browser


@pytest.fixture
async def served():
    place = Place()
    await place.people.create_admin(NAME, PASSWORD)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(place.app(), log_config=None, access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            yield Served(place, f"http://127.0.0.1:{listener.getsockname()[1]}", browser)
            await browser.close()
        server.should_exit = True
        await running


@dataclass
class Walk:
    """One browser's way through the pages; `look` is called at each place."""

    page: Page
    base: str
    faults: list[str] = field(default_factory=list)
    passed: int = 0

    async def look(self, where: str) -> None:
        await self.page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        room = await self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        if room[0] > room[1]:
            self.faults.append(f"{where}: {room[0]} px wide")
        found = (await Axe().run(self.page)).response
        self.passed += len(found["passes"])
        serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
        self.faults += [f"{where}: {each['id']}: {each['nodes'][0]['html'][:120]}" for each in serious]

    async def log_in(self) -> None:
        await self.page.goto(f"{self.base}/connect")
        await self.look("login")
        await self.page.fill("[name=name]", NAME)
        await self.page.fill("[name=password]", PASSWORD)
        await self.page.click("text=Log in")
        await self.page.wait_for_url("**/connect/productboard")

    async def first_step(self) -> None:
        page = self.page
        await page.fill("[name=board_token]", "a-wrong-token-0001")
        await expect(page.locator("[data-check-result]")).to_contain_text("refused the token")
        await page.click("text=Check and continue")
        await expect(page.locator("#e-board_token")).to_be_visible()
        await self.look("refused token")
        await page.fill("[name=board_token]", BOARD_TOKEN)
        await expect(page.locator("[data-check-result]")).to_contain_text("acme.productboard.com")
        await self.look("accepted token")
        await page.click("text=Check and continue")
        await page.wait_for_url("**/connect/tracker")

    async def second_step(self) -> None:
        page = self.page
        await page.get_by_label("GitLab").check()
        await expect(page.locator("[name=tracker_url]")).to_have_value("https://gitlab.com")
        await page.fill("[name=tracker_url]", TRACKER_URL)
        await page.fill("[name=tracker_token]", TRACKER_TOKEN)
        await expect(page.locator("[data-check-result]")).to_contain_text("ada-bot")
        await self.look("tracker")
        await page.click("text=Check the token")
        await expect(page.locator(".project")).to_have_count(3)
        await self.look("projects")
        await page.fill("#f-search", "road")
        await expect(page.locator(".project")).to_have_count(1)
        await page.click("text=Choose")
        labels = page.locator("[name='setting.status_labels']")
        for at, name in enumerate(("workflow::ready", "workflow::doing", "workflow::review")):
            await labels.nth(at).select_option(name)
        await expect(labels).to_have_count(4)
        await self.look("labels")
        await page.click("#settings >> text=Continue")
        await page.wait_for_url("**/connect/mapping")

    async def third_step(self) -> None:
        page = self.page
        await self.look("mapping")
        doing = page.get_by_label("In progress", exact=True).first
        await doing.select_option("")
        await expect(page.locator("#preview")).to_contain_text("is not mapped")
        await expect(page.locator("text=Propose what is not mapped")).to_be_visible()
        await self.look("unmapped")
        await doing.select_option("workflow::review")
        await expect(page.locator("#preview .badge")).to_have_text("workflow::review")
        await page.locator("[name='rule.title']").select_option("ask")
        await expect(page.locator("[id='h-rule.title']")).to_contain_text("a person decides")
        await page.click("main >> text=Continue")
        await page.wait_for_url("**/connect/review")

    async def fourth_step(self) -> None:
        page = self.page
        await page.fill("[name=button]", "Ticket")
        await expect(page.locator(".count-left")).to_have_text("6 of 10 characters")
        await self.look("review")
        await page.get_by_role("button", name="Connect").click()
        await page.wait_for_url("**/integrations/*")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
async def test_from_the_login_to_the_settings(served, width, scheme):
    # axe is put into the page by the test; our own policy would rightly refuse that.
    context = await served.browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    walk = Walk(await context.new_page(), served.base)
    for step in (walk.log_in, walk.first_step, walk.second_step, walk.third_step, walk.fourth_step):
        await step()
    await served.place.work()
    made = await only_integration(served.place)
    for path in (f"/integrations/{made.id}/settings", f"/integrations/{made.id}/mapping", "/people"):
        await walk.page.goto(served.base + path)
        await walk.look(path)
    await walk.page.fill("[name=token_name]", "build server")
    await walk.page.click("text=Make a token")
    await walk.look("new token")

    assert made.tracker_settings["status_labels"] == (
        "workflow::ready",
        "workflow::doing",
        "workflow::review",
    )
    assert made.button == "Ticket"
    assert not walk.faults
    assert walk.passed > 10 * 12


async def test_the_pages_keep_their_own_policy(served):
    page, said = await (await served.browser.new_context()).new_page(), []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    walk = Walk(page, served.base)
    walk.look = lambda where: asyncio.sleep(0)
    for step in (walk.log_in, walk.first_step, walk.second_step, walk.third_step, walk.fourth_step):
        await step()

    assert [each for each in said if "422" not in each] == []
