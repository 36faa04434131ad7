"""What each field means: equality on a side, and the way from one side to the other."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Protocol

from keepstep.domain.document import (
    Block,
    Document,
    carry_over,
    fresh,
    plain_text,
    split_footers,
    with_footer,
)
from keepstep.domain.fields import Field, Side, normal_title
from keepstep.domain.ids import StatusId, markers_in
from keepstep.domain.merge import FieldRule, Joined, Pair
from keepstep.domain.nodes import with_source
from keepstep.domain.policy import StatusMap
from keepstep.domain.text_merge import clash_text, merge_documents

_NODE = re.compile(r"""urn:pb:node:[^\s"'<>)\]]+""")


class Codec(Protocol):
    """One text format: see `keepstep.ports.text.TextFormat`."""

    def read(self, text: str) -> Document: ...

    def write(self, document: Document) -> str: ...


@dataclass(frozen=True, slots=True)
class TitleRule:
    authored: ClassVar[bool] = True

    ticket_limit: int = 255
    feature_limit: int = 255

    def same(self, side: Side, one: str, other: str) -> bool:
        return self._shown(side, one) == self._shown(side, other)

    def unchanged(self, target: Side, value: str, onto: str) -> bool:
        return self.same(target, value, onto)

    def equivalent(self, pair: Pair) -> bool:
        return any(self.same(side, pair.feature, pair.ticket) for side in Side)

    def carry(self, source: Side, value: str, onto: str) -> str | None:
        del onto
        return self._shown(source.other, value)

    def join(self, base: Pair, now: Pair, winner: Side | None) -> Joined | None:
        del base, now, winner
        return None

    def loss(self, target: Side, onto: str, value: str, base: str) -> str:
        del target, onto, value, base
        return ""

    def lesser(self, side: Side, shown: str, written: str) -> bool:
        shown, written = self._shown(side, shown).casefold(), self._shown(side, written).casefold()
        return bool(shown) and written.startswith(shown.removesuffix("…"))

    def bears(self, side: Side, shown: str, written: str, before: str) -> bool:
        """A title is one thing: a third one says nothing of the second."""
        del side, shown, written, before
        return True

    def _shown(self, side: Side, title: str) -> str:
        limit = self.feature_limit if side is Side.FEATURE else self.ticket_limit
        return normal_title(title)[:limit].rstrip()


@dataclass(frozen=True, slots=True)
class StatusRule:
    authored: ClassVar[bool] = False

    map: StatusMap

    def same(self, side: Side, one: str, other: str) -> bool:
        del side
        return one == other

    def unchanged(self, target: Side, value: str, onto: str) -> bool:
        return self.same(target, value, onto)

    def equivalent(self, pair: Pair) -> bool:
        return self.map.equivalent(_status(pair.feature), _status(pair.ticket))

    def carry(self, source: Side, value: str, onto: str) -> str | None:
        """Where the target stands already on a status that means the same, it is left there."""
        feature, ticket = (value, onto) if source is Side.FEATURE else (onto, value)
        if self.equivalent(Pair(feature, ticket)):
            return onto
        return self.map.translate(_status(value), source.other)

    def join(self, base: Pair, now: Pair, winner: Side | None) -> Joined | None:
        del base, now, winner
        return None

    def loss(self, target: Side, onto: str, value: str, base: str) -> str:
        del target, onto, value, base
        return ""

    def lesser(self, side: Side, shown: str, written: str) -> bool:
        del side, shown, written
        return False

    def bears(self, side: Side, shown: str, written: str, before: str) -> bool:
        """A status is one thing: a third one says nothing of the second."""
        del side, shown, written, before
        return True


def _status(value: str) -> StatusId | None:
    return StatusId(value) if value else None


