"""How people type the way to a device: what is taken apart, kept, or refused in words."""

from typing import Any

import pytest

from fleet import access_fields
from fleet.access_fields import (
    LONGEST_PATH,
    LONGEST_USERNAME,
    MAX_INTERVAL,
    MAX_OPTIONS,
    endpoint,
    source,
    values,
)
from fleet.model import Access, Invalid
from fleet.validation import HIGHEST_NUMBER

PIN = "ab" * 32


@pytest.mark.parametrize(
    ("typed", "host", "port"),
    [
        ("192.168.1.20", "192.168.1.20", None),
        ("  192.168.1.20\n", "192.168.1.20", None),
        ("192.168.1.20:8554", "192.168.1.20", 8554),
        ("Gate-Camera.Example.COM.", "gate-camera.example.com", None),
        ("cam_1", "cam_1", None),
        ("gate:554", "gate", 554),
        ("gate:", "gate", None),
        ("::1", "::1", None),
        ("[::1]:8554", "::1", 8554),
        ("[2001:DB8:0::5]", "2001:db8::5", None),
        ("fe80::1%eth0", "fe80::1%eth0", None),
        ("[fe80::1%eth0]:554", "fe80::1%eth0", 554),
        ("::ffff:10.0.0.5", "10.0.0.5", None),
        ("tür.example", "xn--tr-xka.example", None),
        ("127.0.0.1", "127.0.0.1", None),
    ],
)
def test_an_address_is_kept_in_one_spelling(typed: str, host: str, port: int | None) -> None:
    parsed = endpoint(typed)
    assert (parsed.host, parsed.port) == (host, port)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("rtsp://10.0.0.5/live", {"host": "10.0.0.5", "port": 554, "path": "/live"}),
        ("RTSP://10.0.0.5:8554", {"host": "10.0.0.5", "port": 8554}),
        (
            "rtsp://admin@cam.lan/cam/realmonitor?channel=1&subtype=0",
            {
                "host": "cam.lan",
                "port": 554,
                "path": "/cam/realmonitor?channel=1&subtype=0",
                "username": "admin",
            },
        ),
        (
            "rtsps://[fe80::1%25eth0]/x",
            {"host": "fe80::1%eth0", "port": 322, "path": "/x", "options": {"tls": True}},
        ),
        ("https://[::1]/", {"host": "::1", "port": 443, "path": "/", "options": {"tls": True}}),
        ("http://us%65r@cam", {"host": "cam", "port": 80, "username": "user"}),
    ],
)
def test_a_url_is_taken_apart(typed: str, kept: dict[str, Any]) -> None:
    assert values({"host": typed}) == kept


@pytest.mark.parametrize("path", ["/bypass=1", "/live?compass=1", "/a?mpw=2"])
def test_a_path_with_a_name_that_only_ends_like_that_of_a_password_is_kept(path: str) -> None:
    assert values({"path": path}) == {"path": path}


