"""Issues: list, read, create, update, delete, move, and who closed, reopened or labelled when."""

from collections.abc import Iterable
from typing import Any

from starlette.responses import JSONResponse, Response

from keepstep_sandbox.gittab.api.endpoint import WRITE, Call, Endpoint, created, gone
from keepstep_sandbox.gittab.api.issue_filters import listed
from keepstep_sandbox.gittab.errors import bad_parameter, forbidden, not_found
from keepstep_sandbox.gittab.paging import paged
from keepstep_sandbox.gittab.params import Params
from keepstep_sandbox.gittab.state import OWNER, PLANNER, Change, Issue, Project, User
from keepstep_sandbox.gittab.writing import Wish

_ISSUE_TYPES = ("issue", "incident", "test_case", "task")
_UPDATABLE = (
    "add_labels",
    "assignee_id",
    "assignee_ids",
    "confidential",
    "created_at",
    "description",
    "discussion_locked",
    "due_date",
    "issue_type",
    "labels",
    "milestone_id",
    "remove_labels",
    "state_event",
    "title",
    "updated_at",
    "weight",
)


def _wish(params: Params) -> Wish:
    """What the parameters ask for; missing ones are not touched, null or empty ones clear."""
    values: dict[str, Any] = {
        name: params.text(name) for name in ("title", "description") if params.has(name)
    }
    for name in ("confidential", "discussion_locked"):
        if (flag := params.flag(name)) is not None:
            values[name] = flag
    if params.has("due_date"):
        values["due_date"] = params.day("due_date")
    if params.has("issue_type"):
        values["issue_type"] = params.choice("issue_type", _ISSUE_TYPES, "issue")
    if params.has("assignee_ids"):
        values["assignee_ids"] = [user_id for user_id in params.numbers("assignee_ids") if user_id > 0]
    elif params.has("assignee_id"):
        values["assignee_ids"] = [user_id for user_id in params.numbers("assignee_id") if user_id > 0]
    state_event = params.raw("state_event")
    return Wish(
        values=values,
        state_event=None if state_event is None else params.choice("state_event", ("close", "reopen"), ""),
        labels=params.words("labels") if params.has("labels") else None,
        add_labels=params.words("add_labels"),
        remove_labels=params.words("remove_labels"),
        created_at=params.moment("created_at"),
        iid=params.number("iid"),
        updated_at=params.moment("updated_at"),
    )


def _shown(call: Call, issues: list[Issue]) -> Response:
    details = call.params.flag("with_labels_details") or False
    wire = call.gittab.wire
    return paged(call.request, call.params, issues, lambda issue: wire.issue(issue, label_details=details))


def _list(call: Call) -> Response:
    project = call.project()
    if not project.issues_enabled:
        raise forbidden()
    seen = (issue for issue in call.state.issues.values() if issue.project_id == project.id)
    return _shown(call, listed(call.state, call.me, _seen(call, call.me, seen), call.params, "all"))


def _list_everywhere(call: Call) -> Response:
    projects = {p.id for p in call.state.projects.values() if p.level(call.me) and p.issues_enabled}
    seen = (issue for issue in call.state.issues.values() if issue.project_id in projects)
    return _shown(call, listed(call.state, call.me, _seen(call, call.me, seen), call.params, "created_by_me"))


def _seen(call: Call, user: User, issues: Iterable[Issue]) -> list[Issue]:
    access, projects = call.gittab.access, call.state.projects
    return [issue for issue in issues if access.may_see(user, projects[issue.project_id], issue)]


def _get(call: Call) -> Response:
    _, issue = call.issue()
    return JSONResponse(call.gittab.wire.issue(issue))


def _get_anywhere(call: Call) -> Response:
    if not call.me.admin:
        raise forbidden()
    issue = call.state.issues.get(call.number("issue_id"))
    if issue is None:
        raise not_found()
    return JSONResponse(call.gittab.wire.issue(issue))


def _create(call: Call) -> Response:
    call.params.require("title")
    project = call.project()
    if not project.issues_enabled:
        raise forbidden()
    wish = _wish(call.params)
    call.gittab.access.count_new_issue(call.me, project)
    return created(call.gittab.wire.issue(call.gittab.writing.create(project, call.me, wish)))


def _update(call: Call) -> Response:
    if not call.params.has_any(_UPDATABLE):
        raise bad_parameter(", ".join(_UPDATABLE) + " are missing, at least one parameter must be provided")
    project, issue = call.issue()
    if not call.gittab.access.may_edit(call.me, project, issue):
        raise forbidden()
    return JSONResponse(
        call.gittab.wire.issue(call.gittab.writing.update(issue, call.me, _wish(call.params)))
    )


def _delete(call: Call) -> Response:
    project, issue = call.issue("Issue")
    if project.level(call.me) < OWNER:
        raise forbidden()
    call.gittab.writing.delete(issue, call.me)
    return gone()


def _move(call: Call) -> Response:
    call.params.require("to_project_id")
    _, issue = _for_change(call)
    target = call.state.projects.get(call.params.number("to_project_id") or 0)
    if target is None or not target.level(call.me):
        raise not_found("Project")
    return created(call.gittab.wire.issue(call.gittab.writing.move(issue, target, call.me)))


def _for_change(call: Call) -> tuple[Project, Issue]:
    project, issue = call.issue("Issue")
    if project.level(call.me) < PLANNER:
        raise forbidden()
    return project, issue


def _state_events(call: Call) -> Response:
    _, issue = call.issue("Issue")
    turns = [change for change in issue.history if change.field == "state"]

    def shown(change: Change) -> dict[str, Any]:
        state = "reopened" if change.after == "opened" else change.after
        return _event(call, issue, change, change.id) | {"source_commit": None, "state": state}

    return paged(call.request, call.params, turns, shown)


def _label_events(call: Call) -> Response:
    _, issue = call.issue("Issue")
    events: list[dict[str, Any]] = []
    for change in issue.history:
        if change.field != "labels":
            continue
        added, removed = set(change.after) - set(change.before), set(change.before) - set(change.after)
        for name in sorted(added | removed):
            label = call.state.label_named(issue.project_id, name)
            keys = ("id", "name", "color", "description")
            shown = None if label is None else {key: getattr(label, key) for key in keys}
            event = _event(call, issue, change, change.id * 1000 + len(events))
            events.append(event | {"label": shown, "action": "add" if name in added else "remove"})
    return paged(call.request, call.params, events, lambda event: event)


def _event(call: Call, issue: Issue, change: Change, event_id: int) -> dict[str, Any]:
    return {
        "id": event_id,
        "user": call.gittab.wire.user_id(change.user_id),
        "created_at": change.at,
        "resource_type": "Issue",
        "resource_id": issue.id,
    }


ISSUES = [
    Endpoint("GET", "/issues", _list_everywhere),
    Endpoint("GET", "/issues/:issue_id", _get_anywhere),
    Endpoint("GET", "/projects/:id/issues", _list),
    Endpoint("POST", "/projects/:id/issues", _create, WRITE),
    Endpoint("GET", "/projects/:id/issues/:issue_iid", _get),
    Endpoint("PUT", "/projects/:id/issues/:issue_iid", _update, WRITE),
    Endpoint("DELETE", "/projects/:id/issues/:issue_iid", _delete, WRITE),
    Endpoint("POST", "/projects/:id/issues/:issue_iid/move", _move, WRITE),
    Endpoint("GET", "/projects/:id/issues/:issue_iid/resource_state_events", _state_events),
    Endpoint("GET", "/projects/:id/issues/:issue_iid/resource_label_events", _label_events),
]
