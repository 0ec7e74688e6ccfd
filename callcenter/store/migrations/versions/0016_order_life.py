"""The whole life of an order: its state in full, clocks, co-units, notices to send, versions of the policies."""

import json

from alembic import op
from sqlalchemy import text

revision = "0016"
down_revision = "0015"

_STATEMENTS = (
    "ALTER TABLE users ADD COLUMN unit text",
    """
    CREATE TABLE order_policies (
        version integer PRIMARY KEY CHECK (version >= 1),
        body jsonb NOT NULL,
        by text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        note text NOT NULL DEFAULT ''
    )
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_policies
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    ALTER TABLE orders
        ADD COLUMN state_since timestamptz NOT NULL DEFAULT now(),
        ADD COLUMN policy integer NOT NULL DEFAULT 1,
        ADD COLUMN handler text,
        ADD COLUMN follow_up_officer text,
        ADD COLUMN dispatched_by text,
        ADD COLUMN replied_by text,
        ADD COLUMN refused_by text[] NOT NULL DEFAULT '{}',
        ADD COLUMN bound boolean NOT NULL DEFAULT false,
        ADD COLUMN returns smallint NOT NULL DEFAULT 0 CHECK (returns BETWEEN 0 AND 3),
        ADD COLUMN rehandles smallint NOT NULL DEFAULT 0 CHECK (rehandles >= 0),
        ADD COLUMN urges integer NOT NULL DEFAULT 0 CHECK (urges >= 0),
        ADD COLUMN urge_level smallint NOT NULL DEFAULT 0 CHECK (urge_level BETWEEN 0 AND 5),
        ADD COLUMN contacted_at timestamptz,
        ADD COLUMN tries timestamptz[] NOT NULL DEFAULT '{}',
        ADD COLUMN visit jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN closing text CHECK (closing IN (
            'satisfied', 'no_visit', 'unreachable', 'out_of_duty', 'unreasonable'
        )),
        ADD COLUMN master text,
        ADD COLUMN public_danger boolean NOT NULL DEFAULT false,
        ADD COLUMN anonymous boolean NOT NULL DEFAULT false,
        ADD COLUMN machines jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN proposal jsonb,
        ADD COLUMN due_at timestamptz,
        ADD COLUMN wake_at timestamptz
    """,
    "UPDATE orders SET state_since = updated_at",
    """
    ALTER TABLE orders
        ADD CONSTRAINT orders_state_check CHECK (state IN (
            'draft', 'submitted', 'awaiting_info', 'answered', 'not_accepted', 'transferred_out', 'investigating',
            'pending_dispatch', 'dispatched', 'return_review', 'disputed', 'in_progress', 'suspended', 'replied',
            'pending_visit', 'visit_retry', 'judging', 'rehandle', 'closed', 'archived', 'withdrawn', 'merged',
            'invalid'
        ))
    """,
    # Inboxes: a unit's, a role's, a person's; by what is due first. Orders for which nothing is to be done have no due.
    "CREATE INDEX ix_orders_unit_due ON orders (department, due_at, id) WHERE due_at IS NOT NULL",
    "CREATE INDEX ix_orders_state_due ON orders (state, due_at, id) WHERE due_at IS NOT NULL",
    """
    CREATE INDEX ix_orders_handler_due ON orders (handler, due_at, id)
    WHERE due_at IS NOT NULL AND handler IS NOT NULL
    """,
    """
    CREATE INDEX ix_orders_officer_due ON orders (follow_up_officer, due_at, id)
    WHERE due_at IS NOT NULL AND follow_up_officer IS NOT NULL
    """,
    "CREATE INDEX ix_orders_wake_at ON orders (wake_at) WHERE wake_at IS NOT NULL",
    "CREATE INDEX ix_orders_master ON orders (master) WHERE master IS NOT NULL",
    "CREATE INDEX ix_orders_created_by ON orders (created_by, created_at DESC, id DESC)",
    """
    ALTER TABLE order_history
        ADD COLUMN role text NOT NULL DEFAULT '',
        ADD COLUMN second text,
        ADD COLUMN given jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN key uuid
    """,
    """
    CREATE TABLE order_clocks (
        order_id uuid NOT NULL REFERENCES orders,
        n smallint NOT NULL CHECK (n >= 1),
        name text NOT NULL,
        policy text NOT NULL,
        value integer NOT NULL CHECK (value >= 0),
        unit text NOT NULL CHECK (unit IN ('minute', 'hour', 'working_hour', 'working_day', 'day')),
        started_at timestamptz NOT NULL,
        due_at timestamptz NOT NULL,
        first_due_at timestamptz NOT NULL,
        provisional boolean NOT NULL DEFAULT false,
        paused_at timestamptz,
        pauses jsonb NOT NULL DEFAULT '[]',
        reminded smallint NOT NULL DEFAULT 0,
        extended integer NOT NULL DEFAULT 0 CHECK (extended >= 0),
        ended_at timestamptz,
        dropped boolean NOT NULL DEFAULT false,
        PRIMARY KEY (order_id, n)
    )
    """,
    "CREATE UNIQUE INDEX ix_order_clocks_one_runs ON order_clocks (order_id, name) WHERE ended_at IS NULL",
    "CREATE INDEX ix_order_clocks_provisional ON order_clocks (order_id) WHERE provisional AND ended_at IS NULL",
    """
    CREATE TABLE order_co_units (
        order_id uuid NOT NULL REFERENCES orders,
        unit text NOT NULL,
        state text NOT NULL CHECK (state IN ('blown', 'attending', 'absent', 'done', 'scored')),
        PRIMARY KEY (order_id, unit)
    )
    """,
    "CREATE INDEX ix_order_co_units_todo ON order_co_units (unit, order_id) WHERE state IN ('blown', 'attending')",
    "CREATE INDEX ix_order_co_units_unit ON order_co_units (unit, order_id)",
    """
    CREATE TABLE order_notices (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        order_id uuid NOT NULL REFERENCES orders,
        n integer NOT NULL CHECK (n >= 1),
        recipient text NOT NULL,
        what text NOT NULL DEFAULT '',
        template text NOT NULL,
        facts jsonb NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL,
        due_at timestamptz NOT NULL,
        tries smallint NOT NULL DEFAULT 0 CHECK (tries >= 0),
        sent_at timestamptz,
        given_up_at timestamptz
    )
    """,
    "CREATE INDEX ix_order_notices_unsent ON order_notices (due_at, id) WHERE sent_at IS NULL AND given_up_at IS NULL",
    "CREATE INDEX ix_order_notices_order_id ON order_notices (order_id)",
    # Orders that wait for dispatch when this release comes: their half hour is as it was, and is told of.
    """
    INSERT INTO order_clocks (order_id, n, name, policy, value, unit, started_at, due_at, first_due_at)
    SELECT id, 1, 'T-DISPATCH', 'T-DISPATCH', 30, 'minute', created_at, due, due
    FROM orders CROSS JOIN LATERAL (SELECT created_at + interval '30 minutes' AS due) AS half
    WHERE state = 'pending_dispatch'
    """,
    """
    UPDATE orders
    SET due_at = created_at + interval '30 minutes', wake_at = created_at + interval '30 minutes'
    WHERE state = 'pending_dispatch'
    """,
)

