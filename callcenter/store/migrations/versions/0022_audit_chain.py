"""The audit refuses changes, and its rows are chained by hashes."""

from alembic import op

revision = "0022"
down_revision = "0021"

_REFUSES = """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""

_STATEMENTS = (
    """
    CREATE TABLE audit_chain (
        n bigint PRIMARY KEY CHECK (n >= 1),
        audit_id bigint NOT NULL UNIQUE,
        hash bytea NOT NULL CHECK (octet_length(hash) = 32)
    )
    """,
    # What waits to be chained. A row comes here with the row of the audit, and goes when it is chained.
    "CREATE TABLE audit_unsealed (audit_id bigint PRIMARY KEY)",
    "INSERT INTO audit_unsealed SELECT id FROM audit",
    """
    CREATE FUNCTION audit_waits() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO audit_unsealed SELECT id FROM added;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE TRIGGER waits AFTER INSERT ON audit REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION audit_waits()
    """,
    _REFUSES.format(table="audit"),
    _REFUSES.format(table="audit_chain"),
    # Pages of the audit: all of it, a person's, an act's, an order's, a call's; the newest first.
    "DROP INDEX ix_audit_at",
    "DROP INDEX ix_audit_user_id",
    "CREATE INDEX ix_audit_at ON audit (at, id)",
    "CREATE INDEX ix_audit_user_id ON audit (user_id, at, id)",
    "CREATE INDEX ix_audit_act ON audit (act, at, id)",
    "CREATE INDEX ix_audit_code ON audit ((what->>'code'), at, id) WHERE what->>'code' IS NOT NULL",
    "CREATE INDEX ix_audit_call ON audit ((what->>'call'), at, id) WHERE what->>'call' IS NOT NULL",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
