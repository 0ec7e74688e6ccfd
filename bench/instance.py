"""A whole instance by `callcenter up`, its agents at their desks, and the citizens who call. Phones are SIPp."""

import asyncio
import csv
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession, CookieJar

from callcenter.asterisk import actions
from dialplan import names

SIP: Final = Path(__file__).parent / "sip"
#: The demo city has seats of its own; those of the benchmark follow.
FIRST_SEAT: Final = 2001
#: What a citizen says: one second of a hum of 400 Hz, in u-law.
_SOUND: Final = (b"\x90" * 10 + b"\x10" * 10) * 400
TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class Desk:
    """An agent who is logged in."""

    login: str
    seat: str
    session: ClientSession


@dataclass
class Instance:
    """What runs. `told` is the ready file."""

    home: Path
    told: dict[str, Any]

    @property
    def http(self) -> str:
        return str(self.told["http"])

    def cpu(self, part: str) -> float:
        """Processor seconds that a part has used, with its children, ended and living."""
        pid = self.told["pids"][part]
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return _cpu(pid, ended_children=True) + sum(_cpu(int(child)) for child in children)

    def resident(self, part: str) -> float:
        """Resident memory of a part in MB."""
        status = Path(f"/proc/{self.told['pids'][part]}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def kept(self, name: str) -> str:
        """A secret that was chosen once for this home."""
        return str(json.loads((self.home / "instance.json").read_text())[name])

    async def metrics(self) -> dict[str, float]:
        """What /metrics says: sample with labels -> value."""
        async with ClientSession() as session, session.get(f"{self.http}/metrics") as answer:
            lines = [line.rpartition(" ") for line in (await answer.text()).splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}


def _cpu(pid: int, *, ended_children: bool = False) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11 : 15 if ended_children else 13])) / TICK


@asynccontextmanager
async def running(home: Path | None = None, patience: float = 90) -> AsyncIterator[Instance]:
    """Start an instance, and end it. No wrap-up: seats are ready again at once. `home`: one that is kept.

    `patience`: seconds within which it must be ready; a new release may have an index to make.
    """
    folder = Path(tempfile.mkdtemp(prefix="callcenter-bench-"))
    folder.chmod(0o755)  # Postgres runs under an account of its own when we are root
    file, home = folder / "ready.json", home or folder / "home"
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "callcenter.cli",
                "up",
                "--demo",
                "--with-parent",
                "--home",
                home,
                "--ready-file",
                file,
            ],
            env={**os.environ, "CALLCENTER_WRAP_UP_SECONDS": "0", "CALLCENTER_SURVEY": "false"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(patience):
            while not file.exists():
                if process.poll() is not None:
                    raise SystemExit((folder / "up.log").read_text())
                await asyncio.sleep(0.1)
        yield Instance(home, json.loads(file.read_text()))
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 120)
        shutil.rmtree(folder)


@asynccontextmanager
async def staffed(instance: Instance, agents: int) -> AsyncIterator[list[Desk]]:
    """So many new agents, each logged in, with a phone that answers, ready."""
    password = secrets.token_urlsafe(12)
    admin = next(account for account in instance.told["demo_accounts"] if account["role"] == "admin")
    async with AsyncExitStack() as stack:
        boss = await session(stack, instance, admin["login"], admin["password"])
        desks, phones = [], []
        for n in range(agents):
            login, seat = f"bench{n}", str(FIRST_SEAT + n)
            person = {
                "login": login,
                "name_zh": "座席",
                "name_en": "Agent",
                "roles": ["operator"],
                "password": password,
            }
            await _ask(boss, "POST", "/api/v1/users", person)
            await _ask(boss, "POST", "/api/v1/seats", {"number": seat})
            secret = (await _ask(boss, "POST", f"/api/v1/seats/{seat}/secret"))["secret"]
            phones.append((seat, secret))
            desks.append(Desk(login, seat, await session(stack, instance, login, password)))
        stack.enter_context(_phones(instance, phones))
        for desk in desks:
            await _ask(desk.session, "POST", "/api/v1/desk/seat", {"number": desk.seat, "phone": "desk"})
        async with asyncio.timeout(30 + agents / 5):
            # Asterisk asks each phone whether it is there, one after the other.
            while (await instance.metrics()).get('callcenter_seats{state="unreachable"}', 0):
                await asyncio.sleep(0.5)
            for desk in desks:
                await _ask(desk.session, "POST", "/api/v1/desk/ready")
            while (await instance.metrics())['callcenter_seats{state="ready"}'] < agents:
                await asyncio.sleep(0.5)
        yield desks


