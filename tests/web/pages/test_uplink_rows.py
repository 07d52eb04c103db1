"""How the list shows what a camera is connected through: its parent, or the cloud."""

import pytest

from simulators.panasonic import Camera
from tests.accounts.people import add
from tests.fleet.reports import seen
from tests.home import Home
from tests.web.browser import Browser, fields
from tests.web.closed import Visitor
from tests.web.pages.stores import Make, group, line, listed


def reason_beside(home: Home, name: str) -> str:
    """The text beside a name in the list."""
    page = Browser(home.client).visit("/")
    rows = [row for body in page.find("tbody") for row in body.find("tr")]
    (row,) = [row for row in rows if row.find("td")[1].find("a")[0].text == name]
    return row.find("td")[1].find_one("small").text


@pytest.fixture
def behind(make_home: Make) -> Home:
    """Gate is connected through a switch, and the switch through a router; all are silent."""
    gate = Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate")
    switch = Camera("d4:2d:c5:00:00:02", "127.20.0.10", "Switch")
    router = Camera("d4:2d:c5:00:00:03", "127.20.0.11", "Router")
    home = make_home(gate, switch, router)
    home.scan()
    numbers = {device.address: device.id for device in home.devices()}
    for below, above in ((gate, switch), (switch, router)):
        body = {"parent": numbers[above.ip]}
        assert home.client.patch(f"/api/camera/{numbers[below.ip]}", json=body).status_code == 200
    gate.on = switch.on = False
    return home


def test_an_unreachable_camera_names_what_it_stands_behind(behind: Home) -> None:
    behind.scan()
    assert reason_beside(behind, "Gate") == "behind Switch, which is offline"
    assert "no response" in reason_beside(behind, "Switch")


def test_an_unreachable_camera_names_the_thing_that_is_down_by_itself(behind: Home) -> None:
    behind.network.cameras[2].on = False
    behind.scan()
    assert reason_beside(behind, "Gate") == "behind Router, which is offline"
    behind.clock.forward(hours=25)
    behind.scan()
    assert reason_beside(behind, "Switch") == "behind Router, which is missing"
    page = Browser(behind.client).visit("/sites")
    assert line(page, "(no site)") == ["Unreachable", "0 of 3", "2", "1", "0"]
    for link in group(page, "(no site)").find("tr")[0].find("a")[2:]:
        assert len(listed(Browser(behind.client).visit(link["href"]))) == int(link.text)
    gate = next(device for device in behind.devices() if device.address == "127.20.0.9")
    shown = Browser(behind.client).visit(f"/cameras/{gate.id}").find_one("aside").text
    assert "Behind Router, which is missing." in shown


def test_who_does_not_see_the_parent_does_not_read_its_name(behind: Home) -> None:
    behind.network.cameras[2].on = False
    behind.scan()
    numbers = {device.address: device.id for device in behind.devices()}
    accounts = behind.monitor.authenticator.accounts
    add(accounts, "Ada", "admin")
    lea = add(accounts, "Lea", "viewer", False)
    accounts.grant(lea.id, "view", device=numbers["127.20.0.9"])
    visitor = Visitor(behind, user=lea.id)
    for path in ("/", "/parts/rows"):
        text = visitor.get(path, headers={"Accept": "text/html"}).text
        assert "Unreachable" in text
        assert "behind" not in text
    accounts.grant(lea.id, "view", device=numbers["127.20.0.10"])
    text = visitor.get("/", headers={"Accept": "text/html"}).text
    assert "behind Switch, which is unreachable" in text
    assert "Router" not in text


def test_a_recorder_of_the_workbook_is_asked_through_the_cloud(chain: Home) -> None:
    page = Browser(chain.client).visit("/?sort=name")
    shown = {
        row.find("td")[1].find("a")[0].text: row.find_one("td", **{"class": "c-address"}).text
        for body in page.find("tbody")
        for row in body.find("tr")
    }
    assert shown["Cork, C-1"] == "via Dahua cloud"
    assert shown["Gate"].startswith("127.20.0.9:")


