"""The workbook and the fleet, both ways, in a real monitor."""

import shutil
from pathlib import Path

import openpyxl
import pytest
from openpyxl.styles import Font

from fleet.model import Invalid, NotFound, Sighting
from inventory import workbooks
from simulators.easy4ip import Cloud
from tests.workbooks import ROWS, TITLES, Desk, Meddling, write


@pytest.fixture
def desk(make_home) -> Desk:
    return Desk(make_home())


# -- the file counts ---------------------------------------------------------------------------


def test_without_a_workbook_nothing_is_wrong_and_nobody_is_asked(desk):
    assert desk.look() == "unchanged"
    assert desk.books.state == workbooks.State()
    assert desk.asked() == {}


def test_every_row_is_a_recorder_to_ask_about(desk):
    assert desk.lay(*ROWS) == "2 recorders, 2 changed, 0 rows refused"
    assert desk.listed() == desk.asked() == {"SITE-001": "AB12345", "SITE-002": "AB12346"}
    assert desk.home.status() == "UNKNOWN"


def test_the_workbook_is_read_at_the_start(tmp_path, make_home):
    (tmp_path / "home").mkdir()
    write(tmp_path / "home" / "P2P1.xlsx", ROWS)
    assert len(Desk(make_home()).listed()) == 2


def test_it_is_read_again_only_when_it_changed(desk):
    desk.lay(*ROWS)
    assert desk.look() == "unchanged"
    read_at = desk.books.state.read_at
    desk.lay(*ROWS, ("AB12347", "SITE-003", "Pier"))
    assert desk.books.state.read_at > read_at
    assert "SITE-003" in desk.asked()


def test_a_row_that_is_gone_is_asked_about_no_more_and_comes_back_with_its_past(desk):
    desk.lay(*ROWS)
    number = desk.device("SITE-002").id
    now = desk.home.clock()
    desk.home.monitor.tracker.apply([Sighting("SITE-002", ("row:SITE-002",), "dahua", now)], now)
    desk.lay(ROWS[0])
    assert desk.asked() == {"SITE-001": "AB12345"}
    desk.lay(*ROWS)
    assert desk.device("SITE-002").id == number
    assert desk.device("SITE-002").last_seen == now
    assert desk.home.kinds(device=number)[-2:] == ["device.retired", "device.restored"]


