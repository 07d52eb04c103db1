"""Logins: a JWT belongs to one session for ever, and a failure reveals no secret."""

import shutil
from collections.abc import Callable

import pytest

from accounts.accounts import MAX_SESSIONS, TOKEN_PREFIX
from tests.accounts.people import NEW
from tests.home import Home
from tests.web.closed import (
    PAGE,
    Visitor,
    basic,
    bearer,
    body_of,
    cookie,
    login,
    user_named,
    visitors,
)

Make = Callable[..., Home]


def test_a_jwt_token_opens_no_session_that_has_its_number_after_a_restore(make_home: Make) -> None:
    home = make_home()
    visitors(home)
    database = home.settings.data_dir / "camera_monitor.db"
    home.close()
    shutil.copy(database, database.with_name("backup.db"))
    home.open()
    given = body_of(login(home, "Vera"))
    (number,) = home.monitor.authenticator.accounts.snapshot.sessions
    ticket, refresh = bearer(given["access_token"]), bearer(given["refresh_token"])
    assert Visitor(home, ticket).get("/api/stats").status_code == 200
    home.close()
    shutil.copy(database.with_name("backup.db"), database)
    home.open()
    body_of(login(home, "Ada"))
    (again,) = home.monitor.authenticator.accounts.snapshot.sessions.values()
    assert (again.id, again.user) == (number, user_named(home, "Ada").id), "the number repeats"
    assert Visitor(home, ticket).get("/api/stats").status_code == 401
    assert Visitor(home, refresh).ask("POST", "/api/auth/refresh").status_code == 401


def test_a_jwt_token_goes_on_after_a_restart(make_home: Make) -> None:
    home = make_home()
    visitors(home)
    given = body_of(login(home, "Vera"))
    home.restart()
    profile = Visitor(home, bearer(given["access_token"])).get("/api/auth/profile")
    assert body_of(profile)["username"] == "Vera"


def test_many_logins_of_a_script_leave_the_browser_of_its_user_logged_in(make_home: Make) -> None:
    home = make_home()
    visitors(home)
    accounts = home.monitor.authenticator.accounts
    browser = cookie(accounts.begin_session(user_named(home, "Vera"), "browser", "", "")[1])
    first = body_of(login(home, "Vera"))
    for _ in range(MAX_SESSIONS):
        body_of(login(home, "Vera"))
    page = Visitor(home, {**browser, **PAGE}).get("/")
    assert page.status_code == 200
    assert Visitor(home, bearer(first["access_token"])).get("/api/stats").status_code == 401


# -- a login that fails ----------------------------------------------------------------------


def test_a_password_typed_as_name_is_kept_nowhere(make_home: Make) -> None:
    home = make_home()
    ask = visitors(home)
    for name in (NEW, NEW.upper(), "another name", " vera "):
        assert login(home, name, "wrong").status_code == 401
    form = {"username": NEW, "password": "wrong"}
    assert Visitor(home).ask("POST", "/login", data=form, headers=PAGE).status_code == 401
    assert Visitor(home, basic(f"{NEW}:wrong")).get("/api/stats").status_code == 401
    names = [entry["about"] for entry in body_of(ask["Ada"].get("/api/audit?action=login.failed"))][
        ::-1
    ]
    mark = names[0]
    assert mark.startswith("unknown name #")
    assert len(mark) == len("unknown name #") + 8
    assert names[2].startswith("unknown name #")
    assert names == [mark, mark, names[2], "Vera", mark, mark], "the same name, the same mark"
    assert names[2] != mark
    page = ask["Ada"].get("/settings/audit", headers=PAGE).text
    assert mark in page
    for text in (
        page,
        ask["Ada"].get("/api/audit.csv").text,
        str(body_of(ask["Ada"].get("/api/audit"))),
    ):
        assert NEW not in text.lower()
    home.restart()
    assert home.monitor.authenticator.accounts.name_for_log(NEW) == mark, "also after a restart"


# -- what somebody reads who is not let in ----------------------------------------------------


@pytest.mark.parametrize(
    ("address", "headers", "is_offered"),
    [
        ("127.0.0.1", {}, True),
        ("10.1.1.1", {}, False),
        ("127.0.0.1", {"X-Forwarded-For": "10.1.1.1"}, False),
        ("127.0.0.1", {"Sec-Fetch-Mode": "cors"}, False),
    ],
)
def test_name_and_password_are_asked_for_where_they_are_taken(
    make_home: Make, address: str, headers: dict[str, str], is_offered: bool
) -> None:
    home = make_home()
    visitors(home)
    answer = Visitor(home, headers).get("/api/stats", address=address)
    offered = [
        challenge.partition(" ")[0] for challenge in answer.headers.getlist("WWW-Authenticate")
    ]
    assert answer.status_code == 401
    assert offered == (["Bearer", "Basic"] if is_offered else ["Bearer"])


def test_a_401_says_what_is_wrong_with_the_credentials(make_home: Make) -> None:
    home = make_home()
    visitors(home)
    ended = bearer(body_of(login(home, "Vera"))["access_token"])
    assert Visitor(home, ended).ask("POST", "/api/auth/logout").status_code < 300

    def error_of(headers: dict[str, str], address: str = "127.0.0.1") -> str:
        answer = Visitor(home, headers).get("/api/stats", address=address)
        assert answer.status_code == 401
        assert answer.json["hint"]
        return str(answer.json["error"])

    invalid = "This token or login is not valid"
    assert error_of({}) == "Login required"
    assert error_of(bearer(f"{TOKEN_PREFIX}mistyped")) == invalid
    assert error_of(bearer("mistyped")) == invalid
    assert error_of(ended) == invalid
    assert error_of(basic("Vera:wrong")) == "Wrong user name or password"
    assert error_of(basic("Nobody:wrong")) == "Wrong user name or password"
    assert "only over HTTPS" in error_of(basic("Vera:wrong"), "10.1.1.1")
    assert "not supported" in error_of({"Authorization": "Digest x"})


def test_a_token_that_does_too_much_reads_its_scope_and_the_one_that_is_needed(
    make_home: Make,
) -> None:
    home = make_home()
    ask = visitors(home)
    answer = ask["read token"].ask("POST", "/api/scan")
    assert answer.status_code == 403
    assert 'scope "read"' in answer.json["error"]
    assert "scan.start" in answer.json["error"]
    assert 'scope "operate"' in answer.json["hint"]
    assert 'error="insufficient_scope", scope="operate"' in answer.headers["WWW-Authenticate"]
    for path in ("/api/users", "/api/tokens"):
        answer = ask["operate token"].get(path)
        assert answer.status_code == 403
        assert 'scope "operate"' in answer.json["error"]
        assert answer.json["hint"] == "Tokens cannot do this. Log in instead."
    for token in ("operate token", "camera token"):
        answer = ask[token].ask("POST", "/api/delete", json={"not_seen_days": 1})
        assert answer.status_code == 403
        assert answer.json["hint"] == "Tokens cannot do this. Log in instead."
    answer = ask["camera token"].ask("POST", "/api/scan")
    assert answer.status_code == 403
    assert "limited to some devices" in answer.json["error"], "its owner may do it"
    assert "token for all devices" in answer.json["hint"]
    assert "scope" not in answer.json["error"], "its scope is right, its cameras are the limit"
