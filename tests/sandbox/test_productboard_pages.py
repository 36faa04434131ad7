"""The board in a real browser: what a person sees, clicks and writes."""

import asyncio
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import httpx
import pytest
import uvicorn

from keepstep_sandbox.app import SandboxConfig
from keepstep_sandbox.productboard import create_app
from keepstep_sandbox.productboard.demo import DEMO_TOKEN, fixed_id
from sandbox.productboard_desk import CONNECTED, FEATURE, Service, answer, integration_body

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
BLOCKS = (
    '<h1>A</h1><p>x &amp; <b>b</b> <i>i</i> <u>u</u> <s>s</s> <code>c</code> <a href="https://a.example/?x=1&amp;y=2">l</a>'
    "</p><ul><li>a<ul><li>b</li></ul></li></ul><ol><li><p>c</p></li></ol><blockquote><p>q</p></blockquote><hr/>"
    '<pre data-language="python"><code>x = 1\n  y &lt; 2</code></pre>'
    '<ul data-type="checklist"><li data-checked="true"><p>done</p></li></ul>'
    "<table><thead><tr><th>H</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>"
    '<p><img src="https://a.example/i.png" title="T"/></p><p><a href="urn:pb:node:9">embed</a></p>'
)


class Served:
    """An ASGI app behind a real port, on a thread of its own."""

    def __init__(self, app: Any) -> None:
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()))

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        for _ in range(500):
            if self._server.started:
                return self
            time.sleep(0.01)
        raise AssertionError("the server did not start")

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@dataclass
class Scene:
    page: Any
    api: httpx.Client
    service: Service
    base: str

    def fields(self, entity_id: str = FEATURE) -> dict[str, Any]:
        return self.api.get(f"/v2/entities/{entity_id}").json()["data"]["fields"]

    def row(self, name: str) -> Any:
        return self.page.locator("tr.item", has=self.page.get_by_role("button", name=name, exact=True))

    def open(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()
        self.page.locator("#panel").wait_for()


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[Any, Service, Served, Served]]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    service = Service()
    config = SandboxConfig(allow_insecure_callbacks=True)
    with (
        Served(service.app) as action,
        Served(create_app(config)) as emulator,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser, service, action, emulator
        browser.close()


@pytest.fixture
def scene(stage) -> Iterator[Scene]:
    browser, service, action, emulator = stage
    service.clicks.clear()
    with httpx.Client(base_url=emulator.base, headers={"Authorization": f"Bearer {DEMO_TOKEN}"}) as api:
        api.post("/_sandbox/reset")
        body = integration_body(name="GitTab", action={"url": action.base + "/action", "version": 1})
        assert api.post("/v2/plugin-integrations", json=body).status_code == 201
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(10_000)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
        page.goto(emulator.base)
        page.locator("tr.item").first.wait_for()
        yield Scene(page, api, service, emulator.base)
        page.close()
        assert problems == []


def test_a_person_pushes_dismisses_and_unlinks(scene):
    answers = {
        "button.push": {"state": "error", "message": "The project is archived."},
        "button.dismiss": {"state": "initial"},
        "button.unlink": {"state": "initial"},
    }

    async def click(data):
        await asyncio.sleep(0.3)
        return answer(answers[data["trigger"]])

    scene.service.click = click
    row, page = scene.row("Faster CSV export"), scene.page
    row.get_by_role("button", name="Push").click()
    row.get_by_text("Working…").wait_for()
    row.get_by_role("button", name="Problem").click()
    dialog = page.get_by_role("dialog")
    assert "The project is archived." in dialog.inner_text()
    dialog.get_by_role("button", name="Dismiss").click()
    answers["button.push"] = CONNECTED
    row.get_by_role("button", name="Push").click()
    pill = row.locator("a.pill")
    pill.wait_for()
    assert pill.get_attribute("href") == CONNECTED["targetUrl"]
    assert pill.get_attribute("title") == CONNECTED["tooltip"]
    pill.hover()
    assert pill.get_by_text("ACME-42", exact=True).is_visible()
    assert not pill.get_by_text("In progress", exact=True).is_visible()
    scene.open("Faster CSV export")
    page.get_by_role("button", name="Unlink from GitTab").click()
    row.get_by_role("button", name="Push").wait_for()
    assert [data["trigger"] for data, _ in scene.service.clicks] == [
        "button.push",
        "button.dismiss",
        "button.push",
        "button.unlink",
    ]


def test_a_person_edits_and_the_text_stays_in_the_subset(scene):
    from playwright.sync_api import expect  # noqa: PLC0415

    page = scene.page
    scene.open("Faster CSV export")
    page.get_by_label("Status", exact=True).select_option("Released")
    page.get_by_label("Owner", exact=True).select_option("")
    page.locator("#panel").get_by_label("Name", exact=True).fill("Fast <CSV> & more")
    editor = page.locator("#item-description")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("One & <two>")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("broken line")
    page.keyboard.press("Enter")
    for tool, text in (
        ("Bulleted list", "item"),
        ("Checklist", "task"),
        ("Heading 2", "Head"),
        ("Code block", "x = 1"),
    ):
        page.get_by_role("button", name=tool, exact=True).click()
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        if tool in ("Bulleted list", "Checklist"):
            page.keyboard.press("Enter")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("button", name="Save changes")).to_be_disabled()
    assert not page.locator("#item-error").is_visible()
    fields = scene.fields()
    assert (fields["name"], fields["status"]["name"]) == ("Fast <CSV> & more", "Released")
    assert "owner" not in fields
    assert fields["description"] == (
        "<p>One &amp; &lt;two&gt;</p><p>broken line</p><ul><li>item</li></ul>"
        '<ul data-type="checklist"><li data-checked="false"><p>task</p></li></ul><h2>Head</h2><pre>x = 1</pre>'
    )


