"""Linear's calls to us: proof first, then which issue it is about.

`Linear-Signature` is the HMAC with SHA-256 of the raw body in hexadecimal digits; the body tells when it was sent, for
each attempt anew, and one that is older than a minute is refused (the vendor's SDK does both).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keepstep.adapters.incoming import Id, Incoming, Name, delivery_id, is_signed, json_object, read_as
from keepstep.domain.ids import TicketId
from keepstep.ports.errors import NotGenuineError, UnreadableError
from keepstep.ports.tracker import TicketNotice

_TICKET_TYPE = "Issue"
_LARGEST_AGE_SECONDS = 60
_NO_TICKET = "it is about no issue"
IGNORED_TYPES: Mapping[str, str] = {
    "Comment": "a comment changes no field that is kept",
    "Reaction": "a reaction changes no field that is kept",
    "Attachment": "an attachment changes no field that is kept",
    "IssueLabel": "a label's own name is read with the issue",
    "IssueSLA": "a deadline is no field that is kept",
    **dict.fromkeys(
        (
            "AgentSessionEvent",
            "AppUserNotification",
            "Customer",
            "CustomerNeed",
            "Cycle",
            "Document",
            "Initiative",
            "InitiativeUpdate",
            "OAuthApp",
            "PermissionChange",
            "Project",
            "ProjectLabel",
            "ProjectUpdate",
            "Release",
            "User",
        ),
        _NO_TICKET,
    ),
}
"""Types that a webhook of ours does not ask for, but that a person may tick, each with why it is passed over."""


class _Actor(Incoming):
    name: Name | None = None


class _Data(Incoming):
    id: Id
    trashed: bool | None = None


class _IssueEvent(Incoming):
    action: str
    data: _Data
    actor: _Actor | None = None


class LinearWire:
    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """`now`: seconds since 1970."""
        self._now = now

    def read_notification(
        self,
        headers: Mapping[str, str],
        body: bytes,
        secret: str,
        *,
        signed: bool,  # noqa: ARG002 - Linear signs every delivery
    ) -> Sequence[TicketNotice]:
        named = {name.lower(): value for name, value in headers.items()}
        _prove(named, body, secret)
        content = json_object(body)
        self._prove_age(content)
        kind = str(content.get("type"))
        if kind in IGNORED_TYPES:
            return ()
        if kind != _TICKET_TYPE:
            raise UnreadableError(f"This is not an event of an issue: type is {kind[:50]!r}.")
        return (_notice(content, named),)

    def _prove_age(self, content: dict[str, Any]) -> None:
        sent = content.get("webhookTimestamp")
        if isinstance(sent, bool) or not isinstance(sent, int | float):
            raise NotGenuineError("webhookTimestamp is missing, so this delivery may be an old one.")
        if not abs(self._now() - sent / 1000) <= _LARGEST_AGE_SECONDS:
            raise NotGenuineError("This delivery was sent more than a minute ago, or our clock is wrong.")


def _prove(headers: Mapping[str, str], body: bytes, secret: str) -> None:
    if not is_signed(body, secret, headers.get("linear-signature", "")):
        raise NotGenuineError("Linear-Signature is missing or not ours.")


def _notice(content: dict[str, Any], headers: Mapping[str, str]) -> TicketNotice:
    """Deleting sends `remove`, or an update into the trash; the way back is an update out of it."""
    event = read_as(_IssueEvent, content, "an event of an issue")
    return TicketNotice(
        ticket=TicketId(event.data.id),
        delivery_id=delivery_id(headers, "linear-delivery"),
        deleted=event.action == "remove" or bool(event.data.trashed),
        actor=(event.actor.name if event.actor else None) or "",
    )
