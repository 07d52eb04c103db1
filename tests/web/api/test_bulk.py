"""Edits of many devices in one request, with an error for each that fails, and their undo."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from simulators.panasonic import Camera
from tests.accounts.people import add
from tests.home import Home, until
from tests.web.browser import Browser, Element, read
from tests.web.closed import Visitor
from tests.web.pages.stores import Make, listed
from tests.web.work import work_of
from web.http.actions import bulk

NAMES = ("Gate", "Yard", "Ramp", "Attic")
BULK, UNDO = "/api/cameras/bulk", "/api/cameras/bulk/undo"


@pytest.fixture
def home(make_home: Make) -> Home:
    made = make_home(
        *(
            Camera(f"d4:2d:c5:00:00:0{number}", f"127.20.0.{number}", name)
            for number, name in enumerate(NAMES, start=1)
        )
    )
    made.scan()
    return made


def rows(home: Home, query: str = "") -> dict[str, Any]:
    cameras = home.client.get(f"/api/cameras?{query}").json["cameras"]
    return {camera["camera_name"]: camera for camera in cameras}


def ids(home: Home, *names: str) -> list[int]:
    known = rows(home)
    return [known[name]["id"] for name in names]


def edit(home: Home, status: int = 200, **body: Any) -> Any:
    answer = home.client.post(BULK, json=body)
    assert answer.status_code == status, answer.text
    return answer.json


def undo(home: Home, events: list[int]) -> Any:
    answer = home.client.post(UNDO, json={"events": events})
    assert answer.status_code == 200, answer.text
    return answer.json


def test_many_cameras_are_changed_in_one_write_and_one_undo_takes_it_back(home: Home) -> None:
    (own,) = ids(home, "Ramp")
    assert home.client.patch(f"/api/camera/{own}", json={"tags": ["old"]}).status_code == 200
    chosen = ids(home, "Gate", "Yard", "Ramp")
    body = edit(home, ids=chosen, add_tags=["door", "north"], site="Cork")
    assert (sorted(body["changed"]), body["unchanged"], body["failed"]) == (sorted(chosen), 0, [])
    now = rows(home)
    assert now["Gate"]["tags"] == now["Yard"]["tags"] == ["door", "north"]
    assert now["Ramp"]["tags"] == ["old", "door", "north"]
    assert {now[name]["site"] for name in ("Gate", "Yard", "Ramp")} == {"Cork"}
    assert (now["Attic"]["tags"], now["Attic"]["site"]) == ([], "here")
    back = undo(home, body["undo"])
    assert sorted(back["changed"]) == sorted(chosen)
    now = rows(home)
    assert now["Ramp"]["tags"] == ["old"]
    assert {camera["site"] for camera in now.values()} == {"here"}
    again = undo(home, back["undo"])
    assert again["failed"] == []
    assert rows(home)["Gate"]["tags"] == ["door", "north"]


def test_a_tag_is_removed_where_it_is_and_the_others_need_no_change(home: Home) -> None:
    edit(home, ids=ids(home, "Gate", "Yard"), add_tags=["door"])
    body = edit(home, ids=ids(home, *NAMES), remove_tags=["door"])
    assert (sorted(body["changed"]), body["unchanged"]) == (sorted(ids(home, "Gate", "Yard")), 2)
    assert all(camera["tags"] == [] for camera in rows(home).values())


def test_each_device_that_cannot_be_changed_is_named_and_the_others_are_changed(
    home: Home,
) -> None:
    (gate,) = ids(home, "Gate")
    body = edit(home, ids=[*ids(home, *NAMES), 999], parent=gate)
    assert sorted(body["changed"]) == sorted(ids(home, "Yard", "Ramp", "Attic"))
    assert [(failure["id"], failure["name"]) for failure in body["failed"]] == [
        (999, ""),
        (gate, "Gate"),
    ]
    assert body["failed"][0]["error"] == "This device no longer exists"
    assert "is itself connected through" in body["failed"][1]["error"]
    assert all(failure["hint"] for failure in body["failed"])
    assert rows(home)["Yard"]["parent"] == gate


def test_what_somebody_changed_since_stays_when_the_act_is_undone(home: Home) -> None:
    gate, yard = ids(home, "Gate", "Yard")
    body = edit(home, ids=[gate, yard], site="Cork")
    assert home.client.patch(f"/api/camera/{yard}", json={"site": "Bergen"}).status_code == 200
    back = undo(home, body["undo"])
    assert back["changed"] == [gate]
    assert [failure["name"] for failure in back["failed"]] == ["Yard"]
    assert (rows(home)["Gate"]["site"], rows(home)["Yard"]["site"]) == ("here", "Bergen")


def at_once(home: Home, *acts: tuple[str, str, dict[str, Any]]) -> list[Any]:
    """The answers to requests that were all worked out before the first of them was written."""
    tracker = home.monitor.tracker
    with ThreadPoolExecutor(len(acts)) as pool:
        with tracker._lock:
            answers = []
            for place, (method, path, body) in enumerate(acts, start=1):
                answers.append(
                    pool.submit(home.app.test_client().open, path, method=method, json=body)
                )
                until(lambda place=place: len(tracker._waiting) == place, what="the edit waits")  # type: ignore[misc]
        return [answer.result().json for answer in answers]


def test_tags_that_somebody_changes_meanwhile_are_kept(home: Home) -> None:
    chosen = ids(home, "Gate", "Yard")
    edit(home, ids=chosen, add_tags=["old"])
    answers = at_once(
        home,
        ("PATCH", f"/api/camera/{chosen[0]}", {"tags": ["old", "mine"]}),
        ("POST", BULK, {"ids": chosen, "add_tags": ["door"], "remove_tags": ["old"]}),
        ("POST", BULK, {"ids": chosen, "add_tags": ["north"]}),
    )
    assert [sorted(answer["changed"]) for answer in answers[1:]] == [sorted(chosen)] * 2
    now = rows(home)
    assert now["Gate"]["tags"] == ["mine", "door", "north"]
    assert now["Yard"]["tags"] == ["door", "north"]


def test_a_device_that_changed_meanwhile_is_refused_alone(home: Home) -> None:
    gate, yard, ramp = ids(home, "Gate", "Yard", "Ramp")
    delete = {"confirm": "Gate"}
    cut, edited = at_once(
        home,
        ("DELETE", f"/api/camera/{gate}", delete),
        ("POST", BULK, {"ids": [gate, yard, ramp], "add_tags": ["door"]}),
    )
    assert (cut["deleted"], sorted(edited["changed"])) == (gate, sorted([yard, ramp]))
    assert [(failure["name"], failure["error"]) for failure in edited["failed"]] == [
        ("Gate", "This device no longer exists")
    ]
    taken, undone = at_once(
        home,
        ("PATCH", f"/api/camera/{yard}", {"tags": ["mine"]}),
        ("POST", UNDO, {"events": edited["undo"]}),
    )
    assert (taken["success"], undone["changed"]) == (True, [ramp])
    assert [failure["name"] for failure in undone["failed"]] == ["Yard"]
    assert rows(home)["Yard"]["tags"] == ["mine"]


def test_a_device_with_two_changes_is_one_device_when_they_are_undone(home: Home) -> None:
    chosen = ids(home, "Gate", "Yard")
    body = edit(home, ids=chosen, add_tags=["door"], retired=True)
    assert len(body["undo"]) == 4
    back = undo(home, body["undo"])
    assert (sorted(back["changed"]), back["unchanged"]) == (sorted(chosen), 0)


def test_all_that_match_a_filter_are_retired_but_for_some_and_restored(home: Home) -> None:
    (attic,) = ids(home, "Attic")
    body = edit(home, filter={"q": "a"}, **{"except": [attic]}, count=3, retired=True)
    assert len(body["changed"]) == 3
    assert list(rows(home)) == ["Attic"]
    restored = edit(home, filter={"retired": True}, retired=False)
    assert len(restored["changed"]) == 3
    assert len(rows(home)) == 4


def test_a_filter_that_selects_another_number_than_the_person_saw_changes_nothing(
    home: Home,
) -> None:
    body = edit(home, 409, filter={"q": "a"}, count=12, retired=True)
    assert body["error"] == "The list has 4 devices now, not 12"
    assert len(rows(home)) == 4


@pytest.mark.parametrize(
    "body",
    [{"ids": [1]}, {"add_tags": ["x"]}, {"ids": [1], "filter": {}, "site": "A"}, {"ids": [0]}],
    ids=["no change", "no devices", "both ways", "no number"],
)
def test_a_request_that_does_not_say_what_or_whom_is_refused(home: Home, body: Any) -> None:
    edit(home, 422, **body)
    assert home.kinds(kinds=["device.edited"]) == []


def test_who_is_limited_changes_only_what_they_may(home: Home) -> None:
    gate, yard, ramp = ids(home, "Gate", "Yard", "Ramp")
    accounts = home.monitor.authenticator.accounts
    add(accounts, "Ada", "admin")
    gus = add(accounts, "Gus", "viewer", False)
    accounts.grant(gus.id, "admin", device=gate)
    accounts.grant(gus.id, "view", device=yard)
    visitor = Visitor(home, user=gus.id)
    body = visitor.ask("POST", BULK, json={"ids": [gate, yard, ramp], "add_tags": ["his"]}).json
    assert body["changed"] == [gate]
    assert [failure["id"] for failure in body["failed"]] == [ramp, yard]
    assert [failure["name"] for failure in body["failed"]] == ["", "Yard"]
    moved = visitor.ask("POST", BULK, json={"ids": [gate], "site": "Cork"}).json
    assert moved["changed"] == []
    assert "access to all devices" in moved["failed"][0]["error"]
    everything = visitor.ask("POST", BULK, json={"filter": {}, "retired": True}).json
    assert everything["changed"] == [gate]


def test_who_is_limited_has_the_fleet_filtered_once_for_all_that_they_change(home: Home) -> None:
    gate, *others = ids(home, *NAMES)
    accounts = home.monitor.authenticator.accounts
    add(accounts, "Ada", "admin")
    gus = add(accounts, "Gus", "viewer", False)
    for id in (gate, *others):
        accounts.grant(gus.id, "admin", device=id)
    visitor = Visitor(home, user=gus.id)

    def judged(path: str, body: dict[str, Any]) -> tuple[Any, int]:
        """The answer, and how often a right was looked up for it."""
        answers: list[Any] = []
        called = work_of(lambda: answers.append(visitor.ask("POST", path, json=body).json))
        return answers[0], sum(name.endswith("rights.py:may") for name in called)

    few, for_few = judged(BULK, {"ids": others[:1], "parent": gate})
    many, for_many = judged(BULK, {"ids": others, "parent": gate})
    assert (len(few["changed"]), len(many["changed"])) == (1, 2)
    undone, for_undo = judged(UNDO, {"events": [*few["undo"], *many["undo"]]})
    assert [len(body["changed"]) for body in (few, many, undone)] == [1, 2, 3]
    # Each device of the fleet once, and each device of the act at most three times.
    assert for_few <= len(NAMES) + 3
    assert max(for_many, for_undo) <= len(NAMES) + 3 * len(others)


def test_the_audit_log_has_one_line_for_the_whole_act(home: Home) -> None:
    edit(home, ids=ids(home, "Gate", "Yard"), add_tags=["door"])
    lines = home.client.get("/api/audit?action=fleet.edited").json
    assert len(lines) == 1
    assert lines[0]["text"] == "Tag door added to 2 devices"
    assert sorted(lines[0]["after"]["numbers"]) == sorted(ids(home, "Gate", "Yard"))


# -- the form, without script ----------------------------------------------------------------


def press(browser: Browser, page: Element, button: str, **fields: Any) -> Element:
    """Send the form of the selection as a browser without script does."""
    form = page.find_one("form", id="bulk")
    sent = {"do": form.find_one("button", value=button)["value"], **fields}
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
    answer = browser.client.post(form["action"], data=sent, headers=headers, follow_redirects=True)
    assert answer.status_code in (200, 422), answer.text
    return read(answer.text)


def test_without_script_rows_are_edited_by_their_checkboxes_and_undone(home: Home) -> None:
    browser = Browser(home.client)
    page = browser.visit("/?q=a")
    picks = [pick["value"] for pick in page.find("input", name="id")]
    assert len(picks) == 4
    done = press(browser, page, "tag", id=picks[:2], bulk_tag="door, north")
    result = done.find_one("div", id="bulk-result")
    assert "Tags door and north added to 2 devices." in result.text
    assert len(rows(home, "q=door")) == 2
    back = browser.press(result.find_one("form", action="/bulk/undo?q=a"))
    assert len(listed(back)) == 4
    assert rows(home, "q=door") == {}


def test_without_script_everything_that_matches_is_edited_and_errors_are_shown(
    home: Home,
) -> None:
    browser = Browser(home.client)
    page = browser.visit("/?q=a")
    done = press(browser, page, "parent", every="4", parent_search="gate")
    result = done.find_one("div", id="bulk-result").text
    assert "3 devices: connected through Gate, 1 failed" in result
    assert "failedGate is itself connected through" in result
    moved = press(browser, page, "site", every="4", bulk_site="Cork")
    assert "4 devices: site changed to Cork." in moved.find_one("div", id="bulk-result").text
    press(browser, page, "site", every="4", bulk_site=" ")
    assert {row["site"] for row in rows(home, "q=a").values()} == {"here"}
    nothing = press(browser, page, "site", bulk_site="Cork")
    assert "No rows are selected" in nothing.find_one("div", id="bulk-result").text
    unknown = press(browser, page, "parent", every="4", parent_search="Nobody")
    assert "Nothing matches “Nobody”" in unknown.find_one("div", id="bulk-result").text
    assert unknown.find_one("input", name="parent_search")["value"] == "Nobody"
    none = press(browser, page, "parent", every="4")
    assert "Select one parent device" in none.find_one("div", id="bulk-result").text
    press(browser, page, "no_parent", every="4")
    assert {row["parent"] for row in rows(home, "q=a").values()} == {None}


def test_without_script_a_parent_is_chosen_among_matches(home: Home) -> None:
    browser = Browser(home.client)
    page = browser.visit("/?q=a")
    picks = [pick["value"] for pick in page.find("input", name="id")]
    (ramp,) = ids(home, "Ramp")
    several = press(browser, page, "parent", id=picks, parent_search="ra")
    assert "“ra” has no exact match" in several.find_one("div", id="bulk-result").text
    (choice,) = several.find("input", name="parent")
    assert (choice["type"], choice["value"]) == ("radio", str(ramp))
    chosen = [pick for pick in picks if pick != str(ramp)]
    done = press(browser, several, "parent", id=chosen, parent=choice["value"])
    assert "3 devices: connected through Ramp." in done.find_one("div", id="bulk-result").text
    assert {row["parent"] for row in rows(home, "q=a").values()} == {None, ramp}


def test_without_script_an_edit_that_empties_the_list_is_reported_and_undone(home: Home) -> None:
    edit(home, ids=ids(home, "Gate", "Yard"), add_tags=["door"])
    browser = Browser(home.client)
    page = browser.visit("/?tag=door")
    done = press(browser, page, "untag", every="2", bulk_tag="door")
    result = done.find_one("div", id="bulk-result")
    assert "Tag door removed from 2 devices." in result.text
    assert not done.find("table")
    back = browser.press(result.find_one("form", action="/bulk/undo?tag=door"))
    assert sorted(listed(back)) == ["Gate", "Yard"]


def test_without_script_an_undo_that_comes_too_late_says_so(home: Home) -> None:
    browser = Browser(home.client)
    gate, yard = ids(home, "Gate", "Yard")
    done = press(browser, browser.visit("/"), "tag", id=[str(gate), str(yard)], bulk_tag="door")
    for id in (gate, yard):
        home.client.patch(f"/api/camera/{id}", json={"tags": ["other"]})
    late = browser.send(done.find_one("form", action="/bulk/undo"))
    result = read(late.text).find_one("div", id="bulk-result").text
    assert "Nothing changed, 2 failed." in result
    assert "Gate has been changed since then" in result
    assert "Gate: Gate" not in result


def test_events_far_apart_are_undone_together(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, yard = ids(home, "Gate", "Yard")
    first = edit(home, ids=[gate], add_tags=["old"])["undo"]
    for number in range(6):
        edit(home, ids=[yard], site=f"Cork {number}")
    last = edit(home, ids=[gate], add_tags=["new"])["undo"]
    until(lambda: not home.monitor.tracker.fleet().outbox, what="the events are written")
    monkeypatch.setattr(bulk, "MAX_BULK", 2)
    assert undo(home, [*first, *last])["changed"] == [gate]
    assert rows(home)["Gate"]["tags"] == []


@pytest.mark.parametrize("every", ["59x", "\N{SUPERSCRIPT TWO}", "4" * 5000], ids=len)
def test_a_number_of_rows_that_is_none_changes_nothing(home: Home, every: str) -> None:
    form = {"do": "tag", "every": every, "bulk_tag": "door"}
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
    answer = home.client.post("/bulk", data=form, headers=headers)
    assert answer.status_code == 422
    assert "Invalid number of devices" in answer.text
    assert all(camera["tags"] == [] for camera in rows(home).values())


def test_an_edit_without_effect_says_for_how_many_devices(home: Home) -> None:
    form = {"do": "untag", "id": ids(home, "Gate", "Yard"), "bulk_tag": "door"}
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
    answer = home.client.post("/bulk", data=form, headers=headers)
    assert "Nothing to change on 2 devices." in answer.text


def test_an_undo_of_events_that_do_not_exist_is_refused(home: Home) -> None:
    body = edit(home, ids=ids(home, "Gate"), add_tags=["door"])
    answer = home.client.post(UNDO, json={"events": [*body["undo"], 99999]})
    assert (answer.status_code, answer.json["error"]) == (404, "Event 99999 does not exist")
    assert rows(home)["Gate"]["tags"] == ["door"]


def test_a_tag_with_a_comma_is_refused_as_forms_would_make_it_two(home: Home) -> None:
    (gate,) = ids(home, "Gate")
    body = edit(home, ids=[gate], add_tags=["a,b"])
    assert [failure["error"] for failure in body["failed"]] == ['The tag "a,b" contains a comma']
    assert home.client.patch(f"/api/camera/{gate}", json={"tags": ["a,b"]}).status_code == 422
    assert rows(home)["Gate"]["tags"] == []


def test_recording_of_many_is_set_in_part_and_undone(make_home: Any) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1", "Gate"))
    home.scan()
    settings = {"auto_record": True, "record_quality": "low"}
    for number in (1, 2):
        url = {"name": f"C{number}", "rtsp_url": f"rtsp://10.4.0.{number}/live"}
        assert home.client.post("/api/cameras", json=url).status_code == 201
    assert home.client.patch("/api/cameras/2", json=settings).status_code == 200
    answer = edit(home, ids=[1, 2, 3], recording={"record_quality": "high", "retention_days": 9})
    assert answer["changed"] == [2, 3]
    (failure,) = answer["failed"]
    assert failure["error"] == "Gate has no stream, so it cannot be recorded"
    changed = {"record_quality": "high", "retention_days": 9}
    assert [home.device(id).recording for id in "23"] == [
        {"auto_record": True, **changed},
        changed,
    ]
    undo(home, answer["undo"])
    assert [home.device(id).recording for id in "23"] == [settings, {}]
    edit(home, 422, ids=[2], recording={})
    form = {"do": "recording", "bulk_auto_record": "no", "id": ["2", "3"]}
    assert home.client.post("/bulk", data=form).status_code == 200
    assert [home.device(id).recording["auto_record"] for id in "23"] == [False, False]
    form = {"do": "recording", "bulk_retention_days": "soon", "id": ["2"]}
    assert "from 1 to" in home.client.post("/bulk", data=form).text


def test_the_interval_of_many_is_set_and_undone(make_home: Any) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1", "Gate"))
    home.scan()
    rows = [{"address": f"10.4.0.{n}", "interval": 60} for n in (1, 2)]
    home.client.post("/api/cameras/import", json={"rows": rows})
    edit = {"ids": [1, 2, 3], "interval": 900}
    answer = home.client.post("/api/cameras/bulk", json=edit).json
    assert answer["changed"] == [2, 3]
    (failure,) = answer["failed"]
    assert failure["error"] == "Gate is only found by scans, so it has no interval of its own"
    assert [home.device(id).access["onvif"].interval for id in "23"] == [900, 900]
    home.client.post("/api/cameras/bulk/undo", json={"events": answer["undo"]})
    assert [home.device(id).access["onvif"].interval for id in "23"] == [60, 60]
    form = {"do": "interval", "bulk_interval": "5", "id": ["2", "3"]}
    assert "from 10 to 86400" in home.client.post("/bulk", data=form).text
    assert home.client.post("/api/cameras/bulk", json={"ids": [2], "interval": None}).json[
        "changed"
    ] == [2]


def connected(make_home: Any) -> Home:
    """Two RTSP cameras with a password of their own, one with ONVIF alone, one without a login."""
    home: Home = make_home()
    own = {"port": 554, "path": "/a", "username": "old", "password": "secret77"}
    table = [
        {"address": "10.4.0.1", "name": "Gate", **own},
        {"address": "10.4.0.2", "name": "Yard", **own},
        {"address": "10.4.0.3", "name": "Ramp", "source": "onvif"},
        {"address": "10.4.0.4", "name": "Attic", "path": "/a"},
    ]
    home.client.post("/api/cameras/import", json={"rows": table})
    return home


def test_port_path_and_login_of_a_protocol_are_changed_on_many(make_home: Any) -> None:
    home = connected(make_home)
    access = {"source": "rtsp", "path": "/b", "username": "new"}
    body = edit(home, ids=[1, 2, 3, 4], access=access)
    assert sorted(body["changed"]) == [1, 2, 4]
    assert [(row["name"], row["error"]) for row in body["failed"]] == [
        ("Ramp", "Ramp has no RTSP connection")
    ]
    accesses = [home.device(str(id)).access["rtsp"] for id in (1, 2, 4)]
    assert [(each.path, each.username, bool(each.secret)) for each in accesses] == [
        ("/b", "new", True),
        ("/b", "new", True),
        ("/b", "new", False),
    ]
    assert len(undo(home, body["undo"])["changed"]) == 3
    assert home.device("1").access["rtsp"].username == "old"


def test_a_user_name_alone_does_not_replace_a_credential_set(make_home: Any) -> None:
    home = connected(make_home)
    given = {"name": "All gates", "username": "ops", "password": "wet stone"}
    made = home.client.post("/api/credentials", json=given)
    assert made.status_code == 201
    chosen = made.json["credentials"]["id"]
    assert edit(home, ids=[1], credentials=chosen)["changed"] == [1]
    body = edit(home, ids=[1, 2], access={"source": "rtsp", "username": "bob"})
    assert body["changed"] == [2]
    assert "a user name alone is no login" in body["failed"][0]["error"]
    assert home.device("1").access["rtsp"].credentials == chosen
    access = {"source": "rtsp", "username": "bob", "password": "dry leaf"}
    assert edit(home, ids=[1], access=access)["changed"] == [1]


def test_another_port_needs_the_password_again_and_can_get_it_with_it(make_home: Any) -> None:
    home = connected(make_home)
    body = edit(home, ids=[1, 4], access={"source": "rtsp", "port": 8554})
    assert body["changed"] == [4]
    assert "password was saved for" in body["failed"][0]["error"]
    access = {"source": "rtsp", "port": 8554, "username": "old", "password": "secret77"}
    body = edit(home, ids=[1, 2], access=access)
    secrets = [home.device(str(id)).access["rtsp"].secret for id in (1, 2)]
    assert len({*secrets}) == 2, "each device has a secret of its own"
    unsealed = {home.monitor.secrets.unseal(str(secret)) for secret in secrets}
    assert unsealed == {"secret77"}
    assert edit(home, ids=[1, 2], access=access)["unchanged"] == 2


def test_a_login_in_a_path_is_taken_out_of_it_on_many_as_on_one(make_home: Any) -> None:
    home = connected(make_home)
    body = edit(home, ids=[1, 4], access={"source": "rtsp", "path": "/live/eve/h1dden-word/ch1"})
    assert body["changed"] == [1, 4]
    for id in "14":
        access = home.device(id).access["rtsp"]
        assert (access.path, access.username) == ("/live/{username}/{password}/ch1", "eve")
        assert home.monitor.secrets.unseal(str(access.secret)) == "h1dden-word"
    assert "h1dden" not in home.client.get("/api/events").text


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"path": "rtsp://10.4.0.1/x"}, "path"),
        ({"password": "h1dden\x00"}, "password"),
        ({"path": "/live/eve/h1dden/ch1", "username": "bob"}, "username"),
    ],
)
def test_what_an_edit_of_one_refuses_is_refused_on_many(
    make_home: Any, wrong: dict[str, str], name: str
) -> None:
    home = connected(make_home)
    before = home.device("1").access
    access = {"source": "rtsp", "username": "eve", **wrong}
    answer = home.client.post(BULK, json={"ids": [1], "access": access})
    assert (answer.status_code, answer.headers.get("X-Field")) == (422, name), answer.text
    assert "h1dden" not in answer.text
    assert home.device("1").access == before


def test_without_script_the_connections_of_many_are_changed(make_home: Any) -> None:
    home = connected(make_home)
    browser = Browser(home.client)
    page = browser.visit("/")
    form = {"id": ["1", "3"], "bulk_source": "rtsp", "bulk_path": "/c", "bulk_port": ""}
    done = read(browser.send(page.form("/bulk"), "Change connections", **form).text)
    assert "1 failed" in done.text
    assert "Ramp has no RTSP connection" in done.text
    assert home.device("1").access["rtsp"].path == "/c"
    for wrong in ({"bulk_port": "70000"}, {"bulk_path": ""}):
        answer = browser.send(page.form("/bulk"), "Change connections", **{**form, **wrong})
        assert answer.status_code == 422
    assert home.device("1").access["rtsp"].port == 554


def test_only_who_may_add_devices_changes_their_connections_at_once(make_home: Any) -> None:
    home = connected(make_home)
    accounts = home.monitor.authenticator.accounts
    add(accounts, "Ada", "admin")
    lea = add(accounts, "Lea", "viewer")
    accounts.grant(lea.id, "admin", device=1)
    visitor = Visitor(home, user=lea.id)
    access = {"source": "rtsp", "path": "/evil"}
    body = visitor.ask("POST", BULK, json={"ids": [1], "access": access}).json
    assert body["changed"] == []
    assert "can change how a device is reached" in body["failed"][0]["error"]
