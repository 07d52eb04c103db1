"""The ONVIF source against pretend devices that speak all of it: discovery, logins, TLS, faults."""

import asyncio
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fleet.model import Coverage, Finding, NoAnswer, Report, Sighting, Target
from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers, Profile, VideoSource, recorder_sources
from simulators.onvif_dates import SHAPES
from sources import onvif, ws_discovery_wire
from sources.ws_discovery import SearchOptions
from tests.home import free_port
from tests.sources.test_tls import NEW, OLD
from tests.sources.tls_servers import certificate, server_context, tls_server

PASSWORD = "right-secret"  # nosec B105 (of a pretend device)
LOGIN = {"username": "admin", "secret": PASSWORD}
QUICK = (0.0, 0.05, 0.1)


def accounts(**values: Any) -> Accounts:
    return Accounts("admin", PASSWORD, **values)


def three_sensors() -> tuple[VideoSource, ...]:
    """Three sensors that Media cannot describe, as their codec is H.265. The last one turns."""
    shapes = ("bare", "no", "bare")
    profiles = (
        Profile(f"P{n}", f"/s{n}", codec="H265", has_encoder=shape, can_turn=n == 3)
        for n, shape in enumerate(shapes, 1)
    )
    return tuple(VideoSource(f"V{n}", (profile,)) for n, profile in enumerate(profiles, 1))


DEVICES = {
    "open": OnvifDevice("127.80.0.1"),
    "token": OnvifDevice("127.80.0.2", accounts=accounts(), logins=("wsse",)),
    "digest": OnvifDevice("127.80.0.3", accounts=accounts(untidy=True), logins=("digest",)),
    "sha256": OnvifDevice(
        "127.80.0.4", accounts=accounts(offers=("sha256", "md5")), logins=("digest",)
    ),
    "drifting": OnvifDevice(
        "127.80.0.5", accounts=accounts(), logins=("wsse",), clock_offset=3600, zone="UTC0"
    ),
    "inner": OnvifDevice(
        "127.80.0.6", inner_host="192.0.2.9", inner_port=81, stream_host="192.0.2.9"
    ),
    "doubled": OnvifDevice("127.80.0.7", doubled_port=True, uri_padding=("\n\t ", " \r\n")),
    "echoes": OnvifDevice("127.80.0.8", accounts=accounts(), echoes_login=True),
    "spoilt": OnvifDevice("127.80.0.9", spoils=frozenset({"GetDeviceInformation"})),
    "garbled": OnvifDevice("127.80.0.10", garbles=frozenset({"GetDeviceInformation"})),
    "recorder": OnvifDevice(
        "127.80.0.11", accounts=accounts(), sources=recorder_sources(16, dark=(3,))
    ),
    "sensors": OnvifDevice(
        "127.80.0.12",
        sources=three_sensors(),
        has_media2=True,
        scopes=("onvif://www.onvif.org/type/Network_Video_Transmitter",),
    ),
    "html": OnvifDevice("127.80.0.13", mode="html"),
    "bomb": OnvifDevice("127.80.0.14", mode="bomb"),
    "endless": OnvifDevice("127.80.0.15", mode="endless"),
    "redirecting": OnvifDevice("127.80.0.16", mode="redirecting"),
    "junk": OnvifDevice("127.80.0.17", mode="junk"),
    "off": OnvifDevice("127.80.0.18", mode="off"),
    "restarting": OnvifDevice("127.80.0.19", changes_paths=True),
    "noisy": OnvifDevice("127.80.0.20", junk_first=True, reuses_id=True, has_types=False),
    "elsewhere": OnvifDevice("127.80.0.21", xaddrs=("http://0.0.0.0:{port}/onvif/x",)),
    "dated": OnvifDevice("127.80.0.22"),
    "refusing": OnvifDevice("127.80.0.23", accounts=accounts()),
    "reduced": OnvifDevice("127.80.0.24", sources=recorder_sources(1)),
    "changing": OnvifDevice("127.80.0.26"),
    "maker": OnvifDevice("127.80.0.25", accounts=accounts(offers=("maker",)), logins=("digest",)),
}
for number, each in enumerate(DEVICES.values()):
    each.mac = f"00:00:5e:00:80:{number:02x}"


