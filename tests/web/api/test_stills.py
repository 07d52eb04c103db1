"""Stills by API: taken, listed, shown in two sizes and in ranges, for those who may see them."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any
from zipfile import ZipFile

import pytest
from werkzeug.test import TestResponse

from accounts.rights import RULES, Rule
from fleet.pictures import NotTaken, jpeg_size
from simulators.panasonic import Camera
from stills.build import StillsPackage
from stills.model import HOUR
from tests.home import Clock, Home
from tests.web.closed import Visitor, body_of, user_named, visitors
from tests.web.still_cameras import HEIGHT, WIDTH, StillCameras, add_cameras
from web.http import camera_waits
from web.http.actions import still_archives
from web.http.actions.stills import may_still
from web.http.visible_fleet import visible_to

STILLS = "/api/cameras/1/stills"


@dataclass
class Studio:
    """A closed monitor: Gate (1), which Lea sees, Shed (2), which she does not, Attic (3), of which
    no still is taken, and Panel (4), of which none can be taken."""

    home: Home
    cameras: StillCameras
    ask: dict[str, Visitor]

    def post(self, name: str = "Ada", path: str = STILLS) -> TestResponse:
        self.home.clock.forward(seconds=1)  # type: ignore[attr-defined]
        return self.ask[name].ask("POST", path)

    def take(self, path: str = STILLS) -> dict[str, Any]:
        still: dict[str, Any] = body_of(self.post(path=path))["still"]
        return still

    def audit(self) -> list[str]:
        entries = self.home.monitor.audit.find(limit=100)
        return [f"{each.who}: {each.text}" for each in entries if each.action.startswith("still.")]


@pytest.fixture(scope="module")
def module_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    panel = Camera("d4:2d:c5:00:00:04", "127.20.0.9", "Panel")
    home = Home(tmp_path_factory.mktemp("stills"), Clock(), panel, stills_interval=3600)
    try:
        cameras = add_cameras(home, "Gate / left: a\\b..", "Shed", "Attic")
        home.scan()
        yield Studio(home, cameras, visitors(home))
    finally:
        home.close()


@pytest.fixture
def studio(module_studio: Studio) -> Iterator[Studio]:
    yield module_studio
    module_studio.cameras.trouble = None
    module_studio.cameras.meanwhile = lambda: None


def test_a_still_is_taken_now_and_is_where_its_location_says(studio: Studio) -> None:
    answer = studio.post()
    assert answer.status_code == 201, answer.text
    still = answer.json["still"]
    now = studio.home.clock()
    assert datetime.fromisoformat(still["taken_at"]) == now
    assert (still["camera"], still["width"], still["height"]) == (1, WIDTH, HEIGHT)
    assert (still["way"], still["reason"], still["notes"]) == ("snapshot", "asked", ["Half size."])
    picture = studio.ask["Ada"].get(answer.headers["Location"])
    assert picture.mimetype == "image/jpeg"
    assert jpeg_size(picture.data) == (WIDTH, HEIGHT)
    assert len(picture.data) == still["size"]
    assert datetime.fromisoformat(picture.headers["X-Taken-At"]) == now
    assert picture.headers["Cache-Control"] == "private, max-age=86400, immutable"
    named = picture.headers["Content-Disposition"]
    assert named == f'inline; filename="Gate _ left_ a_b {now.astimezone():%Y-%m-%d %H-%M-%S}.jpg"'
    small = studio.ask["Ada"].get(still["thumbnail"])
    assert jpeg_size(small.data)[0] == 320
    assert small.headers["ETag"] != picture.headers["ETag"]


def test_a_still_is_sent_in_ranges_and_not_again_to_who_has_it(studio: Studio) -> None:
    url, ada = studio.take()["url"], studio.ask["Ada"]
    whole = ada.get(url)
    part = ada.get(url, headers={"Range": "bytes=2-9"})
    assert (part.status_code, part.data) == (206, whole.data[2:10])
    assert part.headers["Content-Range"] == f"bytes 2-9/{len(whole.data)}"
    tag = {"If-None-Match": whole.headers["ETag"]}
    assert (ada.get(url, headers=tag).status_code, ada.get(url, headers=tag).data) == (304, b"")
    behind = ada.get(url, headers={"Range": f"bytes={len(whole.data)}-"})
    assert behind.status_code == 416
    head = ada.ask("HEAD", url)
    assert (head.headers["Content-Length"], head.data) == (str(len(whole.data)), b"")


def test_the_newest_still_is_never_an_old_one_as_a_new_one(studio: Studio) -> None:
    ada = studio.ask["Ada"]
    assert "no still of this camera yet" in ada.get("/api/cameras/3/stills/newest").json["error"]
    first = studio.take()
    newest = ada.get(f"{STILLS}/newest")
    assert newest.headers["X-Taken-At"] == first["taken_at"]
    assert newest.headers["Cache-Control"] == "private, no-cache"
    studio.home.clock.forward(seconds=5)  # type: ignore[attr-defined]
    asked = len(studio.cameras.asked)
    taken = ada.get(f"{STILLS}/newest?take=1&size=thumbnail")
    assert taken.headers["X-Taken-At"] > first["taken_at"]
    assert taken.headers["Cache-Control"] == "no-store"
    ada.ask("HEAD", f"{STILLS}/newest?take=1")
    assert len(studio.cameras.asked) == asked + 1
    studio.cameras.trouble = NotTaken("The camera is off.", "Check its power.")
    assert ada.get(f"{STILLS}/newest?take=1").status_code == 503
    assert ada.get(f"{STILLS}/newest").headers["X-Taken-At"] == taken.headers["X-Taken-At"]


def test_an_image_on_another_site_takes_nothing(studio: Studio) -> None:
    asked = len(studio.cameras.asked)
    site = {"Sec-Fetch-Site": "cross-site"}
    answer = studio.ask["Ada"].get(f"{STILLS}/newest?take=1", headers=site)
    assert answer.status_code == 403
    assert len(studio.cameras.asked) == asked


def test_why_no_still_could_be_taken_and_when_to_try_again(studio: Studio) -> None:
    studio.cameras.trouble = NotTaken("The camera is busy in another program.", "Close it.", 4.2)
    answer = studio.post()
    assert answer.status_code == 503
    assert answer.json == {"error": "The camera is busy in another program", "hint": "Close it."}
    assert answer.headers["Retry-After"] == "5"


def test_a_device_without_stream_and_snapshot_says_so(studio: Studio) -> None:
    answer = studio.post(path="/api/cameras/4/stills")
    assert answer.status_code == 409
    assert "No stream or snapshot" in answer.json["error"]
    assert "Connection" in answer.json["hint"]


def test_stills_are_listed_newest_first_and_by_day_with_the_hours(studio: Studio) -> None:
    ada, shelf = studio.ask["Ada"], studio.home.monitor.packages.find(StillsPackage).shelf
    slot = studio.home.clock().replace(minute=0, second=0, microsecond=0)
    hourly = studio.home.monitor.packages.find(StillsPackage).stills.take(1, why=HOUR, slot=slot)
    second = studio.take()
    listed = body_of(ada.get(f"{STILLS}?limit=2"))
    assert [row["id"] for row in listed["stills"]] == [second["id"], hourly.id]
    assert (listed["count"], "hours" in listed) == (2, False)
    day = studio.home.clock().astimezone().date()
    of_day = body_of(ada.get(f"{STILLS}?day={day}"))
    assert [row["id"] for row in of_day["stills"]][:2] == [second["id"], hourly.id]
    hours = {datetime.fromisoformat(hour["at"]): hour for hour in of_day["hours"]}
    assert len(hours) == 24
    assert hours[slot]["state"] == "taken"
    assert {hourly.id, second["id"]} <= {*hours[slot]["stills"]}
    assert hours[slot + timedelta(hours=2)]["state"] == "future"
    tomorrow = body_of(ada.get(f"{STILLS}?day={day + timedelta(days=1)}"))
    assert (tomorrow["stills"], {hour["state"] for hour in tomorrow["hours"]}) == ([], {"future"})
    for bad in ("soon", "0001-01-01", "9999-12-31", "2026-02-30"):
        assert ada.get(f"{STILLS}?day={bad}").status_code == 422, bad
    assert shelf.newest(1).id == second["id"]


def test_who_sees_one_camera_sees_its_stills_alone(studio: Studio) -> None:
    other = studio.take("/api/cameras/2/stills")
    lea = studio.ask["Lea"]
    assert studio.post("Lea").status_code == 201
    assert studio.post("Lea", "/api/cameras/2/stills").status_code == 404
    assert lea.get(other["url"]).status_code == 404
    missing = lea.get(f"{STILLS}/{other['id']}")
    assert (missing.status_code, "does not exist" in missing.json["error"]) == (404, True)
    assert lea.get(f"{STILLS}/999999").status_code == 404
    assert studio.ask["stranger"].get(f"{STILLS}/newest").status_code == 401


@pytest.mark.parametrize(("method", "path"), [("POST", STILLS), ("GET", f"{STILLS}/newest?take=1")])
def test_a_right_that_ends_while_a_still_is_taken_shows_none(
    studio: Studio, method: str, path: str
) -> None:
    accounts = studio.home.monitor.authenticator.accounts
    lea = user_named(studio.home, "Lea").id
    (grant,) = accounts.snapshot.grants_of(lea)
    studio.cameras.meanwhile = lambda: accounts.revoke_grant(lea, grant.id)
    studio.home.clock.forward(seconds=1)  # type: ignore[attr-defined]
    answer = studio.ask["Lea"].ask(method, path)
    accounts.grant(lea, "view", device=1)
    assert (answer.status_code, answer.mimetype) == (403, "application/json")
    assert "no longer have permission" in answer.json["error"]


def test_a_link_to_a_new_still_needs_the_right_to_take_one(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.take()
    asked, vera = len(studio.cameras.asked), studio.ask["Vera"]
    monkeypatch.setitem(RULES, "still.take", Rule("operator", "control"))
    assert vera.get(f"{STILLS}/newest").status_code == 200
    for method, path in (("GET", f"{STILLS}/newest?take=1"), ("POST", STILLS)):
        refused = vera.ask(method, path)
        assert (refused.status_code, "permission" in refused.json["error"]) == (403, True)
    assert len(studio.cameras.asked) == asked


def test_what_is_wrong_with_all_stills_is_told_to_those_who_see_all_cameras(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = studio.home.monitor.packages.find(StillsPackage).keeping
    monkeypatch.setattr(keeping, "trouble", "Old stills cannot be deleted.")
    pages = {name: studio.ask[name].get("/stills").text for name in ("Vera", "Lea")}
    assert [keeping.trouble in page for page in pages.values()] == [True, False]


def test_a_still_whose_file_is_gone_says_so(studio: Studio) -> None:
    still = studio.take()
    package = studio.home.monitor.packages.find(StillsPackage)
    kept = package.shelf.find(1, still["id"])
    package.shelf.files.remove(1, kept.name)
    for url in (still["url"], still["thumbnail"]):
        answer = studio.ask["Ada"].get(url)
        assert (answer.status_code, "cannot be read" in answer.json["error"]) == (404, True)


def test_only_a_file_is_sent_and_in_pieces(studio: Studio, tmp_path: Path) -> None:
    still = studio.take()
    shelf = studio.home.monitor.packages.find(StillsPackage).shelf
    path = shelf.path(shelf.find(1, still["id"]))
    large = b"a large picture" * 200_000
    path.write_bytes(large)
    answer = studio.ask["Ada"].get(still["url"], buffered=False)
    pieces = list(answer.iter_encoded())
    assert (b"".join(pieces), max(map(len, pieces))) == (large, 1 << 20)
    (tmp_path / "secret").write_text("not a picture")
    for replace in (lambda: path.symlink_to(tmp_path / "secret"), lambda: os.mkfifo(path)):
        path.unlink()
        replace()
        assert studio.ask["Ada"].get(still["url"]).status_code == 404
    path.unlink()


def test_who_waits_for_a_camera_keeps_no_other_request_waiting(studio: Studio) -> None:
    left: list[bool] = []
    environ = {"camera_monitor.leave_queue": lambda: left.append(True)}
    ada = studio.ask["Ada"]
    studio.home.clock.forward(seconds=1)  # type: ignore[attr-defined]
    assert ada.ask("POST", STILLS, environ_overrides=environ).status_code == 201
    assert left == [True]
    with ExitStack() as places:
        for _place in range(camera_waits.MOST_WAITING):
            places.enter_context(camera_waits._PLACES)
        refused = ada.ask("POST", STILLS, environ_overrides=environ)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert (left, ada.ask("POST", STILLS).status_code) == ([True], 201)


def test_the_interval_of_a_camera_is_set_and_reset_and_both_are_in_the_audit_log(
    studio: Studio,
) -> None:
    ada, url = studio.ask["Ada"], f"{STILLS}/interval"
    before = body_of(ada.get(url))
    assert (before["interval"], before["own"], before["default"]) == (3600, None, 3600)
    hour = timedelta(hours=1)
    assert (
        studio.home.clock()
        < datetime.fromisoformat(before["next_at"])
        < (studio.home.clock() + hour + timedelta(minutes=5))
    )
    saved = body_of(ada.ask("PUT", url, json={"interval": 600}))
    assert (saved["success"], saved["interval"], saved["own"]) == (True, 600, 600)
    assert datetime.fromisoformat(saved["next_at"]) - studio.home.clock() <= hour / 6 * 1.25
    off = body_of(ada.ask("PUT", url, json={"interval": 0}))
    assert (off["interval"], off["own"], off["next_at"]) == (0, 0, None)
    for _time in range(2):
        reset = body_of(ada.ask("PUT", url, json={"interval": None}))
        assert reset == {"success": True, **before}
    texts = [line for line in studio.audit() if "Stills of" in line]
    assert [text.partition("..: ")[2] for text in texts] == [
        "every hour (default)",
        "never",
        "every 10 min",
    ]
    for bad in ({"interval": 59}, {"interval": 604_801}, {"interval": "600"}, {}):
        assert ada.ask("PUT", url, json=bad).status_code == 422, bad
    assert studio.ask["Lea"].ask("PUT", url, json={"interval": 600}).status_code == 403


def test_the_stills_of_some_days_are_one_zip_file(studio: Studio) -> None:
    taken, ada = studio.take(), studio.ask["Ada"]
    day = studio.home.clock().astimezone().date()
    count = len(body_of(ada.get(f"{STILLS}?day={day}&limit=1000"))["stills"])
    for query in (f"day={day}", f"day={day - timedelta(days=9)}&until={day}"):
        answer = ada.get(f"{STILLS}/archive?{query}")
        assert (answer.status_code, answer.mimetype) == (200, "application/zip")
        assert int(answer.headers["Content-Length"]) == len(answer.data)
        with ZipFile(BytesIO(answer.data)) as opened:
            assert len(opened.namelist()) == count
            assert {name.partition(" 20")[0] for name in opened.namelist()} == {"Gate _ left_ a_b"}
            assert ada.get(taken["url"]).data in [opened.read(name) for name in opened.namelist()]
    named = ada.get(f"{STILLS}/archive?day={day}").headers["Content-Disposition"]
    assert named == f'attachment; filename="Gate _ left_ a_b_ stills {day}.zip"'
    head = ada.ask("HEAD", f"{STILLS}/archive?day={day}")
    assert (head.data, head.headers["Accept-Ranges"]) == (b"", "none")
    empty = ada.get(f"{STILLS}/archive?day={day + timedelta(days=1)}")
    assert (empty.status_code, "no stills of this time" in empty.json["error"]) == (404, True)
    assert ada.get(f"{STILLS}/archive?day={day}&until=2001-01-01").status_code == 422
    downloads = [line for line in studio.audit() if "Downloaded the stills of Gate" in line]
    assert len(downloads) == 2
    assert downloads[-1].endswith(f"of {day}")


def test_a_zip_file_has_limits_in_number_and_bytes(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.take(), studio.take()
    day, ada = studio.home.clock().astimezone().date(), studio.ask["Ada"]
    for limit, text in (("MOST_STILLS", "more than 1 stills"), ("MOST_BYTES", "kB")):
        monkeypatch.setattr(still_archives, limit, 1)
        answer = ada.get(f"{STILLS}/archive?day={day}")
        assert (answer.status_code, text in answer.json["error"]) == (422, True), answer.text
        assert answer.json["hint"] == "Choose fewer days."
        monkeypatch.undo()


def test_what_is_in_the_place_of_a_still_is_not_in_a_zip_file(
    studio: Studio, tmp_path: Path
) -> None:
    shelf = studio.home.monitor.packages.find(StillsPackage).shelf
    (tmp_path / "secret").write_text("not a picture")
    for replace in (lambda path: path.symlink_to(tmp_path / "secret"), os.mkfifo, os.mkdir):
        path = shelf.path(shelf.find(1, studio.take()["id"]))
        path.unlink()
        replace(path)
    day = studio.home.clock().astimezone().date()
    answer = studio.ask["Ada"].get(f"{STILLS}/archive?day={day}")
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    with ZipFile(BytesIO(answer.data)) as opened:
        texts = [name for name in opened.namelist() if name.endswith(".txt")]
        assert len(texts) >= 3
        assert {opened.read(name)[:22] for name in texts} == {b"This still was deleted"}


def test_all_cameras_of_an_hour_are_one_zip_file_of_those_that_one_sees(studio: Studio) -> None:
    studio.take()
    studio.take("/api/cameras/2/stills")
    now = studio.home.clock().astimezone()
    url = f"/api/stills/archive?day={now.date()}&hour={now.hour}"

    def names(person: str) -> set[str]:
        with ZipFile(BytesIO(studio.ask[person].get(url).data)) as opened:
            return {name.partition(" 20")[0] for name in opened.namelist()}

    assert names("Ada") == {"Gate _ left_ a_b", "Shed"}
    assert names("Lea") == {"Gate _ left_ a_b"}
    late = studio.ask["Ada"].get(f"/api/stills/archive?day={now.date()}&hour=24")
    assert (late.status_code, "has fewer hours" in late.json["error"]) == (422, True)


def test_a_download_ends_with_the_right_to_see_one_of_its_cameras(studio: Studio) -> None:
    accounts = studio.home.monitor.authenticator.accounts
    user = accounts.by_name("Lea")
    person = accounts.snapshot.person(user.id, proof=user.password)
    visible = visible_to(studio.home.monitor, person)
    assert may_still(visible, [1])
    assert not may_still(visible, [1, 2])
    assert not may_still(visible, [99])


def film(studio: Studio, day: date, name: str = "Ada") -> dict[str, Any]:
    """The film, once nothing is being made."""
    pause = Event()
    while (body := body_of(studio.ask[name].get(f"{STILLS}/film?day={day}")))["state"] == "making":
        pause.wait(0.05)
    return body


def test_a_time_lapse_is_made_played_in_ranges_and_deleted_with_its_stills(studio: Studio) -> None:
    studio.take(), studio.take()
    day, ada = studio.home.clock().astimezone().date(), studio.ask["Ada"]
    before = body_of(ada.get(f"{STILLS}/film?day={day}"))
    assert (before["state"], before["url"]) == ("none", None)
    assert ada.get(f"{STILLS}/film.mp4?day={day}").status_code == 404
    begun = ada.ask("POST", f"{STILLS}/film", json={"day": f"{day}"})
    assert (begun.status_code, begun.json["stills"]) == (200, before["stills"])
    ready = film(studio, day)
    assert ready["state"] == "ready"
    assert ready["frames"] + ready["left_out"] == before["stills"]
    whole = ada.get(ready["url"])
    assert (whole.mimetype, len(whole.data)) == ("video/mp4", ready["size"])
    part = ada.get(ready["url"], headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.data) == (206, b"ftyp")
    tag = {"If-None-Match": whole.headers["ETag"]}
    assert ada.get(ready["url"], headers=tag).status_code == 304
    behind = ada.get(ready["url"], headers={"Range": f"bytes={ready['size']}-"})
    assert behind.status_code == 416
    assert studio.ask["Lea"].get(ready["url"]).status_code == 200
    other = ready["url"].replace("/1/", "/2/")
    assert studio.ask["Lea"].get(other).status_code == 404
    studio.take()
    newer = film(studio, day)
    assert (newer["state"], newer["newer"], newer["frames"]) == ("ready", 1, ready["frames"])
    ada.ask("POST", f"{STILLS}/film", json={"day": f"{day}"})
    again = film(studio, day)
    assert (again["newer"], again["frames"]) == (0, ready["frames"] + 1)
    assert ada.get(ready["url"], headers=tag).headers["ETag"] != whole.headers["ETag"]
    stopped = ada.ask("DELETE", f"{STILLS}/film?day={day}")
    assert body_of(stopped)["state"] == "ready"
    path = studio.home.monitor.packages.find(StillsPackage).films.state(1, day).film.path
    for replace in (lambda: path.symlink_to("/etc/hostname"), lambda: os.mkfifo(path)):
        path.unlink()
        replace()
        assert ada.get(ready["url"]).status_code == 404


def test_a_day_without_stills_has_no_time_lapse(studio: Studio) -> None:
    answer = studio.ask["Ada"].ask("POST", f"{STILLS}/film", json={"day": "2026-01-01"})
    assert answer.status_code == 409
    assert answer.json["error"] == "There is no still of 2026-01-01"
    for bad in ({}, {"day": "soon"}, {"day": "9999-12-31"}, {"day": 5}):
        answer = studio.ask["Ada"].ask("POST", f"{STILLS}/film", json=bad)
        assert answer.status_code == 422, bad


def test_taking_and_looking_are_in_the_audit_log_once(studio: Studio) -> None:
    for _time in range(3):
        still = body_of(studio.post("Gus"))["still"]
        studio.ask["Gus"].get(still["url"])
        studio.ask["Gus"].get(still["thumbnail"])
    looked, took = [line for line in studio.audit() if line.startswith("Gus")]
    assert "Took a still of Gate" in took
    assert "Looked at stills of Gate" in looked


def test_small_pictures_and_sizes_alone_are_not_looking(studio: Studio) -> None:
    still, otto = studio.take(), studio.ask["Otto"]
    assert otto.get(still["thumbnail"]).status_code == 200
    assert otto.ask("HEAD", still["url"]).status_code == 200
    assert not [line for line in studio.audit() if line.startswith("Otto")]
    otto.get(still["url"])
    assert [line for line in studio.audit() if line.startswith("Otto: Looked at stills")]
