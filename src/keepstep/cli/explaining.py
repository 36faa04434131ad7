"""`links explain`: for each field both values, the base, and what decided last, in words."""

from collections.abc import Callable, Sequence

from keepstep.app.context import Context
from keepstep.app.overview import FieldView, LinkView, view_link
from keepstep.cli.printing import at, plain, shortened, wrapped
from keepstep.domain.events import Entry, Notice
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import LinkId
from keepstep.web.admin.names import StatusDirectory, StatusNames
from keepstep.web.admin.presenting import notice_words, text_of_html

_ROOM = 64
_WAITING = 10
_EARLIER = 5
"""How many values are offered to be put back."""


async def explain_link(ctx: Context, link_id: LinkId) -> str:
    """Raises MissingError."""
    view = await view_link(ctx, link_id)
    names = await StatusDirectory().names(ctx, view.integration, [view.link], view.journal)
    blocks = [_head(view), *(_field(each, names) for each in view.fields)]
    more = (_waiting(view.notices), _earlier(view.journal, names))
    return "\n\n".join([*blocks, *(each for each in more if each)])


def _head(view: LinkView) -> str:
    link, ticket = view.link, view.link.ticket
    named = f"{ticket.label} {link.ticket_title}" if ticket else "no ticket yet"
    lines = [
        wrapped("", f"Link {link.id}: {link.state}. {view.health.sentence}"),
        wrapped("  ", view.health.cure) if view.health.cure else "",
        f"  feature  {shortened(link.feature_title, _ROOM)}",
        f"  ticket   {shortened(named, _ROOM)} ({view.tracker_name})",
        wrapped("  ", shortened(link.trouble.message, 300)) if link.trouble else "",
        *(wrapped("  ", text) for text in link.warnings.values()),
    ]
    return "\n".join(line for line in lines if line)


def _waiting(notices: Sequence[Notice]) -> str:
    """What has come and is not dealt with, such as that of a Link set aside."""
    lines = [f"  {at(each.received_at)} {plain(notice_words(each))}" for each in notices[:_WAITING]]
    left = len(notices) - len(lines)
    return "\n".join(
        ["waits for its job", *lines, *([f"  and {left} more"] if left else [])] if lines else []
    )


def _field(view: FieldView, names: StatusNames) -> str:
    def shown(side: Side, value: str) -> str:
        return shown_value(names, view.field, side, value)

    note = "  (waits for a decision)" if view.undecided else ""
    lines = [
        f"{view.field}{note}",
        f"  feature  {shown(Side.FEATURE, view.feature)}",
        f"  ticket   {shown(Side.TICKET, view.ticket)}",
        *_bases(view, shown),
        wrapped("  why      ", view.why),
        wrapped("  refused  ", view.refused) if view.refused else "",
        wrapped("  last     ", _entry(view.last)) if view.last else "",
    ]
    return "\n".join(line for line in lines if line)


def _bases(view: FieldView, shown: Callable[[Side, str], str]) -> Sequence[str]:
    """What both agreed on last: one value, or one for each side where they say it in their own ways."""
    if (view.feature, view.ticket) == (view.base_feature, view.base_ticket):
        return ["  base     as shown: nothing has changed since they were in step"]
    feature, ticket = shown(Side.FEATURE, view.base_feature), shown(Side.TICKET, view.base_ticket)
    if feature == ticket:
        return [f"  base     {feature}"]
    return [f"  base     {feature} in Productboard,", f"           {ticket} in the tracker"]


def _entry(entry: Entry) -> str:
    by = f", by {plain(entry.actor)}" if entry.actor else ""
    return f"{at(entry.at)} {entry.act}{by} (entry {entry.id})"


def _earlier(journal: Sequence[Entry], names: StatusNames) -> str:
    """Values that stood there before."""
    lines: list[str] = []
    for entry in journal:
        if entry.field is None or entry.side is None or entry.before is None or len(lines) == _EARLIER:
            continue
        value = shown_value(names, entry.field, entry.side, entry.before)
        lines.append(f"  entry {entry.id}: {entry.side}'s {entry.field} was {value}")
    return "\n".join(["Earlier values (`keepstep links put-back ENTRY`)", *lines]) if lines else ""


def shown_value(names: StatusNames, name: Field, side: Side, value: str) -> str:
    """Shortened; a status by its name, a description as text."""
    match name:
        case Field.STATUS:
            return names.of(side, value)
        case Field.DESCRIPTION if side is Side.FEATURE:
            value = text_of_html(value)
    return f"“{shortened(value, _ROOM)}”" if value.strip() else "(empty)"
