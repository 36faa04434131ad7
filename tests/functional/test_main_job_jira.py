"""The whole main job over Jira in memory: push, edits both ways, a walk through the workflow, unlink, delete, move."""

import json

import pytest
from town import CloudTown

from contract.jira_world import EMAIL, NAMES, SITE, TYPE, JiraCloud
from keepstep.domain.fields import Field
from keepstep.domain.integration import IntegrationState, ProjectRef

from world import SERVICE

IDS = {name: id_ for id_, name in NAMES.items()}
TO_TICKET = {"Planned": "To Do", "In progress": "In Progress", "Released": "Done"}
TO_FEATURE = {"To Do": "Planned", "In Progress": "In progress", "Review": "In progress", "Done": "Released"}


class Town(CloudTown):
    """The world with Jira in it, and one integration of a project."""

    def __init__(self, world):
        super().__init__(world, JiraCloud(), "acme.atlassian.net")

    def calls(self):
        return len(self.cloud.requests)

    async def connect(self, transitions="four"):
        found = await self.world.connect(
            kind="jira",
            tracker_url=SITE,
            tracker_token=await self.world.ctx.vault.put(self.cloud.token),
            project=ProjectRef("10000", "Engineering (ENG)"),
            policy=await self.policy(
                {one: IDS[other] for one, other in TO_TICKET.items()},
                {IDS[one]: other for one, other in TO_FEATURE.items()},
            ),
            tracker_settings={"email": EMAIL, "transitions": transitions, "resolution": "10000"},
            defaults={"type": TYPE, "labels": ("backend",)},
        )
        assert found.state is IntegrationState.ACTIVE, found.failure
        return found

    async def pushed(self, integration, status="In progress"):
        link = await self.click(integration, status)
        return link.feature_id, self.cloud.issues[link.ticket.id], link


@pytest.fixture
def town(world):
    return Town(world)


async def test_a_feature_and_its_issue_stay_in_step_until_they_are_unlinked(town):
    integration = await town.connect()
    (hook,) = town.cloud.hooks.values()
    assert hook["url"] == f"{SERVICE}/hooks/tracker/{integration.id}"
    entity, issue, link = await town.pushed(integration)
    await town.until(lambda: NAMES[issue["status"]] == "In Progress")
    await town.quiet()
    assert set(issue["labels"]) == {"backend", link.marker}
    assert list(issue["links"]) == [f"keepstep:{link.marker}"]

    # To Done in three steps, the last of which asks for a resolution.
    await town.world.edit_feature(
        entity,
        name="Said in Productboard",
        status={"name": "Released"},
        description="<p>One <b>bold</b> word.</p><ul><li><p>first</p></li></ul>",
    )
    await town.until(lambda: NAMES[issue["status"]] == "Done")
    await town.quiet()
    assert issue["summary"] == "Said in Productboard"
    assert issue["resolution"] == "10000"
    kinds = [each["type"] for each in issue["description"]["content"]]
    assert kinds[:2] == ["paragraph", "bulletList"]

    document = json.loads(json.dumps(issue["description"]))
    document["content"][0]["content"].append({"type": "text", "text": " And more."})
    town.cloud.edit(issue, summary="Said in Jira", description=document, status=IDS["Review"])

    async def told():
        return (await town.feature(entity))["name"] == "Said in Jira"

    await town.until(told)
    await town.quiet()
    fields = await town.feature(entity)
    assert fields["status"]["name"] == "In progress"
    assert "<b>bold</b> word. And more." in fields["description"]

    writes = len([each for each in town.cloud.requests if each.method in ("PUT", "POST")])
    await town.world.poll(integration)
    await town.quiet()
    later = [each for each in town.cloud.requests if each.method in ("PUT", "POST")][writes:]
    assert all("search" in each.url.path or "bulkfetch" in each.url.path for each in later), later

    assert await town.world.click(integration, entity, "button.unlink") == {"state": "initial"}
    await town.quiet()
    assert "keepstep" not in json.dumps(issue["description"])
    assert (issue["labels"], issue["links"], issue["properties"]) == (["backend"], {}, {})
    assert await town.world.links(integration) == []
    assert set(town.answers) == {200}


async def test_where_only_one_step_is_allowed_the_status_is_refused_in_words(town):
    integration = await town.connect(transitions="one")
    entity, issue, _ = await town.pushed(integration, "Planned")
    await town.world.edit_feature(entity, status={"name": "Released"})

    async def refused():
        link = await town.world.link_of(integration, entity)
        return link.refusals.get(Field.STATUS)

    message = (await town.until(refused)).message
    assert "leads" in message
    assert "Allow several steps" in message
    assert NAMES[issue["status"]] == "To Do"
    assert (await town.feature(entity))["status"]["name"] == "Released"


async def test_an_issue_that_moves_stays_in_step_and_one_that_is_deleted_frees_its_cell(town):
    integration = await town.connect()
    entity, issue, _ = await town.pushed(integration)
    town.cloud.move(issue, "10001")
    await town.world.poll(integration)
    await town.quiet()
    link = await town.world.link_of(integration, entity)
    assert (link.ticket.project, link.ticket.key) == ("10001", issue["key"])
    town.cloud.delete(issue)
    await town.world.poll(integration)

    async def free():
        return await town.world.cell(integration, entity) == {"state": "initial"}

    await town.until(free)
