"""The engine's tables: procrastinate's own, brought up to the installed version, and what we add to them.

Several processes may start at once: one advisory lock puts them in a row, and what stands already is left alone.
"""

import hashlib
from importlib import resources
from typing import LiteralString

import psycopg
from procrastinate.schema import SchemaManager

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('keepstep engine schema', 0))"
_DONE: LiteralString = """
CREATE TABLE IF NOT EXISTS keepstep_engine_schema (
    step text PRIMARY KEY,
    done_at timestamptz NOT NULL DEFAULT now()
)
"""
OURS: LiteralString = """
-- A job that starts gives up its queueing lock, so that a wake during its run makes the next job wait, and a job
-- put back does not collide with that one (procrastinate's issues 1446 and 1543).
CREATE OR REPLACE FUNCTION pair_job_started() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN NEW.queueing_lock := NULL; RETURN NEW; END';
CREATE OR REPLACE TRIGGER pair_job_started BEFORE UPDATE OF status ON procrastinate_jobs
FOR EACH ROW WHEN (OLD.status = 'todo' AND NEW.status = 'doing') EXECUTE FUNCTION pair_job_started();

-- procrastinate notifies on insert only; a job moved to the fast queue shall start as soon as a new one.
CREATE OR REPLACE TRIGGER pair_job_raised AFTER UPDATE OF priority ON procrastinate_jobs
FOR EACH ROW WHEN (OLD.status = 'todo' AND NEW.status = 'todo' AND NEW.priority > OLD.priority)
EXECUTE FUNCTION procrastinate_notify_queue_job_inserted_v1();

CREATE TABLE IF NOT EXISTS keepstep_job_crashes (
    key text PRIMARY KEY,
    job_id bigint NOT NULL,
    error text NOT NULL,
    times integer NOT NULL DEFAULT 1,
    crashed_at timestamptz NOT NULL DEFAULT now()
);

-- When a job ends, the one that waited behind it would be seen only at the next poll; and a later job that ends
-- well takes the note of an earlier crash away.
CREATE OR REPLACE FUNCTION pair_job_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('procrastinate_queue_v1#' || queue_name,
                      json_build_object('type', 'job_inserted', 'job_id', id)::text)
    FROM procrastinate_jobs WHERE queueing_lock = OLD.lock AND status = 'todo';
    DELETE FROM keepstep_job_crashes WHERE key = OLD.lock AND job_id <> OLD.id;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER pair_job_ended AFTER DELETE ON procrastinate_jobs
FOR EACH ROW WHEN (OLD.status = 'doing') EXECUTE FUNCTION pair_job_ended();

-- A new job looks for the last one of its tenant (queue.py). Without its third condition the fetch of the next job,
-- which asks for no tenant, would take this index too, and read and sort every job that waits.
DROP INDEX IF EXISTS pair_jobs_tenant;
CREATE INDEX IF NOT EXISTS pair_jobs_of_tenant ON procrastinate_jobs ((args ->> 'tenant'), priority)
WHERE status = 'todo' AND queue_name = 'links' AND (args ->> 'tenant') IS NOT NULL;

-- The engine's connections carry the process's name, so each worker row says whose it is.
ALTER TABLE procrastinate_workers
    ADD COLUMN IF NOT EXISTS owner text NOT NULL DEFAULT current_setting('application_name');

ALTER TABLE procrastinate_jobs SET (autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05);
"""


async def apply_schema(dsn: str) -> None:
    """May be repeated, by any number of processes at once. Raises psycopg.Error."""
    async with (
        await psycopg.AsyncConnection.connect(dsn, application_name="keepstep-schema") as connection,
        connection.transaction(),
    ):
        await connection.execute(_LOCK)
        await connection.execute(_DONE)
        found = await (await connection.execute("SELECT to_regclass('procrastinate_jobs')")).fetchone()
        steps = _migrations()
        if found is not None and found[0] is None:
            await connection.execute(SchemaManager.get_schema())
            await _note(connection, *steps)  # the whole schema has them all in it
        done = {row[0] async for row in await connection.execute("SELECT step FROM keepstep_engine_schema")}
        for step, text in {**steps, _name_of_ours(): OURS}.items():
            if step not in done:
                await connection.execute(text)
                await _note(connection, step)


async def _note(connection: psycopg.AsyncConnection[tuple[object, ...]], *steps: str) -> None:
    for step in steps:
        await connection.execute(
            "INSERT INTO keepstep_engine_schema (step) VALUES (%s) ON CONFLICT DO NOTHING", (step,)
        )


def _name_of_ours() -> str:
    return f"keepstep-{hashlib.sha256(OURS.encode()).hexdigest()[:16]}"


def _migrations() -> dict[str, LiteralString]:
    """The upgrade steps of procrastinate in their order: the names begin with the version."""
    folder = resources.files("procrastinate.sql") / "migrations"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return {file.name: file.read_text(encoding="utf-8") for file in files}
