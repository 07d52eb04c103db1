"""Every option of Camera Monitor: its name, default and one line of help.

Options come from the environment. `docs/settings.md` lists the same ones; a test compares. A
package gets those that it names in its `build.py`, and a source those in its `Options`.
"""

import ipaddress
import re
import shutil
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar, get_args

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)

LOGOS = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
"""What LOGO_FILE may be: the end of its name and its media type."""
LEAST = {"stills_interval": 60, "picture_health_interval": 30}
"""Seconds of the shortest intervals, below which only 0 is left, for none."""
Port = Annotated[int, Field(ge=1, le=65535)]


def _words(value: object) -> object:
    """Words, separated by commas or blanks."""
    return tuple(re.split(r"[,\s]+", value.strip())) if isinstance(value, str) else value


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(value: object) -> object:
    """Networks or addresses, separated by commas or blanks. Raises ValueError."""
    networks = []
    for text in _words(value) if isinstance(value, str) else ():  # type: ignore[attr-defined]
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError:
            raise ValueError(f"{text!r} is not a network such as 192.168.1.0/24") from None
    return tuple(networks) if isinstance(value, str) else value


Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]


class BadOption(Exception):
    """Raised for an invalid value of an option: its name, and what is allowed."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    # Every interface: authorization decides who gets in.
    host: str = Field("0.0.0.0", description="Address to listen on.")
    port: Port = Field(5000, description="Port of the web server.")
    site_name: str = Field("Camera Monitor", description="Name in the header of every page.")
    site_description: str = Field("", description="Text below that name.")
    logo_file: Path | None = Field(
        None, description="Logo beside that name (SVG, PNG, JPEG or WebP)."
    )
    database_path: Path = Field(
        Path("camera_database.json"), description="File that stores the fleet."
    )
    data_dir: Path = Field(
        Path("data"),
        description="Folder for the SQLite database, copies, keys, logs and the command socket.",
    )
    media_dir: Path = Field(
        Path("media"), description="Folder for recordings, stills and their thumbnails."
    )
    database_url: SecretStr | None = Field(
        None,
        description="SQL database of events, accounts and audit log; empty: SQLite in DATA_DIR.",
    )
    auto_scan: bool = Field(
        False,
        description=(
            "Whether auto-scan is on at the first start. "
            "After that, the switch on the page decides."
        ),
    )
    auto_scan_interval: int = Field(
        300, ge=10, le=86400, description="Seconds between automatic scans."
    )
    easy_ip_targets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        (),
        description="IPv4 addresses to scan instead of the broadcast address of every interface.",
    )
    easy_ip_port: Port = Field(10670, description="UDP port on which Panasonic devices listen.")
    easy_ip_reply_port: Port = Field(10669, description="UDP port on which their responses arrive.")
    onvif_targets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        (),
        description=(
            "IPv4 addresses to scan for ONVIF devices instead of every interface; "
            "empty: those of EASY_IP_TARGETS."
        ),
    )
    p2p_workbook: Path = Field(
        Path("P2P1.xlsx"), description="Workbook with the list of Dahua recorders."
    )
    easy4ip_server: str = Field(
        "www.easy4ipcloud.com:8800", description="Main server of Dahua's cloud, with its port."
    )
    easy4ip_user: str = Field(
        "cba1b29e32cb17aa46b8ff9e73c7f40b",
        description="User name for Dahua's cloud (that of the vendor's own program).",
    )
    easy4ip_key: str = Field(
        "996103384cdf19179e19243e959bbf8b", description="Key for that user name."
    )
    easy4ip_interval: int = Field(
        60, ge=10, le=86400, description="Seconds between two checks of a recorder."
    )
    easy4ip_timeout: float = Field(
        3.0,
        ge=0.5,
        le=60,
        description="Seconds to wait for a response of the cloud, in each of two rounds.",
    )
    easy4ip_rate: int = Field(
        200, ge=1, le=10000, description="New requests per second to each cloud server."
    )
    easy4ip_concurrency: int = Field(
        2000, ge=1, le=10000, description="Recorders checked at the same time."
    )
    keep_events_days: int = Field(
        400, ge=91, le=36500, description="Days after which events are deleted."
    )
    keep_audit_days: int = Field(
        400, ge=30, le=36500, description="Days after which audit log entries are deleted."
    )
    recordings_keep_days: int = Field(
        30,
        ge=1,
        le=3650,
        description=(
            "Days after which recordings of a camera without its own retention are deleted."
        ),
    )
    recordings_max_gb: float = Field(
        0, ge=0, le=1_000_000, description="Size of all recordings, in GB; 0: no limit."
    )
    recordings_min_free_gb: float = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Free space to keep on the disk of the recordings, in GB; 0: automatic.",
    )
    stills_interval: int = Field(
        3600,
        ge=0,
        le=604_800,
        description=(
            "Seconds between two stills of a camera without its own interval, "
            "60 or more; 0: no automatic stills."
        ),
    )
    stills_keep_days: int = Field(
        30, ge=1, le=3650, description="Days after which stills are deleted."
    )
    stills_max_gb: float = Field(
        0, ge=0, le=1_000_000, description="Size of all stills, in GB; 0: a tenth of the disk."
    )
    picture_health_interval: int = Field(
        300,
        ge=0,
        le=86_400,
        description=(
            "Seconds between two samples of a camera for picture health, where it has no "
            "interval of its own, 30 or more; 0: none."
        ),
    )
    local_cameras: Literal["pi", "all", "none"] = Field(
        "pi",
        description="Cameras of this server itself to use: that of a Raspberry Pi, all with USB "
        "cameras, or none.",
    )
    camera_python: Path | None = Field(
        None,
        description="Python that uses the cameras of this server; empty: the one that runs Camera "
        "Monitor, then /usr/bin/python3.",
    )
    pi_camera_rotation: Literal["0", "90", "180", "270"] = Field(
        "0", description="Clockwise rotation of the Raspberry Pi camera's pictures, in degrees."
    )
    pi_camera_flip: Literal["none", "horizontal", "vertical", "both"] = Field(
        "none", description="Mirroring of the Raspberry Pi camera's pictures, before the rotation."
    )
    admin_username: str = Field(
        "",
        description="User name of the first account, created at the start if there is no account.",
    )
    admin_password: SecretStr | None = Field(
        None, description="Password of the first account; ignored once an account exists."
    )
    secret_key: SecretStr | None = Field(
        None, description="Secret for sessions and API tokens; generated at the first start."
    )
    jwt_secret_key: SecretStr | None = Field(
        None, description="Secret that signs access tokens; generated at the first start."
    )
    allowed_networks: Networks = Field(
        (), description="Networks that can open Camera Monitor; empty: all."
    )
    trusted_proxies: Networks = Field(
        (), description="Proxies whose forwarding headers are trusted; empty: none."
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        (), description="Origins of other web sites whose scripts can send requests with a token."
    )
    max_viewers: int = Field(
        100, ge=1, le=100, description="Live views that can be open at the same time."
    )
    max_viewers_per_user: int = Field(
        40, ge=1, le=100, description="Live views of one user; nine tiles of a wall count as one."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Log level."
    )
    flask_debug: bool = Field(
        False, description="The same as LOG_LEVEL=DEBUG, with SQL statements."
    )
    flask_env: str = Field("", description="Accepted but ignored; the log says so at the start.")

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("easy4ip_server")
    @classmethod
    def _server(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or not 1 <= int(port[:6]) <= 65535:
            raise ValueError("must be a host name and a port such as www.easy4ipcloud.com:8800")
        return value

    @field_validator(*LEAST)
    @classmethod
    def _interval(cls, value: int, info: ValidationInfo) -> int:
        name = str(info.field_name)
        if 0 < value < LEAST[name]:
            raise ValueError(_allowed_values(name))
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            if not re.fullmatch(r"https?://[^/\s?#@]+", item):
                raise ValueError(f"{item!r} is not an origin such as https://wall.example")
        return value

    @field_validator("secret_key", "jwt_secret_key")
    @classmethod
    def _long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("must have at least 32 characters (openssl rand -hex 32)")
        return value

    @field_validator(
        "database_path", "data_dir", "media_dir", "p2p_workbook", "logo_file", "camera_python"
    )
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        try:
            str(value).encode()
        except UnicodeEncodeError:
            # Such a name could not be shown on a page, in an answer, or in the log.
            raise ValueError("the path contains bytes that are not UTF-8; rename it") from None
        return value

    @field_validator("camera_python")
    @classmethod
    def _program(cls, value: Path | None) -> Path | None:
        if value is not None and not shutil.which(value):
            raise ValueError("no such program; enter the path of a Python such as /usr/bin/python3")
        return value

    @field_validator("logo_file")
    @classmethod
    def _picture(cls, value: Path | None) -> Path | None:
        if value is not None and value.suffix.lower() not in LOGOS:
            raise ValueError(f"the file name must end in {', '.join(LOGOS)}")
        return value

    @field_validator("easy_ip_targets", "onvif_targets")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            try:
                ipaddress.IPv4Address(item)
            except ValueError:
                raise ValueError(f"{item!r} is not an IPv4 address") from None
        return value

    @property
    def logo_type(self) -> str:
        """The media type of LOGO_FILE; empty without one."""
        return LOGOS[self.logo_file.suffix.lower()] if self.logo_file else ""

    def select(self, kind: "type[T]") -> "T":
        """The options of one package: a dataclass whose fields have the names of options."""
        return kind(**{field.name: getattr(self, field.name) for field in fields(kind)})


def load() -> Settings:
    """The options from the environment. Raises BadOption."""
    try:
        return Settings()
    except ValidationError as error:
        raise BadOption(" ".join(_sentence(problem) for problem in error.errors())) from None


def _sentence(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    field = Settings.model_fields[name]
    shown = str(error["input"]).encode("utf-8", "replace").decode()
    value = "" if "Secret" in str(field.annotation) else f"={shown}"
    wanted = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] != "value_error":
        wanted = _allowed_values(name)
    default = f" (default: {field.default})" if field.default else ""
    return f"Invalid {name.upper()}{value}: {wanted}{default}."


def _allowed_values(name: str) -> str:
    """The description of an option's values."""
    field = Settings.model_fields[name]
    if field.annotation in (int, float):
        least, most = (
            next(getattr(limit, bound) for limit in field.metadata if hasattr(limit, bound))
            for bound in ("ge", "le")
        )
        if name in LEAST:
            return f"must be 0, or a whole number from {LEAST[name]} to {most}"
        whole = "whole " if field.annotation is int else ""
        return f"must be a {whole}number from {least} to {most}"
    if field.annotation is bool:
        return "must be true or false"
    return f"must be one of {', '.join(get_args(field.annotation))}"
