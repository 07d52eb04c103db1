"""The page of stores and sites, and the filters of the list that its counts lead to."""

from urllib.parse import quote

import pytest

from fleet.model import DEFAULT_SITE
from tests.accounts.people import add
from tests.home import Home
from tests.web.browser import Browser
from tests.web.closed import PAGE, Visitor
from tests.web.pages.stores import (
    STORES,
    Make,
    ask_all,
    group,
    head,
    line,
    listed,
    names,
    open_stores,
    sites_of,
    write_rows,
)
from web.pages.site_groups import MAX_GROUPS, MAX_IN_TROUBLE, MAX_OF_STORE, MAX_SITES

HEADS = ["Store and site", "Worst status", "Online", "Offline", "Missing", "Not checked"]


@pytest.fixture
def browser(chain: Home) -> Browser:
    return Browser(chain.client)


# -- groups, counts, order -----------------------------------------------------------------


def test_each_store_is_a_group_with_its_sites_and_their_counts(browser: Browser) -> None:
    page = browser.visit("/sites")
    assert [heading.text for heading in page.find_one("thead").find("th")] == HEADS
    assert line(page, "Cork 3 sites") == ["Offline", "1 of 3", "1", "0", "1"]
    assert [heading.text for heading in group(page, "Cork 3 sites").find("th")] == [
        "Cork 3 sites",
        "C-3",
        "C-1",
        "C-2",
    ]
    assert line(page, "C-1") == ["Active", "1 of 1", "0", "0", "0"]
    assert line(page, "C-2") == ["Not checked", "0 of 1", "0", "0", "1"]
    assert line(page, "C-3") == ["Offline", "0 of 1", "1", "0", "0"]


def test_all_stores_together_stand_on_top(browser: Browser) -> None:
    page = browser.visit("/sites")
    assert head(page) == "Sites 3 stores, 8 sites, 6 of 9 online"
    links = page.find_one("nav", **{"class": "filters"}).find("a")
    assert [link.text for link in links] == ["Offline 1", "Not checked 2"]
    assert [link["href"] for link in links] == ["/?status=silent", "/?status=unknown"]


def test_what_is_in_trouble_stands_first_the_rest_by_name_with_2_before_10(
    browser: Browser,
) -> None:
    page = browser.visit("/sites")
    assert names(page) == [
        *("Cork 3 sites", "C-3", "C-1", "C-2"),
        *("Aachen 3 sites", "A-1", "A-2", "A-10"),
        "Bergen B-1",
        "Depot (no store)",
        "(no site) (no store)",
    ]


def test_whole_outages_come_first_and_what_was_never_online_after_all_outages(
    make_home: Make,
) -> None:
    stores = {name: [f"{name}-1", f"{name}-2", f"{name}-3"] for name in ("A", "B", "C", "D", "E")}
    home = open_stores(make_home, stores)
    seen = [site for site in sites_of(stores) if site != "A-1"]
    ask_all(home, seen)
    silent = ("A-1", "B-1", "C-1", "C-2", "D-1", "D-2", "D-3")
    ask_all(home, sites_of(stores), silent)
    page = Browser(home.client).visit("/sites")
    shown = [name[0] for name in names(page) if name.endswith("sites")]
    assert shown == ["D", "C", "B", "A", "E"]


def test_a_store_in_trouble_is_unfolded_and_a_healthy_one_folded(browser: Browser) -> None:
    page = browser.visit("/sites")
    assert "open" in group(page, "Cork 3 sites").find_one("details").attributes
    assert "open" not in group(page, "Aachen 3 sites").find_one("details").attributes


def test_a_store_with_one_site_is_one_row_with_both_names(browser: Browser) -> None:
    tbody = group(browser.visit("/sites"), "Bergen B-1")
    assert len(tbody.find("tr")) == 1
    assert not tbody.find("details")
    assert tbody.find("a")[0]["href"] == "/?store=Bergen"


def test_a_site_without_a_store_is_a_row_of_its_own(browser: Browser) -> None:
    page = browser.visit("/sites")
    for name, site in (("Depot", "Depot"), ("(no site)", "here")):
        tbody = group(page, f"{name} (no store)")
        assert line(page, f"{name} (no store)") == ["Active", "1 of 1", "0", "0", "0"]
        assert not tbody.find("details")
        assert tbody.find("a")[0]["href"] == f"/?site={site}"


def test_a_camera_at_the_site_of_a_recorder_counts_in_its_store(
    chain: Home, browser: Browser
) -> None:
    camera = next(device for device in chain.devices() if device.site == DEFAULT_SITE)
    moved = chain.client.patch(f"/api/camera/{camera.id}", json={"site": "B-1"})
    assert moved.status_code == 200
    page = browser.visit("/sites")
    assert line(page, "Bergen B-1") == ["Active", "2 of 2", "0", "0", "0"]
    assert listed(browser.visit("/?store=Bergen&sort=name")) == ["Bergen, B-1", "Gate"]


