"""The ONVIF source against devices on real sockets."""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from discovery.hidden_passwords import hidden_reports
from fleet.model import Finding, NoAnswer, Report, Sighting, Target
from sources import device_urls, login_texts, onvif, soap, ws_discovery_wire, xml_tree
from sources.ws_discovery import SearchOptions
from store.secret_texts import SecretTexts
from tests.sources.onvif_stub import (
    MAC,
    SNAPSHOT,
    STREAM,
    Question,
    Reply,
    Stub,
    camera,
    protected,
    serving,
)
from tests.sources.onvif_texts import clock, fault, message, moment, profile, profile2
from tests.sources.probe_matches import ENDPOINT, answer
from tests.sources.probe_matches import match as probe_match
from tests.sources.tls_servers import certificate, server_context

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PASSWORD = "right%secret"  # nosec B105 (of a pretend device)
LOGIN = {"username": "admin", "secret": PASSWORD}
CHALLENGE = {"WWW-Authenticate": 'Digest realm="cam", nonce="n1", qop="auth"'}
PAGE = b"<!DOCTYPE html><html><body>Login</body></html>"


@pytest.fixture(autouse=True)
def quick_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """No stub has WS-Discovery: its answer is not waited for."""
    monkeypatch.setattr(onvif, "PROBE_TIMEOUT", 0.05)


def target(stub: Stub, **values: Any) -> Target:
    given = Target("here", "at:onvif:place", "127.0.0.1", stub.port)
    return replace(given, **values)


def client(clock: Callable[[], datetime] = lambda: NOW) -> onvif.OnvifClient:
    return onvif.OnvifClient(onvif.OnvifOptions(clock))


def probe(stub: Stub, **values: Any) -> Sequence[Report]:
    return asyncio.run(client().probe(target(stub, **values)))


def device(reports: Sequence[Report]) -> Sighting:
    report = reports[0]
    assert isinstance(report, Sighting)
    return report


def channels(reports: Sequence[Report]) -> list[Sighting]:
    return [report for report in reports[1:] if isinstance(report, Sighting)]


def findings(reports: Sequence[Report]) -> dict[str, str]:
    """The findings that are raised, with their texts."""
    every = [report for report in reports if isinstance(report, Finding)]
    return {finding.kind: finding.text for finding in every if not finding.cleared}


def digest_guard(password: str = PASSWORD) -> Callable[[Question], Reply | None]:
    """Refuses whatever does not log in with this password by HTTP Digest."""

    def guard(question: Question) -> Reply | None:
        parts = dict(
            part.split("=", 1)
            for part in question.authorization[7:].replace('"', "").split(", ")
            if part
        )
        if not parts:
            return 401, b"", CHALLENGE

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        ours = md5(f"admin:cam:{password}")
        query = md5(f"POST:{question.path}")
        middle = f"{parts['nonce']}:{parts['nc']}:{parts['cnonce']}:auth"
        fits = parts["response"] == md5(f"{ours}:{middle}:{query}")
        return None if fits else (401, PAGE, CHALLENGE)

    return guard


def token_guard(
    password: str = PASSWORD, at: datetime = NOW, refusal: bytes | None = None
) -> Callable[[Question], Reply | None]:
    """Refuses whatever has no WS-UsernameToken of this password at this time."""

    def guard(question: Question) -> Reply | None:
        login = ("Envelope", "Header", "Security", "UsernameToken")
        tree = xml_tree.parse(question.body)
        created = xml_tree.text(tree, *login, "Created")
        if not created:
            return 400, fault(), {}
        made = datetime.fromisoformat(created)
        if abs((made - at).total_seconds()) > 60:
            return 400, refusal or fault(), {}
        nonce = base64.b64decode(xml_tree.text(tree, *login, "Nonce"))
        digest = hashlib.sha1(nonce + created.encode() + password.encode()).digest()
        fits = question.digest == base64.b64encode(digest).decode()
        return None if fits else (400, fault(), {})

    return guard


