"""Every table, as the queries see it. How they came to be, with checks and indexes, is in `migrations`.

A test compares the two. Words of a trade (states, outcomes, roles) are checked by the database as well as by the code.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

metadata = MetaData()
Moment = TIMESTAMP(timezone=True)


def _required(
    name: str, kind: type[Text | Boolean | Integer | BigInteger | SmallInteger], default: str
) -> "Column[object]":
    return Column(name, kind, nullable=False, server_default=default)


# --- people -----------------------------------------------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("login", Text, nullable=False, unique=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    Column("password_hash", Text, nullable=False),
    _required("language", Text, "zh"),
    _required("active", Boolean, "true"),
    Column("created_at", Moment, nullable=False, server_default="now()"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False, server_default="now()"),
    Column("seen_at", Moment, nullable=False, server_default="now()"),
    Column("expires_at", Moment, nullable=False, index=True),
    _required("address", Text, ""),
)

seats = Table(
    "seats",
    metadata,
    Column("number", Text, primary_key=True),
    _required("secret_version", Integer, "1"),
    _required("active", Boolean, "true"),
    Column("created_at", Moment, nullable=False, server_default="now()"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", Moment, nullable=False, server_default="now()", index=True),
    Column("user_id", BigInteger, ForeignKey("users.id"), index=True),
    Column("act", Text, nullable=False),
    Column("what", JSONB, nullable=False),
)

# --- calls ------------------------------------------------------------------------------------------------------------

#: One citizen's call (通话记录). `rank` and `version` order what is known of it: see calls/rows.py.
calls = Table(
    "calls",
    metadata,
    Column("id", Text, primary_key=True),
    Column("node", Text, nullable=False),
    _required("number", Text, ""),
    Column("number_key", LargeBinary),
    _required("name", Text, ""),
    _required("dialed", Text, ""),
    _required("service", Text, ""),
    _required("language", Text, ""),
    _required("menu", Text, ""),
    Column("queue", Text),
    Column("arrived_at", Moment, nullable=False),
    Column("queued_at", Moment),
    Column("answered_at", Moment),
    Column("left_at", Moment),
    Column("ended_at", Moment),
    Column("wait_ms", Integer),
    Column("wait_from_invite_ms", Integer),
    Column("talk_ms", Integer),
    _required("held_ms", Integer, "0"),
    Column("outcome", Text),
    Column("ended_by", Text),
    Column("seat", Text),
    Column("login", Text),
    _required("late", Boolean, "false"),
    Column("source", Text, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)

#: One ring of one seat, and the talk that followed (话务分段).
segments = Table(
    "segments",
    metadata,
    Column("call_id", Text, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("n", SmallInteger, primary_key=True),
    Column("seat", Text, nullable=False),
    _required("login", Text, ""),
    _required("queue", Text, ""),
    Column("rung_at", Moment, nullable=False),
    Column("answered_at", Moment),
    Column("ended_at", Moment),
    Column("how", Text),
    Column("talk_ms", Integer),
)

#: Who was in which state from when until when (座席状态时长).
seat_states = Table(
    "seat_states",
    metadata,
    Column("seat", Text, primary_key=True),
    Column("since", Moment, primary_key=True),
    _required("login", Text, ""),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("until", Moment),
)

#: How far each of Asterisk's files has been read. Committed together with the rows that came of it.
tail_offsets = Table(
    "tail_offsets",
    metadata,
    Column("node", Text, primary_key=True),
    Column("file", Text, primary_key=True),
    Column("inode", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
)

# --- work orders ------------------------------------------------------------------------------------------------------

#: Six digits of an order's code. Goes round after a million, so a code is unique within its day; no row is locked.
order_numbers = Sequence("order_numbers", metadata=metadata, minvalue=1, maxvalue=999_999, cycle=True)

#: Work orders (工单). `id` is the key that the browser chose, so that saving twice is saving once.
orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("check_code", Text, nullable=False),
    Column("call_id", Text, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("kind", Text, nullable=False),
    _required("category", Text, ""),
    Column("urgency", Text, nullable=False),
    _required("subject", Text, ""),
    _required("description", Text, ""),
    _required("place", Text, ""),
    _required("region", Text, ""),
    _required("contact_name", Text, ""),
    _required("callback_number", Text, ""),
    Column("callback_key", LargeBinary),
    _required("confidential", Boolean, "false"),
    Column("department", Text),
    Column("created_by", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    _required("version", Integer, "1"),
    _required("language", Text, "zh"),
)

#: What happened to an order (办理记录). Append-only: the database refuses anything else.
order_history = Table(
    "order_history",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("from_state", Text, nullable=False),
    Column("to_state", Text, nullable=False),
    _required("note", Text, ""),
)

#: What an agent has typed so far for a call (草稿).
drafts = Table(
    "drafts",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("form", JSONB, nullable=False),
    Column("version", Integer, nullable=False),
    Column("saved_at", Moment, nullable=False),
    Column("login", Text, nullable=False),
)
