"""Missing recordings, their disk and the links to cameras, by API and page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pytest

from simulators.panasonic import Camera
from tests.home import Clock, Home
from tests.web.browser import read
from tests.web.closed import Visitor, body_of, user_named, visitors
from video import link_rows, outage_rows, plan_rows, schedule_rows
from video.build import VideoPackage
from video.due import Due
from video.link_quality import LinkDay
from video.model import NO_PICTURE, PLAYING, LinkCounts, StreamKey, StreamState
from video.outages import OFF, Outage
from video.schedule import DAILY, Schedule
from video.schedule_rows import StoredSchedule

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""The time of the clock."""
QUERY = "from=2026-03-01T10:00:00Z&to=2026-03-01T11:00:00Z"


@dataclass
class Archive:
    """A closed monitor: cameras 1 and 2 were scheduled from ten to eleven, and both were off."""

    home: Home
    ask: dict[str, Visitor]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    gate = Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate")
    shed = Camera("d4:2d:c5:00:00:02", "127.20.0.10", "Shed")
    home = Home(tmp_path_factory.mktemp("archive"), Clock(), gate, shed)
    try:
        home.scan()
        engine = home.monitor.journal.engine
        before = NOON - timedelta(days=2)
        schedule = Schedule(0, "Shop", DAILY, (1, 2), "UTC", time(10), time(11))
        schedule_rows.add(engine, StoredSchedule(schedule, "ada", before, before))
        ten = NOON - timedelta(hours=2)
        half = ten + timedelta(minutes=30)
        outage_rows.add(engine, Outage(1, "main", ten, half, OFF, "no response"))
        day = date(2026, 2, 28)
        link_rows.add(engine, [LinkDay(1, "main", day, 7200, 7200 * 15, 7200 * 250_000, 0, 1)])
        yield Archive(home, visitors(home))
    finally:
        home.close()


@pytest.fixture
def ada(archive: Archive) -> Visitor:
    return archive.ask["Ada"]


def test_each_scheduled_camera_has_its_hours_and_gaps(ada):
    body = body_of(ada.get(f"/api/recordings/coverage?{QUERY}"))
    first, second = sorted(body["cameras"], key=lambda row: row["camera"])
    assert (first["camera_name"], second["camera_name"]) == ("Gate", "Shed")
    assert (first["expected_hours"], first["present_hours"], first["share"]) == (1, 0, 0)
    gaps = [(gap["cause"], gap["title"], gap["seconds"], gap["reason"]) for gap in first["gaps"]]
    assert gaps == [
        ("off", "Camera off", 1800, "no response"),
        ("unknown", "Unknown", 1800, ""),
    ]
    assert (first["required_days"], first["kept_days"]) == (30, None)


def test_one_camera_and_a_time_can_be_chosen(ada):
    body = body_of(ada.get(f"/api/recordings/coverage?{QUERY}&camera=2"))
    assert [row["camera"] for row in body["cameras"]] == [2]
    week = body_of(ada.get("/api/recordings/coverage?camera=1"))
    assert datetime.fromisoformat(week["end"]) - datetime.fromisoformat(week["start"]) == timedelta(
        days=7
    )
    assert week["cameras"][0]["expected_hours"] == 2
    long = "from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z"
    assert ada.get(f"/api/recordings/coverage?{long}").status_code == 422
    assert ada.get("/api/recordings/coverage?camera=99").status_code == 404


def test_the_disk_is_that_of_the_folder(archive, ada):
    body = body_of(ada.get("/api/recordings/storage"))
    assert body["path"] == str(archive.home.settings.media_dir / "recordings")
    assert body["total"] > body["free"] > 0
    assert body["trouble"] == ""
    assert body["cameras"] == []


def test_the_link_has_a_line_a_day_and_a_judgement(ada):
    body = body_of(ada.get("/api/cameras/1/link"))
    [stream] = body["streams"]
    assert stream["judgement"].startswith("Poor: the stream broke 1 time in 2 h")
    assert stream["days"] == [
        {
            "day": "2026-02-28",
            "seconds": 7200,
            "frames_per_second": 15,
            "bits_per_second": 2_000_000,
            "lost_packets": 0,
            "reconnects": 1,
            "stalls": 0,
            "longest_key_distance": 0,
        }
    ]
    assert body_of(ada.get("/api/cameras/2/link"))["streams"] == []


def test_limited_people_see_their_cameras_alone(archive):
    lea = archive.ask["Lea"]
    rows = body_of(lea.get(f"/api/recordings/coverage?{QUERY}"))["cameras"]
    assert [row["camera"] for row in rows] == [1]
    assert body_of(lea.get("/api/recordings/storage"))["path"] == ""
    assert lea.get("/api/cameras/2/link").status_code == 404
    assert lea.get("/api/recordings/coverage?camera=2").status_code == 404


