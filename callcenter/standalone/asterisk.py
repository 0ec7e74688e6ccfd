"""Asterisk: which one, how it is run, and how new seats reach it while it runs."""

import asyncio
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import dialplan
from callcenter.asterisk import actions
from callcenter.settings import Settings
from callcenter.standalone import CannotStart, debian
from callcenter.standalone.private import write
from callcenter.standalone.processes import Part
from dialplan import names
from dialplan.announced import announced_conf
from dialplan.instance import Instance, files, first_seats, links

OLDEST = (20,)
OLDEST_UNPACKED = (22, 10, 1)  # mends the June 2026 vulnerabilities and a deadlock under manager load
LOOK = 0.5  # seconds between two looks at the files that the service writes
#: A file that the service writes -> what has Asterisk read it again. Rules come before the dialplan that names them.
RELOADS = {
    names.SEATS_FILE: "module reload res_pjsip.so",
    names.QUEUES_FILE: "queue reload parameters",
    names.GUARD_FILE: "queue reload rules",
    names.ROUTING_FILE: "dialplan reload",
}
PROBE = 2.0  # seconds that an answer may take
PROBE_EVERY = 2.0
LONGEST_BOOT = 90.0
HUNG = "asterisk-hung"  # below home: how often one that hung was killed
LONGEST_HOME = 90  # bytes: a unix socket's address has room for 107


@dataclass(frozen=True, slots=True)
class Copy:
    """An Asterisk on this machine: `loader` goes before the program when it is an unpacked one."""

    version: tuple[int, ...]
    program: Path
    modules: Path
    data: Path
    loader: tuple[str, ...] = ()


def conf() -> Path:
    """The folder asterisk-conf/: inside the installed package, or beside the sources."""
    inside = Path(__file__).parent.parent / "asterisk-conf"
    return inside if inside.exists() else Path(dialplan.__file__).parent.parent / "asterisk-conf"


def find(settings: Settings) -> Copy | None:
    """The Asterisk to use: the setting's, that on PATH, or an unpacked copy. None: there is none yet.

    Raises CannotStart when one is named or installed but too old.
    """
    named = (
        settings.asterisk_bin or shutil.which("asterisk") or shutil.which("asterisk", path="/usr/sbin:/usr/local/sbin")
    )
    if named is not None:
        return _installed(Path(named))
    copies = [_unpacked(folder) for folder in cache().glob("asterisk-[0-9]*")]
    return max(
        (copy for copy in copies if copy.version >= OLDEST_UNPACKED), key=lambda copy: copy.version, default=None
    )


def fetch(settings: Settings) -> Copy:
    """`find`, and when there is none unpack one from Debian. Raises CannotStart."""
    copy = find(settings) or _unpacked(debian.unpack(cache(), settings.debian_mirror))
    if copy.loader:
        if copy.version < OLDEST_UNPACKED:
            raise CannotStart(
                f"the Debian mirror has Asterisk {_dotted(copy.version)}, needed is {_dotted(OLDEST_UNPACKED)}:"
                " set CALLCENTER_DEBIAN_MIRROR to a newer one, or CALLCENTER_ASTERISK_BIN"
            )
        _check(copy)
    return copy


