"""The pages in a real browser: nothing scrolls sideways, axe finds no serious fault, and the script only helps."""

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from functional.web_world import NAME, PASSWORD, Seeded, World, seed
from keepstep.domain.integration import IntegrationState

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found: install Debian's package chromium"),
]


@dataclass
class Served:
    world: World
    seeded: Seeded
    base: str
    browser: Browser

    def path(self, key: str, section: str = "") -> str:
        return f"/integrations/{self.seeded.integrations[key].id}" + (f"/{section}" if section else "")

    async def page(self, context: BrowserContext) -> Page:
        page = await context.new_page()
        await page.goto(f"{self.base}/login")
        await page.fill("[name=name]", NAME)
        await page.fill("[name=password]", PASSWORD)
        await page.click("main button[type=submit]")
        await page.wait_for_url(f"{self.base}/")
        return page

    @property
    def addresses(self) -> list[str]:
        sections = [
            self.path("main", each) for each in ("activity?field=title", "attention", "rules", "delete")
        ]
        whole = [self.path(each) + "?q=passkey" for each in self.seeded.integrations]
        links = [
            f"/links/{self.seeded.links[each].id}"
            for each in ("conflict", "refused", "aside", "pushing", "linked")
        ]
        signed = [self.signed(each) for each in ("conflict", "linked")]
        return ["/", "/attention", "/system", "/nowhere", *sections, *whole, *links, *signed]

    def signed(self, key: str) -> str:
        address = self.world.pages.address(self.seeded.links[key].id)
        return address.removeprefix(self.world.ctx.rules.public_url)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    world = World()
    seeded = await seed(world)
    await world.people.create_admin(NAME, PASSWORD)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(world.app(), log_config=None, access_log=False, lifespan="off")
        )
        running = asyncio.create_task(server.serve(sockets=[listener]))
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            yield Served(world, seeded, f"http://127.0.0.1:{listener.getsockname()[1]}", browser)
            await browser.close()
        server.should_exit = True
        await running


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
async def test_every_page_fits_and_is_accessible(served, width, scheme):
    # axe is put into the page by the test; our own policy would rightly refuse that.
    context = await served.browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    page, faults, rules = await served.page(context), [], 0
    for address in served.addresses:
        await page.goto(served.base + address)
        await page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            faults.append(f"{address}: {wide} px wide")
        found = (await Axe().run(page)).response
        rules += len(found["passes"])
        serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
        faults += [f"{address}: {each['id']}: {each['nodes'][0]['html'][:120]}" for each in serious]
    assert not faults
    assert rules > 10 * len(served.addresses)


async def test_no_page_breaks_its_own_policy(served):
    context = await served.browser.new_context()
    page, said = await served.page(context), []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    for address in served.addresses:
        if address != "/nowhere":
            await page.goto(served.base + address)
    assert said == []


async def test_a_list_follows_by_itself_but_not_under_somebody_s_hands(served):
    page = await served.page(await served.browser.new_context())
    await page.goto(served.base + served.path("main"))
    box = page.locator('input[name="link"]').first
    await box.check()
    await _rename(served, "Renamed while somebody chooses")
    await page.wait_for_timeout(6000)
    assert await page.get_by_text("Renamed while somebody chooses").count() == 0
    assert await box.is_checked()
    await box.uncheck()
    await page.fill("#q", "half typed")
    await page.get_by_role("link", name="Renamed while somebody chooses").wait_for(timeout=10_000)
    assert await page.input_value("#q") == "half typed"
    assert await page.evaluate("document.activeElement.id") == "q"


async def _rename(served: Served, title: str) -> None:
    async with served.world.storage.begin() as uow:
        link = await uow.links.get(served.seeded.links["linked"].id)
        await uow.links.save(replace(link, feature_title=title))
        await uow.commit()


async def test_a_page_that_has_become_another_one_shows_that_one(served):
    page = await served.page(await served.browser.new_context())
    await page.goto(served.base + served.path("connecting"))
    made = served.seeded.integrations["connecting"]
    async with served.world.storage.begin() as uow:
        await uow.integrations.save(made.active())
        await uow.commit()
    await page.get_by_text("Add the column to your board").wait_for(timeout=8000)
    await page.goto(served.base + served.path("removing"))
    async with served.world.storage.begin() as uow:
        await uow.integrations.delete(served.seeded.integrations["removing"].id)
        await uow.commit()
    await page.get_by_text("The integration is removed.").wait_for(timeout=8000)


async def test_a_form_is_sent_once_however_often_it_is_hit(served):
    page, sent = await served.page(await served.browser.new_context()), []
    await page.goto(served.base + served.path("main"))

    async def slowly(route):
        sent.append(route.request.url)
        await asyncio.sleep(0.5)
        await route.continue_()

    await page.route(re.compile("/pause$"), slowly)
    button = page.get_by_role("button", name="Pause")
    await button.dblclick(no_wait_after=True)
    await page.wait_for_url(re.compile("done=paused"))
    assert len(sent) == 1
    state = await _state(served, "main")
    assert state is IntegrationState.PAUSED


async def test_the_address_of_a_link_is_copied(served):
    context = await served.browser.new_context()
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await served.page(context)
    await page.goto(f"{served.base}/links/{served.seeded.links['linked'].id}")
    await page.get_by_role("button", name="Copy link").click()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == served.world.pages.address(served.seeded.links["linked"].id)


async def test_everything_works_without_javascript(served):
    page = await served.page(await served.browser.new_context(java_script_enabled=False))
    await page.goto(served.base + served.path("main"))
    await page.fill("#q", "passkey")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.locator('input[name="link"]')).to_have_count(4)
    await page.get_by_role("button", name="Pause").click()
    await page.get_by_text("Nothing flows until you resume").wait_for()
    await page.goto(f"{served.base}/links/{served.seeded.links['conflict'].id}")
    await page.get_by_role("button", name="Keep this one").first.click()
    await page.get_by_text("Your choice is being written now.").wait_for()
    await page.get_by_text("Unlink", exact=True).click()
    await page.get_by_role("button", name="Unlink the two").click()
    await page.get_by_text("The Link is being taken apart").wait_for()


async def _state(served: Served, key: str) -> IntegrationState:
    async with served.world.storage.begin() as uow:
        return (await uow.integrations.get(served.seeded.integrations[key].id)).state
