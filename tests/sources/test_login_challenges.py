"""Login challenges as real cameras send them, and the answers that they accept."""

import hashlib

import pytest

from sources.login_challenges import (
    Authorization,
    Challenge,
    Login,
    MethodNotSupported,
    attempts_left,
    challenges,
    strongest,
)

MUFASA = Login("Mufasa", "Circle of Life")


def answered(header: str, uri: str = "/dir/index.html", login: Login = MUFASA) -> dict[str, str]:
    """The parameters of an answer, read back."""
    (challenge,) = challenges([header])
    (read,) = challenges([Authorization(challenge, login).answer("GET", uri)])
    return dict(read.parameters)


def expected(parameters: dict[str, str], algorithm: str, password: str, method: str = "GET") -> str:
    def digest(text: str) -> str:
        return hashlib.new(algorithm, text.encode()).hexdigest()

    secret = digest(f"Mufasa:{parameters['realm']}:{password}")
    action = digest(f"{method}:{parameters['uri']}")
    middle = "".join(f":{parameters[key]}" for key in ("nc", "cnonce", "qop") if key in parameters)
    return digest(f"{secret}:{parameters['nonce']}{middle}:{action}")


def test_the_answer_of_rfc_2069_is_the_one_of_its_errata() -> None:
    """RFC 2617, section 3.5, without qop."""
    header = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    parameters = answered(header, login=Login("Mufasa", "CircleOfLife"))
    assert parameters["response"] == "1949323746fe6a43ef61f9606e7febea"
    assert "qop" not in parameters
    assert "nc" not in parameters


@pytest.mark.parametrize(("name", "algorithm"), [("MD5", "md5"), ("SHA-256", "sha256")])
def test_an_answer_with_qop_is_the_hash_that_the_standard_asks_for(
    name: str, algorithm: str
) -> None:
    header = f'Digest realm="cam", qop="auth, auth-int", algorithm={name}, nonce="7ypf", opaque="x"'
    parameters = answered(header)
    assert parameters["qop"] == "auth"
    assert parameters["nc"] == "00000001"
    assert parameters["opaque"] == "x"
    assert parameters["algorithm"] == name
    assert parameters["response"] == expected(parameters, algorithm, MUFASA.password)


def test_each_use_of_a_nonce_is_counted() -> None:
    (challenge,) = challenges(['Digest realm="cam", nonce="n", qop="auth"'])
    authorization = Authorization(challenge, MUFASA)
    answers = challenges(authorization.answer("DESCRIBE", "rtsp://a/") for _ in range(3))
    counts = [answer.parameters["nc"] for answer in answers]
    assert counts == ["00000001", "00000002", "00000003"]


def test_the_body_is_part_of_the_answer_where_the_device_insists() -> None:
    (challenge,) = challenges(['Digest realm="cam", nonce="n", qop="auth-int"'])
    (short,), (other,) = (
        challenges([Authorization(challenge, MUFASA).answer("POST", "/", body)])
        for body in (b"a", b"b")
    )
    assert short.parameters["qop"] == "auth-int"
    assert short.parameters["response"] != other.parameters["response"]


def test_two_headers_are_read_alone_and_the_strongest_is_answered_with_its_own_nonce() -> None:
    every = challenges(
        [
            'Digest realm="IP Camera(C2)",  nonce="first",  stale=FALSE',
            'Digest realm="IP Camera(C2)", nonce="second", algorithm=SHA-256, stale=FALSE',
        ]
    )
    assert [challenge.algorithm for challenge in every] == ["md5", "sha-256"]
    assert not any(challenge.is_stale for challenge in every)
    assert strongest(every).parameters["nonce"] == "second"
    assert strongest(every[:1]).parameters["nonce"] == "first"


@pytest.mark.parametrize(
    ("header", "schemes"),
    [
        ('Digest realm="a", nonce="b", Basic realm="a"', ["digest", "basic"]),
        ('Basic realm="a, b", Digest nonce="c"', ["basic", "digest"]),
        ("Basic", ["basic"]),
        ("Negotiate, Basic realm=Door 7", ["negotiate", "basic"]),
        ("", []),
        (",,, = ,", []),
    ],
)
def test_several_challenges_in_one_header_are_told_apart(header: str, schemes: list[str]) -> None:
    assert [challenge.scheme for challenge in challenges([header])] == schemes


