"""Alarms: the rules, what was raised, and what is to be told by webhook."""

from alembic import op

revision = "0012"
down_revision = "0011"

_KINDS = "'waiting', 'longest_wait', 'in_time', 'ready', 'link', 'recording'"
_ALARMS = (
    f"""
    CREATE TABLE alarm_rules (
        code text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9_]*$'),
        kind text NOT NULL CHECK (kind IN ({_KINDS})),
        raise_at double precision NOT NULL,
        clear_at double precision NOT NULL,
        hold_seconds integer NOT NULL CHECK (hold_seconds >= 0),
        severity text NOT NULL CHECK (severity IN ('warning', 'critical')),
        window_minutes integer NOT NULL CHECK (window_minutes > 0),
        least_calls integer NOT NULL CHECK (least_calls > 0),
        active boolean NOT NULL DEFAULT true,
        changed_by text NOT NULL DEFAULT '',
        changed_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    INSERT INTO alarm_rules (code, kind, raise_at, clear_at, hold_seconds, severity, window_minutes, least_calls) VALUES
        ('many_waiting', 'waiting', 10, 5, 10, 'warning', 15, 20),
        ('very_many_waiting', 'waiting', 30, 15, 10, 'critical', 15, 20),
        ('long_wait', 'longest_wait', 60, 15, 0, 'warning', 15, 20),
        ('very_long_wait', 'longest_wait', 180, 60, 0, 'critical', 15, 20),
        ('in_time', 'in_time', 0.8, 0.85, 60, 'warning', 15, 20),
        ('nobody_ready', 'ready', 1, 1, 120, 'warning', 15, 20),
        ('link', 'link', 5, 0, 0, 'critical', 15, 20),
        ('recording', 'recording', 0, 0, 0, 'critical', 15, 20)
    """,
    f"""
    CREATE TABLE alarms (
        id uuid PRIMARY KEY,
        rule text NOT NULL,
        kind text NOT NULL CHECK (kind IN ({_KINDS})),
        severity text NOT NULL CHECK (severity IN ('warning', 'critical')),
        value double precision NOT NULL,
        threshold double precision NOT NULL,
        raised_at timestamptz NOT NULL,
        cleared_at timestamptz CHECK (cleared_at >= raised_at),
        acked_by text,
        acked_at timestamptz,
        CHECK ((acked_by IS NULL) = (acked_at IS NULL))
    )
    """,
    "CREATE INDEX ix_alarms_raised_at ON alarms (raised_at DESC)",
    "CREATE INDEX ix_alarms_open ON alarms (rule) WHERE cleared_at IS NULL",
    """
    CREATE TABLE webhook_outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        alarm_id uuid NOT NULL REFERENCES alarms ON DELETE CASCADE,
        event text NOT NULL CHECK (event IN ('raised', 'acknowledged', 'cleared')),
        url text NOT NULL,
        body text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        due_at timestamptz NOT NULL DEFAULT now(),
        tries integer NOT NULL DEFAULT 0,
        sent_at timestamptz,
        given_up_at timestamptz,
        error text NOT NULL DEFAULT '',
        UNIQUE (alarm_id, event, url)
    )
    """,
    "CREATE INDEX ix_webhook_outbox_due ON webhook_outbox (due_at) WHERE sent_at IS NULL AND given_up_at IS NULL",
)


def upgrade() -> None:
    for statement in _ALARMS:
        op.execute(statement)
