"""Read a list of devices that a person imports: a line with column titles and rows, or one address
or stream URL in each line. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from fleet import access_fields, identity, path_logins, stream_url, typed_place
from fleet.edit.importing import ListedRow, RowResult, refused_row
from fleet.model import DEFAULT_SITE, Access, Invalid
from fleet.places import place
from fleet.typed_place import ONVIF, RTSP
from inventory.limits import NotReadable
from inventory.model import LONGEST_CELL, MAX_ABOVE, Table, is_cut

MAX_ROWS = 10_000
MAX_EXAMPLES = 5
"""Addresses, and rows of each, that a warning names."""
SOURCES = (RTSP, ONVIF)
SYNONYMS = {
    "address": "address ip ipaddress ipv4 ipv4address ipv6 ipv6address host hostname",
    "url": "url uri rtspurl streamurl rtsp stream streamuri rtspuri mainstream",
    "name": "name cameraname devicename title label camera device",
    "port": "port rtspport onvifport httpport",
    "path": "path streampath",
    "username": "username user login userid loginname",
    "password": "password pass passwd pwd pw",  # nosec B105 (titles of a column)
    "credentials": "credentials credentialset",
    "site": "site location place building store",
    "tags": "tags tag groups group labels",
    "notes": "notes note description comment comments remark remarks",
    "mac": "mac macaddress macid hwaddress hardwareaddress",
    "parent": "parent parentdevice connectedthrough recorder nvr uplink",
    "kind": "kind type devicetype",
    "interval": "interval intervals checkinterval pollinginterval intervalseconds",
    "source": "source protocol",
}
"""The titles of each column, in small letters and without anything but letters and digits."""
COLUMNS = {title: name for name, titles in SYNONYMS.items() for title in titles.split()}
PLACES = {"address", "url"}
OWN_VALUES = ("name", "notes")
ADDRESS_HINT = "Enter a host name, an IP address or a stream URL."


@dataclass(frozen=True, slots=True)
class ImportList:
    """The rows whose values fit, each with the text that names its parent, the rows that do not
    fit, and sentences about what was not read. `cells` are the columns of each row by its number,
    without passwords."""

    rows: Sequence[tuple[ListedRow, str]]
    refused: Sequence[RowResult]
    notes: Sequence[str]
    cells: Mapping[int, Mapping[str, str]] = field(default_factory=dict)


def column(title: str) -> str | None:
    """The column that a title means; None for an unknown one."""
    return COLUMNS.get("".join(c for c in title.casefold() if c.isalnum()))


def import_list(table: Table) -> ImportList:
    """Parse the table. Raises NotReadable for one that has too many rows, or no address."""
    columns, head, notes = _columns(table)
    lines = {at: line for at, line in table.rows.items() if head is None or at > head}
    if len(lines) > MAX_ROWS:
        raise NotReadable(
            f"The list has {len(lines):,} rows; at most {MAX_ROWS:,} are allowed",
            "Split it into several files.",
        )
    if not lines:
        raise NotReadable("The list has no rows", "Enter one address or stream URL in each line.")
    rows, refused, cells = list[tuple[ListedRow, str]](), list[RowResult](), {}
    seen = dict[tuple[object, ...], int]()
    for number, line in lines.items():
        texts = {name: line[at] for name, at in columns.items() if at < len(line) and line[at]}
        try:
            if len(line) > len(columns) and head is None:
                raise Invalid(
                    "The row has more cells than address and name",
                    "Add a line with column titles above the rows.",
                )
            _check_length(texts)
            row = _row(number, texts)
            _check_new(row, seen)
        except Invalid as error:
            shown = _shown_place(texts)
            refused.append(refused_row(number, shown, texts.get("name", ""), error))
        else:
            rows.append((row, texts.get("parent", "")))
        cells[number] = _without_secrets(texts)
    notes += _site_notes([row for row, _parent in rows])
    return ImportList(rows, refused, [*table.notes, *notes], cells)


def _columns(table: Table) -> tuple[Mapping[str, int], int | None, list[str]]:
    """Where each column is, the number of the line with the titles, if any, and notes."""
    for number, line in list(table.rows.items())[:MAX_ABOVE]:
        names = [column(title) for title in line]
        if not PLACES.isdisjoint(names):
            places = {name: at for at, name in reversed([*enumerate(names)]) if name}
            ignored = [line[at] for at, title in enumerate(line) if title and names[at] is None]
            doubled = [
                title for at, title in enumerate(line) if places.get(names[at] or "", at) != at
            ]
            return places, number, _ignored_note(ignored) + _doubled_note(doubled)
    return {"address": 0, "name": 1}, None, []


def _ignored_note(titles: Sequence[str]) -> list[str]:
    if not titles:
        return []
    shown = ", ".join(title[:40] for title in titles[:8])
    more = f" and {len(titles) - 8} more" if len(titles) > 8 else ""
    return [f"Unknown columns are ignored: {shown}{more}."]


def _doubled_note(titles: Sequence[str]) -> list[str]:
    return [
        f"Column {title[:40]} is ignored: an earlier column has its values." for title in titles
    ]


def _without_secrets(texts: Mapping[str, str]) -> dict[str, str]:
    shown = {name: text for name, text in texts.items() if name != "password"}
    for name in (PLACES | {"path"}) & shown.keys():
        shown[name] = without_login(shown[name])
    return shown


def without_login(text: str) -> str:
    """A typed address or URL without what may be a login, however malformed it is."""
    with suppress(UnicodeDecodeError):
        text = path_logins.taken_out_of_url(text).path
    scheme, separator, rest = text.rpartition("://")
    if "@" not in rest:
        return text if not access_fields.has_password(text) else f"{scheme}{separator}..."
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _shown_place(texts: Mapping[str, str]) -> str:
    return without_login(texts.get("url") or texts.get("address") or "")


def _check_length(texts: Mapping[str, str]) -> None:
    """Raise Invalid for a cell that the reader cut."""
    for name, text in texts.items():
        if is_cut(text):
            raise Invalid(
                f"The cell in the column {name} has more than {LONGEST_CELL} characters",
                "Shorten it, or leave it empty and enter it in the details of the device.",
            )


def _check_new(row: ListedRow, seen: dict[tuple[object, ...], int]) -> None:
    """Raise Invalid for a row whose place an earlier row has."""
    key = (row.site, row.source, row.place)
    if key in seen:
        raise Invalid(f"Row {seen[key]} has the same address", "Remove one of the two rows.")
    seen[key] = row.number


def _site_notes(rows: Iterable[ListedRow]) -> list[str]:
    """A warning about rows that have one address at several sites, or with and without a site."""
    by_host = defaultdict[str, dict[str, int]](dict)
    for row in rows:
        by_host[row.access["host"]].setdefault(row.site, row.number)
    repeated = {host: sites for host, sites in by_host.items() if len(sites) > 1}
    if not repeated:
        return []
    examples = [f"{host} (rows {_few([*sites.values()])})" for host, sites in repeated.items()]
    return [
        f"The same address at different sites: {_few(examples)}. Each of these rows is a "
        "device of its own. If it is one device, remove a row or enter the same site in both."
    ]


def _few(values: Sequence[object]) -> str:
    """The first few of the values, and how many more there are."""
    shown = ", ".join(map(str, values[:MAX_EXAMPLES]))
    more = len(values) - MAX_EXAMPLES
    return f"{shown} and {more:,} more" if more > 0 else shown


def _row(number: int, texts: Mapping[str, str]) -> ListedRow:
    """Parse one row. Raises Invalid."""
    source, access, password = _access(texts)
    values: dict[str, Any] = {name: texts[name] for name in OWN_VALUES if name in texts}
    if "tags" in texts:
        parts = texts["tags"].replace(";", ",").replace("|", ",").split(",")
        values["tags"] = [tag.strip() for tag in parts if tag.strip()]
    kept = Access(access["host"], access.get("port"), access.get("path") or "")
    return ListedRow(
        number,
        source,
        texts.get("site") or DEFAULT_SITE,
        place(kept),
        access,
        values,
        texts.get("kind", "").lower(),
        password,
        is_address=not access.get("path"),
        key=_mac_key(texts.get("mac", "")),
        has_site="site" in texts,
    )


def _mac_key(text: str) -> str:
    """The identity of a MAC; empty for none. Raises Invalid."""
    key = identity.mac_key(text) if text else ""
    if key is None:
        raise Invalid(f"{text[:40]} is not the MAC of a single device", "Correct or remove it.")
    return key


def _access(texts: Mapping[str, str]) -> tuple[str, dict[str, Any], str]:
    """The source, the fields of its access, and the password. Raises Invalid."""
    given = {
        name: texts[name] for name in ("port", "path", "username", "interval") if name in texts
    }
    password = texts.get("password", "")
    url = texts.get("url", "")
    address = texts.get("address", "")
    if not url and "://" in address:
        url, address = address, ""
    if url.lower().startswith(("rtsp://", "rtsps://")):
        source, access, password = _of_stream_url(url, given, password)
    elif url or address:
        access = access_fields.values({**given, "host": url or address})
        source = _source_of(url or address, access)
    else:
        raise Invalid("The address is missing", ADDRESS_HINT)
    if url and address and access_fields.endpoint(address).host != access["host"]:
        raise Invalid(
            "The address and the URL name different hosts", "Remove the address or correct it."
        )
    stream_url.valid_password(password)
    if "credentials" in texts:
        if access.get("username") or password:
            raise Invalid(
                "The row has a credential set and a login of its own", "Remove one of the two."
            )
        access["credentials"] = texts["credentials"]
    return _named_source(texts.get("source", ""), source), access, password


def _of_stream_url(
    url: str, given: Mapping[str, Any], password: str
) -> tuple[str, dict[str, Any], str]:
    stream = stream_url.parse(url)
    typed = {"port": stream.port, "path": stream.path, "username": stream.username}
    access = access_fields.values({**given, "host": stream.host})
    for name, value in typed.items():
        if value and access.get(name) not in (None, "", value):
            raise Invalid(
                f"The URL and the column {name} differ", "Enter it in only one of the two places."
            )
        if value:
            access[name] = value
    if stream.password and password not in ("", stream.password):
        raise Invalid(
            "The URL and the column password differ", "Enter it in only one of the two places."
        )
    if stream.tls:
        access["options"] = {"tls": True}
    return RTSP, access, password or stream.password or ""


def _source_of(address: str, access: Mapping[str, Any]) -> str:
    """RTSP for a path or port of RTSP, else ONVIF, which finds the streams by itself."""
    path, port = access.get("path") or "", access.get("port")
    if typed_place.read(address).has_scheme or "onvif" in path.lower():
        return ONVIF
    return RTSP if path else typed_place.source_of_port(port) if port else ONVIF


def _named_source(text: str, source: str) -> str:
    """The source that the row names, or the one that follows from its address."""
    if text and text.lower() not in SOURCES:
        raise Invalid(f"The source {text[:40]} is unknown", f"Enter {' or '.join(SOURCES)}.")
    return text.lower() or source


def pasted_lines(text: str) -> Table | None:
    """The table of a text with one URL in each line, which may contain any divider; None for any
    other text."""
    lines = {number: line.strip() for number, line in enumerate(text.splitlines(), 1)}
    filled = {number: [line] for number, line in lines.items() if line}
    if not filled or any("\t" in line or "://" not in line for [line] in filled.values()):
        return None
    return Table("Pasted list", filled)


def renumbered(table: Table, by: int) -> Table:
    """The table with other numbers of its rows."""
    return replace(table, rows={number + by: line for number, line in table.rows.items()})
