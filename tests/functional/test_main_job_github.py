"""The whole main job over GitHub in memory: push, edits both ways, a lost answer, a transfer, unlink, delete."""

import pytest
from town import CloudTown

from contract.github_cloud import ADMIN, Fault, GitHubCloud
from keepstep.domain.integration import ProjectRef

from world import SERVICE

TO_TICKET = {"Planned": "open", "In progress": "label:doing", "Released": "completed"}
TO_FEATURE = {
    "open": "Planned", "label:doing": "In progress", "label:review": "In progress", "completed": "Released",
}  # fmt: skip


class Town(CloudTown):
    """The world with GitHub in it, and one integration of a repository."""

    def __init__(self, world):
        super().__init__(world, GitHubCloud(), "api.github.com")

    async def deliver(self, delivery, request):
        delivery["status_code"] = (await self.world.client.send(request)).status_code

    async def connect(self):
        return await self.world.connect(
            kind="github",
            tracker_url="https://github.com",
            tracker_token=await self.world.ctx.vault.put(ADMIN),
            project=ProjectRef("101", "acme/web"),
            policy=await self.policy(TO_TICKET, TO_FEATURE),
            tracker_settings={"status_by": "labels", "status_labels": ("doing", "review")},
        )

    async def pushed(self, integration):
        link = await self.click(integration)
        return link.feature_id, self.cloud.issues[0]

    async def named(self, entity, name):
        return (await self.feature(entity))["name"] == name


@pytest.fixture
def town(world):
    return Town(world)


async def test_a_feature_and_its_issue_stay_in_step_until_they_are_unlinked(town):
    integration = await town.connect()
    (hook,) = town.cloud.hooks
    assert hook["config"]["url"] == f"{SERVICE}/hooks/tracker/{integration.id}"
    entity, issue = await town.pushed(integration)
    cell = await town.world.cell(integration, entity)
    assert (cell["label"], cell["hoverLabel"], cell["targetUrl"]) == ("doing", "#1", issue["html_url"])
    assert [each["name"] for each in issue["labels"]] == ["productboard", "doing"]

    await town.world.edit_feature(
        entity,
        name="Said in Productboard",
        status={"name": "Released"},
        description="<p>One <b>bold</b> word, fixes #7 for @mo.</p><ul><li><p>first</p></li></ul>",
    )
    await town.until(lambda: issue["state"] == "closed")
    await town.quiet()
    assert (issue["title"], issue["state_reason"]) == ("Said in Productboard", "completed")
    assert issue["body"].startswith("One **bold** word, fixes #<!-- -->7 for @<!-- -->mo.\n\n- first\n\n")
    text = issue["body"].replace("- first", "* first\n* second, *really*")
    review = [{"id": 1, "name": "review"}]
    town.cloud.edit(
        issue, title="Said in GitHub", body=text, state="open", state_reason="reopened", labels=review
    )
    await town.until(lambda: town.named(entity, "Said in GitHub"))
    await town.quiet()
    fields = await town.feature(entity)
    assert "second, <i>really</i>" in fields["description"]
    assert "<b>bold</b>" in fields["description"]
    assert fields["status"]["name"] == "In progress"
    assert (await town.world.cell(integration, entity))["label"] == "review"

    since = len(town.cloud.asked)
    await town.world.poll(integration)
    await town.quiet()
    assert not [each for each in town.cloud.asked[since:] if not each.startswith("GET")]
    await town.world.click(integration, entity, "button.unlink")
    await town.quiet()
    assert "keepstep" not in issue["body"]
    assert await town.world.links(integration) == []
    assert {each["status_code"] for each in town.cloud.deliveries} == {200}


async def test_a_lost_answer_to_a_create_makes_one_issue(town):
    integration = await town.connect()
    town.cloud.faults.append(Fault("POST .*/issues$", drop=True, after=True))
    entity = (await town.world.features())[0]["id"]
    await town.world.click(integration, entity)
    await town.until(lambda: town.linked(integration, entity))
    await town.quiet()
    assert len(town.cloud.issues) == 1
    assert len([each for each in town.cloud.asked if each == "POST /repositories/101/issues"]) == 1


async def test_a_transfer_to_another_repository_is_followed(town):
    integration = await town.connect()
    entity, issue = await town.pushed(integration)
    town.cloud.add_issue(town.cloud.api, "First there")
    there = town.cloud.transfer(issue, town.cloud.api)

    async def followed():
        return (await town.world.cell(integration, entity))["targetUrl"] == there["html_url"]

    await town.until(followed)
    await town.quiet()
    await town.world.edit_feature(entity, name="Said after the transfer")
    await town.until(lambda: there["title"] == "Said after the transfer")
    await town.quiet()
    town.cloud.edit(there, title="Said in the other repository")
    await town.world.poll(integration)
    await town.until(lambda: town.named(entity, "Said in the other repository"))


async def test_a_deleted_issue_brings_the_button_back(town):
    integration = await town.connect()
    entity, issue = await town.pushed(integration)
    town.cloud.delete(issue)

    async def free():
        cell = await town.world.cell(integration, entity)
        return cell["state"] == "initial" and not await town.world.links(integration)

    await town.until(free)
