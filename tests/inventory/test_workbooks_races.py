"""Others write the workbook too, disks fill up and monitors are killed: no serial is lost."""

import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openpyxl
import pytest

from inventory import workbooks
from tests.home import ROOT, Running, until
from tests.workbooks import (
    ROWS,
    SHEET,
    TITLES,
    RacedWorkbooks,
    WorkbookRig,
    book_of,
    changed,
    check_pending,
    check_saved,
    write,
)

PIER = ("AB12347", "SITE-003", "Pier")
SAVED = {"SITE-001": "NEW12345", "SITE-002": "AB12346", "SITE-003": "AB12347"}


@pytest.fixture
def rig(make_home) -> WorkbookRig:
    return WorkbookRig(make_home())


# -- somebody else saves it --------------------------------------------------------------------


def in_place(rig: WorkbookRig) -> Callable[[int], object]:
    """Another process saves the file, with a row more, whenever it is called."""
    copy = "import shutil, sys; shutil.copyfile(*sys.argv[1:])"

    def save(turn: int) -> None:
        new = write(rig.path.with_name("new.xlsx"), [*ROWS, (*PIER[:2], f"Pier {turn}")])
        subprocess.run([sys.executable, "-c", copy, str(new), str(rig.path)], check=True)

    return save


def by_another_file(rig: WorkbookRig) -> Callable[[int], object]:
    """As Excel saves: a whole new file in its place."""

    def save(turn: int) -> None:
        rig.replace(lambda path: write(path, [*ROWS, (*PIER[:2], f"Pier {turn}")]))

    return save


SAVES = pytest.mark.parametrize("save", [in_place, by_another_file])


@SAVES
@pytest.mark.parametrize("times", [1, 2])
def test_what_somebody_else_saves_meanwhile_is_not_overwritten(rig, times, save):
    rig.write(*ROWS)
    books = RacedWorkbooks(rig.books, times, save(rig))
    books.change_serial("SITE-001", "NEW12345", "Ada")
    books.sync()
    assert rig.cells() == SAVED
    assert books.pending() == {}
    assert books.state.error == ""


@SAVES
def test_after_three_times_it_says_so_and_tries_again_in_the_next_round(rig, save):
    rig.write(*ROWS)
    books = RacedWorkbooks(rig.books, workbooks.TRIES, save(rig))
    books.change_serial("SITE-001", "NEW12345", "Ada")
    books.sync()
    assert rig.cells()["SITE-001"] == "AB12345"
    check_pending(rig, "1 new serial number", "changed by another program 3 times", books=books)
    check_saved(rig, books)
    assert rig.cells() == SAVED


def test_a_file_that_is_deleted_meanwhile_is_said_and_gets_the_serial_when_it_is_back(rig):
    rig.write(*ROWS)
    data = rig.path.read_bytes()
    books = RacedWorkbooks(rig.books, 1, lambda _turn: rig.path.unlink())
    books.change_serial("SITE-001", "NEW12345", "Ada")
    books.sync()
    assert not rig.path.exists(), "what somebody deletes is not brought back"
    check_pending(rig, "P2P1.xlsx is missing. Put it back", books=books)
    rig.path.write_bytes(data)
    check_saved(rig, books)


def test_a_copy_that_is_still_on_its_way_changes_nothing_until_it_is_whole(rig):
    rig.write(*ROWS)
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    whole = write(rig.path.with_name("whole.xlsx"), [*ROWS[:1], PIER]).read_bytes()
    with rig.path.open("wb") as copy:
        for place in range(0, len(whole), 1500):
            copy.write(whole[place : place + 1500])
            copy.flush()
            if copy.tell() < len(whole):
                rig.check()
                check_pending(rig, "damaged")
                assert len(rig.asked()) == 2, "nobody is retired"
    rig.check()
    assert rig.cells() == {"SITE-001": "NEW12345", "SITE-003": "AB12347"}
    assert rig.cells() == rig.asked()


@pytest.mark.parametrize("turn", range(3))
def test_two_saves_in_one_tick_of_the_clock_are_noticed(rig, turn, monkeypatch):
    """The same name, size and time: only the bytes are others."""
    monkeypatch.setattr(workbooks, "SAME_TIME", 600.0)  # however long the checks take here
    data = changed(book_of(ROWS), SHEET, "AB12345", "AB12345")
    other = changed(data, SHEET, "AB12345", "AB12349")
    assert len(data) == len(other)
    rig.path.write_bytes(data)
    for _turn in range(turn + 1):
        rig.check()
    rig.path.write_bytes(other)
    # As a file system leaves it whose clock has not ticked in between.
    rig.books._fingerprint = rig.books._current_fingerprint()
    rig.check()
    assert rig.asked()["SITE-001"] == "AB12349"


