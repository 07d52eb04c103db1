"""Panasonic cameras are found, whatever is lost on the way, and heard when nobody asked."""

import asyncio
from collections.abc import Callable

import psutil
import pytest

from fleet.model import Sighting, SourceDown
from simulators.panasonic import Camera, Network, build_reply
from sources import panasonic
from tests.home import Clock, Home, free_port, until
from tests.sources import pretend
from tests.sources.easy_ip import packed

Make = Callable[..., Home]
UDP = pretend.socket.SOCK_DGRAM
A, B, C = (f"d4:2d:c5:00:00:0{number}" for number in (1, 2, 3))


def two_hundred() -> list[Camera]:
    return [
        Camera(f"d4:2d:c5:00:{n >> 8:02x}:{n & 255:02x}", f"127.20.{n >> 8}.{n & 255}")
        for n in range(1, 201)
    ]


def options(clock: Clock, network: Network, reply_port: int) -> panasonic.EasyIpOptions:
    """As in earnest, but for the addresses."""
    return panasonic.EasyIpOptions(
        clock=clock, targets=("127.0.0.1",), port=network.port, reply_port=reply_port
    )


def facts_of(home: Home, mac: str) -> dict[str, object]:
    return dict(home.device(mac).facts["panasonic"])


# -- found -------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(0, 20, 5))
def test_with_a_tenth_lost_each_way_200_of_200_cameras_are_found(clock: Clock, first: int) -> None:
    """Twenty seeds, five scans side by side, by the schedule that is used in earnest."""
    reply_ports = [free_port(UDP) for _ in range(5)]
    networks = [
        Network(two_hundred(), reply_to=("127.0.0.1", port), loss=0.1, seed=seed)
        for seed, port in enumerate(reply_ports, start=first)
    ]

    async def scan_all() -> list[list[object]]:
        scans = [
            pretend.collect(options(clock, network, port))
            for network, port in zip(networks, reply_ports, strict=True)
        ]
        return await asyncio.gather(*scans)  # type: ignore[return-value]

    for network in networks:
        network.start()
    try:
        scans = asyncio.run(scan_all())
    finally:
        for network in networks:
            network.stop()
    everybody = sorted(camera.mac for camera in two_hundred())
    for scan in scans:
        assert sorted(pretend.macs(scan)) == everybody  # type: ignore[arg-type]
        did = pretend.coverage(scan)  # type: ignore[arg-type]
        assert (did.requests, did.scopes, did.failed) == (12, ("panasonic:lo",), {})
        assert not did.refused
    # Both ways: with one in ten lost only once, nine of ten would have come.
    assert all(network.answers < 0.86 * 200 * 12 for network in networks)
    assert not any(network.refused for network in networks)


def test_a_camera_that_answers_every_question_is_one_device_seen_once(make_home: Make) -> None:
    home = make_home(Camera(A, "127.20.0.1"))
    (did,) = home.scan()["sources"]
    assert (did["requests"], did["answers"], did["found"]) == (6, 6, 1)
    assert len(home.devices()) == 1
    assert home.device(A).sightings == 1
    home.scan()
    assert home.device(A).sightings == 2
    assert home.kinds() == ["device.found"]


def test_a_scan_tells_what_it_did(make_home: Make) -> None:
    home = make_home(Camera(A, "127.20.0.1"), Camera(B, "127.20.0.2", on=False))
    did = home.scan()
    assert (did["by"], did["state"], did["found"], did["error"]) == ("test", "done", 1, None)
    (source,) = did["sources"]
    assert source["name"] == "panasonic"
    assert source["interfaces"] == ["lo"]
    assert (source["requests"], source["answers"]) == (6, 6)
    assert (source["refused"], source["failed"]) == ({}, {})
    assert home.network.refused == []


def test_everything_that_a_camera_says_is_kept(make_home: Make) -> None:
    home = make_home(Camera(A, "127.20.0.1", "Gate", port=443, serial="XBV30463", dhcp=True))
    home.scan()
    camera = home.client.get(f"/api/camera/{A}").json
    assert (camera["current_ip"], camera["current_port"]) == ("127.20.0.1", 443)
    assert (camera["camera_name"], camera["model_name"]) == ("Gate", "X22700-V2L")
    assert (camera["serial_number"], camera["firmware_version"]) == ("XBV30463", "3.67")
    assert (camera["current_subnet"], camera["current_gateway"]) == ("255.255.255.0", "127.20.0.1")
    assert camera["network_mode"] == "DHCP"
    facts = camera["facts"]["panasonic"]
    assert facts["ipv6"] == "fe80::d62d:c5ff:fe00:1"
    assert facts["second_port"] == 443
    # Tags whose meaning nobody knows for sure, as they came.
    assert facts["tag_45"] == "0040"
    assert bytes.fromhex(facts["tag_aa"]).rstrip(b"\0") == b"0.00"
    assert bytes.fromhex(facts["tag_d0"]).rstrip(b"\0") == b"S22700-V2L"


