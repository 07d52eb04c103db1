"""Files that are no workbook, or one that somebody made to do harm: refused in words."""

import io
import random
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable

import pytest

from inventory import limits, process, recorders, workbook
from inventory.limits import MAX_UNPACKED, check
from inventory.workbook import NotReadable
from tests.workbooks import SHEET, TITLES, book_of, packed, parts, row, sheet_of, with_sheet

GOOD = book_of([("AB12345", "SITE-001", "Mall")])
MB = 1 << 20


def refused(data: bytes, read: Callable[[bytes], object] = recorders.read) -> str:
    """Why, in words that say what to do too."""
    with pytest.raises(NotReadable) as caught:
        read(data)
    assert caught.value.hint.endswith(".")
    assert "Errno" not in caught.value.error
    return caught.value.error


def forged(data: bytes, name: str, **fields: int) -> bytes:
    """The file whose directory and headers say something else of one part."""
    places = {"flags": (6, 8, 2), "method": (8, 10, 2), "packed": (18, 20, 4), "size": (22, 24, 4)}
    changed = bytearray(data)
    for begin, at in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 1)):
        header = {0: 30, 1: 46}[at]
        offset = -1
        while (offset := data.find(begin, offset + 1)) >= 0:
            if data[offset + header :].startswith(name.encode()):
                for key, value in fields.items():
                    place, length = offset + places[key][at], places[key][2]
                    changed[place : place + length] = value.to_bytes(length, "little")
    assert changed != data
    return bytes(changed)


def bomb(size: int) -> bytes:
    """A workbook whose sheet unpacks to that many bytes."""
    return packed({**parts(GOOD), SHEET: b" " * size})


# -- what is no .xlsx --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"P2P NUMBER,SITE,STORE NAME\nAB12345,SITE-001,Mall\n", "text (such as .csv)"),
        (b"<html><table><tr><td>P2P NUMBER</td></tr></table></html>", "text"),
        (b"PK\x03\x04" + bytes(99), "damaged"),
        (GOOD[: len(GOOD) // 2], "damaged"),
        (bytes(9999), "not an .xlsx workbook"),
        (limits.OLE + bytes(9999), "old .xls workbook"),
        (
            limits.OLE + bytes(999) + "EncryptedPackage".encode("utf-16-le") + bytes(999),
            "protected by a password",
        ),
        (packed({"mimetype": b"application", "content.xml": b"<a/>"}), ".ods"),
        (packed({"xl/workbook.bin": b"1"}), ".xlsb"),
        (packed({"hello.txt": b"hello"}), ".zip without a workbook"),
    ],
)
def test_what_is_no_workbook_is_named_with_what_to_do(data, says):
    assert says in refused(data)


def test_a_password_is_to_be_taken_away_and_not_only_saved_again():
    data = limits.OLE + bytes(999) + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(NotReadable) as caught:
        check(data)
    assert caught.value.hint.startswith("Remove the password (in Excel: File, Info")


def test_a_file_that_is_too_large_is_not_looked_into():
    assert "32 MB are allowed" in refused(bytes(workbook.MAX_BYTES + 1))


# -- what is packed ----------------------------------------------------------------------------


def test_what_unpacks_to_too_much_is_refused():
    assert "larger than 150 MB" in refused(bomb(MAX_UNPACKED + 1), workbook.read)


def test_the_limit_is_of_all_parts_together(monkeypatch):
    monkeypatch.setattr(limits, "MAX_UNPACKED", 6 * MB)
    third = {f"xl/media/{n}.png": bytes(2 * MB) for n in range(3)}
    check(packed({**parts(GOOD), **dict([*third.items()][1:])}))
    with pytest.raises(NotReadable, match="larger than 6 MB"):
        check(packed({**parts(GOOD), **third}))


def test_a_directory_that_lies_about_the_size_is_not_believed(monkeypatch):
    monkeypatch.setattr(limits, "MAX_UNPACKED", 6 * MB)
    data = forged(bomb(7 * MB), SHEET, size=1000)
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.getinfo(SHEET).file_size == 1000
    with pytest.raises(NotReadable, match="larger than 6 MB"):
        check(data)


def test_a_small_lie_about_the_size_is_refused_too():
    assert "not have the size it declares" in refused(forged(GOOD, SHEET, size=10))


def test_unpacking_takes_little_memory():
    script = (
        "import resource, sys\n"
        "from inventory.limits import NotReadable, check\n"
        "data = sys.stdin.buffer.read()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    check(data)\n"
        "except NotReadable:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    data = forged(bomb(MAX_UNPACKED + MB), SHEET, size=1000)
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=data,
        capture_output=True,
        check=True,
        cwd=process.ROOT,
    )
    assert int(done.stdout) < 16 * 1024, "kilobytes"


