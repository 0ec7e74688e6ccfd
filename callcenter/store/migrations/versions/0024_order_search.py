"""Orders found by their words, by what waits, and by what was decided about their like; saved views of the register.

Trigrams find no Chinese word of two characters, so words are found by pairs of characters; how alike two texts are is
told by trigrams.
"""

from alembic import op

revision = "0024"
down_revision = "0023"

_STATEMENTS = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    """
    CREATE FUNCTION bigrams(words text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
        SELECT ARRAY(SELECT DISTINCT a || b FROM unnest(c, c[2:]) AS pair (a, b) WHERE b IS NOT NULL)
        FROM (SELECT string_to_array(lower(words), NULL) AS c) AS characters
    $$
    """,
    """
    CREATE FUNCTION order_words(subject text, description text, place text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT public.bigrams(subject || chr(10) || description || chr(10) || place)
    $$
    """,
    "CREATE INDEX ix_orders_words ON orders USING gin (order_words(subject, description, place))",
    # The register: what is asked for often, in the order in which it is shown.
    "CREATE INDEX ix_orders_state_created ON orders (state, created_at DESC, id DESC)",
    "CREATE INDEX ix_orders_category_created ON orders (category, created_at DESC, id DESC)",
    "CREATE INDEX ix_orders_due ON orders (due_at, id) WHERE due_at IS NOT NULL",
    # What a unit has asked the supervisor for, or answered to a card.
    """
    CREATE INDEX ix_orders_asked ON orders (due_at, id)
    WHERE due_at IS NOT NULL AND (
        machines->>'extension_request' = 'asked' OR machines->>'suspension' = 'asked'
        OR machines->>'supervision' = 'replied'
    )
    """,
    # What was decided about a leaf: rulings that still hold, and closed orders, also of one street.
    "CREATE INDEX ix_orders_ruled ON orders (category, created_at DESC) WHERE bound",
    """
    CREATE INDEX ix_orders_settled ON orders (category, created_at DESC)
    WHERE state IN ('closed', 'archived') AND department IS NOT NULL
    """,
    """
    CREATE INDEX ix_orders_settled_region ON orders (category, region, created_at DESC)
    WHERE state IN ('closed', 'archived') AND department IS NOT NULL
    """,
    """
    CREATE TABLE order_views (
        id uuid PRIMARY KEY,
        login text NOT NULL REFERENCES users (login),
        name text NOT NULL,
        role text,
        filters jsonb NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX ix_order_views_login ON order_views (login)",
    "CREATE INDEX ix_order_views_role ON order_views (role) WHERE role IS NOT NULL",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
