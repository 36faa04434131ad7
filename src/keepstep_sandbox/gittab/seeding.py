"""What GitTab starts with, and what `POST /_sandbox/seed` may add to it.

Shape of a seed, every part optional::

    {"projects": [{"id": 3, "path": "demo/web", "members": {"visitor": "owner"}, "archived": false}],
     "labels":   [{"project": 1, "name": "ux", "color": "#dc143c"}],
     "issues":   [{"project": 1, "title": "…", "labels": ["ux"], "state": "closed", "author": "visitor"}],
     "tokens":   [{"token": "ro", "scopes": ["read_api"], "role": "reporter", "projects": [1],
                   "expires_at": "2020-01-01"}],
     "revoke_tokens": ["demo-gittab-token"], "roles": [{"token": "demo-gittab-token", "project": 1, "role": "none"}],
     "delete_events": {"2": true}, "limits": {"issues_per_minute": 300}, "auto_disable": false}

Seeded issues send no webhooks. A seeded project has the members it names (the visitor, if none) and two more people.
The role `none` makes a project invisible, as lost permission does.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from keepstep_sandbox.gittab.moments import ago
from keepstep_sandbox.gittab.state import (
    DEFAULT_COLOR,
    MAINTAINER,
    ROLES,
    Change,
    Issue,
    Label,
    Project,
    State,
    Token,
    User,
)

SERVICE_TOKEN = "demo-gittab-token"
VISITOR_TOKEN = "demo-visitor-token"
VISITOR = "visitor"

Role = Literal["none", "guest", "planner", "reporter", "developer", "maintainer", "owner"]
_Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _visitor_owns() -> dict[str, Role]:
    return {VISITOR: "owner"}


class ProjectSeed(_Part):
    id: int | None = None
    path: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    name: str | None = None
    description: str = ""
    archived: bool = False
    issues_enabled: bool = True
    members: dict[str, Role] = Field(default_factory=_visitor_owns)


class LabelSeed(_Part):
    project: int = 1
    name: str
    color: _Color = DEFAULT_COLOR
    description: str | None = None


class IssueSeed(_Part):
    project: int = 1
    title: Annotated[str, Field(min_length=1, max_length=255)]
    description: str | None = None
    state: Literal["opened", "closed"] = "opened"
    labels: list[str] = Field(default_factory=list)
    author: str = VISITOR
    confidential: bool = False
    days_old: float = 0


class TokenSeed(_Part):
    token: Annotated[str, Field(min_length=1)]
    name: str | None = None
    user: str | None = None  # an existing or new username; without it the token gets a bot user of its own
    scopes: list[str] = Field(default_factory=lambda: ["api"])
    role: Role = "maintainer"
    projects: list[int] = Field(default_factory=lambda: [1])
    admin: bool = False
    expires_at: str | None = None


class RoleSeed(_Part):
    token: str
    project: int
    role: Role


class Seed(_Part):
    projects: list[ProjectSeed] = Field(default_factory=list)
    labels: list[LabelSeed] = Field(default_factory=list)
    issues: list[IssueSeed] = Field(default_factory=list)
    tokens: list[TokenSeed] = Field(default_factory=list)
    revoke_tokens: list[str] = Field(default_factory=list)
    roles: list[RoleSeed] = Field(default_factory=list)
    delete_events: dict[int, bool] = Field(default_factory=dict)
    limits: dict[Literal["requests_per_minute", "issues_per_minute"], int | None] = Field(
        default_factory=dict
    )
    auto_disable: bool | None = None


class Seeder:
    """Puts seeds into a state. Raises ValueError where one names what is not there."""

    def __init__(self, state: State) -> None:
        self._state = state

    def start(self, seed: str) -> None:
        """`demo` has two projects with issues; `empty` the same people and an empty `demo/roadmap`."""
        self._people()
        self._project(
            ProjectSeed(id=1, path="demo/roadmap", name="Roadmap", description="What we build next")
        )
        self._state.projects[1].delete_events = True
        self._member("project_1_bot_7f3c9e", 1, MAINTAINER)
        if seed != "demo":
            return
        self._project(ProjectSeed(id=2, path="demo/mobile", name="Mobile", description="The app"))
        # GitLab keeps a project's bot inside its project; here it is in both, so that a move can be followed.
        self._member("project_1_bot_7f3c9e", 2, MAINTAINER)
        for label in DEMO_LABELS:
            self._label(label)
        for issue in DEMO_ISSUES:
            self._issue(issue)

    def add(self, additions: dict[str, Any]) -> dict[str, Any]:
        """Raises ValueError (pydantic's is one) for a seed of another shape."""
        seed = Seed.model_validate(additions)
        made: dict[str, Any] = {
            "projects": [self._project(project) for project in seed.projects],
            "labels": [self._label(label) for label in seed.labels],
            "issues": [self._issue(issue) for issue in seed.issues],
            "tokens": [self._token(token) for token in seed.tokens],
        }
        for secret in seed.revoke_tokens:
            self._known_token(secret).revoked = True
        for role in seed.roles:
            user = self._state.users[self._known_token(role.token).user_id]
            self._member(user.username, role.project, ROLES.get(role.role, 0))
        for project_id, wanted in seed.delete_events.items():
            self._known_project(project_id).delete_events = wanted
        self._state.limits.update({str(name): limit for name, limit in seed.limits.items()})
        if seed.auto_disable is not None:
            self._state.auto_disable = seed.auto_disable
        return made

    def _people(self) -> None:
        self._user(VISITOR, "Vera Visitor")
        self._user("project_1_bot_7f3c9e", "Keepstep", bot=True)
        for username, name in (("amara", "Amara Okafor"), ("jonas", "Jonas Lindqvist")):
            self._user(username, name)
        self._put_token(SERVICE_TOKEN, "Keepstep", "project_1_bot_7f3c9e", ["api"], self._in_a_year())
        self._put_token(VISITOR_TOKEN, "Scripts of a visitor", VISITOR, ["api"], self._in_a_year())

    @staticmethod
    def _in_a_year() -> str:
        return (datetime.now(UTC) + timedelta(days=364)).date().isoformat()

    def _user(self, username: str, name: str, *, bot: bool = False, admin: bool = False) -> User:
        user = User(
            self._state.next_id("users"), username, name, bot=bot, admin=admin, created_at=ago(days=90)
        )
        self._state.users[user.id] = user
        return user

    def _put_token(
        self, secret: str, name: str, username: str, scopes: list[str], expires_at: str | None
    ) -> Token:
        user = self._state.user_named(username)
        if user is None:
            raise ValueError(f"there is no user {username}")
        if self._state.token_with(secret) is not None:
            raise ValueError("this token is there already")
        token_id = self._state.next_id("tokens")
        token = Token(token_id, secret, name, user.id, scopes, ago(days=1), expires_at)
        self._state.tokens[token.id] = token
        return token

    def _token(self, seed: TokenSeed) -> dict[str, Any]:
        username = seed.user or f"project_{(seed.projects or [0])[0]}_bot_{self._state.next_id('bots'):06x}"
        name = seed.name or f"Token {seed.token[-4:]}"
        user = self._state.user_named(username) or self._user(username, name, bot=seed.user is None)
        user.admin = user.admin or seed.admin
        for project_id in seed.projects:
            self._member(username, project_id, ROLES.get(seed.role, 0))
        token = self._put_token(seed.token, name, username, list(seed.scopes), seed.expires_at)
        return {"id": token.id, "user_id": user.id, "username": username}

    def _project(self, seed: ProjectSeed) -> dict[str, Any]:
        if self._state.project_at(seed.path) or seed.id in self._state.projects:
            raise ValueError(f"there is a project {seed.id or seed.path} already")
        project_id = (
            self._state.next_id("projects") if seed.id is None else self._state.claim_id("projects", seed.id)
        )
        namespace, _, path = seed.path.partition("/")
        project = Project(
            id=project_id,
            namespace=namespace,
            path=path,
            name=seed.name or path,
            created_at=ago(days=60),
            last_activity_at=ago(hours=1),
            description=seed.description,
            archived=seed.archived,
            issues_enabled=seed.issues_enabled,
        )
        self._state.projects[project.id] = project
        for username, role in seed.members.items():
            self._member(username, project.id, ROLES.get(role, 0))
        if seed.members and "amara" not in seed.members:
            for username in ("amara", "jonas"):
                self._member(username, project.id, ROLES["developer"])
        return {"id": project.id, "path_with_namespace": project.full_path}

    def _member(self, username: str, project_id: int, level: int) -> None:
        user = self._state.user_named(username)
        if user is None:
            raise ValueError(f"there is no user {username}")
        members = self._known_project(project_id).members
        if level:
            members[str(user.id)] = level
        else:
            members.pop(str(user.id), None)

    def _known_project(self, project_id: int) -> Project:
        project = self._state.projects.get(project_id)
        if project is None:
            raise ValueError(f"there is no project {project_id}")
        return project

    def _known_token(self, secret: str) -> Token:
        token = self._state.token_with(secret)
        if token is None:
            raise ValueError("there is no such token")
        return token

    def _label(self, seed: LabelSeed) -> dict[str, Any]:
        project = self._known_project(seed.project)
        label = self._state.label_named(project.id, seed.name)
        if label is None:
            now = ago(days=50)
            label_id = self._state.next_id("labels")
            label = Label(label_id, project.id, seed.name, seed.color, now, now, seed.description)
            self._state.labels[label.id] = label
        return {"id": label.id, "name": label.name}

    def _issue(self, seed: IssueSeed) -> dict[str, Any]:
        project = self._known_project(seed.project)
        author = self._state.user_named(seed.author)
        if author is None:
            raise ValueError(f"there is no user {seed.author}")
        project.last_iid += 1
        at = ago(days=seed.days_old) if seed.days_old else self._state.clock.now()
        closed = seed.state == "closed"
        issue = Issue(
            id=self._state.next_id("issues"),
            iid=project.last_iid,
            project_id=project.id,
            title=seed.title,
            author_id=author.id,
            created_at=at,
            updated_at=at,
            description=seed.description,
            state=seed.state,
            label_ids=[
                self._label(LabelSeed(project=project.id, name=name))["id"]
                for name in dict.fromkeys(seed.labels)
            ],
            confidential=seed.confidential,
            closed_at=at if closed else None,
            closed_by_id=author.id if closed else None,
            history=[Change(self._state.next_id("changes"), at, author.id, "created", None, seed.title)],
        )
        self._state.add_issue(issue)
        return {"id": issue.id, "iid": issue.iid, "project_id": project.id}


DEMO_LABELS = [
    LabelSeed(name="productboard", color="#0b7a75", description="Pushed from Productboard"),
    LabelSeed(name="workflow::ready", color="#1f75cb", description="Refined, waits for somebody"),
    LabelSeed(name="workflow::doing", color="#c17d10", description="Somebody is at it"),
    LabelSeed(name="workflow::review", color="#6f4fbf", description="Done, to be looked at"),
    LabelSeed(name="bug", color="#c91c00"),
    LabelSeed(name="enhancement", color="#108548"),
    LabelSeed(name="customer", color="#e9be74", description="Asked for by name"),
    LabelSeed(project=2, name="productboard", color="#0b7a75"),
    LabelSeed(project=2, name="bug", color="#c91c00"),
]
DEMO_ISSUES = [
    IssueSeed(
        title="Export of large boards stops at 500 rows",
        description="Exports with more than **500 rows** end without an error.\n\n1. Open a board with 600 features\n"
        "2. *Export as CSV*\n3. Count the lines\n\n```\n$ wc -l board.csv\n501 board.csv\n```",
        labels=["bug", "customer"],
        author="amara",
        days_old=12,
    ),
    IssueSeed(
        title="Keyboard shortcuts for moving cards",
        description="People who live in the board want to keep their hands on the keyboard.\n\n"
        "- [x] Collect the wishes\n- [ ] Choose keys that no browser uses\n- [ ] Help overlay on `?`",
        labels=["enhancement", "workflow::doing"],
        author="jonas",
        days_old=8,
    ),
    IssueSeed(
        title="Sign-in page forgets where you came from",
        description="After signing in one lands on the home page, not on the link one followed.",
        state="closed",
        labels=["bug"],
        author="amara",
        days_old=20,
    ),
    IssueSeed(
        title="Weekly digest by e-mail",
        description="A short summary every Monday:\n\n| part | content |\n|---|---|\n| new | features created |\n"
        "| moved | status changes |\n\n> Nobody reads more than ten lines.",
        labels=["enhancement", "workflow::ready"],
        author="jonas",
        days_old=3,
    ),
    IssueSeed(
        project=2,
        title="Swipe to archive",
        description="Left for archive, right for later.",
        author="jonas",
        days_old=5,
    ),
    IssueSeed(project=2, title="Crash when the phone is turned", labels=["bug"], author="amara", days_old=2),
]
