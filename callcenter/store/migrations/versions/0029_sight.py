"""Orders by who dispatched them and those that complain of somebody; wrong tries of citizens; data taken out."""

from alembic import op

revision = "0029"
down_revision = "0028"

_STATEMENTS = (
    """
    CREATE INDEX ix_orders_dispatched_by ON orders (dispatched_by, due_at, id)
    WHERE due_at IS NOT NULL AND dispatched_by IS NOT NULL
    """,
    "CREATE INDEX ix_orders_complaints ON orders (created_at DESC, id DESC) WHERE complained_person <> ''",
    # What a confidential order came of may have been a call back: the citizen's own call tells them just as well.
    """
    CREATE OR REPLACE FUNCTION hide_caller() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT FROM identities
            WHERE hidden_at IS NOT NULL AND (
                call_id IN (NEW.id, NEW.origin)
                OR call_id IN (SELECT id FROM calls WHERE origin IN (NEW.id, NEW.origin))
            )
        ) THEN
            NEW.number := '';
            NEW.name := '';
            NEW.number_key := NULL;
        END IF;
        RETURN NEW;
    END
    $$
    """,
    """
    CREATE TABLE citizen_tries (
        key bytea PRIMARY KEY,
        wrong integer NOT NULL DEFAULT 0 CHECK (wrong >= 0),
        strangers integer NOT NULL DEFAULT 0 CHECK (strangers >= 0),
        known boolean NOT NULL DEFAULT false,
        at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX ix_citizen_tries_at ON citizen_tries (at)",
    """
    CREATE TABLE data_exports (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        asked_by text NOT NULL,
        reason text NOT NULL,
        format text NOT NULL CHECK (format IN ('csv', 'xlsx')),
        filters jsonb NOT NULL,
        number text NOT NULL DEFAULT '',
        number_key bytea,
        asked_at timestamptz NOT NULL,
        state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'approved', 'refused')),
        decided_by text,
        decided_at timestamptz,
        note text NOT NULL DEFAULT '',
        until timestamptz,
        taken_at timestamptz,
        CHECK (decided_by IS NULL OR decided_by <> asked_by),
        CHECK ((state = 'asked') = (decided_by IS NULL)),
        CHECK ((state = 'approved') = (until IS NOT NULL))
    )
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
