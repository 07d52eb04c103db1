"""Grants for a store: what such a person sees, and when a device joins or leaves."""

import pytest

from fleet.model import Device
from simulators.panasonic import Camera
from tests.accounts.people import add
from tests.home import Home
from tests.web.browser import read
from tests.web.closed import Visitor
from tests.web.pages.stores import (
    STORES,
    Make,
    ask_all,
    listed,
    open_stores,
    sites_of,
    write_rows,
)

PAGE = {"Accept": "text/html"}


@pytest.fixture
def home(make_home: Make) -> Home:
    """The recorders of STORES, and a camera called Gate."""
    made = open_stores(make_home, STORES, Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate"))
    ask_all(made, sites_of(STORES))
    made.scan()
    return made


def visitor(home: Home, name: str, level: str, sees_all: bool) -> Visitor:
    """A viewer with a grant for the store Cork; Ada is the administrator."""
    accounts = home.monitor.authenticator.accounts
    add(accounts, "Ada", "admin")
    user = add(accounts, name, sees_all=sees_all)
    accounts.grant(user.id, level, store="Cork")
    return Visitor(home, user=user.id)


def recorder(home: Home, site: str) -> Device:
    devices = home.monitor.tracker.devices().values()
    (match,) = [device for device in devices if f"row:{site}" in device.identities]
    return match


def seen(vera: Visitor) -> list[str]:
    """The sites of the recorders in the list as JSON."""
    return [row["SITE"] for row in vera.get("/api/dvrs").json["items"]]


def test_a_person_with_a_grant_for_a_store_sees_its_recorders_and_nothing_else(home: Home) -> None:
    vera = visitor(home, "Vera", "view", sees_all=False)
    assert seen(vera) == ["C-1", "C-2", "C-3"]
    assert sorted(listed(read(vera.get("/", headers=PAGE).text))) == [
        *("Cork, C-1", "Cork, C-2", "Cork, C-3")
    ]
    assert vera.get("/api/stats").json["total"] == 3
    sites = read(vera.get("/sites", headers=PAGE).text).text
    assert "Cork" in sites
    assert not [name for name in ("Aachen", "A-1", "Bergen", "Depot", "Gate") if name in sites]
    others = [name for name in sites_of(STORES) if name not in STORES["Cork"]]
    assert vera.get(f"/api/camera/{recorder(home, 'C-1').id}").status_code == 200
    for name in others:
        assert vera.get(f"/api/camera/{recorder(home, name).id}").status_code == 404, name


def test_a_recorder_whose_store_changes_joins_or_leaves(home: Home) -> None:
    vera = visitor(home, "Vera", "view", sees_all=False)
    left = recorder(home, "C-2").id
    write_rows(home, {"Aachen": ["A-1", "A-2", "A-10", "C-2"], "Cork": ["C-1", "C-3", "B-1"]})
    assert seen(vera) == ["B-1", "C-1", "C-3"]
    assert vera.get("/api/stats").json["total"] == 3
    assert vera.get(f"/api/camera/{left}").status_code == 404


def test_a_camera_follows_the_store_of_its_site(home: Home) -> None:
    vera = visitor(home, "Vera", "view", sees_all=False)
    gate = home.device("d4:2d:c5:00:00:01").id
    ada = Visitor(home, user=home.monitor.authenticator.accounts.by_name("Ada").id)
    assert vera.get(f"/api/camera/{gate}").status_code == 404
    for number in (gate, recorder(home, "C-1").id):
        assert ada.ask("PATCH", f"/api/camera/{number}", json={"site": "Quay"}).status_code == 200
    assert vera.get(f"/api/camera/{gate}").status_code == 200
    number = recorder(home, "A-1").id
    assert ada.ask("PATCH", f"/api/camera/{number}", json={"site": "Quay"}).status_code == 200
    assert vera.get(f"/api/camera/{gate}").status_code == 404, "a site in two stores is in none"


def test_nobody_reaches_the_cameras_of_a_site_by_moving_a_recorder_there(home: Home) -> None:
    """A viewer who may edit the devices of a store alone."""
    vic = visitor(home, "Vic", "admin", sees_all=True)
    path = f"/api/camera/{recorder(home, 'C-1').id}"
    assert vic.ask("PATCH", path, json={"notes": "Ladder"}).status_code == 200
    answer = vic.ask("PATCH", path, json={"site": "Quay"})
    assert answer.status_code == 403
    assert "change their site" in answer.json["error"]
    other = recorder(home, "C-2").id
    assert vic.ask("POST", f"{path}/merge", json={"with": other}).status_code == 403