def test_a_recorder_is_found_as_one(make_home: Make) -> None:
    home = make_home(Camera(A, "127.20.0.1", family="NX"), Camera(B, "127.20.0.2"))
    home.scan()
    assert (home.device(A).kind, home.device(B).kind) == ("recorder", "camera")
    assert facts_of(home, A)["recorder_numbers"] == [21, 64]
    assert facts_of(home, A)["model"] == "NX510"
    rows = home.client.get("/api/cameras?kind=recorder").json["cameras"]
    assert [row["mac_address"] for row in rows] == [A]


def test_a_name_that_is_html_is_shown_as_text(make_home: Make) -> None:
    home = make_home(Camera(A, "127.20.0.1", "<script>1</b>"))
    home.scan()
    assert home.client.get(f"/api/camera/{A}").json["camera_name"] == "<script>1</b>"
    for page in ("/", f"/cameras/{home.device(A).id}"):
        text = home.client.get(page).text
        assert "&lt;script&gt;1&lt;/b&gt;" in text
        assert "<script>1" not in text


def test_a_cancelled_search_leaves_nothing_running(clock: Clock) -> None:
    reply_port = free_port(UDP)

    async def cancelled_halfway(network: Network) -> set[asyncio.Task[object]]:
        search = asyncio.create_task(pretend.collect(options(clock, network, reply_port)))
        await asyncio.to_thread(until, lambda: network.requests)
        search.cancel()
        await asyncio.wait([search])
        assert search.cancelled()
        for _ in range(10):  # what was told to end gets its turns
            await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]

    with Network([Camera(A, "127.20.0.1")], reply_to=("127.0.0.1", reply_port)) as network:
        assert asyncio.run(cancelled_halfway(network)) == set()


# -- heard unasked -----------------------------------------------------------------------


def test_an_announcement_brings_an_offline_camera_back(make_home: Make, clock: Clock) -> None:
    home = make_home(Camera(A, "127.20.0.1"))
    home.scan()
    home.network.cameras[0].on = False
    home.scan()
    assert home.status(A) == "OFFLINE"
    clock.forward(minutes=5)
    home.network.cameras[0].on = True
    home.network.announce(A)
    until(lambda: home.status(A) == "ACTIVE", what="the announcement counts")
    assert home.kinds() == ["device.found", "device.offline", "device.back"]


def test_an_answer_to_another_tool_is_proof_of_life(make_home: Make, clock: Clock) -> None:
    home = make_home(Camera(A, "127.20.0.1"))
    home.scan()
    answer = build_reply(home.network.cameras[0], packed("a0:29:19:3e:ab:91"), b"\x7f\x09\x09\x09")
    clock.forward(minutes=5)
    home.network.send(answer)
    until(lambda: home.device(A).last_seen == clock(), what="it was heard again")


def test_what_a_camera_says_unasked_is_reported_once_in_30_seconds(clock: Clock) -> None:
    cameras = [Camera(mac, "127.20.0.1", family="AW") for mac in (A, B, C)]
    reply_port = free_port(UDP)

    async def listen(network: Network) -> None:
        heard = panasonic.source(options(clock, network, reply_port)).listen()  # type: ignore[misc]
        opened = await anext(heard)
        assert isinstance(opened, SourceDown)
        assert opened.up

        async def sightings_until(last: str) -> list[str]:
            identities: list[str] = []
            while last not in identities:
                report = await asyncio.wait_for(anext(heard), 20)
                identities += [report.identities[0][4:]] if isinstance(report, Sighting) else []
            return identities

        for _ in range(10):
            network.announce(A)
        first = await asyncio.wait_for(anext(heard), 20)
        assert isinstance(first, Sighting)
        assert (first.identities, first.asked) == ((f"mac:{A}",), None)
        clock.forward(seconds=29)
        for mac in (A, A, B, B):
            network.announce(mac)
        assert await sightings_until(B) == [B]
        clock.forward(seconds=1)
        for mac in (A, A, C, C):
            network.announce(mac)
        assert await sightings_until(C) == [A, C]
        await heard.aclose()

    with Network(cameras, reply_to=("127.0.0.1", reply_port)) as network:
        asyncio.run(listen(network))


# -- findings ----------------------------------------------------------------------------


def kinds_of(home: Home, mac: str) -> list[str]:
    return sorted(fault.kind for fault in home.device(mac).findings)


