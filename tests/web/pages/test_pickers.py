"""Pickers without script: the forms themselves search for devices and sites."""

from collections.abc import Callable

import pytest

from simulators.panasonic import Camera
from tests.accounts.people import PASSWORD, add
from tests.home import Home
from tests.web.browser import Browser, Element, read
from tests.web.closed import Visitor
from tests.web.pages.stores import STORES, ask_all, open_stores, sites_of

Make = Callable[..., Home]


@pytest.fixture
def home(make_home: Make) -> Home:
    """Gate (1), East (2), West (3), and two cameras called Yard (4, 5)."""
    names = ("Gate", "East", "West", "Yard", "Yard")
    cameras = [
        Camera(f"d4:2d:c5:00:00:0{n}", f"127.20.0.{n}", name) for n, name in enumerate(names, 1)
    ]
    made = make_home(*cameras)
    made.scan()
    for number, camera in enumerate(cameras, 1):
        assert made.client.get(f"/api/camera/{camera.mac}").json["id"] == number
    return made


def edit_form(page: Element) -> Element:
    return page.find_one("form", action="/cameras/1/edit", **{"class": "edit"})


def picker(form: Element, name: str) -> Element:
    return form.find_one("div", **{"data-picker": name})


def rows(form: Element, name: str, label: str) -> list[str]:
    """The names in one list of a picker."""
    lists = picker(form, name).find("ul", **{"aria-label": label})
    return [row.text.split()[0] for entry in lists for row in entry.find("span")]


def error(page: Element) -> str:
    return page.find_one("p", id="fault").text


def test_several_parents_are_added_by_name_and_address_and_removed(home: Home) -> None:
    browser = Browser(home.client)
    page = browser.visit("/cameras/1")
    page = browser.press(edit_form(page), "Save", parents_search="east")
    page = browser.press(edit_form(page), "Save", parents_search="127.20.0.3")
    assert rows(edit_form(page), "parents", "Chosen") == ["East", "West"]
    assert home.device().parents == (2, 3)
    page = browser.press(edit_form(page), "Save", parents=["3"])
    assert home.device().parents == (3,)
    page = browser.press(edit_form(page), "Save", parents=[])
    assert home.device().parents == ()
    assert rows(edit_form(page), "parents", "Chosen") == []


def test_a_text_that_is_no_name_shows_what_matches_and_keeps_what_was_typed(home: Home) -> None:
    browser = Browser(home.client)
    page = browser.press(edit_form(browser.visit("/cameras/1")), "Save", parents_search="West")
    answer = browser.send(edit_form(page), "Save", notes="Ladder", parents_search="ard")
    assert answer.status_code == 422
    page = read(answer.text)
    assert "“ard” has no exact match. Choose" in error(page)
    assert rows(edit_form(page), "parents", "Chosen") == ["West"]
    assert rows(edit_form(page), "parents", "Matches") == ["Yard", "Yard"]
    assert edit_form(page).find_one("textarea").raw_text == "Ladder"
    page = browser.press(edit_form(page), "Save", parents=["3", "5"], parents_search="")
    assert home.device().parents == (3, 5)
    assert home.device().notes == "Ladder"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Yard", "2 entries match “Yard”. Choose from the list."),
        ("Moon", "Nothing matches “Moon”. Search by name, address or model."),
        ("<b>", "Nothing matches “<b>”. Search by name, address or model."),
    ],
)
def test_a_text_that_names_none_or_several_is_an_error_beside_the_field(
    home: Home, text: str, sentence: str
) -> None:
    browser = Browser(home.client)
    answer = browser.send(edit_form(browser.visit("/cameras/1")), "Save", parents_search=text)
    page = read(answer.text)
    field = page.find_one("input", id="pick-parents")
    assert (field["aria-invalid"], field["value"]) == ("true", text)
    assert error(page) == sentence
    assert home.device().parents == ()


def test_two_records_are_merged_by_name(home: Home) -> None:
    browser = Browser(home.client)
    form = browser.visit("/cameras/1").form("/cameras/1/merge")
    answer = browser.send(form, "Merge")
    assert "Select the device to merge with" in error(read(answer.text))
    page = browser.press(form, "Merge", with_search="d4:2d:c5:00:00:02")
    assert page.find_one("h1").text == "Gate"
    assert home.client.get("/api/camera/2").json["id"] == 1


def test_the_search_finds_by_model_and_puts_retired_ones_last(home: Home) -> None:
    assert home.client.post("/api/camera/2/retire").status_code == 200
    page = Browser(home.client).visit("/parts/choices?q=x22700")
    options = page.find("li", role="option")
    assert [option["data-value"] for option in options] == ["1", "3", "4", "5", "2"]
    assert "retired" in options[-1].text


def test_a_search_shows_twenty_and_how_many_more(make_home: Make) -> None:
    home = make_home(*(Camera(f"d4:2d:c5:00:01:{n:02x}", f"127.20.1.{n}") for n in range(1, 26)))
    home.scan()
    page = Browser(home.client).visit("/parts/choices?q=127.20.1.")
    assert len([row for row in page.find("li") if row.get("data-value")]) == 20
    assert "5 more. Type more" in page.text


