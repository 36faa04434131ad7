"""The JSON API from end to end: what a script can do, against the whole service and both emulators."""

from datetime import datetime, timedelta

import pytest
from api_caller import Caller, new_integration

from keepstep.cli.explaining import explain_link
from keepstep.domain.ids import LinkId

from world import BOARD, BOARD_TOKEN, TRACKER, TRACKER_TOKEN


@pytest.fixture
async def caller(world):
    """At the end, no answer has ever shown one of the tokens (but for the help that names the demo's)."""
    opened = await Caller.open(world)
    yield opened
    help_text = world.outside.manifest("gittab").token_help
    for secret in (BOARD_TOKEN, TRACKER_TOKEN, opened.secret):
        assert not [each for each in opened.heard if secret in each.replace(help_text, "")]


async def test_an_integration_is_created_connected_and_shown(world, caller):
    made = await caller.created()
    assert made["health"] == {"word": "ok", "sentence": "Connected. Nothing is pushed yet.", "cure": ""}
    assert [step["state"] for step in made["steps"]] == ["done"] * 5
    assert made["board"]["token_end"] == BOARD_TOKEN[-4:]
    assert made["tracker"]["settings"] == {"status_labels": ["workflow::doing", "workflow::review"]}
    assert made["project"]["name"] == "demo/roadmap"
    assert made["journal"][-1]["actor"] == "api:script"
    page = await caller.get("/integrations")
    assert (page["total"], [each["id"] for each in page["items"]]) == (1, [made["id"]])


async def test_without_a_map_one_is_proposed_and_used(world, caller):
    made = await caller.created()
    ids = await world.statuses()
    assert made["policy"]["status_map"]["to_ticket"][ids["Released"]] == "closed"
    assert made["policy"]["status_map"]["to_feature"]["closed"] == ids["Released"]


async def test_a_given_map_is_taken_as_it_is(world, caller):
    ids = await world.statuses()
    chosen = {"to_ticket": {ids["Planned"]: "closed"}, "to_feature": {}}
    made = await caller.created(
        policy={"status_map": chosen, "fields": {"title": {"direction": "to ticket"}}}
    )
    assert made["policy"]["status_map"] == chosen
    assert made["policy"]["fields"]["title"] == {"direction": "to ticket", "rule": "newest"}


async def test_a_pushed_feature_is_listed_found_and_explained(world, caller):
    integration = await caller.created()
    link = await caller.linked(integration)
    await caller.linked(integration, 1)
    assert link["state"] == "linked"
    assert link["ticket"]["label"].startswith("#")
    assert {each["field"] for each in link["fields"]} == {"title", "description", "status"}
    assert link["journal"][0]["link"] == link["id"]
    first = await caller.get("/links", integration=integration["id"], limit=1, sort="title")
    second = await caller.get("/links", integration=integration["id"], limit=1, offset=1, sort="title")
    assert (first["total"], len(first["items"]), first["limit"]) == (2, 1, 1)
    assert first["items"][0]["id"] != second["items"][0]["id"]
    found = await caller.get("/links", q=link["ticket"]["url"])
    assert link["id"] in [each["id"] for each in found["items"]]
    assert (await caller.get("/links", state="attention"))["total"] == 0
    assert (await caller.get("/links", state=["attention", "in step"]))["total"] == 2
    assert (await caller.get("/links", state="linked"))["total"] == 2


async def test_times_are_utc(world, caller):
    link = await caller.linked(await caller.created())
    assert link["created_at"].endswith("Z")
    assert datetime.fromisoformat(link["created_at"]).utcoffset() == timedelta()


async def test_names_and_policy_change_and_the_rest_stays(world, caller):
    before = await caller.created()
    body = {"name": "Renamed", "button": "Send", "policy": {"fields": {"title": {"rule": "ask"}}}}
    after = await caller.do("PATCH", f"/integrations/{before['id']}", body)
    assert (after["name"], after["button"]) == ("Renamed", "Send")
    assert after["policy"]["fields"]["title"] == {"direction": "both", "rule": "ask"}
    assert after["policy"]["fields"]["status"] == before["policy"]["fields"]["status"]
    assert after["policy"]["status_map"] == before["policy"]["status_map"]
    assert after["defaults"] == before["defaults"]
    column = await world.board(
        "GET", f"/v2/plugin-integrations/{before['registrations']['column']}", token=BOARD_TOKEN
    )
    assert "Renamed" in str(column)


