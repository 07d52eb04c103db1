"""Every route for every role, and no trace of devices outside their grants."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from werkzeug.test import TestResponse

from fleet.edit.editing import inverse
from fleet.model import Edit, Event
from tests.accounts.people import add
from tests.home import Clock, Home
from tests.web.browser import read
from tests.web.closed import (
    API,
    NOBODY,
    OTHER,
    OWN,
    PAGE,
    TRACES,
    VAULT,
    Visitor,
    body_of,
    cookie,
    follow,
    is_our_refusal,
    monitor_of_two,
    path_of,
    read_until,
    routes_of,
    text_of,
    traces_in,
)
from tests.web.http.test_authorization import STRANGERS, refusal_of
from tests.web.roles import COLUMNS, NEEDLES, OPEN, PATHS, TABLE, Ask, call, edits, outcome
from tests.web.work import work_of

LIMITED = ("Lea", "Gus", "camera token", "token of Nia")


@pytest.fixture(scope="module")
def home_and_ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Ask]]:
    home, ask = monitor_of_two(tmp_path_factory.mktemp("roles"), Clock())
    yield home, ask
    home.close()


@pytest.fixture(scope="module")
def home(home_and_ask: tuple[Home, Ask]) -> Home:
    return home_and_ask[0]


@pytest.fixture(scope="module")
def ask(home_and_ask: tuple[Home, Ask]) -> Ask:
    return home_and_ask[1]


# -- the table -----------------------------------------------------------------------------


def test_every_route_has_its_line_and_every_line_its_route(home: Home) -> None:
    routes = set(routes_of(home.app))
    assert not routes - set(TABLE), (
        "tests/web/roles.py: add to TABLE a line for each of these, like "
        '("GET", "/sites"): SEE_ALL, with the constant above it that says who may'
    )
    assert not set(TABLE) - routes, "tests/web/roles.py: remove from TABLE what is no route now"


@pytest.mark.parametrize(("method", "rule"), TABLE, ids=[" ".join(route) for route in TABLE])
def test_everybody_gets_what_the_table_says(home: Home, ask: Ask, method: str, rule: str) -> None:
    own, other = edits(home, ask)
    outcomes = ""
    for column in COLUMNS:
        name, _, is_other = column.partition("/")
        key, event = (OTHER, other) if is_other else (OWN, own)
        with call(ask[name], method, rule, key, event) as answer:
            outcomes += outcome(answer)
    expected = TABLE[method, rule].replace(" ", "")
    assert dict(zip(COLUMNS, outcomes, strict=True)) == dict(zip(COLUMNS, expected, strict=True))


@pytest.mark.parametrize("name", LIMITED)
def test_a_camera_that_is_not_theirs_is_answered_like_one_that_does_not_exist(
    home: Home, ask: Ask, name: str
) -> None:
    _own, other = edits(home, ask)
    nothing = 999_999_999
    for method, rule in TABLE:
        if "<key>" not in rule and "undo" not in rule:
            continue
        hidden = call(ask[name], method, rule, OTHER, other)
        absent = call(ask[name], method, rule, NOBODY, nothing)
        expected = absent.text.replace(str(NOBODY), str(OTHER)).replace(str(nothing), str(other))
        assert (hidden.status_code, hidden.text) == (absent.status_code, expected), (
            f"{method} {rule}"
        )
        assert set(hidden.headers.keys()) == set(absent.headers.keys())


@pytest.mark.parametrize("name", LIMITED)
@pytest.mark.parametrize("key", ["a8:13:74:ab:cd:ef", "A81374ABCDEF", "a8-13-74-ab-cd-ef"])
def test_a_mac_that_is_not_theirs_is_answered_like_an_unknown_one(
    ask: Ask, name: str, key: str
) -> None:
    for path in ("/cameras/", "/parts/camera/", "/api/camera/"):
        hidden, absent = (ask[name].get(path + mac) for mac in (key, "d4:2d:c5:99:99:99"))
        assert hidden.status_code == absent.status_code == 404
        assert hidden.text == absent.text.replace("d4:2d:c5:99:99:99", key)


# -- no trace ------------------------------------------------------------------------------


def test_who_sees_everything_finds_all_the_traces(ask: Ask) -> None:
    text = "".join(
        text_of(ask["Vera"].get(path)) for path in PATHS if "static" not in path
    ).casefold()
    assert [trace for trace in TRACES if trace not in text] == ["a81374", "a8-13-74"]


NOT_READ = {
    "/logo": 404,
    "/api/search": 422,
    "/cameras/1/check": 303,
    "/api/live": 422,
    "/api/cameras/1/live.mp4": 409,
    "/v0/api/cctv/cameras/1/stream": 409,
    **dict.fromkeys(("/api/cameras/1/stills/newest", "/api/cameras/1/stills/999"), 404),
    **{f"/api/cameras/1/picture-health/pictures/{name}": 404 for name in ("newest", "999")},
    "/api/stills/archive": 422,
    **{f"/api/cameras/1/stills/{name}": 422 for name in ("archive", "film", "film.mp4")},
    **dict.fromkeys(("/api/schedules/999", "/v0/api/cctv/schedules/999"), 404),
    **{path_of(f"/wall/shared/<token>{end}"): 404 for end in ("", "/live")},
    **{
        f"{base}/999{end}": 404
        for base, ends in (
            ("/api/recordings", ("", "/download", "/thumbnail.jpg")),
            ("/v0/api/cctv/recordings", ("", "/download")),
            ("/recordings", ("/link",)),
        )
        for end in ends
    },
    "/api/recordings/999/shared.mp4": 422,
    **{f"/api/cameras/1/{name}": 422 for name in ("playback", "playback.mp4", "thumbnail.jpg")},
}
"""There is no logo, no recording, no still and no schedule, nothing is searched for, no moment or
day is named, one leads on, the camera has no stream, and no wall is shared; all else is read, or
refused by the table."""


def status_of(name: str, path: str) -> int:
    """The status that the table names for reading this path."""
    by_path = {path_of(rule): rule for method, rule in TABLE if method == "GET"}
    rule = by_path[path.partition("?")[0]]
    column = COLUMNS.index(name if name in COLUMNS else "camera token")
    letter = TABLE["GET", rule].replace(" ", "")[column]
    return NOT_READ.get(path) or {"+": 200, "-": 403, "L": 401, "0": 404}[letter]


@pytest.mark.parametrize("name", LIMITED)
def test_nothing_that_can_be_read_has_a_trace_of_another_camera(ask: Ask, name: str) -> None:
    for path in PATHS:
        with ask[name].get(path) as answer:
            assert answer.status_code == status_of(name, path), path
            assert traces_in(answer) == [], path


@pytest.mark.parametrize("name", LIMITED)
@pytest.mark.parametrize(("hidden", "absent"), [(OTHER, NOBODY), (VAULT.mac, "00:00:00:00:00:99")])
def test_a_camera_that_is_not_seen_costs_the_work_of_one_that_is_not_there(
    home: Home, ask: Ask, name: str, hidden: object, absent: object
) -> None:
    """So that the time of an answer tells nobody which cameras there are."""
    visitor = Visitor(home, ask[name].key())
    for method, path in (
        ("GET", "/api/camera/{}"),
        ("GET", "/cameras/{}"),
        ("GET", "/api/camera/{}/uptime"),
        ("PATCH", "/api/camera/{}"),
    ):
        more: dict[str, Any] = {"json": {"notes": "x"}} if method == "PATCH" else {}
        answers: list[TestResponse] = []

        def act(key: object) -> None:
            answers.append(visitor.ask(method, path.format(key), **more))  # noqa: B023

        act(absent)  # what is only done the first time
        works = [work_of(partial(act, key)) for key in (hidden, absent)]
        assert works[0] == works[1], path
        assert len(works[0]) > 20, "work is seen at all"
        keys = (hidden, absent)
        texts = [
            answer.text.replace(str(key), "KEY")
            for answer, key in zip(answers[1:], keys, strict=True)
        ]
        assert texts[0] == texts[1]
        assert {answer.status_code for answer in answers} == {404}


@pytest.mark.parametrize("name", LIMITED)
@pytest.mark.parametrize("needle", NEEDLES)
def test_a_search_for_another_camera_finds_what_one_for_nonsense_finds(
    ask: Ask, name: str, needle: str
) -> None:
    for path in ("/", "/parts/top", "/parts/rows", "/api/cameras"):
        hidden, absent = (
            ask[name].get(path, query_string={"q": text}) for text in (needle, "nowhere")
        )
        assert hidden.status_code == 200
        text = hidden.text.replace("%3A", ":")
        assert text == absent.text.replace("%3A", ":").replace("nowhere", needle)
        assert hidden.headers.get("X-Total-Count") == absent.headers.get("X-Total-Count")


@pytest.mark.parametrize(("name", "count"), [("Lea", 1), ("Gus", 2)])
def test_filters_and_pickers_offer_the_values_of_the_own_cameras_alone(
    ask: Ask, name: str, count: int
) -> None:
    panel = read(ask[name].get("/filters").text)
    counts = [b.text for b in panel.find_one("div", **{"class": "facets"}).find("b")]
    assert counts
    assert {int(number) for number in counts} <= {*range(1, count + 1)}
    head = panel.find_one("div", **{"class": "panel-head"})
    assert head.find_one("p", role="status").text.startswith(f"{count} match")
    options = read(ask[name].get("/parts/choices?q=").text).find("li", role="option")
    assert len(options) == count


@pytest.mark.parametrize("name", LIMITED)
def test_a_recorder_of_the_workbook_that_is_not_theirs_is_not_there(ask: Ask, name: str) -> None:
    assert len(body_of(ask["Vera"].get("/api/dvrs"))["items"]) == 1
    assert body_of(ask[name].get("/api/dvrs"))["items"] == []
    assert ask[name].get("/api/download.csv").text.splitlines()[1:] == []
    hidden, absent = (
        ask[name].get(f"/api/search?site={site}") for site in ("Basement-Q", "Nowhere")
    )
    assert hidden.status_code == absent.status_code == 404
    assert hidden.text == absent.text.replace("Nowhere", "Basement-Q")


@pytest.mark.parametrize(("name", "count"), [("Lea", 1), ("Gus", 2), ("camera token", 1)])
def test_every_count_is_of_the_own_cameras_alone(ask: Ask, name: str, count: int) -> None:
    mine = ask[name]
    stats = body_of(mine.get("/api/stats"))
    assert stats["total"] == stats["active"] + stats["offline"] + stats["missing"] == count
    assert body_of(mine.get("/api/cameras"))["count"] == count
    assert body_of(mine.get("/api/cameras?page=1&per_page=50"))["total"] == count
    assert body_of(mine.get("/api/export"))["count"] == count
    assert mine.get("/parts/rows").headers["X-Total-Count"] == str(count)
    metrics = mine.get("/metrics").text
    assert f"cameras_total {count}.0" in metrics
    lines = [line for line in metrics.splitlines() if line.startswith("camera_monitor_devices{")]
    assert sum(float(line.split()[-1]) for line in lines) == count


def test_a_page_of_events_is_full_of_the_own_ones(home: Home, ask: Ask) -> None:
    first, _other = edits(home, ask)
    for _ in range(3):
        edits(home, ask)
    home.events(limit=1)  # until the journal has them all
    page = body_of(ask["Lea"].get(f"/api/events?after={first - 1}&limit=3"))
    assert {event["device"] for event in page["events"]} == {OWN}
    assert page["count"] == 3


# -- live ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LIMITED)
@pytest.mark.parametrize("last", [{}, {"Last-Event-ID": "0"}], ids=["live", "replayed"])
def test_an_event_stream_tells_nothing_of_another_camera(
    home: Home, ask: Ask, name: str, last: dict[str, str]
) -> None:
    answer, pieces = follow(ask[name], **last)
    with answer:
        first = next(pieces)
        edits(home, ask)
        mark = f"Own {home.monitor.tracker.fleet().sequence}"
        body_of(ask["Ada"].ask("PATCH", f"/api/camera/{OTHER}", json={"name": "Zebrawood"}))
        body_of(ask["Ada"].ask("PATCH", f"/api/camera/{OWN}", json={"name": mark}))
        text = first + read_until(pieces, mark)
    assert traces_in(text) == []
    assert f'"device":{OWN}' in text
    assert "progress" not in text


def test_an_event_stream_of_a_viewer_tells_of_every_camera(home: Home, ask: Ask) -> None:
    answer, pieces = follow(ask["Vera"])
    with answer:
        body_of(ask["Ada"].ask("PATCH", f"/api/camera/{OTHER}", json={"notes": "Told to Vera"}))
        assert f'"device":{OTHER}' in read_until(pieces, "Told to Vera")


def hour_of(home: Home) -> str:
    """This hour of the monitor's own clock, and the next, as a grant writes it."""
    now = home.clock().astimezone()
    return f"{now:%H:00}-{now + timedelta(hours=2):%H:00}"


