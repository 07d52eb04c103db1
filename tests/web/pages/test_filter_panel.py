"""The filter panel without script: values that exist, their counts, and links that choose them."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from fleet.model import Finding
from simulators.panasonic import Camera
from tests.home import Clock, Home
from tests.web.browser import Browser, Element
from tests.web.pages.stores import listed, open_stores

Make = Callable[..., Home]
CAMERAS = (
    Camera("d4:2d:c5:00:00:01", "127.20.4.10", "Gate"),
    Camera("a8:13:74:00:00:02", "127.20.4.2", "Stage", family="AW"),
    Camera("d4:2d:c5:00:00:03", "127.20.5.1", "Yard"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Gate and Stage in one network, Yard in another; Gate and Yard are tagged."""
    started = Home(tmp_path_factory.mktemp("panel"), Clock(), *CAMERAS)
    try:
        started.scan()
        for number, fields in {
            1: {"tags": ["lobby", "door 10"], "site": "Store 10"},
            3: {"tags": ["lobby", "door 9"], "site": "Store 9"},
        }.items():
            answer = started.client.patch(f"/api/camera/{number}", json=fields)
            assert answer.status_code == 200, answer.text
        yield started
    finally:
        started.close()


@pytest.fixture
def browser(home: Home) -> Browser:
    return Browser(home.client)


def facets(page: Element) -> dict[str, list[str]]:
    """{title: ["value count", ...]}"""
    sections = page.find_one("div", **{"class": "facets"}).find("section")
    return {
        section.find_one("h2").text: [link.text for link in section.find("a")]
        for section in sections
    }


def link_of(page: Element, text: str) -> str:
    links = page.find_one("div", **{"class": "facets"}).find("a")
    return next(link["href"] for link in links if link.text == text)


def test_it_offers_what_exists_in_natural_order_with_counts(browser: Browser) -> None:
    known = facets(browser.visit("/filters"))
    assert known["Tag"] == ["door 9 1", "door 10 1", "lobby 2"]
    assert known["Site"] == ["(no site) 1", "Store 9 1", "Store 10 1"]
    assert known["Network"] == ["127.20.4.0/24 2", "127.20.5.0/24 1"]
    assert known["Source"] == ["Panasonic and i-PRO 3"]
    assert "Store" not in known, "a filter without values is not shown"


def test_every_value_leads_to_as_many_rows_as_it_counts(browser: Browser) -> None:
    for query in ("", "?tag=lobby", "?q=a&network=127.20.4.0/24"):
        page = browser.visit(f"/filters{query}")
        for link in page.find_one("div", **{"class": "facets"}).find("a"):
            if link.get("aria-current"):
                continue
            shown = listed(browser.visit(link["href"]))
            assert len(shown) == int(link.find("b")[0].text), (query, link["href"])


def test_values_of_different_filters_restrict_each_other(browser: Browser) -> None:
    known = facets(browser.visit("/filters?network=127.20.5.0/24"))
    assert known["Tag"] == ["door 9 1", "lobby 1"]
    assert known["Network"] == [
        "127.20.5.0/24 (remove this filter) 1",
        "127.20.4.0/24 2",
    ]


def test_a_chosen_value_is_first_and_its_link_removes_it(browser: Browser) -> None:
    page = browser.visit("/filters?tag=lobby&sort=name")
    assert facets(page)["Tag"][0] == "lobby (remove this filter) 2"
    assert link_of(page, "lobby (remove this filter) 2") == "/?sort=name"
    assert link_of(page, "door 9 1") == "/?tag=door+9&sort=name"


def test_a_chosen_value_that_nothing_has_can_still_be_removed(browser: Browser) -> None:
    page = browser.visit("/filters?tag=gone&status=offline")
    assert facets(page)["Tag"] == ["gone (remove this filter) 0"]


def test_values_are_found_by_a_part_of_their_name(browser: Browser) -> None:
    assert facets(browser.visit("/filters?find=STORE%20")) == {"Site": ["Store 9 1", "Store 10 1"]}
    page = browser.visit("/filters?find=nowhere")
    assert "contains “nowhere”" in page.find_one("div", **{"class": "facets"}).text


