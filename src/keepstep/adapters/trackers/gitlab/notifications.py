"""The project hook through which GitLab tells us about its issues."""

from datetime import datetime
from typing import Any

from keepstep.adapters.http import Call, Reply, segment
from keepstep.adapters.trackers.gitlab.client import GitLabClient, project_path
from keepstep.adapters.trackers.gitlab.secrets import hook_token, signing_token
from keepstep.adapters.trackers.gitlab.wire import HookWire
from keepstep.ports.errors import NotThereError, RejectedError
from keepstep.ports.registrations import HookReport, HookState
from keepstep.ports.tracker import HookFacts

_RIGHT = 'the scope "api" and the role Maintainer'
_EXECUTABLE = "executable"


class GitLabNotifications:
    def __init__(self, client: GitLabClient) -> None:
        self._client = client

    async def ensure_hook(self, project: str, url: str, secret: str) -> HookFacts:
        body = _wire_from_hook(url, secret)
        hooks = project_path(project, "/hooks")
        found = await self._find(hooks, url)
        if found is None:
            hook = (await self._send("POST", hooks, body)).parse(HookWire)
        else:
            hook = (await self._send("PUT", f"{hooks}/{found.id}", body)).parse(HookWire)
            if _EXECUTABLE not in (found.alert_status, hook.alert_status):
                await self._revive(f"{hooks}/{found.id}")
        return HookFacts(str(hook.id), signed=hook.signing_token_present)

    async def _find(self, hooks: str, url: str) -> HookWire | None:
        call = Call("GET", hooks, "the webhooks", right=_RIGHT)
        async for reply, page in self._client.pages(call):
            for each in page:
                hook = reply.parse(HookWire, each)
                if hook.url == url:
                    return hook
        return None

    async def _revive(self, hook: str) -> None:
        """A hook that failed too often is switched off until a delivery by hand succeeds.

        That needs an issue in the project and our door open; where it fails the poll goes on finding the changes.
        """
        try:
            await self._client.send(
                Call("POST", f"{hook}/test/issues_events", "the webhook's test", right=_RIGHT, answers=False)
            )
        except (RejectedError, NotThereError):
            return

    async def _send(self, method: str, path: str, body: dict[str, Any]) -> Reply:
        return await self._client.send(Call(method, path, "the webhook", body=body, right=_RIGHT))

    async def remove_hook(self, project: str, hook: str) -> None:
        path = project_path(project, f"/hooks/{segment(hook)}")
        try:
            await self._client.send(Call("DELETE", path, "the webhook", right=_RIGHT, answers=False))
        except NotThereError:
            return

    async def inspect_hook(self, project: str, hook: str, url: str) -> HookReport:
        path = project_path(project, f"/hooks/{segment(hook)}")
        try:
            found = (await self._client.send(Call("GET", path, "the webhook", right=_RIGHT))).parse(HookWire)
        except NotThereError:
            return HookReport(HookState.MISSING)
        if found.url != url:
            return HookReport(HookState.ELSEWHERE, found.url)
        if found.alert_status != _EXECUTABLE:
            return HookReport(
                HookState.DISABLED, "GitLab switched it off after deliveries that failed one after the other."
            )
        return HookReport(HookState.FINE)

    async def ask_again(self, project: str, hook: str, since: datetime) -> int:  # noqa: ARG002 - not declared
        return 0


def _wire_from_hook(url: str, secret: str) -> dict[str, Any]:
    """Issues alone: `push_events` is on unless switched off, and comments change no field that is kept."""
    return {
        "url": url,
        "name": "Keepstep",
        "issues_events": True,
        "confidential_issues_events": True,
        "push_events": False,
        "note_events": False,
        "enable_ssl_verification": True,
        "token": hook_token(secret),
        "signing_token": signing_token(secret),
    }