def test_a_part_that_ends_too_early_is_damaged():
    with zipfile.ZipFile(io.BytesIO(GOOD)) as opened:
        size = opened.getinfo(SHEET).compress_size
    assert "damaged" in refused(forged(GOOD, SHEET, packed=size - 5))


def test_ten_thousand_parts_are_the_most():
    many = {f"xl/media/{n}": b"" for n in range(limits.MAX_PARTS)}
    assert "more than 10,000 parts" in refused(packed({**parts(GOOD), **many}))


def overlapping() -> bytes:
    """All entries of the directory share the bytes of one part, as in the bombs of Fifield."""
    body = zlib.compress(b" " * MB, 9)[2:-4]
    local = struct.pack(
        "<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0, zlib.crc32(b" " * MB), len(body), MB, 15, 0
    )
    out = local + b"xl/workbook.xml" + body
    directory = b""
    names = ["xl/workbook.xml", *(f"xl/media/{n:06}" for n in range(500))]
    for name in names:
        directory += struct.pack(
            "<4s6H3L5H2L",
            *(b"PK\x01\x02", 20, 20, 0, 8, 0, 0, zlib.crc32(b" " * MB), len(body), MB),
            *(len(name), 0, 0, 0, 0, 0, 0),
        )
        directory += name.encode()
    end = struct.pack(
        "<4s4H2LH", b"PK\x05\x06", 0, 0, len(names), len(names), len(directory), len(out), 0
    )
    return out + directory + end


def test_parts_that_overlap_are_refused():
    with pytest.raises(NotReadable, match="overlap"):
        check(overlapping())


def test_two_parts_of_one_name_are_refused():
    twin = SHEET.replace("sheet1", "sheet2")
    data = packed({**parts(GOOD), twin: b"<worksheet/>"})
    assert "two parts with the same name" in refused(data.replace(twin.encode(), SHEET.encode()))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 9, 93, 99])
def test_another_packing_is_refused(method):
    assert "uses an unsupported compression" in refused(forged(GOOD, SHEET, method=method))


def test_an_encrypted_part_is_refused():
    assert "protected by a password" in refused(forged(GOOD, SHEET, flags=1))


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_usual_packings_are_read(packing):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as new:
        for name, content in parts(GOOD).items():
            with new.open(name, "w", force_zip64=True) as part:
                part.write(content)
    assert [recorder.site for recorder in workbook.read(out.getvalue()).rows] == ["SITE-001"]


# -- what the parts say ------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/styles.xml", SHEET, "_rels/.rels"])
@pytest.mark.parametrize("place", [0, 1 << 20])
def test_a_document_type_in_any_part_is_refused(part, place):
    declared = b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 99 + b'">]>'
    # Astride of two pieces too: nothing is seen of it in one alone.
    filler = b"<!--" + bytes(32).replace(b"\x00", b"x") * (place >> 5) + b"-->"
    content = (filler[: max(0, place - 4)] + declared) if place else declared
    data = packed({**parts(GOOD), part: content + parts(GOOD)[part]})
    assert "document type" in refused(data)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_sheet_in_utf_16_is_refused_by_that_name(encoding):
    text = sheet_of(row(2, "AB12345", "SITE-001"))
    assert "UTF-16" in refused(with_sheet(text.encode(encoding)))


def test_what_others_lay_into_a_workbook_may_be_in_any_encoding():
    item = {"customXml/item1.xml": "<a>ä</a>".encode("utf-16")}
    data = packed({**parts(GOOD), **item})
    assert len(workbook.read(data).rows) == 1


def test_an_entity_in_a_cell_is_no_text():
    with pytest.raises(NotReadable):
        workbook.read(with_sheet(sheet_of(row(2, "&b;", "SITE-001"))))


def test_a_shared_text_without_end_ends_only_the_child():
    strings = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>'
    strings += b"x" * MB + b"</t></si></sst>"
    cells = "".join(f'<row r="{n}"><c t="s"><v>0</v></c></row>' for n in range(2, 2000))
    book = {**parts(GOOD), SHEET: sheet_of(cells).encode(), "xl/sharedStrings.xml": strings}
    assert "huge" in refused(packed(book), workbook.read)


def test_whatever_bytes_are_turned_the_answer_is_in_words():
    """Inside the parts too, where no checksum of the file stands before calamine."""
    luck = random.Random(5)
    whole = parts(book_of([("AB12345", "SITE-001", "Mall"), (4.5, "SITE-002", True)], TITLES))
    for _ in range(30):
        name = luck.choice([SHEET, "xl/workbook.xml", "xl/styles.xml"])
        content = bytearray(whole[name])
        for _each in range(luck.randint(1, 4)):
            content[luck.randrange(len(content))] = luck.choice(b'<>"/&0Z=\x00\xff')
        try:
            workbook.read(packed({**whole, name: bytes(content)}))
        except NotReadable:
            continue
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1 << 20, "kilobytes"