@pytest.mark.parametrize(
    ("fields", "name", "why"),
    [
        ({"host": 7}, "host", "must be text"),
        ({"host": ""}, "host", "host name is invalid"),
        ({"host": "a b"}, "host", "host name is invalid"),
        ({"host": "gate\x00"}, "host", "host name is invalid"),
        ({"host": "-gate"}, "host", "host name is invalid"),
        ({"host": "x" * 64}, "host", "host name is invalid"),
        ({"host": "a." * 130}, "host", "host name is invalid"),
        ({"host": "a" * 100_000}, "host", "too long"),
        ({"host": "admin@10.0.0.5"}, "host", "host name is invalid"),
        ({"host": "10.0.0"}, "host", "IPv4 address is invalid"),
        ({"host": "010.0.0.1"}, "host", "IPv4 address is invalid"),
        ({"host": "10.0.0.256"}, "host", "IPv4 address is invalid"),
        ({"host": "0x7f.1"}, "host", "IPv4 address is invalid"),
        ({"host": "0.0.0.0"}, "host", "not the address of a single device"),
        ({"host": "::"}, "host", "not the address of a single device"),
        ({"host": "239.0.0.1"}, "host", "not the address of a single device"),
        ({"host": "ff02::1"}, "host", "not the address of a single device"),
        ({"host": "255.255.255.255"}, "host", "not the address of a single device"),
        ({"host": "10.0.0.5%eth0"}, "host", "zone is invalid"),
        ({"host": "fe80::1%e/0"}, "host", "zone is invalid"),
        ({"host": "[::1"}, "host", "IPv6 address is invalid"),
        ({"host": "[::1]x"}, "host", "IPv6 address is invalid"),
        ({"host": "gate:99999"}, "port", "port is invalid"),
        ({"host": "gate:http"}, "port", "port is invalid"),
        ({"host": "rtsp://"}, "host", "has no host"),
        ({"host": "rtsp:///live"}, "host", "has no host"),
        ({"host": "rtsp://cam:0/"}, "host", "port is invalid"),
        ({"host": "rtsp://cam:99999/"}, "host", "URL is invalid"),
        ({"host": "rtsp://[::1/"}, "host", "URL is invalid"),
        ({"host": "ftp://cam/"}, "host", "ftp:// is not supported"),
        ({"host": "file:///etc/passwd"}, "host", "file:// is not supported"),
        ({"host": "rtsp://cam/live#x"}, "host", "contains a #"),
        ({"host": "rtsp://admin:s3cret@cam/live"}, "host", "contains a password"),
        ({"host": "rtsp://:s3cret@cam/live"}, "host", "contains a password"),
        ({"host": "rtsp://admin:12/s3cret@10.0.0.5/live"}, "host", "contains a password"),
        ({"host": "rtsp://admin:12?s3cret@10.0.0.5/live"}, "host", "contains a password"),
        ({"host": "rtsp://cam:554/", "port": 8554}, "port", "the port 554, but port is 8554"),
        ({"host": "rtsp://cam/a", "path": "/b"}, "path", "the path /a, but path is /b"),
        ({"host": "rtsp://a@cam/", "username": "b"}, "username", "user name a, but username is b"),
        ({"port": 0}, "port", "port is invalid"),
        ({"port": 65536}, "port", "port is invalid"),
        ({"port": -1}, "port", "port is invalid"),
        ({"port": True}, "port", "port is invalid"),
        ({"port": 554.0}, "port", "port is invalid"),
        ({"port": "٥٥٤"}, "port", "port is invalid"),
        ({"port": [554]}, "port", "port is invalid"),
        ({"path": 7}, "path", "must be text"),
        ({"path": "/a b"}, "path", "space"),
        ({"path": "/a\r\nb"}, "path", "space"),
        ({"path": "/a\u202eb"}, "path", "invisible"),
        ({"path": "/a#b"}, "path", "contains a #"),
        ({"path": "/" + "x" * LONGEST_PATH}, "path", "more than 1000 characters"),
        ({"path": "/user=admin&password=tlJwpbo6&channel=1"}, "path", "contains a password"),
        ({"path": "/user=admin_password=tlJwpbo6_channel=1"}, "path", "contains a password"),
        ({"path": "/live?usr=a&PWD=b"}, "path", "contains a password"),
        ({"path": "/live?p%61ssword=b"}, "path", "contains a password"),
        ({"path": "/live?loginpas=b"}, "path", "contains a password"),
        ({"path": "/user_pass=b"}, "path", "contains a password"),
        ({"path": "/proxy/rtsp://a:b@10.0.0.6/live"}, "path", "contains a password"),
        ({"username": 7}, "username", "must be text"),
        ({"username": "a:b"}, "username", "colon"),
        ({"username": "a\nb"}, "username", "invisible"),
        ({"username": "x" * (LONGEST_USERNAME + 1)}, "username", "more than 128 characters"),
        ({"tls_pin": PIN[:-1]}, "tls_pin", "fingerprint is invalid"),
        ({"tls_pin": "zz" * 32}, "tls_pin", "fingerprint is invalid"),
        ({"tls_pin": 5}, "tls_pin", "fingerprint is invalid"),
        ({"interval": 9}, "interval", "interval is invalid"),
        ({"interval": MAX_INTERVAL + 1}, "interval", "interval is invalid"),
        ({"interval": 60.5}, "interval", "interval is invalid"),
        ({"interval": True}, "interval", "interval is invalid"),
        ({"interval": HIGHEST_NUMBER * 4}, "interval", "interval is invalid"),
        ({"options": []}, "options", "must be an object"),
        ({"options": {f"o{n}": n for n in range(MAX_OPTIONS + 1)}}, "options", "up to 32 values"),
        ({"options": {"A b": 1}}, "options", "invalid name"),
        ({"options": {7: 1}}, "options", "invalid name"),
        ({"options": {"a": {"b": 1}}}, "options", "must be text or a number"),
        ({"options": {"a": "x" * 2000}}, "options", "longer than 2000 bytes"),
        ({"options": {"community": "public"}}, "options", "looks like a password"),
        ({"options": {"auth_password": "x"}}, "options", "looks like a password"),
    ],
)
def test_what_does_not_fit_is_refused_by_field(fields: dict[str, Any], name: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        values(fields)
    assert refused.value.field == name
    assert refused.value.hint
    for text in (refused.value.error, refused.value.hint):
        assert "s3cret" not in text
        assert "tlJwpbo6" not in text
        assert len(text) < 300


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, {}),
        ({"host": None}, {"host": None}),
        ({"port": "554"}, {"port": 554}),
        ({"port": ""}, {"port": None}),
        ({"path": "live"}, {"path": "/live"}),
        ({"path": None}, {"path": ""}),
        ({"path": "?channel=1&profileToken=P1"}, {"path": "?channel=1&profileToken=P1"}),
        ({"path": "/user=admin&password=&channel=1"}, {"path": "/user=admin&password=&channel=1"}),
        ({"username": ""}, {"username": None}),
        ({"username": "Wächter 2"}, {"username": "Wächter 2"}),
        ({"tls_pin": "SHA256:" + ":".join(["AB"] * 32)}, {"tls_pin": PIN}),
        ({"tls_pin": None}, {"tls_pin": None}),
        ({"interval": "600"}, {"interval": 600}),
        ({"interval": None}, {"interval": None}),
        ({"options": None}, {"options": {}}),
        (
            {"options": {"transport": "udp", "retries": 2}},
            {"options": {"transport": "udp", "retries": 2}},
        ),
        ({"name": "not of these", "host": "a:1"}, {"host": "a", "port": 1}),
    ],
)
def test_what_fits_is_kept_and_read_again(fields: dict[str, Any], kept: dict[str, Any]) -> None:
    assert values(fields) == kept
    assert access_fields.validated(Access(**kept)) == Access(**kept)


LONG = "x" * 999


def test_what_is_longest_when_it_was_typed_is_not_too_long_for_the_file() -> None:
    access = Access(**values({"path": LONG, "host": "cam"}))
    assert access_fields.validated(access) == access
    with pytest.raises(Invalid, match="more than 1000 characters"):
        values({"path": f"{LONG}x"})
    most = {f"option_{number}": number for number in range(32)}
    with pytest.raises(Invalid, match="up to 32 values"):
        values({"host": "rtsps://cam/live", "options": most})


def test_a_typed_password_is_never_shown_with_the_address_it_was_in() -> None:
    parsed = endpoint("rtsp://admin:s3%63ret@cam/live")
    assert parsed.password == "s3cret"
    assert "s3cret" not in repr(parsed)


@pytest.mark.parametrize("name", [None, 7, "", "Rtsp", "rtsp:x", "a" * 41, "../x", "rtsp\n"])
def test_the_name_of_a_source_is_a_plain_word(name: Any) -> None:
    with pytest.raises(Invalid) as refused:
        source(name)
    assert refused.value.field == "source"
    assert source("onvif") == "onvif"
