"""The parts of an .xlsx file: its sheets and where each is stored."""

import posixpath
import zipfile
from dataclasses import dataclass
from xml.parsers import expat  # nosec B405 (a document type is refused, entities with it)

WORKBOOK, LINKS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
HIDDEN = ("hidden", "veryhidden")
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of cells. `part` is where it is stored."""

    name: str
    part: str
    is_hidden: bool = False


def sheets_of(packed: zipfile.ZipFile) -> list[Sheet]:
    """The sheets of cells, the visible ones first; charts, dialogs, macros and what is not
    stored are left out. Raises KeyError, ValueError, expat.ExpatError."""
    links = {element.get("Id", ""): element for element in elements(packed, LINKS, "Relationship")}
    stored = set(packed.namelist())
    sheets = []
    for element in elements(packed, WORKBOOK, "sheet"):
        key = next((value for name, value in element.items() if name.endswith(":id")), "")
        link = links.get(key, {})
        part = posixpath.normpath(posixpath.join("/xl", link.get("Target", ""))).lstrip("/")
        if link.get("Type", "").endswith("/worksheet") and part in stored:
            is_hidden = element.get("state", "").lower() in HIDDEN
            sheets.append(Sheet(element.get("name", ""), part, is_hidden))
    return sorted(sheets, key=lambda sheet: sheet.is_hidden)


def elements(packed: zipfile.ZipFile, part: str, wanted: str) -> list[dict[str, str]]:
    """The attributes of each element of that name in a part. Raises like `sheets_of`."""
    parts = []

    def begin(name: str, attributes: dict[str, str]) -> None:
        if local_name(name) == wanted:
            parts.append(attributes)

    parser = xml_parser()
    parser.StartElementHandler = begin
    parse_part(parser, packed, part)
    return parts


def parse_part(parser: expat.XMLParserType, packed: zipfile.ZipFile, part: str) -> None:
    """Parse a part in pieces. Raises like `sheets_of`."""
    with packed.open(part) as file:
        while piece := file.read(PIECE):
            parser.Parse(piece, False)
    parser.Parse(b"", True)


def xml_parser() -> expat.XMLParserType:
    """Create a parser for UTF-8, whatever the file declares: byte positions must be exact."""

    def refuse(*_: object) -> None:
        raise ValueError("it contains a document type declaration")

    parser = expat.ParserCreate("UTF-8")
    parser.StartDoctypeDeclHandler = refuse
    return parser


def local_name(name: str) -> str:
    """The name of an element without its prefix."""
    return name.rpartition(":")[2]
