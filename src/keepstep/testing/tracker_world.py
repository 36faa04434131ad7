"""What the kit needs of an author: how to open the tracker, and how people act on it behind Keepstep's back."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import httpx

from keepstep.adapters.http import HttpClient, checked_base_url, checked_token
from keepstep.adapters.memory.budget import MemoryBudget
from keepstep.adapters.trackers import SettingValues, TrackerAdapter
from keepstep.domain.ticket import TicketRef
from keepstep.ports.budget import AccountKey
from keepstep.ports.errors import OutsideError
from keepstep.ports.tracker import Tracker

_QUICK_SECONDS = 5.0


class NotOffered(Exception):  # noqa: N818 - no fault: the reason why a part of the contract is skipped
    """This world cannot do that; says why."""


@dataclass
class Fault:
    """What befalls the next matching request."""

    method: str = ""
    """"": any."""
    status: int = 0
    """0: the request is passed on."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    drops: bool = False
    """The work is done, the answer is lost."""
    cuts: bool = False
    """The answer ends in the middle."""


class FaultyTransport(httpx.AsyncBaseTransport):
    """In front of the tracker, or of what stands in for it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.faults: list[Fault] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fault = next((each for each in self.faults if each.method in ("", request.method)), None)
        if fault is None:
            return await self.inner.handle_async_request(request)
        self.faults.remove(fault)
        if fault.status:
            return httpx.Response(fault.status, headers=dict(fault.headers), text=fault.body, request=request)
        answer = await self.inner.handle_async_request(request)
        body = await answer.aread()
        if fault.drops:
            raise httpx.ReadTimeout("the answer is lost", request=request)
        return httpx.Response(
            answer.status_code,
            headers={"content-type": "application/json"},
            content=body[: len(body) // 2] if fault.cuts else body,
            request=request,
        )

    async def aclose(self) -> None:
        await self.inner.aclose()


class TrackerWorld(ABC):
    """One tracker: live, an emulator, or a fake; fresh for each test, or made so."""

    adapter: TrackerAdapter
    base_url = "https://tracker.example"
    token = "a-token-of-the-tests"  # noqa: S105 - the tests' own
    wrong_token = "a-token-nobody-knows"  # noqa: S105
    project = ""
    unknown_project = "no-such-project"
    secret = "a-secret-of-our-webhook"  # noqa: S105
    settings: SettingValues = MappingProxyType({})
    """Values of the manifest's `account` and `settings` fields."""
    defaults: SettingValues = MappingProxyType({})
    """Values for new tickets, as far as the tracker requires any."""
    ran_on = ""
    """For `docs/trackers.md`: what stood behind these tests."""
    skips: Mapping[str, str] = MappingProxyType({})
    """Name of a test to the reason why it makes no sense here."""
    answers_over_http = True
    means: Mapping[int, type[OutsideError]] = MappingProxyType({})
    """A status of an answer to what it means when one ticket is read, where that is not the usual."""

    def __init__(self) -> None:
        self.transport = FaultyTransport(self.make_transport())
        self._clients: list[HttpClient] = []
        self._budget = MemoryBudget()

    def make_transport(self) -> httpx.AsyncBaseTransport:
        """What stands in for the network; by default the network."""
        return httpx.AsyncHTTPTransport()

    def open(self, token: str = "", settings: SettingValues | None = None) -> Tracker:
        """As Keepstep opens it, with this transport below."""
        values = {**self.settings, **(settings or {})}
        secret = checked_token(token or self.token)
        client = HttpClient(
            self.adapter.service,
            self.adapter.api_root(checked_base_url(self.base_url, allow_private=True)),
            self.adapter.headers(secret, values),
            secret=secret,
            allow_private=True,
            account=AccountKey(secret),
            budget=self._budget,
            transport=self.transport,
            total_seconds=_QUICK_SECONDS,
        )
        self._clients.append(client)
        return self.adapter.open(client, values)

    def fail(self, fault: Fault) -> None:
        if not self.answers_over_http:
            raise NotOffered("this tracker is not asked over HTTP")
        self.transport.faults.append(fault)

    # ---- what people do there

    @abstractmethod
    async def edit(self, ref: TicketRef, *, title: str) -> None:
        """Somebody gives the ticket another title."""

    @abstractmethod
    async def delete(self, ref: TicketRef) -> None: ...

    async def restore(self, ref: TicketRef) -> None:
        raise NotOffered(f"nothing here brings {ref.label} back")

    async def move(self, ref: TicketRef) -> None:
        raise NotOffered(f"there is nowhere here that {ref.label} could move to")

    async def ignore_next_write(self) -> None:
        """The next write is answered as if it had been done."""
        raise NotOffered("this world carries out every write that it accepts")

    async def delivery(self, ref: TicketRef) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of a genuine delivery about this ticket, proven with `secret`."""
        raise NotOffered(f"this tracker tells nobody about {ref.label}")

    async def aclose(self) -> None:
        for client in self._clients:
            await client.aclose()
        await self.transport.aclose()
