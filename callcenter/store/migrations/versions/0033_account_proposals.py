"""Changes of accounts that wait for a second administrator's word."""

from alembic import op

revision = "0033"
down_revision = "0032"

_STATEMENT = """
    CREATE TABLE account_proposals (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        user_id bigint NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
        change jsonb NOT NULL CHECK (jsonb_typeof(change) = 'object'),
        by text NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
    )
"""


def upgrade() -> None:
    op.execute(_STATEMENT)


def downgrade() -> None:
    op.execute("DROP TABLE account_proposals")
