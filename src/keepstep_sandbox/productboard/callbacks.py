"""What Productboard calls at a plugin integration: the probe, and the click of a person.

Both have 5 s. A click's answer is applied when it arrives, so it overwrites a PUT made before it: the real race.
What the error popup says after a failed click is not published; the sentence is ours, the reason is in `debugDetail`.
"""

import ipaddress
import secrets
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import ValidationError

from keepstep_sandbox.app import Sandbox
from keepstep_sandbox.delivery import Attempt
from keepstep_sandbox.productboard.errors import ApiError, invalid
from keepstep_sandbox.productboard.state import Entity, Member, PluginIntegration, Workspace
from keepstep_sandbox.productboard.wire_callbacks import ConnectionBody

TRIGGERS = ("button.push", "button.unlink", "button.dismiss")
INITIAL = {"state": "initial"}
_POPUP = "The integration did not answer as expected. Try again later."
_DEBUG_LIMIT = 8000
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")


def check_callback_url(url: str, pointer: str, *, insecure: bool) -> None:
    """Raises ApiError 400 for what the vendor would not call; with `insecure`, http and private hosts pass."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (insecure and parts.scheme == "http"):
        raise invalid("The address must begin with https://.", pointer)
    host = parts.hostname or ""
    if not host:
        raise invalid("The address has no host.", pointer)
    if not insecure and _is_private(host):
        raise ApiError(
            400, "callback.invalidUrl", "The address must be reachable from the internet.", pointer=pointer
        )


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host == "localhost" or host.endswith(_PRIVATE_SUFFIXES)


async def probe(sandbox: Sandbox, integration: PluginIntegration) -> None:
    """Raises ApiError 400 `callback.probeFailed` unless the token comes back alone, as text/plain, with 200.

    The HTTP status of a failed probe is not stated for v2; v1 answered 400.
    """
    token = secrets.token_urlsafe(24)
    parts = urlsplit(integration.url)
    query = "&".join(filter(None, [parts.query, "validationToken=" + quote(token)]))
    answer = await sandbox.delivery.call(
        "GET",
        urlunsplit(parts._replace(query=query)),
        kind="probe",
        headers={**integration.headers, "Accept": "text/plain"},
    )
    reason = _probe_fault(answer, token)
    if reason is not None:
        raise ApiError(400, "callback.probeFailed", reason, pointer="/data/fields/action/url")


def _probe_fault(answer: Attempt, token: str) -> str | None:
    if answer.status is None:
        return f"The probe got no answer: {answer.error}."
    if answer.status != 200:
        return f"The probe was answered with {answer.status} instead of 200."
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/plain":
        return f"The probe was answered as '{kind}' instead of 'text/plain'."
    if answer.body != token.encode():
        return "The probe's answer is not exactly the validation token."
    return None


@dataclass(frozen=True)
class ClickOutcome:
    connection: dict[str, Any]
    answer_ms: float
    status: int | None


class Clicks:
    """Persons' clicks; knows which cells are spinning."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._under_way: Counter[tuple[str, str]] = Counter()

    def is_under_way(self, integration_id: str, entity_id: str) -> bool:
        return self._under_way[integration_id, entity_id] > 0

    async def click(
        self,
        workspace: Workspace,
        integration: PluginIntegration,
        entity: Entity,
        trigger: str,
        user: Member | None,
    ) -> ClickOutcome:
        """Calls the action, applies its answer, and returns the connection that results."""
        key = (integration.id, entity.id)
        self._under_way[key] += 1
        try:
            answer = await self._sandbox.delivery.call(
                "POST",
                integration.url,
                kind="click",
                headers=integration.headers,
                body=self._body(workspace, integration, entity, trigger, user),
            )
        finally:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]
        state = _state_from(answer)
        if integration.id in workspace.integrations and entity.id in workspace.entities:
            put_connection(integration, entity.id, state)
            self._sandbox.changed()
        return ClickOutcome(state, answer.duration_ms, answer.status)

    def _body(
        self,
        workspace: Workspace,
        integration: PluginIntegration,
        entity: Entity,
        trigger: str,
        user: Member | None,
    ) -> dict[str, Any]:
        base = self._sandbox.config.public_base
        data: dict[str, Any] = {
            "integrationId": integration.id,
            "trigger": trigger,
            "feature": {
                "id": entity.id,
                # A v1 address even in the v2 files; nothing answers there any more.
                "links": {
                    "self": f"{base}/features/{entity.id}",
                    "html": workspace.html_url(entity.id, base),
                },
            },
            "links": {
                "connection": f"{base}/v2/plugin-integrations/{integration.id}/connections/{entity.id}"
            },
        }
        if user is not None:
            data["triggeredByUser"] = {"name": user.name, "email": user.email}
        return {"data": data}


def put_connection(integration: PluginIntegration, entity_id: str, state: dict[str, Any]) -> None:
    """`initial` and absent are the same."""
    if state["state"] == "initial":
        integration.connections.pop(entity_id, None)
    else:
        integration.connections[entity_id] = state


def _state_from(answer: Attempt) -> dict[str, Any]:
    if answer.status is None:
        return _error(f"No answer to the click: {answer.error}")
    if answer.status != 200:
        text = answer.body.decode("utf-8", "replace")
        return _error(f"The click was answered with {answer.status} instead of 200: {text}")
    try:
        return ConnectionBody.model_validate_json(answer.body).state
    except ValidationError as wrong:
        reasons = "; ".join(
            f"{'/'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in wrong.errors(include_url=False)
        )
        return _error(f"The answer to the click does not parse: {reasons}")


def _error(detail: str) -> dict[str, Any]:
    return {"state": "error", "message": _POPUP, "debugDetail": detail[:_DEBUG_LIMIT]}
