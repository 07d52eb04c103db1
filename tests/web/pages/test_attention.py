"""Numbers that add up: what needs attention, and the counts of the filters."""

import re
from collections.abc import Iterator

import pytest

from simulators.panasonic import Camera
from tests.home import Clock, Home
from tests.web.browser import Browser, Element
from tests.web.pages.stores import STORES, Make, ask_all, listed, open_stores, sites_of

SEARCHES = ("", "q=cam", "q=b&site=here", "kind=camera", "attention=all", "findings=true")


def camera(number: int, name: str, ip: str = "", **more: object) -> Camera:
    return Camera(f"d4:2d:c5:00:00:{number:02x}", ip or f"127.20.0.{number}", name, **more)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Nine cameras down for more than a day, seven since now, one behind them, two that share."""
    long = [camera(number, f"Cam {number}") for number in range(10, 19)]
    fresh = [camera(number, f"Cam {number}") for number in range(20, 27)]
    below, kept = camera(40, "Below"), camera(41, "Kept")
    pair = [camera(30, "Gate", "127.20.0.99"), camera(31, "Yard", "127.20.0.99")]
    open_ = camera(42, "Open", password_set=False)
    everyone = (*long, *fresh, below, kept, open_)
    made = Home(tmp_path_factory.mktemp("attention"), Clock(), *everyone)
    try:
        made.scan()
        numbers = {device.name or device.address: device.id for device in made.devices()}
        parent = {"parent": numbers["127.20.0.20"]}
        assert made.client.patch(f"/api/camera/{below.mac}", json=parent).status_code == 200
        assert made.client.post(f"/api/camera/{kept.mac}/retire").status_code == 200
        kept.on = False
        for silent in long:
            silent.on = False
        made.scan()
        made.clock.forward(hours=30)
        made.scan()
        for silent in (*fresh, below):
            silent.on = False
        made.scan()
        made.network.cameras.extend(pair)
        made.scan()
        yield made
    finally:
        made.close()


@pytest.fixture
def browser(home: Home) -> Browser:
    return Browser(home.client)


def wrong(page: Element) -> Element:
    return page.find_one("section", id="wrong")


def total(page: Element) -> int:
    tables = page.find("table", id="fleet")
    return int(tables[0]["data-total"]) if tables else 0


@pytest.mark.parametrize("search", SEARCHES)
def test_each_count_is_the_length_of_the_list_that_it_opens(browser: Browser, search: str) -> None:
    page = browser.visit(f"/?{search}")
    chips = [link for link in page.find_one("nav", id="filters").find("a") if link.find("b")]
    titles = {chip.text.rpartition(" ")[0] for chip in chips}
    assert {"All", "Active", "Offline", "Missing", "Findings"} <= titles
    assert ("Unreachable" in titles) == (search != "q=cam")
    for chip in chips:
        opened = browser.visit(chip["href"])
        assert total(opened) == int(chip.find_one("b").text), chip.text
        current = opened.find_one("nav", id="filters").find("a", **{"aria-current": "true"})
        assert [link.text for link in current] == [chip.text]


def test_the_statuses_add_up_to_all(browser: Browser) -> None:
    chips = browser.visit("/").find_one("nav", id="filters").find("a")
    count = {text: int(number) for text, number in (chip.text.rsplit(" ", 1) for chip in chips)}
    parts = ("Active", "Offline", "Unreachable", "Missing")
    assert sum(count[part] for part in parts) == count["All"] == 20
    assert count["Unreachable"] == 1


def test_the_headline_counts_the_devices_of_the_list_that_it_opens(browser: Browser) -> None:
    section = wrong(browser.visit("/"))
    link = section.find_one("h2").find_one("a")
    opened = browser.visit(link["href"])
    assert link.text == f"{total(opened)} cameras need attention"
    assert section["data-count"] == str(total(opened)) == "20"
    assert "Kept" not in listed(opened)
    chosen = [chip.text for chip in opened.find("a", **{"class": "chosen"})]
    assert chosen == ["Needs attention: all (remove this filter)"]


def test_two_cameras_at_one_address_are_named_once_together(browser: Browser) -> None:
    lines = [line.text for line in wrong(browser.visit("/")).find("li")]
    pairs = [line for line in lines if "127.20.0.99" in line]
    assert len(pairs) == 1
    assert re.match(r"(Gate and Yard|Yard and Gate) both use 127\.20\.0\.99 ", pairs[0])


def test_all_lines_together_are_the_headline_and_each_opens_its_devices(browser: Browser) -> None:
    section = wrong(browser.visit("/"))
    folds = [link for item in section.find("li", **{"class": "folds"}) for link in item.find("a")]
    named = [link for item in section.find("li") for link in item.find("a") if link.find("b")]
    for link in named:
        assert browser.visit(link["href"]).find_one("h1", id="detail-name").text == link.text
    counts = [int(link.text.split()[0]) for link in folds]
    for link, count in zip(folds, counts, strict=True):
        assert total(browser.visit(link["href"])) == count, link.text
    assert len(named) + sum(counts) == int(section["data-count"])
    assert any("for more than a day" in link.text for link in folds)
    assert any(re.fullmatch(r"\d+ more", link.text) for link in folds)


def test_more_holds_exactly_those_that_the_page_does_not_name(browser: Browser) -> None:
    section = wrong(browser.visit("/"))
    named = {link.text for item in section.find("li") for link in item.find("a") if link.find("b")}
    more = set(listed(browser.visit("/?attention=more")))
    folded = set(listed(browser.visit("/?attention=lasting_missing")))
    assert more
    assert folded
    assert not named & (more | folded)
    assert not more & folded
    assert named | more | folded == set(listed(browser.visit("/?attention=all")))


def test_the_api_has_the_same_filter(home: Home) -> None:
    body = home.client.get("/api/cameras?attention=lasting_missing").json
    assert body["count"] == 9
    assert home.client.get("/api/cameras?attention=some").status_code == 422


def test_a_store_that_is_down_as_a_whole_is_one_line_that_opens_its_list(make_home: Make) -> None:
    home = open_stores(make_home, STORES)
    cork = STORES["Cork"]
    ask_all(home, sites_of(STORES))
    ask_all(home, sites_of(STORES), silent=cork)
    browser = Browser(home.client)
    section = wrong(browser.visit("/"))
    (line,) = section.find("li")
    assert re.match(r"Cork all 3 offline", line.text)
    link = line.find_one("a")
    assert (total(browser.visit(link["href"])), link["data-count"]) == (3, "3")
    assert section["data-count"] == "3"
    assert total(browser.visit("/?attention=all")) == 3
