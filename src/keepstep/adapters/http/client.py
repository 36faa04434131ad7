"""The client itself: one per base URL and token."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from keepstep.adapters.http.address import GuardedTransport
from keepstep.adapters.http.failures import (
    error_from_status,
    error_from_transport,
    looks_like_html,
    readable,
    took_too_long,
    unreadable_answer,
)
from keepstep.adapters.http.json_text import parsed_json
from keepstep.adapters.http.service import Call, Service
from keepstep.adapters.http.turnstile import AT_ONCE, Turnstile
from keepstep.ports.budget import AccountKey, Budget
from keepstep.ports.errors import NotThereError, OutsideError, RateLimitedError

_CONNECT_SECONDS = 3.0
TOTAL_SECONDS = 10.0
_SHORTEST_SECRET = 8
_LARGEST_ANSWER = 64 * 1024 * 1024
"""A page of a hundred tickets with long descriptions is a few megabytes; this is for a server gone mad."""
_KEEPALIVE_SECONDS = 4.0
"""Shorter than the 5 s after which common servers close an idle connection, so that we seldom write into one that is
being closed, which would put a write in doubt."""

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer (2xx), or one that the call lets pass."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    data: Any = field(repr=False)
    """The parsed JSON; None where none was expected and none came."""
    service: Service = field(repr=False)
    call: Call

    def parse(self, model: type[_Model], data: Any = None) -> _Model:
        """The answer (or a part of it) as that model. Raises UnexpectedReplyError."""
        try:
            return model.model_validate(self.data if data is None else data)
        except ValidationError as error:
            raise self.unexpected(_first_fault(error)) from error

    def items(self, data: Any = None) -> list[Any]:
        """The answer, which has to be a list. Raises UnexpectedReplyError."""
        found = self.data if data is None else data
        if not isinstance(found, list):
            raise self.unexpected("a list was expected")
        return found

    def unexpected(self, why: str) -> OutsideError:
        return unreadable_answer(self.service, self.call, why, self.status)


def _first_fault(error: ValidationError) -> str:
    """Where and what, without the value: it may be somebody's text."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'the answer'}: {first['msg']}"


def segment(value: str) -> str:
    """One variable part of a path. Raises NotThereError for one that would make another path of it."""
    if not value.strip("."):
        raise NotThereError("There is nothing without a name.")
    return quote(value, safe="")


class HttpClient:
    """Sends calls to one service with one token, several at once, each when it is its turn.

    Guarantees: no call takes longer than its time limit, redirects are not followed, the answer's size is bounded, and
    neither errors nor `repr` contain the token. Raises the errors of `keepstep.ports.errors` only.
    """

    def __init__(
        self,
        service: Service,
        base_url: str,
        headers: Mapping[str, str],
        *,
        secret: str,
        allow_private: bool,
        account: AccountKey,
        budget: Budget,
        transport: httpx.AsyncBaseTransport | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        """`headers` carry the credential, `secret` is what is struck out of every message."""
        self.service = service
        self.base_url = base_url
        self._headers = {"Accept": "application/json", "User-Agent": "keepstep", **headers}
        self._secret = secret
        self._allow_private = allow_private
        self._transport = transport
        self._total_seconds = total_seconds
        self._turnstile = Turnstile(service, account, budget)
        self._open: httpx.AsyncClient | None = None

    def __repr__(self) -> str:
        return f"HttpClient({self.service.name}, {self.base_url})"

    @property
    def is_open(self) -> bool:
        """Whether there may be connections to close."""
        return self._open is not None

    @property
    def credential(self) -> str:
        """The token itself, for a tracker that has to put it elsewhere than into a header."""
        return self._secret

    @property
    def host(self) -> str:
        return httpx.URL(self.base_url).netloc.decode("ascii")

    async def send(self, call: Call) -> Reply:
        """The answer to `call`, if it is 2xx and readable."""
        async with self._turnstile.passing(call):
            try:
                return await self._answer(call)
            except RateLimitedError as error:
                await self._turnstile.close(error.retry_after)
                self._strike_out(error)
                raise
            except OutsideError as error:
                self._strike_out(error)
                raise

    async def _answer(self, call: Call) -> Reply:
        try:
            async with asyncio.timeout(self._total_seconds):
                status, headers, body = await self._exchange(call)
        except TimeoutError as error:
            raise took_too_long(self.service, call) from error
        except httpx.HTTPError as error:
            raise error_from_transport(self.service, call, self.host, error) from error
        if not 200 <= status < 300 and status not in call.passes:
            meant = self.service.read_status(status, readable(body))
            raise error_from_status(self.service, call, meant, headers, body)
        data = self._parsed(call, status, body)
        meant = self.service.read_status(status, data)
        if meant != status:
            raise error_from_status(self.service, call, meant, headers, body)
        return Reply(status, headers, data, self.service, call)

    async def _exchange(self, call: Call) -> tuple[int, httpx.Headers, bytes]:
        content = None if call.body is None else json.dumps(call.body).encode()
        request = self._client().stream(
            call.method,
            self.base_url + call.path,
            params=list(call.params) or None,
            content=content,
            headers=None if content is None else {"Content-Type": "application/json"},
        )
        async with request as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _LARGEST_ANSWER:
                    raise unreadable_answer(self.service, call, "it is too large", response.status_code)
            return response.status_code, response.headers, bytes(body)

    def _parsed(self, call: Call, status: int, body: bytes) -> Any:
        if not body.strip():
            if call.answers:
                raise unreadable_answer(self.service, call, "it is empty", status)
            return None
        try:
            return parsed_json(body)
        except (ValueError, RecursionError) as error:
            html = looks_like_html(body)
            why = (
                "a web page came instead of data; check the address" if html else "it is no JSON, or cut off"
            )
            raise unreadable_answer(self.service, call, why, status) from error

    def _client(self) -> httpx.AsyncClient:
        if self._open is None:
            limits = httpx.Limits(
                max_connections=AT_ONCE,
                max_keepalive_connections=AT_ONCE,
                keepalive_expiry=_KEEPALIVE_SECONDS,
            )
            transport = self._transport or GuardedTransport(allow_private=self._allow_private, limits=limits)
            self._open = httpx.AsyncClient(
                transport=transport,
                headers=self._headers,
                timeout=httpx.Timeout(
                    self._total_seconds, connect=min(_CONNECT_SECONDS, self._total_seconds)
                ),
                follow_redirects=False,
                trust_env=False,
            )
        return self._open

    def _strike_out(self, error: OutsideError) -> None:
        """A vendor may repeat the token in its error."""
        if len(self._secret) < _SHORTEST_SECRET:
            return  # no real token is so short, and striking it out would mangle the words
        error.args = tuple(str(each).replace(self._secret, "…") for each in error.args)

    async def retire(self) -> None:
        """Closes the connections when the calls under way are done; a later call would open new ones."""
        async with self._turnstile.alone():
            await self.aclose()

    async def aclose(self) -> None:
        client, self._open = self._open, None
        if client is not None:
            await client.aclose()
