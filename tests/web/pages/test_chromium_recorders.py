"""A fleet of recorders in a real browser: a list is uploaded, and its first check is watched."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from simulators.easy4ip import Cloud, CloudServer, Recorder, Request
from tests import workbooks
from tests.home import Running, until
from tests.web.chromium import Listener, Tab, overflow, rows
from tests.web.pages.test_axe import both_looks, judge, with_look

COUNT = 60
HELD = 20
"""Recorders about which the cloud says nothing until it may."""
NEVER = 3
"""Recorders that the cloud does not know."""
ROWS = [(f"SIM{n:05}PAZ{n:04}", f"AAC-{n:02}", f"Store {n % 5}") for n in range(COUNT)]
WATCHED = re.compile(r"^\d+ of 60 checked, (a few seconds|about \d+ (s|min)) left$")


class SlowCloud(Cloud):
    """A cloud that can hold what it says about the last recorders."""

    def __init__(self) -> None:
        super().__init__([Recorder(row[0]) for row in ROWS[NEVER:]])
        self.held = {row[0] for row in ROWS[-HELD:]}
        self.delay = self.wait

    def wait(self, _server: CloudServer, request: Request) -> float:
        return float("inf") if request.serial in self.held else 0.0

    def let_go(self) -> None:
        with self.lock:
            self.held.clear()
        self.release()


@pytest.fixture
def cloud() -> Iterator[SlowCloud]:
    with SlowCloud() as made:
        yield made


@pytest.fixture
def monitor(run_monitor: Callable[..., Running], cloud: SlowCloud) -> Running:
    return run_monitor(EASY4IP_SERVER=f"127.0.0.1:{cloud.port}", EASY4IP_TIMEOUT="20")


def upload(page: Page, folder: Path) -> None:
    file = workbooks.write(folder / "stores.xlsx", [*ROWS, ("", "ZZZ-01", "Pier")])
    page.get_by_label("A workbook (.xlsx or .csv)").set_input_files(file)
    page.get_by_role("button", name="Preview changes").click()
    preview = page.locator(".preview")
    expect(preview).to_contain_text("1 row skipped")
    added = preview.get_by_text("AAC-07", exact=False)
    expect(added).to_be_hidden()
    preview.get_by_text("60 recorders to add").click()
    expect(added).to_be_visible()
    page.get_by_role("button", name="Import 60 recorders").click()


def test_the_first_check_begins_with_the_upload_and_is_watched_on_every_page(
    tab: Tab, monitor: Running, cloud: SlowCloud, tmp_path: Path
) -> None:
    page = tab(monitor)
    page.get_by_role("link", name="Upload workbook").click()
    upload(page, tmp_path)
    expect(page.locator("#checks b")).to_have_text(WATCHED)
    jobs, sources, fleet = (
        tab(monitor, url) for url in ("/settings/jobs", "/settings/sources", "/")
    )
    for watched in (jobs, sources):
        expect(watched.locator("#checks b")).to_have_text(WATCHED)
        expect(watched.locator("#checks progress")).to_have_attribute("max", str(COUNT))
    expect(fleet.locator("#did")).to_contain_text(
        re.compile(r"Checking recorders: 37 of 60 checked")
    )
    expect(fleet.locator("#wrong")).to_have_text(
        "Checking: 37 of 60. No problems so far. 23 not checked yet"
    )
    expect(fleet.get_by_role("button", name="Check all recorders now")).to_be_disabled()
    cloud.let_go()
    expect(fleet.locator("#did")).to_contain_text("57 online, 3 not responding")
    expect(fleet.get_by_role("button", name="Check all recorders now")).to_be_enabled()
    expect(fleet.locator("#wrong")).to_have_attribute("data-count", str(NEVER))
    expect(rows(fleet).first).to_contain_text("Offline")
    for watched in (page, jobs, sources):
        expect(watched.locator("#checks p")).to_have_count(0)
    expect(sources.locator("#sources")).to_contain_text("57 of 60")
    expect(fleet.get_by_role("button", name="Scan network")).to_have_count(0)
    expect(fleet.get_by_text("Auto-scan")).to_have_count(0)


def test_a_wrong_serial_is_corrected_where_it_is_said(
    tab: Tab, run_monitor: Callable[..., Running], cloud: SlowCloud, listener: Listener
) -> None:
    # The cloud holds nothing back here, so what it does not know may soon be given up.
    monitor = run_monitor(EASY4IP_SERVER=f"127.0.0.1:{cloud.port}", EASY4IP_TIMEOUT="5")
    listener.allowed.append("status of 422")
    cloud.let_go()
    workbooks.write(monitor.folder / "P2P1.xlsx", [(f"WRONG{n}", *ROWS[n][1:]) for n in (4, 5)])
    until(lambda: len(monitor.get("/api/cameras").json["cameras"]) == 2, 30, "the list was read")
    page = tab(monitor)
    page.get_by_role("link", name="Store 4, AAC-04").first.click()
    field = page.get_by_label("Serial number", exact=True)
    expect(field).to_be_visible(timeout=60_000)
    expect(field).to_have_value("WRONG4")
    field.fill("WRONG5")
    field.press("Enter")
    expect(page.locator("#detail .error")).to_contain_text("already used at AAC-05")
    field.fill(ROWS[4][0])
    field.press("Enter")
    expect(page.locator("#copy-serial")).to_have_text(ROWS[4][0])
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#copy-serial")).to_have_text("WRONG4")
    site = page.locator("#edit input[name=site]")
    site.evaluate("input => { input.maxLength = 100; input.value = 'x'.repeat(99); }")
    site.press("Enter")
    expect(page.locator("#edit .error")).to_have_text(
        "site: must have at most 60 characters. Correct the value."
    )


@both_looks
def test_a_running_check_can_be_read_by_everybody_on_a_phone_too(
    tab: Tab, monitor: Running, cloud: SlowCloud, look: str
) -> None:
    workbooks.write(monitor.folder / "P2P1.xlsx", ROWS)
    until(lambda: monitor.get("/api/scan").json["checking"], 30, "the list was read")
    for url in ("/", "/settings/sources", "/settings/jobs", "/settings/workbook"):
        judge(tab(monitor, url, **with_look(look)), look)
    for url in ("/", "/settings/sources", "/settings/jobs"):
        phone = tab(monitor, url, viewport={"width": 360, "height": 740})
        expect(phone.locator("progress").first).to_be_visible()
        assert overflow(phone) <= 0
    cloud.let_go()
