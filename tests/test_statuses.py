"""One table of statuses: whatever shows, sorts, filters or counts them knows every word of it."""

import errno
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fleet import labels, shapes, status
from fleet.history import uptime
from fleet.model import Access, Device, SourceState
from fleet.queries import STATUSES
from fleet.status import Rules
from sources import net
from tests.fleet.reports import A, noon, seen
from tests.fleet.reports import Story as FleetStory
from web.http import remedies, visible_fleet
from web.pages.filter_titles import FILTERS, OTHER_STATUSES

ROOT = Path(__file__).parent.parent
WITHOUT_REMEDY = {status.ACTIVE}
"""Nothing is to be done about it."""


def file(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize("value", status.NAMES)
def test_every_table_knows_every_status(value: str) -> None:
    name = value.lower()
    assert status.TABLE[value].title
    assert f'<symbol id="{name}"' in file("static/marks.svg"), "its mark"
    assert f".{name} {{" in file("static/style.css") or f".{name}, " in file("static/style.css")
    assert f"`{value}`" in file("docs/api.md")
    assert value in STATUSES[name], "a list can be filtered by it"
    assert name in {key for key, _title in FILTERS} | OTHER_STATUSES.keys()
    assert value in WITHOUT_REMEDY or remedies.STATUS_REMEDIES[value], "what to do about it"


def test_a_device_that_is_being_checked_is_not_to_be_found_by_a_scan_first() -> None:
    story = FleetStory()
    story.tell(seen(A, at=noon()))
    row = shapes.row(story.device(), status.UNKNOWN, noon(), Rules(), {})
    assert remedies.of_status(row) == "Not checked yet. Scan the network."
    assert remedies.of_status(row, has_connection=True).startswith("Checking now.")


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("it speaks HTTP, not RTSP", "port"),
        ("it does not speak ONVIF at this address (HTML, HTTP 200)", "port or the path"),
        (net.reason_of(ConnectionRefusedError(errno.ECONNREFUSED, "")), "Turn on RTSP or ONVIF"),
        (net.reason_of(OSError(errno.ENETUNREACH, "")), "add a route"),
        (net.reason_of(OSError(errno.EHOSTUNREACH, "")), "address, or check its power"),
        (net.UNRESOLVED, "host name, or the DNS server"),
        ("no response within 10 s", "Check its power and network cable"),
    ],
)
def test_a_camera_that_is_offline_or_was_never_online_has_the_advice_for_its_reason(
    reason: str, remedy: str
) -> None:
    missed = SourceState(missed_at=noon(), misses=1, reason=reason)
    way = {"rtsp": Access(host="10.0.0.5")}
    camera = Device(1, "camera", "here", ("row:1",), states={"rtsp": missed}, access=way)
    for device in (replace(camera, listed=True), replace(camera, last_seen=noon())):
        row = shapes.row(device, status.OFFLINE, noon(), Rules(), {})
        assert reason in row["reason"]
        assert remedy in remedies.of_status(row, has_connection=True)


def test_every_finding_of_the_docs_has_a_title_and_a_remedy() -> None:
    tables = file("docs/sources.md") + file("docs/api.md").partition("| kind of finding |")[2]
    first = tables.partition("### GET /api/camera/{key}")[0]
    kinds = set(re.findall(r"^\| `([a-z]+\.[a-z-]+)` \|", first, re.MULTILINE))
    assert len(kinds) > 25
    assert kinds - remedies.FINDING_REMEDIES.keys() == set()


def test_every_finding_has_a_text_for_people_who_do_not_see_the_other_device() -> None:
    own, redacted = {*visible_fleet.OWN_FINDINGS}, {*visible_fleet.REDACTED_TEXTS}
    assert remedies.FINDING_REMEDIES.keys() - own - redacted == set()
    assert own & redacted == set()


def test_no_two_statuses_have_one_place_or_one_name() -> None:
    for values in (
        [each.rank for each in status.TABLE.values()],
        [each.title for each in status.TABLE.values()],
    ):
        assert len(set(values)) == len(values)
    assert not status.UP & status.DOWN


@pytest.mark.parametrize("after", sorted({*status.NAMES} - {status.ACTIVE}))
@pytest.mark.parametrize("before", status.NAMES)
def test_the_event_of_a_status_is_judged_as_the_status_is(before: str, after: str) -> None:
    """The history has a device up, down or unknown exactly as its status says."""
    story = FleetStory()
    story.tell(seen(A, at=noon()))
    kind, text = labels.status_event(replace(story.device(), status=before), after)
    if after in status.UP:
        assert kind in uptime.UP_KINDS
    else:
        assert kind == status.event_kind(after)
        assert status.TABLE[after].predicate in text
        kinds = uptime.DOWN_KINDS if after in status.DOWN else uptime.UNKNOWN_KINDS
        assert kind in kinds
    assert kind in uptime.KINDS


def test_a_filter_of_the_silent_is_all_that_are_down_and_not_missing() -> None:
    assert STATUSES["active"] | STATUSES["offline"] | STATUSES["missing"] == {*status.NAMES}
    assert STATUSES["silent"] | STATUSES["missing"] == status.DOWN


def test_every_mark_has_the_colour_of_its_text() -> None:
    drawn = re.findall(r"<(?:circle|path)[^>]*>", file("static/marks.svg"))
    assert len(drawn) > 20
    assert [shape for shape in drawn if "currentColor" not in shape] == []
