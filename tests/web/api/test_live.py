"""Live video over HTTP, from real cameras: MP4, pictures, all tiles of a page, and who watches."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.accounts.people import PASSWORD
from tests.gst_server import needs_gst
from tests.home import Running, until
from tests.web.crowds import crowd, use
from tests.web.http.test_slow_clients import worker_of
from tests.web.live_pictures import (
    DEAD,
    FRAGMENT,
    GATE,
    INIT,
    JPEG,
    PICTURE,
    PING,
    STATE,
    Follower,
    following,
    monitor_with,
)
from video.model import NO_PICTURE, OPENING, PLAYING, RETRYING, WAITING, StreamState
from web.http.live_views import FIRST_SECONDS, KEY_FRAME_SECONDS, patience_for

pytestmark = needs_gst
NEXT_PART = b"\r\n--picture\r\nContent-Type: image/jpeg\r\n\r\n"
NOBODY = 999
LIMITS = {"MAX_VIEWERS": "6", "MAX_VIEWERS_PER_USER": "4"}


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with monitor_with(tmp_path_factory.mktemp("live"), JPEG, **LIMITS) as started:
        yield started


def active(monitor: Running, **headers: str) -> Any:
    return monitor.get("/v0/api/cctv/streams/active/", **headers).json


def until_nobody_watches(monitor: Running) -> None:
    until(lambda: active(monitor) == [], what="nobody watches")


def test_a_camera_comes_as_fragmented_mp4_that_is_never_kept(monitor: Running) -> None:
    with following(monitor, f"/api/cameras/{GATE}/live.mp4") as live:
        until(lambda: live.data.count(b"moof") > 20, what="20 fragments")
        headers = live.answer.headers
        (session,) = active(monitor)
    assert headers["Content-Type"].startswith('video/mp4; codecs="avc1.')
    assert headers["Cache-Control"] == "no-store, no-transform"
    assert headers["X-Accel-Buffering"] == "no"
    assert "Content-Encoding" not in headers
    assert live.data[4:8] == b"ftyp"
    assert live.data.index(b"moov") < live.data.index(b"moof")
    assert (session["camera"], session["kind"], session["quality"]) == (GATE, "mp4", "main")
    assert session["is_active"]
    until_nobody_watches(monitor)
    last = monitor.get("/v0/api/cctv/streams/").json[0]
    assert (last["id"], last["is_active"]) == (session["id"], False)
    assert last["ended_at"] is not None
    assert last["sent"] > 1000


def test_the_next_part_begins_right_after_each_picture(monitor: Running) -> None:
    """A browser shows a part when it has the head of the next one."""
    path = f"/v0/api/cctv/cameras/{GATE}/stream/?quality=main&width=320&rate=15"
    with following(monitor, path) as live:
        until(lambda: live.data.count(NEXT_PART) > 3, what="three pictures")
        headers = live.answer.headers
    assert headers["Content-Type"] == "multipart/x-mixed-replace; boundary=picture"
    assert headers["X-Stream"] == "main"
    assert headers["X-Source-Size"] == headers["X-Picture-Size"] == "320x240"
    assert float(headers["X-Picture-Age"]) < 60
    first, *others = live.data.split(NEXT_PART)
    assert first.startswith(b"--picture\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8")
    assert all(part.startswith(b"\xff\xd8") and part.endswith(b"\xff\xd9") for part in others[:2])


def test_a_picture_is_complete_long_before_the_next_one(monitor: Running) -> None:
    """The next picture comes after 100 s."""
    with following(monitor, f"/v0/api/cctv/cameras/{GATE}/stream/?rate=0.01") as live:
        until(lambda: live.data.endswith(b"\xff\xd9" + NEXT_PART), what="a whole part")


def test_a_camera_without_a_sub_stream_shows_the_main_one_and_says_so(monitor: Running) -> None:
    with following(monitor, f"/v0/api/cctv/cameras/{GATE}/stream/?quality=sub") as live:
        assert live.answer.status == 200
        assert live.answer.headers["X-Stream"] == "main"
        assert "no sub stream" in live.answer.headers["X-Note"]
    with following(monitor, f"/api/live?tiles={GATE}:sub") as page:
        until(lambda: page.frames(0, FRAGMENT), what="a fragment")
        state = page.frames(0, STATE)[-1].state
    assert state["stream"] == "main"
    assert "This camera has no sub stream. The main stream is shown." in state["notes"]


def test_the_tiles_of_a_page_share_a_connection_and_none_delays_another(monitor: Running) -> None:
    tiles = f"{NOBODY}:main,{DEAD}:main,{GATE}:main,{JPEG}:main"
    with following(monitor, f"/api/live?tiles={tiles}") as page:
        until(lambda: len(page.frames(2, FRAGMENT)) > 5, what="fragments of the camera that is on")
        until(lambda: page.frames(3, PICTURE), what="pictures of the MJPEG camera")
        until(lambda: page.frames(0xFFFF, PING), what="a sign of life")
        until(
            lambda: page.frames(1, STATE)[-1].state["activity"] == "retrying",
            what="the camera that is off is known to be off",
        )
        watching = {row["camera"]: row["kind"] for row in active(monitor)}
    assert watching == {DEAD: "wall", GATE: "wall", JPEG: "wall"}
    (gone,) = page.frames(0, STATE)
    assert "does not exist" in gone.state["detail"]
    (init,) = page.frames(2, INIT)
    assert b'"type":"video/mp4; codecs=\\"avc1.' in init.content
    assert init.content[int.from_bytes(init.content[:2]) + 6 :].startswith(b"ftyp")
    assert page.frames(1, STATE)[-1].state["text"] == "No signal"
    assert page.frames(1, STATE)[-1].state["detail"].endswith("Trying again.")
    assert not page.frames(1, FRAGMENT)
    assert page.frames(3, PICTURE)[0].content.startswith(b"\xff\xd8")
    assert page.frames(2, FRAGMENT)[-1].age < 5


def test_a_camera_that_mp4_cannot_hold_names_the_address_of_its_pictures(
    monitor: Running,
) -> None:
    answer = monitor.get(f"/api/cameras/{JPEG}/live.mp4")
    assert answer.status == 503
    assert f"Use /v0/api/cctv/cameras/{JPEG}/stream/ instead" in answer.json["hint"]


def test_an_unknown_parameter_is_refused_where_people_are_listed(monitor: Running) -> None:
    for path in ("/v0/api/cctv/streams/", "/v0/api/cctv/streams/active/"):
        answer = monitor.get(f"{path}?active=1")
        assert answer.status == 422
        assert answer.json["error"].startswith("active: unknown parameter")


def test_a_head_request_opens_nothing(monitor: Running) -> None:
    for path in (
        f"/api/cameras/{DEAD}/live.mp4",
        f"/v0/api/cctv/cameras/{DEAD}/stream/",
        f"/api/live?tiles={DEAD}:main",
    ):
        before = len(monitor.get("/v0/api/cctv/streams/").json)
        answer = monitor.request("HEAD", path)
        assert (answer.status, answer.body) == (200, b"")
        assert len(monitor.get("/v0/api/cctv/streams/").json) == before


def test_one_viewer_too_many_is_told_so(monitor: Running) -> None:
    until_nobody_watches(monitor)
    path = f"/api/live?tiles={GATE}:main"
    followers = [Follower(monitor, path) for _ in range(4)]
    try:
        answer = monitor.get(f"/api/cameras/{GATE}/live.mp4")
        assert answer.status == 503
        assert answer.json["error"] == "You already have 4 live views"
        assert answer.headers["Retry-After"]
        assert monitor.get("/api/stats").status == 200
    finally:
        for follower in followers:
            follower.close()
    until_nobody_watches(monitor)
    nine = ",".join([f"{DEAD}:main"] * 36)
    with following(monitor, f"/api/live?tiles={nine}") as page:
        assert page.answer.status == 200, "36 tiles of one page count as four"


def test_viewers_and_event_streams_leave_room_and_give_all_back(monitor: Running) -> None:
    """Before there are accounts, each address is somebody. For 100 viewers and 200 event streams
    see tests/web/http/test_many_viewers.py."""
    until_nobody_watches(monitor)
    pid = worker_of(monitor)
    path, (threads, descriptors) = f"/api/cameras/{GATE}/live.mp4", use(pid)
    with crowd(monitor) as clients:
        clients.join(30, "/api/events", "127.0.0.2", Accept="text/event-stream")
        clients.join(4, path, "127.0.0.3")
        clients.join(2, f"/v0/api/cctv/cameras/{JPEG}/stream/", "127.0.0.4")
        until(lambda: all(each.received for each in clients.clients), what="all are served")
        assert {each.status for each in clients.clients} == {200}
        more_threads, more = use(pid)
        print(f"{more_threads - threads} threads and {more - descriptors} descriptors more")
        assert more_threads - threads < 36 + 10
        assert more - descriptors < 36 + 20
        refused = monitor.get(path)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "30")
        assert refused.json["error"] == "There are already 6 live views"
        assert monitor.get("/api/cameras").status == monitor.get("/").status == 200
    until_nobody_watches(monitor)
    until(lambda: use(pid)[1] <= descriptors + 4, 30, "the descriptors are given back")


def test_a_first_picture_is_waited_for_as_long_as_the_camera_sends() -> None:
    before, since = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
    after = datetime(2026, 3, 1, 12, 2, tzinfo=UTC)
    seen = {
        (activity, at): patience_for(StreamState(activity, since, picture_at=at))
        for activity in (OPENING, RETRYING, NO_PICTURE, WAITING, PLAYING)
        for at in (None, before, after)
    }
    long = {key for key, seconds in seen.items() if seconds == KEY_FRAME_SECONDS}
    assert long == {(WAITING, after), (PLAYING, after)}
    assert {seconds for key, seconds in seen.items() if key not in long} == {FIRST_SECONDS}
    assert patience_for(None) == FIRST_SECONDS


def test_a_viewer_that_reads_nothing_is_cut_off_and_disturbs_nobody(monitor: Running) -> None:
    until_nobody_watches(monitor)
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", monitor.port))
        request = f"GET /v0/api/cctv/cameras/{GATE}/stream/?width=1920&rate=15 HTTP/1.1"
        lazy.sendall(f"{request}\r\nHost: localhost\r\n\r\n".encode())
        until(lambda: active(monitor), what="somebody watches")
        with following(monitor, f"/api/live?tiles={GATE}:main") as page:
            until(lambda: len(page.frames(0, FRAGMENT)) > 20, what="another one sees it")
        until(lambda: active(monitor) == [], 60, "the one that reads nothing is cut off")


def test_a_view_is_in_the_audit_log_once(monitor: Running) -> None:
    for _ in range(2):
        with following(monitor, f"/api/live?tiles={GATE}:main") as page:
            until(lambda page=page: page.frames(0), what="a frame")
        until_nobody_watches(monitor)
    (text,) = until(lambda: _views_of_gate(monitor), what="it is in the log")
    assert text.startswith("Live view of ")


def _views_of_gate(monitor: Running) -> list[str]:
    """Of one person: before there are accounts, that is an address."""
    entries = monitor.get("/api/audit?action=video.viewed").json
    own = [entry["text"] for entry in entries if entry["address"] == "127.0.0.1"]
    return [text for text in own if "Camera 1 (main)" in text]


def test_a_view_goes_on_with_the_record_that_remains(monitor: Running) -> None:
    until_nobody_watches(monitor)
    with following(monitor, f"/api/live?tiles={JPEG}:main") as page:
        until(lambda: page.frames(0, PICTURE), what="the camera plays")
        merged = monitor.request("POST", f"/api/camera/{GATE}/merge", {"with": JPEG}).json
        until(lambda: [row["camera"] for row in active(monitor)] == [GATE], what="the other one")
        count = len(page.frames(0, PICTURE))
        until(lambda: len(page.frames(0, PICTURE)) > count, what="it plays")
        assert not page.has_ended
    assert monitor.request("POST", "/api/undo", {"event": merged["undo"]}).status == 200


def test_a_view_ends_with_the_right_to_it(monitor: Running) -> None:
    """Last: from here on the monitor has accounts."""
    ada = {"username": "Ada", "password": PASSWORD, "role": "admin"}
    assert monitor.request("POST", "/api/users", ada).status == 201
    key = _login(monitor, "Ada")
    lea = {"username": "Lea", "password": PASSWORD, "role": "viewer", "all_cameras": False}
    number = monitor.request("POST", "/api/users", lea, key).json["id"]
    grants = f"/api/users/{number}/grants"
    grant = monitor.request("POST", grants, {"level": "view", "device": GATE}, key).json["id"]
    hers = _login(monitor, "Lea")
    assert monitor.get(f"/api/cameras/{DEAD}/live.mp4", **hers).status == 404
    with (
        following(monitor, f"/api/cameras/{GATE}/live.mp4", **hers) as live,
        following(monitor, f"/api/live?tiles={GATE}:main,{DEAD}:main", **hers) as page,
    ):
        until(lambda: live.data and page.frames(0, FRAGMENT), what="both play")
        assert "not allowed" in page.frames(1, STATE)[-1].state["detail"]
        assert {row["user"] for row in active(monitor, **key)} == {"Lea"}
        assert monitor.request("DELETE", f"{grants}/{grant}", headers=key).status == 200
        until(lambda: live.has_ended and page.has_ended, 5, "both have ended")
        assert "not allowed" in page.frames(0, STATE)[-1].state["detail"]
    assert active(monitor, **key) == []


def _login(monitor: Running, name: str) -> dict[str, str]:
    body = {"username": name, "password": PASSWORD}
    answer = monitor.request("POST", "/api/auth/login", body)
    assert answer.status == 200, answer.body
    return {"Authorization": f"Bearer {answer.json['access_token']}"}
