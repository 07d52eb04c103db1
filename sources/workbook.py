"""The workbook of recorders (P2P1.xlsx): which there are, at which site, in which store.

Only values are read: no formula is computed, no macro run, no link followed.
"""

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat  # nosec B405 (a document type is refused, entities with it)
from xml.sax.saxutils import escape, quoteattr  # nosec B406 (they write, they do not read)

from sources.easy4ip_wire import clean_serial

SERIAL, SITE, STORE = "P2P NUMBER", "SITE", "STORE NAME"
NEEDED = (SERIAL, SITE, STORE)
MOST_BYTES = 32 << 20
MOST_UNPACKED = 400 << 20
"""Bytes after unpacking: a small file can hold a huge one."""
MOST_ROWS = 50_000
MOST_COLUMNS = 200
LONGEST_CELL = 500


class NotReadable(Exception):
    """The file is no workbook that can be used: what is wrong, and what to do."""

    def __init__(self, error: str, hint: str) -> None:
        super().__init__(f"{error}. {hint}")
        self.error = error
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Row:
    """One recorder. `number` is its row in the sheet, from 1; `extra` the other columns."""

    number: int
    site: str
    serial: str
    store: str
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that was not taken: why, and what to do."""

    number: int
    error: str
    hint: str


@dataclass(frozen=True, slots=True)
class Workbook:
    """`columns` are the titles as they stand in the sheet, in their order; the first of them
    in the column `first`, from 0."""

    sheet: str
    columns: Sequence[str]
    rows: Sequence[Row]
    problems: Sequence[Problem]
    first: int = 0


def read(data: bytes) -> Workbook:
    """The first sheet that has the three columns. Raises NotReadable."""
    _check_size(data)
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            found = _sheet(name, sheet.iter_rows(), sheet.start)
            if found is not None:
                return found
    except CalamineError as error:
        raise NotReadable(
            f"The file is no workbook that can be read ({error})", "Save it as .xlsx in Excel."
        ) from error
    raise NotReadable(
        f"No sheet has the columns {', '.join(NEEDED)}",
        "Put these three titles into the first row of one sheet, in any order.",
    )


def _check_size(data: bytes) -> None:
    """Before anything is unpacked. Raises NotReadable."""
    if len(data) > MOST_BYTES:
        raise NotReadable(
            f"The file has {len(data) >> 20} MB, {MOST_BYTES >> 20} MB are allowed",
            "Take pictures and other sheets out.",
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            size = sum(one.file_size for one in packed.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise NotReadable(
            "The file is no .xlsx workbook, or it is damaged", "Save it as .xlsx in Excel."
        ) from error
    if size > MOST_UNPACKED:
        raise NotReadable(
            f"Unpacked the file has {size >> 20} MB, {MOST_UNPACKED >> 20} MB are allowed",
            "Take out what is not about recorders.",
        )


def _sheet(name: str, lines: Iterator[list[Any]], start: tuple[int, int] | None) -> Workbook | None:
    """The sheet as a workbook; None when its first line with content has not the three
    titles. `start` is row and column of the first cell with content; lines begin at row 0."""
    numbered = enumerate(([_text(one) for one in line[:MOST_COLUMNS]] for line in lines), start=1)
    titles = next((cells for _number, cells in numbered if any(cells)), [])
    places = {title.upper(): place for place, title in reversed(list(enumerate(titles)))}
    if not all(title in places for title in NEEDED):
        return None
    rows: list[Row] = []
    problems: list[Problem] = []
    taken: dict[tuple[str, str], int] = {}
    for number, cells in numbered:
        if not any(cells):
            continue
        if len(rows) >= MOST_ROWS:
            problems.append(
                Problem(number, f"More than {MOST_ROWS:,} rows", "Divide it over two houses.")
            )
            break
        made = _row(number, cells, titles, places, taken)
        if isinstance(made, Row):
            rows.append(made)
        else:
            problems.append(made)
    return Workbook(name, titles, rows, problems, start[1] if start else 0)


def _row(
    number: int,
    cells: Sequence[str],
    titles: Sequence[str],
    places: Mapping[str, int],
    taken: dict[tuple[str, str], int],
) -> Row | Problem:
    def cell(title: str) -> str:
        place = places[title]
        return cells[place] if place < len(cells) else ""

    site, serial = cell(SITE), clean_serial(cell(SERIAL))
    if not site:
        return Problem(number, "SITE is empty", "Give the site a name of its own.")
    if not cell(SERIAL):
        return Problem(number, f"P2P NUMBER of {site} is empty", "Enter the recorder's serial.")
    if serial is None:
        return Problem(
            number,
            f"P2P NUMBER {cell(SERIAL)[:40]!r} of {site} is no serial",
            "A serial has 4 to 32 letters and digits.",
        )
    for kind, value in ((SITE, site), (SERIAL, serial)):
        before = taken.setdefault((kind, value), number)
        if before != number:
            if kind == SERIAL and taken.get((SITE, site)) == number:
                del taken[SITE, site]
            return Problem(
                number, f"{kind} {value} stands in row {before} already", "Keep one of the two."
            )
    extra = {
        titles[place]: value
        for place, value in enumerate(cells)
        if value and place < len(titles) and titles[place] and place not in _needed(places)
    }
    return Row(number, site, serial, cell(STORE), extra)


def _needed(places: Mapping[str, int]) -> set[int]:
    return {places[title] for title in NEEDED}


def _text(value: Any) -> str:
    """A cell as text: 123456.0 is 123456; texts keep their leading zeros."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = " ".join(str(value).split()) if value is not None else ""
    return text.replace("\x00", "")[:LONGEST_CELL]


