"""A Productboard workspace and trackers to connect to, in memory, for the wizard and the settings.

They refuse what the real ones refuse: an unknown token, a host that does not answer, a token that lacks rights.
`python tests/functional/outside_world.py --port N` serves Keepstep with them; log in as `ada`, `rowan-lantern-42`.
"""

import argparse
import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import httpx
import uvicorn
from fastapi import FastAPI

from keepstep.adapters.formats.markdown import Markdown
from keepstep.adapters.formats.productboard_html import ProductboardHtml
from keepstep.adapters.jobs.inline import InlineJobs
from keepstep.adapters.memory.clock import FakeClock
from keepstep.adapters.memory.locks import MemoryLocks
from keepstep.adapters.memory.people import MemoryPeople
from keepstep.adapters.memory.signals import MemorySignals
from keepstep.adapters.memory.storage import MemoryStorage
from keepstep.adapters.memory.vault import MemoryVault
from keepstep.adapters.passwords import Argon2Passwords
from keepstep.app.connect import run_integration
from keepstep.app.context import Context, Rules
from keepstep.app.people import People
from keepstep.domain.errors import InvalidInputError
from keepstep.domain.feature import Feature, FeatureStatus
from keepstep.domain.ids import FeatureId, StatusId
from keepstep.domain.integration import ProjectRef
from keepstep.domain.ticket import StatusCategory, TicketStatus
from keepstep.ports.errors import AuthLostError, NotThereError, TransientError
from keepstep.ports.productboard import FeatureBoard, WorkspaceFacts
from keepstep.ports.tracker import (
    AccountFacts,
    Capabilities,
    Channel,
    FieldKind,
    HookFacts,
    HookStep,
    ProjectFields,
    Scope,
    SettingField,
    Tracker,
    TrackerManifest,
)
from keepstep.web.app import create_app
from keepstep.web.deps import Check, Readiness, Services, SystemFacts

NAME, PASSWORD = "ada", "rowan-lantern-42"
BOARD_URL, TRACKER_URL = "https://api.productboard.com/v2", "https://gitlab.example.com"
BOARD_TOKEN, TRACKER_TOKEN = "pb-token-good-for-everything-9f3a", "glpat-good-for-everything-77c1"
WEAK_TOKEN = "token-without-enough-rights-0000"
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)

GITLAB = TrackerManifest(
    kind="gitlab",
    name="GitLab",
    summary="Issues of gitlab.com or of your own GitLab.",
    project_word="project",
    default_base_url="https://gitlab.com",
    token_help="In the project: Settings, Access tokens; role Maintainer, scope api.",
    text_format="markdown",
    channel=Channel.WEBHOOK,
    capabilities=Capabilities(labels=True),
    settings=(
        SettingField(
            "status_labels",
            "Labels that mean a status",
            "In the order of work. An open issue has the status of the first of them that it carries.",
            FieldKind.LABELS,
        ),
    ),
    defaults=(
        SettingField("labels", "Labels", "Every new ticket gets these.", FieldKind.LABELS),
        SettingField("milestone", "Milestone", "Title of the milestone."),
    ),
)
SIMPLE = TrackerManifest(
    kind="slips",
    name="Paper Slips Deluxe",
    summary="A small tracker without webhooks and without labels.",
    project_word="board",
    default_base_url="https://slips.example.com",
    token_help="Under your name, Keys.",
    text_format="markdown",
    channel=Channel.POLLING,
    capabilities=Capabilities(),
)
CARDS = TrackerManifest(
    kind="cards",
    name="Cards",
    summary="A tracker that asks for much, and whose webhook people make by hand.",
    project_word="team",
    default_base_url="https://cards.example.com",
    token_help="Under your name, Keys.",
    text_format="markdown",
    channel=Channel.WEBHOOK_BY_HAND,
    capabilities=Capabilities(labels=True),
    account=(SettingField("email", "E-mail", "Of the account that the token belongs to.", required=True),),
    defaults=(SettingField("type", "Type", "Of new tickets.", FieldKind.CHOICE, required=True, live=True),),
    scopes=(Scope("cards:write", "to make tickets"),),
    hook_steps=("Open Settings, Webhooks.", "Address: {url}", "Secret: {secret}"),
)
CARD_TYPES = (("task", "Task"), ("bug", "Bug"))
STATUSES = ("New idea", "Candidate", "Planned", "In progress", "Released", "Won't do")
LABELS = ("bug", "productboard", "workflow::doing", "workflow::ready", "workflow::review")
PROJECTS = (
    ProjectRef("1", "demo/roadmap", f"{TRACKER_URL}/demo/roadmap"),
    ProjectRef("2", "demo/mobile", f"{TRACKER_URL}/demo/mobile"),
    ProjectRef("3", "platform/infrastructure-and-deployment-tooling", f"{TRACKER_URL}/platform/infra"),
)
RICH = (
    "<p>People want to <b>sign in</b> without a password.</p><ul><li><p>Passkeys on <a "
    'href="https://example.org/passkeys">all platforms</a></p></li><li><p>Fallback by e-mail</p></li></ul>'
)