# -- what is read ----------------------------------------------------------------------------


def test_a_camera_without_accounts_is_read_whole_and_is_open_to_everybody() -> None:
    with serving(camera()) as stub:
        reports = probe(stub, **LOGIN)
    sighting = device(reports)
    assert sighting.identities == (f"mac:{MAC}",)
    assert (sighting.kind, sighting.model, sighting.serial) == ("camera", "IPC-1", "S1")
    assert (sighting.firmware, sighting.address) == ("1.2", "127.0.0.1")
    links = {"stream": "/main?a=1&b=2", "stream.sub": "/sub", "snapshot": "/still.jpg"}
    assert sighting.links == links
    assert sighting.facts["codec"] == "H264"
    assert [stream["path"] for stream in sighting.facts["streams"]] == ["/main?a=1&b=2", "/sub"]
    assert findings(reports) == {"login.none": login_texts.OPEN}
    assert stub.with_login() == [], "no login is sent where none is asked for"


def test_everything_is_asked_once_and_then_only_whether_it_is_alive() -> None:
    with serving(camera()) as stub:
        asking = client()

        async def run() -> tuple[Sequence[Report], Sequence[Report]]:
            return await asking.probe(target(stub)), await asking.probe(target(stub))

        _, second = asyncio.run(run())
        assert stub.operations().count("GetSystemDateAndTime") == 2
        assert stub.operations().count("GetDeviceInformation") == 1
        assert device(second).is_brief

        async def again() -> None:
            await asking.probe(target(stub, username="other"))

        asyncio.run(again())
        assert stub.operations().count("GetDeviceInformation") == 2, "the login changed"


def test_everything_is_asked_again_after_a_restart() -> None:
    stub = camera()
    asking = client()

    async def ask() -> None:
        await asking.probe(target(stub))

    with serving(stub):
        asyncio.run(ask())
    with pytest.raises(OSError, match="Connect call failed"):
        asyncio.run(ask())
    with serving(stub):
        asyncio.run(ask())
        assert stub.operations().count("GetStreamUri") == 4
        later = clock(moment("UTCDateTime", "2026-3-1", "12:05:00"))
        stub.answers["GetSystemDateAndTime"] = later
        asyncio.run(ask())
        assert stub.operations().count("GetStreamUri") == 6, "the clock jumped"


def test_a_recorder_has_a_channel_for_each_video_source() -> None:
    count = 4
    stub = camera(
        GetVideoSources="".join(f'<trt:VideoSources token="V{n}"/>' for n in range(1, count + 1)),
        GetProfiles="".join(profile(f"P{n}", f"V{n}") for n in range(1, count + 1)),
        GetStreamUri=lambda question: STREAM.format(f"rtsp://127.0.0.1:8554/{question.token}"),
    )
    del stub.answers["GetStreamUri P1"], stub.answers["GetStreamUri P2"]
    with serving(stub):
        reports = probe(stub)
    assert device(reports).kind == "recorder"
    assert "stream" not in device(reports).links
    assert [
        (each.identities, each.facts["channel"], each.links["stream"]) for each in channels(reports)
    ] == [((f"channel:mac:{MAC}/V{n}",), str(n), f":8554/P{n}") for n in range(1, count + 1)]


def test_media2_knows_what_media_does_not() -> None:
    media2 = (
        f"<tds:Service><tds:Namespace>{soap.MEDIA2}</tds:Namespace>"
        "<tds:XAddr>http://127.0.0.1:{}/onvif/media2</tds:XAddr></tds:Service>"
    )
    stub = camera(
        GetVideoSources='<trt:VideoSources token="V1"/>',
        GetServices=lambda question: media2.format(stub.port),
        GetProfiles=lambda question: (
            profile2("P1") if question.path == "/onvif/media2" else profile("P1", encoding="")
        ),
    )
    with serving(stub):
        facts = device(probe(stub)).facts
    assert (facts["codec"], facts["width"], facts["height"]) == ("H265", 3840, 2160)