def test_a_camera_without_a_password_is_a_finding_until_it_has_one(make_home: Make) -> None:
    home = make_home(Camera(A, "127.20.0.1", password_set=False), Camera(B, "127.20.0.2"))
    home.scan()
    home.scan()
    assert (kinds_of(home, A), kinds_of(home, B)) == (["password.unset"], [])
    assert home.status(A) == "ACTIVE"
    assert "no administrator password" in home.device(A).findings[0].text
    home.network.cameras[0].password_set = True
    home.scan()
    assert kinds_of(home, A) == []
    assert home.kinds(kinds=["finding."]) == ["finding.raised", "finding.cleared"]


def test_an_open_setup_window_is_a_finding_until_it_closes(make_home: Make) -> None:
    home = make_home(Camera(A, "127.20.0.1", setup_open=True), Camera(B, "127.20.0.2"))
    home.scan()
    home.scan()
    assert (kinds_of(home, A), kinds_of(home, B)) == (["setup.open"], [])
    home.network.cameras[0].setup_open = False
    home.scan()
    assert kinds_of(home, A) == []
    assert home.kinds(kinds=["finding."]) == ["finding.raised", "finding.cleared"]


def test_a_camera_that_does_not_tell_of_its_password_has_no_finding(make_home: Make) -> None:
    home = make_home(Camera(A, "127.20.0.1", family="AW", password_set=False))
    home.scan()
    assert kinds_of(home, A) == []


def test_two_cameras_on_one_address_are_a_finding_of_both_until_one_moves(make_home: Make) -> None:
    home = make_home(
        Camera(A, "127.20.0.9"), Camera(B, "127.20.0.9"), Camera(C, "127.20.0.3", "Yard")
    )
    home.scan()
    home.scan()
    assert [kinds_of(home, mac) for mac in (A, B, C)] == [["address.shared"]] * 2 + [[]]
    assert home.device(A).findings[0].text == f"127.20.0.9 is also the address of {B}"
    assert home.device(B).findings[0].evidence == {"address": "127.20.0.9", "others": [A]}
    home.network.cameras[1].ip = "127.20.0.2"
    home.scan()
    assert [kinds_of(home, mac) for mac in (A, B, C)] == [[], [], []]
    events = home.events(kinds=["finding."])
    assert [event.kind for event in events] == ["finding.raised"] * 2 + ["finding.cleared"] * 2
    assert {event.device for event in events} == {home.device(A).id, home.device(B).id}


def test_when_one_of_two_on_one_address_dies_the_other_is_free_of_it(make_home: Make) -> None:
    home = make_home(Camera(A, "127.20.0.9"), Camera(B, "127.20.0.9"))
    home.scan()
    home.network.cameras[1].on = False
    home.scan()
    assert kinds_of(home, A) == []
    # Nobody knows whether the silent one still has it.
    (row,) = home.client.get(f"/api/camera/{B}").json["findings"]
    assert row["kind"] == "address.shared"
    assert row["unknown_since"]


def test_two_cameras_that_swap_their_addresses_between_two_scans_share_none(
    make_home: Make,
) -> None:
    home = make_home(Camera(A, "127.20.0.1"), Camera(B, "127.20.0.2"))
    home.scan()
    first, other = home.network.cameras
    with home.network.lock:
        first.ip, other.ip = other.ip, first.ip
    home.scan()
    assert (home.device(A).address, home.device(B).address) == ("127.20.0.2", "127.20.0.1")
    assert (kinds_of(home, A), kinds_of(home, B)) == ([], [])
    assert {home.status(A), home.status(B)} == {"IP_CHANGED"}
    assert home.kinds(kinds=["finding."]) == []


def test_a_flood_of_announcements_from_elsewhere_reads_the_interfaces_once_a_second(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scanner's loop does nothing else while it reads them."""
    reads = []
    read = psutil.net_if_addrs

    def counted() -> object:
        reads.append(1)
        return read()

    monkeypatch.setattr(psutil, "net_if_addrs", counted)
    source = panasonic.source(
        panasonic.EasyIpOptions(clock=clock, port=free_port(UDP), reply_port=free_port(UDP))
    )
    assert source.listen is not None
    assert source.confirm is not None
    confirm, listen = source.confirm, source.listen

    async def flood() -> float:
        heard = listen()
        await anext(heard)
        began = asyncio.get_running_loop().time()
        for n in range(200):
            assert not confirm(
                Sighting("here", (f"mac:{A}",), "panasonic", clock(), address=f"198.51.100.{n}")
            )
        took = asyncio.get_running_loop().time() - began
        await heard.aclose()  # type: ignore[attr-defined]
        return took

    took = asyncio.run(flood())
    assert 1 <= len(reads) <= 1 + took
