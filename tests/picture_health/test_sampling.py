"""What the samples of a camera become: findings, with the picture that raised them, and states."""

import gc
import tracemalloc
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import Engine, event

from fleet.channels import NO_SIGNAL
from fleet.pictures import GreyPicture, NotOffered, NotTaken, TakenPicture, jpeg_size
from picture_health import health_rows as rows
from picture_health.camera_health import OpenFault, Suspicion
from picture_health.measures import decoded
from picture_health.measuring import Measuring
from picture_health.model import FAULTS, Fault
from picture_health.newest_pictures import NewestPictures
from picture_health.sampling import TEXTS, Way
from picture_health.tables import health_courses, health_pictures
from store.sql import Unreachable
from tests.fleet.reports import finding, seen
from tests.home import until
from tests.picture_health.clinic import NOON, Clinic, scene
from tests.picture_health.scenes import Moment


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_a_finding_after_three_samples_and_ends_after_three(
    clinic: Clinic, fault: Fault
) -> None:
    kind = f"picture.{fault}"
    clinic.check()
    clinic.health.add_reference(1, "otto")
    clinic.answers[1] = clinic.view(fault)
    # The first picture that stands still is the one that the next ones are compared with.
    assert clinic.check(1 + (fault == "frozen")) == "suspected"
    assert clinic.health.of(1).suspected == (Suspicion(fault, 1, 3),)
    assert clinic.check() == "suspected"
    assert clinic.findings() == {}
    assert clinic.check() == "faulty"
    assert clinic.findings() == {kind: TEXTS[fault]}
    (raised,) = clinic.health.of(1).faults
    assert (raised.fault, raised.since) == (fault, clinic.now)
    assert raised.picture_id
    evidence = clinic.story.device().findings[0].evidence
    assert evidence == {"picture": raised.picture_id}
    kept = clinic.health.picture(1, raised.picture_id)
    newest = clinic.health.newest_picture(1)
    assert newest
    assert (kept.at, kept.data, kept.fault) == (clinic.now, newest.data, fault)
    clinic.check()
    assert clinic.health.of(1).faults == (raised,), "then stays what it was"
    clinic.answers[1] = clinic.view()
    assert clinic.check(2) == "faulty"
    assert clinic.check() == "healthy"
    assert clinic.findings() == {}
    assert clinic.health.of(1).faults == ()
    kinds = [each.kind for each in clinic.story.events if each.kind.startswith("finding")]
    assert kinds == ["finding.raised", "finding.cleared"]
    assert clinic.health.newest_picture(1), "as it was asked for"


def test_a_camera_that_cannot_be_sampled_is_unknown_and_its_finding_stays(clinic: Clinic) -> None:
    health = clinic.health
    assert (health.of(1).state, health.of(2).state) == ("unknown", "unknown")
    with pytest.raises(NotTaken, match="It is dark"):
        health.check(2)
    assert (health.of(2).state, health.of(2).reason) == ("unknown", "It is dark.")
    clinic.answers[1] = clinic.view("black")
    clinic.check(3)
    (raised,) = health.of(1).faults
    well, clinic.answers[1] = clinic.answers[1], NotTaken("All sessions are in use.")
    for _ in range(5):
        with pytest.raises(NotTaken):
            clinic.check()
    assert (health.of(1).state, health.of(1).reason) == ("unknown", "All sessions are in use.")
    assert health.of(1).faults == (raised,)
    assert health.of(1).sampled_at == NOON + timedelta(minutes=3)
    clinic.answers[1] = well
    assert clinic.check() == "faulty"
    clinic.forward(minutes=20)
    assert health.of(1).state == "unknown", "the newest sample is too old"
    clinic.answers[1] = b"\xff\xd8 an error text"
    with pytest.raises(NotTaken, match="JPEG"):
        health.check(1)
    clinic.answers[1] = _damaged(scene(1).jpeg(Moment(1)))
    with pytest.raises(NotTaken, match="cannot be decoded|JPEG"):
        health.check(1)
    assert health.of(1).state == "unknown"


def _damaged(data: bytes) -> bytes:
    """A JPEG whose headers and end are right, with nothing usable between."""
    width, height = jpeg_size(data)
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return (
        b"\xff\xd8\xff\xc0\0\x0b\x08"
        + size
        + b"\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0?\0\xff\xd9"
    )


