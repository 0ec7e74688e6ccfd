"""An order names the one that is over and that it repeats; who looks at that one finds it."""

from alembic import op

revision = "0030"
down_revision = "0029"

_STATEMENTS = (
    "ALTER TABLE orders ADD COLUMN repeat_of text",
    "CREATE INDEX ix_orders_repeat_of ON orders (repeat_of) WHERE repeat_of IS NOT NULL",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
