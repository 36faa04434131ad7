"""The whole main job on a real Redmine: push, edits both ways, a status that is refused, unlink, delete, a move."""

import httpx
import pytest

from keepstep.app import links
from keepstep.domain.events import Act
from keepstep.domain.fields import Field
from keepstep.domain.ids import StatusId
from keepstep.domain.integration import IntegrationState, ProjectRef
from keepstep.domain.policy import StatusMap, SyncPolicy
from redmine_server import BOT, FIELD

TO_TICKET = {"Planned": "New", "In progress": "In Progress", "Released": "Closed", "New idea": "Rejected"}
TO_FEATURE = {"New": "Planned", "In Progress": "In progress", "Resolved": "In progress", "Closed": "Released"}

pytestmark = pytest.mark.redmine


class Town:
    """The world with the real Redmine in it. It calls nobody, so changes there are found by looking."""

    def __init__(self, world, server):
        self.world, self.server = world, server
        world.network.apps["127.0.0.1"] = httpx.AsyncHTTPTransport()

    async def connect(self):
        ids, server = await self.world.statuses(), self.server

        def status(name):
            return StatusId(server.id_of("/issue_statuses.json", "issue_statuses", name))

        status_map = StatusMap(
            {StatusId(ids[one]): status(other) for one, other in TO_TICKET.items()},
            {status(one): StatusId(ids[other]) for one, other in TO_FEATURE.items()},
        )
        project = server.id_of("/projects.json?limit=100", "projects", "Alpha")
        self.integration = await self.world.connect(
            kind="redmine",
            tracker_url=server.url,
            tracker_token=await self.world.ctx.vault.put(BOT),
            project=ProjectRef(project, "Alpha"),
            policy=SyncPolicy(status_map=status_map),
            tracker_settings={
                "text": "textile",
                "marker_field": server.id_of("/custom_fields.json", "custom_fields", FIELD),
            },
            defaults={"tracker": server.id_of("/trackers.json", "trackers", "Feature")},
        )
        assert self.integration.state is IntegrationState.ACTIVE, self.integration.failure
        return self.integration

    async def pushed(self, status="In progress"):
        features = await self.world.features()
        feature = next(each for each in features if each["fields"]["status"]["name"] == status)
        cell = await self.world.click(self.integration, feature["id"])
        link = await self.world.until(lambda: self._linked(feature))
        await self.rest()
        return feature, link, cell

    async def _linked(self, feature):
        link = await self.world.link_of(self.integration, feature["id"])
        return link if link and link.ticket else None

    def issue(self, link):
        return self.server.ask("GET", f"/issues/{link.ticket.key}.json").json()["issue"]

    def edit(self, link, **fields):
        assert self.server.ask("PUT", f"/issues/{link.ticket.key}.json", {"issue": fields}).status_code == 204

    async def rest(self):
        """A real server may take longer to answer than a pause lasts: until nothing is under way."""

        async def at_rest():
            await self.world.quiet()
            links = await self.world.links(self.integration)
            return not any(link.intent.writes or link.intent.create for link in links)

        await self.world.until(at_rest)

    async def look(self):
        await self.world.poll(self.integration)
        await self.rest()


@pytest.fixture
async def town(world, redmine):
    town = Town(world, redmine)
    await town.connect()
    yield town
    await world.network.apps.pop("127.0.0.1").aclose()


