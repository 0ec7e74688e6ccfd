"""The roster, and arrivals that the ledger does not hold."""

from alembic import op

revision = "0005"
down_revision = "0004"

_STATEMENTS = (
    """
    CREATE TABLE roster_days (
        day date PRIMARY KEY,
        version integer NOT NULL CHECK (version >= 1),
        changed_at timestamptz NOT NULL,
        changed_by text NOT NULL,
        published_version integer CHECK (published_version <= version),
        published_at timestamptz,
        published_by text,
        CHECK ((published_version IS NULL) = (published_at IS NULL)),
        CHECK ((published_version IS NULL) = (published_by IS NULL))
    )
    """,
    """
    CREATE TABLE shifts (
        day date NOT NULL REFERENCES roster_days,
        published boolean NOT NULL,
        login text NOT NULL,
        starts_at timestamptz NOT NULL,
        ends_at timestamptz NOT NULL,
        queue text,
        PRIMARY KEY (day, published, login, starts_at),
        CHECK (ends_at > starts_at AND ends_at <= starts_at + interval '16 hours')
    )
    """,
    "CREATE INDEX ix_shifts_published ON shifts (starts_at, ends_at) WHERE published",
    """
    CREATE TABLE arrivals (
        slot_at timestamptz NOT NULL,
        source text NOT NULL CHECK (source IN ('demo', 'import')),
        calls integer NOT NULL CHECK (calls >= 0),
        PRIMARY KEY (slot_at, source)
    )
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
