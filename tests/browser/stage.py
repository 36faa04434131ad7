"""A running demo and a browser with three windows: the service, Productboard's board, GitTab.

`look` is called wherever a person would stop to read: it keeps screenshots of both widths under `build/screens/` and
collects what is wrong there, so that one run tells everything at once.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from acceptance.processes import KEEPSTEP, Process, free_ports, temporary_folder, until

SCREENS = Path(__file__).parents[2] / "build" / "screens"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
WIDE, NARROW = 1440, 390
PATIENCE_MS = 60_000
BOARD_TOKEN, TRACKER_TOKEN = "demo-productboard-token", "demo-gittab-token"
VISITOR = "demo-visitor-token"
_OPEN_ALL = "for (const part of document.querySelectorAll('details')) part.open = true"
_CLOSE_ALL = "for (const part of document.querySelectorAll('details')) part.open = false"
_RUN_AXE = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"], iframes: false });
  const serious = found.violations.filter((each) => ["serious", "critical"].includes(each.impact));
  return [found.passes.length, serious.map((each) => `${each.id}: ${each.nodes[0].html.slice(0, 160)}`)];
}"""
"""Only what is needed comes back: axe's whole answer takes longer to hand over than to find."""
_REFUSED = re.compile(r"status of 4(01|04|22)")
"""What a browser says of a form that was refused, or an address that is nothing, on purpose."""


