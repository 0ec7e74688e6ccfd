"""Citizens whom an agent calls about a matter at hand stand in the list of callbacks too."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("ALTER TABLE callbacks DROP CONSTRAINT callbacks_origin_check")
    op.execute(
        """
        ALTER TABLE callbacks ADD CONSTRAINT callbacks_origin_check CHECK (origin IN (
            'asked', 'abandoned_queue', 'abandoned_ringing', 'timed_out', 'nobody_on_duty', 'interrupted', 'by_agent'
        ))
        """
    )
