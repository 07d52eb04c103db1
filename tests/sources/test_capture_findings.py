"""Cameras of this server that are connected and take no picture: when that is a finding."""

import fcntl
from pathlib import Path

import pytest

from fleet.model import Device, Fault, Finding
from fleet.pictures import NotTaken
from sources import local_cameras
from sources.capture_findings import AFTER, AGAIN_FOUND, AGAIN_UNSURE, APART, KIND, CaptureFindings
from sources.local_capture import LocalCameras
from tests.home import Clock, Home, until
from tests.sources.pi_stand_in import NOW, PI, Computer, needs_picamera2

BUSY, SILENT = "The camera is in use by another program.", "The camera does not send a picture."


class Judged:
    """The judgement of one camera, with seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now, self.text = 1000.0, ""
        self.told: list[str] = []
        self.findings = CaptureFindings(self.devices, self.take, lambda: NOW, lambda: self.now)

    def devices(self) -> dict[int, Device]:
        faults = (Fault(KIND, NOW, self.text, "local"),) if self.text else ()
        return {1: Device(1, "camera", "here", (PI,), findings=faults)}

    def take(self, findings: list[Finding]) -> None:
        [finding] = findings
        self.text = finding.text
        self.told.append(finding.text)

    def fail(self, reason: str = BUSY, *, times: int = 1, later: float = APART) -> None:
        for _number in range(times):
            self.now += later
            self.findings.note_failure(PI, reason)


def test_three_failures_in_a_row_are_a_finding_and_a_picture_ends_it() -> None:
    judged = Judged()
    judged.fail(times=AFTER - 1)
    assert judged.told == []
    judged.fail()
    assert judged.text == (
        "it is connected, but takes no picture: the camera is in use by another program"
    )
    judged.findings.note_picture(PI)
    assert (judged.text, len(judged.told)) == ("", 2)


def test_a_picture_between_failures_begins_the_count_again() -> None:
    judged = Judged()
    for _number in range(3):
        judged.fail(times=AFTER - 1)
        judged.findings.note_picture(PI)
    assert judged.told == []


def test_a_page_that_is_reloaded_many_times_proves_no_more_than_once() -> None:
    judged = Judged()
    judged.fail(times=20, later=1.0)
    assert judged.told == []


def test_another_reason_is_told_and_the_same_one_is_not_repeated() -> None:
    judged = Judged()
    judged.fail(times=AFTER + 2)
    assert len(judged.told) == 1
    judged.fail(SILENT)
    assert judged.text.endswith("does not send a picture")


def test_a_driver_that_hangs_is_a_finding_at_once() -> None:
    judged = Judged()
    judged.findings.note_failure(PI, "The driver does not respond.", is_certain=True)
    assert "driver" in judged.text


def test_a_camera_that_failed_is_tried_again_by_itself() -> None:
    judged = Judged()
    assert judged.findings.due() == []
    judged.fail()
    assert judged.findings.due() == []
    judged.now += AGAIN_UNSURE
    assert judged.findings.due() == [PI]
    judged.fail(times=AFTER)
    judged.now += AGAIN_UNSURE
    assert judged.findings.due() == [], "a finding has time"
    judged.now += AGAIN_FOUND
    assert judged.findings.due() == [PI]
    judged.findings.note_absence(PI)
    assert judged.findings.due() == []


def test_a_finding_from_before_a_restart_is_tried_again() -> None:
    judged = Judged()
    judged.text = "it is connected, but takes no picture: ..."
    assert judged.findings.due() == []
    judged.now += AGAIN_FOUND
    assert judged.findings.due() == [PI]
    judged.findings.note_picture(PI)
    assert judged.text == ""


@needs_picamera2
def test_a_pi_camera_in_use_elsewhere_is_a_finding_and_ends_by_itself(tmp_path: Path) -> None:
    (tmp_path / "pi").mkdir()
    computer, clock = Computer(tmp_path / "pi"), Clock()
    (computer.folder / "dev" / "media0").touch()
    lock = computer.folder / "lock"
    computer.plan(lock=str(lock))
    source = local_cameras.source(computer.machine(), clock, watch_every=0.02)
    home = Home(tmp_path, clock, sources=(source,), camera_python=computer.python)
    try:
        [camera] = until(home.devices, what="the camera is in the list")
        cameras = home.monitor.packages.find(LocalCameras)
        now = [1000.0]
        cameras._findings._timer = lambda: now[0]
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for _number in range(AFTER):
                now[0] += APART
                with pytest.raises(NotTaken, match="another program"):
                    cameras.capture(camera.id, 30)
        page = home.client.get(f"/cameras/{camera.id}").text
        assert "it is connected, but takes no picture" in page
        assert home.status(str(camera.id)) == "ACTIVE"
        now[0] += AGAIN_FOUND
        cameras.tick()
        until(lambda: not home.device(str(camera.id)).findings, what="the finding has ended")
    finally:
        home.close()