@dataclass(frozen=True)
class Demo:
    port: int
    password: str

    @property
    def service(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def board(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def tracker(self) -> str:
        return f"http://127.0.0.1:{self.port + 2}"

    @contextlib.contextmanager
    def fault(self, emulator: str, match: str, **rule: Any) -> Iterator[None]:
        """In force until the `with` ends, unless `times` says otherwise."""
        httpx.post(
            f"{emulator}/_sandbox/faults", json={"match": match, "times": None} | rule
        ).raise_for_status()
        try:
            yield
        finally:
            httpx.delete(f"{emulator}/_sandbox/faults").raise_for_status()

    def issue(self, number: str, project: int = 1) -> dict[str, Any]:
        return self._issue("GET", number, project)

    def edit_issue(self, number: str, **changes: str) -> None:
        self._issue("PUT", number, 1, changes)

    def _issue(self, method: str, number: str, project: int, changes: dict[str, str] | None = None) -> Any:
        address = f"{self.tracker}/api/v4/projects/{project}/issues/{number}"
        answer = httpx.request(method, address, headers={"PRIVATE-TOKEN": VISITOR}, json=changes)
        return answer.raise_for_status().json()

    def feature(self, feature_id: str) -> dict[str, Any]:
        answer = httpx.get(f"{self.board}/v2/entities/{feature_id}", headers=_BEARER)
        return answer.raise_for_status().json()["data"]["fields"]

    def edit_feature(self, feature_id: str, **fields: Any) -> None:
        body = {"data": {"fields": fields}}
        address = f"{self.board}/v2/entities/{feature_id}"
        httpx.patch(address, headers=_BEARER, json=body).raise_for_status()

    def columns(self) -> list[str]:
        found = httpx.get(f"{self.board}/v2/plugin-integrations", headers=_BEARER).json()["data"]
        return [each["fields"]["name"] for each in found]

    def webhooks(self) -> tuple[int, int]:
        """How many Productboard has, and how many the project demo/mobile."""
        board = httpx.get(f"{self.board}/v2/webhooks", headers=_BEARER).json()["data"]
        hooks = httpx.get(
            f"{self.tracker}/api/v4/projects/2/hooks", headers={"PRIVATE-TOKEN": TRACKER_TOKEN}
        ).json()
        return len(board), len(hooks)


_BEARER = {"Authorization": f"Bearer {BOARD_TOKEN}"}


@dataclass
class Stage:
    demo: Demo
    browser: Browser
    keepstep: Page
    board: Page
    tracker: Page
    problems: list[str] = field(default_factory=list)
    screens: Path = SCREENS
    looks: int = 0
    rules: int = 0

    # ---- looking

    def screen(self, name: str, width: int = WIDE) -> Path:
        return self.screens / f"{self.looks:02}-{name}-{width}.png"

    def look(self, page: Page, name: str, *, whole: bool = True) -> None:
        """Light and wide, dark and narrow; the whole page, or the window where something lies above the page."""
        self.looks += 1
        for width, scheme in ((WIDE, "light"), (NARROW, "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.screenshot(path=self.screen(name, width), full_page=whole)
            self._examine(page, f"{name} at {width} px")
        page.set_viewport_size({"width": WIDE, "height": 900})
        page.emulate_media(color_scheme="light")

    def _examine(self, page: Page, where: str) -> None:
        page.evaluate(_OPEN_ALL)
        needed, given = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        if needed > given:
            self.problems.append(f"{where}: scrolls sideways, {needed} px wide")
        if not page.evaluate("'axe' in window"):
            page.evaluate(Axe().axe_script)
        passed, serious = page.evaluate(_RUN_AXE)
        self.rules += passed
        self.problems += [f"{where}: {each}" for each in serious]
        page.evaluate(_CLOSE_ALL)

    def listen(self, page: Page) -> Page:
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.problems.append(f"{page.url}: {error}"))
        page.on("console", lambda message: self._hear(page, message))
        return page

    def _hear(self, page: Page, message: ConsoleMessage) -> None:
        if message.type == "error" and not _REFUSED.search(message.text):
            self.problems.append(f"{page.url}: {message.text}")

    # ---- the board

    def row(self, feature: str) -> Locator:
        name = self.board.get_by_role("button", name=feature, exact=True)
        return self.board.locator("tr.item", has=name)

    def cell(self, feature: str) -> Locator:
        """The ticket that the column shows."""
        return self.row(feature).locator("a.pill").first

    def push(self, feature: str, column: str = "GitTab roadmap") -> None:
        self.close_panel()
        self.row(feature).get_by_role("button", name=f"to {column}").click()

    def open_feature(self, feature: str) -> str:
        """Its id."""
        self.close_panel()
        self.board.get_by_role("button", name=feature, exact=True).click()
        self.board.locator("#panel").wait_for()
        return self.board.locator("#item-id").inner_text()

    def close_panel(self) -> None:
        if self.board.locator("#panel").is_visible():
            self.board.locator("#panel-close").click()
            expect(self.board.locator("#panel")).to_be_hidden()

    def ticket_of(self, feature: str) -> str:
        """Its number."""
        self.cell(feature).wait_for()
        return str(self.cell(feature).get_attribute("href")).rsplit("/", 1)[1]

    # ---- the service

    def open_integration(self, name: str, section: str = "") -> str:
        """Its address."""
        self.keepstep.goto(self.demo.service)
        self.keepstep.get_by_role("link", name=name, exact=True).click()
        self.keepstep.wait_for_url("**/integrations/*")
        home = self.keepstep.url.split("?")[0]
        if section:
            self.keepstep.goto(f"{home}/{section}")
        return home

    def open_link(self, integration: str, feature: str) -> None:
        self.open_integration(integration)
        self.keepstep.get_by_role("link", name=feature, exact=True).click()
        self.keepstep.wait_for_url("**/links/*")


@contextlib.contextmanager
def running_demo() -> Iterator[Demo]:
    """Seeded and connected, in a folder and on ports of its own."""
    with temporary_folder() as folder:
        port = free_ports(3)
        process = Process("demo", [KEEPSTEP, "demo"], folder, {"KEEPSTEP_DEMO_PORT": str(port)})
        try:
            until(lambda: _is_ready(port, process), 60)
            password = (folder / ".demo" / str(port) / "admin-password").read_text().strip()
            yield Demo(port, password)
        finally:
            print(process.output[-4000:])
            try:
                process.ctrl_c()
            finally:
                process.clean()


def _is_ready(port: int, process: Process) -> bool:
    assert process.ended is None, process.output
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _window(browser: Browser) -> Page:
    """A context of its own: of the tabs of one window only the foremost is drawn at full speed.

    axe is put into the page by the test; the pages' own policy would rightly refuse that.
    """
    return browser.new_context(viewport={"width": WIDE, "height": 900}, bypass_csp=True).new_page()


@contextlib.contextmanager
def set_stage(chromium: str, folder: str = SCREENS.name) -> Iterator[Stage]:
    """`folder`: below `build/`, where the screenshots go."""
    expect.set_options(timeout=PATIENCE_MS)
    screens = SCREENS.parent / folder
    screens.mkdir(parents=True, exist_ok=True)
    for old in screens.glob("*.png"):
        old.unlink()
    with running_demo() as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        stage = Stage(demo, browser, *(_window(browser) for _ in range(3)), screens=screens)
        for page in (stage.keepstep, stage.board, stage.tracker):
            stage.listen(page)
        stage.board.goto(demo.board)
        try:
            yield stage
        finally:
            browser.close()
