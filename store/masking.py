r"""Mask secrets in log lines with `***`: known ones, and texts that look like one.

When in doubt it hides. It cannot detect a secret that nothing announces ("login with x
failed"): `MaskingFormatter.add_secret` adds such secrets.

Every search takes time in proportion to the text, whatever the text: it begins at a
literal, and what it then runs over is bounded, or cannot hold that literal again, or is
hidden and not searched a second time.
"""

import base64
import binascii
import html
import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from itertools import chain
from threading import Lock
from typing import ClassVar
from urllib.parse import quote, quote_plus

MASK = "***"
MIN_LENGTH = 6
"""Characters that a known text must have: a shorter one would blot out ordinary words."""

FORMATTING_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a message and its arguments raise in practice. Anything else ends, as always in
logging, at the handler's `handleError`, which is ours too."""

Span = tuple[int, int]
"""Where a secret begins in the text, and where it has ended."""


def masked(text: str) -> str:
    """The text with each secret as `***`; the very same text if there is none."""
    return with_masks(
        text,
        chain(_known_spans(text), _url_spans(text), _scheme_spans(text), _field_spans(text)),
    )


def with_masks(text: str, spans: Iterable[Span]) -> str:
    """The text with a mask for each span; of those that overlap, for all together."""
    shown, at = [], 0
    for start, end in sorted(spans):
        if start >= at:
            shown += [text[at:start], MASK]
        at = max(at, end)
    return "".join((*shown, text[at:]))


class MaskingFormatter(logging.Formatter):
    """A formatter that masks the output of another one, traceback and stack included."""

    _secrets: ClassVar[tuple[str, ...]] = ()
    """Secrets added at run time, in every spelling that a library may print."""
    _secrets_lock: ClassVar[Lock] = Lock()

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    @classmethod
    def add_secret(cls, text: str) -> None:
        """Hide this text from now on, wherever it appears; under 6 characters it is ignored."""
        if len(text) >= MIN_LENGTH:
            with cls._secrets_lock:
                cls._secrets = tuple({*cls._secrets, *spellings(text)})

    def format(self, record: logging.LogRecord) -> str:
        """Format and mask a record, also one whose arguments do not fit the message."""
        try:
            text = self._inner.format(record)
        except FORMATTING_FAULTS as error:
            text = _unformatted(record, error)
        return masked(text)


def install(handlers: Iterable[logging.Handler]) -> None:
    """Mask the output of these handlers; a second call changes nothing.

    To be called when the handlers have their formatters: one that is set later is not
    masked.
    """
    for handler in handlers:
        if not isinstance(handler.formatter, MaskingFormatter):
            handler.setFormatter(MaskingFormatter(handler.formatter or logging.Formatter()))
            # Logging's own prints message and arguments as they are.
            handler.handleError = _report_unwritten  # type: ignore[method-assign]


def _report_unwritten(record: logging.LogRecord) -> None:
    """Report an unwritten record, in the place of a handler's `handleError`."""
    error = sys.exc_info()[1]
    if logging.raiseExceptions and sys.stderr and error:
        with suppress(OSError, ValueError):
            sys.stderr.write(masked(_unformatted(record, error)) + "\n")


def _unformatted(record: logging.LogRecord, error: BaseException) -> str:
    """The parts that can be shown of a record whose formatting failed.

    Not its arguments: without the message's words around them, secrets do not look like any.
    """
    message = record.msg if isinstance(record.msg, str) else f"<{type(record.msg).__name__}>"
    reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
    line = (
        f"{record.levelname} {record.name}: {message} "
        f"(without its values, {record.filename}:{record.lineno}: {reason})"
    )
    if isinstance(record.exc_info, tuple) and record.exc_info[0]:
        line += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
    return line


_ENCODED = re.compile("%[0-9A-F]{2}")
_CODE = re.compile("%([0-9A-Fa-f]{2})")

# -- what is known ---------------------------------------------------------------------------


def spellings(text: str) -> Iterator[str]:
    """The secret as it is, in a URL, in HTML, in JSON, in a `repr`."""
    yield text
    yield quote(text, errors="replace")
    yield (encoded := quote(text, safe="", errors="replace"))
    yield _ENCODED.sub(lambda code: code[0].lower(), encoded)
    yield html.escape(text)
    yield quote_plus(text, errors="replace")
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield repr(text.encode(errors="replace"))[2:-1]


