"""The folder of all state (CALLCENTER_HOME): who may use it, its ports and its secrets."""

import fcntl
import random
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from callcenter.settings import Settings
from callcenter.standalone import CannotStart
from callcenter.standalone.asterisk import Copy, conf
from callcenter.standalone.postgres import Server
from callcenter.standalone.private import write
from dialplan.instance import Instance

# Below the ports that the kernel gives to outgoing connections, so that a kept port is still free at the next start.
CHOSEN_FROM = range(20000, 32000)
RTP_BLOCKS = range(10000, 20000, 2000)
RTP_BLOCK = 2000


class Kept(BaseModel):
    """instance.json: what was chosen once for this home."""

    model_config = ConfigDict(extra="forbid")

    http: int
    sip: int
    ws: int
    ami: int
    postgres: int
    rtp_first: int
    system_name: str
    ami_events_secret: str
    ami_actions_secret: str
    seat_key: str
    number_key: str
    recording_keys: str = ""
    identity_key: str = ""
    try_secret: str
    postgres_password: str


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Make the home and hold it alone; the kernel lets go of it however we end. Raises CannotStart."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "log").mkdir(mode=0o700, exist_ok=True)
        lock = (home / "lock").open("a")
    except OSError as error:
        raise CannotStart(f"cannot write in {home} (CALLCENTER_HOME, --home): {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStart(
                f"another one runs in {home}: stop it, or give another folder (CALLCENTER_HOME, --home)"
            ) from error
        yield


def kept(settings: Settings) -> Kept:
    """Read instance.json or make it; a port that was only chosen and is taken today is chosen anew.

    Raises CannotStart when a given port is in use, or the file cannot be read or written.
    """
    file = settings.home / "instance.json"
    chosen: set[int] = set()

    def port(name: str, given: int | None, setting: str, before: int | None) -> int:
        if given is not None:
            if not _free(settings.host, given):
                raise CannotStart(f"port {given} for {name} is in use: set {setting} to another one")
            chosen.add(given)
            return given
        candidates = random.sample(CHOSEN_FROM, 200)
        for number in ([before] if before is not None else []) + candidates:
            if number not in chosen and _free(settings.host, number):
                chosen.add(number)
                return number
        raise CannotStart(f"no free port for {name} among 200 tried: set {setting}")

    try:
        was = Kept.model_validate_json(file.read_bytes()) if file.exists() else None
        given = settings.model_fields_set
        ports = {"http": None, "sip": None, "ws": None, "ami": None, "postgres": None} | (
            was.model_dump() if was else {}
        )
        now = Kept(
            http=port("HTTP", settings.port if "port" in given else None, "CALLCENTER_PORT (--port)", ports["http"]),
            sip=port("SIP", settings.sip_port, "CALLCENTER_SIP_PORT (--sip-port)", ports["sip"]),
            ws=port("the SIP websocket", settings.ws_port, "CALLCENTER_WS_PORT", ports["ws"]),
            ami=port("AMI", settings.ami_port if "ami_port" in given else None, "CALLCENTER_AMI_PORT", ports["ami"]),
            postgres=port("Postgres", None, "CALLCENTER_DATABASE_URL", ports["postgres"]),
            rtp_first=settings.rtp_first or (was.rtp_first if was else random.choice(RTP_BLOCKS)),  # noqa: S311 (no secret)
            system_name=_secret(settings, "system_name", was, f"{settings.node}_{secrets.token_hex(12)}"),
            ami_events_secret=_secret(settings, "ami_events_secret", was),
            ami_actions_secret=_secret(settings, "ami_actions_secret", was),
            seat_key=_secret(settings, "seat_key", was),
            number_key=_secret(settings, "number_key", was),
            recording_keys=_secret(settings, "recording_keys", was, f"k1:{secrets.token_hex(32)}"),
            identity_key=_secret(settings, "identity_key", was, f"i1:{secrets.token_hex(32)}"),
            try_secret=_secret(settings, "try_secret", was),
            postgres_password=was.postgres_password if was else secrets.token_hex(24),
        )
        if now != was:
            write(file, now.model_dump_json(indent=1))
    except ValidationError as error:
        raise CannotStart(
            f"{file} is damaged ({error.error_count()} faults): mend it, or give another CALLCENTER_HOME"
        ) from error
    except OSError as error:
        raise CannotStart(f"cannot use {file} (CALLCENTER_HOME): {error.strerror}") from error
    return now


def instance(settings: Settings, kept: Kept, copy: Copy) -> Instance:
    """What the writer of Asterisk's configuration needs to know."""
    return Instance(
        home=settings.home / "asterisk",
        modules=copy.modules,
        data=copy.data,
        sounds=conf() / "sounds",
        host=settings.host,
        sip_port=kept.sip,
        ws_port=kept.ws,
        ami_port=kept.ami,
        ami_match=settings.ami_match,
        public_address=settings.public_address,
        rtp_first=kept.rtp_first,
        rtp_last=kept.rtp_first + RTP_BLOCK - 1,
        trunk_match=settings.trunk_match,
        trunk_address=settings.trunk_address,
        system_name=kept.system_name,
        ami_events_secret=kept.ami_events_secret,
        ami_actions_secret=kept.ami_actions_secret,
        demo=settings.demo,
        try_secret=kept.try_secret,
        announce=settings.supervision_announce,
        record=settings.record,
        survey=settings.survey,
    )


def beside(settings: Settings) -> Settings:
    """The settings of the service of this home, for a command that works beside it. Raises CannotStart.

    Where nothing was kept, because the parts run each on their own, the settings are as given.
    """
    file = settings.home / "instance.json"
    try:
        if not file.exists():
            return settings
        kept = Kept.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise CannotStart(f"cannot read {file} (CALLCENTER_HOME): {type(error).__name__}") from error
    server = Server(settings.home / "postgres", kept.postgres, kept.postgres_password)
    found = {
        "database_url": SecretStr(server.url),
        "system_name": SecretStr(kept.system_name),
        "seat_key": SecretStr(kept.seat_key),
        "number_key": SecretStr(kept.number_key),
        "identity_key": SecretStr(kept.identity_key),
        "asterisk_log": settings.home / "asterisk" / "log",
        "asterisk_etc": settings.home / "asterisk" / "etc",
    }
    return settings.model_copy(
        update={name: value for name, value in found.items() if name not in settings.model_fields_set}
    )


def _secret(settings: Settings, name: str, was: Kept | None, new: str | None = None) -> str:
    given: str = getattr(settings, name).get_secret_value()
    return given or (was and str(getattr(was, name))) or new or secrets.token_hex(24)


def _free(host: str, port: int) -> bool:
    """Whether the port can be listened on, for TCP and UDP alike."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True
