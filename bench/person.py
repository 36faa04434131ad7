"""Makes an admin and a token for the JSON API in the database that the environment names, and prints the token."""

import asyncio
import sys

from keepstep.bootstrap import database, open_runtime
from keepstep.settings import Settings, load_settings


async def _make(settings: Settings, dsn: str) -> str:
    async with open_runtime(settings, dsn) as runtime:
        made = await runtime.people.create_admin("bench")
        return (await runtime.people.create_token(made.person, "bench")).secret


def main() -> None:
    settings = load_settings()
    with database(settings) as dsn:
        sys.stdout.write(asyncio.run(_make(settings, dsn)) + "\n")


if __name__ == "__main__":
    main()
