"""Asterisk unpacked from Debian unstable: no root, no container, nothing installed.

Debian 12 has no asterisk package, unstable has Asterisk 22. Its packages run unpacked when the loader of their own
libc starts the program. apt verifies what it fetches, by Debian's signature and checksums.
"""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from callcenter.standalone import CannotStart

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
WANTED = ("asterisk", "asterisk-moh-opsound-wav")

# What apt would bring for features that are not loaded here: SNMP, calendars, other databases, fax, voice-mail prompts,
# installation scripts. By stem, because the number at the end of a library's name moves in unstable.
LEFT_OUT = re.compile(
    r"adduser|asterisk-(config|core-sounds)|base-passwd|debconf|dirmngr|freetds|gcc-\d|gnupg|gpg|libacl|libasound|libaudit"
    r"|libcodec2|libc-gconv|libdb5|libdebconf|libevent|libgdbm|libical|libicu|libiksemel|libjack|libjpeg|liblerc|liblua"
    r"|libneon|libnl-|libntlm|libpam|libpci|libperl|libportaudio|libradcli|libreadline|libsamplerate|libsemanage|libsensors"
    r"|libsepol|libsnmp|libspandsp|libsybdb|libtiff|libudev|libunbound|libwebp|libwrap|login|openssl-provider|passwd|pci\."
    r"|perl|pinentry|readline|tzdata"
)
UNPACKED_WITHOUT = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/lintian", "./etc")

_URI = re.compile(r"'[^']+' (?P<name>[^_]+)_(?P<version>[^_]+)_\S+ (?P<size>\d+)")


def unpack(cache: Path, mirror: str | None) -> Path:
    """Fetch Asterisk and unpack it below `cache`; return the folder `asterisk-VERSION`.

    The folder appears whole or not at all. Raises CannotStart with the reason.
    """
    if shutil.which("apt-get") is None or not KEYRING.exists():
        raise CannotStart(
            "no Asterisk here, and this machine is not Debian, so none can be fetched: install Asterisk 20 or newer"
            " and set CALLCENTER_ASTERISK_BIN, or use the containers of docker-compose.yml"
        )
    mirror = mirror or _machines_mirror()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache), tempfile.TemporaryDirectory(prefix=".unpacking-", dir=cache) as name:
            return _unpack(cache, Path(name), mirror)
    except OSError as error:
        raise CannotStart(f"cannot unpack Asterisk into {cache} (XDG_CACHE_HOME): {error.strerror}") from error


def _unpack(cache: Path, work: Path, mirror: str) -> Path:
    _say(f"Asterisk: reading Debian's list of packages from {mirror}")
    apt = _apt(work, mirror)
    _run([*apt, "update"], mirror)
    packages = _packages(_run([*apt, "install", "--yes", "--print-uris", *WANTED], mirror))
    version = re.sub(r"^\d+:", "", packages["asterisk"][0]).partition("+")[0].partition("-")[0]
    folder = cache / f"asterisk-{version}"
    if folder.exists():
        return folder
    _say(
        f"Asterisk {version}: fetching {len(packages)} packages, {sum(s for _, s in packages.values()) // 1_000_000} MB"
    )
    archives, root = work / "archives", work / "root"
    archives.mkdir()
    root.mkdir()
    _run([*apt, "download", *(f"{name}={version}" for name, (version, _) in packages.items())], mirror, cwd=archives)
    _say(f"Asterisk {version}: unpacking")
    without = [f"--exclude={path}" for path in UNPACKED_WITHOUT]
    for archive in sorted(archives.glob("*.deb")):
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as tar:
            done = subprocess.run(
                ["tar", "-x", "--no-same-owner", *without], cwd=root, stdin=tar.stdout, capture_output=True, text=True
            )
        if done.returncode or tar.returncode:
            raise CannotStart(f"cannot unpack {archive.name} into {cache} (XDG_CACHE_HOME): {_last_line(done.stderr)}")
    root.chmod(0o755)
    root.rename(folder)
    return folder


def _packages(printed: str) -> dict[str, tuple[str, int]]:
    """What apt would install, less what is not needed: name -> (version, size in bytes)."""
    found = {}
    for line in printed.splitlines():
        if (match := _URI.match(line)) and not LEFT_OUT.match(match["name"]):
            found[match["name"]] = (match["version"].replace("%3a", ":"), int(match["size"]))
    if "asterisk" not in found:
        raise CannotStart("the Debian mirror has no asterisk package: set CALLCENTER_DEBIAN_MIRROR to another one")
    return found


def _apt(work: Path, mirror: str) -> list[str]:
    """apt-get with every folder private, so that the machine's own lists and packages are left alone."""
    sources = work / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror} sid main\n")
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    options = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": os.devnull,
        "Dir::Etc::Preferences": os.devnull,
        "Dir::Etc::PreferencesParts": os.devnull,
        "Dir::State::Lists": work / "lists",
        "Dir::State::status": os.devnull,
        "Dir::Cache": work / "cache",
        "APT::Default-Release": "sid",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",
        # A mirror of one's own often lags: the signature counts, and our own lowest version.
        "Acquire::Check-Valid-Until": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Debug::NoLocking": "1",
    }
    return ["apt-get", "-q", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]


def _machines_mirror() -> str:
    """The mirror that this machine's own apt uses for its main archive."""
    listed = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], "")
    for address in listed.split():
        if "security" not in address:
            return address
    raise CannotStart("apt on this machine names no Debian mirror: set CALLCENTER_DEBIAN_MIRROR")


def _run(command: list[str], mirror: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    # apt calls an unreachable mirror a warning as long as it has older lists; here it has none.
    if done.returncode or (command[-1] == "update" and "Failed to fetch" in done.stderr):
        raise CannotStart(
            f"cannot fetch Asterisk from Debian's mirror {mirror} (CALLCENTER_DEBIAN_MIRROR):"
            f" {_last_line(done.stderr)}; or set CALLCENTER_ASTERISK_BIN, or use the containers of docker-compose.yml"
        )
    return done.stdout


def _last_line(text: str) -> str:
    """apt's first error line, or the last line of any other program."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "W:"))]
    return (errors[0] if errors else lines[-1] if lines else "no reason given").removeprefix("E: ").removeprefix("W: ")


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in cache.glob(".unpacking-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _say(line: str) -> None:
    print(line, flush=True)
