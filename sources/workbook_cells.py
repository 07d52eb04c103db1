"""Writes serials into their cells of a workbook, and nothing else.

Run by the child process; the rest of the house asks `sources.workbook`.
"""

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from xml.parsers import expat  # nosec B405 (a document type is refused, entities with it)
from xml.sax.saxutils import escape, quoteattr  # nosec B406 (they write, they do not read)

from sources.workbook_limits import NotReadable
from sources.workbook_rows import SERIAL, SITE, Table, table_of, workbook_of

Place = tuple[int, int]
"""Row from 1, column from 0."""
REFERENCE = re.compile("([A-Za-z]{1,3})([0-9]{1,7})")
KEPT = ("r", "s", "xmlns")
"""Attributes of a cell that its new text leaves: place, format, and what its name needs."""
TYPE_IT = "Type the serial there in Excel."


@dataclass(frozen=True, slots=True)
class Written:
    """The new file, None when nothing had to change; for each site that could not be written
    why and what to do; the sites that have no row."""

    data: bytes | None
    refused: Mapping[str, str]
    gone: Sequence[str] = ()


def with_serials(data: bytes, serials: Mapping[str, str]) -> Written:
    """The workbook with these serials by site. Raises NotReadable."""
    before = table_of(data)
    rows = {one.site: one for one in workbook_of(before).rows}
    column, site_at = before.place(SERIAL), before.place(SITE)
    refused = {
        cells[site_at]: f"Row {number} is not taken. Mend it first."
        for number, cells in before.lines.items()
        if site_at < len(cells) and cells[site_at] in serials and cells[site_at] not in rows
    }
    wanted = {
        (rows[site].number, before.first + column): site
        for site, serial in serials.items()
        if site in rows and rows[site].serial != serial
    }
    new, not_written = with_texts(
        data, before.sheet, {place: serials[site] for place, site in wanted.items()}
    )
    refused |= {wanted[place]: why for place, why in not_written.items()}
    written = {place[0]: serials[wanted[place]] for place in wanted.keys() - not_written.keys()}
    gone = sorted(serials.keys() - rows.keys() - refused.keys())
    if written:
        _check_written(before, new, column, written)
    return Written(new if written else None, refused, gone)


def _check_written(before: Table, new: bytes, column: int, serials: Mapping[int, str]) -> None:
    """Whatever a file may be like: what is written reads as before but for these serials."""
    lines = dict(before.lines)
    for number, serial in serials.items():
        lines[number] = [*lines[number][:column], serial, *lines[number][column + 1 :]]
    if table_of(new) != replace(before, lines=lines):
        raise NotReadable("A serial cannot be written without changing other cells", TYPE_IT)


def with_texts(
    data: bytes, sheet: str, texts: Mapping[Place, str]
) -> tuple[bytes, Mapping[Place, str]]:
    """The file with other texts in these cells of a sheet; the cells that cannot have them, why.

    Everything else stays as it is, byte by byte: formats, pictures, and the values that
    formulas had, which nobody here could compute again. Raises NotReadable.
    """
    out, refused = io.BytesIO(), dict[Place, str]()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            part = _part_of(old, sheet)
            for one in old.infolist():
                content = old.read(one)
                if one.filename == part:
                    content, refused = _replaced(content, texts)
                # Sizes as they were, in a form for huge parts, are not those that will be.
                one.extra = b""
                new.writestr(one, content)
            new.comment = old.comment
    except (zipfile.BadZipFile, zlib.error, expat.ExpatError, KeyError, ValueError) as error:
        raise NotReadable(
            f"The cells of sheet {sheet[:40]} cannot be written ({error})",
            f"Save the file as .xlsx in Excel. {TYPE_IT}",
        ) from error
    return out.getvalue(), refused


def _part_of(packed: zipfile.ZipFile, sheet: str) -> str:
    """The part in which a sheet is stored. Raises KeyError."""
    targets = {
        one.get("Id", ""): one.get("Target", "")
        for one in _found(packed, "xl/_rels/workbook.xml.rels", "Relationship")
    }
    for one in _found(packed, "xl/workbook.xml", "sheet"):
        if one.get("name") == sheet:
            key = next((value for name, value in one.items() if name.endswith(":id")), "")
            return posixpath.normpath(posixpath.join("/xl", targets[key])).lstrip("/")
    raise KeyError(sheet)


