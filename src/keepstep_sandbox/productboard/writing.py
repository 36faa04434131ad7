"""Changes of entities, from the API and from people on the board alike: all or nothing, then announced.

Guarantee: a write that changes nothing moves no `updatedAt` and sends no webhook. Leaving a `urn:pb:node:` anchor
out of a description deletes what stood behind it; the loss is kept in the workspace's `lost_nodes`, to be seen.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keepstep_sandbox.productboard.errors import ApiError, failed, invalid, reference_not_found
from keepstep_sandbox.productboard.fields import SPECS, FieldSpec, Values, spec_for
from keepstep_sandbox.productboard.richtext import node_anchors
from keepstep_sandbox.productboard.state import Entity, Workspace, new_id, now_text
from keepstep_sandbox.productboard.wire_entities import (
    EntityMetadata,
    PatchClear,
    PatchOperation,
    RelationshipCreate,
)

TYPES = ("product", "component", "feature", "subfeature")
PARENT_TYPES: Mapping[str, tuple[str, ...]] = {
    "product": (),
    "component": ("product", "component"),
    "feature": ("product", "component"),
    "subfeature": ("feature",),
}
_OPPOSITES = {
    "parent": "child",
    "child": "parent",
    "link": "link",
    "isBlockedBy": "isBlocking",
    "isBlocking": "isBlockedBy",
}

# What happened to an entity: "created", "updated" or "deleted", and which attributes.
Announce = Callable[[Workspace, Entity, str, Sequence[str]], None]


@dataclass(frozen=True)
class Writing:
    """Changes within one workspace."""

    workspace: Workspace
    values: Values
    announce: Announce
    actor: str = "API"

    def create(
        self,
        entity_type: str,
        fields: Mapping[str, Any],
        relationships: Iterable[RelationshipCreate] = (),
        metadata: EntityMetadata | None = None,
    ) -> Entity:
        """Raises ApiError; then nothing was made."""
        if entity_type not in TYPES:
            raise failed(f"This emulator serves {', '.join(TYPES)}, not '{entity_type}'.", "/data/type")
        if fields.get("name") is None:
            raise failed("The field 'name' is required.", "/data/fields/name")
        kept = {
            key: self._taken(entity_type, key, value, f"/data/fields/{key}") for key, value in fields.items()
        }
        entity = Entity(id=new_id(), type=entity_type, fields=_without_empty(kept))
        self._set_defaults(entity)
        self._relate_new(entity, list(relationships))
        entity.source = _source(metadata)
        entity.changed_by = self.actor
        self.workspace.entities[entity.id] = entity
        for relation in entity.relations:
            opposite = {"type": _OPPOSITES[relation["type"]], "target": entity.id}
            self.workspace.entities[relation["target"]].relations.append(opposite)
        self.announce(self.workspace, entity, "created", [])
        return entity

    def _set_defaults(self, entity: Entity) -> None:
        entity.fields.setdefault("archived", False)
        if entity.type in SPECS["status"].types:
            first = next(iter(self.workspace.options["status"].values()))
            entity.fields.setdefault("status", first.id)

    def _relate_new(self, entity: Entity, relationships: list[RelationshipCreate]) -> None:
        for index, relationship in enumerate(relationships):
            pointer = f"/data/relationships/{index}/target/id"
            target = self._target(relationship.target.id, pointer)
            if relationship.type == "parent":
                self._check_parent(entity, target, pointer)
                entity.parent = target.id
            elif relationship.type == "child":
                raise failed("Set the parent on the child instead.", f"/data/relationships/{index}/type")
            else:
                entity.relations.append({"type": relationship.type, "target": target.id})
        if entity.parent is None and PARENT_TYPES[entity.type]:
            raise failed(f"Entity of type {entity.type} cannot be without a parent.", "/data/relationships")

    def update(
        self,
        entity: Entity,
        fields: Mapping[str, Any],
        patch: Sequence[PatchOperation | PatchClear] = (),
        metadata: EntityMetadata | None = None,
    ) -> list[str]:
        """The keys that changed. Raises ApiError; then nothing was changed."""
        kept: dict[str, Any] = {}
        for key, value in fields.items():
            kept[key] = self._taken(entity.type, key, value, f"/data/fields/{key}")
        for index, operation in enumerate(patch):
            self._operate(entity, operation, kept, f"/data/patch/{index}")
        changed = [key for key, value in kept.items() if _differs(key, entity.fields.get(key), value)]
        source = _source(metadata)
        if source is not None and source != entity.source:
            entity.source = source
            entity.touch()
        if changed:
            self._put(entity, {key: kept[key] for key in changed})
            self.announce(self.workspace, entity, "updated", changed)
        return changed

    def _put(self, entity: Entity, changes: Mapping[str, Any]) -> None:
        if "description" in changes:
            self._lose_nodes(entity, changes["description"] or "")
        entity.fields = _without_empty({**entity.fields, **changes})
        entity.changed_by = self.actor
        entity.touch()

    def _lose_nodes(self, entity: Entity, description: str) -> None:
        kept = set(node_anchors(description))
        for urn in [urn for urn in entity.nodes if urn not in kept]:
            content = entity.nodes.pop(urn)
            self.workspace.lost_nodes.append(
                {"entityId": entity.id, "urn": urn, "content": content, "lostAt": now_text()}
            )

    def _taken(self, entity_type: str, key: str, value: Any, pointer: str) -> Any:
        spec = spec_for(key, entity_type, pointer)
        if value is None:
            _check_clearable(spec, pointer)
            return None
        return self.values.taken(spec, value, pointer)

    def _operate(
        self, entity: Entity, operation: PatchOperation | PatchClear, kept: dict[str, Any], pointer: str
    ) -> None:
        key, _, part = operation.path.partition(".")
        spec = spec_for(key, entity.type, pointer + "/path")
        before = kept.get(key, entity.fields.get(key))
        if isinstance(operation, PatchClear):
            if part:
                kept[key] = {name: value for name, value in (before or {}).items() if name != part} or None
            else:
                _check_clearable(spec, pointer + "/path")
                kept[key] = None
            return
        if part:
            raise failed("Only 'clear' takes a part of a field.", pointer + "/path")
        value = self.values.taken(spec, operation.value, pointer + "/value")
        if operation.op == "set":
            kept[key] = value
            return
        if not spec.is_list:
            raise failed(f"The field '{key}' is no list.", pointer + "/op")
        named = value or []
        if operation.op == "addItems":
            kept[key] = list(dict.fromkeys([*(before or []), *named]))
        else:
            kept[key] = [item for item in before or [] if item not in named] or None

    def delete(self, entity: Entity) -> None:
        """With everything below it, and all their connections."""
        for gone in list(self.workspace.with_descendants(entity)):
            del self.workspace.entities[gone.id]
            for integration in self.workspace.integrations.values():
                integration.connections.pop(gone.id, None)
            for other in self.workspace.entities.values():
                other.relations = [relation for relation in other.relations if relation["target"] != gone.id]
            self.announce(self.workspace, gone, "deleted", [])

    def set_parent(self, entity: Entity, target_id: str) -> None:
        """Raises ApiError 422 for a parent that does not fit."""
        target = self._target(target_id, "/data/target/id")
        self._check_parent(entity, target, "/data/target/id")
        if entity.parent != target.id:
            entity.parent = target.id
            entity.touch()
            self.announce(self.workspace, entity, "updated", ["parent"])

    def add_relation(self, entity: Entity, relation_type: str, target_id: str) -> None:
        """Raises ApiError 409 if it exists, 422 if it does not fit."""
        target = self._target(target_id, "/data/target/id")
        child, parent = (target, entity) if relation_type == "child" else (entity, target)
        if relation_type in ("parent", "child"):
            if child.parent == parent.id:
                raise _exists()
            self._check_parent(child, parent, "/data/target/id")
            self.set_parent(child, parent.id)
            return
        if target.id == entity.id:
            raise failed("An entity cannot relate to itself.", "/data/target/id")
        if {"type": relation_type, "target": target.id} in entity.relations:
            raise _exists()
        entity.relations.append({"type": relation_type, "target": target.id})
        target.relations.append({"type": _OPPOSITES[relation_type], "target": entity.id})
        entity.touch()

    def remove_relation(self, entity: Entity, relation_type: str, target_id: str) -> None:
        """Raises ApiError 404 if there is none."""
        if relation_type in ("parent", "child"):
            child = self.workspace.entity(target_id) if relation_type == "child" else entity
            if child.parent != (entity.id if relation_type == "child" else target_id):
                raise ApiError(404, "resource.notFound", "No such relationship.")
            raise failed(f"Entity of type {child.type} cannot be without a parent.", "/data/relationships")
        relation = {"type": relation_type, "target": target_id}
        if relation not in entity.relations:
            raise ApiError(404, "resource.notFound", "No such relationship.")
        entity.relations.remove(relation)
        target = self.workspace.entity(target_id)
        opposite = {"type": _OPPOSITES[relation_type], "target": entity.id}
        target.relations = [other for other in target.relations if other != opposite]
        entity.touch()

    def _target(self, target_id: str, pointer: str) -> Entity:
        found = self.workspace.entities.get(target_id)
        if found is None:
            raise reference_not_found("The target does not exist, or this token may not see it.", pointer)
        return found

    def _check_parent(self, child: Entity, parent: Entity, pointer: str) -> None:
        if parent.type not in PARENT_TYPES[child.type]:
            raise failed(f"A {parent.type} cannot be the parent of a {child.type}.", pointer)
        if any(below.id == parent.id for below in self.workspace.with_descendants(child)):
            raise failed("An entity cannot stand below itself.", pointer)


def _check_clearable(spec: FieldSpec, pointer: str) -> None:
    if not spec.clearable:
        raise failed(f"The field '{spec.key}' cannot be empty.", pointer)


def _differs(key: str, before: Any, after: Any) -> bool:
    if key == "health" and before and after:
        # Its id and time are made anew on each write and say nothing.
        shown = ("mode", "status", "comment")
        return [before.get(name) for name in shown] != [after.get(name) for name in shown]
    return bool(before != after)


def _exists() -> ApiError:
    return ApiError(
        409, "conflict.uniqueViolation", "This relationship exists already.", pointer="/data/target/id"
    )


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _source(metadata: EntityMetadata | None) -> dict[str, str] | None:
    if metadata is None:
        return None
    return {key: value for key, value in metadata.source.model_dump().items() if value} or None


def check_fields_or_patch(given: set[str]) -> None:
    """The text forbids both together, though one published example shows both; we take the text's word."""
    if {"fields", "patch"} <= given:
        raise invalid("Send either 'fields' or 'patch', not both.", "/data/patch")
