"""A kind that no list knows is shown, found and counted as a camera."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from fleet.kinds import KINDS
from tests.fleet.reports import A, B, noon, seen
from tests.home import Home
from web.http.shapes.scans import StatsQuery


@pytest.fixture
def home(make_home: Callable[..., Home]) -> Home:
    home = make_home()
    doorbell = replace(seen(A, at=noon(), source="acme"), kind="doorbell")
    recorder = replace(seen(B, at=noon(), source="acme"), kind="recorder", address="127.20.0.8")
    home.monitor.tracker.apply([doorbell, recorder], home.clock())
    return home


def test_a_device_of_another_kind_is_in_the_lists_and_in_the_counts(home: Home) -> None:
    rows = home.client.get("/api/cameras").get_json()["cameras"]
    assert [row["kind"] for row in rows] == ["doorbell", "recorder"]
    assert home.client.get("/api/stats").get_json()["total_cameras"] == 2
    assert 'data-id="1"' in home.client.get("/").text


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_and_the_counts_agree_on_every_kind(home: Home, kind: str) -> None:
    assert StatsQuery(kind=kind).kind == kind
    listed = home.client.get(f"/api/cameras?kind={kind}").get_json()["count"]
    assert listed == home.client.get(f"/api/stats?kind={kind}").get_json()["total_cameras"] == 1
