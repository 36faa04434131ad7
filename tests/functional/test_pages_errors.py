"""Whatever goes wrong is answered with what happened, why, and what to do: as a page, or as JSON for machines."""

import re
from datetime import timedelta

import httpx
import pytest
import structlog
import structlog.testing
from fastapi import APIRouter, Request

from functional.web_world import World, seed
from keepstep.domain.errors import ForbiddenMoveError, InvalidInputError, MissingError, StaleRevisionError
from keepstep.ports.errors import (
    AuthLostError,
    NotGenuineError,
    NotThereError,
    RateLimitedError,
    RejectedError,
    TransientError,
    UnexpectedReplyError,
    UnreadableError,
)
from keepstep.ports.vault import VaultError

FAILURES = {
    "invalid": (InvalidInputError("name", "A name is expected."), 422),
    "missing": (MissingError("There is no such Link."), 404),
    "forbidden": (ForbiddenMoveError("It is being removed."), 409),
    "stale": (StaleRevisionError("old"), 409),
    "auth": (AuthLostError("GitLab refused the token (401)."), 502),
    "limited": (RateLimitedError("Productboard asks to wait.", retry_after=timedelta(seconds=7)), 503),
    "down": (TransientError("GitLab does not answer."), 503),
    "gone": (NotThereError("No such feature."), 404),
    "rejected": (RejectedError("The title is too long.", field="title"), 422),
    "odd": (UnexpectedReplyError("GitLab answered with a web page."), 502),
    "fake": (NotGenuineError("Not signed."), 401),
    "garbled": (UnreadableError("data.id is missing."), 400),
    "vault": (VaultError("locked"), 500),
}


def doors() -> list[APIRouter]:
    routes = []
    for prefix in ("/pages", "/api/v1", "/hooks"):
        router = APIRouter(prefix=prefix)

        @router.get("/fail/{name}")
        async def fail(name: str):
            raise FAILURES[name][0]

        @router.get("/crash")
        async def crash():
            raise RuntimeError("a detail of our insides")

        @router.post("/body")
        async def body(request: Request):
            return {"size": len(await request.body())}

        @router.get("/number/{number}")
        async def number(number: int):
            return number

        routes.append(router)
    return routes


@pytest.fixture
async def client():
    world = World()
    await seed(world)
    transport = httpx.ASGITransport(world.app(doors()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://keepstep.test") as client:
        yield client


@pytest.mark.parametrize("name", FAILURES)
async def test_each_error_becomes_a_page_with_what_to_do(client, name):
    error, status = FAILURES[name]
    answer = await client.get(f"/pages/fail/{name}")
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>" in answer.text
    said = str(error)
    assert said in answer.text or name in ("stale", "vault")


@pytest.mark.parametrize("prefix", ["/api/v1", "/hooks"])
@pytest.mark.parametrize("name", FAILURES)
async def test_each_error_becomes_json_for_machines(client, prefix, name):
    _, status = FAILURES[name]
    answer = await client.get(f"{prefix}/fail/{name}")
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"]
    assert error["message"]


async def test_json_names_the_field(client):
    for name, field in (("invalid", "name"), ("rejected", "title")):
        assert (await client.get(f"/api/v1/fail/{name}")).json()["error"]["field"] == field
    assert (await client.get("/api/v1/number/seven")).json()["error"]["field"] == "number"


async def test_a_limit_passed_on_says_when_to_come_back(client):
    assert (await client.get("/api/v1/fail/limited")).headers["retry-after"] == "7"


@pytest.mark.parametrize("path", ["/pages/crash", "/api/v1/crash"])
async def test_a_fault_of_ours_shows_a_reference_that_is_in_the_log(client, path, monkeypatch):
    log = structlog.testing.CapturingLogger()
    monkeypatch.setattr("keepstep.web.errors._LOG", log)
    answer = await client.get(path)
    assert answer.status_code == 500
    assert "insides" not in answer.text
    assert "Traceback" not in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    reference = re.search(r"\b[0-9a-f]{8}\b", answer.text)
    assert reference is not None
    (told,) = log.calls
    assert (told.method_name, told.kwargs["reference"]) == ("error", reference[0])
    assert told.kwargs["exc_info"] is not None


async def test_unknown_addresses_and_methods_get_a_styled_page(client):
    for method, path, status in (("GET", "/nowhere", 404), ("DELETE", "/", 405)):
        answer = await client.request(method, path)
        assert answer.status_code == status
        assert "keepstep.css" in answer.text
    assert (await client.get("/api/v1/nowhere")).json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/pages/body", 1024 * 1024, 200), ("/pages/body", 1024 * 1024 + 1, 413),
        ("/hooks/body", 8 * 1024 * 1024, 200), ("/hooks/body", 8 * 1024 * 1024 + 1, 413),
    ],
)  # fmt: skip
async def test_a_body_that_is_too_large_is_refused(client, path, size, status):
    async def streamed():
        for start in range(0, size, 65_536):
            yield b"x" * min(65_536, size - start)

    announced = await client.post(path, content=b"x" * size)
    unannounced = await client.post(path, content=streamed())
    assert (announced.status_code, unannounced.status_code) == (status, status)
    if status == 413:
        assert "larger" in announced.text


