"""The workbook and the fleet, both ways, in a real monitor."""

import shutil
from pathlib import Path

import openpyxl
import pytest
from openpyxl.styles import Font

from fleet.model import Invalid, NotFound, Sighting
from inventory import workbooks
from simulators.easy4ip import Cloud
from tests.workbooks import ROWS, TITLES, RacedWorkbooks, WorkbookRig, write


@pytest.fixture
def rig(make_home) -> WorkbookRig:
    return WorkbookRig(make_home())


# -- the file counts ---------------------------------------------------------------------------


def test_without_a_workbook_nothing_is_wrong_and_nobody_is_asked(rig):
    assert rig.check() == "unchanged"
    assert rig.books.state == workbooks.WorkbookState()
    assert rig.asked() == {}


def test_every_row_is_a_recorder_to_ask_about(rig):
    assert rig.write(*ROWS) == "2 recorders, 2 changed, 0 rows skipped"
    assert rig.listed() == rig.asked() == {"SITE-001": "AB12345", "SITE-002": "AB12346"}
    assert rig.home.status() == "UNKNOWN"


def test_the_workbook_is_read_at_the_start(tmp_path, make_home):
    (tmp_path / "home").mkdir()
    write(tmp_path / "home" / "P2P1.xlsx", ROWS)
    assert len(WorkbookRig(make_home()).listed()) == 2


def test_it_is_read_again_only_when_it_changed(rig):
    rig.write(*ROWS)
    assert rig.check() == "unchanged"
    read_at = rig.books.state.read_at
    rig.write(*ROWS, ("AB12347", "SITE-003", "Pier"))
    assert rig.books.state.read_at > read_at
    assert "SITE-003" in rig.asked()


def test_a_row_that_is_gone_is_asked_about_no_more_and_comes_back_with_its_past(rig):
    rig.write(*ROWS)
    number = rig.device("SITE-002").id
    now = rig.home.clock()
    rig.home.monitor.tracker.apply([Sighting("SITE-002", ("row:SITE-002",), "dahua", now)], now)
    rig.write(ROWS[0])
    assert rig.asked() == {"SITE-001": "AB12345"}
    rig.write(*ROWS)
    assert rig.device("SITE-002").id == number
    assert rig.device("SITE-002").last_seen == now
    assert rig.home.kinds(device=number)[-2:] == ["device.retired", "device.restored"]


