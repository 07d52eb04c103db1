"""The page of the audit log: sentences and names for people, the raw entry folded."""

import re
from datetime import timedelta

import pytest

from audit.model import AuditEntry
from simulators.panasonic import crowd
from tests.accounts import people
from tests.home import ROOT, Home
from tests.web.browser import Browser, Element, read
from tests.web.closed import Visitor
from tests.web.pages.stores import Make
from web.pages import audit_view


@pytest.fixture
def home(make_home: Make) -> Home:
    home = make_home(*crowd(3))
    home.scan()
    return home


def page(home: Home, path: str = "/settings/audit") -> Element:
    return Browser(home.client).visit(path)


def entries(shown: Element) -> list[Element]:
    return shown.find("table")[0].find("tbody")[0].find("tr") if shown.find("table") else []


def actions(shown: Element) -> list[str]:
    """What each entry says without its folded details."""
    for entry in entries(shown):
        (fold,) = entry.find("details")
        fold.children.clear()
    return [entry.find("td")[2].text for entry in entries(shown)]


def change(home: Home, number: int, **fields: object) -> None:
    assert home.client.patch(f"/api/camera/{number}", json=fields).status_code == 200


def test_an_edit_names_the_device_and_each_changed_field_in_plain_words(home: Home) -> None:
    change(home, 1, name="Recorder A")
    change(home, 2, name="Lobby", tags=["lobby"], site="Head office", parent=1)
    change(home, 2, parent=None)
    assert actions(page(home)) == [
        "Edited Lobby Connected through: Recorder A → none",
        "Edited Lobby Name: none → Lobby Tags: none → lobby Site: none → Head office "
        "Connected through: none → Recorder A",
        "Edited Recorder A Name: none → Recorder A",
    ]
    entry = entries(page(home))[0]
    assert entry.find("td")[3].find_one("a")["href"] == "/cameras/2"
    (fold,) = entry.find("details")
    assert "open" not in fold.attributes
    assert "device.edited" in fold.text


def test_a_deleted_device_keeps_the_name_that_it_had(home: Home) -> None:
    change(home, 3, name="Attic")
    assert home.client.delete("/api/camera/3", json={"confirm": "Attic"}).status_code == 200
    first, second = actions(page(home))
    assert "Attic" in first
    assert "Attic" in second
    assert not entries(page(home))[0].find("td")[3].find("a")


def test_users_permissions_and_logins_are_said_in_sentences_with_names(home: Home) -> None:
    accounts = home.monitor.authenticator.accounts
    change(home, 1, name="Lobby")
    ada, otto = people.add(accounts, "Ada", "admin"), people.add(accounts, "Otto")
    visitor = Visitor(home, user=ada.id)
    url = f"/api/users/{otto.id}"
    grant = {"level": "view", "device": 1, "hours": "08:00-18:00"}
    number = visitor.ask("POST", f"{url}/grants", json=grant).json["id"]
    assert visitor.ask("DELETE", f"{url}/grants/{number}").status_code == 200
    body = {"role": "operator", "password": people.NEW}
    assert visitor.ask("PATCH", url, json=body).status_code == 200
    assert visitor.ask("POST", "/api/tokens", json={"name": "Report"}).status_code == 201
    visitor.ask("POST", "/api/auth/login", json={"username": "Otto", "password": "a guess"})
    answer = visitor.get("/settings/audit", headers={"Accept": "text/html"})
    shown = read(answer.text)
    assert actions(shown)[:5] == [
        "Failed login as Otto Wrong user name or password",
        "Created the token Report (read)",
        "Changed the user Otto (new password) Role: viewer → operator",
        "Removed Otto's view access to Lobby, 08:00-18:00",
        "Gave Otto view access to Lobby, 08:00-18:00",
    ]
    assert entries(shown)[2].find("td")[3].find_one("a")["href"] == f"/settings/users/{otto.id}"
    assert people.NEW not in answer.text


