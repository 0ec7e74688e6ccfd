"""Proposals to change the limits of orders; an index of what the figures of visits and audits count."""

from alembic import op

revision = "0021"
down_revision = "0020"

_STATEMENTS = (
    """
    CREATE TABLE order_policy_changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        base integer NOT NULL REFERENCES order_policies,
        changes jsonb NOT NULL,
        note text NOT NULL,
        state text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'approved', 'refused', 'withdrawn')),
        proposed_by text NOT NULL,
        proposed_at timestamptz NOT NULL DEFAULT now(),
        decided_by text,
        decided_at timestamptz,
        version integer REFERENCES order_policies DEFERRABLE INITIALLY DEFERRED,
        CHECK ((state = 'proposed') = (decided_at IS NULL)),
        CHECK ((state = 'approved') = (version IS NOT NULL)),
        CHECK (state = 'withdrawn' OR decided_by <> proposed_by)
    )
    """,
    """
    CREATE INDEX ix_order_history_visits ON order_history (at)
    WHERE event IN ('visit_satisfied', 'visit_unsatisfied', 'visit_no_answer', 'visit_exhausted')
    """,
    """
    CREATE INDEX ix_order_history_audits ON order_history (at)
    WHERE event IN ('audit_pass', 'audit_pass_no_visit', 'audit_fail')
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
