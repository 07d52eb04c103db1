"""The page "Add camera" in a real browser, with pretend cameras and a recorder that are really
asked: from the address to the saved camera, and from a recorder to its channels."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from simulators.onvif import OnvifDevice, OnvifServers, recorder_sources
from simulators.rtsp import Accounts, RtspDevice, RtspServers
from tests.home import Running, free_port, until
from tests.web.chromium import Tab, camera, detail, overflow, rows
from tests.web.pages.test_axe import faults, with_look

CAMERA, RECORDER = "127.82.0.1", "127.82.0.2"
LOGIN = Accounts("admin", "gräs h0pper")
HOSTILE = '<img src=x onerror="document.title=1">'


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """The ports of RTSP and ONVIF of a camera and a recorder with four channels."""
    rtsp, onvif = free_port(), free_port()
    recorder = OnvifDevice(RECORDER, accounts=LOGIN, name=HOSTILE, rtsp_port=rtsp)
    recorder.sources = recorder_sources(4)
    with (
        RtspServers([RtspDevice(CAMERA, accounts=LOGIN)], rtsp),
        OnvifServers([recorder], onvif),
    ):
        yield rtsp, onvif


def press_test(page: Page) -> None:
    """Press the button, and wait for the end of the test."""
    page.get_by_role("button", name="Test").click()
    expect(page.locator("section.test[aria-labelledby]")).to_be_visible()
    expect(page.get_by_role("button", name="Test again")).to_be_enabled()


def field(page: Page, name: str) -> str:
    return page.locator(f"[name={name}]").input_value()


def undo(page: Page, monitor: Running) -> None:
    page.locator(".toast").get_by_role("button", name="Undo").click()
    until(lambda: monitor.get("/api/cameras").json["count"] == 0, what="the list is empty again")


def test_a_camera_is_added_from_its_url_after_a_wrong_password(
    tab: Tab, monitor: Running, ports: tuple[int, int]
) -> None:
    page = tab(monitor)
    page.get_by_role("link", name="Add camera").click()
    page.wait_for_url("**/cameras/add")
    # Typed key by key: the first @ belongs to the password.
    address = page.get_by_label("Address or stream URL")
    address.press_sequentially(f"rtsp://admin:wr@%C3%B6ng/w:1@{CAMERA}:{ports[0]}/stream1")
    address.press("Tab")
    moved = f"rtsp://{CAMERA}:{ports[0]}/stream1"
    expect(page.get_by_label("Address or stream URL")).to_have_value(moved)
    assert (field(page, "username"), field(page, "password")) == ("admin", "wr@öng/w:1")
    press_test(page)
    expect(page.locator(".steps")).to_contain_text("RTSP: login failed")
    expect(page.locator(".steps")).to_contain_text("Check the user name and the password")
    assert field(page, "password") == "wr@öng/w:1"
    page.get_by_label("Password", exact=True).fill(LOGIN.password)
    press_test(page)
    expect(page.locator(".found-streams")).to_contain_text("H264")
    page.get_by_label("Name", exact=True).fill("Ramp")
    page.get_by_label("Site").fill("Depot")
    page.get_by_role("button", name="Save camera").click()
    expect(page.locator(".toast")).to_contain_text("Camera saved")
    expect(page.locator("tr.is-open")).to_contain_text("Ramp")
    expect(detail(page)).to_contain_text(f"rtsp://{CAMERA}:{ports[0]}/stream1")
    assert page.evaluate("location.search") == ""
    number = int(page.evaluate("location.pathname.split('/')[2]"))
    until(lambda: camera(monitor, number)["status"] == "ACTIVE", what="it is checked by itself")
    undo(page, monitor)


def test_the_ticked_channels_of_a_recorder_are_added_with_their_names(
    tab: Tab, monitor: Running, ports: tuple[int, int]
) -> None:
    page = tab(monitor, "/cameras/add")
    page.get_by_label("Address or stream URL").fill(f"{RECORDER}:{ports[1]}")
    page.get_by_label("User name", exact=True).fill("admin")
    page.get_by_label("Password", exact=True).fill(LOGIN.password)
    press_test(page)
    expect(page.locator(".channel")).to_have_count(4)
    expect(page.locator(".channel input:checked")).to_have_count(4)
    page.locator(".channel").nth(3).get_by_role("checkbox").uncheck()
    page.locator("[name=channel_name_1]").fill("Cash desk")
    page.get_by_role("button", name="Save device").click()
    expect(page.locator(".toast")).to_contain_text("Device saved")
    expect(rows(page)).to_have_count(4)
    expect(page.locator("#fleet")).to_contain_text("Cash desk")
    until(lambda: len(monitor.get("/api/cameras").json["cameras"]) == 4)
    assert page.title() != "1"
    assert 'name="key"' in monitor.get("/settings/ignored").body.decode()
    undo(page, monitor)
    until(lambda: "No device is ignored" in monitor.get("/settings/ignored").body.decode())


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 360])
def test_the_results_are_readable_for_everybody(
    tab: Tab, monitor: Running, ports: tuple[int, int], look: str, width: int
) -> None:
    options = {**with_look(look), "viewport": {"width": width, "height": 900}}
    page = tab(monitor, "/cameras/add", **options)
    page.get_by_label("Address or stream URL").fill(
        f"rtsp://admin:gr%C3%A4s%20h0pper@{CAMERA}:{ports[0]}/stream1"
    )
    press_test(page)
    expect(page.locator(".ready")).to_be_visible()
    assert faults(page) == []
    assert overflow(page) <= 0


def test_without_script_the_form_shows_the_steps_and_then_saves(
    tab: Tab, monitor: Running, ports: tuple[int, int]
) -> None:
    page = tab(monitor, "/cameras/add", java_script_enabled=False)
    page.locator("[name=address]").fill(f"rtsp://{CAMERA}:{ports[0]}/stream1")
    page.locator("[name=username]").fill("admin")
    page.locator("[name=password]").fill(LOGIN.password)
    page.get_by_role("button", name="Test connection").click()
    assert LOGIN.password not in page.content()
    expect(page.locator(".steps")).to_contain_text("RTSP: stream passed")
    page.locator("[name=name]").fill("Gate")
    page.get_by_role("button", name="Save camera").click()
    expect(detail(page)).to_contain_text("admin, password saved")
    page.get_by_role("button", name="Undo").first.click()
    assert page.url.endswith("/")
