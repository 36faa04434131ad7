"""Counting, paging and searching a million Links without reading them.

*Tallies.* How many Links an integration has in each state, and how many journal entries in each hour, is kept by
triggers, so older code keeps it too. A transaction adds to a row of its own server process (`writer`), so none waits
for another and none can deadlock; now and then the rows are put together under writer 0. They have no foreign key: the
end of a cascade would meet an integration that is gone already.

*Pages.* The indexes by last sync end with the id that breaks ties, so the index alone says which Links are on a page.
What was said against it in the first step, that counts read a smaller index faster, does not hold any more.

*Search.* A part of a word is found by trigrams. The extension comes with PostgreSQL and any owner of a database
may create it; where it is missing or refused, search reads every Link, as before.
"""

from alembic import op

revision = "0005"
down_revision = "0003"

_LINK_TALLY = """
CREATE TABLE link_tally (
    integration_id text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    writer integer NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (integration_id, state, writer)
) WITH (fillfactor = 50);

CREATE FUNCTION keepstep_tally_links() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM link_tally;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO link_tally AS kept (integration_id, state, writer, number)
        VALUES (OLD.integration_id, OLD.state, pg_backend_pid(), -1),
               (NEW.integration_id, NEW.state, pg_backend_pid(), 1)
        ON CONFLICT (integration_id, state, writer) DO UPDATE SET number = kept.number + excluded.number;
    ELSE
        INSERT INTO link_tally AS kept (integration_id, state, writer, number)
        SELECT integration_id, state, pg_backend_pid(), CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
        FROM changed GROUP BY integration_id, state
        ON CONFLICT (integration_id, state, writer) DO UPDATE SET number = kept.number + excluded.number;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER keepstep_links_added AFTER INSERT ON links
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keepstep_tally_links();
CREATE TRIGGER keepstep_links_gone AFTER DELETE ON links
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keepstep_tally_links();
CREATE TRIGGER keepstep_links_moved AFTER UPDATE OF state, integration_id ON links FOR EACH ROW
    WHEN ((OLD.integration_id, OLD.state) IS DISTINCT FROM (NEW.integration_id, NEW.state))
    EXECUTE FUNCTION keepstep_tally_links();
CREATE TRIGGER keepstep_links_emptied AFTER TRUNCATE ON links
    FOR EACH STATEMENT EXECUTE FUNCTION keepstep_tally_links();

INSERT INTO link_tally SELECT integration_id, state, 0, count(*) FROM links GROUP BY integration_id, state;
"""

_JOURNAL_TALLY = """
CREATE TABLE journal_tally (
    integration_id text COLLATE "C" NOT NULL,
    hour timestamptz NOT NULL,
    writer integer NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (integration_id, hour, writer)
) WITH (fillfactor = 50);
CREATE INDEX journal_tally_hour ON journal_tally (hour);

CREATE FUNCTION keepstep_tally_journal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM journal_tally;
    ELSE
        INSERT INTO journal_tally AS kept (integration_id, hour, writer, number)
        SELECT integration_id, date_trunc('hour', at, 'UTC'), pg_backend_pid(),
               CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
        FROM changed GROUP BY 1, 2
        ON CONFLICT (integration_id, hour, writer) DO UPDATE SET number = kept.number + excluded.number;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER keepstep_journal_added AFTER INSERT ON journal
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keepstep_tally_journal();
CREATE TRIGGER keepstep_journal_gone AFTER DELETE ON journal
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keepstep_tally_journal();
CREATE TRIGGER keepstep_journal_emptied AFTER TRUNCATE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION keepstep_tally_journal();

INSERT INTO journal_tally
SELECT integration_id, date_trunc('hour', at, 'UTC'), 0, count(*) FROM journal GROUP BY 1, 2;
"""

_PAGES = """
CREATE INDEX links_by_sync ON links (touched_at DESC, id);
CREATE INDEX links_of_integration_by_sync ON links (integration_id, touched_at DESC, id);
DROP INDEX links_touched;
DROP INDEX links_integration_touched;
"""

_SEARCH = """
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX links_search ON links USING gin (search_text gin_trgm_ops);
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR undefined_object THEN
    RAISE NOTICE 'Search goes without an index: %', SQLERRM;
END $$;
"""


def upgrade() -> None:
    for block in (_LINK_TALLY, _JOURNAL_TALLY, _PAGES, _SEARCH):
        op.execute(block)


def downgrade() -> None:
    op.execute("""
    DROP INDEX IF EXISTS links_search;
    CREATE INDEX links_touched ON links (touched_at DESC);
    CREATE INDEX links_integration_touched ON links (integration_id, touched_at DESC);
    DROP INDEX links_by_sync;
    DROP INDEX links_of_integration_by_sync;
    DROP FUNCTION keepstep_tally_links, keepstep_tally_journal CASCADE;
    DROP TABLE link_tally, journal_tally;
    """)
