"""The details of a recorder list its channels, and those of a channel name its recorder."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from fleet.identity import channel_key
from fleet.model import Edit, Finding, Miss, Sighting
from tests.accounts.people import add
from tests.home import Clock, Home
from tests.web.browser import Browser
from tests.web.closed import Visitor
from web.http.authentication import THIS_MACHINE
from web.http.broadcaster import StreamMessage
from web.http.visible_fleet import VisibleFleet
from web.pages.live import FleetPageFeed

MAC = "mac:d4:2d:c5:00:00:0a"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A recorder (1) with the channels 1 to 12, of which one has no signal; nothing asks it."""
    made = Home(tmp_path_factory.mktemp("channels"), Clock())
    now = made.clock()
    recorder = Sighting("here", (MAC,), "onvif", now, "recorder", "10.9.1.1", name="North recorder")
    reports = [recorder]
    for number in range(1, 13):
        facts = {"channel": str(number), "codec": "H.265", "signal": number != 2}
        key, links = channel_key(MAC, f"V{number}"), {"stream": f"/cam?channel={number}"}
        reports.append(
            Sighting("here", (key,), "onvif", now, address="10.9.1.1", facts=facts, links=links)
        )
    made.monitor.tracker.apply(reports, now)
    yield made
    made.close()


@pytest.fixture
def browser(home: Home) -> Browser:
    return Browser(home.client)


def test_a_recorder_lists_its_channels_with_status_codec_and_findings(browser: Browser) -> None:
    channels = browser.visit("/cameras/1").find_one("ul", **{"aria-label": "Channels"})
    items = [item.text for item in channels.find("li")]
    assert len(items) == 12
    assert [item.split()[:3] for item in items[:2]] == [
        ["Active", "Channel", str(n)] for n in (1, 2)
    ]
    assert "H.265" in items[0]
    assert "1 finding" in items[1]
    assert "finding" not in items[0]


def test_a_channel_without_signal_has_one_finding_though_its_stream_is_missing(
    home: Home, browser: Browser
) -> None:
    text = "no video signal, or a wrong path (RTSP 404)"
    path = Finding("id:3", "stream.path", home.clock(), text, "rtsp", site="here")
    home.monitor.tracker.apply([path], home.clock())
    assert len(home.client.get("/api/cameras/3").json["findings"]) == 2
    row = browser.visit("/?channels_of=1").find_one("tr", **{"data-id": "3"}).text
    (notice,) = browser.visit("/cameras/3").find("div", **{"class": "notice"})
    for shown in (row, notice.text):
        assert "no video signal on this channel" in shown
        assert "wrong path" not in shown
    channels = browser.visit("/cameras/1").find_one("ul", **{"aria-label": "Channels"})
    assert "1 finding" in channels.find("li")[1].text


def test_a_channel_names_its_recorder(browser: Browser) -> None:
    assert "North recorder" in browser.visit("/cameras/3").find_one("aside").text


def test_a_camera_without_channels_has_no_list_of_them(browser: Browser) -> None:
    assert not browser.visit("/cameras/3").find("ul", **{"aria-label": "Channels"})


def test_the_list_shows_the_channels_of_one_recorder(browser: Browser) -> None:
    page = browser.visit("/?channels_of=1&per_page=100")
    assert len(page.find("tr")) == 1 + 12
    assert "Channels of" in page.text
    assert "North recorder" in page.text
    links = [link.attributes.get("href") for link in browser.visit("/cameras/1").find("a")]
    assert "/?channels_of=1" in links


def test_the_api_lists_the_channels_of_one_recorder(home: Home) -> None:
    listed = home.client.get("/api/cameras?channels_of=1").get_json()
    assert len(listed["cameras"]) == 12
    assert not home.client.get("/api/cameras?channels_of=2").get_json()["cameras"]


def test_a_recorder_that_is_off_is_one_line_with_the_number_of_its_channels(
    browser: Browser, home: Home
) -> None:
    home.clock.forward(minutes=5)
    at = home.clock()
    misses = [Miss(f"id:{id}", "onvif", at, "connection refused") for id in range(1, 14)]
    home.monitor.tracker.apply(misses, at)
    lines = browser.visit("/").find_one("section", id="wrong").find("li")
    assert len(lines) == 1
    assert "North recorder and its 12 channels" in " ".join(lines[0].text.split())
    assert "13 devices need attention" in browser.visit("/").text


# -- three recorders -----------------------------------------------------------------------------

RECORDERS = ("North recorder", "West recorder", "East recorder")