def granted(home: Home, ask: Ask, **more: Any) -> tuple[Visitor, int]:
    """A new user who may view SHED always, and OWN as said; and the number of that grant."""
    in_the_list(ask)
    accounts = home.monitor.authenticator.accounts
    user = add(accounts, f"Guest {len(accounts.snapshot.users)}", "viewer", sees_all=False)
    accounts.grant(user.id, "view", device=2)
    body = {"level": "view", "device": OWN, **more}
    made = body_of(ask["Ada"].ask("POST", f"/api/users/{user.id}/grants", json=body))
    return Visitor(home, user=user.id), made["id"]


def in_the_list(ask: Ask) -> None:
    """The camera that is granted is not retired, whichever test had it before."""
    ask["Ada"].ask("POST", f"/api/camera/{OWN}/restore")


def test_a_grant_with_hours_counts_by_the_clock_of_the_monitor(home: Home, ask: Ask) -> None:
    guest, _id = granted(home, ask, hours=hour_of(home))
    assert guest.get(f"/api/camera/{OWN}").status_code == 200
    home.clock.forward(hours=3)
    assert guest.get(f"/api/camera/{OWN}").status_code == 404
    assert body_of(guest.get("/api/cameras"))["count"] == 1
    home.clock.forward(hours=21)
    assert body_of(guest.get("/api/cameras"))["count"] == 2


