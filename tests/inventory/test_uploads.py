"""A new workbook by hand: nothing is lost, whatever lies in the way."""

import io
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleet.model import NotFound, Refused
from inventory.uploads import Uploads
from inventory.workbook import NotReadable
from tests.home import ROOT
from tests.workbooks import ROWS, WorkbookRig, book_of, write

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
UPLOADED = [("AB12399", "SITE-009", "Quay")]


@pytest.fixture
def rig(make_home) -> WorkbookRig:
    return WorkbookRig(make_home())


@pytest.fixture
def uploads(rig: WorkbookRig) -> Uploads:
    return rig.home.monitor.uploads


def test_while_the_workbook_is_open_nothing_is_replaced_and_the_upload_waits(rig, uploads):
    rig.write(*ROWS)
    key = uploads.preview(book_of(UPLOADED)).key
    lock = rig.path.with_name("~$P2P1.xlsx")
    lock.write_bytes(b"Ada")
    with pytest.raises(Refused) as caught:
        uploads.commit(key)
    assert "P2P1.xlsx is open in Excel" in caught.value.error
    assert "delete ~$P2P1.xlsx" in caught.value.hint
    assert rig.cells() == rig.asked() == {"SITE-001": "AB12345", "SITE-002": "AB12346"}
    assert uploads.last_import() is None
    lock.unlink()
    uploads.commit(key)
    assert rig.cells() == rig.asked() == {"SITE-009": "AB12399"}


def test_while_the_workbook_is_open_nothing_is_taken_back(rig, uploads):
    rig.write(*ROWS)
    uploads.commit(uploads.preview(book_of(UPLOADED)).key)
    lock = rig.path.with_name(".~lock.P2P1.xlsx#")
    lock.write_bytes(b"Ada")
    with pytest.raises(Refused, match="open in LibreOffice"):
        uploads.undo()
    assert uploads.last_import()
    lock.unlink()
    uploads.undo()
    assert rig.cells() == {"SITE-001": "AB12345", "SITE-002": "AB12346"}


def test_the_first_workbook_is_taken_back_to_none(rig, uploads):
    uploads.commit(uploads.preview(book_of(UPLOADED)).key)
    uploads.undo()
    assert not rig.path.exists()
    assert rig.asked() == {}
    assert rig.books.pending() == {}
    assert rig.check() == "unchanged"


def test_an_upload_of_which_a_power_cut_left_a_part_is_not_used(rig, uploads):
    rig.write(*ROWS)
    key = uploads.preview(book_of(UPLOADED)).key
    staged = uploads.folder / f"wait-{key[:32]}.xlsx"
    staged.write_bytes(staged.read_bytes()[:999])
    with pytest.raises(NotFound):
        uploads.commit(key)
    assert len(rig.asked()) == 2


def test_a_workbook_that_cannot_be_replaced_stays_and_the_upload_waits(rig, uploads):
    rig.write(*ROWS)
    rig.path.chmod(0o444)
    key = uploads.preview(book_of(UPLOADED)).key
    with pytest.raises(PermissionError):
        uploads.commit(key)
    assert rig.cells() == {"SITE-001": "AB12345", "SITE-002": "AB12346"}
    rig.path.chmod(0o644)
    uploads.commit(key)
    assert rig.asked() == {"SITE-009": "AB12399"}


def test_an_upload_that_cannot_be_kept_is_said(rig, uploads):
    uploads.folder.parent.mkdir(exist_ok=True)
    uploads.folder.write_bytes(b"a file lies where the folder should be")
    with pytest.raises(NotReadable, match="cannot be saved"):
        uploads.preview(book_of(UPLOADED))


def test_what_is_looked_at_is_what_is_taken(rig, uploads, tmp_path: Path):
    data = write(tmp_path / "new.xlsx", UPLOADED).read_bytes()
    key = uploads.preview(io.BytesIO(data).getvalue()).key
    uploads.commit(key)
    assert rig.path.read_bytes() == data


# -- what somebody else does meanwhile ---------------------------------------------------------

PIER = ("AB12347", "SITE-003", "Pier")
LOOKED = "P2P1.xlsx has changed since the preview"


def waiting(rig: WorkbookRig) -> None:
    """A new serial of SITE-001 that the file does not have yet."""
    rig.write(*ROWS)
    lock = rig.path.with_name("~$P2P1.xlsx")
    lock.write_bytes(b"Ada")
    rig.books.change_serial("SITE-001", "PENDING36", "Ada")
    lock.unlink()


def typed(rig: WorkbookRig) -> None:
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")


def written(rig: WorkbookRig) -> None:
    typed(rig)
    rig.check()


def saved(rig: WorkbookRig) -> None:
    rig.write(*ROWS, PIER)


def saved_and_not_read(rig: WorkbookRig) -> None:
    rig.replace(lambda path: write(path, [*ROWS, PIER]))


