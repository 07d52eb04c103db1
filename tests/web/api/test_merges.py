"""Two records become one: whatever named the one that went leads to the one that stays."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts.model import Grant, Person
from accounts.rights import following_redirects, may
from tests.accounts.people import add
from tests.fleet.reports import seen
from tests.home import Home
from tests.web.closed import Visitor, bearer, body_of, follow, read_until
from web.http.authentication import THIS_MACHINE

Make = Callable[..., Home]
STAYS, GOES, ALONE = 1, 2, 3


class Closed:
    """A closed monitor with three cameras; Lea was granted the second one."""

    def __init__(self, home: Home) -> None:
        self.home = home
        accounts = home.monitor.authenticator.accounts
        ada, lea = add(accounts, "Ada", "admin"), add(accounts, "Lea", "viewer", sees_all=False)
        accounts.grant(lea.id, "admin", device=GOES)
        self.ada, self.lea = Visitor(home, user=ada.id), Visitor(home, user=lea.id)
        self.tokens = {
            f"{whose} for {device}": Visitor(
                home, bearer(accounts.add_token(user, f"{whose}{device}", "operate", [device])[1])
            )
            for whose, user in (("Ada", ada.id), ("Lea", lea.id))
            for device in (STAYS, GOES, ALONE)
        }

    def merge(self) -> int:
        """The number by which it can be undone."""
        path = f"/api/camera/{GOES}/merge"
        undo: int = body_of(self.ada.ask("POST", path, json={"with": STAYS}))["undo"]
        return undo

    def undo(self, event: int) -> None:
        body_of(self.ada.ask("POST", "/api/undo", json={"event": event}))

    def sees(self, visitor: Visitor) -> list[int]:
        return [row["id"] for row in body_of(visitor.get("/api/cameras"))["cameras"]]


@pytest.fixture
def closed(make_home: Make) -> Closed:
    home = make_home()
    for number in (STAYS, GOES, ALONE):
        report = seen(f"onvif:{number}", at=home.clock(), address=f"10.0.0.{number}")
        home.monitor.tracker.apply([report], home.clock())
    return Closed(home)


def test_grants_follow_a_merge_and_come_back_when_it_is_undone(closed: Closed) -> None:
    assert closed.sees(closed.lea) == [GOES]
    undo = closed.merge()
    assert closed.sees(closed.lea) == [STAYS]
    body_of(closed.lea.ask("PATCH", f"/api/camera/{GOES}", json={"name": "Gate"}))
    assert body_of(closed.lea.get(f"/api/camera/{STAYS}"))["camera_name"] == "Gate"
    assert closed.lea.get(f"/api/camera/{ALONE}").status_code == 404
    grants = body_of(closed.lea.get("/api/auth/profile"))["grants"]
    assert [grant["device"] for grant in grants] == [STAYS]
    closed.undo(undo)
    assert closed.sees(closed.lea) == [GOES]
    assert closed.lea.get(f"/api/camera/{STAYS}").status_code == 404


def test_records_that_prove_to_be_one_take_grants_and_tokens_along(closed: Closed) -> None:
    home = closed.home
    both = seen(f"onvif:{STAYS}", f"onvif:{GOES}", at=home.clock(), address="10.0.0.1")
    home.monitor.tracker.apply([both], home.clock())
    assert closed.sees(closed.ada) == [STAYS, ALONE]
    assert closed.sees(closed.lea) == [STAYS]
    for name in ("Ada for 1", "Ada for 2", "Lea for 2"):
        assert closed.sees(closed.tokens[name]) == [STAYS]


def test_grants_and_tokens_stay_with_devices_that_swap_addresses(closed: Closed) -> None:
    """They exchange their addresses in one scan, and a key that both prove merges nobody."""
    home, mac = closed.home, "mac:d4:2d:c5:00:00:0a"
    before = {name: closed.sees(visitor) for name, visitor in closed.tokens.items()}
    now = home.clock() + timedelta(minutes=1)
    swapped = [
        seen(f"onvif:{number}", mac, at=now, address=f"10.0.0.{address}")
        for number, address in ((STAYS, GOES), (GOES, STAYS))
    ]
    home.monitor.tracker.apply(swapped, now)
    assert {name: closed.sees(visitor) for name, visitor in closed.tokens.items()} == before
    assert closed.sees(closed.lea) == [GOES]
    row = body_of(closed.lea.get(f"/api/camera/{GOES}"))
    assert (row["current_ip"], row["identities"]) == ("10.0.0.1", [f"onvif:{GOES}"])


def test_limited_tokens_follow_a_merge_whichever_of_the_two_they_name(closed: Closed) -> None:
    before = {name: closed.sees(token) for name, token in closed.tokens.items()}
    assert before == {
        "Ada for 1": [1],
        "Ada for 2": [2],
        "Ada for 3": [3],
        "Lea for 1": [],
        "Lea for 2": [2],
        "Lea for 3": [],
    }
    undo = closed.merge()
    assert {name: closed.sees(token) for name, token in closed.tokens.items()} == {
        "Ada for 1": [1],
        "Ada for 2": [1],
        "Ada for 3": [3],
        "Lea for 1": [1],
        "Lea for 2": [1],
        "Lea for 3": [],
    }
    closed.undo(undo)
    assert {name: closed.sees(token) for name, token in closed.tokens.items()} == before


def test_events_of_both_are_the_history_of_the_one_that_stays(closed: Closed) -> None:
    for number in (STAYS, GOES):
        body_of(closed.ada.ask("PATCH", f"/api/camera/{number}", json={"notes": f"note {number}"}))
    closed.merge()
    closed.home.events()

    def events_seen(visitor: Visitor, device: int) -> list[tuple[str, int]]:
        events = body_of(visitor.get(f"/api/events?device={device}&limit=50"))["events"]
        return sorted((event["kind"], event["device"]) for event in events)

    both = [(kind, n) for kind in ("device.edited", "device.found") for n in (STAYS, GOES)]
    for number in (STAYS, GOES):
        assert events_seen(closed.ada, number) == sorted([*both, ("device.merged", STAYS)])
        assert events_seen(closed.lea, number) == sorted(both), "the merge names another device"
    assert events_seen(closed.lea, ALONE) == []
    page = closed.lea.get(f"/cameras/{STAYS}").text
    assert page.count("was found") == 2


def test_a_stream_that_is_open_follows_the_merge(closed: Closed) -> None:
    answer, pieces = follow(closed.lea, "for=20")
    try:
        closed.merge()
        body_of(closed.ada.ask("PATCH", f"/api/camera/{STAYS}", json={"notes": "now Lea's too"}))
        assert "device.edited" in read_until(pieces, "device.edited")
    finally:
        answer.close()


def test_the_page_of_the_number_that_went_leads_to_the_one_that_stays(closed: Closed) -> None:
    undo = closed.merge()
    answer = closed.ada.get(f"/cameras/{GOES}")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/cameras/{STAYS}")
    closed.undo(undo)
    assert closed.ada.get(f"/cameras/{GOES}").status_code == 200


@pytest.mark.parametrize("is_retired", [(True, False), (False, True), (True, True)], ids=str)
def test_an_active_device_merged_into_a_retired_one_is_active(
    closed: Closed, is_retired: tuple[bool, bool]
) -> None:
    for number, retired in zip((STAYS, GOES), is_retired, strict=True):
        if retired:
            body_of(closed.ada.ask("POST", f"/api/camera/{number}/retire"))
    undo = closed.merge()
    row = body_of(closed.ada.get(f"/api/camera/{STAYS}"))
    assert row["retired"] is all(is_retired)
    assert body_of(closed.ada.get("/api/stats"))["active"] == (1 if all(is_retired) else 2)
    kinds = closed.home.kinds(devices=[STAYS])
    assert ("device.restored" in kinds) is (is_retired == (True, False))
    closed.undo(undo)
    restored = [body_of(closed.ada.get(f"/api/camera/{n}"))["retired"] for n in (STAYS, GOES)]
    assert tuple(restored) == is_retired


# -- the rule ----------------------------------------------------------------------------------


def granted(*devices: int, **more: Any) -> Person:
    grants = tuple(Grant(n, 1, "view", device=n) for n in devices)
    return Person("Lea", "viewer", sees_all=False, grants=grants, user=1, **more)


def test_following_gives_nobody_more_than_the_one_device_that_stays(closed: Closed) -> None:
    now = closed.home.clock() + timedelta(hours=1)
    devices = closed.home.monitor.tracker.devices()
    table = {
        "a grant": (granted(GOES), {STAYS}),
        "a grant on another": (granted(ALONE), {ALONE}),
        "a limit without a grant": (granted(devices=frozenset({GOES})), set()),
        "a limit to both": (granted(GOES, ALONE, devices=frozenset({GOES, STAYS})), {STAYS}),
        "no device at all": (granted(GOES, devices=frozenset()), set()),
    }
    for what, (person, expected) in table.items():
        after = following_redirects(person, {GOES: STAYS})
        allowed = {id for id, device in devices.items() if may(after, "device.view", device, now)}
        assert allowed == expected, what
        assert following_redirects(person, {}).devices == person.devices
    assert following_redirects(THIS_MACHINE, {GOES: STAYS}) is THIS_MACHINE
