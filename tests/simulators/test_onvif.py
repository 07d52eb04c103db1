"""The pretend ONVIF devices, judged by curl and by plain sockets."""

import hashlib
import shutil
import socket
import subprocess
import uuid
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from simulators.onvif import (
    Accounts,
    OnvifDevice,
    OnvifServers,
    camera_sources,
    recorder_sources,
)
from simulators.onvif_calls import DEVICE, MEDIA, MEDIA2
from simulators.onvif_dates import SHAPES
from tests.home import free_port

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is missing: apt-get install curl"
)
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
SCHEMA = "{http://www.onvif.org/ver10/schema}"
PATHS = {DEVICE: "device_service", MEDIA: "media_service", MEDIA2: "media2_service"}


@pytest.fixture(scope="module")
def servers() -> Iterator[OnvifServers]:
    with OnvifServers([], free_port(), free_port(socket.SOCK_DGRAM)) as running:
        yield running


@pytest.fixture
def device(servers: OnvifServers) -> Iterator[OnvifDevice]:
    """A new camera at an address of its own, with an account."""
    made = OnvifDevice(f"127.91.0.{len(servers.devices) + 1}", accounts=Accounts("admin", "p@ss"))
    servers.add(made)
    yield made
    servers.turn(made, "off")


def curl(url: str, *options: str) -> tuple[int, str]:
    """Status and body; 0 where there was no answer."""
    mark = "\n--status--"
    command = ["curl", "--silent", "--max-time", "5", "--write-out", mark + "%{http_code}"]
    done = subprocess.run([*command, *options, url], capture_output=True, timeout=20, check=False)
    body, _, status = done.stdout.decode("utf-8", "surrogateescape").rpartition(mark)
    return int(status), body


def envelope(service: str, call: str, inner: str = "", header: str = "") -> str:
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">'
        f'<s:Header>{header}</s:Header><s:Body><{call} xmlns="{service}">{inner}</{call}></s:Body>'
        "</s:Envelope>"
    )


class Caller:
    """Calls of one device, each by a curl of its own."""

    def __init__(self, servers: OnvifServers, device: OnvifDevice) -> None:
        self.base = f"http://{device.address}:{servers.port}/onvif/"

    def call(
        self, service: str, name: str, *options: str, inner: str = "", header: str = ""
    ) -> tuple[int, str]:
        text = envelope(service, name, inner, header)
        kind = "Content-Type: application/soap+xml"
        return curl(self.base + PATHS[service], "--data", text, "--header", kind, *options)

    def read(self, service: str, name: str, inner: str = "") -> ElementTree.Element:
        """The answer to a call with the right login."""
        status, body = self.call(service, name, *LOGIN, inner=inner)
        assert status == 200, body
        return ElementTree.fromstring(body)


LOGIN = ("--digest", "--user", "admin:p@ss")


@pytest.fixture
def caller(servers: OnvifServers, device: OnvifDevice) -> Caller:
    return Caller(servers, device)


def texts(tree: ElementTree.Element, name: str) -> list[str]:
    """The text of each element of this name, in whatever namespace."""
    return [node.text or "" for node in tree.iter() if node.tag.endswith("}" + name)]


