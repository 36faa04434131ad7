"""From what went wrong to an error of the ports, with a sentence that names service, thing, status and cure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from keepstep.adapters.http.address import AddressRefused
from keepstep.adapters.http.json_text import parsed_json
from keepstep.adapters.http.service import Call, Problem, Service
from keepstep.ports.errors import (
    AuthLostError,
    NotThereError,
    OutsideError,
    RateLimitedError,
    RejectedError,
    StaleError,
    TransientError,
    UnexpectedReplyError,
)

_SHORTEST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(hours=1)
_USUAL_WAIT = timedelta(seconds=5)
_SAID_AS_TIME = timedelta(seconds=90)
_LONGEST_QUOTE = 300
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NAME_UNKNOWN = (
    "Name or service not known",
    "nodename nor servname",
    "name resolution",
    "No address associated",
)
_NOBODY_THERE = ("All connection attempts failed", "Connection refused")
"""What operating systems say, in words for people."""
_BY_ITSELF = "Keepstep tries again by itself."


def error_from_status(
    service: Service, call: Call, status: int, headers: Mapping[str, str], body: bytes
) -> OutsideError:
    """For every status but 2xx."""
    name, thing = service.name, call.thing
    problem = service.read_problem(status, readable(body))
    if status == 401 or problem.lost:
        return AuthLostError(
            f"{name} refused the token for {thing} ({status}). It may have expired; paste a new one.",
            side=service.side,
        )
    if status == 429 or problem.limited:
        wait = wait_told(headers, service.read_wait(headers))
        return RateLimitedError(
            f"{name} has had enough requests for now ({status}); Keepstep goes on {_when(wait)}.",
            retry_after=wait,
            side=service.side,
        )
    if status == 408 or status >= 500:
        return TransientError(
            f"{name} cannot answer for {thing} now ({status}). {_BY_ITSELF}", doubt=call.writes, status=status
        )
    if status in (404, 410):
        return _not_there(service, call, status, body)
    if status in (409, 412):
        return StaleError(
            f"{name} says that {thing} changed meanwhile ({status}){_quoted(problem)} It is read again.",
            status=status,
        )
    if status == 403:
        return _forbidden(service, call, problem)
    if status in (400, 402, 413, 422, 423):
        return _rejected(service, call, status, problem)
    return _unforeseen(service, call, status, headers)


def sent_away(service: Service, wait: timedelta, *, closed: bool) -> RateLimitedError:
    """For a call that was not made: the account told us to wait, or we keep to what it allows."""
    reason = "has had enough requests for now" if closed else "takes no more calls of this token for now"
    return RateLimitedError(
        f"{service.name} {reason}; Keepstep goes on {_when(wait)}.",
        retry_after=wait,
        side=service.side,
        status=None,
    )


def _when(wait: timedelta) -> str:
    """A time where it is further away than somebody watches a clock for."""
    if wait < _SAID_AS_TIME:
        return f"in {max(1.0, wait.total_seconds()):.0f} s"
    return f"at {datetime.now(UTC) + wait:%H:%M} UTC"


def _not_there(service: Service, call: Call, status: int, body: bytes) -> OutsideError:
    if looks_like_html(body):
        # An API says "not found" in JSON. A page comes from a proxy or from a wrong base address, and taken for
        # "deleted" it would detach everything.
        return UnexpectedReplyError(
            f"{service.name} answered with a web page instead of data for {call.thing} ({status}). Check that the "
            "address is the API's and that nothing stands in between.",
            status=status,
        )
    return NotThereError(
        f"{service.name} shows no {_bare(call.thing)} ({status}): it is gone, or this token may not see it.",
        status=status,
    )


def _forbidden(service: Service, call: Call, problem: Problem) -> RejectedError:
    missing = problem.missing or call.right
    cure = f" The token needs {missing}." if missing else " The token lacks a right for this."
    return RejectedError(
        f"{service.name} does not allow this token to use {call.thing} (403){_quoted(problem)}{cure}",
        field=problem.field,
        status=403,
    )


def _rejected(service: Service, call: Call, status: int, problem: Problem) -> RejectedError:
    what = f"the {problem.field.replace('_', ' ')} of {call.thing}" if problem.field else call.thing
    cure = f" {problem.cure}" if problem.cure else ""
    return RejectedError(
        f"{service.name} did not accept {what} ({status}){_quoted(problem)}{cure}",
        field=problem.field,
        status=status,
    )


def _unforeseen(
    service: Service, call: Call, status: int, headers: Mapping[str, str]
) -> UnexpectedReplyError:
    if 300 <= status < 400:
        # Never followed: the token would go along.
        host = httpx.URL(headers["location"]).host if _is_url(headers.get("location", "")) else ""
        target = f" to {host}" if host else ""
        return UnexpectedReplyError(
            f"{service.name} redirects {call.thing}{target} ({status}). Enter the address it redirects to.",
            status=status,
        )
    return UnexpectedReplyError(
        f"{service.name} answered {status} for {call.thing}, which Keepstep does not expect there.",
        status=status,
    )


def error_from_transport(service: Service, call: Call, host: str, error: httpx.HTTPError) -> OutsideError:
    """For a request without a usable answer."""
    if isinstance(error, httpx.DecodingError):
        return unreadable_answer(service, call, "its compression is broken")
    refused = error.__cause__
    if isinstance(refused, AddressRefused):
        return RejectedError(f"{service.name}: {refused}.", field="base_url", status=None)
    if isinstance(error, _NEVER_SENT):
        return TransientError(
            f"{service.name} cannot be reached at {host} ({_reason(error)}). {_BY_ITSELF} If it goes on, check the "
            "address and that this machine may go there."
        )
    if isinstance(error, httpx.TimeoutException):
        return took_too_long(service, call)
    return TransientError(
        f"{service.name} broke off while answering for {call.thing} ({_reason(error)}). {_BY_ITSELF}",
        doubt=call.writes,
    )


def took_too_long(service: Service, call: Call) -> TransientError:
    return TransientError(
        f"{service.name} did not answer in time for {call.thing}. {_BY_ITSELF}", doubt=call.writes
    )


def unreadable_answer(
    service: Service, call: Call, why: str, status: int | None = None
) -> UnexpectedReplyError:
    told = f" ({status})" if status else ""
    return UnexpectedReplyError(
        f"{service.name} answered for {call.thing} in a way that Keepstep cannot read{told}: {why}.",
        doubt=call.writes,
        status=status,
    )


def wait_told(headers: Mapping[str, str], own: timedelta | None = None) -> timedelta:
    """`Retry-After` in seconds or as a date, else the vendor's own, else the reset time, else a little; 1 s to 1 h."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,12}(\.\d*)?", text):
        wait = timedelta(seconds=min(float(text), _LONGEST_WAIT.total_seconds()))
    elif text:
        wait = _until(_date(text), headers)
    elif own is not None:
        wait = own
    elif headers.get("ratelimit-reset", "").isdecimal():
        wait = _until(_from_epoch(headers["ratelimit-reset"]), headers)
    else:
        wait = _USUAL_WAIT
    return min(max(wait, _SHORTEST_WAIT), _LONGEST_WAIT)