def test_a_grant_with_weekdays_counts_by_the_clock_of_the_monitor(home: Home, ask: Ask) -> None:
    today = f"{home.clock().astimezone():%a}".lower()
    guest, _id = granted(home, ask, weekdays=[today])
    seen = []
    for _day in range(7):
        seen.append(guest.get(f"/api/camera/{OWN}").status_code)
        home.clock.forward(days=1)
    assert seen == [200, *[404] * 6]


@pytest.mark.parametrize("end", ["its hour ends", "it is taken back"])
def test_an_open_stream_tells_no_more_of_a_camera_once_the_grant_is_over(
    home: Home, ask: Ask, end: str
) -> None:
    guest, id = granted(home, ask, hours=hour_of(home))
    answer, pieces = follow(guest)
    with answer:
        body_of(ask["Ada"].ask("PATCH", f"/api/camera/{OWN}", json={"notes": f"Before {end}"}))
        assert f'"device":{OWN}' in read_until(pieces, f"Before {end}")
        if end == "its hour ends":
            home.clock.forward(hours=3)
        else:
            body_of(ask["Ada"].ask("DELETE", f"/api/users/{guest.user}/grants/{id}"))
        for key in (OWN, 2):
            body_of(ask["Ada"].ask("PATCH", f"/api/camera/{key}", json={"notes": f"After {end}"}))
        rest = read_until(pieces, f"After {end}")
        assert f'"device":{OWN}' not in rest
        assert "event: reset" in rest, "a page drops what it must not show any more"