def decoded(text: str) -> tuple[bytes, list[int]]:
    """The text in UTF-8 without percent-encoding, and for each byte where in the text it begins;
    last, where the text ends."""
    data, starts, at = bytearray(), list[int](), 0
    while at < len(text):
        code = _CODE.match(text, at)
        each = bytes.fromhex(code[1]) if code else text[at].encode(errors="replace")
        data += each
        starts += [at] * len(each)
        at = code.end() if code else at + 1
    return bytes(data), [*starts, at]


def decoded_spans(part: str, text: str) -> Iterator[Span]:
    """Where the text has this part in any mixture of percent-encoding and case (of ASCII)."""
    data, starts = decoded(text)
    data, wanted = data.lower(), part.encode(errors="replace").lower()
    at = data.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        yield starts[at], starts[end]
        at = data.find(wanted, end)


def _known_spans(text: str) -> Iterator[Span]:
    for secret in MaskingFormatter._secrets:
        yield from spans_of(secret, text)


def spans_of(part: str, text: str) -> Iterator[Span]:
    """Where the text has this part."""
    at = text.find(part)
    while at >= 0:
        yield at, at + len(part)
        at = text.find(part, at + len(part))


# -- in URLs ---------------------------------------------------------------------------------

# scheme://user:SECRET@host. A secret may have unescaped delimiters, "@" too: it ends at an "@"
# before what can only be the host, else at the last "@", unless it begins as the number of a
# port: http://host:80/@x. One with "://" in it is bounded, so that a line of many URLs costs no
# more than its length.
_URL = re.compile(
    r""":\\?/\\?/ [^\s"'<>:@/?\#\[]* :
    (?P<secret> [^\s"'<>/?\#]+ (?=@ (?:[\w-]{1,63}\.[\w.-]{1,253} | \[[\da-fA-F:.]{2,45}\])
        (?::\d{1,5})? (?:[\s"'<>/\\?\#,;)] | \Z))
    | (?!\d{1,5}[/?\#]) (?:(?!:\\?/\\?/)[^\s"'<>])+
    | (?!\d{1,5}[/?\#,;]) [^\s"'<>]{1,256} ) @""",
    re.VERBOSE,
)
# The same inside a query string.
_QUOTED_URL = re.compile(
    r"""%3A%2F%2F (?:(?!%2F|%3A|%40)[^\s"'<>&])* %3A
    (?P<secret> (?:(?!%2F|%3F|%23)[^\s"'<>&])+
        (?=%40 (?:[\w-]{1,63}\.[\w.-]{1,253} | %5B[\w.%]{2,99}?%5D) (?:%3A\d{1,5})?
        (?:[\s"'<>&] | %2F | %3F | %23 | \Z))
    | (?!\d{1,5}%(?:2F|3F|23)) (?:(?!%3A%2F%2F)[^\s"'<>&])+
    | (?!\d{1,5}%(?:2F|3F|23)) [^\s"'<>&]{1,768} ) %40""",
    re.VERBOSE | re.IGNORECASE,
)


def _url_spans(text: str) -> Iterator[Span]:
    for pattern in (_URL, _QUOTED_URL):
        for match in pattern.finditer(text):
            yield match.span("secret")


# -- after the name of a scheme --------------------------------------------------------------

_SCHEME = re.compile(
    r"""\b(?: bearer[ \t]{1,8}(?!(?:realm|error|scope)=)(?P<bearer> [\w.~+/-]+=* )
    | basic[ \t]{1,8}(?P<basic> [\w+/-]{2,}=* )
    | digest[ \t]{1,8}(?P<digest> username=(?:(?!\\[rn])[^\r\n])+ ) )""",
    re.VERBOSE | re.IGNORECASE,
)
_PROSE = re.compile(
    "an?|and|auth|authentication|authorization|challenge|credentials?|error|for|headers?|in|is"
    "|not|of|or|realm|required|schemes?|tokens?|was|with",
    re.IGNORECASE,
)


def _scheme_spans(text: str) -> Iterator[Span]:
    for match in _SCHEME.finditer(text):
        kind = str(match.lastgroup)
        value = match[kind]
        is_secret = {
            "bearer": not _PROSE.fullmatch(value.rstrip(".")),
            "basic": kind == "basic" and _is_user_and_password(value),
            "digest": True,
        }
        if is_secret[kind]:
            yield match.span(kind)


