"""`keepstep doctor`: what is well, what is not, and what helps; from the settings down to each integration.

It changes nothing unless told to `--fix`: a database that is not set up is reported, not made.
Exit code 1 when anything is a failure.
"""

import asyncio
import os
import stat
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from psycopg_pool import PoolTimeout

from keepstep.adapters.postgres.pool import new_pool
from keepstep.adapters.postgres.schema import is_current
from keepstep.adapters.vault.keys import KEY_FILE
from keepstep.app.doctor import Finding, Mark, examine_all
from keepstep.app.mending import mend
from keepstep.app.sealing import examine_keys
from keepstep.bootstrap import EmbeddedDatabaseError, Runtime, database, open_runtime
from keepstep.cli.opening import find_integration
from keepstep.cli.printing import plain, say, say_data, wrapped
from keepstep.cli.public_address import examine_address
from keepstep.domain.integration import Integration
from keepstep.settings import Settings, SettingsError, load_settings
from keepstep.system import system_facts
from keepstep.telemetry import configure_logging

_OLDEST_SERVER = 140000
_UNDER_MARK = " " * 11
Report = list[tuple[str, Sequence[Finding]]]


def add_to(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    integration: Annotated[
        str | None, typer.Argument(help="Only this one: its name, its id, or the id's beginning.")
    ] = None,
    *,
    fix: Annotated[
        bool, typer.Option("--fix", help="First put right what is safe: columns, webhooks, lost jobs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look for what is wrong: settings, database, keys, public address, and each integration on both sides."""
    report = _examine(integration, fix=fix)
    failed = any(each.mark is Mark.FAILURE for _, findings in report for each in findings)
    if as_json:
        parts = [{"about": about, "findings": [asdict(each) for each in found]} for about, found in report]
        say_data({"ok": not failed, "parts": parts})
    else:
        _say(report)
    raise typer.Exit(1 if failed else 0)


def _say(report: Report) -> None:
    for about, findings in report:
        say(about)
        for each in findings:
            say(wrapped(f"  {each.mark:<8} ", f"{each.about}: {each.message}"))
            if each.cure and each.mark is not Mark.OK:
                say(wrapped(_UNDER_MARK, each.cure))
    marks = [each.mark for _, findings in report for each in findings]
    counted = ", ".join(_counted(marks.count(mark), mark) for mark in (Mark.FAILURE, Mark.WARNING))
    say(f"\n{_counted(len(marks), 'check')}: {counted}.")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _examine(named: str | None, *, fix: bool) -> Report:
    try:
        settings = load_settings()
    except SettingsError as error:
        return [("Installation", [Finding("settings", Mark.FAILURE, str(error), "See docs/settings.md.")])]
    configure_logging(json_lines=False, level="critical")
    found = [Finding("settings", Mark.OK, "Readable."), *_look_at_folder(settings)]
    if not settings.database_url and not (settings.data_dir / "postgres").is_dir():
        cure = "The first `keepstep serve` makes it."
        found.append(Finding("database", Mark.WARNING, f"There is none in {settings.data_dir} yet.", cure))
        return [("Installation", found)]
    try:
        with database(settings) as dsn:
            return asyncio.run(_look_further(settings, dsn, named, found, fix=fix))
    except EmbeddedDatabaseError as error:
        found.append(Finding("database", Mark.FAILURE, str(error), "Mend that, then try again."))
        return [("Installation", found)]


def _look_at_folder(settings: Settings) -> list[Finding]:
    folder = settings.data_dir
    if settings.database_url and settings.secret_keys:
        return [Finding("data folder", Mark.OK, "Not needed: the database and the keys are elsewhere.")]
    if not folder.exists():
        cure = "The first `keepstep serve` makes it."
        return [Finding("data folder", Mark.WARNING, f"{folder} does not exist yet.", cure)]
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        cure = "Give it to the user that runs Keepstep."
        return [Finding("data folder", Mark.FAILURE, f"{folder} cannot be written.", cure)]
    return [
        Finding("data folder", Mark.OK, f"{folder.absolute()} can be written."),
        *_look_at_key(settings, folder),
    ]


def _look_at_key(settings: Settings, folder: Path) -> list[Finding]:
    if settings.secret_keys:
        return [Finding("keys", Mark.OK, "Given by KEEPSTEP_SECRET_KEYS.")]
    file = folder / KEY_FILE
    if not file.exists():
        return [
            Finding("keys", Mark.WARNING, "There is no key file yet.", "The first `keepstep serve` makes it.")
        ]
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        return [Finding("keys", Mark.FAILURE, f"Others can read {file}.", f"chmod 600 {file}")]
    return [Finding("keys", Mark.OK, f"In {file}; keep a copy of it apart from the database's backup.")]


async def _look_further(
    settings: Settings, dsn: str, named: str | None, found: list[Finding], *, fix: bool
) -> Report:
    report: Report = [("Installation", found)]
    found.extend(await examine_address(settings.public_url))
    try:
        answer, usable = await _look_at_database(dsn)
        found.append(answer)
        if not usable:
            return report
        async with open_runtime(settings, dsn) as runtime:
            chosen = await _chosen(runtime, named)
            if fix:
                done = await mend(runtime.ctx, chosen) or ["There was nothing to put right."]
                found.extend(Finding("put right", Mark.OK, plain(each)) for each in done)
            found.extend(await examine_keys(runtime.ctx))
            found.extend(await _look_at_workers(runtime))
            report.extend(await _look_at_integrations(runtime, chosen))
    except (psycopg.Error, PoolTimeout) as error:
        first_line = str(error).strip().split("\n")[0]
        cure = "Check KEEPSTEP_DATABASE_URL, and whether the server runs."
        found.append(Finding("database", Mark.FAILURE, f"It does not answer: {first_line}", cure))
    except SettingsError as error:
        found.append(Finding("keys", Mark.FAILURE, str(error), "Mend that, then try again."))
    return report


async def _look_at_database(dsn: str) -> tuple[Finding, bool]:
    """And whether it can be used as it is. Raises psycopg's errors."""
    async with await psycopg.AsyncConnection.connect(dsn, connect_timeout=5) as connection:
        number = connection.info.server_version
        version = connection.info.parameter_status("server_version")
    if number < _OLDEST_SERVER:
        return Finding(
            "database", Mark.FAILURE, f"PostgreSQL {version} is too old.", "Use 14 or newer."
        ), False
    async with new_pool(dsn, "keepstep-doctor", max_size=1) as pool:
        current = await is_current(pool)
    if not current:
        cure = "`keepstep migrate` does that; so does the next start of `keepstep serve`."
        return Finding(
            "database", Mark.WARNING, f"PostgreSQL {version} answers, but is not migrated.", cure
        ), False
    return Finding("database", Mark.OK, f"PostgreSQL {version} answers and is migrated."), True


async def _look_at_workers(runtime: Runtime) -> list[Finding]:
    facts = await system_facts(runtime)
    alive = sum(each.alive for each in facts.workers)
    people = await runtime.people.list_people()
    found = []
    if alive:
        message = f"{alive} alive, {facts.queue_waiting} jobs waiting."
        found.append(Finding("worker", Mark.OK, message))
    else:
        cure = "Start `keepstep serve`, or `keepstep worker`. What came in meanwhile is kept."
        found.append(Finding("worker", Mark.WARNING, "None is running, so nothing is carried over.", cure))
    if any(not each.disabled for each in people):
        found.append(Finding("login", Mark.OK, "Somebody can log in."))
    else:
        found.append(Finding("login", Mark.WARNING, "Nobody can log in.", "keepstep admin create NAME"))
    return found


async def _chosen(runtime: Runtime, named: str | None) -> Sequence[Integration]:
    """Raises MissingError for a name that fits none."""
    if named is not None:
        return [await find_integration(runtime.ctx, named)]
    async with runtime.ctx.storage.begin() as uow:
        return await uow.integrations.list_all()


async def _look_at_integrations(runtime: Runtime, chosen: Sequence[Integration]) -> Report:
    return [
        (f"Integration {plain(each.name)} ({each.id})", findings)
        for each, findings in await examine_all(runtime.ctx, chosen)
    ]
