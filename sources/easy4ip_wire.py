"""Dahua's Easy4IP cloud on the wire: requests, answers, recorder facts. Pure, no I/O.

The facts come from public code and logged exchanges; no vendor document is known.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

MAX_RESPONSE = 8192
"""Bytes of an answer; a longer datagram is not looked into."""
LONGEST_DATE = 64
INFO_KEY = b"kRjmsUB&ezmdGLL67H#$ojw@XflcaIaf"
INFO_VECTOR = b"MydvJw*Iw1w&i^kk"
"""The same for every device: they hide nothing from anybody who has the vendor's program."""
STATUS = re.compile(r"HTTP/1\.[01]\s+([0-9]{3})(?:\s(.*))?", re.DOTALL)


class InvalidResponse(Exception):
    """Raised for a datagram that is not an answer; the text is the reason."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The credentials of the vendor's own program; not a secret of a site."""

    user: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CloudResponse:
    """One response. `body` holds the children of <body>; None when there is none."""

    code: int
    cseq: int
    reason: str = ""
    date: datetime | None = None
    body: Mapping[str, str] | None = None

    @property
    def is_provisional(self) -> bool:
        return 100 <= self.code < 200

    def mentions(self, text: str) -> bool:
        """True if the reason or a value of the body has this text."""
        values = (self.reason, *(self.body or {}).values())
        return any(text.lower() in value.lower() for value in values)


def digest(keys: KeyPair, nonce: int, created: str) -> str:
    """The WSSE password digest: Base64 of the SHA-1 that the cloud computes too."""
    text = f"{nonce}{created}DHP2P:{keys.user}:{keys.key}"
    # The protocol has no other; what it protects is no secret of ours.
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


def request(path: str, cseq: int, keys: KeyPair | None, nonce: int, at: datetime) -> bytes:
    """One DHGET datagram. Without `keys` it goes without authentication."""
    lines = [f"DHGET {path} HTTP/1.1", f"CSeq: {cseq}"]
    if keys is not None:
        created = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines += [
            'Authorization: WSSE profile="UsernameToken"',
            f'X-WSSE: UsernameToken Username="{keys.user}", '
            f'PasswordDigest="{digest(keys, nonce, created)}", '
            f'Nonce="{nonce}", Created="{created}"',
        ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def parse_response(data: bytes) -> CloudResponse:
    """A datagram as an answer, in time proportional to its length. Raises InvalidResponse for
    everything else."""
    if len(data) > MAX_RESPONSE:
        raise InvalidResponse("response too long")
    text = data.decode("utf-8", "replace")
    head, _, rest = text.replace("\r\n", "\n").partition("\n\n")
    lines = head.split("\n")
    status = STATUS.fullmatch(lines[0].strip())
    if status is None:
        raise InvalidResponse("no status line")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    cseq = headers.get("cseq", "")
    if not re.fullmatch(r"-?[0-9]{1,10}", cseq):
        raise InvalidResponse("no CSeq")
    return CloudResponse(
        int(status[1]),
        int(cseq),
        (status[2] or "").strip(),
        _date(headers.get("date", "")),
        _body(rest),
    )


def _date(text: str) -> datetime | None:
    """The time in a Date header: ISO on real servers, RFC 1123 in one description of them."""
    if len(text) > LONGEST_DATE:
        return None
    try:
        date = datetime.fromisoformat(text) if text[:1].isdigit() else parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _body(text: str) -> dict[str, str] | None:
    """<body> with one level of children. Raises InvalidResponse."""
    if not text.strip():
        return None
    if "<!" in text:
        raise InvalidResponse("a document type declaration in the body")
    from xml.parsers.expat import ExpatError  # nosec B405 (no entities: refused above)

    import xmltodict

    try:
        parsed: Any = xmltodict.parse(text, disable_entities=True)
    except (ExpatError, ValueError, RecursionError) as error:
        raise InvalidResponse("the body is not XML") from error
    if not isinstance(parsed, dict) or "body" not in parsed:
        raise InvalidResponse("no <body> element")
    inside = parsed["body"]
    if not isinstance(inside, dict):
        return {}
    return {str(key): value if isinstance(value, str) else "" for key, value in inside.items()}


def server_of(answer: CloudResponse) -> tuple[str, int] | None:
    """The server where a recorder is registered: <US> of a lookup, IPv4 address and port."""
    host, colon, port = (answer.body or {}).get("US", "").strip().rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        return None
    if not re.fullmatch(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}", host, re.ASCII):
        return None
    return host, int(port)


def facts_of(answer: CloudResponse) -> dict[str, Any]:
    """The facts of an info answer: firmware and ports, as far as readable."""
    body = answer.body or {}
    fields: dict[str, Any] = {}
    if version := body.get("DevVersion", "").strip()[:60]:
        fields["firmware"] = version
    ports = _decrypted(body.get("Info", ""))
    for key, name in (("httpport", "http_port"), ("privport", "port"), ("rtspport", "rtsp_port")):
        value = ports.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535:
            fields[name] = value
    return fields


def _decrypted(text: str) -> dict[str, Any]:
    """The JSON behind <Info>; empty when there is none or it cannot be read."""
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    try:
        from cryptography.hazmat.decrepit.ciphers.modes import OFB
    except ImportError:
        from cryptography.hazmat.primitives.ciphers.modes import OFB

    try:
        sealed = base64.b64decode(text, validate=True)
        plain = Cipher(AES(INFO_KEY), OFB(INFO_VECTOR)).decryptor().update(sealed)
        parsed = json.loads(plain)
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
