"""The control API under `/_sandbox/`: reset, seed, journal, faults, idle. It needs no token."""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keepstep_sandbox.sandbox import Sandbox

Handler = Callable[[Request], Awaitable[Response]]


async def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object; an empty body is an empty object. Raises ValueError otherwise."""
    raw = await request.body()
    if not raw:
        return {}
    body = await request.json()
    if not isinstance(body, dict):
        raise ValueError("a JSON object is expected")  # noqa: TRY004 - the caller answers 400 for any ValueError
    return body


def refusing(handler: Handler) -> Handler:
    """Answers 400 with the reason where the handler raises ValueError (pydantic's errors are such)."""

    async def wrapped(request: Request) -> Response:
        try:
            return await handler(request)
        except ValidationError as wrong:
            return JSONResponse(
                {"error": wrong.errors(include_url=False, include_context=False)}, status_code=400
            )
        except (ValueError, KeyError) as wrong:
            return JSONResponse({"error": f"{type(wrong).__name__}: {wrong}"}, status_code=400)

    return wrapped


def control_routes(sandbox: Sandbox) -> list[Route]:
    """The routes both emulators have; an emulator may add its own beside them."""
    return [*_life_routes(sandbox), *_journal_routes(sandbox), *_fault_routes(sandbox)]


def _life_routes(sandbox: Sandbox) -> list[Route]:
    async def health(_request: Request) -> Response:
        return JSONResponse({"emulator": sandbox.emulator.name, "ready": True})

    async def reset(request: Request) -> Response:
        body = await json_object(request)
        sandbox.reset(body.get("seed"))
        return JSONResponse({"reset": True})

    async def seed(request: Request) -> Response:
        result = sandbox.emulator.seed(await json_object(request))
        sandbox.changed()
        return JSONResponse(result)

    async def idle(request: Request) -> Response:
        within = float(request.query_params.get("within", "0"))
        limit_s = float(request.query_params.get("limit", "5"))
        return JSONResponse({"idle": await sandbox.delivery.idle(within, limit_s)})

    return [
        Route("/_sandbox/health", health, methods=["GET"]),
        Route("/_sandbox/reset", refusing(reset), methods=["POST"]),
        Route("/_sandbox/seed", refusing(seed), methods=["POST"]),
        Route("/_sandbox/idle", refusing(idle), methods=["GET"]),
    ]


def _journal_routes(sandbox: Sandbox) -> list[Route]:
    async def journal(request: Request) -> Response:
        query = request.query_params
        entries = sandbox.journal.entries(
            since=int(query.get("since", "0")),
            direction=query.get("direction"),
            kind=query.get("kind"),
            prefix=query.get("prefix", ""),
        )
        return JSONResponse({"entries": entries, "last_seq": sandbox.journal.last_seq})

    async def clear(_request: Request) -> Response:
        sandbox.journal.clear()
        return Response(status_code=204)

    return [
        Route("/_sandbox/journal", refusing(journal), methods=["GET"]),
        Route("/_sandbox/journal", clear, methods=["DELETE"]),
    ]


def _fault_routes(sandbox: Sandbox) -> list[Route]:
    async def show(_request: Request) -> Response:
        return JSONResponse({"faults": sandbox.faults.shown()})

    async def add(request: Request) -> Response:
        body = await request.json()
        if isinstance(body, list):
            return JSONResponse({"ids": [sandbox.faults.add(rule) for rule in body]}, status_code=201)
        return JSONResponse({"id": sandbox.faults.add(body)}, status_code=201)

    async def clear(_request: Request) -> Response:
        sandbox.faults.clear()
        return Response(status_code=204)

    async def remove(request: Request) -> Response:
        found = sandbox.faults.remove(request.path_params["fault_id"])
        return Response(status_code=204 if found else 404)

    return [
        Route("/_sandbox/faults", show, methods=["GET"]),
        Route("/_sandbox/faults", refusing(add), methods=["POST"]),
        Route("/_sandbox/faults", clear, methods=["DELETE"]),
        Route("/_sandbox/faults/{fault_id}", remove, methods=["DELETE"]),
    ]
