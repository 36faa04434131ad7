"""GitTab in-process, opened by our adapter, every request held against the description of GitLab's API."""

from contextlib import asynccontextmanager

import httpx

from keepstep.adapters.outside import OutsideWorld
from keepstep_sandbox.app import SandboxConfig
from keepstep_sandbox.gittab import create_app
from wire.openapi import Checked, spec_files

URL = "http://127.0.0.1:8082"
TOKEN = "demo-gittab-token"
HOOK = "https://keepstep.example/hooks/tracker/x"
SECRET = "our-secret-of-256-bits"
PROJECT = "1"
LABELS = ("workflow::ready", "workflow::doing", "workflow::review")
DOING = "label:workflow::doing"


class _World:
    def __init__(self, sandbox, outside, checked, deliveries):
        self.sandbox, self.outside, self.checked, self.deliveries = sandbox, outside, checked, deliveries

    def open(self, token=TOKEN, labels=LABELS, kind="gittab"):
        return self.outside.open_tracker(kind, URL, token, {"status_labels": labels})

    def seed(self, **additions):
        return self.sandbox.emulator.seed(additions)

    def fail(self, match="* /api/v4/*", **rule):
        self.sandbox.faults.add({"match": match, **rule})

    def asked(self, method=None):
        entries = self.sandbox.journal.entries(direction="in")
        return [each for each in entries if method in (None, each["method"])]

    async def person(self, method, path, body=None):
        """Somebody else changes something."""
        transport = httpx.ASGITransport(self.checked.inner.app)
        async with httpx.AsyncClient(transport=transport, base_url=f"{URL}/api/v4") as client:
            answer = await client.request(
                method, path, json=body, headers={"PRIVATE-TOKEN": "demo-visitor-token"}
            )
        assert answer.is_success, answer.text
        return answer


@asynccontextmanager
async def gitlab_world(**more):
    deliveries = []

    def callback(request):
        deliveries.append(request)
        return httpx.Response(204)

    async with httpx.AsyncClient(transport=httpx.MockTransport(callback)) as client:
        app = create_app(SandboxConfig(public_base=URL, client=client, time_scale=0.001))
        checked = Checked(
            httpx.ASGITransport(app),
            spec_files("gitlab/gitlab-v4-issues.openapi.json"),
            "/api/v4",
            also={("GET", "/issues")},
        )
        outside = OutsideWorld(allow_private=True, transport=checked, **more)
        yield _World(app.state.sandbox, outside, checked, deliveries)
        await outside.aclose()
        await app.state.sandbox.aclose()
