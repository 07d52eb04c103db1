"""The columns of the list: those with values, or those that a person chose."""

from typing import Any

from tests.accounts.people import add
from tests.home import Home
from tests.web.browser import Browser, Element, read
from tests.web.closed import Visitor
from tests.web.pages.stores import STORES, Make, open_stores

FORM = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
CAMERAS = ["Status", "Name", "Address", "MAC and serial", "Model", "Last seen", "Scans answered"]


def heads(page: Element) -> list[str]:
    return [head.text for head in page.find_one("table", id="fleet").find("th")]


def choose(client: Any, *keys: str, **more: str) -> Element:
    data = {"column": list(keys), **more}
    answer = client.post("/columns", data=data, headers=FORM, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def cells(page: Element, key: str) -> list[str]:
    body = page.find_one("table", id="fleet").find("tbody")[0]
    return [cell.text for cell in body.find("td", **{"class": f"c-{key}"})]


def test_cameras_have_no_column_of_sites_and_stores_until_there_are_some(home: Home) -> None:
    browser = Browser(home.client)
    assert heads(browser.visit("/")) == [*CAMERAS, "90 days"]
    assert home.client.patch("/api/camera/1", json={"site": "Cork"}).status_code == 200
    page = browser.visit("/")
    assert heads(page)[2] == "Site"
    assert sorted(cells(page, "site")) == ["", "Cork"]


def test_recorders_have_stores_sites_and_serials_and_no_empty_column(make_home: Make) -> None:
    home = open_stores(make_home, STORES)
    page = Browser(home.client).visit("/?q=C-3")
    assert heads(page) == ["Status", "Name", "Site", "Serial", "Last seen", "90 days"]
    (name,) = page.find_one("table", id="fleet").find("a", **{"data-open": "7"})
    assert (name.text, name.find_one("span").text) == ("Cork, C-3", ", C-3"), "the place folds"
    assert cells(page, "site") == ["C-3"]
    assert cells(page, "serial")[0].startswith("SIM")


def test_a_chosen_column_is_shown_although_it_is_empty_and_stays(home: Home) -> None:
    page = choose(home.client, "tags", "firmware", "parent", "first_seen", back="q=a&sort=name")
    expected = ["Status", "Name", "Firmware", "Connected through", "Tags", "First seen"]
    assert heads(page) == expected
    home.restart()
    page = Browser(home.client).visit("/")
    assert heads(page) == expected
    chosen = page.find_one("details", id="columns").find("input", name="column")
    assert {box["value"] for box in chosen if "checked" in box.attributes} == {
        *("status", "name", "firmware", "parent", "tags", "first_seen")
    }
    body = {"parent": 1, "tags": ["door", "north"]}
    assert home.client.patch("/api/camera/2", json=body).status_code == 200
    page = Browser(home.client).visit("/?q=yard")
    assert (cells(page, "parent"), cells(page, "tags")) == (["Gate"], ["doornorth"])
    assert heads(choose(home.client, do="default")) == [*CAMERAS, "90 days"]


def test_each_user_has_columns_of_their_own(home: Home) -> None:
    accounts = home.monitor.authenticator.accounts
    ada, vera = add(accounts, "Ada", "admin"), add(accounts, "Vera")
    for user, keys in ((ada, ["tags"]), (vera, ["serial", "mac"])):
        visitor = Visitor(home, user=user.id)
        answer = visitor.ask("POST", "/columns", data={"column": keys}, headers=FORM)
        assert answer.status_code == 303
    shown = {
        user.name: heads(read(Visitor(home, user=user.id).get("/", headers=FORM).text))
        for user in (ada, vera)
    }
    assert shown == {
        "Ada": ["Status", "Name", "Tags"],
        "Vera": ["Status", "Name", "MAC", "Serial"],
    }


def test_rows_that_follow_have_the_columns_of_the_page_that_asks(home: Home) -> None:
    choose(home.client, "tags")
    old = home.client.get("/parts/rows?columns=status,name,model&ids=1").text
    new = home.client.get("/parts/rows?ids=1").text
    assert ("c-model" in old, "c-tags" in old) == (True, False)
    assert ("c-model" in new, "c-tags" in new) == (False, True)


def test_an_unknown_column_is_refused_and_a_saved_one_that_is_gone_is_left_out(home: Home) -> None:
    answer = home.client.post("/columns", data={"column": "shoes"}, headers=FORM)
    assert answer.status_code == 422
    home.monitor.preferences.save(None, "columns", ["shoes", 7, "model"])
    assert heads(Browser(home.client).visit("/")) == ["Status", "Name", "Model"]


def test_the_choice_leads_back_to_the_same_list_and_nowhere_else(home: Home) -> None:
    for back, place in (
        ("q=gate&status=active", "/?q=gate&status=active"),
        ("//evil.example/?q=1", "/"),
        ("next=http://evil.example", "/"),
    ):
        answer = home.client.post("/columns", data={"back": back}, headers=FORM)
        assert (answer.status_code, answer.headers["Location"]) == (303, place)
