"""Orders found by their words in a table of millions: the words apart from the orders, their index by time.

An event changes an order's row, and with it every index of the table; one of words has eighty entries to an order. So
the words have a table of their own, which events leave alone.

An entry is a pair of characters behind the number of the three days in which the order was made. A search goes from one
span to the one before until it has a page, so a common word costs no more than a rare one; and new orders write where
the index was written a moment ago.
"""

from alembic import op

revision = "0028"
down_revision = "0027"

_STATEMENTS = (
    "DROP INDEX ix_orders_words",
    "DROP FUNCTION order_words(text, text, text)",
    "DROP FUNCTION bigrams(text)",
    """
    CREATE FUNCTION order_text(subject text, description text, place text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT lower(subject || chr(10) || description || chr(10) || place)
    $$
    """,
    # 2^18 seconds. The seconds since 1970 are the same in every time zone, so it is immutable, as an index wants it.
    """
    CREATE FUNCTION order_span(at timestamptz) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
        SELECT floor(extract(epoch FROM at) / 262144)::integer
    $$
    """,
    """
    CREATE FUNCTION word_keys(span integer, words text) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
        SELECT ARRAY(SELECT DISTINCT span || a || b FROM unnest(c, c[2:]) AS pair (a, b) WHERE b IS NOT NULL)
        FROM (SELECT string_to_array(words, NULL) AS c) AS characters
    $$
    """,
    """
    CREATE TABLE order_texts (
        order_id uuid PRIMARY KEY REFERENCES orders,
        created_at timestamptz NOT NULL,
        words text NOT NULL
    )
    """,
    # All rows of a statement at once; of a change of words, which is rare, row by row.
    """
    CREATE FUNCTION add_order_texts() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO order_texts (order_id, created_at, words)
        SELECT id, created_at, order_text(subject, description, place) FROM made;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE TRIGGER add_texts AFTER INSERT ON orders REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT EXECUTE FUNCTION add_order_texts()
    """,
    """
    CREATE FUNCTION change_order_text() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE order_texts SET words = order_text(NEW.subject, NEW.description, NEW.place) WHERE order_id = NEW.id;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE TRIGGER change_text AFTER UPDATE OF subject, description, place ON orders
    FOR EACH ROW EXECUTE FUNCTION change_order_text()
    """,
    "INSERT INTO order_texts SELECT id, created_at, order_text(subject, description, place) FROM orders",
    # Without a list of what is pending: whose turn it were to work that off would wait for it.
    """
    CREATE INDEX ix_order_texts_words ON order_texts USING gin (word_keys(order_span(created_at), words))
    WITH (fastupdate = off)
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
