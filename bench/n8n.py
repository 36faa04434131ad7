"""n8n as a person would set it up for this job: webhook, GET feature, PUT issue. Installed by `bench/install_n8n.sh`.

One process with SQLite, as `n8n start` runs it. The workflow answers at once, retries each call up to five times, and
finds the ticket of a feature in a table of pairs that stands in the workflow; it carries the title and nothing else.
"""

import asyncio
import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.figures import BenchError
from bench.outside import checked
from bench.processes import Child, clean_environment, free_ports, wait_for
from bench.stage import Column, Pair, Stage

HOME = Path(__file__).parents[1] / "build" / "n8n"
_PATH = "keepstep-bench"
_START_SECONDS = 180.0


async def install() -> None:
    """Minutes and gigabytes the first time, nothing afterwards. Raises BenchError."""
    script = Path(__file__).with_name("install_n8n.sh")
    process = await asyncio.create_subprocess_exec(str(script), stdin=asyncio.subprocess.DEVNULL)
    if await process.wait():
        raise BenchError("n8n cannot be installed; see above.")


def versions() -> str:
    """Node.js and n8n. Raises BenchError when it is not installed."""
    try:
        node, n8n = (HOME / "installed").read_text().split()
    except (OSError, ValueError) as error:
        raise BenchError("n8n is not installed.") from error
    return f"n8n {n8n} on Node.js {node}"


class N8n:
    """One data folder; may be started several times."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, broker = free_ports(2)
        self.address = f"http://127.0.0.1:{self._port}"
        self._environment = clean_environment(
            PATH=f"{HOME / 'bin'}:{os.environ['PATH']}",
            N8N_USER_FOLDER=str(folder),
            N8N_PORT=str(self._port),
            N8N_LISTEN_ADDRESS="127.0.0.1",
            N8N_RUNNERS_BROKER_PORT=str(broker),
            N8N_DIAGNOSTICS_ENABLED="false",
            N8N_VERSION_NOTIFICATIONS_ENABLED="false",
            N8N_TEMPLATES_ENABLED="false",
        )
        self._child: Child | None = None

    async def set_up(self, stage: Stage, column: Column) -> None:
        """Imports and publishes the workflow, and registers its webhook at Productboard. Raises BenchError."""
        file = self._folder / "workflow.json"
        file.write_text(json.dumps([_workflow(stage, column)]))
        await self._command("import:workflow", f"--input={file}")
        await self._command("publish:workflow", f"--id={_PATH}")
        hook = {
            "name": "n8n",
            "events": [{"eventType": "feature.updated"}],
            "notification": {
                "url": f"{self.address}/webhook/{_PATH}",
                "version": 1,
                "headers": {"authorization": "none"},
            },
        }
        headers = {"Authorization": f"Bearer {column.person_token}"}
        await checked(
            await stage.board.client.post(
                "/v2/webhooks", json={"data": {"type": "webhook", "fields": hook}}, headers=headers
            )
        )

    async def _command(self, *arguments: str) -> None:
        child = Child("n8n-command", [_program(), *arguments], self._folder, self._environment)
        while not child.ended:  # noqa: ASYNC110 - another process's end
            await asyncio.sleep(0.1)
        await child.stop()

    async def start(self) -> None:
        """Returns when its webhook is there. Raises BenchError."""
        self._child = Child("n8n", [_program(), "start"], self._folder, self._environment)
        await wait_for(self._child, f"{self.address}/healthz/readiness", _START_SECONDS)
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            for _ in range(int(_START_SECONDS)):
                # A GET of a webhook that takes POST is answered by name as soon as the workflow is active.
                if "not registered for GET" in (await client.get(f"{self.address}/webhook/{_PATH}")).text:
                    return
                await asyncio.sleep(1)
        raise BenchError("n8n does not activate its workflow.")

    async def kill(self) -> None:
        """With -9, its children too."""
        child = self.child
        for each in [*child.watched.children(recursive=True), child.watched]:
            each.kill()
        while not child.ended:  # noqa: ASYNC110 - another process's end
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        if self._child is not None and not self._child.ended:
            await self._child.stop()

    @property
    def child(self) -> Child:
        if self._child is None:
            raise BenchError("n8n was not started.")
        return self._child

    @property
    def own(self) -> list[psutil.Process]:
        return [self.child.watched, *self.child.watched.children(recursive=True)]


def _program() -> str:
    return str(HOME / "n8n" / "node_modules" / ".bin" / "n8n")


async def paired(stage: Stage, number: int, pairs: int) -> Column:
    """A workspace and a project of its own, with features and tickets that the workflow knows as pairs."""
    column = Column(number, [])
    tokens = [column.board_token, column.person_token]
    features = await stage.board.add_workspace(column.workspace, tokens, pairs)
    await stage.tracker.add_project(column.project, [column.tracker_token, column.person_token])
    issues = [{"project": column.project, "title": f"Feature {each}"} for each in range(1, pairs + 1)]
    await stage.tracker.control("POST", "seed", {"issues": issues})
    column.pairs = [Pair(column, feature, issue) for issue, feature in enumerate(features, 1)]
    return column


def _workflow(stage: Stage, column: Column) -> dict[str, Any]:
    issues = json.dumps({pair.feature: pair.issue for pair in column.pairs})
    found = f"{{{{ ({issues})[$('Webhook').item.json.body.data.id] }}}}"
    nodes = [
        _node(
            "Webhook",
            "webhook",
            2,
            {"httpMethod": "POST", "path": _PATH, "responseMode": "onReceived"},
        ),
        _node(
            "Feature",
            "httpRequest",
            4.2,
            {
                "url": f"={stage.board.address}/v2/entities/{{{{ $json.body.data.id }}}}",
                **_header("Authorization", f"Bearer {column.board_token}"),
            },
        ),
        _node(
            "Ticket",
            "httpRequest",
            4.2,
            {
                "method": "PUT",
                "url": f"={stage.tracker.address}/api/v4/projects/{column.project}/issues/{found}",
                **_header("PRIVATE-TOKEN", column.tracker_token),
                "sendBody": True,
                "bodyParameters": {
                    "parameters": [{"name": "title", "value": "={{ $json.data.fields.name }}"}]
                },
            },
        ),
    ]
    return {
        "id": _PATH,
        "name": "Title from Productboard",
        "active": False,
        "nodes": nodes,
        "connections": _chained([each["name"] for each in nodes]),
        "settings": {"executionOrder": "v1"},
    }


def _node(name: str, kind: str, version: float, parameters: dict[str, Any]) -> dict[str, Any]:
    node: dict[str, Any] = {
        "id": name.lower(),
        "name": name,
        "type": f"n8n-nodes-base.{kind}",
        "typeVersion": version,
        "position": [0, 0],
        "parameters": {"options": {}} | parameters,
    }
    if kind == "webhook":
        return node | {"webhookId": _PATH}
    return node | {"retryOnFail": True, "maxTries": 5, "waitBetweenTries": 1000}


def _header(name: str, value: str) -> dict[str, Any]:
    return {"sendHeaders": True, "headerParameters": {"parameters": [{"name": name, "value": value}]}}


def _chained(names: Sequence[str]) -> dict[str, Any]:
    return {
        one: {"main": [[{"node": two, "type": "main", "index": 0}]]} for one, two in itertools.pairwise(names)
    }
