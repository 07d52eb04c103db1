"""Media of a pretend RTSP device over UDP, from two ports of its own (RFC 3550, section 11)."""

import socket
from contextlib import suppress

from simulators.rtsp_media import HEAD, MEDIA


class UdpMedia:
    """The way of one medium to the ports of a client. `ports` are those of the device."""

    def __init__(self, address: str, client: str, port: int) -> None:
        self._client, self._port = client, port
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        first = 0
        while True:
            self._sockets[0].bind((address, first))
            first = self._sockets[0].getsockname()[1]
            with suppress(OSError):
                self._sockets[1].bind((address, first + 1))
                break
            self._sockets[0].close()
            self._sockets[0], first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0
        self.ports = first, first + 1

    def send(self, block: bytes) -> None:
        """Send the packets of a block that is made for TCP, without their frames."""
        place = 0
        while place + HEAD <= len(block) and block[place : place + 1] == MEDIA:
            channel, end = block[place + 1], place + HEAD
            end += int.from_bytes(block[place + 2 : place + HEAD], "big")
            odd = channel % 2
            with suppress(OSError):
                target = self._client, self._port + odd
                self._sockets[odd].sendto(block[place + HEAD : end], target)
            place = end

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
