"""The recorders of the workbook as the DVR dashboard shows them."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from fleet.edit import recorder_list
from fleet.model import Device
from fleet.shapes import one_of
from web.http.payloads import Query, Strict

COLUMNS = ("P2P NUMBER", "SITE", "STORE NAME")


class DvrQuery(Query):
    """Which recorders."""

    status: Literal["all", "online", "offline"] = "all"


class SiteQuery(Query):
    """The exact name of a site."""

    site: str = Field(max_length=500)


class NewSerial(Strict):
    """The recorder that stands at a site now."""

    site: str = Field(max_length=500)
    number: str = Field(alias="p2pNumber", max_length=200)


DvrRow = TypedDict("DvrRow", {"P2P NUMBER": str, "SITE": str, "STORE NAME": str})


class SearchedDvr(DvrRow):
    """A recorder as a row of the workbook, with its status."""

    status: Annotated[str, one_of(("online", "offline"))]


class Dvrs(TypedDict):
    items: list[DvrRow]


class Ok(TypedDict):
    ok: bool


class Refreshed(Ok):
    total: int
    online: int
    offline: int
    lastUpdated: float | None


def workbook_row(device: Device) -> dict[str, str]:
    """A recorder as a row of the workbook."""
    row = recorder_list.recorder_row(device)
    return dict(zip(COLUMNS, (row.serial, row.site, row.store), strict=True))
