"""What GitTab holds: users, tokens, projects, labels, issues, notes, hooks and what the hooks delivered.

Plain records that JSON can carry; ids are never used twice. Rules and side effects live in `writing.py`, the
vendor's shapes in `wire.py` and `payloads.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from keepstep_sandbox.gittab.moments import Clock

GUEST, PLANNER, REPORTER, DEVELOPER, MAINTAINER, OWNER = 10, 15, 20, 30, 40, 50
ROLES = {
    "guest": GUEST,
    "planner": PLANNER,
    "reporter": REPORTER,
    "developer": DEVELOPER,
    "maintainer": MAINTAINER,
    "owner": OWNER,
}
DEFAULT_COLOR = "#6699cc"


@dataclass
class User:
    id: int
    username: str
    name: str
    bot: bool = False
    admin: bool = False
    created_at: str = ""


@dataclass
class Token:
    id: int
    token: str
    name: str
    user_id: int
    scopes: list[str]
    created_at: str
    expires_at: str | None = None  # a day; the token is dead from its beginning
    revoked: bool = False
    last_used_at: str | None = None


@dataclass
class Project:
    id: int
    namespace: str
    path: str
    name: str
    created_at: str
    last_activity_at: str
    description: str = ""
    archived: bool = False
    issues_enabled: bool = True
    delete_events: bool = False  # GitTab's own: GitLab sends nothing for a deleted issue
    members: dict[str, int] = field(default_factory=dict)  # user id as text, because JSON keys are text
    last_iid: int = 0  # a deleted issue's number stays used

    @property
    def full_path(self) -> str:
        return f"{self.namespace}/{self.path}"

    def level(self, user: User) -> int:
        """The user's role here; 0 for a stranger."""
        return OWNER if user.admin else self.members.get(str(user.id), 0)


@dataclass
class Label:
    id: int
    project_id: int
    name: str
    color: str
    created_at: str
    updated_at: str
    description: str | None = None
    priority: int | None = None


@dataclass
class Change:
    """One line of an issue's history: who changed what, when, from what to what."""

    id: int
    at: str
    user_id: int
    field: str
    before: Any = None
    after: Any = None


@dataclass
class Issue:
    id: int
    iid: int
    project_id: int
    title: str
    author_id: int
    created_at: str
    updated_at: str
    description: str | None = None
    state: str = "opened"
    label_ids: list[int] = field(default_factory=list)
    assignee_ids: list[int] = field(default_factory=list)
    confidential: bool = False
    discussion_locked: bool | None = None
    due_date: str | None = None
    issue_type: str = "issue"
    closed_at: str | None = None
    closed_by_id: int | None = None
    updated_by_id: int | None = None
    last_edited_at: str | None = None
    last_edited_by_id: int | None = None
    moved_to_id: int | None = None
    history: list[Change] = field(default_factory=list)


@dataclass
class Note:
    id: int
    issue_id: int
    author_id: int
    body: str
    created_at: str
    updated_at: str
    system: bool = False
    internal: bool = False


@dataclass
class Hook:
    id: int
    uuid: str
    project_id: int
    url: str
    created_at: str
    events: dict[str, bool]
    name: str | None = None
    description: str | None = None
    enable_ssl_verification: bool = True
    push_events_branch_filter: str = ""
    token: str | None = None
    signing_token: str | None = None
    custom_headers: list[dict[str, str]] = field(default_factory=list)
    failures: int = 0  # in a row
    disabled_until: str | None = None


@dataclass
class HookEvent:
    """One attempt of one delivery, as the hook's event list shows it."""

    id: int
    hook_id: int
    key: str  # Idempotency-Key, equal over retries
    event_uuid: str
    event_name: str  # X-Gitlab-Event
    trigger: str
    url: str
    at: str
    body: dict[str, Any]
    request_headers: dict[str, str]
    response_status: str
    response_headers: dict[str, str]
    response_body: str
    duration_s: float


_TABLES: dict[str, type] = {
    "users": User,
    "tokens": Token,
    "projects": Project,
    "labels": Label,
    "issues": Issue,
    "notes": Note,
    "hooks": Hook,
    "hook_events": HookEvent,
}