async def calls(
    instance: Instance,
    rate: float,
    number: int,
    *,
    key: str = "2",
    stay: float = 4.0,
    prefix: str = "139",
    silent: bool = False,
) -> list[dict[str, str]]:
    """Have so many citizens call, `rate` a second whatever becomes of the earlier ones; SIPp's last statistics.

    Args:
        key: which they press in the greeting.
        stay: seconds from then until they hang up.
        prefix: three digits with which their numbers begin.
        silent: they send no sound.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "numbers.csv"
        file.write_text("SEQUENTIAL\n" + "".join(f"{prefix}{n:08d};\n" for n in range(number)))
        scenario = folder / "citizen.xml"
        text = (SIP / "citizen.xml").read_text()
        text = text.replace('play_dtmf="2"', f'play_dtmf="{key}"').replace('"3100"', f'"{stay * 1000 - 900:.0f}"')
        text = (
            text.replace('<nop><action><exec rtp_stream="SOUND,-1,8,PCMA/8000"/></action></nop>', "")
            if silent
            else text
        )
        (folder / "sound.raw").write_bytes(_SOUND)
        scenario.write_text(text.replace("SOUND", str(folder / "sound.raw")))
        words = ["-inf", str(file), "-r", f"{rate:g}", "-m", str(number), "-l", "1000", "-timeout", "900"]
        words += ["-trace_stat", "-stf", str(folder / "stat.csv"), "-fd", "10"]
        process = await asyncio.create_subprocess_exec(
            *_sipp(instance, scenario, free_port(), *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
        with (folder / "stat.csv").open() as stat:
            return list(csv.DictReader(stat, delimiter=";"))


@asynccontextmanager
async def manager(instance: Instance) -> AsyncIterator[Callable[[Mapping[str, str]], Awaitable[None]]]:
    """Act by Asterisk's manager, as the service does. What is yielded sends one action and waits for its answer."""
    host, _, port = instance.told["ami"].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))

    async def ask(action: Mapping[str, str]) -> None:
        writer.write("".join(f"{name}: {value}\r\n" for name, value in action.items()).encode() + b"\r\n")
        answer = await reader.readuntil(b"\r\n\r\n")
        if b"Response: Success" not in answer:
            raise SystemExit(f"{action['Action']}: {answer.decode()}")

    try:
        await reader.readline()
        await ask(actions.login(names.ACTIONS_USER, instance.kept("ami_actions_secret"), events=False))
        yield ask
    finally:
        writer.close()


def free_port() -> int:
    """A port that nobody uses for UDP at this moment."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _phones(instance: Instance, accounts: list[tuple[str, str]]) -> Iterator[None]:
    """Register the seats' phones, then answer at the same port: Asterisk calls back to where a REGISTER came from."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seats.csv"
        lines = [f"{seat};[authentication username={seat} password={secret}];{port}\n" for seat, secret in accounts]
        file.write_text("SEQUENTIAL\n" + "".join(lines))
        words = ["-inf", str(file), "-m", str(len(accounts)), "-r", "50", "-recv_timeout", "2000"]
        words += ["-timeout", str(5 + len(accounts) // 25)]
        for _ in range(6):  # a seat that was made a moment ago is not known to Asterisk yet
            done = subprocess.run(_sipp(instance, SIP / "register.xml", port, *words), capture_output=True)
            if done.returncode == 0:
                break
            time.sleep(2)
        else:
            raise SystemExit(f"the phones cannot register: SIPp ended with {done.returncode}")
    answering = subprocess.Popen(
        _sipp(instance, SIP / "agent.xml", port, "-l", "2000", "-rtp_echo"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        answering.kill()
        answering.wait()


def _sipp(instance: Instance, scenario: Path, port: int, *words: str) -> list[str]:
    place = ["-i", "127.0.0.1", "-p", str(port), "-mi", "127.0.0.1", "-nostdin"]
    # Who calls is not measured and shares the machine: it gives way.
    return ["nice", "-n", "5", "sipp", instance.told["sip"], "-sf", str(scenario), *place, *words]


async def session(stack: AsyncExitStack, instance: Instance, login: str, password: str) -> ClientSession:
    opened = ClientSession(instance.http, cookie_jar=CookieJar(unsafe=True), headers={"X-Callcenter": "1"})
    await stack.enter_async_context(opened)
    await _ask(opened, "POST", "/api/v1/session", {"login": login, "password": password})
    return opened


async def _ask(session: ClientSession, method: str, path: str, body: Any = None) -> Any:
    async with session.request(method, path, json=body) as answer:
        text = await answer.text()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {text}")
        return json.loads(text) if text else None