def test_a_camera_that_can_turn_is_off_until_a_person_says_that_it_stays(clinic: Clinic) -> None:
    clinic.story.tell(seen("mac:d4:2d:c5:00:00:0a", source="onvif", facts={"ptz": True}))
    assert clinic.health.of(1).state == "off"
    assert "can turn" in clinic.health.of(1).reason
    with pytest.raises(NotTaken, match="can turn"):
        clinic.health.check(1)
    assert clinic.asked == []
    clinic.health.set_settings(1, {"mode": "on"})
    clinic.answers[1] = clinic.view("black")
    assert clinic.check(3) == "faulty"
    clinic.health.set_settings(1, {"mode": "auto"})
    assert clinic.findings() == {}, "nobody looks any more"
    assert clinic.story.events[-1].text.endswith("no longer known: its picture is black")
    assert clinic.health.of(1).state == "off"
    clinic.health.set_settings(1, {"mode": "off"})
    assert clinic.health.of(1).reason == "Turned off for this camera."
    clinic.health.set_settings(1, {"mode": "on"})
    assert clinic.health.of(1).state == "unknown", "nothing says that it is well now"
    assert clinic.health.of(1).reason == "Not sampled since picture health was turned on."


def test_an_expected_picture_ends_the_finding_now_and_in_future(clinic: Clinic) -> None:
    clinic.answers[1] = clinic.view("black")
    clinic.check(3)
    (raised,) = clinic.health.of(1).faults
    kept = clinic.health.expect(1, "otto", raised.picture_id)
    assert clinic.findings() == {}
    assert clinic.health.of(1).state == "expected", "at once: the newest sample shows it"
    assert clinic.health.of(1).expected_pictures == (kept,)
    assert clinic.health.picture(1, kept.id).data
    assert clinic.check(5) == "expected"
    assert clinic.health.of(1).reason == "It shows a picture that you expect."
    assert clinic.findings() == {}
    clinic.answers[1] = clinic.view("covered")
    clinic.check(3)
    assert clinic.findings() == {"picture.covered": TEXTS["covered"]}
    clinic.health.expect(1, "otto")
    assert clinic.findings() == {}
    assert clinic.check(4) == "expected"
    covered = clinic.health.of(1).expected_pictures[1]
    clinic.health.remove_picture(1, covered.id)
    assert clinic.health.of(1).state == "unknown", "nobody has seen a good picture"
    assert clinic.health.of(1).reason == "Not sampled since an expected picture was removed."
    clinic.check()
    clinic.health.remove_picture(1, kept.id)
    assert clinic.health.of(1).state == "suspected"
    clinic.answers[1] = clinic.view("black")
    assert clinic.check(3) == "faulty", "it is not expected any more"
    with pytest.raises(Exception, match="raised a finding"):
        clinic.health.remove_picture(1, clinic.health.of(1).faults[0].picture_id or 0)


def test_a_picture_that_is_called_normal_ends_what_it_explains(clinic: Clinic) -> None:
    clinic.check()
    clinic.health.add_reference(1, "otto")
    clinic.answers[1] = clinic.view("moved")
    assert clinic.check(3) == "faulty"
    clinic.health.add_reference(1, "otto")
    assert clinic.findings() == {}
    assert clinic.check(4) == "healthy"
    clinic.answers[1] = clinic.view()
    assert clinic.check(4) == "healthy", "the view before is normal too"


