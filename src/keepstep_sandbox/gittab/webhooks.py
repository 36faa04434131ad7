"""Sending webhooks as GitLab does: headers, two kinds of secret, event list, and the hook that switches itself off.

Guarantee: one delivery per event and fitting hook, with an Idempotency-Key that stays equal over retries and
resends. A refused delivery is not repeated; one without an answer is (GitLab leaves that to its job queue; how often is
our guess). Source: GitLab's documentation and `auto_disabling.rb`. Its limit of 10 s is set in `create_app`.
"""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from keepstep_sandbox.app import Sandbox
from keepstep_sandbox.delivery import Attempt, Callback
from keepstep_sandbox.gittab.moments import after
from keepstep_sandbox.gittab.state import Hook, HookEvent, Issue, Note, State
from keepstep_sandbox.gittab.wire import FAILURES_BEFORE_PAUSE, Wire, alert_status

INSTANCE_VERSION = "19.0.0"
_PAUSE_SECONDS = 60.0
_MOST_PAUSE_SECONDS = 86_400.0
_RETRY_SECONDS = (3.0, 15.0, 60.0)  # after a time-out or a network error
_EVENTS_KEPT_PER_HOOK = 200
_HEADER_OF = {
    "issues_events": "Issue Hook",
    "confidential_issues_events": "Confidential Issue Hook",
    "note_events": "Note Hook",
    "confidential_note_events": "Confidential Note Hook",
}
_TRIGGER_OF = {
    "Issue Hook": "issue_hooks",
    "Confidential Issue Hook": "confidential_issue_hooks",
    "Note Hook": "note_hooks",
    "Confidential Note Hook": "confidential_note_hooks",
}


def sent_bytes(body: Mapping[str, Any]) -> bytes:
    """The bytes that go over the wire; the signature is over them."""
    return json.dumps(body, separators=(",", ":")).encode()


