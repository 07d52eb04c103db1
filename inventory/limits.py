"""Checks of a file before it is read: a plain .xlsx of bounded size.

Nothing that the file says of itself is believed: what is packed is unpacked in pieces, counted
and thrown away, and at the limit it stops.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator

from fleet.texts import sentences

MAX_BYTES = 32 << 20
MAX_UNPACKED = 150 << 20
"""Bytes after unpacking, all parts together. 50,000 rows with 20 texts each have 75 MB."""
MAX_PARTS = 10_000
PIECE_BYTES = 1 << 20
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The beginning of files of Excel before 2007, and of those protected by a password."""
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
OTHER_KINDS = {"xl/workbook.bin": ".xlsb", "content.xml": ".ods", "word/document.xml": ".docx"}
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
UTF16 = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")
HEADER_BYTES = 30
"""Bytes of the header before each part, without the name and what is extra (APPNOTE 4.3.7)."""
SAVE_HINT = "Open it in Excel and save it as .xlsx."
UNLOCK_HINT = "Remove the password (in Excel: File, Info, Protect Workbook) and save it again."
SHRINK_HINT = "Remove what the recorder list does not need: pictures, other sheets, old rows."


class NotReadable(Exception):
    """The file is not a usable workbook: what is wrong, and what to do."""

    def __init__(self, error: str, hint: str) -> None:
        super().__init__(sentences(error, hint))
        self.error = error
        self.hint = hint


def check_length(data: bytes) -> None:
    """Check the size of the file. Raises NotReadable."""
    if len(data) > MAX_BYTES:
        raise NotReadable(
            f"The file has {len(data) >> 20} MB; at most {MAX_BYTES >> 20} MB are allowed",
            SHRINK_HINT,
        )


def check(data: bytes) -> None:
    """Check the file before any library reads it. Raises NotReadable."""
    check_length(data)
    if not data.startswith(b"PK"):
        raise NotReadable(*_describe_kind(data))
    # The directory itself may say anything; every entry of it begins with these four bytes.
    if data.count(b"PK\x01\x02") > MAX_PARTS:
        raise NotReadable(f"The file has more than {MAX_PARTS:,} parts", SAVE_HINT)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            _check_parts(data, packed)
    except (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError) as error:
        raise NotReadable(
            "The file is not an .xlsx workbook, or it is damaged", SAVE_HINT
        ) from error


def _describe_kind(data: bytes) -> tuple[str, str]:
    """Describe a file that is not a zip, and what to do."""
    if data.startswith(OLE):
        if ENCRYPTED in data:
            return "The workbook is protected by a password, so it cannot be read", UNLOCK_HINT
        return "The file is an old .xls workbook, not .xlsx", SAVE_HINT
    if not data:
        return "The file is empty", SAVE_HINT
    if b"\x00" not in data[:4096]:
        error = "The file is text (such as .csv), not an .xlsx workbook, or it is damaged"
        return error, f"{SAVE_HINT} Or upload it under Settings > Workbook."
    return "The file is not an .xlsx workbook, or it is damaged", SAVE_HINT


def _check_parts(data: bytes, packed: zipfile.ZipFile) -> None:
    parts = sorted(packed.infolist(), key=lambda part: part.header_offset)
    names = {part.filename for part in parts}
    for name, kind in OTHER_KINDS.items():
        if name in names:
            raise NotReadable(f"The file is a {kind} file, not an .xlsx workbook", SAVE_HINT)
    if "xl/workbook.xml" not in names:
        raise NotReadable("The file is a .zip without a workbook, or it is damaged", SAVE_HINT)
    if len(names) < len(parts):
        raise NotReadable("The file has two parts with the same name", SAVE_HINT)
    end_before, size = 0, 0
    for part in parts:
        begin, end = _byte_range(data, part)
        if part.header_offset < end_before or end > packed.start_dir:
            raise NotReadable("The file is damaged: parts of it overlap", SAVE_HINT)
        end_before = end
        unpacked = 0
        for piece in _pieces(data, part, begin, end):
            unpacked += len(piece)
            if size + unpacked > MAX_UNPACKED:
                raise NotReadable(
                    f"The file is larger than {MAX_UNPACKED >> 20} MB when unpacked", SHRINK_HINT
                )
        if unpacked != part.file_size:
            raise NotReadable(
                f"{part.filename[:80]} in the file does not have the size it declares", SAVE_HINT
            )
        size += unpacked


def _byte_range(data: bytes, info: zipfile.ZipInfo) -> tuple[int, int]:
    """The begin and end of the packed bytes of a part. Raises NotReadable, ValueError."""
    if info.flag_bits & 0x1:
        raise NotReadable(
            f"{info.filename[:80]} in the file is protected by a password", UNLOCK_HINT
        )
    if info.compress_type not in COMPRESSIONS:
        raise NotReadable(
            f"{info.filename[:80]} in the file uses an unsupported compression", SAVE_HINT
        )
    head = data[info.header_offset : info.header_offset + HEADER_BYTES]
    if len(head) < HEADER_BYTES or not head.startswith(b"PK\x03\x04"):
        raise ValueError("no part begins there")
    lengths = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    begin = info.header_offset + HEADER_BYTES + lengths
    return begin, begin + info.compress_size


def _pieces(data: bytes, info: zipfile.ZipInfo, begin: int, end: int) -> Iterator[bytes]:
    """Unpack a part in pieces. Raises NotReadable for XML that Excel does not write."""
    is_xml = info.filename.lower().endswith((".xml", ".rels"))
    # A workbook can contain documents of other programs, in any encoding; they are not read.
    is_own = is_xml and not info.filename.startswith("customXml/")
    before = b""
    for piece in _unpacked(data, info, begin, end):
        if is_own and not before and piece.startswith(UTF16):
            raise NotReadable(
                f"{info.filename[:80]} in the file is in UTF-16, not UTF-8", SAVE_HINT
            )
        if is_xml and b"<!DOCTYPE" in before + piece:
            raise NotReadable(
                f"{info.filename[:80]} in the file contains a document type declaration", SAVE_HINT
            )
        before = piece[-8:]
        yield piece


def _unpacked(data: bytes, info: zipfile.ZipInfo, begin: int, end: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for place in range(begin, end, PIECE_BYTES):
        rest = data[place : min(place + PIECE_BYTES, end)]
        if info.compress_type == zipfile.ZIP_STORED:
            yield rest
            continue
        while rest and not inflater.eof:
            yield inflater.decompress(rest, PIECE_BYTES)
            rest = inflater.unconsumed_tail
    if info.compress_type == zipfile.ZIP_DEFLATED:
        while piece := inflater.decompress(b"", PIECE_BYTES):
            yield piece
        if not inflater.eof:
            raise ValueError("it ends too early")
