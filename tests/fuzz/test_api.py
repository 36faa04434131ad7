"""The JSON API against its own description: every operation, with data that fits it and data that does not.

Schemathesis makes the requests and checks each answer: no fault of ours, a status, a content type and a body that the
description names, and 401 without a token of ours.
"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from fuzz.site import EXAMPLES, Site, open_site

_A_TEST = max(3, EXAMPLES // 8)


def no_fault_of_ours(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """502 and 503 are described where Productboard or a tracker is asked; here nobody answers there."""
    assert response.status_code != 500, response.text


CHECKS = [
    no_fault_of_ours,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    ignored_auth,
]

_FUZZ = settings(
    max_examples=_A_TEST,
    deadline=None,
    derandomize=EXAMPLES < 1000,
    phases=(Phase.explicit, Phase.generate),
    database=None,
    suppress_health_check=list(HealthCheck),
)

pytestmark = pytest.mark.timeout(3600 if EXAMPLES > 1000 else 180)


@dataclass(frozen=True)
class Served:
    site: Site
    url: str


@pytest.fixture(scope="module")
def served(postgres_dsn: str) -> Iterator[Served]:
    """The site behind a server in a thread of its own: Schemathesis sends real requests."""
    ready: list[Served] = []
    began = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        async def run() -> None:
            async with open_site(postgres_dsn) as site:
                config = uvicorn.Config(site.app, log_config=None, access_log=False)
                server = uvicorn.Server(config)
                ready.append(Served(site, url))
                stop.append(server)
                began.set()
                await server.serve(sockets=[listener])

        stop: list[uvicorn.Server] = []
        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        began.wait(60)
        yield ready[0]
        stop[0].should_exit = True
        thread.join(30)


@pytest.fixture(scope="module")
def description(served: Served):
    return schemathesis.openapi.from_url(f"{served.url}/api/v1/openapi.json", headers=_proof(served))


def _proof(served: Served) -> dict[str, str]:
    return {"Authorization": f"Bearer {served.site.token}"}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation_answers_as_described(served, description, mode):
    """Run by hand rather than by its plugin for pytest, which does not know pytest 9 yet."""
    faults = []
    for result in description.get_all_operations():
        operation = result.ok()

        @_FUZZ
        @given(operation.as_strategy(generation_mode=mode))
        def call(case: schemathesis.Case) -> None:
            _known_ids(case, served)
            case.call_and_validate(headers=_proof(served), checks=_checks_of(case))

        try:
            call()
        except Unsatisfiable:
            # Nothing can be wrong with a request that has no body and no parameters.
            assert mode is GenerationMode.NEGATIVE
        except (FailureGroup, AssertionError) as found:
            faults.append(f"{operation.label}\n{found}")
    assert not faults, "\n\n".join(faults)


def _checks_of(case: schemathesis.Case) -> list[schemathesis.CheckFunction]:
    """A name in the query that nobody knows is passed over; it need not be refused."""
    known = {each.name for each in case.operation.query}
    if set(case.query or {}) <= known:
        return CHECKS
    return [each for each in CHECKS if each is not negative_data_rejection]


def _known_ids(case: schemathesis.Case, served: Served) -> None:
    """Half of the requests ask for what exists, so that more than "not found" is answered."""
    known = {"integration_id": served.site.integrations["gitlab"].id, "link_id": served.site.link.id}
    for name, value in known.items():
        given = case.path_parameters.get(name)
        if given is not None and len(str(given)) % 2 == 0:
            case.path_parameters[name] = value


@pytest.mark.parametrize(
    "proof", ["", "Bearer", "Bearer ks_wrong", "Basic YTpi", "Bearer \u00ff\u00fe", "Bearer " + "x" * 10_000]
)
def test_no_operation_is_open_without_a_token(served, description, proof):
    with httpx.Client(base_url=served.url) as client:
        for result in description.get_all_operations():
            operation = result.ok()
            path = operation.path.replace("{", "").replace("}", "")
            headers = {"Authorization": proof.encode("latin-1")} if proof else {}
            answer = client.request(operation.method.upper(), path, headers=headers, content=b"{")
            assert answer.status_code == 401, operation.label