def cache() -> Path:
    """Where unpacked copies are kept, one for all projects of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callcenter"


def lay_out(instance: Instance) -> None:
    """Write Asterisk's configuration and make its folders, readable by us alone. Raises OSError, CannotStart."""
    if len(os.fsencode(instance.home)) > LONGEST_HOME:
        raise CannotStart(
            f"{instance.home} is too long a path for Asterisk's socket: set CALLCENTER_HOME to a shorter one"
        )
    for name in ("etc", "lib/keys", "db", "spool", "run", "log", "log/cel-custom"):
        (instance.home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, target in links(instance).items():
        link = instance.home / name
        link.parent.mkdir(mode=0o700, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    etc = instance.home / "etc"
    for shared in sorted(conf().glob("*.conf")):
        # What the service has written stays: it may not be there to write it again.
        if shared.name not in RELOADS or not (etc / shared.name).exists():
            write(etc / shared.name, shared.read_text(encoding="utf-8"))
    for name, text in files(instance).items():
        write(etc / name, text)
    for name, text in {names.SEATS_FILE: first_seats(), names.ANNOUNCED_FILE: announced_conf({})}.items():
        if not (etc / name).exists():
            write(etc / name, text)


def part(copy: Copy, instance: Instance, log: Path | None = None) -> Part:
    """Asterisk as a process in the foreground."""
    # Its queue_log tells of a new start to the second: calls before and after it must not share that second.
    command = [*_command(copy, instance), "-f"]
    return Part("asterisk", command, folder=instance.home, log=log, on_the_second=True)


async def cli(copy: Copy, instance: Instance, line: str) -> tuple[bool, str]:
    """Give one line to the running Asterisk: whether it took it, and what it printed."""
    asked = await asyncio.create_subprocess_exec(
        *_command(copy, instance), "-rx", line, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    printed, _ = await asked.communicate()
    return asked.returncode == 0, printed.decode(errors="replace").strip()


async def ready(copy: Copy, instance: Instance) -> None:
    """Wait until it is fully booted and its manager interface greets."""
    while not (await cli(copy, instance, "core waitfullybooted"))[0]:  # noqa: ASYNC110 (another process)
        await asyncio.sleep(0.1)
    while True:
        try:
            reader, writer = await asyncio.open_connection(instance.host, instance.ami_port)
            greeting = await reader.readline()
            writer.close()
            if greeting.startswith(b"Asterisk Call Manager/"):
                return
        except OSError:
            pass
        await asyncio.sleep(0.1)


async def answers(instance: Instance) -> bool:
    """Whether its manager interface takes a login and answers a ping, within `PROBE`."""
    login = actions.login(names.ACTIONS_USER, instance.ami_actions_secret, events=False)
    words = "".join(
        "".join(f"{name}: {value}\r\n" for name, value in action.items()) + "\r\n" for action in (login, actions.PING)
    )
    try:
        async with asyncio.timeout(PROBE):
            reader, writer = await asyncio.open_connection(instance.host, instance.ami_port)
            try:
                writer.write(words.encode())
                await reader.readuntil(b"Ping: Pong")
            finally:
                writer.close()
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):  # a TimeoutError is an OSError
        return False
    return True


async def unhang(part: Part, instance: Instance, silent: float, killed: Path) -> None:
    """Kill an Asterisk that lives and answers nobody for `silent` seconds; whoever keeps the part starts it again.

    `killed`: file that counts how often. One that has never answered since its start is given more time.
    """
    process, heard, quiet = None, False, 0.0
    while True:
        if part.process is not process:
            process, heard, quiet = part.process, False, 0.0
        if await answers(instance):
            heard, quiet = True, 0.0
        elif process is not None and process.returncode is None:
            # In steps of our own: a machine that slept is no Asterisk that hung.
            quiet += PROBE + PROBE_EVERY
            if quiet >= (silent if heard else max(silent, LONGEST_BOOT)) and part.process is process:
                print(f"asterisk has not answered for {quiet:g} s: killing it", flush=True)
                write(killed, str(times_hung(killed) + 1))
                process.kill()
                await process.wait()
        await asyncio.sleep(PROBE_EVERY)


def times_hung(killed: Path) -> int:
    """What `unhang` has counted."""
    try:
        return int(killed.read_text())
    except (OSError, ValueError):
        return 0


def written(instance: Instance) -> dict[str, int]:
    """When each file that the service writes was written, in nanoseconds."""
    return {name: (instance.home / "etc" / name).stat().st_mtime_ns for name in RELOADS}


async def watch(copy: Copy, instance: Instance, read: dict[str, int]) -> None:
    """Have Asterisk read a file again whenever the service wrote it: no restart, no right on the manager interface.

    `read` is what `written` said before Asterisk started.
    """
    while True:
        await read_again(copy, instance, read)
        await asyncio.sleep(LOOK)


async def read_again(copy: Copy, instance: Instance, read: dict[str, int]) -> bool:
    """Have Asterisk read what was written since; whether it has read it all. `read` is brought up to date."""
    try:
        for name, changed in written(instance).items():
            if changed == read[name]:
                continue
            taken, printed = await cli(copy, instance, RELOADS[name])
            # While another reload is going on Asterisk refuses: the next look tries again.
            if taken and "in progress" not in printed:
                read[name] = changed
        return written(instance) == read
    except OSError as error:
        print(f"what the service wrote cannot be read: {error}", flush=True)
        return False


def _command(copy: Copy, instance: Instance) -> list[str | Path]:
    return [*copy.loader, copy.program, "-C", instance.home / "etc" / "asterisk.conf"]


def _installed(program: Path) -> Copy:
    version = _version([program])
    if version < OLDEST:
        raise CannotStart(
            f"{program} is Asterisk {_dotted(version)}, needed is 20 or newer: set CALLCENTER_ASTERISK_BIN"
        )
    for modules in sorted(
        {*program.parent.parent.glob("lib*/asterisk/modules"), *program.parent.parent.glob("lib/*/asterisk/modules")}
    ):
        data = next(
            (d for d in map(Path, ("/usr/share/asterisk", "/var/lib/asterisk")) if (d / "documentation").exists()), None
        )
        if data is not None:
            return Copy(version, program, modules, data)
    raise CannotStart(f"no modules or documentation belong to {program}: set CALLCENTER_ASTERISK_BIN to a complete one")


def _unpacked(folder: Path) -> Copy:
    root = folder.resolve()
    library = next(root.glob("usr/lib/*-linux-gnu*"))
    loader = next(iter(sorted([*root.glob("usr/lib64/ld-linux-*.so.*"), *root.glob("usr/lib/ld-linux-*.so.*")])))
    version = tuple(map(int, folder.name.removeprefix("asterisk-").split(".")))
    return Copy(
        version,
        root / "usr/sbin/asterisk",
        library / "asterisk/modules",
        root / "usr/share/asterisk",
        (str(loader), "--library-path", str(library)),
    )


def _check(copy: Copy) -> None:
    """Whether every module that we load finds its libraries: unstable moves."""
    loaded = re.findall(r"^(?:pre)?load\s*=>?\s*(\S+\.so)", (conf() / "modules.conf").read_text(), re.MULTILINE)
    for file in (copy.program, *(copy.modules / name for name in loaded)):
        done = subprocess.run([*copy.loader, "--list", file], capture_output=True, text=True)
        if done.returncode or "not found" in done.stdout:
            missing = ", ".join(re.findall(r"(\S+) => not found", done.stdout)) or done.stderr.strip()
            raise CannotStart(
                f"{file.name} of the unpacked Asterisk {_dotted(copy.version)} lacks {missing}: delete"
                f" {copy.program.parents[2]} and run make setup again, or set CALLCENTER_ASTERISK_BIN"
            )


def _version(command: list[Path]) -> tuple[int, ...]:
    try:
        printed = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotStart(f"{command[-1]} does not run (CALLCENTER_ASTERISK_BIN): {error}") from error
    match = re.search(r"Asterisk (?:certified[/-])?(\d+(?:\.\d+)*)", printed)
    if match is None:
        raise CannotStart(f"{command[-1]} is not an Asterisk (CALLCENTER_ASTERISK_BIN)")
    return tuple(map(int, match[1].split(".")))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
