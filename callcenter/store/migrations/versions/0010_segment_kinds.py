"""What a segment is for: the queue, a transfer, a consultation, an emergency; and lines outside beside seats."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE segments
        ADD COLUMN kind text NOT NULL DEFAULT 'queue' CHECK (kind IN ('queue', 'transfer', 'consult', 'emergency')),
        ADD COLUMN line text NOT NULL DEFAULT ''
        """
    )
