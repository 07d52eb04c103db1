"""Workbooks for tests, as Excel writes them and as it does not; a monitor beside one."""

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import openpyxl

from fleet import recorder_list
from inventory import workbooks
from tests.home import Home

TITLES = ("P2P NUMBER", "SITE", "STORE NAME")
SHEET = "xl/worksheets/sheet1.xml"


def write(path: Path, rows: Iterable[Sequence[Any]], titles: Sequence[str] = TITLES) -> Path:
    """Write a workbook with one sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (titles, *rows):
        sheet.append(list(row))
    book.save(path)
    return path


def book_of(
    rows: Iterable[Sequence[Any]], titles: Sequence[Any] = TITLES, begin: tuple[int, int] = (1, 1)
) -> bytes:
    """A workbook with one sheet whose first cell is at row and column `begin`."""
    book = openpyxl.Workbook()
    for number, row in enumerate((titles, *rows), start=begin[0]):
        for place, value in enumerate(row, start=begin[1]):
            if value is not None:
                book.active.cell(number, place).value = value
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def changed(data: bytes, part: str, pattern: str, text: str) -> bytes:
    """The file with one of its parts replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for member in old.infolist():
            content = old.read(member).decode()
            if member.filename == part:
                content, times = re.subn(pattern, text, content)
                assert times
            new.writestr(member, content)
    return out.getvalue()


def parts(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def packed(parts: dict[str, bytes], **options: Any) -> bytes:
    """A file of these parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **options) as new:
        for name, content in parts.items():
            new.writestr(name, content)
    return out.getvalue()


def with_sheet(text: str | bytes, **more: bytes) -> bytes:
    """A workbook whose sheet is that text, byte by byte."""
    content = text.encode() if isinstance(text, str) else text
    return packed({**parts(book_of([])), SHEET: content, **more})


def sheet_of(rows: str, before: str = "", after: str = "") -> str:
    """The text of a sheet with the titles in row 1 and these rows."""
    titles = "".join(cell(f"{letter}1", text) for letter, text in zip("ABC", TITLES, strict=True))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f'{before}<sheetData><row r="1">{titles}</row>{rows}</sheetData>{after}</worksheet>'
    )


def cell(place: str, text: str, name: str = "c") -> str:
    return f'<{name} r="{place}" t="inlineStr"><is><t>{text}</t></is></{name}>'


def row(number: int, *texts: str) -> str:
    cells = "".join(
        cell(f"{letter}{number}", text) for letter, text in zip("ABC", texts, strict=False)
    )
    return f'<row r="{number}">{cells}</row>'


ROWS = [("AB12345", "SITE-001", "Mall"), ("AB12346", "SITE-002", "Port")]


class WorkbookRig:
    """A monitor in this process and its workbook."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.path = home.settings.p2p_workbook

    @property
    def books(self) -> workbooks.Workbooks:
        return self.home.monitor.workbooks

    def write(self, *rows: tuple, titles: tuple = TITLES) -> str:
        """Write a new workbook there, and let the monitor read it."""
        self.replace(lambda path: write(path, rows, titles))
        return self.check()

    def replace(self, make: Callable[[Path], object]) -> None:
        staged = self.path.with_name("staged.xlsx")
        make(staged)
        staged.replace(self.path)

    def check(self) -> str:
        self.home.clock.forward(seconds=5)
        return self.books.sync()

    def listed(self) -> dict[str, str]:
        """The serials that the fleet has, by site."""
        return {
            row.site: row.serial for row in recorder_list.rows(self.home.monitor.tracker.devices())
        }

    def asked(self) -> dict[str, str]:
        return {target.site: target.path for target in self.books.targets()}

    def cells(self) -> dict[str, str]:
        """The serials in the file, by site."""
        sheet = openpyxl.load_workbook(self.path).worksheets[0]
        return {row[1]: row[0] for row in sheet.iter_rows(min_row=2, values_only=True)}

    def device(self, site: str):
        return next(
            device
            for device in self.home.devices()
            if recorder_list.key_of(device) == f"row:{site}"
        )


class RacedWorkbooks(workbooks.Workbooks):
    """Workbooks whose file another program changes between reading and writing: `interfere` is
    called `times` times, with the number of calls still to come."""

    def __init__(
        self, like: workbooks.Workbooks, times: int, interfere: Callable[[int], object]
    ) -> None:
        super().__init__(like.path, like.tracker, like.clock)
        self.times = times
        self.interfere = interfere

    def _write(self, old: bytes, new: bytes) -> bool:
        if self.times:
            self.times -= 1
            self.interfere(self.times)
        return super()._write(old, new)


def check_pending(rig: WorkbookRig, *words: str, books: workbooks.Workbooks | None = None) -> None:
    """Check that the new serial applies, is not in the file yet, and that the error says why."""
    error = (books or rig.books).state.error
    for phrase in words:
        assert phrase in error
    assert "Errno" not in error
    assert "Traceback" not in error
    assert rig.books.pending() == {"SITE-001": "NEW12345"}
    assert rig.asked()["SITE-001"] == "NEW12345"


def check_saved(rig: WorkbookRig, books: workbooks.Workbooks | None = None) -> None:
    (books or rig.books).sync()
    assert rig.cells()["SITE-001"] == "NEW12345"
    assert rig.books.pending() == {}
    assert (books or rig.books).state.error == ""
