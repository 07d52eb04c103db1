"""Responses with byte ranges (RFC 9110, 14) from content that is read piece by piece."""

from collections.abc import Callable, Iterator

from flask import Response, request
from werkzeug.datastructures import Headers

Read = Callable[[int, int], Iterator[bytes]]
"""Gives the bytes from a place to before another one."""


def ranged(
    read: Read, size: int, etag: str, media_type: str, most: int | None = None
) -> tuple[Response, int]:
    """The response to a request for all of it or one range, and the first byte in it.

    `most`: an open range (`bytes=100-`) is answered with so many bytes; a player then asks for
    the next ones. Several ranges at once are answered with everything, which is allowed.
    """
    headers = Headers([("Accept-Ranges", "bytes"), ("ETag", f'"{etag}"')])
    if request.if_none_match.contains(etag):
        return Response(status=304, headers=headers), 0
    start, end = 0, size
    status = 200
    if _wants_range(etag):
        wanted = _range(size, most)
        if wanted is None:
            headers["Content-Range"] = f"bytes */{size}"
            return Response(status=416, headers=headers), 0
        start, end = wanted
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    body = read(start, end) if request.method != "HEAD" else iter(())
    return Response(body, status, headers, content_type=media_type), start


def wanted_range() -> tuple[int, str | None] | None:
    """The first byte of the one range that is asked for, less than 0 for the last ones, and the
    tag of the content in If-Range, None without one; None without a range."""
    wanted = request.range
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return None
    tag = (request.if_range.etag or "") if "If-Range" in request.headers else None
    return wanted.ranges[0][0], tag


def _wants_range(etag: str) -> bool:
    """True if the request has one range, of this very content."""
    wanted = wanted_range()
    # A date cannot be compared: the content has none.
    return wanted is not None and wanted[1] in (None, etag)


def _range(size: int, most: int | None) -> tuple[int, int] | None:
    """The first byte and the one behind the last; None if there are none such."""
    start, end = request.range.ranges[0]  # type: ignore[union-attr]
    if start < 0:  # the last bytes
        start, end = max(0, size + start), size
    is_open = end is None
    end = size if end is None else min(end, size)
    if start >= end:
        return None
    return start, min(end, start + most) if is_open and most else end


def attachment(name: str) -> str:
    """The header Content-Disposition for a file of this name (RFC 6266)."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    text = f'attachment; filename="{plain}"'
    if plain == name:
        return text
    quoted = "".join(_quoted(char) for char in name)
    return f"{text}; filename*=UTF-8''{quoted}"


def _quoted(char: str) -> str:
    if char.isascii() and (char.isalnum() or char in "-._~"):
        return char
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))


def safe_name(name: str, ending: str) -> str:
    """A file name that no system takes as a path, a hidden file or a device: letters and digits of
    any language, blanks, dots inside, `-` and `_`."""
    kept = "".join(char if char.isalnum() or char in " -_." else "_" for char in name)
    while ".." in kept:
        kept = kept.replace("..", "_")
    kept = " ".join(kept.split()).strip(" ._")[:100].strip(" ._")
    return f"{kept or 'recording'}{ending}"
