"""First tables.

A record's whole value is in `doc`; the columns beside it are those that queries and constraints need. `doc` is json and
not jsonb on purpose: titles come from outside and may contain U+0000, which jsonb refuses and json keeps.

Text that is compared or sorted is folded by Python and collated "C": a server whose locale is C lowers ASCII only.
Links are sorted by title, ticket and creation without an index: each index costs every save of every Link, and sorting
the ten thousand Links of one integration takes some milliseconds. The id that breaks ties is in no index either: it
would double the size of those that pages and counts read.
"""

from alembic import op

revision = "0001"
down_revision = None

_INTEGRATIONS = """
CREATE TABLE integrations (
    id text COLLATE "C" PRIMARY KEY,
    state text NOT NULL,
    name_sort text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    doc json NOT NULL
);
CREATE TABLE marks (
    integration_id text COLLATE "C" NOT NULL REFERENCES integrations ON DELETE CASCADE,
    name text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (integration_id, name)
);
"""

_LINKS = """
CREATE TABLE links (
    id text COLLATE "C" PRIMARY KEY,
    integration_id text COLLATE "C" NOT NULL REFERENCES integrations ON DELETE CASCADE,
    feature_id text NOT NULL,
    state text COLLATE "C" NOT NULL,
    account text NOT NULL,
    ticket_id text,
    retry_at timestamptz,
    created_at timestamptz NOT NULL,
    touched_at timestamptz NOT NULL,
    title_sort text COLLATE "C" NOT NULL,
    ticket_sort text COLLATE "C",
    search_text text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    doc json NOT NULL
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX links_open_feature ON links (integration_id, feature_id) WHERE state <> 'unlinking';
CREATE UNIQUE INDEX links_ticket ON links (account, ticket_id)
    WHERE ticket_id IS NOT NULL AND state <> 'unlinking';
CREATE INDEX links_feature ON links (integration_id, feature_id);
CREATE INDEX links_touched ON links (touched_at DESC);
CREATE INDEX links_integration_touched ON links (integration_id, touched_at DESC);
CREATE INDEX links_integration_state ON links (integration_id, state, touched_at DESC);
CREATE INDEX links_retry ON links (retry_at) WHERE retry_at IS NOT NULL AND state <> 'set aside';
"""

_INBOX = """
CREATE TABLE inbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    integration_id text COLLATE "C" NOT NULL REFERENCES integrations ON DELETE CASCADE,
    link_id text COLLATE "C" REFERENCES links ON DELETE CASCADE,
    kind text NOT NULL,
    source text NOT NULL,
    side text,
    subject text NOT NULL,
    delivery_id text,
    received_at timestamptz NOT NULL,
    handled_at timestamptz,
    doc json NOT NULL
);
CREATE UNIQUE INDEX inbox_delivery ON inbox (integration_id, (coalesce(side, '')), delivery_id)
    WHERE delivery_id IS NOT NULL;
CREATE INDEX inbox_link ON inbox (link_id, received_at, id) WHERE handled_at IS NULL;
CREATE INDEX inbox_of_link ON inbox (link_id);
CREATE INDEX inbox_waiting ON inbox (integration_id, received_at) WHERE handled_at IS NULL;
CREATE INDEX inbox_unmatched ON inbox (integration_id, subject) WHERE link_id IS NULL AND handled_at IS NULL;
CREATE INDEX inbox_received ON inbox (received_at);

-- One row per integration and side would be locked by every webhook until its commit: hence slots.
CREATE TABLE received (
    integration_id text COLLATE "C" NOT NULL REFERENCES integrations ON DELETE CASCADE,
    side text NOT NULL,
    slot smallint NOT NULL,
    last_at timestamptz NOT NULL,
    unlinked bigint NOT NULL,
    PRIMARY KEY (integration_id, side, slot)
) WITH (fillfactor = 50);
"""

_JOURNAL = """
CREATE TABLE journal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    act text NOT NULL,
    integration_id text COLLATE "C" NOT NULL REFERENCES integrations ON DELETE CASCADE,
    link_id text COLLATE "C",
    side text,
    field text,
    doc json NOT NULL
);
CREATE INDEX journal_at ON journal (at DESC, id DESC) INCLUDE (integration_id);
CREATE INDEX journal_integration ON journal (integration_id, at DESC, id DESC);
CREATE INDEX journal_act ON journal (integration_id, act, at DESC, id DESC);
CREATE INDEX journal_link ON journal (link_id, at DESC, id DESC);
CREATE INDEX journal_writes ON journal (integration_id, side, at DESC)
    WHERE act IN ('wrote', 'ticket created');
"""

_CLICKS_AND_TIMERS = """
CREATE TABLE clicks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    link_id text COLLATE "C" NOT NULL REFERENCES links ON DELETE CASCADE,
    came_at timestamptz NOT NULL,
    answered_at timestamptz,
    final boolean NOT NULL
);
CREATE INDEX clicks_link ON clicks (link_id, came_at);
CREATE INDEX clicks_came ON clicks (came_at);

CREATE TABLE timers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    integration_id text COLLATE "C" NOT NULL REFERENCES integrations ON DELETE CASCADE,
    link_id text COLLATE "C" REFERENCES links ON DELETE CASCADE,
    side text,
    due_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX timers_one ON timers (integration_id, kind, (coalesce(link_id, '')));
CREATE INDEX timers_due ON timers (due_at, id);
CREATE INDEX timers_link ON timers (link_id);
"""

_SECRETS = """
CREATE TABLE secrets (
    ref text PRIMARY KEY,
    key_id text NOT NULL,
    wrapped_key bytea NOT NULL,
    sealed bytea NOT NULL,
    last_four text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX secrets_key ON secrets (key_id);
"""

_PEOPLE_AND_PROCESSES = """
CREATE TABLE users (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL,
    disabled boolean NOT NULL DEFAULT false
);
CREATE TABLE sessions (
    id_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    csrf text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE TABLE api_tokens (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    last_four text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX api_tokens_user ON api_tokens (user_id);
CREATE TABLE login_attempts (
    key text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX login_attempts_key ON login_attempts (key, at);
CREATE INDEX login_attempts_at ON login_attempts (at);
CREATE TABLE settings (
    key text PRIMARY KEY,
    value jsonb NOT NULL
);
"""

_TABLES = (
    "settings",
    "login_attempts",
    "api_tokens",
    "sessions",
    "users",
    "secrets",
    "timers",
    "clicks",
    "journal",
    "received",
    "inbox",
    "links",
    "marks",
    "integrations",
)


def upgrade() -> None:
    for block in (
        _INTEGRATIONS,
        _LINKS,
        _INBOX,
        _JOURNAL,
        _CLICKS_AND_TIMERS,
        _SECRETS,
        _PEOPLE_AND_PROCESSES,
    ):
        op.execute(block)


def downgrade() -> None:
    for table in _TABLES:
        op.execute(f"DROP TABLE {table}")