def test_a_damaged_file_is_said_and_the_recorders_of_the_last_good_one_stay(rig):
    rig.write(*ROWS)
    data = rig.path.read_bytes()
    rig.path.write_bytes(data[: len(data) // 2])
    assert "damaged" in rig.check()
    assert "damaged" in rig.books.state.error
    assert len(rig.asked()) == 2
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    assert rig.asked()["SITE-001"] == "NEW12345"
    rig.replace(lambda path: path.write_bytes(data))
    rig.check()
    assert rig.books.state.error == ""
    assert rig.cells()["SITE-001"] == "NEW12345"


def test_a_missing_column_is_said_by_the_name_of_the_file(rig):
    rig.write(*ROWS)
    rig.write(*ROWS, titles=("P2P NUMBER", "PLACE", "STORE NAME"))
    assert rig.books.state.error.startswith("P2P1.xlsx: No sheet has the columns")
    assert len(rig.asked()) == 2


def test_a_workbook_that_is_gone_is_said_and_the_recorders_stay(rig):
    rig.write(*ROWS)
    rig.path.unlink()
    rig.check()
    assert "P2P1.xlsx is missing" in rig.books.state.error
    assert len(rig.asked()) == 2
    rig.home.restart()
    assert "P2P1.xlsx is missing" in rig.books.state.error
    assert len(rig.asked()) == 2


def test_bad_rows_are_named_and_the_good_ones_count(rig):
    rig.write(*ROWS, (None, "SITE-003", "Pier"), ("AB12345", "SITE-004", "Dock"))
    assert [problem.number for problem in rig.books.state.book.problems] == [4, 5]
    assert len(rig.asked()) == 2


# -- rows without a serial of their own ----------------------------------------------------------


@pytest.mark.parametrize("serial", [None, "AB12345", "-"])
def test_a_row_that_lacks_only_a_serial_is_filled_and_counts_at_once(rig, serial):
    rig.write(ROWS[0], (serial, 103, "Pier"))
    assert rig.asked() == {"SITE-001": "AB12345"}
    assert rig.books.skip_reason("103").number == 3
    rig.books.change_serial("103\u200b", "new 12345", "Ada")
    assert rig.asked() == {"SITE-001": "AB12345", "103": "new12345"}
    assert rig.books.skip_reason("103") is None
    assert rig.device("103").facts["workbook"]["store"] == "Pier"
    rig.check()
    sheet = openpyxl.load_workbook(rig.path).active
    assert sheet["A3"].value == "new12345"
    assert rig.asked() == {"SITE-001": "AB12345", "103": "new12345"}
    assert rig.books.pending() == {}
    assert rig.books.state.book.problems == []


def test_a_row_that_was_filled_counts_on_while_the_file_is_open_elsewhere(rig):
    rig.write(ROWS[0], (None, "SITE-003", "Pier"))
    lock = rig.path.with_name("~$P2P1.xlsx")
    lock.write_bytes(b"Ada")
    rig.books.change_serial("SITE-003", "NEW12345", "Ada")
    rig.write(ROWS[0], (None, "SITE-003", "Quay"), ROWS[1])
    assert rig.asked()["SITE-003"] == "NEW12345"
    rig.home.restart()
    assert rig.asked()["SITE-003"] == "NEW12345"
    assert rig.device("SITE-003").facts["workbook"]["store"] == "Quay"
    lock.unlink()
    rig.check()
    assert openpyxl.load_workbook(rig.path).active["A3"].value == "NEW12345"


def test_a_serial_of_another_site_fills_no_row(rig):
    rig.write(*ROWS, (None, "SITE-003", "Pier"))
    with pytest.raises(Invalid, match="SITE-001"):
        rig.books.change_serial("SITE-003", "AB12345", "Ada")


# -- somebody has it open ----------------------------------------------------------------------

LOCKS = pytest.mark.parametrize(
    ("name", "program"), [("~$P2P1.xlsx", "Excel"), (".~lock.P2P1.xlsx#", "LibreOffice")]
)


@LOCKS
def test_a_file_that_somebody_has_open_is_said_while_it_is_and_read_on(rig, name, program):
    rig.write(*ROWS)
    assert rig.books.state.busy == ""
    lock = rig.path.with_name(name)
    lock.write_bytes(b"Ada")
    rig.check()
    assert f"P2P1.xlsx is open in {program}" in rig.books.state.busy
    assert "waits" not in rig.books.state.busy
    rig.write(*ROWS, ("AB12347", "SITE-003", "Pier"))
    assert len(rig.asked()) == 3
    lock.unlink()
    rig.check()
    assert rig.books.state.busy == ""


@LOCKS
def test_while_it_is_open_a_new_serial_waits_and_counts(rig, name, program):
    rig.write(*ROWS)
    lock = rig.path.with_name(name)
    lock.write_bytes(b"Ada")
    before = rig.path.read_bytes()
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    rig.check()
    assert rig.path.read_bytes() == before
    assert rig.asked()["SITE-001"] == "NEW12345"
    assert "1 new serial number" in rig.books.state.busy
    assert f"delete {name}" in rig.books.state.busy
    assert rig.books.state.error == ""
    rig.books.change_serial("SITE-002", "NEW12346", "Ada")
    rig.check()
    assert "2 new serial numbers" in rig.books.state.busy


def test_what_excel_saves_at_last_gets_the_serials_that_waited(rig):
    rig.write(*ROWS)
    lock = rig.path.with_name("~$P2P1.xlsx")
    lock.write_bytes(b"Ada")
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    rig.check()
    rig.write(*ROWS, ("AB12347", "SITE-003", "Pier"))
    assert rig.asked() == {"SITE-001": "NEW12345", "SITE-002": "AB12346", "SITE-003": "AB12347"}
    lock.unlink()
    rig.check()
    assert rig.cells() == rig.asked()
    assert rig.books.pending() == {}


def test_a_file_that_is_opened_while_a_serial_is_being_written_is_left_alone(rig):
    rig.write(*ROWS)
    lock = rig.path.with_name("~$P2P1.xlsx")
    books = RacedWorkbooks(rig.books, 1, lambda _turn: lock.write_bytes(b"Ada"))
    books.change_serial("SITE-001", "NEW12345", "Ada")
    books.sync()
    assert rig.cells()["SITE-001"] == "AB12345"
    assert "1 new serial number" in books.state.busy
    lock.unlink()
    books.sync()
    assert rig.cells()["SITE-001"] == "NEW12345"


def test_it_counts_as_open_where_the_link_leads(rig, tmp_path):
    real = write(tmp_path / "real.xlsx", ROWS)
    rig.path.symlink_to(real)
    rig.check()
    (tmp_path / "~$real.xlsx").write_bytes(b"Ada")
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    rig.check()
    assert rig.cells()["SITE-001"] == "AB12345"
    assert "delete ~$real.xlsx" in rig.books.state.busy


# -- another serial ----------------------------------------------------------------------------


def test_another_serial_counts_at_once_and_is_written_soon(rig):
    rig.write(*ROWS)
    rig.books.change_serial("SITE-001", "new 12345", "Ada")
    assert rig.asked()["SITE-001"] == "new12345"
    assert rig.cells()["SITE-001"] == "AB12345"
    rig.check()
    assert rig.cells() == {"SITE-001": "new12345", "SITE-002": "AB12346"}
    assert rig.books.pending() == {}
    assert rig.asked()["SITE-001"] == "new12345"


def test_another_serial_resets_the_verdict_and_keeps_the_number_and_the_past(rig):
    rig.write(*ROWS)
    now = rig.home.clock()
    rig.home.monitor.tracker.apply([Sighting("SITE-001", ("row:SITE-001",), "dahua", now)], now)
    number = rig.device("SITE-001").id
    assert rig.home.status(str(number)) == "ACTIVE"
    rig.home.clock.forward(seconds=2)
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    assert rig.home.status(str(number)) == "UNKNOWN"
    assert rig.device("SITE-001").id == number
    events = rig.home.events(device=number)
    assert events[0].kind == "device.listed"
    assert any("by Ada" in event.text for event in events)


def test_another_serial_outlives_a_kill_before_it_is_written(rig, make_home, tmp_path):
    rig.write(*ROWS)
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    # What stands on the disk at this moment is all that a killed monitor leaves.
    shutil.copytree(tmp_path / "home", tmp_path / "killed")
    other = WorkbookRig(make_home(folder="killed"))
    assert other.asked()["SITE-001"] == "NEW12345"
    assert other.cells()["SITE-001"] == "NEW12345"


def test_the_same_serial_again_leaves_the_file_alone(rig):
    rig.write(*ROWS)
    before = rig.path.read_bytes()
    rig.books.change_serial("SITE-001", "AB12345", "Ada")
    rig.check()
    assert rig.path.read_bytes() == before
    assert rig.books.pending() == {}


@pytest.mark.parametrize("text", ["", "AB", "AB 12/45", "A" * 33, '=HYPERLINK("x")'])
def test_what_is_no_serial_is_refused_by_the_name_of_its_field(rig, text):
    rig.write(*ROWS)
    with pytest.raises(Invalid) as caught:
        rig.books.change_serial("SITE-001", text, "Ada")
    assert caught.value.field == "p2pNumber"
    assert rig.books.pending() == {}


def test_a_serial_that_another_site_has_is_refused(rig):
    rig.write(*ROWS)
    with pytest.raises(Invalid, match="SITE-002"):
        rig.books.change_serial("SITE-001", "AB12346", "Ada")
    rig.books.change_serial("SITE-002", "NEW12345", "Ada")
    rig.books.change_serial("SITE-001", "AB12346", "Ada")
    rig.check()
    assert rig.cells() == {"SITE-001": "AB12346", "SITE-002": "NEW12345"}


@pytest.mark.parametrize("site", ["SITE-009", "site-001", "SITE-002"])
def test_a_site_that_is_not_in_the_workbook_is_said(rig, site):
    rig.write(ROWS[0])
    with pytest.raises(NotFound):
        rig.books.change_serial(site, "NEW12345", "Ada")


def test_all_else_in_the_file_stays_as_it_was(rig):
    def rich(path: Path) -> None:
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = "Recorders"
        for row in ((*TITLES, "Sum"), *((*row, "=1+1") for row in ROWS)):
            sheet.append(row)
        sheet["A2"].font = Font(bold=True)
        sheet["C3"].number_format = "0.00"
        sheet.freeze_panes = "A2"
        book.create_sheet("Other")["B2"] = "=A1"
        book.save(path)

    rig.replace(rich)
    rig.check()
    before = openpyxl.load_workbook(rig.path)
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    rig.check()
    after = openpyxl.load_workbook(rig.path)
    assert after.sheetnames == before.sheetnames
    differ = [
        (sheet.title, cell.coordinate)
        for sheet in before
        for row in sheet.iter_rows()
        for cell in row
        if cell.value != after[sheet.title][cell.coordinate].value
    ]
    assert differ == [("Recorders", "A2")]
    sheet = after["Recorders"]
    assert sheet["A2"].value == "NEW12345"
    assert sheet["A2"].font.bold
    assert sheet["C3"].number_format == "0.00"
    assert sheet.freeze_panes == "A2"


def test_the_rights_of_the_file_and_a_link_to_it_stay(rig, tmp_path):
    real = write(tmp_path / "real.xlsx", ROWS)
    real.chmod(0o640)
    rig.path.symlink_to(real)
    rig.check()
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    rig.check()
    assert rig.path.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert rig.cells()["SITE-001"] == "NEW12345"
    assert sorted(path.name for path in tmp_path.glob(".real*")) == []


def test_a_serial_for_a_row_that_left_the_file_meanwhile_is_forgotten(rig):
    rig.write(*ROWS)
    rig.books.change_serial("SITE-002", "NEW12345", "Ada")
    rig.write(ROWS[0])
    assert rig.books.pending() == {}
    assert rig.cells() == {"SITE-001": "AB12345"}


def test_nothing_is_sent_to_the_cloud_without_a_workbook(make_home):
    with Cloud() as cloud:
        home = make_home(easy4ip_server=f"127.0.0.1:{cloud.port}")
        home.scan()
        assert cloud.asked.total() == 0
