"""Filters by tag, model, site, network and source, and the natural order of lists."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulators.panasonic import Camera
from tests.home import Clock, Home
from tests.web.api.test_lists import names
from tests.web.pages.stores import open_stores

Make = Callable[..., Home]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Gate 10, Gate 2 and Gate 1 by number, in three networks; two with tags, one at a site."""
    folder: Path = tmp_path_factory.mktemp("filters")
    cameras = (
        Camera("d4:2d:c5:00:00:01", "127.20.4.10", "Gate 10"),
        Camera("a8:13:74:00:00:02", "127.20.4.2", "Gate 2", family="AW"),
        Camera("d4:2d:c5:00:00:03", "127.20.5.1", "gate 1"),
    )
    started = Home(folder, Clock(), *cameras)
    try:
        started.scan()
        changes = {
            1: {"tags": ["lobby", "Ground floor"]},
            2: {"tags": ["lobby"], "site": "Store 2"},
            3: {"site": "Store 10"},
        }
        for number, fields in changes.items():
            answer = started.client.patch(f"/api/camera/{number}", json=fields)
            assert answer.status_code == 200, answer.text
        yield started
    finally:
        started.close()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tag=lobby", ["Gate 10", "Gate 2"]),
        ("tag=Ground%20floor", ["Gate 10"]),
        ("tag=ground", []),
        ("site=Store%202", ["Gate 2"]),
        ("network=127.20.4.0/24", ["Gate 10", "Gate 2"]),
        ("network=127.20.4.99/24", ["Gate 10", "Gate 2"]),
        ("network=127.20.4.0/255.255.255.0", ["Gate 10", "Gate 2"]),
        ("network=127.20.4.2", ["Gate 2"]),
        ("network=127.20.0.0/16", ["Gate 10", "Gate 2", "gate 1"]),
        ("network=10.0.0.0/8", []),
        ("network=::/0", []),
        ("source=panasonic", ["Gate 10", "Gate 2", "gate 1"]),
        ("source=easy4ip", []),
        ("tag=lobby&network=127.20.4.0/28&q=10", ["Gate 10"]),
        ("tag=&model=&network=&source=", ["Gate 10", "Gate 2", "gate 1"]),
    ],
)
def test_a_filter_keeps_what_has_the_value(home: Home, query: str, expected: list[str]) -> None:
    assert names(home, query) == expected


def test_a_model_is_matched_exactly(home: Home) -> None:
    model = home.client.get("/api/camera/2").json["model_name"]
    assert names(home, f"model={model}") == ["Gate 2"]
    assert names(home, f"model={model[:-1]}") == []


@pytest.mark.parametrize("text", ["gate", "10.1.4", "10.1.4.0/33", "1" * 61])
def test_a_network_that_is_none_is_refused_with_an_example(home: Home, text: str) -> None:
    answer = home.client.get(f"/api/cameras?network={text}")
    assert answer.status_code == 422
    assert answer.json["error"].startswith("network")
    assert "10.1.4.0/24" in answer.json["error"] or len(text) > 60


def test_names_and_models_sort_in_natural_order_whatever_the_case(home: Home) -> None:
    assert names(home, "sort=name") == ["gate 1", "Gate 2", "Gate 10"]
    assert names(home, "sort=-name") == ["Gate 10", "Gate 2", "gate 1"]
    assert names(home, "sort=status") == ["gate 1", "Gate 2", "Gate 10"]


def test_addresses_sort_by_number(home: Home) -> None:
    assert names(home, "sort=address") == ["Gate 2", "Gate 10", "gate 1"]


def test_recorders_are_listed_and_exported_in_the_natural_order_of_their_sites(
    make_home: Make,
) -> None:
    home = open_stores(make_home, {"Cork": ["C-10", "C-9", "c-1"]})
    rows = home.client.get("/api/dvrs").json["items"]
    assert [row["SITE"] for row in rows] == ["c-1", "C-9", "C-10"]
    lines = home.client.get("/api/download.csv").text.splitlines()[1:]
    assert [re.findall("[cC]-[0-9]+", line)[-1] for line in lines] == ["c-1", "C-9", "C-10"]
