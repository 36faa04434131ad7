"""The GitHub of the tests answers what githubkit's models, made of the vendor's description, can read."""

import httpx
import pytest

from contract.github_cloud import ADMIN, GitHubCloud

models = pytest.importorskip(
    "githubkit_schemas.latest.models", reason="githubkit, whose models read the answers, is not installed"
)

HEADERS = {
    "Authorization": f"Bearer {ADMIN}",
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
    "User-Agent": "test",
}


@pytest.fixture
async def client():
    cloud = GitHubCloud()
    issue = cloud.add_issue(cloud.web, "Export", body="Text")
    cloud.edit(issue, state="closed", state_reason="completed")
    async with httpx.AsyncClient(transport=cloud, base_url=cloud.root, headers=HEADERS) as opened:
        yield opened


async def test_an_issue_reads_as_githubs_own(client):
    (listed,) = (await client.get("/repositories/101/issues?state=all")).json()
    for data in (listed, (await client.get("/repositories/101/issues/1")).json()):
        issue = models.Issue.model_validate(data)
        assert (issue.number, issue.title, issue.state_reason) == (1, "Export", "completed")


async def test_a_hook_and_its_deliveries_read_as_githubs_own(client):
    config = {"url": "https://keepstep.example/x", "content_type": "json", "secret": "s", "insecure_ssl": "0"}
    body = {"name": "web", "active": True, "events": ["issues"], "config": config}
    hook = models.Hook.model_validate((await client.post("/repositories/101/hooks", json=body)).json())
    await client.patch("/repositories/101/issues/1", json={"title": "Told"})
    path = f"/repositories/101/hooks/{hook.id}/deliveries?per_page=100"
    (delivery,) = (await client.get(path)).json()
    read = models.HookDeliveryItem.model_validate(
        {name: value for name, value in delivery.items() if name != "body"}
    )
    assert (read.event, read.action, read.status_code) == ("issues", "edited", 200)