async def test_an_oversized_body_is_not_even_taken_in(client):
    taken = 0

    async def endless():
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield b"x" * 65_536

    await client.post("/pages/body", content=endless(), headers={"content-length": str(65_536_000)})
    assert taken <= 1


async def test_errors_keep_the_navigation_of_whoever_is_logged_in():
    world = World()
    async with world.client() as client:
        assert 'aria-label="Main"' in (await client.get("/nowhere")).text
    async with world.client(logged_in=False) as client:
        assert 'aria-label="Main"' not in (await client.get("/nowhere")).text


async def test_static_files_are_kept_by_fingerprint_and_checked_otherwise(client):
    page = (await client.get("/nowhere")).text
    address = re.search(r'href="(/static/keepstep\.css\?v=[0-9a-f]+)"', page)
    assert address is not None
    lasting = await client.get(address[1])
    assert "immutable" in lasting.headers["cache-control"]
    checked = await client.get("/static/keepstep.css")
    assert checked.headers["cache-control"] == "no-cache"
    again = await client.get("/static/keepstep.css", headers={"if-none-match": checked.headers["etag"]})
    assert again.status_code == 304


async def test_health_readiness_and_metrics():
    world = World()
    await seed(world)
    async with world.client(logged_in=False) as client:
        assert (await client.get("/healthz")).text == "ok\n"
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        metrics = (await client.get("/metrics")).text
    for line in (
        'keepstep_integrations{state="active"} 2',
        'keepstep_integrations{state="paused"} 2',
        'keepstep_links{state="in conflict"} 1',
        'keepstep_links{state="linked"} 85',
        "keepstep_notices_unhandled 2",
        "keepstep_oldest_waiting_seconds 42",
        "keepstep_workers 1",
    ):
        assert line in metrics.splitlines(), line
    assert len(re.findall(r"^keepstep_integration_links_in_conflict\{.+\} 1$", metrics, re.MULTILINE)) == 1
    assert 'side="ticket"' in metrics
    for line in metrics.splitlines():
        assert re.fullmatch(
            r"# (HELP|TYPE) keepstep_\w+ .+"
            r'|keepstep_\w+(\{(state="[a-z ]+"|integration="[\da-f]{8}"(,\w+="\w+")?)\})? [\d.e+-]+',
            line,
        ), line


async def test_not_ready_says_what_is_missing():
    world = World()
    world.readiness = type(world.readiness)(
        (type(world.readiness.checks[0])("database", ok=False, detail="Down."),)
    )
    async with world.client(logged_in=False) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == [{"name": "database", "ok": False, "detail": "Down."}]
