"""The commands about accounts, with and without a running monitor."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.home import ROOT, Running
from tests.stored_secrets import TEXTS, opened_in, sealed_in, write_secrets
from tests.warm_start import run

GOOD = "purple tram forest"
OTHER = "seven quiet kettles"


@pytest.fixture(params=["with a running monitor", "without one"])
def place(
    request: pytest.FixtureRequest, run_monitor: Callable[..., Running], tmp_path: Path
) -> dict[str, str]:
    """The environment of a monitor; it runs, or it does not."""
    if request.param == "with a running monitor":
        return run_monitor().environment
    monitor = Running(tmp_path)
    return monitor.environment


def cli(
    place: dict[str, str], *arguments: str, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    return run(
        [sys.executable, "cli.py", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **place},
        input=typed,
        text=True,
    )


def names(place: dict[str, str]) -> dict[str, str]:
    users = json.loads(cli(place, "user", "list", "--json").stdout)
    return {user["username"]: user["role"] for user in users}


def test_an_account_is_made_changed_listed_and_removed(place: dict[str, str]) -> None:
    assert names(place) == {}
    first = cli(place, "user", "add", "root", "--password-stdin", typed=GOOD)
    assert first.returncode == 0, first.stderr
    assert "Added root as admin." in first.stdout
    second = cli(
        place, "user", "add", "eve", "--role", "operator", "--limited", "--password-stdin",
        typed=OTHER,
    )  # fmt: skip
    assert second.returncode == 0, second.stderr
    assert names(place) == {"root": "admin", "eve": "operator"}
    changed = cli(place, "user", "passwd", "EVE", "--password-stdin", typed=GOOD + " two")
    assert changed.returncode == 0, changed.stderr
    assert cli(place, "user", "remove", "eve").returncode == 0
    assert names(place) == {"root": "admin"}


def test_what_is_refused_is_one_sentence_and_changes_nothing(place: dict[str, str]) -> None:
    assert cli(place, "user", "add", "root", "--password-stdin", typed=GOOD).returncode == 0
    refused = {
        ("user", "add", "root", "--password-stdin"): ("is already in use", OTHER),
        ("user", "add", "mia", "--password-stdin"): ("easy to guess", "password123"),
        ("user", "remove", "root"): ("last administrator", ""),
        ("user", "remove", "nobody"): ("User nobody", ""),
        ("user", "passwd", "nobody", "--password-stdin"): ("User nobody", GOOD),
        ("user", "passwd", "root"): ("--password-stdin", ""),
    }
    for arguments, (says, typed) in refused.items():
        result = cli(place, *arguments, typed=typed)
        assert result.returncode == 1, arguments
        assert says in result.stderr, arguments
        assert len(result.stderr.splitlines()) == 1, result.stderr
    assert names(place) == {"root": "admin"}


def test_a_new_password_counts_at_once(run_monitor: Callable[..., Running]) -> None:
    monitor = run_monitor()
    for words, typed in ((("add", "root"), GOOD), (("passwd", "root"), OTHER)):
        result = cli(monitor.environment, "user", *words, "--password-stdin", typed=typed)
        assert result.returncode == 0, result.stderr
    login = {"username": "root", "password": GOOD}
    assert monitor.request("POST", "/api/auth/login", login).status == 401
    login["password"] = OTHER
    assert monitor.request("POST", "/api/auth/login", login).status == 200


def test_keys_are_rotated(tmp_path: Path) -> None:
    place = Running(tmp_path).environment
    assert "no key yet" in cli(place, "keys", "rotate").stdout


@pytest.mark.parametrize(
    ("words", "usage", "error"),
    [
        (("keys",), "keys [-h] {rotate} ...", "{rotate}"),
        (("keys", "rotate", "now"), "keys rotate [-h]", "unrecognized arguments: now"),
        (("user",), "user [-h] {add,passwd,remove,list} ...", "{add,passwd,remove,list}"),
        (("user", "list", "all"), "user list [-h] [--json]", "unrecognized arguments: all"),
    ],
)
def test_wrong_use_shows_the_usage_of_that_command(
    tmp_path: Path, words: tuple[str, ...], usage: str, error: str
) -> None:
    done = cli(Running(tmp_path).environment, *words)
    first, last = done.stderr.strip().splitlines()
    assert (done.returncode, first) == (2, f"usage: cli.py {usage}")
    assert last.startswith(f"cli.py {' '.join(words[:2])}: error: ")
    assert last.endswith(error)


def monitor_with_secrets(folder: Path) -> tuple[Running, Path, Path]:
    """A monitor that does not run yet, its database with sealed passwords, its data folder."""
    database, data = folder / "camera_database.json", folder / "data"
    data.mkdir()
    write_secrets(database, data)
    return Running(folder), database, data


@pytest.mark.parametrize("runs", [True, False], ids=["with a running monitor", "without one"])
def test_rotating_the_keys_seals_every_password_anew_and_drops_the_old_key(
    tmp_path: Path, runs: bool
) -> None:
    monitor, database, data = monitor_with_secrets(tmp_path)
    key_file = data / "keys" / "vault.key"
    old_key, old = key_file.read_bytes().split(), set(sealed_in(database).values())
    try:
        if runs:
            monitor.start()
        done = cli(monitor.environment, "keys", "rotate")
        assert done.returncode == 0, done.stderr
        assert f"{len(TEXTS)} passwords encrypted with a new key" in done.stdout
    finally:
        if runs:
            monitor.kill()
    assert opened_in(database, data) == TEXTS
    assert not old & set(sealed_in(database).values())
    (new_key,) = key_file.read_bytes().split()
    assert new_key not in old_key


@pytest.mark.parametrize("runs", [True, False], ids=["with a running monitor", "without one"])
def test_without_its_key_the_stored_passwords_are_not_called_none(
    tmp_path: Path, runs: bool
) -> None:
    monitor, database, data = monitor_with_secrets(tmp_path)
    key_file = data / "keys" / "vault.key"
    key_file.unlink()
    loss = f"vault.key is missing, so {len(TEXTS)} stored passwords cannot be read."
    loss += " Restore the file, or enter the passwords again."
    try:
        if runs:
            monitor.start()
            assert monitor.text().count(loss) == 1, "the log says it once, at the start"
            assert loss in monitor.get("/", Accept="text/html").body.decode()
            answer = monitor.request("POST", "/api/keys/rotate")
            assert (answer.status, answer.json["error"]) == (503, loss)
        refused = cli(monitor.environment, "keys", "rotate")
    finally:
        if runs:
            monitor.kill()
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(loss)
    assert ".." not in refused.stderr
    assert not key_file.exists(), "a lost key is not replaced by one that opens nothing"
