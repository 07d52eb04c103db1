"""The frame of every page in a real browser: bar, account menu, errors, icons, paper."""

import json
import re
import struct
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from simulators.panasonic import Network
from tests.home import Running
from tests.web.chromium import CROWD, Listener, Tab, overflow, rows
from tests.web.visits import closed_monitor, open_account_menu, open_logged_in, tab_to

PHONE = {"viewport": {"width": 360, "height": 740}}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with closed_monitor(tmp_path_factory.mktemp("closed")) as monitor:
        yield monitor


def test_the_account_menu_has_account_api_theme_and_logout_by_keyboard(
    tab: Tab, closed: Running
) -> None:
    page = open_logged_in(tab, closed, "Vera")
    menu = page.locator("#account-menu")
    expect(menu).to_be_hidden()
    tab_to(page, page.locator(".me"))
    page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    for name in ("Light", "System", "Dark"):
        expect(menu.get_by_role("button", name=name)).to_be_visible()
    for name in ("Account", "API"):
        expect(menu.get_by_role("link", name=name, exact=True)).to_be_visible()
    expect(menu.get_by_role("button", name="Log out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(page.locator(".me")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, menu.get_by_role("link", name="API", exact=True))
    page.keyboard.press("Enter")
    page.wait_for_url("**/api/docs")


def test_the_menu_is_there_without_accounts_and_without_script(
    tab: Tab, monitor: Running, network: Network
) -> None:
    page = tab(monitor, java_script_enabled=False)
    expect(page.get_by_role("link", name="API", exact=True)).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("button", name="Log out")).to_have_count(0)
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="API", exact=True).click()
    expect(page.get_by_role("heading", name="API", exact=True)).to_be_visible()


def test_refresh_is_offered_only_where_the_page_does_not_refresh_itself(
    tab: Tab, monitor: Running, network: Network
) -> None:
    expect(tab(monitor).locator("#refresh")).to_have_count(0)
    page = tab(monitor, "/?status=active", java_script_enabled=False)
    page.locator("#refresh").click()
    assert page.url.endswith("/?status=active")
    expect(rows(page).first).to_be_visible()


def test_the_bar_stays_where_it_is_when_a_scrollbar_comes(
    tab: Tab, monitor: Running, network: Network
) -> None:
    page = tab(monitor)
    assert page.evaluate("innerWidth > document.body.clientWidth"), "no room for a scrollbar"
    places = set()
    for url, scrolls in (("/", True), ("/settings/sources", False), ("/?q=nobody", False)):
        page.goto(url)
        page.set_viewport_size({"width": 1440, "height": 900 if scrolls else 1600})
        taller = "document.documentElement.scrollHeight > innerHeight"
        assert page.evaluate(taller) == scrolls, url
        places.add(str(page.locator(".me").bounding_box()))
    assert len(places) == 1


# -- a page of ours instead of an error ------------------------------------------------------


@pytest.mark.parametrize("url", ["/nowhere", "/settings/nowhere", "/scan"])
def test_an_address_that_is_no_page_is_said_in_plain_words_with_a_way_back(
    url: str, tab: Tab, monitor: Running, network: Network, listener: Listener
) -> None:
    listener.allowed.append("status of 40[45]")
    page = tab(monitor, url, **PHONE)
    title = "This page cannot be opened directly" if url == "/scan" else "Page not found"
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.locator("main")).not_to_contain_text("api")
    assert overflow(page) <= 0
    page.get_by_role("link", name="Back to the fleet").click()
    expect(rows(page).first).to_be_visible()


# -- on a home screen ------------------------------------------------------------------------


def test_a_phone_can_install_the_page_under_the_name_of_the_server(
    tab: Tab, run_monitor: Callable[..., Running]
) -> None:
    monitor = run_monitor("named", SITE_NAME="Harbour cameras")
    page = tab(monitor)
    session = page.context.new_cdp_session(page)
    answer = session.send("Page.getAppManifest")
    assert answer["errors"] == []
    manifest = json.loads(answer["data"])
    assert (manifest["name"], manifest["display"]) == ("Harbour cameras", "standalone")
    # What makes a page installable; the headless shell does not judge that by itself.
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}
    shown = [page.request.get(icon["src"]) for icon in manifest["icons"]]
    assert all(icon.ok and icon.headers["content-type"].startswith("image/") for icon in shown)
    assert page.request.get(manifest["start_url"]).ok
    kinds = {(icon["sizes"], icon["purpose"]) for icon in manifest["icons"]}
    assert kinds == {
        ("any", "any"),
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    }
    for icon in manifest["icons"]:
        file = monitor.get(icon["src"])
        assert (file.status, file.headers["Content-Type"].partition(";")[0]) == (
            200,
            icon["type"],
        )
        if icon["type"] == "image/png":
            width, height = struct.unpack(">II", file.body[16:24])
            assert f"{width}x{height}" == icon["sizes"]


