"""The demo workspace: one product, its components, features with real-looking texts, and the people who work on them.

Every id is computed from a name, so a reset gives the same ids again.
"""

import uuid
from dataclasses import dataclass

from keepstep_sandbox.productboard.fields import NOTE_FIELD, SIZE_FIELD
from keepstep_sandbox.productboard.state import Account, Entity, Member, Option, Token, Workspace

DEMO_WORKSPACE = "demo"
DEMO_TOKEN = "demo-productboard-token"
VISITOR_TOKEN = "demo-visitor-token"
_NAMESPACE = uuid.UUID("6b1f0f2e-0d5c-5a0a-9f57-3f1c5d2f7a10")
_STATUSES = ("New idea", "Candidate", "Planned", "In progress", "Released", "Won't do")
_WORK = ["feature", "subfeature"]


def fixed_id(name: str) -> str:
    """The same id for the same name, always."""
    return str(uuid.uuid5(_NAMESPACE, name))


@dataclass(frozen=True)
class _Item:
    key: str
    parent: str
    name: str
    status: str
    owner: str | None
    description: str
    tags: tuple[str, ...] = ()
    type: str = "feature"
    size: str | None = None
    archived: bool = False


_COMPONENTS = (
    ("workspace", "Workspace", "<p>Boards, views and everything people look at all day.</p>"),
    ("exchange", "Import and export", "<p>How data gets in and out.</p>"),
    ("access", "Accounts and access", "<p>Signing in, roles, audit.</p>"),
)
_MEMBERS = (
    ("ada", "Ada Vance", "ada@harbor.example", "admin"),
    ("tomas", "Tomas Lind", "tomas@harbor.example", "maker"),
    ("mei", "Mei Tanaka", "mei@harbor.example", "maker"),
    ("omar", "Omar Haddad", "omar@harbor.example", "maker"),
    ("ines", "Inês Prado", "ines@harbor.example", "viewer"),
    ("bo", "Bo Karlsen", "bo@harbor.example", "contributor"),
)
_TAGS = (
    ("performance", "green"),
    ("enterprise", "purple"),
    ("quick win", "yellow"),
    ("ux", "blue"),
    ("security", "red"),
)
_TEAMS = ("Core", "Growth", "Platform")
_SIZES = (("Small", "green"), ("Medium", "yellow"), ("Large", "red"))

