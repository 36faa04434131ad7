"""Jobs without an engine, for tests: wakes are remembered, and `drain` runs them one after the other."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.ports.jobs import Urgency

_LINK, _INTEGRATION = "link:", "integration:"
_FIRST = -1


@dataclass(frozen=True, slots=True)
class _Job:
    place: int
    """In the queue: the lowest runs first; of one place the one that has waited longest. A person's is `_FIRST`."""
    tenant: str


class InlineJobs:
    """Implements keepstep.ports.jobs.Jobs; coalesces and orders as the real engine does."""

    def __init__(self, tenant_of: Callable[[LinkId], str] = lambda _link: "") -> None:
        self.woken: list[str] = []
        """Every wake, in order, also those that met a waiting job."""
        self._tenant_of = tenant_of
        self._waiting: dict[str, _Job] = {}
        self._running: str | None = None

    @property
    def waiting(self) -> list[str]:
        """The keys with a waiting job, in the order in which they would run."""
        return sorted(self._waiting, key=lambda key: self._waiting[key].place)

    async def wake_link(self, link: LinkId, urgency: Urgency = Urgency.MACHINE) -> None:
        self._wake(f"{_LINK}{link}", urgency, self._tenant_of(link))

    async def wake_integration(self, integration: IntegrationId) -> None:
        self._wake(f"{_INTEGRATION}{integration}", Urgency.MACHINE, integration)

    async def links_with_a_job(self, links: Collection[LinkId]) -> set[LinkId]:
        busy = {*self._waiting, self._running}
        return {link for link in links if f"{_LINK}{link}" in busy}

    def _wake(self, key: str, urgency: Urgency, tenant: str) -> None:
        self.woken.append(key)
        if urgency is Urgency.PERSON:
            self._waiting[key] = _Job(_FIRST, tenant)
        elif key not in self._waiting:
            self._waiting[key] = _Job(self._next_place(tenant), tenant)

    def _next_place(self, tenant: str) -> int:
        """One behind the last of its tenant, and not before whoever is first now."""
        machines = [each for each in self._waiting.values() if each.place != _FIRST]
        front = min((each.place for each in machines), default=0)
        return max(front, *(each.place + 1 for each in machines if each.tenant == tenant), 0)

    async def drain(
        self,
        run_link: Callable[[LinkId], Awaitable[None]],
        run_integration: Callable[[IntegrationId], Awaitable[None]],
        on_crash: Callable[[str, BaseException], Awaitable[None]] | None = None,
        *,
        limit: int = 1000,
    ) -> int:
        """Runs until nothing waits and returns how many ran. Without `on_crash` a job's error comes out here.

        Raises RuntimeError after `limit` jobs: one of them wakes itself for ever.
        """
        for ran in range(limit):
            if not self._waiting:
                return ran
            key = self._running = self.waiting[0]
            del self._waiting[key]
            try:
                if key.startswith(_LINK):
                    await run_link(LinkId(key.removeprefix(_LINK)))
                else:
                    await run_integration(IntegrationId(key.removeprefix(_INTEGRATION)))
            except Exception as error:
                if on_crash is None:
                    raise
                await on_crash(key, error)
            finally:
                self._running = None
        raise RuntimeError(f"After {limit} jobs there still wait {self.waiting}.")