def test_recording_settings_are_changed_by_those_who_may_record_alone(archive, ada):
    gus, accounts = archive.ask["Gus"], archive.home.monitor.authenticator.accounts
    device, refused = "/api/cameras/1", "Only users who can record this camera"
    changes = (
        (device, {"auto_record": True}),
        (device, {"retention_days": 1}),
        ("/api/camera/1", {"recording": {"auto_record": True}}),
    )
    for path, body in changes:
        answer = gus.ask("PATCH", path, json=body)
        assert (answer.status_code, answer.json["error"][: len(refused)]) == (403, refused), path
    form = {"do": "change", "name": "Gate", "auto_record": "yes", "retention_days": ""}
    assert gus.ask("POST", "/cameras/1/edit", data=form).status_code == 403
    assert archive.home.device("1").recording == {}
    # What is as it was is no change, and an edit without these settings goes on.
    same = {"auto_record": False, "record_quality": "high", "retention_days": None, "notes": "N"}
    body_of(gus.ask("PATCH", device, json=same))
    undo = body_of(ada.ask("PATCH", device, json={"auto_record": True}))["undo"]
    assert 'name="auto_record"' in ada.get("/cameras/1").text
    page = gus.get("/cameras/1").text
    assert 'name="auto_record"' not in page
    assert refused in page
    for path, body in (
        ("/api/undo", {"event": undo[0]}),
        ("/api/cameras/bulk/undo", {"events": undo}),
    ):
        gus.ask("POST", path, json=body)
        assert archive.home.device("1").recording["auto_record"] is True, path
    accounts.grant(user_named(archive.home, "Gus").id, "control", device=1, rights=("record",))
    body_of(gus.ask("POST", "/api/undo", json={"event": undo[0]}))
    assert not archive.home.device("1").recording.get("auto_record")


def test_the_page_says_what_is_missing_and_shows_the_disk(archive, ada):
    text = ada.get(f"/recordings/coverage?{QUERY}").data.decode()
    assert "Camera off: 30 min" in text
    assert str(archive.home.settings.media_dir / "recordings") in text
    assert ">Shed</a>" in text


@pytest.mark.parametrize(
    ("query", "first", "current"),
    [
        ("", "2026-02-22", "7 days"),
        ("days=1", "2026-02-28", "Last 24 h"),
        ("days=30", "2026-01-30", "30 days"),
        ("days=12", "2026-02-22", "7 days"),
        ("from=2026-03-01&to=2026-03-01", "2026-03-01", ""),
    ],
)
def test_the_page_shows_the_days_that_its_form_has_in_the_url(ada, query, first, current):
    page = read(ada.get(f"/recordings/coverage?{query}").text)
    assert page.find_one("input", name="from")["value"] == first
    assert page.find_one("input", name="to")["value"] == "2026-03-01"
    presets = [link for link in page.find("a") if "coverage?days" in link["href"]]
    assert len(presets) == 3
    assert "".join(link.text for link in presets if link.get("aria-current")) == current


@pytest.mark.parametrize(
    "query",
    ["from=2026-03-02", "from=2026-02-20&to=2026-02-19", "from=2025-01-01&to=2026-03-01", "to=x"],
)
def test_days_that_cannot_be_shown_are_refused_beside_the_form(ada, query):
    answer = ada.get(f"/recordings/coverage?{query}")
    assert answer.status_code == 200
    assert "This time cannot be shown" in answer.text
    assert "aria-invalid" in answer.text


def test_the_details_of_a_camera_have_the_chart_of_its_link(ada):
    text = ada.get("/cameras/1").data.decode()
    assert "Bit rate of 1 day, up to 2.0 Mbit/s" in text
    assert "Link quality" not in ada.get("/cameras/2").data.decode()


def test_a_folder_that_is_away_is_a_notice_while_something_is_to_be_recorded(archive, ada):
    video = archive.home.monitor.packages.find(VideoPackage)
    folder = video.keeping.proof.folder
    assert video.keeping.proof.prove() == ""
    folder.rename(folder.with_name("away"))
    video.recorder.step()
    notice = f"{folder} does not exist: its disk or share may not be mounted."
    assert notice not in ada.get("/").data.decode()
    video.recorder.set_due(frozenset({Due(1, None, "Always", "high")}))
    video.recorder.step()
    assert notice in ada.get("/").data.decode()
    assert body_of(ada.get("/api/recordings/storage"))["trouble"].startswith(notice)
    video.recorder.set_due(frozenset())
    folder.with_name("away").rename(folder)
    assert video.keeping.proof.prove() == ""
    video.recorder.step()
    assert notice not in ada.get("/").data.decode()


def test_what_streams_report_becomes_findings_outages_and_link_quality(archive, ada):
    video = archive.home.monitor.packages.find(VideoPackage)
    for note in (video.keeping.outages.note, video.keeping.watch.note):
        assert note in video.streams._on_state
    assert video.keeping.links.note in video.streams._on_counts
    key = StreamKey(2)
    silent = StreamState(NO_PICTURE, NOON - timedelta(minutes=5), "no picture within 10 s")
    for note in video.streams._on_state:
        note(key, silent)
    video.keeping.links.note(key, LinkCounts(10, 150, 2_500_000, 0, 0, 0, 2))
    ada.ask("PATCH", "/api/cameras/2", json={"auto_record": True})
    [job] = video.keeping.jobs()
    job.run()
    assert plan_rows.current_cameras(video.keeping.engine) == {(2, plan_rows.ALWAYS)}
    assert video.keeping.tick() == ""
    findings = body_of(ada.get("/api/camera/2"))["findings"]
    assert [(each["kind"], each["source"]) for each in findings] == [("video.none", "video")]
    assert body_of(ada.get("/api/cameras/2/link"))["streams"][0]["days"][0]["seconds"] == 10
    [outage] = outage_rows.between(video.keeping.engine, [2], NOON - timedelta(minutes=2), NOON)
    assert (outage.device, outage.cause) == (2, "no_picture")
    for note in video.streams._on_state:
        note(key, StreamState(PLAYING, NOON))
    assert body_of(ada.get("/api/camera/2"))["findings"] == []