def test_a_network_that_is_typed_can_be_chosen(browser: Browser) -> None:
    page = browser.visit("/filters?find=127.20.4.0/23")
    assert facets(page) == {"Network": ["127.20.4.0/23 3"]}
    assert listed(browser.visit(link_of(page, "127.20.4.0/23 3"))) == ["Gate", "Stage", "Yard"]


def test_active_filters_are_chips_that_can_be_removed(browser: Browser) -> None:
    page = browser.visit("/?tag=lobby&network=127.20.4.0/24&source=panasonic&site=Store+10")
    assert listed(page) == ["Gate"]
    assert [link.text for link in page.find("a", **{"class": "chosen"})] == [
        "Tag: lobby (remove this filter)",
        "Site: Store 10 (remove this filter)",
        "Network: 127.20.4.0/24 (remove this filter)",
        "Source: Panasonic and i-PRO (remove this filter)",
    ]
    assert {link["href"] for link in page.find("a", **{"class": "chosen"})} >= {
        "/?network=127.20.4.0%2F24&source=panasonic&site=Store+10"
    }


def test_a_list_without_a_match_names_the_filters(browser: Browser) -> None:
    page = browser.visit("/?tag=gone&network=10.0.0.0/8")
    text = page.find_one("div", **{"class": "empty"}).text
    assert "match: tag gone, network 10.0.0.0/8." in text


def test_a_filter_has_the_same_words_as_a_chip_in_an_empty_list_and_in_a_view(
    browser: Browser,
) -> None:
    query = "status=silent&attention=all&tag=gone&site=here&source=panasonic"
    page = browser.visit(f"/?{query}")
    chips = [link.text for link in page.find("a", **{"class": "chosen"})]
    assert {chip.removesuffix(" (remove this filter)") for chip in chips} == {
        "Status: Offline or unreachable",
        "Needs attention: all",
        "Tag: gone",
        "Site: (no site)",
        "Source: Panasonic and i-PRO",
    }
    words = (
        "tatus Offline or unreachable, needs attention, tag gone, "
        "site (no site), source Panasonic and i-PRO."
    )
    assert f"match: s{words}" in page.find_one("div", **{"class": "empty"}).text
    assert f"S{words}" in browser.visit(f"/views?{query}").find_one("main").text


def test_the_counts_keep_to_what_needs_attention(browser: Browser) -> None:
    assert facets(browser.visit("/filters?attention=all")) == {}


def test_a_filter_that_does_not_fit_is_left_out_by_the_page(browser: Browser) -> None:
    assert len(listed(browser.visit("/?network=gate"))) == 3


def test_no_more_than_a_hundred_values_are_shown_and_the_others_are_counted(
    make_home: Make,
) -> None:
    sites = [f"S-{number}" for number in range(1, 131)]
    browser = Browser(open_stores(make_home, {"Cork": sites}).client)
    page = browser.visit("/filters")
    assert len(facets(page)["Site"]) == 100
    assert "30 more." in page.find_one("div", **{"class": "facets"}).text
    assert facets(page)["Store"] == ["Cork 130"]
    assert facets(browser.visit("/filters?find=s-130"))["Site"] == ["S-130 1"]


def test_a_kind_of_finding_filters_by_its_title(home: Home, browser: Browser) -> None:
    tracker, now = home.monitor.tracker, home.clock()
    finding = Finding("id:2", "clock.drift", now, "its clock is 3 h ahead", "onvif")
    tracker.apply([finding], now)
    try:
        page = browser.visit("/filters")
        assert "Clock is wrong 1" in facets(page)["Finding"]
        chosen = browser.visit(link_of(page, "Clock is wrong 1"))
        assert listed(chosen) == ["Stage"]
        assert "Finding: Clock is wrong" in chosen.text
    finally:
        tracker.apply([replace(finding, text="", cleared=True)], now)
    assert "Clock is wrong 1" not in facets(browser.visit("/filters")).get("Finding", [])
