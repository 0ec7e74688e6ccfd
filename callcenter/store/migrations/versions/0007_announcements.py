"""Announcements, and recordings of one's own."""

from alembic import op

revision = "0007"
down_revision = "0006"

_STATEMENTS = (
    """
    CREATE TABLE announcements (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('info', 'guidance')),
        zh text NOT NULL CHECK (length(zh) BETWEEN 1 AND 300),
        en text NOT NULL CHECK (length(en) BETWEEN 1 AND 300),
        starts_at timestamptz NOT NULL,
        ends_at timestamptz CHECK (ends_at > starts_at),
        prompt text NOT NULL DEFAULT '',
        answers jsonb NOT NULL,
        by text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        ended_by text,
        ended_at timestamptz,
        CHECK ((ended_by IS NULL) = (ended_at IS NULL))
    )
    """,
    "CREATE INDEX ix_announcements_open ON announcements (id) WHERE ended_at IS NULL",
    """
    CREATE TABLE own_prompts (
        code text PRIMARY KEY CHECK (code ~ '^own-[0-9a-f]{16}$'),
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 40),
        sound_zh bytea NOT NULL,
        sound_en bytea,
        ms_zh integer NOT NULL CHECK (ms_zh > 0),
        ms_en integer NOT NULL DEFAULT 0 CHECK (ms_en >= 0),
        by text NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
    )
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