def test_what_is_retired_counts_nowhere(chain: Home, browser: Browser) -> None:
    write_rows(chain, {**STORES, "Cork": ["C-1", "C-2"]})
    assert [device.site for device in chain.devices() if device.retired_at] == ["C-3"]
    page = browser.visit("/sites")
    assert head(page) == "Sites 3 stores, 7 sites, 6 of 8 online"
    assert line(page, "Cork 2 sites") == ["Not checked", "1 of 2", "0", "0", "1"]


def test_the_sign_of_a_status_stands_beside_its_word(browser: Browser) -> None:
    tbody = group(browser.visit("/sites"), "Cork 3 sites")
    badge = tbody.find("span", **{"class": "badge offline"})[0]
    assert badge.text == "Offline"
    assert badge.find_one("use")["href"].endswith("#offline")


def test_a_monitor_without_cameras_says_where_they_come_from(make_home: Make) -> None:
    page = Browser(make_home().client).visit("/sites")
    assert "upload a workbook of recorders" in page.find_one("div", **{"class": "empty"}).text
    assert not page.find("table")


# -- search, one store ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cork", ["Cork 3 sites", "C-3", "C-1", "C-2"]),
        ("a-1", ["Aachen 3 sites", "A-1", "A-10", "1 more site not shown. All 3 sites of Aachen"]),
        ("B-1", ["Bergen B-1"]),
        ("no%20site", ["(no site)"]),
        ("%20%20DEPOT%20", ["Depot"]),
    ],
)
def test_a_search_finds_stores_and_sites_by_name(
    browser: Browser, text: str, expected: list[str]
) -> None:
    page = browser.visit(f"/sites?q={text}")
    assert [name.removesuffix(" (no store)") for name in names(page)] == expected
    assert all("open" in element.attributes for element in page.find_one("main").find("details"))


def test_a_search_says_what_it_counts_and_leads_back(browser: Browser) -> None:
    page = browser.visit("/sites?q=cork")
    assert head(page) == "Sites 1 store, 3 sites, 1 of 3 online, matching “cork”"
    (search,) = page.find("form", role="search")
    assert search["action"] == "/sites"
    assert search.find_one("input", name="q")["value"] == "cork"
    back = page.find_one("nav", **{"class": "filters"}).find_one("a")
    assert (back.text, back["href"]) == ("All stores and sites", "/sites")


@pytest.mark.parametrize("query", ["q=nowhere", "store=nowhere", "store=Cork&q=nowhere"])
def test_a_search_in_vain_says_so_and_leads_back(browser: Browser, query: str) -> None:
    empty = browser.visit(f"/sites?{query}").find_one("div", **{"class": "empty"})
    assert "nowhere" in empty.text
    assert empty.find_one("a")["href"] == "/sites"


def test_one_store_that_is_asked_for_is_alone_and_unfolded(browser: Browser) -> None:
    page = browser.visit("/sites?store=Aachen")
    assert names(page) == ["Aachen 3 sites", "A-1", "A-2", "A-10"]
    assert "open" in page.find_one("main").find_one("details").attributes
    assert head(page) == "Aachen 3 sites, 2 of 3 online"
    links = page.find_one("nav", **{"class": "filters"}).find("a")
    assert [link["href"] for link in links] == ["/sites", "/?store=Aachen&status=unknown"]
    assert names(browser.visit("/sites?store=Aachen&q=10"))[:2] == ["Aachen 3 sites", "A-10"]


# -- big chains ----------------------------------------------------------------------------


def test_of_a_big_chain_only_sites_in_trouble_are_drawn_and_the_page_says_so(
    make_home: Make,
) -> None:
    stores = {f"Store {n}": [f"S{n}-{number}" for number in range(50)] for n in range(100)}
    home = open_stores(make_home, stores)
    silent = [*stores["Store 7"][:3], *stores["Store 12"]]
    ask_all(home, sites_of(stores), silent)
    browser = Browser(home.client)
    answer = home.client.get("/sites", headers={"Accept": "text/html"})
    assert len(answer.data) < 100_000
    page = browser.visit("/sites")
    assert head(page) == "Sites 100 stores, 5000 sites, 4947 of 5000 online"
    assert len(page.find("tbody")) == 100
    assert names(page)[:5] == [
        *("Store 7 50 sites", "S7-0", "S7-1", "S7-2"),
        "47 more sites not shown. All 50 sites of Store 7",
    ]
    assert len(group(page, "Store 12 50 sites").find("tr")) == 1 + MAX_IN_TROUBLE + 1
    healthy = group(page, "Store 3 50 sites")
    assert not healthy.find("details")
    asked = browser.visit(healthy.find("a")[0]["href"])
    assert len(names(asked)) == 51
    assert names(asked)[0] == "Store 3 50 sites"


