"""What people change: by the API, told in the journal, kept over a restart, taken back."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from fleet import recorder_list
from fleet.model import Edit, SourceDown
from fleet.recorder_list import RecorderRow
from simulators.panasonic import Camera
from tests.home import Clock, Home
from tests.web.browser import read
from tests.web.conftest import edit

Make = Callable[..., Home]
MAC = "d4:2d:c5:00:00:01"
JSON = "application/json"


@pytest.fixture
def home(make_home: Make) -> Home:
    """One camera that calls itself Gate; its number is 1."""
    made = make_home(Camera(MAC, "127.20.0.1", name="Gate"))
    made.scan()
    return made


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The same, for all that is refused: nothing in it ever changes."""
    made = Home(tmp_path_factory.mktemp("still"), Clock(), Camera(MAC, "127.20.0.1", name="Gate"))
    try:
        made.scan()
        yield made
        assert made.kinds() == ["device.found"]
    finally:
        made.close()


def camera(home: Home) -> Any:
    return home.client.get("/api/camera/1").json


def take_back(home: Home, event: object) -> Any:
    return home.client.post("/api/undo", json={"event": event})


def test_a_camera_is_renamed_and_keeps_its_own_name_beside(home: Home) -> None:
    answer = home.client.patch(f"/api/camera/{MAC}", json={"name": "North gate"})
    assert answer.status_code == 200
    assert set(answer.json) == {"success", "camera", "undo"}
    assert answer.json["success"] is True
    assert answer.json["camera"] == camera(home)
    assert (camera(home)["camera_name"], camera(home)["own_name"]) == ("North gate", "Gate")


def test_notes_are_kept_line_by_line_and_the_name_stays(home: Home) -> None:
    edit(home, "1", name="North gate")
    edit(home, "1", notes="Key at the porter\nLadder: 4 m")
    assert camera(home)["notes"] == "Key at the porter\nLadder: 4 m"
    assert camera(home)["camera_name"] == "North gate"


@pytest.mark.parametrize("empty", ["", "   ", "\u200b\u0007", None])
def test_an_empty_name_gives_the_own_name_back(home: Home, empty: str | None) -> None:
    edit(home, "1", name="North gate")
    home.client.patch("/api/camera/1", json={"name": empty})
    assert camera(home)["camera_name"] == "Gate"
    home.network.cameras[0].name = "Door"
    home.scan()
    assert camera(home)["camera_name"] == "Door"


def test_an_edit_that_changes_nothing_is_not_told_and_cannot_be_undone(home: Home) -> None:
    assert edit(home, "1") is None
    edit(home, "1", name="North gate")
    assert edit(home, "1", name="  North   gate ") is None
    assert home.kinds(kinds=["device.edited"]) == ["device.edited"]


def test_retired_it_leaves_the_list_and_every_count_and_can_be_restored(home: Home) -> None:
    retired = home.client.post("/api/camera/1/retire")
    assert retired.json["camera"]["retired"] is True
    assert home.client.get("/api/cameras").json["count"] == 0
    assert home.client.get("/api/stats").json["total_cameras"] == 0
    assert camera(home)["retired"] is True
    restored = home.client.post(f"/api/camera/{MAC.upper()}/restore")
    assert restored.json["camera"]["retired"] is False
    assert home.client.get("/api/stats").json["total_cameras"] == 1


def test_retired_twice_is_told_once(home: Home) -> None:
    first, second = (home.client.post("/api/camera/1/retire").json for _ in range(2))
    assert isinstance(first["undo"], int)
    assert second["undo"] is None
    assert home.kinds(kinds=["device.retired"]) == ["device.retired"]


def test_a_retired_camera_that_answers_is_back_by_itself(home: Home) -> None:
    home.client.post("/api/camera/1/retire")
    home.scan()
    assert camera(home)["retired"] is False
    assert home.client.get("/api/stats").json["active"] == 1


def test_every_edit_is_in_the_journal_with_before_and_after(home: Home) -> None:
    edit(home, "1", name="North gate")
    edit(home, "1", notes="Key at the porter")
    home.client.post("/api/camera/1/retire")
    home.client.post("/api/camera/1/restore")
    changes = [(event.kind, event.before, event.after) for event in home.events()[1:]]
    assert changes == [
        ("device.edited", {"name": None}, {"name": "North gate"}),
        ("device.edited", {"notes": ""}, {"notes": "Key at the porter"}),
        ("device.retired", {"retired": False}, {"retired": True}),
        ("device.restored", {"retired": True}, {"retired": False}),
    ]
    assert "Gate renamed to North gate" in home.events()[1].text


