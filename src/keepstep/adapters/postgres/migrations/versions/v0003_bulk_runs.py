"""Bulk runs and their items.

As elsewhere `doc` holds the record, and the columns beside it are what queries and constraints need. What changes for
many items at once (`outcome`, `reason`, `chosen`) stands in columns only and overrides the document.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

_BULK = """
CREATE TABLE bulk_runs (
    id text COLLATE "C" PRIMARY KEY,
    integration_id text COLLATE "C" NOT NULL REFERENCES integrations ON DELETE CASCADE,
    state text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    revision bigint NOT NULL,
    doc json NOT NULL
);
CREATE INDEX bulk_runs_integration ON bulk_runs (integration_id, created_at DESC);
CREATE INDEX bulk_runs_at_work ON bulk_runs (created_at)
    WHERE state IN ('preparing', 'running', 'paused', 'cancelling');
CREATE TABLE bulk_items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text COLLATE "C" NOT NULL REFERENCES bulk_runs ON DELETE CASCADE,
    feature_id text NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    chosen boolean NOT NULL,
    search_text text COLLATE "C" NOT NULL,
    doc json NOT NULL
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX bulk_items_feature ON bulk_items (run_id, feature_id);
CREATE INDEX bulk_items_outcome ON bulk_items (run_id, outcome, id);
CREATE INDEX bulk_items_order ON bulk_items (run_id, id);
"""


def upgrade() -> None:
    op.execute(_BULK)


def downgrade() -> None:
    op.execute("DROP TABLE bulk_items")
    op.execute("DROP TABLE bulk_runs")