def test_not_more_sites_are_drawn_than_fit_however_many_are_in_trouble(make_home: Make) -> None:
    stores = {f"Store {n}": [f"S{n}-{number}" for number in range(50)] for n in range(100)}
    home = open_stores(make_home, stores)
    ask_all(home, sites_of(stores), sites_of(stores))
    page = Browser(home.client).visit("/sites")
    assert len(page.find("tr", **{"class": "one"})) == MAX_SITES
    assert len(page.find("tbody")) == 100
    assert len(page.find_one("main").find("details")) == MAX_SITES // MAX_IN_TROUBLE


def test_five_thousand_stores_of_one_site_are_cut_and_the_page_says_how_many(
    make_home: Make,
) -> None:
    stores = {f"Store {n}": [f"S{n}"] for n in range(5000)}
    home = open_stores(make_home, stores)
    ask_all(home, sites_of(stores), ["S4999"])
    page = Browser(home.client).visit("/sites")
    assert names(page)[:2] == ["Store 4999 S4999", "Store 0 S0"]
    assert len(page.find("tbody")) == MAX_GROUPS
    assert f"{5000 - MAX_GROUPS} more are not shown. Search by name" in page.text
    assert names(Browser(home.client).visit("/sites?q=store 4321")) == ["Store 4321 S4321"]


def test_a_store_of_five_thousand_sites_is_cut_and_can_be_searched(make_home: Make) -> None:
    home = open_stores(make_home, {"Mall": [f"M{n}" for n in range(5000)]})
    browser = Browser(home.client)
    page = browser.visit("/sites?store=Mall")
    assert len(page.find("tr", **{"class": "one"})) == MAX_OF_STORE
    assert f"{5000 - MAX_OF_STORE} more sites not shown. Search by name" in page.text
    assert names(browser.visit("/sites?store=Mall&q=m4321"))[1] == "M4321"


# -- who sees what, hostile names ----------------------------------------------------------


def test_who_is_limited_sees_and_counts_what_was_granted_alone(chain: Home) -> None:
    accounts = chain.monitor.authenticator.accounts
    add(accounts, "Ada", "admin")
    lea = add(accounts, "Lea", "viewer", False)
    visitor = Visitor(chain, user=lea.id)
    page = {"Accept": "text/html"}
    assert "No sites yet." in visitor.get("/sites", headers=page).text
    ids = {device.site: device.id for device in chain.devices()}
    accounts.grant(lea.id, "view", device=ids["C-3"])
    accounts.grant(lea.id, "view", site="C-1")
    for path in ("/sites", "/sites?q=a", "/sites?store=Aachen", "/sites?q=C"):
        text = visitor.get(path, headers=page).text
        for hidden in ("A-1", "C-2", "Bergen", "B-1", "Depot", "of 3", "3 sites"):
            assert hidden not in text, path
    shown = visitor.get("/sites", headers=page).text
    assert "1 store, 2 sites, <b>1 of 2</b> online" in shown
    assert "C-3" in shown


def test_a_row_that_others_read_tells_a_limited_person_nothing_of_what_is_hidden(
    chain: Home,
) -> None:
    accounts = chain.monitor.authenticator.accounts
    add(accounts, "Ada", "admin")
    vera, lea = add(accounts, "Vera", "viewer"), add(accounts, "Lea", "viewer", False)
    gate, parent = (number_of(chain, name) for name in ("here", "C-1"))
    accounts.grant(lea.id, "view", device=gate)
    ada = Visitor(chain, user=1)
    changes = {"site": "C-1", "parent": parent}
    assert ada.ask("PATCH", f"/api/camera/{gate}", json=changes).status_code == 200

    def row(user: int) -> str:
        rows = Visitor(chain, user=user).get("/parts/rows?columns=name,store,parent", headers=PAGE)
        return next(row for row in rows.text.split("<tr") if f'data-id="{gate}"' in row)

    for user, is_told in ((vera.id, True), (lea.id, False), (vera.id, True)):
        assert ("Cork" in row(user)) == is_told
    named = {"name": "Tower"}
    assert ada.ask("PATCH", f"/api/camera/{parent}", json=named).status_code == 200
    assert "Tower" in row(vera.id)


def number_of(home: Home, site: str) -> int:
    return next(device.id for device in home.devices() if device.site == site)


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a&b=c#d?e/f%20g+h",
    "{{ 7*7 }}",
    "javascript:alert(1)",
    "Ω ☕ مرحبا",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_and_its_counts_lead_to_it(make_home: Make, name: str) -> None:
    home = open_stores(make_home, {name: [f"{name} 1", f"{name} 2"], "Other": ["O-1"]})
    browser = Browser(home.client)
    for path in ("/sites", f"/sites?store={quote(name)}", f"/sites?q={quote(name)}"):
        page = browser.visit(path)
        tbody = group(page, f"{name} 2 sites")
        assert [heading.text for heading in tbody.find("th")][1:] == [f"{name} 1", f"{name} 2"], (
            path
        )
        assert [image["src"] for image in page.find("img")] == ["/static/icon.svg"]
        assert all(script.get("src") for script in page.find("script"))
        links = [link["href"] for link in tbody.find("a")]
        assert [len(listed(browser.visit(url))) for url in links] == [2, 2, *[1] * 6]
