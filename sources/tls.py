"""TLS to devices: self-signed and old certificates are accepted, and the first one is remembered.

Nobody signs the certificates of cameras, so a certificate proves only that the device is the one of
the last time: the sources compare its fingerprint with that of the first connection.
"""

import asyncio
import hashlib
import ssl
from datetime import datetime
from functools import cache

from fleet.model import Finding, NoAnswer, Target

CIPHERS = "DEFAULT:!aNULL:!eNULL:@SECLEVEL=0"
"""Those of OpenSSL with a certificate, also a SHA-1 signature or a key of 1024 bits."""
LEGACY_SERVER_CONNECT = 0x4
"""SSL_OP_LEGACY_SERVER_CONNECT; the ssl module names it from Python 3.12 on."""
SHUTDOWN = 1.0
"""Seconds that a device has to end TLS in order."""
TOO_OLD = frozenset(
    (
        *("UNSUPPORTED_PROTOCOL", "UNSUPPORTED_SSL_VERSION", "WRONG_SSL_VERSION"),
        *("TLSV1_ALERT_PROTOCOL_VERSION", "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        *("TLSV1_ALERT_INSUFFICIENT_SECURITY", "BAD_PROTOCOL_VERSION_NUMBER"),
    )
)
"""Errors of OpenSSL that say that the device has neither TLS 1.2 nor a cipher of today."""
CLOSED = "it closed the connection during the TLS handshake"
FINDINGS = ("tls.changed", "tls.old")
"""Cleared by a connection with the accepted certificate."""
NOT_TLS = frozenset(("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"))


class TooOld(Exception):
    """The device responds, but offers only TLS 1.0, TLS 1.1 or ciphers of that time."""


@cache
def client_context() -> ssl.SSLContext:
    """The context that connections to devices share."""
    return new_context()


def new_context() -> ssl.SSLContext:
    """A context for connections to devices: TLS 1.2 or newer, any certificate.

    Devices without secure renegotiation (RFC 5746) are accepted.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= LEGACY_SERVER_CONNECT
    return context


def fingerprint(der: bytes) -> str:
    """The SHA-256 fingerprint of a certificate, as `tls_pin` has it: 64 hexadecimal digits."""
    return hashlib.sha256(der).hexdigest()


async def open_connection(
    host: str, port: int, *, uses_tls: bool, limit: int = 2**16
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str | None]:
    """A connection, and the fingerprint of the certificate if it uses TLS.

    Raises TooOld, NoAnswer, and OSError, which `net.cannot_ask` can judge.
    """
    if not uses_tls:
        return *await asyncio.open_connection(host, port, limit=limit), None
    try:
        reader, writer = await asyncio.open_connection(
            *(host, port),
            limit=limit,
            ssl=client_context(),
            ssl_shutdown_timeout=SHUTDOWN,
        )
    except ssl.SSLError as error:
        if error.reason in TOO_OLD:
            raise TooOld from None
        raise NoAnswer(reason_of(error)) from None
    except ConnectionError as error:
        if error.errno is None:  # asyncio's own, without a text
            raise NoAnswer(CLOSED) from None
        raise
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return reader, writer, fingerprint(der)


def reason_of(error: ssl.SSLError) -> str:
    """Why a connection with TLS failed, in plain words. The number of such an error is OpenSSL's
    own, so `net.cannot_ask` must not judge it."""
    if error.reason in NOT_TLS:
        return "the port does not use TLS"
    if isinstance(error, ssl.SSLEOFError) or error.reason == "UNEXPECTED_EOF_WHILE_READING":
        return CLOSED
    name = (error.reason or "unknown error").lower().replace("_", " ")
    return f"the TLS connection failed ({name})"


def is_changed(target: Target, seen: str | None) -> bool:
    """True if the device presents another certificate than the accepted one. It gets no
    credentials until a person accepts the new one. Without TLS there is nothing to compare."""
    return bool(seen and target.tls_pin) and seen != target.tls_pin


def changed(target: Target, seen: str, source: str, at: datetime) -> Finding:
    """The finding about a certificate that `is_changed`. It names the new fingerprint, which a
    person accepts by saving it as the `tls_pin` of the access."""
    text = f"its TLS certificate has changed (now SHA-256 {seen[:16]}…), so no password is sent"
    evidence = {"accepted": target.tls_pin, "presented": seen}
    return Finding(target.key, "tls.changed", at, text, source, evidence, site=target.site)


def too_old(target: Target, source: str, at: datetime) -> Finding:
    """The finding about a device that raised TooOld."""
    text = (
        "it offers only TLS 1.0 or 1.1, which is too old. Update its firmware, or turn TLS off for "
        "this device"
    )
    return Finding(target.key, "tls.old", at, text, source, site=target.site)
