"""Integrations as JSON. Tokens go in; their last four characters are all that ever comes out."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field as Described

from keepstep.app.drafts import PRODUCTBOARD_URL
from keepstep.app.overview import IntegrationRow, IntegrationView
from keepstep.domain.events import Entry
from keepstep.domain.fields import Side
from keepstep.domain.integration import (
    MAX_LABEL,
    Integration,
    IntegrationState,
    ProjectRef,
    StepName,
    StepState,
)
from keepstep.domain.link import LinkState
from keepstep.web.api.models import Answer, Body, Line, Page, Token, Utc, Values
from keepstep.web.api.models_links import EntryOut, HealthOut, LinkSummary
from keepstep.web.api.models_policy import PolicyBody, PolicyOut


class ProjectOut(Answer):
    id: str
    name: str
    url: str

    @classmethod
    def of(cls, project: ProjectRef) -> "ProjectOut":
        return cls(id=project.id, name=project.name, url=project.url)


class BoardOut(Answer):
    base_url: str
    workspace: str


class TrackerOut(Answer):
    kind: str
    name: str
    base_url: str


class CountsOut(Answer):
    """Links by what they mean, and by state."""

    total: int
    in_step: int
    working: int
    attention: int
    by_state: Mapping[LinkState, int]


class LimitOut(Answer):
    """One side takes no more calls of its token for now; what waits goes on by itself."""

    side: Side
    name: str
    until: Utc | None = Described(description="null: it is over, and what waited is under way.")
    waiting: int = Described(description="Links that wait for it.")


class IntegrationSummary(Answer):
    id: str
    name: str
    state: IntegrationState
    health: HealthOut
    board: BoardOut
    tracker: TrackerOut
    project: ProjectOut
    button: str
    links: CountsOut
    limits: Sequence[LimitOut] = Described(
        description="Limits of calls that Links wait for; empty when none is reached."
    )
    last_notice: Mapping[Side, Utc] = Described(description="When each side last told us something.")
    last_change: Mapping[Side, Utc] = Described(description="When we last wrote to each side.")
    created_at: Utc

    @classmethod
    def of(cls, row: IntegrationRow) -> "IntegrationSummary":
        integration = row.integration
        return cls(
            **_facts(row),
            board=BoardOut(base_url=integration.board.base_url, workspace=integration.board.workspace),
            tracker=TrackerOut(
                kind=integration.tracker.kind, name=row.tracker_name, base_url=integration.tracker.base_url
            ),
        )


def _facts(row: IntegrationRow) -> dict[str, Any]:
    integration, counts = row.integration, row.counts
    return {
        "id": integration.id,
        "name": integration.name,
        "state": integration.state,
        "health": HealthOut.of(row.health),
        "project": ProjectOut.of(integration.project),
        "button": integration.button,
        "links": CountsOut(
            total=sum(row.by_state.values()),
            in_step=counts.in_step,
            working=counts.working,
            attention=counts.attention,
            by_state=dict(row.by_state),
        ),
        "limits": [
            LimitOut(side=each.side, name=each.name, until=each.until, waiting=each.waiting)
            for each in row.limits
        ],
        "last_notice": dict(row.last_notice),
        "last_change": dict(row.last_change),
        "created_at": integration.created_at,
    }


class BoardDetail(BoardOut):
    token_end: str = Described(description='Last four characters; "" for a token too short to show any.')


class TrackerDetail(TrackerOut):
    settings: Mapping[str, str | list[str]]
    token_end: str


class StepOut(Answer):
    name: StepName
    state: StepState
    detail: str


class PauseOut(Answer):
    message: str
    at: Utc
    by_person: bool = Described(description="Then only a person resumes it.")
    field: str = Described(description="Which credential has to be renewed, if that is the cause.")
    guard: bool = Described(description="Too many Links would be detached: a person allows it, or resumes.")


class RegistrationsOut(Answer):
    """Ids of what Keepstep made outside; null where it does not exist."""

    column: str | None
    subscription: str | None = Described(description="Productboard's webhook.")
    hook: str | None = Described(description="The tracker's webhook.")
    public_url: str = Described(description="Where they point to.")


class IntegrationDetail(IntegrationSummary):
    board: BoardDetail
    tracker: TrackerDetail
    policy: PolicyOut
    defaults: Mapping[str, str | list[str]] = Described(description="What every new ticket gets.")
    registrations: RegistrationsOut
    steps: Sequence[StepOut] = Described(description="Of connecting or removing, with what came of each.")
    failure: str = Described(description='Why connecting or removing stopped; "" when it did not.')
    pause: PauseOut | None
    retry_at: Utc | None
    waiting: int = Described(description="Notices that no sync has handled yet.")
    activity: Sequence[int] = Described(description="Journal entries per hour, last 24 hours, oldest first.")
    attention: Sequence[LinkSummary] = Described(description="Up to 20 Links that need a person.")
    warnings: Sequence[str]
    journal: Sequence[EntryOut] = Described(description="The newest 20 entries; `GET /journal` has all.")

    @classmethod
    def of_view(
        cls, view: IntegrationView, attention: Sequence[LinkSummary], journal: Sequence[Entry]
    ) -> "IntegrationDetail":
        integration = view.row.integration
        return cls(
            **_facts(view.row),
            **_state(integration),
            board=BoardDetail(
                base_url=integration.board.base_url,
                workspace=integration.board.workspace,
                token_end=view.board_token_end,
            ),
            tracker=TrackerDetail(
                kind=integration.tracker.kind,
                name=view.row.tracker_name,
                base_url=integration.tracker.base_url,
                settings=plain_values(integration.tracker_settings),
                token_end=view.tracker_token_end,
            ),
            policy=PolicyOut.of(integration.policy),
            defaults=plain_values(integration.defaults),
            waiting=view.waiting,
            activity=list(view.row.activity),
            attention=attention,
            warnings=list(view.unmapped),
            journal=[EntryOut.of(each) for each in journal],
        )


def _state(integration: Integration) -> dict[str, Any]:
    made, pause = integration.registrations, integration.pause
    return {
        "registrations": RegistrationsOut(
            column=made.column, subscription=made.subscription, hook=made.hook, public_url=made.public_url
        ),
        "steps": [
            StepOut(name=each.name, state=each.state, detail=each.detail) for each in integration.steps
        ],
        "failure": integration.failure,
        "pause": PauseOut(
            message=pause.message,
            at=pause.at,
            by_person=pause.by_person,
            field=pause.field,
            guard=pause.guard,
        )
        if pause
        else None,
        "retry_at": integration.retry_at,
    }


def plain_values(values: Mapping[str, str | tuple[str, ...]]) -> dict[str, str | list[str]]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


class IntegrationPage(Page[IntegrationSummary]):
    """Integrations, those that need attention first."""


class BoardBody(Body):
    base_url: Line = Described(PRODUCTBOARD_URL, description="Of Productboard's API.")
    token: Token
    workspace: Line = Described(
        "", description="A name for people; left out, it is found out.", max_length=100
    )


class TrackerBody(Body):
    kind: Line = Described(description="One of `GET /trackers`.", examples=["gitlab"])
    base_url: Line = Described("", description="Left out: the kind's default address.")
    token: Token
    settings: Values = Described(default_factory=dict, description="See `settings` in `GET /trackers`.")


class IntegrationCreate(Body):
    """Both tokens are tried before anything is stored; connecting then runs by itself: watch `steps`."""

    name: Line
    button: Line = Described("Push", description=f"The column's button: at most {MAX_LABEL} characters.")
    board: BoardBody
    tracker: TrackerBody
    project: Line = Described(description="Id or path of the tracker's project.", examples=["1"])
    defaults: Values = Described(default_factory=dict, description="See `defaults` in `GET /trackers`.")
    policy: PolicyBody = Described(
        default_factory=PolicyBody,
        description="Without `status_map`, a map is proposed from the names and used.",
    )


class BoardChange(Body):
    workspace: Line | None = None


class TrackerChange(Body):
    base_url: Line | None = Described(None, description="Refused while Links exist; needs `token` beside it.")
    token: Token | None = Described(
        None, description="For that address, where the stored one is not sent. Alone: `PUT` of the token."
    )
    settings: Values | None = Described(None, description="Names that are left out keep their value.")


class IntegrationChange(Body):
    """Only what is to change."""

    name: Line | None = None
    button: Line | None = None
    board: BoardChange | None = None
    tracker: TrackerChange | None = None
    project: Line | None = Described(None, description="Id or path. Refused while Links exist.")
    defaults: Values | None = Described(None, description="Names that are left out keep their value.")
    policy: PolicyBody | None = None


class NewToken(Body):
    token: Token
