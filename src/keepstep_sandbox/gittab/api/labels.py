"""Labels of a project. There are no groups' labels here; the parameters that ask for them are accepted."""

import re

from starlette.responses import JSONResponse, Response

from keepstep_sandbox.gittab.api.endpoint import WRITE, Call, Endpoint, created, gone
from keepstep_sandbox.gittab.errors import bad_parameter, invalid, not_found, refused
from keepstep_sandbox.gittab.paging import paged
from keepstep_sandbox.gittab.state import PLANNER, Label, Project

_COLOR = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_NAMED_COLORS = {
    "red": "#ff0000",
    "green": "#008000",
    "blue": "#0000ff",
    "orange": "#ffa500",
    "teal": "#008080",
}


def _color(text: str | None) -> str:
    """Six digits. Raises Rails' refusal for what is no colour."""
    color = _NAMED_COLORS.get((text or "").lower(), text or "")
    if not _COLOR.fullmatch(color):
        raise invalid(color="must be a valid color code")
    return color if len(color) == 7 else "#" + "".join(digit * 2 for digit in color[1:])


def _name(text: str | None) -> str:
    name = (text or "").strip()
    if not name or "," in name or len(name) > 255:
        raise invalid(title="is invalid" if name else "can't be blank")
    return name


def _list(call: Call) -> Response:
    project = call.project()
    search = (call.params.text("search") or "").lower()
    counts = call.params.flag("with_counts") or False
    labels = [label for label in call.state.labels_of(project.id) if search in label.name.lower()]
    labels.sort(key=lambda label: label.name.lower())
    return paged(
        call.request, call.params, labels, lambda label: call.gittab.wire.label(label, counts=counts)
    )


def _at(call: Call, project: Project) -> Label:
    """By number or by name, in the path or, the old way that python-gitlab still goes, as a parameter."""
    key = call.path.get("label_id") or str(call.params.raw("label_id") or call.params.raw("name") or "")
    if not key:
        raise bad_parameter("label_id, name are missing, exactly one parameter must be provided")
    found = call.state.labels.get(int(key)) if key.isascii() and key.isdigit() else None
    if found is None or found.project_id != project.id:
        found = call.state.label_named(project.id, key)
    if found is None:
        raise not_found("Label")
    return found


def _get(call: Call) -> Response:
    return JSONResponse(call.gittab.wire.label(_at(call, call.project())))


def _create(call: Call) -> Response:
    call.params.require("name", "color")
    project = call.project(PLANNER)
    name, color = _name(call.params.text("name")), _color(call.params.text("color"))
    if call.state.label_named(project.id, name) is not None:
        raise refused("Label already exists", 409)
    label = call.gittab.writing.create_label(project, name, color, call.params.text("description"))
    label.priority = call.params.number("priority")
    return created(call.gittab.wire.label(label))


def _update(call: Call) -> Response:
    project, params = call.project(PLANNER), call.params
    label = _at(call, project)
    names = ("new_name", "color", "description", "priority")
    if not params.has_any(names):
        raise bad_parameter(", ".join(names) + " are missing, at least one parameter must be provided")
    name = _name(params.text("new_name")) if params.has("new_name") else label.name
    color = _color(params.text("color")) if params.has("color") else label.color
    if call.state.label_named(project.id, name) not in (None, label):
        raise invalid(title="has already been taken")
    label.name, label.color, label.updated_at = name, color, call.state.clock.now()
    if params.has("description"):
        label.description = params.text("description")
    if params.has("priority"):
        label.priority = params.number("priority")
    return JSONResponse(call.gittab.wire.label(label))


def _delete(call: Call) -> Response:
    call.gittab.writing.delete_label(_at(call, call.project(PLANNER)))
    return gone()


LABELS = [
    Endpoint("GET", "/projects/:id/labels", _list),
    Endpoint("POST", "/projects/:id/labels", _create, WRITE),
    Endpoint("GET", "/projects/:id/labels/:label_id", _get),
    Endpoint("PUT", "/projects/:id/labels/:label_id", _update, WRITE),
    Endpoint("PUT", "/projects/:id/labels", _update, WRITE),
    Endpoint("DELETE", "/projects/:id/labels", _delete, WRITE),
    Endpoint("DELETE", "/projects/:id/labels/:label_id", _delete, WRITE),
]
