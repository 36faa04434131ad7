"""A seeded world in memory: integrations and Links in every state, so that pages can be seen with real facts.

`python tests/functional/web_world.py --port N` serves it; log in as `admin`, password `rowan-lantern-42`.
"""

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
from fastapi import APIRouter, FastAPI

from keepstep.adapters.formats.markdown import Markdown
from keepstep.adapters.formats.productboard_html import ProductboardHtml
from keepstep.adapters.jobs.inline import InlineJobs
from keepstep.adapters.memory.clock import FakeClock
from keepstep.adapters.memory.locks import MemoryLocks
from keepstep.adapters.memory.people import MemoryPeople
from keepstep.adapters.memory.signals import MemorySignals
from keepstep.adapters.memory.storage import MemoryStorage
from keepstep.adapters.memory.vault import MemoryVault
from keepstep.adapters.pages import SignedLinkPages
from keepstep.adapters.passwords import Argon2Passwords
from keepstep.app.context import Context, Rules
from keepstep.app.people import People
from keepstep.domain.errors import InvalidInputError
from keepstep.domain.events import Act, Entry, Notice, NoticeKind, Source
from keepstep.domain.feature import Feature, FeatureStatus
from keepstep.domain.fields import Field, Side, Snapshot
from keepstep.domain.ids import FeatureId, StatusId, TicketId
from keepstep.domain.integration import (
    BoardAccount,
    Integration,
    IntegrationState,
    PauseCause,
    ProjectRef,
    Registrations,
    Step,
    StepName,
    StepState,
    TrackerAccount,
)
from keepstep.domain.link import Base, Conflict, Link, LinkState, LostSight, Refusal, Trouble
from keepstep.domain.policy import ConflictRule, Direction, FieldPolicy, StatusMap, SyncPolicy
from keepstep.domain.ticket import StatusCategory, Ticket, TicketRef, TicketStatus
from keepstep.ports.errors import NotThereError, TransientError
from keepstep.ports.productboard import FeatureBoard
from keepstep.ports.tracker import Capabilities, Channel, Tracker, TrackerManifest
from keepstep.web.app import create_app
from keepstep.web.deps import Check, Readiness, Services, SystemFacts, WorkerFacts

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
NAME, PASSWORD = "admin", "rowan-lantern-42"
BOARD_TOKEN, TRACKER_TOKEN = "pb-token-never-to-be-shown-9f3a", "gl-token-never-to-be-shown-77c1"

NEW_IDEA = StatusId("5c1e0000-0000-4000-8000-000000000001")
PLANNED = StatusId("5c1e0000-0000-4000-8000-000000000002")
IN_PROGRESS = StatusId("5c1e0000-0000-4000-8000-000000000003")
RELEASED = StatusId("5c1e0000-0000-4000-8000-000000000004")
FEATURE_STATUSES = {
    NEW_IDEA: "New idea",
    PLANNED: "Planned",
    IN_PROGRESS: "In progress",
    RELEASED: "Released",
}
OPENED = TicketStatus(StatusId("opened"), "Open", StatusCategory.TODO)
READY = TicketStatus(StatusId("label:workflow::ready"), "workflow::ready", StatusCategory.DOING)
DOING = TicketStatus(StatusId("label:workflow::doing"), "workflow::doing", StatusCategory.DOING)
REVIEW = TicketStatus(StatusId("label:workflow::review"), "workflow::review", StatusCategory.DOING)
CLOSED = TicketStatus(StatusId("closed"), "Closed", StatusCategory.DONE)
TICKET_STATUSES = {each.id: each for each in (OPENED, READY, DOING, REVIEW, CLOSED)}
PAIRABLE_FEATURE = FeatureId("0f000000-0000-4000-8000-000000000042")
PAIRS = {NEW_IDEA: OPENED, PLANNED: READY, IN_PROGRESS: DOING, RELEASED: CLOSED}

TITLES = (
    "Sign in with a passkey", "Export a report as CSV", "Dark mode for the dashboard", "Faster search across projects",
    "Weekly digest by e-mail", "Undo after deleting a comment", "Invite a whole team by link", "Keyboard shortcuts",
    "Audit log for workspace owners", "Offline drafts on mobile", "Two-factor reminder for admins",
    "Bulk edit of due dates", "Custom fields on templates", "Translate the help centre into Japanese",
    "Attach files from cloud storage", "Shared saved views", "Rate limits shown in the developer console",
    "Calendar feed of milestones", "Roles for external guests", "Merge duplicate contacts",
)  # fmt: skip

