"""Every option of the service. README.md's table of settings is drawn from this file and from nowhere else."""

from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Port = Annotated[int, Field(ge=1, le=65535)]


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"no such time zone: {name}")
    return name


def _addresses(given: object) -> object:
    if not isinstance(given, str):
        return given
    return tuple(str(ip_network(part.strip(), strict=False)) for part in given.split(","))


class Settings(BaseSettings):
    """Read from the environment, each name with the prefix `CALLCENTER_` (for example `CALLCENTER_PORT=8080`)."""

    model_config = SettingsConfigDict(env_prefix="CALLCENTER_", extra="ignore")

    home: Path = Field(Path("var"), description="folder of all state: database, Asterisk's files, journal, secrets")
    demo: bool = Field(False, description="load the demo city and its agents, allow /try, and say so on every page")
    node: str = Field(
        "n1", pattern=r"^[a-z][a-z0-9]{0,7}$", description="this Asterisk's name; every call id begins with it"
    )
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field("Asia/Shanghai", description="the city's time zone")

    asterisk_bin: Path | None = Field(
        None, description="the asterisk (20 or newer) to run; unset: that on PATH, else a copy unpacked from Debian"
    )
    debian_mirror: str | None = Field(
        None, description="Debian mirror from which Asterisk is unpacked; unset: that of this machine's apt"
    )
    trunk_match: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_addresses)] = Field(
        ("127.0.0.1",),
        description="addresses or networks of the trunk (中继), divided by commas; calls from others are refused",
    )
    try_secret: SecretStr = Field(SecretStr(""), description="SIP password of the page /try")

    host: str = Field("127.0.0.1", description="address that HTTP, SIP and the SIP websocket listen on")
    port: Port = Field(8012, description="HTTP port of pages and API")
    sip_port: Port | None = Field(None, description="SIP port, UDP and TCP; unset: a free one, kept under home")
    ws_port: Port | None = Field(None, description="port of the SIP websocket; unset: a free one, kept under home")
    rtp_first: Port | None = Field(
        None, le=63535, description="first of 2,000 ports for voice; unset: chosen once and kept under home"
    )
    public_address: IPv4Address | None = Field(
        None,
        description="address at which phones and trunk reach Asterisk when that stands behind NAT, as in a container",
    )
    public_origin: str | None = Field(
        None,
        description="scheme://host[:port] that browsers use, when a proxy stands in front; other origins are refused",
    )
    database_url: SecretStr | None = Field(
        None, description="postgresql://user:password@host/name; unset: an own server is started under home"
    )

    ami_host: str = Field("127.0.0.1", description="where Asterisk's manager interface listens")
    ami_port: Port = Field(5038, description="port of Asterisk's manager interface")
    ami_match: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_addresses)] = Field(
        ("127.0.0.1/32",),
        description="addresses or networks, divided by commas, from which the manager interface takes its two accounts:"
        " the service's own, when Asterisk runs in another container",
    )
    ami_events_secret: SecretStr = Field(SecretStr(""), description="password of the manager account that hears events")
    ami_actions_secret: SecretStr = Field(SecretStr(""), description="password of the manager account that acts")
    system_name: SecretStr = Field(
        SecretStr(""), description="Asterisk's secret systemname, which authenticates every event"
    )
    asterisk_log: Path = Field(Path("var/asterisk/log"), description="folder with Asterisk's queue_log and cel-custom/")
    asterisk_etc: Path = Field(
        Path("var/asterisk/etc"), description="folder into which the service writes the seats that Asterisk reads"
    )
    seat_key: SecretStr = Field(SecretStr(""), description="key from which every seat's SIP secret is derived")
    number_key: SecretStr = Field(
        SecretStr(""), description="key of the blind index by which telephone numbers are found; never change it"
    )
    sip_ws_url: str = Field(
        "ws://127.0.0.1:8088/ws", description="address at which browsers reach Asterisk's SIP websocket"
    )

    wrap_up_seconds: int = Field(60, ge=0, le=3600, description="wrap-up (话后处理) after each call")
    missed_rings: int = Field(2, ge=1, le=10, description="missed rings in a row after which a seat is unreachable")
    journal_megabytes: int = Field(
        2048, ge=1, description="room on the local disk for rows while Postgres is away; more are refused"
    )
    session_hours: int = Field(12, ge=1, le=72, description="a login ends after this time")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
