"""Credential sets by the API and on their page: who may, what is shown, and what is undone."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from accounts import passwords
from fleet.model import Edit
from tests.accounts.people import add
from tests.home import Clock, Home, until
from tests.web.browser import read
from tests.web.closed import Visitor, body_of

SECRET, OTHER = "wet green stones", "dry red leaves"
URL = "/api/credentials"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("sets"), Clock())
    yield home
    home.close()


@pytest.fixture
def home(shared: Home) -> Home:
    """The shared monitor without sets and devices."""
    for device in shared.devices():
        answer = shared.client.delete(f"/api/cameras/{device.id}")
        assert answer.status_code == 200
    for row in shared.client.get(URL).json["credentials"]:
        assert shared.client.delete(f"{URL}/{row['id']}").status_code == 200
    return shared


def added(home: Home, name: str = "Gates", **more: Any) -> Any:
    body = {"name": name, "username": "monitor", "password": SECRET, **more}
    answer = home.client.post(URL, json=body)
    assert answer.status_code == 201, answer.json
    return answer.json


def use(home: Home, id: str, number: int = 1) -> int:
    fields = {"source": "rtsp", "host": f"127.66.0.{number}", "credentials": id}
    edit = Edit("add", "", fields, "test", home.clock())
    return int(home.monitor.tracker.apply([edit], home.clock())[0].device or 0)


def password_of(home: Home, id: str) -> str | None:
    secret = home.monitor.tracker.fleet().credentials[id].secret
    return home.monitor.secrets.unseal(secret) if secret else None


def undo(home: Home, number: int) -> Any:
    return home.client.post("/api/undo", json={"event": number})


def test_a_set_is_added_read_changed_and_deleted(home: Home) -> None:
    row = added(home)["credentials"]
    expected = {"name": "Gates", "username": "monitor", "has_password": True, "devices": 0}
    assert row == {"id": row["id"], **expected}
    assert home.client.get(f"{URL}/{row['id']}").json == row
    assert home.client.get(URL).json == {"credentials": [row], "count": 1}
    answer = home.client.put(f"{URL}/{row['id']}", json={"name": "Doors"})
    assert answer.json["credentials"] == {**row, "name": "Doors"}
    assert password_of(home, row["id"]) == SECRET
    answer = home.client.patch(f"{URL}/{row['id']}", json={"password": ""})
    assert answer.json["credentials"]["has_password"] is False
    assert home.client.delete(f"{URL}/{row['id']}").json["credentials"] is None
    assert home.client.get(f"{URL}/{row['id']}").status_code == 404


def test_each_edit_by_the_api_is_undone_with_its_password(home: Home) -> None:
    first = added(home)
    id = first["credentials"]["id"]
    second = home.client.put(f"{URL}/{id}", json={"password": OTHER}).json
    third = home.client.delete(f"{URL}/{id}").json
    assert undo(home, third["undo"]).json["success"] is True
    assert password_of(home, id) == OTHER
    assert undo(home, second["undo"]).status_code == 200
    assert password_of(home, id) == SECRET
    assert undo(home, second["undo"]).status_code == 409, "it is undone already"
    many = home.client.post("/api/cameras/bulk/undo", json={"events": [first["undo"]]}).json
    assert "POST /api/undo" in many["failed"][0]["hint"]
    assert undo(home, first["undo"]).status_code == 200
    assert home.client.get(URL).json["count"] == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "Gates"}, 422),
        ({"name": "", "username": "a"}, 422),
        ({"name": "A", "username": "a:b"}, 422),
        ({"name": " gates ", "username": "a"}, 422),
        ({"name": "A", "username": "a", "password": "x" * 2000}, 422),
        ({"name": "A", "username": "a", "password": "a\nb"}, 422),
        ({"name": "A", "username": "a", "secret": "s1"}, 422),
    ],
)
def test_what_does_not_fit_is_refused(home: Home, body: dict[str, Any], status: int) -> None:
    added(home)
    assert home.client.post(URL, json=body).status_code == status
    assert home.client.get(URL).json["count"] == 1


def test_a_used_set_is_not_deleted_and_its_devices_are_listed(home: Home) -> None:
    id = added(home)["credentials"]["id"]
    number, other = use(home, id), use(home, id, 2)
    home.client.post(f"/api/camera/{other}/retire")
    answer = home.client.delete(f"{URL}/{id}")
    assert answer.status_code == 409
    assert "127.66.0.1" in answer.json["error"]
    assert home.client.get(f"{URL}/{id}").json["devices"] == 2
    rows = home.client.get(f"/api/cameras?credentials={id}").json["cameras"]
    assert [row["id"] for row in rows] == [number]
    page = read(home.client.get("/settings/credentials").text)
    assert "1 device, 1 retired" in page.text
    assert "credential set Gates" in home.client.get(f"/?credentials={id}&q=nobody").text
    assert "Devices use this credential set" in home.client.get(f"/settings/credentials/{id}").text


def test_the_password_is_in_no_answer_event_page_export_audit_or_file(home: Home) -> None:
    made = added(home)
    id = made["credentials"]["id"]
    use(home, id)
    changed = home.client.put(f"{URL}/{id}", json={"password": OTHER}).json
    undo(home, changed["undo"])
    home.events()
    texts = [json.dumps([made, changed])]
    for path in (
        *(URL, f"{URL}/{id}", "/api/export", "/api/events", "/api/audit", "/events", "/metrics"),
        *("/settings/credentials", f"/settings/credentials/{id}", "/settings/audit", "/"),
        *("/cameras/add", "/api/cameras", "/api/download.csv"),
    ):
        texts.append(home.client.get(path).text)
    texts.append(home.settings.database_path.read_text())
    texts += [str(event) for event in home.events()]
    for text in texts:
        assert SECRET not in text
        assert OTHER not in text
    actions = [row for row in home.events() if row.kind.startswith("credentials.")]
    assert "password changed" in actions[-1].text


def test_the_audit_log_names_who_changed_which_set(home: Home) -> None:
    id = added(home, "Audited")["credentials"]["id"]
    home.client.put(f"{URL}/{id}", json={"password": OTHER})
    text = home.client.get("/settings/audit?action=credentials.").text
    assert "Credential set Audited was added" in text
    assert "Credential set Audited: password changed" in text


def submit(home: Home, path: str, **form: str) -> Any:
    return home.client.post(path, data=form)


def test_the_page_adds_changes_deletes_and_undoes_without_script(home: Home) -> None:
    path = "/settings/credentials"
    answer = submit(home, path, name="Gates", username="monitor")
    assert answer.status_code == 422
    assert "Enter the password" in answer.text
    answer = submit(home, path, name="Gates", username="monitor", password=SECRET)
    assert answer.status_code == 303
    (row,) = home.client.get(URL).json["credentials"]
    page = home.client.get(answer.location)
    assert "Credential set added" in page.text
    assert SECRET not in page.text
    own = f"{path}/{row['id']}"
    answer = submit(home, own, do="change", name="Gates", username="otto", password="")
    assert password_of(home, row["id"]) == SECRET
    assert submit(home, own, do="change", name="", username="otto").status_code == 422
    submit(home, own, do="change", name="Gates", username="otto", empty="on")
    assert password_of(home, row["id"]) is None
    answer = submit(home, own, do="delete")
    number = answer.location.rpartition("undo=")[2]
    assert home.client.get(URL).json["count"] == 0
    answer = home.client.post(f"/undo/{number}")
    assert "Change undone" in home.client.get(answer.location).text
    assert home.client.get(URL).json["credentials"][0]["username"] == "otto"


def test_an_operator_cannot_undo_an_edit_of_a_set(make_home: Any) -> None:
    home = make_home()
    number = added(home)["undo"]
    accounts = home.monitor.authenticator.accounts
    accounts.add_hashed("Ada", passwords.hash_new("seven grey owls", "Ada"), "admin", True)
    accounts.add_hashed("Ole", passwords.hash_new("seven grey owls", "Ole"), "operator", True)
    answers = [
        home.client.post("/api/undo", json={"event": number}, auth=(name, "seven grey owls"))
        for name in ("Ole", "Ada")
    ]
    assert [answer.status_code for answer in answers] == [403, 200]
    assert home.monitor.tracker.fleet().credentials == {}


def test_only_who_manages_sets_reads_their_names_in_the_journal(make_home: Any) -> None:
    home: Home = make_home()
    added(home, "Bank vault")
    use(home, added(home, "Gates")["credentials"]["id"])
    accounts = home.monitor.authenticator.accounts
    people = {
        role: Visitor(home, user=add(accounts, role.title(), role).id)
        for role in ("admin", "operator", "viewer")
    }
    until(lambda: not home.monitor.tracker.fleet().outbox, what="the journal has all events")

    def texts(role: str, query: str = "") -> str:
        rows = body_of(people[role].get(f"/api/events{query}"))["events"]
        return " ".join(row["text"] for row in rows) + people[role].get(f"/events{query}").text

    for query in ("", "?limit=2"):
        assert "Bank vault" in texts("admin", query)
        for role in ("operator", "viewer"):
            assert "Bank vault" not in texts(role, query)
            assert "127.66.0.1 was added" in texts(role, query)
    stream = people["viewer"].get("/api/events?kind=credentials.")
    assert body_of(stream)["events"] == []
