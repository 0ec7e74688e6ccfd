"""Identities of confidential orders in a store of their own, requests to see them, and whom an order complains of."""

from alembic import op

revision = "0023"
down_revision = "0022"

_STATEMENTS = (
    """
    ALTER TABLE orders
        ADD COLUMN complained_person text NOT NULL DEFAULT '',
        ADD COLUMN complained_logins text[] NOT NULL DEFAULT '{}',
        ADD COLUMN complained_units text[] NOT NULL DEFAULT '{}'
    """,
    """
    CREATE TABLE identities (
        order_id uuid PRIMARY KEY REFERENCES orders,
        call_id text NOT NULL,
        key_id text NOT NULL,
        sealed bytea NOT NULL,
        caller bytea,
        callback_key bytea,
        hidden_at timestamptz,
        CHECK ((caller IS NULL) = (hidden_at IS NULL))
    )
    """,
    "CREATE INDEX ix_identities_call_id ON identities (call_id)",
    "CREATE INDEX ix_identities_unhidden ON identities (order_id) WHERE hidden_at IS NULL",
    """
    CREATE TABLE identity_requests (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        order_id uuid NOT NULL REFERENCES orders,
        asked_by text NOT NULL,
        reason text NOT NULL,
        hours integer NOT NULL CHECK (hours BETWEEN 1 AND 72),
        asked_at timestamptz NOT NULL,
        state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'approved', 'refused', 'ended')),
        decided_by text,
        decided_at timestamptz,
        note text NOT NULL DEFAULT '',
        until timestamptz,
        views integer NOT NULL DEFAULT 0 CHECK (views >= 0),
        CHECK (decided_by IS NULL OR decided_by <> asked_by),
        CHECK (state NOT IN ('approved', 'refused') OR decided_by IS NOT NULL),
        CHECK ((state = 'approved') <= (until IS NOT NULL))
    )
    """,
    "CREATE INDEX ix_identity_requests_order_id ON identity_requests (order_id)",
    "CREATE INDEX ix_identity_requests_asked_by ON identity_requests (asked_by, id)",
    # Once the caller of a confidential order is in the store, no row of the call, or of a call back for it, tells them.
    """
    CREATE FUNCTION hide_caller() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM identities WHERE call_id IN (NEW.id, NEW.origin) AND hidden_at IS NOT NULL) THEN
            NEW.number := '';
            NEW.name := '';
            NEW.number_key := NULL;
        END IF;
        RETURN NEW;
    END
    $$
    """,
    "CREATE TRIGGER hide_caller BEFORE INSERT OR UPDATE ON calls FOR EACH ROW EXECUTE FUNCTION hide_caller()",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
