"""The application behind the server that `keepstep serve` runs, over memory, with times of two seconds.

Prints its port, and runs until it is ended.
"""

import asyncio
import socket

import uvicorn

from functional.web_world import World
from keepstep.web.column import router as column
from keepstep.web.hooks import router as hooks
from keepstep.web.patience import PatientProtocol

SECONDS = 2.0


class Short(PatientProtocol):
    request_seconds = SECONDS


async def main() -> None:
    app = World().app([column, hooks], body_seconds=SECONDS)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, http=Short, ws="none", log_level="warning", access_log=False)
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(main())
