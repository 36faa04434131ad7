"""The addresses of the pages and what their forms do."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from keepstep_sandbox.control import Handler
from keepstep_sandbox.gittab.emulator import GitTab
from keepstep_sandbox.gittab.errors import GitLabError, not_found
from keepstep_sandbox.gittab.pages.markdown import rendered
from keepstep_sandbox.gittab.pages.reading import Reading, person, query
from keepstep_sandbox.gittab.seeding import VISITOR
from keepstep_sandbox.gittab.state import Issue, Project, User
from keepstep_sandbox.gittab.writing import TITLE_LIMIT, Wish

_HERE = Path(__file__).parent
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_SEE_OTHER = 303


def page_routes(gittab: GitTab) -> list[BaseRoute]:
    pages = _Pages(gittab)
    issues = "/{namespace}/{path}/-/issues"
    issue = issues + "/{iid:int}"

    def post(path: str, handler: Handler) -> Route:
        return Route(path, pages.posting(handler), methods=["POST"])

    return [
        Route("/", pages.showing(pages.home)),
        Mount("/-/static", StaticFiles(directory=_HERE / "static")),
        Route("/-/labels.css", pages.label_colors),
        post("/-/preview", pages.preview),
        Route("/{namespace}/{path}", pages.showing(pages.issues)),
        Route(issues, pages.showing(pages.issues)),
        Route(issues + "/new", pages.showing(pages.new)),
        post(issues, pages.create),
        Route(issue, pages.showing(pages.issue)),
        post(issue + "/edit", pages.edit),
        post(issue + "/state", pages.turn),
        post(issue + "/labels", pages.label),
        post(issue + "/comments", pages.comment),
        post(issue + "/delete", pages.delete),
    ]


class _Pages:
    def __init__(self, gittab: GitTab) -> None:
        self._gittab = gittab
        self._reading = Reading(gittab.state)
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined
        )

    # --- around every page ---

    def showing(self, handler: Handler) -> Handler:
        async def wrapped(request: Request) -> Response:
            try:
                return await handler(request)
            except GitLabError as refusal:
                return self._refused(refusal)

        return wrapped

    def posting(self, handler: Handler) -> Handler:
        """As `showing`; other sites' pages cannot post here."""

        async def wrapped(request: Request) -> Response:
            origin = request.headers.get("origin")
            if origin not in (None, "null") and urlsplit(origin).netloc != request.headers.get("host"):
                return self._refused(GitLabError(403, {"message": "This form came from another site."}))
            try:
                response = await handler(request)
            except GitLabError as refusal:
                return self._refused(refusal)
            self._gittab.sandbox.changed()
            return response

        return wrapped

    def _refused(self, refusal: GitLabError) -> Response:
        message = refusal.body.get("message") or refusal.body.get("error")
        if isinstance(message, dict):
            message = "; ".join(f"{name.capitalize()} {reasons[0]}" for name, reasons in message.items())
        title = "Not found" if refusal.status == 404 else "That did not work"
        return self._page("refused.html", status=refusal.status, title=title, message=message)

    def _page(
        self, name: str, *, status: int = 200, project: Project | None = None, **values: Any
    ) -> Response:
        projects = [p for p in self._gittab.state.projects.values() if p.level(self._visitor)]
        colors = self._reading.label_colors()
        html = self._templates.get_template(name).render(
            project=project,
            projects=projects,
            visitor=person(self._visitor),
            colors_version=f"{hash(tuple(colors)) & 0xFFFFFFFF:x}",
            title_limit=TITLE_LIMIT,
            query=query,
            **values,
        )
        return HTMLResponse(html, status, _HEADERS)

    @property
    def _visitor(self) -> User:
        user = self._gittab.state.user_named(VISITOR)
        if user is None:
            raise not_found("User")
        return user

    def _project(self, request: Request) -> Project:
        path = f"{request.path_params['namespace']}/{request.path_params['path']}"
        return self._gittab.access.project(self._visitor, path)

    def _issue(self, request: Request) -> tuple[Project, Issue]:
        project = self._project(request)
        issue = self._gittab.state.issue_at(project.id, request.path_params["iid"])
        if issue is None:
            raise GitLabError(
                404, {"message": f"There is no issue #{request.path_params['iid']} here (any more)."}
            )
        return project, issue

    @staticmethod
    async def _form(request: Request) -> dict[str, str]:
        async with request.form() as form:
            return {name: value for name, value in form.items() if isinstance(value, str)}

    @staticmethod
    def _to(address: str) -> Response:
        return RedirectResponse(address, _SEE_OTHER)

    def _to_issue(self, project: Project, issue: Issue) -> Response:
        return self._to(f"/{project.full_path}/-/issues/{issue.iid}")

    # --- reading ---

    async def home(self, request: Request) -> Response:
        first = next((p for p in self._gittab.state.projects.values() if p.level(self._visitor)), None)
        if first is None:
            raise not_found("Project")
        return self._issue_list(request, first)

    async def issues(self, request: Request) -> Response:
        return self._issue_list(request, self._project(request))

    def _issue_list(self, request: Request, project: Project) -> Response:
        asked = request.query_params
        state = asked.get("state", "opened")
        state = state if state in ("opened", "closed", "all") else "opened"
        search, label = asked.get("search", "").strip(), asked.get("label", "")
        values = self._reading.issue_list(project, state, search, label)
        title = f"Issues · {project.full_path}"
        return self._page(
            "issues.html", project=project, title=title, state=state, search=search, label=label, **values
        )

    async def new(self, request: Request) -> Response:
        project = self._project(request)
        return self._page("new.html", project=project, title=f"New issue · {project.full_path}")

    async def issue(self, request: Request) -> Response:
        project, issue = self._issue(request)
        values = self._reading.issue(project, issue)
        title = f"{issue.title} (#{issue.iid}) · {project.full_path}"
        return self._page(
            "issue.html", project=project, title=title, editing="edit" in request.query_params, **values
        )

    async def label_colors(self, _request: Request) -> Response:
        """A style sheet, since the pages allow no inline styles."""
        rules = [
            f".label-{label_id}{{background:{color};color:{ink}}}"
            for label_id, color, ink in self._reading.label_colors()
        ]
        return Response("\n".join(rules), media_type="text/css", headers={"Cache-Control": "no-cache"})

    async def preview(self, request: Request) -> Response:
        return JSONResponse({"html": rendered((await self._form(request)).get("text"))})

    # --- writing ---

    async def create(self, request: Request) -> Response:
        project, form = self._project(request), await self._form(request)
        labels = [name.strip() for name in form.get("labels", "").split(",") if name.strip()]
        values = {"title": form.get("title"), "description": _text(form.get("description"))}
        issue = self._gittab.writing.create(project, self._visitor, Wish(values, labels=labels))
        return self._to_issue(project, issue)

    async def edit(self, request: Request) -> Response:
        """Saves what the person changed; a field left alone keeps what somebody else wrote meanwhile."""
        project, issue = self._issue(request)
        form = await self._form(request)
        values: dict[str, Any] = {}
        for name in ("title", "description"):
            text = _text(form.get(name))
            if text != _text(form.get(f"{name}_was")):
                values[name] = text
        self._gittab.writing.update(issue, self._visitor, Wish(values))
        return self._to_issue(project, issue)

    async def turn(self, request: Request) -> Response:
        project, issue = self._issue(request)
        event = (await self._form(request)).get("event", "")
        if event in ("close", "reopen"):
            self._gittab.writing.update(issue, self._visitor, Wish(state_event=event))
        return self._to_issue(project, issue)

    async def label(self, request: Request) -> Response:
        project, issue = self._issue(request)
        form = await self._form(request)
        adding, removing = form.get("add", "").strip(), form.get("remove", "")
        wish = Wish(add_labels=[adding] if adding else [], remove_labels=[removing] if removing else [])
        self._gittab.writing.update(issue, self._visitor, wish)
        return self._to_issue(project, issue)

    async def comment(self, request: Request) -> Response:
        project, issue = self._issue(request)
        self._gittab.writing.comment(issue, self._visitor, _text((await self._form(request)).get("body")))
        return self._to_issue(project, issue)

    async def delete(self, request: Request) -> Response:
        project, issue = self._issue(request)
        self._gittab.writing.delete(issue, self._visitor)
        return self._to(f"/{project.full_path}/-/issues")


def _text(given: str | None) -> str:
    """Browsers send line ends as CRLF."""
    return (given or "").replace("\r\n", "\n")
