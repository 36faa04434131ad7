"""Tracker: what Keepstep needs of an issue tracker, and the manifest by which one declares itself.

Every method may raise the errors of `keepstep.ports.errors`; extra ones are named. Vendor words end here.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from keepstep.domain.ids import TicketId
from keepstep.domain.integration import ProjectRef
from keepstep.domain.ticket import Ticket, TicketChanges, TicketDraft, TicketRef, TicketStatus
from keepstep.ports.registrations import HookReport
from keepstep.ports.text import TextFormat

SettingValues = Mapping[str, str | tuple[str, ...]]


class FieldKind(StrEnum):
    TEXT = "text"
    LABELS = "labels"
    """Several, chosen from the project's labels."""
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class SettingField:
    """One field of the configuration page, drawn from the manifest."""

    name: str
    label: str
    help: str = ""
    kind: FieldKind = FieldKind.TEXT
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    default: str | tuple[str, ...] = ""
    live: bool = False
    """The choices are the project's own: `Account.list_fields` fills them in."""


@dataclass(frozen=True, slots=True)
class ProjectFields:
    """The manifest's fields as one project has them: live choices filled in, fields that it requires appended."""

    settings: tuple[SettingField, ...] = ()
    defaults: tuple[SettingField, ...] = ()


class Channel(StrEnum):
    WEBHOOK = "webhook"
    """Registered through the API."""
    WEBHOOK_BY_HAND = "webhook by hand"
    """A person makes it by `hook_steps`; until its first call changes are found by looking."""
    POLLING = "polling"


class MarkerStrategy(StrEnum):
    """How a ticket is found again by the marker of its Link."""

    SEARCH = "search"
    LIST = "list"
    """All recent tickets of ours are listed and compared."""
    OWN_ID = "own id"
    """The tracker takes an id of ours, made of the marker."""
    CUSTOM_FIELD = "custom field"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class Capabilities:
    delete_events: bool = False
    restore: bool = False
    """What was deleted may come back under its id."""
    follows_moves: bool = False
    """`fetch_ticket` finds a moved ticket where it is now."""
    labels: bool = False
    comments: bool = True
    dates: bool = False
    assignee: bool = False
    write_precondition: bool = False
    redelivers: bool = False
    """Deliveries that failed can be asked for again."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One right that the token needs."""

    name: str
    """In the vendor's own word, as it stands on the page where tokens are made."""
    reason: str


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What the vendor allows one token, as far as it is known."""

    calls: int
    seconds: int
    writes_only: bool = False


@dataclass(frozen=True, slots=True)
class TrackerManifest:
    kind: str
    name: str
    summary: str
    """One line for the card on the configuration page."""
    project_word: str
    """"project", "repository", "team"."""
    default_base_url: str
    token_help: str
    """Where the token is made and which least scopes and role it needs."""
    text_format: str
    channel: Channel
    capabilities: Capabilities
    settings: tuple[SettingField, ...] = ()
    """How the project is read, e.g. which labels mean a status. Values go to `open_tracker`."""
    defaults: tuple[SettingField, ...] = ()
    """Defaults for new tickets. Values go into `TicketDraft.defaults`."""
    account: tuple[SettingField, ...] = ()
    """What belongs to the token and is asked for beside it, such as an e-mail address. Values go to `headers` and,
    with those of `settings`, to `open`."""
    scopes: tuple[Scope, ...] = ()
    marker: MarkerStrategy = MarkerStrategy.SEARCH
    limits: tuple[RateLimit, ...] = ()
    hook_steps: tuple[str, ...] = ()
    """How a person makes the webhook; {url} and {secret} stand for ours. Shown where the API cannot or may not."""
    hook_signed: bool = False
    """A webhook made by those steps signs what it sends."""
    settle_seconds: float = 10.0
    """After a create in doubt: how long the ticket may need to become findable."""
    title_limit: int = 255
    description_limit: int = 1_000_000


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What a valid token tells about itself."""

    user: str
    version: str = ""
    missing: tuple[str, ...] = ()
    """What the token may not do, in words a person can act on."""
    expires_on: str = ""
    """ISO date, or ""."""


