"""Sessions over time: a ticket is for one session for ever, also when the database was restored."""

import shutil
from collections.abc import Callable

from accounts.accounts import MOST_SESSIONS
from tests.home import Home
from tests.web.closed import PAGE, Visitor, bearer, cookie, done, login, user_named, visitors

Make = Callable[..., Home]


def test_a_ticket_opens_no_session_that_has_its_number_after_a_restore(make_home: Make) -> None:
    home = make_home()
    visitors(home)
    database = home.settings.data_dir / "camera_monitor.db"
    home.close()
    shutil.copy(database, database.with_name("backup.db"))
    home.open()
    given = done(login(home, "Vera"))
    (number,) = home.house.access.accounts.book.sessions
    ticket, refresh = bearer(given["access_token"]), bearer(given["refresh_token"])
    assert Visitor(home, ticket).get("/api/stats").status_code == 200
    home.close()
    shutil.copy(database.with_name("backup.db"), database)
    home.open()
    done(login(home, "Ada"))
    (again,) = home.house.access.accounts.book.sessions.values()
    assert (again.id, again.user) == (number, user_named(home, "Ada").id), "the number repeats"
    assert Visitor(home, ticket).get("/api/stats").status_code == 401
    assert Visitor(home, refresh).ask("POST", "/api/auth/refresh").status_code == 401


def test_a_ticket_goes_on_after_a_restart(make_home: Make) -> None:
    home = make_home()
    visitors(home)
    given = done(login(home, "Vera"))
    home.restart()
    profile = Visitor(home, bearer(given["access_token"])).get("/api/auth/profile")
    assert done(profile)["username"] == "Vera"


def test_many_logins_of_a_script_leave_the_browser_of_its_user_logged_in(make_home: Make) -> None:
    home = make_home()
    visitors(home)
    accounts = home.house.access.accounts
    browser = cookie(accounts.begin(user_named(home, "Vera"), "browser", "", "")[1])
    first = done(login(home, "Vera"))
    for _ in range(MOST_SESSIONS):
        done(login(home, "Vera"))
    page = Visitor(home, {**browser, **PAGE}).get("/")
    assert page.status_code == 200
    assert Visitor(home, bearer(first["access_token"])).get("/api/stats").status_code == 401
