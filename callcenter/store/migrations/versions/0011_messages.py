"""Messages of supervisors to agents."""

from alembic import op

revision = "0011"
down_revision = "0010"

_MESSAGES = (
    """
    CREATE TABLE messages (
        id uuid PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        sender text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('message', 'break', 'ready', 'log_out')),
        to_kind text NOT NULL CHECK (to_kind IN ('person', 'queue', 'all')),
        to_what text NOT NULL DEFAULT '',
        text text NOT NULL CHECK (length(text) <= 500),
        urgent boolean NOT NULL DEFAULT false
    )
    """,
    "CREATE INDEX ix_messages_sender ON messages (sender, at DESC)",
    """
    CREATE TABLE message_receipts (
        message_id uuid NOT NULL REFERENCES messages ON DELETE CASCADE,
        login text NOT NULL,
        read_at timestamptz,
        PRIMARY KEY (message_id, login)
    )
    """,
    "CREATE INDEX ix_message_receipts_login ON message_receipts (login)",
    "CREATE INDEX ix_message_receipts_unread ON message_receipts (login) WHERE read_at IS NULL",
)


def upgrade() -> None:
    for statement in _MESSAGES:
        op.execute(statement)
