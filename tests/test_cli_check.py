"""`python cli.py check`, as a process of its own, towards a simulated cloud."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from simulators.easy4ip import Cloud, Recorder
from tests import warm_start
from tests.home import ROOT
from tests.workbooks import TITLES, write

ROWS = [
    ("AB12345", "SITE-001", "Mall"),
    ("AB12346", "SITE-002", "Port"),
    ("AB12347", "SITE-003", "Pier"),
]


class Result(NamedTuple):
    code: int
    out: str
    err: str


Check = Callable[..., Result]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    recorders = [Recorder("AB12345", 0), Recorder("AB12346", 1), Recorder("AB12347", 0)]
    with Cloud(recorders, servers=2) as made:
        yield made
        assert made.faults == []
        assert made.refused == 0
        assert not made.asked_foreign


@pytest.fixture
def check(cloud: Cloud, tmp_path: Path) -> Check:
    def run(*arguments: str | Path, **more: str) -> Result:
        environment = {
            "PATH": os.environ["PATH"],
            "DATA_DIR": str(tmp_path / "data"),
            "DATABASE_PATH": str(tmp_path / "camera_database.json"),
            "EASY4IP_SERVER": f"127.0.0.1:{cloud.port}",
            "EASY4IP_TIMEOUT": "0.5",
            **more,
        }
        done = warm_start.run(
            [sys.executable, "cli.py", "check", *map(str, arguments)],
            cwd=ROOT,
            env=environment,
            text=True,
        )
        assert "Traceback" not in done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "P2P1.xlsx", ROWS)


# -- one serial --------------------------------------------------------------------------------


def test_a_serial_that_is_online_exits_with_0(check):
    assert check("ab12345") == (0, "ab12345 is online (firmware 6.7.30)\n", "")


def test_a_serial_that_is_offline_exits_with_1_and_says_why(check, cloud):
    cloud.recorders["AB12345"].state = "gone"
    result = check("AB12345")
    assert (result.code, result.err) == (1, "")
    assert result.out == "AB12345 is offline: not online on its P2P server: 404\n"


@pytest.mark.parametrize(("state", "code"), [("online", 0), ("offline", 1)])
def test_a_serial_as_json(check, cloud, state, code):
    cloud.recorders["AB12345"].state = state
    result = check("AB12345", "--json")
    answer = json.loads(result.out)
    assert result.code == code
    assert list(answer) == ["serial", "status", "reason"]
    assert (answer["serial"], answer["status"]) == ("AB12345", state)


def test_a_cloud_that_cannot_be_asked_exits_with_3(check, cloud):
    cloud.main.dead = True
    result = check("AB12345")
    assert (result.code, result.out) == (3, "")
    assert "is not responding" in result.err
    assert f"UDP to port {cloud.port} is allowed" in result.err, (
        "the port that EASY4IP_SERVER names"
    )


def test_a_refused_key_exits_with_3_and_calls_nobody_offline(check, cloud):
    cloud.refuses_keys = "403"
    result = check("AB12345")
    assert result.code == 3
    assert "offline" not in result.out
    assert "EASY4IP_KEY" in result.err


@pytest.mark.parametrize("arguments", [(), ("AB12345", "--excel", "x.xlsx"), ("no/serial",)])
def test_wrong_use_is_said_in_one_line_and_asks_nobody(check, cloud, arguments):
    result = check(*arguments)
    assert result.code != 0
    assert len(result.err.splitlines()) == 1
    assert cloud.asked.total() == 0


# -- a workbook --------------------------------------------------------------------------------


def test_a_workbook_whose_recorders_are_all_online_exits_with_0(check, file):
    result = check("--excel", file)
    assert (result.code, result.err) == (0, "")
    assert "SITE-" not in result.out


def test_only_what_is_not_online_is_printed(check, cloud, file):
    cloud.recorders["AB12346"].state = "gone"
    result = check("--excel", file, "--csv")
    (row,) = csv.DictReader(io.StringIO(result.out))
    assert result.code == 1
    assert [row[title] for title in (*TITLES, "status")] == [
        "AB12346",
        "SITE-002",
        "Port",
        "offline",
    ]
    assert "404" in row["reason"]


def test_a_workbook_as_json(check, cloud, file):
    cloud.recorders["AB12347"].state = "offline"
    result = check("--excel", file, "--json")
    assert [(item["SITE"], item["status"]) for item in json.loads(result.out)] == [
        ("SITE-003", "offline")
    ]


def test_what_could_not_be_asked_is_unknown_and_exits_with_3(check, cloud, file):
    cloud.regions[1].dead = True
    result = check("--excel", file, "--json")
    assert [(item["SITE"], item["status"]) for item in json.loads(result.out)] == [
        ("SITE-002", "unknown")
    ]
    assert result.code == 3
    assert f"127.0.0.1:{cloud.regions[1].port}" in result.err


def test_bad_rows_are_told_on_stderr_and_the_others_are_asked(check, cloud, tmp_path):
    path = write(tmp_path / "bad.xlsx", [*ROWS, (None, "SITE-004", "Dock")])
    result = check("--excel", path)
    assert (result.code, result.out.count("SITE")) == (0, 1)  # only the titles
    assert result.err.startswith("Row 5: P2P NUMBER of SITE-004 is empty")


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot be read"), (b"hello", "not an .xlsx workbook")]
)
def test_a_file_that_cannot_be_used_is_said(check, cloud, tmp_path, content, message):
    path = tmp_path / "other.xlsx"
    if content is not None:
        path.write_bytes(content)
    result = check("--excel", path)
    assert result.code == 1
    assert message in result.err
    assert cloud.asked.total() == 0
