"""A list of devices to import, and what each row does, as JSON."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from fleet import access_fields, stream_url
from fleet.edit import editing
from fleet.edit.importing import RowResult
from fleet.editable_fields import MAX_LENGTHS
from inventory.import_rows import MAX_ROWS
from web.http.payloads import Strict

Tag = Annotated[str, Field(max_length=editing.LONGEST_TAG)]


class ImportedRow(Strict):
    """A row. `address` or `url` is needed; what is left out keeps its value."""

    address: str = Field("", max_length=access_fields.LONGEST_HOST + access_fields.LONGEST_PATH)
    url: str = Field("", max_length=stream_url.LONGEST)
    port: int | None = Field(None, ge=1, le=65535)
    path: str = Field("", max_length=access_fields.LONGEST_PATH)
    username: str = Field("", max_length=access_fields.LONGEST_USERNAME)
    password: str = Field("", max_length=stream_url.LONGEST_PASSWORD)
    name: str = Field("", max_length=MAX_LENGTHS["name"])
    credentials: str = Field("", max_length=200, description="The name of a credential set.")
    site: str = Field("", max_length=MAX_LENGTHS["site"])
    tags: list[Tag] = Field([], max_length=editing.MAX_TAGS)
    notes: str = Field("", max_length=MAX_LENGTHS["notes"])
    parent: str = Field("", max_length=200, description="The name, address or MAC of its parent.")
    mac: str = Field("", max_length=40, description="Its MAC, which names a known device.")
    kind: str = Field("", max_length=40)
    interval: int | None = Field(
        None, ge=access_fields.MIN_INTERVAL, le=access_fields.MAX_INTERVAL, description="Seconds."
    )
    source: str = Field("", max_length=40, description="rtsp or onvif; by default by the address.")


class ImportBody(Strict):
    """The rows. `dry_run`: say what each row would do, and save nothing."""

    rows: list[ImportedRow] = Field(min_length=1, max_length=MAX_ROWS)
    name: str = Field("API", min_length=1, max_length=100, description="The name of the list.")
    dry_run: bool = False


class RowOutcome(TypedDict):
    """`row`: its number, from 1. `text`: what changes, or why it is refused."""

    row: int
    state: Literal["new", "changed", "unchanged", "refused"]
    place: str
    name: str
    text: str
    hint: str


class Imported(TypedDict):
    """Counts and rows. `undo`: what POST /api/cameras/bulk/undo takes to undo all of it. `notes`:
    sentences about the list as a whole, such as rows that may be one device."""

    success: bool
    dry_run: bool
    new: int
    changed: int
    unchanged: int
    refused: int
    rows: list[RowOutcome]
    undo: list[int]
    notes: list[str]


def texts_of(row: ImportedRow) -> list[str]:
    """The cells of a row of a table, in the order of the model's fields."""
    values = row.model_dump()
    values["tags"] = ",".join(row.tags)
    return ["" if value is None else str(value) for value in values.values()]


def imported(
    results: Sequence[RowResult],
    counts: Mapping[str, int],
    dry_run: bool,
    undo: Sequence[int],
    notes: Sequence[str] = (),
) -> Imported:
    return {
        "success": True,
        "dry_run": dry_run,
        "new": counts["new"],
        "changed": counts["changed"],
        "unchanged": counts["unchanged"],
        "refused": counts["refused"],
        "rows": [_outcome(result) for result in results],
        "undo": [*undo],
        "notes": [*notes],
    }


def _outcome(result: RowResult) -> RowOutcome:
    return {
        "row": result.number,
        "state": result.state,  # type: ignore[typeddict-item]
        "place": result.place,
        "name": result.name,
        "text": result.text,
        "hint": result.hint,
    }
