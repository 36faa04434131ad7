"""What `POST /_sandbox/seed` takes: more workspaces, tokens, people, statuses and entities.

Seeding is silent: no webhook is sent.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from keepstep_sandbox.productboard.demo import DEMO_WORKSPACE, add_workspace
from keepstep_sandbox.productboard.fields import Values
from keepstep_sandbox.productboard.richtext import node_anchors
from keepstep_sandbox.productboard.state import Account, Entity, Member, Option, Token, Workspace, new_id
from keepstep_sandbox.productboard.wire_entities import RelationshipCreate, TargetRef
from keepstep_sandbox.productboard.writing import Writing


class _Seed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SeedToken(_Seed):
    token: str
    scopes: list[str] | None = None
    revoked: bool = False
    per_second: int = 50


class SeedMember(_Seed):
    id: str | None = None
    name: str
    email: str
    role: Literal["admin", "maker", "viewer", "contributor"] = "maker"
    disabled: bool = False
    invitation_pending: bool = False


class SeedStatus(_Seed):
    id: str | None = None
    name: str
    types: list[str] = ["feature", "subfeature"]


class SeedEntity(_Seed):
    """`fields` as in the API's POST; `nodes` are what stands behind urn:pb:node: anchors of the description."""

    id: str | None = None
    type: Literal["product", "component", "feature", "subfeature"] = "feature"
    fields: dict[str, Any]
    parent: str | None = None  # default: the first one that fits
    nodes: dict[str, str] = {}


class Additions(_Seed):
    """Everything optional. Tokens given again are replaced: so are they revoked, or get another budget."""

    workspace: str = DEMO_WORKSPACE  # made, with options, people and components, if it is new
    workspace_name: str = ""
    tokens: list[SeedToken] = []
    members: list[SeedMember] = []
    statuses: list[SeedStatus] = []
    entities: list[SeedEntity] = []
    features: int = 0  # so many plain ones, for paging and load
    rich_text_2026_09: bool | None = None


def seed(account: Account, additions: dict[str, Any]) -> dict[str, Any]:
    """The ids of what was made. Raises ValueError or ApiError for nonsense."""
    wanted = Additions.model_validate(additions)
    workspace = account.workspaces.get(wanted.workspace)
    if workspace is None:
        workspace = add_workspace(
            account, wanted.workspace, wanted.workspace_name or wanted.workspace.title()
        )
    if wanted.rich_text_2026_09 is not None:
        account.rich_text_2026_09 = wanted.rich_text_2026_09
    for token in wanted.tokens:
        account.tokens[token.token] = Token(workspace=workspace.id, **token.model_dump())
    members = [_add_member(workspace, member) for member in wanted.members]
    statuses = [_add_status(workspace, status) for status in wanted.statuses]
    writing = Writing(workspace, Values(workspace, account.rich_text_2026_09), _silent)
    many = [SeedEntity(fields={"name": f"Feature {number}"}) for number in range(1, wanted.features + 1)]
    entities = [_add_entity(writing, entity) for entity in [*wanted.entities, *many]]
    return {"workspace": workspace.id, "members": members, "statuses": statuses, "entities": entities}


def _silent(*_happened: object) -> None:
    """Seeding is not announced."""


def _add_member(workspace: Workspace, member: SeedMember) -> str:
    made = Member(**{**member.model_dump(), "id": member.id or new_id()})
    workspace.members[made.id] = made
    return made.id


def _add_status(workspace: Workspace, status: SeedStatus) -> str:
    made = Option(status.id or new_id(), status.name, status.types)
    workspace.options["status"][made.id] = made
    return made.id


def _add_entity(writing: Writing, seeded: SeedEntity) -> str:
    parent = seeded.parent or _default_parent(writing.workspace, seeded.type)
    relationships = [RelationshipCreate(type="parent", target=TargetRef(id=parent))] if parent else []
    made = writing.create(seeded.type, seeded.fields, relationships)
    if seeded.id is not None:
        del writing.workspace.entities[made.id]
        made.id = seeded.id
        writing.workspace.entities[made.id] = made
    made.nodes = seeded.nodes or dict.fromkeys(_anchors(made), "seeded content")
    return made.id


def _anchors(entity: Entity) -> list[str]:
    return node_anchors(str(entity.fields.get("description", "")))


def _default_parent(workspace: Workspace, entity_type: str) -> str | None:
    above = {"component": "product", "feature": "component", "subfeature": "feature"}.get(entity_type)
    return next((entity.id for entity in workspace.entities.values() if entity.type == above), None)
