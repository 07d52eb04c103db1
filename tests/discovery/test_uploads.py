"""A new workbook by hand: nothing is lost, whatever lies in the way."""

import io
from pathlib import Path

import pytest

from discovery.uploads import Uploads
from fleet.model import NotThere, Refused
from sources.workbook import NotReadable
from tests.workbooks import ROWS, Desk, book_of, write

UPLOADED = [("AB12399", "SITE-009", "Quay")]


@pytest.fixture
def desk(make_home) -> Desk:
    return Desk(make_home())


@pytest.fixture
def uploads(desk: Desk) -> Uploads:
    return desk.home.house.uploads


def test_while_the_workbook_is_open_nothing_is_replaced_and_the_upload_waits(desk, uploads):
    desk.lay(*ROWS)
    key = uploads.preview(book_of(UPLOADED)).key
    lock = desk.path.with_name("~$P2P1.xlsx")
    lock.write_bytes(b"Ada")
    with pytest.raises(Refused) as caught:
        uploads.commit(key)
    assert "P2P1.xlsx is open in Excel" in caught.value.error
    assert "delete ~$P2P1.xlsx" in caught.value.hint
    assert desk.cells() == desk.asked() == {"SITE-001": "AB12345", "SITE-002": "AB12346"}
    assert not uploads.can_undo
    lock.unlink()
    uploads.commit(key)
    assert desk.cells() == desk.asked() == {"SITE-009": "AB12399"}


def test_while_the_workbook_is_open_nothing_is_taken_back(desk, uploads):
    desk.lay(*ROWS)
    uploads.commit(uploads.preview(book_of(UPLOADED)).key)
    lock = desk.path.with_name(".~lock.P2P1.xlsx#")
    lock.write_bytes(b"Ada")
    with pytest.raises(Refused, match="open in LibreOffice"):
        uploads.undo()
    assert uploads.can_undo
    lock.unlink()
    uploads.undo()
    assert desk.cells() == {"SITE-001": "AB12345", "SITE-002": "AB12346"}


def test_the_first_workbook_is_taken_back_to_none(desk, uploads):
    uploads.commit(uploads.preview(book_of(UPLOADED)).key)
    desk.path.with_name("~$P2P1.xlsx").write_bytes(b"Ada")
    desk.books.change_serial("SITE-009", "NEW12345", "Ada")
    desk.path.with_name("~$P2P1.xlsx").unlink()
    uploads.undo()
    assert not desk.path.exists()
    assert desk.asked() == {}
    assert desk.books.pending() == {}
    assert desk.look() == "unchanged"


def test_an_upload_of_which_a_power_cut_left_a_part_is_not_used(desk, uploads):
    desk.lay(*ROWS)
    key = uploads.preview(book_of(UPLOADED)).key
    staged = uploads.folder / f"wait-{key}.xlsx"
    staged.write_bytes(staged.read_bytes()[:999])
    with pytest.raises(NotThere):
        uploads.commit(key)
    assert len(desk.asked()) == 2


def test_a_workbook_that_cannot_be_replaced_stays_and_the_upload_waits(desk, uploads):
    desk.lay(*ROWS)
    desk.path.chmod(0o444)
    key = uploads.preview(book_of(UPLOADED)).key
    with pytest.raises(PermissionError):
        uploads.commit(key)
    assert desk.cells() == {"SITE-001": "AB12345", "SITE-002": "AB12346"}
    desk.path.chmod(0o644)
    uploads.commit(key)
    assert desk.asked() == {"SITE-009": "AB12399"}


def test_an_upload_that_cannot_be_kept_is_said(desk, uploads):
    uploads.folder.parent.mkdir(exist_ok=True)
    uploads.folder.write_bytes(b"a file lies where the folder should be")
    with pytest.raises(NotReadable, match="cannot be kept"):
        uploads.preview(book_of(UPLOADED))


def test_a_serial_that_waits_outlives_an_upload(desk, uploads):
    desk.lay(*ROWS)
    desk.books.change_serial("SITE-001", "NEW12345", "Ada")
    uploads.commit(uploads.preview(book_of([*ROWS, *UPLOADED])).key)
    wanted = {"SITE-001": "NEW12345", "SITE-002": "AB12346", "SITE-009": "AB12399"}
    assert desk.cells() == desk.asked() == wanted


def test_what_is_looked_at_is_what_is_taken(desk, uploads, tmp_path: Path):
    data = write(tmp_path / "new.xlsx", UPLOADED).read_bytes()
    key = uploads.preview(io.BytesIO(data).getvalue()).key
    uploads.commit(key)
    assert desk.path.read_bytes() == data
