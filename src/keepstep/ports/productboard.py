"""FeatureBoard: what Keepstep needs of Productboard, in Keepstep's words.

Every method may raise the errors of `keepstep.ports.errors`; extra ones are named.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from keepstep.domain.bulk import FeatureSelection
from keepstep.domain.column import Cell
from keepstep.domain.feature import Feature, FeatureStatus
from keepstep.domain.ids import FeatureId, StatusId
from keepstep.ports.registrations import HookReport


@dataclass(frozen=True, slots=True)
class WorkspaceFacts:
    """What a valid token tells about its workspace."""

    name: str
    """Best name there is for people: derived from a page address, else the API's host."""
    missing: tuple[str, ...] = ()
    """What the token may not do, each in words a person can act on; empty when all is there."""


@dataclass(frozen=True, slots=True)
class Place:
    """A product or a component: where features live."""

    id: str
    name: str
    kind: str
    """product or component."""
    parent: str = ""
    """Id of the place it is in."""


@dataclass(frozen=True, slots=True)
class SelectionChoices:
    """What features can be selected by."""

    statuses: Sequence[FeatureStatus] = ()
    tags: Sequence[str] = ()
    places: Sequence[Place] = ()


@dataclass(frozen=True, slots=True)
class FeatureChanges:
    """Only what is to change; None leaves a field alone."""

    title: str | None = None
    description: str | None = None
    status: StatusId | None = None


class Workspace(Protocol):
    """Looking around with a token: for the configuration page and for health."""

    async def verify(self) -> WorkspaceFacts:
        """Raises AuthLostError when the token is refused, TransientError when nobody answers."""

    async def list_statuses(self) -> Sequence[FeatureStatus]:
        """In the workspace's order; those that features may have."""

    async def sample_features(self, limit: int = 20) -> Sequence[Feature]:
        """Some features, for previews and for pairing."""

    async def list_choices(self) -> SelectionChoices:
        """For the form that selects features."""


class Features(Protocol):
    async def fetch_feature(self, feature: FeatureId) -> Feature:
        """Any pushable or other entity, with its type. NotThereError: deleted, or not visible."""

    async def list_features(self, features: Sequence[FeatureId]) -> Sequence[Feature]:
        """Those of these (at most 100) that exist and are visible, features and subfeatures alike, in any order."""

    async def write_feature(self, feature: FeatureId, changes: FeatureChanges) -> None:
        """Productboard answers with a reference only: read again to see what it stored."""

    def iter_changed(self, kind: str, since: datetime) -> AsyncIterator[Feature]:
        """Entities of that type (feature, subfeature) with updatedAt >= since, all pages, no order promised."""

    def iter_selected(self, selection: FeatureSelection) -> AsyncIterator[Feature]:
        """Exactly those that the selection means, each once, all pages, no order promised.

        Raises RejectedError (field `owner`) when the token may not read the members' e-mail addresses.
        """


class Columns(Protocol):
    async def ensure_column(self, column_type: str, name: str, button: str, action: "Callback") -> str:
        """Create the column, or find ours by its type; returns its id. Probes `action` while under way."""

    async def change_column(
        self,
        column: str,
        *,
        name: str | None = None,
        button: str | None = None,
        action: "Callback | None" = None,
    ) -> None:
        """Raises NotThereError when the column is gone."""

    async def inspect_column(self, column: str, url: str) -> HookReport:
        """As it is now, its button calling `url`. What is not fine is mended by `ensure_column`."""

    async def remove_column(self, column: str) -> None:
        """Takes all its buttons with it. One that is gone already counts as removed."""

    async def fetch_cell(self, column: str, feature: FeatureId) -> Cell: ...

    async def list_unsettled(self, column: str) -> Mapping[FeatureId, Cell]:
        """The cells that show `progress` or `error`."""

    async def put_cell(self, column: str, feature: FeatureId, cell: Cell) -> None:
        """Replaces the whole state; `initial` brings the button back."""


class Subscriptions(Protocol):
    async def ensure_subscription(self, name: str, callback: "Callback") -> str:
        """Subscribe to created, updated and deleted features, or find ours by its address; returns its id."""

    async def inspect_subscription(self, subscription: str, url: str) -> HookReport:
        """As it is now. What is not fine is mended by `ensure_subscription`."""

    async def remove_subscription(self, subscription: str) -> None:
        """One that is gone already counts as removed."""


@dataclass(frozen=True, slots=True)
class Callback:
    """An address of ours, and what the caller shall send in `Authorization`."""

    url: str
    authorization: str


@dataclass(frozen=True, slots=True)
class FeatureBoard:
    """One workspace, opened with its token."""

    workspace: Workspace
    features: Features
    columns: Columns
    subscriptions: Subscriptions


@dataclass(frozen=True, slots=True)
class ColumnClick:
    """A click on the button, as read from the wire; `trigger` may be one we do not know."""

    trigger: str
    column: str
    feature: FeatureId
    feature_url: str
    actor: str


@dataclass(frozen=True, slots=True)
class FeatureNotice:
    """One Productboard notification, as read from the wire."""

    event: str
    feature: FeatureId | None
    """None where the event concerns no feature."""
    deleted: bool


class BoardWire(Protocol):
    """Productboard's calls to us, and our answers, in its own words."""

    def read_click(self, body: bytes) -> ColumnClick:
        """Raises UnreadableError, which says what is missing."""

    def read_notification(self, body: bytes) -> Sequence[FeatureNotice]:
        """Raises UnreadableError."""

    def write_answer(self, cell: Cell) -> dict[str, object]: ...
