"""What an emulator was asked and what it called: kept in order, so that tests can count and compare.

Guarantee: every request under the API and every callback has exactly one entry, added when it is over
(`at`), with the time it began (`started_at`). Secrets show their last four characters only, wherever they
stand: in headers, in the query, or in a JSON body. The middleware that feeds it is in `app.py`.
"""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

_MOST_ENTRIES = 20_000
_BODY_LIMIT_BYTES = 20_000
_SECRET_NAMES = frozenset(
    {"authorization", "private-token", "private_token", "x-gitlab-token", "token", "access_token"}
)
_KEPT_HEADERS = _SECRET_NAMES | {
    "accept",
    "content-type",
    "idempotency-key",
    "retry-after",
    "user-agent",
    "x-gitlab-event",
    "x-gitlab-event-uuid",
    "x-gitlab-webhook-uuid",
}

Direction = Literal["in", "out"]


def masked(secret: str) -> str:
    """The last four characters of a secret, or nothing of a short one."""
    return "…" + secret[-4:] if len(secret) > 8 else "…"


def _masked_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: masked(item)
            if isinstance(key, str) and key.lower() in _SECRET_NAMES and isinstance(item, str)
            else _masked_json(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_masked_json(item) for item in value]
    return value


def _shown_body(raw: bytes) -> Any:
    if not raw:
        return None
    if len(raw) > _BODY_LIMIT_BYTES:
        return raw[:_BODY_LIMIT_BYTES].decode("utf-8", "replace") + "…"
    text = raw.decode("utf-8", "replace")
    try:
        return _masked_json(json.loads(text))
    except ValueError:
        return text


def _shown_path(path: str) -> str:
    if not any(name + "=" in path for name in _SECRET_NAMES):
        return path
    head, _, query = path.partition("?")
    pairs = [(k, masked(v) if k in _SECRET_NAMES else v) for k, v in parse_qsl(query, keep_blank_values=True)]
    return head + "?" + urlencode(pairs)


@dataclass(frozen=True)
class Entry:
    """One request or callback that is over."""

    direction: Direction
    kind: str  # api, page, probe, click, webhook, ...
    method: str
    path: str  # with the query
    started_at: float  # epoch seconds
    at: float  # epoch seconds when it was over
    duration_ms: float
    status: int | None  # None: no answer
    url: str | None = None  # of a callback
    request_headers: Mapping[str, str] = field(default_factory=dict)
    request_body: bytes = b""
    response_headers: Mapping[str, str] = field(default_factory=dict)
    response_body: bytes = b""
    error: str | None = None  # why there was no answer
    fault: str | None = None  # id of the fault rule that acted
    attempt: int | None = None  # of a delivery, from 1
    seq: int = 0  # given by the journal

    def shown(self) -> dict[str, Any]:
        """The entry as JSON, without secrets."""
        return {
            "seq": self.seq,
            "at": self.at,
            "started_at": self.started_at,
            "duration_ms": round(self.duration_ms, 3),
            "direction": self.direction,
            "kind": self.kind,
            "method": self.method,
            "path": _shown_path(self.path),
            "url": self.url,
            "status": self.status,
            "error": self.error,
            "fault": self.fault,
            "attempt": self.attempt,
            "request_headers": _shown_headers(self.request_headers),
            "request_body": _shown_body(self.request_body),
            "response_headers": _shown_headers(self.response_headers),
            "response_body": _shown_body(self.response_body),
        }


def _shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: masked(value) if name in _SECRET_NAMES else value for name, value in headers.items()}


def kept_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers a journal keeps; the others say nothing about the exchange."""
    return {name.lower(): value for name, value in pairs if name.lower() in _KEPT_HEADERS}


def kept_body(raw: bytes) -> bytes:
    """One byte more than is shown, so that the cut can be seen."""
    return raw[: _BODY_LIMIT_BYTES + 1]


class Journal:
    """The newest 20,000 entries, numbered without gaps from 1."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_MOST_ENTRIES)
        self._last_seq = 0

    @property
    def last_seq(self) -> int:
        return self._last_seq

    def add(self, entry: Entry) -> Entry:
        self._last_seq += 1
        object.__setattr__(entry, "seq", self._last_seq)  # the entry is new and nobody else's yet
        self._entries.append(entry)
        return entry

    def entries(
        self, *, since: int = 0, direction: str | None = None, kind: str | None = None, prefix: str = ""
    ) -> list[dict[str, Any]]:
        """Entries after `since`, shown; `prefix` compares the path."""
        return [
            entry.shown()
            for entry in self._entries
            if entry.seq > since
            and direction in (None, entry.direction)
            and kind in (None, entry.kind)
            and entry.path.startswith(prefix)
        ]

    def clear(self) -> None:
        """Forgets the entries; the numbers go on, so that `since` stays meaningful."""
        self._entries.clear()
