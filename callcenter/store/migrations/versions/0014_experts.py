"""Experts, the questions put to them, and what they offer to the knowledge base."""

from alembic import op

revision = "0014"
down_revision = "0013"

_STATEMENTS = (
    """
    CREATE TABLE experts (
        login text PRIMARY KEY REFERENCES users (login),
        fields text[] NOT NULL,
        hours jsonb NOT NULL
    )
    """,
    """
    CREATE TABLE expert_questions (
        id uuid PRIMARY KEY,
        call_id text NOT NULL,
        category text NOT NULL,
        field text NOT NULL,
        text text NOT NULL CHECK (length(text) BETWEEN 1 AND 1000),
        identity text CHECK (length(identity) BETWEEN 1 AND 200),
        asked_by text NOT NULL,
        asked_at timestamptz NOT NULL,
        due_at timestamptz NOT NULL CHECK (due_at > asked_at),
        state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'answered', 'withdrawn')),
        answer text CHECK (length(answer) BETWEEN 1 AND 2000),
        answered_by text,
        answered_at timestamptz,
        CHECK ((state = 'answered') = (answer IS NOT NULL)),
        CHECK ((state = 'answered') = (answered_by IS NOT NULL)),
        CHECK ((state = 'open') = (answered_at IS NULL))
    )
    """,
    "CREATE INDEX ix_expert_questions_call_id ON expert_questions (call_id)",
    "CREATE INDEX ix_expert_questions_open ON expert_questions (field, asked_at) WHERE state = 'open'",
    "CREATE INDEX ix_expert_questions_answered_by ON expert_questions (answered_by, asked_at DESC)",
    """
    CREATE TABLE knowledge_proposals (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        question_id uuid NOT NULL UNIQUE REFERENCES expert_questions,
        category text NOT NULL,
        question text NOT NULL,
        answer text NOT NULL,
        state text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'taken', 'refused')),
        by text NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
    )
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
