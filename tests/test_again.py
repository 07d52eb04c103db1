"""What a run in CI makes of tests that fail beside the others."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TESTS = """
from pathlib import Path
import pytest

seen = Path(__file__).with_suffix(".seen")

def test_that_fails_the_first_time():
    was_seen = seen.exists()
    seen.touch()
    assert was_seen

def test_that_passes():
    pass

@pytest.mark.parametrize("number", range({broken}))
def test_that_is_broken(number):
    assert number < 0
"""


def run(folder: Path, broken: int) -> subprocess.CompletedProcess[str]:
    (folder / "test_things.py").write_text(TESTS.format(broken=broken))
    command = (sys.executable, "-m", "tests.again", "-q", "-p", "xdist", str(folder))
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_test_that_fails_only_once_is_named_and_holds_up_nothing(tmp_path: Path) -> None:
    ended = run(tmp_path, broken=0)
    assert ended.returncode == 0, ended.stdout
    assert "1 failed, 1 passed" in ended.stdout, "the first run"
    assert "UNSTABLE, to be mended:" in ended.stdout
    assert "test_that_fails_the_first_time" in ended.stdout.partition("UNSTABLE")[2]


@pytest.mark.parametrize("broken", [1, 12])
def test_a_broken_test_fails_the_run(tmp_path: Path, broken: int) -> None:
    ended = run(tmp_path, broken)
    assert ended.returncode == 1, ended.stdout
    assert "UNSTABLE" not in ended.stdout
    has_second_run = "run once more, alone" in ended.stdout
    assert has_second_run == (broken == 1), "so many failures are no accident"
