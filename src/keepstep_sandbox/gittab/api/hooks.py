"""Webhooks of a project: maintainers only, secrets never shown again."""

import base64
import binascii
import ipaddress
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response

from keepstep_sandbox.gittab.api.endpoint import WRITE, Call, Endpoint, created, gone
from keepstep_sandbox.gittab.errors import GitLabError, bad_parameter, invalid, not_found, refused
from keepstep_sandbox.gittab.moments import stamp
from keepstep_sandbox.gittab.paging import paged
from keepstep_sandbox.gittab.params import Params
from keepstep_sandbox.gittab.state import MAINTAINER, Hook, HookEvent, Issue, Project
from keepstep_sandbox.gittab.wire import HOOK_EVENTS

_MOST_HOOKS = 100
_EVENTS_KEPT_DAYS = 7
_SIGNING_KEY_BYTES = 32
_TESTABLE = ("issues_events", "confidential_issues_events", "note_events")
_STATUS_WORDS = {"successful": "2", "client_failure": "4", "server_failure": "5"}


def _check_url(call: Call, url: str | None) -> str:
    """Raises 422 for what is no address, or one that GitLab does not call."""
    refusal = GitLabError(422, {"error": "Invalid url given"})
    try:
        parts = urlsplit(url or "")
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise refusal from None
    if parts.scheme not in ("http", "https") or not host or url is None or url != url.strip():
        raise refusal
    if not call.gittab.config.allow_insecure_callbacks and (parts.scheme == "http" or _is_local(host)):
        raise refusal
    return url


def _is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local"))
    return not address.is_global


