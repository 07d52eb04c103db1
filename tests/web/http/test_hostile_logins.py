"""Hostile logins: bad credentials, bad bodies, too many attempts, foreign origins."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest
from pydantic import SecretStr

from accounts import passwords
from accounts.limiter import MAX_KEYS, Limiter
from tests.accounts.people import PASSWORD, add
from tests.home import Clock, Home
from tests.web.closed import (
    BODIES,
    FORGED,
    KEY,
    NAMES,
    NETWORKS,
    OTHER_SITES,
    PAGE,
    UNSAFE,
    Visitor,
    basic,
    bearer,
    body_of,
    cookie,
    is_our_refusal,
    login,
    operations,
    path_of,
    signed,
    user_named,
    visitors,
)
from tests.web.roles import TABLE, Ask

LOCAL, FAR = "127.0.0.1", "10.1.1.1"
WALL = "https://wall.example"
PROXIES = (ip_network("192.0.2.1"), ip_network("198.51.100.0/24"))
FAULT = re.compile(r"Traceback|\.py\b|werkzeug|sqlalchemy", re.IGNORECASE)
Make = Callable[..., Home]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = Home(tmp_path_factory.mktemp("hostile"), Clock(), jwt_secret_key=SecretStr(KEY))
    yield made
    made.close()


@pytest.fixture(scope="module")
def ask(home: Home) -> Ask:
    return visitors(home)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Behind two trusted proxies."""
    made = Home(tmp_path_factory.mktemp("proxied"), Clock(), trusted_proxies=PROXIES)
    visitors(made)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever comes, the log has no error of the program and no secret."""
    with caplog.at_level(logging.DEBUG):
        yield
    for record in caplog.records:
        assert record.levelno < logging.ERROR, record.getMessage()
        assert record.exc_info is None
    assert PASSWORD not in caplog.text
    assert not re.search(r"cm_\w{20}|eyJ\w{20}|scrypt:", caplog.text)


# -- tokens that do not count --------------------------------------------------------------


def test_an_access_token_as_the_monitor_writes_it_counts(home: Home, ask: Ask) -> None:
    assert Visitor(home, bearer(signed(home))).get("/api/stats").status_code == 200


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_token_that_is_not_right_lets_nobody_in(
    home: Home, ask: Ask, forge: Callable[[Home], str]
) -> None:
    text = forge(home)
    for headers in (bearer(text), {**bearer(text), **cookie(text)}):
        answer = Visitor(home, headers).get("/api/stats")
        assert answer.status_code == 401
        assert is_our_refusal(answer)
        assert len(text) < 3 or text not in answer.text


def test_an_access_token_refreshes_nothing_and_an_API_token_is_no_cookie(
    home: Home, ask: Ask
) -> None:
    given = body_of(login(home, "Vera"))
    refresh = "/api/auth/refresh"
    for text in (given["access_token"], "", "cm_x", ask["read token"].headers["Authorization"][7:]):
        assert Visitor(home, bearer(text)).ask("POST", refresh).status_code == 401
        assert Visitor(home, cookie(text)).get("/api/stats").status_code == 401
    new = body_of(Visitor(home, bearer(given["refresh_token"])).ask("POST", refresh))
    assert Visitor(home, bearer(new["access_token"])).get("/api/stats").status_code == 200


@pytest.mark.parametrize("end", ["removed", "role", "password", "logout"])
def test_no_key_of_a_user_counts_after_the_end(home: Home, ask: Ask, end: str) -> None:
    accounts = home.monitor.authenticator.accounts
    user = accounts.add_hashed(f"Gone {end}", user_named(home, "Vera").password, "operator")
    given = body_of(login(home, user.name))
    keys = {
        "access": bearer(given["access_token"]),
        "refresh": bearer(given["refresh_token"]),
        "token": bearer(accounts.add_token(user.id, "script", "operate")[1]),
        "cookie": Visitor(home, user=user.id).key(),
        "basic": basic(f"{user.name}:{PASSWORD}"),
    }
    for name in keys.keys() - {"refresh"}:
        assert Visitor(home, keys[name]).get("/api/stats").status_code == 200
    path = f"/api/users/{user.id}"
    if end == "removed":
        body_of(ask["Ada"].ask("DELETE", path))
    elif end == "role":
        body_of(ask["Ada"].ask("PATCH", path, json={"role": "viewer"}))
    elif end == "password":
        body_of(ask["Ada"].ask("PATCH", path, json={"password": "purple lantern canal"}))
    else:
        body_of(Visitor(home, keys["access"]).ask("POST", "/api/auth/logout"))
    survive = {"logout": {"token", "cookie", "basic"}, "role": {"basic"}}.get(end, set())
    for name in keys.keys() - survive:
        for method, where in (("GET", "/api/stats"), ("POST", "/api/auth/refresh")):
            answer = Visitor(home, keys[name]).ask(method, where)
            assert answer.status_code == 401, name
            assert is_our_refusal(answer)


# -- broken Basic headers, and Basic over a plain way --------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        *("Basic", "Basic ", "Basic !!!", "Basic =", "Basic YQ", "basic \u00e9", "Basic AAAAA"),
        *(basic(text)["Authorization"] for text in (b"\xff:\xff", "Ada", ":", "Ada:", "Ada:\x00")),
        *("Digest username=Ada", "Bearer", "bearer ", ",", "Negotiate YQ==", "Basic Basic YQ=="),
        *("\x00", "Token cm_x", "Basic\tQWRhOng="),
    ],
)  # fmt: skip
def test_a_broken_header_lets_nobody_in(home: Home, ask: Ask, header: str) -> None:
    home.monitor.authenticator.limiter.succeeded("Ada")
    answer = Visitor(home, {"Authorization": header}).get("/api/stats", address=LOCAL)
    assert answer.status_code == 401
    assert is_our_refusal(answer)


BASIC = basic(f"Ada:{PASSWORD}")


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        (LOCAL, {}, 200),
        ("::1", {}, 200),
        (FAR, {}, 401),
        (FAR, {"X-Forwarded-Proto": "https", "X-Forwarded-For": LOCAL}, 401),
        (LOCAL, {"X-Forwarded-For": FAR}, 401),
        ("192.0.2.1", {"X-Forwarded-For": FAR, "X-Forwarded-Proto": "https"}, 200),
        ("192.0.2.1", {"X-Forwarded-For": FAR, "X-Forwarded-Proto": "http"}, 401),
        ("192.0.2.1", {"X-Forwarded-For": FAR, "X-Forwarded-Proto": "https, http"}, 401),
    ],
)
def test_name_and_password_in_a_header_count_where_nobody_can_read_along(
    proxied: Home, address: str, headers: dict[str, str], status: int
) -> None:
    answer = Visitor(proxied, {**BASIC, **headers}).get("/api/stats", address=address)
    assert answer.status_code == status


# -- hostile bodies ------------------------------------------------------------------------


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_not_as_described_is_refused_in_our_words(
    home: Home, ask: Ask, body: bytes
) -> None:
    for method, path in operations(home, ask):
        for kind in ("application/json", "text/plain", "multipart/form-data", ""):
            home.monitor.authenticator.limiter.succeeded("Ada")
            more = {"data": body, "content_type": kind}
            answer = ask["Ada"].ask(method, path, address=FAR, **more)
            assert 400 <= answer.status_code < 500, f"{method} {path}"
            assert is_our_refusal(answer)
            assert not FAULT.search(answer.text)
            for _name, value in answer.headers:
                value.encode("latin-1")


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_no_database_holds_is_refused(home: Home, ask: Ask, moment: str) -> None:
    query = {"since": moment}
    for path in ("/api/audit", "/api/audit.csv"):
        assert ask["Ada"].get(path, query_string=query).status_code == 422
    token = {"name": "x", "expires": moment}
    assert ask["Ada"].ask("POST", "/api/tokens", json=token).status_code == 422
    assert ask["Ada"].get("/settings/audit", query_string=query).status_code == 200


@pytest.mark.parametrize("number", ["9" * 5000, "\u00b2", "\u0661" * 20, "-1", "1e9", "\x00"])
def test_a_number_in_a_form_that_is_none_is_refused(home: Home, ask: Ask, number: str) -> None:
    for name in ("remove", "device"):
        form = {"level": "view", name: number}
        answer = ask["Ada"].ask("POST", "/settings/users/1/grants", data=form)
        assert answer.status_code == 422
    site = {"level": "view", "site": f"Yard\x00{number}"}
    assert ask["Ada"].ask("POST", "/api/users/1/grants", json=site).status_code == 422


@pytest.mark.parametrize(("status", "name"), NAMES)
def test_a_name_that_hides_or_looks_like_another_is_refused(
    home: Home, ask: Ask, status: int, name: str
) -> None:
    body = {"username": name, "password": "purple lantern canal"}
    answer = ask["Ada"].ask("POST", "/api/users", json=body)
    assert answer.status_code == status, answer.text
    assert is_our_refusal(answer)
    assert answer.headers["X-Field"] == "username"


# -- too often -----------------------------------------------------------------------------


def test_many_thousand_tries_are_answered_in_bounded_memory_and_lock_nobody_else_out(
    proxied: Home, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    statuses = Counter[int]()
    for number in range(11_000):
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        far = {"X-Forwarded-For": address}
        answer = login(proxied, "Vera", "wrong", address="192.0.2.1", headers=far)
        statuses[answer.status_code] += 1
        assert is_our_refusal(answer)
        if answer.status_code == 429:
            assert 1 <= int(answer.headers["Retry-After"]) <= 300
    assert statuses == {401: 10, 429: 10_990}
    assert len(proxied.monitor.authenticator.limiter._storage.events) <= MAX_KEYS + 2
    far = {"X-Forwarded-For": "10.200.0.1"}
    assert login(proxied, "Otto", address="192.0.2.1", headers=far).status_code == 200
    assert login(proxied, "Vera", address="192.0.2.1", headers=far).status_code == 429
    assert len(proxied.monitor.audit.find(who="nobody", limit=1000)) == 10


def test_a_remembered_password_is_locked_too_and_a_token_is_not(make_home: Make) -> None:
    home = make_home()
    token = visitors(home)["read token"]
    script = Visitor(home, basic(f"Vera:{PASSWORD}"))
    for _ in range(70):
        assert script.get("/api/stats").status_code == 200, "only the first one is a try"
    for number in range(10):
        guess = Visitor(home, basic(f"Vera:guess {number}"))
        assert guess.get("/api/stats").status_code == 401
    answer = script.get("/api/stats")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 300
    assert token.get("/api/stats").status_code == 200


def test_one_address_cannot_try_every_account_and_others_still_come_in(proxied: Home) -> None:
    """The header of somebody who is no trusted proxy changes nothing."""
    accounts = proxied.monitor.authenticator.accounts
    names = [add(accounts, f"Guest {number}").name for number in range(7)]
    statuses = Counter[int]()
    for number in range(90):
        spoofed = {"X-Forwarded-For": f"10.9.9.{number}", "X-Real-IP": f"10.9.9.{number}"}
        answer = login(proxied, names[number % 7], "wrong", address=FAR, headers=spoofed)
        statuses[answer.status_code] += 1
    assert statuses == {401: 60, 429: 30}
    assert login(proxied, "Otto", address=FAR).status_code == 429
    assert login(proxied, "Otto", address="10.1.1.2").status_code == 200
    assert {entry.address for entry in proxied.monitor.audit.find(who="nobody", q="Guest")} == {FAR}


def test_an_unknown_name_costs_as_much_work_as_a_wrong_password(
    home: Home, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.monitor.authenticator.accounts.add("Real", "purple lantern over the canal", "viewer")
    done_work: list[tuple[str, int]] = []
    check = passwords.check_password_hash

    def watched(stored: str, password: str) -> bool:
        done_work.append((stored.partition("$")[0], len(stored)))
        return check(stored, password)

    monkeypatch.setattr(passwords, "check_password_hash", watched)
    costs = []
    for name in ("Real", "Nobody"):
        assert login(home, name, "wrong", address="10.1.1.9").status_code == 401
        costs.append(done_work.copy())
        done_work.clear()
    assert costs[0] == costs[1]
    assert costs[0][0][0].startswith("scrypt:")


# -- from another web site, by another name, from another network ----------------------------


@pytest.mark.parametrize("headers", OTHER_SITES)
def test_another_web_site_changes_nothing_with_the_cookie_of_an_administrator(
    home: Home, ask: Ask, headers: dict[str, str]
) -> None:
    key = ask["Ada"].key()
    routes = [(method, path_of(rule)) for method, rule in TABLE if method != "GET"]
    for method, path in [*routes, *((method, "/nowhere") for method in UNSAFE)]:
        answer = Visitor(home, {**key, **headers}).ask(method, path)
        assert answer.status_code == 403, f"{method} {path}"
        assert "Cross-site request" in answer.json["error"]


@pytest.mark.parametrize("host", ["[::1", "", "a/b", "ada@evil", "x:99999", "x:y", "a b", "a\\b"])
def test_a_broken_host_is_refused_in_our_words(home: Home, ask: Ask, host: str) -> None:
    for path in ("/api/stats", "/", "/login", "/healthz"):
        answer = Visitor(home, {"Host": host}).get(path)
        assert (answer.status_code, is_our_refusal(answer)) == (400, True)


@pytest.mark.parametrize(("address", "headers", "may"), NETWORKS)
def test_only_the_allowed_networks_may_ask_at_all(
    proxied: Home, address: str, headers: dict[str, str], may: bool
) -> None:
    authenticator = proxied.monitor.authenticator
    authenticator.allowed_networks = (ip_network("10.1.0.0/16"),)
    try:
        for path in ("/healthz", "/login", "/api/stats", "/nowhere"):
            answer = Visitor(proxied, headers).get(path, address=address)
            assert (answer.status_code != 403) == may, path
    finally:
        authenticator.allowed_networks = ()


def test_the_scripts_of_an_allowed_site_ask_with_a_token_and_never_with_a_cookie(
    make_home: Make,
) -> None:
    home = make_home(allowed_origins=(WALL,))
    wall, evil = {"Origin": WALL}, {"Origin": "https://evil.example"}
    wanted = {"Access-Control-Request-Method": "POST"}
    form = {"username": "Eve", "password": "purple lantern canal", "again": "purple lantern canal"}
    assert Visitor(home, wall).ask("POST", "/setup", data=form).status_code == 403
    assert Visitor(home, wall).ask("POST", "/api/cleanup", json={}).status_code == 403
    ask = visitors(home)
    for path in ("/api/scan", "/api/cameras", "/api/auth/login"):
        allowed = Visitor(home, {**wall, **wanted}).ask("OPTIONS", path)
        assert allowed.status_code == 200
        assert allowed.headers["Access-Control-Allow-Origin"] == WALL
        assert "Authorization" in allowed.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in allowed.headers
        refused = Visitor(home, {**evil, **wanted}).ask("OPTIONS", path)
        assert refused.status_code == (200 if path == "/api/auth/login" else 401)
        assert "Access-Control-Allow-Origin" not in refused.headers
    token = ask["operate token"].headers
    answer = Visitor(home, {**token, **wall}).ask("DELETE", "/api/scan")
    assert answer.status_code == 409
    assert answer.headers["Access-Control-Allow-Origin"] == WALL
    assert Visitor(home, {**token, **evil}).ask("DELETE", "/api/scan").status_code == 403
    key = ask["Ada"].key()
    for method, path in (("POST", "/api/cleanup"), ("POST", "/auto-scan"), ("GET", "/api/stats")):
        assert Visitor(home, {**key, **wall}).ask(method, path).status_code == 401


# -- the cookie, and where a login leads ---------------------------------------------------


@pytest.mark.parametrize(
    ("address", "headers", "is_secure"),
    [
        (LOCAL, {}, False),
        (FAR, {"X-Forwarded-Proto": "https"}, False),
        ("192.0.2.1", {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.1.1.8"}, True),
        ("192.0.2.1", {"X-Forwarded-Proto": "http", "X-Forwarded-For": "10.1.1.8"}, False),
    ],
)
def test_the_cookie_is_for_this_site_alone_and_for_no_script(
    proxied: Home, address: str, headers: dict[str, str], is_secure: bool
) -> None:
    proxied.monitor.authenticator.limiter = Limiter()
    form = {"username": "Otto", "password": PASSWORD}
    answer = Visitor(proxied, headers).ask("POST", "/login", address, data=form)
    assert answer.status_code == 303
    flags = {flag.strip() for flag in answer.headers["Set-Cookie"].split(";")[1:]}
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= flags
    assert ("Secure" in flags) == is_secure
    assert not any(flag.startswith("Domain") for flag in flags)


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/cameras/1?q=a", "/cameras/1?q=a"),
        *((url, "/") for url in ("//evil.example", "https://evil.example", "/\\evil.example", "")),
        *((url, "/") for url in ("/\r\nSet-Cookie: x=y", "javascript:alert(1)", "/\u00e9", "\\x")),
    ],
)  # fmt: skip
def test_a_login_leads_to_a_place_on_this_very_site(
    home: Home, ask: Ask, wanted: str, led_to: str
) -> None:
    form = {"username": "Otto", "password": PASSWORD, "next": wanted}
    answer = Visitor(home).ask("POST", "/login", "10.1.1.77", data=form, headers=PAGE)
    assert (answer.status_code, answer.location) == (303, led_to)
