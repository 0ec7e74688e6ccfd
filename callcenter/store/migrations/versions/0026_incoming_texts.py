"""Texts that citizens send; notices that nobody was told are an alarm."""

from alembic import op

revision = "0026"
down_revision = "0025"

_KINDS = "'waiting', 'longest_wait', 'in_time', 'ready', 'link', 'recording', 'notices'"
_STATEMENTS = (
    """
    CREATE TABLE incoming_texts (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        message text NOT NULL UNIQUE,
        at timestamptz NOT NULL,
        number text NOT NULL,
        number_key bytea,
        text text NOT NULL,
        outcome text NOT NULL CHECK (outcome IN ('answered', 'noted', 'stopped', 'several', 'unknown')),
        order_id uuid REFERENCES orders (id),
        seen_by text,
        seen_at timestamptz,
        CHECK ((seen_by IS NULL) = (seen_at IS NULL)),
        CHECK (order_id IS NOT NULL OR outcome NOT IN ('answered', 'noted'))
    )
    """,
    "CREATE INDEX ix_incoming_texts_order_id ON incoming_texts (order_id, at) WHERE order_id IS NOT NULL",
    """
    CREATE INDEX ix_incoming_texts_untold ON incoming_texts (at, id)
    WHERE seen_at IS NULL AND outcome IN ('several', 'unknown')
    """,
    "CREATE INDEX ix_identities_callback_key ON identities (callback_key) WHERE callback_key IS NOT NULL",
    "ALTER TABLE alarm_rules DROP CONSTRAINT alarm_rules_kind_check",
    f"ALTER TABLE alarm_rules ADD CONSTRAINT alarm_rules_kind_check CHECK (kind IN ({_KINDS}))",
    "ALTER TABLE alarms DROP CONSTRAINT alarms_kind_check",
    f"ALTER TABLE alarms ADD CONSTRAINT alarms_kind_check CHECK (kind IN ({_KINDS}))",
    """
    INSERT INTO alarm_rules (code, kind, raise_at, clear_at, hold_seconds, severity, window_minutes, least_calls)
    VALUES ('notices', 'notices', 0, 0, 0, 'warning', 15, 20) ON CONFLICT DO NOTHING
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
