"""A recorder with 16 channels by ONVIF and RTSP, added by its address to a real monitor."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from simulators.logins import Accounts
from simulators.onvif import recorder_sources
from simulators.place import Place, camera
from tests.home import Running, free_port, until

ADDRESS, OTHER, CHANNELS = "127.96.0.1", "127.96.0.2", 16


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    login = Accounts("admin", "secret-1")
    recorder = camera(
        ADDRESS, "00:00:5e:00:53:60", login, "Store 12 recorder", recorder_sources(CHANNELS)
    )
    ports = [free_port(socket.SOCK_DGRAM) for _ in range(2)]
    search = (("127.0.0.1", ports[0]), ("127.0.0.1", ports[1]))
    with Place([recorder], search, free_port(), free_port(), discovery_port=3702) as running:
        yield running


@pytest.fixture(scope="module")
def monitor(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("recorder"), ONVIF_TARGETS=f"{ADDRESS},{OTHER}")
    running.start()
    try:
        body = {
            "ip_address": ADDRESS,
            "onvif": {"port": place.onvif.port},
            "username": "admin",
            "password": "secret-1",
        }
        answer = running.request("POST", "/api/cameras", body)
        assert answer.status == 201, answer.body
        until(lambda: len(rows(running)) == 1 + CHANNELS, 30, "the channels are listed")
        yield running
    finally:
        running.stop()


def rows(monitor: Running) -> list[Any]:
    return list(monitor.get("/api/cameras?per_page=100").json["cameras"])


def statuses(monitor: Running) -> list[str]:
    return [row["status"] for row in rows(monitor)]


def with_findings(monitor: Running) -> list[int]:
    """The channels that have a finding."""
    listed = monitor.get("/api/cameras?findings=true&channels_of=1").json["cameras"]
    return [row["id"] for row in listed]


def ask(monitor: Running, number: int) -> None:
    assert monitor.request("POST", f"/api/devices/{number}/poll").status == 200


def test_a_recorder_and_its_channels_from_its_address_to_another(
    place: Place, monitor: Running
) -> None:
    (recorder,) = place.cameras
    first, *channels = rows(monitor)
    ids = [row["id"] for row in (first, *channels)]
    until(lambda: statuses(monitor) == ["ACTIVE"] * 17, 30, "all are checked")
    assert monitor.get(f"/api/cameras/{first['id']}").json["kind"] == "recorder"
    assert {row["kind"] for row in channels} == {"camera"}
    parents = [monitor.get(f"/api/cameras/{id}").json["parents"] for id in ids[1:]]
    assert parents == [[first["id"]]] * CHANNELS
    assert not monitor.get("/api/events?kind=finding.raised").json["events"]

    place.lose_signal(recorder, 5)
    ask(monitor, ids[5])
    until(lambda: with_findings(monitor) == [ids[5]], 30, "one channel is dark")
    assert statuses(monitor) == ["ACTIVE"] * 17
    place.lose_signal(recorder, 5, has_signal=True)
    ask(monitor, ids[5])
    until(lambda: not with_findings(monitor), 30, "the channel is back")

    place.turn(recorder, False)
    ask(monitor, ids[0])
    down = ["OFFLINE"] + ["UNREACHABLE"] * CHANNELS
    until(lambda: statuses(monitor) == down, 60, "one outage")
    offline = monitor.get("/api/events?kind=device.offline&limit=50").json
    assert [event["device"] for event in offline["events"]] == [ids[0]]
    place.turn(recorder, True)
    ask(monitor, ids[0])
    until(lambda: statuses(monitor) == ["ACTIVE"] * 17, 60, "all are back")
    assert [row["id"] for row in rows(monitor)] == ids