def test_nothing_is_judged_in_expected_hours_and_findings_end_when_they_begin(
    clinic: Clinic,
) -> None:
    clinic.answers[1] = clinic.view("black")
    assert clinic.check(3) == "faulty"
    night = {"days": [4], "starts": "13:30", "ends": "06:00"}
    clinic.health.set_settings(1, {"expected_hours": [night]})
    assert clinic.check() == "faulty", "it is 13:04 in Berlin"
    clinic.forward(minutes=30)
    clinic.health.settle(clinic.story.device())
    assert clinic.findings() == {}
    health = clinic.health.of(1)
    assert (health.state, health.reason) == ("expected", "In its expected hours until 06:00.")
    assert clinic.check(4) == "expected"
    assert clinic.findings() == {}
    assert clinic.health.newest_picture(1)
    weekend = {"days": [4, 5], "starts": "13:30", "ends": "13:30"}
    clinic.health.set_settings(1, {"expected_hours": [weekend]})
    assert clinic.health.of(1).reason == "In its expected hours until Sun, 13:30."
    clinic.health.set_settings(1, {"expected_hours": []})
    assert clinic.health.of(1).state == "unknown"
    assert clinic.health.of(1).reason == "Not sampled since its expected hours ended."
    clinic.health.set_settings(1, {"expected_hours": [night]})
    clinic.forward(hours=17)
    assert clinic.check(2) == "suspected"
    assert clinic.check() == "faulty"
    (raised,) = clinic.health.of(1).faults
    assert raised.since == clinic.now


def test_g06_a_camera_that_repeats_its_last_picture_is_never_frozen(clinic: Clinic) -> None:
    still = scene(1).jpeg(Moment(1))
    clinic.answers[1] = still
    assert clinic.check(4) == "faulty"
    clinic.health.set_settings(1, {"repeats": True})
    assert clinic.findings() == {}
    for _night in range(12):
        assert clinic.check() == "healthy"
    clinic.answers[1] = clinic.view("black")
    assert clinic.check(3) == "faulty", "all else is judged"


def test_g11_a_broken_snapshot_spoils_no_sample_and_the_stream_needs_no_snapshot(
    clinic: Clinic,
) -> None:
    picture, asked = scene(1).jpeg(Moment(1)), list[str]()

    def way(name: str, error: NotTaken | None = None) -> Way:
        def take(_device: int, timeout: float) -> TakenPicture:
            assert 0 < timeout <= 20
            asked.append(name)
            if error:
                raise error
            return TakenPicture(picture, 640, 360, clinic.now, name)

        return take

    broken = NotTaken("The snapshot is a page.")
    clinic.sampling.ways = (way("stream"), way("snapshot", broken))
    assert clinic.check() == "healthy"
    assert asked == ["stream"]
    clinic.sampling.ways = (way("stream", NotTaken("It sends nothing.")), way("snapshot"))
    assert clinic.check() == "suspected", "by what the snapshot shows"
    clinic.sampling.ways = (way("stream", NotTaken("It sends nothing.")), way("snapshot", broken))
    with pytest.raises(NotTaken, match="It sends nothing"):
        clinic.check()
    clinic.sampling.ways = (way("stream", NotOffered("none")), way("snapshot", broken))
    with pytest.raises(NotTaken, match="The snapshot is a page"):
        clinic.check()
    clinic.sampling.ways = (way("stream", NotOffered("none")),)
    with pytest.raises(NotOffered, match="No stream or snapshot"):
        clinic.check()
    assert clinic.findings() == {}


def test_pictures_in_memory_are_limited_in_sum(clinic: Clinic) -> None:
    newest = NewestPictures(most_bytes=1000)
    for device in range(1, 6):
        newest.keep(device, TakenPicture(bytes(300), 4, 3, NOON, "stream"))
    assert [device for device in range(1, 6) if newest.of(device)] == [3, 4, 5]
    newest.keep(3, TakenPicture(bytes(900), 4, 3, NOON, "stream"))
    assert [device for device in range(1, 6) if newest.of(device)] == [3]
    newest.drop(3)
    newest.keep(1, TakenPicture(bytes(1000), 4, 3, NOON, "stream"))
    assert newest.of(1)
    clinic.check()
    clinic.sampling.sample(1)
    assert clinic.health.newest_picture(1), "two of one moment"
    clinic.forward(minutes=1)
    clinic.sampling.sample(1)
    assert clinic.health.newest_picture(1) is None, "nobody needs that of a healthy camera"


def test_the_same_key_frame_again_is_no_evidence_that_nothing_moves(clinic: Clinic) -> None:
    still = scene(1).jpeg(Moment(1))

    def take(_device: int, _timeout: float) -> TakenPicture:
        return TakenPicture(still, 640, 360, NOON, "stream")

    clinic.sampling.ways = (take,)
    assert clinic.check(5) == "healthy"
    assert clinic.health.of(1).suspected == ()
    clinic.sampling.newest.drop(1)
    clinic.check()
    assert clinic.health.newest_picture(1), "who checks sees it all the same"
    assert clinic.health.of(1).sampled_at == NOON + timedelta(minutes=1)


