"""Orders that may be merged are found along an index: open ones of a leaf, the newest first."""

from alembic import op

revision = "0027"
down_revision = "0026"

_STATEMENTS = (
    """
    CREATE INDEX ix_orders_mergeable ON orders (category, created_at DESC)
    WHERE state IN ('pending_dispatch', 'dispatched', 'return_review', 'disputed', 'in_progress', 'suspended')
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
