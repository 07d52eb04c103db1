"""Stream URLs as people paste them: taken apart, or refused in words that quote no password."""

from contextlib import suppress
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.model import Invalid
from fleet.stream_url import LONGEST, StreamUrl, parse


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("rtsp://10.0.0.5/live", StreamUrl(False, "10.0.0.5", 554, "/live")),
        ("  RTSP://10.0.0.5\n", StreamUrl(False, "10.0.0.5", 554)),
        ("rtsps://cam.lan", StreamUrl(True, "cam.lan", 322)),
        ("rtsps://cam.lan:7441/x?enableSrtp", StreamUrl(True, "cam.lan", 7441, "/x?enableSrtp")),
        ("rtsp://cam?channel=1", StreamUrl(False, "cam", 554, "?channel=1")),
        ("rtsp://[fe80::1%25eth0]:8554/", StreamUrl(False, "fe80::1%eth0", 8554, "/")),
        ("rtsp://[2001:DB8:0::5]/", StreamUrl(False, "2001:db8::5", 554, "/")),
        ("rtsp://admin@cam/", StreamUrl(False, "cam", 554, "/", "admin")),
        ("rtsp://admin:@cam/", StreamUrl(False, "cam", 554, "/", "admin", "")),
        ("rtsp://admin:pass@cam/", StreamUrl(False, "cam", 554, "/", "admin", "pass")),
        ("rtsp://a%40b:p%2F%3aw%25@cam/", StreamUrl(False, "cam", 554, "/", "a@b", "p/:w%")),
        ("rtsp://admin:p@ss#1:@cam/", StreamUrl(False, "cam", 554, "/", "admin", "p@ss#1:")),
        (
            "rtsp://admin:p@ss/w:rd@10.0.0.5/a",
            StreamUrl(False, "10.0.0.5", 554, "/a", "admin", "p@ss/w:rd"),
        ),
        ("rtsp://admin:2/3@cam/", StreamUrl(False, "cam", 554, "/", "admin", "2/3")),
        ("rtsp://admin:p?3@cam/", StreamUrl(False, "cam", 554, "/", "admin", "p?3")),
        ("rtsp://cam/%40home", StreamUrl(False, "cam", 554, "/%40home")),
    ],
)
def test_a_stream_url_is_taken_apart(text: str, url: StreamUrl) -> None:
    assert parse(text) == url


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "must be text"),
        ("", "begins with rtsp"),
        ("10.0.0.5", "begins with rtsp"),
        ("http://10.0.0.5/", "begins with rtsp"),
        ("file:///etc/passwd", "begins with rtsp"),
        ("rtsp://", "no host"),
        ("rtsp://:554/", "no host"),
        ("rtsp://admin:hunter2@/", "no host"),
        ("rtsp://:hunter2@cam/", "no user name"),
        ("rtsp://::1/", "no brackets"),
        ("rtsp://cam:0/", "port is invalid"),
        ("rtsp://cam:99999/", "port is invalid"),
        ("rtsp://0.0.0.0/", "not the address of a single device"),
        ("rtsp://010.0.0.1/", "IPv4 address is invalid"),
        ("rtsp://a b/", "a space"),
        ("rtsp://cam/\x00", "invisible"),
        ("rtsp://cam/\r\nX: y", "invisible"),
        ("rtsp://cam/#x", "contains a #"),
        ("rtsp://admin:%ff@cam/", "not encoded as UTF-8"),
        ("rtsp://admin:hunter2%0a@cam/", "invisible"),
        ("rtsp://admin:" + "h" * 257 + "@cam/", "more than 256"),
        ("rtsp://cam/" + "x" * LONGEST, f"more than {LONGEST}"),
        ("rtsp://cam/?user=admin&password=hunter2&pwd=x", "contains a password"),
        ("rtsp://admin:x@cam/?user=admin&password=hunter2", "and another in the path"),
        ("rtsp://cam/?user=admin&password=hunter2%ff", "not encoded as UTF-8"),
        ("rtsp://admin:hunter2@10.0.0.5/a@b", "an @ after the host"),
        ("rtsp://10.0.0.5:554/a@b", "an @ after the host"),
    ],
)
def test_a_url_that_does_not_fit_is_refused_in_words(text: object, why: str) -> None:
    with pytest.raises(Invalid) as error:
        parse(text)
    assert why in error.value.error
    assert error.value.hint
    assert "hunter2" not in error.value.error + error.value.hint
    assert error.value.field == "rtsp_url"


def test_the_text_and_the_repr_of_a_url_have_no_password() -> None:
    url = parse("rtsp://admin:hunter2@[::1]:8554/live?x=1")
    assert url.text == "rtsp://[::1]:8554/live?x=1"
    assert "hunter2" not in repr(url)


logins = st.text(st.characters(exclude_categories=("C",), exclude_characters=":"), max_size=40)
hosts = st.sampled_from(["10.0.0.5", "cam-1.lan", "fe80::1%eth0", "2001:db8::5"])
paths = st.text("abcXYZ0129/?&=%.-_~:", max_size=60).map(lambda path: f"/x{path}")


@settings(max_examples=150, deadline=None)
@given(st.booleans(), hosts, st.integers(1, 65535), paths, logins, st.none() | logins)
def test_what_is_written_is_read_back(
    tls: bool, host: str, port: int, path: str, username: str, password: str | None
) -> None:
    url = StreamUrl(tls, host, port, path)
    assert parse(url.text) == url
    if not username:
        return
    login = quote(username, safe="")
    login += "" if password is None else f":{quote(password, safe='')}"
    scheme, _, rest = url.text.partition("://")
    expected = replace(url, username=username, password=password)
    assert parse(f"{scheme}://{login}@{rest}") == expected


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["", "rtsp://", "rtsps://u:p@", "rtsp://[", "rtsp:"]))
def test_a_hostile_text_is_refused_or_gives_a_url_that_stays_the_same(
    text: str, start: str
) -> None:
    with suppress(Invalid):
        url = parse(start + text)
        again = parse(url.text)
        assert again == replace(url, username=None, password=None)
