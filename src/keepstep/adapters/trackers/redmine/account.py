"""Looking around with a key: whose it is, projects, statuses and who may set them, fields for new issues."""

from collections.abc import Sequence

from keepstep.adapters.http import Call, segment
from keepstep.adapters.trackers import SettingValues, chosen_one
from keepstep.adapters.trackers.redmine import fields
from keepstep.adapters.trackers.redmine.client import REST, RedmineClient
from keepstep.adapters.trackers.redmine.wire import (
    FieldDefinitionWire,
    IssueWire,
    MembershipWire,
    NamedWire,
    ProjectWire,
    StatusWire,
    UserWire,
    project_from_wire,
    status_from_wire,
)
from keepstep.domain.integration import ProjectRef
from keepstep.domain.ticket import TicketStatus
from keepstep.ports.errors import NotThereError, RejectedError
from keepstep.ports.tracker import AccountFacts, ProjectFields

_PROJECT_PAGES = 5
_ACTIVE = 1
_TEXT_FIELDS = ("string", "text")
_MODULE = "issue_tracking"


class RedmineAccount:
    def __init__(self, client: RedmineClient) -> None:
        self._client = client

    async def verify(self) -> AccountFacts:
        """By the user's own page: a wrong key is elsewhere answered as if nobody had logged in."""
        user = await self._user()
        return AccountFacts(user=f"{user.firstname} {user.lastname}".strip() or user.login)

    async def _user(self) -> UserWire:
        reply = await self._client.send(Call("GET", "/users/current.json", "the account", right=REST))
        return reply.parse(UserWire, reply.data.get("user") if isinstance(reply.data, dict) else None)

    async def list_projects(self, search: str = "") -> Sequence[ProjectRef]:
        """Redmine's list has no search: names and identifiers are compared here."""
        wanted = search.strip().lower()
        call = Call("GET", "/projects.json", "the projects", right=REST)
        found = [
            reply.parse(ProjectWire, each)
            async for reply, each in self._client.pages(call, "projects", limit=_PROJECT_PAGES)
        ]
        active = [each for each in found if each.status == _ACTIVE]
        matching = [each for each in active if wanted in f"{each.name} {each.identifier}".lower()]
        matching.sort(
            key=lambda each: (wanted not in (each.name.lower(), each.identifier), each.name.lower())
        )
        return [project_from_wire(each, self._client.base_url) for each in matching]

    async def get_project(self, project: str) -> ProjectRef:
        found = await self._project(project)
        if found.status != _ACTIVE:
            raise RejectedError(
                f"{found.name} is closed or archived: nothing can be written there.",
                field="project",
                status=None,
            )
        modules = {each.name for each in found.enabled_modules or ()}
        if found.enabled_modules is not None and _MODULE not in modules:
            raise RejectedError(
                f"Issue tracking is off in {found.name}. Switch it on in the project's settings, under Project.",
                field="project",
                status=None,
            )
        return project_from_wire(found, self._client.base_url)

    async def _project(self, project: str) -> ProjectWire:
        path = f"/projects/{segment(project.strip().strip('/'))}.json"
        include = (("include", "trackers,issue_custom_fields,enabled_modules"),)
        try:
            reply = await self._client.send(Call("GET", path, f"the project {project}", include))
        except RejectedError as error:
            raise NotThereError(f"Redmine does not show the project {project} to this user (403).") from error
        return reply.parse(ProjectWire, reply.data.get("project"))

    async def list_labels(self, project: str) -> Sequence[str]:  # noqa: ARG002 - there are none
        return []

    async def list_statuses(self, project: str) -> Sequence[TicketStatus]:
        """All of the installation; those that no issue at hand may get to say so."""
        reply = await self._client.send(Call("GET", "/issue_statuses.json", "the statuses"))
        statuses = [reply.parse(StatusWire, each) for each in reply.items(reply.data.get("issue_statuses"))]
        reachable = await self._reachable(project, statuses)
        return [
            status_from_wire(
                each,
                ""
                if reachable is None or each.id in reachable
                else "Redmine's workflow lets this user set it on none of the issues looked at.",
            )
            for each in statuses
        ]

    async def _reachable(self, project: str, statuses: Sequence[StatusWire]) -> set[int] | None:
        """Where the newest issue in each status may go; None while there is no issue to ask."""
        found: set[int] | None = None
        for status in statuses:
            params = (
                ("project_id", project),
                ("status_id", str(status.id)),
                ("limit", "1"),
                ("sort", "id:desc"),
            )
            reply = await self._client.send(Call("GET", "/issues.json", "the issues", params))
            for each in reply.items(reply.data.get("issues")):
                allowed = await self._allowed(reply.parse(IssueWire, each).id)
                found = (found or set()) | {status.id} | allowed
        return found

    async def _allowed(self, issue: int) -> set[int]:
        call = Call("GET", f"/issues/{issue}.json", f"issue #{issue}", (("include", "allowed_statuses"),))
        try:
            reply = await self._client.send(call)
        except (NotThereError, RejectedError):
            return set()
        return {each.id for each in reply.parse(IssueWire, reply.data.get("issue")).allowed_statuses}

    async def list_fields(self, project: str, defaults: SettingValues) -> ProjectFields:
        found = await self._project(project)
        definitions = await self._definitions()
        filters = [
            NamedWire(id=each.id, name=each.name)
            for each in definitions or ()
            if each.is_filter and each.field_format in _TEXT_FIELDS
        ]
        settings = (
            fields.TEXT,
            fields.choices(fields.MARKER, filters if definitions is not None else found.issue_custom_fields),
        )
        new = (
            fields.choices(fields.TRACKER, found.trackers),
            fields.choices(
                fields.PRIORITY, await self._named("/enumerations/issue_priorities.json", "issue_priorities")
            ),
            fields.choices(
                fields.CATEGORY,
                await self._named(f"/projects/{segment(project)}/issue_categories.json", "issue_categories"),
            ),
            fields.choices(fields.ASSIGNEE, await self._members(project)),
        )
        tracker = chosen_one(defaults, fields.TRACKER.name)
        required = [
            fields.required_field(each)
            for each in definitions or ()
            if each.is_required and any(str(one.id) == tracker for one in each.trackers)
        ]
        return ProjectFields(settings, (*new, *required))

    async def _definitions(self) -> list[FieldDefinitionWire] | None:
        """Of the issues' custom fields; None: only admins may see them."""
        try:
            reply = await self._client.send(Call("GET", "/custom_fields.json", "the custom fields"))
        except (NotThereError, RejectedError):
            return None
        found = [
            reply.parse(FieldDefinitionWire, each) for each in reply.items(reply.data.get("custom_fields"))
        ]
        return [each for each in found if each.customized_type == "issue"]

    async def _named(self, path: str, name: str) -> list[NamedWire]:
        try:
            reply = await self._client.send(Call("GET", path, name.replace("_", " ")))
        except (NotThereError, RejectedError):
            return []
        return [reply.parse(NamedWire, each) for each in reply.items(reply.data.get(name))]

    async def _members(self, project: str) -> list[NamedWire]:
        call = Call("GET", f"/projects/{segment(project)}/memberships.json", "the members")
        try:
            found = [
                reply.parse(MembershipWire, each).user
                async for reply, each in self._client.pages(call, "memberships", limit=_PROJECT_PAGES)
            ]
        except (NotThereError, RejectedError):
            return []
        return sorted((each for each in found if each), key=lambda each: each.name.lower())
