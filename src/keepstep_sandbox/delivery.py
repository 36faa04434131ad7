"""Callbacks: probes and clicks that wait for the answer, and webhooks that are delivered in the background.

Guarantee: every attempt has an entry in the journal; a delivery is tried at once and then after each wait
of its schedule until it is answered with 2xx or the schedule ends. What still waits is part of the state that
is saved. Redirects are never followed. Nothing here knows a vendor.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from keepstep_sandbox.faults import FaultRule, Faults
from keepstep_sandbox.journal import Entry, Journal, kept_body, kept_headers

# The vendor's answer to the write goes out first; a webhook follows it within a few milliseconds.
_AFTER_ANSWER_SECONDS = 0.002
# A held-back delivery goes by itself when no other one comes to overtake it.
_REORDER_PATIENCE_SECONDS = 2.0
_MOST_ANSWER_BYTES = 1_000_000


@dataclass(frozen=True)
class Callback:
    """One webhook to deliver: plain data, so that it survives a restart."""

    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    schedule: tuple[float, ...] = ()  # waits before the second, third, ... attempt, in real seconds
    source: str = ""  # id of the subscription, for `forget`
    kind: str = "webhook"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class Attempt:
    """What came of one call."""

    status: int | None
    headers: Mapping[str, str]
    body: bytes
    error: str | None
    duration_ms: float
    started_at: float

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass
class _Pending:
    callback: Callback
    attempts: int
    due_at: float  # epoch seconds
    under_way: bool = False
    task: asyncio.Task[None] | None = None


class Delivery:
    """Calls out over one HTTP client; see the module's guarantee."""

    def __init__(
        self,
        journal: Journal,
        faults: Faults,
        *,
        client: httpx.AsyncClient | None = None,
        time_scale: float = 1.0,
        limit_s: float = 5.0,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._journal = journal
        self._faults = faults
        self._given = client
        self._own: httpx.AsyncClient | None = None
        self._scale = time_scale
        self._limit_s = limit_s
        self._on_change = on_change
        self._pending: dict[str, _Pending] = {}
        self._held: list[asyncio.Event] = []
        self._moved = asyncio.Event()
        self.on_attempt: Callable[[Callback, Attempt], None] = lambda _callback, _attempt: None

    @property
    def _client(self) -> httpx.AsyncClient:
        if self._given is not None:
            return self._given
        if self._own is None:
            # The environment's proxies are not for callbacks to our own machine.
            self._own = httpx.AsyncClient(trust_env=False, follow_redirects=False)
        return self._own

    async def call(
        self,
        method: str,
        url: str,
        *,
        kind: str,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        attempt: int | None = None,
        fault: str | None = None,
    ) -> Attempt:
        """One journalled call within the time limit; a failure is a value, never raised."""
        sent = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        all_headers = {"Accept": "application/json", **(headers or {})}
        if body is not None:
            all_headers.setdefault("Content-Type", "application/json")
        result = await self._timed(method, url, all_headers, sent)
        parts = urlsplit(url)
        self._journal.add(
            Entry(
                direction="out",
                kind=kind,
                method=method,
                path=parts.path + ("?" + parts.query if parts.query else ""),
                url=url,
                started_at=result.started_at,
                at=time.time(),
                duration_ms=result.duration_ms,
                status=result.status,
                request_headers=kept_headers(all_headers.items()),
                request_body=kept_body(sent),
                response_headers=kept_headers(result.headers.items()),
                response_body=kept_body(result.body),
                error=result.error,
                fault=fault,
                attempt=attempt,
            )
        )
        return result

    async def _timed(self, method: str, url: str, headers: Mapping[str, str], sent: bytes) -> Attempt:
        started_at, clock = time.time(), time.perf_counter()
        status, answer_headers, answer, error = None, {}, b"", None
        try:
            async with asyncio.timeout(self._limit_s):
                response = await self._client.request(
                    method, url, headers=headers, content=sent or None, follow_redirects=False, timeout=None
                )
            status, answer = response.status_code, response.content[:_MOST_ANSWER_BYTES]
            answer_headers = dict(response.headers)
        except TimeoutError:
            error = f"no answer within {self._limit_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        return Attempt(
            status=status,
            headers=answer_headers,
            body=answer,
            error=error,
            duration_ms=(time.perf_counter() - clock) * 1000,
            started_at=started_at,
        )

    def post(self, callback: Callback) -> None:
        """Delivers in the background, a moment after the answer under way has gone out."""
        self._launch(_Pending(callback, attempts=0, due_at=time.time() + _AFTER_ANSWER_SECONDS))

    def _launch(self, pending: _Pending) -> None:
        self._pending[pending.callback.id] = pending
        pending.task = asyncio.get_running_loop().create_task(self._deliver(pending))
        self._stir()

    async def _deliver(self, pending: _Pending) -> None:
        callback = pending.callback
        try:
            while True:
                await asyncio.sleep(max(0.0, pending.due_at - time.time()))
                pending.under_way = True
                self._stir()
                result = await self._one_attempt(pending)
                pending.under_way = False
                if result is None or result.accepted or pending.attempts > len(callback.schedule):
                    return
                wait = callback.schedule[pending.attempts - 1] * self._scale
                pending.due_at = time.time() + wait
                self._stir()
        finally:
            if self._pending.get(callback.id) is pending:
                del self._pending[callback.id]
            self._stir()

    async def _one_attempt(self, pending: _Pending) -> Attempt | None:
        """One attempt with the faults it meets; None when a fault lost the delivery for good."""
        callback = pending.callback
        pending.attempts += 1
        fault_id, rule = self._fault_for(callback)
        if rule is not None:
            if rule.lose:
                self._note_lost(callback, fault_id, pending.attempts)
                return None
            if rule.reorder:
                await self._hold_back()
            if rule.delay_s:
                await asyncio.sleep(rule.delay_s)
        times = 2 if rule is not None and rule.duplicate else 1
        for _ in range(times):
            result = await self.call(
                "POST",
                callback.url,
                kind=callback.kind,
                headers=callback.headers,
                body=dict(callback.body),
                attempt=pending.attempts,
                fault=fault_id,
            )
        for held in self._held:
            held.set()
        self._held.clear()
        self.on_attempt(callback, result)
        return result

    def _fault_for(self, callback: Callback) -> tuple[str | None, FaultRule | None]:
        taken = self._faults.take("out", "POST", urlsplit(callback.url).path, callback.url)
        return taken if taken is not None else (None, None)

    async def _hold_back(self) -> None:
        overtaken = asyncio.Event()
        self._held.append(overtaken)
        try:
            async with asyncio.timeout(_REORDER_PATIENCE_SECONDS):
                await overtaken.wait()
        except TimeoutError:
            self._held = [held for held in self._held if held is not overtaken]

    def _note_lost(self, callback: Callback, fault_id: str | None, attempt: int) -> None:
        now = time.time()
        self._journal.add(
            Entry(
                direction="out",
                kind=callback.kind,
                method="POST",
                path=urlsplit(callback.url).path,
                url=callback.url,
                started_at=now,
                at=now,
                duration_ms=0.0,
                status=None,
                request_body=kept_body(json.dumps(dict(callback.body)).encode()),
                error="lost by a fault rule",
                fault=fault_id,
                attempt=attempt,
            )
        )

    def _stir(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
        self._on_change()

    async def idle(self, within: float = 0.0, limit_s: float = 5.0) -> bool:
        """Waits until nothing is under way or due within `within` seconds; False when `limit_s` passed first."""
        try:
            async with asyncio.timeout(limit_s):
                while self._busy(within):
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    def _busy(self, within: float) -> bool:
        horizon = time.time() + within + _AFTER_ANSWER_SECONDS
        return any(pending.under_way or pending.due_at <= horizon for pending in self._pending.values())

    def waiting(self) -> list[dict[str, Any]]:
        """What is under way or waits for its next attempt, as JSON for `resume`."""
        return [
            {"callback": asdict(p.callback), "attempts": p.attempts, "due_at": p.due_at}
            for p in self._pending.values()
        ]

    def resume(self, saved: list[dict[str, Any]]) -> None:
        """Takes up again what `waiting` told before a restart."""
        for item in saved:
            callback = Callback(**{**item["callback"], "schedule": tuple(item["callback"]["schedule"])})
            self._launch(_Pending(callback, attempts=item["attempts"], due_at=item["due_at"]))

    def forget(self, source: str) -> None:
        """Drops what waits for a subscription that no longer exists; an attempt under way goes on."""
        for pending in list(self._pending.values()):
            if pending.callback.source == source and not pending.under_way:
                self._drop(pending)
        self._stir()

    def cancel(self) -> None:
        """Drops everything under way and waiting."""
        for pending in list(self._pending.values()):
            self._drop(pending)
        self._held.clear()
        self._stir()

    def _drop(self, pending: _Pending) -> None:
        self._pending.pop(pending.callback.id, None)
        if pending.task is not None:
            pending.task.cancel()

    async def aclose(self) -> list[dict[str, Any]]:
        """Stops, and returns what a restart has to take up."""
        waiting = self.waiting()
        tasks = [pending.task for pending in self._pending.values() if pending.task is not None]
        self.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._own is not None:
            await self._own.aclose()
            self._own = None
        return waiting