def _check_signing_token(token: str | None) -> str | None:
    if not token:
        return None
    try:
        key = base64.b64decode(token.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not token.startswith("whsec_") or len(key) != _SIGNING_KEY_BYTES:
        raise invalid(signing_token="must be whsec_ and 32 bytes in base64")
    return token


def _custom_headers(params: Params) -> list[dict[str, str]]:
    given = params.raw("custom_headers") or []
    fits = isinstance(given, list) and all(
        isinstance(h, dict) and isinstance(h.get("key"), str) and isinstance(h.get("value"), str)
        for h in given
    )
    if not fits:
        raise bad_parameter("custom_headers is invalid")
    return [{"key": header["key"], "value": header["value"]} for header in given]


def _at(call: Call, project: Project) -> Hook:
    hook = call.state.hooks.get(call.number("hook_id"))
    if hook is None or hook.project_id != project.id:
        raise not_found()
    return hook


def _list(call: Call) -> Response:
    project = call.project(MAINTAINER)
    return paged(call.request, call.params, call.state.hooks_of(project.id), call.gittab.wire.hook)


def _get(call: Call) -> Response:
    return JSONResponse(call.gittab.wire.hook(_at(call, call.project(MAINTAINER))))


def _create(call: Call) -> Response:
    params = call.params
    params.require("url")
    project = call.project(MAINTAINER)
    values = _values(call)
    flags = {event: params.flag(event) for event in HOOK_EVENTS}
    if len(call.state.hooks_of(project.id)) >= _MOST_HOOKS:
        raise GitLabError(422, {"error": f"Maximum number of project hooks ({_MOST_HOOKS}) exceeded"})
    hook = Hook(
        id=call.state.next_id("hooks"),
        uuid=str(uuid.uuid4()),
        project_id=project.id,
        url=values.pop("url"),
        created_at=call.state.clock.now(),
        # Only pushes are on by themselves.
        events={event: event == "push_events" if on is None else on for event, on in flags.items()},
        **values,
    )
    call.state.hooks[hook.id] = hook
    return created(call.gittab.wire.hook(hook))


def _values(call: Call) -> dict[str, Any]:
    """The given fields, checked; flags of events apart."""
    params = call.params
    values: dict[str, Any] = {}
    if params.has("url"):
        values["url"] = _check_url(call, params.text("url"))
    for name in ("name", "description", "token"):
        if params.has(name):
            values[name] = params.text(name) or None
    if params.has("signing_token"):
        values["signing_token"] = _check_signing_token(params.text("signing_token"))
    if params.has("push_events_branch_filter"):
        values["push_events_branch_filter"] = params.text("push_events_branch_filter") or ""
    if (verify := params.flag("enable_ssl_verification")) is not None:
        values["enable_ssl_verification"] = verify
    if params.has("custom_headers"):
        values["custom_headers"] = _custom_headers(params)
    return values


def _update(call: Call) -> Response:
    hook = _at(call, call.project(MAINTAINER))
    values = _values(call)
    flags = {event: on for event in HOOK_EVENTS if (on := call.params.flag(event)) is not None}
    if values.get("url", hook.url) != hook.url:
        # Whoever points a hook elsewhere must not get its secret sent there.
        values = {"token": None, "signing_token": None} | values
    for name, value in values.items():
        setattr(hook, name, value)
    hook.events |= flags
    return JSONResponse(call.gittab.wire.hook(hook))


def _delete(call: Call) -> Response:
    hook = _at(call, call.project(MAINTAINER))
    del call.state.hooks[hook.id]
    call.gittab.webhooks.forget(hook)
    return gone()


async def _test(call: Call) -> Response:
    """Sends an example made from the project's first issue and waits for the answer."""
    project = call.project(MAINTAINER)
    hook, trigger = _at(call, project), call.path["trigger"]
    if trigger not in HOOK_EVENTS:
        raise bad_parameter("trigger does not have a valid value")
    if trigger not in _TESTABLE:
        raise refused("Ensure the project has something of this kind; GitTab has issues and notes only.", 422)
    body = _sample(call, project, trigger)
    event = await call.gittab.webhooks.send_now(hook, call.gittab.webhooks.header_of(trigger), body)
    if event.response_status.startswith("2"):
        return created({"message": "201 Created"})
    if event.response_status.isdigit():
        raise refused(f"Hook executed successfully but returned HTTP {event.response_status}", 422)
    raise refused(f"Hook execution failed: {event.response_body}", 422)


def _sample(call: Call, project: Project, trigger: str) -> dict[str, Any]:
    issues: list[Issue] = [i for i in call.state.issues.values() if i.project_id == project.id]
    if trigger != "note_events":
        if not issues:
            raise refused("Ensure the project has issues.", 422)
        return call.gittab.payloads.issue(issues[0], call.me, "open", {})
    for issue in issues:
        for note in call.state.notes_of(issue):
            if not note.system:
                return call.gittab.payloads.note(note, issue, call.me, "create")
    raise refused("Ensure the project has notes.", 422)


def _events(call: Call) -> Response:
    """The last seven days, newest first."""
    hook = _at(call, call.project(MAINTAINER))
    oldest = stamp(datetime.now(UTC) - timedelta(days=_EVENTS_KEPT_DAYS))
    status = call.params.text("status")
    events = [e for e in call.state.hook_events.values() if e.hook_id == hook.id and e.at >= oldest]
    if status:
        start = _STATUS_WORDS.get(status, status)
        events = [e for e in events if e.response_status.startswith(start)]
    return paged(call.request, call.params, events[::-1], call.gittab.wire.hook_event)


def _event(call: Call, hook: Hook) -> HookEvent:
    event = call.state.hook_events.get(call.number("hook_event_id"))
    if event is None or event.hook_id != hook.id:
        raise not_found()
    return event


async def _resend(call: Call) -> Response:
    """The same body under the same Idempotency-Key, with a new signature."""
    hook = _at(call, call.project(MAINTAINER))
    event = _event(call, hook)
    call.gittab.access.count_resend(hook.id)
    again = await call.gittab.webhooks.send_now(hook, event.event_name, event.body, key=event.key)
    return created({"response_status": again.response_status})


_HOOK = "/projects/:id/hooks/:hook_id"
HOOKS = [
    Endpoint("GET", "/projects/:id/hooks", _list),
    Endpoint("POST", "/projects/:id/hooks", _create, WRITE),
    Endpoint("GET", _HOOK, _get),
    Endpoint("PUT", _HOOK, _update, WRITE),
    Endpoint("DELETE", _HOOK, _delete, WRITE),
    Endpoint("POST", f"{_HOOK}/test/:trigger", _test, WRITE),
    Endpoint("GET", f"{_HOOK}/events", _events),
    Endpoint("POST", f"{_HOOK}/events/:hook_event_id/resend", _resend, WRITE),
]
