"""The outside as it is: boards and trackers over HTTP, opened by address and credential.

Connections are kept per address and token, and every use of one token draws on one budget of calls, however often
and in however many processes it is opened. At most so many are kept; the one that was not used for longest is closed
when its calls are done.
"""

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import httpx

from keepstep.adapters.formats.productboard_html import ProductboardHtml
from keepstep.adapters.http import (
    TOTAL_SECONDS,
    HttpClient,
    Service,
    calling,
    checked_base_url,
    checked_token,
)
from keepstep.adapters.memory.budget import MemoryBudget
from keepstep.adapters.productboard import SERVICE, ProductboardWire, open_board
from keepstep.adapters.registry import known_trackers
from keepstep.adapters.trackers import TrackerAdapter
from keepstep.domain.calls import CallClass
from keepstep.domain.errors import InvalidInputError
from keepstep.ports.budget import AccountKey, Budget
from keepstep.ports.productboard import BoardWire, FeatureBoard
from keepstep.ports.text import TextFormat
from keepstep.ports.tracker import HookStep, Tracker, TrackerManifest, TrackerWire

_KEPT = 64


class OutsideWorld:
    """Implements `keepstep.ports.outside.Outside`. To be used within one event loop, and closed at its end."""

    def __init__(
        self,
        *,
        allow_private: bool,
        budget: Budget | None = None,
        account_key: bytes = b"",
        call_share: float = 1.0,
        transport: httpx.AsyncBaseTransport | None = None,
        rich_2026_09: bool = True,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        """`transport` stands in for the network in tests; `rich_2026_09` allows tables and checklists.

        Processes that share a `budget` have the same `account_key`. Without one this process has its own.
        `call_share` is how much of each account's limits may be used.
        """
        self._call_share = call_share
        self._budget = budget or MemoryBudget()
        self._account_key = account_key
        self._total_seconds = total_seconds
        self._allow_private = allow_private
        self._transport = transport
        self._board_text = ProductboardHtml(rich_2026_09=rich_2026_09)
        self._board_wire = ProductboardWire()
        self._trackers = known_trackers()
        self._clients: OrderedDict[bytes, HttpClient] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    def open_board(self, base_url: str, token: str) -> FeatureBoard:
        url = checked_base_url(base_url, allow_private=self._allow_private)
        secret = checked_token(token)
        return open_board(self._client(SERVICE, url, secret, {"Authorization": f"Bearer {secret}"}))

    def open_tracker(
        self, kind: str, base_url: str, token: str, settings: Mapping[str, str | tuple[str, ...]]
    ) -> Tracker:
        adapter = self._adapter(kind)
        url = adapter.api_root(checked_base_url(base_url, allow_private=self._allow_private))
        secret = checked_token(token)
        return adapter.open(
            self._client(adapter.service, url, secret, adapter.headers(secret, settings)), settings
        )

    def calling(self, call_class: CallClass, patience: float = 1.0) -> AbstractContextManager[None]:
        return calling(call_class, patience)

    def board_wire(self) -> BoardWire:
        return self._board_wire

    def board_text(self) -> TextFormat:
        return self._board_text

    def tracker_wire(self, kind: str) -> TrackerWire:
        return self._adapter(kind).wire

    def hook_steps(self, kind: str, url: str, secret: str) -> Sequence[HookStep]:
        adapter = self._adapter(kind)
        entered = {"{url}": url, "{secret}": adapter.entered_secret(secret)}
        return [_step(each, entered) for each in adapter.manifest.hook_steps]

    def manifests(self) -> Sequence[TrackerManifest]:
        return [each.manifest for each in self._trackers.values()]

    def manifest(self, kind: str) -> TrackerManifest:
        return self._adapter(kind).manifest

    async def aclose(self) -> None:
        for task in self._closing:
            task.cancel()
        clients, self._clients = self._clients, OrderedDict()
        for each in clients.values():
            await each.aclose()

    def _adapter(self, kind: str) -> TrackerAdapter:
        found = self._trackers.get(kind)
        if found is None:
            known = ", ".join(self._trackers)
            raise InvalidInputError("kind", f"There is no tracker {kind[:50]!r} here; known are {known}.")
        return found

    def _client(self, service: Service, url: str, secret: str, headers: Mapping[str, str]) -> HttpClient:
        """Kept under a digest: what holds the keys shall not hold the tokens as well."""
        parts = (service.name, url, secret, *(f"{name}: {value}" for name, value in sorted(headers.items())))
        key = hashlib.sha256("\n".join(parts).encode()).digest()
        client = self._clients.get(key)
        if client is None:
            limits = [each.part(self._call_share) for each in service.limits]
            client = HttpClient(
                replace(service, limits=limits),
                url,
                headers,
                secret=secret,
                allow_private=self._allow_private,
                account=self._account(url, secret),
                budget=self._budget,
                transport=self._transport,
                total_seconds=self._total_seconds,
            )
            self._clients[key] = client
            self._trim()
        self._clients.move_to_end(key)
        return client

    def _account(self, url: str, secret: str) -> AccountKey:
        """Keyed: the database, where budgets stand, must not serve to try tokens out."""
        return AccountKey(
            hmac.new(self._account_key, f"{url}\n{secret}".encode(), hashlib.sha256).hexdigest()
        )

    def _trim(self) -> None:
        while len(self._clients) > _KEPT:
            _, oldest = self._clients.popitem(last=False)
            if oldest.is_open:
                task = asyncio.get_running_loop().create_task(oldest.retire())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)


def _step(text: str, entered: Mapping[str, str]) -> HookStep:
    """A step has one value to enter at most; it stands after the words."""
    name = next((each for each in entered if each in text), "")
    words = text.replace(name, "").strip() if name else text
    return HookStep(words, entered.get(name, ""), is_secret=name == "{secret}")
