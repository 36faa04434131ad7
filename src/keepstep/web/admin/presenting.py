"""Values as people read them: times, numbers, words for states. Pure functions; templates use them as filters."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import nh3

from keepstep.app.overview import HealthWord, IntegrationRow
from keepstep.domain.bulk import BulkOutcome, BulkState, FirstSync, Way
from keepstep.domain.events import Notice, NoticeKind, Source
from keepstep.domain.fields import Field, Side
from keepstep.domain.integration import IntegrationState, StepName
from keepstep.domain.link import ATTENTION, ConflictCause, LinkState
from keepstep.domain.policy import ConflictRule, Direction

_BLOCK_END = re.compile(
    r"(?:</p>\s*)?</li>|</(?:p|h[1-6]|pre|blockquote|tr|div)>|<br\s*/?>|<hr\s*/?>", re.IGNORECASE
)
_ITEM = re.compile(r"<li\b[^>]*>", re.IGNORECASE)
_MANY_BREAKS = re.compile(r"\n{3,}")
_SHOWN_TAGS = {
    "h1", "h2", "h3", "p", "b", "strong", "i", "em", "u", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a",
    "hr", "br", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip

HEALTH_LABELS = {
    HealthWord.OK: "In step",
    HealthWord.WORKING: "Working",
    HealthWord.ATTENTION: "Attention",
    HealthWord.BROKEN: "Broken",
}

STATE_LABELS = {
    LinkState.PUSHING: "Being made",
    LinkState.LINKED: "In step",
    LinkState.IN_CONFLICT: "In conflict",
    LinkState.REFUSED: "Refused",
    LinkState.LOST_SIGHT: "Lost sight",
    LinkState.SET_ASIDE: "Set aside",
    LinkState.UNLINKING: "Being unlinked",
    LinkState.DISMISSED: "Dismissed",
}

INTEGRATION_LABELS = {
    IntegrationState.CONNECTING: "Connecting",
    IntegrationState.ACTIVE: "Active",
    IntegrationState.PAUSED: "Paused",
    IntegrationState.REMOVING: "Being removed",
}

CONFLICT_LABELS = {
    ConflictCause.BOTH_CHANGED: "Both sides changed it",
    ConflictCause.FIGHT: "Another program works against us",
    ConflictCause.FIRST_SYNC: "They differed when linked",
}

_NOTICE_WORDS = {
    NoticeKind.CHANGED: "the {} changed",
    NoticeKind.DELETED: "the {} was deleted",
    NoticeKind.PUSH: "push",
    NoticeKind.UNLINK: "unlink",
    NoticeKind.SYNC: "sync",
    NoticeKind.DECIDE: "a decision",
    NoticeKind.CELL: "look at the cell",
    NoticeKind.LOOK_AGAIN: "look a second time",
}
_SOURCE_WORDS = {
    Source.WEBHOOK: "told by webhook",
    Source.POLL: "found by looking",
    Source.CLICK: "clicked in Productboard",
    Source.PERSON: "asked for in Keepstep",
    Source.TIMER: "by itself",
    Source.BULK: "part of a bulk run",
}

DIRECTION_SENTENCES = {
    Direction.BOTH: "Kept the same on both sides.",
    Direction.TO_TICKET: "Goes from the feature to the ticket only.",
    Direction.TO_FEATURE: "Goes from the ticket to the feature only.",
    Direction.ONCE: "Set once, when the ticket is made; after that each side is free.",
    Direction.OFF: "Left alone.",
}

RULE_SENTENCES = {
    ConflictRule.NEWEST: "If both sides change it at once, the newest change wins; the other is kept in the journal.",
    ConflictRule.PRODUCTBOARD: "If both sides change it at once, Productboard wins; the other is kept in the journal.",
    ConflictRule.TRACKER: "If both sides change it at once, the tracker wins; the other is kept in the journal.",
    ConflictRule.ASK: "If both sides change it at once, a person decides on the Link's page.",
}

WAY_LABELS = {
    Way.MARKER: "our marker",
    Way.ADDRESS: "address in a description",
    Way.TITLE: "equal titles",
    Way.CSV: "your CSV",
}
WAY_SENTENCES = {
    Way.MARKER: "The ticket carries Keepstep's marker and leads to the feature, as after a lost database.",
    Way.ADDRESS: "The ticket's address stands in the feature's description, or the other way round.",
    Way.TITLE: "Both have the same title, and nothing else has it. Not ticked at first: look at each.",
}
FIRST_CHOICES = (
    (FirstSync.KEEP, "Both keep what they have", "From the next change on they follow each other."),
    (FirstSync.FEATURE, "Take the feature's", "The ticket is changed; what it said stays in the journal."),
    (FirstSync.TICKET, "Take the ticket's", "The feature is changed; what it said stays in the journal."),
    (FirstSync.ASK, "Ask me about each", "Each difference waits on its Link's page."),
)

STEP_LABELS = {
    StepName.BOARD: "Access to Productboard",
    StepName.TRACKER: "Access to the tracker",
    StepName.COLUMN: "Column in Productboard",
    StepName.SUBSCRIPTION: "Productboard webhook",
    StepName.HOOK: "Tracker webhook",
    StepName.LINKS: "Links",
    StepName.DATA: "Our own records",
}


def ago(at: datetime, now: datetime) -> str:
    """As in "just now", "3 min ago", "in 2 h"; from a month on the date itself."""
    seconds = (now - at).total_seconds()
    if abs(seconds) < 10:
        return "just now"
    if abs(seconds) > timedelta(days=30).total_seconds():
        return f"{at.astimezone(UTC):%-d %b %Y}"
    span = _span(abs(seconds))
    return f"{span} ago" if seconds > 0 else f"in {span}"


def notice_words(notice: Notice) -> str:
    """What has come, and how: "the ticket changed, told by webhook, by Ada"."""
    what = _NOTICE_WORDS[notice.kind].format(notice.side or "item")
    return ", ".join([what, _SOURCE_WORDS[notice.source], *([f"by {notice.actor}"] if notice.actor else [])])


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def duration(seconds: float) -> str:
    return "0 s" if seconds < 1 else _span(seconds)


def exact(at: datetime) -> str:
    return f"{at.astimezone(UTC):%-d %b %Y, %H:%M:%S} UTC"


def clock(at: datetime, now: datetime) -> str:
    """A time of day; of another day with its date."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    day = "" if at.date() == now.date() else f"{at:%-d %b}, "
    return f"{day}{at:%H:%M} UTC"


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def number(value: int) -> str:
    """Groups of three, set apart by a thin space that does not break."""
    return f"{value:,}".replace(",", "\u202f")