def test_a_profile_without_encoder_is_still_a_stream() -> None:
    with serving(camera(GetProfiles=profile("P1", encoding=""))) as stub:
        sighting = device(probe(stub))
    assert sighting.links["stream"] == "/main?a=1&b=2"
    assert "codec" not in sighting.facts


@pytest.mark.parametrize(
    "answer",
    [
        b"\xff\xfe<",
        b"<a",
        b"",
        PAGE,
        message("<tds:GetDeviceInformationResponse/>"),
        (500, b"", {}),
    ],
)
def test_broken_information_spoils_only_itself(answer: Any) -> None:
    with serving(camera(GetDeviceInformation=answer)) as stub:
        sighting = device(probe(stub))
    assert sighting.model is None
    assert sighting.links["stream"] == "/main?a=1&b=2"


def test_another_host_in_a_url_is_replaced_and_reported() -> None:
    services = (
        f"<tds:Service><tds:Namespace>{soap.MEDIA}</tds:Namespace>"
        "<tds:XAddr>http://192.0.2.7:80/onvif/Media</tds:XAddr></tds:Service>"
    )
    stub = camera(
        **{
            "GetServices": services,
            "GetStreamUri P1": STREAM.format("rtsp://192.0.2.7:5540/main"),
            "GetSnapshotUri": SNAPSHOT.format("http://192.0.2.7:80/still.jpg"),
        }
    )
    with serving(stub):
        reports = probe(stub)
    assert device(reports).links == {
        "stream": ":5540/main",
        "stream.sub": "/sub",
        "snapshot": f":{stub.port}/still.jpg",
    }
    assert findings(reports)["address.told"] == (
        "reports another address: 192.0.2.7 (127.0.0.1 is used)"
    )
    assert {each.path for each in stub.questions if each.operation == "GetProfiles"} == {
        "/onvif/Media"
    }


@pytest.mark.parametrize(
    "path",
    [
        "/user=admin&amp;password=tlJwpbo6&amp;channel=1",
        "/live?pwd=another",
        "/live/svc/another/ch1",
        "/0/svc:another/main",
        "/svc/another/ch0",
        "/admin/another/ch0",
        "/stream1?auth=another",
        "/stream1?a=cmlnaHQlc2VjcmV0",
        "/stream1?a=YWRtaW46cmlnaHQlc2VjcmV0",
    ],
)
def test_a_secret_in_a_uri_is_in_no_report(path: str) -> None:
    stub = camera()
    stub.answers["GetStreamUri P1"] = STREAM.format(f"rtsp://admin:{PASSWORD}@127.0.0.1{path}")
    with serving(stub):
        reports = probe(stub, **LOGIN)
    assert PASSWORD not in repr(reports)
    assert "another" not in repr(reports)
    assert "tlJwpbo6" not in repr(reports)
    assert "HQlc2VjcmV0" not in repr(reports)
    assert device(reports).facts["streams"][0]["has_secret"] is True


