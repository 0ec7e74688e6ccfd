"""Why a seat was rung past the queue."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE segments ADD COLUMN why text NOT NULL DEFAULT ''")
