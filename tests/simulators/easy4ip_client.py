"""A client of the pretend Easy4IP cloud: sends the protocol's requests and keeps what comes."""

import hashlib
import re
import select
import socket
import time
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from simulators import easy4ip_wire as wire
from simulators.easy4ip import Cloud, fleet

ROOT = Path(__file__).parents[2]
LIMIT = 20.0  # seconds: generous, only a broken cloud waits so long
SERIAL = "SIM00000PAZ0000"
HELLO = "/probe/p2psrv"
PLAIN_INFO = (
    '{"httpport":80,"privport":37777,"randsalt":"5daf91fc5cfc1be8e081cfb08f792726",'
    '"rtspport":554,"tlsprivport":37778}'
)
SEALED_INFO = (
    "sLwAgMEOWisMO6lxixpYDeXWpVnxEMzxsPtceu7wdf9YvYtrdJYDcU6Dh6zbMPVBenmyMQUnzPZo2w8K1xldnpp/XFnQwoDN"
    "jFxS5UOJ5+U1b0xQ+ZJE977ehYvf8ZRULvxyhDjYUHBf4OUQ7Bv8Q68="
)


def moment(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


def created(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


NOON = moment("2026-03-01T12:00:00Z")  # by every clock here, unless a test says otherwise


class Reply(NamedTuple):
    raw: bytes
    sender: tuple[str, int]

    @property
    def code(self) -> int:
        return int(self.raw.split()[1])

    @property
    def body(self) -> str:
        return self.raw.partition(b"\r\n\r\n")[2].decode()

    def header(self, name: str) -> str | None:
        match = re.search(rf"(?m)^{name}: (.*)\r$", self.raw.decode())
        return match and match[1]

    @property
    def cseq(self) -> int:
        return int(self.header("CSeq"))

    @property
    def us(self) -> str:
        return re.search("<US>(.*)</US>", self.body)[1]


def request_bytes(
    path, cseq=2, nonce="1234567890", at=NOON, user=wire.USER, key=wire.KEY, auth=True
):
    """A request as section 2 has it."""
    lines = [f"DHGET {path} HTTP/1.1", f"CSeq: {cseq}"]
    when = created(at)
    raw = hashlib.sha1(f"{nonce}{when}DHP2P:{user}:{key}".encode()).digest()
    if auth:
        lines.append('Authorization: WSSE profile="UsernameToken"')
        lines.append(
            f'X-WSSE: UsernameToken Username="{user}", PasswordDigest="{b64encode(raw).decode()}", '
            f'Nonce="{nonce}", Created="{when}"'
        )
    return "\r\n".join([*lines, "", ""]).encode()


class Client:
    """Asks servers from one socket on 127.0.0.1 and hears what comes, from wherever."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.settimeout(LIMIT)
        self.cseq = 0

    def send(self, server, path, **changes) -> int:
        self.cseq += 1
        changes = {"cseq": self.cseq, "nonce": str(self.cseq), **changes}
        self.socket.sendto(request_bytes(path, **changes), server.address)
        return changes["cseq"]

    def hear(self) -> Reply:
        return Reply(*self.socket.recvfrom(65535))

    def ask(self, server, path, **changes) -> Reply:
        self.send(server, path, **changes)
        return self.hear()

    def lookup(self, cloud, serial=SERIAL, **changes) -> Reply:
        return self.ask(cloud.main, f"/online/p2psrv/{serial}", **changes)

    def probe(self, cloud, serial=SERIAL, **changes) -> Reply:
        return self.ask(cloud.regions[1], f"/probe/device/{serial}", **changes)

    def info(self, cloud, serial=SERIAL, **changes) -> Reply:
        return self.ask(cloud.regions[1], f"/info/device/{serial}", **changes)

    def hear_waiting(self) -> list[Reply]:
        """All that has arrived by now."""
        heard = []
        while select.select([self.socket], [], [], 0)[0]:
            heard.append(self.hear())
        return heard

    def hear_all(self, cloud, requests: int) -> list[Reply]:
        """All that a cloud answers to so many sound requests since `forget()`."""
        wait_until(lambda: cloud.asked.total() == requests and cloud.is_quiet)
        return self.hear_waiting()


def wait_until(fact) -> None:
    end = time.monotonic() + LIMIT
    while not fact():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def cloud_of(*recorders, **options) -> Cloud:
    return Cloud(recorders, **{"clock": lambda: NOON, "servers": 2, **options})


def answered(client, cloud, serials, times=1) -> list[Reply]:
    """What comes back when each serial is looked up so many times."""
    cloud.forget()
    for _ in range(times):
        for serial in serials:
            client.send(cloud.main, f"/online/p2psrv/{serial}")
    return client.hear_all(cloud, len(serials) * times)


SERIALS = [recorder.serial for recorder in fleet(200)]
