"""Projects and their members, for reading."""

from starlette.responses import JSONResponse, Response

from keepstep_sandbox.gittab.api.endpoint import Call, Endpoint
from keepstep_sandbox.gittab.errors import GitLabError, not_found
from keepstep_sandbox.gittab.paging import keyset_paged, paged
from keepstep_sandbox.gittab.params import Params
from keepstep_sandbox.gittab.state import GUEST, OWNER, Project, User

_ORDERS = ("id", "name", "path", "created_at", "updated_at", "last_activity_at", "similarity", "star_count")


def _list(call: Call) -> Response:
    user, params = call.user, call.params
    order = params.choice("order_by", _ORDERS, "created_at")
    downwards = params.choice("sort", ("asc", "desc"), "desc") == "desc"
    projects = [] if user is None else [p for p in call.state.projects.values() if _fits(p, user, params)]
    attribute = {"updated_at": "last_activity_at", "similarity": "id", "star_count": "id"}.get(order, order)
    projects.sort(key=lambda project: (getattr(project, attribute), project.id), reverse=downwards)

    def shown(project: Project) -> object:
        if params.flag("simple") or user is None:
            return call.gittab.wire.simple_project(project)
        return call.gittab.wire.project(project, project.level(user))

    if params.raw("pagination") != "keyset":
        return paged(call.request, params, projects, shown)
    if order != "id":
        raise GitLabError(405, {"error": "Keyset pagination is not yet available for this type of request"})
    return keyset_paged(call.request, params, projects, shown, lambda project: project.id)


def _fits(project: Project, user: User, params: Params) -> bool:
    level = project.level(user)
    if level < max(GUEST, params.number("min_access_level") or 0):
        return False
    if params.flag("owned") and level < OWNER:
        return False
    archived = params.flag("archived")
    if archived is not None and archived != project.archived:
        return False
    if params.flag("with_issues_enabled") and not project.issues_enabled:
        return False
    after, before = params.number("id_after"), params.number("id_before")
    if (after is not None and project.id <= after) or (before is not None and project.id >= before):
        return False
    search = (params.text("search") or "").lower()
    names = [project.name, project.path]
    if params.flag("search_namespaces"):
        names.append(project.full_path)
    return any(search in name.lower() for name in names)


def _get(call: Call) -> Response:
    project = call.project()
    return JSONResponse(call.gittab.wire.project(project, project.level(call.me)))


def _members(call: Call) -> Response:
    project = call.project()
    query = (call.params.text("query") or "").lower()
    people = [(call.state.users[int(key)], level) for key, level in project.members.items()]
    wanted = [(u, level) for u, level in people if query in u.name.lower() or query in u.username.lower()]
    return paged(call.request, call.params, wanted, lambda one: call.gittab.wire.member(*one))


def _member(call: Call) -> Response:
    project = call.project()
    user = call.state.users.get(call.number("user_id"))
    if user is None or str(user.id) not in project.members:
        raise not_found()
    return JSONResponse(call.gittab.wire.member(user, project.members[str(user.id)]))


PROJECTS = [
    Endpoint("GET", "/projects", _list, anonymous=True),
    Endpoint("GET", "/projects/:id", _get, anonymous=True),
    Endpoint("GET", "/projects/:id/members", _members),
    Endpoint("GET", "/projects/:id/members/all", _members),
    Endpoint("GET", "/projects/:id/members/all/:user_id", _member),
    Endpoint("GET", "/projects/:id/members/:user_id", _member),
]
