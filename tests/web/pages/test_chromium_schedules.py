"""Schedules in a real browser: a drag across the week sets days and times, and undo is a toast."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.home import Running
from tests.web.chromium import Tab


def test_a_drag_across_the_week_sets_days_and_times(
    tab: Tab, run_monitor: Callable[..., Running]
) -> None:
    monitor = run_monitor("schedules")
    body = {"name": "Gate", "ip_address": "127.9.9.1", "rtsp_url": "rtsp://127.9.9.1/live"}
    assert monitor.request("POST", "/api/cameras", body).status == 201
    page = tab(monitor, "/schedules/edit?camera=1")
    page.get_by_label("Name").fill("Daytime")
    expect(page.get_by_text("Drag across the week")).to_be_visible()
    first, last = (page.locator("#week svg").nth(day).bounding_box() for day in (1, 3))
    assert first is not None
    assert last is not None
    page.mouse.move(first["x"] + first["width"] * 0.25 + 1, first["y"] + 8)
    page.mouse.down()
    page.mouse.move(last["x"] + last["width"] * 0.75 - 1, last["y"] + 8, steps=3)
    page.mouse.up()
    expect(page.locator("[name=start_time]")).to_have_value("06:00")
    expect(page.locator("[name=end_time]")).to_have_value("18:00")
    expect(page.get_by_role("img", name="Wednesday: 06:00 to 18:00")).to_be_visible()
    expect(page.get_by_role("img", name="Friday: nothing")).to_be_visible()
    page.get_by_role("button", name="Create schedule").click()
    expect(page.get_by_text("Tue to Thu, 06:00 to 18:00")).to_be_visible()
    expect(page).to_have_url(f"http://127.0.0.1:{monitor.port}/schedules")
    page.get_by_role("button", name="Delete Daytime").click()
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="Daytime")).to_be_visible()
