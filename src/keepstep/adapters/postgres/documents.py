"""Domain values as JSON documents, and the columns computed from them that queries search and sort by."""

import re
from datetime import UTC, datetime
from typing import Any, TypedDict

from pydantic import TypeAdapter

from keepstep.domain.bulk import BulkItem, BulkRun
from keepstep.domain.integration import Integration
from keepstep.domain.link import Link

_INTEGRATION = TypeAdapter(Integration)
_LINK = TypeAdapter(Link)
_BULK_RUN = TypeAdapter(BulkRun)
_BULK_ITEM = TypeAdapter(BulkItem)
_TEXTS = TypeAdapter(dict[str, str | None])

Row = tuple[Any, ...]


def integration_document(integration: Integration) -> str:
    return _INTEGRATION.dump_json(integration).decode()


def integration_from(document: str) -> Integration:
    return _INTEGRATION.validate_json(document)


def link_document(link: Link) -> str:
    return _LINK.dump_json(link).decode()


def link_from(document: str) -> Link:
    return _LINK.validate_json(document)


def bulk_run_document(run: BulkRun) -> str:
    return _BULK_RUN.dump_json(run).decode()


def bulk_run_from(document: str) -> BulkRun:
    return _BULK_RUN.validate_json(document)


def bulk_item_document(item: BulkItem) -> str:
    return _BULK_ITEM.dump_json(item).decode()


def bulk_item_from(document: str) -> BulkItem:
    return _BULK_ITEM.validate_json(document)


def texts_document(texts: dict[str, str | None]) -> str:
    """Flat text that nobody searches; U+0000 survives in it, as it would not in a text column."""
    return _TEXTS.dump_json(texts).decode()


def texts_from(document: str) -> dict[str, str | None]:
    return _TEXTS.validate_json(document)


class LinkColumns(TypedDict):
    """What the table `links` keeps beside the document."""

    id: str
    integration_id: str
    feature_id: str
    state: str
    account: str
    ticket_id: str | None
    retry_at: datetime | None
    held_by: str | None
    created_at: datetime
    touched_at: datetime
    title_sort: str
    ticket_sort: str | None
    search_text: str
    revision: int
    doc: str


def link_columns(link: Link) -> LinkColumns:
    ticket = link.ticket
    words = (link.feature_title, link.ticket_title, *((ticket.label, ticket.url) if ticket else ()))
    return LinkColumns(
        id=link.id,
        integration_id=link.integration_id,
        feature_id=plain(link.feature_id),
        state=link.state.value,
        account=plain(link.account),
        ticket_id=plain(ticket.id) if ticket else None,
        retry_at=link.retry_at,
        held_by=link.held_by,
        created_at=link.created_at,
        touched_at=link.synced_at or link.created_at,
        title_sort=plain(link.feature_title.casefold()),
        ticket_sort=plain(_natural(ticket.label)) if ticket else None,
        search_text=plain("\n".join(words).casefold()),
        revision=link.revision,
        doc=link_document(link),
    )


def plain(text: str) -> str:
    """Fit for a text column: PostgreSQL has no U+0000 in text. The document keeps the exact value."""
    return text.replace("\0", "\ufffd")


def like_pattern(text: str) -> str:
    """Matches where this text, folded, is a part."""
    escaped = re.sub(r"([\\%_])", r"\\\1", plain(text.casefold()))
    return f"%{escaped}%"


def in_utc(at: datetime) -> datetime:
    """The server hands times out in its session's zone."""
    return at.astimezone(UTC)


def _natural(label: str) -> str:
    """#9 before #10."""
    return re.sub(r"[0-9]+", lambda digits: digits.group().zfill(12), label.casefold())