def test_a_realm_without_quotes_may_have_blanks() -> None:
    (challenge,) = challenges(["Digest realm=IP Camera (B 9), nonce = abc , qop=auth"])
    assert challenge.parameters == {"realm": "IP Camera (B 9)", "nonce": "abc", "qop": "auth"}


def test_a_quote_in_a_realm_is_read_and_written() -> None:
    parameters = answered(r'Digest realm="a \"b\" \\ c", nonce="n"')
    assert parameters["realm"] == r'a "b" \ c'


def test_a_scheme_of_the_maker_costs_no_login() -> None:
    every = challenges(['TP-LINK realm="TP-LINK Streaming Media", nonce="x"'])
    with pytest.raises(MethodNotSupported) as refused:
        strongest(every)
    assert refused.value.schemes == ("tp-link",)


@pytest.mark.parametrize(
    "header",
    ['Digest realm="a", algorithm=MD4, nonce="b"', 'Digest realm="a"', 'Digest nonce="b", qop=x'],
)
def test_a_digest_that_cannot_be_answered_is_not_supported(header: str) -> None:
    with pytest.raises(MethodNotSupported):
        strongest(challenges([header]))


def test_basic_is_used_only_where_digest_is_not_offered_and_it_may() -> None:
    digest, basic = challenges(['Digest realm="a", nonce="b"', 'Basic realm="a"'])
    assert strongest([basic, digest]) is digest
    assert strongest([basic]) is basic
    assert Authorization(basic, Login("a", "")).answer("GET", "/") == "Basic YTo="
    with pytest.raises(MethodNotSupported):
        strongest([basic], may_use_basic=False)


def test_a_stale_nonce_is_told_apart_from_a_wrong_password() -> None:
    (challenge,) = challenges(['Digest realm="a", nonce="b", stale="TRUE"'])
    assert challenge.is_stale


def test_the_answer_of_a_session_algorithm_says_its_client_nonce() -> None:
    parameters = answered('Digest realm="a", nonce="b", algorithm=MD5-sess')
    assert parameters["algorithm"] == "MD5-sess"
    assert parameters["cnonce"]


def test_the_username_is_hashed_where_the_device_asks_for_it() -> None:
    parameters = answered('Digest realm="a", nonce="b", algorithm=SHA-256, userhash=true')
    assert parameters["username"] == hashlib.sha256(b"Mufasa:a").hexdigest()
    assert parameters["userhash"] == "true"


def test_a_login_is_not_in_the_text_of_its_objects() -> None:
    assert "Circle" not in repr(MUFASA)
    assert "Circle" not in repr(Authorization(Challenge("basic"), MUFASA))


def test_headers_without_end_are_read_within_bounds() -> None:
    many = "Digest " + "a=b," * 2000
    assert challenges([many])[0].scheme == "digest"
    assert len(challenges([many])[0].parameters) == 1
    assert challenges(["Digest realm=" + "x" * 10_000]) == []
    assert len(challenges(["Basic, " * 100] * 100)) <= 16


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Login failed. You still have 29 attempt(s).", 29),
        ("3 more login attempts", 3),
        ("Attempts left: 4", 4),
        ("remaining tries 0!", 0),
        ("Wrong password. 4 more attempts.", 4),
        ("<p>attempt(s) remaining 2</p>", 2),
        ("<html>Attempts left: 3</html>", 3),
        ("The account is locked.", 0),
        ("Account has been locked", 0),
        ("User admin is now locked out", 0),
        ("The account is not locked", None),
        ("Your account will be locked if you go on", None),
        ("Wrong password, attempt 4 of 5", 1),
        ("4 of 5 attempts used", 1),
        ("2 of 5 attempts left", 2),
        ("max attempts 5", None),
        ("a maximum of 5 attempts", None),
        ("blocked content", None),
        ("Unauthorized", None),
        ("401 Unauthorized, attempt to log in failed", None),
        ("attempts: 99999999", None),
    ],
)
def test_the_attempts_that_a_device_has_left_are_read(text: str, left: int | None) -> None:
    assert attempts_left(text) == left
