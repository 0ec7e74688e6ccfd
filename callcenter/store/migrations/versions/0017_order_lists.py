"""Indexes of the lists of orders: a unit's, and those that wait for a second person or have a card."""

from alembic import op

revision = "0017"
down_revision = "0016"

_STATEMENTS = (
    "CREATE INDEX ix_orders_unit_created ON orders (department, created_at DESC, id DESC)",
    "CREATE INDEX ix_orders_proposal ON orders (created_at DESC, id DESC) WHERE proposal IS NOT NULL",
    "CREATE INDEX ix_orders_carded ON orders (created_at DESC, id DESC) WHERE urge_level >= 3",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
