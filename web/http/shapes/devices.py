"""Lists of devices, their edits and their deletion as JSON."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from typing_extensions import TypedDict

from fleet import access_fields, networks, shapes, stream_url
from fleet.attention import CHOICES as ATTENTIONS
from fleet.edit import editing
from fleet.editable_fields import MAX_LENGTHS
from fleet.kinds import KINDS
from fleet.queries import LONGEST_PLACE, SORTS, STATUSES, DeviceFilter, DevicePage
from fleet.recording import MAX_RETENTION, QUALITIES
from web.http.payloads import Moment, OneOf, Query, Strict, lower_case

FILTER_FIELDS = {field.name for field in fields(DeviceFilter)}
MAX_SOURCE = 100


def _network(text: str) -> str:
    """The network without bits of a host. Raises ValueError."""
    return networks.canonical(text) if text.strip() else ""


class ListQuery(Query):
    """Filter, search, sorting and paging. Without any of these the list is complete, by number."""

    status: Annotated[str, OneOf(tuple(STATUSES)), BeforeValidator(lower_case)] = "all"
    kind: Annotated[Annotated[str, OneOf(KINDS)] | None, BeforeValidator(lower_case)] = None
    q: str = Field("", max_length=100, description="Text in name, address, MAC, serial or model.")
    tag: str = Field("", max_length=editing.LONGEST_TAG, description="A tag, exactly.")
    model: str = Field("", max_length=LONGEST_PLACE, description="The exact name of a model.")
    site: str = Field("", max_length=LONGEST_PLACE, description="The exact name of a site.")
    store: str = Field("", max_length=LONGEST_PLACE, description="The exact name of a store.")
    network: Annotated[str, AfterValidator(_network)] = Field(
        "",
        max_length=networks.LONGEST,
        description="A network in CIDR notation, such as 10.1.4.0/24.",
    )
    credentials: str = Field(
        "", max_length=40, description="The id of a credential set that the device uses."
    )
    source: str = Field(
        "", max_length=MAX_SOURCE, description="The name of a source that knows the device."
    )
    finding: str = Field(
        "", max_length=60, description="The kind of a finding that the device has."
    )
    channels_of: int | None = Field(
        None, ge=1, le=2**62, description="The number of a recorder: only its channels."
    )
    findings: bool = Field(False, description="Only devices with a finding.")
    attention: Annotated[
        str,
        OneOf(("", *ATTENTIONS)),
        BeforeValidator(lower_case),
        Field(
            description="Only devices that need attention: all, or those of one line of the page."
        ),
    ] = ""
    retired: bool = Field(False, description="Only retired devices.")
    sort: str = Field("", pattern=f"^(-?({'|'.join(SORTS)}))?$")
    page: int | None = Field(None, ge=1, le=1_000_000)
    per_page: int | None = Field(None, ge=1, le=1000)

    def filter(self) -> DeviceFilter:
        """The filter for `fleet.queries`, without what that does not know."""
        return DeviceFilter(**self.model_dump(include=FILTER_FIELDS))


MAX_BULK = 20_000
"""Devices of one bulk edit."""
HIGHEST = 2**62
"""The highest number in a database."""


Tag = Annotated[str, Field(max_length=editing.LONGEST_TAG)]


ParentId = Annotated[int, Field(ge=1)]


class Recording(Strict):
    """Recording settings. With `auto_record` the device is recorded always. In an edit of many
    devices, settings that are left out stay."""

    auto_record: bool | None = None
    record_quality: Annotated[str, OneOf(QUALITIES)] | None = None
    retention_days: int | None = Field(None, ge=1, le=MAX_RETENTION)


class Change(Strict):
    """The changes. Fields that are left out keep their value; an empty name restores the camera's
    own name."""

    name: str | None = Field(None, max_length=MAX_LENGTHS["name"])
    notes: str | None = Field(None, max_length=MAX_LENGTHS["notes"])
    tags: list[Tag] | None = Field(None, max_length=editing.MAX_TAGS)
    site: str | None = Field(None, max_length=MAX_LENGTHS["site"])
    parent: ParentId | None = Field(None, description="The number of its parent device.")
    parents: list[ParentId] | None = Field(
        None,
        max_length=editing.MAX_PARENTS,
        description="The numbers of all its parent devices; one of them is enough to reach it.",
    )
    vendor: str | None = Field(None, max_length=MAX_LENGTHS["vendor"])
    kind: str | None = Field(
        None, max_length=40, description="A word: camera, recorder, switch or other."
    )
    recording: Recording | None = None


Count = Annotated[int, Field(ge=0)]
DeviceId = Annotated[int, Field(ge=1, le=HIGHEST)]


class BulkAccess(Strict):
    """What changes in the connection of each device by this protocol. What is left out stays; a
    password that was saved for another port must be entered again."""

    source: Literal["rtsp", "onvif"]
    port: int | None = Field(None, ge=1, le=65535)
    path: str | None = Field(None, max_length=access_fields.LONGEST_PATH)
    username: str | None = Field(None, min_length=1, max_length=access_fields.LONGEST_USERNAME)
    password: str | None = Field(None, min_length=1, max_length=stream_url.LONGEST_PASSWORD)


class BulkEdit(Strict):
    """The devices, by `ids` or by `filter`, and the change. `except`: devices that the filter
    selects but that stay as they are. `count`: the number of devices that the person saw."""

    ids: list[DeviceId] | None = Field(None, max_length=MAX_BULK)
    filter: ListQuery | None = None
    excluded: list[DeviceId] = Field([], alias="except", max_length=MAX_BULK)
    count: Count | None = None
    add_tags: list[Tag] = Field([], max_length=editing.MAX_TAGS)
    remove_tags: list[Tag] = Field([], max_length=editing.MAX_TAGS)
    site: str | None = Field(None, max_length=MAX_LENGTHS["site"])
    parent: ParentId | None = Field(
        None, description="The number of the parent device of all; null for none."
    )
    interval: int | None = Field(
        None,
        ge=access_fields.MIN_INTERVAL,
        le=access_fields.MAX_INTERVAL,
        description="Seconds between two checks; null for that of the source.",
    )
    credentials: str | None = Field(
        None,
        max_length=200,
        description="The name or id of a credential set, in place of the login; null for none.",
    )
    access: BulkAccess | None = None
    recording: Recording | None = None
    retired: bool | None = Field(None, description="true: retire; false: restore.")


class BulkUndo(Strict):
    """The `undo` of a bulk edit."""

    events: list[DeviceId] = Field(min_length=1, max_length=MAX_BULK)


class BulkFailure(TypedDict):
    """A device that was not changed, and why."""

    id: int
    name: str
    error: str
    hint: str


class BulkEdited(TypedDict):
    """`changed`: the numbers of the changed devices; `unchanged`: devices that needed no change;
    `undo`: what POST /api/cameras/bulk/undo takes; `text`: what was changed."""

    success: bool
    changed: list[int]
    unchanged: int
    failed: list[BulkFailure]
    undo: list[int]
    text: str


class Merge(Strict):
    """The number of the other record of the same device."""

    other: int = Field(ge=1, alias="with")


class Split(Strict):
    """The identities that become another device."""

    identities: list[str] = Field(min_length=1, max_length=100)


class UndoBody(Strict):
    """The number of the edit: `undo` in the response to it."""

    event: int = Field(ge=1, le=HIGHEST)


class Cleanup(Strict):
    """The age: devices not seen for this many days are retired."""

    days: int = Field(90, ge=1, le=36500)


class Cleaned(TypedDict):
    success: bool
    retired: int


class Edited(TypedDict):
    """The device after an edit; null when undoing its addition deleted it, or the edit was of a
    credential set. `undo`: the number
    for POST /api/undo, or null."""

    success: bool
    camera: shapes.CameraDetail | None
    undo: int | None


class Confirmation(Strict):
    """The exact name of the device."""

    confirm: str = Field(max_length=500)


class DeleteMany(Strict):
    """A selection. Without `confirm`, the number of selected devices, they are only counted."""

    first_seen_after: Moment | None = Field(None, strict=False)
    first_seen_before: Moment | None = Field(None, strict=False)
    not_seen_days: int | None = Field(None, ge=1, le=36500)
    never_named: bool = Field(
        False, description="Only devices without a name, notes, tags, or parent device."
    )
    confirm: int | None = Field(None, ge=0)


class Deleted(TypedDict):
    """The number of the deleted device."""

    success: bool
    deleted: int


class DeletedMany(TypedDict):
    """`count`: selected devices; `deleted`: deleted devices; `sample`: some of their names."""

    success: bool
    count: int
    deleted: int
    sample: list[str]


def camera_list(
    page: DevicePage, rows: Sequence[Any], last_scan: str | None, is_scanning: bool
) -> dict[str, Any]:
    """A list of cameras: `shapes.CameraList` with rows that are encoded already."""
    body = {
        "cameras": rows,
        "count": len(page.devices),
        "last_scan": last_scan,
        "scan_in_progress": is_scanning,
    }
    if page.page is not None and page.per_page is not None:
        body |= {"total": page.total, "page": page.page, "per_page": page.per_page}
    return body


def edited(camera: shapes.CameraDetail | None, undo: int | None) -> Edited:
    return {"success": True, "camera": camera, "undo": undo}


def bulk_failure(id: int, name: str, error: str, hint: str) -> BulkFailure:
    return {"id": id, "name": name, "error": error, "hint": hint}


def bulk_edited(
    changed: Sequence[int],
    unchanged: int,
    failed: Sequence[BulkFailure],
    undo: Sequence[int],
    text: str,
) -> BulkEdited:
    return {
        "success": True,
        "changed": [*changed],
        "unchanged": unchanged,
        "failed": [*failed],
        "undo": [*undo],
        "text": text,
    }


def cleaned(count: int) -> Cleaned:
    return {"success": True, "retired": count}


def deleted(number: int) -> Deleted:
    return {"success": True, "deleted": number}


def deleted_many(count: int, deleted: int, sample: Sequence[str]) -> DeletedMany:
    return {"success": True, "count": count, "deleted": deleted, "sample": [*sample]}