def test_opening_a_text_does_not_change_it(scene):
    everything = scene.api.patch(
        f"/v2/entities/{FEATURE}", json={"data": {"fields": {"description": BLOCKS}}}
    )
    assert everything.status_code == 200
    differences = scene.page.evaluate(
        """async () => {
          const { load, serialise } = await import("/static/richtext.js");
          const { groups } = await (await fetch("/board/state")).json();
          const found = [];
          for (const row of groups.flatMap((group) => group.rows)) {
            const item = await (await fetch(`/board/items/${row.id}`)).json();
            const editor = document.createElement("div");
            load(editor, item.description, item.nodes);
            if (serialise(editor) !== item.description) found.push([item.description, serialise(editor)]);
          }
          return found;
        }"""
    )
    assert differences == []


def test_a_refresh_keeps_an_edit_in_progress(scene):
    from playwright.sync_api import expect  # noqa: PLC0415

    page = scene.page
    scene.open("Audit log with export")
    page.locator("#item-description").click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" and mine")
    audit = fixed_id("feature/audit-log")
    scene.api.patch(f"/v2/entities/{audit}", json={"data": {"fields": {"description": "<p>Theirs</p>"}}})
    banner = page.get_by_text("API changed this item while you are editing.")
    banner.wait_for()
    assert "and mine" in page.locator("#item-description").inner_text()
    page.get_by_role("button", name="Take the newer version").click()
    page.get_by_text("Theirs").wait_for()
    scene.api.patch(f"/v2/entities/{audit}", json={"data": {"fields": {"name": "Renamed elsewhere"}}})
    expect(page.locator("#panel").get_by_label("Name", exact=True)).to_have_value("Renamed elsewhere")


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark")])
def test_pages_are_accessible_and_do_not_scroll_sideways(scene, width, scheme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415

    states = [
        CONNECTED,
        {**CONNECTED, "label": "W" * 20, "hoverLabel": "M" * 20},
        {"state": "error", "message": "No"},
        {"state": "progress"},
    ]
    made = scene.api.get("/v2/plugin-integrations").json()["data"][0]["id"]
    for entity, state in zip(
        scene.api.get("/v2/entities?type[]=feature").json()["data"], states, strict=False
    ):
        path = f"/v2/plugin-integrations/{made}/connections/{entity['id']}"
        scene.api.put(path, json={"data": {"fields": {"connection": state}}})
    page = scene.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    page.locator(".failed").first.wait_for()
    for step in ("board", "panel"):
        if step == "panel":
            scene.open("Offline mode for the mobile app")
        result = Axe().run(page).response
        assert result["passes"]
        serious = [v for v in result["violations"] if v["impact"] in ("serious", "critical")]
        assert [(v["id"], v["nodes"][0]["html"]) for v in serious] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