def test_a_damaged_file_is_said_and_the_recorders_of_the_last_good_one_stay(desk):
    desk.lay(*ROWS)
    data = desk.path.read_bytes()
    desk.path.write_bytes(data[: len(data) // 2])
    assert "damaged" in desk.look()
    assert "damaged" in desk.books.state.error
    assert len(desk.asked()) == 2
    desk.books.change_serial("SITE-001", "NEW12345", "Ada")
    assert desk.asked()["SITE-001"] == "NEW12345"
    desk.replace(lambda path: path.write_bytes(data))
    desk.look()
    assert desk.books.state.error == ""
    assert desk.cells()["SITE-001"] == "NEW12345"


def test_a_missing_column_is_said_by_the_name_of_the_file(desk):
    desk.lay(*ROWS)
    desk.lay(*ROWS, titles=("P2P NUMBER", "PLACE", "STORE NAME"))
    assert desk.books.state.error.startswith("P2P1.xlsx: No sheet has the columns")
    assert len(desk.asked()) == 2


def test_a_workbook_that_is_gone_is_said_and_the_recorders_stay(desk):
    desk.lay(*ROWS)
    desk.path.unlink()
    desk.look()
    assert "P2P1.xlsx is gone" in desk.books.state.error
    assert len(desk.asked()) == 2
    desk.home.restart()
    assert "P2P1.xlsx is gone" in desk.books.state.error
    assert len(desk.asked()) == 2


def test_bad_rows_are_named_and_the_good_ones_count(desk):
    desk.lay(*ROWS, (None, "SITE-003", "Pier"), ("AB12345", "SITE-004", "Dock"))
    assert [problem.number for problem in desk.books.state.book.problems] == [4, 5]
    assert len(desk.asked()) == 2


# -- rows without a serial of their own ----------------------------------------------------------


@pytest.mark.parametrize("serial", [None, "AB12345", "-"])
def test_a_row_that_lacks_only_a_serial_is_filled_and_counts_at_once(desk, serial):
    desk.lay(ROWS[0], (serial, 103, "Pier"))
    assert desk.asked() == {"SITE-001": "AB12345"}
    assert desk.books.skip_reason("103").number == 3
    desk.books.change_serial("103\u200b", "new 12345", "Ada")
    assert desk.asked() == {"SITE-001": "AB12345", "103": "new12345"}
    assert desk.books.skip_reason("103") is None
    assert desk.device("103").facts["workbook"]["store"] == "Pier"
    desk.look()
    sheet = openpyxl.load_workbook(desk.path).active
    assert sheet["A3"].value == "new12345"
    assert desk.asked() == {"SITE-001": "AB12345", "103": "new12345"}
    assert desk.books.pending() == {}
    assert desk.books.state.book.problems == []


def test_a_row_that_was_filled_counts_on_while_the_file_is_open_elsewhere(desk):
    desk.lay(ROWS[0], (None, "SITE-003", "Pier"))
    lock = desk.path.with_name("~$P2P1.xlsx")
    lock.write_bytes(b"Ada")
    desk.books.change_serial("SITE-003", "NEW12345", "Ada")
    desk.lay(ROWS[0], (None, "SITE-003", "Quay"), ROWS[1])
    assert desk.asked()["SITE-003"] == "NEW12345"
    desk.home.restart()
    assert desk.asked()["SITE-003"] == "NEW12345"
    assert desk.device("SITE-003").facts["workbook"]["store"] == "Quay"
    lock.unlink()
    desk.look()
    assert openpyxl.load_workbook(desk.path).active["A3"].value == "NEW12345"


def test_a_serial_of_another_site_fills_no_row(desk):
    desk.lay(*ROWS, (None, "SITE-003", "Pier"))
    with pytest.raises(Invalid, match="SITE-001"):
        desk.books.change_serial("SITE-003", "AB12345", "Ada")


# -- somebody has it open ----------------------------------------------------------------------

LOCKS = pytest.mark.parametrize(
    ("name", "program"), [("~$P2P1.xlsx", "Excel"), (".~lock.P2P1.xlsx#", "LibreOffice")]
)


@LOCKS
def test_a_file_that_somebody_has_open_is_said_while_it_is_and_read_on(desk, name, program):
    desk.lay(*ROWS)
    assert desk.books.state.busy == ""
    lock = desk.path.with_name(name)
    lock.write_bytes(b"Ada")
    desk.look()
    assert f"P2P1.xlsx is open in {program}" in desk.books.state.busy
    assert "waits" not in desk.books.state.busy
    desk.lay(*ROWS, ("AB12347", "SITE-003", "Pier"))
    assert len(desk.asked()) == 3
    lock.unlink()
    desk.look()
    assert desk.books.state.busy == ""


@LOCKS
def test_while_it_is_open_a_new_serial_waits_and_counts(desk, name, program):
    desk.lay(*ROWS)
    lock = desk.path.with_name(name)
    lock.write_bytes(b"Ada")
    before = desk.path.read_bytes()
    desk.books.change_serial("SITE-001", "NEW12345", "Ada")
    desk.look()
    assert desk.path.read_bytes() == before
    assert desk.asked()["SITE-001"] == "NEW12345"
    assert "1 new serial waits" in desk.books.state.busy
    assert f"delete {name}" in desk.books.state.busy
    assert desk.books.state.error == ""
    desk.books.change_serial("SITE-002", "NEW12346", "Ada")
    desk.look()
    assert "2 new serials wait" in desk.books.state.busy


def test_what_excel_saves_at_last_gets_the_serials_that_waited(desk):
    desk.lay(*ROWS)
    lock = desk.path.with_name("~$P2P1.xlsx")
    lock.write_bytes(b"Ada")
    desk.books.change_serial("SITE-001", "NEW12345", "Ada")
    desk.look()
    desk.lay(*ROWS, ("AB12347", "SITE-003", "Pier"))
    assert desk.asked() == {"SITE-001": "NEW12345", "SITE-002": "AB12346", "SITE-003": "AB12347"}
    lock.unlink()
    desk.look()
    assert desk.cells() == desk.asked()
    assert desk.books.pending() == {}


def test_a_file_that_is_opened_while_a_serial_is_being_written_is_left_alone(desk):
    desk.lay(*ROWS)
    lock = desk.path.with_name("~$P2P1.xlsx")
    books = Meddling(desk.books, 1, lambda _turn: lock.write_bytes(b"Ada"))
    books.change_serial("SITE-001", "NEW12345", "Ada")
    books.keep()
    assert desk.cells()["SITE-001"] == "AB12345"
    assert "1 new serial waits" in books.state.busy
    lock.unlink()
    books.keep()
    assert desk.cells()["SITE-001"] == "NEW12345"


def test_it_counts_as_open_where_the_link_leads(desk, tmp_path):
    real = write(tmp_path / "real.xlsx", ROWS)
    desk.path.symlink_to(real)
    desk.look()
    (tmp_path / "~$real.xlsx").write_bytes(b"Ada")
    desk.books.change_serial("SITE-001", "NEW12345", "Ada")
    desk.look()
    assert desk.cells()["SITE-001"] == "AB12345"
    assert "delete ~$real.xlsx" in desk.books.state.busy


# -- another serial ----------------------------------------------------------------------------


def test_another_serial_counts_at_once_and_is_written_soon(desk):
    desk.lay(*ROWS)
    desk.books.change_serial("SITE-001", "new 12345", "Ada")
    assert desk.asked()["SITE-001"] == "new12345"
    assert desk.cells()["SITE-001"] == "AB12345"
    desk.look()
    assert desk.cells() == {"SITE-001": "new12345", "SITE-002": "AB12346"}
    assert desk.books.pending() == {}
    assert desk.asked()["SITE-001"] == "new12345"


def test_another_serial_resets_the_verdict_and_keeps_the_number_and_the_past(desk):
    desk.lay(*ROWS)
    now = desk.home.clock()
    desk.home.monitor.tracker.apply([Sighting("SITE-001", ("row:SITE-001",), "dahua", now)], now)
    number = desk.device("SITE-001").id
    assert desk.home.status(str(number)) == "ACTIVE"
    desk.home.clock.forward(seconds=2)
    desk.books.change_serial("SITE-001", "NEW12345", "Ada")
    assert desk.home.status(str(number)) == "UNKNOWN"
    assert desk.device("SITE-001").id == number
    events = desk.home.events(device=number)
    assert events[0].kind == "device.listed"
    assert any("by Ada" in event.text for event in events)


def test_another_serial_outlives_a_kill_before_it_is_written(desk, make_home, tmp_path):
    desk.lay(*ROWS)
    desk.books.change_serial("SITE-001", "NEW12345", "Ada")
    # What stands on the disk at this moment is all that a killed monitor leaves.
    shutil.copytree(tmp_path / "home", tmp_path / "killed")
    other = Desk(make_home(folder="killed"))
    assert other.asked()["SITE-001"] == "NEW12345"
    assert other.cells()["SITE-001"] == "NEW12345"


def test_the_same_serial_again_leaves_the_file_alone(desk):
    desk.lay(*ROWS)
    before = desk.path.read_bytes()
    desk.books.change_serial("SITE-001", "AB12345", "Ada")
    desk.look()
    assert desk.path.read_bytes() == before
    assert desk.books.pending() == {}


@pytest.mark.parametrize("text", ["", "AB", "AB 12/45", "A" * 33, '=HYPERLINK("x")'])
def test_what_is_no_serial_is_refused_by_the_name_of_its_field(desk, text):
    desk.lay(*ROWS)
    with pytest.raises(Invalid) as caught:
        desk.books.change_serial("SITE-001", text, "Ada")
    assert caught.value.field == "p2pNumber"
    assert desk.books.pending() == {}


def test_a_serial_that_another_site_has_is_refused(desk):
    desk.lay(*ROWS)
    with pytest.raises(Invalid, match="SITE-002"):
        desk.books.change_serial("SITE-001", "AB12346", "Ada")
    desk.books.change_serial("SITE-002", "NEW12345", "Ada")
    desk.books.change_serial("SITE-001", "AB12346", "Ada")
    desk.look()
    assert desk.cells() == {"SITE-001": "AB12346", "SITE-002": "NEW12345"}


@pytest.mark.parametrize("site", ["SITE-009", "site-001", "SITE-002"])
def test_a_site_that_is_not_in_the_workbook_is_said(desk, site):
    desk.lay(ROWS[0])
    with pytest.raises(NotFound):
        desk.books.change_serial(site, "NEW12345", "Ada")


def test_all_else_in_the_file_stays_as_it_was(desk):
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

    desk.replace(rich)
    desk.look()
    before = openpyxl.load_workbook(desk.path)
    desk.books.change_serial("SITE-001", "NEW12345", "Ada")
    desk.look()
    after = openpyxl.load_workbook(desk.path)
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


def test_the_rights_of_the_file_and_a_link_to_it_stay(desk, tmp_path):
    real = write(tmp_path / "real.xlsx", ROWS)
    real.chmod(0o640)
    desk.path.symlink_to(real)
    desk.look()
    desk.books.change_serial("SITE-001", "NEW12345", "Ada")
    desk.look()
    assert desk.path.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert desk.cells()["SITE-001"] == "NEW12345"
    assert sorted(path.name for path in tmp_path.glob(".real*")) == []


def test_a_serial_for_a_row_that_left_the_file_meanwhile_is_forgotten(desk):
    desk.lay(*ROWS)
    desk.books.change_serial("SITE-002", "NEW12345", "Ada")
    desk.lay(ROWS[0])
    assert desk.books.pending() == {}
    assert desk.cells() == {"SITE-001": "AB12345"}


def test_nothing_is_sent_to_the_cloud_without_a_workbook(make_home):
    with Cloud() as cloud:
        home = make_home(easy4ip_server=f"127.0.0.1:{cloud.port}")
        home.scan()
        assert cloud.asked.total() == 0
