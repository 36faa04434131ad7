"""Bulk runs by page and by API, on both emulators."""

import re

import pytest
from api_caller import Caller

from world import SERVICE

NAME, PASSWORD = "grace", "rowan-lantern-42"


class Visitor:
    """A browser without a script."""

    def __init__(self, world):
        self.world = world

    async def log_in(self):
        await self.world.people.create_admin(NAME, PASSWORD)
        await self.send("/login", name=NAME, password=PASSWORD)
        return self

    async def see(self, path, status=200):
        answer = await self.world.client.get(f"{SERVICE}{path}", follow_redirects=True)
        assert answer.status_code == status, answer.text
        return answer.text

    async def send(self, path, files=None, **fields):
        csrf = "" if path == "/login" else (await self.see("/people")).split('name="csrf" value="', 1)[1]
        return await self.world.client.post(
            f"{SERVICE}{path}",
            data=fields | {"csrf": csrf.split('"', 1)[0]},
            files=files,
            follow_redirects=True,
        )

    async def until(self, path, words):
        async def look():
            page = await self.see(path)
            return page if words in page else None

        return await self.world.until(look, 20)


def path_of(answer):
    return answer.url.path


@pytest.fixture
async def visitor(world):
    return await Visitor(world).log_in()


async def test_a_selection_is_seen_then_pushed_from_the_page(world, visitor):
    integration = await world.connect()
    home = f"/integrations/{integration.id}/bulk"
    assert "No bulk run yet" in await visitor.see(home)
    form = await visitor.see(f"{home}/push")
    assert 'value="Planned"' in form
    assert "Workspace (component)" in form
    here = path_of(await visitor.send(f"{home}/push", status=["New idea"]))
    page = await visitor.until(here, "Proposed")
    shown = re.findall(r'name="shown" value="(\d+)"', page)
    assert len(shown) >= 2
    assert page.count("checked") == len(shown)
    preview = await visitor.see(f"{here}/items/{shown[0]}")
    assert "Nothing has been created." in preview
    assert "kept in step by" in preview
    await visitor.send(f"{here}/start", shown=shown, item=shown[1:])
    page = await visitor.until(here, "Done")
    assert f"{len(shown) - 1} pushed" in page
    assert "Left out by a person." in await visitor.see(f"{here}?outcome=skipped")
    assert "Left out by a person." not in await visitor.see(f"{here}?outcome=pushed")
    assert len(await world.issues()) == len(shown) - 1
    assert here in await visitor.see(home)
    assert "Bulk push. Started" in await visitor.see(f"/integrations/{integration.id}/activity")


async def test_a_run_is_paused_resumed_and_cancelled_from_its_page(world, visitor):
    integration = await world.connect()
    here = path_of(await visitor.send(f"/integrations/{integration.id}/bulk/push", q="o"))
    await visitor.until(here, "Proposed")
    world.worker_runs = False
    assert "About ready at" in (await visitor.send(f"{here}/start")).text
    assert "Paused by grace." in (await visitor.send(f"{here}/pause")).text
    assert (await visitor.send(f"{here}/pause")).status_code == 409
    assert "Going on." in (await visitor.send(f"{here}/resume")).text
    assert "Cancelled before its turn." in (await visitor.send(f"{here}/cancel")).text
    assert not await world.issues()


async def test_the_form_names_what_is_wrong_and_keeps_what_was_entered(world, visitor):
    integration = await world.connect()
    answer = await visitor.send(f"/integrations/{integration.id}/bulk/push", q="csv", status=["Plannd"])
    assert answer.status_code == 422
    assert "There is no status “Plannd”" in answer.text
    assert 'value="csv"' in answer.text
    world.fault("productboard", match="GET /v2/entities/configurations", status=503, times=None)
    assert "The other conditions work." in await visitor.see(f"/integrations/{integration.id}/bulk/push")


@pytest.mark.parametrize(
    "path", ["/bulk/nope", "/bulk/nope/items/1", "/bulk/nope/items/x", "/integrations/nope/bulk"]
)
async def test_what_is_not_there_is_not_found(visitor, path):
    await visitor.see(path, 404)


async def test_bulk_pages_want_a_login_and_their_forms_the_session_s_token(world, visitor):
    integration = await world.connect()
    here = path_of(await visitor.send(f"/integrations/{integration.id}/bulk/push"))
    await visitor.until(here, "Proposed")
    assert (await world.client.post(f"{SERVICE}{here}/start", data={"csrf": "guessed"})).status_code == 403
    world.client.cookies.clear()
    assert "Log in" in await visitor.see(here)


async def test_a_script_pushes_many_and_watches_it(world):
    caller = await Caller.open(world)
    integration = await caller.created()
    body = {"integration": integration["id"], "statuses": ["new idea", "Candidate"]}
    run = await caller.do("POST", "/bulk/push", body, 202)
    path = f"/bulk/{run['id']}"
    assert (run["kind"], run["ends_at"]) == ("push", None)

    async def in_state(state):
        async def look():
            found = await caller.get(path)
            return found if found["state"] == state else None

        return await world.until(look, 20)

    total = (await in_state("proposed"))["total"]
    page = await caller.get(f"{path}/items", limit=1)
    (first,) = page["items"]
    assert (page["total"], first["outcome"], first["chosen"], first["link"]) == (total, "waiting", True, None)
    preview = await caller.get(f"{path}/items/{first['id']}/preview")
    assert preview["title"] == first["feature"]["title"]
    kept = await caller.do("POST", f"{path}/choose", {"items": [first["id"]], "chosen": False})
    assert kept["chosen"] == total - 1
    started = await caller.do("POST", f"{path}/start", status=202)
    assert started["state"] == "running"
    done = await in_state("done")
    assert done["outcomes"] == {
        "waiting": 0, "under way": 0, "pushed": total - 1, "linked": 0, "skipped": 1, "failed": 0,
    }  # fmt: skip
    pushed = await caller.get(f"{path}/items", outcome="pushed", q=preview["title"])
    assert pushed["items"] == []
    assert (await caller.get("/bulk", integration=integration["id"]))["items"][0]["id"] == run["id"]
    for move in ("start", "pause", "resume", "cancel"):
        assert await caller.refused("POST", f"{path}/{move}", status=409)


