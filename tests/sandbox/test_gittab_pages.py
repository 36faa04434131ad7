"""GitTab's pages: what they show and do, without a browser and in Chromium."""

import html
import re
import shutil
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import uvicorn

from keepstep_sandbox.app import SandboxApp, SandboxConfig
from keepstep_sandbox.gittab import create_app
from keepstep_sandbox.gittab.pages.markdown import rendered
from keepstep_sandbox.gittab.pages.reading import readable_on

ISSUE = "/demo/roadmap/-/issues/1"


@pytest.fixture
async def app() -> AsyncIterator[SandboxApp]:
    app = create_app(SandboxConfig(public_base="http://gittab", allow_insecure_callbacks=True))
    yield app
    await app.state.sandbox.aclose()


@pytest.fixture
async def client(app) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"PRIVATE-TOKEN": "demo-visitor-token"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gittab", headers=headers) as client:
        yield client


async def text_of(client: httpx.AsyncClient, path: str) -> str:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


async def issue(client: httpx.AsyncClient, iid: int = 1) -> dict:
    return (await client.get(f"/api/v4/projects/1/issues/{iid}")).json()


async def submit(client: httpx.AsyncClient, path: str, **form: str) -> str:
    """Posts a form and returns where it leads."""
    answer = await client.post(path, data=form)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def test_the_list_filters_by_state_search_and_label(client):
    shown = await text_of(client, "/")
    assert "Weekly digest" in shown
    assert "Sign-in page" not in shown
    assert "Sign-in page" in await text_of(client, "/demo/roadmap/-/issues?state=closed")
    assert "Weekly digest" not in await text_of(client, "/demo/roadmap/-/issues?search=keyboard")
    assert "Export of large" in await text_of(client, "/demo/roadmap/-/issues?label=bug")
    assert "Nothing here" in await text_of(client, "/demo/roadmap/-/issues?search=zzz")
    assert "Swipe to archive" in await text_of(client, "/demo/mobile")


async def test_an_issues_address_is_its_web_url(client):
    assert (await issue(client))["web_url"] == f"http://gittab{ISSUE}"
    assert "Export of large boards" in await text_of(client, ISSUE)


async def test_forms_write_as_the_visitor_and_the_history_tells(client):
    made = await submit(
        client, "/demo/roadmap/-/issues", title="By hand", description="a\r\nb", labels="x, y"
    )
    iid = int(made.rsplit("/", 1)[1])
    made_issue = await issue(client, iid)
    assert (made_issue["description"], made_issue["labels"]) == ("a\nb", ["x", "y"])
    assert made_issue["author"]["username"] == "visitor"

    await submit(
        client, f"{made}/edit", title="Renamed", title_was="By hand", description="a", description_was="a\nb"
    )
    await submit(client, f"{made}/labels", add="z")
    await submit(client, f"{made}/labels", remove="x")
    await submit(client, f"{made}/state", event="close")
    await submit(client, f"{made}/comments", body="Done **well**")
    changed = await issue(client, iid)
    assert (changed["title"], changed["labels"], changed["state"]) == ("Renamed", ["y", "z"], "closed")

    shown = await text_of(client, made)
    for words in (
        "opened this issue",
        "changed the title from By hand to Renamed",
        "closed this issue",
        "Done well",
    ):
        assert words in shown
    assert "- b" in shown

    assert await submit(client, f"{made}/delete") == "/demo/roadmap/-/issues"
    assert (await client.get(made)).status_code == 404


async def test_saving_keeps_what_somebody_else_wrote_in_a_field_left_alone(client):
    before = await issue(client)
    await client.put("/api/v4/projects/1/issues/1", json={"description": "From elsewhere"})
    await submit(
        client,
        f"{ISSUE}/edit",
        title="Mine",
        title_was=before["title"],
        description=before["description"].replace("\n", "\r\n"),
        description_was=before["description"].replace("\n", "\r\n"),
    )
    after = await issue(client)
    assert (after["title"], after["description"]) == ("Mine", "From elsewhere")


async def test_a_refused_form_says_why(client):
    answer = await client.post("/demo/roadmap/-/issues", data={"title": "  "})
    assert answer.status_code == 400
    assert "Title can't be blank" in html.unescape(answer.text)


async def test_forms_of_other_sites_are_refused(client):
    answer = await client.post(
        f"{ISSUE}/state", data={"event": "close"}, headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == 403
    assert (await issue(client))["state"] == "opened"


async def test_reading_pages_leaves_no_trace_in_the_journal(app, client):
    await client.get("/")
    await client.get(ISSUE)
    assert app.state.sandbox.journal.entries() == []
    await submit(client, f"{ISSUE}/state", event="close")
    assert [entry["kind"] for entry in app.state.sandbox.journal.entries()] == ["page"]


async def test_pages_load_nothing_from_elsewhere(client):
    answer = await client.get(ISSUE)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.findall(r"(?:src|<link[^>]*href)=\"(?:https?:)?//", answer.text)
    for path in ("/-/static/gittab.css", "/-/static/gittab.js", "/-/static/icon.svg", "/-/labels.css"):
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "[x](javascript:alert(1))",
        '<a href="javascript:alert(1)">x</a>',
        "<iframe src=//x></iframe>",
        '<form action="/demo/roadmap/-/issues/1/delete"><button>x</button></form>',
        '<p style="position:fixed" class="skip" id="main">x</p>',
    ],
)
def test_markdown_is_made_safe(text):
    shown = rendered(text)
    for bad in (
        "<script",
        "onerror",
        'href="javascript',
        "<iframe",
        "<form",
        "<button",
        "style=",
        "class=",
        "id=",
    ):
        assert bad not in shown


