"""Answers of WS-Discovery for tests, and a device that sends them from a real socket."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDPOINT = "urn:uuid:4d454930-0000-1000-8000-bcc34217e292"
ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope '
    'xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" '
    'xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><SOAP-ENV:Header>'
    "<wsa:MessageID>urn:uuid:0</wsa:MessageID></SOAP-ENV:Header>"
    "<SOAP-ENV:Body>{body}</SOAP-ENV:Body></SOAP-ENV:Envelope>"
)
MATCH = (
    "<d:ProbeMatch><wsa:EndpointReference><wsa:Address>{endpoint}</wsa:Address>"
    "</wsa:EndpointReference>{types}<d:Scopes>{scopes}</d:Scopes>"
    "<d:XAddrs>{xaddrs}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch>"
)
TYPES = "<d:Types>dn:NetworkVideoTransmitter</d:Types>"
SCOPES = "onvif://www.onvif.org/name/Lobby onvif://www.onvif.org/hardware/IPC-1"


def match(xaddrs: str, endpoint: str = ENDPOINT, types: str = TYPES, scopes: str = SCOPES) -> str:
    return MATCH.format(endpoint=endpoint, types=types, scopes=scopes, xaddrs=xaddrs)


def answer(*matches: str) -> bytes:
    """A datagram with these matches."""
    return ENVELOPE.format(body=f"<d:ProbeMatches>{''.join(matches)}</d:ProbeMatches>").encode()


@contextmanager
def responder(
    replies: Callable[[bytes], list[bytes]],
    host: str = "127.0.0.1",
    port: int = 0,
    speaks_from: str = "",
) -> Iterator[int]:
    """A device on UDP that sends these datagrams for each question, from another address with
    `speaks_from`; its port."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaking,
    ):
        sock.bind((host, port))
        speaking.bind((speaks_from or host, 0))
        sock.settimeout(0.05)
        is_over = threading.Event()

        def serve() -> None:
            while not is_over.is_set():
                try:
                    question, sender = sock.recvfrom(65_535)
                except TimeoutError:
                    continue
                for data in replies(question):
                    speaking.sendto(data, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            is_over.set()
            thread.join()
