"""Files of orders."""

from alembic import op

revision = "0020"
down_revision = "0019"

_STATEMENTS = (
    """
    CREATE TABLE order_attachments (
        id uuid PRIMARY KEY,
        order_id uuid NOT NULL REFERENCES orders,
        key uuid NOT NULL UNIQUE,
        name text NOT NULL,
        form text NOT NULL CHECK (form IN ('jpg', 'png', 'webp', 'wav', 'mp3', 'm4a', 'ogg', 'pdf')),
        kind text NOT NULL CHECK (kind IN ('photo', 'voice', 'pdf')),
        bytes bigint NOT NULL CHECK (bytes > 0),
        sha256 bytea NOT NULL,
        by text NOT NULL,
        at timestamptz NOT NULL,
        deleted_at timestamptz,
        deleted_by text,
        deleted_why text NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX ix_order_attachments_order_id ON order_attachments (order_id)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
