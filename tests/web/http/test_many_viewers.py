"""200 event streams and 100 live views at once: everybody else is served as before."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from time import monotonic

import pytest

from tests.accounts.people import PASSWORD
from tests.gst_server import gst_server, needs_gst
from tests.home import Running, running, until
from tests.web.crowds import Client, Crowd, crowd, memory, use
from tests.web.http.test_slow_clients import worker_of
from tests.web.live_pictures import add

pytestmark = [needs_gst, pytest.mark.torture]
CAMERAS = 4
STREAM = {"Accept": "text/event-stream"}
LINGER = 60
"""Seconds in which streams, child processes and threads are given back."""
Key = dict[str, str]


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Running]:
    """A monitor with real cameras."""
    with ExitStack() as stack:
        started = stack.enter_context(running(tmp_path))
        for number in range(1, CAMERAS + 1):
            address = f"127.84.0.{number}"
            port = stack.enter_context(gst_server(address))
            add(started, number, f"rtsp://{address}:{port}/stream1", "", "")
        yield started


@pytest.fixture
def keys(monitor: Running) -> list[Key]:
    """The logins of an administrator and two viewers."""
    ada = {"username": "Ada", "password": PASSWORD, "role": "admin"}
    assert monitor.request("POST", "/api/users", ada).status == 201
    hers = login(monitor, "Ada")
    for name in ("Ben", "Cleo"):
        body = {"username": name, "password": PASSWORD, "role": "viewer"}
        assert monitor.request("POST", "/api/users", body, hers).status == 201
    return [hers, login(monitor, "Ben"), login(monitor, "Cleo")]


def login(monitor: Running, name: str) -> Key:
    body = {"username": name, "password": PASSWORD}
    answer = monitor.request("POST", "/api/auth/login", body)
    assert answer.status == 200, answer.body
    return {"Authorization": f"Bearer {answer.json['access_token']}"}


def test_200_event_streams_and_100_viewers_leave_room_for_everybody(
    monitor: Running, keys: list[Key]
) -> None:
    pid = worker_of(monitor)
    before = use(pid)
    with crowd(monitor) as clients:
        begun_at = monotonic()
        events = open_event_streams(clients, keys)
        until(lambda: all(each.received for each in events), 60, "all event streams are open")
        viewers = open_views(clients, keys)
        until(lambda: all(each.received > 1000 for each in viewers), 60, "all live views play")
        print(f"all are served after {monotonic() - begun_at:.1f} s")
        assert {each.status for each in clients.clients} == {200}
        during = use(pid)
        check_limits(monitor, keys)
        number = check_others(monitor, keys[0])
        begun = [each.received for each in viewers]
        until(
            lambda: all(each.received > old for each, old in zip(viewers, begun, strict=True)),
            what="every view goes on",
        )
        print(f"all others were served after {monotonic() - begun_at:.1f} s")
        assert not any(each.has_ended for each in clients.clients)
        print(f"threads, descriptors: {before} before, {during} with all, {memory(pid)} MB")
    assert 280 <= during[0] - before[0] < 508
    check_given_back(monitor, keys, before)
    assert monitor.get(f"/api/recordings/{number}/download", **keys[0]).body[4:8] == b"ftyp"
    assert "Traceback" not in monitor.text()


def open_event_streams(clients: Crowd, keys: list[Key]) -> list[Client]:
    """200 of them: as many as there may be, and half of them of one user."""
    streams = clients.join(100, "/api/events", "127.0.0.2", **STREAM, **keys[0])
    return streams + clients.join(100, "/api/events", "127.0.0.3", **STREAM, **keys[1])


def open_views(clients: Crowd, keys: list[Key]) -> list[Client]:
    """100 of them, of every kind, in parts that each of three users may have."""
    paths = [
        path
        for number in range(1, CAMERAS + 1)
        for path in (
            f"/api/cameras/{number}/live.mp4",
            f"/v0/api/cctv/cameras/{number}/stream/?quality=main",
            f"/api/live?tiles={number}:main",
        )
    ]
    places = zip((keys[0],) * 40 + (keys[1],) * 40 + (keys[2],) * 20, cycle(paths), strict=False)
    views = []
    for number, (key, path) in enumerate(islice(places, 100)):
        views += clients.join(1, path, f"127.0.0.{4 + number // 25}", **key)
    return views


def check_limits(monitor: Running, keys: list[Key]) -> None:
    """One more of each kind is refused in words, for every user."""
    refused = [monitor.get("/api/cameras/1/live.mp4", **key) for key in keys]
    assert [answer.status for answer in refused] == [503] * 3
    assert [answer.json["error"] for answer in refused] == [
        "You already have 40 live views",
        "You already have 40 live views",
        "There are already 100 live views",
    ]
    full = [monitor.get("/api/events", **STREAM, **key) for key in keys]
    assert [answer.status for answer in full] == [429, 429, 503]
    assert full[0].json["error"] == "You already have 100 open event streams"
    assert full[2].json["error"] == "200 event streams are already open"
    assert all(answer.headers["Retry-After"] for answer in refused + full)


def check_others(monitor: Running, key: Key) -> int:
    """A login, the page, the list, changes and a recording work; the number of the recording."""
    slowest = 0.0
    for _ in range(5):
        for path in ("/", "/api/cameras", "/api/stats", "/api/cameras/1/stream", "/healthz"):
            begun = monotonic()
            assert monitor.get(path, **key).status == 200, path
            slowest = max(slowest, monotonic() - begun)
    login(monitor, "Ben")
    begun = monotonic()
    started = monitor.request("POST", "/v0/api/cctv/cameras/1/start_recording", {}, key)
    assert started.status == 201, started.body
    until(lambda: recorded(monitor, key), 30, "a file grows")
    stopped = monitor.request("POST", "/v0/api/cctv/cameras/1/stop_recording", {}, key)
    assert stopped.status == 200, stopped.body
    print(f"slowest answer: {slowest:.2f} s; recorded and stopped: {monotonic() - begun:.1f} s")
    return int(monitor.get("/api/recordings", **key).json["recordings"][0]["id"])


def recorded(monitor: Running, key: Key) -> bool:
    (recording,) = monitor.get("/api/recordings", **key).json["recordings"]
    return bool(monitor.get(f"/api/recordings/{recording['id']}", **key).json["parts"])


def check_given_back(monitor: Running, keys: list[Key], before: tuple[int, int]) -> None:
    """Places, sockets and child processes are as they were. The pool keeps its threads."""
    active = "/v0/api/cctv/streams/active/"
    until(lambda: monitor.get(active, **keys[0]).json == [], 30, "no view is left")
    pid = worker_of(monitor)
    until(lambda: use(pid)[1] <= before[1] + 8, LINGER, "the descriptors are given back")
    with crowd(monitor) as clients:
        again = open_event_streams(clients, keys) + open_views(clients, keys)
        until(lambda: all(each.status for each in again), 60, "the places are free again")
        assert {each.status for each in again} == {200}
    until(lambda: use(pid)[1] <= before[1] + 8, LINGER, "they are given back again")
    print(f"afterwards: {use(pid)}")