def test_an_open_stream_says_at_once_that_a_grant_was_added_or_removed(
    home: Home, ask: Ask
) -> None:
    guest, id = granted(home, ask)
    grants = f"/api/users/{guest.user}/grants"
    answer, pieces = follow(guest)
    with answer:
        body_of(ask["Ada"].ask("DELETE", f"{grants}/{id}"))
        read_until(pieces, "event: reset")
        body_of(ask["Ada"].ask("POST", grants, json={"level": "view", "device": OWN}))
        read_until(pieces, "event: reset")
        body_of(ask["Ada"].ask("PATCH", "/api/camera/2", json={"notes": "No permission changed"}))
        assert "event: reset" not in read_until(pieces, "No permission changed")


@pytest.mark.parametrize("end", ["logout", "password", "role", "removed", "session ends"])
def test_an_open_stream_ends_with_what_it_was_opened_by(home: Home, ask: Ask, end: str) -> None:
    guest, _id = granted(home, ask)
    key = guest.key()
    answer, pieces = follow(Visitor(home, key))
    with answer:
        next(pieces)
        users = f"/api/users/{guest.user}"
        if end == "logout":
            body_of(Visitor(home, key).ask("POST", "/api/auth/logout"))
        elif end == "session ends":
            home.clock.forward(days=31)
        elif end == "removed":
            body_of(ask["Ada"].ask("DELETE", users))
        else:
            change = {"password": "purple lantern canal"} if end == "password" else {}
            body_of(ask["Ada"].ask("PATCH", users, json=change or {"role": "operator"}))
        assert "".join(pieces) == ""
    assert Visitor(home, key).get("/api/cameras").status_code == 401