def test_a_device_whose_streams_have_another_password_says_so_until_the_path_is_entered() -> None:
    stub = camera()
    for token in ("P1", "P2"):
        path = "rtsp://127.0.0.1/user=svc&amp;password=another&amp;channel=1"
        stub.answers[f"GetStreamUri {token}"] = STREAM.format(path)
    with serving(stub):
        text = findings(probe(stub, **LOGIN))["address.secret"]
        entered = probe(stub, has_stream_path=True, **LOGIN)
    assert "a password other than the saved one" in text
    assert "address.secret" not in findings(entered)
    assert "another" not in repr(entered)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/live?pwd=right%25secret", "/live?pwd={password}"),
        ("/admin/right%25secret/live", "/{username}/{password}/live"),
        ("/live?pwd=right%25%73ecret", "/live?pwd={password}"),
        ("/a/ri%67ht%25secret/b", "/a/{password}/b"),
        ("/a/RIGHT%25Secret/b", "/a/{password}/b"),
        ("/live/main/ch1", "/live/main/ch1"),
        ("/video/h264/ch0?channel=1", "/video/h264/ch0?channel=1"),
        ("/live?a={password}&pwd=right%25secret", "/live?a=%7Bpassword%7D&pwd={password}"),
    ],
)
def test_a_uri_that_repeats_the_login_is_kept_with_placeholders(path: str, kept: str) -> None:
    stub = camera()
    stub.answers["GetStreamUri P1"] = STREAM.format(f"rtsp://127.0.0.1{path}")
    with serving(stub):
        reports = probe(stub, **LOGIN)
    assert PASSWORD not in repr(reports)
    assert "right%25secret" not in repr(reports)
    assert device(reports).links["stream"] == kept


def test_another_service_with_a_changed_certificate_gets_no_request(tmp_path: Path) -> None:
    media = camera()
    pem = certificate(tmp_path, "a", "-newkey", "rsa:2048")
    services = (
        "<tds:GetServicesResponse><tds:Service><tds:Namespace>{}</tds:Namespace>"
        "<tds:XAddr>https://127.0.0.1:{}/media</tds:XAddr></tds:Service></tds:GetServicesResponse>"
    )
    with serving(media, tls=server_context(pem)):
        stub = camera(GetServices=services.format(soap.MEDIA, media.port))
        with serving(stub):
            first = device(probe(stub, **LOGIN))
            assert first.learned is not None
            pin = first.learned.tls_pin
            before = len(media.questions)
            accepted = probe(stub, **LOGIN, tls_pin=pin)
            asked = len(media.questions)
            changed = probe(stub, **LOGIN, tls_pin="0" * 64)
    assert pin
    assert 0 < before < asked
    assert {"tls.changed", "tls.old"} <= {
        each.kind for each in accepted if isinstance(each, Finding) and each.cleared
    }
    assert len(media.questions) == asked, "a request reached a server that was never accepted"
    assert findings(changed).keys() == {"tls.changed"}
    assert device(changed).is_brief


@pytest.mark.parametrize("password", ["pa/ss123", "12/34secret", "12?34secret", "p@ss/word"])
def test_no_half_of_a_password_that_is_not_encoded_is_in_a_report(password: str) -> None:
    stub = camera()
    stub.answers["GetStreamUri P1"] = STREAM.format(f"rtsp://admin:{password}@127.0.0.1/live")
    with serving(stub):
        reports = probe(stub, **{**LOGIN, "secret": ""})
    assert device(reports).links["stream"] == "/live"
    assert all(half not in repr(reports) for half in ("ss123", "34secret", "word@"))
    (finding,) = [each for each in reports if getattr(each, "kind", "") == "address.told"]
    assert finding.cleared


def test_a_login_before_the_host_of_a_uri_is_taken_out() -> None:
    stub = camera()
    uri = STREAM.format(f"rtsp://admin:{PASSWORD}@127.0.0.1/main")
    stub.answers["GetStreamUri P1"] = uri
    with serving(stub):
        reports = probe(stub, **LOGIN)
    assert PASSWORD not in repr(reports)
    assert device(reports).links["stream"] == "/main"


# -- the clock -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        (clock(moment("UTCDateTime", "2026-3-1", "12:00:30")), set()),
        (clock(moment("UTCDateTime", "2026-3-1", "13:00:00")), {"clock.zone"}),
        (clock(moment("UTCDateTime", "1979-1-1", "0:0:0")), {"clock.drift"}),
        (
            clock(moment("UTCDateTime", "2026-3-1", "13:00:00"), zone="CET-1CEST"),
            {"clock.local"},
        ),
        (fault(), set()),
        ((401, PAGE, CHALLENGE), set()),
        (clock(), set()),
    ],
)
def test_every_clock_leaves_the_device_online(answer: Any, kinds: set[str]) -> None:
    with serving(camera(GetSystemDateAndTime=answer)) as stub:
        reports = probe(stub)
    assert device(reports).model == "IPC-1"
    assert findings(reports).keys() - {"login.none"} == kinds


