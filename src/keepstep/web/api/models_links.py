"""Links and journal entries as JSON."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field as Described
from pydantic import StringConstraints

from keepstep.app.overview import FieldView, Health, HealthWord, LinkView, link_health
from keepstep.domain.bulk import FirstSync
from keepstep.domain.events import Act, Entry, Notice, NoticeKind, Source
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import LinkId
from keepstep.domain.link import ATTENTION, IN_STEP, Conflict, ConflictCause, Link, LinkState, Trouble
from keepstep.domain.ticket import StatusCategory
from keepstep.web.api.models import Answer, Body, Page, Utc

IdText = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class StateGroup(StrEnum):
    """Several states in one word, as on the pages."""

    IN_STEP = "in step"
    WORKING = "working"
    ATTENTION = "attention"

    @property
    def states(self) -> frozenset[LinkState]:
        match self:
            case StateGroup.IN_STEP:
                return IN_STEP
            case StateGroup.WORKING:
                return frozenset({LinkState.PUSHING, LinkState.UNLINKING})
            case StateGroup.ATTENTION:
                return ATTENTION


class LinkSort(StrEnum):
    SYNCED = "synced"
    TITLE = "title"
    TICKET = "ticket"
    STATE = "state"
    CREATED = "created"


class HealthOut(Answer):
    word: HealthWord
    sentence: str
    cure: str = Described(description='What helps; "" where nothing is wrong.')

    @classmethod
    def of(cls, health: Health) -> "HealthOut":
        return cls(word=health.word, sentence=health.sentence, cure=health.cure)


class TroubleOut(Answer):
    code: str
    message: str
    cure: str
    at: Utc

    @classmethod
    def of(cls, trouble: Trouble) -> "TroubleOut":
        return cls(code=trouble.code, message=trouble.message, cure=trouble.cure, at=trouble.at)


class LinkedFeature(Answer):
    id: str
    type: str
    title: str
    status: str = Described(description="Its name when last read.")
    url: str


class TicketStatusOut(Answer):
    id: str
    name: str
    category: StatusCategory


class LinkedTicket(Answer):
    id: str = Described(description="The tracker's stable id.")
    label: str = Described(description="As people name it.", examples=["#14"])
    title: str
    status: TicketStatusOut | None
    url: str


class LinkSummary(Answer):
    id: str
    integration: str
    state: LinkState
    health: HealthOut
    feature: LinkedFeature
    ticket: LinkedTicket | None = Described(description="null while there is none yet.")
    conflicts: Sequence[Field] = Described(description="Fields that wait for a decision.")
    warnings: Mapping[Field, str]
    trouble: TroubleOut | None
    attempts: int
    retry_at: Utc | None
    created_at: Utc
    synced_at: Utc | None
    page: str = Described(description="Read-only page of this Link; opens without a login.")

    @classmethod
    def of(cls, link: Link, page: str) -> "LinkSummary":
        return cls(**summary_of(link, page))


def summary_of(link: Link, page: str) -> dict[str, Any]:
    return {
        "id": link.id,
        "integration": link.integration_id,
        "state": link.state,
        "health": HealthOut.of(link_health(link)),
        "feature": LinkedFeature(
            id=link.feature_id,
            type=link.feature_type,
            title=link.feature_title,
            status=link.feature_status,
            url=link.feature_url,
        ),
        "ticket": _ticket(link),
        "conflicts": list(link.conflicts),
        "warnings": dict(link.warnings),
        "trouble": TroubleOut.of(link.trouble) if link.trouble else None,
        "attempts": link.attempts,
        "retry_at": link.retry_at,
        "created_at": link.created_at,
        "synced_at": link.synced_at,
        "page": page,
    }


def _ticket(link: Link) -> LinkedTicket | None:
    if link.ticket is None:
        return None
    status = link.ticket_status
    return LinkedTicket(
        id=link.ticket.id,
        label=link.ticket.label,
        title=link.ticket_title,
        status=TicketStatusOut(id=status.id, name=status.name, category=status.category) if status else None,
        url=link.ticket.url,
    )


class EntryOut(Answer):
    """One line of the journal: what Keepstep did, why, and the values before and after."""

    id: int
    at: Utc
    act: Act
    integration: str
    link: str | None
    side: Side | None
    field: Field | None
    before: str | None = Described(description="In the side's own form; a status by its id.")
    after: str | None
    reason: str
    actor: str = Described(description='Who caused it; "" is Keepstep itself.')
    answer: str
    can_put_back: bool = Described(description="`before` can be written back with `put-back`.")

    @classmethod
    def of(cls, entry: Entry) -> "EntryOut":
        return cls(
            id=entry.id,
            at=entry.at,
            act=entry.act,
            integration=entry.integration_id,
            link=entry.link_id,
            side=entry.side,
            field=entry.field,
            before=entry.before,
            after=entry.after,
            reason=entry.reason,
            actor=entry.actor,
            answer=entry.answer,
            can_put_back=None not in (entry.link_id, entry.field, entry.side, entry.before),
        )


class NoticeOut(Answer):
    """Something that has come and waits for the Link's job. Values are no part of it: both sides are read anew."""

    kind: NoticeKind
    source: Source
    side: Side | None
    at: Utc
    actor: str = Described(description="Who caused it, as far as its sender said so.")
    delivery: str | None = Described(description="The sender's id of the delivery.")

    @classmethod
    def of(cls, notice: Notice) -> "NoticeOut":
        return cls(
            kind=notice.kind,
            source=notice.source,
            side=notice.side,
            at=notice.received_at,
            actor=notice.actor,
            delivery=notice.delivery_id,
        )


