"""Who is called, and what for: the words from which errors are made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from keepstep.domain.calls import CallKind, Limit

Params = Sequence[tuple[str, str]]


def _as_sent(status: int, _body: Any) -> int:
    return status


def _not_told(_headers: Mapping[str, str]) -> timedelta | None:
    return None


@dataclass(frozen=True, slots=True)
class Problem:
    """What a vendor's error body says, in one form."""

    text: str = ""
    """The vendor's words, for people."""
    field: str = ""
    """Which of our fields it is about, where that can be told."""
    missing: str = ""
    """The right that the token lacks, where the vendor names it."""
    cure: str = ""
    """What helps, where the vendor's code makes it clear."""
    limited: bool = False
    """Too many requests, although the status is not 429."""
    lost: bool = False
    """The credential is refused, although the status is not 401."""


@dataclass(frozen=True, slots=True)
class Service:
    """One vendor as seen by the client."""

    name: str
    side: str
    """"board" or "tracker": whose credential is lost when it is refused."""
    limits: Sequence[Limit]
    """What we allow ourselves with one token: the vendor's limits, less a little for whatever else uses it."""
    read_problem: Callable[[int, Any], Problem]
    """From status and body (parsed JSON, or the text) to a Problem; never raises."""
    read_status: Callable[[int, Any], int] = _as_sent
    """What the answer means, where a vendor says so in the body: GraphQL sends errors with 200. Never raises."""
    read_wait: Callable[[Mapping[str, str]], timedelta | None] = _not_told
    """How long to wait once limited, from headers of the vendor's own. `Retry-After` comes first; never raises."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    method: str
    path: str
    """Below the base URL, with its variable parts quoted (`segment`)."""
    thing: str
    """What it is about, for people: "the feature 5b7e", "issue #14"."""
    params: Params = ()
    body: Any = field(default=None, repr=False)
    right: str = ""
    """What the token needs for it, said when it is refused."""
    reads: bool = False
    """A POST that changes nothing, such as a search."""
    answers: bool = True
    """A JSON answer is expected; without one the answer makes no sense."""

    passes: tuple[int, ...] = ()
    """Statuses besides 2xx that are an answer here, such as 301 for what has moved."""

    @property
    def writes(self) -> bool:
        return self.method not in ("GET", "HEAD") and not self.reads

    @property
    def kind(self) -> CallKind:
        """A POST makes something new; other writes change what is there."""
        if not self.writes:
            return CallKind.READ
        return CallKind.CREATE if self.method == "POST" else CallKind.WRITE
