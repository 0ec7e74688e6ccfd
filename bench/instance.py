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
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession, CookieJar

SIP: Final = Path(__file__).parent / "sip"
#: The demo city has seats of its own; those of the benchmark follow.
FIRST_SEAT: Final = 2001
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
async def running() -> AsyncIterator[Instance]:
    """Start an instance, and end it. No wrap-up: seats are ready again at once."""
    folder = Path(tempfile.mkdtemp(prefix="callcenter-bench-"))
    folder.chmod(0o755)  # Postgres runs under an account of its own when we are root
    file = folder / "ready.json"
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "callcenter.cli", "up", "--demo", "--home", folder / "home", "--ready-file", file],
            env={**os.environ, "CALLCENTER_WRAP_UP_SECONDS": "0"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(90):
            while not file.exists():
                if process.poll() is not None:
                    raise SystemExit((folder / "up.log").read_text())
                await asyncio.sleep(0.1)
        yield Instance(folder / "home", json.loads(file.read_text()))
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 20)
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
        await asyncio.sleep(3)  # in which Asterisk asks each phone whether it is there
        for desk in desks:
            await _ask(desk.session, "POST", "/api/v1/desk/ready")
        async with asyncio.timeout(15):
            while (await instance.metrics())['callcenter_seats{state="ready"}'] < agents:
                await asyncio.sleep(0.5)
        yield desks


async def calls(instance: Instance, rate: float, number: int) -> list[dict[str, str]]:
    """Have so many citizens call, `rate` a second whatever becomes of the earlier ones; SIPp's last statistics."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "numbers.csv"
        file.write_text("SEQUENTIAL\n" + "".join(f"139{n:08d};\n" for n in range(number)))
        words = ["-inf", str(file), "-r", f"{rate:g}", "-m", str(number), "-l", "1000", "-timeout", "900"]
        words += ["-trace_stat", "-stf", str(folder / "stat.csv"), "-fd", "10"]
        process = await asyncio.create_subprocess_exec(
            *_sipp(instance, "citizen.xml", free_port(), *words),
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
        words = ["-inf", str(file), "-m", str(len(accounts)), "-r", "50", "-timeout", "5", "-recv_timeout", "2000"]
        for _ in range(6):  # a seat that was made a moment ago is not known to Asterisk yet
            done = subprocess.run(_sipp(instance, "register.xml", port, *words), capture_output=True)
            if done.returncode == 0:
                break
            time.sleep(2)
        else:
            raise SystemExit(f"the phones cannot register: SIPp ended with {done.returncode}")
    answering = subprocess.Popen(
        _sipp(instance, "agent.xml", port, "-l", "2000"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        answering.kill()
        answering.wait()


def _sipp(instance: Instance, scenario: str, port: int, *words: str) -> list[str]:
    place = ["-i", "127.0.0.1", "-p", str(port), "-mi", "127.0.0.1", "-nostdin"]
    return ["sipp", instance.told["sip"], "-sf", str(SIP / scenario), *place, *words]


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