def test_markdown_has_tables_tasks_and_strikethrough():
    shown = rendered("| a |\n|---|\n| b |\n\n- [x] done\n- [ ] open\n\n~~gone~~ https://example.com")
    assert "<table>" in shown
    assert [shown.count(sign) for sign in "☑☐"] == [1, 1]
    assert "<s>gone</s>" in shown
    assert 'href="https://example.com"' in shown


@pytest.mark.parametrize(
    "color", ["#000000", "#ffffff", "#777777", "#6699cc", "#ff0000", "#c17d10", "#00ff00"]
)
def test_text_on_a_label_can_be_read(color):
    def luminance(code: str) -> float:
        code = code if len(code) == 7 else "#" + "".join(digit * 2 for digit in code[1:])
        parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted([luminance(color), luminance(readable_on(color))])
    assert (high + 0.05) / (low + 0.05) >= 4.5


# --- in a browser ---


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = create_app(SandboxConfig(public_base=base, allow_insecure_callbacks=True))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    yield base
    server.should_exit = True
    thread.join(5)


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


def api(address: str) -> httpx.Client:
    return httpx.Client(
        base_url=f"{address}/api/v4", headers={"PRIVATE-TOKEN": "demo-gittab-token"}, trust_env=False
    )


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pages_fit_and_axe_finds_no_serious_fault(address, chromium, width, scheme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - only where there is a browser

    # axe is put into the page as a script, which the pages' own policy would refuse.
    context = chromium.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, bypass_csp=True
    )
    page = context.new_page()
    paths = ("/", ISSUE, f"{ISSUE}?edit=1", "/demo/roadmap/-/issues/new", "/demo/roadmap/-/issues/4")
    for path in paths:
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        faults = [v for v in Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")]
        assert [(path, fault["id"], fault["nodes"][0]["html"]) for fault in faults] == []
    context.close()


@pytest.mark.browser
def test_an_open_page_follows_and_an_edit_in_progress_stays(address, chromium):
    page = chromium.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: message.type == "error" and troubles.append(message.text))
    page.goto(f"{address}/demo/roadmap/-/issues/2")
    page.get_by_label("Add a comment").fill("Half a thought")
    with api(address) as bot:
        bot.put("/projects/1/issues/2", json={"title": "Told by the API", "add_labels": "from-api"})
        page.get_by_role("heading", name="Told by the API").wait_for(timeout=20_000)
        assert page.locator("#labels-set").get_by_text("from-api").is_visible()
        assert page.get_by_label("Add a comment").input_value() == "Half a thought"

        page.get_by_role("tab", name="Preview").click()
        page.locator(".preview").get_by_text("Half a thought").wait_for()
        page.get_by_role("button", name="Comment", exact=True).click()
        page.locator(".timeline .comment").get_by_text("Half a thought").wait_for()
        assert page.get_by_label("Add a comment").input_value() == ""

        page.get_by_label("Add a label").fill("by-hand")
        page.get_by_role("button", name="Add", exact=True).click()
        page.get_by_role("button", name="Remove by-hand").wait_for()
        page.get_by_role("button", name="Remove from-api").click()
        page.get_by_role("button", name="Remove from-api").wait_for(state="detached")
        page.get_by_role("button", name="Close issue").click()
        page.get_by_role("button", name="Reopen issue").wait_for()

        page.get_by_role("link", name="Edit").click()
        page.get_by_label("Title").fill("Edited by hand")
        bot.put("/projects/1/issues/2", json={"description": "Written meanwhile"})
        page.get_by_text("changed this issue while you are editing").wait_for(timeout=20_000)
        assert page.get_by_label("Title").input_value() == "Edited by hand"
        page.get_by_role("button", name="Save").click()
        page.get_by_role("heading", name="Edited by hand").wait_for()
        now = bot.get("/projects/1/issues/2").json()
    assert (now["title"], now["description"], now["state"]) == (
        "Edited by hand",
        "Written meanwhile",
        "closed",
    )
    assert now["labels"] == ["by-hand", "enhancement", "workflow::doing"]
    assert troubles == []
    page.close()


@pytest.mark.browser
def test_a_deleted_issue_says_that_it_is_gone(address, chromium):
    with api(address) as bot:
        iid = bot.post("/projects/1/issues", json={"title": "Short life"}).json()["iid"]
        page = chromium.new_page()
        page.goto(f"{address}/demo/roadmap/-/issues/{iid}")
        headers = {"PRIVATE-TOKEN": "demo-visitor-token"}
        assert bot.delete(f"/projects/1/issues/{iid}", headers=headers).status_code == 204
        page.get_by_text("Gone", exact=True).wait_for(timeout=20_000)
    page.close()