async def test_project_and_address_change_only_without_links(world, caller):
    integration = await caller.created()
    path = f"/integrations/{integration['id']}"
    moved = await caller.do("PATCH", path, {"project": "2"})
    assert moved["project"]["id"] == "2"
    assert moved["project"]["name"] != integration["project"]["name"]
    elsewhere = {"tracker": {"base_url": "http://other.test"}}
    assert (await caller.refused("PATCH", path, elsewhere))["field"] == "tracker.token"
    spoilt = {"tracker": elsewhere["tracker"] | {"token": "a b"}}
    assert (await caller.refused("PATCH", path, spoilt))["field"] == "tracker.token"
    await caller.do("PATCH", path, {"project": "1"})
    await world.quiet()
    await caller.linked(integration)
    assert (await caller.refused("PATCH", path, {"project": "2"}))["field"] == "project"
    assert (await caller.refused("PATCH", path, elsewhere))["field"] == "tracker.base_url"


async def test_an_existing_ticket_is_linked_and_then_follows(world, caller):
    integration = await caller.created()
    feature = (await world.features())[3]
    issue = await world.tracker("POST", "/projects/1/issues", {"title": "Was there before"})
    body = {"integration": integration["id"], "feature": feature["id"], "ticket": issue["web_url"]}
    answer = await caller.ask("POST", "/links", body)
    assert answer.status_code == 201
    link = answer.json()
    assert answer.headers["Location"] == f"/api/v1/links/{link['id']}"
    await world.quiet()
    await world.edit_feature(feature["id"], name="Follows from now on")

    async def follows():
        return (await world.issue(issue["iid"]))["title"] == "Follows from now on"

    await world.until(follows)
    assert (await caller.refused("POST", "/links", body))["field"] == "feature"
    other = body | {"feature": (await world.features())[4]["id"]}
    assert (await caller.refused("POST", "/links", other))["field"] == "ticket"


async def test_what_waits_for_a_job_is_told_without_its_values(world, caller):
    integration = await caller.created()
    link = await caller.linked(integration)
    await world.quiet()
    world.worker_runs = False
    await world.edit_issue(int(link["ticket"]["label"].removeprefix("#")), title="A secret plan")
    await world.until(lambda: _waits(caller, link))
    (notice,) = (await caller.get(f"/links/{link['id']}"))["notices"]
    assert (notice["kind"], notice["source"], notice["side"]) == ("changed", "webhook", "ticket")
    explained = await explain_link(world.ctx, LinkId(link["id"]))
    assert "waits for its job" in explained
    assert "the ticket changed, told by webhook" in explained
    assert "secret plan" not in explained
    world.worker_runs = True
    await world.until(lambda: _waits_no_more(caller, link))


async def _waits(caller, link):
    return (await caller.get(f"/links/{link['id']}"))["notices"]


async def _waits_no_more(caller, link):
    return not await _waits(caller, link)


async def test_a_conflict_waits_is_decided_and_the_loser_put_back(world, caller):
    integration = await caller.created(policy={"fields": {"title": {"rule": "ask"}}})
    link = await caller.linked(integration)
    iid = int(link["ticket"]["label"].removeprefix("#"))
    world.worker_runs = False
    await world.edit_feature(link["feature"]["id"], name="Said in Productboard")
    await world.edit_issue(iid, title="Said in GitTab")
    world.worker_runs = True
    asked = await caller.until_link(link["id"], state="in conflict")
    assert asked["conflicts"] == ["title"]
    title = next(each for each in asked["fields"] if each["field"] == "title")
    assert (title["feature"], title["ticket"]) == ("Said in Productboard", "Said in GitTab")
    assert (title["undecided"], title["conflict"]) == (True, "both changed")
    attention = await caller.get("/attention")
    assert [each["id"] for each in attention["items"][0]["links"]] == [link["id"]]

    await caller.do("POST", f"/links/{link['id']}/decide", {"field": "title", "keep": "ticket"}, 202)
    await caller.until_link(link["id"], state="linked")
    assert (await world.feature(link["feature"]["id"]))["fields"]["name"] == "Said in GitTab"
    await world.quiet()
    again = await caller.refused(
        "POST", f"/links/{link['id']}/decide", {"field": "title", "keep": "ticket"}, 409
    )
    assert "nothing to decide" in again["message"]

    journal = await caller.get("/journal", link=link["id"], field="title")
    lost = next(each for each in journal["items"] if each["before"] == "Said in Productboard")
    assert lost["can_put_back"]
    await caller.do("POST", f"/journal/{lost['id']}/put-back", status=202)

    async def back():
        return (await world.issue(iid))["title"] == "Said in Productboard"

    await world.until(back)