async def test_the_main_job(town):
    world = town.world
    feature, link, _ = await town.pushed()
    issue = town.issue(link)
    assert issue["subject"] == feature["fields"]["name"]
    assert issue["status"]["name"] == "In Progress"
    assert [each["value"] for each in issue["custom_fields"] if each["name"] == FIELD] == [link.marker]
    assert link.marker in issue["description"]

    # Productboard to Redmine: title, formatted text, status.
    html = "<h1>Why</h1><p>Users want <b>CSV</b>.</p><ul><li>one</li><li>two</li></ul>"
    statuses = await world.statuses()
    await world.edit_feature(
        feature["id"], name="Said in Productboard", description=html, status={"id": statuses["Released"]}
    )
    await town.rest()
    issue = town.issue(link)
    assert (issue["subject"], issue["status"]["name"]) == ("Said in Productboard", "Closed")
    assert "h1. Why\n\nUsers want *CSV*.\n\n* one\n* two" in issue["description"].replace("\r\n", "\n")

    # Redmine to Productboard, with a browser's line ends; the other paragraph keeps what was said meanwhile.
    text = issue["description"].replace("*CSV*", "*CSV* and _PDF_").replace("\n", "\r\n")
    status = town.server.id_of("/issue_statuses.json", "issue_statuses", "In Progress")
    town.edit(link, subject="Said in Redmine", description=text, status_id=int(status))
    await town.look()
    shown = (await world.feature(feature["id"]))["fields"]
    assert (shown["name"], shown["status"]["name"]) == ("Said in Redmine", "In progress")
    assert "<b>CSV</b> and <i>PDF</i>" in shown["description"]
    before = town.issue(link)
    await town.look()
    assert town.issue(link) == before

    # Unlinked by the button: text and field are free of us, the issue stays.
    assert await world.click(town.integration, feature["id"], "button.unlink") == {"state": "initial"}

    async def gone():
        return not await world.links(town.integration)

    await world.until(gone)
    after = town.issue(link)
    assert "keepstep" not in after["description"]
    assert [each["value"] for each in after["custom_fields"] if each["name"] == FIELD] in ([""], [None], [])


async def test_a_status_that_redmine_refuses_without_a_word_is_said_and_nothing_flows_back(town):
    world = town.world
    feature, link, _ = await town.pushed()
    idea = (await world.statuses())["New idea"]
    await world.edit_feature(feature["id"], status={"id": idea})

    async def refused():
        current = await world.link_of(town.integration, feature["id"])
        return current.refusals.get(Field.STATUS)

    assert "did not store it" in (await world.until(refused)).message
    await town.rest()
    assert town.issue(link)["status"]["name"] == "In Progress"
    assert (await world.feature(feature["id"]))["fields"]["status"]["name"] == "New idea"


async def test_a_lost_answer_to_the_create_makes_one_ticket(town):
    world, real = town.world, town.world.network.apps["127.0.0.1"]

    class Dropping(httpx.AsyncBaseTransport):
        dropped = 0

        async def handle_async_request(self, request):
            answer = await real.handle_async_request(request)
            if request.method == "POST" and not self.dropped:
                self.dropped += 1
                await answer.aread()
                raise httpx.ReadTimeout("lost", request=request)
            return answer

        async def aclose(self):
            await real.aclose()

    world.network.apps["127.0.0.1"] = Dropping()
    feature, link, _ = await town.pushed("Planned")
    path = f"/issues.json?status_id=*&description=~{link.marker}"
    assert town.server.ask("GET", path).json()["total_count"] == 1
    assert Act.ADOPTED in {each.act for each in await world.journal(link)}
    assert feature


async def test_a_deleted_issue_frees_the_cell(town):
    world = town.world
    feature, link, _ = await town.pushed()
    assert town.server.ask("DELETE", f"/issues/{link.ticket.key}.json").status_code == 204
    await town.look()

    async def free():
        return await world.cell(town.integration, feature["id"]) == {"state": "initial"}

    await world.until(free)


async def test_a_moved_issue_stays_in_step(town):
    world = town.world
    feature, link, _ = await town.pushed()
    beta = town.server.id_of("/projects.json?limit=100", "projects", "Beta")
    town.edit(link, project_id=int(beta), subject="Moved and said")
    await town.look()
    await links.sync_now(world.ctx, link.id, "tester")
    await town.rest()
    current = await world.link_of(town.integration, feature["id"])
    assert current.ticket.project == beta
    assert (await world.feature(feature["id"]))["fields"]["name"] == "Moved and said"
