"""Trackers, checks of credentials, what needs attention, and the installation itself, as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from pydantic import Field as Described

from keepstep.app.drafts import PRODUCTBOARD_URL
from keepstep.domain.feature import FeatureStatus
from keepstep.domain.integration import IntegrationState, ProjectRef
from keepstep.domain.policy import StatusMap
from keepstep.domain.ticket import TicketStatus
from keepstep.ports.tracker import Channel, FieldKind, MarkerStrategy, SettingField, TrackerManifest
from keepstep.web.api.models import Answer, Body, Line, Page, Token, Utc, Values
from keepstep.web.api.models_integrations import ProjectOut
from keepstep.web.api.models_links import HealthOut, LinkSummary, TicketStatusOut
from keepstep.web.api.models_policy import StatusMapOut
from keepstep.web.deps import Check, Readiness, SystemFacts, WorkerFacts


class SettingOut(Answer):
    name: str
    label: str
    help: str
    kind: FieldKind
    required: bool
    choices: Sequence[tuple[str, str]] = Described(description="Value and label, for the kind *choice*.")
    default: str | Sequence[str]

    @classmethod
    def of(cls, field: SettingField) -> "SettingOut":
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        return cls(
            name=field.name,
            label=field.label,
            help=field.help,
            kind=field.kind,
            required=field.required,
            choices=list(field.choices),
            default=default,
        )


class CapabilitiesOut(Answer):
    delete_events: bool
    restore: bool
    follows_moves: bool
    labels: bool
    comments: bool
    dates: bool
    assignee: bool
    write_precondition: bool
    redelivers: bool


class ScopeOut(Answer):
    name: str
    reason: str


class TrackerKind(Answer):
    """A tracker that this build of Keepstep knows."""

    kind: str
    name: str
    summary: str
    project_word: str
    default_base_url: str
    token_help: str
    text_format: str
    channel: Channel
    capabilities: CapabilitiesOut
    marker: MarkerStrategy = Described(description="How a ticket is found again by its Link's marker.")
    scopes: Sequence[ScopeOut] = Described(description="What the token needs, and what for.")
    account: Sequence[SettingOut] = Described(description="Asked for beside the token.")
    settings: Sequence[SettingOut]
    defaults: Sequence[SettingOut]

    @classmethod
    def of(cls, manifest: TrackerManifest) -> "TrackerKind":
        able = manifest.capabilities
        return cls(
            kind=manifest.kind,
            name=manifest.name,
            summary=manifest.summary,
            project_word=manifest.project_word,
            default_base_url=manifest.default_base_url,
            token_help=manifest.token_help,
            text_format=manifest.text_format,
            channel=manifest.channel,
            capabilities=CapabilitiesOut(**asdict(able)),
            marker=manifest.marker,
            scopes=[ScopeOut(name=each.name, reason=each.reason) for each in manifest.scopes],
            account=[SettingOut.of(each) for each in manifest.account],
            settings=[SettingOut.of(each) for each in manifest.settings],
            defaults=[SettingOut.of(each) for each in manifest.defaults],
        )


class TrackerPage(Page[TrackerKind]):
    """Kinds of trackers."""


class FeatureStatusOut(Answer):
    id: str
    name: str


class BoardCheck(Body):
    base_url: Line = PRODUCTBOARD_URL
    token: Token


class BoardChecked(Answer):
    workspace: str
    missing: Sequence[str] = Described(description="What the token may not do; empty when all is there.")
    statuses: Sequence[FeatureStatusOut]


class TrackerCheck(Body):
    kind: Line
    base_url: Line = Described("", description="Left out: the kind's default address.")
    token: Token
    settings: Values = Described(default_factory=dict)


class TrackerChecked(Answer):
    user: str
    version: str
    missing: Sequence[str] = Described(description="What the token may not do; empty when all is there.")
    expires_on: str = Described(description='Day on which the token ends; "" when it does not tell.')


class ProjectSearch(TrackerCheck):
    search: Line = ""


class InProject(TrackerCheck):
    project: Line = Described(description="Id or path.")


class BothSides(Body):
    board: BoardCheck
    tracker: InProject


class ProjectPage(Page[ProjectOut]):
    """Projects that the token may write tickets in."""


class LabelPage(Page[str]):
    """Labels of the project."""


class StatusesOut(Answer):
    """Both sides' statuses as they are now, each in its own order, and a map proposed from the names."""

    feature: Sequence[FeatureStatusOut]
    ticket: Sequence[TicketStatusOut]
    proposed: StatusMapOut

    @classmethod
    def of(
        cls, features: Sequence[FeatureStatus], tickets: Sequence[TicketStatus], proposed: StatusMap
    ) -> "StatusesOut":
        return cls(
            feature=feature_statuses(features),
            ticket=ticket_statuses(tickets),
            proposed=StatusMapOut.of(proposed),
        )


def feature_statuses(found: Sequence[FeatureStatus]) -> list[FeatureStatusOut]:
    return [FeatureStatusOut(id=each.id, name=each.name) for each in found]


def ticket_statuses(found: Sequence[TicketStatus]) -> list[TicketStatusOut]:
    return [TicketStatusOut(id=each.id, name=each.name, category=each.category) for each in found]


def projects(found: Sequence[ProjectRef]) -> list[ProjectOut]:
    return [ProjectOut.of(each) for each in found]


class AttentionItem(Answer):
    integration: str
    name: str
    state: IntegrationState
    health: HealthOut
    links: Sequence[LinkSummary]


class AttentionPage(Page[AttentionItem]):
    """Integrations in trouble, or with Links that need a person."""


class CheckOut(Answer):
    name: str
    ok: bool
    detail: str

    @classmethod
    def of(cls, check: Check) -> "CheckOut":
        return cls(name=check.name, ok=check.ok, detail=check.detail)


class WorkerOut(Answer):
    name: str
    seen_at: Utc
    alive: bool
    running: int

    @classmethod
    def of(cls, worker: WorkerFacts) -> "WorkerOut":
        return cls(name=worker.name, seen_at=worker.seen_at, alive=worker.alive, running=worker.running)


class SystemOut(Answer):
    version: str
    ready: bool
    checks: Sequence[CheckOut]
    database: str
    database_size: int | None = Described(description="Bytes; null when it could not be asked.")
    queue_waiting: int
    queue_running: int
    oldest_waiting_seconds: Annotated[float, Described(ge=0)]
    workers: Sequence[WorkerOut]
    settings: dict[str, str]

    @classmethod
    def of(cls, version: str, readiness: Readiness, facts: SystemFacts) -> "SystemOut":
        return cls(
            version=version,
            ready=readiness.ready,
            checks=[CheckOut.of(each) for each in (*readiness.checks, *facts.checks)],
            database=facts.database,
            database_size=facts.database_size,
            queue_waiting=facts.queue_waiting,
            queue_running=facts.queue_running,
            oldest_waiting_seconds=facts.oldest_waiting,
            workers=[WorkerOut.of(each) for each in facts.workers],
            settings=dict(facts.settings),
        )