HTML = (
    "<p>People want to <b>sign in</b> without a password.</p><ul><li><p>Passkeys on <a "
    'href="https://example.org/passkeys">all platforms</a></p></li><li><p>Fallback by e-mail</p></li></ul>'
)
MARKDOWN = (
    "People want to **sign in** without a password.\n\n- Passkeys on [all platforms](https://example.org/passkeys)\n"
    "- Fallback by e-mail\n\n---\n\nKept in step with Productboard."
)


class World:
    """The application over memory, with its context at hand for looking and changing."""

    def __init__(self, start: datetime = NOW) -> None:
        self.clock = FakeClock(start)
        self.jobs = InlineJobs()
        self.outside = FakeOutside()
        self.storage, self.vault = MemoryStorage(), MemoryVault()
        self.pages = SignedLinkPages("https://keepstep.example.org", [b"a key of the tests, 32 bytes long"])
        self.ctx = Context(
            self.storage, self.jobs, MemoryLocks(), MemorySignals(), self.vault, self.clock, self.outside,
            self.pages, Rules("https://keepstep.example.org"),
        )  # fmt: skip
        self.people = People(MemoryPeople(), Argon2Passwords(memory_kib=1024, passes=1), self.clock)
        self.readiness = Readiness((Check("database", ok=True, detail="migrated"),))
        self.boards: tuple[tuple[str, str], ...] = ()

    def app(self, doors: Iterable[APIRouter] = (), **options: float) -> FastAPI:
        return create_app(
            Services(
                ctx=self.ctx,
                people=self.people,
                ready=self._ready,
                version="0.1.0",
                secure_cookies=False,
                system=self._system,
                boards=self.boards,
            ),
            doors,
            **options,
        )

    @contextlib.asynccontextmanager
    async def client(self, *, logged_in: bool = True) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.app(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://keepstep.test") as client:
            if logged_in:
                if await self.people.is_empty():
                    await self.people.create_admin(NAME, PASSWORD)
                answer = await client.post("/login", data={"name": NAME, "password": PASSWORD})
                assert answer.status_code == 303, answer.text
            yield client

    async def _ready(self) -> Readiness:
        return self.readiness

    async def _system(self) -> SystemFacts:
        now = self.clock.now()
        return SystemFacts(
            database="PostgreSQL 18.1, embedded",
            database_size=48_200_000,
            queue_waiting=3,
            queue_running=1,
            oldest_waiting=42.0,
            workers=(
                WorkerFacts(
                    "serve-1", now - timedelta(days=3), now - timedelta(seconds=4), alive=True, running=1
                ),
                WorkerFacts(
                    "worker-2", now - timedelta(days=9), now - timedelta(minutes=18), alive=False, running=0
                ),
            ),
            checks=(
                Check("Public address", ok=True, detail="https://keepstep.example.org answers."),
                Check("Clock", ok=False, detail="2 s behind the database. Switch on time synchronisation."),
            ),
            settings=(("Answer to a click waits", "3.5 s"), ("Poll", "every 5 min")),
        )

    async def save(self, *found: Integration | Link | Entry | Notice) -> None:
        async with self.storage.begin() as uow:
            for each in found:
                match each:
                    case Integration():
                        await uow.integrations.add(each)
                    case Link():
                        await uow.links.add_or_find(each)
                    case Entry():
                        await uow.journal.add(each)
                    case Notice():
                        await uow.inbox.add(each)
            await uow.commit()

    async def integration(
        self,
        name: str,
        state: IntegrationState = IntegrationState.ACTIVE,
        *,
        project: str = "demo/roadmap",
        **more: object,
    ) -> Integration:
        made = Integration(
            id=self.clock.new_integration_id(),
            name=name,
            state=state,
            board=BoardAccount("https://api.productboard.com/v2", await self.vault.put(BOARD_TOKEN), "Acme"),
            tracker=TrackerAccount(
                "gitlab", "https://gitlab.example.org", await self.vault.put(TRACKER_TOKEN)
            ),
            project=ProjectRef("1", project, f"https://gitlab.example.org/{project}"),
            button="Push",
            policy=_policy(),
            board_secret=await self.vault.put("inbound-secret-one-2222"),
            hook_secret=await self.vault.put("inbound-secret-two-3333"),
            created_at=self.clock.now() - timedelta(days=40),
            registrations=Registrations("col-1", "sub-1", "hook-1", "https://keepstep.example.org", True),
            **more,
        )
        await self.save(made)
        return made

    def link(
        self, integration: Integration, number: int, state: LinkState = LinkState.LINKED, **more: object
    ) -> Link:
        title = TITLES[number % len(TITLES)] + (
            f" ({number // len(TITLES) + 1})" if number >= len(TITLES) else ""
        )
        feature_status = tuple(FEATURE_STATUSES)[number % 4]
        ticket_status = PAIRS[feature_status]
        made = bool(more.pop("made", True))
        now = self.clock.now()
        facts: dict[str, object] = {
            "id": self.clock.new_link_id(),
            "integration_id": integration.id,
            "feature_id": FeatureId(f"feature-{integration.id[-2:]}-{number}"),
            "state": state,
            "created_at": now - timedelta(days=20, hours=number),
            "account": integration.tracker.key,
            "feature_title": title,
            "feature_url": f"https://acme.productboard.com/entity-detail/features/{number}",
            "feature_type": "feature",
            "feature_status": FEATURE_STATUSES[feature_status],
            "synced_at": now - timedelta(minutes=3 + 7 * number),
        }
        if made:
            key = str(number + 7)
            facts |= {
                "ticket": TicketRef(
                    TicketId(f"{integration.id[-2:]}{number + 1000}"), "1", key, f"#{key}",
                    f"{integration.project.url}/-/issues/{key}",
                ),
                "ticket_title": title,
                "ticket_status": ticket_status,
                "base": Base(Snapshot(title, HTML, feature_status), Snapshot(title, MARKDOWN, ticket_status.id)),
            }  # fmt: skip
        return Link(**(facts | more))


class FakeOutside:
    """Of the outside as much as pages look at: manifests, statuses, and one feature and one ticket to be paired."""

    def __init__(self) -> None:
        self.down = False
        self.calls = 0
        self._manifest = TrackerManifest(
            kind="gitlab",
            name="GitLab",
            summary="Issues on gitlab.com or on a server of your own.",
            project_word="project",
            default_base_url="https://gitlab.com",
            token_help="Make a project access token with the scope api and the role Maintainer.",
            text_format="markdown",
            channel=Channel.WEBHOOK,
            capabilities=Capabilities(labels=True),
        )

    def manifests(self) -> tuple[TrackerManifest, ...]:
        return (self._manifest,)

    def manifest(self, kind: str) -> TrackerManifest:
        if kind != self._manifest.kind:
            raise InvalidInputError("kind", f"No tracker is called {kind}.")
        return self._manifest

    def board_text(self) -> ProductboardHtml:
        return ProductboardHtml()

    def open_board(self, base_url: str, token: str) -> FeatureBoard:
        return FeatureBoard(self, self, None, None)

    def open_tracker(self, kind: str, base_url: str, token: str, settings: Mapping[str, object]) -> Tracker:
        return Tracker(self._manifest, Markdown(), _FakeAccount(self), self, None)

    async def list_statuses(self) -> list[FeatureStatus]:
        self.called()
        return [FeatureStatus(each, name) for each, name in FEATURE_STATUSES.items()]

    async def fetch_feature(self, feature: FeatureId) -> Feature:
        self.called()
        if feature != PAIRABLE_FEATURE:
            raise NotThereError("Productboard has no such feature.")
        planned = FeatureStatus(PLANNED, FEATURE_STATUSES[PLANNED])
        return Feature(
            feature, "feature", "Pay by invoice", HTML, planned, archived=False, url="", updated_at=NOW
        )  # fmt: skip

    async def find_by_address(self, project: str, address: str) -> Ticket | None:
        self.called()
        if not address.endswith("900"):
            return None
        ref = TicketRef(
            TicketId("4900"), project, "900", "#900", "https://gitlab.example.org/demo/roadmap/-/issues/900"
        )
        return Ticket(ref, "Invoices", MARKDOWN, READY, NOW)

    def called(self) -> None:
        self.calls += 1
        if self.down:
            raise TransientError("GitLab does not answer.")


class _FakeAccount:
    def __init__(self, outside: FakeOutside) -> None:
        self._outside = outside

    async def list_statuses(self, project: str) -> list[TicketStatus]:
        self._outside.called()
        return list(TICKET_STATUSES.values())


def _policy() -> SyncPolicy:
    return SyncPolicy(
        fields={
            Field.TITLE: FieldPolicy(),
            Field.DESCRIPTION: FieldPolicy(Direction.BOTH, ConflictRule.ASK),
            Field.STATUS: FieldPolicy(Direction.BOTH, ConflictRule.PRODUCTBOARD),
        },
        status_map=StatusMap(
            to_ticket={feature: ticket.id for feature, ticket in PAIRS.items()},
            to_feature={OPENED.id: NEW_IDEA, READY.id: PLANNED, DOING.id: IN_PROGRESS, CLOSED.id: RELEASED},
        ),
    )


@dataclass
class Seeded:
    """The integrations and Links of the seeded world, by what they show."""

    integrations: dict[str, Integration] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)


