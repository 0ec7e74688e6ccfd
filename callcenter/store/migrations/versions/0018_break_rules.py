"""Limits of breaks, which supervisors change."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE break_rules (
            version integer PRIMARY KEY,
            body jsonb NOT NULL,
            by text NOT NULL,
            at timestamptz NOT NULL
        )
        """
    )
