"""What marks an issue as ours besides its text: a label, an entity property, and a remote link back."""

from typing import Any

from keepstep.adapters.http import Call, segment
from keepstep.adapters.trackers.jira.client import JiraClient, issue_path
from keepstep.domain.ticket import TicketRef
from keepstep.ports.errors import NotThereError

_RIGHT = "the rights Edit issues and Link issues"


def property_of(marker: str) -> dict[str, Any]:
    """Goes along with the create, in one act with it."""
    return {"key": _property(marker), "value": {"marker": marker}}


def _property(marker: str) -> str:
    """One for each Link: of two on one issue each takes away its own."""
    return f"dev.keepstep.{marker}"


class Marks:
    def __init__(self, client: JiraClient) -> None:
        self._client = client

    async def ensure(self, ref: TicketRef, marker: str, link_back: str) -> None:
        """A remote link is one by its `globalId`: written again it is brought up to date."""
        await self._label(ref, "add", marker)
        path = issue_path(ref.id, f"/properties/{_property(marker)}")
        await self._send("PUT", path, ref, property_of(marker)["value"])
        if link_back:
            await self.link(ref, marker, link_back)

    async def link(self, ref: TicketRef, marker: str, link_back: str) -> None:
        body = {
            "globalId": _global_id(marker),
            "application": {"type": "com.productboard", "name": "Productboard"},
            "relationship": "Productboard",
            "object": {"url": link_back, "title": "Feature in Productboard"},
        }
        await self._send("POST", issue_path(ref.id, "/remotelink"), ref, body)

    async def remove(self, ref: TicketRef, marker: str) -> None:
        try:
            await self._label(ref, "remove", marker)
        except NotThereError:
            return
        for path, params in (
            (issue_path(ref.id, f"/properties/{segment(_property(marker))}"), ()),
            (issue_path(ref.id, "/remotelink"), (("globalId", _global_id(marker)),)),
        ):
            call = Call(
                "DELETE", path, f"the marks of issue {ref.label}", params, right=_RIGHT, answers=False
            )
            try:
                await self._client.send(call)
            except NotThereError:
                continue

    async def _label(self, ref: TicketRef, act: str, marker: str) -> None:
        await self._send("PUT", issue_path(ref.id), ref, {"update": {"labels": [{act: marker}]}})

    async def _send(self, method: str, path: str, ref: TicketRef, body: dict[str, Any]) -> None:
        thing = f"the marks of issue {ref.label}"
        await self._client.send(Call(method, path, thing, body=body, right=_RIGHT, answers=False))


def _global_id(marker: str) -> str:
    return f"keepstep:{marker}"