class FieldOut(Answer):
    """One field of a Link: both values, the base, and why it is what it is."""

    field: Field
    feature: str = Described(description="Productboard's value as last read; a status by its id.")
    ticket: str = Described(description="The tracker's value as last read.")
    base_feature: str = Described(description="What each side showed when the two were in step.")
    base_ticket: str
    undecided: bool = Described(description="A person is to say which value stays: see `decide`.")
    conflict: ConflictCause | None = Described(
        description="Why: both sides changed it and the rule is to ask, another program fights, or they differed when "
        "linked. null where nothing is undecided."
    )
    refused: str = Described(description='Why a write was not carried out; "" when none was refused.')
    why: str
    last: EntryOut | None = Described(description="The entry that decided last.")

    @classmethod
    def of(cls, view: FieldView, conflict: Conflict | None) -> "FieldOut":
        return cls(
            field=view.field,
            feature=view.feature,
            ticket=view.ticket,
            base_feature=view.base_feature,
            base_ticket=view.base_ticket,
            undecided=view.undecided,
            conflict=conflict.cause if conflict else None,
            refused=view.refused,
            why=view.why,
            last=EntryOut.of(view.last) if view.last else None,
        )


class LinkDetail(LinkSummary):
    integration_name: str
    tracker: str = Described(description="The tracker's name.")
    fields: Sequence[FieldOut]
    journal: Sequence[EntryOut] = Described(
        description="The newest 100 entries; `GET /journal?link=` has all."
    )
    notices: Sequence[NoticeOut] = Described(description="What waits for its job, the oldest 50 first.")

    @classmethod
    def of_view(cls, view: LinkView) -> "LinkDetail":
        return cls(
            **summary_of(view.link, view.page),
            integration_name=view.integration.name,
            tracker=view.tracker_name,
            fields=[FieldOut.of(each, view.link.conflicts.get(each.field)) for each in view.fields],
            journal=[EntryOut.of(each) for each in view.journal],
            notices=[NoticeOut.of(each) for each in view.notices[:50]],
        )


class LinkPage(Page[LinkSummary]):
    """Links."""


class EntryPage(Page[EntryOut]):
    """Journal entries, the newest first."""


class LinkCreate(Body):
    """Pair a feature with a ticket that exists already."""

    integration: IdText
    feature: Annotated[str, StringConstraints(min_length=1, max_length=2000)] = Described(
        description="The feature's id, or the address of its page."
    )
    ticket: Annotated[str, StringConstraints(min_length=1, max_length=2000)] = Described(
        description="The ticket's address, or its number.", examples=["#14"]
    )
    first: FirstSync = Described(FirstSync.KEEP, description="Whose values stay where the two differ.")


class Decision(Body):
    field: Field
    keep: Side = Described(description="Whose value goes to the other side.")


class LinkIds(Body):
    links: Annotated[list[IdText], Described(min_length=1, max_length=500)]

    @property
    def ids(self) -> list[LinkId]:
        return [LinkId(each) for each in dict.fromkeys(self.links)]


class Woken(Answer):
    done: Sequence[str]
    missing: Sequence[str] = Described(description="Those that do not exist (any more).")
