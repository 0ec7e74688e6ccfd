"""Recordings, proof of their deletion, and what citizens answer after a talk."""

from alembic import op

revision = "0008"
down_revision = "0007"

_STATEMENTS = (
    """
    ALTER TABLE calls
        ADD COLUMN recorded_at timestamptz,
        ADD COLUMN recording text CHECK (recording IN ('on', 'full')),
        ADD COLUMN surveyed_at timestamptz,
        ADD COLUMN solved text CHECK (solved IN ('yes', 'no')),
        ADD COLUMN satisfied text CHECK (satisfied IN ('satisfied', 'basically', 'dissatisfied'))
    """,
    """
    CREATE TABLE recordings (
        call_id text PRIMARY KEY,
        recorded_at timestamptz NOT NULL,
        stored_at timestamptz NOT NULL,
        length_ms integer NOT NULL CHECK (length_ms >= 0),
        bytes bigint NOT NULL CHECK (bytes >= 0),
        sha256 bytea,
        key_id text,
        gap text CHECK (gap IN ('missing', 'short')),
        gap_ms integer CHECK (gap_ms >= 0),
        rule text CHECK (rule IN ('unheard', 'talk', 'order', 'emergency')),
        keep_until timestamptz,
        hold text,
        held_by text,
        held_at timestamptz,
        deleted_at timestamptz,
        CHECK ((bytes = 0) = (sha256 IS NULL)),
        CHECK ((bytes = 0) = (key_id IS NULL)),
        CHECK ((hold IS NULL) = (held_at IS NULL))
    )
    """,
    "CREATE INDEX ix_recordings_kept ON recordings (keep_until) WHERE deleted_at IS NULL",
    "CREATE INDEX ix_recordings_unjudged ON recordings (stored_at) WHERE gap_ms IS NULL",
    "CREATE INDEX ix_calls_recorded ON calls (ended_at) WHERE recorded_at IS NOT NULL",
    """
    CREATE TABLE recording_deletions (
        n bigint PRIMARY KEY CHECK (n >= 1),
        call_id text NOT NULL,
        recorded_at timestamptz NOT NULL,
        length_ms integer NOT NULL,
        bytes bigint NOT NULL,
        sha256 bytea,
        rule text NOT NULL,
        days integer NOT NULL,
        deleted_at timestamptz NOT NULL,
        seal bytea NOT NULL
    )
    """,
    "CREATE INDEX ix_recording_deletions_call_id ON recording_deletions (call_id)",
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON recording_deletions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
