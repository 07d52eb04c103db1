"""A device is deleted by its name, many by their number; nothing of them is left but events."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from simulators.panasonic import Camera
from tests.home import Clock, Home
from tests.web.closed import GATE, OWN, Visitor, visitors

Make = Callable[..., Home]
A, B, C = (f"d4:2d:c5:00:00:0{number}" for number in (1, 2, 3))


@pytest.fixture
def home(make_home: Make) -> Home:
    """Gate is known from the start; Yard and Shed came an hour later."""
    made = make_home(Camera(A, "127.20.0.1", "Gate"))
    made.scan()
    made.clock.forward(hours=1)
    made.network.cameras += [Camera(B, "127.20.0.2", "Yard"), Camera(C, "127.20.0.3", "Shed")]
    made.scan()
    return made


def closed(make_home: Make) -> tuple[Home, dict[str, Visitor]]:
    """A closed monitor that knows one camera, OWN, and everybody who asks it."""
    home = make_home(replace(GATE))
    home.scan()
    return home, visitors(home)


def left(home: Home) -> list[str]:
    return [row["camera_name"] for row in home.client.get("/api/cameras").json["cameras"]]


def delete(home: Home, key: object, confirm: object) -> Any:
    return home.client.delete(f"/api/camera/{key}", json={"confirm": confirm})


def delete_many(home: Home, **wanted: Any) -> Any:
    return home.client.post("/api/delete", json=wanted)


def test_a_camera_is_deleted_by_its_name_and_stays_so_over_a_restart(home: Home) -> None:
    assert delete(home, A, "Gate").json == {"success": True, "deleted": 1}
    assert left(home) == ["Yard", "Shed"]
    assert home.kinds()[-1] == "device.deleted"
    for path in ("/api/camera/1", f"/api/camera/{A}", "/api/camera/1/uptime", "/cameras/1"):
        assert home.client.get(path).status_code == 404
    (line,) = [
        entry for entry in home.client.get("/api/audit").json if entry["action"] == "device.deleted"
    ]
    assert (line["about"], line["before"]["name"]) == ("camera 1", "Gate")
    home.restart()
    assert left(home) == ["Yard", "Shed"]
    home.scan()
    assert home.device(A).id == 4, "found as a new one, with a new number"
    kinds = [event["kind"] for event in home.client.get("/api/events?device=1").json["events"]]
    assert kinds == ["device.deleted", "device.found"]


@pytest.mark.parametrize("confirm", ["gate", "", "Yard", "1", None, 1])
def test_another_name_deletes_nothing(home: Home, confirm: object) -> None:
    assert delete(home, 1, confirm).status_code == 422
    assert left(home) == ["Gate", "Yard", "Shed"]


def test_a_deletion_cannot_be_undone(home: Home) -> None:
    delete(home, 1, "Gate")
    sequence = home.events()[-1].sequence
    answer = home.client.post("/api/undo", json={"event": sequence})
    assert (answer.status_code, answer.json["error"]) == (404, "Camera 1 does not exist")
    assert left(home) == ["Yard", "Shed"]


def test_a_selection_is_counted_first_and_deleted_by_its_number(home: Home, clock: Clock) -> None:
    wanted = {"first_seen_after": clock().isoformat(), "never_named": True}
    seen = delete_many(home, **wanted).json
    assert seen == {"success": True, "count": 2, "deleted": 0, "sample": ["Yard", "Shed"]}
    assert left(home) == ["Gate", "Yard", "Shed"]
    assert delete_many(home, **wanted, confirm=3).status_code == 409
    assert left(home) == ["Gate", "Yard", "Shed"]
    assert delete_many(home, **wanted, confirm=2).json["deleted"] == 2
    assert left(home) == ["Gate"]
    lines = home.client.get("/api/audit?action=fleet.deleted").json
    assert [entry["before"] for entry in lines] == [{"numbers": [2, 3]}]
    assert "2 devices deleted: first seen on or after" in lines[0]["text"]


def test_a_selection_of_one_is_told_in_the_singular(home: Home) -> None:
    before = {"first_seen_before": home.clock().isoformat()}
    wrong = delete_many(home, **before, confirm=2)
    assert wrong.json["error"] == "The selection now has 1 device, not 2"
    delete_many(home, **before, confirm=1)
    (line,) = home.client.get("/api/audit?action=fleet.deleted").json
    assert line["text"].startswith("1 device deleted: ")


def test_what_somebody_named_tagged_or_noted_is_not_among_those_never_named(home: Home) -> None:
    home.client.patch("/api/camera/2", json={"tags": ["north"]})
    wanted = {"first_seen_before": "2099-01-01T00:00:00Z"}
    assert delete_many(home, **wanted, never_named=True).json["sample"] == ["Gate", "Shed"]
    assert delete_many(home, **wanted).json["count"] == 3


def test_those_not_seen_for_so_many_days_are_deleted_also_when_retired(home: Home) -> None:
    for camera in home.network.cameras[:2]:
        camera.on = False
    home.clock.forward(days=10)
    home.scan()
    home.client.post("/api/camera/2/retire")
    assert delete_many(home, not_seen_days=11).json["count"] == 0
    assert delete_many(home, not_seen_days=10, confirm=2).json["sample"] == ["Gate", "Yard"]
    assert left(home) == ["Shed"]


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"never_named": True},
        {"never_named": True, "confirm": 3},
        {"not_seen_days": 0},
        {"first_seen_after": "yesterday"},
        {"first_seen_after": "2026-03-01T12:00:00"},
        {"not_seen_days": 1, "confirm": -1},
        {"everything": True},
    ],
)
def test_a_selection_without_a_limit_or_with_a_wrong_value_is_refused(
    home: Home, wanted: dict[str, Any]
) -> None:
    assert delete_many(home, **wanted).status_code == 422
    assert left(home) == ["Gate", "Yard", "Shed"]


def test_grants_and_tokens_no_longer_name_a_deleted_camera(make_home: Make) -> None:
    home, ask = closed(make_home)
    assert ask["Lea"].get(f"/api/camera/{OWN}").status_code == 200
    done = ask["Ada"].ask("DELETE", f"/api/camera/{OWN}", json={"confirm": "Gate"})
    assert done.json == {"success": True, "deleted": OWN}
    book = home.monitor.authenticator.accounts.snapshot
    assert not [grant for grant in book.grants.values() if grant.device == OWN]
    assert [token.devices for token in book.tokens.values() if token.devices is not None] == [()]
    assert ask["camera token"].get("/api/cameras").json["cameras"] == []
    home.monitor.authenticator.accounts.open()
    assert home.monitor.authenticator.accounts.snapshot.tokens == book.tokens, "so it stands in SQL"
    assert home.monitor.authenticator.accounts.snapshot.grants == book.grants
    assert ask["Lea"].get("/api/cameras").json["cameras"] == []


# -- the page ----------------------------------------------------------------------------


def test_the_page_deletes_a_camera_whose_name_was_typed(home: Home) -> None:
    assert "Type Gate to confirm" in home.client.get("/cameras/1").text
    wrong = home.client.post("/cameras/1/delete", data={"confirm": "Gat"})
    assert wrong.status_code == 422
    assert "Enter its exact name: Gate" in wrong.text
    right = home.client.post("/cameras/1/delete", data={"confirm": "Gate"})
    assert (right.status_code, right.location) == (303, "/")
    assert left(home) == ["Yard", "Shed"]


def test_the_clean_up_page_shows_what_it_would_delete_before_it_does(home: Home) -> None:
    page = home.client.get("/settings/cleanup")
    assert "Preview devices" in page.text
    chosen = {"first_seen_before": "2099-01-01T00:00", "never_named": "on"}
    shown = home.client.post("/settings/cleanup/delete", data=chosen).text
    assert "Type 3 to confirm" in shown
    assert "<li>Gate</li>" in shown
    assert left(home) == ["Gate", "Yard", "Shed"]
    wrong = home.client.post("/settings/cleanup/delete", data={**chosen, "confirm": "4"})
    assert (wrong.status_code, "The selection now has 3 devices, not 4" in wrong.text) == (
        409,
        True,
    )
    done = home.client.post("/settings/cleanup/delete", data={**chosen, "confirm": "3"})
    assert done.location == "/settings/cleanup?done=3+deleted"
    assert left(home) == []


@pytest.mark.parametrize(
    ("done", "is_told"),
    [
        ("3 deleted", True),
        ("12 retired", True),
        ("", False),
        ("all users removed", False),
        ("3 deleted. Call 555-0199", False),
        ("3 deleted\n", False),
        ("\u0663 deleted", False),
        ("9" * 10 + " deleted", False),
    ],
)
def test_a_link_to_the_clean_up_page_cannot_make_it_say_anything_else(
    home: Home, done: str, is_told: bool
) -> None:
    page = home.client.get("/settings/cleanup", query_string={"done": done})
    assert page.status_code == 200
    assert ('role="status">Done' in page.text) == is_told


@pytest.mark.parametrize(
    "form",
    [{}, {"not_seen_days": "x"}, {"first_seen_after": "soon"}, {"not_seen_days": "999999"}],
)
def test_the_clean_up_page_says_what_is_wrong_with_a_selection(
    home: Home, form: dict[str, str]
) -> None:
    answer = home.client.post("/settings/cleanup/delete", data=form)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_the_clean_up_page_retires_silent_cameras(home: Home) -> None:
    for camera in home.network.cameras[:2]:
        camera.on = False
    home.clock.forward(days=10)
    home.scan()
    done = home.client.post("/settings/cleanup", data={"days": "10"})
    assert done.location == "/settings/cleanup?done=2+retired"
    assert left(home) == ["Shed"]
    assert home.client.post("/settings/cleanup", data={"days": "0"}).status_code == 422


def test_only_an_administrator_is_offered_to_delete(make_home: Make) -> None:
    home, ask = closed(make_home)
    assert "Delete camera" in ask["Ada"].get(f"/cameras/{OWN}").text
    assert "Delete camera" not in ask["Otto"].get(f"/cameras/{OWN}").text
    assert ask["Otto"].get("/settings/cleanup").status_code == 403
