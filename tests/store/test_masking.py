"""No library gets a password into a log, and a line without one stays as it is."""

import json
import logging
import queue
import re
import sys
from collections.abc import Callable
from io import StringIO
from logging.handlers import QueueHandler
from threading import Thread
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from store.masking import MaskingFormatter, install, masked


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MaskingFormatter, "_secrets", ())


# -- what is hidden --------------------------------------------------------------------------

LINES = {
    # URLs
    "rtsp://admin:hunter2@10.0.0.1:554/x": "rtsp://admin:***@10.0.0.1:554/x",
    "rtsp://admin:hun@ter2@10.0.0.1/?mail=a@b": "rtsp://admin:***@10.0.0.1/?mail=a@b",
    "rtsp://admin:hun/ter2@10.0.0.1/x": "rtsp://admin:***@10.0.0.1/x",
    "redis://:hunter2@broker,redis://u:hunter2@b": "redis://:***@broker,redis://u:***@b",
    r'"http:\/\/admin:hunter2@host\/x"': r'"http:\/\/admin:***@host\/x"',
    "rtsp://admin:hun?ter@2@camera/x": "rtsp://admin:***@camera/x",
    "rtsp://admin:hunter2@[fe80::1]:554/x?mail=a@b": "rtsp://admin:***@[fe80::1]:554/x?mail=a@b",
    "/add?url=rtsp%3A%2F%2Fadmin%3Ahunter%402%40host%2Fx&site=b": (
        "/add?url=rtsp%3A%2F%2Fadmin%3A***%40host%2Fx&site=b"
    ),
    # Headers
    "Authorization: Basic YWRtaW46cHc=": "Authorization: ***",
    "Proxy-Authorization: hunter2\nHost: x": "Proxy-Authorization: ***\nHost: x",
    r"b'GET /\r\nauthorization: Digest username=\"a\", response=\"b\"\r\nHost: x'": (
        r"b'GET /\r\nauthorization: ***\r\nHost: x'"
    ),
    "curl -H 'Authorization: Bearer hunter2' http://x": "curl -H 'Authorization: ***' http://x",
    "Set-Cookie: session=hunter2; Path=/": "Set-Cookie: ***",
    "{'HTTP_COOKIE': 'a=hunter2; b=c', 'x': 1}": "{'HTTP_COOKIE': '***', 'x': 1}",
    "[(b'Set-Cookie', b'a=b'), ('Authorization', 'Basic x')]": (
        "[(b'Set-Cookie', b'***'), ('Authorization', '***')]"
    ),
    "sent Bearer hunter2, got 401": "sent Bearer ***, got 401",
    "'Bearer aGVsbG8='": "'Bearer ***'",
    "sent Basic YWRtaW46cHc= again": "sent Basic *** again",
    "X-Auth-Token: hunter2": "X-Auth-Token: ***",
    # Fields
    "password=hunter2, user=x (pwd=hunter2)": "password=***, user=x (pwd=***)",
    "GET /x?access_token=hunter2&page=2": "GET /x?access_token=***&page=2",
    "'http://h/?loginuse=a&pass=hunter2'": "'http://h/?loginuse=a&pass=***'",
    "next=%2Flogin%3Fpassword%3Dhunter2": "next=%2Flogin%3Fpassword%3D***",
    r'{"password": "hunter2\\", "token": "x"}': '{"password": "***"token": "***"}',
    '{"password": "hun\\"ter2", "user": "x"}': '{"password": "***", "user": "x"}',
    "{'refresh_token': 'hunter2', b'api_key': b'hun\\'ter2'}": (
        "{'refresh_token': '***', b'api_key': b'***'}"
    ),
    r'"{\"secret\": \"hun\\\"ter2\", \"x\": 1}"': r'"{\"secret\": \"***\", \"x\": 1}"',
    "{'password': ['hun]ter2', \"x\"], 'y': 1}": "{'password': ***], 'y': 1}",
    "{'community': 1234, 'port': 161}": "{'community': ***, 'port': 161}",
    "Login(user='x', passwd='hunter2')": "Login(user='x', passwd='***')",
    'cut off in the middle: {"password": "hunt': 'cut off in the middle: {"password": "***',
    "SNMP_COMMUNITY = hunter2": "SNMP_COMMUNITY = ***",
    '<wsse:Password Type="x#Text">hunter2</wsse:Password>': (
        '<wsse:Password Type="x#Text">***</wsse:Password>'
    ),
    # Command lines
    "tool --password hunter2 --verbose": "tool --password *** --verbose",
    "tool --api-key=hunter2 host": "tool --api-key=*** host",
    "['tool', '--client-secret', 'hunter2', 'host']": "['tool', '--client-secret', '***', 'host']",
    "curl -u admin:hunter2 http://host": "curl -u admin:*** http://host",
    "snmpget -v2c -c hunter2 10.0.0.1": "snmpget -v2c -c *** 10.0.0.1",
    "['snmpget', '-c', 'hunter2', 'h']": "['snmpget', '-c', '***', 'h']",
}