#: Version 1 (domain.md 3.5). A city that differs adds a version.
_POLICIES = {
    "T-WEB": [2, "hour"],
    "T-SUPP-LIMIT": [5, "working_day"],
    "T-SUPPORT": [1, "working_day"],
    "T-DISPATCH": [30, "minute"],
    "T-SIGN-U1": [30, "minute"],
    "T-SIGN-U2": [2, "hour"],
    "T-SIGN": [1, "working_day"],
    "T-RETURN": [1, "working_day"],
    "T-RETURN-DECIDE": [4, "working_hour"],
    "T-DISPUTE": [1, "working_day"],
    "T-JOINT": [2, "working_day"],
    "T-LEADER": [2, "working_day"],
    "T-CONTACT": [1, "working_day"],
    "T-REPLY-consult": [2, "working_day"],
    "T-REPLY-handle": [2, "working_day"],
    "T-REPLY-help": [5, "working_day"],
    "T-REPLY-complaint": [5, "working_day"],
    "T-REPLY-criticism": [5, "working_day"],
    "T-REPLY-report": [10, "working_day"],
    "T-REPLY-suggestion": [10, "working_day"],
    "T-REPLY-U1": [2, "hour"],
    "T-REPLY-U2": [24, "hour"],
    "T-REPLY-U4": [15, "working_day"],
    "T-REPLY": [10, "working_day"],
    "T-EXTEND-DECIDE": [4, "working_hour"],
    "T-AUDIT": [1, "working_day"],
    "T-REWRITE": [1, "working_day"],
    "T-VISIT-START": [1, "working_day"],
    "T-VISIT-NEXT": [1, "working_day"],
    "T-JUDGE": [1, "working_day"],
    "T-REHANDLE": [3, "working_day"],
    "T-CARD": [2, "working_day"],
    "T-REOPEN": [30, "day"],
    "T-ARCHIVE": [30, "day"],
    "T-ARCHIVE-answered": [7, "day"],
}


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
    first = text("INSERT INTO order_policies (version, body, by) VALUES (1, CAST(:body AS jsonb), 'release')")
    op.execute(first.bindparams(body=json.dumps(_POLICIES)))
