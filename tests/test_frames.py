"""Bytes to frames to facts: however the network cuts them, whatever a caller writes into them."""

from itertools import pairwise

import pytest
from exchange import NODE, SYSTEM_NAME
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stories import AUTHENTIC, READER, RECORDINGS, STORIES, facts_of, told, traffic

from callcenter.asterisk.facts import Arrived, HungUp, Seated
from callcenter.asterisk.frames import MAX_FRAME, Authentic, Forged, FrameTooLong, Splitter, parse

UNFILTERED = (RECORDINGS / "forged_event_unfiltered.ami").read_bytes()


def frames_of(data: bytes, cuts: list[int]) -> list[bytes]:
    splitter, frames = Splitter(), []
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        frames += splitter.feed(data[start:end])
    return frames


@pytest.mark.parametrize("story", STORIES)
def test_a_story_one_byte_at_a_time_tells_the_same(story: str) -> None:
    whole = traffic(story)
    bytewise = facts_of(whole[n : n + 1] for n in range(len(whole)))
    assert bytewise == facts_of([whole])
    assert bytewise
    one, other = told(bytewise), told(facts_of([whole]))
    assert one.names == other.names
    assert one.ended == other.ended
    assert one.rows == other.rows
    assert one.floor == other.floor


@settings(max_examples=100, deadline=None)
@given(story=st.sampled_from(STORIES), cuts=st.lists(st.integers(0, 20_000), max_size=40))
def test_a_story_cut_anywhere_gives_the_same_frames(story: str, cuts: list[int]) -> None:
    assert frames_of(traffic(story), cuts) == traffic(story).split(b"\r\n\r\n")[:-1]


def test_a_chinese_character_cut_in_two_arrives_whole() -> None:
    """telephony.md A1: panoramisk decodes each piece alone, and 张三 arrived as 三."""
    head = f"Event: UserEvent\r\nPrivilege: user,all\r\nTimestamp: 1.5\r\nSystemName: {SYSTEM_NAME}\r\n"
    frame = (head + "Name: 张三").encode()
    for cut in range(len(frame)):
        (got,) = frames_of(frame + b"\r\n\r\n", [cut])
        fields = AUTHENTIC.event(got)
        assert fields is not None
        assert fields["Name"] == "张三"


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=8))
@example(data=b"\r\n\r\n\r\n\r\n", cuts=[1, 2, 3])
@example(data=b"Event: X\r\n\r\n\xe5\xbc", cuts=[10])
def test_no_bytes_at_all_raise_and_no_cut_matters(data: bytes, cuts: list[int]) -> None:
    frames = frames_of(data, cuts)
    assert frames == data.split(b"\r\n\r\n")[:-1]
    for frame in frames:
        parse(frame)
        assert AUTHENTIC.event(frame) is None, "random bytes do not know the system name"


def test_a_frame_without_end_is_refused_before_it_fills_the_memory() -> None:
    splitter = Splitter()
    splitter.feed(b"x" * MAX_FRAME)
    with pytest.raises(FrameTooLong):
        splitter.feed(b"x")
    with pytest.raises(FrameTooLong):
        Splitter().feed(b"x" * 10_000_000)


def test_an_empty_system_name_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        Authentic("")


# --- forged -----------------------------------------------------------------------------------------------------------


def test_the_recorded_forgery_is_told_from_the_real_events() -> None:
    """All events, unfiltered, of a call whose number ends one event and begins `Event: Shutdown` (platform.md)."""
    frames = UNFILTERED.split(b"\r\n\r\n")[:-1]
    forged = [frame for frame in frames if frame.startswith(b"Event: Shutdown")]
    assert len(forged) >= 3, "Asterisk still prints the caller's number raw"
    assert all(AUTHENTIC.event(frame) is None for frame in forged)
    # What is left of the event that was cut in two by it begins as the real one does, and lacks what follows.
    real = [fields for frame in frames if (fields := AUTHENTIC.event(frame)) is not None]
    assert len(real) > len(frames) // 2
    assert not any("Fake" in fields for fields in real)


def test_filtered_the_forger_is_a_caller_like_any_other() -> None:
    assert b"Shutdown" not in traffic("forged_event")
    facts = facts_of([traffic("forged_event")])
    assert [fact.number for fact in facts if isinstance(fact, Arrived)] == ["1381"]  # what digits there were
    assert sum(isinstance(fact, HungUp) and fact.call is not None for fact in facts) == 1


AUTHENTIC_EVENT = (
    f"Event: Hangup\r\nPrivilege: call,all\r\nTimestamp: 1795332390.7\r\nSystemName: {SYSTEM_NAME}\r\n"
    f"Channel: PJSIP/trunk-00000001\r\nCallerIDNum: %s\r\nUniqueid: {SYSTEM_NAME}-1795332390.1"
)


@pytest.mark.parametrize("number", ["138\r\nUniqueid: x", "138\r\nChannel: PJSIP/1-00000002", "138\r\nEvent: Shutdown"])
def test_a_single_line_end_in_a_value_makes_the_frame_forged(number: str) -> None:
    one, other = (AUTHENTIC.event((AUTHENTIC_EVENT % each).encode()) for each in ("138", number))
    assert one is not None
    assert other is not None
    assert READER.fact(one) is not None
    with pytest.raises(Forged):
        READER.fact(other)


@pytest.mark.parametrize("number", [f"138\r\nSystemName: {SYSTEM_NAME}", "138\r\nno colon", "138\r\nFake: 1"])
def test_a_line_that_nobody_reads_changes_no_fact(number: str) -> None:
    one, other = (AUTHENTIC.event((AUTHENTIC_EVENT % each).encode()) for each in ("138", number))
    assert one is not None
    assert other is not None
    assert READER.fact(other) == READER.fact(one)


@pytest.mark.parametrize(
    "frame",
    [
        "Event: Shutdown\r\nFake: 1",
        "Event: Hangup\r\nPrivilege: call,all\r\nTimestamp: 1.0\r\nSystemName: guess\r\nX: y",
        f"Event: Hangup\r\nPrivilege: call,all\r\nSystemName: {SYSTEM_NAME}\r\nTimestamp: 1.0\r\nX: y",
        f"Event: Hangup\r\nPrivilege: call,all\r\nTimestamp: 1.0\r\nSystemName: {SYSTEM_NAME}x\r\nX: y",
        f" Event: Hangup\r\nPrivilege: call,all\r\nTimestamp: 1.0\r\nSystemName: {SYSTEM_NAME}\r\nX: y",
        "",
    ],
)
def test_only_the_right_name_at_the_right_place_counts(frame: str) -> None:
    assert AUTHENTIC.event(frame.encode()) is None


def test_no_secret_leaves_in_an_id() -> None:
    """Ids carry the node's name, or a screen would show callers the way to forge."""
    for story in STORIES:
        for fact in facts_of([traffic(story)]):
            call = getattr(fact, "call", None)
            assert call is None or call.startswith(f"{NODE}-1")
            assert SYSTEM_NAME not in repr(fact)
            assert not isinstance(fact, Seated) or fact.login in {"li.mei", "wang.fang"}