def _until(moment: datetime | None, headers: Mapping[str, str]) -> timedelta:
    """By the sender's own clock where it tells it: ours may differ."""
    if moment is None:
        return _USUAL_WAIT
    return moment - (_date(headers.get("date", "")) or datetime.now(UTC))


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _from_epoch(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def readable(body: bytes) -> Any:
    """Parsed JSON, or the text of a body that is none."""
    try:
        return parsed_json(body)
    except (ValueError, RecursionError):
        return body[:2000].decode("utf-8", "replace")


def looks_like_html(body: bytes) -> bool:
    return body[:200].lstrip().lower().startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def _quoted(problem: Problem) -> str:
    """The vendor's words behind a colon, or just the full stop."""
    text = " ".join(problem.text.split())
    if not text or text.startswith("<"):
        return "."
    cut = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    return f": {cut}" if cut.endswith((".", "!", "?", "…")) else f": {cut}."


def _bare(thing: str) -> str:
    return thing.removeprefix("the ")


def _reason(error: httpx.HTTPError) -> str:
    text = str(error)
    if any(words in text for words in _NAME_UNKNOWN):
        return "its name is not known"
    if any(words in text for words in _NOBODY_THERE):
        return "nothing answers there"
    return text or type(error).__name__


def _is_url(text: str) -> bool:
    try:
        return bool(httpx.URL(text).host)
    except httpx.InvalidURL:
        return False