async def seed(world: World) -> Seeded:
    seeded = Seeded()
    await _seed_roadmap(world, seeded)
    await _seed_others(world, seeded)
    return seeded


async def _seed_roadmap(world: World, seeded: Seeded) -> None:
    now = world.clock.now()
    main = seeded.integrations["main"] = await world.integration("Roadmap to GitLab")
    troubled = _troubled_links(world, main)
    seeded.links |= troubled
    calm = [world.link(main, number) for number in range(10, 74)]
    seeded.links["linked"] = calm[0]
    await world.save(*troubled.values(), *calm)
    for number, link in enumerate(calm[:40]):
        await world.save(
            Entry(
                now - timedelta(minutes=11 * number + 2), Act.WROTE, main.id, link.id, Side.TICKET, Field.STATUS,
                READY.id, DOING.id, "The feature changed in Productboard.", "grace",
            ),
        )  # fmt: skip
    await world.save(*_story(world, main, calm[0]), *_conflict_story(world, main, troubled["conflict"]))
    for number in range(3):
        await world.save(
            Notice(main.id, NoticeKind.CHANGED, Source.WEBHOOK, now - timedelta(minutes=2 + number),
                   Side.TICKET if number else Side.FEATURE, f"subject-{number}",
                   calm[number].id if number else None),
        )  # fmt: skip


