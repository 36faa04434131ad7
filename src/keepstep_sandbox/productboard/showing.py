"""Entities as the API shows them: only what is not empty, unless the caller names fields or asks for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from keepstep_sandbox.productboard.errors import invalid
from keepstep_sandbox.productboard.fields import SPECS, Values
from keepstep_sandbox.productboard.state import Entity

_INLINE_RELATIONS = 100
Selection = Literal["all", "default"] | Sequence[str]


def check_selection(names: Sequence[str], **source: str) -> None:
    """Raises ApiError 400 for a name that is no field; nested paths are none."""
    for name in names:
        if name not in SPECS:
            raise invalid(f"'{name}' is not a field that can be selected.", **source)


@dataclass(frozen=True)
class Shower:
    values: Values
    base: str

    def reference(self, entity: Entity) -> dict[str, Any]:
        return {"id": entity.id, "type": entity.type, "links": self.links(entity)}

    def links(self, entity: Entity) -> dict[str, str]:
        html = self.values.workspace.html_url(entity.id, self.base)
        return {"self": f"{self.base}/v2/entities/{entity.id}", "html": html}

    def entity(self, entity: Entity, selection: Selection = "default") -> dict[str, Any]:
        relations = self.relationships(entity)
        more = (
            f"{self.base}/v2/entities/{entity.id}/relationships"
            if len(relations) > _INLINE_RELATIONS
            else None
        )
        shown = {
            **self.reference(entity),
            "fields": self._fields(entity, selection),
            "relationships": {"data": relations[:_INLINE_RELATIONS], "links": {"next": more}},
            "createdAt": entity.created_at,
            "updatedAt": entity.updated_at,
        }
        if entity.source:
            shown["metadata"] = {"source": entity.source}
        return shown

    def _fields(self, entity: Entity, selection: Selection) -> dict[str, Any]:
        everything = selection == "all" or "all" in selection
        shown: dict[str, Any] = {}
        for key, spec in SPECS.items():
            if entity.type not in spec.types:
                continue
            if selection != "default" and not everything and key not in selection:
                continue
            if key in entity.fields:
                shown[key] = self.values.shown(spec, entity.fields[key])
            elif everything:
                shown[key] = None
        return shown

    def relationships(self, entity: Entity) -> list[dict[str, Any]]:
        workspace = self.values.workspace
        pairs = [("parent", entity.parent)] if entity.parent else []
        pairs += [("child", child.id) for child in workspace.children(entity.id)]
        pairs += [(relation["type"], relation["target"]) for relation in entity.relations]
        return [self.relationship(kind, workspace.entities[target]) for kind, target in pairs]

    def relationship(self, kind: str, target: Entity) -> dict[str, Any]:
        return {"type": kind, "target": self.reference(target)}