def test_edits_survive_a_restart_and_can_still_be_undone(home: Home) -> None:
    edit(home, "1", name="North gate", notes="Ladder")
    undo = home.client.post("/api/camera/1/retire").json["undo"]
    home.restart()
    row = camera(home)
    assert (row["camera_name"], row["notes"], row["retired"]) == (
        "North gate",
        "Ladder",
        True,
    )
    assert take_back(home, undo).status_code == 200
    assert camera(home)["retired"] is False


def test_an_undo_puts_back_what_was_and_can_be_undone_itself(home: Home) -> None:
    edit(home, "1", name="First", notes="old")
    undo = edit(home, "1", name="Second", notes="new")
    back = take_back(home, undo)
    assert back.status_code == 200
    assert (camera(home)["camera_name"], camera(home)["notes"]) == ("First", "old")
    assert take_back(home, back.json["undo"]).status_code == 200
    assert (camera(home)["camera_name"], camera(home)["notes"]) == ("Second", "new")


@pytest.fixture
def family(make_home: Make) -> Home:
    """Four cameras; 2 is behind 1."""
    cameras = (Camera(f"d4:2d:c5:00:00:0{n}", f"127.20.0.{n}", name=f"C{n}") for n in range(1, 5))
    made = make_home(*cameras)
    made.scan()
    edit(made, "2", parent=1)
    return made


def parents(home: Home, number: int) -> Any:
    camera = home.client.get(f"/api/camera/{number}").json
    return camera["parent"], camera["parents"]


def test_the_parents_of_a_camera_are_changed_and_undone(family: Home) -> None:
    undo = edit(family, "2", parents=[3, 4, 3])
    assert parents(family, 2) == (3, [3, 4])
    event = family.events()[-1]
    assert event.text.startswith("C2: connected through C3 and C4, on this server")
    assert (event.before, event.after) == ({"parents": [1]}, {"parents": [3, 4]})
    again = take_back(family, undo)
    assert (again.status_code, parents(family, 2)) == (200, (1, [1]))
    assert take_back(family, again.json["undo"]).status_code == 200
    assert parents(family, 2) == (3, [3, 4])
    for none in ([], None):
        edit(family, "2", parents=[1])
        edit(family, "2", parents=none)
        assert parents(family, 2) == (None, [])


def test_an_undo_of_parents_is_refused_after_a_newer_change(family: Home) -> None:
    undo = edit(family, "2", parents=[3, 4])
    edit(family, "2", parents=[4])
    answer = take_back(family, undo)
    assert (answer.status_code, "has been changed since" in answer.text) == (409, True)
    assert parents(family, 2) == (4, [4])


@pytest.mark.parametrize(
    ("number", "body", "words"),
    [
        (1, {"parents": [3, 2]}, "C2 is itself connected through C1"),
        (1, {"parents": [1]}, "C1 is itself connected through C1"),
        (2, {"parents": [99]}, "The parent device 99 does not exist"),
        (2, {"parents": [0]}, "parents.0: must be at least 1"),
        (2, {"parents": ["1"]}, "parents.0: must be a whole number"),
        (2, {"parents": 1}, "parents: must be a list"),
        (2, {"parents": list(range(1, 10))}, "at most 8"),
        (2, {"parents": [3], "parent": 4}, "parent and parents name different devices"),
    ],
)
def test_parents_that_cannot_be_are_refused_by_name(
    family: Home, number: int, body: dict[str, Any], words: str
) -> None:
    answer = family.client.patch(f"/api/camera/{number}", json=body)
    assert answer.status_code == 422
    assert words in answer.json["error"], answer.text
    assert answer.headers["X-Field"].startswith("parents")
    assert (parents(family, 1), parents(family, 2)) == ((None, []), (1, [1]))


def test_an_undo_touches_only_what_the_edit_changed(home: Home) -> None:
    undo = edit(home, "1", name="North gate")
    edit(home, "1", notes="Ladder")
    assert take_back(home, undo).status_code == 200
    assert (camera(home)["camera_name"], camera(home)["notes"]) == ("Gate", "Ladder")


def test_retiring_and_restoring_are_undone(home: Home) -> None:
    retired = home.client.post("/api/camera/1/retire").json["undo"]
    restored = take_back(home, retired)
    assert restored.json["camera"]["retired"] is False
    assert take_back(home, restored.json["undo"]).json["camera"]["retired"] is True


