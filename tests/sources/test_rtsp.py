"""RTSP cameras as they are sold: facts, logins, sessions, and what is kept for the next check."""

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simulators.rtsp import Accounts, RtspDevice, RtspServers, Stream, address
from sources import login_texts, tls
from tests.home import until
from tests.sources.rtsp_checks import NOW, PASSWORD, PORT, USERNAME, Result, check_device
from tests.sources.tls_servers import certificate, server_context

WORKED = datetime(2026, 11, 27, 18, 30, tzinfo=UTC)
Make = Callable[..., RtspDevice]


@pytest.fixture(scope="module")
def make() -> Iterator[Make]:
    """Makes a camera with the login of the tests, unless told otherwise."""
    with RtspServers([], PORT) as servers:

        def camera(**changes: Any) -> RtspDevice:
            given = {"accounts": Accounts(USERNAME, PASSWORD), **changes}
            device = RtspDevice(address(len(servers.devices)), **given)
            servers.add(device)
            return device

        yield camera


def outcomes(device: RtspDevice) -> list[str]:
    return [attempt.outcome for attempt in device.accounts.attempts]


def is_ok(result: Result) -> bool:
    return not result.findings and not result.reason and result.learned.worked_at == NOW


def setups(device: RtspDevice) -> list[str]:
    """The URLs that were set up."""
    return [request.url for request in device.requests if request.method == "SETUP"]


# -- facts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "control"),
    [
        ("dahua", "/live?a=1&b=2/trackID=0"),
        ("hikvision", "/live/trackID=1?transportmode=unicast&profile=Profile_1"),
        ("reolink", "/live?a=1&b=2/track1"),
        ("tp-link", "/live?a=1&b=2/track1"),
        ("cheap", "/live?a=1&b=2/trackID=3"),
    ],
)
def test_e01_e09_a_stream_of_every_make_gives_codec_and_size(
    make: Make, style: str, control: str
) -> None:
    device = make(style=style, streams={"/live?a=1&b=2": Stream(audio="PCMA")})
    result = check_device(device)
    assert is_ok(result)
    assert result.facts["codec"] == "H264"
    assert (result.facts["width"], result.facts["height"]) == (1920, 1080)
    assert setups(device) == [f"rtsp://{device.address}:{PORT}{control}"]


def test_facts_have_codec_size_rate_audio_tracks_and_server(make: Make) -> None:
    stream = Stream(codec="H265", width=2560, height=1440, audio="PCMU")
    result = check_device(make(style="dahua", streams={"/x": stream}))
    assert result.facts == {
        "codec": "H265",
        "width": 2560,
        "height": 1440,
        "rate": 15,
        "audio": True,
        "audio_codec": "PCMU",
        "tracks": "video H265, audio PCMU, application VND.ONVIF.METADATA",
        "server": "Rtsp Server/3.0",
    }


@pytest.mark.parametrize(
    ("style", "control"),
    [("loopback", "video"), ("doorbell", "track1"), ("send-only", "streamid=0")],
)
def test_e11_the_picture_is_found_beside_back_channels(
    make: Make, style: str, control: str
) -> None:
    device = make(style=style, streams={"/x": Stream(audio="PCMU")})
    result = check_device(device)
    assert is_ok(result)
    assert result.facts["codec"] == "H264"
    assert setups(device) == [f"rtsp://{device.address}:{PORT}/x/{control}"]


def test_the_only_identity_is_the_place_that_was_asked(make: Make) -> None:
    device = make()
    sighting = check_device(device).sighting
    assert sighting.identities == (f"rtsp:{device.address}:{PORT}/stream1",)
    assert sighting.address == device.address
    assert sighting.latency is not None
    assert sighting.latency > 0


# -- logins --------------------------------------------------------------------------------


def test_the_first_question_carries_no_credentials_and_each_has_a_user_agent(make: Make) -> None:
    """E06: a camera answers 401 to whatever has no User-Agent."""
    device = make(needs_user_agent=True)
    assert is_ok(check_device(device))
    first = [request for request in device.requests if request.method == "DESCRIBE"][0]
    assert not first.has_login
    assert all(request.user_agent for request in device.requests)


