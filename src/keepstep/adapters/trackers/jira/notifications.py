"""The webhook through which Jira tells us about issues of one project. Only administrators may make one."""

from datetime import datetime
from typing import Any

from keepstep.adapters.http import Call, segment
from keepstep.adapters.trackers.jira.client import JiraClient
from keepstep.adapters.trackers.jira.wire import HookWire
from keepstep.ports.errors import NotThereError, RejectedError
from keepstep.ports.registrations import HookReport, HookState
from keepstep.ports.tracker import HookFacts

_HOOKS = "/rest/webhooks/1.0/webhook"
_RIGHT = "the global right Administer Jira"
_EVENTS = ["jira:issue_created", "jira:issue_updated", "jira:issue_deleted"]
_NOT_ALLOWED = 403


class JiraNotifications:
    def __init__(self, client: JiraClient) -> None:
        self._client = client

    async def ensure_hook(self, project: str, url: str, secret: str) -> HookFacts:
        """The secret is written again each time: Jira never shows it, so it cannot be compared."""
        body = _wire_from_hook(project, url, secret)
        found = await self._find(url)
        method, path = ("POST", _HOOKS) if found is None else ("PUT", f"{_HOOKS}/{segment(found.id)}")
        reply = await self._client.send(Call(method, path, "the webhook", body=body, right=_RIGHT))
        return HookFacts(reply.parse(HookWire).id, signed=True)

    async def _find(self, url: str) -> HookWire | None:
        reply = await self._client.send(Call("GET", _HOOKS, "the webhooks", right=_RIGHT))
        hooks = (reply.parse(HookWire, each) for each in reply.items())
        return next((each for each in hooks if each.url == url), None)

    async def remove_hook(self, project: str, hook: str) -> None:  # noqa: ARG002 - hooks belong to the site
        path = f"{_HOOKS}/{segment(hook)}"
        try:
            await self._client.send(Call("DELETE", path, "the webhook", right=_RIGHT, answers=False))
        except NotThereError:
            return

    async def inspect_hook(self, project: str, hook: str, url: str) -> HookReport:  # noqa: ARG002 - hooks belong to the site
        try:
            reply = await self._client.send(
                Call("GET", f"{_HOOKS}/{segment(hook)}", "the webhook", right=_RIGHT)
            )
        except NotThereError:
            return HookReport(HookState.MISSING)
        except RejectedError as error:
            if error.status != _NOT_ALLOWED:
                raise
            return HookReport(HookState.UNKNOWN, "Only an administrator of Jira can look.")
        found = reply.parse(HookWire)
        if found.url != url:
            return HookReport(HookState.ELSEWHERE, found.url)
        if not found.enabled:
            return HookReport(HookState.DISABLED, "Somebody switched it off in Jira's settings.")
        return HookReport(HookState.FINE)

    async def ask_again(self, project: str, hook: str, since: datetime) -> int:  # noqa: ARG002 - not declared
        return 0


def _wire_from_hook(project: str, url: str, secret: str) -> dict[str, Any]:
    """An issue that leaves the project is no longer told of; looking finds it where it is."""
    return {
        "name": "Keepstep",
        "url": url,
        "events": _EVENTS,
        "filters": {"issue-related-events-section": f"project = {project}"},
        "excludeBody": False,
        "enabled": True,
        "secret": secret,
    }