@pytest.mark.parametrize(("line", "shown"), LINES.items())
def test_a_secret_is_hidden_and_what_is_around_it_is_not(line: str, shown: str) -> None:
    assert masked(line) == shown


FIELD_NAMES = [
    *("password", "passwd", "pwd", "secret", "token", "access_token", "refresh_token", "api_key"),
    *("community", "Authorization", "Cookie", "Set-Cookie", "DATABASE_PASSWORD", "clientSecret"),
]
AWKWARD = st.text(st.sampled_from("\"'\\ ,:;]}&=@\n") | st.characters(codec="utf-8"))
SHAPES: dict[str, Callable[[str, str], str]] = {
    "json": lambda name, value: json.dumps({"a": 1, name: value, "b": 2}),
    "compact json": lambda name, value: json.dumps({name: value}, separators=(",", ":")),
    "json in json": lambda name, value: json.dumps({"body": json.dumps({name: value, "b": 2})}),
    "repr": lambda name, value: repr({"a": 1, name: value, "b": 2}),
    "repr of bytes": lambda name, value: repr({name.encode(): value.encode()}),
    "repr of pairs": lambda name, value: repr([("a", "b"), (name, value)]),
    "repr of lists": lambda name, value: repr({name: [value, value], "b": 2}),
    "repr of json": lambda name, value: repr(json.dumps({name: value, "b": 2}).encode()),
    "json of repr": lambda name, value: json.dumps({"body": repr({name: value, "b": 2})}),
    "repr of json in json": lambda name, value: repr(json.dumps({"c": json.dumps({name: value})})),
    "query": lambda name, value: f"GET /x?a=1&{name}={quote(value, safe='')}&b=2",
    "keyword": lambda name, value: f"Login(user='x', {name}={value!r})",
    "command": lambda name, value: repr(["tool", f"--{name}", value]),
}


@pytest.mark.parametrize("shape", SHAPES)
@given(name=st.sampled_from(FIELD_NAMES), middle=AWKWARD)
def test_any_secret_is_hidden_in_any_field(shape: str, name: str, middle: str) -> None:
    line = masked(SHAPES[shape](name, f"Zq7{middle}Xk9"))
    assert "Zq7" not in line
    assert "Xk9" not in line
    assert "***" in line


@given(secret=st.text(st.characters(exclude_characters="\"'<>", exclude_categories=["Z", "C"])))
@example(secret="://")
@example(secret="@?")
@example(secret="@/")
@example(secret="@#")
@example(secret="@a/")
@example(secret="@a:1?")
def test_any_password_is_hidden_in_a_url(secret: str) -> None:
    url = f"rtsp://admin:Zq7{secret}Xk9@10.0.0.1:554/stream"
    assert masked(f"asking {url} now") == "asking rtsp://admin:***@10.0.0.1:554/stream now"
    line = masked(f"GET /add?url={quote(url, safe='')}&site=b")
    assert line == "GET /add?url=rtsp%3A%2F%2Fadmin%3A***%4010.0.0.1%3A554%2Fstream&site=b"


# -- what is not -----------------------------------------------------------------------------

HARMLESS = [
    "",
    "2026-01-02 14:00:00,123 INFO    discovery.scanner: 14 cameras, 3 new\n",
    "http://10.0.0.1:80/onvif?mail=a@b http://[fe80::1]:80/x@y rtsp://cam/live",
    'WWW-Authenticate: Basic realm="IP Camera", Bearer realm="x", Digest realm="y", nonce="z"',
    "Basic authentication is required; the Bearer token is not valid",
    "The password of camera 12 is wrong. Set passwords anew, or the secret token",
    '{"has_password": true, "token": null, "secret": ""}',
    "rtsp://cam/user={username}_password={password}_channel=1?pass={password}&x=1",
    "Login(password=None, token='', secret=False)",
    "rtsp://cam/user=admin&password=&channel=1",
    "<Password/> and <Token></Token>",
    "tool --password-file x --token --verbose",
    "bypass=1 tokenizer=2 compass: north",
    "password=*** rtsp://admin:***@host Authorization: ***",
]


