"""A recorder with 16 channels by ONVIF and RTSP, added by its address to a real monitor."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from simulators.logins import Accounts
from simulators.onvif import recorder_sources
from simulators.place import Place, camera, streams_of
from tests.home import Running, free_port, until
from tests.workbooks import write

ADDRESS, OTHER, CHANNELS = "127.96.0.1", "127.96.0.2", 16
DAHUA, CAMERA = "127.96.0.3", "127.96.0.4"
"""A recorder of the workbook with two channels, and a camera; no scan reaches either."""


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    login = Accounts("admin", "secret-1")
    recorder = camera(
        ADDRESS, "00:00:5e:00:53:60", login, "Store 12 recorder", recorder_sources(CHANNELS)
    )
    ports = [free_port(socket.SOCK_DGRAM) for _ in range(2)]
    search = (("127.0.0.1", ports[0]), ("127.0.0.1", ports[1]))
    dahua = camera(DAHUA, "00:00:5e:00:53:63", login, "Dahua", recorder_sources(2))
    single = camera(CAMERA, "00:00:5e:00:53:64", login, "Gate")
    with Place(
        [recorder, dahua, single], search, free_port(), free_port(), discovery_port=3702
    ) as running:
        yield running


@pytest.fixture(scope="module")
def monitor(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("recorder"), ONVIF_TARGETS=f"{ADDRESS},{OTHER}")
    write(running.folder / "P2P1.xlsx", [("ABC1", "1041", "North")])
    running.start()
    try:
        until(lambda: len(rows(running)) == 1, 30, "the workbook is read")
        body = {
            "ip_address": ADDRESS,
            "onvif": {"port": place.onvif.port},
            "username": "admin",
            "password": "secret-1",
        }
        answer = running.request("POST", "/api/cameras", body)
        assert answer.status == 201, answer.body
        until(lambda: len(of_recorder(running)) == 1 + CHANNELS, 30, "the channels are listed")
        yield running
    finally:
        running.stop()


def rows(monitor: Running) -> list[Any]:
    return list(monitor.get("/api/cameras?per_page=100").json["cameras"])


def of_recorder(monitor: Running) -> list[Any]:
    """The rows of the recorder and its channels."""
    (recorder,) = [row for row in rows(monitor) if row["mac_address"] == "00:00:5e:00:53:60"] or [
        {"id": 0}
    ]
    return [row for row in rows(monitor) if recorder["id"] in (row["id"], row["parent"])]


def statuses(monitor: Running) -> list[str]:
    return [row["status"] for row in of_recorder(monitor)]


def with_findings(monitor: Running) -> list[int]:
    """The channels that have a finding."""
    listed = monitor.get("/api/cameras?findings=true").json["cameras"]
    return [row["id"] for row in listed]


def ask(monitor: Running, number: int) -> None:
    assert monitor.request("POST", f"/api/devices/{number}/poll").status == 200


def test_a_recorder_and_its_channels_from_its_address_to_another(
    place: Place, monitor: Running
) -> None:
    recorder = place.cameras[0]
    first, *channels = of_recorder(monitor)
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
    assert [row["id"] for row in of_recorder(monitor)] == ids


def numbers(monitor: Running) -> list[int]:
    return [row["id"] for row in of_recorder(monitor)]


def addresses(monitor: Running) -> set[str]:
    return {row["current_ip"] for row in of_recorder(monitor)}


def events(monitor: Running) -> list[Any]:
    return list(monitor.get("/api/events?limit=500").json["events"])


def reached(monitor: Running, ids: list[int]) -> list[int]:
    """The devices that a check by hand reaches."""
    answers = (monitor.request("POST", f"/api/devices/{id}/poll").json for id in ids)
    return [id for id, answer in zip(ids, answers, strict=True) if answer["success"]]


def scan(monitor: Running) -> None:
    assert monitor.request("POST", "/api/scan").status == 200
    until(lambda: monitor.get("/api/scan").json["running"] is None, 30, "the scan ended")


def test_a_recorder_that_moves_takes_its_channels_along_and_a_scan_finds_the_same_ids(
    place: Place, monitor: Running
) -> None:
    ids = numbers(monitor)
    before = events(monitor)[0]["id"]
    place.move({ADDRESS: OTHER})
    scan(monitor)
    until(lambda: addresses(monitor) == {OTHER}, 30, "all have moved")
    until(lambda: set(statuses(monitor)) <= {"ACTIVE", "IP_CHANGED"}, 30, "all are checked")
    until(lambda: len(reached(monitor, ids)) == len(ids), 30, "all are checked there")
    assert numbers(monitor) == ids
    after = [event for event in events(monitor) if event["id"] > before]
    moves = [event["device"] for event in after if event["kind"] == "device.moved"]
    assert moves == [ids[0]]
    assert not {event["kind"] for event in after if event["device"] in ids[1:]}


def test_a_recorder_that_drops_to_one_video_source_keeps_the_ids_of_all(
    place: Place, monitor: Running
) -> None:
    recorder, ids = place.cameras[0], numbers(monitor)
    whole = recorder.onvif.sources
    recorder.onvif.sources = whole[:1]
    recorder.rtsp.streams = streams_of(recorder.onvif)

    def is_asked(wanted: set[str]) -> bool:
        ask(monitor, ids[0])
        return set(statuses(monitor)[2:]) <= wanted

    until(lambda: is_asked({"OFFLINE"}), 30, "the missing ones are offline")
    assert not {"OFFLINE", "UNREACHABLE"} & {*statuses(monitor)[:2]}
    assert of_recorder(monitor)[5]["reason"]
    recorder.onvif.sources = whole
    recorder.rtsp.streams = streams_of(recorder.onvif)
    until(lambda: is_asked({"ACTIVE", "IP_CHANGED"}), 30, "all are back")
    assert numbers(monitor) == ids


@pytest.mark.parametrize("address", [OTHER, CAMERA])
def test_a_stream_added_at_the_address_of_a_device_is_a_new_camera(
    place: Place, monitor: Running, address: str
) -> None:
    recorder = numbers(monitor)[0]
    added = []
    for path in ("/extra/1", "/extra/2"):
        body = {"rtsp_url": f"rtsp://{address}:{place.rtsp.port}{path}", "username": "x"}
        answer = monitor.request("POST", "/api/cameras", body)
        assert answer.status == 201, answer.body
        added.append(answer.json["camera"]["id"])
    try:
        assert len({*added}) == 2
        parents = [monitor.get(f"/api/cameras/{id}").json["parents"] for id in added]
        assert parents == [[recorder] if address == OTHER else []] * 2
        body = {"rtsp_url": f"rtsp://{address}:{place.rtsp.port}/same", "same_as": added[0]}
        before = len(rows(monitor))
        answer = monitor.request("POST", "/api/cameras", body)
        assert (answer.status, len(rows(monitor))) == (201, before), answer.body
    finally:
        for id in added:
            monitor.request("DELETE", f"/api/cameras/{id}")


def test_a_dahua_recorder_of_the_workbook_gets_its_channels_once_its_address_is_known(
    place: Place, monitor: Running
) -> None:
    (listed,) = [row for row in rows(monitor) if row["site"] == "1041" and not row["parent"]]
    body = {
        "ip_address": DAHUA,
        "onvif": {"port": place.onvif.port},
        "username": "admin",
        "password": "secret-1",
    }
    answer = monitor.request("PUT", f"/api/cameras/{listed['id']}", body)
    assert answer.status == 200, answer.body
    path = f"/api/cameras?channels_of={listed['id']}"

    def channels() -> list[Any]:
        return list(monitor.get(path).json["cameras"])

    until(lambda: [row["status"] for row in channels()] == ["ACTIVE"] * 2, 30, "its channels")
    assert {row["site"] for row in channels()} == {"1041"}
    assert monitor.get(f"/api/cameras/{listed['id']}").json["kind"] == "recorder"
