"""What a unit helps with, in the order in which the orders were made."""

from alembic import op

revision = "0031"
down_revision = "0030"

_STATEMENTS = (
    "ALTER TABLE order_co_units ADD COLUMN created_at timestamptz",
    "UPDATE order_co_units SET created_at = orders.created_at FROM orders WHERE orders.id = order_id",
    "ALTER TABLE order_co_units ALTER COLUMN created_at SET NOT NULL",
    "DROP INDEX ix_order_co_units_unit",
    "CREATE INDEX ix_order_co_units_unit ON order_co_units (unit, created_at, order_id)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