# -- logins ----------------------------------------------------------------------------------


def test_a_login_by_http_digest_is_learned() -> None:
    with serving(protected(camera(), digest_guard())) as stub:
        reports = probe(stub, **LOGIN)
    assert device(reports).links["stream"] == "/main?a=1&b=2"
    learned = device(reports).learned
    assert learned is not None
    assert (learned.method, learned.refusals) == ("digest-md5", 0)
    assert findings(reports) == {}
    first = next(each for each in stub.questions if each.operation == "GetDeviceInformation")
    assert not first.authorization, "the first question has no credentials"


def test_a_login_by_token_uses_the_clock_of_the_device() -> None:
    later = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
    stub = camera(GetSystemDateAndTime=clock(moment("UTCDateTime", "2026-3-1", "13:00:00")))
    with serving(protected(stub, token_guard(at=later))):
        reports = probe(stub, **LOGIN)
    learned = device(reports).learned
    assert learned is not None
    assert (learned.method, learned.refusals, learned.clock) == ("token", 0, 3600)
    assert device(reports).model == "IPC-1"
    assert findings(reports).keys() == {"clock.zone"}


@pytest.mark.parametrize(
    "refusal", [fault(), fault("ter:NotAuthorized", "Wsse authorized time check failed")]
)
def test_a_token_is_tried_by_our_clock_too(refusal: bytes) -> None:
    stub = camera(GetSystemDateAndTime=clock(moment("UTCDateTime", "2026-3-1", "13:00:00")))
    with serving(protected(stub, token_guard(refusal=refusal))):
        reports = probe(stub, **LOGIN)
    assert device(reports).model == "IPC-1"
    assert findings(reports).keys() == {"clock.zone"}


def test_a_refusal_for_the_clock_is_not_one_of_the_password() -> None:
    refusal = fault("ter:NotAuthorized", "Wsse authorized time check failed")
    far = datetime(2026, 6, 1, tzinfo=UTC)
    with serving(protected(camera(), token_guard(at=far, refusal=refusal))) as stub:
        reports = probe(stub, **LOGIN)
    assert findings(reports).keys() == {"login.clock"}
    learned = device(reports).learned
    assert learned is not None
    assert learned.refusals is None


@pytest.mark.parametrize("guard", [digest_guard, token_guard])
def test_an_answer_that_is_no_success_proves_no_login(guard: Callable[..., Any]) -> None:
    def busy(question: Question) -> Reply | None:
        has_login = bool(question.authorization or question.digest)
        return (500, fault("ter:Busy", "Try later"), {}) if has_login else guard()(question)

    with serving(protected(camera(), busy)) as stub:
        for refusals, kind, spent in ((0, "login.method", None), (1, "login.wrong", 2)):
            reports = probe(stub, **LOGIN, refusals=refusals)
            learned = device(reports).learned
            assert learned is not None
            assert (learned.method, learned.refusals) == ("", spent)
            assert findings(reports).keys() == {kind}
        assert len(stub.with_login()) == 3


def test_a_login_is_proved_by_the_first_operation_that_the_device_knows() -> None:
    with serving(protected(camera(), digest_guard())) as stub:
        first = stub.answers["GetDeviceInformation"]

        def unknown(question: Question) -> Any:
            is_in = bool(question.authorization)
            return (500, fault("ter:ActionNotSupported", "No"), {}) if is_in else first(question)

        stub.answers["GetDeviceInformation"] = unknown
        reports = probe(stub, **LOGIN)
    learned = device(reports).learned
    assert learned is not None
    assert (learned.method, learned.refusals) == ("digest-md5", 0)
    assert device(reports).links["stream"] == "/main?a=1&b=2"