_ITEMS = (
    _Item(
        "offline-mode",
        "workspace",
        "Offline mode for the mobile app",
        "In progress",
        "ada",
        "<p>Field crews lose their connection for hours. They must be able to <b>read and edit</b> their board, and "
        "everything has to be sent once they are back.</p><h2>Must have</h2><ul><li>Open the last used board without "
        "a network</li><li>Queue edits and show how many wait</li><li>Resolve conflicts <i>by field</i>, not by item"
        '</li></ul><p>Sketches: <a href="https://design.harbor.example/offline">design file</a>. Discussed with '
        '<a href="urn:pb:node:mention-7f21c0">@Tomas Lind</a>.</p>',
        ("enterprise", "ux"),
        size="Large",
    ),
    _Item(
        "bulk-edit",
        "workspace",
        "Bulk edit in the grid",
        "Planned",
        "mei",
        "<p>Select many rows and set status, owner or tags at once.</p><ol><li>Select with the keyboard</li><li>See "
        "what will change</li><li>Undo for <code>30 s</code></li></ol>",
        ("quick win", "ux"),
        size="Medium",
    ),
    _Item(
        "dark-theme",
        "workspace",
        "Dark theme",
        "Released",
        "mei",
        "<p>Follow the system setting. Charts need their own palette.</p>",
        ("ux",),
        size="Small",
    ),
    _Item(
        "saved-views",
        "workspace",
        "Saved views with sharing",
        "Candidate",
        "tomas",
        "<p>People rebuild the same filters every Monday.</p><blockquote><p>I keep a screenshot of my filter so that "
        "I can click it together again.</p></blockquote><p>A saved view has a name, an owner and a list of people who "
        "may see it.</p>",
        ("quick win",),
    ),
    _Item(
        "keyboard",
        "workspace",
        "Keyboard shortcuts everywhere",
        "New idea",
        None,
        "<p>Power users ask for <code>j</code>/<code>k</code>, <code>/</code> for search and <code>?</code> for help."
        "</p>",
        ("ux",),
    ),
    _Item(
        "csv-export",
        "exchange",
        "Faster CSV export",
        "In progress",
        "tomas",
        "<p>Exports of more than 50,000 rows time out. Stream them instead of building the file in memory.</p>"
        '<pre data-language="python"><code>for page in board.pages(size=1000):\n    writer.writerows(page.rows())'
        "</code></pre><p>Target: first byte within <b>2 s</b>, 100,000 rows within <b>60 s</b>.</p>",
        ("performance",),
        size="Medium",
    ),
    _Item(
        "xlsx-import",
        "exchange",
        "Import from Excel",
        "Planned",
        "omar",
        "<p>Column mapping with a preview of the first rows.</p><table><thead><tr><th>Column</th><th>Goes to</th></tr>"
        "</thead><tbody><tr><td>Title</td><td>Name</td></tr><tr><td>Due</td><td>Timeframe</td></tr></tbody></table>",
    ),
    _Item(
        "api-webhooks",
        "exchange",
        "Webhooks for every object",
        "Candidate",
        "omar",
        '<p>Today only features send webhooks. Customers poll for the rest.</p><ul data-type="checklist">'
        '<li data-checked="true"><p>List the events customers poll for</p></li><li data-checked="false"><p>Sign the '
        'payload</p></li><li data-checked="false"><p>Document retries</p></li></ul>',
        ("enterprise",),
    ),
    _Item(
        "pdf-report",
        "exchange",
        "PDF report for stakeholders",
        "Won't do",
        None,
        "<p>Printing a shared view covers it. See "
        '<a href="urn:pb:node:embed-19bd44">Decision record: reporting</a>.</p>',
    ),
    _Item(
        "sso",
        "access",
        "Single sign-on with OpenID Connect",
        "In progress",
        "ada",
        "<p>Enterprise customers require SSO &amp; central off-boarding.</p><h2>Scope</h2><ul><li>Any OpenID Connect "
        "provider</li><li>Group claims mapped to roles<ul><li>first match wins</li><li>no match means <i>viewer</i>"
        "</li></ul></li></ul><hr/><p>Out of scope: SAML.</p>",
        ("enterprise", "security"),
        size="Large",
    ),
    _Item(
        "audit-log",
        "access",
        "Audit log with export",
        "Planned",
        "omar",
        "<p>Who changed what, when, from where; kept for <u>12 months</u>.</p>"
        '<p><a href="urn:pb:node:collapsible-a90c13">Questions from the security review</a></p>',
        ("security", "enterprise"),
    ),
    _Item(
        "guest-access",
        "access",
        "Guest access with an end date",
        "Candidate",
        "ada",
        "<p>Agencies need access for a project and nothing afterwards.</p>",
        ("security",),
    ),
    _Item(
        "session-list",
        "access",
        "List and end active sessions",
        "New idea",
        "tomas",
        "<p>Show device, place and last use; end one or <b>all</b>.</p>",
        ("security", "quick win"),
        size="Small",
    ),
    _Item(
        "magic-link",
        "access",
        "Sign in by e-mail link",
        "Won't do",
        None,
        "<p>Replaced by single sign-on.</p>",
        archived=True,
    ),
    _Item(
        "offline-queue",
        "offline-mode",
        "Queue of unsent edits",
        "In progress",
        "tomas",
        "<p>Keep the order; show the count in the status bar.</p>",
        type="subfeature",
    ),
    _Item(
        "offline-conflicts",
        "offline-mode",
        "Conflict screen",
        "Planned",
        "mei",
        "<p>Both values side by side, per field.</p>",
        type="subfeature",
    ),
    _Item(
        "csv-progress",
        "csv-export",
        "Progress bar for long exports",
        "Candidate",
        "mei",
        "<p>With a link that works from another device.</p>",
        type="subfeature",
    ),
    _Item(
        "sso-groups",
        "sso",
        "Map groups to roles",
        "New idea",
        "ada",
        "<p>A table of group name and role.</p>",
        type="subfeature",
    ),
)
_NODES = {
    "urn:pb:node:mention-7f21c0": "mention of Tomas Lind",
    "urn:pb:node:embed-19bd44": "embedded decision record, 4 pages",
    "urn:pb:node:collapsible-a90c13": "collapsible section with 6 questions",
}


