"""Webhooks out: which changes fire which events, and to whom.

Only features, components and products have events here; a subfeature fires none (the vendor lists no
`subfeature.*`, and whether `feature.*` covers them in v2 is unknown, so clients must be able to live without).
Writes by the API come back as webhooks too.
"""

from collections.abc import Sequence

from keepstep_sandbox.app import Sandbox
from keepstep_sandbox.delivery import Callback
from keepstep_sandbox.productboard.fields import SPECS
from keepstep_sandbox.productboard.state import Entity, Workspace

# 1 min, then three times as long each time, eight in all; the later ones are documented for v1 only.
RETRY_SECONDS = tuple(60.0 * 3**step for step in range(8))
_EVENTS = {
    "feature": ("created", "updated", "deleted"),
    "component": ("created", "updated"),
    "product": ("created", "updated"),
}
_CUSTOM_EVENT = "hierarchy-entity.custom-field-value.updated"


class Notices:
    """Turns changes into deliveries."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def announce(
        self, workspace: Workspace, entity: Entity, happened: str, attributes: Sequence[str]
    ) -> None:
        if happened not in _EVENTS.get(entity.type, ()):
            return
        base = self._sandbox.config.public_base
        custom = [key for key in attributes if key in SPECS and SPECS[key].is_custom]
        built_in = [key for key in attributes if key not in custom]
        if happened != "updated" or built_in:
            # The target's path is v1's, as in the vendor's own examples: take the id, never the link.
            data = {"id": entity.id, "eventType": f"{entity.type}.{happened}"}
            more = {"updatedAttributes": built_in} if happened == "updated" else {}
            self._send(workspace, {**data, **more, "links": {"target": f"{base}/{entity.type}s/{entity.id}"}})
        for key in custom:
            query = f"customField.id={key}&hierarchyEntity.id={entity.id}"
            target = f"{base}/hierarchy-entities/custom-fields-values/value?{query}"
            self._send(workspace, {"eventType": _CUSTOM_EVENT, "links": {"target": target}})

    def _send(self, workspace: Workspace, data: dict[str, object]) -> None:
        for webhook in workspace.webhooks.values():
            if data["eventType"] in webhook.events:
                headers = {} if webhook.authorization is None else {"Authorization": webhook.authorization}
                self._sandbox.delivery.post(
                    Callback(webhook.url, {"data": data}, headers, RETRY_SECONDS, source=webhook.id)
                )
