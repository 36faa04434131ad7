"""Looking around with a credential before, and while, an integration uses it: what it may do, what there is to choose.

Nothing is written anywhere. Tokens are handed in open and kept nowhere; what goes wrong names the field to be changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from keepstep.app.context import Context
from keepstep.app.matching import propose_map
from keepstep.domain.errors import InvalidInputError, KeepstepError, MissingError
from keepstep.domain.feature import FeatureStatus
from keepstep.domain.integration import Integration, ProjectRef
from keepstep.domain.ticket import TicketStatus
from keepstep.ports.errors import AuthLostError, NotThereError, RejectedError
from keepstep.ports.productboard import FeatureBoard, WorkspaceFacts
from keepstep.ports.tracker import AccountFacts, ProjectFields, Tracker
from keepstep.ports.vault import VaultError

__all__ = [
    "BoardAccess",
    "BoardFound",
    "TrackerAccess",
    "check_board",
    "check_tracker",
    "cleaned_token",
    "field_of",
    "find_project",
    "list_board_statuses",
    "list_fields",
    "list_labels",
    "list_projects",
    "list_ticket_statuses",
    "propose_map",
    "tracker_of",
]

_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb<>"
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))

Settings = Mapping[str, str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class BoardAccess:
    base_url: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TrackerAccess:
    kind: str
    base_url: str
    token: str = field(repr=False)
    settings: Settings = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BoardFound:
    facts: WorkspaceFacts
    statuses: Sequence[FeatureStatus]


def cleaned_token(pasted: str) -> str:
    """Free of what pasting brings along: blanks, quotes, invisible characters, line ends, a leading "Bearer".

    Raises InvalidInputError (token) for what cannot be one token.
    """
    token = pasted.translate(_INVISIBLE).strip()
    for _ in range(3):
        token = token.strip(_QUOTES).strip()
        for prefix in ("authorization:", "private-token:", "bearer "):
            if token.lower().startswith(prefix):
                token = token[len(prefix) :].strip()
    if not token:
        raise InvalidInputError("token", "Paste a token.")
    if "\n" in token or "\r" in token:
        raise InvalidInputError("token", "This is more than one line. Paste the token alone.")
    if any(char.isspace() for char in token):
        raise InvalidInputError("token", "There is a blank inside. Paste the token alone, without its name.")
    if not token.isascii() or not token.isprintable():
        raise InvalidInputError(
            "token", "A token has plain letters, digits and signs only. Copy it once more."
        )
    return token


def open_board(ctx: Context, access: BoardAccess) -> FeatureBoard:
    """Raises InvalidInputError (base_url, token)."""
    return ctx.outside.open_board(access.base_url.strip(), access.token)


def open_tracker(ctx: Context, access: TrackerAccess) -> Tracker:
    """Raises InvalidInputError (kind, base_url, token)."""
    return ctx.outside.open_tracker(access.kind, access.base_url.strip(), access.token, access.settings)


async def check_board(ctx: Context, url: str, token: str) -> BoardFound:
    """Raises InvalidInputError, and the errors of the outside."""
    board = open_board(ctx, BoardAccess(url, token))
    facts = await board.workspace.verify()
    return BoardFound(facts, await board.workspace.list_statuses())


async def check_tracker(
    ctx: Context, kind: str, url: str, token: str, settings: Settings | None = None
) -> AccountFacts:
    """Raises InvalidInputError, and the errors of the outside."""
    return await open_tracker(ctx, TrackerAccess(kind, url, token, settings or {})).account.verify()


async def list_projects(ctx: Context, access: TrackerAccess, search: str = "") -> Sequence[ProjectRef]:
    return await open_tracker(ctx, access).account.list_projects(" ".join(search.split()))


async def find_project(ctx: Context, access: TrackerAccess, project: str) -> ProjectRef:
    """By id or path. Raises InvalidInputError (project) when the token does not see it, or it takes no tickets."""
    project = project.strip()
    word = ctx.outside.manifest(access.kind).project_word
    if not project:
        raise InvalidInputError("project", f"Choose a {word}.")
    try:
        return await open_tracker(ctx, access).account.get_project(project)
    except NotThereError as error:
        raise InvalidInputError(
            "project", f"The token does not see this {word}. Choose one of the list, or search for it."
        ) from error
    except RejectedError as error:
        raise InvalidInputError("project", str(error)) from error


async def list_labels(ctx: Context, access: TrackerAccess, project: str) -> Sequence[str]:
    return await open_tracker(ctx, access).account.list_labels(project)


async def list_fields(
    ctx: Context, access: TrackerAccess, project: str, defaults: Settings | None = None
) -> ProjectFields:
    """The manifest's fields as this project has them; `defaults` is what is chosen so far."""
    return await open_tracker(ctx, access).account.list_fields(project, defaults or {})


async def tracker_of(ctx: Context, integration: Integration) -> TrackerAccess:
    """Raises InvalidInputError when the token cannot be opened any more."""
    account = integration.tracker
    try:
        token = await ctx.vault.open(account.token)
    except (VaultError, MissingError) as error:
        raise InvalidInputError(
            "token", "The stored token cannot be opened any more. Paste a new one."
        ) from error
    return TrackerAccess(account.kind, account.base_url, token, integration.tracker_settings)


async def list_board_statuses(ctx: Context, access: BoardAccess) -> Sequence[FeatureStatus]:
    return await open_board(ctx, access).workspace.list_statuses()


async def list_ticket_statuses(ctx: Context, access: TrackerAccess, project: str) -> Sequence[TicketStatus]:
    return await open_tracker(ctx, access).account.list_statuses(project)


def field_of(error: KeepstepError) -> str:
    """Which entry a person has to look at: "token", "base_url", or what the error itself names."""
    match error:
        case InvalidInputError():
            return error.field
        case AuthLostError() | RejectedError():
            return "token"
    return "base_url"