@pytest.mark.parametrize(
    ("accounts", "method"),
    [
        pytest.param({"offers": ("basic",)}, "basic", id="Basic"),
        pytest.param({"offers": ("md5",)}, "digest-md5", id="MD5"),
        pytest.param({"offers": ("md5",), "qop": ""}, "digest-md5", id="MD5 without qop"),
        pytest.param({"offers": ("sha256",)}, "digest-sha-256", id="SHA-256"),
        pytest.param({"offers": ("basic", "md5", "sha256")}, "digest-sha-256", id="all three"),
        pytest.param({"qop": "auth,auth-int"}, "digest-md5", id="two qualities"),
        pytest.param({"offers": ("md5", "sha256"), "untidy": True}, "digest-md5", id="E03 untidy"),
    ],
)
def test_e03_the_strongest_login_is_used_once_and_kept(
    make: Make, accounts: dict[str, Any], method: str
) -> None:
    device = make(accounts=Accounts(USERNAME, PASSWORD, **accounts))
    result = check_device(device, refusals=1, attempts_left=5)
    assert is_ok(result)
    assert (result.learned.method, result.learned.refusals) == (method, 0)
    assert set(outcomes(device)) == {"right"}
    assert {"login.wrong", "login.method", "login.none"} <= result.cleared


def test_a_stale_nonce_is_answered_once_more_and_is_no_refusal(make: Make) -> None:
    """A camera whose nonces serve for one request."""
    device = make(accounts=Accounts(USERNAME, PASSWORD, nonce_uses=1))
    result = check_device(device, worked_at=WORKED)
    assert is_ok(result)
    assert result.learned.refusals == 0


@pytest.mark.parametrize("code", [302, 400, 404, 453, 454, 461, 500, 503])
def test_only_a_success_proves_a_login(make: Make, code: int) -> None:
    """A busy camera, for example, does not look at the login."""
    device = make(describe_code=code)
    for refusals, spent in ((0, None), (1, 2)):
        result = check_device(device, refusals=refusals)
        learned = result.learned
        assert (learned.method, learned.refusals) == ("", spent)
        assert not {"login.wrong", "login.method"} & result.cleared
        assert "login.wrong" not in result.findings


@pytest.mark.parametrize("code", [400, 403, 404, 459, 500])
def test_a_stream_that_is_described_and_not_sent_does_not_work(make: Make, code: int) -> None:
    result = check_device(make(setup_code=code))
    assert result.findings == {"stream.refused": f"it refuses to send the stream (RTSP {code})"}
    assert result.learned.worked_at is None
    assert result.learned.method == "digest-md5"


def test_a_nonce_of_one_use_is_renewed_for_setup(make: Make) -> None:
    device = make(accounts=Accounts(USERNAME, PASSWORD, nonce_uses=1))
    assert is_ok(check_device(device))
    until(lambda: device.sessions == set() and not device.open_connections)
    assert device.asked["SETUP"] == 2


def test_a_wrong_login_is_spent_twice_and_never_again(make: Make) -> None:
    accounts = Accounts(USERNAME, "another", refused_realm="Wrong password, try once more")
    device = make(accounts=accounts)
    for refusals in (0, 1):
        result = check_device(device, refusals=refusals)
        assert result.learned.refusals == refusals + 1
        assert "wrong user name or password" in result.findings["login.wrong"]
        assert outcomes(device) == ["wrong"] * (refusals + 1)
    result = check_device(device, refusals=2)
    assert outcomes(device) == ["wrong"] * 2
    assert device.requests[-1].method == "OPTIONS"
    assert result.learned.refusals is None
    assert "login.wrong" not in result.cleared


@pytest.mark.parametrize(
    "changes", [{"may_login": False}, {"refusals": 2}, {"attempts_left": 2}, {"attempts_left": 0}]
)
def test_without_leave_to_log_in_only_options_is_asked(make: Make, changes: dict[str, Any]) -> None:
    device = make()
    result = check_device(device, **changes)
    assert dict(device.asked) == {"OPTIONS": 1}
    assert not result.findings
    assert not result.cleared & {"login.wrong", "stream.path"}


def test_the_attempts_that_a_camera_has_left_are_told_and_kept(make: Make) -> None:
    device = make(accounts=Accounts(USERNAME, "x", lock_after=7, shows_attempts=True))
    result = check_device(device)
    assert result.learned.attempts_left == 6
    assert "6 login attempts left" in result.findings["login.wrong"]


@pytest.mark.parametrize("scheme", ["maker", "unknown"])
def test_e26_a_login_of_the_makers_own_costs_no_attempt(make: Make, scheme: str) -> None:
    accounts = Accounts(USERNAME, PASSWORD, offers=(scheme,), realm="TP-LINK Streaming Media")
    device = make(accounts=accounts)
    result = check_device(device)
    assert "login method not supported" in result.findings["login.method"]
    assert not outcomes(device)
    assert result.learned.refusals is None