def test_a_token_that_is_refused_for_the_clock_waits_until_the_clock_is_set() -> None:
    refusal = fault("ter:NotAuthorized", "Wsse authorized time check failed")
    far = datetime(2026, 6, 1, tzinfo=UTC)
    stub = protected(camera(), token_guard(at=far, refusal=refusal))
    asking = client()
    with serving(stub):
        for _ in range(5):
            asyncio.run(asking.probe(target(stub, **LOGIN, wants_all=True)))
        assert len(stub.with_login()) == 1
        asyncio.run(asking.probe(target(stub, **LOGIN | {"secret": "other"})))
        assert len(stub.with_login()) == 2, "another password is tried"
        set_clock = clock(moment("UTCDateTime", "2026-3-1", "13:00:00"))
        stub.answers["GetSystemDateAndTime"] = set_clock
        asyncio.run(asking.probe(target(stub, **LOGIN)))
        assert len(stub.with_login()) > 2


@pytest.mark.parametrize("text", ["a\x01b", "x\ty", "z\x7f", "\xe9"])
def test_a_challenge_that_cannot_be_repeated_is_not_answered(text: str) -> None:
    """No header has control characters, or bytes that are not UTF-8."""
    challenge = {"WWW-Authenticate": f'Digest realm="{text}", nonce="n1", qop="auth"'}
    with serving(protected(camera(), lambda question: (401, b"", challenge))) as stub:
        reports = probe(stub, **LOGIN)
    assert "login.method" in findings(reports)
    assert not stub.with_login()


@pytest.mark.parametrize("guard", [digest_guard, token_guard])
def test_at_most_two_wrong_logins_are_sent(guard: Callable[..., Any]) -> None:
    with serving(protected(camera(), guard("another"))) as stub:
        refusals, left = 0, None
        for _ in range(4):
            reports = probe(stub, **LOGIN, refusals=refusals, attempts_left=left)
            assert findings(reports)["login.wrong"] == "wrong user name or password"
            learned = device(reports).learned
            assert learned is not None
            refusals = refusals if learned.refusals is None else learned.refusals
        assert refusals == 2
        assert len(stub.with_login()) == 2
        assert device(reports).address == "127.0.0.1", "it is alive all the same"


def test_a_device_that_says_how_many_attempts_are_left_stops_us() -> None:
    refused = fault("ter:NotAuthorized", "Wrong password. You still have 2 attempt(s)")

    def guard(question: Question) -> Reply:
        return 400, refused, {}

    with serving(protected(camera(), guard)) as stub:
        reports = probe(stub, **LOGIN)
        learned = device(reports).learned
        assert learned is not None
        assert (learned.refusals, learned.attempts_left) == (1, 2)
        assert "2 login attempts left" in findings(reports)["login.wrong"]
        probe(stub, **LOGIN, refusals=1, attempts_left=2)
        assert len(stub.with_login()) == 1


def test_a_method_that_does_not_fit_costs_no_login() -> None:
    def guard(question: Question) -> Reply:
        return 401, b"", {"WWW-Authenticate": 'Acme realm="x"'}

    with serving(protected(camera(), guard)) as stub:
        reports = probe(stub, **LOGIN)
    assert findings(reports) == {"login.method": "login method not supported (acme)"}
    assert stub.with_login() == []


def test_a_token_that_is_the_wrong_method_leads_to_http_digest() -> None:
    by_http = digest_guard()

    def guard(question: Question) -> Reply | None:
        if not question.digest and not question.authorization:
            return 400, fault(), {}
        return by_http(question)

    with serving(protected(camera(), guard)) as stub:
        reports = probe(stub, **LOGIN)
    learned = device(reports).learned
    assert learned is not None
    assert (learned.method, learned.refusals) == ("digest-md5", 0)