class Account(Protocol):
    """Looking around with a token: for the configuration page and for health."""

    async def verify(self) -> AccountFacts:
        """Raises AuthLostError when the token is refused, TransientError when nobody answers there."""

    async def list_projects(self, search: str = "") -> Sequence[ProjectRef]:
        """At most a few hundred, those this token may write tickets in, best match first."""

    async def get_project(self, project: str) -> ProjectRef:
        """By id or path. NotThereError when it does not answer; RejectedError when tickets are off there."""

    async def list_labels(self, project: str) -> Sequence[str]: ...

    async def list_statuses(self, project: str) -> Sequence[TicketStatus]:
        """In the order of work, under the settings this tracker was opened with."""

    async def list_fields(self, project: str, defaults: SettingValues) -> ProjectFields:
        """`defaults`: what is chosen so far, since what is required may depend on it."""


class Tickets(Protocol):
    async def fetch_ticket(self, ref: TicketRef) -> Ticket:
        """Where it is now: after a move that the tracker follows, its ref differs from the one asked for.

        NotThereError: deleted, or not visible.
        """

    async def list_tickets(self, project: str, refs: Sequence[TicketRef]) -> Sequence[Ticket]:
        """Those of these (at most 100) that are in this project and visible, in any order."""

    async def find_by_address(self, project: str, address: str) -> Ticket | None:
        """The ticket behind an address (or a bare key) that a person pasted, if it is in this project."""

    async def find_by_marker(self, project: str, marker: str) -> Sequence[Ticket]:
        """By the strongest read the tracker has; each result verified to carry the whole marker, oldest first."""

    async def create_ticket(self, project: str, draft: TicketDraft) -> Ticket:
        """An error with `doubt` may mean it was created: look for the marker before creating again."""

    async def write_ticket(self, ref: TicketRef, changes: TicketChanges) -> Ticket:
        """Returns the ticket as the tracker shows it after the write (its full answer, or read again)."""

    async def ensure_marks(self, ref: TicketRef, marker: str, link_back: str) -> None:
        """Whatever marks a ticket as ours besides its text: a label, a field, a remote link to `link_back`."""

    async def remove_marks(self, ref: TicketRef, marker: str) -> None:
        """Undo `ensure_marks`; what is gone already counts as removed."""

    async def ensure_comment(self, ref: TicketRef, text: str, key: str) -> None:
        """Comment once: a comment that carries this key is not written again."""

    def iter_changed(self, project: str, since: datetime) -> AsyncIterator[Ticket]:
        """Tickets changed at or after `since`, all pages; may repeat."""


@dataclass(frozen=True, slots=True)
class HookFacts:
    id: str
    signed: bool
    """The tracker signs deliveries over the raw bytes; from then on an unsigned one is refused."""


@dataclass(frozen=True, slots=True)
class HookStep:
    """One step of making the webhook by hand."""

    text: str
    value: str = ""
    """What is to be entered, exactly: to be copied."""
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class TicketNotice:
    """One notification, read and verified. Hints only: nothing of it is trusted as a value."""

    ticket: TicketId | None
    """None: it concerns no ticket (a ping), or one that cannot be told; the poll finds the change."""
    delivery_id: str | None
    deleted: bool = False
    actor: str = ""


class Notifications(Protocol):
    async def ensure_hook(self, project: str, url: str, secret: str) -> HookFacts:
        """Register our address for ticket events, or find ours by its address and bring it up to date."""

    async def remove_hook(self, project: str, hook: str) -> None:
        """One that is gone already counts as removed."""

    async def inspect_hook(self, project: str, hook: str, url: str) -> HookReport:
        """As it is now. What is not fine is mended by `ensure_hook`."""

    async def ask_again(self, project: str, hook: str, since: datetime) -> int:
        """Ask for deliveries since then that failed, where the tracker declares `redelivers`; how many."""


@dataclass(frozen=True, slots=True)
class Tracker:
    """One tracker account, opened with its token and settings."""

    manifest: TrackerManifest
    text: TextFormat
    account: Account
    tickets: Tickets
    notifications: Notifications | None
    """None: this tracker calls nobody, or only by a webhook that people make by hand."""


class TrackerWire(Protocol):
    """A tracker's calls to us."""

    def read_notification(
        self, headers: Mapping[str, str], body: bytes, secret: str, *, signed: bool
    ) -> Sequence[TicketNotice]:
        """Verify over the raw bytes, then read. Raises NotGenuineError, then UnreadableError.

        `signed`: our hook has a signing secret, so a delivery without a valid signature is not genuine.
        """
