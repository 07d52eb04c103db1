"""The recorders of the workbook as the DVR dashboard shows them."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from fleet import recorder_list
from fleet.model import Device
from fleet.shapes import enum_schema
from web.http.payloads import Query, Strict

COLUMNS = ("P2P NUMBER", "SITE", "STORE NAME")


class DvrQuery(Query):
    """A filter by status."""

    status: Literal["all", "online", "offline"] = "all"


class SiteQuery(Query):
    """The exact name of a site."""

    site: str = Field(max_length=500)


class NewSerial(Strict):
    """The serial number of the recorder that is now at a site."""

    site: str = Field(max_length=500)
    number: str = Field(alias="p2pNumber", max_length=200)


DvrRow = TypedDict("DvrRow", {"P2P NUMBER": str, "SITE": str, "STORE NAME": str})


class SearchedDvr(DvrRow):
    """A recorder as a row of the workbook, with its status."""

    status: Annotated[str, enum_schema(("online", "offline"))]


class Dvrs(TypedDict):
    items: list[DvrRow]


class Ok(TypedDict):
    ok: bool


class Refreshed(Ok):
    total: int
    online: int
    offline: int
    lastUpdated: float | None


def workbook_row(device: Device) -> DvrRow:
    """A recorder as a row of the workbook."""
    row = recorder_list.recorder_row(device)
    return {"P2P NUMBER": row.serial, "SITE": row.site, "STORE NAME": row.store}


def full_workbook_row(device: Device) -> dict[str, str]:
    """A recorder as a row of the workbook, with the other columns of its row."""
    row = recorder_list.recorder_row(device)
    titled = zip(COLUMNS, (row.serial, row.site, row.store), strict=True)
    return {**row.extra, **dict(titled)}


def dvr_list(rows: Sequence[DvrRow]) -> Dvrs:
    return {"items": [*rows]}


def searched_dvr(row: DvrRow, is_up: bool) -> SearchedDvr:
    return {**row, "status": online_or_offline(is_up)}


def online_or_offline(is_up: bool) -> str:
    """The status of a recorder in the words of the DVR dashboard."""
    return "online" if is_up else "offline"


def ok() -> Ok:
    return {"ok": True}


def refreshed(total: int, online: int, last_updated: float | None) -> Refreshed:
    """The counts of all recorders. `last_updated` in seconds of the Unix clock."""
    return {
        "ok": True,
        "total": total,
        "online": online,
        "offline": total - online,
        "lastUpdated": last_updated,
    }
