"""Which issues a list holds, and in which order: the parameters of GitLab's issue lists that GitTab knows.

A parameter that is not here is ignored, as GitLab ignores what it does not know: `not[…]`, epics, iterations,
reactions and weights among them.
"""

from collections.abc import Callable, Iterable

from keepstep_sandbox.gittab.params import Params, whole
from keepstep_sandbox.gittab.search import found
from keepstep_sandbox.gittab.state import Issue, State, User

_ORDERS = (
    "created_at",
    "updated_at",
    "due_date",
    "label_priority",
    "milestone_due",
    "popularity",
    "priority",
    "relative_position",
    "title",
    "weight",
)
_SCOPES = ("created-by-me", "assigned-to-me", "created_by_me", "assigned_to_me", "all")

Test = Callable[[Issue], bool]


def listed(state: State, user: User, issues: Iterable[Issue], params: Params, scope: str) -> list[Issue]:
    """Raises Grape's refusal for values that are not allowed."""
    tests = [
        *_by_state(params),
        *_by_people(state, user, params, scope),
        *_by_time(params),
        *_by_labels(state, params),
        *_by_text(params),
    ]
    kept = [issue for issue in issues if all(test(issue) for test in tests)]
    order = params.choice("order_by", _ORDERS, "created_at")
    downwards = params.choice("sort", ("asc", "desc"), "desc") == "desc"
    kept.sort(key=lambda issue: (*_order_key(issue, order), issue.id), reverse=downwards)
    return kept


def _order_key(issue: Issue, order: str) -> tuple[str, ...]:
    match order:
        case "updated_at":
            return (issue.updated_at,)
        case "title":
            return (issue.title.lower(),)
        case "due_date":
            return (issue.due_date or "9999",)
        case _:
            return (issue.created_at,)


def _by_state(params: Params) -> list[Test]:
    tests: list[Test] = []
    wanted = params.choice("state", ("opened", "closed", "all"), "all")
    if wanted != "all":
        tests.append(lambda issue: issue.state == wanted)
    if iids := set(params.numbers("iids")):
        tests.append(lambda issue: issue.iid in iids)
    confidential = params.flag("confidential")
    if confidential is not None:
        tests.append(lambda issue: issue.confidential == confidential)
    kind = params.text("issue_type")
    if kind:
        tests.append(lambda issue: issue.issue_type == kind)
    if params.text("milestone") not in (None, "", "None"):
        tests.append(lambda _issue: False)  # there are no milestones here
    return tests


def _by_people(state: State, user: User, params: Params, default_scope: str) -> list[Test]:
    tests: list[Test] = []
    scope = params.choice("scope", _SCOPES, default_scope).replace("-", "_")
    if scope == "created_by_me":
        tests.append(lambda issue: issue.author_id == user.id)
    elif scope == "assigned_to_me":
        tests.append(lambda issue: user.id in issue.assignee_ids)
    author_id = params.number("author_id")
    if author_id is not None:
        tests.append(lambda issue: issue.author_id == author_id)
    if name := params.text("author_username"):
        author = state.user_named(name)
        tests.append(lambda issue: author is not None and issue.author_id == author.id)
    assignee = params.raw("assignee_id")
    if assignee in ("None", "Any"):
        tests.append(lambda issue: bool(issue.assignee_ids) == (assignee == "Any"))
    elif assignee is not None:
        assignee_id = whole(assignee, "assignee_id")
        tests.append(lambda issue: assignee_id in issue.assignee_ids)
    return tests


def _by_time(params: Params) -> list[Test]:
    """Both ends are inclusive, to the millisecond."""
    tests: list[Test] = []
    for name in ("created", "updated"):
        tests += _within(f"{name}_at", params.moment(f"{name}_after"), params.moment(f"{name}_before"))
    return tests


def _within(name: str, after: str | None, before: str | None) -> list[Test]:
    tests: list[Test] = []
    if after is not None:
        tests.append(lambda issue: str(getattr(issue, name)) >= after)
    if before is not None:
        tests.append(lambda issue: str(getattr(issue, name)) <= before)
    return tests


def _by_labels(state: State, params: Params) -> list[Test]:
    names = set(params.words("labels"))
    if not names:
        return []
    special = {name.lower() for name in names} & {"none", "any"}
    if special:
        return [lambda issue: bool(issue.label_ids) == ("any" in special)]
    return [lambda issue: names <= set(state.names_of(issue))]


def _by_text(params: Params) -> list[Test]:
    search = params.text("search")
    if not search:
        return []
    fields = set((params.text("in") or "title,description").split(","))

    def texts(issue: Issue) -> list[str]:
        wanted = {"title": issue.title, "description": issue.description or ""}
        return [text for name, text in wanted.items() if name in fields]

    return [lambda issue: found(search, texts(issue))]
