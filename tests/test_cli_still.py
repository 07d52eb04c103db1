"""`cli.py still`: a picture in a file, whether Camera Monitor runs or not."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.pictures import jpeg_size
from tests.gst_server import needs_gst
from tests.home import ROOT, Running, running
from tests.warm_start import run
from tests.web.live_pictures import DEAD, GATE, LOGIN, add, cameras

pytestmark = needs_gst


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real camera that wants a login with Digest."""
    with cameras(GATE) as urls:
        yield urls[GATE]


def still(place: Running, *arguments: str) -> tuple[int, str, str]:
    """What a command ends with: its code, and what it wrote to stdout and stderr."""
    done = run(
        [sys.executable, "cli.py", "still", *arguments],
        cwd=ROOT,
        env=place.environment,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_still_is_written_by_the_running_monitor_and_without_one(
    camera: str, tmp_path: Path
) -> None:
    file, username, password = tmp_path / "gate.jpg", *LOGIN.split(":")
    with running(tmp_path) as monitor:
        add(monitor, GATE, camera, username, password)
        add(monitor, DEAD, "rtsp://127.83.1.2:9/stream1", "", "")
        code, out, err = still(monitor, "Camera 1", "--output", str(file))
        assert (code, err) == (0, "")
        assert f"Still of Camera 1 written to {file}" in out
        first = file.read_bytes()
        assert min(jpeg_size(first)) > 0
        code, _out, err = still(monitor, str(DEAD), "--output", str(file))
        assert (code, len(err.splitlines())) == (1, 1), err
        assert "No still of Camera 2: " in err
        assert file.read_bytes() == first
        for key in ("99", "Nobody"):
            code, _out, err = still(monitor, key, "-o", str(file))
            assert (code, f"Camera {key} does not exist" in err) == (1, True), err
        code, _out, err = still(monitor, "1", "-o", str(tmp_path / "none" / "gate.jpg"))
        assert (code, "cannot be written (No such file or directory)" in err) == (1, True), err
        assert "--output" in still(monitor, "1")[2]
    code, out, err = still(monitor, "1", "--output", str(file))
    assert (code, err) == (0, "")
    assert file.read_bytes() != first
    assert [path.name for path in tmp_path.glob("*.jpg*")] == ["gate.jpg"]