def deleted(rig: WorkbookRig) -> None:
    rig.path.unlink()


def bytes_of(rig: WorkbookRig) -> bytes:
    return rig.path.read_bytes() if rig.path.exists() else b""


@pytest.mark.parametrize("change", [typed, written, saved, saved_and_not_read, deleted])
def test_what_changed_since_the_preview_is_not_overwritten(rig, uploads, change):
    rig.write(*ROWS)
    key = uploads.preview(book_of(UPLOADED)).key
    change(rig)
    before, pending = bytes_of(rig), rig.books.pending()
    with pytest.raises(Refused, match=LOOKED) as caught:
        uploads.commit(key)
    assert caught.value.hint == "Upload the new file again to see a new preview."
    assert (bytes_of(rig), rig.books.pending()) == (before, pending)
    assert uploads.last_import() is None
    assert (uploads.folder / f"wait-{key[:32]}.xlsx").is_file(), "it goes on waiting"
    uploads.commit(uploads.preview(book_of(UPLOADED)).key)
    assert rig.cells() == rig.asked() == {"SITE-009": "AB12399"}


def test_another_upload_taken_since_the_preview_is_not_overwritten(rig, uploads):
    rig.write(*ROWS)
    mine = uploads.preview(book_of([*ROWS, *UPLOADED])).key
    uploads.commit(uploads.preview(book_of([*ROWS, PIER])).key)
    with pytest.raises(Refused, match=LOOKED):
        uploads.commit(mine)
    assert set(rig.cells()) == {"SITE-001", "SITE-002", "SITE-003"}
    uploads.undo()
    assert set(rig.cells()) == {"SITE-001", "SITE-002"}, "the first commit can still be undone"


def test_a_first_workbook_that_somebody_laid_there_meanwhile_stays(rig, uploads):
    key = uploads.preview(book_of(UPLOADED)).key
    rig.write(*ROWS)
    with pytest.raises(Refused, match=LOOKED):
        uploads.commit(key)
    assert rig.cells() == {"SITE-001": "AB12345", "SITE-002": "AB12346"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (typed, "A new serial number of SITE-001 was entered after the import"),
        (written, "P2P1.xlsx was changed after the import"),
        (saved, "P2P1.xlsx was changed after the import"),
        (deleted, "P2P1.xlsx was removed after the import"),
    ],
)
def test_what_changed_since_the_commit_is_not_undone(rig, uploads, change, says):
    rig.write(ROWS[1])
    uploads.commit(uploads.preview(book_of(ROWS)).key)
    change(rig)
    before, pending = bytes_of(rig), rig.books.pending()
    with pytest.raises(Refused) as caught:
        uploads.undo()
    assert not isinstance(caught.value, NotFound)
    assert caught.value.error == says
    (kept,) = uploads.folder.glob("before-*.xlsx")
    assert caught.value.hint == (
        f"Upload the workbook you want instead. The previous workbook is kept as {kept}."
    )
    assert (bytes_of(rig), rig.books.pending()) == (before, pending)


def test_serials_saved_here_since_the_commit_are_kept_by_an_undo(rig, uploads):
    rig.write(*ROWS)
    uploads.commit(uploads.preview(book_of([*ROWS, PIER])).key)
    (former,) = uploads.folder.glob("before-*.xlsx")
    os.utime(former, (NOON.timestamp(),) * 2)
    written(rig)
    rig.books.change_serial("SITE-002", "NEW22222", "Ada")
    rig.check()
    assert uploads.last_import().at == NOON, "a serial is no import"
    uploads.undo()
    assert rig.cells() == rig.asked() == {"SITE-001": "NEW12345", "SITE-002": "NEW22222"}
    assert uploads.last_import() is None


def test_a_commit_that_keeps_a_waiting_serial_can_be_undone(rig, uploads):
    waiting(rig)
    uploads.commit(uploads.preview(book_of([(None, *ROWS[0][1:]), ROWS[1], PIER])).key)
    uploads.undo()
    assert rig.cells() == rig.asked() == {"SITE-001": "PENDING36", "SITE-002": "AB12346"}


def test_a_restarted_monitor_knows_what_its_commit_left(rig, uploads):
    rig.write(*ROWS)
    uploads.commit(uploads.preview(book_of(UPLOADED)).key)
    rig.home.restart()
    rig.home.monitor.uploads.undo()
    assert rig.cells() == rig.asked() == {"SITE-001": "AB12345", "SITE-002": "AB12346"}


