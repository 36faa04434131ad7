"""Budgets of calls: one row for each account outside, and which side's limit holds a Link back.

Every call outside changes its account's row once, in one function call: the row is locked first and the server's clock
read then, so any number of processes agree. A bucket is one number, the second at which it will have drained; what that
means, and who may fill it how far, is the caller's arithmetic (`domain.calls`).
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_BUDGETS = """
CREATE TABLE call_budgets (
    account text COLLATE "C" PRIMARY KEY,
    full_until jsonb NOT NULL DEFAULT '{}',
    promised double precision[] NOT NULL DEFAULT '{0,0,0,0}',
    closed_until double precision NOT NULL DEFAULT 0,
    used_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 20);
COMMENT ON TABLE call_budgets IS 'account: keyed digest of address and token; times: seconds since 1970';
"""
# A row is small and changes with every call: the room in its page lets each version stay there, without the index.

_TAKE = """
CREATE FUNCTION take_call(
    asked text, names text[], fills double precision[], rooms double precision[], spreads double precision[],
    class integer, patience double precision,
    furthest double precision, rounding double precision,
    OUT wait double precision, OUT closed boolean
) LANGUAGE plpgsql AS $$
DECLARE
    budget call_budgets;
    moment double precision;
    until double precision;
    spread double precision := (SELECT coalesce(max(each), 0) FROM unnest(spreads) each);
    news jsonb := '{}';
BEGIN
    SELECT * INTO budget FROM call_budgets WHERE account = asked FOR UPDATE;
    IF NOT FOUND THEN
        DELETE FROM call_budgets WHERE used_at < now() - interval '7 days';
        INSERT INTO call_budgets (account) VALUES (asked) ON CONFLICT DO NOTHING;
        SELECT * INTO STRICT budget FROM call_budgets WHERE account = asked FOR UPDATE;
    END IF;
    moment := extract(epoch FROM clock_timestamp());
    closed := budget.closed_until > moment;
    wait := greatest(0, budget.closed_until - moment);
    FOR place IN 1 .. cardinality(names) LOOP
        until := greatest(moment, (budget.full_until ->> names[place])::double precision) + fills[place];
        IF until - moment - rooms[place] > wait THEN
            wait := until - moment - rooms[place];
            spread := spreads[place];
        END IF;
        news := news || jsonb_build_object(names[place], until);
    END LOOP;
    IF wait < rounding THEN
        wait := 0;
        UPDATE call_budgets SET full_until = full_until || news, used_at = clock_timestamp() WHERE account = asked;
    ELSIF wait > patience AND spread > 0 THEN
        until := greatest(moment + wait, budget.promised[class]);
        UPDATE call_budgets SET promised[class] = least(until + spread, moment + wait + furthest) WHERE account = asked;
        wait := until - moment;
    END IF;
END $$;
"""

_HELD = """
ALTER TABLE links ADD COLUMN held_by text COLLATE "C";
"""


def upgrade() -> None:
    for block in (_BUDGETS, _TAKE, _HELD):
        op.execute(block)


def downgrade() -> None:
    op.execute("ALTER TABLE links DROP COLUMN held_by")
    op.execute("DROP FUNCTION take_call")
    op.execute("DROP TABLE call_budgets")
