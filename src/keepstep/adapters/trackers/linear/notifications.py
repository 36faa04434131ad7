"""The webhook of a team through which Linear tells us about its issues. Only admins may see or make webhooks."""

from datetime import datetime
from typing import Any

from keepstep.adapters.trackers.linear import queries
from keepstep.adapters.trackers.linear.client import LinearClient
from keepstep.adapters.trackers.linear.wire import HookWire
from keepstep.ports.errors import NotThereError, RejectedError
from keepstep.ports.registrations import HookReport, HookState
from keepstep.ports.tracker import HookFacts

_RIGHT = "a workspace admin's key with the right Admin"
_TOPICS = ("Issue",)
"""Comments change no field that is kept."""


class LinearNotifications:
    def __init__(self, client: LinearClient) -> None:
        self._client = client

    async def ensure_hook(self, project: str, url: str, secret: str) -> HookFacts:
        """One that Linear switched off after failures is switched on again."""
        found = await self._find(url)
        body: dict[str, Any] = {
            "url": url, "secret": secret, "resourceTypes": list(_TOPICS), "label": "Keepstep", "enabled": True,
        }  # fmt: skip
        if found is None:
            part = await self._client.change(
                queries.CREATE_HOOK,
                "webhookCreate",
                {"input": {**body, "teamId": project}},
                "the webhook",
                _RIGHT,
            )
        else:
            variables = {"id": found.id, "input": body}
            part = await self._client.change(
                queries.UPDATE_HOOK, "webhookUpdate", variables, "the webhook", _RIGHT
            )
        return HookFacts(part.at("webhook").parse(HookWire).id, signed=True)

    async def _find(self, url: str) -> HookWire | None:
        after: str | None = None
        while True:
            data = await self._client.ask(queries.HOOKS, {"after": after}, "the webhooks", _RIGHT)
            hooks = data.at("webhooks")
            for each in hooks.nodes(HookWire):
                if each.url == url:
                    return each
            after = hooks.next_cursor
            if not after:
                return None

    async def remove_hook(self, project: str, hook: str) -> None:  # noqa: ARG002 - ids know no team
        try:
            await self._client.change(
                queries.DELETE_HOOK, "webhookDelete", {"id": hook}, "the webhook", _RIGHT
            )
        except NotThereError:
            return

    async def inspect_hook(self, project: str, hook: str, url: str) -> HookReport:  # noqa: ARG002 - ids know no team
        try:
            data = await self._client.ask(queries.HOOK, {"id": hook}, "the webhook", _RIGHT)
        except NotThereError:
            return HookReport(HookState.MISSING)
        except RejectedError as error:
            return HookReport(HookState.UNKNOWN, str(error))
        found = data.at("webhook").parse(HookWire)
        if found.url != url:
            return HookReport(HookState.ELSEWHERE, found.url or "")
        if not found.enabled:
            return HookReport(HookState.DISABLED, _why(found))
        return HookReport(HookState.FINE)

    async def ask_again(self, project: str, hook: str, since: datetime) -> int:  # noqa: ARG002 - not declared
        return 0


def _why(hook: HookWire) -> str:
    if not hook.failures:
        return "It is switched off in Linear."
    last = max(hook.failures, key=lambda each: each.created_at)
    told = f"status {last.http_status:.0f}" if last.http_status else (last.response_or_error or "no answer")
    return f"Linear switched it off after deliveries that failed; the last with {told[:200]}."
