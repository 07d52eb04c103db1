"""Rights are judged when the act is done, also when work or waiting lies before it."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any

import pytest
from werkzeug.test import TestResponse

from accounts import passwords
from simulators.panasonic import Camera
from tests import workbooks
from tests.accounts.people import NEW, PASSWORD, add
from tests.home import Home, Running, until
from tests.web.closed import PAGE, Visitor, user_named, visitors
from tests.web.http.test_slow_bodies import multipart, slow
from tests.web.visits import ask

Make = Callable[..., Home]
MALLORY = {"username": "Mallory", "password": NEW, "role": "admin"}
ROW = ("SIM00001PAZ0001", "AAA-01", "Aachen")


@contextmanager
def hashing_waits() -> Iterator[Callable[[], bool]]:
    """Nobody can hash a password meanwhile. Gives what says that somebody waits for it."""
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(passwords._hash_slots)
        yield lambda: bool(passwords._hash_slots._cond._waiters)  # type: ignore[attr-defined]


@contextmanager
def waiting_for(lock: Any, count: Callable[[], int]) -> Iterator[Callable[[], bool]]:
    """The lock is taken. Gives what says that one more waits for it."""
    before = count()
    with lock:
        yield lambda: count() > before


def while_it_waits(
    visitor: Visitor, end: Callable[[], Any], waits: Any, *act: str, **more: Any
) -> TestResponse:
    """What the act answers when `end` happens while it waits."""
    with ThreadPoolExecutor(1) as pool:
        with waits as is_waiting:
            answer = pool.submit(visitor.ask, *act, **more)
            until(lambda: is_waiting() or answer.done(), what="the act waits")
            assert not answer.done(), answer.result().text
            end()
        return answer.result()


@pytest.fixture
def home(make_home: Make) -> Home:
    made = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate"))
    made.scan()
    visitors(made)
    return made


def in_session(home: Home, name: str) -> tuple[Visitor, Callable[[], None]]:
    """Somebody with one session, and what ends it."""
    accounts = home.monitor.authenticator.accounts
    asks = Visitor(home, Visitor(home, user=user_named(home, name).id).key())
    number = max(accounts.snapshot.sessions)
    return asks, lambda: accounts.end_sessions(number)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/users", MALLORY),
        ("PATCH", "/api/users/3", {"password": NEW}),
        ("POST", "/api/auth/password", {"current": PASSWORD, "password": NEW}),
    ],
)
def test_a_login_that_ends_while_a_password_is_hashed_changes_nothing(
    home: Home, method: str, path: str, body: dict[str, str]
) -> None:
    ada, end = in_session(home, "Ada")
    before = dict(home.monitor.authenticator.accounts.snapshot.users)
    answer = while_it_waits(ada, end, hashing_waits(), method, path, json=body)
    assert answer.status_code == 401
    assert answer.json["hint"].startswith("Nothing was changed")
    assert dict(home.monitor.authenticator.accounts.snapshot.users) == before
    assert [entry.action for entry in home.monitor.audit.find(who="Ada")] == []


def test_the_page_of_an_act_that_came_too_late_shows_nothing(home: Home) -> None:
    ada, end = in_session(home, "Ada")
    form = {"username": "Mallory", "password": NEW, "role": "admin"}
    answer = while_it_waits(
        ada, end, hashing_waits(), "POST", "/settings/users", data=form, headers=PAGE
    )
    assert answer.status_code == 401
    assert "Your login has ended" in answer.text
    assert "Vera" not in answer.text
    assert "/settings" not in answer.text


def test_a_right_that_ends_while_an_edit_waits_for_the_others_ends_the_edit(home: Home) -> None:
    accounts, tracker = home.monitor.authenticator.accounts, home.monitor.tracker
    gus, _end = in_session(home, "Gus")
    (grant,) = accounts.snapshot.grants_of(user_named(home, "Gus").id)
    waits = waiting_for(tracker._lock, lambda: len(tracker._waiting))
    answer = while_it_waits(
        gus,
        lambda: accounts.revoke_grant(grant.user, grant.id),
        waits,
        "PATCH",
        "/api/camera/1",
        json={"notes": "Gus"},
    )
    assert answer.status_code == 403
    assert home.device().notes == ""
    assert "device.edited" not in home.kinds()


def test_who_still_may_edits_although_another_of_the_batch_may_not(home: Home) -> None:
    tracker = home.monitor.tracker
    vera, otto = in_session(home, "Ada"), in_session(home, "Otto")
    with ThreadPoolExecutor(2) as pool:
        with tracker._lock:
            asked = [
                pool.submit(visitor.ask, "PATCH", "/api/camera/1", json={field: "new"})
                for (visitor, _end), field in ((vera, "notes"), (otto, "name"))
            ]
            until(lambda: len(tracker._waiting) == 2)
            vera[1]()
        assert [future.result().status_code for future in asked] == [401, 200]
    assert (home.device().notes, home.device().name) == ("", "new")


def test_the_switch_of_auto_scan_is_thrown_by_who_still_may(home: Home) -> None:
    tracker = home.monitor.tracker
    ada, end = in_session(home, "Ada")
    waits = waiting_for(tracker._lock, lambda: len(tracker._waiting))
    answer = while_it_waits(ada, end, waits, "POST", "/api/auto-scan", json={"enabled": True})
    assert answer.status_code == 401
    assert not home.monitor.has_auto_scan()


class Counted:
    """A lock that knows how many wait for it."""

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self.waiting = 0
        self._counting = Lock()

    def __enter__(self) -> None:
        with self._counting:
            self.waiting += 1
        self.lock.acquire()
        with self._counting:
            self.waiting -= 1

    def __exit__(self, *_error: object) -> None:
        self.lock.release()


def test_a_workbook_is_taken_from_who_still_may(home: Home) -> None:
    books = home.monitor.workbooks
    path = workbooks.write(books.path, [ROW])
    books.sync()
    before = path.read_bytes()
    ada, end = in_session(home, "Ada")
    new = io.BytesIO(workbooks.book_of([("SIM00009PAZ0009", *ROW[1:])]))
    page = ada.ask("POST", "/settings/workbook", data={"file": (new, "new.xlsx")})
    key = page.text.partition('name="key" value="')[2][:64]
    books._file_lock = lock = Counted(books._file_lock)  # type: ignore[assignment]
    answer = while_it_waits(
        ada,
        end,
        waiting_for(lock, lambda: lock.waiting),
        "POST",
        "/settings/workbook/commit",
        data={"key": key},
    )
    assert answer.status_code == 401
    assert path.read_bytes() == before
    again, _end = in_session(home, "Ada")
    done = again.ask("POST", "/settings/workbook/commit", data={"key": key})
    assert done.status_code == 303, "it still waits for who may"


# -- before the first account --------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/users", "/settings/users"])
def test_who_was_let_in_as_this_machine_is_out_with_the_first_account(
    make_home: Make, path: str
) -> None:
    home = make_home()
    form = {"json" if path.startswith("/api") else "data": MALLORY}
    first = lambda: add(home.monitor.authenticator.accounts, "Ada", "admin")  # noqa: E731
    answer = while_it_waits(Visitor(home), first, hashing_waits(), "POST", path, **form)
    assert answer.status_code == 401
    assert [user.name for user in home.monitor.authenticator.accounts.snapshot.users.values()] == [
        "Ada"
    ]


FIRST = {"username": "Ada", "password": PASSWORD}
SETUP = {"username": "Mallory", "password": NEW, "again": NEW}


ACTS: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/api/users", MALLORY),
    ("POST", "/settings/users", MALLORY),
    ("PATCH", "/api/users/1", {"password": NEW}),
    ("POST", "/settings/users/1", {"role": "admin", "password": NEW}),
    ("POST", "/setup", SETUP),
    ("POST", "/api/auto-scan", {"enabled": True}),
    ("POST", "/settings/workbook", multipart(b"x" * 1000)),
    ("POST", "/api/scan", {}),
)


def test_what_this_machine_began_ends_with_the_first_account(
    run_monitor: Callable[..., Running],
) -> None:
    monitor = run_monitor()
    with ExitStack() as stack:
        begun = [stack.enter_context(slow(monitor, *act, {})) for act in ACTS]
        assert monitor.request("POST", "/api/users", FIRST).status == 201
        answers = {act[:2]: request.finish() for act, request in zip(ACTS, begun, strict=True)}
    assert {act: status for act, (status, _text) in answers.items()} == dict.fromkeys(answers, 401)
    (ada,) = ask(monitor, "GET", "/api/users")["users"]
    assert (ada["username"], ada["role"]) == ("Ada", "admin")
    assert monitor.request("POST", "/api/auth/login", FIRST).status == 200, "with her own password"
    assert not ask(monitor, "GET", "/api/stats")["auto_scan_enabled"]
    assert ask(monitor, "GET", "/api/scan")["last"] is None