# -- writing -----------------------------------------------------------------------------


def with_texts(data: bytes, sheet: str, texts: Mapping[tuple[int, int], str]) -> bytes:
    """The file with other texts in these cells of a sheet, by row from 1 and column from 0.

    Everything else stays as it is, byte by byte: formats, pictures, and the values that
    formulas had, which nobody here could compute again. Raises NotReadable.
    """
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            part = _part_of(old, sheet)
            for one in old.infolist():
                content = old.read(one)
                new.writestr(one, _replaced(content, texts) if one.filename == part else content)
    except (zipfile.BadZipFile, expat.ExpatError, KeyError, ValueError) as error:
        raise NotReadable(
            f"A cell of sheet {sheet} cannot be written ({error})",
            "Save the file as .xlsx in Excel, or type the serial there.",
        ) from error
    return out.getvalue()


def _part_of(packed: zipfile.ZipFile, sheet: str) -> str:
    """The part in which a sheet is stored. Raises KeyError."""
    places = {one["Id"]: one["Target"] for one in _found(packed, "xl/_rels/workbook.xml.rels")}
    for one in _found(packed, "xl/workbook.xml"):
        if one.get("name") == sheet:
            key = next(value for name, value in one.items() if name.endswith(":id"))
            return posixpath.normpath(posixpath.join("xl", places[key].lstrip())).lstrip("/")
    raise KeyError(sheet)


def _found(packed: zipfile.ZipFile, part: str) -> list[dict[str, str]]:
    """The attributes of each sheet or relationship that a part names."""
    found = []

    def begin(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] in ("sheet", "Relationship"):
            found.append(attributes)

    parser = _parser()
    parser.StartElementHandler = begin
    parser.Parse(packed.read(part), True)
    return found


def _parser() -> expat.XMLParserType:
    def refuse(*_: object) -> None:
        raise ValueError("a document type")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    return parser


def _replaced(xml: bytes, texts: Mapping[tuple[int, int], str]) -> bytes:
    """A sheet's part with other texts in some cells. Raises ValueError."""
    cells = _Cells(texts)
    cells.parser.Parse(xml, True)
    if missing := texts.keys() - {place for _begin, _end, place, *_ in cells.found}:
        raise ValueError(f"row {min(missing)[0]} has no such cell")
    for begin, near, place, name, attributes in reversed(cells.found):
        kept = "".join(
            f" {key}={quoteattr(attributes[key])}" for key in ("r", "s") if key in attributes
        )
        dot = name.removesuffix("c")
        text = f"<{dot}is><{dot}t>{escape(texts[place])}</{dot}t></{dot}is>"
        cell = f'<{name}{kept} t="inlineStr">{text}</{name}>'
        xml = xml[:begin] + cell.encode() + xml[xml.index(b">", near) + 1 :]
    return xml


class _Cells:
    """Finds cells in a sheet: byte of their begin, byte near their end, place, name, attributes."""

    def __init__(self, wanted: Mapping[tuple[int, int], str]) -> None:
        self.wanted = wanted
        self.found: list[tuple[int, int, tuple[int, int], str, dict[str, str]]] = []
        self.parser = _parser()
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end
        self._row, self._column = 0, -1
        self._open: tuple[int, str, dict[str, str]] | None = None

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "row":
                self._row, self._column = int(attributes.get("r", self._row + 1)), -1
            case "c":
                letters = re.match("[A-Z]{1,3}", attributes.get("r", ""))
                self._column = _column_of(letters[0]) if letters else self._column + 1
                if (self._row, self._column) in self.wanted:
                    self._open = (self.parser.CurrentByteIndex, name, attributes)
            case "f" if self._open:
                raise ValueError(f"{self._open[2].get('r')} has a formula")

    def _end(self, name: str) -> None:
        if self._open and name == self._open[1]:
            begin, _name, attributes = self._open
            place = (self._row, self._column)
            self.found.append((begin, self.parser.CurrentByteIndex, place, name, attributes))
            self._open = None


def _column_of(letters: str) -> int:
    """Column A is 0, Z is 25, AA is 26."""
    number = 0
    for one in letters:
        number = number * 26 + ord(one) - ord("A") + 1
    return number - 1
