"""A kind that no list knows is shown, found and counted as a camera."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from fleet.identity import channel_key
from fleet.kinds import KINDS
from tests.fleet.reports import A, B, noon, seen
from tests.home import Home
from tests.web.browser import Browser, read
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


def test_a_person_changes_the_kind_and_no_answer_replaces_it(home: Home) -> None:
    changed = home.client.patch("/api/camera/1", json={"kind": "switch"}).json
    assert changed["camera"]["kind"] == "switch"
    (event,) = home.events(kinds=["device.edited"])
    assert "kind changed to switch" in event.text
    report = replace(seen(A, at=noon(minutes=9), source="acme"), kind="recorder")
    home.monitor.tracker.apply([report], home.clock())
    assert home.device("1").kind == "switch"
    home.client.post("/api/undo", json={"event": changed["undo"]})
    assert home.device("1").kind == "doorbell"
    for wrong in ("two words", "", 5):
        assert home.client.patch("/api/camera/1", json={"kind": wrong}).status_code == 422


def test_the_page_of_a_device_offers_its_kind(home: Home) -> None:
    browser = Browser(home.client)
    form = browser.visit("/cameras/2").find_one("form", **{"data-edit": "2", "class": "edit"})
    (choice,) = form.find("select", name="kind")
    assert [option.text for option in choice.find("option")] == [
        "Camera",
        "Recorder",
        "Switch",
        "Other",
    ]
    assert browser.send(form, "Save", kind="other").status_code == 303
    assert home.device("2").kind == "other"


def test_a_channel_keeps_its_kind(home: Home) -> None:
    stream = {"source": "onvif", "links": {"stream": "/1"}, "facts": {"channel": "1"}}
    channel = seen(channel_key(B, "v1"), at=noon(), address="127.20.0.8", **stream)
    home.monitor.tracker.apply([channel], home.clock())
    refused = home.client.patch("/api/camera/3", json={"kind": "recorder"})
    assert (refused.status_code, refused.json["hint"]) == (422, "A channel is always a camera.")
    assert not read(home.client.get("/cameras/3").text).find("select", name="kind")
