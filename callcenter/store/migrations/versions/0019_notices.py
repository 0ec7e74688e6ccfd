"""What became of notices, templates that a city has changed, and numbers to which no texts are sent."""

from alembic import op

revision = "0019"
down_revision = "0018"

_STATEMENTS = (
    """
    ALTER TABLE order_notices
        ADD COLUMN error text NOT NULL DEFAULT '',
        ADD COLUMN channel text NOT NULL DEFAULT '' CHECK (channel IN ('', 'sms', 'office')),
        ADD COLUMN address text NOT NULL DEFAULT '',
        ADD COLUMN language text NOT NULL DEFAULT '' CHECK (language IN ('', 'zh', 'en')),
        ADD COLUMN text text NOT NULL DEFAULT '',
        ADD COLUMN template_version integer
    """,
    "CREATE INDEX ix_order_notices_given_up ON order_notices (given_up_at, id) WHERE given_up_at IS NOT NULL",
    """
    CREATE TABLE notice_templates (
        code text NOT NULL,
        version integer NOT NULL CHECK (version >= 1),
        zh text NOT NULL,
        en text NOT NULL,
        by text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (code, version)
    )
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON notice_templates
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TABLE notice_optouts (
        number_key bytea PRIMARY KEY,
        by text NOT NULL,
        at timestamptz NOT NULL
    )
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
