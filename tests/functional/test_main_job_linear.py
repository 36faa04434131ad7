"""The whole main job over Linear in memory: push, edits both ways, statuses, a lost answer, moves, unlink, delete."""

import pytest
from town import CloudTown

from contract.linear_cloud import ADMIN, MEMBER, Fault, LinearCloud
from keepstep.app.tracker_hooks import steps_by_hand
from keepstep.domain.integration import IntegrationState, ProjectRef
from keepstep.domain.link import LinkState

from world import SERVICE

TO_TICKET = {"Planned": "Todo", "In progress": "In Progress", "Released": "Done"}
TO_FEATURE = {
    "Backlog": "Planned", "Todo": "Planned", "In Progress": "In progress", "In Review": "In progress",
    "Done": "Released",
}  # fmt: skip


class Town(CloudTown):
    """The world with Linear in it, and one integration of a Linear team."""

    def __init__(self, world):
        super().__init__(world, LinearCloud(), "api.linear.app")

    async def connect(self, key=ADMIN):
        state = self.cloud.state
        return await self.world.connect(
            kind="linear",
            tracker_url="https://api.linear.app",
            tracker_token=await self.world.ctx.vault.put(key),
            project=ProjectRef(self.cloud.eng["id"], "Engineering (ENG)"),
            policy=await self.policy(
                {one: state(other)["id"] for one, other in TO_TICKET.items()},
                {state(one)["id"]: other for one, other in TO_FEATURE.items()},
            ),
            tracker_settings={},
        )

    async def pushed(self, integration):
        link = await self.click(integration)
        return link.feature_id, self.cloud.issues[link.ticket.id], link

    def asked(self, since=0):
        return [operation for operation, _ in self.cloud.asked[since:]]


@pytest.fixture
def town(world):
    return Town(world)


async def test_a_feature_and_its_issue_stay_in_step_until_they_are_unlinked(town):
    integration = await town.connect()
    (hook,) = town.cloud.hooks.values()
    assert hook["url"] == f"{SERVICE}/hooks/tracker/{integration.id}"
    entity, issue, link = await town.pushed(integration)
    cell = await town.world.cell(integration, entity)
    assert (cell["label"], cell["hoverLabel"], cell["targetUrl"]) == ("In Progress", "ENG-1", issue["url"])
    assert [each["name"] for each in issue["labelled"]] == ["productboard"]
    (attachment,) = town.cloud.attachments.values()
    assert (attachment["url"], attachment["metadata"]) == (link.feature_url, {"keepstep": link.marker})

    await town.world.edit_feature(
        entity,
        name="Said in Productboard",
        status={"name": "Released"},
        description="<p>One <b>bold</b> and one <u>lined</u> word.</p><ul><li><p>first</p></li></ul>",
    )
    await town.until(lambda: issue["state"]["name"] == "Done")
    assert issue["title"] == "Said in Productboard"
    assert issue["description"].startswith("One **bold** and one lined word.\n\n- first\n\n")
    await town.quiet()
    text = issue["description"].replace("- first", "* first\n* second, *really*  \n* [ ] third")
    review = town.cloud.state("In Review")["id"]
    town.cloud.edit(issue["id"], title="Said in Linear", description=text, stateId=review)

    async def told():
        return (await town.feature(entity))["name"] == "Said in Linear"

    await town.until(told)
    await town.quiet()
    fields = await town.feature(entity)
    assert "second, <i>really</i>" in fields["description"]
    assert fields["status"]["name"] == "In progress"
    assert "<b>bold</b>" in fields["description"]
    assert (await town.world.cell(integration, entity))["label"] == "In Review"

    since = len(town.cloud.asked)
    await town.world.poll(integration)
    await town.quiet()
    assert not {"UpdateIssue", "CreateIssue", "Attach"} & set(town.asked(since))
    await _unlinked(town, integration, entity, issue)