@pytest.mark.parametrize("line", HARMLESS)
def test_a_line_without_secrets_stays_as_it_is(line: str) -> None:
    assert masked(line) == line


@given(st.text(st.characters(exclude_characters=":=\"'%-,<", exclude_categories=())))
def test_text_that_names_nothing_stays_as_it_is(text: str) -> None:
    if not re.search("(?i)bearer|basic|digest|snmp", text):
        assert masked(text) == text


WORDS = ["\\n", "://", "%3A", "password", "Cookie", "Bearer ", "None", "x"]
PIECES = st.sampled_from([*"\"'\\:=,&@/<>[]{}() \t\r\n", *WORDS])


@given(st.lists(PIECES | st.characters(), max_size=40).map("".join))
def test_masking_only_hides_whatever_the_text(text: str) -> None:
    parts = masked(text).split("***")
    at = 0
    for part in parts:
        at = text.index(part, at) + len(part)
    assert text.startswith(parts[0])
    assert text.endswith(parts[-1])


HOSTILE = [
    *("a", "x@", "\"'", "\\", "\n", "a=\t", "://", "://a:", "://a:a:", "http://a:b@", "-u a"),
    *(
        "%3A%2F%2F%3A",
        "%3A%2F%2Fa",
        "%3A%2F%2Fa%3Aa%40a.b",
        "%3A%2F%2Fa%3A%2F%40",
        "://a:a@a.b",
        "://a:/@a.b",
        "password",
        "password=",
        "password=,",
        "password ",
        "--a",
        "--",
    ),
    *(
        'password="',
        "password='x",
        'token=\\"',
        'token=\\\\\\"',
        "secret=['",
        "'password', ",
        "('a",
    ),
    *("<password ", "<a:", "snmp ", "snmp -c", "Cookie", "Cookie:\\r", "'Cookie: ", "bearer "),
    *("basic ab ", "digest username=\\r"),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_of_hostile_text_takes_no_more_than_its_length(piece: str) -> None:
    """In quadratic time it takes hours: the time limit of tests ends it."""
    masked(piece * (1_000_000 // len(piece)))


@pytest.mark.parametrize("begin", ["://a:", "password=", 'password="', "secret=['", "Cookie: "])
@pytest.mark.parametrize("piece", ["a", ",", "a:", "\\"])
def test_nor_does_a_megabyte_in_one_value(begin: str, piece: str) -> None:
    masked(begin + piece * (1_000_000 // len(piece)))


# -- what is known ---------------------------------------------------------------------------


@given(middle=AWKWARD)
def test_a_known_text_is_hidden_however_a_library_spells_it(middle: str) -> None:
    secret = f"Zq7{middle}Xk9"
    MaskingFormatter.add_secret(secret)
    spellings = (
        secret,
        quote(secret),
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
    )
    for spelling in spellings:
        assert masked(f"login with {spelling} failed") == "login with *** failed"


def test_a_text_of_six_characters_can_be_known_and_a_shorter_one_not() -> None:
    for text in ("", "admin", "hunter"):
        MaskingFormatter.add_secret(text)
    assert masked("admin and hunter are known") == "admin and *** are known"


def test_a_known_word_does_not_hide_the_name_of_a_field() -> None:
    MaskingFormatter.add_secret("password")
    assert masked("password=hunter2") == "***=***"


def test_known_texts_that_overlap_leave_nothing_of_either() -> None:
    for text in ("abcdefgh", "efghijkl", "cdefgh", "1234567890", "234567"):
        MaskingFormatter.add_secret(text)
    assert masked("<abcdefghijkl> <1234567890>") == "<***> <***>"


def test_what_threads_tell_at_once_is_all_known() -> None:
    def know_all(texts: list[str]) -> None:
        for text in texts:
            MaskingFormatter.add_secret(text)

    texts = [f"secret-{number:03}" for number in range(200)]
    threads = [
        Thread(target=lambda own: [*map(MaskingFormatter.add_secret, own)], args=(texts[n::8],))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert masked(" ".join(texts)) == " ".join(["***"] * 200)


# -- logging ---------------------------------------------------------------------------------


@pytest.fixture
def log() -> logging.Logger:
    """A logger of this test only, with one masked handler that writes to its `stream`."""
    logger = logging.Logger("cameras")
    handler = logging.StreamHandler(StringIO())
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    install(logger.handlers)
    return logger


def printed(log: logging.Logger) -> str:
    handler = log.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    return handler.stream.getvalue()


def test_message_and_arguments_are_masked(log: logging.Logger) -> None:
    log.info("asking %s with password=%s", "rtsp://admin:hunter2@host", "hunter2")
    log.info("headers: %r", {"Authorization": "Basic hunter2"})
    log.info({"token": "hunter2"})
    assert printed(log).splitlines() == [
        "INFO cameras: asking rtsp://admin:***@host with password=***",
        "INFO cameras: headers: {'Authorization': '***'}",
        "INFO cameras: {'token': '***'}",
    ]


def test_a_traceback_its_causes_notes_and_stack_are_masked(log: logging.Logger) -> None:
    MaskingFormatter.add_secret("told at run time")
    try:
        try:
            raise ValueError("http://admin:hunter2@host is no address")
        except ValueError as cause:
            cause.add_note("password=hunter2")
            raise RuntimeError("cannot log in as told at run time") from cause
    except RuntimeError:
        log.exception("It failed", stack_info=("token=hunter2" != ""))
    text = printed(log)
    assert "hunter2" not in text
    assert "told at run time" not in text
    assert "ValueError: http://admin:***@host is no address" in text
    assert "RuntimeError: cannot log in as ***" in text
    assert "Stack (most recent call last)" in text


def test_a_line_without_secrets_is_printed_as_its_formatter_made_it(log: logging.Logger) -> None:
    log.warning("Camera %d is back\nafter %s", 12, "3 min")
    assert printed(log) == "WARNING cameras: Camera 12 is back\nafter 3 min\n"


class Broken:
    """What a library may hand over: it fails when it is shown."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def __str__(self) -> str:
        raise self._error("hunter2")


@pytest.mark.parametrize("error", [ValueError, KeyError, RecursionError, UnicodeError])
def test_a_line_that_cannot_be_formatted_is_shown_without_its_values(
    log: logging.Logger, error: type[Exception]
) -> None:
    log.error("Logging in to %s as %s, password=abc", Broken(error), "hunter2")
    log.error("Logging in with %d %d", "hunter2")
    log.error(Broken(error))
    first, second, third = printed(log).splitlines()
    assert first.startswith(
        "ERROR cameras: Logging in to %s as %s, password=*** (without its values"
    )
    assert "test_masking.py" in first
    assert second.startswith("ERROR cameras: Logging in with %d %d (without its values")
    assert third.startswith("ERROR cameras: <Broken> (without its values")
    assert "hunter2" not in printed(log)


def test_its_traceback_is_shown_all_the_same(log: logging.Logger) -> None:
    try:
        raise OSError("http://a:hunter2@host cannot be reached")
    except OSError:
        log.exception("It failed %d", "hunter2")
    assert "OSError: http://a:***@host cannot be reached" in printed(log)
    assert "hunter2" not in printed(log)


def test_a_fault_that_nobody_expects_is_told_on_stderr(
    log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    log.error("password=abc for %s of %s", Broken(type("Odd", (Exception,), {})), "hunter2")
    stderr = capsys.readouterr().err
    assert stderr.startswith("ERROR cameras: password=*** for %s of %s (without its values")
    assert stderr.endswith(": Odd)\n")
    assert "hunter2" not in stderr


def test_a_log_that_cannot_be_written_leaks_nothing_on_stderr(
    log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = log.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.stream.close()
    log.error("Logging in with %s", "hunter2")
    stderr = capsys.readouterr().err
    assert "Logging in with %s (without its values" in stderr
    assert "hunter2" not in stderr


def test_without_a_stderr_it_goes_on(log: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    log.error("%s", Broken(type("Odd", (Exception,), {})))
    log.error("The next line")
    assert printed(log) == "ERROR cameras: The next line\n"


def test_installing_twice_wraps_once(log: logging.Logger) -> None:
    before = log.handlers[0].formatter
    install(log.handlers)
    assert log.handlers[0].formatter is before


def test_a_handler_without_a_formatter_and_one_with_a_queue_are_masked_too() -> None:
    lines: queue.Queue[logging.LogRecord] = queue.Queue()
    logger = logging.Logger("cameras")
    logger.addHandler(QueueHandler(lines))
    install(logger.handlers)
    logger.error("password=%s", "hunter2")
    assert lines.get_nowait().getMessage() == "password=***"
