"""Filter, search, sort and page: the same words for the API and the page."""

from collections.abc import Callable
from typing import Any

import pytest

from simulators.panasonic import Camera
from tests.home import Clock, Home
from tests.web.conftest import fill

Make = Callable[..., Home]


def listed(home: Home, query: str) -> Any:
    answer = home.client.get(f"/api/cameras?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json


def names(home: Home, query: str) -> list[str]:
    return [row["camera_name"] for row in listed(home, query)["cameras"]]


def test_without_parameters_the_list_is_whole_by_number_and_without_the_retired(
    mixed: Home,
) -> None:
    assert names(mixed, "") == ["Gate", "NX510", "Stage", "Yard", "Ramp"]


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("all", ["Gate", "NX510", "Stage", "Yard", "Ramp"]),
        ("active", ["Gate", "NX510", "Ramp"]),
        ("online", ["Gate", "NX510", "Ramp"]),
        ("ip_changed", ["Ramp"]),
        ("offline", ["Stage"]),
        ("missing", ["Yard"]),
        ("unknown", []),
        ("unreachable", []),
    ],
)
def test_a_status_filters_in_any_case(
    mixed: Home, status: str, expected: list[str], case: Callable[[str], str]
) -> None:
    assert names(mixed, f"status={case(status)}") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("kind=recorder", ["NX510"]),
        ("kind=Camera", ["Gate", "Stage", "Yard", "Ramp"]),
        ("findings=true", ["Gate"]),
        ("findings=false", ["Gate", "NX510", "Stage", "Yard", "Ramp"]),
        ("retired=true", ["Attic"]),
        ("retired=true&findings=true", []),
        ("status=active&kind=camera", ["Gate", "Ramp"]),
        ("status=active&kind=camera&q=ramp", ["Ramp"]),
    ],
)
def test_filters_restrict_the_list_together(mixed: Home, query: str, expected: list[str]) -> None:
    assert names(mixed, query) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gate", ["Gate"]),
        ("GATE", ["Gate"]),
        ("%20%20gate%20", ["Gate"]),
        ("a", ["Gate", "NX510", "Stage", "Yard", "Ramp"]),
        ("here", []),
        ("cam%20five", ["Ramp"]),
        ("127.20.0.100", ["Stage"]),
        ("127.20.0.10", ["NX510", "Stage"]),
        ("127.20.0.20", ["Ramp"]),
        ("he130", ["Stage"]),
        ("nx510", ["NX510"]),
        ("sim000005", ["Ramp"]),
        ("behind the BAR", ["NX510"]),
        ("d4:2d:c5", ["Gate", "NX510", "Yard", "Ramp"]),
        ("nowhere", []),
        ("%00", []),
        ("%ff", []),
        ("%25", []),
        ("", ["Gate", "NX510", "Stage", "Yard", "Ramp"]),
        ("%20", ["Gate", "NX510", "Stage", "Yard", "Ramp"]),
    ],
)
def test_a_search_looks_in_names_address_model_serial_and_notes(
    mixed: Home, text: str, expected: list[str]
) -> None:
    assert names(mixed, f"q={text}") == expected


@pytest.mark.parametrize(
    "mac",
    [
        "d4:2d:c5:00:00:05",
        "D4:2D:C5:00:00:05",
        "d4-2d-c5-00-00-05",
        "d42d.c500.0005",
        "D42DC5000005",
        "%20d42dc5000005%20",
    ],
)
def test_a_search_understands_a_mac_in_any_spelling(mixed: Home, mac: str) -> None:
    assert names(mixed, f"q={mac}") == ["Ramp"]


BY = {
    "id": ["Gate", "NX510", "Stage", "Yard", "Ramp"],
    "status": ["Stage", "Yard", "Ramp", "Gate", "NX510"],
    "name": ["Gate", "NX510", "Ramp", "Stage", "Yard"],
    "address": ["Gate", "NX510", "Stage", "Ramp", "Yard"],
    "mac": ["Stage", "Gate", "NX510", "Yard", "Ramp"],
    "model": ["Stage", "NX510", "Gate", "Yard", "Ramp"],
    "last_seen": ["Yard", "Stage", "Gate", "NX510", "Ramp"],
    "discoveries": ["Yard", "Stage", "Gate", "NX510", "Ramp"],
}
BACKWARDS = {
    **{key: order[::-1] for key, order in BY.items()},
    # Those that are equal stay in the order of their numbers, either way.
    "model": ["Gate", "Yard", "Ramp", "NX510", "Stage"],
    "last_seen": ["Gate", "NX510", "Ramp", "Stage", "Yard"],
    "discoveries": ["Gate", "NX510", "Ramp", "Stage", "Yard"],
}