def test_the_colour_of_the_browser_follows_the_theme(
    tab: Tab, run_monitor: Callable[..., Running]
) -> None:
    page = tab(run_monitor("coloured"))
    colours = page.locator('meta[name="theme-color"]')
    expect(colours).to_have_count(2)
    media = [colours.nth(number).get_attribute("media") for number in (0, 1)]
    assert media == ["(prefers-color-scheme: light)", "(prefers-color-scheme: dark)"]
    open_account_menu(page)
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(colours).to_have_count(1)
    colour = colours.get_attribute("content") or ""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    shown = page.locator(".bar")
    expect(shown).to_have_css("background-color", f"rgb({red}, {green}, {blue})")


# -- for everybody ---------------------------------------------------------------------------

RINGLESS = """() => {
    const focusable = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
    return [...document.querySelectorAll(focusable)].filter((element) => {
        element.focus({ preventScroll: true, focusVisible: true });
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
        const hasRing = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
        return document.activeElement === element && !hasRing && boxShadow === 'none';
    }).map(element => element.outerHTML.slice(0, 80));
}"""
MOVING = """() => [...document.querySelectorAll('*')].filter((element) => {
    const { animationName, transitionDuration } = getComputedStyle(element);
    return animationName !== 'none' || parseFloat(transitionDuration) > 0;
}).map(element => element.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("url", ["/", "/cameras/1", "/sites", "/settings/audit", "/account"])
def test_the_focus_is_always_seen_and_nothing_moves_for_who_wants_that(
    url: str, tab: Tab, monitor: Running, network: Network
) -> None:
    page = tab(monitor, url)
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate(RINGLESS) == []
        assert page.evaluate(MOVING) == []


# -- on paper --------------------------------------------------------------------------------


def lines(page: Page) -> list[str]:
    visible = page.locator("#fleet tr[data-id]:visible")
    return [str(number) for number in visible.evaluate_all("rows => rows.map(r => r.dataset.id)")]


def test_the_list_is_printed_in_full_and_the_screen_is_as_before(
    tab: Tab, monitor: Running, network: Network
) -> None:
    page = tab(monitor)
    shown = lines(page)
    assert len(shown) < CROWD, "a part of the list, as a window on it"
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    printed = lines(page)
    assert len(set(printed)) == len(printed) == CROWD
    for hidden in ("button", ".button", ".bar nav", ".c-bar"):
        assert page.locator(hidden).locator("visible=true").count() == 0, hidden
    for column in (".c-address", ".c-mac"):
        expect(page.locator(f".on-paper {column}").first).to_be_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert lines(page) == shown


MORE = {"Stills": "/stills", "Schedules": "/schedules", "Settings": "/settings/sources"}


def test_every_page_can_be_reached_at_every_width(tab: Tab, monitor: Running) -> None:
    """Each page that the bar has at 1440 px is also in it at other widths, or in its menu, which
    needs no script."""
    page = tab(monitor, "/stills", java_script_enabled=False)
    bar = page.get_by_role("navigation", name="Main")
    links, menu = bar.get_by_role("link"), bar.locator("summary")
    every = set(links.all_inner_texts())
    assert set(MORE) < every
    assert not menu.is_visible()
    for width in (901, 900, 768, 641, 640, 360):
        page.set_viewport_size({"width": width, "height": 740})
        shown = set(links.all_inner_texts())
        if menu.is_visible():
            assert menu.get_attribute("aria-current") == "true"
            menu.click()
            shown |= set(links.all_inner_texts())
            place = bar.locator("details > div").bounding_box()
            assert place is not None
            assert 0 <= place["x"] <= place["x"] + place["width"] <= width
            assert 0 <= place["y"] <= place["y"] + place["height"] <= 740
            menu.click()
        assert shown == every, width
        assert overflow(page) <= 0
        assert bar.evaluate("bar => bar.scrollWidth - bar.clientWidth") <= 1, width
    menu.click()
    bar.get_by_role("link", name="Schedules").click()
    expect(page).to_have_url(re.compile("/schedules$"))


def test_the_menu_of_pages_is_used_by_keyboard(tab: Tab, monitor: Running) -> None:
    page = tab(monitor, **PHONE)
    menu = page.get_by_role("navigation", name="Main").locator("summary")
    assert menu.get_attribute("aria-current") is None
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Stills", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    expect(page.get_by_role("link", name="Stills", exact=True)).to_be_hidden()