def test_a_device_that_has_not_proved_itself_never_gets_basic(make: Make) -> None:
    device = make(accounts=Accounts(USERNAME, PASSWORD, offers=("basic",)))
    result = check_device(device, digest_only=True)
    assert "would reveal the password" in result.findings["login.method"]
    assert not outcomes(device)


def test_e25_no_login_and_an_empty_password_are_two_things(make: Make) -> None:
    device = make(accounts=Accounts(USERNAME, ""))
    without = check_device(device, username=None, secret=None, options={"login": "none"})
    assert "requires a user name and a password" in without.findings["login.wrong"]
    assert without.learned.refusals is None
    assert not outcomes(device)
    empty = check_device(device, secret=None)
    assert is_ok(empty)


@pytest.mark.parametrize("login", [{}, {"username": None, "secret": None}])
def test_e25_a_camera_without_accounts_is_open_to_everybody(
    make: Make, login: dict[str, Any]
) -> None:
    device = make(accounts=Accounts())
    result = check_device(device, **login)
    assert set(result.findings) == {"login.none"}
    assert result.learned.worked_at == NOW


def test_a_camera_that_wants_a_login_for_options_too_is_checked(make: Make) -> None:
    assert is_ok(check_device(make(asks_login_first=True)))


# -- sessions ------------------------------------------------------------------------------


def test_e08_a_session_is_ended_on_every_way_out(make: Make) -> None:
    for style in ("dahua", "hikvision", "reolink"):
        device = make(style=style)
        check_device(device)
        until(lambda device=device: not device.open_connections)
        assert (device.sessions, device.abandoned) == (set(), 0)
        assert device.asked["TEARDOWN"] == 1


def test_a_stream_that_worked_is_not_set_up_again(make: Make) -> None:
    device = make()
    assert is_ok(check_device(device, worked_at=WORKED))
    assert device.asked["SETUP"] == 0


def test_e10_an_odd_answer_to_setup_ends_no_check(make: Make) -> None:
    transport = "RTP/AVP;source=;interleaved=0;ssrc= d6d6627"
    device = make(transport=transport, timeouts=(60, 120))
    assert is_ok(check_device(device))
    until(lambda: not device.open_connections)
    assert device.abandoned == 0


# -- what a device echoes ------------------------------------------------------------------


def test_a_password_that_a_camera_echoes_is_in_no_report(make: Make) -> None:
    device = make(echoes_login=True, style="hikvision")
    result = check_device(device)
    assert is_ok(result)
    assert PASSWORD not in repr(result)
    assert all("@" not in request.url for request in device.requests)


# -- a login in the path -------------------------------------------------------------------

XMEYE = "/user={username}_password={password}_channel=1_stream=0.sdp"


@pytest.mark.parametrize(
    "path", [XMEYE, "/cam?user={username}&password={password}", "/live/{username}/{password}/ch1"]
)
def test_a_path_with_a_login_is_filled_in_and_in_no_report(make: Make, path: str) -> None:
    password = "p@ss:/?&=% +ü"
    sent = path.format(username="admin", password="p%40ss%3A%2F%3F%26%3D%25%20%2B%C3%BC")
    device = make(streams={sent: Stream()}, accounts=Accounts())
    result = check_device(device, path=path, secret=password)
    assert is_ok(result)
    assert result.learned.refusals == 0
    assert [request.url.partition("18554")[2] for request in device.requests[:2]] == ["/", sent]
    assert password not in repr(result)
    assert "p%40ss" not in repr(result)


def test_a_path_with_a_login_may_need_a_digest_of_it_besides(make: Make) -> None:
    path = XMEYE.format(username=USERNAME, password=PASSWORD)
    device = make(streams={path: Stream()})
    assert is_ok(check_device(device, path=XMEYE))
    assert outcomes(device) == ["right"] * len(outcomes(device))


def test_a_wrong_login_in_a_path_is_spent_twice_and_never_again(make: Make) -> None:
    path = XMEYE.format(username=USERNAME, password=PASSWORD)
    device = make(streams={path: Stream()})
    first = check_device(device, path=XMEYE, secret="wrong-one")
    assert first.learned.refusals == 2, "one in the URL and one as a digest"
    assert "login.wrong" in first.findings
    before = len(device.requests)
    check_device(device, path=XMEYE, secret="wrong-one", refusals=2)
    (request,) = device.requests[before:]
    assert (request.method, request.url.partition("18554")[2]) == ("OPTIONS", "/")