def test_a_monitor_that_was_updated_has_no_note_and_says_so(rig, uploads):
    rig.write(*ROWS)
    uploads.folder.mkdir(parents=True)
    old = uploads.folder / "before.xlsx"
    old.write_bytes(book_of(UPLOADED))
    assert uploads.last_import()
    with pytest.raises(Refused, match="its state at that time is unknown") as caught:
        uploads.undo()
    assert not isinstance(caught.value, NotFound)
    assert len(rig.cells()) == 2
    uploads.commit(uploads.preview(book_of(UPLOADED)).key)
    assert not old.exists()
    uploads.undo()
    assert len(rig.cells()) == 2


# -- what is pending ---------------------------------------------------------------------------


def test_a_preview_compares_with_the_pending_serial_and_its_commit_forgets_it(rig, uploads):
    waiting(rig)
    new = [("UPLOADED36", *ROWS[0][1:]), ROWS[1]]
    preview = uploads.preview(book_of(new))
    assert [(old.serial, row.serial) for old, row in preview.changed] == [
        ("PENDING36", "UPLOADED36")
    ]
    uploads.commit(preview.key)
    assert rig.books.pending() == {}
    wanted = {"SITE-001": "UPLOADED36", "SITE-002": "AB12346"}
    assert rig.cells() == rig.asked() == wanted
    rig.home.restart()
    rig.check()
    assert rig.books.pending() == {}
    assert rig.cells() == rig.asked() == wanted


def test_a_pending_serial_is_written_into_the_row_of_an_upload_that_has_none(rig, uploads):
    waiting(rig)
    preview = uploads.preview(book_of([(None, *ROWS[0][1:]), ROWS[1], PIER]))
    assert preview.kept == {"SITE-001": "PENDING36"}
    assert preview.forgotten == {}
    assert (list(preview.changed), list(preview.removed)) == ([], [])
    uploads.commit(preview.key)
    wanted = {"SITE-001": "PENDING36", "SITE-002": "AB12346", "SITE-003": "AB12347"}
    assert rig.cells() == rig.asked() == wanted
    assert rig.books.pending() == {}


def test_a_pending_serial_that_another_row_of_an_upload_has_does_not_wait(rig, uploads):
    waiting(rig)
    preview = uploads.preview(book_of([(None, *ROWS[0][1:]), ("PENDING36", *ROWS[1][1:])]))
    assert preview.kept == {}
    assert [(recorder.site, recorder.serial) for recorder in preview.removed] == [
        ("SITE-001", "PENDING36")
    ]
    uploads.commit(preview.key)
    assert rig.asked() == {"SITE-002": "PENDING36"}
    assert rig.books.pending() == {}


def test_a_pending_serial_of_a_row_that_is_gone_is_shown(rig, uploads):
    waiting(rig)
    rig.replace(lambda path: write(path, ROWS[1:]))
    assert uploads.preview(book_of(ROWS)).forgotten == {"SITE-001": "PENDING36"}


def test_a_preview_beside_a_damaged_workbook_compares_with_what_still_counts(rig, uploads):
    rig.write(*ROWS)
    rig.path.write_bytes(b"no workbook")
    rig.check()
    preview = uploads.preview(book_of(ROWS))
    assert (preview.unchanged, preview.added) == (2, [])
    uploads.commit(preview.key)
    assert len(rig.cells()) == 2


def test_when_the_file_cannot_be_replaced_what_is_pending_stays(rig, uploads):
    waiting(rig)
    key = uploads.preview(book_of(UPLOADED)).key
    rig.path.chmod(0o444)
    with pytest.raises(PermissionError):
        uploads.commit(key)
    assert rig.books.pending() == {"SITE-001": "PENDING36"}
    assert uploads.last_import() is None
    rig.path.chmod(0o644)
    rig.check()
    assert rig.cells()["SITE-001"] == "PENDING36"


def test_a_serial_typed_while_the_workbook_is_being_taken_is_newer(rig, uploads, monkeypatch):
    waiting(rig)
    key = uploads.preview(book_of([*ROWS, PIER])).key
    put = rig.books._put_file

    def put_and_type(data: bytes, old: bytes) -> None:
        put(data, old)
        rig.books.change_serial("SITE-001", "PENDING36", "Bob")

    monkeypatch.setattr(rig.books, "_put_file", put_and_type)
    uploads.commit(key)
    assert rig.cells()["SITE-001"] == rig.asked()["SITE-001"] == "PENDING36"


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.home import Clock, Home
from tests.workbooks import WorkbookRig, ROWS, book_of
from tests.inventory.test_uploads import die, waiting

home = Home(Path(sys.argv[1]), Clock())
rig = WorkbookRig(home)
waiting(rig)
uploads = home.monitor.uploads
key = uploads.preview(book_of([("UPLOADED36", *ROWS[0][1:]), ROWS[1]])).key
die(rig.books, sys.argv[2])
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
    rig = WorkbookRig(make_home())
    rig.check()
    assert rig.cells() == rig.asked() == {"SITE-001": serial, "SITE-002": "AB12346"}
    assert rig.books.pending() == {}