def status_id(name):
    return StatusId(f"id-of-{name}")


def feature(number, title, status, description=""):
    return Feature(
        FeatureId(f"f-{number}"), "feature", title, description,
        FeatureStatus(status_id(status), status) if status else None,
        archived=False, url=f"https://acme.productboard.com/feature/{number}", updated_at=NOW,
    )  # fmt: skip


@dataclass
class OutsideTown:
    """Implements `keepstep.ports.outside.Outside`. Its lists can be changed; `calls` says what was asked."""

    workspace: str = "acme.productboard.com"
    statuses: list[str] = field(default_factory=lambda: list(STATUSES))
    features: list[Feature] = field(
        default_factory=lambda: [
            feature(1, "Dark mode for the dashboard", "Candidate"),
            feature(2, "Sign in with a passkey", "In progress", RICH),
            feature(3, "Offline drafts <on> mobile", None),
        ]
    )
    projects: list[ProjectRef] = field(default_factory=lambda: list(PROJECTS))
    labels: list[str] = field(default_factory=lambda: list(LABELS))
    down: set[str] = field(default_factory=set)
    """Addresses that do not answer."""
    made: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def open_board(self, base_url, token):
        self._check(base_url)
        desk = Board(self, base_url, token)
        return FeatureBoard(desk, desk, desk, desk)

    def open_tracker(self, kind, base_url, token, settings):
        self._check(base_url)
        desk = Desk(self, self.manifest(kind), base_url, token, settings)
        return Tracker(self.manifest(kind), Markdown(), desk, desk, desk)

    def _check(self, base_url):
        if not base_url.startswith(("https://", "http://")):
            raise InvalidInputError("base_url", "The address has to begin with https:// (or http://).")

    def calling(self, call_class, patience=1.0):
        return contextlib.nullcontext()

    def board_wire(self):
        raise AssertionError("no call from Productboard comes here")

    def tracker_wire(self, kind):
        raise AssertionError("no call from a tracker comes here")

    def board_text(self):
        return ProductboardHtml()

    def manifests(self):
        return (GITLAB, SIMPLE, CARDS)

    def hook_steps(self, kind, url, secret):
        entered = {"{url}": url, "{secret}": f"entered {secret}"}
        return [
            HookStep(step.partition("{")[0], next((entered[each] for each in entered if each in step), ""))
            for step in self.manifest(kind).hook_steps
        ]

    def manifest(self, kind):
        found = next((each for each in self.manifests() if each.kind == kind), None)
        if found is None:
            raise InvalidInputError("kind", f"There is no tracker of the kind {kind!r}.")
        return found

    def answer(self, service, base_url, token, good, side):
        self.calls.append(f"{service} {base_url}")
        if base_url in self.down or "example.com" not in base_url + "api.productboard.com.example.com":
            raise TransientError(f"{service} does not answer at {base_url}. Check the address.")
        if "nowhere" in base_url:
            raise TransientError(f"Nobody answers at {base_url}. Check the address.")
        if token not in (good, WEAK_TOKEN):
            raise AuthLostError(
                f"{service} refused the token (401). It may have expired; paste a new one.", side=side
            )


@dataclass
class Board:
    town: OutsideTown
    url: str
    token: str = field(repr=False)

    def _answer(self):
        self.town.answer("Productboard", self.url, self.token, BOARD_TOKEN, "board")

    async def verify(self):
        self._answer()
        return WorkspaceFacts(self.town.workspace, ("make columns",) if self.token == WEAK_TOKEN else ())

    async def list_statuses(self):
        self._answer()
        return [FeatureStatus(status_id(each), each) for each in self.town.statuses]

    async def sample_features(self, limit=20):
        self._answer()
        return self.town.features[:limit]

    async def ensure_column(self, column_type, name, button, action):
        self._answer()
        self.town.made.append(f"column {name} [{button}]")
        return "column-1"

    async def change_column(self, column, *, name=None, button=None, action=None):
        self._answer()
        self.town.made.append(f"column renamed {name} [{button}]")

    async def ensure_subscription(self, name, callback):
        self._answer()
        self.town.made.append("subscription")
        return "subscription-1"