def recorder_with_channels(home: Home, number: int, name: str) -> None:
    """The recorder of this number at its address, with the channels 1, 2 and 10; the third has a
    name of its own."""
    key, address, now = f"mac:d4:2d:c5:00:01:0{number}", f"10.9.2.{number}", home.clock()
    reports = [Sighting("here", (key,), "onvif", now, "recorder", address, name=name)]
    for channel in (1, 2, 10):
        facts = {"channel": str(channel), "signal": channel != 2}
        own = f"Gate {number}" if channel == 10 else None
        part = (channel_key(key, f"V{channel}"),)
        reports.append(Sighting("here", part, "onvif", now, address=address, name=own, facts=facts))
    home.monitor.tracker.apply(reports, now)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The recorders 1, 5 and 9, each with its channels after it. All channels 2 have no signal."""
    made = Home(tmp_path_factory.mktemp("three"), Clock())
    for number, name in enumerate(RECORDERS, 1):
        recorder_with_channels(made, number, name)
    yield made
    made.close()


def names_of(answer: Any) -> list[str]:
    return [row["camera_name"] for row in answer.get_json()["cameras"]]


IN_ORDER = [
    *("East recorder", "East recorder, channel 1", "East recorder, channel 2"),
    *("Gate 1", "Gate 2", "Gate 3"),
    *("North recorder", "North recorder, channel 1", "North recorder, channel 2"),
    *("West recorder", "West recorder, channel 1", "West recorder, channel 2"),
]


def test_channels_without_a_name_are_shown_with_their_recorder_and_sorted_under_it(
    three: Home,
) -> None:
    assert names_of(three.client.get("/api/cameras?sort=name")) == IN_ORDER
    page = Browser(three.client).visit("/?sort=name&per_page=100")
    rows = page.find_one("tbody").find("tr")
    assert [row.find_one("a").text for row in rows] == IN_ORDER
    assert [row[1] for row in three.client.get("/parts/names?sort=name").get_json()] == IN_ORDER
    exported = three.client.get("/api/export?format=csv&columns=name&sort=name").text
    assert all(name in exported for name in IN_ORDER)


def test_a_search_finds_channels_by_the_name_of_their_recorder(three: Home) -> None:
    matches = three.client.get("/api/cameras?q=west recorder&sort=name")
    assert names_of(matches) == ["Gate 2", *IN_ORDER[-3:]]
    assert names_of(three.client.get("/api/cameras?q=west recorder, channel 2")) == [IN_ORDER[-1]]
    page = Browser(three.client).visit("/filters?q=west recorder, channel 2&attention=all")
    assert "1 match" in page.text


def test_a_picker_tells_equal_channels_of_recorders_apart(three: Home) -> None:
    choices = three.client.get("/parts/choices?q=channel 2").text
    assert [name for name in IN_ORDER if f">{name} <" in choices] == [
        name for name in IN_ORDER if name.endswith("channel 2")
    ]


def test_findings_name_the_recorder_of_a_channel(three: Home) -> None:
    text = Browser(three.client).visit("/").find_one("section", id="wrong").text
    assert all(f"{name}, channel 2" in " ".join(text.split()) for name in RECORDERS)


def test_a_renamed_recorder_renames_its_channels_at_once(three: Home) -> None:
    path = "/api/cameras?q=channel 1&channels_of=9"
    assert names_of(three.client.get(path)) == ["East recorder, channel 1"]
    for name in ("South recorder", ""):
        changed = three.client.patch("/api/camera/9", json={"name": name})
        assert changed.status_code == 200, changed.text
        assert names_of(three.client.get(path)) == [f"{name or 'East recorder'}, channel 1"]


def test_the_name_of_a_hidden_recorder_is_not_shown_to_those_who_see_its_channel(
    make_home: Callable[..., Home],
) -> None:
    home = make_home()
    recorder_with_channels(home, 1, "North recorder")
    accounts = home.monitor.authenticator.accounts
    add(accounts, "Ada", "admin")
    lea = add(accounts, "Lea", "viewer", sees_all=False)
    accounts.grant(lea.id, "view", device=3)
    visitor = Visitor(home, user=lea.id)
    assert names_of(visitor.get("/api/cameras")) == ["Channel 2"]
    assert not names_of(visitor.get("/api/cameras?q=north"))
    for path in ("/?per_page=100", "/cameras/3", "/parts/choices?q=channel", "/events"):
        answer = visitor.get(path)
        assert answer.status_code == 200
        assert "North" not in answer.text
        assert "hannel 2" in answer.text
    accounts.grant(lea.id, "view", device=1)
    assert "North recorder, channel 2" in names_of(visitor.get("/api/cameras"))


def test_a_channel_is_deleted_by_either_of_its_names(make_home: Callable[..., Home]) -> None:
    home = make_home()
    recorder_with_channels(home, 1, "North recorder")
    browser, client = Browser(home.client), home.client
    form = browser.visit("/cameras/2").form("/cameras/2/delete")
    browser.press(form, confirm="North recorder, channel 1")
    deleted = client.delete("/api/camera/3", json={"confirm": "Channel 2"})
    assert deleted.status_code == 200, deleted.text
    assert names_of(client.get("/api/cameras")) == ["North recorder", "Gate 1"]


def test_an_open_page_gets_the_rows_of_the_channels_of_a_renamed_recorder(home: Home) -> None:
    feed = FleetPageFeed(
        home.app, VisibleFleet(home.monitor, THIS_MACHINE), "?sort=id&per_page=100"
    )
    for name in ("Store 7", "North recorder"):
        edit = Edit("change", "id:1", {"name": name}, "tester", home.clock())
        events = home.monitor.tracker.apply([edit], home.clock())
        body = feed.news([StreamMessage(event.sequence, event, b"") for event in events]).decode()
        message = orjson.loads(body.partition("data: ")[2])
        assert message["ids"] == list(range(1, 14))
        assert f"{name}, channel 12" in message["html"]
