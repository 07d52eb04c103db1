"""Every option of the house: its name, default and one line of help.

Options come from the environment. `docs/settings.md` lists the same ones; a test compares.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LOGOS = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
"""What LOGO_FILE may be: the end of its name and its media type."""
Port = Annotated[int, Field(ge=1, le=65535)]


def _words(value: object) -> object:
    """Words divided by commas or blanks."""
    return tuple(re.split(r"[,\s]+", value.strip())) if isinstance(value, str) else value


class BadOption(Exception):
    """An option has a value that does not fit: its name, and what is allowed."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    host: str = Field("0.0.0.0", description="Address to listen on.")  # the gate decides who may
    port: Port = Field(5000, description="Port of the web server.")
    site_name: str = Field("Camera Monitor", description="Name in the header of every page.")
    site_description: str = Field("", description="A line under that name.")
    logo_file: Path | None = Field(None, description="A picture (SVG, PNG, JPEG, WebP) beside it.")
    database_path: Path = Field(
        Path("camera_database.json"), description="The file that remembers the fleet."
    )
    data_dir: Path = Field(
        Path("data"), description="Folder for the journal, copies, logs and the command socket."
    )
    database_url: SecretStr | None = Field(
        None, description="SQL database of the journal; empty: SQLite in DATA_DIR."
    )
    auto_scan: bool = Field(
        False, description="Automatic scans at the very first start; later the toggle decides."
    )
    auto_scan_interval: int = Field(
        300, ge=10, le=86400, description="Seconds between automatic scans."
    )
    easy_ip_targets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        (), description="IPv4 addresses to ask instead of every interface's broadcast."
    )
    easy_ip_port: Port = Field(10670, description="UDP port on which Panasonic devices listen.")
    easy_ip_reply_port: Port = Field(10669, description="UDP port to which they answer.")
    keep_events_days: int = Field(
        400, ge=91, le=36500, description="Days after which the journal forgets an event."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much is logged."
    )
    flask_debug: bool = Field(
        False, description="The same as LOG_LEVEL=DEBUG, with SQL statements."
    )
    flask_env: str = Field("", description="Accepted and without effect; the start says so.")

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("logo_file")
    @classmethod
    def _picture(cls, value: Path | None) -> Path | None:
        if value is not None and value.suffix.lower() not in LOGOS:
            raise ValueError(f"a picture ends in {', '.join(LOGOS)}")
        return value

    @field_validator("easy_ip_targets")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ipaddress.IPv4Address(one)
            except ValueError:
                raise ValueError(f"{one!r} is not an IPv4 address") from None
        return value


def load() -> Settings:
    """The options from the environment. Raises BadOption in words."""
    try:
        return Settings()
    except ValidationError as error:
        raise BadOption(" ".join(_sentence(one) for one in error.errors())) from None


def _sentence(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    field = Settings.model_fields[name]
    value = "" if "Secret" in str(field.annotation) else f"={error['input']}"
    wanted = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] != "value_error":
        wanted = _wanted(field)
    default = f" ({field.default} when it is not set)" if field.default else ""
    return f"{name.upper()}{value} does not fit: {wanted}{default}."


def _wanted(field: FieldInfo) -> str:
    """What the values of an option are, in words."""
    if field.annotation is int:
        least, most = (
            next(getattr(one, word) for one in field.metadata if hasattr(one, word))
            for word in ("ge", "le")
        )
        return f"it is a whole number from {least} to {most}"
    if field.annotation is bool:
        return "it is true or false"
    return f"it is one of {', '.join(get_args(field.annotation))}"
