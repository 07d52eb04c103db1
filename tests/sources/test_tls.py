"""TLS with devices as they are: self-signed, old, changed, or none at all."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleet.access_fields import PIN
from fleet.model import NoAnswer, Target
from sources import tls
from tests.sources.tls_servers import certificate, server_context, serving, tls_server

OLD = ("-newkey", "rsa:1024", "-sha1")
NEW = ("-newkey", "rsa:2048")
TARGET = Target("here", "rtsp:127.0.0.1:322", "127.0.0.1", tls_pin="a" * 64)
NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"), "old", *OLD)


def connect(port: int) -> str | None:
    """The fingerprint that a connection to the port meets."""

    async def ask() -> str | None:
        async with asyncio.timeout(5):
            _reader, writer, seen = await tls.open_connection("127.0.0.1", port, uses_tls=True)
        writer.transport.abort()
        await asyncio.sleep(0)
        return seen

    return asyncio.run(ask())


def test_e29_a_self_signed_sha1_certificate_with_a_key_of_1024_bits_is_accepted(pem: Path) -> None:
    with tls_server(server_context(pem, ssl.TLSVersion.TLSv1_2)) as port:
        seen = connect(port)
        assert connect(port) == seen
    der = ssl.PEM_cert_to_DER_cert(pem.with_suffix(".crt").read_text())
    assert seen == tls.fingerprint(der)
    assert PIN.fullmatch(seen)


def test_another_certificate_has_another_fingerprint(pem: Path, tmp_path: Path) -> None:
    other = certificate(tmp_path, "new", *NEW)
    with tls_server(server_context(pem)) as port, tls_server(server_context(other)) as second:
        assert connect(port) != connect(second)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_tls_of_another_age_is_a_reason_of_its_own(pem: Path, version: ssl.TLSVersion) -> None:
    with tls_server(server_context(pem, version)) as port, pytest.raises(tls.TooOld):
        connect(port)


def test_ciphers_of_another_age_are_too_old_as_well(pem: Path) -> None:
    context = server_context(pem, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("NULL-SHA256:@SECLEVEL=0")
    with tls_server(context) as port, pytest.raises(tls.TooOld):
        connect(port)


def test_a_server_without_a_certificate_is_refused(pem: Path) -> None:
    context = server_context(pem, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("aNULL:@SECLEVEL=0")
    with tls_server(context) as port, pytest.raises(tls.TooOld):
        connect(port)


def test_a_device_without_secure_renegotiation_is_accepted() -> None:
    assert tls.client_context().options & tls.LEGACY_SERVER_CONNECT


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"RTSP/1.0 400 Bad Request\r\n\r\n", "does not use TLS", id="RTSP"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not use TLS", id="HTTP"),
        pytest.param(b"", "closed the connection", id="nothing"),
        pytest.param(
            b"\x15\x03\x01\x00\x02\x02\x50", r"\(tlsv1 alert internal error\)", id="alert"
        ),
    ],
)
def test_what_is_no_tls_is_no_answer_and_never_a_fault_of_this_server(
    data: bytes, reason: str
) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(data)

    with serving(talk) as port, pytest.raises(NoAnswer, match=reason):
        connect(port)


def test_a_changed_certificate_is_told_from_the_first_and_from_the_same() -> None:
    assert tls.is_changed(TARGET, "b" * 64)
    assert not tls.is_changed(TARGET, "a" * 64)
    assert not tls.is_changed(TARGET, None)
    assert not tls.is_changed(Target("here", "x", "127.0.0.1"), "b" * 64)


def test_the_finding_has_the_fingerprint_that_a_person_can_accept() -> None:
    finding = tls.changed(TARGET, "b" * 64, "rtsp", NOW)
    assert finding.kind == "tls.changed"
    assert finding.evidence == {"accepted": "a" * 64, "presented": "b" * 64}
    assert tls.too_old(TARGET, "rtsp", NOW).kind == "tls.old"
