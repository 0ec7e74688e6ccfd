"""`callcenter simulate`, both ways: in seconds, and with real calls through an instance of its own."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from agents.arrivals import Citizens
from agents.erlang import seats_needed
from agents.service_level import Outcome
from agents.trial import Rules
from callcenter.simulate import phones, real, seconds
from callcenter.simulate.cli import Wanted, simulate
from callcenter.simulate.house import BadHouse, read
from callcenter.simulate.table import lines, of_calls

WANTED = Wanted(
    real=False,
    calls=600,
    agents=43,
    hours=3,
    days=0,
    goal=0.9,
    runs=2,
    minutes=0.4,
    compressed=1,
    talk=150,
    wrap_up=60,
    patience=120,
    redial=0.3,
    ring=0.5,
    missed=0,
    seed=1,
)


def _row(printed: str, name: str) -> list[str]:
    line = next(line for line in printed.splitlines() if line.startswith(name))
    return re.split(r"  +", line)[1:]


def test_in_seconds_ours_stands_beside_the_ideal_pool(capsys: pytest.CaptureFixture[str]) -> None:
    simulate(WANTED)
    printed = capsys.readouterr().out
    ours, ideal, erlang_c, erlang_a = (float(cell.rstrip("%")) for cell in _row(printed, "answered within 15 s"))
    assert ideal - 2 <= ours < ideal <= 100
    assert (round(erlang_c, 1), round(erlang_a, 1)) == (92.4, 96.0)
    assert "ours less the ideal pool: -" in printed
    simulate(WANTED)
    assert capsys.readouterr().out == printed, "the same seed draws the same callers"


def test_a_day_has_the_people_that_it_needs_hour_by_hour() -> None:
    load = seconds.days(1_500, 1, 0.9, Citizens())
    assert len(load.seats) == 96 and min(load.seats) >= 1
    assert max(load.seats) == seats_needed(max(load.expected) * 4, 210, 0.9)
    printed = list(seconds.simulate(load, Citizens(), Rules(), 1, 1))
    assert printed[0].split("  ")[-1].strip() == "Erlang A"


def test_what_splitting_costs_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """One pool, tiers with the guard, tiers without, a strict split: worse in this order, on the same callers."""
    simulate(replace(WANTED, house="demo", hours=2, runs=2))
    printed = capsys.readouterr().out
    ideal, guarded, pool, ours, widened, tiers, split = (
        float(cell.rstrip("%")) for cell in _row(printed, "answered within 15 s")
    )
    assert pool == pytest.approx(ideal, abs=2)
    assert guarded >= ours >= widened > tiers >= split
    assert min(pool, ours) > tiers + 1, "what splitting costs, and the guard gives back"
    assert [_row(printed, each)[0] for each in ("citizen", "elderly", "enterprise", "english")]
    assert re.search(r"Erlang C wants 4\d people for 90 % in one pool, 5\d in 3 queues of their own", printed)
    assert "s for a day in one way" in printed
    simulate(replace(WANTED, house="demo", days=1, calls=3_000, runs=1))
    assert "answered within 15 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "services"),
        ("services = [", "mine.toml"),
        ("services = [{code='a', share=0.5}]\npeople = [{number=1, levels={a=1}}]", "shares"),
        ("services = [{code='a', share=1}]\npeople = [{number=1, levels={b=1}}]", "nobody serves a"),
        ("services = [{code='a', share=1}]\npeople = [{number=1, levels={a=7}}]", "levels"),
        ("services = [{code='a', share=1}]\npeople = [{number=1, levels={a=1}, shift='8-16'}]", "shift"),
    ],
)
def test_a_file_that_is_no_house_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(BadHouse, match=words):
        read(str(file))


def test_the_table_leaves_out_what_nobody_knows() -> None:
    calls = [(15.0, Outcome.ANSWERED), (15.001, Outcome.ANSWERED), (3.0, Outcome.ABANDONED_QUEUE)]
    table = lines({"a": of_calls(calls, target=15), "b": of_calls([], target=15)}, target=15)
    assert table[2].split() == ["answered", "within", "15", "s,", "of", "all", "offered", "33.33%"]
    assert not any("occupancy" in line or "ringing" in line for line in table)


def test_how_long_a_free_seat_and_a_waiting_caller_are_apart() -> None:
    def call(queued: float, rung: float | None, over: float = 99.0) -> real.Seen:
        outcome = Outcome.ABANDONED_QUEUE if rung is None else Outcome.ANSWERED
        return real.Seen("1", queued, over, rung, outcome, True)

    ready = [(10.0, 10.6), (20.0, 25.0), (30.0, 33.0), (30.2, 31.0), (50.0, 60.0)]
    # At 20 nobody waits; at 30.2 a seat is free already for the one who does; who waits at 50 gives up.
    seen = [call(5, 10.6), call(25, 25), call(29, 31), call(49, None, 51), call(60, 60)]
    assert real.wanted(seen, ready) == pytest.approx([0.6, 1.0])
    # Two wait for two seats: each ring is counted for one of them.
    assert real.wanted([call(1, 10.9), call(2, 10.7)], [(10, 10.9), (10.1, 10.7)]) == pytest.approx([0.7, 0.8])


def test_no_sip_is_refused_and_a_proof_is_as_the_standard_has_it() -> None:
    for junk in (b"", b"\x00\xff", b"GET / HTTP/1.1\r\n\r\n"):
        with pytest.raises(ValueError, match="no SIP"):
            phones.Message.parse(junk)
    told = phones.Message.parse(
        b"SIP/2.0 200 OK\r\nVia: a\r\nVia: b\r\nCSeq: 2 INVITE\r\n\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n"
    )
    assert (told.status, told.method, told.all("via"), told.voice) == (200, "INVITE", ["a", "b"], ("127.0.0.1", 4000))
    assert phones.user_of('"x" <sip:139@host>;tag=1') == "139"


@pytest.mark.long
async def test_real_calls_through_a_real_asterisk() -> None:
    """Three agents, calls as they come, all of them in the ledger, each once, as the phones did."""
    setting = real.Setting(
        calls=120,
        agents=3,
        seconds=4,
        compressed=30,
        ring=0.3,
        seed=3,
        citizens=replace(Citizens(), talk=90.0, wrap_up=20.0, patience=None, longest_talk=120.0),
        key="1",
    )
    drawn = setting.drawn()
    assert len(drawn) >= 3
    printed = "\n".join([line async for line in real.simulate(setting)])
    assert "every agent has every skill" in printed
    offered = _row(printed, "offered calls")
    assert [int(each) for each in offered] == [len(drawn)] * 3
    assert _row(printed, "answered   ")[:3] == ["100.00%"] * 3
    halfway = float(_row(printed, "wait of the answered")[0].split(" / ")[0])
    assert 0.2 < halfway < 10


def test_a_run_follows_the_day_that_it_begins_in() -> None:
    flat = real.Setting(600, 43, 120, 1, 0.5, 1, Citizens())
    assert flat.expected == [pytest.approx(20)]
    morning = replace(flat, calls=10_000, start=8.75 * 3600, compressed=30)  # an hour in two minutes
    assert morning.expected == pytest.approx([10_000 * 1.12 * share / 4 for share in (0.062, 0.098, 0.098, 0.098)])
    drawn = [len(replace(morning, seed=seed).drawn()) for seed in range(20)]
    assert sum(drawn) / 20 == pytest.approx(sum(morning.expected), rel=0.05)