def _troubled_links(world: World, main: Integration) -> Mapping[str, Link]:
    now = world.clock.now()
    conflict = Conflict(
        HTML, MARKDOWN, HTML.replace("without a password", "with a passkey"),
        MARKDOWN.replace("without a password", "without typing"), now - timedelta(hours=3),
    )  # fmt: skip
    refusal = Refusal(
        Side.TICKET, "Dark mode for the whole dashboard",
        "GitLab accepted the new title but did not store it.", now - timedelta(hours=5),
    )  # fmt: skip
    trouble = Trouble(
        "outside_unavailable", "GitLab did not answer for #10 within 10 s, twelve times in a row.",
        now - timedelta(hours=1), "Check that GitLab is up, then try again.",
    )  # fmt: skip
    waiting = Trouble("outside_unavailable", "GitLab did not answer within 10 s.", now - timedelta(minutes=1))
    return {
        "conflict": world.link(main, 0, LinkState.IN_CONFLICT, conflicts={Field.DESCRIPTION: conflict}),
        "refused": world.link(main, 2, LinkState.REFUSED, refusals={Field.TITLE: refusal}),
        "aside": world.link(main, 3, LinkState.SET_ASIDE, trouble=trouble, attempts=12),
        "lost": world.link(
            main, 4, LinkState.LOST_SIGHT, lost=LostSight(Side.TICKET, now - timedelta(minutes=8))
        ),
        "pushing": world.link(main, 5, LinkState.PUSHING, made=False, trouble=waiting, pushed_at=now),
        "unlinking": world.link(main, 6, LinkState.UNLINKING),
        "unmapped": world.link(
            main,
            7,
            warnings={
                Field.STATUS: "The ticket's status workflow::review has no counterpart in the mapping."
            },
        ),
        "dismissed": world.link(main, 8, LinkState.DISMISSED, made=False),
    }


def _story(world: World, main: Integration, link: Link) -> list[Entry]:
    now = world.clock.now()
    day = timedelta(days=1)
    longer = HTML + "<p>Also on <i>shared</i> machines.</p>"
    return [
        Entry(now - 9 * day, Act.PUSHED, main.id, link.id, reason="Somebody clicked Push.", actor="grace"),
        Entry(now - 9 * day, Act.CREATED, main.id, link.id, Side.TICKET, None, None, link.feature_title,
              "Made from the feature.", "grace"),
        Entry(now - 2 * day, Act.WROTE, main.id, link.id, Side.TICKET, Field.TITLE, "Two factor for admins",
              link.feature_title, "The feature changed in Productboard."),
        Entry(now - day, Act.OVERRULED, main.id, link.id, Side.TICKET, Field.TITLE, "Two-factor nagging",
              link.feature_title, "Both changed; the ticket changed last. This value lost and can be put back."),
        Entry(now - timedelta(minutes=3), Act.WROTE, main.id, link.id, Side.FEATURE, Field.DESCRIPTION, HTML,
              longer, "The ticket changed in GitLab.", "linus"),
    ]  # fmt: skip


