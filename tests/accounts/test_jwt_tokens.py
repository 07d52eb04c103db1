"""JwtTokens: only unexpired tokens with our signature are accepted."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.jwt_tokens import ACCESS_LIFETIME, JwtTokens
from tests.accounts.people import KEY
from tests.home import Clock

OTHER = bytes(range(1, 33))
LATER = datetime(2100, 1, 1, tzinfo=UTC)
SEVEN, EIGHT = "7" * 64, "8" * 64
"""Digests of two sessions."""
SOUND = {"sub": SEVEN, "kind": "access", "exp": LATER}


@pytest.fixture
def tokens(clock: Clock) -> JwtTokens:
    return JwtTokens(lambda: KEY, clock)


def signed(claims: Any, key: bytes = KEY, algorithm: str = "HS256") -> str:
    """Signed with our key: what it says may still be nonsense."""
    return jwt.encode(claims, key, algorithm)


def raw(header: bytes, body: bytes) -> str:
    """Signed with our key, whatever the bytes."""
    import hashlib
    import hmac

    parts = base64.urlsafe_b64encode(header), base64.urlsafe_b64encode(body)
    text = b".".join(part.rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(hmac.new(KEY, text, hashlib.sha256).digest())
    return (text + b"." + signature.rstrip(b"=")).decode()


HEADER = b'{"alg":"HS256","typ":"JWT"}'


# -- round trips -----------------------------------------------------------------------------


@pytest.mark.parametrize("session", [SEVEN, EIGHT, "0123456789abcdef" * 4])
@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_what_was_written_is_read(tokens: JwtTokens, kind: str, session: str) -> None:
    assert tokens.read(kind, tokens.write(kind, session, LATER)) == session


def test_one_kind_is_not_the_other(tokens: JwtTokens, clock: Clock) -> None:
    """A refresh token lives for weeks and must not open anything by itself."""
    assert tokens.read("access", tokens.write("refresh", SEVEN, LATER)) is None
    assert tokens.read("refresh", tokens.access(SEVEN)) is None
    assert tokens.read("access", tokens.access(SEVEN)) == SEVEN


def test_it_ends_by_the_clock_of_the_monitor(tokens: JwtTokens, clock: Clock) -> None:
    text = tokens.access(SEVEN)
    clock.now += ACCESS_LIFETIME - timedelta(seconds=1)
    assert tokens.read("access", text) == SEVEN
    clock.forward(seconds=1)
    assert tokens.read("access", text) is None


def test_the_end_is_the_same_in_every_zone(tokens: JwtTokens, clock: Clock) -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    ends = (clock.now + timedelta(minutes=10)).astimezone(zone)
    text = tokens.write("access", SEVEN, ends)
    clock.forward(minutes=9, seconds=59)
    assert tokens.read("access", text) == SEVEN
    clock.forward(seconds=1)
    assert tokens.read("access", text) is None


def test_a_clock_that_was_put_back_does_not_shut_anybody_out(
    tokens: JwtTokens, clock: Clock
) -> None:
    """A small computer without a battery may start in the past."""
    text = tokens.access(SEVEN)
    clock.forward(days=-400)
    assert tokens.read("access", text) == SEVEN


def test_it_tells_nobody_the_key_nor_a_name(tokens: JwtTokens) -> None:
    body = jwt.decode(tokens.access(SEVEN), options={"verify_signature": False})
    assert body.keys() == {"sub", "kind", "iat", "exp"}


# -- what others write -----------------------------------------------------------------------


def test_the_same_claims_signed_by_us_count(tokens: JwtTokens) -> None:
    """So that the refusals below are for what they say."""
    assert tokens.read("access", signed(SOUND)) == SEVEN


def test_another_key_is_refused(tokens: JwtTokens) -> None:
    assert tokens.read("access", signed(SOUND, OTHER)) is None


def test_no_signature_is_refused(tokens: JwtTokens) -> None:
    for algorithm in ("none", "None", "NONE", "nOnE"):
        header = json.dumps({"alg": algorithm, "typ": "JWT"}).encode()
        text = raw(header, f'{{"sub":"{SEVEN}","kind":"access","exp":4102444800}}'.encode())
        assert tokens.read("access", text) is None, algorithm
        assert tokens.read("access", text.rpartition(".")[0] + ".") is None, algorithm
    assert tokens.read("access", jwt.encode(SOUND, None, "none")) is None


def test_other_algorithms_are_refused_with_our_own_key_too(tokens: JwtTokens) -> None:
    long = KEY * 2
    other = JwtTokens(lambda: long, tokens.clock)
    assert other.read("access", signed(SOUND, long)) == SEVEN
    for algorithm in ("HS384", "HS512"):
        assert other.read("access", signed(SOUND, long, algorithm)) is None


def test_every_changed_letter_is_noticed(tokens: JwtTokens) -> None:
    text = tokens.access(SEVEN)
    end = len(text) - 1  # the last one holds two bits that mean nothing
    for place in range(end):
        other = "A" if text[place] != "A" else "B"
        assert tokens.read("access", text[:place] + other + text[place + 1 :]) is None, place


def test_the_body_of_one_does_not_go_with_the_signature_of_another(tokens: JwtTokens) -> None:
    mine, yours = tokens.access(SEVEN).split("."), tokens.access(EIGHT).split(".")
    assert tokens.read("access", ".".join((mine[0], yours[1], mine[2]))) is None


@pytest.mark.parametrize("claim", SOUND)
def test_every_claim_is_needed(tokens: JwtTokens, claim: str) -> None:
    assert tokens.read("access", signed({k: v for k, v in SOUND.items() if k != claim})) is None


# -- absurd values, signed by us -------------------------------------------------------------

ABSURD: dict[str, Any] = {
    "a number as session": {"sub": 7},
    "a digest as a number": {"sub": int(SEVEN, 16)},
    "the row number of a session": {"sub": "7"},
    "a session that is no digest": {"sub": "seven"},
    "half a session": {"sub": SEVEN[:32]},
    "an empty session": {"sub": ""},
    "blanks in a session": {"sub": " " + SEVEN[1:]},
    "a line break after a session": {"sub": SEVEN + "\n"},
    "a session beyond all numbers": {"sub": "9" * 10_000},
    "a list as session": {"sub": [SEVEN]},
    "no session": {"sub": None},
    "exponents, which are digits too": {"sub": "²" * 64},
    "an end that is a text": {"exp": "tomorrow"},
    "an end that is a list": {"exp": [4102444800]},
    "no end": {"exp": None},
    "an end before all time": {"exp": -(10**300)},
    "an end beyond all numbers": {"exp": 10**400},
    "an end before all numbers": {"exp": -(10**400)},
    "an end that is not a number": {"exp": float("nan")},
    "true as end": {"exp": True},
    "a kind that is a list": {"kind": ["access"]},
    "a kind that is an object": {"kind": {"access": 1}},
    "no kind": {"kind": None},
    "capitals": {"kind": "ACCESS"},
}


@pytest.mark.parametrize("what", ABSURD)
def test_absurd_claims_are_nobody(tokens: JwtTokens, what: str) -> None:
    assert tokens.read("access", signed({**SOUND, **ABSURD[what]})) is None


BODIES = {
    "no JSON": b"{",
    "no object": b'["sub","kind","exp"]',
    "a number": b"7",
    "nothing": b"",
    "no UTF-8": b"\xff\xfe{}",
    "brackets": b"[" * 100_000 + b"]" * 100_000,
    "objects": b'{"sub":' * 100_000 + b"7" + b"}" * 100_000,
    "a number of five thousand digits": b'{"sub":"7","kind":"access","exp":' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_is_none_is_nobody(tokens: JwtTokens, what: str) -> None:
    assert tokens.read("access", raw(HEADER, BODIES[what])) is None


@pytest.mark.parametrize("what", BODIES)
def test_a_header_that_is_none_is_nobody(tokens: JwtTokens, what: str) -> None:
    assert tokens.read("access", raw(BODIES[what], b"{}")) is None


TEXTS = ["", ".", "..", "...", "a.b.c", "é.é.é", "\ud800", "\x00", "x" * 1_000_000, "." * 100_000]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_text_that_is_no_token_is_nobody(tokens: JwtTokens, text: str) -> None:
    assert tokens.read("access", text) is None


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_no_text_raises(text: str) -> None:
    tokens = JwtTokens(lambda: KEY, Clock())
    assert tokens.read("access", text) is None
    assert tokens.read("access", f"{tokens.access(SEVEN)}{text}.") is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
NAMES = st.sampled_from(["sub", "kind", "exp", "iat", "nbf", "aud", "iss", "jti", "crit"])


@settings(deadline=None)
@given(st.dictionaries(NAMES, anything))
def test_no_claims_raise(claims: dict[str, Any]) -> None:
    tokens = JwtTokens(lambda: KEY, Clock())
    body = {"sub": SEVEN, "kind": "access", "exp": 4102444800, **claims}
    subject = tokens.read("access", raw(HEADER, json.dumps(body).encode()))
    assert subject is None or subject == body["sub"]