# -- edits of limited people ---------------------------------------------------------------


def test_who_is_limited_reaches_no_other_camera_through_an_edit(home: Home, ask: Ask) -> None:
    gus, before = ask["Gus"], home.device(str(OTHER))
    camera = f"/api/camera/{OWN}"
    assert gus.ask("POST", f"{camera}/merge", json={"with": OTHER}).status_code == 403
    assert gus.ask("POST", f"/cameras/{OWN}/merge", data={"with": OTHER}).status_code == 403
    identities = {"identities": list(home.device().identities)}
    assert gus.ask("POST", f"{camera}/split", json=identities).status_code == 403
    assert gus.ask("PATCH", camera, json={"site": "Basement-Q"}).status_code == 403
    for parent in (OTHER, NOBODY):
        answer = gus.ask("PATCH", camera, json={"parent": parent})
        assert answer.status_code == 404
        assert answer.json["error"] == f"Camera {parent} does not exist"
        answer = gus.ask("PATCH", camera, json={"parents": [parent]})
        assert answer.status_code == 404
        assert answer.json["error"] == f"Camera {parent} does not exist"
    assert home.device(str(OTHER)) == before


def test_who_is_limited_saves_the_form_of_the_own_camera_as_it_is(home: Home, ask: Ask) -> None:
    """It holds the site too, and not the hidden camera that this one stands behind."""
    page = ask["Gus"].get(f"/cameras/{OWN}").text
    begin = page.index(f'data-edit="{OWN}" class="edit"')
    form = page[begin : page.index("</form>", begin)]
    fields = dict(re.findall(r'<input[^>]* name="(\w+)" value="([^"]*)"', form))
    assert set(fields) == {"name", "vendor", "tags", "site", "parents_search"}
    answer = ask["Gus"].ask("POST", f"/cameras/{OWN}/edit", data={**fields, "name": "Portal"})
    assert answer.status_code == 303, answer.text
    assert home.device().name == "Portal"
    assert home.device().parent == OTHER


def test_who_is_limited_changes_only_the_parents_that_are_seen(home: Home, ask: Ask) -> None:
    camera = f"/api/camera/{OWN}"
    body_of(ask["Ada"].ask("PATCH", camera, json={"parents": [OTHER, 2]}))
    for sent in ([], None):
        assert body_of(ask["Gus"].ask("PATCH", camera, json={"parents": sent}))["success"]
        assert set(home.device().parents) >= {OTHER}, "it is not seen, so it stays"
    body_of(ask["Ada"].ask("PATCH", camera, json={"parents": [OTHER]}))


@pytest.mark.parametrize(
    ("had", "sent", "has"),
    [
        ([2, OTHER], {"parent": None}, [OTHER]),
        ([2, OTHER], {"parents": []}, [OTHER]),
        ([2, OTHER], {"parent": 2}, [2, OTHER]),
        ([OTHER, 2], {"parent": 2}, [OTHER, 2]),
        ([OTHER], {"parent": 2}, [2, OTHER]),
        ([OTHER], {"parent": 2, "parents": [2]}, [2, OTHER]),
        ([OTHER], {"parent": None, "parents": []}, [OTHER]),
    ],
)
@pytest.mark.parametrize("way", ["page", "API"])
def test_hidden_parents_stay_and_who_changed_the_others_can_undo_it(
    home: Home, ask: Ask, way: str, had: list[int], sent: dict[str, Any], has: list[int]
) -> None:
    camera, gus = f"/api/camera/{OWN}", ask["Gus"]
    body_of(ask["Ada"].ask("PATCH", camera, json={"parents": had}))
    if way == "page":
        parents = sent["parents"] if "parents" in sent else [sent["parent"]]
        form = {
            "name": "Porch",
            "parents": [parent for parent in parents if parent],
            "parents_search": "",
        }
        answer = gus.ask("POST", f"/cameras/{OWN}/edit", data=form)
        assert answer.status_code == 303, answer.text
        undo = int(answer.location.partition("?undo=")[2])
    else:
        undo = body_of(gus.ask("PATCH", camera, json={"name": "Porch", **sent}))["undo"]
    assert list(home.device().parents) == has
    if way == "page":
        assert gus.ask("POST", f"/undo/{undo}").status_code == 303
    else:
        answer = gus.ask("POST", "/api/undo", json={"event": undo})
        assert traces_in(answer) == []
        assert body_of(answer)["success"]
    assert list(home.device().parents) == had
    assert home.device().name != "Porch"
    body_of(ask["Ada"].ask("PATCH", camera, json={"parents": [OTHER]}))


