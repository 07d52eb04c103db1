"""TLS servers for tests, with certificates as cameras have them."""

import socket
import ssl
import subprocess
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread


def certificate(folder: Path, name: str, *options: str) -> Path:
    """A file with a key and its self-signed certificate, which names nothing."""
    path = folder / f"{name}.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=camera", *options]
        + ["-keyout", str(path), "-out", str(folder / f"{name}.crt")],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    path.write_text(path.read_text() + (folder / f"{name}.crt").read_text())
    return path


def server_context(
    pem: Path, newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
) -> ssl.SSLContext:
    """A server with this certificate that knows no TLS above `newest`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = newest
    context.load_cert_chain(pem)
    return context


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port on 127.0.0.1 at which each connection is handed to `talk` and then closed."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _address = listener.accept()
                with connection, suppress(OSError):
                    talk(connection)

    thread = Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    """A server that ends each connection after its handshake."""

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(1)

    with serving(talk) as port:
        yield port
