"""Looking around with a token: who it is, what it may, repositories, labels, statuses, what issues are given."""

import re
from collections.abc import Sequence
from dataclasses import replace

from keepstep.adapters.http import Call, Reply, segment
from keepstep.adapters.trackers.github.client import GitHubClient, repository_path
from keepstep.adapters.trackers.github.defaults import ALL, ASSIGNEE, MILESTONE, TYPE
from keepstep.adapters.trackers.github.settings import SETTINGS, StatusRules
from keepstep.adapters.trackers.github.wire import (
    MilestoneWire,
    NamedWire,
    RepositoryWire,
    TypeWire,
    UserWire,
    project_from_wire,
)
from keepstep.domain.integration import ProjectRef
from keepstep.domain.ticket import TicketStatus
from keepstep.ports.errors import NotThereError, RejectedError
from keepstep.ports.tracker import AccountFacts, ProjectFields, SettingValues

READS = 'the repository permission "Issues: read"'
_METADATA = 'the repository permission "Metadata: read"'
_PAGES = 3
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_ENOUGH = frozenset({"repo", "public_repo"})
_NO_REPOSITORY = (
    "The token sees no repository. Make one that has access to the repository, with the permissions Issues: read and "
    "write, and Metadata: read."
)
_NO_SCOPE = (
    "This classic token lacks the scope repo. Make a fine-grained one with the permissions Issues: read and write, and "
    "Metadata: read, or a classic one with the scope repo."
)


class GitHubAccount:
    def __init__(self, client: GitHubClient, rules: StatusRules) -> None:
        self._client = client
        self._rules = rules

    async def verify(self) -> AccountFacts:
        """Scopes are told of classic tokens alone; what a fine-grained one lacks shows with the call that needs it."""
        try:
            reply = await self._client.send(Call("GET", "/user", "the token's user"))
        except RejectedError:
            # An app's token is nobody's.
            call = Call("GET", "/installation/repositories", "the app's repositories", (("per_page", "1"),))
            reply = await self._client.send(call)
            return _facts("GitHub App", reply, ())
        user = reply.parse(UserWire)
        return _facts(user.name or user.login, reply, await self._missing(reply))

    async def _missing(self, reply: Reply) -> tuple[str, ...]:
        scopes = reply.headers.get("x-oauth-scopes")
        if scopes is not None:
            has = {each.strip() for each in scopes.split(",")}
            return () if has & _ENOUGH else (_NO_SCOPE,)
        call = Call("GET", "/user/repos", "the repositories", (("per_page", "1"),), right=_METADATA)
        return () if (await self._client.send(call)).items() else (_NO_REPOSITORY,)

    async def list_projects(self, search: str = "") -> Sequence[ProjectRef]:
        wanted = search.strip().lower()
        found = {
            each.id: project_from_wire(each)
            for each in await self._repositories()
            if each.has_issues and not each.archived and each.may_triage and wanted in each.full_name.lower()
        }
        return sorted(found.values(), key=lambda each: _distance(each.name.lower(), wanted))

    async def _repositories(self) -> list[RepositoryWire]:
        """GitHub does not search here: the few hundred that were worked on last."""
        call = Call("GET", "/user/repos", "the repositories", (("sort", "pushed"),), right=_METADATA)
        try:
            return [
                reply.parse(RepositoryWire, each)
                async for reply, page in self._client.pages(call, limit=_PAGES)
                for each in page
            ]
        except RejectedError:
            call = Call("GET", "/installation/repositories", "the app's repositories", (("per_page", "100"),))
            reply = await self._client.send(call)
            data = reply.data.get("repositories") if isinstance(reply.data, dict) else None
            return [reply.parse(RepositoryWire, each) for each in reply.items(data)]

    async def get_project(self, project: str) -> ProjectRef:
        """By id or "owner/name"; one that was renamed is found by its old name."""
        found = await self.repository(project)
        if found.archived:
            raise RejectedError(
                f"{found.full_name} is archived: nothing can be written there.", field="project", status=None
            )
        if not found.has_issues:
            raise RejectedError(
                f"Issues are switched off in {found.full_name}. Switch them on in its settings, under General.",
                field="project",
                status=None,
            )
        return project_from_wire(found)

    async def repository(self, project: str) -> RepositoryWire:
        wanted = project.strip().strip("/")
        owner, slash, name = wanted.partition("/")
        path = f"/repos/{segment(owner)}/{segment(name)}" if slash else repository_path(wanted)
        call = Call("GET", path, f"the repository {wanted}", right=_METADATA)
        return (await self._client.follow(call)).parse(RepositoryWire)

    async def list_labels(self, project: str) -> Sequence[str]:
        call = Call("GET", repository_path(project, "/labels"), "the labels", right=READS)
        return [
            reply.parse(NamedWire, each).name
            async for reply, page in self._client.pages(call)
            for each in page
        ]

    async def list_statuses(self, project: str) -> Sequence[TicketStatus]:  # noqa: ARG002 - the same in every one
        return self._rules.all()

    async def list_fields(self, project: str, defaults: SettingValues) -> ProjectFields:  # noqa: ARG002 - none depends
        """Issue types belong to organizations: elsewhere, and on servers without them, there is no such field."""
        choices = {
            ASSIGNEE.name: await self._people(project),
            MILESTONE.name: await self._milestones(project),
            TYPE.name: await self._types(project),
        }
        shown = (each for each in ALL if each is not TYPE or choices[TYPE.name])
        return ProjectFields(
            SETTINGS, tuple(replace(each, choices=choices.get(each.name, each.choices)) for each in shown)
        )

    async def _people(self, project: str) -> tuple[tuple[str, str], ...]:
        call = Call("GET", repository_path(project, "/assignees"), "those who can be assigned", right=READS)
        found = [
            reply.parse(UserWire, each).login
            async for reply, page in self._client.pages(call, limit=_PAGES)
            for each in page
        ]
        return tuple((each, each) for each in sorted(found, key=str.lower))

    async def _milestones(self, project: str) -> tuple[tuple[str, str], ...]:
        call = Call("GET", repository_path(project, "/milestones"), "the milestones", right=READS)
        found = [
            reply.parse(MilestoneWire, each)
            async for reply, page in self._client.pages(call, limit=_PAGES)
            for each in page
        ]
        return tuple((str(each.number), each.title) for each in found)

    async def _types(self, project: str) -> tuple[tuple[str, str], ...]:
        call = Call("GET", repository_path(project, "/issue-types"), "the issue types", right=READS)
        try:
            reply = await self._client.send(call)
        except (NotThereError, RejectedError):
            return ()
        found = [reply.parse(TypeWire, each) for each in reply.items()]
        return tuple((each.name, each.name) for each in found if each.is_enabled)


def _facts(user: str, reply: Reply, missing: tuple[str, ...]) -> AccountFacts:
    expiry = _ISO_DATE.match(reply.headers.get("github-authentication-token-expiration", ""))
    version = reply.headers.get("x-github-enterprise-version", "")
    return AccountFacts(user=user, version=version, missing=missing, expires_on=expiry[0] if expiry else "")


def _distance(name: str, wanted: str) -> int:
    """Best match first; among equals the order of the list, last worked on first, stays."""
    if not wanted or wanted == name:
        return 0
    if name.rpartition("/")[2] == wanted:
        return 1
    return 2 if name.rpartition("/")[2].startswith(wanted) else 3
