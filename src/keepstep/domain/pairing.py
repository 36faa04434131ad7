"""Which features and tickets belong together, by what both sides show. Pure.

A pair is proposed only where neither of the two has a second partner by the same way; the rest is told, never guessed.
"""

import html
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from keepstep.domain.bulk import Way
from keepstep.domain.fields import normal_title
from keepstep.domain.ids import FeatureId, markers_in
from keepstep.domain.ticket import TicketRef

_ADDRESS = re.compile(r"https?://[^\s\"'<>)\]}]+", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FeatureFacts:
    """Of a feature that is not linked, as much as pairing needs."""

    id: FeatureId
    title: str
    url: str
    status: str
    mentions: frozenset[str]
    """Addresses in its description, in normal form."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset(filter(None, (normal_address(self.url), self.id.lower())))


@dataclass(frozen=True, slots=True)
class TicketFacts:
    ref: TicketRef
    title: str
    status: str
    mentions: frozenset[str]
    markers: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(filter(None, (normal_address(self.ref.url),)))


@dataclass(frozen=True, slots=True)
class Match:
    feature: FeatureFacts
    ticket: TicketFacts
    way: Way


@dataclass(slots=True)
class Matches:
    found: list[Match] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def normal_address(address: str) -> str:
    """Without what makes no other page: scheme, a last slash, upper case."""
    return re.sub(r"^https?://", "", html.unescape(address).strip().casefold()).rstrip("/.,;:")


def mentions_in(text: str) -> frozenset[str]:
    """Addresses, also without fragment and query, and the ids that stand in them.

    Some services tell their pages apart by a query, others add one to an address that is complete without.
    """
    found: set[str] = set()
    for address in _ADDRESS.findall(html.unescape(text)):
        bare = address.split("#", 1)[0]
        found.update(map(normal_address, (address, bare, bare.split("?", 1)[0])))
        found.update(each.lower() for each in _UUID.findall(address))
    return frozenset(found)


def marks_in(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(markers_in(text)))


def match(features: Sequence[FeatureFacts], tickets: Sequence[TicketFacts], ways: Collection[Way]) -> Matches:
    """The surest way first; who has found a partner is not asked again."""
    matches = Matches()
    finders: tuple[tuple[Way, _Finder], ...] = (
        (Way.MARKER, _by_marker),
        (Way.ADDRESS, _by_address),
        (Way.TITLE, _by_title),
    )
    for way, finder in finders:
        if way in ways:
            taken_features = {each.feature.id for each in matches.found}
            taken_tickets = {each.ticket.ref.id for each in matches.found}
            edges = finder(
                [each for each in features if each.id not in taken_features],
                [each for each in tickets if each.ref.id not in taken_tickets],
            )
            _keep_unique(matches, way, set(edges))
    return matches


_Edge = tuple[FeatureFacts, TicketFacts]
_Finder = Callable[[Sequence[FeatureFacts], Sequence[TicketFacts]], Iterable[_Edge]]


def _keep_unique(matches: Matches, way: Way, edges: Collection[_Edge]) -> None:
    of_feature = Counter(feature.id for feature, _ in edges)
    of_ticket = Counter(ticket.ref.id for _, ticket in edges)
    unique = [
        Match(feature, ticket, way)
        for feature, ticket in edges
        if of_feature[feature.id] == 1 == of_ticket[ticket.ref.id]
    ]
    matches.found += sorted(unique, key=lambda each: (each.feature.title.casefold(), each.feature.id))
    doubtful = len(of_feature) - len(unique)
    if doubtful:
        features = "1 feature has" if doubtful == 1 else f"{doubtful} features have"
        matches.notes.append(f"{features} more than one possible partner by {way}: left out.")


def _by_marker(features: Sequence[FeatureFacts], tickets: Sequence[TicketFacts]) -> Iterable[_Edge]:
    marked = [each for each in tickets if each.markers]
    return _mentioned(features, marked, lambda feature: feature.names, lambda ticket: ticket.mentions)


def _by_address(features: Sequence[FeatureFacts], tickets: Sequence[TicketFacts]) -> Iterable[_Edge]:
    yield from _mentioned(features, tickets, lambda feature: feature.names, lambda ticket: ticket.mentions)
    yield from _mentioned(features, tickets, lambda feature: feature.mentions, lambda ticket: ticket.names)


def _by_title(features: Sequence[FeatureFacts], tickets: Sequence[TicketFacts]) -> Iterable[_Edge]:
    def words(each: FeatureFacts | TicketFacts) -> frozenset[str]:
        return frozenset(filter(None, (normal_title(each.title).casefold(),)))

    return _mentioned(features, tickets, words, words)


def _mentioned(
    features: Sequence[FeatureFacts],
    tickets: Sequence[TicketFacts],
    of_feature: Callable[[FeatureFacts], frozenset[str]],
    of_ticket: Callable[[TicketFacts], frozenset[str]],
) -> Iterable[_Edge]:
    """Those that have a word in common."""
    known: dict[str, list[FeatureFacts]] = {}
    for feature in features:
        for word in of_feature(feature):
            known.setdefault(word, []).append(feature)
    for ticket in tickets:
        for word in of_ticket(ticket):
            for feature in known.get(word, ()):
                yield feature, ticket