def test_who_is_limited_cannot_undo_what_changed_hidden_parents(home: Home, ask: Ask) -> None:
    camera = f"/api/camera/{OWN}"
    for parents in ([2], [2, OTHER]):
        undo = body_of(ask["Ada"].ask("PATCH", camera, json={"parents": parents}))["undo"]
        assert ask["Gus"].ask("POST", "/api/undo", json={"event": undo}).status_code == 404
    body_of(ask["Ada"].ask("PATCH", camera, json={"parents": [OTHER]}))


def test_an_error_about_a_parent_is_beside_its_field_for_who_is_limited(
    home: Home, ask: Ask
) -> None:
    body_of(ask["Ada"].ask("PATCH", "/api/camera/2", json={"parent": OWN}))
    answer = ask["Gus"].ask("POST", f"/cameras/{OWN}/edit", data={"parents_search": "Shed"})
    assert answer.status_code == 422
    field = answer.text[answer.text.index('name="parents_search"') :]
    assert 'aria-invalid="true"' in field[: field.index(">")]
    body_of(ask["Ada"].ask("PATCH", "/api/camera/2", json={"parent": OTHER}))


def test_who_is_limited_cannot_undo_a_move_to_another_site(home: Home, ask: Ask) -> None:
    camera = f"/api/camera/{OWN}"
    undo = body_of(ask["Ada"].ask("PATCH", camera, json={"site": "North"}))["undo"]
    body_of(ask["Ada"].ask("PATCH", camera, json={"site": "here"}))
    last = body_of(ask["Ada"].ask("PATCH", camera, json={"site": "Yard"}))["undo"]
    for event in (undo, last):
        ask["Gus"].ask("POST", "/api/undo", json={"event": event})
        ask["Gus"].ask("POST", f"/undo/{event}")
    assert home.device().site == "Yard"
    body_of(ask["Ada"].ask("POST", "/api/undo", json={"event": last}))


def test_who_is_limited_learns_nothing_of_another_camera_from_links_and_parents(
    home: Home, ask: Ask
) -> None:
    def apply(*edits: Edit) -> list[Event]:
        events = home.monitor.tracker.apply(edits, home.clock())
        return [event for event in events if event.kind in ("device.linked", "device.edited")]

    def edit(kind: str, number: int, **fields: Any) -> Edit:
        return Edit(kind, f"id:{number}", fields, "Ada", home.clock())

    in_the_list(ask)
    key = "onvif:urn:uuid:oubliette"
    events = apply(
        edit("link", OTHER, key=key),
        edit("link", OWN, key=key),
        edit("change", OWN, parents=[OTHER, 2]),
    )
    assert [event.device for event in events] == [OTHER, OWN, OWN]
    home.events()  # waits until the journal has them
    every, own = (
        body_of(ask[name].get("/api/events?kind=device.linked,device.edited&limit=1000"))["events"]
        for name in ("Vera", "Lea")
    )
    seen = {event.sequence for event in events}
    assert seen <= {event["id"] for event in every}
    assert seen.isdisjoint({event["id"] for event in own})
    for event in reversed(events):
        apply(inverse(event, "Ada", home.clock()))


# -- the first account ---------------------------------------------------------------------

FIRST = {"username": "Eva", "password": "purple lantern over the canal", "role": "viewer"}


