"""Snapshots over HTTP: which requests are sent, with which login, and what a picture is."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fleet.model import NoAnswer, Target
from fleet.pictures import MOST_BYTES, jpeg_size
from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers
from simulators.onvif_device import JPEG
from sources import snapshot_http, tls
from sources.login_challenges import Login, challenges
from sources.onvif_http import Logins
from sources.snapshot_http import NoPicture, Place, Reply, Snapshot, dialogue, url_of
from tests.home import free_port
from tests.sources import tls_servers

USERNAME, PASSWORD = "admin", "s3cret-pass"
LINK = "/onvif/snapshot?profile=Profile_1"
DIGEST = 'Digest realm="cam", nonce="1", qop="auth"'
BASIC = 'Basic realm="cam"'
OPEN = Place("/snap.jpg", may_reveal=True)
GOOD = Reply(200, (), JPEG)


def asked(*offered: str) -> Reply:
    """A refusal with these challenges."""
    return Reply(401, challenges(offered))


def logins(**values: Any) -> Logins:
    given = {"login": Login(USERNAME, PASSWORD), "may_login": True, "digest_only": False}
    return Logins(**{**given, "refusals": 0, "attempts_left": None, **values})


def talk(
    replies: Sequence[Reply],
    known: Logins,
    place: Place = OPEN,
    *,
    may_login: bool = True,
) -> tuple[list[str], bytes | NoPicture]:
    """What is sent before each of these replies (nothing, a scheme of HTTP, or `path`), and the
    result."""
    steps, sent = dialogue(place, known, may_login=may_login), list[str]()
    try:
        request = next(steps)
        for reply in replies:
            sent.append(request.authorization.partition(" ")[0] or "path" * request.has_login)
            request = steps.send(reply)
    except StopIteration as end:
        return sent, end.value
    except NoPicture as error:
        return sent, error
    raise AssertionError(f"another request follows {sent}")


def test_nothing_is_sent_to_a_snapshot_that_is_open() -> None:
    assert talk([GOOD], logins()) == ([""], JPEG)


def test_digest_comes_first_and_basic_only_alone_and_where_it_may_be_used() -> None:
    assert talk([asked(BASIC, DIGEST), GOOD], logins()) == (["", "Digest"], JPEG)
    assert talk([asked(BASIC), GOOD], logins()) == (["", "Basic"], JPEG)
    unproven = Place("/snap.jpg")
    sent, error = talk([asked(BASIC)], logins(), unproven)
    assert sent == [""]
    assert "no login method that may be used (basic)" in str(error)
    assert talk([asked(BASIC, DIGEST), GOOD], logins(), unproven)[0] == ["", "Digest"]


def test_a_refused_login_is_sent_once_and_counted() -> None:
    known = logins()
    sent, error = talk([asked(DIGEST), asked(DIGEST)], known)
    assert sent == ["", "Digest"]
    assert isinstance(error, NoPicture)
    assert error.is_refused
    assert known.refusals == 1


def test_a_nonce_that_is_too_old_is_answered_once_more() -> None:
    stale = DIGEST.replace('"1"', '"2"') + ", stale=true"
    known = logins()
    assert talk([asked(DIGEST), asked(stale), GOOD], known) == (["", "Digest", "Digest"], JPEG)
    assert known.refusals == 0


def test_a_login_that_was_refused_elsewhere_is_not_risked_here() -> None:
    sent, error = talk([asked(DIGEST)], logins(), may_login=False)
    assert sent == [""]
    assert isinstance(error, NoPicture)
    assert error.wait
    assert talk([asked(DIGEST)], logins(refusals=2))[0] == [""]
    assert "requires a user name" in str(talk([asked(DIGEST)], logins(login=None))[1])


def test_an_address_with_the_login_in_it_is_asked_once_and_without_a_header() -> None:
    place = Place("/snap?pwd=s3cret-pass", has_login=True, may_reveal=True)
    assert talk([GOOD], logins(), place) == (["path"], JPEG)
    known = logins()
    sent, error = talk([asked(DIGEST)], known, place)
    assert (sent, known.refusals) == (["path"], 1)
    assert "refuses the login" in str(error)
    assert talk([], logins(), replace(place, may_reveal=False))[0] == []
    assert talk([], logins(login=None), place)[0] == []


def test_a_refusal_tells_how_many_attempts_are_left() -> None:
    known = logins()
    left = replace(asked(DIGEST), data=b"You still have 3 attempt(s)")
    talk([asked(DIGEST), left], known)
    assert known.attempts_left == 3


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(200, (), b"<html>Unauthorized</html>"), "not a JPEG picture"),
        (Reply(404), "HTTP 404"),
        (Reply(403), "HTTP 403"),
        (Reply(302, (), JPEG), "leads to another address"),
        (Reply(503), "busy"),
        (Reply(200, (), JPEG[:-4]), "incomplete"),
        (Reply(401), "no login method"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(reply: Reply, reason: str) -> None:
    sent, error = talk([reply], logins())
    assert sent == [""]
    assert reason in str(error)


def test_a_busy_device_has_no_broken_snapshot() -> None:
    _sent, error = talk([Reply(503)], logins())
    assert isinstance(error, NoPicture)
    assert error.wait


def test_a_body_is_read_on_only_as_long_as_it_can_be_a_picture() -> None:
    assert snapshot_http.reads_on(200, b"")
    assert snapshot_http.reads_on(200, b"\xff")
    assert snapshot_http.reads_on(200, JPEG + bytes(100_000))
    assert not snapshot_http.reads_on(200, JPEG + bytes(MOST_BYTES))
    assert not snapshot_http.reads_on(200, b"--boundary" + bytes(5000))
    assert not snapshot_http.reads_on(404, JPEG + bytes(5000))


@pytest.mark.parametrize(
    ("link", "options", "url"),
    [
        ("/snap.jpg", {}, ("http", 80, "/snap.jpg")),
        (":8080/a?b=c", {}, ("http", 8080, "/a?b=c")),
        ("https:443/snap", {}, ("https", 443, "/snap")),
        ("https:8443/snap", {}, ("https", 8443, "/snap")),
        ("/https:443/snap", {}, ("http", 80, "/https:443/snap")),
        ("/snap.jpg", {"tls": True}, ("https", 443, "/snap.jpg")),
        (":70000/snap", {}, ("http", 80, "/snap")),
        ("", {}, ("http", 80, "/")),
    ],
)
def test_a_link_is_asked_at_the_host_of_the_device(
    link: str, options: dict[str, Any], url: tuple[str, int, str]
) -> None:
    result = url_of(link, Target("here", "key", "127.0.0.1", options=options))
    assert result.host == "127.0.0.1"
    assert (result.scheme, result.port, result.path) == url


# -- over a connection -------------------------------------------------------------------


@pytest.fixture(scope="module")
def servers() -> Iterator[OnvifServers]:
    with OnvifServers([OnvifDevice("127.80.20.1")], free_port()) as running:
        yield running


def fetched(servers: OnvifServers, seconds: float = 5.0, **target: Any) -> Snapshot:
    given = {"username": USERNAME, "secret": PASSWORD, "port": servers.port, **target}
    asked = Target("here", "at:onvif:1", servers.devices[0].address, **given)
    link = f":{servers.port}{LINK}"
    return asyncio.run(snapshot_http.take(asked, link, lambda: datetime.now(UTC), seconds))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("well", ""),
        ("octets", ""),
        ("text", "not a JPEG"),
        ("crossed", "not a JPEG"),
        ("empty", "not a JPEG"),
        ("half", "incomplete"),
        ("huge", "200"),
        ("endless", "larger than"),
    ],
)
def test_a_picture_is_known_by_its_bytes(servers: OnvifServers, kind: str, reason: str) -> None:
    servers.devices[0].snapshot_kind = kind
    snapshot = fetched(servers)
    if reason:
        assert reason in str(snapshot.trouble)
        assert snapshot.data == b""
    else:
        assert jpeg_size(snapshot.data) == (64, 48)
    assert snapshot.proof.learned is not None
    assert snapshot.proof.learned.refusals is None


@pytest.mark.parametrize(("kind", "reason"), [("cut", "in the middle"), ("silent", "within 0.5 s")])
def test_an_answer_that_does_not_end_is_given_up(
    servers: OnvifServers, kind: str, reason: str
) -> None:
    servers.devices[0].snapshot_kind = kind
    with pytest.raises(NoAnswer, match=reason):
        fetched(servers, 0.5)


def test_the_certificate_is_compared_before_anything_is_sent(tmp_path: Path) -> None:
    pem = tls_servers.certificate(tmp_path, "camera")
    camera = OnvifDevice("127.80.20.2", accounts=Accounts(USERNAME, PASSWORD))
    der = ssl.PEM_cert_to_DER_cert((tmp_path / "camera.crt").read_text())
    with OnvifServers([camera], free_port(), tls=tls_servers.server_context(pem)) as servers:
        options = {"tls": True}
        pinned = fetched(servers, options=options, tls_pin=tls.fingerprint(der))
        assert pinned.data == JPEG
        before = camera.asked["snapshot"]
        with pytest.raises(NoAnswer, match="certificate changed"):
            fetched(servers, options=options, tls_pin="0" * 64)
        assert camera.asked["snapshot"] == before
