"""`python -m bench.growth [LINKS ...]`: what becomes slower when an installation grows from 1,000 to a million Links.

One service with its embedded database, 100 integrations, and at each size the same questions over HTTP: a click, a
webhook, the pages, the API, the metrics; then what the sweep asks the database, the bytes of a row, and at the end how
long it takes to prune what has grown too old. One integration is real and connected to the emulators; the others are
copies of it.
"""

import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import httpx
import psycopg

from bench.answers import board_webhooks, click_times
from bench.figures import BenchError, Figure
from bench.seeding import INTEGRATIONS, Seeding, Size
from bench.stage import Column, Stage, open_stage
from keepstep.adapters.postgres.embedded import embedded_postgres
from keepstep.app import sweep
from keepstep.bootstrap import Runtime, open_runtime
from keepstep.domain.ids import LinkId
from keepstep.settings import load_settings

SIZES = (1_000, 100_000, 1_000_000)
_CLICKS = 9
_PAIRS = 10
_TURNS = 11
_WEBHOOK_SECONDS = 2.0
_CALM = 10.0
_GROWTH_AIM = 2.0
"""So many times the figure of the smallest size is still "as fast": the noise of this bench is of that order."""
_SMALL_MS = 10.0
"""Below this a ratio is the machine's noise; what stays below it at every size is fast enough for a person."""
_KEPT_DAYS = 30
"""The retention that the prune is measured with: half of the copies' past goes."""
_MEGABYTE = 1_000_000

Measured = dict[str, float]
"""Question to milliseconds (median)."""


@dataclass(frozen=True, slots=True)
class _Place:
    stage: Stage
    column: Column
    seeding: Seeding
    runtime: Runtime
    pages: httpx.AsyncClient
    """Logged in."""


async def measure(sizes: Sequence[int], say: Callable[[str], None]) -> list[Figure]:
    async with _open_place(len(sizes)) as place:
        found: dict[int, Measured] = {}
        weights: dict[int, Size] = {}
        for links in sizes:
            started = time.monotonic()
            await asyncio.to_thread(place.seeding.grow_to, links)
            weights[links] = place.seeding.size()
            say(f"  {links:,} Links, made in {time.monotonic() - started:.0f} s")
            found[links] = await _ask_everything(place)
        figures = [_grown(question, found) for question in found[sizes[0]]]
        return [*figures, *_weights(weights[sizes[-1]]), *await _pruned(place)]


@contextlib.asynccontextmanager
async def _open_place(sizes: int) -> AsyncIterator[_Place]:
    async with contextlib.AsyncExitStack() as stack:
        stage = await stack.enter_async_context(open_stage())
        column = await stage.add_column(_PAIRS + _CLICKS * sizes)
        await stage.push(column, _PAIRS)
        dsn = stack.enter_context(embedded_postgres(stage.service.database.folder))
        settings = load_settings(**stage.service.settings)
        runtime = await stack.enter_async_context(open_runtime(settings, dsn))
        pages = await stack.enter_async_context(
            httpx.AsyncClient(base_url=stage.service.address, trust_env=False, timeout=120)
        )
        await _log_in(runtime, pages)
        seeding = Seeding(dsn)
        stack.callback(seeding.close)
        await asyncio.to_thread(seeding.add_integrations)
        yield _Place(stage, column, seeding, runtime, pages)


async def _log_in(runtime: Runtime, pages: httpx.AsyncClient) -> None:
    made = await runtime.people.create_admin("growth")
    form = {"name": "growth", "password": made.password, "next": "/"}
    answer = await pages.post("/login", data=form, headers={"Origin": str(pages.base_url).rstrip("/")})
    if answer.status_code != 303:
        raise BenchError(f"The login was answered with {answer.status_code}.")
    token = await runtime.people.create_token(made.person, "growth")
    pages.headers["Authorization"] = f"Bearer {token.secret}"


async def _ask_everything(place: _Place) -> Measured:
    found: Measured = {}
    found["a click on Push, with its ticket"] = statistics.median(
        await click_times(place.stage, place.column, _CLICKS)
    )
    found["a webhook, 10/s"] = statistics.median(
        await board_webhooks(place.stage, place.column, rate=_CALM, seconds=_WEBHOOK_SECONDS, linked=True)
    )
    for question, path in _paths(place):
        found[question] = await _turns(lambda path=path: _get(place.pages, path))  # type: ignore[misc]
    for question, act in _sweeps(place.runtime):
        found[question] = await _turns(act)
    return found