def test_the_first_account_is_an_administrator_whatever_it_asks(
    make_home: Callable[..., Home],
) -> None:
    stranger = Visitor(make_home())
    made = body_of(stranger.ask("POST", "/api/users", json={**FIRST, "all_cameras": False}))
    assert (made["role"], made["all_cameras"]) == ("admin", True)
    assert stranger.ask("POST", "/api/users", json=FIRST).status_code == 401
    assert stranger.get("/api/cameras").status_code == 401


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_the_first_account_is_made_on_this_machine_only(
    mixed: Home, stranger: tuple[str, dict[str, str]]
) -> None:
    address, headers = stranger
    visitor = Visitor(mixed, headers)
    for path, form in (("/api/users", "json"), ("/setup", "data"), ("/settings/users", "data")):
        body = {**FIRST, "again": FIRST["password"]}
        answer = visitor.ask("POST", path, address, **{form: body})
        assert answer.status_code == refusal_of(headers), path
    assert visitor.get("/setup", address=address).status_code == refusal_of(headers)
    assert not mixed.monitor.authenticator.accounts.has_any()


def test_of_two_first_accounts_at_once_one_is_made(make_home: Callable[..., Home]) -> None:
    home = make_home()
    start = Barrier(4)

    def make(name: str) -> int:
        start.wait()
        body = {**FIRST, "username": name}
        return Visitor(home).ask("POST", "/api/users", json=body).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(make, ("Eva", "Eve", "Ewa", "Iva")))
    assert statuses[0] == 201
    assert set(statuses[1:]) <= {401, 409}  # 401: so late that the monitor was closed already
    assert len(home.monitor.authenticator.accounts.snapshot.users) == 1


def test_the_set_up_link_makes_the_first_account_once_from_anywhere(
    make_home: Callable[..., Home],
) -> None:
    home = make_home()
    far, key = Visitor(home), home.monitor.authenticator.setup_key
    form = {**FIRST, "again": FIRST["password"]}
    for wrong in ("", "x", key[:-1], key + "x", "\u00e9", "%00"):
        assert far.get("/setup", address="10.1.1.1", query_string={"key": wrong}).status_code == 403
        made = far.ask("POST", "/setup", "10.1.1.1", data={**form, "key": wrong})
        assert made.status_code == 403
    page = far.get("/setup", address="10.1.1.1", query_string={"key": key})
    assert page.status_code == 200
    bad = far.ask("POST", "/setup", "10.1.1.1", data={**form, "again": "other", "key": key})
    assert bad.status_code == 422
    made = far.ask("POST", "/setup", "10.1.1.1", data={**form, "key": key})
    assert made.status_code == 303
    assert home.monitor.authenticator.accounts.snapshot.users[1].role == "admin"
    mine = Visitor(home, cookie(made.headers["Set-Cookie"].partition("=")[2].partition(";")[0]))
    assert mine.get("/api/users", address="10.1.1.1").status_code == 200
    for method in ("GET", "POST"):
        again = far.ask(method, f"/setup?key={key}", "10.1.1.1", data={**form, "key": key})
        assert again.status_code == 401
    assert len(home.monitor.authenticator.accounts.snapshot.users) == 1


# -- a closed monitor ------------------------------------------------------------------------


def test_a_stranger_with_a_browser_is_led_to_the_login(home: Home, ask: Ask) -> None:
    for method, rule in TABLE:
        if method == "GET" and not rule.startswith(API) and TABLE[method, rule] != OPEN:
            answer = ask["stranger"].get(path_of(rule), headers=PAGE)
            assert answer.status_code == 303, rule
            assert answer.location.startswith("/login"), rule


@pytest.mark.parametrize("path", ["/nowhere", "/api/nowhere", "/cameras", "/static", "/.env"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_stranger_does_not_learn_which_paths_there_are(ask: Ask, method: str, path: str) -> None:
    answer = ask["stranger"].ask(method, path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert method == "HEAD" or is_our_refusal(answer)


def test_what_one_who_sees_less_asked_for_hides_nothing_from_others(home: Home, ask: Ask) -> None:
    """Rows of the list are kept; who does not see a camera's parent gets another row."""
    whole = body_of(ask["Ada"].get("/api/cameras"))["cameras"]
    for name in (*LIMITED, "Ada"):
        rows = {row["id"]: row for row in body_of(ask[name].get("/api/cameras"))["cameras"]}
        assert not [row for row in rows.values() if row["parent"] not in (None, *rows)]
    assert body_of(ask["Ada"].get("/api/cameras"))["cameras"] == whole
    assert [row for row in whole if row["parent"]], "somebody has a parent"