def signature(signing_token: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Standard Webhooks, symmetric: the key is the base64 text behind `whsec_`."""
    key = base64.b64decode(signing_token.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


class Webhooks:
    """Decides which hooks an event concerns, sends, and keeps the books of each hook."""

    def __init__(self, state: State, wire: Wire, sandbox: Sandbox) -> None:
        self._state = state
        self._wire = wire
        self._sandbox = sandbox
        self.muted = False  # while a write is carried out that a fault will undo
        sandbox.delivery.on_attempt = self._note_attempt

    def issue_event(self, issue: Issue, body: dict[str, Any]) -> None:
        event = "confidential_issues_events" if issue.confidential else "issues_events"
        self._fire(issue.project_id, event, body)

    def note_event(self, note: Note, issue: Issue, body: dict[str, Any]) -> None:
        hidden = issue.confidential or note.internal
        self._fire(issue.project_id, "confidential_note_events" if hidden else "note_events", body)

    def _fire(self, project_id: int, event: str, body: dict[str, Any]) -> None:
        event_uuid = str(uuid.uuid4())
        for hook in self._state.hooks_of(project_id):
            if hook.events[event] and not self.muted and alert_status(hook) == "executable":
                self._sandbox.delivery.post(self._callback(hook, _HEADER_OF[event], body, event_uuid))

    def _callback(
        self, hook: Hook, event_name: str, body: Mapping[str, Any], event_uuid: str, key: str | None = None
    ) -> Callback:
        key = key or str(uuid.uuid4())
        timestamp = str(int(time.time()))
        headers = {
            **{header["key"]: header["value"] for header in hook.custom_headers},
            "Content-Type": "application/json",
            "User-Agent": f"GitLab/{INSTANCE_VERSION}",
            "X-Gitlab-Event": event_name,
            "X-Gitlab-Webhook-UUID": hook.uuid,
            "X-Gitlab-Instance": self._wire.base,
            "X-Gitlab-Event-UUID": event_uuid,
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": timestamp,
        }
        if hook.token:
            headers["X-Gitlab-Token"] = hook.token
        if hook.signing_token:
            headers["webhook-signature"] = signature(hook.signing_token, key, timestamp, sent_bytes(body))
        return Callback(url=hook.url, body=body, headers=headers, source=str(hook.id), id=key)

    def _note_attempt(self, callback: Callback, attempt: Attempt) -> None:
        hook = self._state.hooks.get(int(callback.source))
        if hook is None:
            return
        self._book(hook, callback, attempt)
        if attempt.status is None and alert_status(hook) == "executable":
            self._retry(hook, callback)

    def _retry(self, hook: Hook, callback: Callback) -> None:
        """Comes again with fresh headers, so that the signature's time is the time of sending."""
        tries = sum(e.key == callback.id and e.hook_id == hook.id for e in self._state.hook_events.values())
        if tries > len(_RETRY_SECONDS):
            return
        name, event_uuid = callback.headers["X-Gitlab-Event"], callback.headers["X-Gitlab-Event-UUID"]
        again = self._callback(hook, name, callback.body, event_uuid, callback.id)
        wait = _RETRY_SECONDS[tries - 1] * self._sandbox.config.time_scale
        due = {"callback": asdict(again), "attempts": tries, "due_at": time.time() + wait}
        self._sandbox.delivery.resume([due])

    def _book(self, hook: Hook, callback: Callback, attempt: Attempt) -> HookEvent:
        """Writes the event list and counts failures."""
        if attempt.accepted:
            hook.failures, hook.disabled_until = 0, None
        else:
            self._count_failure(hook)
        name = callback.headers["X-Gitlab-Event"]
        secret = {"X-Gitlab-Token", "webhook-signature"} | {h["key"] for h in hook.custom_headers}
        event = HookEvent(
            id=self._state.next_id("hook_events"),
            hook_id=hook.id,
            key=callback.id,
            event_uuid=callback.headers["X-Gitlab-Event-UUID"],
            event_name=name,
            trigger=_TRIGGER_OF[name],
            url=callback.url,
            at=self._state.clock.now(),
            body=dict(callback.body),
            request_headers={k: "[REDACTED]" if k in secret else v for k, v in callback.headers.items()},
            response_status=str(attempt.status) if attempt.status is not None else "internal error",
            response_headers=dict(attempt.headers),
            response_body=attempt.error or attempt.body[:8192].decode("utf-8", "replace"),
            duration_s=attempt.duration_ms / 1000,
        )
        self._state.hook_events[event.id] = event
        kept = [e.id for e in self._state.hook_events.values() if e.hook_id == hook.id]
        for old in kept[:-_EVENTS_KEPT_PER_HOOK]:
            del self._state.hook_events[old]
        self._sandbox.changed()
        return event

    def _count_failure(self, hook: Hook) -> None:
        if not self._state.auto_disable:
            return
        hook.failures += 1
        if hook.failures >= FAILURES_BEFORE_PAUSE:
            doubled = _PAUSE_SECONDS * 2 ** min(hook.failures - FAILURES_BEFORE_PAUSE, 20)
            pause = min(doubled, _MOST_PAUSE_SECONDS) * self._sandbox.config.time_scale
            hook.disabled_until = after(pause)

    async def send_now(
        self, hook: Hook, event_name: str, body: Mapping[str, Any], *, key: str | None = None
    ) -> HookEvent:
        """A test or a resend: waits for the answer; goes out even when the hook is switched off."""
        callback = self._callback(hook, event_name, body, str(uuid.uuid4()), key)
        attempt = await self._sandbox.delivery.call(
            "POST",
            callback.url,
            kind="webhook",
            headers=callback.headers,
            body=dict(callback.body),
            attempt=1,
        )
        return self._book(hook, callback, attempt)

    def header_of(self, event: str) -> str:
        return _HEADER_OF[event]

    def forget(self, hook: Hook) -> None:
        """Drops what waits for a hook, and its event list."""
        self._sandbox.delivery.forget(str(hook.id))
        for event in [e for e in self._state.hook_events.values() if e.hook_id == hook.id]:
            del self._state.hook_events[event.id]
