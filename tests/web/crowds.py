"""Many clients of endless responses, read by one thread, and what they cost the server."""

import selectors
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from tests.home import Running

WAKE = 0.2


class Client:
    """A connection: its status, and how many bytes came."""

    def __init__(self, monitor: Running, path: str, source: str, headers: dict[str, str]) -> None:
        self.head, self.received, self.has_ended = b"", 0, False
        self.sock = socket.create_connection(("127.0.0.1", monitor.port), 60, (source, 0))
        lines = [f"{name}: {value}" for name, value in {"Host": "localhost", **headers}.items()]
        self.sock.sendall("\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode())
        self.sock.setblocking(False)

    @property
    def status(self) -> int:
        """0 until the answer begins."""
        return int(self.head[9:12] or 0)

    def read(self) -> None:
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.has_ended = not data
        self.received += len(data)
        if len(self.head) < 2000:
            self.head += data[:2000]


class Crowd:
    """Clients that read all they get until they leave."""

    def __init__(self, monitor: Running) -> None:
        self.clients: list[Client] = []
        self._monitor = monitor
        self._selector = selectors.DefaultSelector()
        self._is_over = False
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def join(
        self, count: int, path: str, source: str = "127.0.0.1", **headers: str
    ) -> list[Client]:
        """Add so many clients, from this address."""
        joined = [Client(self._monitor, path, source, headers) for _ in range(count)]
        for client in joined:
            self._selector.register(client.sock, selectors.EVENT_READ, client)
        self.clients += joined
        return joined

    def _read(self) -> None:
        while not self._is_over:
            for key, _events in self._selector.select(WAKE):
                key.data.read()
                if key.data.has_ended:
                    self._selector.unregister(key.fileobj)

    def leave(self) -> None:
        self._is_over = True
        self._thread.join()
        for client in self.clients:
            client.sock.close()
        self._selector.close()


@contextmanager
def crowd(monitor: Running) -> Iterator[Crowd]:
    clients = Crowd(monitor)
    try:
        yield clients
    finally:
        clients.leave()


def use(pid: int) -> tuple[int, int]:
    """The threads and the open descriptors of a process."""
    process = Path(f"/proc/{pid}")
    return len(list((process / "task").iterdir())), len(list((process / "fd").iterdir()))


def memory(pid: int) -> int:
    """The MB that a process has in memory."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) // 1024
