"""Whatever else speaks on the port: nothing is invented, and the real cameras are found."""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from simulators.panasonic import Camera
from tests.home import Clock, Home, until
from tests.sources import pretend
from tests.sources.easy_ip import ANSWERS, OTHERS, datagram, ip, plain_tags, with_checksum

Make = Callable[..., Home]
A, B = "d4:2d:c5:00:00:01", "d4:2d:c5:00:00:02"
STRANGER = "02:f0:00:00:00:09"
SOUND = ANSWERS[0].data


@contextmanager
def stranger(home: Home, answers: Callable[[int], list[bytes]]) -> Iterator[None]:
    """Someone who answers the same questions as the cameras of `home`."""
    port, reply_port = home.settings.easy_ip_port, home.settings.easy_ip_reply_port
    with pretend.responder(port, reply_port, answers):
        yield


@pytest.fixture
def home(make_home: Make) -> Home:
    """Two cameras, and room for a stranger who is asked too."""
    targets = ("127.0.0.1", pretend.SECOND)
    cameras = (Camera(A, "127.20.0.1", "Gate"), Camera(B, "127.20.0.2", "Yard"))
    return make_home(*cameras, easy_ip_targets=targets)


def known(home: Home) -> list[str]:
    return sorted(device.identities[0][4:] for device in home.devices())


def captured(command: int) -> bytes:
    return next(vector.data for vector in OTHERS if vector.command == command)


LIES = {
    "it is too short": [b"", b"\0", b"hello", SOUND[:51]],
    "it is not Easy IP": [b"\0" * 100, b"M-SEARCH * HTTP/1.1\r\n" * 4, b"\xff" * 1400],
    "invalid length": [
        SOUND[:-1],
        SOUND[:200],
        SOUND + b"\0",
        b"\0\1\xff\xff" + SOUND[4:],
    ],
    "missing end mark": [with_checksum(SOUND[:-4] + b"\0\0\0\0")],
    "a tag is cut off": [
        datagram()[:2] + struct.pack(">H", 2) + datagram()[4:50] + b"\xff\xff\0\0"
    ],
    "a tag is longer than the datagram": [
        with_checksum(datagram()[:50] + b"\xff\xff" + datagram()[52:])
    ],
    "it contains no address": [datagram([(0xA7, b"Gate")])],
    "its MAC is not that of a single device": [
        datagram(mac="00:00:00:00:00:00"),
        datagram(mac="ff:ff:ff:ff:ff:ff"),
        datagram(mac="01:00:5e:7f:ff:fa"),
    ],
    "it is a config message": [captured(0x0002)],
    "it is a config acknowledge": [captured(0x0003)],
    "it is a commit": [captured(0x0004)],
    "it is not a response of a device": [captured(0x000D), datagram(command=0x0021)],
}


def test_what_does_not_enter_is_counted_by_reason_in_the_account_of_the_scan(home: Home) -> None:
    everything = [lie for lies in LIES.values() for lie in lies]
    with stranger(home, lambda number: everything):
        (did,) = home.scan()["sources"]
    assert did["refused"] == {reason: 6 * len(lies) for reason, lies in LIES.items()}
    assert (did["found"], did["answers"], did["requests"]) == (2, 12, 12)
    assert known(home) == [A, B]
    assert home.client.get("/api/scan").json["last"]["sources"][0]["refused"] == did["refused"]


def test_a_device_that_changes_its_mac_in_every_answer_enters_nothing(home: Home) -> None:
    with stranger(home, lambda n: [pretend.forged(20 * n + index) for index in range(20)]):
        (did,) = home.scan()["sources"]
    assert (did["found"], did["answers"]) == (2, 12 + 6 * 20)
    assert known(home) == [A, B]


def test_it_enters_nothing_unasked_either(home: Home) -> None:
    for number in range(300):
        home.network.send(pretend.forged(number))
    for _ in range(2):
        home.network.announce(A)
    until(home.monitor.scanner.unverified.heard, what="the camera was heard")
    assert [device.identity for device in home.monitor.scanner.unverified.heard()] == [f"mac:{A}"]
    assert known(home) == []


def test_a_device_whose_answers_contradict_each_other_is_one_device_with_a_finding(
    home: Home, clock: Clock
) -> None:
    """A cloned MAC: told a few times in one scan, never without end."""
    with stranger(home, lambda n: [datagram(plain_tags(f"127.66.0.{n + 1}"), mac=STRANGER)]):
        (did,) = home.scan()["sources"]
        assert did["refused"] == {"contradictory responses": 2}
        assert known(home) == [STRANGER, A, B]
        assert home.device(STRANGER).sightings == 1
        assert len(home.device(STRANGER).addresses) == 1
    (finding,) = home.device(STRANGER).findings
    assert (finding.kind, len(finding.evidence["addresses"])) == ("mac.contested", 3)
    assert [len(home.device(mac).addresses) for mac in (A, B)] == [1, 1]


