"""The export of the fleet: everything as JSON, or a list with its filter as CSV, XLSX or JSON."""

from collections.abc import Sequence
from typing import Annotated, Any

from flask import Blueprint, Response
from pydantic import Field

from fleet import labels, shapes
from fleet.csv_export import as_csv
from fleet.queries import store_of
from fleet.status import TABLE
from inventory.export import XLSX, sheet_bytes
from web.http import columns
from web.http.auditing import note
from web.http.authorization import needs
from web.http.monitor import current_monitor
from web.http.payloads import OneOf, describes, json_response, query_args
from web.http.selection import selected, unpaged
from web.http.shapes.devices import ListQuery
from web.http.visible_fleet import stores_of, visible_fleet

bp = Blueprint("export", __name__)
Rows = list[dict[str, Any]]


class ExportQuery(ListQuery):
    """Without `format`: everything that is known of every device. With it: the rows of the list
    that the other parameters select, with the fields of `columns` and those that identify a
    device."""

    format: Annotated[
        str, OneOf(("", "csv", "xlsx", "json")), Field(description="The format of the list.")
    ] = ""
    columns: str = Field("", description="Columns of the page, separated by commas.")


@bp.get("/api/export")
@needs("fleet.export")
@describes(query=ExportQuery, answer=shapes.Exported, media=("application/json", "text/csv", XLSX))
def export() -> Response:
    """The whole database as a dated JSON file, or a list as a file; without secrets."""
    query = query_args(ExportQuery)
    at = f"{current_monitor().clock().astimezone():%Y-%m-%d}"
    if query.format:
        response, name = _list(query), f"camera_list_{at}.{query.format}"
    else:
        response, name = _everything(), f"camera_database_{at}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _everything() -> Response:
    monitor = current_monitor()
    devices, statuses = visible_fleet().statuses()
    now, rules = monitor.clock(), monitor.rules()
    note("fleet.export", "fleet", f"{len(devices)} devices exported")
    rows = (
        shapes.detail(device, statuses[device.id], now, rules, devices)
        for device in devices.values()
    )
    return json_response(shapes.export(rows, now))


def _list(query: ExportQuery) -> Response:
    keys = query.columns.split(",") if query.columns else columns.shown_columns()
    fields, rows = columns.file_fields(columns.parsed(keys)), _rows(query)
    note("fleet.export", "fleet", f"{labels.device_count(rows)} exported as {query.format}")
    match query.format:
        case "csv":
            return Response(as_csv(_flat(rows, fields), fields), mimetype="text/csv")
        case "xlsx":
            lines = [list(row.values()) for row in _flat(rows, fields)]
            return Response(sheet_bytes("List", [fields, *lines]), mimetype=XLSX)
    cameras = ({name: row[name] for name in fields} for row in rows)
    return json_response(shapes.export(cameras, current_monitor().clock()))


def _rows(query: ExportQuery) -> Rows:
    """The rows of the list with the fields of a file."""
    monitor = current_monitor()
    devices, statuses = visible_fleet().statuses()
    now, rules, stores = monitor.clock(), monitor.rules(), stores_of(devices)
    return [
        columns.file_row(
            shapes.row(device, statuses[device.id], now, rules, devices),
            store_of(device, stores),
            [labels.name_among(devices[id], devices) for id in device.parents if id in devices],
        )
        for device in selected(unpaged(query), (devices, statuses)).devices
    ]


def _flat(rows: Rows, fields: Sequence[str]) -> list[dict[str, str]]:
    """The rows as texts: several values of one field are separated by commas."""
    return [{name: _text(name, row[name]) for name in fields} for row in rows]


def _text(name: str, value: Any) -> str:
    if name == "status":
        return TABLE[value].title
    if name == "site":
        return labels.site_name(value, "")
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