@dataclass
class Network:
    servers: OnvifServers
    client: onvif.OnvifClient

    def target(self, name: str, **values: Any) -> Target:
        given = Target("here", f"at:onvif:{name}", DEVICES[name].address, self.servers.port)
        return replace(given, **values)

    def probe(self, name: str, **values: Any) -> Sequence[Report]:
        return asyncio.run(self.client.probe(self.target(name, **values)))


def client() -> onvif.OnvifClient:
    return onvif.OnvifClient(onvif.OnvifOptions(lambda: datetime.now(UTC)))


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with OnvifServers(list(DEVICES.values()), free_port(), ws_discovery_wire.PORT) as servers:
        yield Network(servers, client())


def device(reports: Sequence[Report]) -> Sighting:
    report = reports[0]
    assert isinstance(report, Sighting)
    return report


def findings(reports: Sequence[Report]) -> dict[str, str]:
    every = [report for report in reports if isinstance(report, Finding)]
    return {finding.kind: finding.text for finding in every if not finding.cleared}


def key(name: str) -> str:
    return f"onvif:{DEVICES[name].endpoint_reference}"


@pytest.mark.parametrize(
    ("name", "method"),
    [("token", "token"), ("digest", "digest-md5"), ("sha256", "digest-sha-256")],
)
def test_a_camera_is_read_with_each_login(network: Network, name: str, method: str) -> None:
    sighting = device(network.probe(name, **LOGIN))
    assert sighting.identities == (key(name), f"mac:{DEVICES[name].mac}")
    assert (sighting.model, sighting.serial, sighting.name) == ("IPC-100", "A1000001", "IPCAM")
    assert sighting.links["stream"] == "/stream1"
    assert sighting.learned is not None
    assert (sighting.learned.method, sighting.learned.refusals) == (method, 0)


def test_a_camera_without_accounts_is_open_to_everybody(network: Network) -> None:
    assert findings(network.probe("open", **LOGIN)).keys() == {"login.none"}


def test_e14_a_token_is_right_by_a_clock_that_is_an_hour_off(network: Network) -> None:
    reports = network.probe("drifting", **LOGIN)
    assert findings(reports) == {"clock.zone": "time zone or summer time wrong by +1 h"}
    assert device(reports).model == "IPC-100"


def test_e23_inner_addresses_are_replaced_and_reported(network: Network) -> None:
    reports = network.probe("inner")
    assert "192.0.2.9" in findings(reports)["address.told"]
    assert device(reports).links["stream"] == "/stream1"
    assert device(reports).facts["codec"] == "H264"
    assert "192.0.2.9" not in repr(device(reports))


def test_e15_a_doubled_port_and_a_padded_uri_are_repaired(network: Network) -> None:
    assert device(network.probe("doubled")).links["stream"] == "/stream1"


def test_a_login_in_a_uri_is_in_no_report(network: Network) -> None:
    reports = network.probe("echoes", **LOGIN)
    assert device(reports).links["stream"] == "/stream1"
    assert PASSWORD not in repr(reports)


@pytest.mark.parametrize("name", ["spoilt", "garbled"])
def test_e22_broken_information_leaves_the_rest(network: Network, name: str) -> None:
    sighting = device(network.probe(name))
    assert sighting.links["stream"] == "/stream1"
    assert sighting.serial in (None, "A1000001")


def test_a_recorder_has_its_channels(network: Network) -> None:
    reports = network.probe("recorder", **LOGIN)
    channels = [report for report in reports[1:] if isinstance(report, Sighting)]
    assert device(reports).kind == "recorder"
    assert [channel.facts["channel"] for channel in channels] == [str(n) for n in range(1, 17)]
    assert [n for n, channel in enumerate(channels, 1) if not channel.facts["signal"]] == [3]
    assert channels[1].identities == (f"channel:{key('recorder')}/00001",)
    path = "/cam/realmonitor?channel=2&subtype=0&unicast=true&proto=Onvif"
    assert channels[1].links["stream"] == path
    again = asyncio.run(client().probe(network.target("recorder", **LOGIN)))
    assert [each.identities for each in again if isinstance(each, Sighting)] == [
        each.identities for each in reports if isinstance(each, Sighting)
    ]


