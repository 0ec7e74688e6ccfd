"""People, calls and work orders, as 12345 first answers."""

from alembic import op

revision = "0001"
down_revision = None

_PEOPLE = (
    """
    CREATE TABLE users (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        login text NOT NULL UNIQUE CHECK (login ~ '^[a-z][a-z0-9._-]{1,31}$'),
        name_zh text NOT NULL,
        name_en text NOT NULL,
        roles text[] NOT NULL,
        password_hash text NOT NULL,
        language text NOT NULL DEFAULT 'zh' CHECK (language IN ('zh', 'en')),
        active boolean NOT NULL DEFAULT true,
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE sessions (
        token_hash bytea PRIMARY KEY,
        user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
        created_at timestamptz NOT NULL DEFAULT now(),
        seen_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        address text NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX ix_sessions_user_id ON sessions (user_id)",
    "CREATE INDEX ix_sessions_expires_at ON sessions (expires_at)",
    """
    CREATE TABLE seats (
        number text PRIMARY KEY CHECK (number ~ '^[0-9]{3,6}$'),
        secret_version integer NOT NULL DEFAULT 1,
        active boolean NOT NULL DEFAULT true,
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE audit (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        user_id bigint REFERENCES users,
        act text NOT NULL,
        what jsonb NOT NULL
    )
    """,
    "CREATE INDEX ix_audit_at ON audit (at)",
    "CREATE INDEX ix_audit_user_id ON audit (user_id)",
)

_CALLS = (
    """
    CREATE TABLE calls (
        id text PRIMARY KEY,
        node text NOT NULL,
        number text NOT NULL DEFAULT '',
        number_key bytea,
        name text NOT NULL DEFAULT '',
        dialed text NOT NULL DEFAULT '',
        service text NOT NULL DEFAULT '',
        language text NOT NULL DEFAULT '',
        menu text NOT NULL DEFAULT '',
        queue text,
        arrived_at timestamptz NOT NULL,
        queued_at timestamptz,
        answered_at timestamptz,
        left_at timestamptz,
        ended_at timestamptz,
        wait_ms integer CHECK (wait_ms >= 0),
        wait_from_invite_ms integer CHECK (wait_from_invite_ms >= 0),
        talk_ms integer CHECK (talk_ms >= 0),
        held_ms integer NOT NULL DEFAULT 0 CHECK (held_ms >= 0),
        outcome text CHECK (outcome IN (
            'answered', 'abandoned_greeting', 'abandoned_queue', 'abandoned_ringing', 'timed_out', 'nobody_on_duty',
            'refused', 'interrupted', 'unknown_gap'
        )),
        ended_by text CHECK (ended_by IN ('caller', 'agent', 'system')),
        seat text,
        login text,
        late boolean NOT NULL DEFAULT false,
        source text NOT NULL CHECK (source IN ('line', 'files', 'both')),
        rank smallint NOT NULL CHECK (rank BETWEEN 0 AND 3),
        version bigint NOT NULL,
        CHECK ((rank >= 2) = (outcome IS NOT NULL)),
        CHECK ((rank >= 2) = (ended_at IS NOT NULL))
    )
    """,
    "CREATE INDEX ix_calls_arrived_at ON calls (arrived_at DESC, id DESC)",
    "CREATE INDEX ix_calls_number_key ON calls (number_key, arrived_at DESC) WHERE number_key IS NOT NULL",
    "CREATE INDEX ix_calls_open ON calls (arrived_at) WHERE outcome IS NULL",
    """
    CREATE TABLE segments (
        call_id text NOT NULL REFERENCES calls ON DELETE CASCADE,
        n smallint NOT NULL CHECK (n >= 0),
        seat text NOT NULL,
        login text NOT NULL DEFAULT '',
        queue text NOT NULL DEFAULT '',
        rung_at timestamptz NOT NULL,
        answered_at timestamptz,
        ended_at timestamptz,
        how text CHECK (how IN ('completed', 'missed', 'cancelled', 'transferred', 'lost')),
        talk_ms integer CHECK (talk_ms >= 0),
        PRIMARY KEY (call_id, n)
    )
    """,
    "CREATE INDEX ix_segments_login ON segments (login, rung_at DESC)",
    """
    CREATE TABLE seat_states (
        seat text NOT NULL,
        since timestamptz NOT NULL,
        login text NOT NULL DEFAULT '',
        state text NOT NULL CHECK (state IN (
            'offline', 'ready', 'ringing', 'talking', 'on_hold', 'wrap_up', 'break', 'unreachable'
        )),
        reason text,
        until timestamptz CHECK (until >= since),
        PRIMARY KEY (seat, since)
    )
    """,
    "CREATE INDEX ix_seat_states_since ON seat_states (since)",
    "CREATE INDEX ix_seat_states_now ON seat_states (seat) WHERE until IS NULL",
    """
    CREATE TABLE tail_offsets (
        node text NOT NULL,
        file text NOT NULL,
        inode bigint NOT NULL,
        "offset" bigint NOT NULL CHECK ("offset" >= 0),
        PRIMARY KEY (node, file)
    )
    """,
)

_ORDERS = (
    "CREATE SEQUENCE order_numbers MINVALUE 1 MAXVALUE 999999 CYCLE",
    """
    CREATE TABLE orders (
        id uuid PRIMARY KEY,
        code text NOT NULL UNIQUE CHECK (code ~ '^[0-9]{12}[0-9A-Z]$'),
        check_code text NOT NULL CHECK (check_code ~ '^[0-9]{4}$'),
        call_id text NOT NULL,
        state text NOT NULL,
        kind text NOT NULL,
        category text NOT NULL DEFAULT '',
        urgency text NOT NULL,
        subject text NOT NULL DEFAULT '' CHECK (length(subject) <= 200),
        description text NOT NULL DEFAULT '' CHECK (length(description) <= 5000),
        place text NOT NULL DEFAULT '' CHECK (length(place) <= 300),
        region text NOT NULL DEFAULT '',
        contact_name text NOT NULL DEFAULT '' CHECK (length(contact_name) <= 60),
        callback_number text NOT NULL DEFAULT '',
        callback_key bytea,
        confidential boolean NOT NULL DEFAULT false,
        department text,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        version integer NOT NULL DEFAULT 1,
        language text NOT NULL DEFAULT 'zh'
    )
    """,
    "CREATE INDEX ix_orders_call_id ON orders (call_id)",
    "CREATE INDEX ix_orders_created_at ON orders (created_at DESC, id DESC)",
    "CREATE INDEX ix_orders_callback_key ON orders (callback_key, created_at DESC) WHERE callback_key IS NOT NULL",
    """
    CREATE TABLE order_history (
        order_id uuid NOT NULL REFERENCES orders,
        n integer NOT NULL CHECK (n >= 1),
        at timestamptz NOT NULL,
        who text NOT NULL,
        event text NOT NULL,
        from_state text NOT NULL,
        to_state text NOT NULL,
        note text NOT NULL DEFAULT '',
        PRIMARY KEY (order_id, n)
    )
    """,
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END $$
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TABLE drafts (
        call_id text PRIMARY KEY,
        form jsonb NOT NULL,
        version integer NOT NULL CHECK (version >= 1),
        saved_at timestamptz NOT NULL,
        login text NOT NULL
    )
    """,
)


def upgrade() -> None:
    for statement in _PEOPLE + _CALLS + _ORDERS:
        op.execute(statement)