def test_the_log_is_filtered_by_person_action_and_day(home: Home) -> None:
    change(home, 1, tags=["first day"])
    home.clock.forward(days=2)
    change(home, 1, tags=["third day"])
    home.client.post("/api/auto-scan", json={"enabled": True})
    first = (home.clock() - timedelta(days=2)).astimezone().date().isoformat()
    last = home.clock().astimezone().date().isoformat()
    assert len(entries(page(home))) == 3
    assert len(entries(page(home, f"/settings/audit?from={last}"))) == 2
    assert len(entries(page(home, f"/settings/audit?to={first}"))) == 1
    assert len(entries(page(home, f"/settings/audit?from={first}&to={last}&action=device."))) == 2
    assert len(entries(page(home, f"/settings/audit?from={last}&action=scan.automatic"))) == 1
    assert len(entries(page(home, "/settings/audit?who=local"))) == 3
    assert not entries(page(home, "/settings/audit?who=Otto"))
    shown = page(home, f"/settings/audit?from={first}&to={first}&who=local")
    assert shown.find_one("input", name="from")["value"] == first
    assert shown.find_one("input", name="who")["value"] == "local"
    link = next(a["href"] for a in shown.find("a") if a.text == "Download CSV")
    assert home.client.get(link).text.count("\n") == 2, "the titles and the one line of that day"


def test_users_and_sites_to_filter_by_are_in_the_order_in_which_people_read(home: Home) -> None:
    for number, site in enumerate(("Store 10", "store 9", "Annex"), start=1):
        change(home, number, site=site)
    accounts = home.monitor.authenticator.accounts
    boss = people.add(accounts, "Boss", "admin")
    for name in ("ward10", "Ward2"):
        people.add(accounts, name)
    visitor = Visitor(home, user=boss.id)

    def see(path: str) -> Element:
        return read(visitor.get(path, headers={"Accept": "text/html"}).text)

    names = see("/settings/audit").find_one("datalist", id="people").find("option")
    assert [name["value"] for name in names[:3]] == ["Boss", "Ward2", "ward10"]
    sites = see("/events").find_one("select", name="site").find("option")
    assert [site.text for site in sites[1:]] == ["Annex", "store 9", "Store 10"]


@pytest.mark.parametrize("day", ["", "x", "9999-12-31", "0001-01-01", "2026-02-30", "2026-1-1"])
def test_a_day_that_is_none_is_left_out_of_the_filter(home: Home, day: str) -> None:
    change(home, 1, tags=["seen"])
    assert len(entries(page(home, f"/settings/audit?from={day}&to={day}"))) == 1


def test_every_action_of_the_documentation_has_a_title_to_filter_by() -> None:
    text = (ROOT / "docs/api.md").read_text()
    rows = text.partition("## Audit log")[2].partition("| action |")[2].partition("\n\n")[0]
    names = [row.split("|")[1] for row in rows.splitlines()[2:]]
    documented = set(re.findall(r"[a-z]+(?:\.[a-z]+)?", " ".join(names)))
    offered = {action for _title, _prefix, group in audit_view.GROUPS for action in group}
    assert documented == offered


def test_what_a_person_typed_stays_text(home: Home) -> None:
    change(home, 1, name="<b>Bold</b>", notes="</dd><script>alert(1)</script>")
    shown = page(home)
    assert not shown.find_one("main").find("script")
    assert not entries(shown)[0].find("b")
    assert "Name: none → <b>Bold</b>" in actions(shown)[0]


@pytest.mark.parametrize(
    "entry",
    [
        ("device.edited", "camera x", {"tags": 1}, {"tags": {"a": 1}}),
        ("device.edited", "camera " + "9" * 50, {"parent": "one"}, {"parent": ["x", None]}),
        ("grant.added", "Otto", {}, {"level": "view", "device": "x", "weekdays": None}),
        ("from.a.later.version", "", {}, {}),
    ],
)
def test_an_entry_of_another_version_is_shown_too(
    entry: tuple[str, str, dict[str, object], dict[str, object]],
) -> None:
    action, about, before, after = entry
    at = people.NOON
    written = AuditEntry(at, "Ada", "", action, about, "what was done", before, after)
    line = audit_view.line(written, lambda _number: None)
    assert line.sentence
    assert line.device is None