async def _unlinked(town, integration, entity, issue):
    await town.world.click(integration, entity, "button.unlink")
    await town.quiet()
    assert town.cloud.attachments == {}
    assert "keepstep" not in issue["description"]
    assert issue["title"] == "Said in Linear"
    assert await town.world.links(integration) == []
    assert set(town.answers) == {200}, "Linear takes nothing but 200"


@pytest.mark.parametrize("marking", [[], [Fault("Attach", status=503)]])
async def test_a_lost_answer_to_a_create_makes_one_issue_with_its_marks(town, marking):
    integration = await town.connect()
    town.cloud.faults += [Fault("CreateIssue", drop=True, after=True), *marking]
    entity = (await town.world.features())[0]["id"]
    await town.world.click(integration, entity)

    async def linked():
        found = await town.world.link_of(integration, entity)
        return found and found.state is LinkState.LINKED

    await town.until(linked)
    await town.quiet()
    assert len(town.cloud.issues) == len(town.cloud.attachments) == 1
    assert town.asked().count("CreateIssue") == 1
    assert (await town.world.cell(integration, entity))["hoverLabel"] == "ENG-1"


async def test_a_move_to_another_team_is_followed(town):
    integration = await town.connect()
    entity, issue, _ = await town.pushed(integration)
    town.cloud.move(issue["id"], town.cloud.web)

    async def followed():
        return (await town.world.cell(integration, entity))["hoverLabel"] == "WEB-1"

    await town.until(followed)
    await town.quiet()
    await town.world.edit_feature(entity, name="Said after the move")
    await town.until(lambda: issue["title"] == "Said after the move")
    await town.quiet()
    assert issue["team"] is town.cloud.web
    # No webhook of ours is in that team: the poll looks there as well.
    town.cloud.edit(issue["id"], title="Said in the other team")
    await town.world.poll(integration)

    async def told():
        return (await town.feature(entity))["name"] == "Said in the other team"

    await town.until(told)


async def test_an_issue_in_the_trash_brings_the_button_back(town):
    integration = await town.connect()
    entity, issue, _ = await town.pushed(integration)
    town.cloud.trash(issue["id"])

    async def free():
        cell = await town.world.cell(integration, entity)
        return cell["state"] == "initial" and not await town.world.links(integration)

    await town.until(free)
    assert issue["trashed"]
    assert (await town.world.click(integration, entity))["state"] == "connected"
    assert len(town.cloud.issues) == 2


async def test_an_issue_that_comes_back_in_time_is_kept(town):
    integration = await town.connect()
    entity, issue, _ = await town.pushed(integration)
    town.cloud.trash(issue["id"])
    town.cloud.trash(issue["id"], trashed=False)
    await town.quiet(0.6)
    (link,) = await town.world.links(integration)
    assert link.state is LinkState.LINKED
    town.cloud.edit(issue["id"], title="Still here")

    async def told():
        return (await town.feature(entity))["name"] == "Still here"

    await town.until(told)


async def test_a_key_that_may_not_make_webhooks_leaves_it_to_a_person(town):
    integration = await town.connect(MEMBER)
    assert integration.state is IntegrationState.ACTIVE
    assert integration.registrations.hook is None
    entity, issue, _ = await town.pushed(integration)
    town.cloud.edit(issue["id"], title="Found by looking")
    await town.world.poll(integration)

    async def told(title):
        return (await town.feature(entity))["name"] == title

    await town.until(lambda: told("Found by looking"))
    await town.quiet()
    assert town.answers == []
    url, secret = (each.value for each in await steps_by_hand(town.world.ctx, integration) if each.value)
    by_hand = {"id": "h", "url": url, "secret": secret, "resourceTypes": ["Issue"], "enabled": True}
    town.cloud.hooks["h"] = by_hand | {"teamId": integration.project.id}
    town.cloud.edit(issue["id"], title="Told by the webhook")
    await town.until(lambda: told("Told by the webhook"))
    assert set(town.answers) == {200}