def _found(packed: zipfile.ZipFile, part: str, wanted: str) -> list[dict[str, str]]:
    """The attributes of each element of that name in a part."""
    found = []

    def begin(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == wanted:
            found.append(attributes)

    parser = _parser()
    parser.StartElementHandler = begin
    parser.Parse(packed.read(part), True)
    return found


def _parser() -> expat.XMLParserType:
    """Bytes are counted as they stand in the file, so that it must be UTF-8 whatever it says."""

    def refuse(*_: object) -> None:
        raise ValueError("it has a document type")

    parser = expat.ParserCreate("UTF-8")
    parser.StartDoctypeDeclHandler = refuse
    return parser


def _replaced(xml: bytes, texts: Mapping[Place, str]) -> tuple[bytes, dict[Place, str]]:
    """A sheet's part with other texts in cells, and why not in some. Raises ValueError."""
    cells = _Cells(texts)
    cells.parser.Parse(xml, True)
    refused = {place: f"{_spelled(place)} is not stored. {TYPE_IT}" for place in texts}
    pieces, done = [], 0
    for one in cells.found:
        refused.pop(one.place, None)
        pieces += [xml[done : one.begin], one.with_text(texts[one.place])]
        done = _end(xml, one.near, one.name)
    for place in cells.formulas:
        refused[place] = f"{_spelled(place)} has a formula. {TYPE_IT}"
    return b"".join((*pieces, xml[done:])), refused


def _end(xml: bytes, near: int, name: str) -> int:
    """Where the cell ends whose end expat reports at `near`: there its closing tag begins; an
    empty `<c/>` has none and has ended there."""
    closing = re.compile(rb"</" + re.escape(name.encode()) + rb"\s*>").match(xml, near)
    if closing is None and xml[near - 2 : near] != b"/>":
        raise ValueError("the end of a cell is not found")
    return closing.end() if closing else near


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell in the bytes of a sheet: where it begins, and a place at its end."""

    begin: int
    near: int
    place: Place
    name: str
    attributes: Mapping[str, str]

    def with_text(self, text: str) -> bytes:
        kept = "".join(
            f" {key}={quoteattr(value)}"
            for key, value in self.attributes.items()
            if key.partition(":")[0] in KEPT
        )
        dot = self.name.removesuffix("c")
        inner = f"<{dot}is><{dot}t>{escape(text)}</{dot}t></{dot}is>"
        return f'<{self.name}{kept} t="inlineStr">{inner}</{self.name}>'.encode()


class _Cells:
    """Finds cells in the first sheetData of a part; counts rows and columns as calamine does."""

    def __init__(self, wanted: Mapping[Place, str]) -> None:
        self.wanted = wanted
        self.found: list[_Cell] = []
        self.formulas: set[Place] = set()
        self.parser = _parser()
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._finish
        self._row, self._column = 1, 0
        self._is_inside = False
        self._open: tuple[int, Place, str, dict[str, str]] | None = None

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        kind = name.rpartition(":")[2]
        if kind == "sheetData":
            self._is_inside = True
        elif not self._is_inside:
            return
        elif self._open:
            if kind == "f":
                self.formulas.add(self._open[1])
            elif kind == "c":
                raise ValueError("a cell lies in a cell")
        elif kind == "row":
            self._row = int(attributes.get("r", self._row))
        elif kind == "c":
            place = self._place(attributes.get("r"))
            self._column = place[1] + 1
            if place in self.wanted:
                self._open = (self.parser.CurrentByteIndex, place, name, attributes)

    def _place(self, reference: str | None) -> Place:
        if reference is None:
            return self._row, self._column
        found = REFERENCE.fullmatch(reference)
        if found is None:
            raise ValueError(f"there is no cell {reference[:20]}")
        return int(found[2]), _column_of(found[1].upper())

    def _finish(self, name: str) -> None:
        kind = name.rpartition(":")[2]
        if self._open:
            if name == self._open[2]:
                begin, place, name, attributes = self._open
                self._open = None
                if place not in self.formulas:
                    near = self.parser.CurrentByteIndex
                    self.found.append(_Cell(begin, near, place, name, attributes))
                if len(self.found) + len(self.formulas) == len(self.wanted):
                    self._rest()
        elif kind == "row":
            self._row, self._column = self._row + 1, 0
        elif kind == "sheetData":
            self._rest()

    def _rest(self) -> None:
        """Nothing more is to be found; what comes must only be whole."""
        self.parser.StartElementHandler = self.parser.EndElementHandler = None


def _column_of(letters: str) -> int:
    """Column A is 0, Z is 25, AA is 26."""
    number = 0
    for one in letters:
        number = number * 26 + ord(one) - ord("A") + 1
    return number - 1


def _spelled(place: Place) -> str:
    """A place as Excel says it: (2, 27) is AB2."""
    row, column = place
    letters = ""
    while column >= 0:
        letters = chr(ord("A") + column % 26) + letters
        column = column // 26 - 1
    return f"{letters}{row}"
