"""Texts from outside at their worst, for every regular expression and parser of the program.

Run as a process of its own by the tests, under a limit of processor time: what is quadratic
in its input needs minutes for these, what is linear a second or two.
"""

import ast
import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fleet import access_fields, path_logins, texts
from inventory import plain_sheets, text_files

ROOT = Path(__file__).parent.parent
LENGTH = 200_000
PIECES = (
    *(" ", "\t", "0", "a", "A1", ":", "-", "/", "=", ",", ";", "<", "\\", '"', "é", "\n", "\r\n"),
    *(" \t", "a ", "0 ", "a:", "a=", "ab,", "1.", "00:", "</", "://", "a@"),
)
ENDS = ("", "!", "\x00")

BEGINNINGS: dict[tuple[str, str], tuple[str, ...]] = {
    ("accounts/account_rows.py", r"(\d\d):(\d\d)-(\d\d):(\d\d)"): ("08:00-18:0",),
    ("accounts/names.py", "[ -]"): ("LATIN",),
    ("video/healing.py", r"(\d{8}T\d{6})(\d{3})Z\.(main|sub)\.mp4"): (
        "20261128T140500123Z.main.mp",
        "20261128T",
    ),
    ("stills/files.py", r"\.?[0-9]{8}T[0-9]{9}Z(?:-[0-9]+)?\.jpg(?:\.new)?"): (
        "20261128T140500123Z.jp",
        "20261128T140500123Z-1",
    ),
    ("stills/files.py", "[1-9][0-9]{0,8}"): ("1",),
    (
        "stills/film_files.py",
        r"([0-9]{8}T[0-9]{6}Z)-([0-9]{8}T[0-9]{6}Z)-([0-9a-f]{16})-([0-9]+)-([0-9]+)\.mp4",
    ): ("20261128T140500Z-20261129T140500Z-0123456789abcdef-1",),
    ("stills/film_files.py", r"\.[0-9A-Za-z-]+\.mp4\.new"): (".20261128T140500Z-a1.mp4", ".a"),
    ("accounts/jwt_tokens.py", "[0-9a-f]{64}"): ("0" * 63,),
    ("inventory/uploads.py", "[0-9a-f]{64}"): ("0" * 63,),
    ("fleet/identity.py", "(?i)[0-9a-f]{2}([:-]?[0-9a-f]{2}){5}|([0-9a-f]{4}\\.){2}[0-9a-f]{4}"): (
        "00:11:22:33:44:5",
        "0011.2233.445",
    ),
    ("fleet/access_fields.py", access_fields.LABEL.pattern): ("a" * 63, "a" * 62 + "-", "-"),
    ("fleet/access_fields.py", access_fields.NUMBER_LABEL.pattern): ("1", "0x1"),
    ("fleet/access_fields.py", access_fields.ZONE.pattern): ("a" * 15,),
    ("fleet/access_fields.py", access_fields.WORD.pattern): ("a" * 40,),
    ("fleet/access_fields.py", access_fields.PIN.pattern): ("0" * 63,),
    ("fleet/access_fields.py", access_fields.PASSWORD.pattern): (
        "password",
        "passphrase=",
        "pass",
    ),
    ("fleet/path_logins.py", path_logins.FIELD.pattern): ("user=", "password=", "login_", "/"),
    ("fleet/path_logins.py", path_logins.END.pattern): (";a", "_channel", "&"),
    ("fleet/path_logins.py", path_logins.SEGMENTS.pattern): (
        "/live/a/b/ch",
        "/0/a:b/mai",
        "/live/",
    ),
    ("fleet/path_logins.py", path_logins.FOREIGN.pattern): ("/a/b/ch", "/auth=", "/a:", "auth"),
    ("fleet/path_logins.py", path_logins.STREAM_WORD.pattern): ("live", "h.265", "ch0"),
    ("fleet/path_logins.py", path_logins.PLACE.pattern): ("{password}", "{password"),
    ("fleet/access_fields.py", access_fields.LOGIN_IN_URL.pattern): ("//a:", "//", "//::"),
    ("fleet/identity.py", "[0-9a-f]{12}"): ("0" * 11,),
    ("fleet/identity.py", "[0-9a-f]{2}(:[0-9a-f]{2}){5}"): ("00:11:22:33:44:5",),
    ("fleet/identity.py", "[^0-9a-f]"): ("00",),
    ("fleet/natural_order.py", "([0-9]+)"): ("Store 1",),
    ("fleet/secret_columns.py", r"[^\W_]+"): ("a",),
    ("settings.py", r"[,\s]+"): ("a",),
    (
        "sources/onvif_clock.py",
        "([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})[T \\-]([0-9]{1,3}):([0-9]{1,3})(?::([0-9]{1,3}))?",
    ): ("2026-11-28T12:00",),
    (
        "sources/onvif_clock.py",
        "(?:<[^<>]{1,20}>|[A-Za-z/_ ]{1,40})([+-]?)([0-9]{1,2})(?::([0-9]{1,2}))?",
    ): ("<+03>-3:3", "CET-1", "A"),
    (
        "sources/xml_tree.py",
        "&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)",
    ): ("&", "&#1", "&#xa", "&amp"),
    ("settings.py", r"https?://[^/\s?#@]+"): ("https://",),
    ("sources/easy4ip_wire.py", r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}"): ("1.2.3.",),
    ("sources/easy4ip_wire.py", "-?[0-9]{1,10}"): ("-1",),
    ("sources/easy4ip_wire.py", r"HTTP/1\.[01]\s+([0-9]{3})(?:\s(.*))?"): (
        "HTTP/1.1",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK",
    ),
    ("sources/easy4ip_wire.py", "[0-9]{1,5}"): ("1",),
    ("sources/rtsp_wire.py", r"RTSP/[0-9]\.[0-9]\s+([0-9]{3})(?:\s+(.*))?"): (
        "RTSP/1.0",
        "RTSP/1.0 200",
        "RTSP/1.0 200 OK",
    ),
    ("sources/rtsp_wire.py", r"([A-Z_]{1,32})\s+(\S+)\s+RTSP/[0-9]\.[0-9]"): ("OPTIONS", "GET *"),
    ("sources/rtsp_wire.py", "[0-9]{1,9}"): ("1",),
    ("sources/session_description.py", r"[0-9]{1,5}(\.[0-9]{1,6})?"): ("25.", "25"),
    ("sources/session_description.py", "[0-9]{1,5}"): ("1",),
    ("fleet/serials.py", "[A-Za-z0-9_-]{4,32}"): ("AB12345",),
    ("fleet/texts.py", texts.UNFIT.pattern): ("a\x00",),
    ("fleet/texts.py", texts.INVISIBLE.pattern): ("a\u200b",),
    ("fleet/texts.py", texts.JOINERS.pattern): ("a\u200d",),
    ("inventory/export.py", "_(?=x[0-9A-Fa-f]{4}_)"): ("_x0041", "_"),
    ("inventory/text_files.py", text_files.SEPARATOR.pattern): ("sep=;", '"sep=;"', " "),
    ("inventory/plain_sheets.py", "([A-Za-z]{1,3})([0-9]{1,7})"): ("ABC1234567",),
    ("inventory/plain_sheets.py", plain_sheets.NUMBER.pattern): ("1" * 98, "1." + "0" * 98),
    ("store/vault.py", "[a-z][a-z0-9_-]*"): ("a",),
    ("web/http/errors.py", "[a-z_]{1,40}"): ("name",),
    ("web/http/redirects.py", r"/(?!/)[\w./?=&%+:,~-]*"): ("/", "/a?"),
    ("web/http/openapi.py", r"<(?:\w+:)?(\w+)>"): ("<a", "<int:"),
    ("web/http/openapi.py", r"{(\w+)}"): ("{a",),
    ("web/pages/settings.py", "[-_.]+"): ("a",),
    ("web/pages/settings.py", r"^([\w.-]+)=="): ("flask",),
    ("web/http/shapes/accounts.py", r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d"): (
        "08:00-18:0",
    ),
}
"""Every regular expression, by file, and texts that lead as far into it as they can: the worst
that follows comes from PIECES."""
ELSEWHERE = {
    "store/masking.py": "tests/store/test_masking.py gives it a megabyte of each hostile text",
    "inventory/cells.py": "the child process of the workbook has a limit of its own",
    "inventory/contents.py": "the child process of the workbook has a limit of its own",
}
"""Files whose expressions are put together at run time, and what proves them."""


