"""Recordings by API: listed, played in ranges, downloaded, protected, deleted, linked."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from simulators.panasonic import Camera
from tests.accounts.people import add
from tests.home import Clock, Home
from tests.video.recorded_files import Shelf, clip
from tests.web.closed import Visitor, body_of, visitors
from video import recording_rows
from video.build import VideoPackage
from web.http.actions.recordings import may_still
from web.http.visible_fleet import visible_to

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MORNING = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@dataclass
class Archive:
    """A closed monitor with recordings: of camera 1 (10 s, with a gap of 20 s in it), of camera 2,
    which limited people do not see (2 s, then of another format), and one that failed."""

    home: Home
    ask: dict[str, Visitor]
    shelf: Shelf
    own: int
    other: int
    failed: int

    def audit(self) -> list[str]:
        return [f"{entry.who}: {entry.text}" for entry in self.home.monitor.audit.find(limit=50)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    clip(folder, "six.mp4", 6)
    clip(folder, "four.mp4", 4)
    clip(folder, "large.mp4", 2, size="96x64")
    return folder


@pytest.fixture(scope="module")
def archive(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    gate = Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate")
    shed = Camera("d4:2d:c5:00:00:02", "127.20.0.10", "Shed")
    home = Home(tmp_path_factory.mktemp("archive"), Clock(), gate, shed)
    try:
        home.scan()
        shelf = Shelf(home.monitor.journal.engine, home.settings.media_dir / "recordings")
        shelf.segment(1, MORNING, 6, files / "six.mp4", notes=["The sound is left out"])
        shelf.segment(1, MORNING + timedelta(seconds=26), 4, files / "four.mp4")
        own = shelf.recording(1, MORNING, 30, name="../Delivery: a/b\\c.mp4 Größe")
        shelf.segment(2, MORNING, 4, files / "four.mp4")
        shelf.segment(2, MORNING + timedelta(seconds=4), 2, files / "large.mp4", width=96)
        other = shelf.recording(2, MORNING, 6, name="Shed")
        day_before = MORNING - timedelta(days=1)
        failed = shelf.recording(1, day_before, 60, status="failed", reason="No picture")
        yield Archive(home, visitors(home), shelf, own, other, failed)
    finally:
        home.close()


@pytest.fixture
def ada(archive: Archive) -> Visitor:
    return archive.ask["Ada"]


# -- the list --------------------------------------------------------------------------------


def test_the_cctv_list_is_bare_and_pages_only_when_asked(archive, ada):
    answer = ada.get("/v0/api/cctv/recordings/")
    ids = [row["id"] for row in body_of(answer)]
    assert ids == [archive.other, archive.own, archive.failed]
    assert answer.headers["X-Total-Count"] == "3"
    page = ada.get("/v0/api/cctv/recordings/?page=2&per_page=2")
    assert [row["id"] for row in body_of(page)] == [archive.failed]
    assert page.headers["X-Total-Count"] == "3"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("camera=1", 2),
        ("status=failed", 1),
        ("day=2026-03-01", 2),
        ("day=2026-02-28&zone=Pacific/Auckland", 1),
        ("from=2026-03-01T08:00:10Z&to=2026-03-01T09:00:00Z", 1),
        ("camera=2&status=failed", 0),
    ],
)
def test_the_list_is_filtered(archive, ada, query, count):
    body = body_of(ada.get(f"/api/recordings?{query}"))
    assert (body["count"], body["total"], len(body["recordings"])) == (count,) * 3


@pytest.mark.parametrize("query", ["zone=Mars/Olympus", "day=2026-02-30", "status=x", "page=0"])
def test_a_filter_that_does_not_fit_is_named(ada, query):
    answer = ada.get(f"/api/recordings?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.json["error"]


def test_a_recording_has_all_that_people_ask_about(archive, ada):
    row = body_of(ada.get(f"/v0/api/cctv/recordings/{archive.own}/"))
    assert row["duration"] == pytest.approx(10, abs=0.1)
    assert row["size"] > 10_000
    assert (row["resolution"], row["frame_rate"], row["codec"]) == ("64x48", 10.0, "h264")
    assert (row["camera"], row["camera_name"], row["status"]) == (1, "Gate", "completed")
    assert row["url"] == f"/v0/api/cctv/recordings/{archive.own}/download/"
    assert [part["duration"] for part in row["parts"]] == [pytest.approx(10, abs=0.1)]
    empty = body_of(ada.get(f"/api/recordings/{archive.failed}"))
    assert (empty["resolution"], empty["duration"], empty["parts"]) == (None, 0, [])
    assert empty["reason"] == "No picture"


# -- the file --------------------------------------------------------------------------------


def test_a_download_plays_and_its_ranges_are_the_same_bytes(archive, ada, tmp_path):
    url = f"/v0/api/cctv/recordings/{archive.own}/download/"
    whole = ada.get(url)
    assert (whole.status_code, whole.mimetype) == (200, "video/mp4")
    assert whole.headers["Accept-Ranges"] == "bytes"
    size = len(whole.data)
    assert whole.headers["Content-Length"] == str(size)
    parts = []
    for start in range(0, size, 30_000):
        part = ada.get(url, headers={"Range": f"bytes={start}-{start + 29_999}"})
        assert part.status_code == 206
        end = min(start + 29_999, size - 1)
        assert part.headers["Content-Range"] == f"bytes {start}-{end}/{size}"
        parts.append(part.data)
    assert b"".join(parts) == whole.data
    assert ada.get(url, headers={"Range": "bytes=-7"}).data == whole.data[-7:]
    (tmp_path / "x.mp4").write_bytes(whole.data)
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_format", str(tmp_path / "x.mp4")]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stderr == ""
    assert float(json.loads(result.stdout)["format"]["duration"]) == pytest.approx(10, abs=0.2)


def test_a_range_that_is_not_there_is_refused_and_an_old_tag_gets_everything(archive, ada):
    url = f"/api/recordings/{archive.own}/download"
    head = ada.ask("HEAD", url)
    size, tag = int(head.headers["Content-Length"]), head.headers["ETag"]
    assert (head.status_code, head.data) == (200, b"")
    beyond = ada.get(url, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    same = ada.get(url, headers={"Range": "bytes=0-9", "If-Range": tag})
    assert (same.status_code, len(same.data)) == (206, 10)
    for condition in ('"other"', "Sat, 28 Nov 2026 10:00:00 GMT"):
        other = ada.get(url, headers={"Range": "bytes=0-9", "If-Range": condition})
        assert (other.status_code, len(other.data)) == (200, size)
    several = ada.get(url, headers={"Range": "bytes=0-1,4-5"})
    assert (several.status_code, len(several.data)) == (200, size)
    assert ada.get(url, headers={"If-None-Match": tag}).status_code == 304


def test_a_download_of_a_running_recording_goes_on_with_what_it_began(archive, ada, files):
    """It is the part up to its first request: a moment later every byte has another place."""
    at, whole = MORNING - timedelta(days=9), (files / "six.mp4").read_bytes()
    half = whole[: whole.index(b"moof", len(whole) // 2) - 4]
    shelf = archive.shelf
    row = shelf.segment(2, at, 2, files / "six.mp4", closed=False)
    path = shelf.folder / "2" / row.file
    path.write_bytes(half)
    id = shelf.recording(2, at, 0, status="recording", ended_at=None)
    try:
        url = f"/api/recordings/{id}/download"
        first = ada.get(url)
        path.write_bytes(whole)
        tag, size = first.headers["ETag"], len(first.data)
        for headers in ({}, {"If-Range": tag}):
            rest = ada.get(url, headers={"Range": "bytes=1000-", **headers})
            assert (rest.status_code, rest.headers["ETag"]) == (206, tag)
            assert rest.headers["Content-Range"] == f"bytes 1000-{size - 1}/{size}"
            assert rest.headers["Content-Length"] == str(size - 1000)
            assert rest.data == first.data[1000:]
        over = ada.get(url, headers={"Range": f"bytes={size}-"})
        assert (over.status_code, over.headers["Content-Range"]) == (416, f"bytes */{size}")
        again = ada.get(url)
        assert (again.status_code, len(again.data) > size) == (200, True)
        old = ada.get(url, headers={"Range": "bytes=1000-", "If-Range": tag})
        assert (old.status_code, old.data) == (200, again.data)
    finally:
        recording_rows.remove(shelf.engine, [id])


def test_the_name_of_a_download_is_no_path(archive, ada):
    header = ada.ask("HEAD", f"/api/recordings/{archive.own}/download").headers[
        "Content-Disposition"
    ]
    assert header == (
        'attachment; filename="Gate Delivery_ a_b_c.mp4 Gr__e 2026-03-01 08-00.mp4"; '
        f"filename*=UTF-8''{quote('Gate Delivery_ a_b_c.mp4 Größe 2026-03-01 08-00.mp4')}"
    )


def test_a_recording_whose_format_changed_has_parts(archive, ada):
    row = body_of(ada.get(f"/api/recordings/{archive.other}"))
    assert row["formats"] == 2
    sizes = [len(ada.get(part["url"]).data) for part in row["parts"]]
    assert sizes == [part["size"] for part in row["parts"]]
    assert ada.get(f"/api/recordings/{archive.other}/download?part=3").status_code == 404


def test_a_thumbnail_is_made_once_and_kept_for_its_owner_alone(archive, ada):
    for url in (
        f"/api/recordings/{archive.own}/thumbnail.jpg",
        "/api/cameras/1/thumbnail.jpg?at=2026-03-01T08:00:03Z",
    ):
        answer = ada.get(url)
        assert (answer.status_code, answer.data[:2]) == (200, b"\xff\xd8"), answer.text
    folder = archive.home.settings.media_dir / "thumbnails"
    pictures = {path.name: path.stat() for path in folder.iterdir()}
    assert {state.st_mode & 0o777 for state in pictures.values()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    ada.get(f"/api/recordings/{archive.own}/thumbnail.jpg")
    again = {path.name: path.stat() for path in folder.iterdir()}
    assert {name: state.st_mtime_ns for name, state in again.items()} == {
        name: state.st_mtime_ns for name, state in pictures.items()
    }
    assert ada.get(f"/api/recordings/{archive.failed}/thumbnail.jpg").status_code == 404
    (folder / "999-0.jpg").write_bytes(b"x")
    assert "1 thumbnail" in archive.home.monitor.packages.find(VideoPackage).forget()
    assert {path.name for path in folder.iterdir()} == set(pictures)


# -- playback and the day --------------------------------------------------------------------


def test_a_moment_is_found_in_a_file_that_plays(archive, ada):
    body = body_of(ada.get("/api/cameras/1/playback?at=2026-03-01T08:00:28Z"))
    assert body["position"] == pytest.approx(8, abs=0.1)
    assert body["duration"] == pytest.approx(10, abs=0.1)
    assert body["type"] == 'video/mp4; codecs="avc1.42c00b,mp4a.40.2"'
    starts = [(piece["at"], piece["position"]) for piece in body["pieces"]]
    assert starts[0][1] == 0
    assert starts[1][1] == pytest.approx(6, abs=0.1)
    whole = ada.get(body["url"])
    assert whole.status_code == 200
    part = ada.get(body["url"], headers={"Range": "bytes=100-"})
    assert part.data == whole.data[100:]
    assert (part.status_code, part.headers["ETag"]) == (206, whole.headers["ETag"])


def test_a_moment_in_a_gap_goes_on_with_what_comes_next(archive, ada):
    body = body_of(ada.get("/api/cameras/1/playback?at=2026-03-01T08:00:15Z"))
    assert body["at"] == "2026-03-01T08:00:26+00:00"
    assert body["position"] == pytest.approx(6, abs=0.1)
    after = ada.get("/api/cameras/1/playback?at=2026-03-01T09:00:00Z")
    assert after.status_code == 404


def test_a_day_is_a_line_with_gaps_and_what_happened(archive, ada):
    body = body_of(ada.get("/api/cameras/1/days/2026-03-01?zone=UTC"))
    assert [hour["name"] for hour in body["hours"]] == [f"{hour:02}:00" for hour in range(24)]
    present = [(stretch["start"][11:19], stretch["seconds"]) for stretch in body["present"]]
    assert present == [("08:00:00", 6), ("08:00:26", 4)]
    gaps = [(gap["start"][11:19], gap["end"][11:19]) for gap in body["gaps"]]
    assert gaps == [
        ("00:00:00", "08:00:00"),
        ("08:00:06", "08:00:26"),
        ("08:00:30", archive.home.clock().isoformat()[11:19]),
    ]
    assert {gap["cause"] for gap in body["gaps"]} == {"Not scheduled"}
    assert [row["id"] for row in body["recordings"]] == [archive.own]
    assert [event["kind"] for event in body["events"]][-1] == "device.found"


@pytest.mark.parametrize(
    ("day", "hours", "twice"), [("2026-03-29", 23, 0), ("2026-10-25", 25, 1), ("2026-06-01", 24, 0)]
)
def test_days_of_the_clock_change_have_their_own_hours(archive, ada, day, hours, twice):
    body = body_of(ada.get(f"/api/cameras/1/days/{day}?zone=Europe/Berlin"))
    names = [hour["name"] for hour in body["hours"]]
    assert len(names) == hours
    assert len(names) - len(set(names)) == twice
    moments = [datetime.fromisoformat(hour["at"]) for hour in body["hours"]]
    assert {later - earlier for earlier, later in zip(moments, moments[1:], strict=False)} == {
        timedelta(hours=1)
    }
    length = datetime.fromisoformat(body["end"]) - datetime.fromisoformat(body["start"])
    assert length == timedelta(hours=hours)


def test_a_day_with_1440_files_is_one_line(archive, ada):
    start = datetime(2026, 2, 10, tzinfo=UTC)
    archive.shelf.segments(2, [(start + timedelta(minutes=minute), 60) for minute in range(1440)])
    answer = ada.get("/api/cameras/2/days/2026-02-10?zone=UTC")
    body = body_of(answer)
    assert body["recorded_seconds"] == 86_400
    assert [stretch["seconds"] for stretch in body["present"]] == [86_400]
    assert body["gaps"] == []
    assert len(answer.data) < 5000


@pytest.mark.parametrize("day", ["2026-02-30", "0001-01-01", "9999-12-31", "x", "../1"])
def test_a_day_that_is_none_is_refused(ada, day):
    assert ada.get(f"/api/cameras/1/days/{day}").status_code in (404, 422)


def test_a_file_that_changed_since_it_was_played_plays_with_what_is_left(archive, ada, files):
    at = NOON - timedelta(days=4)
    whole = (files / "four.mp4").read_bytes()
    segment = archive.shelf.segment(1, at, 4, files / "four.mp4")
    path = archive.shelf.folder / "1" / segment.file
    url = f"/api/recordings/{archive.shelf.recording(1, at, 4)}/download"
    film = ada.get(url).data
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert 0 < len(ada.get(url).data) < len(film)
    path.unlink()
    assert ada.get(url).status_code == 404
    path.write_bytes(whole)
    assert ada.get(url).data == film


def test_a_file_that_vanishes_while_it_is_sent_is_one_line_in_the_log(archive, ada, files, caplog):
    at = NOON - timedelta(days=6)
    archive.shelf.segment(1, at, 6, files / "six.mp4")
    last = archive.shelf.segment(1, at + timedelta(seconds=6), 4, files / "four.mp4")
    url = f"/api/recordings/{archive.shelf.recording(1, at, 10)}/download"
    answer = ada.get(url)
    chunks = iter(answer.response)
    next(chunks)
    (archive.shelf.folder / "1" / last.file).unlink()
    with pytest.raises(ConnectionResetError):  # the server then closes the connection
        list(chunks)
    [line] = [record.getMessage() for record in caplog.records if record.levelname != "INFO"]
    assert line.startswith(f"{url} has ended early: a file of it cannot be read. It cannot be ")
    assert not any(record.exc_info for record in caplog.records)


def test_a_number_that_no_database_holds_is_that_of_nothing(archive, ada):
    asked = set()
    for rule in archive.home.app.url_map.iter_rules():
        numbers = {name for name in rule.arguments if f"<int:{name}>" in rule.rule}
        if numbers and rule.endpoint not in asked:
            asked.add(rule.endpoint)
            [method, *_] = rule.methods - {"HEAD", "OPTIONS"}
            for number in (2**31, 2**63):
                path = re.sub(r"<int:\w+>", str(number), rule.rule)
                answer = ada.ask(method, path, json={})
                assert answer.status_code == 404, path
    assert len(asked) > 20


def test_the_watchdog_asks_for_the_right_to_a_download_without_a_request(archive):
    monitor = archive.home.monitor
    accounts = monitor.authenticator.accounts
    user = accounts.by_name("Ada")
    person = accounts.snapshot.person(user.id, proof=user.password)
    recording = monitor.packages.find(VideoPackage).library.find(archive.own)
    assert may_still(visible_to(monitor, person), recording)


# -- changes ---------------------------------------------------------------------------------


def test_protect_rename_delete_and_undo(archive, ada):
    id = archive.shelf.recording(1, NOON, 60, name="Old")
    url = f"/api/recordings/{id}"
    changed = body_of(ada.ask("PATCH", url, json={"name": "New", "protected": True}))
    assert (changed["recording"]["name"], changed["recording"]["protected"]) == ("New", True)
    refused = ada.ask("DELETE", url)
    assert (refused.status_code, refused.json["error"]) == (409, "This recording is protected")
    body_of(ada.ask("PATCH", url, json={"protected": False}))
    gone = body_of(ada.ask("DELETE", url))
    for path in (url, f"{url}/download", f"{url}/thumbnail.jpg"):
        assert ada.get(path).status_code == 404
    assert ada.ask("DELETE", url).status_code == 404
    assert id not in [row["id"] for row in body_of(ada.get("/api/recordings"))["recordings"]]
    assert body_of(ada.ask("POST", gone["restore"]))["recording"]["id"] == id
    assert ada.ask("POST", gone["restore"]).status_code == 404
    assert body_of(ada.get(url))["name"] == "New"
    texts = " ".join(archive.audit())
    for done in ("Changed", "Deleted", "Restored"):
        assert f"Ada: {done} the recording {id} (" in texts
    ada.ask("DELETE", url)


def test_one_that_runs_is_not_deleted(archive, ada):
    id = archive.shelf.recording(1, NOON, 0, status="recording", ended_at=None)
    assert ada.ask("DELETE", f"/api/recordings/{id}").json["error"] == "This recording is running"
    body_of(ada.get(f"/api/recordings/{id}"))


def test_what_only_a_deleted_recording_has_is_not_played(archive, ada, files):
    at = NOON - timedelta(days=3)
    archive.shelf.segment(1, at, 4, files / "four.mp4")
    id = archive.shelf.recording(1, at, 4)
    moment = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    playing = body_of(ada.get(f"/api/cameras/1/playback?at={moment}"))
    assert ada.get(playing["url"]).status_code == 200
    body_of(ada.ask("DELETE", f"/api/recordings/{id}"))
    assert ada.get(f"/api/cameras/1/playback?at={moment}").status_code == 404
    assert ada.get(playing["url"]).status_code == 404
    day = body_of(ada.get(f"/api/cameras/1/days/{at:%Y-%m-%d}?zone=UTC"))
    assert day["present"] == []


# -- who may ---------------------------------------------------------------------------------


def test_limited_people_see_play_and_download_what_is_granted_alone(archive):
    lea = archive.ask["Lea"]  # who may view camera 1
    ids = {row["camera"] for row in body_of(lea.get("/api/recordings"))["recordings"]}
    assert ids == {1}
    hidden = archive.other
    for path in (
        f"/v0/api/cctv/recordings/{hidden}/",
        f"/v0/api/cctv/recordings/{hidden}/download/",
        f"/api/recordings/{hidden}",
        f"/api/recordings/{hidden}/download",
        f"/api/recordings/{hidden}/thumbnail.jpg",
        "/api/recordings?camera=2",
        "/api/cameras/2/days/2026-03-01",
        "/api/cameras/2/playback?at=2026-03-01T08:00:00Z",
        "/api/cameras/2/playback.mp4?from=2026-03-01T08:00:00Z&to=2026-03-01T08:01:00Z",
        "/api/cameras/2/thumbnail.jpg?at=2026-03-01T08:00:00Z",
    ):
        assert lea.get(path).status_code in (403, 404), path
    own = f"/api/recordings/{archive.own}"
    body_of(lea.get(own))
    assert lea.get(f"{own}/thumbnail.jpg").status_code == 200
    assert lea.get(f"{own}/download").status_code == 403  # her grant has not that right
    assert lea.ask("DELETE", own).status_code == 403
    assert lea.ask("POST", f"{own}/link", json={"minutes": 5}).status_code == 403


def test_a_grant_with_the_right_downloads(archive):
    accounts = archive.home.monitor.authenticator.accounts
    user = add(accounts, "Mia", "viewer", sees_all=False)
    accounts.grant(user.id, "view", device=1, rights=("download",))
    mia = Visitor(archive.home, user=user.id)
    assert mia.ask("HEAD", f"/api/recordings/{archive.own}/download").status_code == 200
    assert mia.ask("HEAD", f"/api/recordings/{archive.other}/download").status_code == 404
    assert mia.ask("PATCH", f"/api/recordings/{archive.own}", json={}).status_code == 403


def test_only_those_who_can_restore_see_what_was_deleted(archive, ada):
    accounts = archive.home.monitor.authenticator.accounts
    user = add(accounts, "Noa", "viewer", sees_all=False)
    accounts.grant(user.id, "view", device=1)
    accounts.grant(user.id, "control", device=2, rights=("record",))
    noa = Visitor(archive.home, user=user.id)
    for id in (archive.own, archive.other):
        assert ada.ask("DELETE", f"/api/recordings/{id}").status_code in (200, 204)
    try:
        page = "/recordings?status=deleted"
        assert f"/recordings/{archive.own}/restore" in ada.get(page).text
        assert f"/recordings/{archive.other}/restore" in noa.get(page).text
        for hidden in (noa.get(page), noa.get(f"{page}&camera=1"), archive.ask["Lea"].get(page)):
            assert f"/recordings/{archive.own}/restore" not in hidden.text
        assert "Recently deleted" not in archive.ask["Lea"].get(page).text
    finally:
        for id in (archive.own, archive.other):
            ada.ask("POST", f"/api/recordings/{id}/restore")


def test_downloads_go_by_number_never_by_path(archive, ada):
    for path in ("../1", "..%2f..%2fetc%2fpasswd", "main.mp4", "-1", "1/../../x"):
        answer = ada.get(f"/v0/api/cctv/recordings/{path}/download/")
        assert answer.status_code in (404, 308), path


# -- links -----------------------------------------------------------------------------------


def link_of(visitor: Visitor, id: int, minutes: int = 10) -> str:
    answer = visitor.ask("POST", f"/api/recordings/{id}/link", json={"minutes": minutes})
    url: str = body_of(answer)["url"]
    return re.sub(r"^https?://[^/]+", "", url)


def test_a_link_plays_without_a_login_until_it_ends(archive, ada):
    stranger, url = archive.ask["stranger"], link_of(ada, archive.own)
    whole = stranger.get(url)
    assert (whole.status_code, whole.mimetype) == (200, "video/mp4")
    part = stranger.get(url, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.data) == (206, whole.data[5:10])
    changed = url.replace(f"/{archive.own}/", f"/{archive.other}/")
    later = re.sub(r"until=(\d+)", lambda match: f"until={int(match[1]) + 60}", url)
    other = re.sub(r"user=\d+", "user=999", url)
    for forged in (changed, later, other, url[:-1] + ("0" if url[-1] != "0" else "1")):
        assert stranger.get(forged).status_code == 404
    assert stranger.ask("DELETE", url).status_code == 401
    archive.home.clock.forward(minutes=11)
    assert stranger.get(url).status_code == 404


def test_a_link_ends_with_the_recording_and_with_the_rights_of_its_creator(archive, ada, files):
    at = NOON - timedelta(days=5)
    archive.shelf.segment(1, at, 4, files / "four.mp4")
    id = archive.shelf.recording(1, at, 4)
    accounts = archive.home.monitor.authenticator.accounts
    user = add(accounts, "Kim", "viewer")
    stranger = archive.ask["stranger"]
    by_ada, by_kim = link_of(ada, id), link_of(Visitor(archive.home, user=user.id), id)
    assert stranger.get(by_kim).status_code == 200
    accounts.remove(user.id)
    assert stranger.get(by_kim).status_code == 404
    assert stranger.get(by_ada).status_code == 200
    body_of(ada.ask("DELETE", f"/api/recordings/{id}"))
    assert stranger.get(by_ada).status_code == 404


def test_a_token_that_only_reads_creates_no_link(archive):
    url = f"/api/recordings/{archive.own}/link"
    refused = archive.ask["read token"].ask("POST", url, json={"minutes": 5})
    assert refused.status_code == 403
    assert "operate" in refused.json["hint"]
    assert archive.ask["read token"].get(f"/recordings/{archive.own}/link").status_code == 403


def test_a_link_ends_with_the_token_or_the_password_that_made_it(archive):
    accounts, stranger = archive.home.monitor.authenticator.accounts, archive.ask["stranger"]
    user = add(accounts, "Zoe", "viewer")
    visitor = Visitor(archive.home, user=user.id)
    token, text = accounts.add_token(user.id, "player", "operate", None)
    by_token = link_of(Visitor(archive.home, {"Authorization": f"Bearer {text}"}), archive.own)
    by_login = link_of(visitor, archive.own)
    without = re.sub(r"&token=\d+", "", by_token)
    assert [stranger.get(url).status_code for url in (by_token, by_login)] == [200, 200]
    assert stranger.get(without).status_code == 404
    accounts.revoke_token(token.id)
    assert [stranger.get(url).status_code for url in (by_token, by_login)] == [404, 200]
    accounts.change(user.id, password="quite another password")
    assert stranger.get(by_login).status_code == 404


def test_views_downloads_and_links_are_in_the_audit_log_without_the_signature(archive, caplog):
    otto = archive.ask["Otto"]
    caplog.set_level("DEBUG")
    for start in (0, 1000, 2000):
        headers = {"Range": f"bytes={start}-{start + 99}"}
        otto.get(f"/api/recordings/{archive.own}/download", headers=headers)
    body = body_of(otto.get("/api/cameras/1/playback?at=2026-03-01T08:00:00Z"))
    otto.get(body["url"])
    otto.get(body["url"], headers={"Range": "bytes=100-"})
    url = link_of(otto, archive.own)
    archive.ask["stranger"].get(url)
    texts = [text for text in archive.audit() if "Otto" in text]
    number = archive.own
    assert sum(f"Otto: Downloaded the recording {number} (" in text for text in texts) == 1
    assert sum("Otto: Played the recordings of Gate (main)" in text for text in texts) == 1
    assert sum(f"Created a link to the recording {number}" in text for text in texts) == 1
    assert sum(text.startswith("link of Otto: Played by a link") for text in texts) == 1
    signature = url.rpartition("=")[2]
    assert len(signature) == 64
    every = json.dumps([str(entry) for entry in archive.home.monitor.audit.find(limit=100)])
    assert signature not in every + caplog.text