@pytest.mark.parametrize("key", BY)
def test_every_column_sorts_both_ways(mixed: Home, key: str) -> None:
    assert names(mixed, f"sort={key}") == BY[key]
    assert names(mixed, f"sort=-{key}") == BACKWARDS[key]


def test_devices_without_an_address_a_name_or_a_model_can_be_sorted(make_home: Make) -> None:
    home = make_home()
    fill(home, 3)
    for key in BY:
        assert len(names(home, f"sort={key}")) == 3
        assert len(names(home, f"sort=-{key}")) == 3


def test_pages_hold_everything_once_and_tell_how_much_there_is(make_home: Make) -> None:
    home = make_home()
    fill(home, 25)
    pages = [listed(home, f"page={number}&per_page=10") for number in (1, 2, 3)]
    assert [page["count"] for page in pages] == [10, 10, 5]
    for number, page in enumerate(pages, start=1):
        assert (page["total"], page["page"], page["per_page"]) == (25, number, 10)
    ids = [row["id"] for page in pages for row in page["cameras"]]
    assert ids == list(range(1, 26))


def test_page_and_per_page_stand_alone_too(make_home: Make) -> None:
    home = make_home()
    fill(home, 120)
    first, second = listed(home, "per_page=7"), listed(home, "page=2")
    assert (first["count"], first["page"], first["per_page"], first["total"]) == (7, 1, 7, 120)
    assert (second["count"], second["page"], second["per_page"]) == (20, 2, 100)


def test_a_page_behind_the_last_is_empty(mixed: Home) -> None:
    answer = listed(mixed, "page=9&per_page=2")
    assert (answer["cameras"], answer["count"], answer["total"]) == ([], 0, 5)


def test_only_a_list_by_pages_has_the_keys_of_pages(mixed: Home) -> None:
    plain = {"cameras", "count", "last_scan", "scan_in_progress"}
    assert set(listed(mixed, "sort=name")) == plain
    assert set(listed(mixed, "per_page=2")) == plain | {"total", "page", "per_page"}


def test_sorting_and_filtering_come_before_paging(mixed: Home) -> None:
    assert names(mixed, "sort=-address&per_page=2") == ["Yard", "Ramp"]
    answer = listed(mixed, "status=active&sort=name&page=2&per_page=2")
    assert [row["camera_name"] for row in answer["cameras"]] == ["Ramp"]
    assert answer["total"] == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "sleeping"),
        ("status", ""),
        ("kind", "toaster"),
        ("findings", "perhaps"),
        ("retired", "2"),
        ("sort", "colour"),
        ("sort", "-"),
        ("sort", "--name"),
        ("sort", "name%0A"),
        ("page", "0"),
        ("page", "-1"),
        ("page", "x"),
        ("page", "1e3"),
        ("page", "99999999999999999999"),
        ("per_page", "0"),
        ("per_page", "1001"),
        ("q", "a" * 101),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(mixed: Home, name: str, value: str) -> None:
    answer = mixed.client.get(f"/api/cameras?{name}={value}")
    assert answer.status_code == 422
    assert answer.json["error"].startswith(f"{name}: ")


@pytest.mark.parametrize("name", ["colour", "Status", "per-page", "limit"])
def test_an_unknown_parameter_is_refused_by_name(mixed: Home, name: str) -> None:
    answer = mixed.client.get(f"/api/cameras?{name}=1")
    assert answer.status_code == 422
    assert answer.json["error"].startswith(f"{name}: ")


# -- rows that are encoded once ----------------------------------------------------------------


def test_a_row_in_the_list_is_as_the_camera_itself_whatever_changes(
    make_home: Make, clock: Clock
) -> None:
    """Each row is encoded once; what only time changes is in it too."""
    cameras = [Camera(f"d4:2d:c5:00:00:0{n}", f"127.20.0.{n}") for n in (1, 2, 3)]
    home = make_home(*cameras)
    home.scan()
    turns: list[Callable[[], object]] = [
        lambda: home.client.patch("/api/camera/1", json={"name": "Gate", "parent": 2}),
        lambda: clock.forward(minutes=11),  # nobody asked meanwhile: "as of"
        lambda: setattr(cameras[1], "on", False),
        home.scan,
        lambda: clock.forward(hours=25),  # offline becomes missing by itself
        lambda: setattr(cameras[0], "on", False),
        home.scan,  # behind a dead parent: unreachable
        lambda: home.client.post("/api/camera/3/retire"),
    ]
    words = set()
    for turn in turns:
        turn()
        rows = listed(home, "")["cameras"] + listed(home, "retired=true")["cameras"]
        assert len(rows) == 3
        for row in rows:
            camera = home.client.get(f"/api/camera/{row['id']}").json
            assert row == {key: camera[key] for key in row}
            words |= {row["status"], bool(row["as_of"])}
    assert {"ACTIVE", "OFFLINE", "MISSING", "UNREACHABLE", True, False} <= words
