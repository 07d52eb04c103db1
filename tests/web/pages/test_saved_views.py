"""Saved views without script: save, open, rename, delete and undo, each for one user."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.accounts.people import add
from tests.home import Home
from tests.web.browser import Browser, Element
from tests.web.closed import cookie
from tests.web.pages.stores import listed
from web.pages.saved_views import LONGEST_NAME, MAX_VIEWS

Make = Callable[..., Home]


@pytest.fixture
def browser(home: Home) -> Browser:
    return Browser(home.client)


def saved(page: Element) -> dict[str, str]:
    """{name: URL} of the views."""
    lists = page.find("ul", **{"class": "saved"})
    items = lists[0].find("li") if lists else []
    return {item.find("a")[0].text: item.find("a")[0]["href"] for item in items}


def save_form(page: Element) -> Element:
    return page.find_one("form", **{"class": "save-view"})


def form_of(page: Element, name: str, button: str) -> Element:
    return next(
        form
        for form in page.find("form", method="post")
        if form.find("input", name="name", value=name)
        and any(element["value"] == button for element in form.find("button"))
    )


def test_a_filter_is_saved_opened_renamed_and_deleted(browser: Browser) -> None:
    page = browser.visit("/views?q=gate&status=active&sort=-name&page=3&per_page=50&nonsense=1")
    assert "“gate”, status Active, sorted by Name (descending)." in save_form(page).text
    page = browser.press(save_form(page), "Save view", name="  Gates \t at work ")
    assert saved(page) == {"Gates at work": "/?q=gate&status=active&sort=-name"}
    assert "is saved as “Gates at work”" in page.find_one("main").text
    assert listed(browser.visit(saved(page)["Gates at work"])) == ["Gate"]
    page = browser.press(form_of(page, "Gates at work", "rename"), "Rename", new_name="Gates")
    assert list(saved(page)) == ["Gates"]
    page = browser.press(form_of(page, "Gates", "delete"), "Delete Gates")
    assert saved(page) == {}
    page = browser.press(form_of(page, "Gates", "save"), "Undo")
    assert saved(page) == {"Gates": "/?q=gate&status=active&sort=-name"}


def test_views_are_in_natural_order_and_survive_a_restart(home: Home, browser: Browser) -> None:
    for name in ("Floor 10", "floor 9", "Attic"):
        browser.press(save_form(browser.visit(f"/views?q={name}")), "Save view", name=name)
    home.restart()
    page = Browser(home.client).visit("/views")
    assert list(saved(page)) == ["Attic", "floor 9", "Floor 10"]


def test_saving_under_a_name_that_is_there_gives_it_the_new_filter(browser: Browser) -> None:
    browser.press(save_form(browser.visit("/views?q=gate")), "Save view", name="Mine")
    page = browser.press(save_form(browser.visit("/views?q=yard")), "Save view", name="MINE")
    assert saved(page) == {"MINE": "/?q=yard"}


def test_without_a_filter_there_is_nothing_to_save(home: Home, browser: Browser) -> None:
    page = browser.visit("/views?per_page=50")
    assert not page.find("form", **{"class": "save-view"})
    answer = home.client.post("/views", data={"do": "save", "name": "All", "query": "page=2"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "Enter a name."),
        (" \x00 ", "Enter a name."),
        (
            "n" * (LONGEST_NAME + 1),
            f"The name is too long ({LONGEST_NAME + 1} characters). "
            f"Use at most {LONGEST_NAME} characters.",
        ),
    ],
)
def test_a_name_that_does_not_fit_is_said_beside_the_field_and_kept(
    browser: Browser, name: str, text: str
) -> None:
    answer = browser.send(save_form(browser.visit("/views?q=gate")), "Save view", name=name)
    assert answer.status_code == 422
    assert text in answer.text
    assert 'aria-describedby="fault"' in answer.text
    assert f'value="{name.strip(" " + chr(0))}"' in answer.text


def test_a_view_cannot_take_the_name_of_another(browser: Browser) -> None:
    for name in ("Gates", "Yards"):
        page = browser.press(save_form(browser.visit(f"/views?q={name}")), "Save view", name=name)
    answer = browser.send(form_of(page, "Yards", "rename"), "Rename", new_name="gates")
    assert answer.status_code == 422
    assert "Another view is already named gates. Choose another name." in answer.text
    assert list(saved(browser.visit("/views"))) == ["Gates", "Yards"]


def test_a_long_name_is_shown_whole(browser: Browser) -> None:
    name = "W" * LONGEST_NAME
    page = browser.press(save_form(browser.visit("/views?q=gate")), "Save view", name=name)
    assert list(saved(page)) == [name]


def test_the_number_of_views_is_limited(home: Home, browser: Browser) -> None:
    rows = [{"name": f"View {n}", "query": f"q={n}"} for n in range(MAX_VIEWS)]
    home.monitor.preferences.save(None, "views", rows)
    answer = browser.send(save_form(browser.visit("/views?q=gate")), "Save view", name="More")
    assert answer.status_code == 422
    assert f"You already have {MAX_VIEWS} views. Delete one first." in answer.text


def test_views_that_are_saved_in_two_tabs_at_once_are_all_kept(home: Home) -> None:
    names = {f"{tab} {number}" for tab in ("left", "right") for number in range(20)}

    def save_all(tab: str) -> None:
        client = home.app.test_client()
        for name in sorted(name for name in names if name.startswith(tab)):
            form = {"do": "save", "name": name, "query": f"q={name}"}
            assert client.post("/views", data=form).status_code == 303

    pause = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # The two take turns between reading and writing.
    try:
        with ThreadPoolExecutor(2) as tabs:
            list(tabs.map(save_all, ("left", "right")))
    finally:
        sys.setswitchinterval(pause)
    assert set(saved(Browser(home.client).visit("/views"))) == names


@pytest.mark.parametrize(
    "value", [7, {"name": "x"}, [1, {"name": 1}, {"name": "a", "query": 5}, {"query": "q=a"}]]
)
def test_what_is_not_a_view_is_left_out(home: Home, browser: Browser, value: object) -> None:
    home.monitor.preferences.save(None, "views", value)
    assert saved(browser.visit("/views")) == {}


def test_each_user_has_their_own_views(home: Home) -> None:
    accounts = home.monitor.authenticator.accounts
    users = [add(accounts, name) for name in ("Ada", "Vera")]

    def ask(user: int, **form: str) -> str:
        account = accounts.user(user)
        headers = cookie(accounts.begin_session(account, "browser", "127.0.0.1", "")[1])
        client = home.app.test_client(use_cookies=False)
        if form:
            answer = client.post("/views", data=form, headers=headers)
            assert answer.status_code == 303, answer.text
        return client.get("/views", headers=headers).text

    ada, vera = (user.id for user in users)
    assert "Only you see your views." in ask(ada, do="save", name="Of Ada", query="q=gate")
    assert "Of Ada" in ask(ada)
    assert "Of Ada" not in ask(vera)


@pytest.mark.parametrize("path", ["/", "/filters", "/views", "/views?status=active"])
def test_pages_of_the_list_are_part_of_the_fleet_in_the_navigation(
    browser: Browser, path: str
) -> None:
    (current,) = [
        link.text
        for link in browser.visit(path).find_one("nav", **{"aria-label": "Main"}).find("a")
        if link.get("aria-current") == "page"
    ]
    assert current == "Fleet"


def test_a_view_that_is_gone_cannot_be_renamed(browser: Browser) -> None:
    page = browser.press(save_form(browser.visit("/views?q=gate")), "Save view", name="Mine")
    rename = form_of(page, "Mine", "rename")
    browser.press(form_of(page, "Mine", "delete"), "Delete Mine")
    answer = browser.send(rename, "Rename", new_name="Yours")
    assert answer.status_code == 404
    assert "The view Mine no longer exists." in answer.text


def test_a_filter_that_is_too_long_is_refused_and_not_cut(browser: Browser) -> None:
    long = browser.visit(f"/views?site={'%F0%9F%8E%A5' * 300}")
    answer = browser.send(save_form(long), "Save view", name="Long")
    assert answer.status_code == 422
    assert "This filter is too long for a view." in answer.text
    for number in range(20):
        page = browser.visit(f"/views?site={number}{'s' * 498}&store={'t' * 499}&model={'m' * 499}")
        page = browser.press(save_form(page), "Save view", name=f"Long {number}")
    assert len(saved(page)) == 20


def test_a_link_from_elsewhere_cannot_claim_that_a_view_was_deleted(home: Home) -> None:
    for origin, is_told in (("same-origin", True), ("cross-site", False), ("none", False)):
        headers = {"Accept": "text/html", "Sec-Fetch-Site": origin}
        page = home.client.get("/views?deleted=Mine&was=q%3Dgate", headers=headers).text
        assert ("“Mine” deleted" in page) == is_told


def test_a_value_that_does_not_fit_is_in_no_link(browser: Browser) -> None:
    page = browser.visit(f"/?site={'s' * 4000}&status=active&model=X22700-V2L")
    links = [link["href"] for link in page.find("a") if "model=" in link["href"]]
    assert links
    assert not any("sss" in link for link in links)
