"""The process that measures: pictures of every kind, its limits, and what it gives back."""

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest

if importlib.util.find_spec("cv2") is None:
    pytest.skip("OpenCV is not installed: PyPI has none for this machine", allow_module_level=True)

import cv2
import numpy as np

from picture_health import measuring
from picture_health.measures import size_of
from picture_health.measuring import CannotMeasure, Measuring
from picture_health.model import DESCRIPTOR_BYTES
from tests.home import until
from tests.picture_health.scenes import Camera, Moment


@pytest.fixture(scope="module")
def measures() -> Iterator[Measuring]:
    measuring = Measuring()
    yield measuring
    measuring.stop()


PICTURE = Camera(1, "day").jpeg(Moment(0))


def jpeg(width: int, height: int, *options: int) -> bytes:
    grey = np.add.outer(np.arange(height) % 200, np.arange(width) % 50).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", grey, options)[1])


def test_a_picture_is_measured_beside_earlier_ones(measures: Measuring) -> None:
    first = measures.sample(PICTURE)
    assert len(first.descriptor) == DESCRIPTOR_BYTES
    assert 40 < first.measures.brightness < 220
    again = measures.sample(PICTURE, [first.descriptor, b""])
    same, nothing = again.comparisons
    assert nothing is None
    assert same is not None
    assert (same.unchanged, same.lost, same.agreement) == (1.0, 0.0, 1.0)


@pytest.mark.parametrize("size", [(320, 240), (704, 576), (1280, 720), (3840, 2160), (90, 160)])
def test_every_size_has_a_descriptor_of_one_size(
    measures: Measuring, size: tuple[int, int]
) -> None:
    assert len(measures.sample(jpeg(*size)).descriptor) == DESCRIPTOR_BYTES


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a JPEG"),
        (b"<html>error</html>", "not a JPEG"),
        (PICTURE[:40], "not a JPEG"),
        (b"\xff\xd8\xff\xc0\x00\x11\x08" + b"\x00\x00\x00\x00" * 4, "not a JPEG"),
        # 200 megapixels, claimed in a few bytes.
        (b"\xff\xd8\xff\xc0\x00\x11\x08\x27\x10\x4e\x20" + b"\x00" * 40, "too large"),
        (b"\xff\xd8\xff\xc0\x00\x11\x08\x01\x10\x01\x20" + b"\x00" * 40, "cannot be decoded"),
        (b"x" * (41 << 20), "too large"),
    ],
)
def test_what_is_no_picture_has_a_reason_and_leaves_the_process(
    measures: Measuring, data: bytes, reason: str
) -> None:
    measures.sample(PICTURE)
    pid = measures.pid()
    with pytest.raises(CannotMeasure, match=reason):
        measures.sample(data)
    measures.sample(PICTURE)
    assert measures.pid() == pid


def test_an_earlier_descriptor_of_another_kind_is_refused(measures: Measuring) -> None:
    with pytest.raises(CannotMeasure, match="earlier picture"):
        measures.sample(PICTURE, [b"123"])


def test_a_process_that_was_killed_is_replaced(measures: Measuring) -> None:
    measures.sample(PICTURE)
    pid = measures.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    measures.sample(PICTURE)
    assert measures.pid() not in (None, pid)


def test_a_process_that_hangs_is_killed_and_the_next_picture_gets_another() -> None:
    hanging = Measuring(timeout=0.3, command=(sys.executable, "-c", "import time; time.sleep(60)"))
    begin = monotonic()
    with pytest.raises(CannotMeasure, match="took too long"):
        hanging.sample(PICTURE)
    assert hanging.pid() is None
    assert monotonic() - begin < 30


@pytest.mark.parametrize("answer", ["import sys", "raise SystemExit(3)"])
def test_a_process_that_ends_without_an_answer_is_told(answer: str) -> None:
    ending = Measuring(command=(sys.executable, "-c", answer))
    with pytest.raises(CannotMeasure, match="has ended"):
        ending.sample(PICTURE)


def test_a_process_that_hangs_keeps_neither_the_monitor_nor_its_end_waiting() -> None:
    hanging = Measuring(60, (sys.executable, "-c", "import time; time.sleep(600)"))
    with ThreadPoolExecutor(1) as others:
        picture = others.submit(hanging.sample, PICTURE)
        until(hanging.pid, what="it is started")
        pid = hanging.pid()
        hanging.end_if_idle(0)
        assert hanging.pid() == pid
        hanging.stop()
        with pytest.raises(CannotMeasure, match="has ended"):
            picture.result(20)
    with pytest.raises(CannotMeasure, match="has ended"):
        hanging.sample(PICTURE)
    assert hanging.pid() is None


def test_an_idle_process_is_ended(measures: Measuring) -> None:
    measures.sample(PICTURE)
    measures.end_if_idle(3600)
    pid = measures.pid()
    assert pid is not None
    measures.end_if_idle(0)
    assert measures.pid() is None
    assert not Path(f"/proc/{pid}").exists()


def test_memory_stays_bounded_whatever_comes(measures: Measuring) -> None:
    """A progressive JPEG needs the most: all of its coefficients at once."""
    large = jpeg(7000, 5000, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert size_of(large) == (7000, 5000)
    measures.sample(large)
    assert peak(measures.pid()) < 400 << 20
    measures.sample(PICTURE)


def peak(pid: int | None) -> int:
    """The most memory that a process had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def test_without_opencv_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "LIBRARY", "cv2_that_is_not_installed")
    with pytest.raises(CannotMeasure, match="OpenCV is not installed") as refused:
        Measuring().sample(PICTURE)
    assert "python3-opencv" in refused.value.hint
    assert not measuring.is_available()


def test_the_monitor_itself_loads_none_of_it() -> None:
    code = "import sys, picture_health.measuring, picture_health.judging; print(sys.modules.keys())"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "picture_health.measuring" in loaded
    assert "numpy" not in loaded
    assert "cv2" not in loaded
