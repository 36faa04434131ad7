"""The repository's webhook through which GitHub tells us about its issues, and its log of deliveries."""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from keepstep.adapters.http import Call, Reply, segment
from keepstep.adapters.trackers.github.client import PER_PAGE, GitHubClient, next_address, repository_path
from keepstep.adapters.trackers.github.wire import DeliveryWire, HookWire
from keepstep.ports.errors import NotThereError, RejectedError
from keepstep.ports.registrations import HookReport, HookState
from keepstep.ports.tracker import HookFacts

_RIGHT = (
    'the repository permission "Webhooks: read and write", and its owner has to be an admin of the repository'
)
_EVENTS = ["issues"]
_DELIVERY_PAGES = 10
_MOST_AGAIN = 30
"""Asking again counts as writing, and 40 writes may go at once."""
_CURSOR = re.compile(r"[?&]cursor=([^&]+)")


class GitHubNotifications:
    def __init__(self, client: GitHubClient) -> None:
        self._client = client

    async def ensure_hook(self, project: str, url: str, secret: str) -> HookFacts:
        config = {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"}
        hooks = repository_path(project, "/hooks")
        found = await self._find(hooks, url)
        if found is None:
            body = {"name": "web", "active": True, "events": _EVENTS, "config": config}
            hook = (await self._send("POST", hooks, body)).parse(HookWire)
        else:
            body = {"active": True, "events": _EVENTS, "config": config}
            hook = (await self._send("PATCH", f"{hooks}/{found.id}", body)).parse(HookWire)
        return HookFacts(str(hook.id), signed=True)

    async def _find(self, hooks: str, url: str) -> HookWire | None:
        call = Call("GET", hooks, "the webhooks", right=_RIGHT)
        try:
            async for reply, page in self._client.pages(call):
                for each in page:
                    hook = reply.parse(HookWire, each)
                    if hook.config.url == url:
                        return hook
        except NotThereError as error:
            # Whoever is no admin sees no webhooks at all.
            raise RejectedError(
                f"GitHub shows this token no webhooks. It needs {_RIGHT}.", field="", status=403
            ) from error
        return None

    async def _send(self, method: str, path: str, body: dict[str, Any]) -> Reply:
        return await self._client.send(Call(method, path, "the webhook", body=body, right=_RIGHT))

    async def remove_hook(self, project: str, hook: str) -> None:
        path = repository_path(project, f"/hooks/{segment(hook)}")
        try:
            await self._client.send(Call("DELETE", path, "the webhook", right=_RIGHT, answers=False))
        except NotThereError:
            return

    async def inspect_hook(self, project: str, hook: str, url: str) -> HookReport:
        path = repository_path(project, f"/hooks/{segment(hook)}")
        try:
            found = (await self._client.send(Call("GET", path, "the webhook", right=_RIGHT))).parse(HookWire)
        except NotThereError:
            return HookReport(HookState.MISSING)
        if found.config.url != url:
            return HookReport(HookState.ELSEWHERE, found.config.url)
        if not found.active:
            return HookReport(HookState.DISABLED, "Somebody switched it off in GitHub.")
        code = found.last_response.code if found.last_response else None
        told = f"Its last delivery was answered with {code}." if code and code >= 300 else ""
        return HookReport(HookState.FINE, told)

    async def ask_again(self, project: str, hook: str, since: datetime) -> int:
        """GitHub never repeats a delivery by itself, and keeps its log for three days.

        One delivery has the same guid in all of its attempts: asked for again is what none of them got through.
        """
        path = repository_path(project, f"/hooks/{segment(hook)}/deliveries")
        failed: dict[str, int] = {}
        through: set[str] = set()
        async for each in self._deliveries(path, since):
            if 200 <= each.status_code < 300:
                through.add(each.guid)
            elif each.event in _EVENTS:
                failed.setdefault(each.guid, each.id)
        again = [number for guid, number in failed.items() if guid not in through][:_MOST_AGAIN]
        for number in again:
            call = Call("POST", f"{path}/{number}/attempts", "a delivery", right=_RIGHT, answers=False)
            await self._client.send(call)
        return len(again)

    async def _deliveries(self, path: str, since: datetime) -> AsyncIterator[DeliveryWire]:
        """Newest first."""
        cursor = ""
        for _ in range(_DELIVERY_PAGES):
            params = (("per_page", str(PER_PAGE)), *((("cursor", cursor),) if cursor else ()))
            reply = await self._client.send(Call("GET", path, "the deliveries", params, right=_RIGHT))
            for delivery in (reply.parse(DeliveryWire, each) for each in reply.items()):
                if delivery.delivered_at < since:
                    return
                yield delivery
            following = _CURSOR.search(next_address(reply))
            if following is None:
                return
            cursor = following[1]