def empty_account() -> Account:
    """One workspace with people, options and a place to put features, but none yet; and the two demo tokens."""
    account = Account()
    add_workspace(account, DEMO_WORKSPACE, "Harbor")
    for token in (DEMO_TOKEN, VISITOR_TOKEN):
        account.tokens[token] = Token(token, DEMO_WORKSPACE)
    return account


def add_workspace(account: Account, workspace_id: str, name: str) -> Workspace:
    """A workspace with the usual options, members, one product and its components."""
    prefix = "" if workspace_id == DEMO_WORKSPACE else workspace_id + "/"
    workspace = Workspace(workspace_id, name)
    workspace.options = {
        "status": _options(prefix, "status", [(status, None) for status in _STATUSES]),
        "tags": _options(prefix, "tag", list(_TAGS)),
        "teams": _options(prefix, "team", [(team, None) for team in _TEAMS]),
        SIZE_FIELD: _options(prefix, "size", list(_SIZES)),
    }
    for key, person, email, role in _MEMBERS:
        member_id = fixed_id(f"{prefix}member/{key}")
        team = fixed_id(f"{prefix}team/{_TEAMS[len(workspace.members) % len(_TEAMS)]}")
        workspace.members[member_id] = Member(member_id, person, email, role, teams=[team])
    about = "<p>Planning for teams at work in the field.</p>"
    product = _place(fixed_id(prefix + "product/harbor"), "product", None, name + " app", about)
    workspace.entities[product.id] = product
    for key, title, description in _COMPONENTS:
        component = _place(fixed_id(f"{prefix}component/{key}"), "component", product.id, title, description)
        workspace.entities[component.id] = component
    account.workspaces[workspace_id] = workspace
    return workspace


def _options(prefix: str, kind: str, names: list[tuple[str, str | None]]) -> dict[str, Option]:
    made = [Option(fixed_id(f"{prefix}{kind}/{name}"), name, list(_WORK), color) for name, color in names]
    return {option.id: option for option in made}


def _place(place_id: str, kind: str, parent: str | None, name: str, description: str) -> Entity:
    fields = {"name": name, "description": description, "archived": False}
    return Entity(place_id, kind, fields, parent)


def demo_account() -> Account:
    """The workspace of `empty_account` with its features and subfeatures."""
    account = empty_account()
    workspace = account.workspaces[DEMO_WORKSPACE]
    for item in _ITEMS:
        entity = _entity(item)
        workspace.entities[entity.id] = entity
    dark = workspace.entities[fixed_id("feature/dark-theme")]
    dark.fields[NOTE_FIELD] = "Dark theme that follows your system."
    return account


def _entity(item: _Item) -> Entity:
    parent_kind = "component" if item.type == "feature" else "feature"
    fields: dict[str, object] = {
        "name": item.name,
        "description": item.description,
        "archived": item.archived,
        "status": fixed_id(f"status/{item.status}"),
    }
    if item.owner:
        fields["owner"] = fixed_id(f"member/{item.owner}")
    if item.tags:
        fields["tags"] = [fixed_id(f"tag/{tag}") for tag in item.tags]
    if item.size:
        fields[SIZE_FIELD] = fixed_id(f"size/{item.size}")
    nodes = {urn: content for urn, content in _NODES.items() if urn in item.description}
    parent = fixed_id(f"{parent_kind}/{item.parent}")
    return Entity(fixed_id(f"{item.type}/{item.key}"), item.type, fields, parent, nodes=nodes)
