"""Every option of the service. README.md's table of settings is drawn from this file and from nowhere else."""

from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from agents.guard import WRAP_UP_LEAST
from agents.supervision import Announce
from callcenter.attachments.sizes import bytes_of
from callcenter.recordings.flow import days_of

Port = Annotated[int, Field(ge=1, le=65535)]


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"no such time zone: {name}")
    return name


def _addresses(given: object) -> object:
    if not isinstance(given, str):
        return given
    return tuple(str(ip_network(part.strip(), strict=False)) for part in given.split(","))


def _days(text: str) -> str:
    days_of(text)
    return text


def _megabytes(text: str) -> str:
    bytes_of(text)
    return text


def _seconds(given: object) -> object:
    return tuple(int(part) for part in given.split(",")) if isinstance(given, str) else given


def _web_addresses(given: object) -> object:
    if not isinstance(given, str):
        return given
    found = tuple(part.strip() for part in given.split(",") if part.strip())
    for url in found:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.fragment:
            raise ValueError(f"not an address of a webhook: {url}")
    return found


def _map_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "{lat}" not in url or "{lon}" not in url:
        raise ValueError("a map's address begins with https:// and has {lat} and {lon} in it")
    return url.strip()


def _web_address(url: str) -> str:
    _web_addresses(url)
    return url.strip()


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
    trunk_address: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$")] | None = Field(
        None, description="host or host:port to which calls are sent that leave by the trunk; unset: none can leave"
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
    asterisk_spool: Path = Field(
        Path("var/asterisk/spool"), description="folder in which Asterisk writes what it records, before it is sealed"
    )
    asterisk_etc: Path = Field(
        Path("var/asterisk/etc"), description="folder into which the service writes the seats that Asterisk reads"
    )
    seat_key: SecretStr = Field(SecretStr(""), description="key from which every seat's SIP secret is derived")
    number_key: SecretStr = Field(
        SecretStr(""), description="key of the blind index by which telephone numbers are found; never change it"
    )
    identity_key: SecretStr = Field(
        SecretStr(""),
        description="keys of who confidential orders came from (保密诉求人), `id:64 hexadecimal digits`, by commas;"
        " the last one seals, the others open what is older until `callcenter privacy reseal`. Keep a copy apart",
    )
    sip_ws_url: str = Field(
        "ws://127.0.0.1:8088/ws", description="address at which browsers reach Asterisk's SIP websocket"
    )

    record: bool = Field(True, description="record calls (录音), and tell callers so")
    recordings: Path | None = Field(None, description="folder of sealed recordings; unset: recordings/ below home")
    recording_keys: SecretStr = Field(
        SecretStr(""),
        description="keys of recordings, `id:64 hexadecimal digits` divided by commas; the last one seals, the others"
        " open what is older. Without its key a recording is lost: keep a copy apart",
    )
    recording_days: Annotated[str, AfterValidator(_days)] = Field(
        "talk=180,order=1825,emergency=1825",
        description="days that recordings are kept (留存期限): ordinary talks, those bound to an order, emergencies",
    )
    recording_reserve_megabytes: int = Field(
        512, ge=1, description="when less is free on a disk of recordings, new calls are not recorded, and that is told"
    )
    attachment_megabytes: Annotated[str, AfterValidator(_megabytes)] = Field(
        "photo=20,voice=30,pdf=20", description="largest files that can belong to an order (附件), by kind"
    )
    attachment_megapixels: int = Field(50, ge=1, le=80, description="most points of a photo, in millions")
    attachments_most: int = Field(30, ge=1, le=200, description="most files of one order")
    survey: bool = Field(True, description="ask two questions after the talk (满意度评价)")

    wrap_up_seconds: int = Field(60, ge=0, le=3600, description="wrap-up (话后处理) after each call")
    callback_gaps: Annotated[tuple[int, ...], NoDecode, BeforeValidator(_seconds)] = Field(
        (120, 600),
        description="seconds from one vain try to call a citizen back (回电) to the next, divided by commas;"
        " there is one try more than gaps",
    )
    callback_hours: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")] = Field(
        "08:00-21:00",
        description="when citizens are called back who do not wait for it at that moment: further tries, who gave up",
    )
    callback_given_up: Literal["off", "list", "dial"] = Field(
        "list",
        description="callers who gave up: not called back, listed for agents to call, or dialled when nobody waits",
    )
    texts_file: Path | None = Field(
        None,
        description="file to which texts to citizens (短信) are appended, for a gateway to take; unset: none are sent,"
        " but in the demo texts.jsonl under home",
    )
    map_url: Annotated[str, AfterValidator(_map_address)] | None = Field(
        None,
        description="address (https://...) of the city's own map, with {lat} and {lon} for a point (WGS-84, degrees);"
        " the order's page links to it",
    )
    notices_file: Path | None = Field(
        None,
        description="file to which notices of orders (通知) are appended, for a gateway to take; unset: none are sent,"
        " but in the demo notices.jsonl under home",
    )
    notices_webhook: Annotated[str, AfterValidator(_web_address)] | None = Field(
        None, description="address (https://...) of the gateway that takes notices of orders, in place of the file"
    )
    notices_secret: SecretStr = Field(
        SecretStr(""), description="key that signs what that gateway is told (HMAC-SHA256); needed with it"
    )
    texts_secret: SecretStr = Field(
        SecretStr(""),
        description="key by which the gateway signs texts of citizens (HMAC-SHA256), which it posts to"
        " /api/v1/incoming-texts; unset: none are taken",
    )
    notice_hours: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")] = Field(
        "08:00-21:00",
        description="when citizens are sent texts about their orders; the one that confirms a call goes out at once",
    )
    wrap_up_least_seconds: int = Field(
        WRAP_UP_LEAST,
        ge=0,
        le=3600,
        description="a wrap-up is not ended for a waiting caller before it has lasted so long",
    )
    missed_rings: int = Field(2, ge=1, le=10, description="missed rings in a row after which a seat is unreachable")
    supervision_announce: Announce = Field(
        Announce.NONE,
        description="how callers learn that a supervisor may be in their call (监听告知): none, greeting (a sentence"
        " after the recording notice), beep (a tone to both when it begins); Asterisk must know it too",
    )
    supervision_shown: bool = Field(False, description="agents are shown that a supervisor is in their call")
    alarm_webhooks: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_web_addresses)] = Field(
        (),
        description="addresses (https://...), divided by commas, that are told of alarms; nothing else is ever called",
    )
    alarm_secret: SecretStr = Field(
        SecretStr(""), description="key that signs what the webhooks are told (HMAC-SHA256); needed when there are any"
    )
    journal_megabytes: int = Field(
        2048, ge=1, description="room on the local disk for rows while Postgres is away; more are refused"
    )
    asterisk_log_megabytes: float = Field(
        200, gt=0, description="size at which Asterisk's queue_log and CEL are put aside, besides each midnight"
    )
    asterisk_log_days: int = Field(
        30,
        ge=2,
        description="days that these are kept for `callcenter reconcile`; none is deleted before it was read",
    )
    asterisk_silent_seconds: int = Field(
        30,
        ge=0,
        description="under `callcenter up`, an Asterisk that lives and does not answer for so long is killed and"
        " started again; 0: never. Containers leave that to their keeper",
    )
    session_hours: int = Field(12, ge=1, le=72, description="a login ends after this time")

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if self.alarm_webhooks and len(self.alarm_secret.get_secret_value()) < 16:
            raise ValueError("alarm_webhooks need an alarm_secret of 16 characters or more")
        if self.notices_webhook and len(self.notices_secret.get_secret_value()) < 16:
            raise ValueError("notices_webhook needs a notices_secret of 16 characters or more")
        return self

    @property
    def recordings_folder(self) -> Path:
        return self.recordings or self.home / "recordings"

    @property
    def attachments_folder(self) -> Path:
        return self.home / "attachments"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
