"""An ONVIF device for tests: it answers each operation with what the test says."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sources import xml_tree
from tests.sources.onvif_texts import INFORMATION, clock, fault, message, moment, profile

Reply = tuple[int, bytes, Mapping[str, str]]
STREAM = (
    "<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>{}</tt:Uri>"
    "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot></trt:MediaUri></trt:GetStreamUriResponse>"
)
SNAPSHOT = (
    "<trt:GetSnapshotUriResponse><trt:MediaUri><tt:Uri>{}</tt:Uri></trt:MediaUri>"
    "</trt:GetSnapshotUriResponse>"
)
MAC = "bc:c3:42:17:e2:92"
INTERFACES = (
    "<tds:GetNetworkInterfacesResponse><tds:NetworkInterfaces><tt:Info><tt:HwAddress>"
    f"{MAC}</tt:HwAddress></tt:Info></tds:NetworkInterfaces></tds:GetNetworkInterfacesResponse>"
)


@dataclass
class Question:
    """A request: the operation, the token of its body if there is one, and its login."""

    operation: str
    token: str
    authorization: str
    username: str
    digest: str
    path: str
    body: bytes = b""


@dataclass
class Stub:
    """The device. `answers` are by operation, or by operation and profile token: bytes, a text for
    a SOAP body, or what a function returns for the question."""

    answers: dict[str, Any] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    port: int = 0

    def operations(self) -> list[str]:
        return [question.operation for question in self.questions]

    def with_login(self) -> list[Question]:
        return [each for each in self.questions if each.authorization or each.digest]

    def reply(self, question: Question) -> Reply:
        keys = (f"{question.operation} {question.token}", question.operation)
        answer = next((self.answers[key] for key in keys if key in self.answers), None)
        if callable(answer):
            answer = answer(question)
        if answer is None:
            return 400, fault("ter:ActionNotSupported", "Action not supported"), {}
        if isinstance(answer, str):
            answer = message(answer)
        return (200, answer, {}) if isinstance(answer, bytes) else answer


def camera(now: Callable[[], Any] | None = None, **answers: Any) -> Stub:
    """A device with one video source and two profiles, which asks nobody for a login."""
    stub = Stub()
    stub.answers = {
        "GetSystemDateAndTime": clock(moment("UTCDateTime", "2026-3-1", "12:00:00")),
        "GetDeviceInformation": INFORMATION,
        "GetNetworkInterfaces": INTERFACES,
        "GetVideoSources": '<trt:VideoSources token="V1"/>',
        "GetProfiles": profile("P1") + profile("P2", width=640, height=360),
        "GetStreamUri P1": STREAM.format("rtsp://127.0.0.1:554/main?a=1&amp;b=2"),
        "GetStreamUri P2": STREAM.format("rtsp://127.0.0.1:554/sub"),
        "GetSnapshotUri": SNAPSHOT.format("http://127.0.0.1/still.jpg"),
        **answers,
    }
    return stub


def protected(stub: Stub, refuse: Callable[[Question], Reply | None]) -> Stub:
    """The device asks for a login for everything but the time: what `refuse` returns."""
    for name, answer in [*stub.answers.items()]:
        if name == "GetSystemDateAndTime":
            continue

        def guarded(question: Question, answer: Any = answer) -> Any:
            return refuse(question) or answer

        stub.answers[name] = guarded
    return stub


@contextmanager
def serving(
    stub: Stub, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[Stub]:
    """The device on a socket; its port is in `stub.port`."""

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            envelope = xml_tree.parse(data)["Envelope"]
            operation, content = next(
                (key, value) for key, value in envelope["Body"].items() if not key.startswith("@")
            )
            security = ("Header", "Security", "UsernameToken")
            question = Question(
                operation,
                xml_tree.text(content, "ProfileToken"),
                self.headers.get("Authorization", ""),
                xml_tree.text(envelope, *security, "Username"),
                xml_tree.text(envelope, *security, "Password"),
                self.path,
                data,
            )
            stub.questions.append(question)
            status, body, headers = stub.reply(question)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer((host, stub.port), Answering)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    stub.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