async def test_the_journal_is_filtered_and_paged(world, caller):
    integration = await caller.created()
    link = await caller.linked(integration)
    whole = await caller.get("/journal", integration=integration["id"])
    assert whole["total"] == len(whole["items"]) > 3
    assert (await caller.get("/journal", link=link["id"], limit=1))["items"] == [
        each for each in whole["items"] if each["link"] == link["id"]
    ][:1]
    acts = await caller.get("/journal", act=["ticket created", "integration connected"])
    assert {each["act"] for each in acts["items"]} == {"ticket created", "integration connected"}
    assert all(each["side"] == "ticket" for each in (await caller.get("/journal", side="ticket"))["items"])


async def test_pause_resume_and_sync(world, caller):
    integration = await caller.created()
    path = f"/integrations/{integration['id']}"
    paused = await caller.do("POST", f"{path}/pause")
    assert (paused["state"], paused["pause"]["by_person"]) == ("paused", True)
    assert "api:script" in paused["pause"]["message"]
    await caller.refused("POST", f"{path}/sync", status=409)
    assert (await caller.do("POST", f"{path}/resume"))["state"] == "active"
    await caller.refused("POST", f"{path}/resume", status=409)
    await caller.do("POST", f"{path}/sync", status=202)


async def test_a_token_is_tried_before_it_replaces_the_old_one(world, caller):
    integration = await caller.created()
    path = f"/integrations/{integration['id']}/tokens"
    for side in ("board", "tracker"):
        refused = await caller.refused("PUT", f"{path}/{side}", {"token": "no-such-token-at-all"})
        assert refused["field"] == "token"
        assert "no-such-token-at-all" not in str(refused)
    fresh = await caller.do("PUT", f"{path}/tracker", {"token": f'  "{TRACKER_TOKEN}"\n'})
    assert fresh["state"] == "active"
    assert (await caller.ask("PUT", f"{path}/nobody", {"token": "x"})).status_code == 422


async def test_links_are_synced_and_unlinked_one_or_many(world, caller):
    integration = await caller.created()
    links = [await caller.linked(integration, index) for index in range(3)]
    ids = [each["id"] for each in links]
    assert (await caller.do("POST", f"/links/{ids[0]}/sync", status=202))["id"] == ids[0]
    assert (await caller.do("POST", f"/links/{ids[0]}/try-again", status=202))["id"] == ids[0]
    woken = await caller.do("POST", "/links/sync", {"links": [*ids, "0" * 32]}, 202)
    assert woken == {"done": ids, "missing": ["0" * 32]}
    await caller.do("POST", f"/links/{ids[0]}/unlink", status=202)
    await caller.do("POST", "/links/unlink", {"links": ids[1:]}, 202)

    async def gone():
        return (await caller.get("/links"))["total"] == 0

    await world.until(gone)
    assert await world.issues() == []
    for link in links:
        issue = await world.issue(int(link["ticket"]["label"].removeprefix("#")))
        assert issue["title"] == link["feature"]["title"]
    await caller.refused("POST", f"/links/{ids[0]}/sync", status=404)