async def test_a_script_is_told_what_is_wrong_with_its_selection(world):
    caller = await Caller.open(world)
    integration = await caller.created()
    error = await caller.refused("POST", "/bulk/push", {"integration": integration["id"], "place": "Attic"})
    assert (error["field"], "Workspace" in error["message"]) == ("place", True)
    await caller.refused("POST", "/bulk/push", {"integration": "nope"}, 404)
    await caller.refused("POST", "/bulk/nope/start", status=404)
    error = await caller.refused("POST", "/bulk/push", {"integration": integration["id"], "colour": "red"})
    assert error["field"] == "colour"


async def test_pairs_are_seen_ticked_and_linked_from_the_page(world, visitor):
    integration = await world.connect()
    one = next(each for each in await world.features() if not each["fields"].get("archived"))
    issue = {"title": one["fields"]["name"], "description": "Words of the ticket."}
    made = await world.tracker("POST", "/projects/1/issues", issue)
    home = f"/integrations/{integration.id}/bulk"
    assert "as after a lost database" in await visitor.see(f"{home}/link")
    here = path_of(await visitor.send(f"{home}/link", way=["title"]))
    page = await visitor.until(here, "Proposed")
    (shown,) = re.findall(r'name="shown" value="(\d+)"', page)
    assert f'name="item" value="{shown}">' in page, "what was found by its title is not ticked"
    assert "equal titles" in page
    assert "Take the ticket&#39;s" in page
    await visitor.send(f"{here}/start", shown=shown, item=shown, first="feature")
    page = await visitor.until(here, "1 linked")
    assert f"#{made['iid']}" in page
    await world.quiet()
    assert "Words of the ticket." not in (await world.issue(made["iid"]))["description"]


async def test_a_csv_is_uploaded_or_pasted_and_refused_with_line_and_column(world, visitor):
    integration = await world.connect()
    one, two = (await world.features())[:2]
    home = f"/integrations/{integration.id}/bulk"
    text = f"feature;ticket\r\n{one['id']};#1\r\n{two['id']};#2\r\n"
    files = {"file": ("pairs.csv", text.encode("utf-8-sig"), "text/csv")}
    page = await visitor.until(path_of(await visitor.send(f"{home}/link", files=files)), "Proposed")
    assert "line 2" in page
    assert "your CSV" in page
    answer = await visitor.send(f"{home}/link", csv="feature,ticket\nnonsense,#1")
    assert answer.status_code == 422
    assert "Line 2, column feature" in answer.text
    assert "nonsense,#1</textarea>" in answer.text
    answer = await visitor.send(f"{home}/link", files={"file": ("x.csv", b"na\xefve,1", "text/csv")})
    assert "it is not UTF-8" in answer.text
    empty = {"file": ("", b"", "application/octet-stream")}
    answer = await visitor.send(f"{home}/link", files=empty)
    assert "Choose by what pairs are looked for" in answer.text


async def test_a_script_links_what_a_csv_says_and_asks_about_differences(world):
    caller = await Caller.open(world)
    integration = await caller.created()
    one, two = (await world.features())[:2]
    body = {"integration": integration["id"], "csv": f"feature,ticket\n{one['id']},#1\n{two['id']},#999"}
    run = await caller.do("POST", "/bulk/link", body, 202)
    path = f"/bulk/{run['id']}"

    async def in_state(state):
        async def look():
            found = await caller.get(path)
            return found if found["state"] == state else None

        return await world.until(look, 20)

    assert (await in_state("proposed"))["chosen"] == 1
    (item,) = (await caller.get(f"{path}/items", outcome="waiting"))["items"]
    assert (item["ticket"]["label"], item["way"], item["line"]) == ("#1", "csv", 2)
    await caller.do("POST", f"{path}/start", {"first": "ask"}, 202)
    assert (await in_state("done"))["outcomes"]["linked"] == 1
    (item,) = (await caller.get(f"{path}/items", outcome="linked"))["items"]
    assert (await caller.get(f"/links/{item['link']}"))["state"] == "in conflict"
    for wrong, field in (({"csv": "x"}, "csv"), ({}, "ways"), ({"ways": ["magic"]}, "ways.0")):
        error = await caller.refused("POST", "/bulk/link", {"integration": integration["id"]} | wrong)
        assert error["field"] == field


async def test_one_ticket_is_linked_with_a_choice_of_whose_values_stay(world):
    caller = await Caller.open(world)
    integration = await caller.created()
    one = next(each for each in await world.features() if not each["fields"].get("archived"))
    body = {"integration": integration["id"], "feature": one["id"], "ticket": "#1", "first": "feature"}
    link = await caller.do("POST", "/links", body, 201)
    await caller.until_link(link["id"], state="in step" if link["state"] == "in step" else "linked")
    await world.quiet()
    assert (await world.issue(1))["title"] == one["fields"]["name"]
