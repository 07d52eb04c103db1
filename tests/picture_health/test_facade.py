"""Picture health of a camera: what is known, what people set, and the pictures that are kept."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import time, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine

from fleet.model import Invalid, NotFound
from fleet.pictures import NotTaken, TakenPicture, jpeg_size
from picture_health import health_rows
from picture_health.camera_health import CameraSettings
from picture_health.expected_hours import ExpectedHours
from picture_health.measuring import Measuring
from tests.picture_health.clinic import NOON, Clinic, scene
from tests.picture_health.scenes import Moment

NIGHT = {"days": [4, 0, 4], "starts": "22:00", "ends": "06:00"}


def test_settings_pictures_and_courses_are_there_after_a_restart(
    engine: Engine, measuring: Measuring
) -> None:
    clinic = Clinic(engine, measuring)
    changes = {"mode": "on", "sensitivity": "high", "interval": 60, "repeats": True}
    clinic.health.set_settings(1, {**changes, "expected_hours": [NIGHT]})
    hours = (ExpectedHours((0, 4), time(22), time(6)),)
    assert clinic.health.of(1).settings == CameraSettings("on", "high", 60, True, hours)
    assert clinic.check() == "healthy"
    reference = clinic.health.add_reference(1, "otto")
    clinic.answers[1] = clinic.view("black")
    assert clinic.check(2) == "faulty"
    fault = clinic.health.of(1).faults[0]
    assert fault.picture_id
    before = clinic.sampling.watched(1).course
    clinic.sampling.stop()
    clinic.start()
    health = clinic.health.of(1)
    assert (health.state, health.faults) == ("unknown", (fault,))
    assert health.settings == CameraSettings("on", "high", 60, True, hours)
    assert health.references == (reference,)
    assert health.sampled_at == clinic.now
    after = clinic.sampling.watched(1).course
    assert (after.findings, after.anchor) == (before.findings, before.anchor)
    assert (after.showing, after.clear) == (before.showing, before.clear)
    assert clinic.check() == "faulty"
    assert clinic.health.of(1).faults == (fault,)
    clinic.answers[1] = clinic.view()
    assert clinic.check(2) == "healthy"
    assert clinic.health.picture(1, fault.picture_id).data, "the link of the event works"
    assert health_rows.forget_evidence(engine, clinic.now, clinic.now) == 0
    later = clinic.now + timedelta(seconds=1)
    assert health_rows.forget_evidence(engine, later, later) == 1
    with pytest.raises(NotFound):
        clinic.health.picture(1, fault.picture_id)
    assert health_rows.devices(engine) == {1}
    health_rows.remove_devices(engine, [1])
    assert health_rows.devices(engine) == set()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"mode": "maybe"}, "mode"),
        ({"sensitivity": None}, "sensitivity"),
        ({"interval": 29}, "interval"),
        ({"interval": True}, "interval"),
        ({"interval": 86_401}, "interval"),
        ({"repeats": 1}, "repeats"),
        ({"hours": []}, "hours"),
        ({"expected_hours": {}}, "expected_hours"),
        ({"expected_hours": [NIGHT] * 21}, "expected_hours"),
        ({"expected_hours": [{**NIGHT, "days": []}]}, "expected_hours"),
        ({"expected_hours": [{**NIGHT, "days": [7]}]}, "expected_hours"),
        ({"expected_hours": [{**NIGHT, "ends": "24:00"}]}, "expected_hours"),
        ({"expected_hours": [{**NIGHT, "ends": None}]}, "expected_hours"),
        ({"expected_hours": [{**NIGHT, "zone": "UTC"}]}, "expected_hours"),
    ],
)
def test_a_bad_setting_is_refused_by_its_name_and_nothing_changes(
    clinic: Clinic, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        clinic.health.set_settings(1, {"mode": "off", **changes})
    assert refused.value.field == field
    assert clinic.health.of(1).settings == CameraSettings()


def test_pictures_are_kept_small_and_few_and_are_only_of_their_camera(clinic: Clinic) -> None:
    health = clinic.health
    large = scene(1).jpeg(Moment(1))
    first = health.add_reference(1, "otto", TakenPicture(large, 640, 360, NOON, "snapshot"))
    assert (first.width, first.height, first.at, first.by) == (640, 360, NOON, "otto")
    assert jpeg_size(health.picture(1, first.id).data) == (640, 360)
    for _ in range(3):
        health.add_reference(1, "otto")
    with pytest.raises(Invalid, match="4 reference pictures already"):
        health.add_reference(1, "otto")
    with pytest.raises(NotFound):
        health.picture(2, first.id)
    with pytest.raises(NotFound):
        health.remove_picture(2, first.id)
    health.remove_picture(1, first.id)
    assert len(health.of(1).references) == 3
    with pytest.raises(NotFound):
        health.remove_picture(1, first.id)
    with pytest.raises(NotTaken, match="not a JPEG|cannot be decoded"):
        health.add_reference(1, "otto", TakenPicture(b"nothing", 64, 48, NOON, "snapshot"))
    for _ in range(8):
        health.expect(1, "otto")
    with pytest.raises(Invalid, match="8 expected pictures already"):
        health.expect(1, "otto")
    with pytest.raises(NotFound):
        health.of(99)


def test_pictures_and_settings_follow_a_merge_and_come_back_with_a_split(clinic: Clinic) -> None:
    clinic.health.set_settings(1, {"repeats": True})
    reference = clinic.health.add_reference(1, "otto")
    whole = clinic.story.fleet
    rest = {id: device for id, device in whole.devices.items() if id != 1}
    clinic.story.fleet = replace(whole, devices=rest, redirects={1: 2})
    assert clinic.health.of(1).device == 2
    assert clinic.health.of(2).references == (reference,)
    assert clinic.health.picture(2, reference.id).data
    assert clinic.health.of(2).settings.repeats
    clinic.health.set_settings(2, {"sensitivity": "low"})
    assert clinic.health.of(2).settings.repeats, "one change loses no other setting"
    clinic.story.fleet = whole
    assert clinic.health.of(1).settings.sensitivity == "normal"
    assert clinic.health.of(2).references == ()
    assert clinic.health.of(1).references == (reference,)


def test_two_people_at_once_add_no_more_pictures_than_the_most(clinic: Clinic) -> None:
    picture, at_once = clinic.view()(), Barrier(2)
    for _time in range(3):
        clinic.health.add_reference(1, "otto", TakenPicture(picture, 640, 360, NOON, "snapshot"))

    def both() -> bytes:
        at_once.wait(20)
        return picture

    clinic.answers[1] = both
    with ThreadPoolExecutor(2) as people:
        added = [people.submit(clinic.health.add_reference, 1, name) for name in ("ada", "otto")]
    errors = [each.exception() for each in added]
    assert [type(error) for error in errors if error] == [Invalid]
    assert len(clinic.health.of(1).references) == 4


def test_a_camera_that_is_deleted_meanwhile_gets_no_picture(clinic: Clinic) -> None:
    def picture() -> bytes:
        fleet = clinic.story.fleet
        left = {id: fleet.devices[id] for id in (2, 3)}
        clinic.story.fleet = replace(fleet, devices=left)
        return scene(1).jpeg(Moment(1))

    clinic.answers[1] = picture
    with pytest.raises(NotFound):
        clinic.health.add_reference(1, "otto")
    assert health_rows.pictures(clinic.engine) == []


def test_what_a_small_picture_brings_along_is_not_kept(clinic: Clinic) -> None:
    stuffed = clinic.view()() + b"\0" * (3 << 20)
    kept = clinic.health.add_reference(1, "otto", TakenPicture(stuffed, 640, 360, NOON, "snapshot"))
    data = clinic.health.picture(1, kept.id).data
    assert (jpeg_size(data), len(data) < 512 << 10) == ((640, 360), True)


def test_a_camera_whose_picture_comes_and_goes_does_not_fill_the_disk(
    engine: Engine, measuring: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_rows, "MOST_ENDED", 2)
    clinic = Clinic(engine, measuring)
    picture = TakenPicture(clinic.view()(), 640, 360, NOON, "snapshot")
    reference = clinic.health.add_reference(1, "otto", picture)
    sample = measuring.sample(picture.data)
    made = [clinic.kept.scaled(each, picture, sample, "evidence", fault="black") for each in (1, 2)]
    others = clinic.kept.add(made[1]).id
    ids = [clinic.kept.add(made[0]).id for _time in range(4)]
    for number, id in enumerate(ids[:3]):
        clinic.kept.end([id], NOON + timedelta(days=number))
    health_rows.end_evidence(engine, [others], NOON + timedelta(days=365 * 60))
    left = {id for id in (*ids, others) if health_rows.picture(engine, [1, 2], id)}
    assert left == {*ids[1:], others}
    month = timedelta(days=30)
    assert health_rows.forget_evidence(engine, NOON, NOON + month) == 0
    later = NOON + month + timedelta(seconds=1)
    assert health_rows.forget_evidence(engine, later, later + month) == 3
    assert {each.id for each in health_rows.pictures(engine)} == {reference.id, ids[3]}


def test_a_crash_between_a_finding_and_its_course_ends_no_finding(clinic: Clinic) -> None:
    clinic.answers[1] = clinic.view("black")
    assert clinic.check(2) == "suspected"
    clinic.sampling.flush()
    before = health_rows.courses(clinic.engine)
    assert clinic.check() == "faulty"
    fault = clinic.health.of(1).faults
    health_rows.keep_courses(clinic.engine, before)
    clinic.start()
    clinic.answers[1] = clinic.view()
    assert clinic.check() == "faulty"
    assert clinic.health.of(1).faults == fault
    assert clinic.check(2) == "healthy"


def test_a_frozen_picture_cannot_be_expected_as_it_can_be_the_normal_view(clinic: Clinic) -> None:
    clinic.answers[1] = clinic.view("frozen")
    assert clinic.check(4) == "faulty"
    (frozen,) = clinic.health.of(1).faults
    for picture in (frozen.picture_id, None):
        with pytest.raises(Invalid, match="frozen picture cannot be expected") as refused:
            clinic.health.expect(1, "otto", picture)
        assert "“Repeats its last picture”" in refused.value.hint
    clinic.health.set_settings(1, {"repeats": True})
    assert (clinic.health.of(1).state, clinic.findings()) == ("healthy", {})


def test_nobody_calls_a_picture_healthy_that_was_judged_by_other_pictures(clinic: Clinic) -> None:
    health, still = clinic.health, TakenPicture(clinic.view()(), 640, 360, NOON, "snapshot")
    other = TakenPicture(clinic.view("moved")(), 640, 360, NOON, "snapshot")
    assert clinic.check() == "healthy"
    first = health.add_reference(1, "otto", still)
    changed = ("unknown", "Not sampled since its references were changed.")
    assert (health.of(1).state, health.of(1).reason) == changed
    assert clinic.check() == "healthy"
    health.add_reference(1, "otto", other)
    assert clinic.check() == "healthy"
    health.remove_picture(1, first.id)
    assert (health.of(1).state, health.of(1).reason) == changed
    assert clinic.check() == "suspected"
    clinic.forward(seconds=1)
    health.add_reference(1, "otto")
    assert health.of(1).state == "healthy", "the reference is judged at once"
    assert health.of(1).sampled_at == clinic.now
    clinic.forward(seconds=901)
    old = ("unknown", "The newest sample is older than 3 intervals.")
    assert (health.of(1).state, health.of(1).reason) == old


def test_an_expected_picture_says_at_once_what_the_camera_shows(clinic: Clinic) -> None:
    health = clinic.health
    clinic.answers[1] = clinic.view("black")
    card = health.expect(1, "otto")
    assert (health.of(1).state, health.of(1).sampled_at) == ("expected", clinic.now)
    health.remove_picture(1, card.id)
    assert clinic.check(3) == "faulty"
    (black,) = health.of(1).faults
    clinic.answers[1] = clinic.view("covered")
    assert clinic.check() == "faulty"
    health.expect(1, "otto", black.picture_id)
    now = ("unknown", "Not sampled since an expected picture was set.")
    assert (health.of(1).state, health.of(1).reason) == now, "it shows another one"
    assert clinic.check() == "suspected"


def test_a_camera_of_this_server_is_asked_less_often_as_its_pictures_are_large(
    clinic: Clinic,
) -> None:
    assert clinic.settings.interval_of(1) == 300
    whole = clinic.story.fleet
    local = replace(whole.devices[1], identities=("usb:046d:0825:1",))
    clinic.story.fleet = replace(whole, devices={**whole.devices, 1: local})
    assert clinic.settings.interval_of(1) == 900
    clinic.settings.change(1, {"interval": 60})
    assert clinic.settings.interval_of(1) == 60
    clinic.settings.default = 0
    assert clinic.settings.default_of(1) == 0, "off is off"
