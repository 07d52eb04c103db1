"""ZIP files of stills: whole, of the size that was announced, and with what was deleted named."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from stills.archive import CHUNK, GONE, Entry, archive, entries_of, size_of
from stills.model import Still
from tests.stills.studio import BERLIN, NOON

DATA = {number: bytes([number]) * (number * CHUNK // 2 + number) for number in range(1, 5)}


def still(number: int, at: datetime = NOON) -> Still:
    size = len(DATA[number])
    return Still(number, 1, at, True, "stream", 64, 48, size, f"{number}.jpg", "hour")


def entries(*stills: Still, name: str = "Gate") -> list[Entry]:
    return entries_of(stills, lambda _still: name, BERLIN)


def read(each: Still) -> bytes | None:
    return DATA[each.id]


def test_the_file_has_every_still_as_it_is_and_the_size_that_was_announced(tmp_path: Path) -> None:
    some = entries(*(still(n, NOON + timedelta(hours=n)) for n in DATA), name="Tor é")
    pieces = list(archive(some, read))
    data = b"".join(pieces)
    assert len(data) == size_of(some)
    assert max(map(len, pieces)) <= CHUNK
    with ZipFile(BytesIO(data)) as opened:
        assert opened.testzip() is None
        names = [f"Tor é 2026-11-28 {13 + n}-00-00.jpg" for n in DATA]
        assert opened.namelist() == names
        assert [opened.read(name) for name in names] == list(DATA.values())
        assert opened.infolist()[0].date_time == (2026, 11, 28, 14, 0, 0)
    path = tmp_path / "stills.zip"
    path.write_bytes(data)
    subprocess.run(["unzip", "-tqq", str(path)], check=True)


def test_a_still_that_is_deleted_meanwhile_is_named_and_changes_no_size() -> None:
    some = entries(*(still(n, NOON + timedelta(hours=n)) for n in DATA))
    answers = {**DATA, 2: None, 3: DATA[3][:-1]}
    data = b"".join(archive(some, lambda each: answers[each.id]))
    assert len(data) == size_of(some)
    with ZipFile(BytesIO(data)) as opened:
        assert opened.testzip() is None
        endings = [name.rpartition(".")[2] for name in opened.namelist()]
        assert endings == ["jpg", "txt", "txt", "jpg"]
        assert opened.read(opened.namelist()[1]).startswith(GONE)
        assert opened.read(opened.namelist()[3]) == DATA[4]


def test_one_still_is_in_memory_at_a_time() -> None:
    some, asked = entries(*(still(n) for n in DATA)), list[int]()

    def note(each: Still) -> bytes:
        asked.append(each.id)
        return DATA[each.id]

    pieces = archive(some, note)
    next(pieces)
    assert asked == [1]


def test_stills_of_the_same_second_and_of_the_hour_that_comes_twice_have_names_of_their_own() -> (
    None
):
    twice = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    some = entries(still(1, twice[0]), still(2, twice[1]), still(3), still(4))
    assert [entry.name for entry in some] == [
        "Gate 2026-10-25 02-30-00.jpg",
        "Gate 2026-10-25 02-30-00 (2).jpg",
        "Gate 2026-11-28 13-00-00.jpg",
        "Gate 2026-11-28 13-00-00 (2).jpg",
    ]


def test_a_clock_that_was_not_set_makes_a_file_that_opens() -> None:
    times = [datetime(year, 1, 1, tzinfo=UTC) for year in (1970, 2190)]
    some = entries(*(replace(still(1), taken_at=at) for at in times))
    with ZipFile(BytesIO(b"".join(archive(some, read)))) as opened:
        known = [info.date_time for info in opened.infolist()]
        assert known == [(1980, 1, 1, 0, 0, 0), (2107, 12, 31, 0, 0, 0)]
        assert opened.namelist() == [f"Gate {year}-01-01 01-00-00.jpg" for year in (1970, 2190)]