def _is_user_and_password(value: str) -> bool:
    """Base64 with a colon in it; words such as "Basic authentication" are not."""
    whole = value.rstrip("=")
    whole = whole[: len(whole) // 4 * 4] if len(whole) % 4 == 1 else whole
    with suppress(binascii.Error):
        return b":" in base64.urlsafe_b64decode(whole + "=" * (-len(whole) % 4))
    return False


# -- in fields with a telling name -----------------------------------------------------------

_NAME = r"""
    (?: pass(?:word|wd|phrase|code) | (?<![a-z])pass | loginpas | pwd | secret | token
    | community | credentials? | (?:api|access|private|secret)[_-]?key )
    (?: [_-]?(?:hash|name|string) | s | \d{1,2} )?"""
_MARK = r"""\\{0,15}["']"""
_GAP = r"[ \t]{0,8}"
_HEAD = re.compile(
    rf"""
    (?P<header> (?P<mark>["'])? (?:proxy-|set-)? (?:authorization|cookies?)
        (?: (?:{_MARK})?{_GAP}[:=] | {_MARK}{_GAP}, ) {_GAP} )
    | (?P<field> {_NAME} (?:{_MARK}|%2[27])? {_GAP} (?:=>|:=|={{1,3}}|:|%3[AD]) {_GAP} )
    | (?P<pair> (?: \(b?["'] | ["']-- )[\w-]{{0,40}} {_NAME}["'],{_GAP} )
    | (?P<option> (?<![\w-])--[\w-]{{0,40}} {_NAME} [ \t]{{1,8}}(?!-) )
    | (?P<curl> (?<!\S)(?:-u|--user)[ =]["']?[^\s:"']{{1,64}}: )
    | (?P<snmp> \bsnmp\w{{0,12}}\b[^\n]{{0,120}}?["' \t]-c(?:["'],)?{_GAP} )
    | (?P<xml> <(?:[\w-]{{1,30}}:)?{_NAME}\b[^<>]{{0,300}}(?<!/)> )
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Placeholders of a login in the path of a stream are no secret either.
_NOTHING = re.compile(
    r"""(?:None|null|[Tt]rue|[Ff]alse)(?![^\s,;&)}\]"'])"""
    r"""|\{(?:username|password)\}(?![^\s,;&)}\]"'_/?:])"""
)
_OPENING = re.compile(rf"[bBuUrR]{{0,2}}({_MARK})")
_LIST = re.compile(r"""[\[{(](?=\s?[bu]?["'])""")
_LIST_STOP = re.compile(r"""["'\]})\n]""")
# Punctuation at the end belongs to the sentence around it.
_WORD = re.compile(r"""(?!\\{0,15}["'])[^\s&"']*[^\s&"',;)\]}\\]""")
_LINE = re.compile(r"(?:(?!\\[rn])[^\r\n])+")
_ELEMENT = re.compile(r"[^\s<][^<\n]*")


def _field_spans(text: str) -> Iterator[Span]:
    at = 0
    while head := _HEAD.search(text, at):
        start, at = _value(text, head)
        if start < at:
            yield start, at


def _value(text: str, head: re.Match[str]) -> Span:
    """The value after the head of a field: quoted, a list, or as far as its kind goes."""
    start = head.end()
    if _NOTHING.match(text, start):
        return start, start
    if opening := _OPENING.match(text, start):
        start = opening.end()
        return start, _next_start(_closing(opening[1]), text, start)
    if opening := _LIST.match(text, start):
        return start, _list_end(text, opening.end())
    if mark := head["mark"]:
        return start, _next_start(_closing(mark), text, start)
    pattern = {"header": _LINE, "xml": _ELEMENT}.get(str(head.lastgroup), _WORD)
    return start, _end(pattern, text, start)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start


# Possessive repeats of groups would be shorter here, but Python before 3.11.5 ends some of them a
# character too late (Debian 12 has 3.11.2).


def _next_start(pattern: re.Pattern[str], text: str, start: int) -> int:
    """The start of the next match, or the end of the text."""
    match = pattern.search(text, start)
    return match.start() if match else len(text)


def _list_end(text: str, at: int) -> int:
    """The end of the list that is open at `at`: at its bracket, or at the end of the line. A
    bracket in quotes closes nothing."""
    while stop := _LIST_STOP.search(text, at):
        mark = stop[0]
        if mark not in "\"'":
            return stop.start()
        closed = _closing(mark).search(text, stop.end())
        if closed is None:
            break
        at = closed.end() if closed[0] == mark else closed.start()
    return len(text)


@cache
def _closing(mark: str) -> re.Pattern[str]:
    """The closing mark, or the end of the line where a log cut it off.

    A mark after a backslash closes nothing, even after two: in the `repr` of JSON a quote
    within a string looks like that. So a value that ends in a backslash hides more than itself.
    """
    return re.compile(rf"(?<!\\){re.escape(mark)}|\n")
