"""The list of responsibilities: what was changed of the city's table, by whom, on which basis, and who agreed."""

from alembic import op

revision = "0032"
down_revision = "0031"

_STATEMENTS = (
    """
    CREATE TABLE duty_changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        category text NOT NULL,
        region text NOT NULL DEFAULT '',
        lead text,
        co text[] NOT NULL DEFAULT '{}',
        basis text NOT NULL,
        after bigint NOT NULL,
        by text NOT NULL,
        at timestamptz NOT NULL,
        state text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'holds', 'refused', 'withdrawn')),
        decided_by text,
        decided_at timestamptz,
        CHECK ((state = 'proposed') = (decided_at IS NULL))
    )
    """,
    "CREATE INDEX ix_duty_changes_category ON duty_changes (category, region, decided_at DESC) WHERE state = 'holds'",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE duty_changes")