def test_a_grant_for_devices_and_sites_is_given_without_a_number(home: Home) -> None:
    for number in (4, 5):
        body = {"site": "Depot"}
        assert home.client.patch(f"/api/camera/{number}", json=body).status_code == 200
    accounts = home.monitor.authenticator.accounts
    accounts.add_first("Ada", PASSWORD)
    vera = accounts.add("Vera", PASSWORD, "viewer", False)
    browser = Browser(home.client)
    entered = browser.send(
        browser.visit("/login").form("/login"), username="Ada", password=PASSWORD
    )
    assert entered.status_code == 303
    grants = f"/settings/users/{vera.id}/grants"

    def form(page: Element) -> Element:
        return next(entry for entry in page.find("form", action=grants) if entry.find("fieldset"))

    page = browser.visit(f"/settings/users/{vera.id}")
    levels = form(page).find_one("select", name="level").find("option")
    assert [(level["value"], level.text) for level in levels] == [
        ("view", "View"),
        ("control", "Control"),
        ("admin", "Admin"),
    ]
    rights = [box["value"] for box in form(page).find("input", name="rights")]
    assert rights == ["record", "schedule", "download"]
    answer = browser.send(form(page), level="view", places=["3"], places_search="depo")
    page = read(answer.text)
    assert rows(form(page), "places", "Matches")[0] == "Depot"
    answer = browser.send(form(page), level="view", places=["3"], places_search="depot", hours="x")
    page = read(answer.text)
    assert rows(form(page), "places", "Chosen") == ["West", "Depot"], "typed, and kept"
    assert not accounts.snapshot.grants_of(vera.id), "nothing is granted by half"
    browser.press(form(page), level="view", hours="")
    given = {(grant.device, grant.site) for grant in accounts.snapshot.grants_of(vera.id)}
    assert given == {(3, None), (None, "Depot")}


def test_a_store_is_offered_for_a_grant_and_granted_by_its_name(make_home: Make) -> None:
    home = open_stores(make_home, STORES)
    ask_all(home, sites_of(STORES))
    accounts = home.monitor.authenticator.accounts
    boss, guest = add(accounts, "Boss", "admin"), add(accounts, "Guest", sees_all=False)
    visitor = Visitor(home, user=boss.id)
    options = read(visitor.get("/parts/choices?q=cor&sites=1").text).find("li", role="option")
    assert options[0]["data-value"] == "store:Cork"
    assert "Cork" in options[0].text
    assert "store," in options[0].text
    without = read(visitor.get("/parts/choices?q=cor").text).find("li", role="option")
    assert "store:Cork" not in [option["data-value"] for option in without]
    path = f"/settings/users/{guest.id}/grants"
    answer = visitor.ask("POST", path, data={"places_search": "Moon", "level": "view"})
    assert "Nothing matches “Moon”" in error(read(answer.text))
    visitor.ask("POST", path, data={"places_search": "cork", "level": "view"})
    visitor.ask("POST", path, data={"places": "store:Aachen", "level": "admin"})
    given = {
        (grant.store, grant.site, grant.device, grant.level)
        for grant in accounts.snapshot.grants_of(guest.id)
    }
    assert given == {("Cork", None, None, "view"), ("Aachen", None, None, "admin")}
    assert "store Cork" in read(visitor.get(f"/settings/users/{guest.id}").text).text


def test_several_grants_are_made_together_or_not_at_all(home: Home) -> None:
    accounts = home.monitor.authenticator.accounts
    boss, guest = add(accounts, "Boss", "admin"), add(accounts, "Guest")
    visitor = Visitor(home, user=boss.id)
    path = f"/settings/users/{guest.id}/grants"
    for places, count in ((["1", "999"], 0), (["1", "2"], 2)):
        visitor.ask("POST", path, data={"places": places, "level": "view"})
        assert len(accounts.snapshot.grants_of(guest.id)) == count, places


def test_a_tag_field_offers_tags_in_use_and_those_that_begin_with_the_text_first(
    home: Home,
) -> None:
    for number, tags in ((1, ["north door"]), (2, ["door", "Door 10", "Door 9"]), (3, ["yard"])):
        assert home.client.patch(f"/api/camera/{number}", json={"tags": tags}).status_code == 200
    page = Browser(home.client).visit("/parts/suggestions?of=tag&q=DOOR")
    offered = [option["value"] for option in page.find("option")]
    assert offered == ["door", "Door 9", "Door 10", "north door"]


def test_a_site_field_offers_only_sites_of_cameras_that_this_person_sees(make_home: Make) -> None:
    home = open_stores(make_home, STORES)
    ask_all(home, sites_of(STORES))
    accounts = home.monitor.authenticator.accounts
    add(accounts, "Boss", "admin")
    guest = add(accounts, "Guest", sees_all=False)
    site = sorted(device.site for device in home.monitor.tracker.devices().values())[0]
    accounts.grant(guest.id, "view", site=site)
    visitor = Visitor(home, user=guest.id)
    options = read(visitor.get("/parts/suggestions?of=site&q=").text).find("option")
    assert [option["value"] for option in options] == [site]
