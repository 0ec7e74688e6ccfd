"""The files that differ from one installation to the next: folders, ports, secrets."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from agents.supervision import Announce
from dialplan import names
from dialplan.manager import manager_conf
from dialplan.record import NOTICE as RECORDING_NOTICE
from dialplan.seats import HEADER as SEATS_HEADER
from ivr.menu import SUPERVISION_NOTICE, WAITING
from ivr.services import HOTLINE


@dataclass(frozen=True, slots=True)
class Instance:
    """Everything that differs from one installation to the next."""

    home: Path  # Asterisk's state: etc/ lib/ db/ spool/ run/ log/ live below it
    modules: Path  # folder with *.so
    data: Path  # astdatadir of the copy in use: documentation, music on hold
    sounds: Path  # our prompts
    host: str
    sip_port: int
    ws_port: int
    ami_port: int
    ami_match: tuple[str, ...]  # addresses or networks from which the manager interface takes a login
    public_address: IPv4Address | None  # what phones and trunk are told instead of our own address
    rtp_first: int
    rtp_last: int
    trunk_match: tuple[str, ...]  # addresses from which trunk calls are taken
    trunk_address: str | None  # host or host:port to which calls are sent; None: there are none
    system_name: str
    ami_events_secret: str
    ami_actions_secret: str
    demo: bool
    try_secret: str
    announce: Announce = Announce.NONE  # how supervision is announced
    record: bool = True
    survey: bool = True


def files(instance: Instance) -> dict[str, str]:
    """File name below home/etc -> text. They stand beside the files of asterisk-conf/, which include them."""
    return {
        "asterisk.conf": _asterisk(instance),
        "manager.conf": manager_conf(
            host=instance.host,
            port=instance.ami_port,
            match=instance.ami_match,
            events_secret=instance.ami_events_secret,
            actions_secret=instance.ami_actions_secret,
        ),
        "http.conf": _http(instance),
        "rtp.conf": f"[general]\nrtpstart = {instance.rtp_first}\nrtpend = {instance.rtp_last}\nicesupport = yes\n",
        "musiconhold.conf": _music(instance),
        "transports.conf": _transports(instance),
        names.SWITCHES_FILE: _switches(instance),
        "trunk.conf": _trunk(instance),
        names.ANNOUNCE_FILE: _announce(instance.announce),
        "try.conf": _try(instance) if instance.demo else "; The page /try is for the demo only.\n",
    }


def links(instance: Instance) -> dict[str, Path]:
    """Link below home -> what it points to: Asterisk finds prompts, documentation and music in one data folder."""
    return {
        "data/sounds": instance.sounds,
        "data/documentation": instance.data / "documentation",
        "data/moh": instance.data / "moh",
    }


def first_seats() -> str:
    """seats.conf until the service has written its own, so that Asterisk starts without it."""
    return SEATS_HEADER


def _music(instance: Instance) -> str:
    files_ = f"mode = files\ndirectory = {instance.home}/data/moh\nsort = random\n"
    return f"[default]\n{files_}\n[{names.WAITING_MUSIC}]\n{files_}announcement = {WAITING}\n"


def _announce(announce: Announce) -> str:
    notice = f"&{SUPERVISION_NOTICE}" if announce is Announce.GREETING else ""
    return f"{names.ANNOUNCE}={announce}\n{names.NOTICE}={notice}\n"


def _switches(instance: Instance) -> str:
    """Included among the global variables of extensions.conf. `c` lets the citizen's channel go on after Queue()."""
    record, notice = ("on", f"&{RECORDING_NOTICE}") if instance.record else ("off", "")
    survey = "c" if instance.survey else ""
    return f"{names.RECORD}={record}\n{names.RECORDING_NOTICE}={notice}\n{names.SURVEY}={survey}\n"


def _asterisk(instance: Instance) -> str:
    home = instance.home
    return f"""[directories]
astetcdir => {home}/etc
astmoddir => {instance.modules}
astvarlibdir => {home}/lib
astdbdir => {home}/db
astkeydir => {home}/lib
astdatadir => {home}/data
astagidir => {home}/lib
astspooldir => {home}/spool
astrundir => {home}/run
astlogdir => {home}/log

[options]
systemname = {instance.system_name}
documentation_language = en_US
defaultlanguage = zh
live_dangerously = no
hideconnect = yes
nocolor = yes
maxfiles = 65536
"""


def _http(instance: Instance) -> str:
    return f"""[general]
enabled = yes
bindaddr = {instance.host}
bindport = {instance.ws_port}
enablestatic = no
"""


def _transports(instance: Instance) -> str:
    behind_nat = (
        f"external_signaling_address = {instance.public_address}\nexternal_media_address = {instance.public_address}\n"
        if instance.public_address
        else ""
    )
    return f"""[udp]
type = transport
protocol = udp
bind = {instance.host}:{instance.sip_port}
{behind_nat}
[tcp]
type = transport
protocol = tcp
bind = {instance.host}:{instance.sip_port}
{behind_nat}
; Browsers reach SIP through the websocket of http.conf; the port here is not opened.
[ws]
type = transport
protocol = ws
bind = {instance.host}:{instance.ws_port}
"""


def _trunk(instance: Instance) -> str:
    matches = "\n".join(f"match = {each}" for each in instance.trunk_match)
    address = instance.trunk_address
    return f"""[{names.TRUNK}]
type = endpoint
context = {names.TRUNK_CONTEXT}
disallow = all
allow = alaw,ulaw,g722
direct_media = no
trust_id_inbound = no
send_pai = no
allow_subscribe = no
allow_transfer = no
dtmf_mode = auto
rtp_timeout = 60
rtp_timeout_hold = 7200
timers = no
language = zh

[{names.TRUNK}]
type = identify
endpoint = {names.TRUNK}
{matches}
{"".join(_outside(name, address) for name in (names.OUTSIDE, names.CITIZENS)) if address else _NOBODY}
"""


_NOBODY = "; No call leaves: the trunk has no address."


def _outside(name: str, address: str) -> str:
    return f"""
[{name}]
type = endpoint
context = {names.OUTSIDE_CONTEXT}
aors = {name}
from_user = {HOTLINE}
disallow = all
allow = alaw,ulaw,g722
direct_media = no
trust_id_inbound = no
send_pai = no
allow_subscribe = no
allow_transfer = no
rtp_timeout = 60
rtp_timeout_hold = 7200
timers = no
language = zh

[{name}]
type = aor
contact = sip:{address}
"""


def _try(instance: Instance) -> str:
    return f"""[{names.TRY}](browser)
context = {names.TRY_CONTEXT}
auth = {names.TRY}
language = zh

[{names.TRY}]
type = auth
auth_type = digest
realm = {names.REALM}
username = {names.TRY}
password = {instance.try_secret}
"""