def test_a_stranger_with_the_mac_of_a_camera_moves_nobody_and_is_a_finding(home: Home) -> None:
    home.scan()
    with stranger(home, lambda n: [datagram(plain_tags("127.66.0.1", b"Impostor"), mac=A)]):
        home.scan()
        home.scan()
    assert known(home) == [A, B]
    assert home.device(A).address == "127.20.0.1"
    assert [address.ip for address in home.device(A).addresses] == ["127.20.0.1"]
    assert home.device(A).facts["panasonic"]["name"] == "Gate"
    (finding,) = home.device(A).findings
    assert finding.kind == "mac.contested"
    assert finding.evidence == {"addresses": ["127.20.0.1", "127.66.0.1"]}
    page = home.client.get(f"/cameras/{home.device(A).id}").text
    assert "Two senders use this MAC" in page
    home.scan()
    assert home.device(A).findings == ()
    kinds = home.kinds(kinds=["finding.", "device.moved"])
    assert kinds == ["finding.raised", "finding.cleared"]


def test_thirty_stolen_macs_cost_thirty_findings_however_many_scans(home: Home) -> None:
    macs = [f"d4:2d:c5:00:01:{n:02x}" for n in range(1, 31)]
    cameras = [Camera(mac, f"127.20.1.{n}") for n, mac in enumerate(macs, start=1)]
    with home.network.lock:
        home.network.cameras[:] = cameras
    home.scan()
    claims = [
        [datagram(plain_tags(f"127.66.{turn}.{n}"), mac=mac) for n, mac in enumerate(macs, 1)]
        for turn in range(4)
    ]
    before = len(home.kinds())
    for claim in claims:
        with stranger(home, lambda n, claim=claim: claim):  # type: ignore[misc]
            home.scan()
    assert home.kinds()[before:] == ["finding.raised"] * 30
    assert [home.device(mac).address for mac in macs] == [camera.ip for camera in cameras]


def test_a_thief_of_a_camera_that_is_silent_moves_it_and_it_moves_back(home: Home) -> None:
    """Nothing tells a camera with a new address from a thief while the camera says nothing."""
    home.scan()
    home.network.cameras[0].on = False
    with stranger(home, lambda n: [datagram(plain_tags("127.66.0.1"), mac=A)]):
        home.scan()
    assert home.device(A).address == "127.66.0.1"
    home.network.cameras[0].on = True
    home.scan()
    assert home.device(A).address == "127.20.0.1"


def test_a_datagram_too_big_to_be_read_whole_is_refused(home: Home) -> None:
    """Its first 2048 bytes alone would be sound."""
    fill = 2048 - len(datagram()) - 4
    sound = datagram([*plain_tags(), (0x7000, b"x" * fill)], mac=STRANGER)
    assert len(sound) == 2048
    with stranger(home, lambda n: [sound + b"and more" * 100]):
        (did,) = home.scan()["sources"]
    assert known(home) == [A, B]
    assert did["refused"] == {"invalid length": 6}


def test_a_huge_datagram_is_refused(home: Home) -> None:
    huge = datagram([*plain_tags(), (0x7000, b"x" * 60_000)], mac=STRANGER)
    with stranger(home, lambda n: [huge]):
        (did,) = home.scan()["sources"]
    assert known(home) == [A, B]
    assert did["refused"] == {"invalid length": 6}


def test_names_that_act_or_cannot_be_read_enter_as_plain_text(home: Home) -> None:
    names = {
        "02:00:00:00:00:01": b"\x1b]0;evil\x07Gate",
        "02:00:00:00:00:02": b"\xff\xfe\xfd",
        "02:00:00:00:00:03": "正門".encode("shift_jis"),
        "02:00:00:00:00:04": b"<img src=x>",
        "02:00:00:00:00:05": b"\0" * 16,
    }
    answers = [datagram(plain_tags(name=name), mac=mac) for mac, name in names.items()]
    with stranger(home, lambda n: answers):
        home.scan()
    rows = {row["mac_address"]: row for row in home.client.get("/api/cameras").json["cameras"]}
    assert rows["02:00:00:00:00:01"]["camera_name"] == "]0;evilGate"
    assert rows["02:00:00:00:00:02"]["camera_name"].isprintable()
    assert rows["02:00:00:00:00:03"]["camera_name"] == "正門"
    assert rows["02:00:00:00:00:04"]["camera_name"] == "<img src=x>"
    assert rows["02:00:00:00:00:05"]["camera_name"] == "02:00:00:00:00:05"
    page = home.client.get("/").text
    assert "<img src=x" not in page
    assert "\x1b" not in page
    assert home.client.get("/metrics").status_code == 200


def test_a_device_that_fills_a_datagram_with_tags_is_kept_small(home: Home) -> None:
    tags = [*plain_tags(), *((0x0100 + number, b"\x01") for number in range(380))]
    with stranger(home, lambda n: [datagram(tags, mac=STRANGER)]):
        home.scan()
    assert known(home) == [STRANGER, A, B]
    assert len(home.client.get(f"/api/camera/{STRANGER}").data) < 20_000


def test_a_device_that_claims_our_own_or_nobodys_address_breaks_nothing(home: Home) -> None:
    claims = {"02:00:00:00:00:01": "127.0.0.1", "02:00:00:00:00:02": "0.0.0.0"}
    answers = [datagram([(0x20, ip(address))], mac=mac) for mac, address in claims.items()]
    with stranger(home, lambda n: answers):
        home.scan()
    assert home.device("02:00:00:00:00:02").address is None
    assert home.client.get("/").status_code == 200
    assert home.client.get("/api/cameras?sort=address").json["count"] == 4
