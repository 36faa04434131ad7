"""Notes on issues. System notes stand among them; nobody can change those."""

from starlette.responses import JSONResponse, Response

from keepstep_sandbox.gittab.api.endpoint import WRITE, Call, Endpoint, created, gone
from keepstep_sandbox.gittab.errors import forbidden, not_found
from keepstep_sandbox.gittab.paging import paged
from keepstep_sandbox.gittab.quick_actions import Actions
from keepstep_sandbox.gittab.state import MAINTAINER, PLANNER, Note

_FILTERS = ("all_notes", "only_comments", "only_activity")


def _list(call: Call) -> Response:
    project, issue = call.issue("Issue")
    wanted = call.params.choice("activity_filter", _FILTERS, "all_notes")
    order = call.params.choice("order_by", ("created_at", "updated_at"), "created_at")
    downwards = call.params.choice("sort", ("asc", "desc"), "desc") == "desc"
    notes = [
        note
        for note in call.state.notes_of(issue)
        if (wanted == "all_notes" or note.system == (wanted == "only_activity"))
        and (not note.internal or project.level(call.me) >= PLANNER)
    ]
    notes.sort(key=lambda note: (getattr(note, order), note.id), reverse=downwards)
    return paged(call.request, call.params, notes, call.gittab.wire.note)


def _at(call: Call) -> Note:
    _, issue = call.issue("Issue")
    note = call.state.notes.get(call.number("note_id"))
    if note is None or note.issue_id != issue.id:
        raise not_found()
    return note


def _own(call: Call) -> Note:
    """A note that the caller may change."""
    note = _at(call)
    project = call.project()
    if note.system or (note.author_id != call.me.id and project.level(call.me) < MAINTAINER):
        raise forbidden()
    return note


def _get(call: Call) -> Response:
    return JSONResponse(call.gittab.wire.note(_at(call)))


def _create(call: Call) -> Response:
    call.params.require("body")
    _, issue = call.issue("Issue")
    internal = call.params.flag("internal") or call.params.flag("confidential") or False
    body = call.params.text("body") or ""
    note, actions = call.gittab.writing.comment(issue, call.me, body, internal=internal)
    if note is None:
        return JSONResponse(
            {"commands_changes": _changes(actions), "summary": _summary(actions)}, status_code=202
        )
    return created(call.gittab.wire.note(note) | {"commands_changes": _changes(actions)})


def _changes(actions: Actions) -> dict[str, object]:
    wanted = {
        "state_event": actions.state_event,
        "title": actions.title,
        "add_labels": actions.add_labels,
        "remove_labels": actions.remove_labels,
    }
    return {name: value for name, value in wanted.items() if value}


def _summary(actions: Actions) -> list[str]:
    return [f"Applied /{name}." for name in actions.names]


def _update(call: Call) -> Response:
    call.params.require("body")
    note = call.gittab.writing.edit_comment(_own(call), call.me, call.params.text("body") or "")
    return JSONResponse(call.gittab.wire.note(note))


def _delete(call: Call) -> Response:
    call.gittab.writing.delete_comment(_own(call))
    return gone()


_NOTES = "/projects/:id/issues/:issue_iid/notes"
NOTES = [
    Endpoint("GET", _NOTES, _list),
    Endpoint("POST", _NOTES, _create, WRITE),
    Endpoint("GET", f"{_NOTES}/:note_id", _get),
    Endpoint("PUT", f"{_NOTES}/:note_id", _update, WRITE),
    Endpoint("DELETE", f"{_NOTES}/:note_id", _delete, WRITE),
]
