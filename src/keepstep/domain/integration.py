"""Integration: one configuration, one column; its states, its steps, and the moves between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from keepstep.domain.errors import ForbiddenMoveError
from keepstep.domain.ids import IntegrationId, SecretRef
from keepstep.domain.policy import SyncPolicy

MAX_LABEL = 10
"""Characters on Productboard's button."""


class IntegrationState(StrEnum):
    CONNECTING = "connecting"
    ACTIVE = "active"
    PAUSED = "paused"
    REMOVING = "removing"


@dataclass(frozen=True, slots=True)
class BoardAccount:
    """A Productboard workspace: API base URL and token."""

    base_url: str
    token: SecretRef
    workspace: str = ""
    """A name for people; Productboard's API has none, so the admin's or the address."""


@dataclass(frozen=True, slots=True)
class TrackerAccount:
    kind: str
    base_url: str
    token: SecretRef

    @property
    def key(self) -> str:
        """Under this name a ticket id is unique in the whole installation."""
        return f"{self.kind}:{self.base_url.rstrip('/').lower()}"


@dataclass(frozen=True, slots=True)
class ProjectRef:
    """What the tracker calls project, repository or team."""

    id: str
    name: str
    url: str = ""


class StepName(StrEnum):
    """What connecting and removing consist of, in order of connecting."""

    BOARD = "board"
    TRACKER = "tracker"
    COLUMN = "column"
    SUBSCRIPTION = "subscription"
    HOOK = "hook"
    LINKS = "links"
    DATA = "data"


class StepState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Step:
    name: StepName
    state: StepState = StepState.WAITING
    detail: str = ""
    """For people: what was made, or why it failed and what helps."""


@dataclass(frozen=True, slots=True)
class Registrations:
    """Ids of what we created outside; None where it does not exist (yet, or any more)."""

    column: str | None = None
    subscription: str | None = None
    hook: str | None = None
    public_url: str = ""
    """The address of ours that they point to."""
    hook_signed: bool = False
    """The tracker signs its notifications: an unsigned one is refused, so nobody can downgrade."""


class Part(StrEnum):
    """What stands outside for an integration and keeps it alive."""

    COLUMN = "column"
    SUBSCRIPTION = "Productboard webhook"
    HOOK = "tracker webhook"


@dataclass(frozen=True, slots=True)
class PartReport:
    """How a part was found when it was last looked at."""

    part: Part
    at: datetime
    fine: bool
    detail: str = ""
    """For people: what is wrong and what helps; "" when all is well."""
    repaired_at: datetime | None = None
    """When it was last put right by itself."""
    broken_at: datetime | None = None
    """The first of the looks in a row that could not put it right."""


@dataclass(frozen=True, slots=True)
class PauseCause:
    """Why nothing flows, in a sentence with the cure; `by_person` is resumed by a person only."""

    message: str
    at: datetime
    by_person: bool = False
    field: str = ""
    """Which credential is to be renewed: "board token", "tracker token" or ""."""
    guard: bool = False
    """The mass guard stopped: a person decides whether what is gone is detached."""


@dataclass(frozen=True, slots=True)
class Integration:
    id: IntegrationId
    name: str
    state: IntegrationState
    board: BoardAccount
    tracker: TrackerAccount
    project: ProjectRef
    button: str
    policy: SyncPolicy
    board_secret: SecretRef
    """What Productboard sends us in `Authorization`."""
    hook_secret: SecretRef
    """What the tracker proves its notifications with."""
    created_at: datetime
    tracker_settings: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Values of the manifest's own settings fields, such as the labels that mean a status."""
    defaults: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    registrations: Registrations = Registrations()
    pause: PauseCause | None = None
    steps: tuple[Step, ...] = ()
    parts: tuple[PartReport, ...] = ()
    failure: str = ""
    """Why connecting or removing stopped; "" while it goes on."""
    attempts: int = 0
    retry_at: datetime | None = None
    forget: bool = False
    """Removing: give up on what the upstreams refuse, and drop our rows."""
    detach_until: datetime | None = None
    """Until then a person lets any number of Links be detached by itself."""
    revision: int = 0

    @property
    def column_type(self) -> str:
        """The column's type carries our id, so that a crash between create and commit leaves no orphan."""
        return f"dev.keepstep.i{self.id}"

    def part(self, part: Part) -> PartReport | None:
        return next((each for each in self.parts if each.part is part), None)

    def active(self) -> "Integration":
        return replace(self, state=IntegrationState.ACTIVE, pause=None, failure="", attempts=0, retry_at=None)

    def paused(self, cause: PauseCause) -> "Integration":
        if self.state is IntegrationState.REMOVING:
            raise ForbiddenMoveError(f"{self.name} is being removed.")
        if self.state is IntegrationState.CONNECTING:
            raise ForbiddenMoveError(f"{self.name} is not connected yet.")
        return replace(self, state=IntegrationState.PAUSED, pause=cause)

    def removing(self) -> "Integration":
        return replace(
            self, state=IntegrationState.REMOVING, pause=None, failure="", attempts=0, retry_at=None
        )

    def with_step(self, name: StepName, state: StepState, detail: str = "") -> "Integration":
        steps = tuple(Step(name, state, detail) if each.name is name else each for each in self.steps)
        return replace(self, steps=steps)
