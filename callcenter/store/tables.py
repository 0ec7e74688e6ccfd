"""Every table, as the queries see it. How they came to be, with checks and indexes, is in `migrations`.

A test compares the two. Words of a trade (states, outcomes, roles) are checked by the database as well as by the code.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
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
    Column("unit", Text),
)

#: Changes of accounts that wait for a second administrator; gone when decided, the audit tells of them.
account_proposals = Table(
    "account_proposals",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("change", JSONB, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False, server_default="now()"),
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
    Column("at", Moment, nullable=False, server_default="now()"),
    Column("user_id", BigInteger, ForeignKey("users.id")),
    Column("act", Text, nullable=False),
    Column("what", JSONB, nullable=False),
)

#: The chain over the audit (哈希链): `n` is a row's place, `hash` covers it and all before it. Append-only, as `audit`.
audit_chain = Table(
    "audit_chain",
    metadata,
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("audit_id", BigInteger, nullable=False, unique=True),
    Column("hash", LargeBinary, nullable=False),
)

#: Rows of the audit that wait for their place in the chain; a trigger puts them here.
audit_unsealed = Table(
    "audit_unsealed",
    metadata,
    Column("audit_id", BigInteger, primary_key=True, autoincrement=False),
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
    Column("recorded_at", Moment),
    Column("recording", Text),
    Column("surveyed_at", Moment),
    Column("solved", Text),
    Column("satisfied", Text),
    _required("priority", Text, ""),
    Column("source", Text, nullable=False),
    _required("direction", Text, "in"),
    Column("origin", Text),
    Column("rank", SmallInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)

#: One ring of one seat, or of a line outside, and the talk that followed (话务分段).
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
    _required("why", Text, ""),
    _required("kind", Text, "queue"),
    _required("line", Text, ""),
)

#: What the guard of the 15 seconds did for a call (保障动作); `seat` is where it ended a wrap-up.
guard_acts = Table(
    "guard_acts",
    metadata,
    Column("call_id", Text, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("act", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    _required("seat", Text, ""),
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

#: Who was in whose call, in which mode, from when until when (监听、强插记录). A change of mode begins a row.
supervisions = Table(
    "supervisions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("since", Moment, primary_key=True),
    Column("login", Text, nullable=False),
    Column("seat", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("agent_seat", Text, nullable=False),
    Column("call_id", Text, nullable=False, index=True),
    Column("mode", Text, nullable=False),
    Column("channel", Text, nullable=False),
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

# --- recordings -------------------------------------------------------------------------------------------------------

#: One recording (录音) to a call; the sound is in the vault. `gap_ms`, `rule` and `keep_until` are None until the row
#: of the call tells what was to be expected; at `keep_until` the rule is asked anew.
recordings = Table(
    "recordings",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("recorded_at", Moment, nullable=False),
    Column("stored_at", Moment, nullable=False),
    Column("length_ms", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary),
    Column("key_id", Text),
    Column("gap", Text),
    Column("gap_ms", Integer),
    Column("rule", Text),
    Column("keep_until", Moment),
    Column("hold", Text),
    Column("held_by", Text),
    Column("held_at", Moment),
    Column("deleted_at", Moment),
)

#: Proof of deletion (销毁证明): append-only, each row sealed with the one before it.
recording_deletions = Table(
    "recording_deletions",
    metadata,
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("call_id", Text, nullable=False, index=True),
    Column("recorded_at", Moment, nullable=False),
    Column("length_ms", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary),
    Column("rule", Text, nullable=False),
    Column("days", Integer, nullable=False),
    Column("deleted_at", Moment, nullable=False),
    Column("seal", LargeBinary, nullable=False),
)

# --- callbacks --------------------------------------------------------------------------------------------------------

#: Citizens to be called back (回电名单). `id` is the call that each answers; rules are in callbacks/flow.py.
callbacks = Table(
    "callbacks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("number_key", LargeBinary, nullable=False),
    Column("caller_key", LargeBinary),
    Column("origin", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("place_at", Moment, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("state", Text, nullable=False),
    _required("reason", Text, ""),
    _required("tries", SmallInteger, "0"),
    Column("next_at", Moment),
    Column("call_id", Text),
    Column("seat", Text),
    Column("login", Text),
    Column("updated_at", Moment, nullable=False),
    Column("version", Integer, nullable=False),
)

#: Texts to citizens (短信) on their way. `id` goes along to the gateway: the same one twice is one text.
texts = Table(
    "texts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("sent_at", Moment),
    _required("tries", SmallInteger, "0"),
    Column("next_at", Moment, nullable=False),
)

# --- messages --------------------------------------------------------------------------------------------------------

#: What supervisors tell agents (班长消息).
messages = Table(
    "messages",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", Moment, nullable=False, server_default="now()"),
    Column("sender", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("to_kind", Text, nullable=False),
    _required("to_what", Text, ""),
    Column("text", Text, nullable=False),
    _required("urgent", Boolean, "false"),
)

#: Whom a message was sent to, and when it was read (已读回执).
message_receipts = Table(
    "message_receipts",
    metadata,
    Column("message_id", Uuid, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    Column("login", Text, primary_key=True, index=True),
    Column("read_at", Moment),
)

# --- alarms ----------------------------------------------------------------------------------------------------------

#: What is watched, and when it is an alarm (告警规则).
alarm_rules = Table(
    "alarm_rules",
    metadata,
    Column("code", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("raise_at", Double, nullable=False),
    Column("clear_at", Double, nullable=False),
    Column("hold_seconds", Integer, nullable=False),
    Column("severity", Text, nullable=False),
    Column("window_minutes", Integer, nullable=False),
    Column("least_calls", Integer, nullable=False),
    _required("active", Boolean, "true"),
    _required("changed_by", Text, ""),
    Column("changed_at", Moment, nullable=False, server_default="now()"),
)

#: Alarms that were raised (告警记录).
alarms = Table(
    "alarms",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("value", Double, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("raised_at", Moment, nullable=False),
    Column("cleared_at", Moment),
    Column("acked_by", Text),
    Column("acked_at", Moment),
)

#: What is still to be told by webhook, and what was.
webhook_outbox = Table(
    "webhook_outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("alarm_id", Uuid, ForeignKey("alarms.id", ondelete="CASCADE"), nullable=False),
    Column("event", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Moment, nullable=False, server_default="now()"),
    Column("due_at", Moment, nullable=False, server_default="now()"),
    _required("tries", Integer, "0"),
    Column("sent_at", Moment),
    Column("given_up_at", Moment),
    _required("error", Text, ""),
)

# --- routing ----------------------------------------------------------------------------------------------------------
# What supervisors have changed; agents/ and ivr/ hold what applies without a row.

#: How well a person serves a queue (技能等级): 1 first .. 3 backup, 4 volunteer, 0 not at all.
skills = Table(
    "skills",
    metadata,
    Column("login", Text, ForeignKey("users.login", ondelete="CASCADE"), primary_key=True),
    Column("queue", Text, primary_key=True),
    Column("level", SmallInteger, nullable=False),
)

queue_settings = Table(
    "queue_settings",
    metadata,
    Column("queue", Text, primary_key=True),
    Column("ring", Integer, nullable=False),
    Column("longest_wait", Integer, nullable=False),
    Column("most_waiting", Integer, nullable=False),
)

#: Where calls of a service go that press no key, and whether they go before others.
service_ways = Table(
    "service_ways",
    metadata,
    Column("service", Text, primary_key=True),
    Column("queue", Text, nullable=False),
    _required("elderly", Boolean, "false"),
)

#: The deadlines of the guard, in seconds.
guard_deadlines = Table(
    "guard_deadlines",
    metadata,
    Column("act", Text, primary_key=True),
    Column("seconds", Integer, nullable=False),
)

# --- work orders ------------------------------------------------------------------------------------------------------

#: Six digits of an order's code. Goes round after a million, so a code is unique within its day; no row is locked.
order_numbers = Sequence("order_numbers", metadata=metadata, minvalue=1, maxvalue=999_999, cycle=True)

#: Work orders (工单). `id` is the key that the browser chose, so that saving twice is saving once. `department` is the
#: lead unit. `due_at` sorts inboxes, at `wake_at` the sweep looks at it: both are what its clocks say, for the indexes.
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
    Column("state_since", Moment, nullable=False, server_default="now()"),
    _required("policy", Integer, "1"),
    Column("handler", Text),
    Column("follow_up_officer", Text),
    Column("dispatched_by", Text),
    Column("replied_by", Text),
    Column("refused_by", ARRAY(Text), nullable=False, server_default="{}"),
    _required("bound", Boolean, "false"),
    _required("returns", SmallInteger, "0"),
    _required("rehandles", SmallInteger, "0"),
    _required("urges", Integer, "0"),
    _required("urge_level", SmallInteger, "0"),
    Column("contacted_at", Moment),
    Column("tries", ARRAY(Moment), nullable=False, server_default="{}"),
    Column("visit", JSONB, nullable=False, server_default="{}"),
    Column("closing", Text),
    Column("master", Text),
    _required("public_danger", Boolean, "false"),
    _required("anonymous", Boolean, "false"),
    Column("machines", JSONB, nullable=False, server_default="{}"),
    Column("proposal", JSONB(none_as_null=True)),
    Column("due_at", Moment),
    Column("wake_at", Moment),
    _required("complained_person", Text, ""),
    Column("complained_logins", ARRAY(Text), nullable=False, server_default="{}"),
    Column("complained_units", ARRAY(Text), nullable=False, server_default="{}"),
    Column("lat", Double),
    Column("lon", Double),
    Column("repeat_of", Text),
)

#: The words of orders in small letters (工单全文), to be searched in; a trigger keeps them. They stand apart from the
#: orders because those change with every event, and an index of words is dear to write: see migration 0028.
order_texts = Table(
    "order_texts",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id"), primary_key=True),
    Column("created_at", Moment, nullable=False),
    Column("words", Text, nullable=False),
)

#: What happened to an order (办理记录). Append-only: the database refuses anything else. `n` is the order's version
#: after it; `key` is the message that asked for it, so that the same one twice is once.
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
    _required("role", Text, ""),
    Column("second", Text),
    Column("given", JSONB, nullable=False, server_default="{}"),
    Column("key", Uuid),
)

#: Time limits that run, or ran, on orders (时限): see workorders/order.py.
order_clocks = Table(
    "order_clocks",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id"), primary_key=True),
    Column("n", SmallInteger, primary_key=True),
    Column("name", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("value", Integer, nullable=False),
    Column("unit", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("first_due_at", Moment, nullable=False),
    _required("provisional", Boolean, "false"),
    Column("paused_at", Moment),
    Column("pauses", JSONB, nullable=False, server_default="[]"),
    _required("reminded", SmallInteger, "0"),
    _required("extended", Integer, "0"),
    Column("ended_at", Moment),
    _required("dropped", Boolean, "false"),
)

#: Co-units of an order (协办单位), and how far each has come.
order_co_units = Table(
    "order_co_units",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id"), primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("state", Text, nullable=False),
    # Of the order: so a unit's newest are found without reading all that it ever helped with.
    Column("created_at", Moment, nullable=False),
)

#: Who is to be told what of an order (通知待发), written with what it tells of. `what`: the unit or login,
#: if it is one.
order_notices = Table(
    "order_notices",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("order_id", Uuid, ForeignKey("orders.id"), nullable=False, index=True),
    Column("n", Integer, nullable=False),
    Column("recipient", Text, nullable=False),
    _required("what", Text, ""),
    Column("template", Text, nullable=False),
    Column("facts", JSONB, nullable=False, server_default="{}"),
    Column("created_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    _required("tries", SmallInteger, "0"),
    Column("sent_at", Moment),
    Column("given_up_at", Moment),
    _required("error", Text, ""),
    _required("channel", Text, ""),
    _required("address", Text, ""),
    _required("language", Text, ""),
    _required("text", Text, ""),
    Column("template_version", Integer),
)

#: Texts of notices that a city has changed (通知模板), version after version. Append-only; the newest holds.
notice_templates = Table(
    "notice_templates",
    metadata,
    Column("code", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("zh", Text, nullable=False),
    Column("en", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False, server_default="now()"),
)

#: Numbers to which no texts are sent (短信退订), as blind indexes.
notice_optouts = Table(
    "notice_optouts",
    metadata,
    Column("number_key", LargeBinary, primary_key=True),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

#: Files of orders (附件): what is known of each; the file itself lies sealed below the home, by its id. `key` is the
#: message that brought it.
order_attachments = Table(
    "order_attachments",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, ForeignKey("orders.id"), nullable=False, index=True),
    Column("key", Uuid, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("deleted_at", Moment),
    Column("deleted_by", Text),
    _required("deleted_why", Text, ""),
)

#: What somebody narrows the register to again and again (常用筛选). `role`: shared with everybody who has it.
order_views = Table(
    "order_views",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("login", Text, ForeignKey("users.login"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("role", Text),
    Column("filters", JSONB, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

#: Versions of the time limits (时限规则): code -> [value, unit]. Append-only: an order keeps the one it began with.
order_policies = Table(
    "order_policies",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body", JSONB, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False, server_default="now()"),
    _required("note", Text, ""),
)

#: Changes of the time limits that somebody has proposed, and what became of them (两人复核).
order_policy_changes = Table(
    "order_policy_changes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("base", Integer, ForeignKey("order_policies.version"), nullable=False),
    Column("changes", JSONB, nullable=False),
    Column("note", Text, nullable=False),
    _required("state", Text, "proposed"),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", Moment, nullable=False, server_default="now()"),
    Column("decided_by", Text),
    Column("decided_at", Moment),
    Column("version", Integer, ForeignKey("order_policies.version")),
)

#: Changes of the list of responsibilities (职责清单), see duties/queries.py. `after`: the one that held then.
duty_changes = Table(
    "duty_changes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("category", Text, nullable=False),
    _required("region", Text, ""),
    Column("lead", Text),
    Column("co", ARRAY(Text), nullable=False, server_default="{}"),
    Column("basis", Text, nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
    _required("state", Text, "proposed"),
    Column("decided_by", Text),
    Column("decided_at", Moment),
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

# --- privacy ----------------------------------------------------------------------------------------------------------

#: Who confidential orders came from (保密诉求人), sealed by a key outside the database. `caller`: what the call's row
#: told, once it was taken out of there; `callback_key`: the blind index of the number to call back on.
#: Texts that citizens send (来信短信). `message`: the gateway's id of it.
incoming_texts = Table(
    "incoming_texts",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("message", Text, nullable=False, unique=True),
    Column("at", Moment, nullable=False),
    Column("number", Text, nullable=False),
    Column("number_key", LargeBinary),
    Column("text", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("order_id", Uuid, ForeignKey("orders.id")),
    Column("seen_by", Text),
    Column("seen_at", Moment),
)
identities = Table(
    "identities",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id"), primary_key=True),
    Column("call_id", Text, nullable=False, index=True),
    Column("key_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("caller", LargeBinary),
    Column("callback_key", LargeBinary),
    Column("hidden_at", Moment),
)

#: Tries to open orders by code and check code (防猜测), by an HMAC of the address, the code, or both; rules are in
#: citizen/throttle.py. `at`: of the last wrong one, or of a right one.
citizen_tries = Table(
    "citizen_tries",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    _required("wrong", Integer, "0"),
    _required("strangers", Integer, "0"),
    _required("known", Boolean, "false"),
    Column("at", Moment, nullable=False),
)

#: Requests to see an identity (查看身份申请), and the approvals that run. `hours`: how long, from the decision on.
identity_requests = Table(
    "identity_requests",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("order_id", Uuid, ForeignKey("orders.id"), nullable=False, index=True),
    Column("asked_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("hours", Integer, nullable=False),
    Column("asked_at", Moment, nullable=False),
    _required("state", Text, "asked"),
    Column("decided_by", Text),
    Column("decided_at", Moment),
    _required("note", Text, ""),
    Column("until", Moment),
    _required("views", Integer, "0"),
)

#: Requests to take personal data out (导出个人信息申请), each good for one file. `number`: masked, when it is of one
#: citizen's orders alone; `number_key`: its blind index.
data_exports = Table(
    "data_exports",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("asked_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("filters", JSONB, nullable=False),
    _required("number", Text, ""),
    Column("number_key", LargeBinary),
    Column("asked_at", Moment, nullable=False),
    _required("state", Text, "asked"),
    Column("decided_by", Text),
    Column("decided_at", Moment),
    _required("note", Text, ""),
    Column("until", Moment),
    Column("taken_at", Moment),
)

# --- quality ----------------------------------------------------------------------------------------------------------

#: Every version of every grading form (质检表). Append-only, as are the next four but `quality_reviews`.
quality_forms = Table(
    "quality_forms",
    metadata,
    Column("code", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("body", JSONB, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

#: Every version of the sampling rule (抽样规则).
quality_rules = Table(
    "quality_rules",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body", JSONB, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

#: The seed and the rule by which a week is drawn: once and for all, so that the draw can be repeated.
quality_weeks = Table(
    "quality_weeks",
    metadata,
    Column("week", Date, primary_key=True),
    Column("seed", Text, nullable=False),
    Column("rule", Integer, ForeignKey("quality_rules.version"), nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

#: One agent's part in one call, to be graded by one person (质检单). `reviewer` is NULL until somebody takes it.
quality_reviews = Table(
    "quality_reviews",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("week", Date, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("stratum", Text, nullable=False),
    Column("lot", Text, nullable=False),
    Column("pool", Integer, nullable=False),
    _required("calibration", Boolean, "false"),
    Column("reviewer", Text),
    _required("state", Text, "todo"),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

#: What a review came to (评分): the second row is what an appeal changed it to.
quality_grades = Table(
    "quality_grades",
    metadata,
    Column("review_id", BigInteger, ForeignKey("quality_reviews.id"), primary_key=True),
    Column("n", SmallInteger, primary_key=True),
    Column("form", Text, nullable=False),
    Column("form_version", Integer, nullable=False),
    Column("answers", JSONB, nullable=False),
    _required("note", Text, ""),
    Column("score", Numeric(4, 1), nullable=False),
    Column("weighted", Numeric(4, 1), nullable=False),
    Column("fatal", ARRAY(Text), nullable=False),
    Column("grader", Text, nullable=False),
    Column("at", Moment, nullable=False),
    ForeignKeyConstraint(["form", "form_version"], ["quality_forms.code", "quality_forms.version"]),
)

#: What happened to a review (质检过程).
quality_history = Table(
    "quality_history",
    metadata,
    Column("review_id", BigInteger, ForeignKey("quality_reviews.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("event", Text, nullable=False),
    _required("note", Text, ""),
)

# --- calendars --------------------------------------------------------------------------------------------------------

#: Exceptions of opening hours and notices of legal working days: proposed by one person, decided by another.
calendar_changes = Table(
    "calendar_changes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    _required("place", Text, ""),
    Column("day", Date, nullable=False),
    Column("what", JSONB, nullable=False),
    _required("state", Text, "proposed"),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", Moment, nullable=False, server_default="now()"),
    Column("decided_by", Text),
    Column("decided_at", Moment),
)

#: Old numbers that are, or will be, part of 12345 (号码并入).
number_cutovers = Table(
    "number_cutovers",
    metadata,
    Column("number", Text, primary_key=True),
    Column("day", Date, nullable=False),
    Column("announced", Boolean, nullable=False),
    _required("reason", Text, ""),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False, server_default="now()"),
)

# --- staffing ---------------------------------------------------------------------------------------------------------

#: A day's roster (排班日): its draft's version, and the version that was published last.
roster_days = Table(
    "roster_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("published_version", Integer),
    Column("published_at", Moment),
    Column("published_by", Text),
)

#: Shifts (班次) by the day on which they begin: the draft's, and those that were published.
shifts = Table(
    "shifts",
    metadata,
    Column("day", Date, ForeignKey("roster_days.day"), primary_key=True),
    Column("published", Boolean, primary_key=True),
    Column("login", Text, primary_key=True),
    Column("starts_at", Moment, primary_key=True),
    Column("ends_at", Moment, nullable=False),
    Column("queue", Text),
)

#: Calls in a quarter of an hour that our ledger does not hold: made up for the demo, or answered by another exchange.
arrivals = Table(
    "arrivals",
    metadata,
    Column("slot_at", Moment, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("calls", Integer, nullable=False),
)

# --- announcements ----------------------------------------------------------------------------------------------------

#: What is told to everybody (公告、应急指引): on pages, at desks, to callers.
announcements = Table(
    "announcements",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("zh", Text, nullable=False),
    Column("en", Text, nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment),
    _required("prompt", Text, ""),
    Column("answers", JSONB, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False, server_default="now()"),
    Column("ended_by", Text),
    Column("ended_at", Moment),
)

#: Recordings of one's own; the code is made of the content.
own_prompts = Table(
    "own_prompts",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("sound_zh", LargeBinary, nullable=False),
    Column("sound_en", LargeBinary),
    Column("ms_zh", Integer, nullable=False),
    _required("ms_en", Integer, "0"),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False, server_default="now()"),
)

# --- experts ----------------------------------------------------------------------------------------------------------

#: The roster of experts (专家名册): classes of categories, none for all, and duty hours.
experts = Table(
    "experts",
    metadata,
    Column("login", Text, ForeignKey("users.login"), primary_key=True),
    Column("fields", ARRAY(Text), nullable=False),
    Column("hours", JSONB, nullable=False),
)

#: Questions to experts (专家咨询). `identity`: why the expert must know who called; NULL when that is not needed.
expert_questions = Table(
    "expert_questions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("call_id", Text, nullable=False, index=True),
    Column("category", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("identity", Text),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    _required("state", Text, "open"),
    Column("answer", Text),
    Column("answered_by", Text),
    Column("answered_at", Moment),
)

#: What is offered to the knowledge base (入库建议), until that takes it up.
knowledge_proposals = Table(
    "knowledge_proposals",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("question_id", Uuid, ForeignKey("expert_questions.id"), nullable=False, unique=True),
    Column("category", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    _required("state", Text, "proposed"),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False, server_default="now()"),
)

#: Limits of breaks (小休限制), version after version; who changed them and when. The newest holds.
break_rules = Table(
    "break_rules",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body", JSONB, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
)