def test_the_last_login_that_may_be_refused_is_spent_in_a_path_too(make: Make) -> None:
    path = XMEYE.format(username=USERNAME, password=PASSWORD)
    device = make(streams={path: Stream()})
    result = check_device(device, path=XMEYE, secret="wrong-one", refusals=1)
    assert result.learned.refusals == 2
    assert result.findings["login.wrong"] == login_texts.PATH_ONLY
    assert outcomes(device) == []


def test_a_login_in_a_path_leaves_the_attempts_that_are_for_people(make: Make) -> None:
    path = XMEYE.format(username=USERNAME, password=PASSWORD)
    device = make(streams={path: Stream()})
    result = check_device(device, path=XMEYE, secret="wrong-one", attempts_left=3)
    assert result.findings["login.wrong"] == login_texts.PATH_ONLY
    assert outcomes(device) == []


def test_a_login_in_a_path_is_spent_where_the_other_method_is_not_supported(make: Make) -> None:
    path = XMEYE.format(username=USERNAME, password=PASSWORD)
    accounts = Accounts(USERNAME, PASSWORD, offers=("unknown",))
    device = make(streams={path: Stream()}, accounts=accounts)
    result = check_device(device, path=XMEYE, secret="wrong-one")
    assert result.findings == {"login.wrong": login_texts.NO_OTHER_METHOD}
    assert result.learned.refusals == 1


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"digest_only": True}, "login.method", "would reveal it to a device"),
        ({"username": None, "secret": None}, "login.wrong", "needs a user name and a password"),
    ],
)
def test_a_path_with_a_login_is_not_sent(
    make: Make, changes: dict[str, Any], kind: str, text: str
) -> None:
    device = make(streams={"/": Stream()}, accounts=Accounts())
    result = check_device(device, path=XMEYE, **changes)
    assert text in result.findings[kind]
    assert [request.url.partition("18554")[2] for request in device.requests] == ["/"]


def test_a_redirect_to_a_path_with_a_login_is_followed(make: Make) -> None:
    path = f"/user={USERNAME}_password={PASSWORD}_channel=1_stream=0.sdp"
    device = make(streams={path: Stream()}, accounts=Accounts())
    device.redirect = f"rtsp://{device.address}:{PORT}{path}"
    result = check_device(device, path="/live")
    assert set(result.findings) == {"login.none"}
    assert result.learned.worked_at == NOW
    assert PASSWORD not in repr(result)
    assert device.redirect in [request.url for request in device.requests]


# -- a path that worked --------------------------------------------------------------------


def test_a_path_that_worked_and_is_gone_is_not_a_wrong_path(make: Make) -> None:
    device = make(mode="missing")
    result = check_device(device, worked_at=WORKED)
    assert result.findings == {
        "stream.missing": "stream not offered now (worked at 2026-11-27 18:30 UTC): "
        "switched off or privacy mode?"
    }
    assert result.learned.worked_at is None
    assert set(check_device(device).findings) == {"stream.path"}
    without = check_device(device, path="").findings
    assert "enter the path" in without["stream.path"]


def test_a_stream_that_is_back_clears_what_was_wrong(make: Make) -> None:
    result = check_device(make(), worked_at=WORKED)
    assert {"stream.missing", "stream.path", "stream.refused", "stream.none"} <= result.cleared


# -- TLS -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RtspDevice, str]]:
    """An RTSPS camera, and the fingerprint of its certificate."""
    pem = certificate(tmp_path_factory.mktemp("rtsps"), "camera", "-newkey", "rsa:2048")
    device = RtspDevice("127.81.0.1", 17_441, accounts=Accounts(USERNAME, PASSWORD))
    with RtspServers([device], 0, server_context(pem)):
        der = ssl.PEM_cert_to_DER_cert(Path(pem).with_suffix(".crt").read_text())
        yield device, tls.fingerprint(der)


def test_e29_the_first_certificate_is_kept_and_the_same_is_fine(
    secure: tuple[RtspDevice, str],
) -> None:
    device, pin = secure
    first = check_device(device, options={"tls": True})
    assert is_ok(first)
    assert first.learned.tls_pin == pin
    second = check_device(device, options={"tls": True}, tls_pin=pin)
    assert is_ok(second)
    assert {"tls.changed", "tls.old"} <= second.cleared


def test_e29_another_certificate_gets_no_credentials(secure: tuple[RtspDevice, str]) -> None:
    device, pin = secure
    device.accounts.attempts.clear()
    device.requests.clear()
    result = check_device(device, options={"tls": True}, tls_pin="0" * 64)
    assert set(result.findings) == {"tls.changed"}
    assert pin[:16] in result.findings["tls.changed"]
    assert not outcomes(device)
    assert dict(device.asked) == {"OPTIONS": 1}
    assert result.learned.tls_pin is None
