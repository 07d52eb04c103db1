"""Scans of address ranges and their inbox, as JSON."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from discovery import ranges
from discovery.ranges import RangePlan
from fleet import access_fields, stream_url
from fleet.edit import editing
from fleet.editable_fields import MAX_LENGTHS
from inventory.inbox_rows import MAX_ENTRIES
from inventory.range_inbox import InboxItem, RangeRecord
from web.http.payloads import Strict
from web.http.shapes.devices import ParentId, Tag

Port = Annotated[int, Field(ge=1, le=65535)]
EntryId = Annotated[int, Field(ge=1, le=2**31 - 1)]


class RangeBody(Strict):
    """The addresses. `dry_run`: say how many there are and how long it takes, and start nothing."""

    ranges: str = Field(min_length=1, max_length=ranges.LONGEST)
    rtsp_port: Port = 554
    http_port: Port = 80
    site: str = Field("", max_length=MAX_LENGTHS["site"])
    confirm_public: bool = Field(False, description="Also scan addresses on the internet.")
    dry_run: bool = False


class InboxBody(Strict):
    """What to do with some entries. `username`, `password`, `site`, `tags`, `parent` and
    `path` are for all that are added; `device` is the number of the device that a single entry is
    the same as. Without it, each entry is the same as the `device` in its row."""

    ids: list[EntryId] = Field(min_length=1, max_length=MAX_ENTRIES)
    do: Literal["add", "ignore", "link", "remove"]
    username: str = Field("", max_length=access_fields.LONGEST_USERNAME)
    password: str = Field("", max_length=stream_url.LONGEST_PASSWORD)
    credentials: str = Field("", max_length=200, description="The name of a credential set.")
    site: str = Field("", max_length=MAX_LENGTHS["site"])
    tags: list[Tag] = Field([], max_length=editing.MAX_TAGS)
    parent: ParentId | None = None
    path: str = Field(
        "",
        max_length=access_fields.LONGEST_PATH,
        description="The path of the stream, for entries that only RTSP found.",
    )
    device: int | None = Field(None, ge=1)


class RangeInfo(TypedDict):
    """`seconds`: the longest time that it takes; `public`: addresses on the internet;
    `unreachable`: addresses to which this server has no route."""

    count: int
    interfaces: list[str]
    seconds: int
    public: int
    unreachable: int
    is_started: bool


class RangeRow(TypedDict):
    """The running scan of a range, or the last one."""

    ranges: str
    state: str
    asked: int
    total: int
    answered: int
    error: str


class InboxRow(TypedDict):
    """An address that answered. `device`: the number of the device that is known there;
    `elsewhere`: the number of one at another site that has the same address."""

    id: int
    site: str
    address: str
    at: str
    rtsp_port: int | None
    http_port: int | None
    is_onvif: bool
    endpoint: str
    name: str
    model: str
    device: int | None
    elsewhere: int | None


class RangeState(TypedDict):
    scan: RangeRow | None
    inbox: list[InboxRow]


def range_info(
    plan: RangePlan, interfaces: Sequence[str], seconds: float, unreachable: int, is_started: bool
) -> RangeInfo:
    return {
        "count": len(plan.addresses),
        "interfaces": [*interfaces],
        "seconds": round(seconds),
        "public": plan.public,
        "unreachable": unreachable,
        "is_started": is_started,
    }


def range_row(scan: RangeRecord) -> RangeRow:
    return {
        "ranges": scan.ranges,
        "state": scan.state,
        "asked": scan.asked,
        "total": scan.total,
        "answered": scan.answered,
        "error": scan.error,
    }


def range_state(scan: RangeRecord | None, rows: Sequence[InboxItem]) -> RangeState:
    return {
        "scan": range_row(scan) if scan else None,
        "inbox": [inbox_row(row) for row in rows],
    }


def inbox_row(row: InboxItem) -> InboxRow:
    entry, answer = row.entry, row.entry.answer
    return {
        "id": entry.id,
        "site": entry.site,
        "address": entry.address,
        "at": entry.at.isoformat(),
        "rtsp_port": answer.get("rtsp_port"),
        "http_port": answer.get("http_port"),
        "is_onvif": bool(answer.get("is_onvif")),
        "endpoint": str(answer.get("endpoint") or ""),
        "name": str(answer.get("name") or ""),
        "model": str(answer.get("model") or ""),
        "device": row.device.id if row.device else None,
        "elsewhere": row.elsewhere.id if row.elsewhere else None,
    }