def _conflict_story(world: World, main: Integration, link: Link) -> list[Entry]:
    at = world.clock.now() - timedelta(hours=3)
    return [
        Entry(at, Act.ASKED, main.id, link.id, None, Field.DESCRIPTION, None, None,
              "Both sides changed the description; the rule is to ask."),
    ]  # fmt: skip


async def _seed_others(world: World, seeded: Seeded) -> None:
    now, made = world.clock.now(), seeded.integrations
    made["calm"] = await world.integration("Mobile apps", project="demo/mobile")
    await world.save(*(world.link(made["calm"], number) for number in range(8)))
    lost = PauseCause(
        "GitLab refused the token for acme/payments (401). It may have expired on 3 November.",
        now - timedelta(hours=6), field="tracker token",
    )  # fmt: skip
    made["auth lost"] = await world.integration(
        "Payments", IntegrationState.PAUSED, project="acme/payments", pause=lost
    )
    await world.save(*(world.link(made["auth lost"], number) for number in range(12)))
    by_person = PauseCause("Paused by admin.", now - timedelta(days=1), by_person=True)
    made["paused"] = await world.integration(
        "Website", IntegrationState.PAUSED, project="acme/web", pause=by_person
    )
    made["connecting"] = await world.integration(
        "Design system",
        IntegrationState.CONNECTING,
        project="acme/design",
        steps=_steps(2, StepState.RUNNING),
    )
    made["failed"] = await world.integration(
        "Data platform",
        IntegrationState.CONNECTING,
        project="acme/data",
        failure="GitLab does not let this token make webhooks in acme/data (403). It needs the role Maintainer.",
        steps=_undone_steps(),
    )
    made["removing"] = await world.integration(
        "Old portal",
        IntegrationState.REMOVING,
        project="acme/portal",
        failure="Productboard did not answer when the column was to be removed (503).",
        retry_at=now + timedelta(minutes=4),
        attempts=3,
        steps=(
            Step(StepName.HOOK, StepState.DONE, "Removed from acme/portal."),
            Step(StepName.SUBSCRIPTION, StepState.DONE, "Removed."),
            Step(
                StepName.COLUMN, StepState.FAILED, "Productboard did not answer (503). Tried again in 4 min."
            ),
            Step(StepName.LINKS, StepState.WAITING),
            Step(StepName.DATA, StepState.WAITING),
        ),
    )


def _steps(running: int, state: StepState) -> tuple[Step, ...]:
    names = (StepName.BOARD, StepName.TRACKER, StepName.COLUMN, StepName.SUBSCRIPTION, StepName.HOOK)
    details = ("The token works for Acme.", "The token works for acme/design as keepstep-bot.", "", "", "")
    return tuple(
        Step(
            name,
            StepState.DONE if at < running else state if at == running else StepState.WAITING,
            details[at],
        )
        for at, name in enumerate(names)
    )


def _undone_steps() -> tuple[Step, ...]:
    return (
        Step(StepName.BOARD, StepState.DONE, "The token works for Acme."),
        Step(StepName.TRACKER, StepState.DONE, "The token works for acme/data as keepstep-bot."),
        Step(StepName.COLUMN, StepState.UNDONE, "The column was made, then removed again."),
        Step(StepName.SUBSCRIPTION, StepState.UNDONE, "The webhook was made, then removed again."),
        Step(
            StepName.HOOK, StepState.FAILED, "Refused (403): this token may not make webhooks in acme/data."
        ),
    )


async def _serve(port: int) -> None:
    import uvicorn  # noqa: PLC0415 - needed for looking at pages only

    world = World(datetime.now(UTC))
    seeded = await seed(world)
    await world.people.create_admin(NAME, PASSWORD)
    for key, link in seeded.links.items():
        print(
            key,
            f"/links/{link.id}",
            world.pages.address(link.id).removeprefix("https://keepstep.example.org"),
        )
    for key, integration in seeded.integrations.items():
        print(key, f"/integrations/{integration.id}")
    await uvicorn.Server(
        uvicorn.Config(world.app(), host="127.0.0.1", port=port, log_level="warning")
    ).serve()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_serve(parser.parse_args().port))