class State:
    """The tables, each by id, and the counters of their ids."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clear()

    def clear(self) -> None:
        self.users: dict[int, User] = {}
        self.tokens: dict[int, Token] = {}
        self.projects: dict[int, Project] = {}
        self.labels: dict[int, Label] = {}
        self.issues: dict[int, Issue] = {}
        self.notes: dict[int, Note] = {}
        self.hooks: dict[int, Hook] = {}
        self.hook_events: dict[int, HookEvent] = {}
        self._numbers: dict[tuple[int, int], Issue] = {}
        self._notes_by_issue: dict[int, dict[int, Note]] = {}
        self.last_ids: dict[str, int] = {}
        self.limits: dict[str, int | None] = {"requests_per_minute": 6000, "issues_per_minute": None}
        self.auto_disable = True

    def next_id(self, table: str) -> int:
        self.last_ids[table] = self.last_ids.get(table, 0) + 1
        return self.last_ids[table]

    def claim_id(self, table: str, wanted: int) -> int:
        """An id that a seed asks for; later ids are higher."""
        self.last_ids[table] = max(self.last_ids.get(table, 0), wanted)
        return wanted

    def user_named(self, username: str) -> User | None:
        return next((u for u in self.users.values() if u.username == username), None)

    def token_with(self, secret: str) -> Token | None:
        return next((t for t in self.tokens.values() if t.token == secret), None)

    def project_at(self, key: str) -> Project | None:
        """By number or by full path, as in an address; paths do not tell capitals apart."""
        if key.isascii() and key.isdigit():
            return self.projects.get(int(key))
        wanted = key.lower()
        return next((p for p in self.projects.values() if p.full_path.lower() == wanted), None)

    def labels_of(self, project_id: int) -> list[Label]:
        return [label for label in self.labels.values() if label.project_id == project_id]

    def label_named(self, project_id: int, name: str) -> Label | None:
        return next((label for label in self.labels_of(project_id) if label.name == name), None)

    def names_of(self, issue: Issue) -> list[str]:
        return sorted(self.labels[label_id].name for label_id in issue.label_ids)

    def issue_at(self, project_id: int, iid: int) -> Issue | None:
        return self._numbers.get((project_id, iid))

    def notes_of(self, issue: Issue) -> list[Note]:
        return list(self._notes_by_issue.get(issue.id, {}).values())

    def add_issue(self, issue: Issue) -> None:
        self.issues[issue.id] = issue
        self._numbers[issue.project_id, issue.iid] = issue

    def drop_issue(self, issue: Issue) -> None:
        """The issue and its notes."""
        for note_id in self._notes_by_issue.pop(issue.id, {}):
            del self.notes[note_id]
        del self.issues[issue.id], self._numbers[issue.project_id, issue.iid]

    def add_note(self, note: Note) -> None:
        self.notes[note.id] = note
        self._notes_by_issue.setdefault(note.issue_id, {})[note.id] = note

    def drop_note(self, note: Note) -> None:
        del self.notes[note.id], self._notes_by_issue[note.issue_id][note.id]

    def hooks_of(self, project_id: int) -> list[Hook]:
        return [hook for hook in self.hooks.values() if hook.project_id == project_id]

    def snapshot(self) -> dict[str, Any]:
        tables = {name: [_plain(record) for record in getattr(self, name).values()] for name in _TABLES}
        return {
            **tables,
            "last_ids": dict(self.last_ids),
            "limits": dict(self.limits),
            "auto_disable": self.auto_disable,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        self.clear()
        for name, kind in _TABLES.items():
            setattr(self, name, {record.id: record for record in _records(kind, saved[name])})
        self._numbers = {(issue.project_id, issue.iid): issue for issue in self.issues.values()}
        for note in self.notes.values():
            self._notes_by_issue.setdefault(note.issue_id, {})[note.id] = note
        self.last_ids = dict(saved["last_ids"])
        self.limits = dict(saved["limits"])
        self.auto_disable = saved["auto_disable"]


def _plain(record: Any) -> dict[str, Any]:
    """A copy that a later change of the record does not reach. Quick: all records pass here after each write."""
    plain = dict(vars(record))
    for name, value in plain.items():
        if type(value) is list:
            plain[name] = [dict(vars(item)) if type(item) is Change else item for item in value]
        elif type(value) is dict:
            plain[name] = dict(value)
    return plain


def _records(kind: type, rows: list[dict[str, Any]]) -> Iterator[Any]:
    for row in rows:
        values = {name: list(v) if isinstance(v, list) else v for name, v in row.items()}
        if kind is Issue:
            values["history"] = [Change(**entry) for entry in row["history"]]
        yield kind(**values)
