"""Commands that run something: serve, worker, migrate, demo."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from keepstep.bootstrap import database, prepare_database
from keepstep.demo import run_demo
from keepstep.serving import serve as serve_until_stopped
from keepstep.serving import work
from keepstep.settings import Settings, load_settings
from keepstep.telemetry import configure_logging


def add_to(app: typer.Typer) -> None:
    app.command()(serve)
    app.command()(worker)
    app.command()(migrate)
    app.command()(demo)


def settings_and_logs() -> Settings:
    """Raises SettingsError."""
    settings = load_settings()
    configure_logging(json_lines=settings.log_format == "json", level=settings.log_level)
    return settings


def serve(
    *,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Pages and doors only; run `worker` beside it.")
    ] = False,
) -> None:
    """Run the pages, the doors and, unless told otherwise, the worker."""
    asyncio.run(serve_until_stopped(settings_and_logs(), with_worker=not no_worker))


def worker() -> None:
    """Run a worker alone; any number may run on any number of machines."""
    asyncio.run(work(settings_and_logs()))


def migrate() -> None:
    """Bring the database up to date. `serve` and `worker` do that at their start as well."""
    with database(settings_and_logs()) as dsn:
        asyncio.run(prepare_database(dsn))
    print("The database is up to date.")  # noqa: T201


def demo() -> None:
    """Run the service and both emulators on this machine, with one integration connected."""
    configure_logging(json_lines=False, level="warning")
    asyncio.run(run_demo(Path.cwd(), sys.stdout))
