"""Processes that do not outlive us, and that come back when they die."""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1

LONGEST_PAUSE = 10.0
STEADY = 30.0  # a process that ran for so many seconds starts again at once


@dataclass
class Part:
    """One process of the call center.

    `death` is what the kernel sends it when we die without a word; `stop` is how it is asked to end, and after
    `patience` seconds it is killed. `log` gets what it prints; None leaves it on our own output.
    """

    name: str
    command: Sequence[str | Path]
    stop: signal.Signals = signal.SIGTERM
    death: signal.Signals = signal.SIGKILL
    patience: float = 1.5
    environment: Mapping[str, str] = field(default_factory=dict)
    privileges: Sequence[str] = ()  # more words for setpriv
    on_the_second: bool = False  # start again only as a second begins
    folder: Path | None = None
    log: Path | None = None
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it once. Raises OSError."""
        if self.process is not None and self.on_the_second:
            await asyncio.sleep(1 - time.time() % 1)
        output = None if self.log is None else os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            # A session of its own: Ctrl-C in the terminal is for us, who stop the parts in order.
            self.process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", self.death.name.removeprefix("SIG"), *self.privileges, "--"),
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        finally:
            if output is not None:
                os.close(output)

    async def keep(self, again: Callable[[], None]) -> None:
        """Start it again whenever it dies, and call `again`: at once, then more and more slowly if it keeps dying."""
        pause = 0.0
        while True:
            began = time.monotonic()
            assert self.process is not None, "started before it is kept"
            code = await self.process.wait()
            if time.monotonic() - began > STEADY:
                pause = 0.0
            print(f"{self.name} ended ({ending(code)}); starting it again in {pause:g} s", flush=True)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2 or 0.25)
            try:
                await self.start()
            except OSError as error:
                print(f"{self.name} cannot be started: {error.strerror}", flush=True)
                continue
            again()

    async def end(self) -> None:
        """Ask it to stop, kill it when it does not."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(self.stop)
        try:
            await asyncio.wait_for(self.process.wait(), self.patience)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):  # it may end while we give it up
                self.process.kill()
            await self.process.wait()

    @property
    def pid(self) -> int | None:
        return None if self.process is None or self.process.returncode is not None else self.process.pid

    def last_words(self) -> str:
        """The last line that it printed into its log."""
        try:
            lines = (
                [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()] if self.log else []
            )
        except OSError:
            lines = []
        return lines[-1].strip()[-500:] if lines else "it printed nothing"


def stop_with_parent() -> None:
    """Have the kernel stop us, as a SIGTERM would, when the process that started us ends in whatever way."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def remember(file: Path, parts: Sequence[Part]) -> None:
    """Write down which processes are ours, for `end_leftovers`."""
    file.write_text(json.dumps({str(part.pid): _born(part.pid) for part in parts if part.pid is not None}))


def end_leftovers(file: Path, patience: float = 3.0) -> None:
    """Wait for the processes of a parent that was killed, and kill those that do not end.

    A number is ours only when the process was born at the very tick that was written down.
    """
    try:
        ours = {int(pid): born for pid, born in json.loads(file.read_text()).items()}
    except (OSError, ValueError):
        return
    until = time.monotonic() + patience
    while left := [pid for pid, born in ours.items() if born is not None and _born(pid) == born]:
        if time.monotonic() > until:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    file.unlink(missing_ok=True)


def _born(pid: int) -> int | None:
    """The clock tick at which a process began; None when there is no such process, or only its zombie."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state == "Z" else int(fields[18])
