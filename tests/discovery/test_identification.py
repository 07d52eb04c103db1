"""Who is at an address is asked before the password is sent there."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from discovery.trial_steps import TrialConnection, TrialRequest
from discovery.verdicts import Verdict, is_behind, may_use_basic, verdict
from fleet.model import Access, Device, Sighting, Target
from sources.identify import Evidence, Identification
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.discovery.guarded import GuardedDevice, guarded
from tests.discovery.listed import listed, now
from tests.home import free_port

COUNT = 20
IDS = range(1, COUNT + 1)
Make = Callable[..., Engine]
ARP = """IP address       HW type     Flags       HW address            Mask     Device
10.0.0.1         0x1         0x2         d4:2d:c5:00:00:01     *        eth0
10.0.0.2         0x1         0x0         00:00:00:00:00:00     *        eth0
10.0.0.3         0x1         0x2         00:e0:4c:68:00:03     *        eth0
10.0.0.4         0x1         0x2         00:e0:4c:68:00:03     *        eth0
junk
"""


def endpoint(id: int) -> str:
    return f"urn:uuid:4d454930-0000-1000-8000-d42dc50000{id:02x}"


def host(id: int) -> str:
    return f"127.9.0.{id}"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    engines: list[Engine] = []

    def made(
        devices: Sequence[Device], port: int, asked_with: list[Target], arp: Path = Path("/none")
    ) -> Engine:
        fleets.write_fleet(tmp_path / "fleet.json", devices)
        source = guarded("rtsp", now, asked_with)
        identification = Identification(port, arp)
        engines.append(
            Engine(tmp_path, now, source, unseal=str, identification=identification)  # type: ignore[arg-type]
        )
        return engines[-1]

    yield made
    for engine in engines:
        engine.close()


def camera(id: int, port: int, *keys: str, **access: Any) -> Device:
    login = {"username": "root", "secret": f"p{id}", "port": port, "secret_host": host(id)}
    device = listed(id, "rtsp", address=host(id), **login | access)
    return replace(device, identities=keys or (f"onvif:{endpoint(id)}",))


def states(engine: Engine, ids: Sequence[int]) -> set[str]:
    return {answer.state for answer in engine.scanner.ask(ids)}


def findings(engine: Engine, id: int = 1) -> set[str]:
    return {fault.kind for fault in engine.devices()[id].findings}


# -- cameras that take each other's address -------------------------------------------------


def swap(cameras: Sequence[GuardedDevice]) -> None:
    """Give each camera the address of another one."""
    logins = [(camera.password, camera.endpoint) for camera in reversed(cameras)]
    for camera, login in zip(cameras, logins, strict=True):
        camera.password, camera.endpoint = login
        camera.accepted.clear()


def test_cameras_that_swap_addresses_get_no_password_of_another(make: Make) -> None:
    port, discovery_port = free_port(), free_port()
    cameras = [
        GuardedDevice(
            f"p{id}", port=port, host=host(id), endpoint=endpoint(id), discovery_port=discovery_port
        )
        for id in IDS
    ]
    engine = make([camera(id, port) for id in IDS], discovery_port, [])
    assert states(engine, IDS) == {"missed"}, "the power is out"
    with ExitStack() as stack:
        for device in cameras:
            stack.enter_context(device)
        assert states(engine, IDS) == {"answered"}
        assert all(device.accepted for device in cameras)
        assert not any(findings(engine, id) for id in IDS)
    swap(cameras)
    assert states(engine, IDS) == {"missed"}
    with ExitStack() as stack:
        for device in cameras:
            stack.enter_context(device)
        answers = engine.scanner.ask(IDS)
        assert {answer.reason for answer in answers} == {"another device responds at this address"}
        assert [device.refused + device.accepted for device in cameras] == [[]] * COUNT
        seen = [
            Sighting("here", (f"onvif:{endpoint(id)}",), "onvif", now(), address=host(21 - id))
            for id in IDS
        ]
        engine.tracker.apply(seen, now())
        assert states(engine, IDS) == {"answered"}
        assert [device.refused for device in cameras] == [[]] * COUNT
        assert all(device.accepted for device in cameras), "each got its own password again"
    identities = {id: device.identities for id, device in engine.devices().items()}
    assert identities == {id: (f"onvif:{endpoint(id)}",) for id in IDS}


# -- what is asked, and how often ------------------------------------------------------------


def test_a_device_that_can_prove_itself_does_so_before_every_login(make: Make) -> None:
    port = free_port()
    with GuardedDevice("p1", host=host(1), endpoint=endpoint(1), discovery_port=port) as device:
        asked_with: list[Target] = []
        engine = make([camera(1, device.port)], port, asked_with)
        for _ in range(3):
            assert states(engine, [1]) == {"answered"}
        assert device.asked["PROBE"] >= len(device.accepted) >= 3
        assert not asked_with[0].digest_only, "its login was entered for this address"
        assert not findings(engine)


@pytest.mark.parametrize("is_channel", [False, True])
def test_a_connection_test_sends_a_saved_login_only_to_the_device_that_proves_itself(
    make: Make, is_channel: bool
) -> None:
    port = free_port()
    with GuardedDevice("p1", host=host(1), endpoint=endpoint(2), discovery_port=port) as device:
        devices = [camera(1, device.port)]
        if is_channel:
            channel = listed(2, "rtsp", address=host(1), port=device.port, path="/2")
            keys = (f"channel:onvif:{endpoint(1)}/2",)
            devices.append(replace(channel, identities=keys, parents=(1,)))
        engine = make(devices, port, [])
        known = engine.devices()[len(devices)]
        connection = TrialConnection("rtsp", device.port, "/live")
        wanted = TrialRequest(host(1), (connection,), "root", "p1", digest_only=True, device=known)
        steps = {step.name: step for step in engine.scanner.try_out(wanted)}
        assert "Another device responds at this address" in steps["login"].text
        assert device.refused + device.accepted == []
        device.endpoint = endpoint(1)
        assert list(engine.scanner.try_out(wanted))
        assert {*device.accepted} == {"p1"}, "by the test, and by checks beside it"


def test_all_who_ask_about_a_host_at_once_share_one_question() -> None:
    port = free_port()

    async def ask(identification: Identification) -> set[Evidence]:
        return {*await asyncio.gather(*(identification.ask(host(1)) for _ in range(64)))}

    with GuardedDevice("p1", host=host(1), endpoint=endpoint(1), discovery_port=port) as device:
        (evidence,) = asyncio.run(ask(Identification(port)))
        assert evidence.endpoints == {UUID}
        assert device.asked["PROBE"] <= 6, "three tries of both kinds of question at most"


def test_a_host_that_answers_nothing_is_left_alone_for_a_while() -> None:
    port, time = free_port(), [0.0]
    identification = Identification(port, timer=lambda: time[0])
    with GuardedDevice("p1", host=host(1), discovery_port=port) as device:
        for at, is_asked in ((0.0, True), (9.0, False), (11.0, True)):
            time[0] = at
            before = device.asked["PROBE"]
            assert not asyncio.run(identification.ask(host(1), 10.0)).endpoints
            assert (device.asked["PROBE"] > before) is is_asked


@pytest.mark.parametrize("keys", [("rtsp:gate",), ("mac:d4:2d:c5:00:00:01",)])
def test_a_device_that_proves_nothing_gets_no_basic_and_says_so(
    make: Make, keys: tuple[str, ...]
) -> None:
    port = free_port()
    with GuardedDevice("p1", host=host(1), discovery_port=port) as device:
        asked_with: list[Target] = []
        engine = make([camera(1, device.port, *keys, method="digest-md5")], port, asked_with)
        for _ in range(2):
            assert states(engine, [1]) == {"answered"}
        assert {target.digest_only for target in asked_with} == {True}
        assert findings(engine) == {"identity.unproven"}
        is_worth_asking = keys[0].startswith("mac:")
        assert bool(device.asked["PROBE"]) == is_worth_asking


@pytest.mark.parametrize("proved", [1, 9])
def test_a_device_that_can_prove_what_it_first_says_it_is_was_never_unproven(
    make: Make, proved: int
) -> None:
    port, key = free_port(), f"onvif:{endpoint(1)}"
    with GuardedDevice(
        "p1", host=host(1), endpoint=endpoint(proved), discovery_port=port, key=key
    ) as device:
        asked_with: list[Target] = []
        engine = make([camera(1, device.port, "rtsp:gate")], port, asked_with)
        assert states(engine, [1]) == {"answered"}
        assert engine.devices()[1].identities == ("rtsp:gate", key)
        assert findings(engine) == (set() if proved == 1 else {"identity.unproven"})


def test_an_unknown_device_with_another_endpoint_reference_is_alive_and_gets_no_login(
    make: Make,
) -> None:
    port = free_port()
    with GuardedDevice("p1", host=host(1), endpoint=endpoint(9), discovery_port=port) as device:
        engine = make([camera(1, device.port)], port, [])
        assert states(engine, [1]) == {"answered"}
        assert findings(engine) == {"identity.other"}
        assert device.asked["ALIVE"]
        assert not device.refused + device.accepted


def test_a_right_endpoint_reference_with_another_mac_gets_no_login(
    make: Make, tmp_path: Path
) -> None:
    table, port = tmp_path / "arp", free_port()
    table.write_text(ARP.replace("10.0.0.1", host(1)).replace("00:00:01", "00:00:09"))
    with GuardedDevice("p1", host=host(1), endpoint=endpoint(1), discovery_port=port) as device:
        engine = make([camera(1, device.port, UUID, MAC)], port, [], table)
        assert states(engine, [1]) == {"answered"}
        assert findings(engine) == {"identity.other"}
        assert device.asked["ALIVE"]
        assert not device.refused + device.accepted
        assert not device.asked["PROBE"], "the table of the kernel says enough"


@pytest.mark.parametrize(
    "access",
    [
        {"secret": None},
        {"options": {"number": 1, "login": "none"}},
        {"tls_pin": "ab" * 32, "options": {"number": 1, "tls": True}},
    ],
)
def test_without_a_password_or_with_a_pinned_certificate_nothing_is_asked(
    make: Make, access: dict[str, Any]
) -> None:
    port = free_port()
    with GuardedDevice("p1", host=host(1), endpoint=endpoint(1), discovery_port=port) as device:
        asked_with: list[Target] = []
        engine = make([camera(1, device.port, **access)], port, asked_with)
        assert states(engine, [1]) == {"answered"}
        assert (device.asked["PROBE"], asked_with[0].digest_only) == (0, False)
        assert "identity.unproven" not in findings(engine)


# -- what it proves ---------------------------------------------------------------------------

MAC, OTHER_MAC = "mac:d4:2d:c5:00:00:01", "mac:d4:2d:c5:00:00:09"
UUID, OTHER_UUID = f"onvif:{endpoint(1)}", f"onvif:{endpoint(9)}"
OF_ANOTHER, UUID_OF_ANOTHER = "mac:d4:2d:c5:00:00:08", f"onvif:{endpoint(8)}"
SAW_UUID = frozenset({UUID})


def judged(
    device: Device, evidence: Evidence, disputed: Sequence[str] = (), is_behind: bool = False
) -> Verdict:
    another = Device(2, "camera", "here", (OF_ANOTHER, UUID_OF_ANOTHER))
    owners = dict.fromkeys(another.identities, another) | dict.fromkeys(device.identities, device)
    return verdict(device, evidence, disputed, owners.get, is_behind=is_behind)


@pytest.mark.parametrize(
    ("keys", "evidence", "expected"),
    [
        ((MAC,), Evidence(), Verdict.UNKNOWN),
        ((MAC,), Evidence(MAC), Verdict.PROVED),
        ((MAC,), Evidence(OTHER_MAC), Verdict.STRANGER),
        ((MAC,), Evidence(OF_ANOTHER), Verdict.OTHER),
        ((MAC,), Evidence(None, SAW_UUID), Verdict.UNKNOWN),
        ((MAC,), Evidence(None, SAW_UUID, frozenset({MAC})), Verdict.CLAIMED),
        ((UUID,), Evidence(None, SAW_UUID), Verdict.CLAIMED),
        ((OTHER_UUID,), Evidence(None, SAW_UUID), Verdict.STRANGER),
        ((UUID,), Evidence(None, frozenset({UUID_OF_ANOTHER})), Verdict.OTHER),
        ((OTHER_UUID,), Evidence(MAC), Verdict.UNKNOWN),
        ((MAC, OTHER_UUID), Evidence(MAC, SAW_UUID), Verdict.PROVED),
        ((MAC, UUID), Evidence(OTHER_MAC, SAW_UUID), Verdict.STRANGER),
        (("rtsp:gate",), Evidence(MAC, SAW_UUID), Verdict.UNKNOWN),
    ],
)
def test_a_mac_outweighs_an_endpoint_reference_and_either_tells_devices_apart(
    keys: tuple[str, ...], evidence: Evidence, expected: Verdict
) -> None:
    assert judged(Device(1, "camera", "here", keys), evidence) is expected
    if expected in (Verdict.PROVED, Verdict.CLAIMED):
        disputed = judged(Device(1, "camera", "here", keys), evidence, disputed=keys)
        assert disputed is Verdict.UNKNOWN, "disputed keys prove nothing"
    if expected in (Verdict.OTHER, Verdict.STRANGER):
        behind = judged(Device(1, "camera", "here", keys), evidence, is_behind=True)
        assert behind is not expected, "a host that forwards proves only itself"


@pytest.mark.parametrize(
    ("kind", "source", "port", "expected"),
    [
        ("camera", "rtsp", 554, False),
        ("camera", "rtsp", 5541, True),
        ("camera", "panasonic", None, False),
        ("recorder", "panasonic", None, True),
        ("recorder", "rtsp", 554, False),
    ],
)
def test_a_host_forwards_to_a_device_with_a_port_of_its_own_or_behind_another_kind(
    kind: str, source: str, port: int | None, expected: bool
) -> None:
    device = listed(1, "rtsp", port=554)
    other = replace(listed(2, source, port=port), kind=kind)
    assert is_behind(device, "rtsp", [other]) is expected
    assert not is_behind(device, "rtsp", [])


@pytest.mark.parametrize(
    ("method", "keys", "secret_host", "expected"),
    [
        ("", ("rtsp:gate",), "10.0.0.1", True),
        ("basic", (MAC,), "10.0.0.1", True),
        ("digest-md5", ("rtsp:gate",), "10.0.0.1", False),
        ("basic", (UUID,), "10.0.0.1", False),
        ("basic", ("rtsp:gate",), "10.0.0.2", False),
    ],
)
def test_only_a_login_that_a_person_entered_for_this_host_is_sent_as_basic(
    method: str, keys: tuple[str, ...], secret_host: str, expected: bool
) -> None:
    device, access = (
        Device(1, "camera", "here", keys),
        Access(method=method, secret_host=secret_host),
    )
    assert may_use_basic(access, "rtsp", device, "10.0.0.1") is expected
    is_entered_here = secret_host == "10.0.0.1" and not method.startswith("digest")
    claimed = may_use_basic(access, "rtsp", device, "10.0.0.1", is_claimed=True)
    assert claimed is is_entered_here, "an endpoint reference alone is no licence"
    assert not may_use_basic(replace(access, refusals=1), "rtsp", device, "10.0.0.1")
    recorder = replace(device, access={"rtsp": replace(access, method="digest-md5")})
    assert not may_use_basic(access, "rtsp", recorder, "10.0.0.1"), "it is asked for a channel"


def test_the_table_of_the_kernel_tells_macs_of_our_own_link(tmp_path: Path) -> None:
    table, time = tmp_path / "arp", [0.0]
    table.write_text(ARP)
    identification = Identification(arp=table, timer=lambda: time[0])
    assert identification.mac_of("10.0.0.1") == MAC
    assert identification.mac_of("10.0.0.2") is None, "nobody answered"
    assert identification.mac_of("10.0.0.3") is None, "a router answers for several"
    table.write_text(ARP.replace("00:00:01", "00:00:09"))
    assert identification.mac_of("10.0.0.1") == MAC, "it is read once a second"
    time[0] += 1
    assert identification.mac_of("10.0.0.1") == OTHER_MAC
    table.unlink()
    time[0] += 1
    assert identification.mac_of("10.0.0.1") is None


@pytest.mark.parametrize("digits", ["d42dc5000001", "010000c52dd4"])
def test_the_mac_in_an_endpoint_reference_is_read_both_ways(digits: str) -> None:
    name, port = f"urn:uuid:4d454930-0000-1000-8000-{digits}", free_port()
    with GuardedDevice("p1", host=host(1), endpoint=name, discovery_port=port):
        evidence = asyncio.run(Identification(port).ask(host(1)))
    assert evidence.endpoints == {f"onvif:{name}"}
    assert MAC in evidence.possible
