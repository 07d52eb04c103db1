"""The first account where nobody makes it by hand: options, and moncam's file."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

from accounts.bootstrap import NAME, bootstrap_admin
from tests.home import Clock, Home, Running

GOOD = "purple tram forest"


def login(monitor: Running, name: str, password: str) -> int:
    return monitor.request(
        "POST", "/api/auth/login", {"username": name, "password": password}
    ).status


def test_two_options_make_the_first_account_once(run_monitor: Callable[..., Running]) -> None:
    options = {"ADMIN_USERNAME": "root", "ADMIN_PASSWORD": GOOD}
    monitor = run_monitor(**options)
    assert monitor.get("/api/stats").status == 401, "the monitor is closed from the first moment"
    assert login(monitor, "root", GOOD) == 200
    monitor.stop()
    monitor.environment["ADMIN_PASSWORD"] = "another good sentence"
    monitor.start()
    assert login(monitor, "root", GOOD) == 200, "once there is an account, they have no effect"
    assert login(monitor, "root", "another good sentence") == 401


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ADMIN_USERNAME": "root", "ADMIN_PASSWORD": "admin123"}, "10 to 200 characters"),
        ({"ADMIN_USERNAME": "root", "ADMIN_PASSWORD": "password123"}, "easy to guess"),
        ({"ADMIN_USERNAME": "ro<o>t", "ADMIN_PASSWORD": GOOD}, "A user name can contain only"),
        ({"ADMIN_USERNAME": "root"}, "is set"),
        ({"ADMIN_PASSWORD": GOOD}, "is set"),
    ],
)
def test_options_that_do_not_fit_are_said_and_nothing_starts(
    tmp_path: Path, options: dict[str, str], says: str
) -> None:
    monitor = Running(tmp_path, **options)
    process = monitor.spawn()
    assert process.wait(30) != 0
    assert says in monitor.text()
    assert "Traceback" not in monitor.text()
    assert options.get("ADMIN_PASSWORD", "?") not in monitor.text()


def accounts_in(tmp_path: Path) -> Home:
    return Home(tmp_path, Clock())


@pytest.mark.parametrize("method", ["scrypt", "pbkdf2:sha256:1000"])
def test_the_one_password_of_moncam_is_taken_over(tmp_path: Path, method: str) -> None:
    former = tmp_path / "pass_user"
    former.write_text(generate_password_hash("old one", method) + "\n")
    home = accounts_in(tmp_path / method[:6])
    accounts = home.monitor.authenticator.accounts
    bootstrap_admin(accounts, "", None, former)
    user = accounts.check(NAME, "old one")
    assert user is not None
    assert user.role == "admin"
    home.close()


@pytest.mark.parametrize(
    "stored",
    [
        "sha1$salt$" + hashlib.sha1(b"x", usedforsecurity=False).hexdigest(),
        "plain text",
        "",
        "scrypt:x$y$z",
        "\udcff",
    ],
)
def test_a_hash_that_cannot_be_checked_is_said_and_leaves_the_monitor_open(
    tmp_path: Path, stored: str, caplog: pytest.LogCaptureFixture
) -> None:
    former = tmp_path / "pass_user"
    former.write_bytes(stored.encode("utf-8", "surrogateescape"))
    home = accounts_in(tmp_path / "home")
    with caplog.at_level("INFO"):
        bootstrap_admin(home.monitor.authenticator.accounts, "", None, former)
    assert "Set it again" in caplog.text
    assert not home.monitor.authenticator.accounts.has_any()
    home.close()


def test_a_monitor_with_accounts_ignores_the_file(tmp_path: Path) -> None:
    former = tmp_path / "pass_user"
    former.write_text(generate_password_hash("old one", "pbkdf2:sha256:1000"))
    home = accounts_in(tmp_path / "home")
    accounts = home.monitor.authenticator.accounts
    accounts.add_first("root", GOOD)
    bootstrap_admin(accounts, "", None, former)
    assert accounts.by_name(NAME) is None
    home.close()
