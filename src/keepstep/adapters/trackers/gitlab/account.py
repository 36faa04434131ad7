"""Looking around with a token: who it is, what it may, projects, labels, statuses."""

from collections.abc import Sequence

from keepstep.adapters.http import Call
from keepstep.adapters.trackers.gitlab.client import GitLabClient, project_path
from keepstep.adapters.trackers.gitlab.settings import NEW_TICKET_LABELS, STATUS_LABELS, StatusRules
from keepstep.adapters.trackers.gitlab.wire import (
    LabelWire,
    MetadataWire,
    ProjectWire,
    TokenWire,
    UserWire,
    project_from_wire,
)
from keepstep.domain.integration import ProjectRef
from keepstep.domain.ticket import TicketStatus
from keepstep.ports.errors import NotThereError, RejectedError
from keepstep.ports.tracker import AccountFacts, ProjectFields, SettingValues

_SCOPE = 'the scope "api"'
_REPORTER = "20"
_PROJECT_PAGES = 3


class GitLabAccount:
    def __init__(self, client: GitLabClient, rules: StatusRules) -> None:
        self._client = client
        self._rules = rules

    async def verify(self) -> AccountFacts:
        token = await self._token()
        user, missing = await self._user(token)
        if token is not None and "api" not in token.scopes:
            has = f" (it has {', '.join(token.scopes)})" if token.scopes else ""
            missing = (f'The token lacks the scope "api"{has}: make a new one with it.',)
        return AccountFacts(
            user=user,
            version=await self._version(),
            missing=missing,
            expires_on=(token.expires_at if token else None) or "",
        )

    async def _token(self) -> TokenWire | None:
        """Scopes and expiry. OAuth tokens have no such page."""
        call = Call("GET", "/personal_access_tokens/self", "the account")
        try:
            return (await self._client.send(call)).parse(TokenWire)
        except (NotThereError, RejectedError):
            return None

    async def _user(self, token: TokenWire | None) -> tuple[str, tuple[str, ...]]:
        """A group's token cannot open `/user` on some versions; its own page says enough then."""
        try:
            reply = await self._client.send(Call("GET", "/user", "the token's user", right=_SCOPE))
        except (NotThereError, RejectedError) as error:
            return (token.name, ()) if token and token.name else ("unknown", (str(error),))
        user = reply.parse(UserWire)
        return user.name or user.username, ()

    async def _version(self) -> str:
        try:
            return (
                (await self._client.send(Call("GET", "/metadata", "the version"))).parse(MetadataWire).version
            )
        except (NotThereError, RejectedError):
            return ""

    async def list_projects(self, search: str = "") -> Sequence[ProjectRef]:
        """GitLab searches names, not paths: of "group/project" it is given the last part."""
        params = [
            ("membership", "true"),
            ("min_access_level", _REPORTER),
            ("archived", "false"),
            ("simple", "true"),
            ("order_by", "last_activity_at"),
            ("sort", "desc"),
        ]
        word = search.strip().rpartition("/")[2].strip()
        if word:
            params.append(("search", word))
        call = Call("GET", "/projects", "the projects", params, right=_SCOPE)
        found = [
            project_from_wire(reply.parse(ProjectWire, each))
            async for reply, page in self._client.pages(call, limit=_PROJECT_PAGES)
            for each in page
        ]
        wanted = search.strip().lower()
        return sorted(found, key=lambda project: _distance(project.name.lower(), wanted))

    async def get_project(self, project: str) -> ProjectRef:
        wanted = project.strip().strip("/")
        reply = await self._client.send(
            Call("GET", project_path(wanted), f"the project {wanted}", right=_SCOPE)
        )
        found = reply.parse(ProjectWire)
        name = found.path_with_namespace
        if found.archived:
            raise RejectedError(
                f"{name} is archived: nothing can be written there.", field="project", status=None
            )
        if not found.issues_enabled or found.issues_access_level == "disabled":
            raise RejectedError(
                f"Issues are switched off in {name}. Switch them on in the project's settings, under General, "
                "Visibility.",
                field="project",
                status=None,
            )
        return project_from_wire(found)

    async def list_labels(self, project: str) -> Sequence[str]:
        call = Call(
            "GET",
            project_path(project, "/labels"),
            "the labels",
            (("include_ancestor_groups", "true"),),
            right=_SCOPE,
        )
        return [
            reply.parse(LabelWire, each).name
            async for reply, page in self._client.pages(call)
            for each in page
        ]

    async def list_statuses(self, project: str) -> Sequence[TicketStatus]:  # noqa: ARG002 - the same in every project
        return self._rules.all()

    async def list_fields(self, project: str, defaults: SettingValues) -> ProjectFields:  # noqa: ARG002 - none is live
        return ProjectFields((STATUS_LABELS,), (NEW_TICKET_LABELS,))


def _distance(name: str, wanted: str) -> int:
    """Best match first; among equals the order of the list, newest activity first, stays."""
    if not wanted or wanted == name:
        return 0
    if name.rpartition("/")[2] == wanted or name.endswith("/" + wanted):
        return 1
    return 2 if wanted in name else 3
