"""Journal entries as people read them: a sentence, a meaning, and what changed as words."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from keepstep.app.context import Context
from keepstep.app.overview import HealthWord
from keepstep.domain.events import Act, Entry
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import LinkId
from keepstep.domain.link import Link
from keepstep.web.admin.names import StatusNames
from keepstep.web.admin.presenting import capital, text_of_html

Parts = Sequence[tuple[str, str]]
"""(kind, text) with kind one of same, gone, new."""

_TOKEN = re.compile(r"\s*\S+|\s+$")
_LONGEST_DIFFERENCE = 20_000
"""Characters on both sides together; comparing takes longer than linear time."""

_MEANINGS: Mapping[Act, HealthWord] = {
    Act.CONNECT_FAILED: HealthWord.BROKEN,
    Act.FAILED: HealthWord.BROKEN,
    Act.SET_ASIDE: HealthWord.BROKEN,
    Act.PAUSED: HealthWord.ATTENTION,
    Act.OVERRULED: HealthWord.ATTENTION,
    Act.ASKED: HealthWord.ATTENTION,
    Act.REFUSED: HealthWord.ATTENTION,
    Act.LOSS: HealthWord.ATTENTION,
    Act.LOST_SIGHT: HealthWord.ATTENTION,
    Act.DUPLICATE: HealthWord.ATTENTION,
    Act.CONNECTED: HealthWord.OK,
    Act.CREATED: HealthWord.OK,
    Act.ADOPTED: HealthWord.OK,
    Act.LINKED: HealthWord.OK,
    Act.WROTE: HealthWord.OK,
    Act.DECIDED: HealthWord.OK,
    Act.RESUMED: HealthWord.OK,
    Act.FOUND_AGAIN: HealthWord.OK,
}


@dataclass(frozen=True, slots=True)
class ShownEntry:
    entry: Entry
    what: str
    word: str
    """One of the four meanings, or "none"."""
    link: Link | None
    before: str
    after: str
    difference: Parts
    """Empty where there is nothing to compare."""
    brief: bool
    """The change fits into the line itself."""
    can_put_back: bool
    gone: str = ""
    """The title of a feature whose Link is no more, where the journal still tells it."""
    times: int = 1
    """How often the same happened to the same Link in a row; shown is the newest."""


def show_entries(
    entries: Sequence[Entry], links: Mapping[LinkId, Link], names: StatusNames, tracker: str
) -> Sequence[ShownEntry]:
    gone = _titles(entries)
    shown: list[ShownEntry] = []
    for entry in entries:
        if shown and _repeats(entry, shown[-1].entry):
            shown[-1] = replace(shown[-1], times=shown[-1].times + 1)
            continue
        link = links.get(entry.link_id) if entry.link_id else None
        title = gone.get(entry.link_id, "") if entry.link_id and link is None else ""
        shown.append(replace(_show(entry, link, names, tracker), gone=title))
    return shown


def _repeats(older: Entry, newer: Entry) -> bool:
    """A side that is down fails every try alike: one line says so."""
    return (
        older.act is Act.FAILED
        and newer.act is Act.FAILED
        and older.link_id == newer.link_id
        and older.reason == newer.reason
    )


def _titles(entries: Sequence[Entry]) -> Mapping[LinkId, str]:
    """By Link: the title that the newest of these entries tells."""
    titles: dict[LinkId, str] = {}
    for entry in entries:
        if entry.link_id and entry.field is Field.TITLE and entry.act is Act.WROTE and entry.after:
            titles.setdefault(entry.link_id, entry.after)
        elif entry.link_id and entry.act is Act.UNLINKED and entry.before:
            titles.setdefault(entry.link_id, entry.before)
    return titles


async def links_of(ctx: Context, entries: Sequence[Entry]) -> Mapping[LinkId, Link]:
    """The Links that these entries speak of, those that still exist."""
    wanted = {entry.link_id for entry in entries if entry.link_id}
    async with ctx.storage.begin() as uow:
        found = [await uow.links.find(each) for each in wanted]
    return {link.id: link for link in found if link is not None}


def _show(entry: Entry, link: Link | None, names: StatusNames, tracker: str) -> ShownEntry:
    before, after = (_words(entry, value, names) for value in (entry.before, entry.after))
    changed = entry.field is not None and (entry.before is not None or entry.after is not None)
    return ShownEntry(
        entry=entry,
        what=sentence(entry, tracker),
        word=_MEANINGS.get(entry.act, "none"),
        link=link,
        before=before,
        after=after,
        difference=difference(before, after) if changed else (),
        brief=changed and entry.field is Field.STATUS,
        can_put_back=entry.act is Act.OVERRULED and link is not None and link.is_open,
    )


def _words(entry: Entry, value: str | None, names: StatusNames) -> str:
    if value is None:
        return ""
    if entry.field is Field.STATUS:
        return names.of(entry.side, value)
    if entry.field is Field.DESCRIPTION and entry.side is not Side.TICKET:
        return text_of_html(value)
    return value


def sentence(entry: Entry, tracker: str) -> str:
    """What was done, in the past tense and without who or why."""
    name = entry.field.value if entry.field else "fields"
    where = {Side.FEATURE: "Productboard", Side.TICKET: tracker, None: ""}[entry.side]
    match entry.act:
        case Act.WROTE:
            return (
                f"{capital(name)} written to {where or 'the other side'}"
                if entry.field
                else "Keepstep's line taken out of the ticket"
            )
        case Act.KEPT:
            return f"{capital(name)} left alone" if entry.field else "Left alone"
        case Act.OVERRULED:
            return f"{capital(name)} in {where} overruled" if where else f"{capital(name)} overruled"
        case Act.ASKED:
            return f"Asked which {name} stays"
        case Act.DECIDED:
            return f"Decided which {name} stays"
        case Act.REFUSED:
            return f"{where or 'The other side'} refused the {name}"
        case Act.LOSS:
            return f"{where or 'The other side'} stored less of the {name}"
        case Act.COLUMN:
            return "Column brought up to date"
        case Act.REMOVAL:
            return "Removal"
    return capital(entry.act.value)


@lru_cache(maxsize=256)
def difference(before: str, after: str) -> Parts:
    """Word by word; texts too long for that are shown as one going and one coming."""
    if before == after:
        return [("same", before)]
    if not before or not after or len(before) + len(after) > _LONGEST_DIFFERENCE:
        return [part for part in (("gone", before), ("new", after)) if part[1]]
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    parts: list[tuple[str, str]] = []
    matcher = difflib.SequenceMatcher(None, old, new)
    for kind, from_old, to_old, from_new, to_new in matcher.get_opcodes():
        if kind == "equal":
            parts.append(("same", "".join(old[from_old:to_old])))
            continue
        parts += _replaced("".join(old[from_old:to_old]), "".join(new[from_new:to_new]))
    return parts


def _replaced(gone: str, come: str) -> Parts:
    """White space before both is no part of the change, and looks odd when struck through."""
    space = gone[: len(gone) - len(gone.lstrip())]
    if space and come.startswith(space):
        gone, come = gone.removeprefix(space), come.removeprefix(space)
    else:
        space = ""
    return [part for part in (("same", space), ("gone", gone), ("new", come)) if part[1]]
