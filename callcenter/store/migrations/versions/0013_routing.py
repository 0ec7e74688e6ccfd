"""Skills, queues' settings, services' ways, and the guard of the 15 seconds with what it did."""

from alembic import op

revision = "0013"
down_revision = "0012"

_STATEMENTS = (
    "ALTER TABLE calls ADD COLUMN priority text NOT NULL DEFAULT ''",
    """
    CREATE TABLE guard_acts (
        call_id text NOT NULL REFERENCES calls ON DELETE CASCADE,
        act text NOT NULL CHECK (act IN ('widen', 'backup', 'volunteers', 'end_wrap_up', 'offer_callback')),
        at timestamptz NOT NULL,
        seat text NOT NULL DEFAULT '',
        PRIMARY KEY (call_id, act)
    )
    """,
    """
    CREATE TABLE skills (
        login text NOT NULL REFERENCES users (login) ON DELETE CASCADE,
        queue text NOT NULL,
        level smallint NOT NULL CHECK (level BETWEEN 0 AND 4),
        PRIMARY KEY (login, queue)
    )
    """,
    """
    CREATE TABLE queue_settings (
        queue text PRIMARY KEY,
        ring integer NOT NULL CHECK (ring BETWEEN 3 AND 60),
        longest_wait integer NOT NULL CHECK (longest_wait BETWEEN 30 AND 7200),
        most_waiting integer NOT NULL CHECK (most_waiting BETWEEN 1 AND 2000)
    )
    """,
    """
    CREATE TABLE service_ways (
        service text PRIMARY KEY,
        queue text NOT NULL,
        elderly boolean NOT NULL DEFAULT false
    )
    """,
    """
    CREATE TABLE guard_deadlines (
        act text PRIMARY KEY CHECK (act IN ('widen', 'backup', 'volunteers', 'offer_callback')),
        seconds integer NOT NULL CHECK (seconds BETWEEN 1 AND 60)
    )
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