def _paths(place: _Place) -> Sequence[tuple[str, str]]:
    home = f"/integrations/{place.column.integration}"
    last = max(1, -(-place.seeding.links // INTEGRATIONS // 50))
    link = str(LinkId(place.seeding.a_link()))
    return (
        ("page: all integrations", "/"),
        ("page: Links, the first 50", home),
        ("page: Links, the last 50", f"{home}?page={last}"),
        ("page: Links by title", f"{home}?sort=title"),
        ("page: Links in conflict", f"{home}?state=in+conflict"),
        ("page: Links, search for a ticket's number", f"{home}?q={place.seeding.a_word()}"),
        ("page: Links, search that finds a tenth", f"{home}?q=offline"),
        ("page: the journal of an integration", f"{home}/activity"),
        ("page: what needs attention", "/attention"),
        ("page: one Link", f"/links/{link}"),
        ("API: all Links, the first 50", "/api/v1/links"),
        ("API: all Links, the last 50", f"/api/v1/links?offset={place.seeding.links - 50}"),
        ("API: all Links, from the middle", f"/api/v1/links?offset={place.seeding.links // 2}"),
        ("API: all Links, search for a ticket's number", f"/api/v1/links?q={place.seeding.a_word()}"),
        ("API: all Links, search that finds a tenth", "/api/v1/links?q=offline"),
        ("API: the whole journal, the first 50", "/api/v1/journal"),
        ("metrics", "/metrics"),
    )


def _sweeps(runtime: Runtime) -> Sequence[tuple[str, Callable[[], Awaitable[object]]]]:
    """What the loops beside the engine ask the database every second or so."""
    ctx = runtime.ctx
    return (
        ("sweep: timers that are due", lambda: sweep.run_timers(ctx)),
        ("sweep: retries that are due", lambda: sweep.wake_due(ctx)),
        ("sweep: notices without a job", lambda: sweep.wake_forgotten(ctx)),
    )


async def _turns(act: Callable[[], Awaitable[object]]) -> float:
    await act()
    taken = []
    for _ in range(_TURNS):
        started = time.perf_counter()
        await act()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


async def _get(pages: httpx.AsyncClient, path: str) -> None:
    answer = await pages.get(path)
    if answer.status_code != 200:
        raise BenchError(f"{path} was answered with {answer.status_code}.")


def _grown(question: str, found: dict[int, Measured]) -> Figure:
    by_size = {f"{size:,}": each[question] for size, each in found.items()}
    values = list(by_size.values())
    times = values[-1] / max(values[0], 0.01)
    result = "  ".join(f"{each:.1f}" for each in values) + f" ms  ({times:.1f} times)"
    met = times <= _GROWTH_AIM or values[-1] <= _SMALL_MS
    aim = f"<= {_GROWTH_AIM:g} times or {_SMALL_MS:g} ms"
    return Figure(question, result, aim, met, {"unit": "ms", "by": by_size, "times": times})


def _weights(size: Size) -> list[Figure]:
    return [
        Figure(
            "bytes of a Link, indexes included",
            f"{size.link:.0f} bytes, {size.link_indexes:.0f} of them indexes",
            numbers={"unit": "bytes", "values": [size.link]},
        ),
        Figure(
            "bytes of a journal entry",
            f"{size.entry:.0f} bytes",
            numbers={"unit": "bytes", "values": [size.entry]},
        ),
        Figure(
            "bytes of a notice in the inbox",
            f"{size.notice:.0f} bytes",
            numbers={"unit": "bytes", "values": [size.notice]},
        ),
        Figure(
            "the whole database",
            f"{size.database / _MEGABYTE:,.0f} MB",
            numbers={"unit": "bytes", "values": [size.database]},
        ),
    ]


async def _pruned(place: _Place) -> list[Figure]:
    """With a retention that lets half of the journal and the older notices go."""
    before = place.seeding.rows("journal"), place.seeding.rows("inbox")
    rules = replace(place.runtime.ctx.rules, journal_days=_KEPT_DAYS)
    ctx = replace(place.runtime.ctx, rules=rules)
    started = time.perf_counter()
    try:
        await sweep.prune(ctx)
    except psycopg.Error as error:
        why = f"failed after {time.perf_counter() - started:.0f} s: {str(error).splitlines()[0]}"
        return [Figure("pruning what has grown too old", why, "0 errors", met=False)]
    seconds = time.perf_counter() - started
    gone = before[0] - place.seeding.rows("journal"), before[1] - place.seeding.rows("inbox")
    result = f"{seconds:.1f} s for {gone[0]:,} entries and {gone[1]:,} notices"
    numbers = {"unit": "s", "values": [seconds], "entries": gone[0], "notices": gone[1]}
    again = await _turns(lambda: sweep.prune(ctx))
    return [
        Figure("pruning what has grown too old", result, numbers=numbers),
        Figure(
            "pruning when nothing is too old", f"{again:.1f} ms", numbers={"unit": "ms", "values": [again]}
        ),
    ]


def main() -> int:
    sizes = [int(each.replace(",", "")) for each in sys.argv[1:]] or list(SIZES)
    for figure in asyncio.run(measure(sizes, lambda line: print(line, flush=True))):  # noqa: T201
        sys.stdout.write(figure.line() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
