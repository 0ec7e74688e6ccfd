"""Calls drawn for review, graded on forms that are data, with an appeal."""

from alembic import op

revision = "0003"
down_revision = "0002"

_APPEND_ONLY = ("quality_forms", "quality_rules", "quality_weeks", "quality_grades", "quality_history")

_TABLES = (
    """
    CREATE TABLE quality_forms (
        code text NOT NULL CHECK (code ~ '^[a-z][a-z0-9_]{0,29}$'),
        version integer NOT NULL CHECK (version >= 1),
        body jsonb NOT NULL,
        "by" text NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (code, version)
    )
    """,
    """
    CREATE TABLE quality_rules (
        version integer PRIMARY KEY CHECK (version >= 1),
        body jsonb NOT NULL,
        "by" text NOT NULL,
        at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE quality_weeks (
        week date PRIMARY KEY CHECK (extract(isodow FROM week) = 1),
        seed text NOT NULL CHECK (seed <> ''),
        rule integer NOT NULL REFERENCES quality_rules,
        "by" text NOT NULL,
        at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE quality_reviews (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        week date NOT NULL REFERENCES quality_weeks,
        call_id text NOT NULL,
        login text NOT NULL CHECK (login <> ''),
        stratum text NOT NULL CHECK (stratum IN ('unsatisfied', 'transferred', 'long', 'short', 'any', 'calibration')),
        lot text NOT NULL,
        pool integer NOT NULL CHECK (pool >= 1),
        calibration boolean NOT NULL DEFAULT false,
        reviewer text CHECK (reviewer <> login),
        state text NOT NULL DEFAULT 'todo' CHECK (state IN ('todo', 'graded', 'appealed', 'upheld', 'changed')),
        "by" text NOT NULL,
        at timestamptz NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX ix_quality_reviews_once ON quality_reviews (call_id, login) WHERE NOT calibration",
    """
    CREATE UNIQUE INDEX ix_quality_reviews_calibration ON quality_reviews (call_id, login, reviewer) WHERE calibration
    """,
    "CREATE INDEX ix_quality_reviews_week ON quality_reviews (week DESC, id DESC)",
    "CREATE INDEX ix_quality_reviews_login ON quality_reviews (login, week DESC)",
    """
    CREATE TABLE quality_grades (
        review_id bigint NOT NULL REFERENCES quality_reviews,
        n smallint NOT NULL CHECK (n IN (1, 2)),
        form text NOT NULL,
        form_version integer NOT NULL,
        answers jsonb NOT NULL,
        note text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
        score numeric(4, 1) NOT NULL CHECK (score BETWEEN 0 AND 100),
        weighted numeric(4, 1) NOT NULL CHECK (weighted BETWEEN 0 AND 100),
        fatal text[] NOT NULL,
        grader text NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (review_id, n),
        FOREIGN KEY (form, form_version) REFERENCES quality_forms,
        CHECK (cardinality(fatal) = 0 OR score = 0)
    )
    """,
    """
    CREATE TABLE quality_history (
        review_id bigint NOT NULL REFERENCES quality_reviews,
        n integer NOT NULL CHECK (n >= 1),
        at timestamptz NOT NULL,
        who text NOT NULL,
        event text NOT NULL CHECK (event IN ('draw', 'take', 'grade', 'appeal', 'uphold', 'change')),
        note text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
        PRIMARY KEY (review_id, n)
    )
    """,
    # Who is judged does not judge, and nobody decides on the own grade: held here too, whatever the code believes.
    """
    CREATE FUNCTION refuse_own_grade() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM quality_reviews WHERE id = NEW.review_id AND login = NEW.grader)
        OR EXISTS (SELECT FROM quality_grades WHERE review_id = NEW.review_id AND grader = NEW.grader) THEN
            RAISE EXCEPTION 'a grade must be given by another person';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER another_person BEFORE INSERT ON quality_grades
    FOR EACH ROW EXECUTE FUNCTION refuse_own_grade()
    """,
)


def upgrade() -> None:
    for statement in _TABLES:
        op.execute(statement)
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
