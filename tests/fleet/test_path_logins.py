"""Logins in the path of a stream: placeholders take their place, and are filled in again."""

from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet import access_fields, path_logins
from fleet.stream_url import parse

PATHS = (
    "/?user={username}&password={password}",
    "/cam/realmonitor?channel=1&loginuse={username}&loginpas={password}&subtype=0",
    "/user={username}_password={password}_channel=1_stream=0.sdp?real_stream",
    "/user={username}&password={password}&channel=1&stream=0.sdp?",
    "/live/{username}/{password}/ch1",
    "/0/{username}:{password}/main",
)
texts = st.text(st.characters(exclude_categories=("C",), exclude_characters=":"), min_size=1)


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=40, deadline=None)
@given(texts, st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=80))
def test_what_is_pasted_is_sent_again(path: str, username: str, password: str) -> None:
    username = username[:40]
    sent = path_logins.filled(path, username, password)
    url = parse(f"rtsp://cam{sent}")
    assert (url.path, url.username, url.password) == (path, username, password)
    assert path_logins.filled(url.path, url.username, url.password) == sent
    assert quote(password, safe="") in sent
    assert path_logins.hidden(sent, username, password) == path


@pytest.mark.parametrize(
    ("url", "path", "password"),
    [
        ("/user=admin_password=p@s/s?_channel=1_stream=0.sdp", PATHS[2][:-12], "p@s/s?"),
        ("/?user=admin&password=a/b?c", PATHS[0], "a/b?c"),
        ("/?user=admin&password=a+b%20", PATHS[0], "a+b "),
        ("/a?user=admin;password=x;c=1", "/a?user={username};password={password};c=1", "x"),
    ],
)
def test_characters_that_nobody_encoded_are_part_of_the_password(
    url: str, path: str, password: str
) -> None:
    parsed = parse(f"rtsp://cam{url}")
    assert (parsed.path, parsed.username, parsed.password) == (path, "admin", password)


@pytest.mark.parametrize("path", [*PATHS, "/live", "/live/main/ch1", "/a?user=admin", "/x?pass="])
def test_a_path_without_a_password_stays_as_it_is(path: str) -> None:
    assert path_logins.taken_out(path) == path_logins.PathLogin(path)
    assert access_fields.values({"path": path}) == {"path": path}


def test_the_same_login_twice_is_one() -> None:
    parsed = parse("rtsp://admin:x%2Fy@cam/?user=admin&password=x/y")
    assert (parsed.path, parsed.username, parsed.password) == (PATHS[0], "admin", "x/y")
    assert "x/y" not in repr(parsed)


def test_a_placeholder_that_a_device_invents_is_none() -> None:
    path = path_logins.hidden("/a/{password}?x={username}", "admin", "s3cret")
    assert path_logins.filled(path, "admin", "s3cret") == path
    assert unquote(path) == "/a/{password}?x={username}"


@pytest.mark.parametrize("password", ["", "x"])
def test_a_password_that_is_in_every_path_is_not_looked_for(password: str) -> None:
    assert path_logins.hidden("/extra/x1", "x", password) == "/extra/x1"
