"""What Asterisk's words mean: each recorded event to one typed fact; what lacks something is refused, never guessed."""

from datetime import UTC, datetime, timedelta

import pytest
from exchange import NODE, SYSTEM_NAME
from hypothesis import given, settings
from hypothesis import strategies as st
from stories import AUTHENTIC, READER, STORIES, facts_of, traffic

from agents.queues import POOL
from agents.seats import BREAKS, NOT_READY, UNREACHABLE, WRAP_UP, Phone
from callcenter.asterisk import actions, facts
from callcenter.asterisk.actions import BadAction, checked
from callcenter.asterisk.facts import NotAFact, Reader, device_reachable, is_citizen, moment, phone_of
from dialplan import names

EVENTS = [
    fields
    for story in STORIES
    for frame in traffic(story).split(b"\r\n\r\n")[:-1]
    if (fields := AUTHENTIC.event(frame)) is not None
]


def kinds(story: str) -> list[str]:
    return [type(fact).__name__ for fact in facts_of([traffic(story)])]


def test_an_answered_call_told_in_facts() -> None:
    told = kinds("answered")
    assert told[:3] == ["Seated"] * 3  # a member of three queues
    calls = [kind for kind in told if kind not in {"Seated", "Unseated", "Paused", "Reached"}]
    assert calls == ["Arrived", "Queued", "Rang", "PickedUp", "TalkOver", "HungUp", "HungUp"]
    pauses = [fact.reason for fact in facts_of([traffic("answered")]) if isinstance(fact, facts.Paused)]
    assert list(dict.fromkeys(pauses)) == [None, "WRAPUP"]


def test_who_ended_a_talk_is_told_without_the_phones_channel_when_that_is_gone() -> None:
    whole = traffic("answered")
    frames = whole.split(b"\r\n\r\n")
    (n,) = (n for n, frame in enumerate(frames) if b"Event: AgentComplete" in frame)
    frames[n] = b"\r\n".join(line for line in frames[n].split(b"\r\n") if not line.startswith(b"Dest"))
    for told, gone in ((whole, False), (b"\r\n\r\n".join(frames), True)):
        (over,) = (fact for fact in facts_of([told]) if isinstance(fact, facts.TalkOver))
        assert over.by is not None and (over.channel == "") is gone


def test_a_hold_is_told() -> None:
    held = [fact.held for fact in facts_of([traffic("held_and_resumed")]) if isinstance(fact, facts.Held)]
    assert held == [True, False]


def test_the_menu_choice_and_the_queues_answer_are_said_not_inferred() -> None:
    (chose,) = (fact for fact in facts_of([traffic("english_chosen")]) if isinstance(fact, facts.Chose))
    assert (chose.menu, chose.language) == ("english", "en")
    for story, status in (("queue_timed_out", "TIMEOUT"), ("nobody_on_duty", "JOINEMPTY")):
        (left,) = (fact for fact in facts_of([traffic(story)]) if isinstance(fact, facts.Left))
        assert left.status == status


def test_names_and_numbers_arrive_as_they_were_sent() -> None:
    def arrived(story: str) -> facts.Arrived:
        (fact,) = (fact for fact in facts_of([traffic(story)]) if isinstance(fact, facts.Arrived))
        return fact

    assert arrived("chinese_name").name.startswith("深圳市民张三丰先生与欧阳女士共同来电反映小区")
    assert "\ufffd" not in arrived("chinese_name").name
    assert (arrived("no_number").number, arrived("no_number").name) == ("", "Anonymous")
    assert (arrived("parallel_number").dialed, arrived("parallel_number").service) == ("12315", "consumer")


def test_every_event_that_comes_is_one_that_we_asked_for() -> None:
    """The filters of manager.conf (telephony.md B9): nothing else is sent at all."""
    assert {event["Event"] for event in EVENTS} <= {*names.HEARD, "DialBegin", "DeviceStateChange"}
    assert {event["Context"] for event in EVENTS if event["Event"] == "DialBegin"} == {names.DIRECT_CONTEXT}


def test_every_event_has_microseconds_of_asterisks_own_clock() -> None:
    """telephony.md B10."""
    stamps = [event["Timestamp"] for event in EVENTS]
    assert all(len(stamp.partition(".")[2]) == 6 for stamp in stamps)
    assert len({stamp.partition(".")[2] for stamp in stamps}) > len(stamps) // 2


def test_the_phones_device_is_reachable_or_not() -> None:
    reached = [f.reachable for f in facts_of([traffic("phone_lost_while_ready")]) if isinstance(f, facts.Reached)]
    assert reached[-2:] == [False, True]
    assert not device_reachable("UNAVAILABLE")
    assert device_reachable("BUSY")


# --- what lacks something ---------------------------------------------------------------------------------------------


def test_an_event_that_lacks_a_header_is_refused_and_never_half_read() -> None:
    refused = 0
    for event in EVENTS:
        whole = READER.fact(event)
        for missing in event.keys() - {"Event"}:
            try:
                fact = READER.fact({name: value for name, value in event.items() if name != missing})
            except NotAFact:
                refused += 1
            else:
                # No harm done by what we do not read; and a DialEnd or AgentComplete that lacks one of its channels is
                # of a call that has just ended.
                rest = whole._replace(channel="") if isinstance(whole, facts.TalkOver) else None
                assert fact in (whole, None) or (fact == rest and missing == "DestChannel"), (event["Event"], missing)
    assert refused > len(EVENTS)


