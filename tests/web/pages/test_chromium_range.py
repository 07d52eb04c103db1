"""A scan of a range in a real browser: the open page shows how far it is, and then the inbox."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.home import Running, free_port
from tests.web.chromium import Tab


def test_an_open_page_asks_for_the_progress_alone_and_shows_the_inbox_at_the_end(
    tab: Tab, run_monitor: Callable[..., Running]
) -> None:
    monitor = run_monitor("range")
    body = {"ranges": "127.0.0.0/25", "rtsp_port": free_port(), "http_port": monitor.port}
    assert monitor.request("POST", "/api/scan-range", body).status == 200
    page = tab(monitor, "/scan-range")
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    expect(page.locator("#range-progress")).to_contain_text("complete: 1 of 126 addresses")
    expect(page.locator("#inbox-card")).to_contain_text("127.0.0.1")
    searches = [url.partition("/scan-range")[2] for url in asked if "/scan-range" in url]
    assert searches.count("") == 1, "the inbox is asked for once"
    assert set(searches) == {"", "?part=progress"}
