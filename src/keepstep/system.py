"""Facts about this installation for the System page and the metrics."""

from datetime import UTC, datetime, timedelta

import psycopg

from keepstep.bootstrap import Runtime, owner_of
from keepstep.web.deps import SystemFacts, WorkerFacts

_WORKERS = """
    SELECT worker.owner, max(worker.last_heartbeat), count(job.id)
    FROM procrastinate_workers worker
    LEFT JOIN procrastinate_jobs job ON job.worker_id = worker.id AND job.status = 'doing'
    GROUP BY worker.owner ORDER BY worker.owner
"""
_SIZE = "SELECT current_setting('server_version'), pg_database_size(current_database())"


async def system_facts(runtime: Runtime) -> SystemFacts:
    """Never raises for a database that is down: the page says so instead."""
    shape = "embedded" if not runtime.settings.database_url else "your own server"
    try:
        async with runtime.pool.connection() as connection:
            row = await (await connection.execute(_SIZE)).fetchone()
            found = await (await connection.execute(_WORKERS)).fetchall()
        stats = await runtime.engine.stats()
    except psycopg.Error as error:
        return SystemFacts(database=f"PostgreSQL, {shape}: does not answer ({error})")
    version, size = row or ("", None)
    dead_since = datetime.now(UTC) - timedelta(seconds=runtime.settings.dead_after)
    workers = tuple(
        WorkerFacts(owner_of(name), None, seen, alive=seen > dead_since, running=running)
        for name, seen, running in found
    )
    return SystemFacts(
        database=f"PostgreSQL {version}, {shape}",
        database_size=size,
        queue_waiting=stats.waiting,
        queue_running=stats.running,
        oldest_waiting=stats.oldest_waiting_s or 0.0,
        workers=workers,
        settings=_settings(runtime),
    )


def _settings(runtime: Runtime) -> tuple[tuple[str, str], ...]:
    settings = runtime.settings
    return (
        ("Public address", settings.public_url),
        ("Answer to a click waits up to", f"{settings.push_wait:g} s"),
        ("Polls both sides every", f"{settings.poll_every.total_seconds():g} s"),
        ("Data folder", "not used" if settings.database_url else str(settings.data_dir)),
    )
