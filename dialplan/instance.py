"""The files that differ from one installation to the next: folders, ports, secrets."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from dialplan import names
from dialplan.manager import manager_conf
from dialplan.seats import HEADER as SEATS_HEADER


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
    system_name: str
    ami_events_secret: str
    ami_actions_secret: str
    demo: bool
    try_secret: str


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
        "musiconhold.conf": f"[default]\nmode = files\ndirectory = {instance.home}/data/moh\nsort = random\n",
        "transports.conf": _transports(instance),
        "trunk.conf": _trunk(instance),
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
    matches = "\n".join(f"match = {address}" for address in instance.trunk_match)
    return f"""[{names.TRUNK}]
type = endpoint
context = {names.TRUNK_CONTEXT}
disallow = all
allow = ulaw,alaw,g722
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
