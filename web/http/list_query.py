"""The query string of lists of devices."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from fleet.queries import LONGEST_PLACE, DeviceFilter
from web.http.payloads import Query


def lower_case(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class ListQuery(Query):
    """Filter, search, sort and page. Without any of it a list is whole, by number."""

    status: Annotated[
        Literal[
            "all",
            "active",
            "online",
            "ip_changed",
            "offline",
            "silent",
            "missing",
            "unknown",
            "unreachable",
        ],
        BeforeValidator(lower_case),
    ] = "all"
    kind: Annotated[Literal["camera", "recorder"] | None, BeforeValidator(lower_case)] = None
    q: str = Field("", max_length=100, description="Text in name, address, MAC, serial or model.")
    site: str = Field("", max_length=LONGEST_PLACE, description="The exact name of a site.")
    store: str = Field("", max_length=LONGEST_PLACE, description="The exact name of a store.")
    findings: bool = Field(False, description="Only those with a finding.")
    retired: bool = Field(False, description="The retired ones instead.")
    sort: str = Field(
        "", pattern=r"^(-?(id|status|name|address|mac|model|last_seen|discoveries))?$"
    )
    page: int | None = Field(None, ge=1, le=1_000_000)
    per_page: int | None = Field(None, ge=1, le=1000)

    def filter(self) -> DeviceFilter:
        """The same for `fleet.queries`."""
        return DeviceFilter(**self.model_dump())