def test_a_file_that_stayed_the_same_for_some_seconds_is_not_read_over_and_over(rig, monkeypatch):
    rig.write(*ROWS)
    rig.check()
    assert rig.books._read_digest, "it is still compared byte by byte"
    monkeypatch.setattr(workbooks, "SAME_TIME", 0.0)
    rig.check()
    assert rig.books._read_digest == b""
    rig.write(*ROWS, PIER)
    assert len(rig.asked()) == 3


# -- many at once ------------------------------------------------------------------------------


def test_twenty_people_change_twenty_sites_at_once_while_the_file_is_being_written(rig):
    sites = [f"SITE-{n:03}" for n in range(20)]
    rig.write(*((f"AB{n:05}", site, "Mall") for n, site in enumerate(sites)))
    done, barrier = threading.Event(), threading.Barrier(21)

    def change(n: int) -> None:
        barrier.wait()
        for turn in range(3):
            rig.books.change_serial(sites[n], f"NEW{turn}{n:04}", "Ada")

    def keep() -> None:
        barrier.wait()
        while not done.is_set():
            rig.books.sync()

    with ThreadPoolExecutor(21) as pool:
        keeping = pool.submit(keep)
        changing = [pool.submit(change, n) for n in range(20)]
        try:
            for future in changing:
                future.result()
        finally:
            done.set()
        keeping.result()
    rig.check()
    wanted = {site: f"NEW2{n:04}" for n, site in enumerate(sites)}
    assert rig.cells() == rig.listed() == wanted
    assert rig.books.pending() == {}


def test_a_serial_that_is_typed_while_another_is_being_written_comes_next(rig):
    rig.write(*ROWS)
    typed: list[None] = []

    def type_it(_turn: int) -> None:
        """From another thread, as a request comes: nobody waits for the file."""
        with ThreadPoolExecutor(1) as pool:
            for site, serial in (("SITE-001", "NEW22222"), ("SITE-002", "NEW33333")):
                job = pool.submit(books.change_serial, site, serial, "Bob")
                typed.append(job.result(30))

    books = RacedWorkbooks(rig.books, 1, type_it)
    books.change_serial("SITE-001", "NEW12345", "Ada")
    books.sync()
    assert len(typed) == 2
    assert rig.cells() == {"SITE-001": "NEW12345", "SITE-002": "AB12346"}
    assert rig.asked() == {"SITE-001": "NEW22222", "SITE-002": "NEW33333"}
    books.sync()
    assert rig.cells() == {"SITE-001": "NEW22222", "SITE-002": "NEW33333"}
    assert books.pending() == {}


# -- kill -9 -----------------------------------------------------------------------------------


def test_killed_before_the_file_is_written_the_next_start_writes_it(run_monitor, tmp_path):
    (tmp_path / "run").mkdir()
    path = write(tmp_path / "run" / "P2P1.xlsx", ROWS)
    lock = path.with_name("~$P2P1.xlsx")
    lock.write_bytes(b"Ada")
    monitor: Running = opened(run_monitor)
    body = {"site": "SITE-001", "p2pNumber": "NEW12345"}
    assert monitor.request("POST", "/api/update-p2p", body).status == 200
    monitor.kill()
    assert serials(path)["SITE-001"] == "AB12345"
    lock.unlink()
    monitor.start()
    until(lambda: serials(path) == {"SITE-001": "NEW12345", "SITE-002": "AB12346"})
    assert monitor.get("/api/search?site=SITE-001").json["P2P NUMBER"] == "NEW12345"


def opened(run_monitor: Callable[[], Running]) -> Running:
    """A running monitor that has read its workbook."""
    monitor = run_monitor()
    until(lambda: monitor.get("/api/dvrs").json["items"], what="the workbook is read")
    return monitor


def serials(path: Path) -> dict[str, str]:
    sheet = openpyxl.load_workbook(path).worksheets[0]
    return {row[1]: row[0] for row in sheet.iter_rows(min_row=2, values_only=True)}