def test_a_device_that_never_accepts_its_own_nonce_is_left_alone() -> None:
    count = iter(range(1000))

    def guard(question: Question) -> Reply:
        nonce = f'Digest realm="cam", nonce="n{next(count)}", stale=TRUE'
        return 401, b"", {"WWW-Authenticate": nonce}

    with serving(protected(camera(), guard)) as stub:
        reports = probe(stub, **LOGIN)
    assert findings(reports).keys() == {"login.method"}
    assert len(stub.with_login()) == 2
    learned = device(reports).learned
    assert learned is not None
    assert learned.refusals == 2


def test_no_password_is_shown_after_a_digest_that_was_refused() -> None:
    def guard(question: Question) -> Reply:
        second = 'Basic realm="cam", stale=true'
        header = second if question.authorization else CHALLENGE["WWW-Authenticate"]
        return 401, b"", {"WWW-Authenticate": header}

    with serving(protected(camera(), guard)) as stub:
        reports = probe(stub, **LOGIN)
    assert [question.authorization[:6] for question in stub.with_login()] == ["Digest"]
    learned = device(reports).learned
    assert learned is not None
    assert learned.refusals == 1


@pytest.mark.parametrize(
    ("values", "sends"),
    [
        ({"username": None}, 0),
        ({"username": "admin", "secret": None, "options": {"login": "none"}}, 0),
        ({"username": "admin", "secret": None}, 1),
        ({"username": "admin", "secret": "", "may_login": False}, 0),
    ],
)
def test_no_login_and_an_empty_password_are_two_things(values: dict[str, Any], sends: int) -> None:
    with serving(protected(camera(), digest_guard("another"))) as stub:
        reports = probe(stub, **values)
    assert len(stub.with_login()) == sends
    if values.get("may_login", True):
        assert "login.wrong" in findings(reports)
    else:
        assert stub.operations() == ["GetSystemDateAndTime"]


def test_an_empty_password_can_be_the_right_one() -> None:
    with serving(protected(camera(), digest_guard(""))) as stub:
        reports = probe(stub, username="admin")
    assert device(reports).model == "IPC-1"


def test_basic_is_never_used_where_the_device_did_not_prove_itself() -> None:
    def guard(question: Question) -> Reply | None:
        if question.authorization:
            return None
        return 401, b"", {"WWW-Authenticate": 'Basic realm="x"'}

    with serving(protected(camera(), guard)) as stub:
        assert "login.method" in findings(probe(stub, **LOGIN, digest_only=True))
        assert stub.with_login() == []
        assert device(probe(stub, **LOGIN)).model == "IPC-1"


@pytest.mark.parametrize("beside", ["", ", Negotiate", ", Bearer"])
@pytest.mark.parametrize("home", [None, "Basic", "Digest"])
def test_another_port_of_the_host_gets_no_basic(home: str | None, beside: str) -> None:
    def asks_basic(question: Question) -> Reply | None:
        is_in = question.authorization.startswith("Basic")
        offered = f'Basic realm="x"{beside}'
        return None if is_in else (401, b"", {"WWW-Authenticate": offered})

    media = protected(camera(), asks_basic)
    media.answers["GetStreamUri P1"] = STREAM.format("rtsp://127.0.0.1/main")
    with serving(media):
        services = (
            f"<tds:Service><tds:Namespace>{soap.MEDIA}</tds:Namespace>"
            f"<tds:XAddr>http://127.0.0.1:{media.port}/media</tds:XAddr></tds:Service>"
        )
        stub = camera(GetServices=services)
        for name in ("GetVideoSources", "GetProfiles"):
            stub.answers[name] = (404, b"", {})
        guards = {None: lambda question: None, "Basic": asks_basic, "Digest": digest_guard()}
        with serving(protected(stub, guards[home])):
            reports = probe(stub, **LOGIN)
    assert media.operations(), "the other port was asked"
    assert not any("Basic" in each.authorization for each in media.questions)
    assert "another port" in findings(reports)["login.method"]
    learned = device(reports).learned
    assert learned is not None
    assert not learned.refusals
    assert device(reports).model == "IPC-1"