def test_a_recorder_found_by_a_scan_is_not_shown_as_one_of_the_workbook(make_home: Make) -> None:
    home = make_home()
    recorder = seen("serial:X1", at=home.clock(), address=None, kind="recorder")
    camera = seen("mac:d4:2d:c5:00:00:01", at=home.clock())
    home.monitor.tracker.apply([recorder, camera], home.clock())
    browser = Browser(home.client)
    cells = browser.visit("/").find_one("tbody").find("td", **{"class": "c-address"})
    assert sorted(cell.text for cell in cells) == ["10.0.0.1", "no address"]
    details = browser.visit("/cameras/1").find_one("aside").text
    assert "via Dahua cloud" not in details
    assert "Checks answered" not in details
    assert "Scans answered" in details


def test_a_name_that_a_person_entered_is_whole_beside_its_site(make_home: Make) -> None:
    home = make_home(
        Camera("d4:2d:c5:00:00:01", "127.20.0.1", "Gate, Depot"),
        Camera("d4:2d:c5:00:00:02", "127.20.0.2", "Yard"),
    )
    home.scan()
    for last, change in ((1, {}), (2, {"name": "Portal, Depot"})):
        body = {"site": "Depot", **change}
        assert (
            home.client.patch(f"/api/camera/{number_of(home, last)}", json=body).status_code == 200
        )
    home.monitor.tracker.apply([seen("mac:d4:2d:c5:00:00:09", at=home.clock())], home.clock())
    page = Browser(home.client).visit("/")
    assert page.find_one("tbody").find("td", **{"class": "c-site"})
    shortened = page.find_one("tbody").find("span", **{"class": "in-site"})
    assert len(shortened) == 1, "only the name that the camera has of itself"


@pytest.fixture
def two_uplinks(make_home: Make) -> Home:
    """Gate is connected through two switches: East, which is retired, and West."""
    home = make_home(
        *(
            Camera(f"d4:2d:c5:00:00:0{number}", f"127.20.0.{number}", name)
            for number, name in enumerate(("Gate", "East", "West"), start=1)
        )
    )
    home.scan()
    parents = {"parents": [number_of(home, 2), number_of(home, 3)]}
    gate = f"/api/camera/{number_of(home, 1)}"
    assert home.client.patch(gate, json=parents).status_code == 200
    assert home.client.post(f"/api/camera/{number_of(home, 2)}/retire").status_code == 200
    return home


def number_of(home: Home, last: int) -> int:
    return next(device.id for device in home.devices() if device.address == f"127.20.0.{last}")


def test_a_camera_with_several_parents_shows_them_all_and_names_those_that_are_down(
    two_uplinks: Home,
) -> None:
    for camera in two_uplinks.network.cameras:
        camera.on = False
    two_uplinks.scan()
    number = number_of(two_uplinks, 1)
    assert reason_beside(two_uplinks, "Gate") == "behind West, which is offline"
    page = Browser(two_uplinks.client).visit(f"/cameras/{number}")
    assert "Behind West, which is offline." in page.find_one("aside").text
    (network,) = [
        terms
        for terms in page.find("dl")
        if "Connected through" in [term.text for term in terms.find("dt")]
    ]
    assert [link.text for link in network.find("a")] == ["East", "West"]
    (row,) = [
        row
        for row in two_uplinks.client.get("/api/cameras").get_json()["cameras"]
        if row["id"] == number
    ]
    assert row["parents"] == [number_of(two_uplinks, 2), number_of(two_uplinks, 3)]


def test_saving_the_page_of_a_camera_keeps_all_its_parents(two_uplinks: Home) -> None:
    number, *parents = (number_of(two_uplinks, last) for last in (1, 2, 3))
    page = Browser(two_uplinks.client).visit(f"/cameras/{number}")
    form = page.find_one("form", action=f"/cameras/{number}/edit", **{"class": "edit"})
    sent = fields(form)
    assert sent["parents"] == [str(parent) for parent in parents]
    edit = f"/cameras/{number}/edit"
    two_uplinks.client.post(edit, data={**sent, "name": "Portal"})
    device = two_uplinks.device(str(number))
    assert (device.name, list(device.parents)) == ("Portal", parents)
