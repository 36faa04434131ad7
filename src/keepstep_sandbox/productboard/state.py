"""The emulator's state: workspaces that do not see each other, and the tokens that open them.

Plain dataclasses of JSON values, so that a snapshot is their dictionary. Rules live in the modules that
use them; this one knows how things are kept, numbered and timed.
"""

import dataclasses
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from keepstep_sandbox.productboard.errors import ApiError, not_found

_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def time_text(moment: datetime) -> str:
    """Productboard's spelling; texts of this form sort like the moments they name."""
    return moment.astimezone(UTC).strftime(_TIME_FORMAT)


def now_text() -> str:
    return time_text(datetime.now(UTC))


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class Member:
    id: str
    name: str
    email: str
    role: str  # admin, maker, viewer, contributor
    disabled: bool = False
    invitation_pending: bool = False
    teams: list[str] = field(default_factory=list)

    @property
    def may_own(self) -> bool:
        """Only active admins and makers are offered as owners."""
        return self.role in ("admin", "maker") and not self.disabled and not self.invitation_pending


@dataclass
class Option:
    """A value of a status, tag, team or select field."""

    id: str
    name: str
    types: list[str]
    color: str | None = None


@dataclass
class Entity:
    id: str
    type: str
    fields: dict[str, Any]  # by field key, as `fields.py` stores them; empty ones are absent
    parent: str | None = None
    relations: list[dict[str, str]] = field(default_factory=list)  # {"type", "target"}
    source: dict[str, str] | None = None
    nodes: dict[str, str] = field(default_factory=dict)  # content behind urn:pb:node: anchors
    created_at: str = field(default_factory=now_text)
    updated_at: str = ""
    changed_by: str = ""  # a person's name, or "API"; only the board shows it

    def __post_init__(self) -> None:
        self.updated_at = self.updated_at or self.created_at

    def touch(self) -> None:
        """Moves `updated_at`, always forward."""
        last = datetime.strptime(self.updated_at, _TIME_FORMAT).replace(tzinfo=UTC)
        self.updated_at = time_text(max(datetime.now(UTC), last + timedelta(microseconds=1)))

    @property
    def name(self) -> str:
        return str(self.fields["name"])


@dataclass
class PluginIntegration:
    id: str
    type: str
    name: str
    status: str  # enabled, disabled
    label: str
    url: str
    version: int
    authorization: str | None
    created_at: str
    connections: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # by entity; `initial` ones are absent

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.authorization is None else {"Authorization": self.authorization}


@dataclass
class Webhook:
    id: str
    name: str
    events: list[str]
    url: str
    version: int
    authorization: str | None
    created_at: str


@dataclass
class Workspace:
    id: str
    name: str
    members: dict[str, Member] = field(default_factory=dict)
    options: dict[str, dict[str, Option]] = field(default_factory=dict)  # by field key
    entities: dict[str, Entity] = field(default_factory=dict)
    integrations: dict[str, PluginIntegration] = field(default_factory=dict)
    webhooks: dict[str, Webhook] = field(default_factory=dict)
    lost_nodes: list[dict[str, str]] = field(default_factory=list)

    def entity(self, entity_id: str) -> Entity:
        """Raises ApiError 404 if absent."""
        found = self.entities.get(entity_id)
        if found is None:
            raise not_found("entity")
        return found

    def integration(self, integration_id: str) -> PluginIntegration:
        """Raises ApiError 404 if absent."""
        found = self.integrations.get(integration_id)
        if found is None:
            raise not_found("plugin integration")
        return found

    def children(self, entity_id: str) -> list[Entity]:
        return [entity for entity in self.entities.values() if entity.parent == entity_id]

    def with_descendants(self, entity: Entity) -> Iterator[Entity]:
        """The entity and everything below it, deepest last."""
        yield entity
        for child in self.children(entity.id):
            yield from self.with_descendants(child)

    def option(
        self, field_key: str, *, option_id: str | None = None, name: str | None = None
    ) -> Option | None:
        """By id, or by its exact name, case included."""
        options = self.options.get(field_key, {})
        if option_id is not None:
            return options.get(option_id)
        return next((option for option in options.values() if option.name == name), None)

    def html_url(self, entity_id: str, base: str) -> str:
        return f"{base}/?workspace={self.id}&item={entity_id}"


@dataclass
class Token:
    token: str
    workspace: str
    scopes: list[str] | None = None  # None: all
    revoked: bool = False
    per_second: int = 50


def workspace_from_json(saved: dict[str, Any]) -> Workspace:
    """The inverse of `dataclasses.asdict`."""
    return Workspace(
        id=saved["id"],
        name=saved["name"],
        members={key: Member(**value) for key, value in saved["members"].items()},
        options={
            key: {option_id: Option(**option) for option_id, option in options.items()}
            for key, options in saved["options"].items()
        },
        entities={key: Entity(**value) for key, value in saved["entities"].items()},
        integrations={key: PluginIntegration(**value) for key, value in saved["integrations"].items()},
        webhooks={key: Webhook(**value) for key, value in saved["webhooks"].items()},
        lost_nodes=saved["lost_nodes"],
    )


@dataclass
class Account:
    """All workspaces and tokens of one emulator."""

    workspaces: dict[str, Workspace] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    rich_text_2026_09: bool = True  # tables, checklists and code languages

    def snapshot(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def restored(saved: dict[str, Any]) -> "Account":
        return Account(
            workspaces={key: workspace_from_json(value) for key, value in saved["workspaces"].items()},
            tokens={key: Token(**value) for key, value in saved["tokens"].items()},
            rich_text_2026_09=saved["rich_text_2026_09"],
        )

    def authenticated(self, header: str | None) -> Token:
        """The token of an `Authorization` header. Raises ApiError 401."""
        if not header:
            raise ApiError(401, "auth.invalid", "Send the token as 'Authorization: Bearer <token>'.")
        scheme, _, secret = header.partition(" ")
        token = self.tokens.get(secret.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise ApiError(401, "auth.invalid", "This token is not known.")
        if token.revoked:
            raise ApiError(401, "auth.invalid", "This token has been revoked.")
        return token
