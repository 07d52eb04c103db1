"""Picture health by API: what is found with its pictures, what people set, and who may."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from fleet.pictures import NotOffered, NotTaken, jpeg_size
from picture_health.build import PictureHealthPackage
from simulators.panasonic import Camera
from tests.home import Clock, Home
from tests.web.closed import Visitor, body_of, user_named, visitors
from tests.web.health_cameras import BLACK, SCENE, HealthCameras, health_cameras
from tests.web.still_cameras import HEIGHT, WIDTH, add_cameras
from video.schedule import DAYS

GATE, SHED = "/api/cameras/1/picture-health", "/api/cameras/2/picture-health"
NIGHT = {"days": ["mon", "Sunday"], "starts": "22:00", "ends": "06:00"}


@dataclass
class Studio:
    """A closed monitor: Gate (1), which Lea sees and Gus may edit, Shed (2), which they do not see,
    and Panel (3), of which no picture can be taken."""

    home: Home
    cameras: HealthCameras
    ask: dict[str, Visitor]

    def send(
        self, method: str, path: str, body: Any = None, name: str = "Ada", status: int = 200
    ) -> TestResponse:
        self.home.clock.forward(seconds=1)  # type: ignore[attr-defined]
        answer = self.ask[name].ask(method, path, json=body)
        assert answer.status_code == status, answer.text
        return answer

    def check(self, path: str = GATE) -> dict[str, Any]:
        health: dict[str, Any] = self.send("POST", f"{path}/check").json["health"]
        return health

    def health(self, path: str = GATE) -> Any:
        return body_of(self.ask["Ada"].get(path))

    def kinds(self, number: int = 1) -> list[str]:
        """The findings of the camera as the fleet has them."""
        device = body_of(self.ask["Ada"].get(f"/api/camera/{number}"))
        return [finding["kind"] for finding in device["findings"]]

    def shows_black(self) -> dict[str, Any]:
        """The health of the gate after its picture was black for long enough."""
        self.cameras.shows = BLACK
        return [self.check() for _time in range(3)][-1]


@pytest.fixture(scope="module")
def module_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    panel = Camera("d4:2d:c5:00:00:04", "127.20.0.9", "Panel")
    home = Home(tmp_path_factory.mktemp("health"), Clock(), panel)
    try:
        add_cameras(home, "Gate", "Shed")
        home.scan()
        yield Studio(home, health_cameras(home), visitors(home))
    finally:
        home.close()


@pytest.fixture
def studio(module_studio: Studio) -> Studio:
    """Both cameras show their scene and keep no pictures. A test camera repeats its picture."""
    studio, cameras = module_studio, module_studio.cameras
    cameras.shows, cameras.trouble = SCENE, None
    plain = {"mode": "on", "sensitivity": "normal", "interval": 86400, "repeats": True}
    for path in (GATE, SHED):
        health = studio.health(path)
        for picture in (*health["references"], *health["expected_pictures"]):
            studio.send("DELETE", f"{path}/pictures/{picture['id']}")
        studio.send("PATCH", path, {"mode": "off"})
        studio.send("PATCH", path, {**plain, "expected_hours": []})
        studio.check(path)
    return studio


def test_a_black_picture_is_found_and_kept_and_ends_as_expected(studio: Studio) -> None:
    assert studio.check()["state"] == "healthy"
    studio.cameras.shows = BLACK
    first = studio.check()
    assert first["state"] == "suspected"
    (suspected,) = first["suspected"]
    assert (suspected["fault"], suspected["count"], suspected["needed"]) == ("black", 1, 3)
    studio.check()
    health = studio.check()
    (fault,) = health["faults"]
    assert (health["state"], fault["fault"], fault["unknown_since"]) == ("faulty", "black", None)
    assert studio.kinds() == ["picture.black"]
    assert fault["text"]
    assert fault["remedy"]
    raised = studio.ask["Ada"].get(fault["picture"])
    assert (raised.mimetype, jpeg_size(raised.data)) == ("image/jpeg", (WIDTH, HEIGHT))
    newest = studio.ask["Ada"].get(health["newest"])
    assert newest.headers["X-Taken-At"] == health["sampled_at"].replace("+00:00", ".000+00:00")
    assert newest.headers["Cache-Control"] == "private, no-cache"
    listed = body_of(studio.ask["Ada"].get("/api/picture-health?state=faulty"))
    assert [row["camera"] for row in listed["cameras"]] == [1]
    assert (listed["states"]["faulty"], listed["count"]) == (1, 1)
    assert listed["states"]["healthy"] == 1
    id = int(fault["picture"].rpartition("/")[2])
    done = studio.send("POST", f"{GATE}/expected", {"picture": id}, status=201).json["health"]
    assert (done["faults"], studio.kinds()) == ([], [])
    (expected,) = done["expected_pictures"]
    assert (expected["kind"], expected["by"]) == ("expected", "Ada")
    again = [studio.check() for _time in range(3)][-1]
    assert (again["state"], again["faults"]) == ("expected", [])
    assert "expect" in again["reason"]
    assert studio.ask["Ada"].get(fault["picture"]).status_code == 200, "its event leads to it"


def test_a_kept_picture_is_sent_in_ranges_and_stays_the_same(studio: Studio) -> None:
    health = studio.send("POST", f"{GATE}/references", {}, status=201).json["health"]
    (reference,) = health["references"]
    assert (reference["kind"], reference["width"], reference["height"]) == (
        "reference",
        WIDTH,
        HEIGHT,
    )
    ada, url = studio.ask["Ada"], reference["url"]
    whole = ada.get(url)
    assert whole.headers["Cache-Control"] == "private, max-age=86400, immutable"
    assert whole.headers["X-Taken-At"] == reference["at"]
    part = ada.get(url, headers={"Range": "bytes=2-9"})
    assert (part.status_code, part.data) == (206, whole.data[2:10])
    assert ada.get(url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert ada.get(url.replace("/1/", "/2/")).status_code == 404, "of another camera"
    removed = studio.send("DELETE", url).json["health"]
    assert removed["references"] == []
    for method in ("GET", "DELETE"):
        assert "does not exist" in studio.send(method, url, status=404).json["error"]


def test_a_still_becomes_a_reference_and_there_are_four_at_most(studio: Studio) -> None:
    still = body_of(studio.send("POST", "/api/cameras/1/stills", status=201))["still"]
    for number in range(4):
        body = {"still": still["id"]} if number % 2 else {}
        answer = studio.send("POST", f"{GATE}/references", body, status=201)
    references = answer.json["health"]["references"]
    assert [row["at"] for row in references][1::2] == [still["taken_at"]] * 2
    full = studio.send("POST", f"{GATE}/references", {}, status=422)
    assert "4 reference pictures" in full.json["error"]
    assert full.json["hint"]
    missing = studio.send("POST", f"{SHED}/references", {"still": still["id"]}, status=404)
    assert "does not exist" in missing.json["error"]


def test_what_people_set_is_kept_and_wrong_values_are_named(studio: Studio) -> None:
    change = {"sensitivity": "low", "interval": None, "expected_hours": [NIGHT]}
    settings = studio.send("PATCH", GATE, change).json["health"]["settings"]
    assert settings == {
        "mode": "on",
        "sensitivity": "low",
        "interval": None,
        "repeats": True,
        "expected_hours": [{**NIGHT, "days": ["monday", "sunday"]}],
    }
    for bad, field in (
        ({"mode": "maybe"}, "mode"),
        ({"mode": None}, "mode"),
        ({"sensitivity": 3}, "sensitivity"),
        ({"interval": 5}, "interval"),
        ({"interval": "300"}, "interval"),
        ({"repeats": "yes"}, "repeats"),
        ({"expected_hours": [{**NIGHT, "days": []}]}, "expected_hours"),
        ({"expected_hours": [{**NIGHT, "days": ["someday"]}]}, "expected_hours"),
        ({"expected_hours": [{**NIGHT, "ends": "25:00"}]}, "expected_hours"),
        ({"expected_hours": [NIGHT] * 21}, "expected_hours"),
        ({"speed": 1}, "speed"),
    ):
        answer = studio.send("PATCH", GATE, bad, status=422)
        assert field in answer.json["error"], answer.text
        assert answer.json["hint"]
    for wrong, text in (
        ({"ends": "6"}, "expected_hours.0.ends: must be a time of day such as 06:00"),
        ({"starts": "12+01"}, "expected_hours.0.starts: must be a time of day such as 06:00"),
        ({"days": []}, "expected_hours.0.days: must have at least one day, such as monday"),
    ):
        body = {"expected_hours": [{**NIGHT, **wrong}]}
        assert studio.send("PATCH", GATE, body, status=422).json["error"] == text
    assert studio.health()["settings"] == settings
    for path, body in (("references", {"still": 0}), ("expected", {"picture": "1"})):
        studio.send("POST", f"{GATE}/{path}", body, status=422)
    assert studio.ask["Ada"].get("/api/picture-health?state=odd").status_code == 422


def test_in_expected_hours_nothing_is_found(studio: Studio) -> None:
    assert studio.shows_black()["state"] == "faulty"
    always = {"days": [*DAYS], "starts": "00:00", "ends": "00:00"}
    health = studio.send("PATCH", GATE, {"expected_hours": [always]}).json["health"]
    assert (health["state"], health["faults"], studio.kinds()) == ("expected", [], [])
    assert [studio.check()["state"] for _time in range(3)] == ["expected"] * 3
    assert studio.kinds() == []


def test_why_no_picture_could_be_judged(studio: Studio) -> None:
    studio.cameras.trouble = NotTaken("The camera is busy.", "Close it.", 4.2)
    answer = studio.send("POST", f"{GATE}/check", status=503)
    assert answer.json == {"error": "The camera is busy", "hint": "Close it."}
    assert answer.headers["Retry-After"] == "5"
    health = studio.health()
    assert (health["state"], health["reason"]) == ("unknown", "The camera is busy.")
    studio.send("POST", f"{GATE}/references", {}, status=503)
    studio.cameras.trouble = NotOffered("It offers no picture.", "Add a connection.")
    assert "No stream" in studio.send("POST", f"{GATE}/check", status=409).json["error"]
    panel = studio.send("POST", "/api/cameras/3/picture-health/check", status=409).json
    assert "No stream or snapshot" in panel["error"]
    assert "RTSP URL" in panel["hint"]
    page = studio.ask["Ada"].get("/cameras/3/picture-health").text
    assert "No stream or snapshot of this device is known." in page
    assert "Set one while" not in page, "nothing that cannot be done is asked for"
    studio.send("PATCH", GATE, {"mode": "off"})
    off = studio.send("POST", f"{GATE}/check", status=409).json
    assert "Turned off" in off["error"]
    assert "Turn on" in off["hint"]
    assert studio.health()["state"] == "off"


def test_who_sees_one_camera_sees_its_health_and_changes_nothing(studio: Studio) -> None:
    reference = studio.send("POST", f"{GATE}/references", {}, status=201).json["health"]
    url = reference["references"][0]["url"]
    other = studio.send("POST", f"{SHED}/references", {}, status=201).json["health"]
    lea = studio.ask["Lea"]
    assert body_of(lea.get(GATE))["camera_name"] == "Gate"
    assert [row["camera"] for row in body_of(lea.get("/api/picture-health"))["cameras"]] == [1]
    assert lea.get(url).status_code == 200
    assert lea.get(other["references"][0]["url"]).status_code == 404
    page = lea.get("/cameras/1/picture-health").text
    assert "<dt>Sensitivity</dt><dd>Normal</dd>" in page
    assert url in page
    assert "data-health=" not in page
    changes = (
        ("PATCH", GATE, {"mode": "off"}),
        ("POST", f"{GATE}/check", None),
        ("POST", f"{GATE}/references", {}),
        ("POST", f"{GATE}/expected", {}),
        ("DELETE", url, None),
    )
    for method, path, body in changes:
        studio.send(method, path, body, "Lea", 403)
        studio.send(method, path.replace("/1/", "/2/"), body, "Gus", 404)
        studio.send(method, path, body, "stranger", 401)
    for method, path, body in changes[1:]:
        studio.send(method, path, body, "Gus", 201 if body == {} else 200)


@pytest.mark.parametrize("act", ["check", "references", "expected"])
def test_a_right_that_ends_while_a_picture_is_taken_changes_nothing(
    studio: Studio, act: str
) -> None:
    accounts = studio.home.monitor.authenticator.accounts
    gus = user_named(studio.home, "Gus").id
    (grant,) = accounts.snapshot.grants_of(gus)
    registry = studio.home.monitor.packages.find(PictureHealthPackage)
    registry.sampling.newest.drop(1)
    studio.cameras.meanwhile = lambda: accounts.revoke_grant(gus, grant.id)
    refused = studio.send("POST", f"{GATE}/{act}", {}, "Gus", 403)
    studio.cameras.meanwhile = lambda: None
    accounts.grant(gus, "admin", device=1)
    assert "no longer have permission" in refused.json["error"]
    health = studio.health()
    assert (health["references"], health["expected_pictures"]) == ([], [])


def test_acts_are_in_the_audit_log_and_repeated_looks_are_not(studio: Studio) -> None:
    health = studio.send("POST", f"{SHED}/references", {}, "Otto", 201).json["health"]
    url = health["references"][0]["url"]
    for _time in range(2):
        studio.ask["Otto"].get(url)
        studio.send("POST", f"{SHED}/check", name="Otto")
        studio.send("PATCH", SHED, {"sensitivity": "high"}, "Otto")
    studio.send("POST", f"{SHED}/expected", {}, "Otto", 201)
    studio.send("DELETE", url, name="Otto")
    entries = studio.home.monitor.audit.find(limit=100)
    acts = [entry for entry in entries if entry.who == "Otto" and "health." in entry.action]
    assert [entry.action for entry in reversed(acts)] == [
        "health.reference",
        "health.viewed",
        "health.checked",
        "health.changed",
        "health.expected",
        "health.removed",
    ]
    changed = next(entry for entry in acts if entry.action == "health.changed")
    assert (changed.before["sensitivity"], changed.after["sensitivity"]) == ("normal", "high")
    assert all("Shed" in entry.text for entry in acts)
