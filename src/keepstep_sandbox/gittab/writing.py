"""Every write on issues and notes, from the API and from the pages: rules, history, system notes, webhooks.

Guarantee: a write that changes nothing moves no `updated_at` and sends no webhook. A write that closes or reopens
*and* changes something else sends two, as GitLab does: the change of state first. Labels count as a change like any
other. Checks of roles are the API's (`api/`); what a role may set is decided here, because GitLab drops it silently.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from keepstep_sandbox.gittab.errors import invalid, refused
from keepstep_sandbox.gittab.payloads import Payloads, told_values
from keepstep_sandbox.gittab.quick_actions import Actions, extract
from keepstep_sandbox.gittab.state import (
    DEFAULT_COLOR,
    OWNER,
    PLANNER,
    Change,
    Issue,
    Label,
    Note,
    Project,
    State,
    User,
)
from keepstep_sandbox.gittab.webhooks import Webhooks

TITLE_LIMIT = 255
TEXT_LIMIT = 1_048_576
_EDITS = ("title", "description")
_HISTORY = ("title", "description", "confidential", "discussion_locked", "due_date", "issue_type")


@dataclass(frozen=True)
class Wish:
    """What a request asks for; `values` holds plain fields by their name in `Issue`."""

    values: dict[str, Any] = field(default_factory=dict)
    state_event: str | None = None
    labels: list[str] | None = None  # replaces all
    add_labels: list[str] = field(default_factory=list)
    remove_labels: list[str] = field(default_factory=list)
    created_at: str | None = None  # owners only
    iid: int | None = None  # owners only
    updated_at: str | None = None  # owners only


def check_title(title: Any) -> str:
    """Raises Rails' refusal for a title that is empty or too long."""
    if not isinstance(title, str) or not title.strip():
        raise invalid(title="can't be blank")
    if len(title) > TITLE_LIMIT:
        raise invalid(title=f"is too long (maximum is {TITLE_LIMIT} characters)")
    return title.strip()


def _check_text(name: str, text: str | None) -> None:
    if text is not None and len(text) > TEXT_LIMIT:
        raise invalid(**{name: f"is too long (maximum is {TEXT_LIMIT} characters)"})


