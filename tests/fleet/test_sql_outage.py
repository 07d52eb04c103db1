"""A PostgreSQL server that is frozen or gone stops no page and no edit of the fleet."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from accounts.accounts import Accounts
from simulators.panasonic import Camera
from tests.home import Home, until
from tests.store.postgres import PASSWORD, Cluster

Make = Callable[..., Home]
OWN = "correct horse battery staple"
PAGES = ("/", "/cameras/1", "/sites", "/settings/sources", "/settings/jobs", "/settings/users")
READS = ("/api/cameras", "/api/camera/1", "/api/stats", "/api/scan", "/api/users", "/metrics")


@contextmanager
def frozen(postgres: Cluster) -> Iterator[None]:
    """Every process of the server stands still, as on a machine that hangs."""
    pids = postgres.processes()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def logged_in(home: Home) -> dict[str, str]:
    home.monitor.authenticator.accounts.add_first("ada", OWN)
    answer = home.client.post("/api/auth/login", json={"username": "ada", "password": OWN})
    assert answer.status_code == 200
    return {"Authorization": f"Bearer {answer.json['access_token']}"}


def away_is_known(home: Home) -> Any:
    return until(lambda: home.monitor.journal_writer.trouble, what="the journal_writer has noticed")


def test_a_frozen_server_stops_no_page_and_no_edit_and_everything_arrives_once(
    make_home: Make, postgres: Cluster
) -> None:
    home = make_home(
        Camera("d4:2d:c5:00:00:01", "127.20.0.1"), database_url=postgres.new_database()
    )
    key = logged_in(home)
    home.scan()
    assert home.kinds() == ["device.found"]
    with frozen(postgres):
        for name in ("Gate", "Door"):
            answer = home.client.patch("/api/camera/1", json={"name": name}, headers=key)
            assert answer.status_code == 200
        for path in (*PAGES, *READS):
            assert home.client.get(path, headers=key).status_code == 200, path
        away_is_known(home)
        # Nobody waits any more for what is known to be away.
        for path in (*PAGES, *READS):
            assert home.client.get(path, headers=key).status_code == 200, path
        assert "SQL database" in home.client.get("/", headers=key).text
        assert home.client.get("/readyz").status_code == 503
        for path in ("/api/events", "/api/audit"):
            refused = home.client.get(path, headers=key)
            assert refused.status_code == 503
            assert refused.json["error"].startswith("SQL database unavailable: ")
            assert PASSWORD not in refused.text
        answer = home.client.post(
            "/api/users",
            json={"username": "bob", "password": OWN + " two", "role": "viewer"},
            headers=key,
        )
        assert answer.status_code == 503
        answer = home.client.patch("/api/camera/1", json={"name": "Hall"}, headers=key)
        assert answer.status_code == 200
        waiting = (home.settings.data_dir / "audit.outbox").read_bytes()
        assert b'"Hall"' in waiting, "on disk, not only in memory"
    until(lambda: not home.monitor.journal_writer.trouble, what="it heals by itself")
    edited = home.events(kinds=["device.edited"])
    assert [event.after["name"] for event in edited] == ["Gate", "Door", "Hall"]
    lines = home.monitor.audit.find(action="device.")
    assert [entry.after["name"] for entry in lines] == ["Hall", "Door", "Gate"]
    assert home.client.get("/api/users", headers=key).json["count"] == 1
    answer = home.client.post("/api/auth/login", json={"username": "ada", "password": OWN})
    assert answer.status_code == 200


def test_an_account_that_the_server_changed_without_an_answer_is_known_afterwards(
    make_home: Make, postgres: Cluster
) -> None:
    """The commit may be done although it was not confirmed: what is in SQL counts."""
    home = make_home(database_url=postgres.new_database())
    key = logged_in(home)
    other = Accounts(
        home.monitor.journal.engine, home.monitor.authenticator.accounts._key, home.clock
    )
    other.open()
    other.add("bob", OWN + " two", "viewer")
    assert home.client.get("/api/users", headers=key).json["count"] == 1
    postgres.stop()
    home.clock.forward(seconds=1)
    until(lambda: home.monitor.journal_writer.trouble, what="the journal_writer has noticed")
    postgres.start()
    until(lambda: not home.monitor.journal_writer.trouble, what="it heals by itself")
    assert home.client.get("/api/users", headers=key).json["count"] == 2
