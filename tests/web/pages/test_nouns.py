"""The noun of a list follows what it holds."""

from datetime import UTC, datetime

from flask import g

from fleet.model import Device
from tests.home import Home
from tests.web.pages.stores import STORES, Make, open_stores
from web.http.authentication import THIS_MACHINE
from web.http.visible_fleet import visible_to
from web.pages.nouns import CAMERA_NOUN, DEVICE_NOUN, RECORDER_NOUN, noun_of

RETIRED = datetime(2026, 3, 1, tzinfo=UTC)


def devices(*kinds: str, retired: str = "") -> list[Device]:
    known = [Device(id, kind, "default", ()) for id, kind in enumerate(kinds)]
    gone = [Device(99, retired, "default", (), retired_at=RETIRED)] if retired else []
    return known + gone


def test_a_list_of_one_kind_has_its_noun_and_a_mixed_one_has_devices() -> None:
    assert noun_of(devices("camera", "camera")) == CAMERA_NOUN
    assert noun_of(devices("recorder", "recorder")) == RECORDER_NOUN
    assert noun_of(devices("camera", "recorder")) == DEVICE_NOUN
    assert noun_of([]) == DEVICE_NOUN


def test_a_kind_without_a_list_of_its_own_is_a_camera_as_everywhere() -> None:
    assert noun_of(devices("doorbell", "camera")) == CAMERA_NOUN


def test_a_retired_device_does_not_change_the_noun() -> None:
    assert noun_of(devices("recorder", retired="camera")) == RECORDER_NOUN
    assert noun_of(devices(retired="camera")) == DEVICE_NOUN


def test_the_noun_has_the_right_number() -> None:
    assert RECORDER_NOUN.counted(1) == "1 recorder"
    assert RECORDER_NOUN.counted(793) == "793 recorders"
    assert CAMERA_NOUN.of(0) == "cameras"


def test_a_template_has_the_noun_of_the_visible_fleet(make_home: Make) -> None:
    home: Home = open_stores(make_home, STORES)
    noun = home.app.jinja_env.globals["noun"]
    with home.app.app_context():
        assert (noun.one, noun.many) == ("device", "devices")  # type: ignore[attr-defined]
    with home.app.app_context():
        g.visible_fleet = visible_to(home.monitor, THIS_MACHINE)
        assert noun.counted(2) == "2 recorders"  # type: ignore[attr-defined]