@pytest.mark.parametrize("way", ["api", "page"])
def test_undoing_that_a_camera_was_added_deletes_it(home: Home, way: str) -> None:
    fields = {"source": "rtsp", "host": "127.20.0.9", "port": 554}
    add = Edit("add", "", fields, "local", home.clock())
    (added,) = home.monitor.tracker.apply([add], home.clock())
    assert home.client.get(f"/api/camera/{added.device}").json["status"] == "UNKNOWN"
    if way == "api":
        answer = take_back(home, added.sequence)
        assert answer.json == {"success": True, "camera": None, "undo": None}
    else:
        answer = home.client.post(f"/undo/{added.sequence}")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert home.client.get(f"/api/camera/{added.device}").status_code == 404


def test_an_undo_is_refused_after_a_newer_change(home: Home) -> None:
    undo = edit(home, "1", name="First")
    edit(home, "1", name="Second")
    answer = take_back(home, undo)
    assert answer.status_code == 409
    assert "changed" in answer.json["error"]
    assert camera(home)["camera_name"] == "Second"


def test_an_undo_of_a_retirement_is_refused_once_the_camera_is_back(home: Home) -> None:
    undo = home.client.post("/api/camera/1/retire").json["undo"]
    home.scan()
    assert take_back(home, undo).status_code == 409


def test_an_edit_is_undone_once(home: Home) -> None:
    undo = edit(home, "1", name="First")
    assert take_back(home, undo).status_code == 200
    assert take_back(home, undo).status_code == 409


def test_what_no_person_did_cannot_be_undone(home: Home) -> None:
    event = home.events()[0]
    assert event.kind == "device.found"
    answer = take_back(home, event.sequence)
    assert answer.status_code == 409
    assert "not an edit" in answer.json["error"]


def test_each_event_is_undone_or_refused_in_words(home: Home) -> None:
    """Also what the workbook did, whose row no undo of an edit can give back."""
    tracker, row = home.monitor.tracker, RecorderRow("S1", "SIM0001", "Store")
    for listed in (row, replace(row, serial="SIM0002")):
        for change in recorder_list.edits(
            [listed], tracker.devices(), "the workbook", home.clock()
        ):
            tracker.apply([change], home.clock())
    tracker.apply(
        recorder_list.edits([], tracker.devices(), "the workbook", home.clock()), home.clock()
    )
    offered = {edit(home, "1", name="First"), home.client.post("/api/camera/1/retire").json["undo"]}
    home.scan()
    kinds = {event.sequence: event.kind for event in home.events()}
    assert {"device.listed", "device.edited", "device.retired", "device.restored"} <= {
        *kinds.values()
    }
    # The retirement ended by itself; the name can be taken back.
    named = min(offered)
    for sequence, kind in kinds.items():
        answer = take_back(home, sequence)
        expected = 200 if sequence == named else 409
        assert answer.status_code == expected, f"{kind}: {answer.text}"
        assert answer.status_code == 200 or answer.json["hint"]


def test_an_undo_of_an_event_that_is_not_there_is_404(home: Home) -> None:
    answer = take_back(home, 999_999)
    assert answer.status_code == 404
    assert "999999" in answer.json["error"]


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "&lt;b&gt;"],
)
def test_a_name_that_is_html_is_shown_as_the_text_that_it_is(home: Home, name: str) -> None:
    edit(home, "1", name=name, notes=name)
    for path in ("/", "/cameras/1"):
        page = read(home.client.get(path).text)
        assert name in page.text
        assert [script.get("src") for script in page.find("script")] == ["/static/js/main.js"]
        assert [image["src"] for image in page.find("img")] == ["/static/icon.svg"]


def test_names_that_devices_call_themselves_are_shown_as_text_too(make_home: Make) -> None:
    home = make_home(Camera(MAC, "127.20.0.1", name="<b>Gate</b>"))
    home.scan()
    for path in ("/", "/cameras/1"):
        page = read(home.client.get(path).text)
        assert "<b>Gate</b>" in page.text
        assert all(bold.text != "Gate" for bold in page.find("b"))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("No\u0000rth\u0007 ga\u009fte", "North gate"),
        ("North\ngate", "North gate"),
        ("\u202eNorth\u2069 gate\ufeff", "North gate"),
        ("  North \t  gate  ", "North gate"),
        ("Größe 日本 🎥", "Größe 日本 🎥"),
    ],
)
def test_control_characters_do_not_enter_a_name(home: Home, sent: str, kept: str) -> None:
    edit(home, "1", name=sent)
    assert camera(home)["camera_name"] == kept


def test_the_longest_name_and_notes_are_kept_whole(home: Home) -> None:
    edit(home, "1", name="ö" * 120, notes="ö" * 5000)
    assert camera(home)["camera_name"] == "ö" * 120
    assert camera(home)["notes"] == "ö" * 5000


