"""Stores and sites in a real browser: unfolded, counted, followed to the list."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from simulators.easy4ip import Cloud, Recorder
from tests import workbooks
from tests.home import Running, running, until
from tests.web.chromium import Tab, overflow, path, rows
from tests.web.pages.test_axe import both_looks, judge, with_look

STORES = {
    "Store Aachen": ("AAC-01", "AAC-02", "AAC-03"),
    "Store Bergen": ("BER-01", "BER-02", "BER-03"),
    "Store Cork": ("COR-01",),
    "Store Dresden": ("DRE-01", "DRE-02"),
}
OFFLINE = ("BER-02", "BER-03", "DRE-01")
SITES = [(store, site) for store, sites in STORES.items() for site in sites]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Four stores, each of whose recorders was asked: three do not answer."""
    folder = tmp_path_factory.mktemp("stores")
    serials = {site: f"SIM{n:05}PAZ{n:04}" for n, (_store, site) in enumerate(SITES)}
    workbooks.write(folder / "P2P1.xlsx", [(serials[site], site, store) for store, site in SITES])
    states = {site: "offline" if site in OFFLINE else "online" for site in serials}
    recorders = [Recorder(serials[site], state=states[site]) for site in serials]
    with Cloud(recorders) as cloud:
        server = f"127.0.0.1:{cloud.port}"
        with running(folder, EASY4IP_SERVER=server, EASY4IP_TIMEOUT="0.5") as monitor:
            expected = (len(OFFLINE), len(SITES) - len(OFFLINE))
            until(
                lambda: (count_of(monitor, "silent"), count_of(monitor, "active")) == expected,
                60,
                "the cloud was asked about all",
            )
            yield monitor


def count_of(monitor: Running, status: str) -> int:
    return int(monitor.get(f"/api/cameras?status={status}").json["count"])


def line(page: Page, name: str) -> Locator:
    """The line of a store or a site."""
    return page.locator(".places tr").filter(has=page.locator("th", has_text=name))


def test_a_store_is_unfolded_and_its_count_followed_to_those_that_are_offline(
    tab: Tab, stores: Running
) -> None:
    page = tab(stores)
    page.get_by_role("link", name="Sites").click()
    expect(page.get_by_role("heading", name="Sites")).to_be_visible()
    expect(page.locator(".places-head")).to_contain_text("4 stores, 9 sites, 6 of 9 online")
    expect(line(page, "BER-02")).to_be_visible()
    expect(line(page, "AAC-01")).to_be_hidden()
    page.locator("summary", has_text="Store Aachen").click()
    expect(line(page, "AAC-01")).to_be_visible()
    page.locator("summary", has_text="Store Aachen").press("Enter")
    expect(line(page, "AAC-01")).to_be_hidden()
    page.get_by_role("link", name="2 offline, Store Bergen").click()
    assert path(page) == "/?store=Store+Bergen&status=silent"
    expect(rows(page)).to_have_count(2)
    for row, name in zip(rows(page).all(), ("BER-02", "BER-03"), strict=True):
        expect(row).to_contain_text(name)
        expect(row).to_contain_text("Offline")
        expect(row).to_contain_text("SIM0000")


def test_the_filter_offline_shows_offline_recorders_and_the_store_can_be_taken_away(
    tab: Tab, stores: Running
) -> None:
    page = tab(stores, "/?store=Store+Dresden")
    expect(rows(page)).to_have_count(2)
    filters = page.get_by_role("navigation", name="Filter")
    filters.get_by_role("link", name="Offline 1").click()
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("DRE-01")
    filters.get_by_role("link", name="Store: Store Dresden (remove this filter)").click()
    expect(rows(page)).to_have_count(len(OFFLINE))
    for badge in rows(page).locator(".badge").all():
        expect(badge).to_have_text("Offline")
    expect(filters.get_by_role("link", name="Offline 3")).to_have_attribute("aria-current", "true")


def test_the_bar_of_an_offline_row_says_why_it_is_offline_now(tab: Tab, stores: Running) -> None:
    page = tab(stores, "/?store=Store+Bergen&sort=name")
    offline, tip = rows(page).filter(has_text="BER-02"), page.locator(".tip")
    why = offline.locator(".c-name small").get_attribute("title")
    assert why
    box = offline.locator(".uptime").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 5)
    expect(tip).to_contain_text(f"Offline now: {why}.")
    page.mouse.move(box["x"] + 1, box["y"] + 5)
    expect(tip).to_contain_text("No data")
    expect(tip).not_to_contain_text("Offline now")


def test_without_script_a_store_is_unfolded_and_found_too(tab: Tab, stores: Running) -> None:
    page = tab(stores, "/sites", java_script_enabled=False)
    expect(line(page, "DRE-02")).to_be_visible()
    page.locator("summary", has_text="Store Dresden").click()
    expect(line(page, "DRE-02")).to_be_hidden()
    page.get_by_role("searchbox", name="Search stores and sites").fill("aac-03")
    page.get_by_role("searchbox", name="Search stores and sites").press("Enter")
    expect(line(page, "AAC-03")).to_be_visible()
    expect(line(page, "Store Bergen")).to_have_count(0)


def test_a_phone_shows_names_statuses_and_faults_without_scrolling_sideways(
    tab: Tab, stores: Running
) -> None:
    page = tab(stores, "/sites", viewport={"width": 360, "height": 740})
    assert overflow(page) <= 0
    store = line(page, "Store Bergen")
    for text in ("Store Bergen", "Offline"):
        expect(store).to_contain_text(text)
    for link in ("1 of 3 online, Store Bergen", "2 offline, Store Bergen"):
        box = page.get_by_role("link", name=link).bounding_box()
        assert box
        assert box["x"] + box["width"] <= 360
    expect(store.locator(".n-missing")).to_be_hidden()


@both_looks
@pytest.mark.parametrize("url", ["/sites", "/sites?store=Store+Bergen", "/?store=Store+Bergen"])
def test_everybody_can_read_and_use_the_stores(
    tab: Tab, stores: Running, look: str, url: str
) -> None:
    judge(tab(stores, url, **with_look(look)), look)


def test_sites_are_filtered_while_typing_and_esc_clears(tab: Tab, stores: Running) -> None:
    page = tab(stores, "/sites")
    page.evaluate("window.stays = true")
    page.keyboard.press("/")
    page.keyboard.type("berg")
    expect(page.locator(".places tr.store")).to_have_count(1)
    assert path(page) == "/sites?q=berg"
    expect(page.locator("#matches")).to_have_text(
        "1 store, 3 sites, 1 of 3 online, matching “berg”"
    )
    expect(page.get_by_label("Clear the search")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".places tr.store")).to_have_count(3)
    assert path(page) == "/sites"
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("nowhere")
    expect(page.locator("#matches")).to_have_text("No store or site matches “nowhere”.")
    page.get_by_label("Clear the search").click()
    expect(page.locator(".places tr.store")).to_have_count(3)
    assert page.evaluate("window.stays")