@settings(max_examples=300, deadline=None)
@given(event=st.sampled_from(EVENTS), data=st.data())
def test_a_header_with_anything_in_it_gives_a_fact_or_a_refusal(event: dict[str, str], data: st.DataObject) -> None:
    header = data.draw(st.sampled_from(sorted(event.keys() - {"Event"})))
    value = data.draw(st.text(max_size=40) | st.sampled_from(["", "9" * 400, "-1", "1.", ".", "nan", "1e9"]))
    try:
        fact = READER.fact({**event, header: value})
    except NotAFact:
        return
    assert fact is None or fact.at.tzinfo is not None


def test_a_foreign_unique_id_is_refused() -> None:
    with pytest.raises(NotAFact):
        READER.call_id("other-1795332390.1")
    with pytest.raises(NotAFact):
        READER.call_id("1795332390.1")
    assert READER.uniqueid(READER.call_id(f"{SYSTEM_NAME}-1795332390.1")) == f"{SYSTEM_NAME}-1795332390.1"
    assert Reader("n2", "x").call_id("x-1.2") == "n2-1.2"


def test_a_payload_of_the_dialplan_that_lacks_something_is_refused() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)

    def said(word: str, payload: str) -> object:
        return READER.said(word, payload, at, f"{SYSTEM_NAME}-1.1", "PJSIP/trunk-00000001")

    for word, payload in (
        (names.ARRIVED, "number=1&name=&dialed=12345"),
        (names.CHOSE, "menu=english"),
        (names.QUEUED, ""),
        (names.LEFT, "state=TIMEOUT"),
        (names.REFUSED, "full"),
    ):
        with pytest.raises(NotAFact):
            said(word, payload)
    assert said("SomebodyElse", "x=y") is None


# --- small words ------------------------------------------------------------------------------------------------------


def test_a_moment_is_exact_to_the_microsecond() -> None:
    assert moment("1795332391.236564") - moment("1795332391.236563") == timedelta(microseconds=1)
    assert moment("1795332391") == datetime.fromtimestamp(1795332391, UTC)
    assert moment("1795332391.2").microsecond == 200_000
    for wrong in ("", "x", "1.x", "99999999999999999999", "-"):
        with pytest.raises(NotAFact):
            moment(wrong)


def test_whose_channel_it_is() -> None:
    assert phone_of("PJSIP/1001") == ("1001", Phone.DESK)
    assert phone_of("PJSIP/1001w-0000002a") == ("1001", Phone.BROWSER)
    for other in ("PJSIP/trunk-00000001", "Local/1001@x-1", "PJSIP/1001-xyz", "Queue:citizen", "PJSIP/1001w2", ""):
        assert phone_of(other) is None
    assert is_citizen("PJSIP/trunk-00000001")
    assert is_citizen("PJSIP/try-0000000f")
    assert is_citizen("Local/13800000001@dialled-0000000f;1")
    for other in (
        "PJSIP/1001-00000001",
        "PJSIP/trunk",
        "PJSIP/trunks-00000001",
        "Local/s@ask-1;1",
        "Local/1@dialled-1;2",
    ):
        assert not is_citizen(other)


def test_node_and_system_name_are_two_things() -> None:
    assert NODE != SYSTEM_NAME


# --- actions ----------------------------------------------------------------------------------------------------------


@settings(max_examples=500, deadline=None)
@given(
    name=st.text(min_size=1, max_size=12),
    value=st.text(max_size=200) | st.text(alphabet="a\r\n\0\x85\u2028: ;", max_size=30),
)
def test_no_value_becomes_a_second_line(name: str, value: str) -> None:
    """telephony.md A2, reliability.md S2: a bare LF ends a line for Asterisk too."""
    try:
        action = checked({"Action": "QueuePause", name: value})
    except BadAction:
        assert any(c in name + value for c in "\r\n\0") or ":" in name
        return
    wire = "\r\n".join(f"{key}: {text}" for key, text in action.items())
    assert wire.count("\r") == wire.count("\n") == len(action) - 1
    assert "\0" not in wire


def test_long_and_many_headers_are_refused_by_their_bytes() -> None:
    """telephony.md B8: a line of more than 1,024 bytes, or more than 128 headers."""
    assert checked({"Action": "QueuePause", "Reason": "午" * 300})
    with pytest.raises(BadAction, match="longer"):
        checked({"Action": "QueuePause", "Reason": "午" * 400})
    with pytest.raises(BadAction, match="headers"):
        checked({f"Header{n}": "x" for n in range(101)})
    with pytest.raises(BadAction):
        checked({"Action": "X", "Reason": "\ud800" * 400})


def test_every_reason_for_a_pause_outlives_app_queues_own_file() -> None:
    """telephony.md B15: `;` divides members in Asterisk's database; a comma divides names."""
    for code in (*BREAKS, NOT_READY, UNREACHABLE, WRAP_UP):
        assert code.isascii()
        assert code.isalpha()
        assert len(code) <= 32
    assert all(queue.isalnum() for queue in POOL)


def test_the_orders_that_we_give() -> None:
    assert actions.pause("1001", Phone.BROWSER, None) == {
        "Action": "QueuePause",
        "Interface": "PJSIP/1001w",
        "Paused": "false",
    }
    assert actions.pause("1001", Phone.DESK, "MEAL")["Reason"] == "MEAL"
    seat = actions.seat("1001", Phone.DESK, "li.mei", "citizen", "NOTREADY")
    assert (seat["Paused"], seat["StateInterface"], seat["Interface"]) == ("true", "PJSIP/1001", "PJSIP/1001")
    assert (seat["Penalty"], actions.seat("1001", Phone.DESK, "li.mei", "citizen", None, 2)["Penalty"]) == ("0", "2")
    assert actions.unseat("1001", Phone.DESK, "citizen")["Action"] == "QueueRemove"
    assert actions.hang_up("PJSIP/1001-1")["Cause"] == "16"
