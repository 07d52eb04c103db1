"""The audit log: every filter, no secrets, and no entry lost or out of order."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from audit.audit_log import MAX_WAITING, AuditLog, without_secrets
from audit.model import AuditEntry
from store.sql import Unreachable, migrate, open_engine
from tests.accounts.people import NOON, noon
from tests.store.postgres import PASSWORD, Cluster


@pytest.fixture
def audit(engine: Engine, tmp_path: Path) -> AuditLog:
    return AuditLog(engine, tmp_path)


def entry(number: int = 1, **more: Any) -> AuditEntry:
    given = {
        "at": noon(minutes=number),
        "who": "Ada",
        "address": "192.0.2.7",
        "action": "user.added",
        "about": "Vera",
        "text": f"line {number}",
        **more,
    }
    return AuditEntry(**given)


def texts(entries: list[AuditEntry]) -> list[str]:
    return [entry.text for entry in entries]


# -- writing ---------------------------------------------------------------------------------


def test_a_line_comes_back_as_it_was(audit: AuditLog) -> None:
    written = entry(
        at=datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC),
        text="Größe 門 📷 <b>'; DROP TABLE audit; --\nsecond",
        before={"role": None, "list": [1, "x", {"y": 2.5}], "on": True},
        after={"big": 2**60, "empty": {}},
    )
    audit.note(written)
    (read,) = audit.find()
    assert read == AuditEntry(
        **{**{n: getattr(written, n) for n in written.__slots__}, "id": read.id}
    )
    assert read.id > 0


ODD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a NUL": ({"text": "a\x00b", "who": "\x00Ada"}, {"text": "ab", "who": "Ada"}),
    "half a character": ({"about": "a\ud800b"}, {"about": "a?b"}),
    "a NUL in what changed": ({"after": {"a\x00": ["\x00b"]}}, {"after": {"a": ["b"]}}),
    "half a character in what changed": ({"before": {"\udc00": "\ud800"}}, {"before": {"?": "?"}}),
    "a long name": ({"who": "w" * 1000}, {"who": "w" * 80}),
    "a long address": ({"address": "1" * 1000}, {"address": "1" * 60}),
    "a long action": ({"action": "a" * 1000}, {"action": "a" * 60}),
    "long about": ({"about": "門" * 1000}, {"about": "門" * 200}),
    "a very long text": ({"text": "x" * 1_000_000}, {"text": "x" * 1_000_000}),
    "nothing at all": ({"who": "", "text": "", "about": ""}, {"who": "", "text": "", "about": ""}),
    "a time in what changed": ({"after": {"at": NOON}}, {"after": {"at": str(NOON)}}),
    "no number": ({"after": {"x": float("nan")}}, {"after": {"x": "nan"}}),
    "endless": ({"after": {"x": [float("inf"), 1.5]}}, {"after": {"x": ["inf", 1.5]}}),
    "a tuple": ({"after": {"x": (1, (2,))}}, {"after": {"x": [1, [2]]}}),
    "numbers as keys": ({"after": {1: {2: 3}}}, {"after": {"1": {"2": 3}}}),
    "bytes": ({"after": {"x": b"\xff"}}, {"after": {"x": "b'\\xff'"}}),
}


@pytest.mark.parametrize("what", ODD)
def test_an_odd_line_is_written_and_holds_nothing_up(audit: AuditLog, what: str) -> None:
    """A line that the database refuses would stop all that come after it."""
    odd, expected = ODD[what]
    audit.note(entry(1))
    audit.note(entry(2, **odd))
    audit.note(entry(3))
    third, second, first = audit.find()
    assert texts([third, first]) == ["line 3", "line 1"]
    assert {name: getattr(second, name) for name in expected} == expected


# -- questions -------------------------------------------------------------------------------


@pytest.fixture
def history(audit: AuditLog) -> AuditLog:
    """Ten lines a minute apart, by two people, of three actions."""
    actions = ("user.added", "device.edited", "userx", "login")
    for number in range(1, 11):
        audit.note(
            entry(
                number,
                who=("Ada", "Vera")[number % 2],
                action=actions[number % 4],
                about=f"camera {number} 100%",
                address=f"192.0.2.{number}",
            )
        )
    return audit


QUESTIONS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "everything, newest first": ({}, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
    "by who": ({"who": "Vera"}, [9, 7, 5, 3, 1]),
    "by nobody there": ({"who": "vera"}, []),
    "by action": ({"action": "device.edited"}, [9, 5, 1]),
    "by a family of actions": ({"action": "user."}, [8, 4]),
    "a family is no pattern": ({"action": "%."}, []),
    "nor is an underscore": ({"action": "user_"}, []),
    "by words in the text": ({"q": "LINE 1"}, [10, 1]),
    "by words in what it is about": ({"q": "camera 7"}, [7]),
    "by the beginning of a name": ({"q": "ver"}, [9, 7, 5, 3, 1]),
    "by an address": ({"q": "192.0.2.3"}, [3]),
    "a percent sign is one": ({"q": "2 100%"}, [2]),
    "and matches nothing else": ({"q": "line%1"}, []),
    "a backslash is one": ({"q": "\\"}, []),
    "a NUL is none": ({"q": "ver\x00"}, [9, 7, 5, 3, 1]),
    "half a character is nowhere": ({"q": "\ud800", "who": "\ud800"}, []),
    "since, which counts in": ({"since": noon(minutes=9)}, [10, 9]),
    "until, which does not": ({"until": noon(minutes=3)}, [2, 1]),
    "in another zone": ({"since": noon(minutes=9).astimezone(tz=None)}, [10, 9]),
    "a page of the newest": ({"limit": 3}, [10, 9, 8]),
    "all at once": (
        {"who": "Vera", "action": "device.", "q": "camera", "since": noon(minutes=2), "limit": 1},
        [9],
    ),
}


@pytest.mark.parametrize("what", QUESTIONS)
def test_lines_are_found(history: AuditLog, what: str) -> None:
    question, numbers = QUESTIONS[what]
    assert texts(history.find(**question)) == [f"line {number}" for number in numbers]


def test_pages_by_before_tell_every_line_once(history: AuditLog) -> None:
    """Though lines are added while somebody turns the pages."""
    read, before = [], None
    while page := history.find(limit=4, before=before):
        read += texts(page)
        before = page[-1].id
        history.note(entry(99))
    assert read == [f"line {number}" for number in range(10, 0, -1)]


def test_what_is_old_is_forgotten_and_counted(history: AuditLog) -> None:
    assert history.forget(noon(minutes=4)) == 3
    assert texts(history.find())[-1] == "line 4"
    assert history.forget(noon(minutes=4)) == 0


def test_a_number_is_not_given_again(history: AuditLog) -> None:
    """Who turns the pages would otherwise skip a new line."""
    last = history.find()[0].id
    history.forget(noon(hours=1))
    history.note(entry(1))
    assert history.find()[0].id > last


# -- secrets ---------------------------------------------------------------------------------

MASKED = [
    ({"password": "hunter2"}, {"password": "***"}),
    ({"New Password": "hunter2"}, {"New Password": "***"}),
    ({"snmp_community": ["public"]}, {"snmp_community": "***"}),
    ({"API-KEY": {"a": "hunter2"}}, {"API-KEY": "***"}),
    ({"token": 12345678}, {"token": "***"}),
    ({"token": None, "secret": ""}, {"token": "***", "secret": "***"}),
    ({"has_password": True}, {"has_password": True}),
    ({"name": "Gate", "port": 80}, {"name": "Gate", "port": 80}),
    ({"a": [{"b": ({"secret": "hunter2"},)}]}, {"a": [{"b": [{"secret": "***"}]}]}),
    ({}, {}),
]


@pytest.mark.parametrize(("given", "shown"), MASKED, ids=range(len(MASKED)))
def test_what_is_called_like_a_secret_is_not_shown(
    given: dict[str, Any], shown: dict[str, Any]
) -> None:
    assert without_secrets(given) == shown


def test_a_secret_is_found_however_deep() -> None:
    deep: Any = {"password": "hunter2"}
    for number in range(100):
        deep = {"in": deep} if number % 2 else {"in": [deep]}
    assert "hunter2" not in repr(without_secrets(deep))
    assert "'***'" in repr(without_secrets(deep))


def test_what_was_given_stays_as_it_is() -> None:
    given = {"a": {"password": "hunter2"}}
    without_secrets(given)
    assert given == {"a": {"password": "hunter2"}}


# -- while the database is away --------------------------------------------------------------


def test_lines_wait_while_the_server_is_down_and_are_written_once_in_order(
    postgres: Cluster, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.INFO, "audit.audit_log")
    engine = open_engine(postgres.new_database())
    migrate(engine)
    audit = AuditLog(engine, tmp_path)
    audit.note(entry(1))
    postgres.stop()
    for number in (2, 3, 4):
        audit.note(entry(number))
    audit.flush()
    with pytest.raises(Unreachable):
        audit.find()
    postgres.start()
    audit.note(entry(5))
    audit.flush()
    assert texts(audit.find()) == [f"line {number}" for number in (5, 4, 3, 2, 1)]
    levels = [record.levelname for record in caplog.records if record.name == "audit.audit_log"]
    assert levels == ["WARNING", "INFO"], "away is said once, back once"
    assert PASSWORD not in caplog.text
    engine.dispose()


def test_lines_outlive_a_crash_and_none_is_written_twice(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    audit, waiting = AuditLog(sqlite_engine, tmp_path), tmp_path / "audit.outbox"
    audit.note(entry(1))
    audit.note(entry(2))
    kept = waiting.read_bytes()
    assert len(kept.splitlines()) == 2
    audit.flush()
    assert waiting.read_bytes() == b""
    # A crash after SQL had them and before the file forgot them; and one in a third line.
    waiting.write_bytes(kept + b'{"at": "2026-03-0')
    audit = AuditLog(sqlite_engine, tmp_path)
    audit.note(entry(3))
    assert texts(audit.find()) == ["line 3", "line 2", "line 1"]
    assert waiting.read_bytes() == b""


DAMAGED = {
    "an unknown name": {"role": "admin"},
    "a number for a text": {"about": 7},
    "no mark": {"mark": None},
    "a time that is none": {"at": "yesterday"},
    "a number for a time": {"at": 7},
    "a time before all times": {"at": "0001-01-01T00:00:00+14:00"},
}


def test_a_damaged_line_holds_up_no_other_and_is_not_shown(
    audit: AuditLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = tmp_path / "audit.outbox"
    audit.note(entry(1, about="Secret Name"))
    good = json.loads(waiting.read_bytes())
    lines = [{**good, "mark": f"m{n}", **odd} for n, odd in enumerate(DAMAGED.values())]
    lines += [{name: value for name, value in good.items() if name != "who"}]
    with waiting.open("a") as file:
        for line in (*lines, ["Secret Name"], "Secret Name"):
            file.write(json.dumps(line) + "\n")
        file.write("[" * 100_000 + "\n" + '{"text": "Secret Name\n')
        file.write(json.dumps({**good, "mark": "long", "text": "line 2", "who": "w\0" * 99}) + "\n")
    whole = waiting.read_bytes()
    # Each line is the first one of a delivery once.
    for line in whole.splitlines(keepends=True):
        waiting.write_bytes(line + whole)
        assert audit.flush()
        assert waiting.read_bytes() == b""
    assert texts(audit.find()) == ["line 2", "line 1"]
    assert "Skipped a damaged audit log entry" in caplog.text
    assert "Secret Name" not in caplog.text


def test_more_lines_than_one_delivery_holds_arrive_in_order(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    audit = AuditLog(sqlite_engine, tmp_path)
    for number in range(1, 504):
        audit.note(entry(number))
    assert texts(audit.find(limit=1000)) == [f"line {number}" for number in range(503, 0, -1)]


def test_a_line_that_the_disk_does_not_take_is_kept_and_said(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "gone"
    audit = AuditLog(sqlite_engine, folder)
    audit.note(entry(1))
    assert "No such file or directory" in audit.trouble
    assert "1 entry" in audit.trouble
    audit.flush()
    assert audit.trouble == ""
    folder.mkdir()
    audit.note(entry(2))
    assert texts(audit.find()) == ["line 2", "line 1"]


def test_what_waits_in_memory_is_bounded(sqlite_engine: Engine, tmp_path: Path) -> None:
    audit = AuditLog(sqlite_engine, tmp_path / "gone")
    for number in range(MAX_WAITING + 2):
        audit.note(entry(number))
    assert f"{MAX_WAITING} entries" in audit.trouble
