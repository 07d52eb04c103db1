"""A new workbook by hand: nothing is lost, whatever lies in the way."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.model import NotFound, Refused
from inventory.uploads import Uploads
from inventory.workbook import NotReadable
from tests.home import ROOT
from tests.workbooks import ROWS, Desk, book_of, write

UPLOADED = [("AB12399", "SITE-009", "Quay")]


@pytest.fixture
def desk(make_home) -> Desk:
    return Desk(make_home())


@pytest.fixture
def uploads(desk: Desk) -> Uploads:
    return desk.home.monitor.uploads


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
    uploads.undo()
    assert not desk.path.exists()
    assert desk.asked() == {}
    assert desk.books.pending() == {}
    assert desk.look() == "unchanged"


def test_an_upload_of_which_a_power_cut_left_a_part_is_not_used(desk, uploads):
    desk.lay(*ROWS)
    key = uploads.preview(book_of(UPLOADED)).key
    staged = uploads.folder / f"wait-{key[:32]}.xlsx"
    staged.write_bytes(staged.read_bytes()[:999])
    with pytest.raises(NotFound):
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


def test_what_is_looked_at_is_what_is_taken(desk, uploads, tmp_path: Path):
    data = write(tmp_path / "new.xlsx", UPLOADED).read_bytes()
    key = uploads.preview(io.BytesIO(data).getvalue()).key
    uploads.commit(key)
    assert desk.path.read_bytes() == data


# -- what somebody else does meanwhile ---------------------------------------------------------

PIER = ("AB12347", "SITE-003", "Pier")
LOOKED = "P2P1.xlsx was changed since you looked at it"


def waiting(desk: Desk) -> None:
    """A new serial of SITE-001 that the file does not have yet."""
    desk.lay(*ROWS)
    lock = desk.path.with_name("~$P2P1.xlsx")
    lock.write_bytes(b"Ada")
    desk.books.change_serial("SITE-001", "PENDING36", "Ada")
    lock.unlink()


def typed(desk: Desk) -> None:
    desk.books.change_serial("SITE-001", "NEW12345", "Ada")


def written(desk: Desk) -> None:
    typed(desk)
    desk.look()


def saved(desk: Desk) -> None:
    desk.lay(*ROWS, PIER)


def saved_and_not_read(desk: Desk) -> None:
    desk.replace(lambda path: write(path, [*ROWS, PIER]))


def deleted(desk: Desk) -> None:
    desk.path.unlink()


def bytes_of(desk: Desk) -> bytes:
    return desk.path.read_bytes() if desk.path.exists() else b""


@pytest.mark.parametrize("change", [typed, written, saved, saved_and_not_read, deleted])
def test_what_changed_since_the_preview_is_not_overwritten(desk, uploads, change):
    desk.lay(*ROWS)
    key = uploads.preview(book_of(UPLOADED)).key
    change(desk)
    before, pending = bytes_of(desk), desk.books.pending()
    with pytest.raises(Refused, match=LOOKED) as caught:
        uploads.commit(key)
    assert caught.value.hint == "Look again: upload it once more."
    assert (bytes_of(desk), desk.books.pending()) == (before, pending)
    assert not uploads.can_undo
    assert (uploads.folder / f"wait-{key[:32]}.xlsx").is_file(), "it goes on waiting"
    uploads.commit(uploads.preview(book_of(UPLOADED)).key)
    assert desk.cells() == desk.asked() == {"SITE-009": "AB12399"}


def test_another_upload_taken_since_the_preview_is_not_overwritten(desk, uploads):
    desk.lay(*ROWS)
    mine = uploads.preview(book_of([*ROWS, *UPLOADED])).key
    uploads.commit(uploads.preview(book_of([*ROWS, PIER])).key)
    with pytest.raises(Refused, match=LOOKED):
        uploads.commit(mine)
    assert set(desk.cells()) == {"SITE-001", "SITE-002", "SITE-003"}
    uploads.undo()
    assert set(desk.cells()) == {"SITE-001", "SITE-002"}, "the first commit can still be undone"


def test_a_first_workbook_that_somebody_laid_there_meanwhile_stays(desk, uploads):
    key = uploads.preview(book_of(UPLOADED)).key
    desk.lay(*ROWS)
    with pytest.raises(Refused, match=LOOKED):
        uploads.commit(key)
    assert desk.cells() == {"SITE-001": "AB12345", "SITE-002": "AB12346"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (typed, "A new serial of SITE-001 was typed since the new workbook was taken"),
        (written, "P2P1.xlsx was changed since the new workbook was taken"),
        (saved, "P2P1.xlsx was changed since the new workbook was taken"),
        (deleted, "P2P1.xlsx was taken away since the new workbook was taken"),
    ],
)
def test_what_changed_since_the_commit_is_not_undone(desk, uploads, change, says):
    desk.lay(ROWS[1])
    uploads.commit(uploads.preview(book_of(ROWS)).key)
    change(desk)
    before, pending = bytes_of(desk), desk.books.pending()
    with pytest.raises(Refused) as caught:
        uploads.undo()
    assert not isinstance(caught.value, NotFound)
    assert caught.value.error == says
    (kept,) = uploads.folder.glob("before-*.xlsx")
    assert caught.value.hint == (
        f"Upload the workbook that you want instead. The one from before is kept as {kept}."
    )
    assert (bytes_of(desk), desk.books.pending()) == (before, pending)


def test_serials_saved_here_since_the_commit_are_kept_by_an_undo(desk, uploads):
    desk.lay(*ROWS)
    uploads.commit(uploads.preview(book_of([*ROWS, PIER])).key)
    written(desk)
    desk.books.change_serial("SITE-002", "NEW22222", "Ada")
    desk.look()
    uploads.undo()
    assert desk.cells() == desk.asked() == {"SITE-001": "NEW12345", "SITE-002": "NEW22222"}
    assert not uploads.can_undo


def test_a_commit_that_keeps_a_waiting_serial_can_be_undone(desk, uploads):
    waiting(desk)
    uploads.commit(uploads.preview(book_of([(None, *ROWS[0][1:]), ROWS[1], PIER])).key)
    uploads.undo()
    assert desk.cells() == desk.asked() == {"SITE-001": "PENDING36", "SITE-002": "AB12346"}


def test_a_restarted_monitor_knows_what_its_commit_left(desk, uploads):
    desk.lay(*ROWS)
    uploads.commit(uploads.preview(book_of(UPLOADED)).key)
    desk.home.restart()
    desk.home.monitor.uploads.undo()
    assert desk.cells() == desk.asked() == {"SITE-001": "AB12345", "SITE-002": "AB12346"}


def test_a_monitor_that_was_updated_has_no_note_and_says_so(desk, uploads):
    desk.lay(*ROWS)
    uploads.folder.mkdir(parents=True)
    old = uploads.folder / "before.xlsx"
    old.write_bytes(book_of(UPLOADED))
    assert uploads.can_undo
    with pytest.raises(Refused, match="Nobody noted what P2P1.xlsx was then") as caught:
        uploads.undo()
    assert not isinstance(caught.value, NotFound)
    assert len(desk.cells()) == 2
    uploads.commit(uploads.preview(book_of(UPLOADED)).key)
    assert not old.exists()
    uploads.undo()
    assert len(desk.cells()) == 2


# -- what is pending ---------------------------------------------------------------------------


def test_a_preview_compares_with_the_pending_serial_and_its_commit_forgets_it(desk, uploads):
    waiting(desk)
    new = [("UPLOADED36", *ROWS[0][1:]), ROWS[1]]
    preview = uploads.preview(book_of(new))
    assert [(old.serial, row.serial) for old, row in preview.changed] == [
        ("PENDING36", "UPLOADED36")
    ]
    uploads.commit(preview.key)
    assert desk.books.pending() == {}
    wanted = {"SITE-001": "UPLOADED36", "SITE-002": "AB12346"}
    assert desk.cells() == desk.asked() == wanted
    desk.home.restart()
    desk.look()
    assert desk.books.pending() == {}
    assert desk.cells() == desk.asked() == wanted


def test_a_pending_serial_is_written_into_the_row_of_an_upload_that_has_none(desk, uploads):
    waiting(desk)
    preview = uploads.preview(book_of([(None, *ROWS[0][1:]), ROWS[1], PIER]))
    assert preview.kept == {"SITE-001": "PENDING36"}
    assert preview.forgotten == {}
    assert (list(preview.changed), list(preview.removed)) == ([], [])
    uploads.commit(preview.key)
    wanted = {"SITE-001": "PENDING36", "SITE-002": "AB12346", "SITE-003": "AB12347"}
    assert desk.cells() == desk.asked() == wanted
    assert desk.books.pending() == {}


def test_a_pending_serial_that_another_row_of_an_upload_has_does_not_wait(desk, uploads):
    waiting(desk)
    preview = uploads.preview(book_of([(None, *ROWS[0][1:]), ("PENDING36", *ROWS[1][1:])]))
    assert preview.kept == {}
    assert [(recorder.site, recorder.serial) for recorder in preview.removed] == [
        ("SITE-001", "PENDING36")
    ]
    uploads.commit(preview.key)
    assert desk.asked() == {"SITE-002": "PENDING36"}
    assert desk.books.pending() == {}


def test_a_pending_serial_of_a_row_that_is_gone_is_shown(desk, uploads):
    waiting(desk)
    desk.replace(lambda path: write(path, ROWS[1:]))
    assert uploads.preview(book_of(ROWS)).forgotten == {"SITE-001": "PENDING36"}


def test_a_preview_beside_a_damaged_workbook_compares_with_what_still_counts(desk, uploads):
    desk.lay(*ROWS)
    desk.path.write_bytes(b"no workbook")
    desk.look()
    preview = uploads.preview(book_of(ROWS))
    assert (preview.unchanged, preview.added) == (2, [])
    uploads.commit(preview.key)
    assert len(desk.cells()) == 2


def test_when_the_file_cannot_be_replaced_what_is_pending_stays(desk, uploads):
    waiting(desk)
    key = uploads.preview(book_of(UPLOADED)).key
    desk.path.chmod(0o444)
    with pytest.raises(PermissionError):
        uploads.commit(key)
    assert desk.books.pending() == {"SITE-001": "PENDING36"}
    assert not uploads.can_undo
    desk.path.chmod(0o644)
    desk.look()
    assert desk.cells()["SITE-001"] == "PENDING36"


def test_a_serial_typed_while_the_workbook_is_being_taken_is_newer(desk, uploads, monkeypatch):
    waiting(desk)
    key = uploads.preview(book_of([*ROWS, PIER])).key
    put = desk.books._put_file

    def put_and_type(data: bytes, old: bytes) -> None:
        put(data, old)
        desk.books.change_serial("SITE-001", "PENDING36", "Bob")

    monkeypatch.setattr(desk.books, "_put_file", put_and_type)
    uploads.commit(key)
    assert desk.cells()["SITE-001"] == desk.asked()["SITE-001"] == "PENDING36"


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.home import Clock, Home
from tests.workbooks import Desk, ROWS, book_of
from tests.inventory.test_uploads import die, waiting

home = Home(Path(sys.argv[1]), Clock())
desk = Desk(home)
waiting(desk)
uploads = home.monitor.uploads
key = uploads.preview(book_of([("UPLOADED36", *ROWS[0][1:]), ROWS[1]])).key
die(desk.books, sys.argv[2])
uploads.commit(key)
"""


def die(books: object, name: str) -> None:
    """The next call of that method kills the process."""
    setattr(books, name, lambda *_args, **_more: os.kill(os.getpid(), signal.SIGKILL))


@pytest.mark.parametrize(
    ("name", "serial"), [("_put_file", "PENDING36"), ("_finish_replacement", "UPLOADED36")]
)
def test_killed_before_or_after_the_file_is_there_no_serial_is_lost(
    make_home, tmp_path, name, serial
):
    (tmp_path / "home").mkdir()
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "home"), name], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    desk = Desk(make_home())
    desk.look()
    assert desk.cells() == desk.asked() == {"SITE-001": serial, "SITE-002": "AB12346"}
    assert desk.books.pending() == {}
