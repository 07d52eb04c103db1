"""What WS-Discovery answers say: as devices, printers and attackers really send them."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources import device_urls, ws_discovery_wire, xml_tree
from sources.device_urls import DeviceUrl
from sources.ws_discovery_wire import InvalidReply, ProbeMatch, candidate, parse
from tests.sources.probe_matches import ENDPOINT, ENVELOPE, answer, match

SENDER = "10.20.1.9"
SERVICE = "/onvif/device_service"
URL = f"http://{SENDER}{SERVICE}"
PRINTER = "<d:Types>wsdp:Device wprt:PrintDeviceType</d:Types>"
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    b'<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><b>&b;</b>'
)


def only(data: bytes, sender: str = SENDER) -> ProbeMatch:
    (result,) = parse(data, sender, "eth0")
    return result


def test_an_ordinary_answer_is_read_whole() -> None:
    assert only(answer(match(URL))) == ProbeMatch(
        ENDPOINT,
        (URL,),
        ("NetworkVideoTransmitter",),
        ("onvif://www.onvif.org/name/Lobby", "onvif://www.onvif.org/hardware/IPC-1"),
        SENDER,
        "eth0",
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "malformed XML"),
        (b"\x00\xff junk", "malformed XML"),
        (b"<a>", "malformed XML"),
        (answer(), "not a probe match"),
        (ENVELOPE.format(body="<d:Probe/>").encode(), "not a probe match"),
        (answer(match(f"http://{SENDER}/wsd", types=PRINTER, scopes="")), "not an ONVIF device"),
        (BOMB, "document type in the response"),
        (BOMB.decode().encode("utf-16"), "document type in the response"),
        (b"<!doctype html><html><body>Login</body></html>", "HTML page"),
        (b"<a>" * 50 + b"</a>" * 50, "malformed XML"),
        (b"<a>" + b" " * 16 * 1024 + b"</a>", "response too large"),
    ],
)
def test_what_is_no_match_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidReply, match=f"^{reason}$"):
        parse(data, SENDER)


def test_a_printer_in_the_same_datagram_drops_no_camera() -> None:
    printer = match(f"http://{SENDER}/wsd", "urn:uuid:1", PRINTER, "")
    assert only(answer(printer, match(URL))).endpoint == ENDPOINT


@pytest.mark.parametrize("types", ["", "<d:Types/>", "<d:Types> </d:Types>"])
def test_missing_types_are_no_reason_to_drop_a_device(types: str) -> None:
    assert only(answer(match(URL, types=types, scopes=""))).types == ()


def test_bytes_and_prefixes_that_are_wrong_are_read_all_the_same() -> None:
    data = answer(match(URL, scopes="onvif://www.onvif.org/name/T\xfcr?a=1&b=2"))
    data = data.decode().encode("latin-1").replace(b"d:", b"undeclared:") + b"\x00\x00"
    assert only(b"\r\n" + data).scopes == ("onvif://www.onvif.org/name/T\ufffdr?a=1&b=2",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ENDPOINT, ENDPOINT),
        (ENDPOINT.upper(), ENDPOINT),
        ("uuid:4D454930-0000-1000-8000-bcc34217e292", ENDPOINT),
        ("4d454930-0000-1000-8000-bcc34217e292", ENDPOINT),
        ("http://camera.example/1", "http://camera.example/1"),
        ("", ""),
        ("urn:uuid:00000000-0000-0000-0000-000000000000", ""),
        ("http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous", ""),
        ("x" * 400, ""),
    ],
)
def test_an_endpoint_reference_has_one_spelling(text: str, expected: str) -> None:
    assert ws_discovery_wire.endpoint_reference(text) == expected
    assert only(answer(match(URL, text))).endpoint == expected


@pytest.mark.parametrize(
    ("xaddrs", "sender", "expected"),
    [
        (URL, SENDER, URL),
        (f"http://[fe80::1]{SERVICE} {URL}", SENDER, URL),
        (f"http://169.254.3.4{SERVICE} {URL}", SENDER, URL),
        (f"http://10.20.1.8:81/a {URL}", SENDER, URL),
        (f"http://10.20.1.8:81/a http://192.0.2.1{SERVICE}", SENDER, "http://10.20.1.8:81/a"),
        ("http://192.0.2.1:8080/b http://10.20.1.8:81/a", SENDER, "http://10.20.1.8:81/a"),
        ("http://192.0.2.1:8080/b", SENDER, f"http://{SENDER}:8080/b"),
        ("https://192.0.2.1/b", SENDER, f"https://{SENDER}/b"),
        ("http://0.0.0.0:8080/b", SENDER, f"http://{SENDER}:8080/b"),
        ("http://127.0.0.1:8899/b", SENDER, f"http://{SENDER}:8899/b"),
        ("http://169.254.3.4/b", SENDER, f"http://{SENDER}/b"),
        ("http://camera.local:81/b", SENDER, f"http://{SENDER}:81/b"),
        (f"http://{SENDER}:8106:8106{SERVICE}", SENDER, f"http://{SENDER}:8106{SERVICE}"),
        (f"http://{SENDER}", SENDER, f"http://{SENDER}/"),
        ("", SENDER, URL),
        ("file:///etc/passwd gopher://10.20.1.9/", SENDER, URL),
        ("http://127.0.0.1:81/b", "127.0.0.5", "http://127.0.0.5:81/b"),
        ("http://169.254.3.4/b", "169.254.3.4", "http://169.254.3.4/b"),
        ("http://[fe80::1]/b", "fe80::1%eth0", None),
        ("", "fe80::1%eth0", None),
        (f"http://[fe80::1]/b {URL}", "fe80::1%eth0", URL),
        ("http://[2001:db8::1]:81/b", "2001:db8::1", "http://[2001:db8::1]:81/b"),
    ],
)
def test_the_address_to_ask_is_never_one_that_leads_elsewhere(
    xaddrs: str, sender: str, expected: str | None
) -> None:
    url = candidate(only(answer(match(xaddrs)), sender), [IPv4Network("10.20.0.0/16")])
    assert url == (device_urls.parse(expected) if expected else None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "\r\n\t rtsp://10.0.0.1/a?b=1&amp;c=2 \n",
            DeviceUrl("rtsp", "10.0.0.1", 554, "/a?b=1&c=2"),
        ),
        ("RTSPS://h:7441/a#x", DeviceUrl("rtsps", "h", 7441, "/a")),
        ("http://h:0/", DeviceUrl("http", "h", 80, "/")),
        ("http://h:99999:x/", DeviceUrl("http", "h", 80, "/")),
        ("http://u%40:p%3A@h/a", DeviceUrl("http", "h", 80, "/a", "u@", "p:")),
        ("http://@h/a", DeviceUrl("http", "h", 80, "/a", "", "")),
        ("http://h?a=1", DeviceUrl("http", "h", 80, "/?a=1")),
        ("http://h:123456x/a", DeviceUrl("http", "h", 80, "/a")),
        ("http://h:12345678901/a", DeviceUrl("http", "h", 80, "/a")),
        ("http://h:\u0661\u0662/a", DeviceUrl("http", "h", 80, "/a")),
        ("http:///a", None),
        ("ftp://h/", None),
        ("//h/a", None),
        ("", None),
        ("http://h/" + "a" * 3000, None),
    ],
)
def test_a_url_of_a_device_is_repaired_or_refused(text: str, expected: DeviceUrl | None) -> None:
    assert device_urls.parse(text) == expected


BITS = st.sampled_from(
    ("http://", "rtsp:", "//", "10.0.0.1", "[::1]", "[", ":", "123456x", "99999", "@", "/", "?")
    + ("#", "%", "&#0;", "&amp;", "\u0661", "\ud800", "h", "." * 20)
)


@settings(max_examples=400, deadline=None, database=None)
@given(text=st.one_of(st.text(), st.lists(BITS, max_size=14).map("".join)))
def test_a_url_of_a_device_is_never_an_error(text: str) -> None:
    url = device_urls.parse(text)
    other = device_urls.parse(f"http://{text}")
    for parsed in (url, other):
        assert parsed is None or (parsed.host and 0 < parsed.port < 65536)
    for sender in (SENDER, "fe80::1%eth0"):
        place = candidate(ProbeMatch("", (text, f"http://{text}"), (), (), sender))
        assert place is None or 0 < place.port < 65536


@pytest.mark.parametrize(
    ("rest", "host", "path"),
    [
        ("admin:pa/ss123@10.0.0.5:554/live", "10.0.0.5", "/live"),
        ("admin:12/34secret@10.0.0.5:554/live", "10.0.0.5", "/live"),
        ("admin:12?34secret@10.0.0.5:554/live", "10.0.0.5", "/live"),
        ("admin:12#34secret@10.0.0.5/live", "10.0.0.5", "/live"),
        ("admin:p@ss/secret@10.0.0.5/live", "10.0.0.5", "/live"),
        ("admin:p@10/secret@10.0.0.5/live", "10.0.0.5", "/live"),
        ("j.doe:12/34secret@10.0.0.5/live", "10.0.0.5", "/live"),
        ("admin:12/secret@camera.local/live", "camera.local", "/live"),
        ("admin:/secret@camera/live", "camera", "/live"),
        ("admin:pa/ss@[fe80::1]:554/live", "fe80::1", "/live"),
        ("admin:secret@10.0.0.5/live@main", "10.0.0.5", "/live@main"),
        ("10.0.0.5:554/live@main", "10.0.0.5", "/live@main"),
        ("10.0.0.5:554/a?b=c@10.0.0.9", "10.0.0.5", "/a?b=c@10.0.0.9"),
        ("[fe80::1]:554/live@main", "fe80::1", "/live@main"),
        ("camera.local:554/live@main", "camera.local", "/live@main"),
        ("camera/live@main", "camera", "/live@main"),
    ],
)
def test_no_part_of_a_password_is_taken_for_the_path(rest: str, host: str, path: str) -> None:
    url = device_urls.parse(f"rtsp://{rest}")
    assert url is not None
    assert (url.host, url.port, url.path) == (host, 554, path)


def test_scopes_tell_facts() -> None:
    scopes = (
        "onvif://www.onvif.org/Profile/Streaming",
        "onvif://www.onvif.org/name/HIKVISION%20DS-2CD",
        "onvif://www.onvif.org/location/country/china",
        "onvif://www.onvif.org/location/city/hangzhou",
        "onvif://www.onvif.org/hardware/",
        "junk",
    )
    assert ws_discovery_wire.names(scopes) == {
        "name": "HIKVISION DS-2CD",
        "location": "country/china, city/hangzhou",
    }


def test_each_question_has_an_id_of_its_own() -> None:
    tree = xml_tree.parse(ws_discovery_wire.probe("4d45", "dn:NetworkVideoTransmitter"))
    assert xml_tree.text(tree, "Envelope", "Header", "MessageID") == "urn:uuid:4d45"
    types = xml_tree.text(tree, "Envelope", "Body", "Probe", "Types")
    assert types == "dn:NetworkVideoTransmitter"
