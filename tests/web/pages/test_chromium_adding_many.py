"""Many cameras at once in a real browser: a list from paste to undo, a range from scan to fleet."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from simulators.onvif import OnvifDevice, OnvifServers
from simulators.rtsp import RtspDevice, RtspServers
from tests.home import Running, free_port, until
from tests.web.chromium import Tab

PASTED = "\n".join(
    [
        "address\tname\tlocation\tpassword\tusername",
        "127.62.0.1\tGate\tNorth\tsecret77\tadmin",
        "127.62.0.2\tYard\tNorth\tsecret77\tadmin",
        "127.62.0.999\tRoof\tNorth\tsecret77\tadmin",
    ]
)


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """An RTSP camera at 127.62.0.1, and ONVIF cameras there and at 127.62.0.2."""
    onvif = [
        OnvifDevice(f"127.62.0.{n}", mac=f"00:00:5e:00:62:0{n}", name=f"Hall {n}") for n in (1, 2)
    ]
    rtsp = [RtspDevice("127.62.0.1"), RtspDevice("127.62.0.3")]
    with (
        RtspServers(rtsp, free_port()) as streams,
        OnvifServers(onvif, free_port(), 3702) as services,
    ):
        yield streams.port, services.port


def count(monitor: Running) -> int:
    return int(monitor.get("/api/cameras").json["count"])


def test_a_list_is_pasted_previewed_imported_and_undone(tab: Tab, run_monitor: type) -> None:
    monitor: Running = run_monitor()
    page = tab(monitor)
    page.keyboard.press("Control+k")
    page.keyboard.type("import cam")
    page.keyboard.press("Enter")
    page.wait_for_url("**/cameras/import")
    page.locator("textarea").fill(PASTED)
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("main")).to_contain_text("2 new, 0 changed, 0 unchanged, 1 refused")
    expect(page.locator("main")).to_contain_text("The IPv4 address is invalid")
    expect(page.locator("main")).not_to_contain_text("secret77")
    assert count(monitor) == 0
    with page.expect_download() as download:
        page.get_by_role("button", name="Download refused rows").click()
    text = download.value.path().read_text()
    assert text.startswith("row,address,name,username,site,error,hint\n4,127.62.0.999,Roof,")
    page.get_by_role("button", name="Import 2 rows").click()
    expect(page.locator("main")).to_contain_text("Pasted list imported: 2 added.")
    assert count(monitor) == 2
    page.get_by_role("button", name="Undo").click()
    page.wait_for_url(f"http://127.0.0.1:{monitor.port}/")
    until(lambda: count(monitor) == 0)


def test_a_range_is_scanned_and_what_it_found_is_added_with_one_login(
    tab: Tab, run_monitor: type, ports: tuple[int, int]
) -> None:
    monitor: Running = run_monitor()
    page: Page = tab(monitor, "/settings/sources")
    page.get_by_role("link", name="Scan a range").click()
    page.get_by_label("Addresses, ranges or networks").fill("127.62.0.0/28")
    page.get_by_label("RTSP port").fill(f"{ports[0]}")
    page.get_by_label("Web port").fill(f"{ports[1]}")
    page.get_by_role("button", name="Check range").click()
    expect(page.locator("main")).to_contain_text("14 addresses through lo, at most 2 s.")
    page.get_by_role("button", name="Start scan").click()
    expect(page.locator("#range-progress")).to_contain_text("3 of 14 addresses responded")
    rows = page.locator("#inbox tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text(f"ONVIF, RTSP {ports[0]}, web {ports[1]}")
    expect(rows.first).to_contain_text("Hall 1")
    boxes = page.locator("#inbox tbody input[type=checkbox]")
    boxes.first.click()
    expect(page.locator("#inbox-count")).to_have_text("1 selected")
    boxes.last.click(modifiers=["Shift"])
    expect(page.locator("#inbox-count")).to_have_text("3 selected")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#inbox-bar")).to_be_hidden()
    page.get_by_label("Select all 3 addresses").click()
    expect(page.locator("#inbox-count")).to_have_text("All 3 selected")
    page.get_by_text("Login, site and tags").click()
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password", exact=True).fill("secret77")
    page.get_by_role("button", name="Add selected").click()
    expect(page.locator("#inbox-card")).to_contain_text("3 added, 0 changed")
    expect(page.get_by_label("Results").locator("li")).to_have_text(
        ["127.62.0.1 Hall 1: added", "127.62.0.2 Hall 2: added", "127.62.0.3 : added"]
    )
    assert count(monitor) == 3
