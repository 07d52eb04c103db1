"""The details of a recorder list its channels, and those of a channel name its recorder."""

from collections.abc import Iterator

import pytest

from fleet.identity import channel_key
from fleet.model import Miss, Sighting
from tests.home import Clock, Home
from tests.web.browser import Browser

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