def test_e20_several_sensors_are_several_cameras_with_h265(network: Network) -> None:
    reports = network.probe("sensors")
    channels = [report for report in reports[1:] if isinstance(report, Sighting)]
    assert [channel.links["stream"] for channel in channels] == ["/s1", "/s2", "/s3"]
    assert {channel.facts.get("codec") for channel in channels} == {"H265"}
    assert [channel.facts.get("ptz") for channel in channels] == [None, None, True]
    assert device(reports).kind == "camera"


def test_a_recorder_with_one_video_source_left_still_has_a_channel(network: Network) -> None:
    target = replace(network.target("reduced"), channels=16)
    reports = asyncio.run(client().probe(target))
    channels = [report for report in reports[1:] if isinstance(report, Sighting)]
    assert [channel.identities for channel in channels] == [(f"channel:{key('reduced')}/00000",)]
    assert (device(reports).kind, device(reports).links) == ("recorder", {})


@pytest.mark.parametrize("shape", [*SHAPES, "fault", "login"])
def test_e13_no_date_ends_the_source(network: Network, shape: str) -> None:
    DEVICES["dated"].date_shape = shape
    reports = asyncio.run(client().probe(network.target("dated")))
    assert device(reports).model == "IPC-100"


@pytest.mark.parametrize(
    ("refusal", "attempts"),
    [("fault", None), ("html", None), ("empty", None), ("bad-request", None), ("attempts", 29)],
)
def test_e21_each_refusal_is_one_wrong_login(
    network: Network, refusal: str, attempts: int | None
) -> None:
    camera = DEVICES["refusing"]
    camera.refusal, camera.accounts = refusal, accounts(shows_attempts=True, lock_after=30)
    before = {"username": "admin", "secret": "wrong-secret"}
    reports = asyncio.run(client().probe(network.target("refusing", **before)))
    assert findings(reports).keys() == {"login.wrong"}
    assert device(reports).identities[0] == key("refusing"), "it proved itself without a login"
    learned = device(reports).learned
    assert learned is not None
    assert (learned.refusals, learned.attempts_left) == (1, attempts)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("html", "HTML page"),
        ("bomb", "document type in the response"),
        ("endless", "response too large"),
        ("redirecting", "HTTP 302"),
        ("junk", "does not speak HTTP"),
    ],
)
def test_what_is_no_onvif_device_is_a_miss_with_its_reason(
    network: Network, name: str, reason: str
) -> None:
    with pytest.raises(NoAnswer, match=reason):
        network.probe(name)


def test_a_device_that_is_off_refuses(network: Network) -> None:
    with pytest.raises(OSError) as error:
        network.probe("off")
    assert error.value.errno == 111


def test_a_uri_that_changed_while_the_device_was_silent_is_asked_again(network: Network) -> None:
    assert device(network.probe("restarting")).links["stream"] == "/stream1?boot=0"
    network.servers.turn(DEVICES["restarting"], "off")
    with pytest.raises(OSError):
        network.probe("restarting")
    DEVICES["restarting"].restarts += 1
    network.servers.turn(DEVICES["restarting"], "well")
    assert device(network.probe("restarting")).links["stream"] == "/stream1?boot=1"


def test_a_device_proves_itself_without_a_login(network: Network) -> None:
    reports = network.probe("token", may_login=False, secret=None)
    assert device(reports).identities == (key("token"),)


def test_a_search_finds_each_device_at_an_address_that_is_its_own(network: Network) -> None:
    names = ("open", "noisy", "elsewhere", "inner", "recorder")
    targets = tuple(DEVICES[name].address for name in names)
    search = SearchOptions(targets, asks=QUICK, window=0.6)
    asking = onvif.OnvifClient(onvif.OnvifOptions(lambda: datetime.now(UTC), search))

    async def run() -> list[Report | Coverage]:
        return [report async for report in asking.discover()]

    reports = asyncio.run(run())
    seen = {
        (report.identities[0], report.address) for report in reports if isinstance(report, Sighting)
    }
    assert seen == {(key(name), DEVICES[name].address) for name in names}
    coverage = reports[-1]
    assert isinstance(coverage, Coverage)
    assert coverage.scopes == ("onvif:lo",)
    assert coverage.refused["not an ONVIF device"] > 0, "the printer"


def test_e26_a_realm_of_the_makers_own_gets_no_password(network: Network) -> None:
    reports = network.probe("maker", **LOGIN)
    assert set(findings(reports)) & {"login.method", "login.wrong"} == {"login.method"}
    assert DEVICES["maker"].accounts.wrong == 0
    learned = device(reports).learned
    assert learned is not None
    assert not learned.refusals


