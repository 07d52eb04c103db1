"""What a process of its own is for: its libraries leave nothing behind in the monitor."""

import os
import subprocess
import sys
from collections.abc import Iterator
from textwrap import dedent
from threading import Event, Thread

import pytest
from sqlalchemy import create_engine, text

from store.apart import run_apart
from tests.home import ROOT


def run(program: str, *arguments: str) -> str:
    """What a program in a fresh Python prints."""
    answer = subprocess.run(
        [sys.executable, "-c", dedent(program), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return answer.stdout


OPENED = """
    import sys
    from store.database import Database
    from store.sql import Unreachable
    database = Database(sys.argv[1])
    try:
        print(repr(database.open()))
    except Unreachable as error:
        print(type(error).__name__, error)
    print("alembic" in sys.modules)
"""


def test_tables_are_migrated_without_a_trace_in_the_monitor(sql_url: str) -> None:
    assert run(OPENED, sql_url).split() == ["''", "False"]
    engine = create_engine(sql_url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM events")).scalar() == 0
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    refused, trace = run(OPENED, sql_url).splitlines()
    assert refused.startswith("Unreachable The SQL database was written by a newer Camera Monitor")
    assert trace == "False"


def test_errors_that_are_named_come_back_and_others_are_logged() -> None:
    program = """
        from store.apart import ApartFailed, run_apart
        def fail(error):
            raise error
        for error in (KeyError("1"), ValueError("too \\u00e4"), SystemExit(4)):
            try:
                run_apart(lambda: fail(error), (OSError, ValueError))
            except (ApartFailed, ValueError) as came:
                print(type(came).__name__, ascii(str(came)))
        print(run_apart(lambda: "x" * 200_000) == "x" * 200_000)
    """
    assert run(program).splitlines() == [
        "ApartFailed ''",
        "ValueError 'too \\xe4'",
        "ApartFailed ''",
        "True",
    ]


def test_a_process_that_is_killed_is_no_result() -> None:
    program = """
        import os, signal
        from store.apart import ApartFailed, run_apart
        try:
            run_apart(lambda: os.kill(os.getpid(), signal.SIGKILL) or "")
        except ApartFailed:
            print("failed")
    """
    assert run(program) == "failed\n"


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Another thread runs meanwhile."""
    ends = Event()
    other = Thread(target=ends.wait)
    other.start()
    yield
    ends.set()
    other.join()


@pytest.mark.usefixtures("two_threads")
def test_beside_other_threads_nothing_is_copied() -> None:
    assert run_apart(lambda: str(os.getpid())) == str(os.getpid())
    with pytest.raises(KeyError):
        run_apart(lambda: {"yes": ""}["no"])
