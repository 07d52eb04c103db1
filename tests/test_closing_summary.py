"""The closing lines of `make test` on a machine where something is missing."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONFTEST = "from tests.conftest import pytest_runtest_logreport, pytest_terminal_summary"
TESTS = """
import pytest

@pytest.fixture
def browser():
    raise OSError("libatomic.so.1: cannot open shared object file")

@pytest.mark.parametrize("page", range(30))
def test_a_page_in_a_browser(browser, page):
    pass

@pytest.mark.parametrize("number", range(2))
def test_behind_a_proxy(number):
    pytest.skip("nginx is missing: sudo apt install nginx")

def test_that_needs_nothing():
    pass
"""


def test_the_closing_lines_name_what_is_missing_once(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_pages.py").write_text(TESTS)
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path))
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1, ended.stderr
    assert "30 tests: OSError: libatomic.so.1: cannot open shared object file" in ended.stdout
    assert "2 tests: nginx is missing: sudo apt install nginx" in ended.stdout
    # The traceback of the 30 failed set-ups stands there once, the cause of the others in a line.
    assert ended.stdout.count("def browser():") == 1
    assert "1 passed, 2 skipped, 30 errors" in ended.stdout