def test_a_picture_that_cannot_be_judged_does_not_stay_in_memory(clinic: Clinic) -> None:
    size = 4 << 20
    broken = _damaged(scene(1).jpeg(Moment(1))) + bytes(size)
    clinic.answers[1] = lambda: broken[:-1] + b"\0"
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _time in range(2):
            with pytest.raises(NotTaken):
                clinic.sampling.sample(1)
        assert tracemalloc.get_traced_memory()[0] < size / 2
    finally:
        tracemalloc.stop()
        gc.enable()


def test_what_another_version_measured_is_measured_again_from_its_picture(
    clinic: Clinic, sqlite_engine: Engine
) -> None:
    """As by one whose descriptors had another length."""
    clinic.answers[1] = clinic.view("black")
    clinic.check()
    expected = clinic.health.expect(1, "otto")
    clinic.answers[1] = clinic.view()
    clinic.check()
    reference = clinic.health.add_reference(1, "otto")
    clinic.sampling.stop()
    with sqlite_engine.begin() as connection:
        for table in (health_pictures, health_courses):
            name = "descriptor" if table is health_pictures else "anchor"
            connection.execute(table.update().values({name: b"of another kind"}))
    clinic.start()
    assert clinic.check() == "healthy"
    assert clinic.health.of(1).references == (reference,)
    assert clinic.health.of(1).expected_pictures == (expected,)
    clinic.start()
    assert clinic.kept.of(1, "reference") == (reference,), "it was written"
    clinic.answers[1] = clinic.view("moved")
    assert clinic.check(3) == "faulty"
    clinic.answers[1] = clinic.view("black")
    assert clinic.check() == "expected"


def test_a_picture_that_cannot_be_measured_again_is_left_out(
    clinic: Clinic, sqlite_engine: Engine
) -> None:
    clinic.check()
    clinic.health.add_reference(1, "otto")
    with sqlite_engine.begin() as connection:
        changed = {"descriptor": b"of another kind", "data": b"no JPEG"}
        connection.execute(health_pictures.update().values(changed))
    clinic.start()
    clinic.answers[1] = clinic.view("moved")
    assert clinic.check(4) == "healthy"


