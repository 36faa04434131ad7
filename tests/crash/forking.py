"""`python -m crash.forking`: imports everything once, then parts; each child is one process of the service.

Speaks JSON lines: a child recovers and says so, carries out what it is told, and ends where a point says. Its end is
told by the parent, which starts the next one.
"""

import asyncio
import ctypes
import json
import mmap
import os
import signal
import sys
import time
import traceback
import warnings

from crash.actions import Actions
from crash.service import Addresses, Service, new_app

_FOLDED = 2000
_AGAIN = 1
"""Where the memory that outlives a process keeps the point of the next one; before it stands the time."""


def main():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    # What a killed process leaves open is the point here.
    warnings.simplefilter("ignore", ResourceWarning)
    addresses = Addresses(**json.loads(sys.argv[1]))
    at = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("d")
    at[0] = time.time()
    app = new_app()
    while True:
        child = os.fork()
        if child == 0:
            _be_a_service(addresses, at, app)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        _say({"ended": code})
        if code == 0:
            return


def _be_a_service(addresses, at, app):
    try:
        asyncio.run(_serve(addresses, at, app))
    except BaseException:  # noqa: BLE001 - told, whatever it was
        _say({"failed": traceback.format_exc()[-_FOLDED:]})
        os._exit(1)
    os._exit(0)


async def _serve(addresses, at, app):
    async with Service(addresses, at).open(app) as service:
        await _recover(service, at)
        writes = await service.writes_at_rest()
        _say({"recovered": True, "left": await service.left(), "writes": writes, "crashes": service.crashes})
        while (order := await asyncio.to_thread(_hear)) is not None:
            at[_AGAIN] = order.pop("again", 0)
            await _carry_out(service, **order)


async def _recover(service, at):
    """The process before may have said at which point this one ends as well; the one after it is left in peace."""
    target, at[_AGAIN] = int(at[_AGAIN]), 0
    if target:
        service.points.start(target)
    await service.recover()
    service.points.stop()


async def _carry_out(service, action, values, *, count, target=0):
    """`count`: the points are counted; `target`: the one at which the process ends."""
    if count:
        service.points.start(target)
    await getattr(Actions(service), action)(**values)
    await service.work()
    service.points.stop()
    _say({"done": service.points.seen, "strays": service.points.strays, "crashes": service.crashes})


def _say(told):
    os.write(1, json.dumps(told).encode() + b"\n")


def _hear():
    """One line, not a byte more: the next one may be for the next child. None at the end."""
    line = bytearray()
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return json.loads(line) if line else None


if __name__ == "__main__":
    main()
