"""Changes of opening hours and of legal working days, each by two persons; old numbers that are cut over."""

from alembic import op

revision = "0004"
down_revision = "0003"

_STATEMENTS = (
    """
    CREATE TABLE calendar_changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('special', 'lift', 'year')),
        place text NOT NULL DEFAULT '',
        day date NOT NULL,
        what jsonb NOT NULL,
        state text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'approved', 'refused', 'withdrawn')),
        proposed_by text NOT NULL,
        proposed_at timestamptz NOT NULL DEFAULT now(),
        decided_by text,
        decided_at timestamptz,
        CHECK ((state = 'proposed') = (decided_by IS NULL)),
        CHECK ((state = 'proposed') = (decided_at IS NULL)),
        CHECK (state NOT IN ('approved', 'refused') OR decided_by <> proposed_by)
    )
    """,
    "CREATE INDEX ix_calendar_changes_approved ON calendar_changes (kind, place, day) WHERE state = 'approved'",
    "CREATE INDEX ix_calendar_changes_open ON calendar_changes (id) WHERE state = 'proposed'",
    """
    CREATE TABLE number_cutovers (
        number text PRIMARY KEY,
        day date NOT NULL,
        announced boolean NOT NULL,
        reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 200),
        by text NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
    )
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
