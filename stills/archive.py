"""A ZIP file of stills, made while it is sent (APPNOTE.TXT 6.3.10, PKWARE). No I/O but the reading
of one still at a time.

JPEGs do not get smaller, so they are stored as they are, and the size of the whole is known before
the first byte. A still that is deleted meanwhile is replaced by a text of the same size.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from struct import Struct
from zlib import crc32

from stills.model import Still

MOST_STILLS, MOST_BYTES = 5000, 2 * 10**9
"""In one file: both fit in a ZIP that every program reads."""
CHUNK = 1 << 16
ENDING, GONE_ENDING = ".jpg", ".txt"
GONE = b"This still was deleted, or cannot be read.\r\n"
LOCAL, CENTRAL, END = Struct("<4s5H3I2H"), Struct("<4s6H3I5H2I"), Struct("<4s4H2IH")
VERSION, UNIX = 20, 3 << 8
UTF_8 = 1 << 11
FILE_MODE = 0o100600 << 16
FIRST_YEAR, LAST_YEAR = 1980, 2107
"""Between them lie the times of ZIP."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A still in the file: its name there, and its time of capture on the clock of the server."""

    still: Still
    name: str
    at: datetime


def entries_of(
    stills: Iterable[Still], camera_name: Callable[[Still], str], zone: tzinfo
) -> list[Entry]:
    """The entries, each with the name of its camera and its time. Of those with the same name, all
    but the first one are numbered."""
    entries, names = [], Counter[str]()
    for still in stills:
        at = still.taken_at.astimezone(zone)
        name = f"{camera_name(still)} {at:%Y-%m-%d %H-%M-%S}"
        names[name] += 1
        number = f" ({names[name]})" if names[name] > 1 else ""
        entries.append(Entry(still, f"{name}{number}{ENDING}", at))
    return entries


def size_of(entries: Sequence[Entry]) -> int:
    """Bytes of the whole file."""
    names = sum(2 * len(entry.name.encode()) for entry in entries)
    heads = (LOCAL.size + CENTRAL.size) * len(entries)
    return sum(entry.still.size for entry in entries) + names + heads + END.size


def archive(entries: Sequence[Entry], read: Callable[[Still], bytes | None]) -> Iterator[bytes]:
    """The file, in pieces. `read` gives a still, or None where it is gone."""
    place, directory = 0, []
    for entry in entries:
        data, name = read(entry.still), entry.name
        if data is None or len(data) != entry.still.size:
            data = GONE[: entry.still.size].ljust(entry.still.size)
            name = name.removesuffix(ENDING) + GONE_ENDING
        raw = name.encode()
        fields = (UTF_8, 0, *_moment(entry.at), crc32(data), len(data), len(data), len(raw), 0)
        directory.append(
            CENTRAL.pack(b"PK\1\2", UNIX | VERSION, VERSION, *fields, 0, 0, 0, FILE_MODE, place)
            + raw
        )
        head = LOCAL.pack(b"PK\3\4", VERSION, *fields) + raw
        yield head
        yield from (data[start : start + CHUNK] for start in range(0, len(data), CHUNK))
        place += len(head) + len(data)
    whole = b"".join(directory)
    count = len(entries)
    yield whole + END.pack(b"PK\5\6", 0, 0, count, count, len(whole), place, 0)


def _moment(at: datetime) -> tuple[int, int]:
    """Time and date as MS-DOS has them: two seconds are the finest, 1980 the first year."""
    if at.year < FIRST_YEAR:
        return 0, 1 << 5 | 1
    if at.year > LAST_YEAR:
        return 0, (LAST_YEAR - FIRST_YEAR) << 9 | 12 << 5 | 31
    time = at.hour << 11 | at.minute << 5 | at.second // 2
    return time, at.year - FIRST_YEAR << 9 | at.month << 5 | at.day