@dataclass
class Desk:
    town: OutsideTown
    manifest: TrackerManifest
    url: str
    token: str = field(repr=False)
    settings: dict

    def _answer(self):
        self.town.answer(self.manifest.name, self.url, self.token, TRACKER_TOKEN, "tracker")

    async def verify(self):
        self._answer()
        if self.manifest is CARDS and self.settings.get("email") != "ada@example.com":
            raise AuthLostError(
                "Cards refused the token (401): it belongs to another e-mail.", side="tracker"
            )
        missing = ("the scope api", "the role Maintainer") if self.token == WEAK_TOKEN else ()
        return AccountFacts("ada-bot", "18.2", missing, "2027-03-01")

    async def list_projects(self, search=""):
        self._answer()
        return [each for each in self.town.projects if search.lower() in each.name.lower()]

    async def get_project(self, project):
        self._answer()
        found = next((each for each in self.town.projects if project in (each.id, each.name)), None)
        if found is None:
            raise NotThereError(f"{self.manifest.name} has no project {project}.")
        return found

    async def list_labels(self, project):
        self._answer()
        return list(self.town.labels)

    async def list_fields(self, project, defaults):
        self._answer()
        live = [replace(each, choices=CARD_TYPES) if each.live else each for each in self.manifest.defaults]
        if defaults.get("type") == "bug":
            live.append(SettingField("field:severity", "Severity", "Every bug has one.", required=True))
        return ProjectFields(self.manifest.settings, tuple(live))

    async def list_statuses(self, project):
        self._answer()
        between = [
            TicketStatus(StatusId(f"label:{each}"), each, StatusCategory.DOING)
            for each in self.settings.get("status_labels", ())
        ]
        note = "only a lead may close cards." if self.manifest is CARDS else ""
        return [
            TicketStatus(StatusId("opened"), "Open", StatusCategory.TODO),
            *between,
            TicketStatus(StatusId("closed"), "Closed", StatusCategory.DONE, note),
        ]

    async def ensure_hook(self, project, url, secret):
        self._answer()
        self.town.made.append(f"hook {project}")
        return HookFacts("hook-1", signed=True)

    async def remove_hook(self, project, hook):
        self._answer()
        self.town.made.append(f"hook {project} removed")


class Place:
    """Keepstep over memory beside this town."""

    def __init__(self):
        self.town = OutsideTown()
        self.clock, self.jobs, self.vault, self.storage = (
            FakeClock(NOW),
            InlineJobs(),
            MemoryVault(),
            MemoryStorage(),
        )
        self.store = MemoryPeople()
        self.people = People(self.store, Argon2Passwords(memory_kib=64, passes=1), self.clock)
        self.ctx = Context(
            self.storage, self.jobs, MemoryLocks(), MemorySignals(), self.vault, self.clock, self.town,
            NoPages(), Rules("https://keepstep.example.org"),
        )  # fmt: skip

    def app(self, *, secure: bool = False) -> FastAPI:
        return create_app(
            Services(self.ctx, self.people, self._ready, "0.1.0", secure_cookies=secure, system=self._system)
        )

    async def visitor(self, *, secure: bool = False) -> "Visitor":
        scheme = "https" if secure else "http"
        transport = httpx.ASGITransport(self.app(secure=secure), client=("192.0.2.7", 1234))
        return Visitor(httpx.AsyncClient(transport=transport, base_url=f"{scheme}://keepstep.test"))

    async def member(self) -> "Visitor":
        """Somebody who is logged in."""
        if await self.people.is_empty():
            await self.people.create_admin(NAME, PASSWORD)
        visitor = await self.visitor()
        answer = await visitor.web.post("/login", data={"name": NAME, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return visitor

    async def work(self) -> None:
        """Carry out the integrations' jobs that wait."""
        await self.jobs.drain(self._no_link, lambda each: run_integration(self.ctx, each))

    async def _no_link(self, link):
        del link

    async def _ready(self):
        return Readiness((Check("database", ok=True),))

    async def _system(self):
        return SystemFacts(database="memory")


class NoPages:
    def address(self, link):
        return f"https://keepstep.example.org/l/{link}"

    def read(self, signed):
        return None


@dataclass
class Visitor:
    """A browser without a script: follows redirects, sends the forms' csrf field along."""

    web: httpx.AsyncClient

    async def see(self, path: str) -> httpx.Response:
        return await self.web.get(path, follow_redirects=True)

    async def csrf(self) -> str:
        page = await self.web.get("/people")
        return page.text.split('name="csrf" value="', 1)[1].split('"', 1)[0]

    async def send(self, path: str, **fields) -> httpx.Response:
        """Redirects are followed; `_` in names stands for itself, `__` for a dot."""
        data = {name.replace("__", "."): value for name, value in fields.items()}
        return await self.fill(path, data)

    async def fill(self, path: str, data: dict) -> httpx.Response:
        return await self.web.post(path, data=data | {"csrf": await self.csrf()}, follow_redirects=True)


async def _serve(port: int) -> None:
    place = Place()
    place.ctx = replace(place.ctx, rules=Rules(f"http://127.0.0.1:{port}"))
    await place.people.create_admin(NAME, PASSWORD)
    server = uvicorn.Server(uvicorn.Config(place.app(), host="127.0.0.1", port=port, log_level="warning"))

    async def keep_working() -> None:
        while True:
            await asyncio.sleep(1)
            await place.work()

    working = asyncio.create_task(keep_working())
    try:
        await server.serve()
    finally:
        working.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(_serve(parser.parse_args().port))
