"""Citizens who are called back, the calls to them, and the texts that apologise."""

from alembic import op

revision = "0009"
down_revision = "0008"

_STATEMENTS = (
    """
    ALTER TABLE calls
        ADD COLUMN direction text NOT NULL DEFAULT 'in' CHECK (direction IN ('in', 'callback')),
        ADD COLUMN origin text,
        DROP CONSTRAINT calls_outcome_check,
        ADD CONSTRAINT calls_outcome_check CHECK (outcome IN (
            'answered', 'abandoned_greeting', 'abandoned_queue', 'abandoned_ringing', 'timed_out', 'nobody_on_duty',
            'refused', 'interrupted', 'callback', 'not_reached', 'unknown_gap'
        ))
    """,
    "CREATE INDEX ix_calls_origin ON calls (origin) WHERE origin IS NOT NULL",
    """
    ALTER TABLE seat_states
        DROP CONSTRAINT seat_states_state_check,
        ADD CONSTRAINT seat_states_state_check CHECK (state IN (
            'offline', 'ready', 'ringing', 'talking', 'on_hold', 'reserved', 'wrap_up', 'break', 'unreachable'
        ))
    """,
    """
    CREATE TABLE callbacks (
        id text PRIMARY KEY,
        node text NOT NULL,
        number text NOT NULL CHECK (number <> ''),
        number_key bytea NOT NULL,
        caller_key bytea,
        origin text NOT NULL CHECK (origin IN (
            'asked', 'abandoned_queue', 'abandoned_ringing', 'timed_out', 'nobody_on_duty', 'interrupted'
        )),
        service text NOT NULL,
        queue text NOT NULL,
        language text NOT NULL,
        place_at timestamptz NOT NULL,
        asked_at timestamptz NOT NULL,
        state text NOT NULL CHECK (state IN (
            'waiting', 'dialling', 'reached', 'done', 'failed', 'cancelled', 'merged', 'expired'
        )),
        reason text NOT NULL DEFAULT '',
        tries smallint NOT NULL DEFAULT 0 CHECK (tries >= 0),
        next_at timestamptz,
        call_id text,
        seat text,
        login text,
        updated_at timestamptz NOT NULL,
        version integer NOT NULL CHECK (version >= 1),
        CHECK (state <> 'dialling' OR (call_id IS NOT NULL AND seat IS NOT NULL))
    )
    """,
    "CREATE INDEX ix_callbacks_asked_at ON callbacks (asked_at DESC, id DESC)",
    "CREATE INDEX ix_callbacks_open ON callbacks (place_at) WHERE state IN ('waiting', 'dialling')",
    """
    CREATE TABLE texts (
        id text PRIMARY KEY,
        number text NOT NULL CHECK (number <> ''),
        text text NOT NULL,
        created_at timestamptz NOT NULL,
        sent_at timestamptz,
        tries smallint NOT NULL DEFAULT 0 CHECK (tries >= 0),
        next_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX ix_texts_unsent ON texts (next_at) WHERE sent_at IS NULL",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