@pytest.mark.parametrize(
    ("field", "length"),
    [("name", 121), ("name", 1001), ("notes", 5001), ("notes", 10_001)],
)
def test_what_is_too_long_is_refused_by_name_and_nothing_changes(
    still: Home, field: str, length: int
) -> None:
    answer = still.client.patch("/api/camera/1", json={field: "x" * length})
    assert answer.status_code == 422
    assert field in answer.json["error"]
    assert (camera(still)["camera_name"], camera(still)["notes"]) == ("Gate", "")


@pytest.mark.parametrize("value", [5, 1.5, True, ["x"], {"x": 1}])
@pytest.mark.parametrize("field", ["name", "notes"])
def test_a_value_of_a_wrong_type_is_refused_by_name(still: Home, field: str, value: object) -> None:
    answer = still.client.patch("/api/camera/1", json={field: value})
    assert answer.status_code == 422
    assert answer.json["error"].startswith(f"{field}: ")


@pytest.mark.parametrize("field", ["id", "mac_address", "current_ip", "status", "expect"])
def test_what_nobody_may_set_is_refused_by_name(still: Home, field: str) -> None:
    answer = still.client.patch("/api/camera/1", json={"name": "x", field: "y"})
    assert answer.status_code == 422
    assert answer.json["error"].startswith(f"{field}: ")
    assert camera(still)["camera_name"] == "Gate"


BAD_BODIES = {
    "a lone surrogate": b'{"name": "\\ud800"}',
    "a lone surrogate as a key": b'{"\\ud800": 1}',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "a surrogate in UTF-8": b'{"name": "\xed\xa0\x80"}',
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"name":' * 100_000,
    "a list": b"[]",
    "null": b"null",
    "nothing": b"",
    "a cut": b'{"name": "x',
    "not a number": b'{"name": NaN}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "huge": b'{"name": "' + b"x" * (8 << 20) + b'"}',
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_is_refused_and_never_an_error_of_the_program(still: Home, name: str) -> None:
    body, expected = BAD_BODIES[name], {"a list": 422, "null": 422, "huge": 413}.get(name, 400)
    for method, path in (
        ("PATCH", "/api/camera/1"),
        ("POST", "/api/undo"),
        ("POST", "/api/auto-scan"),
        ("POST", "/api/cleanup"),
    ):
        answer = still.client.open(path, method=method, data=body, content_type=JSON)
        assert answer.status_code == expected, path
        assert set(answer.json) == {"error", "hint"}
    assert camera(still)["camera_name"] == "Gate"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"name=%ff%ed%a0%80", 303),
        (b"name=\xff", 303),
        (b"name=%00", 303),
        (b"do=merge", 422),
        (b"do=%ff", 422),
        (b"name=" + b"x" * 10_000, 422),
    ],
)
def test_a_bad_form_is_never_an_error_of_the_program(
    home: Home, body: bytes, expected: int
) -> None:
    kind = "application/x-www-form-urlencoded"
    answer = home.client.post("/cameras/1/edit", data=body, content_type=kind)
    assert answer.status_code == expected
    assert home.client.get("/cameras/1").status_code == 200


def test_an_edit_that_cannot_be_written_is_refused_and_not_done(home: Home) -> None:
    folder = home.settings.database_path.parent
    away = folder.rename(folder.with_name("away"))
    answer = home.client.patch("/api/camera/1", json={"name": "North gate"})
    away.rename(folder)
    assert answer.status_code == 507
    assert set(answer.json) == {"error", "hint"}
    assert camera(home)["camera_name"] == "Gate"
    assert home.kinds() == ["device.found"]
    assert edit(home, "1", name="North gate") is not None


def test_a_clean_up_retires_what_nobody_has_seen_for_so_long(home: Home) -> None:
    home.network.cameras[0].on = False
    home.clock.forward(days=91)
    home.scan()
    assert home.client.post("/api/cleanup", json={"days": 92}).json == {
        "success": True,
        "retired": 0,
    }
    assert home.client.post("/api/cleanup", json={}).json == {"success": True, "retired": 1}
    assert camera(home)["retired"] is True
    assert home.kinds()[-1] == "device.retired"


def test_an_event_without_a_device_exists_and_cannot_be_undone(home: Home) -> None:
    down = SourceDown("panasonic", home.clock(), "the cable is out")
    home.monitor.tracker.apply([down], home.clock())
    (event,) = [event for event in home.events() if event.device is None]
    refused = take_back(home, event.sequence)
    error = f"Event {event.sequence} is not an edit by a person, so it cannot be undone"
    assert (refused.status_code, refused.json["error"]) == (409, error)
    assert take_back(home, event.sequence + 1).status_code == 404