def counted(value: int, one: str, many: str = "") -> str:
    """As in "1 Link", "134 Links"."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def capital(text: str) -> str:
    """The first letter only; names keep theirs."""
    return text[:1].upper() + text[1:]


def side_name(side: Side | None) -> str:
    match side:
        case Side.FEATURE:
            return "Productboard"
        case Side.TICKET:
            return "Tracker"
    return ""


def field_name(name: Field | None) -> str:
    return capital(name.value) if name else ""


def state_word(state: LinkState) -> str:
    """Which of the four meanings a Link's state has, or "none"."""
    if state is LinkState.DISMISSED:
        return "none"
    if state is LinkState.SET_ASIDE:
        return HealthWord.BROKEN
    if state in ATTENTION:
        return HealthWord.ATTENTION
    return HealthWord.WORKING if state in (LinkState.PUSHING, LinkState.UNLINKING) else HealthWord.OK


def bulk_word(state: BulkState) -> str:
    """Which of the four meanings a bulk run's state has, or "none"."""
    match state:
        case BulkState.PREPARING | BulkState.RUNNING | BulkState.CANCELLING:
            return HealthWord.WORKING
        case BulkState.PROPOSED | BulkState.PAUSED:
            return HealthWord.ATTENTION
        case BulkState.FAILED:
            return HealthWord.BROKEN
        case BulkState.CANCELLED:
            return "none"
    return HealthWord.OK


def outcome_word(outcome: BulkOutcome) -> str:
    match outcome:
        case BulkOutcome.PUSHED | BulkOutcome.LINKED:
            return HealthWord.OK
        case BulkOutcome.UNDER_WAY:
            return HealthWord.WORKING
        case BulkOutcome.FAILED:
            return HealthWord.BROKEN
    return "none"


def row_label(row: IntegrationRow) -> str:
    """The word beside the icon in a list of integrations."""
    integration = row.integration
    match integration.state:
        case IntegrationState.ACTIVE if row.health.word is HealthWord.OK and not row.counts.total:
            return "Ready"
        case IntegrationState.ACTIVE:
            return HEALTH_LABELS[row.health.word]
        case IntegrationState.CONNECTING if integration.failure:
            return "Connecting failed"
        case IntegrationState.REMOVING if integration.failure:
            return "Removal is stuck"
    return INTEGRATION_LABELS[integration.state]


def text_of_html(source: str) -> str:
    """The words of a description, a block a line: for comparing and for previews."""
    marked = _BLOCK_END.sub(lambda found: found.group(0) + "\n", _ITEM.sub("<li>• ", source))
    words = html.unescape(nh3.clean(marked, tags=set()))
    lines = (" ".join(line.split()) for line in words.split("\n"))
    return _MANY_BREAKS.sub("\n\n", "\n".join(lines)).strip()


def shown_html(source: str) -> str:
    """Safe to put into a page: a fixed set of tags, no images (they would call home), links that leak nothing."""
    return nh3.clean(
        source,
        tags=_SHOWN_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


@dataclass(frozen=True, slots=True)
class Bar:
    x: int
    y: float
    height: float
    count: int


def bars(activity: Sequence[int], height: int = 24) -> Sequence[Bar]:
    """A strip of bars, 4 px each with a gap of 2; an hour without anything is a dot on the ground line."""
    top = max((*activity, 1))
    found = []
    for at, count in enumerate(activity):
        tall = max(height * count / top, 3.0) if count else 1.0
        found.append(Bar(at * 6, round(height - tall, 1), round(tall, 1), count))
    return found
