"""GitLab's calls to us: proof first, then which issue it is about.

`webhook-id` and `webhook-timestamp` come with every delivery, signed or not, so a missing `webhook-signature` is no
sign of an old server: once our hook has a signing key, a delivery without a valid signature is refused.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from keepstep.adapters.incoming import Incoming, Name, Number, delivery_id, json_object, read_as
from keepstep.adapters.trackers.gitlab.secrets import hook_token, signing_token
from keepstep.domain.ids import TicketId
from keepstep.ports.errors import NotGenuineError, UnreadableError
from keepstep.ports.tracker import TicketNotice

_TICKET_KINDS = frozenset({"issue", "work_item"})
_NO_TICKET = "it is about no issue"
IGNORED_KINDS: Mapping[str, str] = {
    "note": "a comment changes no field that is kept",
    "emoji": "a reaction changes no field that is kept",
    "access_token": "the token's expiry is read with the token",
    **dict.fromkeys(
        (
            "build",
            "deployment",
            "feature_flag",
            "member",
            "merge_request",
            "milestone",
            "pipeline",
            "project",
            "push",
            "release",
            "subgroup",
            "tag_push",
            "vulnerability",
            "wiki_page",
        ),
        _NO_TICKET,
    ),
}
"""Kinds that a hook of ours does not ask for, but that a person may switch on, each with why it is passed over."""


class _Person(Incoming):
    name: Name | None = None
    username: Name | None = None


class _Attributes(Incoming):
    id: Number
    action: str | None = None
    """Missing where a change has none of the known ones, such as a move up or down a board."""


class _IssueEvent(Incoming):
    object_attributes: _Attributes
    user: _Person | None = None


class GitLabWire:
    def __init__(self, *, delete_events: bool) -> None:
        """`delete_events`: GitTab tells of deletions; GitLab does not (its issue 377475 asks for it)."""
        self._delete_events = delete_events

    def read_notification(
        self, headers: Mapping[str, str], body: bytes, secret: str, *, signed: bool
    ) -> Sequence[TicketNotice]:
        named = {name.lower(): value for name, value in headers.items()}
        _prove(named, body, secret, signed=signed)
        content = json_object(body)
        kind = str(content.get("object_kind"))
        if kind in IGNORED_KINDS:
            return ()
        if kind not in _TICKET_KINDS:
            raise UnreadableError(f"This is not an event of an issue: object_kind is {kind[:50]!r}.")
        return (self._notice(content, named),)

    def _notice(self, content: dict[str, Any], headers: Mapping[str, str]) -> TicketNotice:
        """A move closes the issue with `moved_to_id` set: it counts as changed, and reading it again shows where to."""
        event = read_as(_IssueEvent, content, "an event of an issue")
        person = event.user or _Person()
        return TicketNotice(
            ticket=TicketId(str(event.object_attributes.id)),
            # Equal across the retries of one delivery. The first is part of what is signed; both have one value.
            delivery_id=delivery_id(headers, "webhook-id", "idempotency-key"),
            deleted=self._delete_events and event.object_attributes.action == "delete",
            actor=person.name or person.username or "",
        )


def _prove(headers: Mapping[str, str], body: bytes, secret: str, *, signed: bool) -> None:
    given = headers.get("x-gitlab-token", "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), hook_token(secret).encode("ascii")):
        raise NotGenuineError("X-Gitlab-Token is not ours.")
    if not signed:
        return
    try:
        Webhook(signing_token(secret)).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as error:
        # ValueError: the library's own on a signature without a comma, or one that is not base64.
        raise NotGenuineError("The signature of this delivery is missing, old or not ours.") from error