# -- a login that worked before in the same check -------------------------------------------

BY_DIGEST, BY_TOKEN = ("digest",), ("wsse",)
SINGLE: dict[str, Any] = {"nonce_uses": 1}
SILENT: dict[str, Any] = {"nonce_uses": 1, "hides_stale": True}


def probe_changed(
    network: Network, logins: tuple[str, ...], **values: Any
) -> tuple[Sequence[Report], Accounts]:
    """Check a camera that locks after three wrong logins."""
    camera = DEVICES["changing"]
    camera.logins, camera.accounts = logins, accounts(lock_after=3, **values)
    reports = asyncio.run(client().probe(network.target("changing", **LOGIN)))
    return reports, camera.accounts


@pytest.mark.parametrize("after", [1, 5])
@pytest.mark.parametrize(
    ("logins", "values"),
    [(BY_DIGEST, {}), (BY_DIGEST, SINGLE), (BY_DIGEST, SILENT), (BY_TOKEN, {})],
    ids=["digest", "single", "silent", "token"],
)
def test_a_password_that_changes_during_a_check_costs_two_refusals(
    network: Network, logins: tuple[str, ...], values: dict[str, Any], after: int
) -> None:
    reports, kept = probe_changed(network, logins, changes_after=after, **values)
    assert kept.right == after
    assert kept.wrong == 2
    assert findings(reports)["login.wrong"] == "wrong user name or password"
    learned = device(reports).learned
    assert learned is not None
    assert learned.refusals == 2


@pytest.mark.parametrize(
    ("logins", "values"),
    [(BY_DIGEST, {}), (BY_DIGEST, SINGLE), (BY_DIGEST, SILENT), (BY_TOKEN, {})],
    ids=["digest", "single", "silent", "token"],
)
def test_operations_that_a_user_may_not_use_are_left_out_and_named(
    network: Network, logins: tuple[str, ...], values: dict[str, Any]
) -> None:
    camera = DEVICES["changing"]
    camera.denies = frozenset({"GetNetworkInterfaces", "GetScopes", "GetSnapshotUri"})
    try:
        reports, kept = probe_changed(network, logins, **values)
    finally:
        camera.denies = frozenset()
    sighting = device(reports)
    assert (sighting.model, sighting.facts["streams"][0]["path"]) == ("IPC-100", "/stream1")
    assert sighting.facts["not_permitted"] == [
        "GetNetworkInterfaces",
        "GetScopes",
        "GetSnapshotUri",
    ]
    assert findings(reports) == {}
    assert kept.wrong == 0
    learned = sighting.learned
    assert learned is not None
    assert learned.refusals == 0


# -- TLS -------------------------------------------------------------------------------------


def test_e29_the_first_certificate_is_kept_and_another_gets_no_login(tmp_path: Path) -> None:
    camera = OnvifDevice("127.80.1.1", accounts=accounts())
    port, own = free_port(), client()
    place = Target("here", "at:onvif:tls", camera.address, port, options={"tls": True}, **LOGIN)
    with OnvifServers([camera], port, tls=server_context(certificate(tmp_path, "a", *OLD))):
        first = device(asyncio.run(own.probe(place)))
    assert first.model == "IPC-100"
    assert first.learned is not None
    pin = first.learned.tls_pin
    attempts = len(camera.accounts.attempts)
    assert attempts > 0
    with OnvifServers([camera], port, tls=server_context(certificate(tmp_path, "b", *NEW))):
        reports = asyncio.run(client().probe(replace(place, tls_pin=pin)))
        assert findings(reports).keys() == {"tls.changed"}
        assert len(camera.accounts.attempts) == attempts
    with socket.socket() as plain:
        plain.bind((camera.address, port))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_tls_that_is_too_old_is_a_finding_of_a_device_that_is_alive(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    with tls_server(server_context(certificate(tmp_path, "a", *OLD), version)) as port:
        place = Target("here", "at:onvif:tls", "127.0.0.1", port, options={"tls": True}, **LOGIN)
        reports = asyncio.run(client().probe(place))
    assert (device(reports).address, device(reports).is_brief) == ("127.0.0.1", True)
    assert findings(reports).keys() == {"tls.old"}