@pytest.mark.parametrize("clean", [False, True])
async def test_delete_takes_the_column_away_and_the_tickets_stay(world, caller, clean):
    integration = await caller.created()
    link = await caller.linked(integration)
    iid = int(link["ticket"]["label"].removeprefix("#"))
    path = f"/integrations/{integration['id']}"
    removing = await caller.do("DELETE", f"{path}?clean_tickets={str(clean).lower()}", status=202)
    assert removing["state"] == "removing"

    async def gone():
        return (await caller.ask("GET", path)).status_code == 404

    await world.until(gone)
    assert (await world.tracker("GET", "/projects/1/hooks")) == []
    issue = await world.issue(iid)
    assert ("keepstep" in issue["description"]) is not clean
    assert (await caller.get("/integrations"))["total"] == 0


async def test_a_stuck_removal_is_shown_and_can_be_forgotten(world, caller):
    integration = await caller.created()
    path = f"/integrations/{integration['id']}"
    await caller.refused("POST", f"{path}/forget", status=409)
    world.fault("gittab", match="DELETE /api/v4/projects/*/hooks/*", status=500, times=None)
    await caller.do("DELETE", path, status=202)

    async def stuck():
        found = await caller.get(path)
        return found if found["failure"] else None

    shown = await world.until(stuck)
    assert shown["health"]["word"] == "broken"
    assert "failed" in [step["state"] for step in shown["steps"]]
    await caller.do("POST", f"{path}/forget", status=202)

    async def gone():
        return (await caller.ask("GET", path)).status_code == 404

    await world.until(gone)


async def test_a_failed_connect_is_tried_again_or_discarded(world, caller):
    world.fault("gittab", match="POST /api/v4/projects/*/hooks", status=422)
    made = await caller.do("POST", "/integrations", new_integration(), 201)
    path = f"/integrations/{made['id']}"

    async def failed():
        found = await caller.get(path)
        return found if found["failure"] else None

    found = await world.until(failed)
    assert "undone" in [step["state"] for step in found["steps"]]
    await caller.do("POST", f"{path}/discard", status=204)
    await caller.refused("GET", path, status=404)

    world.fault("gittab", match="POST /api/v4/projects/*/hooks", status=422)
    made = await caller.do("POST", "/integrations", new_integration(), 201)
    path = f"/integrations/{made['id']}"
    await world.until(failed)
    await caller.do("POST", f"{path}/try-again", status=202)

    async def active():
        return (await caller.get(path))["state"] == "active"

    await world.until(active)


async def test_trackers_and_checks_tell_what_there_is_to_choose(world, caller):
    kinds = await caller.get("/trackers")
    assert "gittab" in [each["kind"] for each in kinds["items"]]
    assert (await caller.get("/trackers/gittab"))["settings"][0]["name"] == "status_labels"
    board = {"base_url": f"{BOARD}/v2", "token": BOARD_TOKEN}
    tracker = {"kind": "gittab", "base_url": TRACKER, "token": TRACKER_TOKEN}
    checked = await caller.do("POST", "/checks/board", board)
    assert checked["missing"] == []
    assert "Planned" in [each["name"] for each in checked["statuses"]]
    assert (await caller.do("POST", "/checks/tracker", tracker))["user"]
    projects = await caller.do("POST", "/checks/projects", tracker | {"search": "roadmap"})
    assert "demo/roadmap" in [each["name"] for each in projects["items"]]
    project = tracker | {"project": "demo/roadmap"}
    assert "workflow::doing" in (await caller.do("POST", "/checks/labels", project))["items"]
    sides = {"board": board, "tracker": project | {"settings": {"status_labels": ["workflow::doing"]}}}
    statuses = await caller.do("POST", "/checks/statuses", sides)
    assert [each["id"] for each in statuses["ticket"]] == ["opened", "label:workflow::doing", "closed"]
    assert set(statuses["proposed"]["to_ticket"]) == {each["id"] for each in statuses["feature"]}


async def test_statuses_of_an_integration_are_asked_with_its_own_tokens(world, caller):
    integration = await caller.created()
    found = await caller.get(f"/integrations/{integration['id']}/statuses")
    assert found["ticket"][0]["id"] == "opened"
    assert found["proposed"]["to_feature"]["closed"] in {each["id"] for each in found["feature"]}


async def test_the_installation_shows_itself(world, caller):
    system = await caller.get("/system")
    assert (system["version"], system["ready"], system["database"]) == ("test", True, "memory")