@dataclass(frozen=True, slots=True)
class DescriptionRule:
    """The description, compared, carried over and merged through the document model.

    Managed footers (this Link's and other Links') are cut off before comparing and put back when writing a ticket.
    """

    authored: ClassVar[bool] = True

    feature_text: Codec
    ticket_text: Codec
    footer: tuple[Block, ...]
    marker: str
    _read: dict[tuple[Side, str], Document] = field(default_factory=dict, repr=False, compare=False)
    _visited: dict[tuple[Side, Document], Document] = field(default_factory=dict, repr=False, compare=False)

    def same(self, side: Side, one: str, other: str) -> bool:
        return one == other or self.body(side, one) == self.body(side, other)

    def unchanged(self, target: Side, value: str, onto: str) -> bool:
        """By the letter: blocks that nobody touched are written as they stood, so a like text is the same text."""
        del target
        return value == onto

    def equivalent(self, pair: Pair) -> bool:
        feature, ticket = self.body(Side.FEATURE, pair.feature), self.body(Side.TICKET, pair.ticket)
        return (
            feature == ticket
            or self._over_by_blocks(Side.TICKET, feature, ticket) == ticket
            or self._over_by_blocks(Side.FEATURE, ticket, feature) == feature
            or self._over(Side.TICKET, feature) == ticket
            or self._over(Side.FEATURE, ticket) == feature
        )

    def carry(self, source: Side, value: str, onto: str) -> str | None:
        body = self.body(source, value)
        if source is Side.TICKET:
            current = self.body(Side.FEATURE, onto)
            return self.feature_text.write(carry_over(body, current, partial(self._over, Side.TICKET)))
        return self.ticket(body, onto)

    def ticket(self, body: Document, onto: str) -> str:
        """The ticket's text: unchanged blocks byte for byte, other Links' footers kept, our own as it stands or new."""
        current, footers = split_footers(self._document(Side.TICKET, onto))
        own = () if self.marker in markers_in(onto) else self.footer
        carried = carry_over(body, current, partial(self._over, Side.FEATURE))
        return self.ticket_text.write(with_footer(carried, (*footers, *own)))

    def join(self, base: Pair, now: Pair, winner: Side | None) -> Joined | None:
        """Block by block, and inside a block as far as its kind allows; see `keepstep.domain.text_merge`."""
        merged = merge_documents(
            (self.body(Side.FEATURE, base.feature), self.body(Side.TICKET, base.ticket)),
            (self.body(Side.FEATURE, now.feature), self.body(Side.TICKET, now.ticket)),
            winner,
            in_step=self.equivalent(base),
            over_ticket=partial(self._over, Side.TICKET),
            over_feature=partial(self._over, Side.FEATURE),
        )
        lost = [clash.ticket if winner is Side.FEATURE else clash.feature for clash in merged.clashes]
        return Joined(
            self.feature_text.write(merged.feature),
            self.ticket(merged.ticket, now.ticket),
            len(merged.clashes),
            "\n\n".join(clash_text(elements) for elements in lost),
        )

    def rewritten(self, side: Side, text: str) -> str:
        """The same words with nothing kept as it stood: what a side showed once it need not accept again."""
        codec = self.feature_text if side is Side.FEATURE else self.ticket_text
        return codec.write(fresh(self._document(side, text)))

    def with_own_footer(self, text: str) -> str:
        """The ticket's text as it is, with this Link's footer if it has none."""
        return text if self.marker in markers_in(text) else self.ticket(self.body(Side.TICKET, text), text)

    def without_footer(self, text: str) -> str:
        """The ticket's text free of this Link's footer; those of other Links stay."""
        if self.marker not in text:
            return text
        return self.ticket_text.write(split_footers(self._document(Side.TICKET, text), self.marker)[0])

    def loss(self, target: Side, onto: str, value: str, base: str) -> str:
        """Embedded content of Productboard that the write would delete although nobody deleted its anchor.

        `base` is what the source showed before: an anchor that stood there and is gone was deleted by a person.
        """
        if target is Side.TICKET:
            return ""
        lost = _nodes(onto) - _nodes(value) - _nodes(base)
        return f"{len(lost)} embedded items of Productboard" if lost else ""

    def lesser(self, side: Side, shown: str, written: str) -> bool:
        """The words that are left are words we wrote, in their order."""
        left = plain_text(self.body(side, shown)).split()
        sent = iter(plain_text(self.body(side, written)).split())
        return all(word in sent for word in left)

    def bears(self, side: Side, shown: str, written: str, before: str) -> bool:
        """By words: where a write only moves or marks them, nobody can tell."""
        now, ours, old = (
            Counter(plain_text(self.body(side, each)).split()) for each in (shown, written, before)
        )
        if ours == old:
            return True
        return bool((ours - old) & (now - old) or (old - ours) & (old - now))

    def body(self, side: Side, text: str) -> Document:
        return split_footers(self._document(side, text))[0]

    def _over_by_blocks(self, side: Side, document: Document, there: Document) -> Document:
        """As `_over`, each block by itself, and only those that do not stand there as they are: mostly few."""
        same = set(there.blocks)
        shown = (
            (block,) if block in same else self._over(side, Document((with_source(block, None),))).blocks
            for block in document.blocks
        )
        return Document(tuple(piece for pieces in shown for piece in pieces))

    def _over(self, side: Side, document: Document) -> Document:
        """How a document looks after a visit to that side."""
        key = (side, document)
        if key not in self._visited:
            codec = self.feature_text if side is Side.FEATURE else self.ticket_text
            self._visited[key] = codec.read(codec.write(document))
        return self._visited[key]

    def _document(self, side: Side, text: str) -> Document:
        key = (side, text)
        if key not in self._read:
            codec = self.feature_text if side is Side.FEATURE else self.ticket_text
            self._read[key] = codec.read(text)
        return self._read[key]


def _nodes(text: str) -> set[str]:
    return set(_NODE.findall(text))


def field_rules(
    status_map: StatusMap, description: DescriptionRule, title_limit: int
) -> Mapping[Field, FieldRule]:
    return {
        Field.TITLE: TitleRule(ticket_limit=title_limit),
        Field.DESCRIPTION: description,
        Field.STATUS: StatusRule(status_map),
    }