class Writing:
    def __init__(self, state: State, payloads: Payloads, webhooks: Webhooks) -> None:
        self._state = state
        self._payloads = payloads
        self._webhooks = webhooks

    # --- issues ---

    def create(self, project: Project, user: User, wish: Wish) -> Issue:
        """Raises GitLabError for a wrong title, description or iid."""
        wish = self._with_actions(project, user, wish)
        title = check_title(wish.values.get("title"))
        _check_text("description", wish.values.get("description"))
        now = self._state.clock.now()
        issue = Issue(
            id=self._state.next_id("issues"),
            iid=self._number(project, user, wish.iid),
            project_id=project.id,
            title=title,
            author_id=user.id,
            created_at=now,
            updated_at=now,
        )
        if project.level(user) >= OWNER and wish.created_at:
            issue.created_at = wish.created_at
        self._set_values(project, user, issue, wish)
        self._state.add_issue(issue)
        self._remember(issue, user, "created", None, issue.title)
        project.last_activity_at = now
        self._tell(issue, user, "open", {})
        if wish.state_event == "close":
            self._turn(issue, user, "close")
        return issue

    def update(self, issue: Issue, user: User, wish: Wish) -> Issue:
        """Raises GitLabError for a wrong title or description; then nothing has changed."""
        project = self._state.projects[issue.project_id]
        wish = self._with_actions(project, user, wish)
        if "title" in wish.values:
            wish.values["title"] = check_title(wish.values["title"])
        _check_text("description", wish.values.get("description"))
        if wish.state_event:
            self._turn(issue, user, wish.state_event)
        before, names = told_values(issue), self._state.names_of(issue)
        self._set_values(project, user, issue, wish)
        if told_values(issue) == before:
            return issue
        self._stamp(issue, user, wish.updated_at if project.level(user) >= OWNER else None)
        if any(before[name] != getattr(issue, name) for name in _EDITS):
            issue.last_edited_at, issue.last_edited_by_id = issue.updated_at, user.id
        self._remember_changes(issue, user, before, names)
        self._tell(issue, user, "update", self._payloads.changes_since(before, issue))
        return issue

    def delete(self, issue: Issue, user: User) -> None:
        project = self._state.projects[issue.project_id]
        # GitLab sends nothing here; the event is GitTab's own and has to be seeded.
        body = self._payloads.issue(issue, user, "delete", {}) if project.delete_events else None
        self._state.drop_issue(issue)
        project.last_activity_at = self._state.clock.now()
        if body is not None:
            self._webhooks.issue_event(issue, body)

    def move(self, issue: Issue, target: Project, user: User) -> Issue:
        """The new issue; the old one is closed and knows where it went. Raises GitLabError where it may not."""
        if issue.project_id == target.id:
            raise refused("Cannot move issue to project it originates from!")
        if issue.moved_to_id is not None or target.level(user) < PLANNER:
            raise refused("Cannot move issue due to insufficient permissions!")
        now = self._state.clock.now()
        names = [name for name in self._state.names_of(issue) if self._state.label_named(target.id, name)]
        copy = replace(
            issue,
            id=self._state.next_id("issues"),
            iid=self._number(target, user, None),
            project_id=target.id,
            label_ids=self.label_ids(target, names),
            assignee_ids=list(issue.assignee_ids),
            updated_at=now,
            history=[],
        )
        self._state.add_issue(copy)
        for note in self._state.notes_of(issue):
            self._state.add_note(replace(note, id=self._state.next_id("notes"), issue_id=copy.id))
        source = self._state.projects[issue.project_id]
        self._remember(copy, user, "moved", f"{source.full_path}#{issue.iid}", None)
        self._system_note(copy, user, f"moved from {source.full_path}#{issue.iid}")
        self._tell(copy, user, "open", {})
        issue.moved_to_id = copy.id
        self._remember(issue, user, "moved", None, f"{target.full_path}#{copy.iid}")
        self._system_note(issue, user, f"moved to {target.full_path}#{copy.iid}")
        self._turn(issue, user, "close", moved=True)
        return copy

    # --- notes ---

    def comment(
        self, issue: Issue, user: User, body: str, *, internal: bool = False
    ) -> tuple[Note | None, Actions]:
        """The note, or None when the text was nothing but quick actions; these are carried out either way."""
        _check_text("note", body)
        text, actions = extract(body)
        if not text.strip() and not actions.names:
            raise invalid(note="can't be blank")
        note = None
        if text.strip():
            now = self._stamp(issue, user, None)
            note = Note(
                id=self._state.next_id("notes"),
                issue_id=issue.id,
                author_id=user.id,
                body=text,
                created_at=now,
                updated_at=now,
                internal=internal,
            )
            self._state.add_note(note)
            self._webhooks.note_event(note, issue, self._payloads.note(note, issue, user, "create"))
        if actions.names:
            self.update(issue, user, self._merged(self._state.projects[issue.project_id], Wish(), actions))
        return note, actions

    def edit_comment(self, note: Note, user: User, body: str) -> Note:
        _check_text("note", body)
        if not body.strip():
            raise invalid(note="can't be blank")
        if note.body != body:
            issue = self._state.issues[note.issue_id]
            note.body, note.updated_at = body, self._stamp(issue, user, None)
            self._webhooks.note_event(note, issue, self._payloads.note(note, issue, user, "update"))
        return note

    def delete_comment(self, note: Note) -> None:
        self._state.drop_note(note)

    # --- labels ---

    def create_label(self, project: Project, name: str, color: str, description: str | None = None) -> Label:
        now = self._state.clock.now()
        label = Label(
            id=self._state.next_id("labels"),
            project_id=project.id,
            name=name,
            color=color,
            created_at=now,
            updated_at=now,
            description=description,
        )
        self._state.labels[label.id] = label
        return label

    def delete_label(self, label: Label) -> None:
        for issue in self._state.issues.values():
            if label.id in issue.label_ids:
                issue.label_ids.remove(label.id)
        del self._state.labels[label.id]

    def label_ids(self, project: Project, names: list[str]) -> list[int]:
        """Ids in the order of the names; unknown names become labels of the project."""
        ids = []
        for name in dict.fromkeys(names):
            label = self._state.label_named(project.id, name) or self.create_label(
                project, name, DEFAULT_COLOR
            )
            ids.append(label.id)
        return ids

    # --- inside ---

    def _number(self, project: Project, user: User, wanted: int | None) -> int:
        """The next number, or the one an owner asks for; GitLab drops the wish of anybody else."""
        if wanted is None or project.level(user) < OWNER:
            project.last_iid += 1
            return project.last_iid
        if wanted < 1 or self._state.issue_at(project.id, wanted) is not None:
            raise invalid(iid="has already been taken")
        project.last_iid = max(project.last_iid, wanted)
        return wanted

    def _with_actions(self, project: Project, user: User, wish: Wish) -> Wish:
        """Takes the quick actions out of the description; who may not use them loses them without effect."""
        text = wish.values.get("description")
        wish = replace(wish, values=dict(wish.values))
        if not text:
            return wish
        wish.values["description"], actions = extract(text)
        return self._merged(project, wish, actions) if project.level(user) >= PLANNER else wish

    def _merged(self, project: Project, wish: Wish, actions: Actions) -> Wish:
        if actions.title:
            wish.values["title"] = actions.title
        if actions.confidential:
            wish.values["confidential"] = True
        if actions.assignees is not None:
            people = [self._state.user_named(name) for name in actions.assignees]
            wish.values["assignee_ids"] = [person.id for person in people if person is not None]
        # A command does not make labels: only names that exist count.
        known = [name for name in actions.add_labels if self._state.label_named(project.id, name)]
        replacing = actions.labels if actions.labels is not None else wish.labels
        return replace(
            wish,
            state_event=actions.state_event or wish.state_event,
            labels=[] if actions.remove_all_labels else replacing,
            add_labels=wish.add_labels + known,
            remove_labels=wish.remove_labels + actions.remove_labels,
        )

    def _set_values(self, project: Project, user: User, issue: Issue, wish: Wish) -> None:
        values = dict(wish.values)
        assignee_ids = values.pop("assignee_ids", None)
        for name, value in values.items():
            setattr(issue, name, value)
        if project.level(user) < PLANNER:
            return
        if assignee_ids is not None:
            known = [i for i in dict.fromkeys(assignee_ids) if str(i) in project.members]
            issue.assignee_ids = known[:1]  # more than one person is a paid feature
        self._set_labels(project, issue, wish)

    def _set_labels(self, project: Project, issue: Issue, wish: Wish) -> None:
        if wish.labels is None and not wish.add_labels and not wish.remove_labels:
            return
        kept = issue.label_ids if wish.labels is None else self.label_ids(project, wish.labels)
        going = {
            label.id for name in wish.remove_labels if (label := self._state.label_named(project.id, name))
        }
        coming = self.label_ids(project, wish.add_labels)
        wanted = [label_id for label_id in dict.fromkeys([*kept, *coming]) if label_id not in going]
        if set(wanted) != set(issue.label_ids):
            issue.label_ids = wanted

    def _turn(self, issue: Issue, user: User, event: str, *, moved: bool = False) -> None:
        """Closes or reopens; does nothing where that is so already."""
        target = "closed" if event == "close" else "opened"
        before = told_values(issue)
        if moved:
            before["moved_to_id"] = None
        elif issue.state == target:
            return
        turned = issue.state != target
        if turned:
            self._remember(issue, user, "state", issue.state, target)
        issue.state = target
        now = self._stamp(issue, user, None)
        issue.closed_at = now if target == "closed" else None
        issue.closed_by_id = user.id if target == "closed" else None
        self._tell(issue, user, event if turned else "update", self._payloads.changes_since(before, issue))

    def _stamp(self, issue: Issue, user: User, wanted: str | None) -> str:
        now = self._state.clock.now()
        issue.updated_at, issue.updated_by_id = wanted or now, user.id
        self._state.projects[issue.project_id].last_activity_at = now
        return issue.updated_at

    def _tell(self, issue: Issue, user: User, action: str, changes: dict[str, Any]) -> None:
        self._webhooks.issue_event(issue, self._payloads.issue(issue, user, action, changes))

    def _remember(self, issue: Issue, user: User, what: str, before: Any, after: Any) -> None:
        change_id = self._state.next_id("changes")
        issue.history.append(Change(change_id, self._state.clock.now(), user.id, what, before, after))

    def _remember_changes(
        self, issue: Issue, user: User, before: dict[str, Any], names_before: list[str]
    ) -> None:
        for name in _HISTORY:
            if before[name] != getattr(issue, name):
                self._remember(issue, user, name, before[name], getattr(issue, name))
        if before["label_ids"] != issue.label_ids:
            self._remember(issue, user, "labels", names_before, self._state.names_of(issue))
        if before["assignee_ids"] != issue.assignee_ids:
            self._remember(issue, user, "assignees", before["assignee_ids"], list(issue.assignee_ids))
        if before["title"] != issue.title:
            self._system_note(issue, user, f"changed title from **{before['title']}** to **{issue.title}**")
        if before["description"] != issue.description:
            self._system_note(issue, user, "changed the description")

    def _system_note(self, issue: Issue, user: User, body: str) -> None:
        """Readable through the API; GitLab sends no webhook for one."""
        now = self._state.clock.now()
        note_id = self._state.next_id("notes")
        self._state.add_note(Note(note_id, issue.id, user.id, body, now, now, system=True))
