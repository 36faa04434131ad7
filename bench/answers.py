"""How long Productboard and the tracker wait for an answer: clicks, and webhooks at a steady rate."""

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.figures import BenchError, Figure, amount, quantile, spread, times
from bench.load import Job, Outcome
from bench.processes import cpu_seconds
from bench.stage import Column, Pair, Stage
from keepstep_sandbox.gittab.webhooks import signature

RATE = 100.0
_CALM = 10.0
_SHARES = (0.5, 0.95, 0.99)
_AIMS = {0.5: 10.0, 0.99: 50.0}
_Make = Callable[[int], str]


async def clicks(stage: Stage, column: Column, count: int) -> list[Figure]:
    """Pushes of fresh features, one after the other, each waited for by the person who clicked."""
    taken = await click_times(stage, column, count)
    return [times("click on Push, answered with the ticket", [taken], _SHARES)]


async def click_times(stage: Stage, column: Column, count: int) -> list[float]:
    """Milliseconds of each. Raises BenchError for an answer that is not the ticket."""
    taken: list[float] = []
    for feature in [column.features.pop() for _ in range(count)]:
        state, milliseconds = await stage.board.click(column.plugin, feature)
        if state != "connected":
            raise BenchError(f"A push was answered with {state} instead of connected.")
        taken.append(milliseconds)
    return taken


async def board_webhooks(
    stage: Stage, column: Column, *, rate: float, seconds: float, linked: bool
) -> list[float]:
    """Milliseconds of each answer. Returns when everything that they caused is done."""
    return (await _run(stage, _board_maker(stage, column, linked=linked), rate, seconds)).outcome.milliseconds


async def webhooks(stage: Stage, column: Column, *, repeats: int, seconds: float) -> list[Figure]:
    """Both doors, with notifications of linked items (each a reason to sync) and of others (counted only)."""
    figures: list[Figure] = []
    linked, tracker = _board_maker(stage, column, linked=True), await _tracker_maker(stage, column)
    doors: tuple[tuple[str, _Make, float], ...] = (
        ("Productboard webhook, linked features", linked, _CALM),
        ("Productboard webhook, linked features", linked, RATE),
        ("Productboard webhook, other features", _board_maker(stage, column, linked=False), RATE),
        ("tracker webhook, linked tickets", tracker, RATE),
    )
    for name, make, rate in doors:
        runs = [await _run(stage, make, rate, seconds) for _ in range(repeats)]
        figures += _told(f"{name}, {rate:.0f}/s", runs)
    return figures


@dataclass(frozen=True, slots=True)
class _Run:
    outcome: Outcome
    service: float
    """Seconds of processor time, until everything that the notifications caused was done."""
    database: float


def _told(name: str, runs: Sequence[_Run]) -> list[Figure]:
    late = spread([quantile(run.outcome.late_ms, 0.99) for run in runs])
    costs = [run.service * 1000 / len(run.outcome.milliseconds) for run in runs]
    database = spread([run.database * 1000 / len(run.outcome.milliseconds) for run in runs])
    note = f"in the service, {database} in the database; sender late p99 {late} ms"
    return [
        times(name, [run.outcome.milliseconds for run in runs], _SHARES, _AIMS),
        amount("  processor time for each, syncs included", costs, "ms", note=note),
    ]


async def _run(stage: Stage, make: _Make, rate: float, seconds: float) -> _Run:
    port = urlsplit(stage.service.address).port or 0
    job = Job("127.0.0.1", port, rate, [make(number) for number in range(int(rate * seconds))])
    database = stage.service.database.processes()
    before = cpu_seconds(stage.service.own), cpu_seconds(database)
    outcome = await _send(job)
    if not all(status.startswith("2") for status in outcome.statuses):
        raise BenchError(f"Webhooks were answered with {outcome.statuses}; all should have been accepted.")
    await stage.quiet()
    return _Run(outcome, cpu_seconds(stage.service.own) - before[0], cpu_seconds(database) - before[1])


async def _send(job: Job) -> Outcome:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.load",
        cwd=Path(__file__).parents[1],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate(json.dumps(asdict(job)).encode())
    if process.returncode:
        raise BenchError("The sender of webhooks failed.")
    return Outcome(**json.loads(told))


def _request(url: str, headers: dict[str, str], body: str) -> str:
    parts = urlsplit(url)
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(body.encode())}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", body])


def _board_maker(stage: Stage, column: Column, *, linked: bool) -> _Make:
    """As Productboard sends it; the pairs take turns."""
    webhooks = stage.board.saved_state()["workspaces"][column.workspace]["webhooks"].values()
    hook = next(each for each in webhooks if column.integration in each["url"])
    features = [pair.feature for pair in column.pairs] if linked else [str(uuid.uuid4()) for _ in range(50)]

    def make(number: int) -> str:
        feature = features[number % len(features)]
        target = f"{stage.board.address}/features/{feature}"
        data = {"id": feature, "eventType": "feature.updated", "updatedAttributes": ["name"]}
        body = json.dumps({"data": {**data, "links": {"target": target}}})
        return _request(hook["url"], {"Authorization": hook["authorization"]}, body)

    return make


async def _tracker_maker(stage: Stage, column: Column) -> _Make:
    """What the tracker sent when each ticket was edited a moment ago, signed anew so that none is a repetition."""
    hook = next(each for each in stage.tracker.saved_state()["hooks"] if column.integration in each["url"])
    pairs = column.pairs[:50]
    bodies = [await _sent_for(stage, pair) for pair in pairs]
    await stage.quiet()

    def make(number: int) -> str:
        body, key, now = bodies[number % len(bodies)], str(uuid.uuid4()), str(int(time.time()))
        headers = {
            "X-Gitlab-Event": "Issue Hook",
            "X-Gitlab-Event-UUID": str(uuid.uuid4()),
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": now,
        }
        if hook["token"]:
            headers["X-Gitlab-Token"] = hook["token"]
        if hook["signing_token"]:
            headers["webhook-signature"] = signature(hook["signing_token"], key, now, body.encode())
        return _request(hook["url"], headers, body)

    return make


async def _sent_for(stage: Stage, pair: Pair) -> str:
    since = await stage.tracker.position()
    title = f"Edited {uuid.uuid4().hex[:8]}"
    column = pair.column
    await stage.tracker.edit(column.person_token, column.project, pair.issue, title=title)
    for _ in range(100):
        await asyncio.sleep(0.05)
        sent = [each for each in await stage.tracker.journal(since) if each.direction == "out"]
        ours = [each for each in sent if each.body["object_attributes"]["iid"] == pair.issue]
        if ours:
            return json.dumps(ours[0].body)
    raise BenchError("The tracker sent no webhook for an edit.")
