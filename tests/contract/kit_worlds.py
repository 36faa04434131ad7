"""The worlds in which the conformance kit tries our own trackers: the emulator, and fakes by vendors' descriptions."""

from types import MappingProxyType

import httpx

from contract.github_cloud import ADMIN as GITHUB_ADMIN
from contract.github_cloud import GitHubCloud
from keepstep.adapters.trackers.github import GITHUB
from keepstep.adapters.trackers.gitlab import GITTAB
from keepstep.adapters.trackers.linear import LINEAR
from keepstep.testing.tracker_world import TrackerWorld
from keepstep_sandbox.app import SandboxConfig
from keepstep_sandbox.gittab import create_app

HOOK = "https://keepstep.example/hooks/tracker/kit"
SECRET = "our-secret-of-256-bits-and-more"


class GitTabWorld(TrackerWorld):
    adapter = GITTAB
    base_url = "http://127.0.0.1:8082"
    token = "demo-gittab-token"
    project, unknown_project = "1", "no/such-project"
    secret = SECRET
    settings = MappingProxyType({"status_labels": ("workflow::ready", "workflow::doing")})
    ran_on = "the emulator"

    def make_transport(self):
        self.posted = []

        def heard(request):
            self.posted.append(request)
            return httpx.Response(204)

        self._listener = httpx.AsyncClient(transport=httpx.MockTransport(heard))
        self.app = create_app(
            SandboxConfig(public_base=self.base_url, client=self._listener, time_scale=0.001)
        )
        return httpx.ASGITransport(self.app)

    async def _person(self, method, path, body=None):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=self.base_url) as web:
            answer = await web.request(
                method, f"/api/v4/projects/{path}", json=body, headers={"PRIVATE-TOKEN": "demo-visitor-token"}
            )
        assert answer.is_success, answer.text

    async def edit(self, ref, *, title):
        await self._person("PUT", f"{ref.project}/issues/{ref.key}", {"title": title})

    async def delete(self, ref):
        await self._person("DELETE", f"{ref.project}/issues/{ref.key}")

    async def move(self, ref):
        await self._person("POST", f"{ref.project}/issues/{ref.key}/move", {"to_project_id": 2})

    async def ignore_next_write(self):
        self.app.state.sandbox.faults.add({"match": "PUT /api/v4/*", "ignore_write": True})

    async def delivery(self, ref):
        await self.open().notifications.ensure_hook(self.project, HOOK, SECRET)
        await self.edit(ref, title="Told")
        assert await self.app.state.sandbox.delivery.idle(0, 2)
        request = self.posted[-1]
        return dict(request.headers), request.content

    async def aclose(self):
        await super().aclose()
        await self.app.state.sandbox.aclose()
        await self._listener.aclose()


class LinearWorld(TrackerWorld):
    adapter = LINEAR
    base_url = "https://api.linear.app"
    unknown_project = "0d9c6f0e-7a1b-4c55-9d57-1f2e3a4b5c6d"
    secret = SECRET
    ran_on = "a fake that runs each query by the vendor's schema"
    skips = MappingProxyType(
        {"test_a_ticket_is_found_by_its_marker_oldest_first": "the marker is the id: there is never a second"}
    )

    def __init__(self):
        super().__init__()
        self.project = self.cloud.eng["id"]

    def make_transport(self):
        # Asked for late: without the vendor's schema this skips the test.
        from contract.linear_cloud import ADMIN, LinearCloud  # noqa: PLC0415

        self.token, self.cloud = ADMIN, LinearCloud()
        return self.cloud

    async def edit(self, ref, *, title):
        self.cloud.edit(ref.id, title=title)

    async def delete(self, ref):
        self.cloud.trash(ref.id)

    async def restore(self, ref):
        self.cloud.trash(ref.id, trashed=False)

    async def move(self, ref):
        self.cloud.move(ref.id, self.cloud.web)

    async def delivery(self, ref):
        await self.open().notifications.ensure_hook(self.project, HOOK, SECRET)
        await self.edit(ref, title="Told")
        request = self.cloud.deliveries[-1]
        return dict(request.headers), request.content


class GitHubWorld(TrackerWorld):
    adapter = GITHUB
    base_url = "https://github.com"
    token = GITHUB_ADMIN
    project, unknown_project = "101", "999999"
    secret = SECRET
    ran_on = "a fake that holds each request against the vendor's OpenAPI"

    def make_transport(self):
        self.cloud, self.posted = GitHubCloud(), []
        self.cloud.post = lambda _, request: self.posted.append(request)
        return self.cloud

    def _issue(self, ref):
        return next(each for each in self.cloud.issues if str(each["id"]) == ref.id)

    async def edit(self, ref, *, title):
        self.cloud.edit(self._issue(ref), title=title)

    async def delete(self, ref):
        self.cloud.delete(self._issue(ref))

    async def move(self, ref):
        self.cloud.transfer(self._issue(ref), self.cloud.api)

    async def delivery(self, ref):
        await self.open().notifications.ensure_hook(self.project, HOOK, SECRET)
        await self.edit(ref, title="Told")
        request = self.posted[-1]
        return dict(request.headers), request.content
