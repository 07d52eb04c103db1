"""The requests of schedules as documented, and who may make them, camera by camera."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.accounts.people import add
from tests.home import Clock, Home
from tests.web.closed import OTHER, OWN, Visitor, monitor_of_two
from tests.web.roles import Ask
from video.build import VideoPackage
from video.due import Due
from video.schedule_check import zones
from video.server_zone import server_zone

LIST = "/v0/api/cctv/schedules/"
DAILY = {
    "name": "Business Hours Recording",
    "camera": str(OWN),
    "schedule_type": "daily",
    "start_time": "09:00:00",
    "end_time": "17:00:00",
    "is_active": True,
}
WEEKLY = {
    "name": "Weekday Security",
    "camera": OWN,
    "schedule_type": "weekly",
    "start_time": "18:00:00",
    "end_time": "06:00:00",
    "days_of_week": ["monday", "tuesday", "wednesday", "thursday", "friday"],
    "is_active": True,
}


@pytest.fixture(scope="module")
def home_and_ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Ask]]:
    home, ask = monitor_of_two(tmp_path_factory.mktemp("schedules"), Clock())
    yield home, ask
    home.close()


@pytest.fixture
def home(home_and_ask: tuple[Home, Ask]) -> Iterator[Home]:
    home = home_and_ask[0]
    home.clock.now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
    yield home
    schedules = home.monitor.packages.find(VideoPackage).schedules
    for stored in schedules.listed():
        schedules.delete(stored.id)


@pytest.fixture
def ask(home_and_ask: tuple[Home, Ask], home: Home) -> Ask:
    return home_and_ask[1]


@pytest.fixture
def ada(ask: Ask) -> Visitor:
    return ask["Ada"]


def made(visitor: Visitor, **values: Any) -> Any:
    answer = visitor.ask("POST", LIST, json={**WEEKLY, "timezone": "UTC", **values})
    assert answer.status_code == 201, answer.text
    return answer.json


def listed(visitor: Visitor, query: str = "") -> list[int]:
    return [row["id"] for row in visitor.get(f"{LIST}{query}").json]


# -- as documented -----------------------------------------------------------------------------


def test_the_documented_requests_work(ada: Visitor) -> None:
    daily = ada.ask("POST", LIST, json=DAILY).json
    assert {key: daily[key] for key in DAILY if key != "camera"} == {
        key: value for key, value in DAILY.items() if key != "camera"
    }
    assert (daily["camera"], daily["cameras"]) == (OWN, [OWN])
    assert daily["timezone"] == server_zone()
    weekly = ada.ask("POST", LIST.rstrip("/"), json=WEEKLY).json
    assert weekly["days_of_week"] == WEEKLY["days_of_week"]
    path = f"{LIST}{weekly['id']}/"
    assert ada.get(path).json == {key: weekly[key] for key in weekly if key != "warnings"}
    assert ada.get(path.rstrip("/")).status_code == 200
    changed = ada.ask("PUT", path, json={"end_time": "07:00"}).json
    assert (changed["start_time"], changed["end_time"]) == ("18:00:00", "07:00:00")
    assert ada.ask("POST", f"{path}deactivate/").json["is_active"] is False
    assert ada.ask("POST", f"{path}activate/").json["is_active"] is True
    assert listed(ada) == [daily["id"], weekly["id"]]
    gone = ada.ask("DELETE", path)
    assert gone.json["success"] is True
    assert ada.get(path).status_code == 404
    assert listed(ada) == [daily["id"]]


def test_what_an_answer_has_can_be_sent_back(ada: Visitor) -> None:
    row = made(ada)
    path = f"/api/schedules/{row['id']}"
    again = ada.ask("PUT", path, json=row)
    assert again.status_code == 200, again.text
    assert again.json == row
    refused = ada.ask("PUT", path, json={"colour": "red"})
    assert refused.status_code == 422
    assert "colour" in refused.json["error"]


def test_the_list_has_pages_and_a_filter_by_camera(ada: Visitor) -> None:
    own, both, other = (
        made(ada, camera=None, cameras=cameras)["id"]
        for cameras in ([OWN], [OWN, str(OTHER)], [OTHER])
    )
    assert listed(ada) == [own, both, other]
    assert listed(ada, f"?camera={OTHER}") == [both, other]
    page = ada.get(f"{LIST}?page=2&per_page=2")
    assert [row["id"] for row in page.json] == [other]
    assert page.headers["X-Total-Count"] == "3"
    assert ada.get(f"{LIST}?camera=999").status_code == 404


def test_the_next_run_and_the_one_that_is_due_are_told(home: Home, ada: Visitor) -> None:
    row = made(ada)
    assert (row["is_due"], row["due_until"]) == (False, None)
    assert row["next_run"] == "2026-03-02T18:00:00+00:00"
    home.clock.forward(hours=8)
    row = ada.get(f"{LIST}{row['id']}/").json
    assert (row["is_due"], row["due_until"]) == (True, "2026-03-03T06:00:00+00:00")
    assert row["next_run"] == "2026-03-03T18:00:00+00:00"
    always = made(ada, schedule_type="continuous", start_time=None, end_time=None, days_of_week=[])
    assert (always["is_due"], always["due_until"], always["next_run"]) == (True, None, None)
    assert always["shares_with"] == [row["id"]]
    assert ada.get(f"{LIST}{row['id']}/").json["shares_with"] == [always["id"]]


def test_one_time_takes_a_date_with_times_or_two_moments(ada: Visitor) -> None:
    once = {"schedule_type": "one-time", "days_of_week": None, "timezone": "Europe/Berlin"}
    dated = made(ada, **once, start_date="2026-03-05")
    assert (dated["start_date"], dated["end_date"]) == ("2026-03-05", "2026-03-06")
    assert dated["next_run"] == "2026-03-05T17:00:00+00:00"
    moments = made(
        ada, **once, start_time="2026-03-05T20:00:00Z", end_time="2026-03-05T22:30:00+01:00"
    )
    assert (moments["start_time"], moments["end_time"]) == ("21:00:00", "22:30:00")
    over = made(ada, **once, start_date="2026-03-01", end_date="2026-03-02")
    assert over["warnings"] == ["This time is over, so nothing will be recorded."]


def test_what_has_no_effect_is_told(ada: Visitor) -> None:
    row = made(ada, schedule_type="continuous")
    assert len(row["warnings"]) == 2
    assert (row["start_time"], row["days_of_week"]) == (None, [])


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"schedule_type": "hourly"}, "schedule_type"),
        ({"schedule_type": None}, "schedule_type"),
        ({"camera": None}, "camera"),
        ({"cameras": [], "camera": None}, "camera"),
        ({"cameras": [OTHER]}, "camera"),
        ({"start_time": "25:00"}, "start_time"),
        ({"start_time": "9"}, "start_time"),
        ({"end_time": "2026-03-05T20:00:00Z"}, "end_time"),
        ({"end_time": None}, "end_time"),
        ({"days_of_week": []}, "days_of_week"),
        ({"days_of_week": ["Funday"]}, "days_of_week"),
        ({"days_of_week": [1]}, "days_of_week"),
        ({"start_date": "05.03.2026"}, "start_date"),
        ({"end_date": "2026-02-30"}, "end_date"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"is_active": "yes"}, "is_active"),
        ({"record_quality": "best"}, "record_quality"),
    ],
)
def test_an_invalid_value_is_named_with_its_field(
    ada: Visitor, values: dict[str, Any], field: str
) -> None:
    answer = ada.ask("POST", LIST, json={**WEEKLY, "timezone": "UTC", **values})
    assert answer.status_code == 422, answer.text
    assert answer.headers["X-Field"] == field
    assert answer.json["hint"]
    assert listed(ada) == []


def test_a_change_is_undone_until_the_next_one(ada: Visitor) -> None:
    row = made(ada)
    path = f"/api/schedules/{row['id']}"
    gone = ada.ask("DELETE", path).json
    back = ada.ask("POST", f"{path}/undo", json={"revision": gone["revision"]})
    assert back.status_code == 200
    assert back.json["name"] == row["name"]
    late = ada.ask("POST", f"{path}/undo", json={"revision": gone["revision"]})
    assert late.status_code == 409


def test_every_zone_is_one_of_the_system() -> None:
    assert {"UTC", "Europe/Berlin", server_zone()} <= zones()


# -- who may -----------------------------------------------------------------------------------


def test_a_limited_person_sees_schedules_of_their_cameras_alone(ask: Ask) -> None:
    ada = ask["Ada"]
    own, both, other = (
        made(ada, name="Nights", camera=None, cameras=cameras)["id"]
        for cameras in ([OWN], [OTHER, OWN], [OTHER])
    )
    for name in ("Lea", "Gus", "camera token"):
        rows = ask[name].get(LIST).json
        assert [row["id"] for row in rows] == [own, both]
        assert [row["cameras"] for row in rows] == [[OWN], [OWN]]
        assert [row["shares_with"] for row in rows] == [[both], [own]]
        hidden, absent = (ask[name].get(f"{LIST}{id}/") for id in (other, 998))
        assert (hidden.status_code, hidden.text) == (404, absent.text.replace("998", str(other)))
        assert ask[name].get(f"{LIST}?camera={OTHER}").status_code == 404


def test_a_schedule_is_changed_only_by_who_may_for_each_of_its_cameras(
    home: Home, ask: Ask
) -> None:
    accounts = home.monitor.authenticator.accounts
    user = add(accounts, "Sia", sees_all=False)
    accounts.grant(user.id, "control", device=OWN, rights=["schedule"])
    accounts.grant(user.id, "view", device=OTHER)
    sia = Visitor(home, user=user.id)
    own = made(sia)
    assert own["created_by"] == "Sia"
    path = f"{LIST}{own['id']}/"
    for change in ({"cameras": [OWN, OTHER]}, {"camera": OTHER}):
        refused = sia.ask("PATCH", path, json=change)
        assert refused.status_code == 403
        assert "permission" in refused.json["error"]
    both = made(ask["Ada"], cameras=[OWN, OTHER])["id"]
    for method, end in (
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "activate/"),
        ("POST", "deactivate/"),
    ):
        assert sia.ask(method, f"{LIST}{both}/{end}", json={}).status_code == 403
    assert sia.ask("POST", f"{path}deactivate/").status_code == 200
    assert sia.ask("DELETE", path).status_code == 200
    accounts.remove(user.id)


def test_every_change_is_in_the_audit_log(home: Home, ada: Visitor) -> None:
    row = made(ada, name="Audited")
    path = f"{LIST}{row['id']}/"
    ada.ask("PUT", path, json={"end_time": "07:00"})
    ada.ask("POST", f"{path}deactivate/")
    ada.ask("POST", f"{path}deactivate/")
    ada.ask("DELETE", path)
    entries = ada.get("/api/audit?action=schedule.").json
    texts = [
        (entry["action"], entry["text"])
        for entry in reversed(entries)
        if entry["about"] == "schedule Audited"
    ]
    assert texts == [
        ("schedule.added", "Added"),
        ("schedule.changed", "Times changed"),
        ("schedule.changed", "Deactivated"),
        ("schedule.deleted", "Deleted"),
    ]


# -- together with devices ----------------------------------------------------------------------


def test_due_follows_a_merge_and_its_undo(make_home: Callable[..., Home]) -> None:
    home = make_home()
    client = home.client
    ids = [
        client.post("/api/cameras", json={"name": name, "ip_address": f"127.9.9.{n}"}).json[
            "camera"
        ]["id"]
        for n, name in enumerate(("Gate", "Yard"), 1)
    ]
    body = {**WEEKLY, "camera": ids[1], "schedule_type": "continuous"}
    assert client.post(LIST, json=body).status_code == 201
    package = home.monitor.packages.find(VideoPackage)
    handed: list[frozenset[Due]] = []
    package.due_watch.set_due = handed.append

    def due() -> set[int]:
        package.due_watch.look()
        return {each.device for each in handed[-1]}

    assert due() == {ids[1]}
    merged = client.post(f"/api/camera/{ids[0]}/merge", json={"with": ids[1]}).json
    assert due() == {ids[0]}
    assert client.get(LIST).json[0]["cameras"] == [ids[0]]
    client.post("/api/undo", json={"event": merged["undo"]})
    assert due() == {ids[1]}
    client.post(f"/api/camera/{ids[1]}/retire")
    assert due() == set()
    client.patch(f"/api/cameras/{ids[0]}", json={"auto_record": True, "record_quality": "low"})
    package.due_watch.look()
    assert {(each.device, each.schedule_id, each.quality) for each in handed[-1]} == {
        (ids[0], None, "low")
    }


def test_schedules_are_there_after_a_restart(
    make_home: Callable[..., Home], tmp_path: Path
) -> None:
    home = make_home()
    home.client.post("/api/cameras", json={"name": "Gate", "ip_address": "127.9.9.1"})
    row = home.client.post(LIST, json={**WEEKLY, "camera": 1}).json
    home.restart()
    (kept,) = home.client.get(LIST).json
    assert kept == {key: row[key] for key in kept}


def test_a_deleted_camera_drops_out_of_its_schedules(make_home: Callable[..., Home]) -> None:
    home = make_home()
    for number, name in enumerate(("Gate", "Yard"), 1):
        body = {"name": name, "ip_address": f"127.9.9.{number}"}
        assert home.client.post("/api/cameras", json=body).status_code == 201
    both, alone = (
        home.client.post(LIST, json={**WEEKLY, "camera": None, "cameras": ids}).json["id"]
        for ids in ([1, 2], [2])
    )
    deleted = home.client.delete("/api/cameras/2", json={"confirm": "Yard"})
    assert deleted.status_code == 200, deleted.text
    assert [row["cameras"] for row in home.client.get(LIST).json] == [[1]]
    assert home.client.get(f"{LIST}{both}/").status_code == 200
    assert home.client.get(f"{LIST}{alone}/").status_code == 404