def token(password: str, created: datetime | None = None) -> str:
    """A WS-UsernameToken of admin."""
    nonce = uuid.uuid4().bytes
    when = (created or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = b64encode(hashlib.sha1(nonce + when.encode() + password.encode()).digest()).decode()
    return (
        "<Security><UsernameToken><Username>admin</Username>"
        f'<Password Type="http://x/#PasswordDigest">{digest}</Password>'
        f"<Nonce>{b64encode(nonce).decode()}</Nonce><Created>{when}</Created></UsernameToken>"
        "</Security>"
    )


@pytest.mark.parametrize("offers", [("md5",), ("sha256",), ("md5", "sha256"), ("basic", "md5")])
def test_curl_logs_in_by_digest(
    device: OnvifDevice, caller: Caller, offers: tuple[str, ...]
) -> None:
    device.accounts.offers = offers
    status, body = caller.call(DEVICE, "GetDeviceInformation", *LOGIN)
    assert status == 200
    assert "<tds:Model>IPC-100</tds:Model>" in body
    assert (device.accounts.right, device.accounts.wrong) == (1, 0)
    assert device.accounts.saw("p@ss")


def test_a_wrong_login_is_refused_counted_and_kept(device: OnvifDevice, caller: Caller) -> None:
    call = ("--digest", "--user", "admin:other")
    assert caller.call(DEVICE, "GetDeviceInformation", *call)[0] == 401
    assert caller.call(DEVICE, "GetDeviceInformation", header=token("third"))[0] == 401
    assert device.accounts.wrong == 2
    assert device.accounts.saw("other")
    assert device.accounts.saw("third")
    assert not device.accounts.saw("p@ss")


def test_a_token_is_judged_by_the_clock_of_the_device(device: OnvifDevice, caller: Caller) -> None:
    device.logins, device.clock_offset = ("wsse",), 7200
    status, body = caller.call(DEVICE, "GetDeviceInformation", header=token("p@ss"))
    assert status == 400
    assert "Wsse authorized time check failed" in body
    in_time = token("p@ss", datetime.now(UTC) + timedelta(hours=2))
    assert caller.call(DEVICE, "GetDeviceInformation", header=in_time)[0] == 200
    assert device.accounts.wrong == 0


@pytest.mark.parametrize(
    ("refusal", "status", "text"),
    [
        ("fault", 401, "not authorized"),
        ("html", 401, "<!DOCTYPE html>"),
        ("empty", 401, ""),
        ("bad-request", 400, ""),
        ("attempts", 401, "You still have 4 attempt(s)"),
    ],
)
def test_a_refusal_has_many_forms(
    device: OnvifDevice, caller: Caller, refusal: str, status: int, text: str
) -> None:
    device.refusal, device.accounts.lock_after = refusal, 5
    answer = caller.call(DEVICE, "GetDeviceInformation", header=token("wrong"))
    assert answer[0] == status
    assert text in answer[1]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_clock_is_told_without_login_in_each_shape(
    device: OnvifDevice, caller: Caller, shape: str
) -> None:
    device.date_shape = shape
    status, body = caller.call(DEVICE, "GetSystemDateAndTime")
    assert status == 200
    assert texts(ElementTree.fromstring(body), "DateTimeType") == ["NTP"]
    assert device.accounts.attempts == []


def test_the_clock_is_ahead_and_can_need_a_login(device: OnvifDevice, caller: Caller) -> None:
    device.clock_offset = 366 * 86_400
    _status, body = caller.call(DEVICE, "GetSystemDateAndTime")
    years = texts(ElementTree.fromstring(body), "Year")
    assert years[0] == str((datetime.now(UTC) + timedelta(days=366)).year)
    device.date_shape = "login"
    assert caller.call(DEVICE, "GetSystemDateAndTime")[0] == 401
    device.date_shape = "fault"
    assert caller.call(DEVICE, "GetSystemDateAndTime")[0] == 500


def test_a_recorder_has_a_source_for_each_channel(device: OnvifDevice, caller: Caller) -> None:
    device.sources = recorder_sources(8, dark=[3])
    profiles = caller.read(MEDIA, "GetProfiles")
    assert len(texts(profiles, "SourceToken")) == 16
    sources = caller.read(MEDIA, "GetVideoSources")
    widths = texts(sources, "Width")
    assert widths == ["1920"] * 2 + ["0"] + ["1920"] * 5
    inner = "<ProfileToken>MediaProfile00201</ProfileToken>"
    assert texts(caller.read(MEDIA, "GetStreamUri", inner), "Uri") == [
        f"rtsp://{device.address}:554/cam/realmonitor?channel=3&subtype=1&unicast=true&proto=Onvif"
    ]


def test_media2_knows_the_encoder_that_media_leaves_out(
    device: OnvifDevice, caller: Caller
) -> None:
    (source,) = camera_sources()
    bare = tuple(
        replace(profile, has_encoder=how, codec="H265")
        for profile, how in zip(source.profiles, ("bare", "no"), strict=True)
    )
    device.sources = (replace(source, profiles=bare),)
    assert caller.call(MEDIA2, "GetProfiles", *LOGIN)[0] == 500
    device.has_media2 = True
    assert texts(caller.read(MEDIA, "GetProfiles"), "Encoding") == []
    assert texts(caller.read(MEDIA2, "GetProfiles"), "Encoding") == ["H265", "H265"]
    assert texts(caller.read(DEVICE, "GetServices"), "Namespace") == [DEVICE, MEDIA, MEDIA2]


def test_uris_name_an_inner_address_and_echo_the_login(device: OnvifDevice, caller: Caller) -> None:
    device.inner_host, device.inner_port, device.echoes_login = "192.0.2.7", 8106, True
    device.uri_padding, device.doubled_port = ("\n\t\t", "\n"), True
    inner = "<ProfileToken>Profile_1</ProfileToken>"
    assert texts(caller.read(MEDIA, "GetStreamUri", inner), "Uri") == [
        "\n\t\trtsp://admin:p%40ss@192.0.2.7:554/stream1\n"
    ]
    assert texts(caller.read(MEDIA, "GetSnapshotUri", inner), "Uri") == [
        "\n\t\thttp://admin:p%40ss@192.0.2.7:8106:8106/onvif/snapshot?profile=Profile_1\n"
    ]


def test_a_uri_is_invalid_after_a_restart(
    servers: OnvifServers, device: OnvifDevice, caller: Caller
) -> None:
    device.changes_paths = True
    inner = "<ProfileToken>Profile_1</ProfileToken>"
    before = texts(caller.read(MEDIA, "GetStreamUri", inner), "Uri")
    servers.restart(device)
    answer = caller.read(MEDIA, "GetStreamUri", inner)
    assert texts(answer, "Uri") != before
    assert texts(answer, "InvalidAfterReboot") == ["true"]


def test_a_snapshot_is_a_jpeg_behind_digest(device: OnvifDevice, caller: Caller) -> None:
    place = caller.base + "snapshot?profile=Profile_1"
    assert curl(place)[0] == 401
    status, body = curl(place, *LOGIN)
    assert (status, body.encode("utf-8", "surrogateescape")[:3]) == (200, b"\xff\xd8\xff")
    device.snapshot_works = False
    assert curl(place, *LOGIN)[0] == 404


def test_an_answer_can_be_garbled_or_not_well_formed(device: OnvifDevice, caller: Caller) -> None:
    device.garbles = frozenset(["GetDeviceInformation"])
    assert "\udcff" in caller.call(DEVICE, "GetDeviceInformation", *LOGIN)[1]
    device.garbles, device.spoils = frozenset(), device.garbles
    with pytest.raises(ElementTree.ParseError):
        caller.read(DEVICE, "GetDeviceInformation")


@pytest.mark.parametrize(
    ("mode", "status", "text"),
    [
        ("html", 200, "<!DOCTYPE html>"),
        ("bomb", 200, '<!ENTITY i "&h;&h;'),
        ("redirecting", 302, ""),
        ("failing", 500, ""),
        ("junk", 0, ""),
        ("off", 0, ""),
    ],
)
def test_a_device_is_broken(
    servers: OnvifServers, device: OnvifDevice, caller: Caller, mode: str, status: int, text: str
) -> None:
    servers.turn(device, mode)
    answer = caller.call(DEVICE, "GetSystemDateAndTime")
    assert answer[0] == status
    assert text in answer[1]


# -- WS-Discovery ----------------------------------------------------------------------------


def probe(servers: OnvifServers, device: OnvifDevice, count: int = 1) -> list[bytes]:
    """The datagrams that come back for a Probe to its address."""
    text = (
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.'
        'xmlsoap.org/ws/2004/08/addressing"><e:Header><w:MessageID>urn:uuid:asked</w:MessageID>'
        "</e:Header><e:Body><Probe/></e:Body></e:Envelope>"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(text.encode(), (device.address, servers.discovery_port))
        return [sock.recvfrom(65_535)[0] for _ in range(count)]


def test_a_probe_is_answered_with_endpoint_scopes_and_address(
    servers: OnvifServers, device: OnvifDevice
) -> None:
    device.scopes = ("onvif://www.onvif.org/location/hall",)
    (answer,) = probe(servers, device)
    tree = ElementTree.fromstring(answer)
    assert texts(tree, "RelatesTo") == ["urn:uuid:asked"]
    assert texts(tree, "Address") == ["urn:uuid:2419d68a-2dd2-21b2-a205-00005e005301"]
    address = f"http://{device.address}:{servers.port}/onvif/device_service"
    assert texts(tree, "XAddrs") == [address]
    assert "onvif://www.onvif.org/location/hall" in texts(tree, "Scopes")[0].split()


def test_a_probe_match_can_be_odd_and_come_after_junk(
    servers: OnvifServers, device: OnvifDevice
) -> None:
    device.has_types, device.reuses_id, device.reversed_mac = False, True, True
    device.xaddrs = ("http://169.254.1.1/onvif/device_service", "http://[fe80::1]/onvif/x")
    device.junk_first = True
    tree = ElementTree.fromstring(probe(servers, device, count=5)[-1])
    assert texts(tree, "Types") == []
    assert texts(tree, "MessageID") == texts(tree, "Address")
    assert texts(tree, "Address")[0].endswith("-0153005e0000")
    assert len(texts(tree, "XAddrs")[0].split()) == 2


def test_a_device_that_moves_answers_at_its_new_address_only(servers: OnvifServers) -> None:
    first, second = (OnvifDevice(f"127.92.0.{number}", name=f"N{number}") for number in (1, 2))
    for device in (first, second):
        servers.add(device)
    servers.move({"127.92.0.1": "127.92.0.2", "127.92.0.2": "127.92.0.1"})
    assert b"name/N1" in probe(servers, first)[0]
    assert first.address == "127.92.0.2"
    assert Caller(servers, second).call(DEVICE, "GetScopes")[1].count("name/N2") == 1