def test_an_operation_that_the_user_may_not_use_is_no_wrong_password() -> None:
    by_digest = digest_guard()
    stub = protected(camera(), by_digest)
    stub.answers["GetNetworkInterfaces"] = lambda question: (401, b"", CHALLENGE)
    with serving(stub):
        reports = probe(stub, **LOGIN)
    assert device(reports).identities == ("at:onvif:place",)
    assert findings(reports) == {}


# -- what is no ONVIF device -----------------------------------------------------------------

BOMB = b'<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><b>&b;</b>'


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, PAGE, {}), "HTML page, HTTP 200"),
        ((404, PAGE, {}), "HTML page, HTTP 404"),
        ((200, BOMB, {}), "document type in the response, HTTP 200"),
        ((200, b"<a>" * 10_000, {}), "malformed XML, HTTP 200"),
        ((200, b"<a>" + b" " * 1_000_000 + b"</a>", {}), "response too large, HTTP 200"),
        ((302, b"", {"Location": "http://192.0.2.1/"}), "empty response, HTTP 302"),
    ],
)
def test_what_speaks_no_onvif_is_a_miss_with_the_reason(answer: Reply, reason: str) -> None:
    with serving(camera(GetSystemDateAndTime=answer)) as stub, pytest.raises(NoAnswer) as error:
        probe(stub)
    assert str(error.value) == f"it does not speak ONVIF at this address ({reason})"


def test_a_port_that_speaks_another_protocol_is_a_miss() -> None:
    async def run(reply: bytes) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(reply)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            stub = Stub(port=server.sockets[0].getsockname()[1])
            await client().probe(target(stub))

    with pytest.raises(NoAnswer, match="does not speak HTTP"):
        asyncio.run(run(b"SSH-2.0-OpenSSH_9.2\r\n"))
    with pytest.raises(NoAnswer, match="closed the connection"):
        asyncio.run(run(b""))
    with pytest.raises(NoAnswer, match="in the middle of its response"):
        asyncio.run(run(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<a"))


# -- discovery -------------------------------------------------------------------------------


def test_the_options_search_the_targets_of_easy_ip_unless_it_has_its_own() -> None:
    options = onvif.Options((), ("127.0.0.9",))
    assert onvif.search_targets(options) == ("127.0.0.9",)
    assert onvif.search_targets(replace(options, onvif_targets=("127.0.0.8",))) == ("127.0.0.8",)
    assert SearchOptions().targets == ()


def test_e32_a_device_at_a_link_local_address_alone_is_listed_with_its_interface() -> None:
    (match,) = ws_discovery_wire.parse(answer(probe_match("")), "fe80::1%eth0", "eth0")
    sighting, finding = onvif.discovered(match, None, NOW)
    assert isinstance(sighting, Sighting)
    assert isinstance(finding, Finding)
    assert sighting.identities == (f"onvif:{ENDPOINT}",)
    assert (sighting.address, sighting.facts["interface"]) == (None, "eth0")
    assert finding.text == "no usable address: it is only at fe80::1%eth0"
    _, cleared = onvif.discovered(match, device_urls.parse("http://10.0.0.9/"), NOW)
    assert isinstance(cleared, Finding)
    assert cleared.cleared


def test_a_login_method_that_repeats_the_password_is_not_named() -> None:
    stub = camera()
    refusal = (401, PAGE, {"WWW-Authenticate": f'{PASSWORD} realm="{PASSWORD}"'})
    stub.answers["GetDeviceInformation"] = lambda question: refusal
    with serving(stub):
        reports = probe(stub, **LOGIN)
    shown = list(hidden_reports(reports, SecretTexts.of([PASSWORD]), ""))
    assert findings(shown) == {"login.method": "login method not supported (***)"}
