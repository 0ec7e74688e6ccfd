"""Supervisors in agents' calls."""

from alembic import op

revision = "0006"
down_revision = "0005"

_SUPERVISION = (
    """
    CREATE TABLE supervisions (
        id uuid NOT NULL,
        since timestamptz NOT NULL,
        login text NOT NULL,
        seat text NOT NULL,
        agent text NOT NULL,
        agent_seat text NOT NULL,
        call_id text NOT NULL,
        mode text NOT NULL CHECK (mode IN ('listen', 'whisper', 'join', 'take')),
        channel text NOT NULL,
        until timestamptz CHECK (until >= since),
        PRIMARY KEY (id, since)
    )
    """,
    "CREATE INDEX ix_supervisions_call_id ON supervisions (call_id)",
    "CREATE INDEX ix_supervisions_since ON supervisions (since DESC)",
    "CREATE INDEX ix_supervisions_open ON supervisions (call_id) WHERE until IS NULL",
)


def upgrade() -> None:
    for statement in _SUPERVISION:
        op.execute(statement)