KILLED = """
import os, signal, sys
from pathlib import Path
from inventory import workbooks
from tests.home import Clock, Home

class Killed(workbooks.Workbooks):
    '''Dies where the file is written and the note of it is not.'''
    def _finish_pending(self, written):
        os.kill(os.getpid(), signal.SIGKILL)

home = Home(Path(sys.argv[1]), Clock())
books = Killed(home.monitor.workbooks.path, home.monitor.tracker, home.clock)
books.change_serial("SITE-001", "NEW12345", "Ada")
books.sync()
"""


def test_killed_before_it_is_noted_as_written_the_next_start_notes_it(make_home, tmp_path):
    (tmp_path / "home").mkdir()
    path = write(tmp_path / "home" / "P2P1.xlsx", ROWS)
    done = subprocess.run([sys.executable, "-c", KILLED, str(path.parent)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert serials(path)["SITE-001"] == "NEW12345"
    written = path.read_bytes()
    rig = WorkbookRig(make_home())
    assert rig.books.pending() == {}
    assert rig.asked() == {"SITE-001": "NEW12345", "SITE-002": "AB12346"}
    assert path.read_bytes() == written


@pytest.mark.parametrize("turn", range(2))
def test_killed_at_any_moment_of_writing_the_file_is_whole_and_the_serial_arrives(
    run_monitor, tmp_path, turn
):
    (tmp_path / "run").mkdir()
    path = write(tmp_path / "run" / "P2P1.xlsx", ROWS)
    monitor: Running = opened(run_monitor)
    staged = path.with_name(".P2P1.xlsx.new")
    before = path.stat().st_ino
    for n in range(turn + 1):
        body = {"site": "SITE-001", "p2pNumber": f"NEW1234{n}"}
        assert monitor.request("POST", "/api/update-p2p", body).status == 200
    poke = threading.Thread(target=lambda: refreshed(monitor))
    poke.start()
    until(lambda: staged.exists() or path.stat().st_ino != before, what="it is being written")
    monitor.kill()
    poke.join()
    assert serials(path)["SITE-001"] in ("AB12345", f"NEW1234{turn}"), "whole"
    monitor.start()
    until(lambda: serials(path) == {"SITE-001": f"NEW1234{turn}", "SITE-002": "AB12346"})
    until(lambda: not staged.exists())


def refreshed(monitor: Running) -> None:
    try:
        monitor.request("POST", "/api/jobs/workbook/run")
    except OSError:
        return


# -- what cannot be written at all -------------------------------------------------------------


def test_one_cell_with_a_formula_keeps_no_other_serial_out(rig):
    rig.write(('="AB"&"12345"', *ROWS[0][1:]), ROWS[1])
    shutil.copy(rig.path, rig.path.with_name("formula.xlsx"))
    assert "SITE-001" not in rig.asked(), "no program has computed it yet"
    rig.replace(lambda path: write(path, ROWS))
    rig.check()
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    rig.books.change_serial("SITE-002", "NEW12346", "Ada")
    rig.replace(lambda path: shutil.copy(rig.path.with_name("formula.xlsx"), path))
    rig.check()
    assert "1 new serial number" in rig.books.state.error
    assert "SITE-001: A2 has a formula" in rig.books.state.error
    assert rig.books.pending() == {"SITE-001": "NEW12345"}
    assert serials(rig.path)["SITE-002"] == "NEW12346"
    rig.write(*ROWS)
    check_saved(rig)


def test_what_cannot_be_written_is_not_tried_again_before_something_changes(rig):
    rig.write(*ROWS)
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    rig.path.write_bytes(b"no workbook")
    rig.check()
    tried = rig.books._failed_write
    assert tried is not None
    rig.check()
    assert rig.books._failed_write is tried
    check_pending(rig, "not an .xlsx workbook")
    rig.write(*ROWS)
    assert rig.cells()["SITE-001"] == "NEW12345"


@pytest.mark.parametrize("titles", [TITLES, TITLES[::-1]])
def test_a_serial_waits_for_a_file_of_another_order_too(rig, titles):
    rig.write(*ROWS)
    rig.books.change_serial("SITE-001", "NEW12345", "Ada")
    rig.path.unlink()
    rig.check()
    order = [TITLES.index(title) for title in titles]
    rig.write(*([row[n] for n in order] for row in ROWS), titles=titles)
    assert rig.asked() == {"SITE-001": "NEW12345", "SITE-002": "AB12346"}
    assert rig.books.pending() == {}
