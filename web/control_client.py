"""Send requests of the command line to the running monitor over its control socket."""

import http.client
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class NoReply(Exception):
    """Raised when a running monitor does not reply; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the monitor: HTTP status and the JSON of its body, or its bytes."""

    status: int
    body: Any


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def send_request(path: Path, method: str, url: str, body: Any = None) -> Reply | None:
    """Send the request and return the reply; None when no monitor runs. Raises NoReply."""
    return _reply(path, method, url, body, json.loads)


def read_file(path: Path, url: str) -> Reply | None:
    """Get the bytes of a file, as the body of the reply; None when no monitor runs. An error has
    JSON there. Raises NoReply."""
    return _reply(path, "GET", url, None, bytes)


def _reply(
    path: Path, method: str, url: str, body: Any, parsed: Callable[[bytes], Any]
) -> Reply | None:
    connection = _Connection(path)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, url, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        parse = parsed if answer.status < 400 else json.loads
        return Reply(answer.status, parse(answer.read()))
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return None
    except PermissionError:
        raise NoReply(
            f"{path} belongs to another user. Run this command as the user who runs Camera "
            "Monitor, or as root."
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoReply(f"The running Camera Monitor is not responding ({error}).") from None
    finally:
        connection.close()
