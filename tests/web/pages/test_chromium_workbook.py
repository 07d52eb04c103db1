"""The workbook in a real browser: looked at, taken, taken back; recorders by status; a file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from simulators.easy4ip import Cloud, Recorder
from tests import workbooks
from tests.home import Running, until
from tests.web.chromium import Listener, Tab, rows

ROWS = [
    ("SIM00001PAZ0001", "AAA-01", "Store Aachen"),
    ("SIM00002PAZ0002", "BBB-01", "Store Bergen"),
    ("SIM00002PAZ0002", "CCC-01", "Store Cork"),
]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """Aachen answers, Bergen does not."""
    with Cloud([Recorder("SIM00001PAZ0001"), Recorder("SIM00002PAZ0002", state="offline")]) as made:
        yield made


@pytest.fixture
def monitor(run_monitor: Callable[..., Running], cloud: Cloud) -> Running:
    return run_monitor(EASY4IP_SERVER=f"127.0.0.1:{cloud.port}", EASY4IP_TIMEOUT="0.5")


def test_a_workbook_is_uploaded_looked_at_taken_and_taken_back(
    tab: Tab, monitor: Running, tmp_path: Path, listener: Listener
) -> None:
    listener.allowed.append("status of 422")
    file = workbooks.write(tmp_path / "stores.xlsx", ROWS)
    bad = tmp_path / "bad.xlsx"
    bad.write_text("no workbook")
    page = tab(monitor, "/settings/workbook")
    page.get_by_label("A workbook (.xlsx or .csv)").set_input_files(bad)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_label("A workbook (.xlsx or .csv)")).to_have_attribute(
        "aria-invalid", "true"
    )
    page.get_by_label("A workbook (.xlsx or .csv)").set_input_files(file)
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("main")).to_contain_text("2 to add, 0 to change, 0 to retire")
    expect(page.locator("main")).to_contain_text("is already used in row 3")
    assert monitor.get("/api/dvrs").json["items"] == []
    page.get_by_role("button", name="Import").click()
    expect(page.locator("main")).to_contain_text("2 recorders in sheet")
    until(
        lambda: (
            [item["SITE"] for item in monitor.get("/api/dvrs?status=online").json["items"]]
            == ["AAA-01"]
        ),
        60,
        "the cloud was asked",
    )
    page.get_by_role("link", name="Sites").click()
    expect(page.locator("main")).to_contain_text("Store Bergen")
    page.get_by_role("link", name="BBB-01").click()
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("Offline", timeout=120_000)
    page.goto("/settings/workbook")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download").click()
    assert waiting.value.suggested_filename == "dvrs_all.xlsx"
    page.get_by_label("A workbook (.xlsx or .csv)").set_input_files(waiting.value.path())
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("main")).to_contain_text("0 to add, 0 to change, 0 to retire, 2 unchanged")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("main")).to_contain_text("There is no workbook yet")
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    assert monitor.get("/api/dvrs").json["items"] == []
