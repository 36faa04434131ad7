"""A first proposal for the status map, from names alone. Pure; a person looks at it before anything uses it.

Every status gets a stage between 0 (an idea) and 1 (done), read from the words of its name; a tracker's own category
counts where the words say nothing, and Productboard's order where they do not either. A status then goes to the
nearest stage on the other side, but never from unfinished to finished while there is another choice: a feature that
is called released because its ticket was cancelled would be the worst of all proposals.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum

from keepstep.domain.feature import FeatureStatus
from keepstep.domain.ids import StatusId
from keepstep.domain.policy import StatusMap
from keepstep.domain.ticket import StatusCategory, TicketStatus


class _Kind(Enum):
    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class _Placed:
    id: StatusId
    words: str
    stage: float
    kind: _Kind


_DROPPED = (
    r"won'?t|will not|not (doing|planned|reproducible|an issue|needed)|cancel|declin|reject|duplicate|abandon"
)
_RULES: tuple[tuple[re.Pattern[str], float, _Kind], ...] = tuple(
    (re.compile(rf"\b({words})"), stage, kind)
    for words, stage, kind in (
        (f"{_DROPPED}|obsolete|invalid|discard|withdrawn|dropped|archiv|no fix|void", 0.0, _Kind.DROPPED),
        (r"not started|not yet|unstarted|un(prioriti[sz]ed|assigned|planned|triaged)", 0.1, _Kind.OPEN),
        (
            r"(ready|waiting|awaiting|pending|to be|for|in|under) (\w+ ){0,2}(release|deploy|launch|ship)",
            0.9,
            _Kind.OPEN,
        ),
        (
            r"(ready|waiting|awaiting|pending) (\w+ ){0,2}(review|test|qa|verif|accept|approv|feedback)",
            0.75,
            _Kind.OPEN,
        ),
        (
            r"in review|code review|review|test|qa\b|verif|validat|staging|uat\b|beta|acceptance|approval|feedback",
            0.75,
            _Kind.OPEN,
        ),
        (
            r"ready|next|select|commit(ted|ment)|sprint|scheduled|prioriti[sz]ed|accepted|approved",
            0.35,
            _Kind.OPEN,
        ),
        (r"(on )?hold|block|paus|postpon|wait|stalled|defer", 0.3, _Kind.OPEN),
        (r"backlog", 0.18, _Kind.OPEN),
        (r"to ?do|open|reopen|plan|refin|groom|specif|design", 0.28, _Kind.OPEN),
        (r"(in|under) (progress|development|work|delivery|implementation)|doing|start", 0.5, _Kind.OPEN),
        (r"develop|building|deliver(y|ing)", 0.5, _Kind.OPEN),
        (r"progress|active|wip\b|ongoing|current|now\b|implementing|coding|execut|working", 0.5, _Kind.OPEN),
        (
            r"done|clos|complet|releas|shipp|launch|resolv|finish|deliver|live\b|merged|deploy|fixed",
            1.0,
            _Kind.DONE,
        ),
        (
            r"candidate|consider|evaluat|explor|discover|research|investigat|later|triage|analy",
            0.15,
            _Kind.OPEN,
        ),
        (
            r"new|idea|inbox|incoming|submitted|request|suggest|draft|concept|unsorted|icebox|some ?day",
            0.05,
            _Kind.OPEN,
        ),
    )
)
_BY_CATEGORY: dict[StatusCategory, tuple[float, _Kind]] = {
    StatusCategory.TODO: (0.25, _Kind.OPEN),
    StatusCategory.DOING: (0.5, _Kind.OPEN),
    StatusCategory.DONE: (1.0, _Kind.DONE),
    StatusCategory.DROPPED: (0.0, _Kind.DROPPED),
}
_NEARLY_DONE = 0.9
"""Called resolved, but the tracker counts it as open: somebody still has to look."""
_STARTED = 0.4
_STARTS_WORK = 0.25
"""Between what nobody works on yet and what somebody does: unless it is much nearer."""
_FINISHES_WORK = 10.0
"""An unfinished status onto a finished one: only if nothing else is left."""
_REOPENS_WORK = 4.0
_ENDS_OTHERWISE = 2.0
"""A dropped feature closes its ticket where the tracker knows only open and closed."""


def propose_map(
    feature_statuses: Sequence[FeatureStatus], ticket_statuses: Sequence[TicketStatus]
) -> StatusMap:
    """Every status of either side gets one of the other, unless the other side has none at all."""
    features, tickets = _place_features(feature_statuses), _place_tickets(ticket_statuses)
    if not features or not tickets:
        return StatusMap()
    to_ticket = {each.id: _nearest(each, tickets, _outward).id for each in features}
    to_feature: dict[StatusId, StatusId] = {}
    for ticket in tickets:
        # One that comes back to this ticket's status, if there is any: then a step there and back changes nothing.
        returning = [
            each for each in features if to_ticket[each.id] == ticket.id and each.kind is ticket.kind
        ]
        to_feature[ticket.id] = _nearest(ticket, returning or features, _inward).id
    return StatusMap(to_ticket, to_feature)


_Crossing = Callable[[_Kind, _Kind], float]


def _nearest(one: _Placed, others: Sequence[_Placed], crossing: _Crossing) -> _Placed:
    return min(others, key=lambda other: _distance(one, other, crossing))


def _distance(one: _Placed, other: _Placed, crossing: _Crossing) -> float:
    if one.words and one.words == other.words:
        return -1.0
    unlike = 1 - SequenceMatcher(None, one.words, other.words).ratio()
    starts = _STARTS_WORK if (one.stage < _STARTED) is not (other.stage < _STARTED) else 0.0
    return crossing(one.kind, other.kind) + abs(one.stage - other.stage) + starts + 0.1 * unlike


def _outward(feature: _Kind, ticket: _Kind) -> float:
    if feature is ticket:
        return 0.0
    if feature is _Kind.OPEN:
        return _FINISHES_WORK
    closes = feature is _Kind.DROPPED and ticket is _Kind.DONE
    return _ENDS_OTHERWISE if closes else _REOPENS_WORK


def _inward(ticket: _Kind, feature: _Kind) -> float:
    """A cancelled ticket sends its feature back to the ideas rather than out to the customers."""
    if ticket is feature:
        return 0.0
    return _REOPENS_WORK if feature is _Kind.OPEN else _FINISHES_WORK


def _place_tickets(statuses: Iterable[TicketStatus]) -> list[_Placed]:
    placed = []
    for each in statuses:
        words = _words(each.name)
        stage, kind = _BY_CATEGORY[each.category]
        said = _said(words)
        # "Won't do" among the closed ones says more than the category; "Review" does so among the open ones.
        if said and (said[1] is kind or (kind is _Kind.DONE and said[1] is _Kind.DROPPED)):
            stage, kind = said
        elif said and kind is _Kind.OPEN and said[1] is _Kind.DONE:
            stage = _NEARLY_DONE
        placed.append(_Placed(each.id, words, stage, kind))
    return placed


def _place_features(statuses: Sequence[FeatureStatus]) -> list[_Placed]:
    """Names that say nothing get a stage between their neighbours': Productboard lists them in the order of work."""
    words = [_words(each.name) for each in statuses]
    said = [_said(each) for each in words]
    known = [(at, found[0]) for at, found in enumerate(said) if found and found[1] is not _Kind.DROPPED]
    placed = []
    for at, each in enumerate(statuses):
        stage, kind = said[at] or (_between(at, known, len(statuses)), _Kind.OPEN)
        placed.append(_Placed(each.id, words[at], stage, kind))
    return placed


def _between(at: int, known: Sequence[tuple[int, float]], count: int) -> float:
    before = max((each for each in known if each[0] < at), default=(-1, 0.0))
    after = min((each for each in known if each[0] > at), default=(count, 0.95))
    share = (at - before[0]) / (after[0] - before[0])
    return before[1] + share * (max(after[1], before[1]) - before[1])


def _said(words: str) -> tuple[float, _Kind] | None:
    return next(((stage, kind) for pattern, stage, kind in _RULES if pattern.search(words)), None)


def _words(name: str) -> str:
    """What counts of a name: of "workflow::In-Progress" it is "in progress", without scope and punctuation."""
    last = re.split(r"::?|/", name)[-1].strip() or name
    return " ".join(re.sub(r"[^\w']+", " ", last.replace("\u2019", "'").replace("_", " ").casefold()).split())