def test_a_full_disk_of_the_database_ends_nothing_and_is_told_once(
    sqlite_engine: Engine, measuring: Measuring, caplog: pytest.LogCaptureFixture
) -> None:
    clinic = Clinic(sqlite_engine, measuring)
    clinic.answers[1] = clinic.view("black")
    caplog.set_level("INFO", "picture_health.sampling")

    def fill(connection: Any, *_others: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    event.listen(sqlite_engine, "checkout", fill)
    assert clinic.check(6) == "faulty"
    clinic.sampling.flush()
    assert clinic.findings() == {"picture.black": TEXTS["black"]}
    assert clinic.health.of(1).faults[0].picture_id is None
    raised_at = clinic.health.of(1).faults[0].since
    with pytest.raises(Unreachable):
        clinic.health.add_reference(1, "otto")
    assert clinic.health.of(1).references == ()
    assert len(caplog.messages) == 1
    assert "cannot be saved; it goes on in memory" in caplog.messages[0]
    event.remove(sqlite_engine, "checkout", fill)
    sqlite_engine.dispose()
    clinic.sampling.flush()
    assert caplog.messages[1:] == ["Picture health is saved again"]
    number = clinic.health.of(1).faults[0].picture_id
    assert number
    assert clinic.health.picture(1, number).at == raised_at, "the picture that raised it"
    clinic.start()
    assert clinic.check() == "faulty"
    assert clinic.health.of(1).faults == (OpenFault("black", raised_at, number),)


def test_a_camera_that_seems_healthy_is_looked_at_for_less(clinic: Clinic) -> None:
    greys: list[int] = []

    def look(device: int, timeout: float) -> TakenPicture | GreyPicture:
        picture = clinic.sampling.ways[0](device, timeout)
        greys.append(clinic.asked.pop())
        grey = decoded(picture.data)
        height, width = grey.shape
        data = b"P5\n%d %d\n255\n" % (width, height) + grey.tobytes()
        return GreyPicture(data, picture.taken_at)

    clinic.sampling.looks = (look,)

    def sample() -> None:
        clinic.forward(minutes=1)
        clinic.sampling.sample(1)

    sample()
    assert clinic.health.of(1).state == "healthy"
    assert (greys, clinic.asked) == ([1], [])
    clinic.answers[1] = clinic.view("black")
    sample()
    assert clinic.health.of(1).state == "suspected"
    assert clinic.health.newest_picture(1) is None, "nobody can see it"
    sample()
    assert (greys, clinic.asked) == ([1, 1], [1])
    sample()
    (raised,) = clinic.health.of(1).faults
    assert clinic.health.newest_picture(1)
    assert raised.picture_id
    assert clinic.health.picture(1, raised.picture_id).data[:2] == b"\xff\xd8"
    clinic.check()
    assert len(greys) == 2, "a person who asks wants to see it"


def test_the_stop_writes_what_the_next_picture_is_compared_with(clinic: Clinic) -> None:
    clinic.check(2)
    clinic.sampling.flush()
    before = rows.courses(clinic.engine).get(1)
    clinic.check()
    clinic.sampling.flush()
    assert rows.courses(clinic.engine).get(1) == before, "only the picture is newer: that can wait"
    clinic.sampling.stop()
    kept = rows.courses(clinic.engine)[1]
    assert kept.course.anchor == clinic.sampling.watched(1).course.anchor != b""
    assert kept.sampled_at == clinic.now


def test_all_who_ask_meanwhile_get_the_sample_that_is_being_taken(clinic: Clinic) -> None:
    goes_on, asked = Event(), Event()
    picture = clinic.view()

    def slow() -> bytes:
        asked.set()
        assert goes_on.wait(10)
        return picture()

    clinic.answers[1] = slow
    states: list[str] = []
    threads = [Thread(target=lambda: states.append(clinic.health.check(1).state)) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert asked.wait(10)
    waiting = clinic.sampling._flights[1].is_over._cond._waiters  # type: ignore[attr-defined]
    until(lambda: len(waiting) == 2, what="the others wait for it")
    goes_on.set()
    for thread in threads:
        thread.join(10)
    assert states == ["healthy"] * 3
    assert clinic.asked == [1]


def test_a_camera_whose_picture_waits_for_the_database_holds_no_other(
    clinic: Clinic, sqlite_engine: Engine
) -> None:
    """Two that wait for each other would wait for ever."""

    def fill(connection: Any, *_others: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    clinic.answers[2] = clinic.view("black", seed=2)
    event.listen(sqlite_engine, "checkout", fill)
    assert clinic.check(3, 2) == "faulty"
    event.remove(sqlite_engine, "checkout", fill)
    sqlite_engine.dispose()
    clinic.answers[1] = clinic.view("black")
    mine, other = (clinic.sampling.watched(device) for device in (1, 2))
    with other.lock:
        thread = Thread(target=clinic.health.check, args=(1,))
        thread.start()
        until(lambda: mine.sampled_at is not None, what="the first one is sampled")
        assert mine.lock.acquire(timeout=5)
        mine.lock.release()
    thread.join(10)
    assert not thread.is_alive()
    assert other.pending == {}


def test_a_channel_without_video_signal_gets_no_second_finding(clinic: Clinic) -> None:
    """What a recorder shows instead of a picture is no picture of the camera."""
    clinic.answers[1] = clinic.view("black")
    clinic.check(3)
    assert set(clinic.findings()) == {"picture.black"}
    clinic.story.tell(finding("id:1", kind=NO_SIGNAL), at=clinic.now)
    with pytest.raises(NotTaken, match="no video signal"):
        clinic.check()
    asked = len(clinic.asked)
    health = clinic.health.of(1)
    assert (health.state, health.reason) == (
        "unknown",
        "The recorder receives no video signal on this channel.",
    )
    assert set(clinic.findings()) == {NO_SIGNAL}
    with pytest.raises(NotTaken):
        clinic.check()
    assert len(clinic.asked) == asked, "it is not even asked for a picture"
