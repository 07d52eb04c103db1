"""Filters by store and site: the counts lead to them, and a search keeps them."""

import pytest

from fleet.model import DEFAULT_SITE
from tests.home import Home
from tests.web.browser import Browser
from tests.web.pages.stores import Make, group, listed, open_stores


@pytest.fixture
def browser(chain: Home) -> Browser:
    return Browser(chain.client)


def test_each_count_leads_to_as_many_rows(browser: Browser) -> None:
    page, followed = browser.visit("/sites"), 0
    for row in [row for body in page.find("tbody") for row in body.find("tr")]:
        for cell in row.find("td"):
            for link in cell.find("a"):
                shown = listed(browser.visit(link["href"]))
                assert len(shown) == int(cell.text.rpartition(" ")[2]), link["aria-label"]
                followed += 1
    assert followed == 17


def test_a_count_names_its_place_for_who_hears_it(browser: Browser) -> None:
    links = group(browser.visit("/sites"), "Cork 3 sites").find("tr")[0].find("a")
    assert [link["aria-label"] for link in links] == [
        "1 of 3 online, Cork",
        "1 offline, Cork",
        "1 not checked, Cork",
    ]


def test_the_filter_by_store_and_site_is_exact(make_home: Make) -> None:
    home = open_stores(make_home, {"Cork": ["C-1", "C-10"], "Cork 2": ["C-100"], "cork": ["c-1"]})

    def sites(query: str) -> list[str]:
        answer = home.client.get(f"/api/cameras?{query}")
        assert answer.status_code == 200, answer.text
        return [row["site"] for row in answer.json["cameras"]]

    assert sites("store=Cork") == ["C-1", "C-10"]
    assert sites("store=Cork%202") == ["C-100"]
    assert sites("store=Cor") == []
    assert sites("site=C-1") == ["C-1"]
    assert sites("store=Cork&site=C-100") == []
    assert sites("store=Cork&status=unknown&q=c-10") == ["C-10"]


def test_the_longest_names_of_a_workbook_can_be_filtered_by(make_home: Make) -> None:
    store, site = "S" * 500, "x" * 500
    home = open_stores(make_home, {store: [site], "Other": ["O-1"]})
    for query in (f"store={store}", f"site={site}"):
        assert home.client.get(f"/api/cameras?{query}").json["count"] == 1
        assert len(listed(Browser(home.client).visit(f"/?{query}"))) == 1


def test_a_filter_by_place_is_shown_kept_by_a_search_and_can_be_removed(browser: Browser) -> None:
    page = browser.visit("/?store=Cork&site=C-3&status=silent")
    chosen = page.find("a", **{"class": "chosen"})
    assert [link.text for link in chosen] == [
        "Status: Offline or unreachable (remove this filter)",
        "Store: Cork (remove this filter)",
        "Site: C-3 (remove this filter)",
    ]
    assert [link["href"] for link in chosen] == [
        "/?store=Cork&site=C-3",
        "/?site=C-3&status=silent",
        "/?store=Cork&status=silent",
    ]
    form = page.find_one("form", **{"class": "search"})
    kept = {field["name"]: field["value"] for field in form.find("input", type="hidden")}
    assert kept == {"store": "Cork", "site": "C-3", "status": "silent"}


def test_the_counts_of_the_fleet_page_are_those_of_the_chosen_store(browser: Browser) -> None:
    page = browser.visit("/?store=Cork")
    links = page.find_one("nav", **{"class": "filters"}).find("a")
    texts = [link.text for link in links if link.get("class") != "chosen"]
    assert texts == [
        *("All 3", "Active 1", "IP changed 0", "Offline 1", "Missing 0"),
        *("Not checked 1", "Findings 0"),
    ]
    offline = next(link for link in links if link.text == "Offline 1")
    assert listed(browser.visit(offline["href"])) == ["Cork, C-3"]


def test_a_status_that_has_no_count_is_shown_and_can_be_removed(browser: Browser) -> None:
    page = browser.visit("/?status=offline&kind=recorder")
    assert listed(page) == ["Cork, C-3", "Aachen, A-10", "Cork, C-2"]
    assert [link.text for link in page.find("a", **{"class": "chosen"})] == [
        "Status: Offline, unreachable or not checked (remove this filter)",
        "Kind: recorder (remove this filter)",
    ]


def test_a_list_without_a_match_names_the_place_that_was_asked_for(browser: Browser) -> None:
    page = browser.visit("/?store=Cork&site=A-1&status=silent")
    text = page.find_one("div", **{"class": "empty"}).text
    assert "No devices match: status Offline or unreachable, store Cork, site A-1." in text


def test_rows_that_are_renewed_keep_to_the_store(chain: Home) -> None:
    ids = {device.site: device.id for device in chain.devices()}
    asked = f"{ids['C-3']},{ids['A-1']},{ids[DEFAULT_SITE]}"
    moved = chain.client.patch(f"/api/camera/{ids[DEFAULT_SITE]}", json={"site": "B-1"})
    assert moved.status_code == 200
    expected_of = {"Cork": ["C-3"], "Aachen": ["A-1"], "Bergen": [DEFAULT_SITE], "None": []}
    for store, expected in expected_of.items():
        html = chain.client.get(f"/parts/rows?store={store}&ids={asked}").text
        assert [site for site in ids if f'data-id="{ids[site]}"' in html] == expected
