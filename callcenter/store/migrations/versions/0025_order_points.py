"""Orders hold a place as a point, WGS-84 in degrees; what is near of the same leaf is found by an index."""

from alembic import op

revision = "0025"
down_revision = "0024"

_STATEMENTS = (
    """
    ALTER TABLE orders
        ADD COLUMN lat double precision,
        ADD COLUMN lon double precision,
        ADD CONSTRAINT orders_point CHECK (
            (lat IS NULL AND lon IS NULL)
            OR (lat IS NOT NULL AND lon IS NOT NULL AND lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180)
        )
    """,
    "CREATE INDEX ix_orders_point ON orders (category, lat, lon) WHERE lat IS NOT NULL",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