def expressions() -> Iterator[tuple[str, str | None, str, int]]:
    """File, expression (None when it is put together at run time), function and flags of each
    `re.` call of the program."""
    from tests.test_layout import TREES

    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if ast.unparse(node.func.value) != "re" or node.func.attr in ("escape", "purge"):
                continue
            first = node.args[0]
            text = first.value if isinstance(first, ast.Constant) else None
            call_text = ast.unparse(node)
            flags = 0
            for flag in ("ASCII", "DOTALL", "IGNORECASE", "MULTILINE", "VERBOSE"):
                flags |= getattr(re, flag) if f"re.{flag}" in call_text else 0
            yield str(path.relative_to(ROOT)), text, node.func.attr, flags


def attack_expressions() -> None:
    """Each way to use each expression, on each text."""
    for file, text, _function, flags in expressions():
        if text is None or file in ELSEWHERE and (file, text) not in BEGINNINGS:
            continue
        pattern = re.compile(text, flags)
        for begin in BEGINNINGS[file, text]:
            for piece in PIECES:
                run = begin + piece * (LENGTH // len(piece))
                for end in ENDS:
                    pattern.fullmatch(run + end)
                pattern.sub("", run)


def attack_easy4ip() -> None:
    """Answers of the cloud: a whole datagram of each, twenty times."""
    from sources.easy4ip_wire import (
        MAX_RESPONSE,
        InvalidResponse,
        facts_of,
        parse_response,
        server_of,
    )

    for head, body in _answers():
        for most in (MAX_RESPONSE, 65_507):
            for piece in (
                *PIECES,
                "<a>",
                "<a/>",
                "<a>b</a>",
                "<US>1</US>",
                "x='1' ",
                "&amp;",
                "[{",
            ):
                space = most - len((head + body).encode())
                run = piece * (space // len(piece.encode()))
                data = head.replace("RUN", run).replace("BODY", body.replace("RUN", run)).encode()
                for _ in range(20):
                    try:
                        answer = parse_response(data)
                    except InvalidResponse:
                        continue
                    answer.mentions("TimeOut")
                    server_of(answer)
                    facts_of(answer)


def _answers() -> Iterator[tuple[str, str]]:
    """Heads with the place RUN in them, or BODY for a body that has it."""
    yield "RUNHTTP/1.1 200 OK\r\nCSeq: 1\r\n\r\n", ""
    yield "HTTP/1.1RUN200 OK\r\nCSeq: 1\r\n\r\n", ""
    yield "HTTP/1.1 200 RUNx\r\nCSeq: 1\r\n\r\n", ""
    yield "HTTP/1.1 200 OK\r\nCSeq: RUN1\r\n\r\n", ""
    yield "HTTP/1.1 200 OK\r\nDate: RUN\r\nCSeq: 1\r\n\r\n", ""
    yield "HTTP/1.1 200 OK\r\nCSeq: 1\r\nRUN\r\n\r\n", ""
    for inside in ("RUN", "<US>RUN</US>", "<Info>RUN</Info>", "<DevVersion>RUN</DevVersion>"):
        yield "HTTP/1.1 200 OK\r\nCSeq: 1\r\n\r\nBODY", f"<body>{inside}</body>"
    yield "HTTP/1.1 200 OK\r\nCSeq: 1\r\n\r\nBODY", "<body RUN></body>"


def attack_easy_ip() -> None:
    """Answers of cameras: as many tags, and as long ones, as a datagram holds."""
    from sources.panasonic_wire import MAX_REPLY, InvalidReply, parse
    from tests.sources.easy_ip import datagram

    space = MAX_REPLY - 52 - 8
    full = (
        [(tag, b"") for tag in range(0x100, 0x100 + space // 4 - 2)],
        [(0xA7, b"\x83" * (space - 8))],
        [(0xA7, "é".encode() * (space // 2 - 8))],
        [(0xA8, b" a" * (space // 2 - 8))],
        [(0x1FF, b"\xff" * (space - 8))],
    )
    for tags in full:
        data = datagram([(0x20, bytes((127, 0, 0, 9))), *tags], mac="02:00:00:00:00:01")
        assert MAX_REPLY - 64 <= len(data) <= MAX_REPLY
        for _ in range(100):
            try:
                parse(data)
            except InvalidReply as error:
                raise AssertionError("the worst datagram is refused before it is read") from error


def attack_rtsp() -> None:
    """Responses of cameras: heads and descriptions as long as they may be, and login challenges."""
    from sources import login_challenges, rtsp_wire, session_description

    for piece in (
        *PIECES,
        "$",
        "m=video 0 RTP/AVP 96\n",
        "a=fmtp:96 ",
        "a=rtpmap:96 ",
        ";=",
        ', a="',
    ):
        for begin in ("", "RTSP/1.0 200 OK\r\n", "RTSP/1.0 200 OK\r\nSession: ", "$\x00"):
            run = begin + piece * (LENGTH // len(piece))
            reader = rtsp_wire.Reader()
            with contextlib.suppress(rtsp_wire.InvalidResponse):
                for place in range(0, len(run), 1000):
                    reader.feed(run[place : place + 1000].encode())
                    while reader.next() is not None:
                        pass
        for begin in ("", "m=video 0 RTP/AVP 96\na=fmtp:96 sprop-parameter-sets=", "a=control:"):
            text = begin + piece * (LENGTH // len(piece))
            description = session_description.parse(text.encode())
            for medium in description.media:
                _ = medium.picture, medium.encoding, medium.control, medium.is_send_only
            session_description.control_url("rtsp://10.0.0.5/live", text, text)
        for begin in ("", "Digest ", 'Digest nonce="'):
            header = begin + piece * (LENGTH // len(piece))
            login_challenges.challenges([header, header[: login_challenges.LONGEST_HEADER]] * 20)


def attack_xml() -> None:
    """Documents and URLs of ONVIF devices, each as long as it may be."""
    from sources import device_urls, ws_discovery_wire, xml_tree

    for begin in ("", "<a ", "<a>", "<!--", "<![CDATA[", "<a b='"):
        for piece in (" ", "a:", "a ", "<a>", "<a/>", "&", "&amp;", "]]>", "--", "x='1' ", "\x00"):
            data = (begin + piece * (LENGTH // len(piece))).encode()
            for document in (data, b"<r>" + data + b"</r>"):
                with contextlib.suppress(xml_tree.NotXml):
                    list(xml_tree.descendants(xml_tree.parse(document), "b"))
            with contextlib.suppress(ws_discovery_wire.InvalidReply):
                ws_discovery_wire.parse(data, "127.0.0.1")
            device_urls.parse(f"http://{begin}{data.decode()}")


def attack_values() -> None:
    """What people, files and workbooks hand in, each far longer than it may be."""
    from fleet import identity
    from fleet.database import original_format
    from fleet.natural_order import natural_key
    from fleet.serials import clean_serial
    from inventory.model import clean_text

    for begin in ("", "00:11:22:33:44:5", "08:00", "Store 1", "2026-11-27T12:00:0"):
        for piece in PIECES:
            text = begin + piece * (LENGTH // len(piece))
            for parse in (identity.mac, clean_serial, clean_text, natural_key):
                parse(text)
            for field in ("last_seen", "first_seen", "current_ip", "total_discoveries"):
                with contextlib.suppress(original_format.Unreadable):
                    original_format.converted_fleet({"00:11:22:33:44:55": {field: text}})


def attack_csv() -> None:
    """A CSV upload: one line, many lines, many columns, quotes."""
    from inventory.limits import NotReadable
    from inventory.text_files import from_text, is_text

    title = "P2P NUMBER,SITE,STORE NAME\n"
    for piece in (*PIECES, ",,,\n", '"a","b"', '""', '"\n', "AB12345,S,T\n"):
        data = (title + piece * (LENGTH // len(piece))).encode()
        is_text(data)
        with contextlib.suppress(NotReadable):
            from_text(data[:100_000], {})


def attack_headers() -> None:
    """Every header that the program or its libraries read, as long as many headers can be."""
    import tempfile

    from tests.home import Clock, Home

    names = (
        *("Accept", "Accept-Encoding", "Authorization", "Cookie", "Content-Type", "Host"),
        *("If-Modified-Since", "If-None-Match", "Last-Event-ID", "Origin", "Range", "Referer"),
        *("Sec-Fetch-Site", "User-Agent", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP"),
    )
    pieces = ("a=b; ", "a/b;q=0.1, ", "127.0.0.1, ", '"a", ', " ", "=", ",", ";", "A", '\\"')
    begins = {"Authorization": ("Basic ", "Bearer ", "Digest "), "Range": ("bytes=",)}
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), Clock())
        try:
            for name in names:
                for piece in pieces:
                    for begin in begins.get(name, ("",)):
                        value = begin + piece * (LENGTH // len(piece))
                        home.client.get("/", headers={name: value})
                        home.client.get("/static/style.css", headers={name: value})
        finally:
            home.close()


CASES: dict[str, Callable[[], Any]] = {
    "expressions": attack_expressions,
    "easy4ip": attack_easy4ip,
    "easy ip": attack_easy_ip,
    "rtsp": attack_rtsp,
    "xml": attack_xml,
    "values": attack_values,
    "csv": attack_csv,
    "headers": attack_headers,
}

if __name__ == "__main__":
    CASES[sys.argv[1]]()
    print(json.dumps("done"))
